/*
 * The native supervisor: this daemon runs the service itself.
 *
 * An end comes in two steps: the leader is collected (service_exited), and
 * nothing of it is left (service_gone).  Only the second lets a new one
 * start, so a service never runs twice.
 */
#include <sys/types.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "expand.h"
#include "instance.h"
#include "launch.h"
#include "log.h"
#include "timer.h"
#include "util.h"

#define UNKILLABLE_MS	30000	/* after KILL: go on without them */

/* From the fork to the exec, or to the failure that comes in its place. */
struct birth {
	int		 fd;		/* of launch_start() */
	struct event	 ev;
};

static void	 native_poll(struct instance *);

/* --- the end --------------------------------------------------------- */

static void
native_done(struct instance *i)
{
	struct native	*n = &i->native;

	evtimer_del(&n->stop_ev);
	n->kill_at = 0;
	n->draining = n->kill = 0;
	service_gone(i);
}

/* Come back at the end of the grace, or for the next look if the leader
 * has ended, whichever is first. */
static void
native_wait(struct native *n)
{
	uint64_t	 now = time_mono_ms(), ms = UINT32_MAX;

	if (n->kill_at != 0)
		ms = n->kill_at > now ? n->kill_at - now : 0;
	if (!n->leader && n->poll_ms < ms)
		ms = n->poll_ms;
	timer_in(&n->stop_ev, ms);
}

/* Look if anything is left; kill again and look later if so. */
static void
native_poll(struct instance *i)
{
	struct native	*n = &i->native;

	if (n->leader || !n->draining)
		return;
	if (contain_empty(&n->box)) {
		native_done(i);
		return;
	}
	if (n->kill && time_mono_ms() - n->killed_at > UNKILLABLE_MS) {
		log_warnx("leave processes of %s that survive KILL: ps -eo "
		    "pid,stat,wchan,args says what they wait for",
		    i->name);
		native_done(i);
		return;
	}
	if (n->kill)
		contain_kill(&n->box);
	native_wait(n);
	n->poll_ms *= 2;
	if (n->poll_ms > CONTAIN_POLL_MAX)
		n->poll_ms = CONTAIN_POLL_MAX;
}

static void
native_kill(struct instance *i)
{
	struct native	*n = &i->native;

	n->kill = 1;
	n->kill_at = 0;
	n->killed_at = time_mono_ms();
	n->poll_ms = CONTAIN_POLL_MIN;
	contain_kill(&n->box);
	/* It may not have come to its setsid(2), or be outside the box. */
	if (n->leader)
		contain_signal(&n->box, i->in.pid, n->watch != NULL ?
		    i->in.start_time : 0, SIGKILL);
}

static void
native_stopev(int fd, short what, void *arg)
{
	struct instance	*i = arg;
	struct native	*n = &i->native;

	if (n->kill_at != 0 && time_mono_ms() >= n->kill_at) {
		log_notice("kill %s: not stopped within %u ms", i->name,
		    i->stop_ms);
		native_kill(i);
	} else if (n->leader && n->kill_at != 0)
		native_wait(n);		/* the loop's clock is coarse */
	native_poll(i);
}

static void
native_stop(struct instance *i)
{
	struct native	*n = &i->native;
	uint64_t	 start = n->watch != NULL ? i->in.start_time : 0;

	n->draining = 1;
	n->poll_ms = CONTAIN_POLL_MIN;
	if (!n->leader) {
		native_poll(i);
		return;
	}
	contain_signal(&n->box, i->in.pid, start, i->stop_signal);
	contain_signal(&n->box, i->in.pid, start, SIGCONT);
	n->kill_at = time_mono_ms() + i->stop_ms;
	native_wait(n);
}

static void
native_drain(struct instance *i)
{
	i->native.draining = 1;
	i->native.poll_ms = CONTAIN_POLL_MIN;
	native_poll(i);
}

static void
native_sweep(struct instance *i)
{
	struct native	*n = &i->native;

	n->draining = 1;
	if (!contain_empty(&n->box))
		native_kill(i);
	native_poll(i);
}

static void
birth_end(struct native *n)
{
	struct birth	*b = n->birth;

	if (b == NULL)
		return;
	event_del(&b->ev);
	close(b->fd);
	free(b);
	n->birth = NULL;
}

/* The exec has closed the pipe, or has failed: its exit will tell. */
static void
native_born(int fd, short what, void *arg)
{
	struct instance	*i = arg;
	char		 text[UPD_TEXT_SIZE];
	int		 r;

	/* It may be on its way to another supervisor, without a command. */
	r = launch_error(fd, i->conf != NULL && i->conf->command.n > 0 ?
	    i->conf->command.v[0] : i->name, text);
	if (r == -1)
		return;
	free(i->native.failure);
	/* Without memory for it its exit code has to do. */
	i->native.failure = r == 1 ? strdup(text) : NULL;
	birth_end(&i->native);
}

