/*
 * The states of a service, and who may change them.
 *
 * One const table says what each event does in each state; nothing else
 * changes a state.  Invariants:
 *
 *  - A process is started in one place, launch(), which is reached only
 *    when nothing of the one before is left (DOWN, or BACKOFF drained).
 *  - An exit in STOPPING was asked for; any other is a death, whatever its
 *    code.  Only codes that the configuration calls permanent park it.
 *  - An operator's intent is in the state file, durably, before the event
 *    is fed in (operate.c).  All else is written later, ledger_note().
 *  - A foreign supervisor starts and stops by itself; what it did is fed in
 *    by observe.c, and is no reason to undo it.
 *  - While the verdict of an update is open, a death is its answer and no
 *    restart follows (held).
 *  - Whoever waits is told from the loop, never from within a call.
 */
#include <sys/types.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "instance.h"
#include "log.h"
#include "quiet.h"
#include "timer.h"
#include "util.h"

static const char *const state_names[] = {
	[SERVICE_DOWN]		= "down",
	[SERVICE_STARTING]	= "starting",
	[SERVICE_UP]		= "up",
	[SERVICE_STOPPING]	= "stopping",
	[SERVICE_BACKOFF]	= "backoff",
	[SERVICE_FAILED]	= "failed",
};
_Static_assert(sizeof(state_names) / sizeof(state_names[0]) ==
    SERVICE__MAX, "a name for each state");

enum service_event {
	EV_START,		/* it shall run */
	EV_STOP,		/* it shall not */
	EV_CHECKED,		/* healthy, or not within its time */
	EV_DEATH,		/* its process has ended */
	EV_PERMANENT,		/* ... with a code that says: do not retry */
	EV_GONE,		/* nothing of it is left */
	EV_DELAY,		/* the back-off is over */
	EV_RUNS,		/* a foreign supervisor has it running */
	EV_HALT,		/* ... was told by somebody else to stop it */
	EV_AWAIT,		/* ... is not there, and starts it by then */
	EV__MAX
};
static const char *const event_names[] = {
	[EV_START]	= "start",
	[EV_STOP]	= "stop",
	[EV_CHECKED]	= "checked",
	[EV_DEATH]	= "death",
	[EV_PERMANENT]	= "permanent failure",
	[EV_GONE]	= "gone",
	[EV_DELAY]	= "delay over",
	[EV_RUNS]	= "seen running",
	[EV_HALT]	= "stopped outside",
	[EV_AWAIT]	= "supervisor away",
};
_Static_assert(sizeof(event_names) / sizeof(event_names[0]) == EV__MAX,
    "a name for each event");

static void	 launch(struct instance *);
static void	 relaunch(struct instance *);
static void	 stop(struct instance *);
static void	 give_up(struct instance *);
static void	 checked(struct instance *);
static void	 already_up(struct instance *);
static void	 already_down(struct instance *);
static void	 drain(struct instance *);
static void	 down(struct instance *);
static void	 again(struct instance *);
static void	 not_again(struct instance *);
static void	 hurry(struct instance *);
static void	 rested(struct instance *);
static void	 noted(struct instance *);
static void	 runs(struct instance *);
static void	 runs_again(struct instance *);
static void	 runs_unasked(struct instance *);
static void	 stop_again(struct instance *);
static void	 halted(struct instance *);

