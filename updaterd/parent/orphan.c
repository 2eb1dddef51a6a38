/*
 * Processes of a service under a foreign supervisor, past that supervisor:
 * whether one is still there, and the end of those that it left behind when
 * it was killed.
 *
 * In one of s6's layouts the user of a service can forge what is seen of it.
 * So a pid is signalled only if it is that user's own process.
 */
#include <sys/types.h>
#include <sys/stat.h>

#include <event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "instance.h"
#include "launch.h"
#include "log.h"
#include "timer.h"

#include "compat/contain.h"

int
observe_isthere(const struct instance *i)
{
	if (!i->in.running || strcmp(i->in.boot, boot_id()) != 0)
		return 0;
	if (i->in.pid == 0)
		return 1;
	return i->in.pid > 1 && i->in.start_time != 0 &&
	    pid_starttime(i->in.pid) == i->in.start_time;
}

/* It is of the service's own user, and that is not root. */
static int
is_users(const struct instance *i, pid_t pid)
{
	struct identity	 id;
	struct stat	 st;
	char		 path[32], text[UPD_TEXT_SIZE];
	int		 yes;

	if (i->conf == NULL || i->conf->user == NULL)
		return 0;
	snprintf(path, sizeof(path), "/proc/%d", (int)pid);
	yes = identity_lookup(&id, i->conf->user, i->conf->group, NULL,
	    text) == 0 && id.uid != 0 && stat(path, &st) == 0 &&
	    st.st_uid == id.uid;
	identity_free(&id);
	return yes;
}

int
observe_kill(struct instance *i, int sig)
{
	if (!observe_isthere(i) || i->in.pid < 2)
		return -1;
	if (!is_users(i, i->in.pid)) {
		log_warnx("leave pid %d of %s alone: not known to be a "
		    "process of its user; if it is the service, end it by "
		    "hand", (int)i->in.pid, i->name);
		return -1;
	}
	return pid_signal(i->in.pid, i->in.start_time, sig, pid_starttime);
}

/* One that its supervisor left behind when it was killed. */
struct orphan {
	pid_t		 pid;
	uint64_t	 start;
	struct event	 ev;
};

static void
orphan_kill(int fd, short what, void *arg)
{
	struct orphan	*o = arg;

	(void)pid_signal(o->pid, o->start, SIGKILL, pid_starttime);
	free(o);
}

void
observe_orphan(struct instance *i)
{
	struct orphan	*o;

	log_warnx("end pid %d of %s: its supervisor has gone, and the next "
	    "one knows nothing of it", (int)i->in.pid, i->name);
	if (observe_kill(i, i->stop_signal) == -1 ||
	    (o = calloc(1, sizeof(*o))) == NULL)
		return;
	o->pid = i->in.pid;
	o->start = i->in.start_time;
	evtimer_set(&o->ev, orphan_kill, o);
	timer_in(&o->ev, i->stop_ms < ORPHAN_MS ? i->stop_ms : ORPHAN_MS);
}
