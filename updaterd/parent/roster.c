/*
 * The parent's side of a profile process.  All it says is checked by one
 * table, and then for what the table cannot see: names in ascending order,
 * fit for what they are said to be, words that are known.
 *
 * The user whose uid it has may stop, kill or starve it, so every wait has
 * an end; then the service is left as it is.
 */
#include <sys/types.h>
#include <sys/wait.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "launch.h"
#include "log.h"
#include "parent.h"
#include "patience.h"
#include "reap.h"
#include "roster.h"
#include "timer.h"
#include "util.h"

#define ANSWER_MS	PATIENCE(10000)	/* for each answer */

enum roster_state {
	ROSTER_SCANNING	= 0x1,
	ROSTER_ORDERED	= 0x2,		/* takes what it is asked */
	ROSTER_FINISHING = 0x4,
	ROSTER_SPOKEN	= 0x8		/* has said its last word */
};

struct roster {
	struct proc			 proc;
	enum roster_state		 state;
	char				 service[UPD_NAME_SIZE];
	struct roster_calls		 calls;
	void				*arg;
	struct msg_profile_found	*found;
	size_t				 n, cap;
	struct msg_profile_scanned	 scanned;
	struct farwait			 watch;
	struct event			 timer;
	int				 ready;
	int				 syncing;
	int				 exited;
	int				 status;
	char				 text[UPD_TEXT_SIZE];
};

static int	 got_ready(void *, struct imsg *);
static int	 got_found(void *, struct imsg *);
static int	 got_watch(void *, struct imsg *);
static int	 got_scanned(void *, struct imsg *);
static int	 got_synced(void *, struct imsg *);
static int	 got_done(void *, struct imsg *);

static const struct imsg_rule rules[] = {
	{ IMSG_READY, PROC_PROFILE, sizeof(struct msg_ready), 0, 0,
	    ROSTER_SCANNING | ROSTER_ORDERED | ROSTER_FINISHING, got_ready },
	{ IMSG_PROFILE_FOUND, PROC_PROFILE, sizeof(struct msg_profile_found),
	    0, 0, ROSTER_SCANNING, got_found },
	{ IMSG_PROFILE_WATCH, PROC_PROFILE, 0, 0, 1, ROSTER_SCANNING,
	    got_watch },
	{ IMSG_PROFILE_SCANNED, PROC_PROFILE,
	    sizeof(struct msg_profile_scanned), 0, 0, ROSTER_SCANNING,
	    got_scanned },
	{ IMSG_PROFILE_SYNCED, PROC_PROFILE, 0, 0, 0, ROSTER_ORDERED,
	    got_synced },
	{ IMSG_PROFILE_DONE, PROC_PROFILE, sizeof(struct msg_profile_done),
	    0, 0, ROSTER_FINISHING, got_done }
};

int
roster_isneeded(const struct service_conf *c)
{
	return c->home != NULL || c->profiles != NULL ||
	    c->reconcile_log != NULL;
}

static void
patience(struct roster *r, uint32_t ms)
{
	evtimer_del(&r->timer);
	timer_in(&r->timer, ms);
}

/* --- messages -------------------------------------------------------- */

static int
got_ready(void *arg, struct imsg *imsg)
{
	struct roster	*r = arg;
	struct procinfo	*info = &env->proc[PROC_PROFILE];

	if (r->ready ||
	    imsg_get_data(imsg, &info->ready, sizeof(info->ready)) == -1)
		return -1;
	r->ready = info->seen = 1;
	return 0;
}

/* The default one first, all others in ascending order. */
static int
is_next(const struct roster *r, const struct msg_profile_found *m)
{
	const char	*last;

	if (r->n == 0)
		return 1;
	last = r->found[r->n - 1].name;
	if (r->n == 1 && strcmp(last, PROFILE_DEFAULT) == 0 &&
	    r->found[0].skip == SKIP_NONE)
		return 1;
	return strcmp(last, m->name) < 0;
}