static const struct transition {
	enum service_state	 state;
	enum service_event	 event;
	enum service_state	 next;
	void			(*act)(struct instance *);	/* or NULL */
} table[] = {
	{ SERVICE_DOWN,	    EV_START,	  SERVICE_STARTING, launch },
	{ SERVICE_DOWN,	    EV_STOP,	  SERVICE_DOWN,	    already_down },
	{ SERVICE_DOWN,	    EV_RUNS,	  SERVICE_STARTING, runs_unasked },
	{ SERVICE_DOWN,	    EV_HALT,	  SERVICE_DOWN,	    halted },
	{ SERVICE_DOWN,	    EV_PERMANENT, SERVICE_FAILED,   death_parked },

	{ SERVICE_STARTING, EV_START,	  SERVICE_STARTING, NULL },
	{ SERVICE_STARTING, EV_STOP,	  SERVICE_STOPPING, stop },
	{ SERVICE_STARTING, EV_CHECKED,	  SERVICE_UP,	    checked },
	{ SERVICE_STARTING, EV_DEATH,	  SERVICE_BACKOFF,  death_died },
	{ SERVICE_STARTING, EV_PERMANENT, SERVICE_FAILED,   death_parked },
	{ SERVICE_STARTING, EV_RUNS,	  SERVICE_STARTING, runs },
	{ SERVICE_STARTING, EV_HALT,	  SERVICE_DOWN,	    halted },
	{ SERVICE_STARTING, EV_AWAIT,	  SERVICE_DOWN,	    death_known },

	{ SERVICE_UP,	    EV_START,	  SERVICE_UP,	    already_up },
	{ SERVICE_UP,	    EV_STOP,	  SERVICE_STOPPING, stop },
	{ SERVICE_UP,	    EV_CHECKED,	  SERVICE_UP,	    checked },
	{ SERVICE_UP,	    EV_DEATH,	  SERVICE_BACKOFF,  death_died },
	{ SERVICE_UP,	    EV_PERMANENT, SERVICE_FAILED,   death_parked },
	{ SERVICE_UP,	    EV_HALT,	  SERVICE_DOWN,	    halted },

	{ SERVICE_STOPPING, EV_START,	  SERVICE_STOPPING, again },
	{ SERVICE_STOPPING, EV_STOP,	  SERVICE_STOPPING, not_again },
	{ SERVICE_STOPPING, EV_DEATH,	  SERVICE_STOPPING, drain },
	{ SERVICE_STOPPING, EV_PERMANENT, SERVICE_STOPPING, drain },
	{ SERVICE_STOPPING, EV_GONE,	  SERVICE_DOWN,	    down },
	{ SERVICE_STOPPING, EV_RUNS,	  SERVICE_STOPPING, stop_again },

	{ SERVICE_BACKOFF,  EV_START,	  SERVICE_BACKOFF,  hurry },
	{ SERVICE_BACKOFF,  EV_STOP,	  SERVICE_STOPPING, give_up },
	{ SERVICE_BACKOFF,  EV_GONE,	  SERVICE_BACKOFF,  rested },
	{ SERVICE_BACKOFF,  EV_DELAY,	  SERVICE_STARTING, relaunch },
	{ SERVICE_BACKOFF,  EV_DEATH,	  SERVICE_BACKOFF,  death_died },
	{ SERVICE_BACKOFF,  EV_PERMANENT, SERVICE_FAILED,   death_parked },
	{ SERVICE_BACKOFF,  EV_RUNS,	  SERVICE_STARTING, runs_again },
	{ SERVICE_BACKOFF,  EV_HALT,	  SERVICE_DOWN,	    halted },

	{ SERVICE_FAILED,   EV_START,	  SERVICE_BACKOFF,  hurry },
	{ SERVICE_FAILED,   EV_STOP,	  SERVICE_STOPPING, give_up },
	{ SERVICE_FAILED,   EV_GONE,	  SERVICE_FAILED,   noted },
	{ SERVICE_FAILED,   EV_RUNS,	  SERVICE_STARTING, runs_unasked },
};

const char *
service_statename(enum service_state s)
{
	return s < SERVICE__MAX ? state_names[s] : "unknown";
}

/* --- the machine ----------------------------------------------------- */

static void
tell_monitor(struct instance *i)
{
	const struct service_env	*e = service_getenv();
	json_t				*o;

	if (e->event == NULL || i->agent == NULL)
		return;
	o = json_pack("{s:s, s:s, s:s, s:i, s:s}",
	    "agent", i->agent->conf->name, "service", i->name,
	    "state", state_names[i->state], "pid", (int)i->in.pid,
	    "release", i->in.release);
	if (o != NULL)
		e->event("service", o);
}

/* i->why was set by whoever feeds the event in. */
static void
feed(struct instance *i, enum service_event ev)
{
	const struct transition	*t = table;
	const struct transition	*end = table +
	    sizeof(table) / sizeof(table[0]);
	const char		*why = note_text(&i->why);

	while (t < end && (t->state != i->state || t->event != ev))
		t++;
	if (t == end) {
		log_debug("ignore %s of %s: %s", event_names[ev], i->name,
		    state_names[i->state]);
		return;
	}
	if (t->next != t->state) {
		quiet_log(i)("change %s from %s to %s: %s", i->name,
		    state_names[t->state], state_names[t->next],
		    why[0] != '\0' ? why : event_names[ev]);
		i->state = t->next;
		i->stuck = 0;
		i->since = time_real_us();
		ledger_note(i);
		tell_monitor(i);
	}
	if (t->act != NULL)
		t->act(i);
}

/* --- starting -------------------------------------------------------- */

static void
launch(struct instance *i)
{
	char		 text[UPD_TEXT_SIZE] = "";
	const char	*none;

	i->started = time_mono_ms();
	i->drained = i->held = i->again = i->returns = 0;
	evtimer_del(&i->delay_ev);
	health_clear(i);
	if ((none = instance_norelease(i)) != NULL) {
		service_exited(i, -1, none);
		return;
	}
	if (i->backend->foreign) {
		observe_asked(i);
		return;
	}
	if (i->backend->start(i, text) == -1) {
		service_exited(i, -1, text);
		return;
	}
	log_info("start %s: pid %d, release %s", i->name, (int)i->in.pid,
	    i->in.release);
	health_begin(i);
	ledger_note(i);
}

