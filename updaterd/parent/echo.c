/*
 * A profile's own <service>_state.json follows what is recorded of its
 * instance, so that the data can be taken to another host.  It is written
 * by a roster, all that is behind of one service at a time, a moment after
 * the change and never in a downtime; states on the way to another are not
 * written.  What is there already is not written again.
 *
 * The end of the daemon is no change: what it stops then is still wanted.
 */
#include <sys/types.h>
#include <sys/queue.h>

#include <string.h>

#include "echo.h"
#include "instance.h"
#include "log.h"
#include "roster.h"
#include "util.h"

#define ECHO_MS		500	/* from a change to the file */
#define RETRY_MS	10000	/* after it could not be written */

static struct event	 ev;
static struct roster	*writing;	/* or NULL */
static char		 service[UPD_NAME_SIZE];	/* it is for */
static int		 stopped;

/* The word for a state, or PSTATE_NONE: it is on its way to another. */
static enum profile_state
word_of(const struct instance *i)
{
	switch (i->state) {
	case SERVICE_UP:
		return PSTATE_RUNNING;
	case SERVICE_DOWN:
		return PSTATE_STOPPED;
	case SERVICE_BACKOFF:
		return i->in.desired ? PSTATE_DEGRADED : PSTATE_STOPPED;
	case SERVICE_FAILED:
		return PSTATE_STARTUP_FAILED;
	default:
		return PSTATE_NONE;
	}
}

static int
is_behind(const struct instance *i)
{
	enum profile_state	 s;

	if (i->agent == NULL || i->conf == NULL || i->home == NULL ||
	    agent_isheld(i->agent) || agent_isopen(i->agent) ||
	    (s = word_of(i)) == PSTATE_NONE)
		return 0;
	return s != i->echoed.state || i->echoed.desired !=
	    (i->in.desired ? PDESIRED_RUNNING : PDESIRED_STOPPED);
}

static void
later(uint32_t ms)
{
	struct timeval	 tv = { ms / 1000, (ms % 1000) * 1000 };

	if (!evtimer_pending(&ev, NULL))
		evtimer_add(&ev, &tv);
}

static void
ended(void *arg, const char *text)
{
	struct instance	*i;

	writing = NULL;
	if (text[0] != '\0') {
		log_warnx("write state of profiles of %s: %s", service, text);
		TAILQ_FOREACH(i, &all_instances, all)
			if (strcmp(i->service, service) == 0)
				i->echoed.state = PSTATE_INVALID;
		later(RETRY_MS);
		return;
	}
	later(ECHO_MS);		/* the next service */
}

static void
write_service(const struct service_conf *c)
{
	static const struct roster_calls calls = { NULL, NULL, ended };
	struct instance			*i;
	char				 text[UPD_TEXT_SIZE];

	strlcpy(service, c->name, sizeof(service));
	if ((writing = roster_start(c, 0, &calls, NULL, text)) == NULL) {
		log_warnx("write state of profiles of %s: %s", service, text);
		later(RETRY_MS);
		return;
	}
	TAILQ_FOREACH(i, &all_instances, all) {
		if (i->conf != c || !is_behind(i))
			continue;
		i->echoed.state = word_of(i);
		i->echoed.desired = i->in.desired ? PDESIRED_RUNNING :
		    PDESIRED_STOPPED;
		roster_state(writing, i->profile, i->echoed.state,
		    i->in.desired);
	}
	roster_finish(writing);
}

static void
due(int fd, short what, void *arg)
{
	struct instance	*i;

	if (writing != NULL || stopped)
		return;
	TAILQ_FOREACH(i, &all_instances, all)
		if (is_behind(i)) {
			write_service(i->conf);
			return;
		}
	/* Held by an update: it will be behind when that is over. */
	TAILQ_FOREACH(i, &all_instances, all)
		if (i->home != NULL && i->agent != NULL &&
		    (agent_isheld(i->agent) || agent_isopen(i->agent))) {
			later(ECHO_MS);
			return;
		}
}

void
echo_note(struct instance *i)
{
	if (i->home == NULL || stopped)
		return;
	if (!evtimer_initialized(&ev))
		evtimer_set(&ev, due, NULL);
	later(ECHO_MS);
}

void
echo_stop(void)
{
	stopped = 1;
	if (evtimer_initialized(&ev))
		evtimer_del(&ev);
	/* What it has been told it does in any case. */
}