static void
birth_begin(struct instance *i, struct birth *b, int fd)
{
	b->fd = fd;
	event_set(&b->ev, fd, EV_READ | EV_PERSIST, native_born, i);
	i->native.birth = b;
	if (event_add(&b->ev, NULL) == -1)
		log_warnx("watch start of %s: out of memory", i->name);
}

static void
native_exited(void *arg, pid_t pid, int status)
{
	struct instance	*i = arg;
	struct native	*n = &i->native;

	n->leader = 0;
	if (n->watch != NULL)
		pidwatch_del(n->watch);
	n->watch = NULL;
	/* It says so before it exits: nothing is missed here. */
	if (n->birth != NULL)
		native_born(n->birth->fd, EV_READ, i);
	birth_end(n);
	if (n->dirfd != -1)
		unlinkat(n->dirfd, "pid", 0);
	pidfile_set(i, 0);
	/* Its last words, before anybody asks for them. */
	capture_drain(&i->capture);
	if (n->failure != NULL)
		service_exited(i, -1, n->failure);
	else
		service_exited(i, status, NULL);
}

/* --- the start ------------------------------------------------------- */

/* Channel for its output; trouble with it does not keep a service down. */
static int
open_output(struct instance *i)
{
	int	 fd;

	if (rundir_open(i) == -1 ||
	    capture_open(&i->capture, i->native.dirfd) == -1 ||
	    (fd = capture_writer(&i->capture)) == -1) {
		log_warn("capture output of %s", i->name);
		return -1;
	}
	return fd;
}

/* What it finds in its environment.  Malloced, or NULL. */
static char **
make_environ(struct instance *i, const struct identity *id,
    const struct args *environment, int notify, const char *sockname)
{
	char		 mark[CONTAIN_MARK_SIZE];
	char		 name[UPD_INSTANCE_SIZE + 32];
	char		 sock[512];
	const char	*own[5];
	int		 n = 0;

	/* The mark first: a sweep reads only so much of an environment. */
	contain_mark(&i->native.box, mark);
	own[n++] = mark;
	snprintf(name, sizeof(name), "UPDATERD_INSTANCE=%s", i->name);
	own[n++] = name;
	if (notify != -1)
		own[n++] = "NOTIFY_FD=3";
	if (sockname[0] != '\0') {
		snprintf(sock, sizeof(sock), "NOTIFY_SOCKET=%s", sockname);
		own[n++] = sock;
	}
	own[n] = NULL;
	return environ_make(id, environment, own);
}

/* The release that is current now: its directory and path. */
static int
open_release(const struct store *s, char *base, size_t size)
{
	if ((size_t)snprintf(base, size, "%s/releases/%s", s->root,
	    s->current) >= size) {
		errno = ENAMETOOLONG;
		return -1;
	}
	return openat(s->relfd, s->current, O_RDONLY | O_DIRECTORY |
	    O_NOFOLLOW | O_CLOEXEC);
}

/* It is our child now. */
static int
native_started(struct instance *i, pid_t pid, struct birth *b, int errfd,
    char *text)
{
	struct native	*n = &i->native;

	n->leader = 1;
	n->kill = n->draining = 0;
	free(n->failure);
	n->failure = NULL;
	birth_begin(i, b, errfd);
	i->in.running = 1;
	i->in.pid = pid;
	i->in.start_time = pid_starttime(pid);
	i->in.started_at = time_real_us();
	strlcpy(i->in.boot, boot_id(), sizeof(i->in.boot));
	strlcpy(i->in.release, i->agent->store->current,
	    sizeof(i->in.release));
	i->in.conf = instance_confhash(i);
	rundir_note(i);
	if (reap_add(pid, native_exited, i) == -1) {
		strlcpy(text, "out of memory", UPD_TEXT_SIZE);
		native_kill(i);
		n->leader = 0;
		return -1;
	}
	pidfile_note(i);
	return 0;
}