static void
relaunch(struct instance *i)
{
	i->in.restarts++;
	launch(i);
}

static void
checked(struct instance *i)
{
	struct health	*h = &i->health;
	const char	*detail = note_text(&h->detail);

	note_set(&i->why, detail);
	if (h->healthy == 1)
		waiters_tell(i, WAIT_START, UPD_OK, detail);
	else {
		log_warnx("find %s not healthy: %s", i->name, detail);
		waiters_tell(i, WAIT_START, UPD_EUNHEALTHY, detail);
	}
	if (i->verdict != VERDICT_NONE)
		i->verdict = h->healthy == 1 ? VERDICT_HEALTHY :
		    VERDICT_FAILED;
	guard_checked(i);
	agent_settle(i->agent);
}

static void
already_up(struct instance *i)
{
	const char	*detail = note_text(&i->health.detail);

	if (i->health.healthy == 0)
		waiters_tell(i, WAIT_START, UPD_EUNHEALTHY, detail);
	else if (!i->health.pending)
		waiters_tell(i, WAIT_START, UPD_OK, detail);
}

/* --- stopping -------------------------------------------------------- */

static void
stop(struct instance *i)
{
	i->again = 0;
	health_end(i);
	observe_answered(i);
	waiters_tell(i, WAIT_START, UPD_EBUSY, "stopped meanwhile");
	i->backend->stop(i);
}

static void
give_up(struct instance *i)
{
	i->again = 0;
	evtimer_del(&i->delay_ev);
	waiters_tell(i, WAIT_START, UPD_EBUSY, "stopped meanwhile");
	/* Else the sweep that its death began will say so. */
	if (i->returns)
		i->backend->stop(i);
	else if (i->drained)
		feed(i, EV_GONE);
}

static void
drain(struct instance *i)
{
	i->backend->drain(i);
}

static void
already_down(struct instance *i)
{
	/* Its supervisor is not to start it when it comes. */
	if (observe_unawait(i))
		i->backend->stop(i);
	waiters_tell(i, WAIT_STOP, UPD_OK, "");
	if (i->agent != NULL)
		agent_settle(i->agent);
}

static void
down(struct instance *i)
{
	struct agent	*a = i->agent;

	health_clear(i);
	waiters_tell(i, WAIT_STOP, UPD_OK, "");
	instance_move(i);
	if (i->again && !service_isclosing() && instance_norelease(i) == NULL) {
		feed(i, EV_START);
		return;
	}
	i->again = 0;
	waiters_tell(i, WAIT_START, UPD_EBUSY, "stopped meanwhile");
	/* In an update it is started again at once. */
	if (a == NULL || !agent_isheld(a))
		i->backend->rest(i);
	if (a == NULL)
		instance_leave(i);
	else
		agent_settle(a);
	service_left();
}

static void
again(struct instance *i)
{
	i->again = 1;
	/* Who asks for it need not wait for what may never come. */
	if (i->stuck)
		waiters_tell(i, WAIT_START, UPD_EIO, note_text(&i->why));
}

static void
not_again(struct instance *i)
{
	i->again = 0;
	waiters_tell(i, WAIT_START, UPD_EBUSY, "stopped meanwhile");
}

/* --- waiting for the next start -------------------------------------- */

/* In BACKOFF: start it now, or when it is due. */
static void
resume(struct instance *i)
{
	uint64_t	 now = time_mono_ms();

	if (!i->drained || i->held)
		return;
	if (now < i->due)
		timer_in(&i->delay_ev, i->due - now);
	else
		feed(i, EV_DELAY);
}

static void
rested(struct instance *i)
{
	i->drained = 1;
	resume(i);
}

static void
noted(struct instance *i)
{
	i->drained = 1;
	agent_settle(i->agent);
	service_left();
}

static void
hurry(struct instance *i)
{
	evtimer_del(&i->delay_ev);
	service_clear(i);
	i->held = 0;
	i->due = 0;
	resume(i);
}

void
service_unhold(struct instance *i)
{
	if (!i->held || service_isclosing())
		return;
	i->held = 0;
	resume(i);
}

void
service_delayed(int fd, short what, void *arg)
{
	struct instance	*i = arg;

	if (i->drained && !i->held)
		feed(i, EV_DELAY);
}

/* --- what a supervisor says ------------------------------------------ */

/* To a push that waits for its verdict, also what to do about it. */
static void
note_death(struct instance *i)
{
	char	 text[UPD_TEXT_SIZE];

	snprintf(text, sizeof(text), "%s%s", i->in.exit_text,
	    i->verdict == VERDICT_OPEN && i->in.exit_kind == EXIT_CODE &&
	    i->in.exit_value == 0 ? "; a service must stay in the foreground" :
	    "");
	note_set(&i->health.detail, text);
}

