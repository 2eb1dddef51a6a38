/*
 * What a foreign supervisor does, turned into events of service.c.
 *
 * A sighting is compared with what is recorded (i->in) and with the one
 * before it; each says how things are, not what happened, so that none
 * is missed for good.  In this order:
 *
 *	ended	what is recorded as running is not there any more: a death,
 *		counted; or planned; or, where the supervisor has since been
 *		told to leave it down and not by us, somebody else's stop
 *	runs	something runs that was not recorded: the answer to our start,
 *		the supervisor's restart of a death, or somebody else's start
 *	still	it is down: whoever waits for that goes on
 *
 * Somebody else's start or stop is not fought, but written down as intent.
 * With a stop that waits for a moment: the end of the supervisor itself
 * (of the container, of the host) looks the same until it has gone, and is
 * nobody's wish.
 */
#include <sys/types.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "instance.h"
#include "launch.h"
#include "log.h"
#include "quiet.h"
#include "remains.h"
#include "timer.h"
#include "util.h"

#define LOOK_MS		2000	/* out of sight: look again */
#define BEHIND_MS	50	/* for a supervisor to see an end, too */
#define BEHIND_MAX	20	/* times; then it is stuck */
#define SETTLE_MS	1000	/* a supervisor that ends is gone by then */

/* --- what is left of it ------------------------------------------------- */

/* Nothing of it is left any more. */
static void
cleared(struct instance *i)
{
	if (i->state == SERVICE_STARTING) {
		if (i->observed->asked == ASKED_HERE)
			observe_asked(i);
	} else if (!i->in.running)
		service_gone(i);
}

static void
gone(struct instance *i)
{
	if (!remains_wait(i))
		service_gone(i);
}

/*
 * The process that is recorded has ended, or is to.  The rest of its group
 * has what is left of the grace, if it was stopped, by us or by somebody
 * else; what is left of a death is killed, as it may hold what the next one
 * needs.
 */
static void
end_rest(struct instance *i, const struct sighting *s)
{
	uint64_t	 now = time_mono_ms();

	if (observe_isthere(i)) {
		observe_orphan(i);
		remains_end(i, 0, now + (i->stop_ms < ORPHAN_MS ? i->stop_ms :
		    ORPHAN_MS), cleared);
	} else if (i->state == SERVICE_STOPPING)
		remains_end(i, i->stop_signal, i->observed->grace_end,
		    cleared);
	else if (!s->up && s->wanted == WANTED_DOWN)
		remains_end(i, i->stop_signal, now + i->stop_ms, cleared);
	else
		remains_end(i, SIGKILL, now, cleared);
}

/* --- a stop of somebody else's ----------------------------------------- */

static void
settle_timer(int fd, short what, void *arg)
{
	struct instance	*i = arg;

	i->observed->settling = SETTLE_LOOK;
	i->backend->look(i);
}

static void
halt(struct instance *i, const struct sighting *s)
{
	i->observed->settling = SETTLE_WAIT;
	timer_in(&i->observed->settle_ev, SETTLE_MS);
	service_halted(i, s->status);
}

/* Is it over, one way or the other? */
static void
settle(struct instance *i, const struct sighting *s)
{
	struct observed	*o = i->observed;
	int		 wished;

	if (o->settling == SETTLE_NO)
		return;
	wished = s->known && !s->up && s->wanted == WANTED_DOWN;
	if (wished && o->settling == SETTLE_WAIT)
		return;
	o->settling = SETTLE_NO;
	evtimer_del(&o->settle_ev);
	if (wished) {
		service_wish(i, 0, i->backend->name);
		if (i->state == SERVICE_STARTING)	/* it waited for this */
			service_halted(i, -1);
	} else if (o->asked == ASKED_HERE && !s->up)
		observe_ask(i);
}

/* --- what is seen ------------------------------------------------------ */

/* Did a process end that was there, or came and went unseen? */
static int
has_ended(const struct instance *i, const struct sighting *s, int first)
{
	const struct sighting	*last = &i->observed->last;

	if (i->in.running)
		return !(s->up && s->pid == i->in.pid && observe_isthere(i));
	if (s->up || first || s->since == 0 || s->since == last->since)
		return 0;
	return (i->state == SERVICE_STARTING &&
	    i->observed->asked == ASKED_THERE) ||
	    (i->state == SERVICE_BACKOFF && i->returns);
}

/* What a process of now is of: it went through `current`, which moves only
 * between stops. */
static void
take_release(struct instance *i)
{
	struct intent	*in = &i->in;

	strlcpy(in->boot, boot_id(), sizeof(in->boot));
	strlcpy(in->release, i->agent != NULL && i->agent->store != NULL ?
	    i->agent->store->current : "", sizeof(in->release));
	in->conf = i->conf != NULL ? instance_confhash(i) : 0;
}

