/*
 * What is recorded of the instances: their state files.
 *
 * What somebody wants is written at once, before it is acted on.  All else
 * is written a moment after a change: many changes make one write, and the
 * fsync never falls into the downtime of an update.  What a daemon that is
 * killed in that moment has not written is in the pid file (native.c).
 */
#include <sys/types.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "instance.h"
#include "log.h"
#include "util.h"

#define WRITE_MS	100	/* from a change to the state file */
#define RETRY_MS	10000	/* after it could not be written */

static struct event	 ev;
static int		 retrying;	/* ev: nothing new */

static void	 ledger_timer(int, short, void *);

static void
later(uint32_t ms)
{
	struct timeval	 tv = { ms / 1000, (ms % 1000) * 1000 };

	if (!evtimer_initialized(&ev))
		evtimer_set(&ev, ledger_timer, NULL);
	evtimer_add(&ev, &tv);
}

/* --- writing --------------------------------------------------------- */

int
ledger_write(struct instance *i)
{
	strlcpy(i->in.state, service_statename(i->state),
	    sizeof(i->in.state));
	if (intent_write(service_getenv()->statefd, i->name, &i->in) == -1)
		return -1;
	i->dirty = 0;
	if (service_getenv()->changed != NULL)
		service_getenv()->changed(i);
	return 0;
}

/* All that are behind; those of an agent that is held only with `held`.
 * How many could not be written. */
static size_t
write_all_behind(int held)
{
	struct instance	*i;
	size_t		 failed = 0;

	TAILQ_FOREACH(i, &all_instances, all) {
		if (!i->dirty || i->agent == NULL ||
		    (!held && agent_isheld(i->agent)))
			continue;
		if (ledger_write(i) == -1) {
			log_warn("write state of %s", i->name);
			failed++;
		}
	}
	return failed;
}

static void
ledger_timer(int fd, short what, void *arg)
{
	struct instance	*i;

	retrying = write_all_behind(0) > 0;
	if (retrying) {
		later(RETRY_MS);
		return;
	}
	TAILQ_FOREACH(i, &all_instances, all)
		if (i->dirty && i->agent != NULL) {	/* held */
			later(WRITE_MS);
			return;
		}
}

void
service_flush(void)
{
	(void)write_all_behind(1);
}

void
ledger_note(struct instance *i)
{
	i->dirty = 1;
	if (retrying || !evtimer_initialized(&ev) ||
	    !evtimer_pending(&ev, NULL))
		later(WRITE_MS);
	retrying = 0;
	if (service_getenv()->changed != NULL)
		service_getenv()->changed(i);
}

/* --- reading --------------------------------------------------------- */

/* It is not to be believed: nobody knows what was wanted. */
static void
set_aside(struct instance *i, const char *why)
{
	char	 file[UPD_INSTANCE_SIZE + 8], bad[UPD_INSTANCE_SIZE + 12];
	int	 statefd = service_getenv()->statefd;

	log_warnx("read state of %s: %s; %s, the file is kept as "
	    "%s.json.bad", i->name, why, i->in.desired ? "its profile wants "
	    "it running" : "it stays down until it is started by hand",
	    i->name);
	snprintf(file, sizeof(file), "%s.json", i->name);
	snprintf(bad, sizeof(bad), "%s.json.bad", i->name);
	if (renameat(statefd, file, statefd, bad) == -1)
		log_warn("keep %s", file);
}

static void
take_wish(struct instance *i, const struct wish *w)
{
	i->in.desired = w->desired;
	i->in.desired_at = w->at;
	strlcpy(i->in.desired_by, w->by, sizeof(i->in.desired_by));
	i->dirty = 1;
}

void
ledger_read(struct instance *i, const struct word *word)
{
	struct wish	 wish;
	char		 why[UPD_TEXT_SIZE];
	int		 r;

	r = intent_read(service_getenv()->statefd, i->name, &i->in, why);
	i->prior = plan_prior(r, &i->in, 0);
	if (plan_wish(r, &i->in, word, i->conf->profiles == NULL,
	    time_real_us(), &wish)) {
		if (r == 1)
			log_notice("take what the profile of %s wants: %s",
			    i->name, wish.desired ? "running" : "stopped");
		take_wish(i, &wish);
	}
	if (r == -1)
		set_aside(i, why);
}

int
ledger_import(struct instance *i, const struct word *word)
{
	struct wish	 wish;

	if (!plan_wish(1, &i->in, word, 0, time_real_us(), &wish))
		return 0;
	log_notice("take what the profile of %s wants: %s", i->name,
	    wish.desired ? "running" : "stopped");
	take_wish(i, &wish);
	if (ledger_write(i) == -1) {
		log_warn("write state of %s", i->name);
		ledger_note(i);
	}
	return 1;
}