void
service_exited(struct instance *i, int status, const char *text)
{
	death_record(i, status, text);
	health_end(i);
	note_set(&i->why, i->in.exit_text);
	ledger_note(i);
	if (i->in.exit_planned)
		log_info("stop %s: %s", i->name, i->in.exit_text);
	else {
		if (!quiet_counts(i))
			log_warnx("lose %s: %s", i->name, i->in.exit_text);
		i->health.healthy = 0;
		note_death(i);
	}
	feed(i, death_ispermanent(i) ? EV_PERMANENT : EV_DEATH);
}

void
service_gone(struct instance *i)
{
	feed(i, EV_GONE);
}

void
service_checked(struct instance *i)
{
	note_set(&i->why, note_text(&i->health.detail));
	feed(i, EV_CHECKED);
}

/* --- what a foreign supervisor does ---------------------------------- */

static void
runs(struct instance *i)
{
	i->returns = i->drained = i->held = 0;
	evtimer_del(&i->delay_ev);
	observe_answered(i);
	quiet_log(i)("find %s running: pid %d, release %s", i->name,
	    (int)i->in.pid, i->in.release);
	/* The verdict on it, and why, stand; it will be stopped for that. */
	if (i->verdict != VERDICT_FAILED || i->conf->optional) {
		health_clear(i);
		health_begin(i);
	}
	ledger_note(i);
}

static void
runs_again(struct instance *i)
{
	i->in.restarts++;
	runs(i);
}

static void
runs_unasked(struct instance *i)
{
	service_clear(i);
	runs(i);
	/* Between stop and start nobody else has a say: the update will. */
	if (i->agent == NULL || agent_isheld(i->agent))
		feed(i, EV_STOP);
}

static void
stop_again(struct instance *i)
{
	i->backend->stop(i);
}

static void
halted(struct instance *i)
{
	i->again = i->returns = 0;
	i->drained = 1;
	evtimer_del(&i->delay_ev);
	health_clear(i);
	observe_answered(i);
	log_notice("find %s stopped outside: %s", i->name,
	    note_text(&i->why));
	waiters_tell(i, WAIT_STOP, UPD_OK, "");
	death_known(i);
}

void
service_runs(struct instance *i)
{
	feed(i, EV_RUNS);
}

void
service_halted(struct instance *i, int status)
{
	if (i->in.running)
		death_record(i, status, NULL);
	i->in.exit_planned = 1;
	note_printf(&i->why, "stopped by %s, not by us",
	    i->backend->name);
	ledger_note(i);
	feed(i, EV_HALT);
}

void
service_stuck(struct instance *i, const char *text)
{
	if (i->state != SERVICE_STOPPING || i->stuck)
		return;
	log_warnx("cannot stop %s: %s", i->name, text);
	i->stuck = 1;
	i->again = 0;
	note_set(&i->why, text);
	note_set(&i->health.detail, text);
	waiters_tell(i, WAIT_STOP, UPD_EIO, text);
	waiters_tell(i, WAIT_START, UPD_EIO, text);
	if (i->agent != NULL)
		agent_settle(i->agent);
}

void
service_awaits(struct instance *i, const char *text)
{
	char	 why[UPD_TEXT_SIZE];

	strlcpy(why, text, sizeof(why));	/* it may be i->why */
	note_set(&i->why, why);
	note_set(&i->health.detail, why);
	ledger_note(i);
	feed(i, EV_AWAIT);
}

/* --- what others ask for --------------------------------------------- */

int
service_start(struct instance *i, const char *why, char *text)
{
	const char	*none;

	if (service_isclosing())
		none = "the daemon is going down";
	else
		none = instance_norelease(i);
	if (none != NULL) {
		strlcpy(text, none, UPD_TEXT_SIZE);
		return -1;
	}
	if (!i->in.running && !observe_ishampered(i))
		note_set(&i->why, why);
	feed(i, EV_START);
	return 0;
}

void
service_stop(struct instance *i, const char *why)
{
	/* Why it is down already, or cannot be, is worth more. */
	if (!i->stuck && (!service_isdown(i) || observe_awaits(i)))
		note_set(&i->why, why);
	feed(i, EV_STOP);
}

void
service_clear(struct instance *i)
{
	if (i->in.failed)
		ledger_note(i);
	i->in.failed = 0;
	i->fails = 0;
}

int
service_isdown(const struct instance *i)
{
	return i->state == SERVICE_DOWN || (i->drained &&
	    (i->state == SERVICE_BACKOFF || i->state == SERVICE_FAILED));
}