static void
ended(struct instance *i, const struct sighting *s, int first)
{
	const char	*why = s->text[0] != '\0' ? s->text : NULL;
	int		 status = s->up ? -1 : s->status;
	int		 ours = first && s->ours && !s->up &&
			    s->wanted == WANTED_DOWN;

	/* Too short to be seen; what is parked is parked with a release. */
	if (!i->in.running)
		take_release(i);
	if (i->in.pid > 1 && i->in.running && i->backend->group)
		end_rest(i, s);
	else if (i->in.pid > 1 && observe_isthere(i))
		observe_orphan(i);
	/* By our own wish, of before: still_down() starts it again; one that
	 * was up is a death like any other. */
	if (ours && i->state == SERVICE_STARTING &&
	    i->observed->asked != ASKED_NO) {
		death_record(i, status, why);
		if (!death_ispermanent(i)) {
			i->in.exit_planned = 1;
			ledger_note(i);
			return;
		}
	}
	i->returns = s->up || s->wanted == WANTED_UP;
	if (i->state != SERVICE_STOPPING && i->in.desired && !s->up &&
	    s->wanted == WANTED_DOWN && !ours) {
		/* Parked by its own exit code, or by somebody? */
		death_record(i, status, why);
		if (!death_ispermanent(i)) {
			i->in.running = 0;
			halt(i, s);
			return;
		}
	}
	observe_answered(i);
	service_exited(i, status, why);
}

/* Something runs that is not recorded. */
static void
take_process(struct instance *i, const struct sighting *s)
{
	struct intent	*in = &i->in;
	uint64_t	 now = time_mono_ms();
	int64_t		 up = s->since != 0 ? time_real_us() - s->since : 0;

	in->running = 1;
	in->pid = s->pid;
	in->start_time = pid_starttime(s->pid);
	in->started_at = s->since != 0 ? s->since : time_real_us();
	take_release(i);
	i->started = up > 0 && (uint64_t)up / 1000 < now ?
	    now - (uint64_t)up / 1000 : now;
}

static void
runs(struct instance *i, const struct sighting *s, int first)
{
	int	 unasked = i->state == SERVICE_DOWN ||
		    i->state == SERVICE_FAILED;
	int	 leftover;

	/* Parked, but its supervisor was about to start it again. */
	if (i->state == SERVICE_FAILED && i->returns) {
		i->backend->stop(i);
		return;
	}
	/* An earlier daemon's last command, not yet carried out?  Of a
	 * restart that is the stop. */
	leftover = first && (i->in.desired ? s->ours &&
	    s->wanted == WANTED_DOWN : s->since != 0 &&
	    s->since <= i->in.desired_at);
	if (!i->in.running)
		take_process(i, s);
	if (i->state == SERVICE_UP)
		return;
	note_printf(&i->why, first ? "runs under %s" : "started by %s",
	    i->backend->name);
	if (unasked && !leftover && !agent_isheld(i->agent))
		service_wish(i, 1, i->backend->name);
	service_runs(i);
	if (leftover) {
		service_stop(i, i->in.desired ? "was being restarted" :
		    "wanted down");
		i->again = i->in.desired;
	}
}

/* Somebody else has stopped it, after it was last said to be wanted. */
static int
was_halted(const struct instance *i, const struct sighting *s)
{
	return s->wanted == WANTED_DOWN && !s->ours &&
	    s->since > i->in.desired_at;
}

static void
still_down(struct instance *i, const struct sighting *s, int first)
{
	switch (i->state) {
	case SERVICE_DOWN:
		/* Stopped outside, seen, and not written down: we had ended. */
		if (first && i->in.desired && was_halted(i, s))
			halt(i, s);
		break;
	case SERVICE_STARTING:
		if (!first || i->observed->settling != SETTLE_NO)
			break;
		/* It may not have come to what it was told. */
		if (i->observed->asked == ASKED_THERE)
			break;
		if (was_halted(i, s))
			halt(i, s);
		else if (i->observed->asked == ASKED_HERE)
			observe_ask(i);
		break;
	case SERVICE_STOPPING:
		if (s->wanted != WANTED_UP)
			gone(i);
		break;
	case SERVICE_BACKOFF:
		if (i->returns && s->wanted == WANTED_DOWN)
			halt(i, s);
		else if (!i->drained && s->wanted == WANTED_NOBODY) {
			i->returns = 0;		/* our turn */
			gone(i);
		}
		break;
	case SERVICE_FAILED:
		if (!i->drained && s->wanted != WANTED_UP) {
			i->returns = 0;
			gone(i);
		}
		break;
	default:
		break;
	}
}