static int
found_isvalid(const struct roster *r, const struct msg_profile_found *m)
{
	char	 name[UPD_INSTANCE_SIZE];

	if (!PROTO_STR(m->name) || m->name[0] == '\0' ||
	    strchr(m->name, '/') != NULL || m->skip >= SKIP__MAX ||
	    m->state >= PSTATE__MAX || m->desired >= PDESIRED__MAX ||
	    m->stale > PROFILE_RUNTIME_MAX || m->stamp < 0 ||
	    m->error < 0 || (m->error != 0 && m->skip != SKIP_NONE) ||
	    !is_next(r, m))
		return 0;
	if (m->skip != SKIP_NONE)
		return 1;
	if (r->n == 0 && strcmp(m->name, PROFILE_DEFAULT) == 0)
		return 1;
	return profile_isvalid(m->name) && profile_instance(r->service,
	    m->name, name, sizeof(name)) == 0;
}

static int
got_found(void *arg, struct imsg *imsg)
{
	struct roster			*r = arg;
	struct msg_profile_found	 m, *p;

	if (imsg_get_data(imsg, &m, sizeof(m)) == -1 ||
	    r->n > PROFILE_MAX || !found_isvalid(r, &m))
		return -1;
	if (r->n == r->cap) {
		p = reallocarray(r->found, r->cap + 64, sizeof(*p));
		if (p == NULL) {
			strlcpy(r->text, "out of memory", sizeof(r->text));
			return -1;
		}
		r->found = p;
		r->cap += 64;
	}
	r->found[r->n++] = m;
	return 0;
}

static int
got_watch(void *arg, struct imsg *imsg)
{
	struct roster	*r = arg;

	return farwait_add(&r->watch, imsg_get_fd(imsg));
}

static int
got_scanned(void *arg, struct imsg *imsg)
{
	struct roster	*r = arg;

	if (imsg_get_data(imsg, &r->scanned, sizeof(r->scanned)) == -1 ||
	    r->scanned.dir_errno < 0 || r->scanned.many > 1)
		return -1;
	r->state = ROSTER_ORDERED;
	/* Now it waits for us. */
	evtimer_del(&r->timer);
	r->calls.scanned(r->arg);
	return 0;
}

static int
got_synced(void *arg, struct imsg *imsg)
{
	struct roster	*r = arg;

	if (!r->syncing)
		return -1;
	r->syncing = 0;
	evtimer_del(&r->timer);
	r->calls.synced(r->arg);
	return 0;
}

static int
got_done(void *arg, struct imsg *imsg)
{
	struct roster		*r = arg;
	struct msg_profile_done	 m;

	if (imsg_get_data(imsg, &m, sizeof(m)) == -1 || !PROTO_STR(m.text))
		return -1;
	r->state = ROSTER_SPOKEN;
	/* Its words are the user's: into the log, made harmless there. */
	if (m.errors > 0)
		log_warnx("keep profiles of %s: %u failed, first: %s",
		    r->service, m.errors, m.text);
	return 0;
}

/* --- its life -------------------------------------------------------- */

static void
roster_free(struct roster *r)
{
	evtimer_del(&r->timer);
	imsgev_close(&r->proc.iev);
	farwait_close(&r->watch);
	free(r->found);
	free(r);
}

static void
through(struct roster *r)
{
	char	 how[64];

	if (!r->exited || r->proc.iev.open)
		return;
	if (r->text[0] == '\0' && (r->state != ROSTER_SPOKEN ||
	    r->status != 0)) {
		if (WIFSIGNALED(r->status))
			snprintf(how, sizeof(how), "killed by signal %d",
			    WTERMSIG(r->status));
		else
			snprintf(how, sizeof(how), "exited %d",
			    WEXITSTATUS(r->status));
		snprintf(r->text, sizeof(r->text), "its profile process was "
		    "lost (%s)", how);
	}
	r->calls.ended(r->arg, r->text);
	roster_free(r);
}

