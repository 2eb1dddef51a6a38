/*
 * A new updaterd that has proved itself, and that nobody confirmed in time
 * (trial.c), or that somebody does not want: it goes back as one does that
 * fails its trial.
 *
 *	state	says again that it is on trial, and was started: whatever
 *		comes between, the next start takes it back (selfboot.c)
 *	settle	who waits for a service, or for an answer, is told
 *	back	links and history, and exec of the one before
 *
 * One that does not start any more serves nobody: there only the links move.
 */
#include <sys/types.h>

#include <stdio.h>
#include <string.h>

#include "journal.h"
#include "log.h"
#include "parent.h"
#include "self.h"
#include "timer.h"
#include "trial.h"
#include "util.h"

#define SETTLE_MS	50	/* between looks whether all is quiet */
#define SETTLE_MAX_MS	10000
#define AGAIN_MS	1000	/* before what failed on disk is tried again */

static struct {
	int		 going;		/* no update may begin */
	uint64_t	 until;		/* monotonic ms, to settle */
	struct event	 timer;
	struct selfstate st;
	char		 why[UPD_TEXT_SIZE];
} ret;

int
self_isreturning(void)
{
	return ret.going;
}

static void
wake_in(uint64_t ms, void (*fn)(int, short, void *))
{
	evtimer_set(&ret.timer, fn, NULL);
	timer_in(&ret.timer, ms);
}

/* It is not we who go: the links are all there is to it. */
static void
links_only(int fd, short event, void *arg)
{
	struct agent	*a = env->self;

	if (env->stopping || a == NULL || a->store == NULL) {
		ret.going = 0;
		return;
	}
	if (self_undo(a->conf->root, ret.why) == -1) {
		wake_in(AGAIN_MS, links_only);
		return;
	}
	trial_forget(a);
	if (store_load(a->store) == -1)
		log_warn("read the releases of %s", a->conf->root);
	ret.going = 0;
	parent_idle();
}

static void
settle(int fd, short event, void *arg)
{
	char	 text[80];

	if (env->stopping)
		return;			/* the next start takes it back */
	if ((service_waits() || control_isowing()) &&
	    time_mono_ms() < ret.until) {
		wake_in(SETTLE_MS, settle);
		return;
	}
	snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%llu",
	    (unsigned long long)time_mono_us());
	sdnotify(text);
	self_back(ret.why);
}

/* Until that is on disk nothing has happened, but no update may begin. */
static void
mark(int fd, short event, void *arg)
{
	struct agent	*a = env->self;

	if (env->stopping || a == NULL || a->store == NULL) {
		ret.going = 0;
		return;
	}
	if (selfstate_write(a->store->rootfd, &ret.st) == -1) {
		log_warn("write %s/%s", a->conf->root, SELF_STATE);
		wake_in(AGAIN_MS, mark);
		return;
	}
	ret.until = time_mono_ms() + SETTLE_MAX_MS;
	wake_in(0, strcmp(ret.st.to, handover.id) == 0 ? settle :
	    links_only);
}

void
self_return(const struct journal *j, const char *why)
{
	memset(&ret.st, 0, sizeof(ret.st));
	ret.st.starts = 1;
	strlcpy(ret.st.to, j->to, sizeof(ret.st.to));
	strlcpy(ret.st.from, j->from, sizeof(ret.st.from));
	strlcpy(ret.st.from_prev, j->from_prev, sizeof(ret.st.from_prev));
	strlcpy(ret.st.by, j->by, sizeof(ret.st.by));
	ret.st.since = j->started_at;
	strlcpy(ret.why, why, sizeof(ret.why));
	ret.going = 1;
	log_warnx("go back from updaterd %s: %s", j->to, why);
	mark(-1, 0, NULL);
}
