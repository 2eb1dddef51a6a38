/*
 * The rest of a service's process group, once its main process has ended
 * under a supervisor (s6) that looks after that one only.
 *
 * That supervisor has made the process the leader of a session, so the group
 * has its pid as the number, and that is no other process's or group's for
 * as long as there is a member.  Once it is empty it is forgotten at once.
 * Who runs the supervisor for a user may be told a wrong pid by that user:
 * so only processes of the service's own user are signalled, and never
 * root's.
 */
#include <sys/types.h>
#include <sys/queue.h>

#include <errno.h>
#include <event.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "instance.h"
#include "launch.h"
#include "log.h"
#include "quiet.h"
#include "remains.h"
#include "timer.h"
#include "util.h"

#include "compat/procgroup.h"

#define POLL_MIN	5	/* ms, from look to look */
#define POLL_MAX	100	/* ms */
#define UNKILLABLE_MS	30000	/* after KILL: go on without them */

struct remains {
	TAILQ_ENTRY(remains)	 entry;
	struct instance		*i;		/* or NULL: forgotten */
	char			 name[UPD_INSTANCE_SIZE];
	pid_t			 pgid;
	uid_t			 uid;
	uint64_t		 kill_at;	/* monotonic ms */
	uint32_t		 poll_ms;
	int			 waits;		/* gone() is owed */
	void			(*gone)(struct instance *);
	struct event		 ev;
};
static TAILQ_HEAD(, remains)	 all = TAILQ_HEAD_INITIALIZER(all);

/* Its user.  0, or -1: none, or root, or not known. */
static int
user_of(const struct instance *i, uid_t *uid)
{
	struct identity	 id;
	char		 text[UPD_TEXT_SIZE];
	int		 ok;

	if (i->conf == NULL || i->conf->user == NULL)
		return -1;
	ok = identity_lookup(&id, i->conf->user, i->conf->group, NULL,
	    text) == 0 && id.uid != 0;
	*uid = id.uid;
	identity_free(&id);
	return ok ? 0 : -1;
}

int
remains_apply(const struct instance *i)
{
	uid_t	 uid;

	return user_of(i, &uid) == 0;
}

static void
over(struct remains *r)
{
	struct instance	*i = r->waits ? r->i : NULL;
	void		(*gone)(struct instance *) = r->gone;

	TAILQ_REMOVE(&all, r, entry);
	evtimer_del(&r->ev);
	free(r);
	if (i != NULL && !remains_wait(i))
		gone(i);
}

static void
look(int fd, short what, void *arg)
{
	struct remains	*r = arg;
	uint64_t	 now = time_mono_ms();
	int		 n;

	n = procgroup_signal(r->pgid, r->uid, now >= r->kill_at ? SIGKILL :
	    0);
	if (n > 0 && now >= r->kill_at + UNKILLABLE_MS) {
		log_warnx("leave processes of %s that survive KILL: ps -eo "
		    "pid,stat,wchan,args says what they wait for",
		    r->name);
		n = 0;
	}
	if (n <= 0) {
		over(r);
		return;
	}
	timer_in(&r->ev, r->poll_ms);
	r->poll_ms = r->poll_ms * 2 < POLL_MAX ? r->poll_ms * 2 : POLL_MAX;
}

void
remains_end(struct instance *i, int sig, uint64_t kill_at,
    void (*gone)(struct instance *))
{
	struct remains	*r;
	uint64_t	 start = pid_starttime(i->in.pid);
	uid_t		 uid;
	int		 n;

	/* Not of this boot, or the number is another process's by now. */
	if (i->in.pid < 2 || strcmp(i->in.boot, boot_id()) != 0 ||
	    (start != 0 && start != i->in.start_time) ||
	    user_of(i, &uid) == -1)
		return;
	TAILQ_FOREACH(r, &all, entry)
		if (r->pgid == i->in.pid)
			return;
	if (time_mono_ms() >= kill_at)
		sig = SIGKILL;
	n = procgroup_signal(i->in.pid, uid, sig);
	if (n <= 0 || (r = calloc(1, sizeof(*r))) == NULL)
		return;
	if (!quiet_is(i))
		log_notice("end %d more of %s: process group %d", n, i->name,
		    (int)i->in.pid);
	r->i = i;
	strlcpy(r->name, i->name, sizeof(r->name));
	r->pgid = i->in.pid;
	r->uid = uid;
	r->kill_at = kill_at;
	r->poll_ms = POLL_MIN;
	r->gone = gone;
	evtimer_set(&r->ev, look, r);
	timer_in(&r->ev, r->poll_ms);
	TAILQ_INSERT_TAIL(&all, r, entry);
}

int
remains_wait(struct instance *i)
{
	struct remains	*r;

	TAILQ_FOREACH(r, &all, entry)
		if (r->i == i) {
			r->waits = 1;
			return 1;
		}
	return 0;
}

void
remains_forget(struct instance *i)
{
	struct remains	*r;

	TAILQ_FOREACH(r, &all, entry)
		if (r->i == i)
			r->i = NULL;
}