static void
exited(void *arg, pid_t pid, int status)
{
	struct roster	*r = arg;

	r->exited = 1;
	r->status = status;
	r->proc.pid = 0;
	through(r);
}

static void
give_up(struct roster *r, const char *why)
{
	if (r->text[0] == '\0')
		strlcpy(r->text, why, sizeof(r->text));
	if (r->proc.pid > 1)
		kill(r->proc.pid, SIGKILL);
}

static void
timed_out(int fd, short what, void *arg)
{
	give_up(arg, "its profile process does not answer");
}

static int
recv_msg(struct imsgev *iev, struct imsg *imsg, void *arg)
{
	struct roster		*r = arg;
	const struct imsg_rule	*rule;
	const char		*why = "its content is not valid";

	rule = proto_check(rules, sizeof(rules) / sizeof(rules[0]),
	    PROC_PROFILE, r->state, imsg, &why);
	if (rule != NULL && rule->handler(r, imsg) == 0)
		return 0;
	log_warnx("refuse %s from profile of %s: %s",
	    imsg_name(imsg_get_type(imsg)), r->service, rule != NULL ?
	    "its content is not valid" : why);
	return -1;
}

static void
dead(struct imsgev *iev, int broken, void *arg)
{
	struct roster	*r = arg;

	if (broken)
		give_up(r, "its profile process broke its protocol");
	through(r);
}

/* 0, or -1: the child will be found out. */
static void
send_msg(struct roster *r, uint32_t type, const void *data, size_t len)
{
	if (r->proc.iev.open &&
	    imsgev_compose(&r->proc.iev, type, -1, data, len) == -1)
		give_up(r, "out of memory");
}

/* --- what is asked of it --------------------------------------------- */

static int
send_start(struct roster *r, const struct service_conf *c,
    const struct identity *id, unsigned int flags)
{
	struct msg_profile_start m;
	struct msg_profile_name	 file;
	size_t			 i;
	int			 n;

	memset(&m, 0, sizeof(m));
	m.flags = flags;
	for (n = 0; n < id->ngroups && n < PROFILE_GROUPS_MAX; n++)
		m.groups[m.ngroups++] = (uint32_t)id->groups[n];
	strlcpy(m.service, c->name, sizeof(m.service));
	strlcpy(m.home, c->home != NULL ? c->home : "", sizeof(m.home));
	if (c->profiles != NULL) {
		strlcpy(m.profiles, c->profiles, sizeof(m.profiles));
		strlcpy(m.marker, c->marker, sizeof(m.marker));
	}
	strlcpy(m.log, c->reconcile_log != NULL ? c->reconcile_log : "",
	    sizeof(m.log));
	if (imsgev_compose(&r->proc.iev, IMSG_PROFILE_START, -1, &m,
	    sizeof(m)) == -1)
		return -1;
	for (i = 0; i < c->runtime_files.n; i++) {
		memset(&file, 0, sizeof(file));
		strlcpy(file.name, c->runtime_files.v[i], sizeof(file.name));
		if (imsgev_compose(&r->proc.iev, IMSG_PROFILE_RUNTIME, -1,
		    &file, sizeof(file)) == -1)
			return -1;
	}
	return imsgev_compose(&r->proc.iev, IMSG_PROFILE_GO, -1, NULL, 0);
}

/* NULL: out of memory. */
static struct roster *
roster_new(const struct service_conf *c, unsigned int flags,
    const struct roster_calls *calls, void *arg)
{
	struct roster	*r;

	if ((r = calloc(1, sizeof(*r))) == NULL)
		return NULL;
	strlcpy(r->service, c->name, sizeof(r->service));
	r->calls = *calls;
	r->arg = arg;
	r->state = flags & PROFILE_SCAN ? ROSTER_SCANNING : ROSTER_ORDERED;
	r->proc.iev.ibuf.fd = -1;
	farwait_init(&r->watch);
	evtimer_set(&r->timer, timed_out, r);
	return r;
}

