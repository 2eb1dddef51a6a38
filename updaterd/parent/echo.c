/*
 * A profile's own <service>_state.json follows what is recorded of its
 * instance, so that the data can be taken to another host.  It is written
 * by a roster, all that is behind of one service at a time, a moment after
 * the change and never in a downtime; states on the way to another are not
 * written.  What is there already is not written again, and what cannot be
 * read now is not written over: it may say what is not known here yet.
 *
 * Whoever is about to take instances away, a reload or the end of the
 * daemon, has all that is behind written first: it may be a wish, and the
 * file the only one that is asked for it next time.  The end itself is no
 * change: what it stops is still wanted.
 */
#include <sys/types.h>
#include <sys/queue.h>

#include <stdlib.h>
#include <string.h>

#include "echo.h"
#include "instance.h"
#include "log.h"
#include "patience.h"
#include "roster.h"
#include "timer.h"
#include "util.h"

#define ECHO_MS		500	/* from a change to the file */
#define RETRY_MS	10000	/* after it could not be written */
#define FLUSH_MS	PATIENCE(5000)	/* that is waited for */

struct writer {
	TAILQ_ENTRY(writer)	 entry;
	struct roster		*roster;
	char			 service[UPD_NAME_SIZE];	/* it is for */
};
static TAILQ_HEAD(, writer) writers = TAILQ_HEAD_INITIALIZER(writers);

static struct event	 ev;
static int		 stopped;
static void		(*flushed)(void);	/* NULL: nobody waits */
static struct event	 flush_ev;

static void	 due(int, short, void *);
static void	 flush(void);

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

/* The same where there is no time to wait for another. */
static enum profile_state
last_word(const struct instance *i)
{
	enum profile_state	 s = word_of(i);

	if (!i->in.desired)
		return PSTATE_STOPPED;
	return s == PSTATE_NONE || s == PSTATE_STOPPED ? PSTATE_STARTING : s;
}

/* What somebody wants is not in its file. */
static int
is_wish_behind(const struct instance *i)
{
	return i->agent != NULL && i->conf != NULL && i->home != NULL &&
	    !i->echoed.failed && !i->echoed.unread && i->echoed.desired !=
	    (i->in.desired ? PDESIRED_RUNNING : PDESIRED_STOPPED);
}

static int
is_behind(const struct instance *i)
{
	enum profile_state	 s;

	if (i->agent == NULL || i->conf == NULL || i->home == NULL ||
	    i->echoed.failed || i->echoed.unread || agent_isheld(i->agent) ||
	    agent_isopen(i->agent) || (s = word_of(i)) == PSTATE_NONE)
		return 0;
	return s != i->echoed.state || is_wish_behind(i);
}

static void
later(uint32_t ms)
{
	if (stopped)
		return;
	if (!evtimer_initialized(&ev))
		evtimer_set(&ev, due, NULL);
	if (!evtimer_pending(&ev, NULL))
		timer_in(&ev, ms);
}

static struct writer *
writer_of(const char *service)
{
	struct writer	*w;

	TAILQ_FOREACH(w, &writers, entry)
		if (strcmp(w->service, service) == 0)
			break;
	return w;
}

/* --- writing --------------------------------------------------------- */

static void
failed(const char *service, const char *text)
{
	struct instance	*i;

	log_warnx("write state of profiles of %s: %s", service, text);
	TAILQ_FOREACH(i, &all_instances, all)
		if (strcmp(i->service, service) == 0) {
			i->echoed.state = PSTATE_INVALID;
			i->echoed.desired = PDESIRED_NONE;
			i->echoed.failed = 1;
		}
	later(RETRY_MS);
}

static void
ended(void *arg, const char *text)
{
	struct writer	*w = arg;

	TAILQ_REMOVE(&writers, w, entry);
	if (text[0] != '\0')
		failed(w->service, text);
	else
		later(ECHO_MS);		/* the next service */
	free(w);
	if (flushed != NULL)
		flush();
}

static void
write_one(struct roster *r, struct instance *i, enum profile_state s)
{
	i->echoed.state = s;
	i->echoed.desired = i->in.desired ? PDESIRED_RUNNING :
	    PDESIRED_STOPPED;
	roster_state(r, i->profile, s, i->in.desired);
}

static void
write_service(const struct service_conf *c, int last)
{
	static const struct roster_calls calls = { NULL, NULL, ended };
	struct instance			*i;
	struct writer			*w;
	char				 text[UPD_TEXT_SIZE];

	if ((w = calloc(1, sizeof(*w))) == NULL) {
		failed(c->name, "out of memory");
		return;
	}
	strlcpy(w->service, c->name, sizeof(w->service));
	if ((w->roster = roster_start(c, 0, &calls, w, text)) == NULL) {
		failed(c->name, text);
		free(w);
		return;
	}
	TAILQ_INSERT_TAIL(&writers, w, entry);
	TAILQ_FOREACH(i, &all_instances, all) {
		if (i->conf != c)
			continue;
		if (!stopped && is_behind(i))
			write_one(w->roster, i, word_of(i));
		else if (last && is_wish_behind(i))
			write_one(w->roster, i, last_word(i));
	}
	roster_finish(w->roster);
}

static void
due(int fd, short what, void *arg)
{
	struct instance	*i;

	if (!TAILQ_EMPTY(&writers))
		return;
	TAILQ_FOREACH(i, &all_instances, all)
		i->echoed.failed = 0;
	TAILQ_FOREACH(i, &all_instances, all)
		if (is_behind(i)) {
			write_service(i->conf, 0);
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
	if (i->home != NULL)
		later(ECHO_MS);
}

/* --- before they are taken away --------------------------------------- */

/* Each service that is behind; those under way first get their end. */
static void
write_all_behind(void)
{
	struct instance	*i;

	TAILQ_FOREACH(i, &all_instances, all)
		if (((!stopped && is_behind(i)) || is_wish_behind(i)) &&
		    writer_of(i->service) == NULL)
			write_service(i->conf, 1);
}

static void
flush_done(void)
{
	void	(*tell)(void) = flushed;

	flushed = NULL;
	evtimer_del(&flush_ev);
	tell();
}

static void
flush(void)
{
	write_all_behind();
	if (TAILQ_EMPTY(&writers))
		flush_done();
}

static void
flush_late(int fd, short what, void *arg)
{
	log_warnx("write state of profiles: takes too long, not waited for");
	flush_done();
}

void
echo_flush(void (*done)(void))
{
	flushed = done;
	evtimer_set(&flush_ev, flush_late, NULL);
	timer_in(&flush_ev, FLUSH_MS);
	flush();
}

void
echo_dismiss(struct roster *r, struct instance *i)
{
	if (is_wish_behind(i))
		write_one(r, i, last_word(i));
}

void
echo_stop(void)
{
	flushed = NULL;
	write_all_behind();
	stopped = 1;
	if (evtimer_initialized(&ev))
		evtimer_del(&ev);
}