static int
native_start(struct instance *i, char *text)
{
	const struct service_conf	*conf = i->conf;
	struct expansion		 x;
	struct identity			 id;
	struct launch			 l;
	struct birth			*b = NULL;
	char				 base[PATH_MAX], sock[128] = "";
	pid_t				 pid = -1;
	int				 errfd;

	memset(&l, 0, sizeof(l));
	memset(&x, 0, sizeof(x));
	l.out = l.notify = l.dirfd = -1;
	if (identity_lookup(&id, conf->user, conf->group, &conf->groups,
	    text) == -1 || instance_expand(i, &x, text) == -1)
		goto done;
	l.dirfd = open_release(i->agent->store, base, sizeof(base));
	if (l.dirfd == -1) {
		snprintf(text, UPD_TEXT_SIZE, "cannot open release %s: %s",
		    i->agent->store->current, strerror(errno));
		goto done;
	}
	l.out = open_output(i);
	if (conf->health.kind == HEALTH_NOTIFY && (l.notify =
	    herald_prepare(i, 1, id.uid, id.gid, sock, sizeof(sock),
	    text)) == -1)
		goto done;
	/* What could fail after the fork is made before it. */
	if ((l.env = make_environ(i, &id, &x.environment, l.notify,
	    sock)) == NULL || (b = calloc(1, sizeof(*b))) == NULL) {
		strlcpy(text, "out of memory", UPD_TEXT_SIZE);
		goto done;
	}
	l.argv = &x.command;
	l.id = &id;
	l.directory = x.directory;
	l.base = base;
	l.umask = conf->umask;
	l.rlimits = conf->rlimits;
	l.nrlimits = conf->nrlimits;
	l.box = &i->native.box;
	pid = launch_start(&l, &errfd, text);
 done:
	if (l.out != -1)
		close(l.out);
	if (l.notify != -1)
		close(l.notify);
	if (l.dirfd != -1)
		close(l.dirfd);
	environ_free(l.env);
	expansion_free(&x);
	identity_free(&id);
	if (pid == -1) {
		free(b);
		return -1;
	}
	return native_started(i, pid, b, errfd, text);
}

/* --- what was there before us ---------------------------------------- */

/* Is the process of pid file or state file still there? */
static int
find_leader(struct instance *i)
{
	if (!rundir_recall(i) && !(i->in.running &&
	    strcmp(i->in.boot, boot_id()) == 0))
		return 0;
	return i->in.pid > 1 && i->in.start_time != 0 &&
	    pid_starttime(i->in.pid) == i->in.start_time;
}

/* Be told of the leader's end, if it is there.  1 or 0. */
static int
native_hold(struct instance *i)
{
	struct native	*n = &i->native;

	if (!find_leader(i))
		return 0;
	/* The program that we were has started it. */
	if (reap_ischild(i->in.pid))
		return reap_add(i->in.pid, native_exited, i) == 0;
	n->watch = pidwatch_add(i->in.pid, native_exited, i);
	if (n->watch != NULL &&
	    pid_starttime(i->in.pid) != i->in.start_time) {
		pidwatch_del(n->watch);		/* its pid was used again */
		n->watch = NULL;
	}
	return n->watch != NULL;
}

static enum attach_result
native_attach(struct instance *i)
{
	struct native	*n = &i->native;
	struct identity	 id;
	char		 sock[128], text[UPD_TEXT_SIZE];
	int		 fd;

	n->dirfd = -1;
	contain_init(&n->box, i->name);
	evtimer_set(&n->stop_ev, native_stopev, i);
	if (rundir_open(i) == -1)
		log_warn("open run directory of %s", i->name);
	pidfile_set(i, 0);
	if (native_hold(i)) {
		pidfile_set(i, i->in.pid);
		contain_adopt(&n->box, i->in.pid);
		n->leader = 1;
		if (n->dirfd != -1 &&
		    capture_open(&i->capture, n->dirfd) == -1)
			log_warn("capture output of %s", i->name);
		if (i->conf != NULL &&
		    i->conf->health.kind == HEALTH_NOTIFY) {
			fd = -1;
			if (identity_lookup(&id, i->conf->user,
			    i->conf->group, NULL, text) == 0)
				fd = herald_prepare(i, 0, id.uid, id.gid,
				    sock, sizeof(sock), text);
			identity_free(&id);
			if (fd != -1)
				close(fd);
		}
		return ATTACH_RUNS;
	}
	/* No leader, but its children may have been left. */
	if (!contain_remains(&n->box))
		return ATTACH_NONE;
	if (n->dirfd != -1 && capture_open(&i->capture, n->dirfd) == -1)
		log_warn("capture output of %s", i->name);
	n->draining = 1;
	native_kill(i);
	native_wait(n);
	return ATTACH_LEFTOVERS;
}

static void
native_rest(struct instance *i)
{
	contain_close(&i->native.box);
}

static void
native_forget(struct instance *i)
{
	struct native	*n = &i->native;

	evtimer_del(&n->stop_ev);
	birth_end(n);
	free(n->failure);
	n->failure = NULL;
	if (n->watch != NULL)
		pidwatch_del(n->watch);
	n->watch = NULL;
	contain_close(&n->box);
	capture_close(&i->capture);
	n->unnoted = 0;
	rundir_remove(i);
}

static const char *
native_containment(const struct instance *i)
{
	return contain_levelname(i->native.box.level);
}

const struct backend native_backend = {
	.name		= "native",
	.attach		= native_attach,
	.start		= native_start,
	.stop		= native_stop,
	.drain		= native_drain,
	.sweep		= native_sweep,
	.rest		= native_rest,
	.forget		= native_forget,
	.containment	= native_containment,
};