/* With the rights that the service has, its further groups included.  0, or
 * -1: nothing was started. */
static int
roster_exec(struct roster *r, const struct service_conf *c,
    const struct identity *id, unsigned int flags)
{
	struct proc_args	 args;

	memset(&args, 0, sizeof(args));
	args.uid = id->uid;
	args.gid = id->gid;
	args.chroot = "";
	args.verbose = log_getverbose();
	args.to_stderr = env->foreground;
	if (proc_start(&r->proc, PROC_PROFILE, &args, recv_msg, dead,
	    r) == -1)
		return -1;
	if (reap_add(r->proc.pid, exited, r) == 0 &&
	    send_start(r, c, id, flags) == 0)
		return 0;
	reap_del(r->proc.pid);
	proc_kill(&r->proc);
	return -1;
}

struct roster *
roster_start(const struct service_conf *c, unsigned int flags,
    const struct roster_calls *calls, void *arg, char *text)
{
	struct identity	 id;
	struct roster	*r;
	int		 ok;

	if ((r = roster_new(c, flags, calls, arg)) == NULL) {
		strlcpy(text, "out of memory", UPD_TEXT_SIZE);
		return NULL;
	}
	ok = identity_lookup(&id, c->user, c->group, &c->groups, text) == 0;
	if (ok && roster_exec(r, c, &id, flags) == -1) {
		strlcpy(text, "cannot start its profile process",
		    UPD_TEXT_SIZE);
		ok = 0;
	}
	identity_free(&id);
	if (!ok) {
		free(r);
		return NULL;
	}
	if (flags & PROFILE_SCAN)
		patience(r, ANSWER_MS);
	return r;
}

const struct msg_profile_found *
roster_found(const struct roster *r, size_t *n)
{
	*n = r->n;
	return r->found;
}

const struct msg_profile_scanned *
roster_scanned(const struct roster *r)
{
	return &r->scanned;
}

struct farwait *
roster_watch(struct roster *r)
{
	return &r->watch;
}

void
roster_sweep(struct roster *r, const char *profile)
{
	struct msg_profile_name	 m;

	memset(&m, 0, sizeof(m));
	strlcpy(m.name, profile, sizeof(m.name));
	send_msg(r, IMSG_PROFILE_SWEEP, &m, sizeof(m));
}

void
roster_sync(struct roster *r)
{
	r->syncing = 1;
	patience(r, ANSWER_MS);
	send_msg(r, IMSG_PROFILE_SYNC, NULL, 0);
}

void
roster_state(struct roster *r, const char *profile,
    enum profile_state state, int running)
{
	struct msg_profile_state	 m;

	memset(&m, 0, sizeof(m));
	m.state = state;
	m.desired = running ? PDESIRED_RUNNING : PDESIRED_STOPPED;
	m.stamp = time_real_us();
	strlcpy(m.name, profile, sizeof(m.name));
	send_msg(r, IMSG_PROFILE_STATE, &m, sizeof(m));
}

void
roster_log(struct roster *r, const char *line)
{
	struct msg_profile_log	 m;

	memset(&m, 0, sizeof(m));
	strlcpy(m.line, line, sizeof(m.line));
	send_msg(r, IMSG_PROFILE_LOG, &m, sizeof(m));
}

void
roster_finish(struct roster *r)
{
	r->state = ROSTER_FINISHING;
	/* A thousand files, each of them synced, on a slow disk. */
	patience(r, 6 * ANSWER_MS);
	send_msg(r, IMSG_PROFILE_FINISH, NULL, 0);
}

void
roster_cancel(struct roster *r)
{
	if (r == NULL)
		return;
	if (r->proc.pid > 1) {
		kill(r->proc.pid, SIGKILL);
		reap_del(r->proc.pid);
	}
	roster_free(r);
}