/* Its supervisor cannot be seen. */
static void
out_of_sight(struct instance *i, const struct sighting *s)
{
	struct observed	*o = i->observed;

	if (o->last.known)
		log_warnx("lose sight of %s: %s", i->name, s->text[0] != '\0' ?
		    s->text : "its supervisor does not answer");
	o->last = *s;
	o->any = 1;
	if (o->settling != SETTLE_NO)
		settle(i, s);
	else if (o->asked == ASKED_HERE)
		observe_ask(i);
	else if (o->asked == ASKED_THERE && !o->awaits) {
		observe_answered(i);
		service_exited(i, -1, s->text[0] != '\0' ? s->text :
		    "its supervisor does not answer");
	}
	if (i->in.running && !observe_isthere(i)) {
		if (i->in.pid > 1 && i->backend->group)
			end_rest(i, s);
		i->returns = 0;
		service_exited(i, -1, NULL);
	}
	if (i->state == SERVICE_STOPPING && !i->in.running)
		gone(i);
	else if (i->in.running)
		timer_in(&o->look_ev, LOOK_MS);
}

/* It shall not run here at all; what others do with it means nothing. */
static void
disabled(struct instance *i, const struct sighting *s)
{
	i->observed->last = *s;
	i->observed->any = 1;
	if (s->known && s->up)
		i->backend->stop(i);
	if (i->in.running && !observe_isthere(i)) {
		death_record(i, -1, NULL);
		ledger_note(i);
	}
}

/*
 * The process has ended, and its supervisor has not seen that yet: what it
 * says next is the same end, with its cause.  Not for ever, it may hang.
 */
static int
is_behind(struct instance *i, const struct sighting *s, int first)
{
	struct observed	*o = i->observed;

	if (first || !i->in.running || !s->up || s->pid != i->in.pid ||
	    s->pid != o->last.pid || s->since != o->last.since ||
	    strcmp(i->in.boot, boot_id()) != 0 || observe_isthere(i) ||
	    o->behind == BEHIND_MAX) {
		o->behind = 0;
		return 0;
	}
	o->behind++;
	return 1;
}

void
service_observed(struct instance *i, const struct sighting *s)
{
	struct observed	*o = i->observed;
	int		 first = !o->met;

	if (i->agent == NULL && service_isdown(i))
		return;		/* on its way out */
	o->renewed = 0;
	evtimer_del(&o->look_ev);
	if (i->conf != NULL && !service_isenabled(i->conf) &&
	    service_isdown(i)) {
		disabled(i, s);
		return;
	}
	if (!s->known) {
		out_of_sight(i, s);
		return;
	}
	if (is_behind(i, s, first)) {
		timer_in(&o->look_ev, BEHIND_MS);
		return;
	}
	if (has_ended(i, s, first))
		ended(i, s, first);
	if (s->up)
		o->awaits = 0;
	if (s->up && (first || !i->in.running))
		runs(i, s, first);
	else if (!s->up)
		still_down(i, s, first);
	if (s->up && s->ready && i->health.pending)
		herald_ready(i);
	/* A start that followed may have made all of this the past. */
	if (o->renewed)
		return;
	o->last = *s;
	o->any = o->met = 1;
	settle(i, s);
}

/* --- for others -------------------------------------------------------- */

void
observe_drain(struct instance *i)
{
	const struct sighting	*s = &i->observed->last;

	/* Else still_down() comes to it. */
	if (s->known && !s->up && s->wanted != WANTED_UP)
		gone(i);
}

void
observe_sweep(struct instance *i)
{
	/* Parked by us, but not by its supervisor. */
	if (i->state == SERVICE_FAILED && i->returns)
		i->backend->stop(i);
	else if (!i->returns)
		gone(i);
}

static void
look_timer(int fd, short what, void *arg)
{
	struct instance	*i = arg;

	i->backend->look(i);
}

int
observe_init(struct instance *i)
{
	struct observed	*o = i->observed;

	if (o != NULL)		/* as observe_end() has left it */
		return 0;
	if ((o = calloc(1, sizeof(*o))) == NULL)
		return -1;
	evtimer_set(&o->late_ev, observe_late, i);
	evtimer_set(&o->look_ev, look_timer, i);
	evtimer_set(&o->settle_ev, settle_timer, i);
	i->observed = o;
	quiet_init(i);
	return 0;
}

/* Its memory stays the instance's: we may be called from below
 * service_observed(). */
void
observe_end(struct instance *i)
{
	struct observed	*o = i->observed;

	if (o == NULL)
		return;
	remains_forget(i);
	quiet_end(i);
	evtimer_del(&o->late_ev);
	evtimer_del(&o->look_ev);
	evtimer_del(&o->settle_ev);
	o->any = o->met = o->awaits = 0;
	memset(&o->last, 0, sizeof(o->last));
	o->asked = ASKED_NO;
	o->settling = SETTLE_NO;
}

void
observe_renewed(struct instance *i)
{
	struct observed	*o = i->observed;

	if (o == NULL)
		return;
	o->renewed = 1;
	o->met = 0;
	o->last.known = 0;
	o->settling = SETTLE_NO;
	evtimer_del(&o->settle_ev);
}

const struct sighting *
observe_last(const struct instance *i)
{
	return i->observed != NULL && i->observed->any ?
	    &i->observed->last : NULL;
}
