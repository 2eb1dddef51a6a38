/*
 * What is recorded of the instances: their state files.
 *
 * What somebody wants is written at once, before it is acted on.  All else
 * is written a moment after a change: many changes make one write, and the
 * fsync never falls into the downtime of an update.  What a daemon that is
 * killed in that moment has not written is in the pid file (rundir.c).
 *
 * Of a thousand that changed a few are written a turn of the loop, and their
 * directory is synced once for these.
 */
#include <sys/types.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "instance.h"
#include "log.h"
#include "timer.h"
#include "util.h"

#define SLICE		32	/* files a turn of the loop */
#define SLICE_MS	20	/* or as many as this takes, where disks are
				 * slow */
#define WRITE_MS	100	/* from a change to the state file */
#define RETRY_MS	10000	/* after it could not be written */

static struct event	 ev;
static int		 retrying;	/* ev: nothing new */

static void	 ledger_timer(int, short, void *);

static void
later(uint32_t ms)
{
	if (!evtimer_initialized(&ev))
		evtimer_set(&ev, ledger_timer, NULL);
	timer_in(&ev, ms);
}

/* --- writing --------------------------------------------------------- */

static int
replace(struct instance *i)
{
	/* A daemon that comes next has to know a stranger, too. */
	if (!instance_isstranger(i)) {
		strlcpy(i->in.owner, i->service, sizeof(i->in.owner));
		if (i->agent != NULL)
			strlcpy(i->in.agent, i->agent->conf->name,
			    sizeof(i->in.agent));
	}
	strlcpy(i->in.state, service_statename(i->state),
	    sizeof(i->in.state));
	return intent_replace(service_getenv()->statefd, i->name, &i->in);
}

static void
written(struct instance *i)
{
	i->ledger = LEDGER_TRUE;
	if (service_getenv()->changed != NULL)
		service_getenv()->changed(i);
}

int
ledger_write(struct instance *i)
{
	if (replace(i) == -1 || fsync(service_getenv()->statefd) == -1)
		return -1;
	written(i);
	return 0;
}

static void
failed(struct instance *i)
{
	log_warn("write state of %s", i->name);
	i->ledger = LEDGER_FAILED;
}

/*
 * Some of those that are behind; of an agent that is held only with `held`.
 * 1 there are more, or 0.
 */
static int
write_some(int held)
{
	struct instance	*i, *some[SLICE];
	uint64_t	 begin = time_mono_ms();
	size_t		 n = 0, k;
	int		 more = 0, saved;

	TAILQ_FOREACH(i, &all_instances, all) {
		if (i->ledger != LEDGER_BEHIND || i->agent == NULL ||
		    (!held && agent_isheld(i->agent)))
			continue;
		more = n == SLICE || (n > 0 && !held &&
		    time_mono_ms() - begin >= SLICE_MS);
		if (more)
			break;
		if (replace(i) == -1)
			failed(i);
		else
			some[n++] = i;
	}
	if (n > 0 && fsync(service_getenv()->statefd) == -1) {
		saved = errno;
		while (n > 0) {
			errno = saved;
			failed(some[--n]);
		}
	}
	for (k = 0; k < n; k++)
		written(some[k]);
	return more;
}

static void
try_again(void)
{
	struct instance	*i;

	TAILQ_FOREACH(i, &all_instances, all)
		if (i->ledger == LEDGER_FAILED)
			i->ledger = LEDGER_BEHIND;
}

static void
ledger_timer(int fd, short what, void *arg)
{
	struct instance	*i;
	int		 held = 0, bad = 0;

	if (retrying)
		try_again();
	retrying = 0;
	if (write_some(0)) {
		later(0);
		return;
	}
	TAILQ_FOREACH(i, &all_instances, all) {
		held |= i->ledger == LEDGER_BEHIND && i->agent != NULL;
		bad |= i->ledger == LEDGER_FAILED && i->agent != NULL;
	}
	retrying = bad && !held;
	if (held)
		later(WRITE_MS);
	else if (bad)
		later(RETRY_MS);
}

void
service_flush(void)
{
	try_again();
	while (write_some(1))
		;
}

void
ledger_note(struct instance *i)
{
	i->ledger = LEDGER_BEHIND;
	if (retrying || !evtimer_initialized(&ev) ||
	    !evtimer_pending(&ev, NULL))
		later(WRITE_MS);
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
	i->ledger = LEDGER_BEHIND;
}

/*
 * What is on record may be of another service of that name, or of another
 * agent's: then what runs is ended; and what was wanted of another service,
 * and how it fared, is nothing to this one.  1 the rest holds, or 0.
 */
static int
take_past(struct instance *i)
{
	struct intent	*in = &i->in;
	int		 same = intent_isof(in, i->service);

	if (in->running && (!same || (in->agent[0] != '\0' &&
	    strcmp(in->agent, i->agent->conf->name) != 0)))
		i->stranger = in->pid;
	if (same)
		return 1;
	in->failed = 0;
	in->exit_kind = EXIT_NONE;
	in->exit_text[0] = '\0';
	in->restarts = in->deaths = 0;
	return 0;
}

void
ledger_read(struct instance *i, const struct word *word)
{
	struct wish	 wish;
	char		 why[UPD_TEXT_SIZE];
	int		 r;

	r = intent_read(service_getenv()->statefd, i->name, &i->in, why);
	if (r == 1)
		r = take_past(i);
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
