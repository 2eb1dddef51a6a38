/*
 * A release on trial (DESIGN 4.8): it runs and is healthy, the push has
 * been answered, and yet it goes back by itself when nobody confirms it in
 * time, or when it does not keep healthy for its probation.
 *
 * The journal is kept for as long as the trial is open, in its own phase,
 * so that a trial outlives this daemon and the host; trialclock.c says what
 * becomes of its time then.
 *
 * A trial ends in one of these ways, each of which begins by writing or
 * removing the journal: confirmed and its probation passed; superseded by
 * the next push, which may come during a probation, but not before a
 * confirmation; or back, by the machine of update.c.  That goes before a
 * push that has not touched a release yet, of whichever agent: such a one
 * is aborted.
 *
 * What it would go back to is not pruned before the end of a trial.
 *
 * A release of updaterd itself can wait for a confirmation, too; it goes
 * back by selfreturn.c, and for it no release to go back to is the program
 * that was installed.
 */
#include <sys/types.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "log.h"
#include "parent.h"
#include "reload.h"
#include "self.h"
#include "timer.h"
#include "trial.h"
#include "trialclock.h"
#include "update.h"
#include "utf8.h"
#include "util.h"

struct trial {
	struct agent	*agent;
	struct journal	 j;		/* as it is on disk */
	struct event	 confirm_ev;
	struct event	 probation_ev;
	int		 due;		/* to go back as soon as may be */
	const char	*phase;		/* which part of it failed */
	char		 why[UPD_TEXT_SIZE];
};

static void	 trial_fail(struct trial *, const char *, const char *);

static int
is_self(const struct agent *a)
{
	return a == env->self;
}

/* There is something to go back to. */
static int
has_before(const struct trial *t)
{
	return t->j.from[0] != '\0' || is_self(t->agent);
}

static void
timer(struct event *ev, uint64_t at)
{
	timer_in(ev, trialclock_leftms(at));
}

/* --- what is told ---------------------------------------------------- */

/* A line in the history, and an event. */
static void
tell(const struct trial *t, const char *result, const char *by,
    const char *error)
{
	struct agent	*a = t->agent;
	json_t		*o;
	char		 now[40];

	time_iso(time_real_us(), now, sizeof(now));
	o = json_pack("{s:s, s:s, s:s, s:i, s:s*, s:s, s:s, s:s*}",
	    "time", now, "event", "trial", "result", result, "status", 0,
	    "from", t->j.from[0] ? t->j.from : NULL, "to", t->j.to,
	    "by", by, "error", error);
	if (o == NULL || history_append(a->store, o) == -1)
		log_warnx("write history of %s", a->conf->name);
	control_event("trial", json_pack("{s:s, s:s, s:s, s:s}", "agent",
	    a->conf->name, "release", t->j.to, "state", result, "by", by));
}

static void
nothing(void *arg)
{
}

static void
trial_free(struct trial *t)
{
	struct agent	*a = t->agent;

	evtimer_del(&t->confirm_ev);
	evtimer_del(&t->probation_ev);
	agent_unwatch(a);
	a->trial = NULL;
	free(t);
}

/* The release stays: what keep does not keep may go now. */
static void
trial_close(struct trial *t)
{
	struct store	*s = t->agent->store;

	trial_free(t);
	store_prune(s);
	store_sweep(s, NULL, nothing, NULL);
}

/* --- the end of a part ----------------------------------------------- */

/* Write what is left of it, or that nothing is.  0, or -1 with errno. */
static int
record(struct trial *t, const struct journal *j)
{
	struct store	*s = t->agent->store;

	if ((trialclock_isover(j) ? journal_remove(s) :
	    journal_write(s, j)) == -1)
		return -1;
	t->j = *j;
	return 0;
}

static void
probation_over(int fd, short what, void *arg)
{
	struct trial	*t = arg;
	struct journal	 j = t->j;

	if (env->stopping)
		return;
	agent_unwatch(t->agent);
	j.probation_ms = 0;
	j.probation_at = 0;
	/* If this is lost, it is found to be over by the next start. */
	if (record(t, &j) == -1)
		log_warn("write journal of %s", t->agent->conf->name);
	t->j = j;
	log_notice("release %s of %s has passed its probation", j.to,
	    t->agent->conf->name);
	tell(t, "passed", "updaterd", NULL);
	if (trialclock_isover(&j))
		trial_close(t);
}

static void
confirm_over(int fd, short what, void *arg)
{
	struct trial	*t = arg;
	char		 text[UPD_TEXT_SIZE];

	snprintf(text, sizeof(text), "release %s was not confirmed in time",
	    t->j.to);
	trial_fail(t, "confirm", text);
}

static void
watch_failed(void *arg, const char *why)
{
	struct trial	*t = arg;
	char		 text[UPD_TEXT_SIZE];

	snprintf(text, sizeof(text), "release %s failed in its probation: "
	    "%.350s", t->j.to, why);
	trial_fail(t, "probation", text);
}

/* There is nothing to go back to: better this release than none. */
static void
trial_hopeless(struct trial *t)
{
	struct agent	*a = t->agent;

	snprintf(a->last_error, sizeof(a->last_error), "%.380s; it stays, for "
	    "there is no release to go back to: push another one", t->why);
	a->last_error_at = time_real_us();
	log_warnx("%s: %s", a->conf->name, a->last_error);
	if (journal_remove(a->store) == -1)
		log_warn("remove journal of %s", a->conf->name);
	tell(t, "failed", "updaterd", a->last_error);
	trial_close(t);
}

static void
trial_fail(struct trial *t, const char *phase, const char *why)
{
	if (t->due || env->stopping)
		return;
	t->due = 1;
	t->phase = phase;
	strlcpy(t->why, why, sizeof(t->why));
	utf8_mend(t->why);
	evtimer_del(&t->confirm_ev);
	evtimer_del(&t->probation_ev);
	agent_unwatch(t->agent);
	if (has_before(t))
		trial_next();
	else
		trial_hopeless(t);
}

/* --- going back ------------------------------------------------------ */

static void
undo(struct trial *t, struct caller *c, const struct msg_caller *who)
{
	struct agent	*a = t->agent;
	struct release	*r;
	struct update	*u;

	u = update_begin(a, UPDATE_UNDO, c, who);
	u->journal = t->j;
	if ((r = store_find(a->store, t->j.to)) != NULL)
		u->rel = *r;
	strlcpy(u->rel.id, t->j.to, sizeof(u->rel.id));
	strlcpy(u->sha, u->rel.sha, sizeof(u->sha));
	u->phase = t->phase;
	strlcpy(u->text, t->why, sizeof(u->text));
	log_warnx("go back from release %s of %s to %s: %s", t->j.to,
	    a->conf->name, t->j.from, t->why);
	trial_free(t);
	promote_undo(u);
}

void
trial_next(void)
{
	const struct update	*u;
	struct msg_caller	 who;
	struct agent		*a;

	if (env->stopping || reload_isbusy() || self_busy() != NULL)
		return;			/* parent_idle() follows */
	TAILQ_FOREACH(a, &env->agents, entry)
		if (a->trial != NULL && a->trial->due)
			break;
	if (a == NULL && env->self != NULL && env->self->trial != NULL &&
	    env->self->trial->due)
		a = env->self;
	if (a == NULL)
		return;
	if ((u = update_current()) == NULL && is_self(a))
		self_return(&a->trial->j, a->trial->why);
	else if (u == NULL) {
		memset(&who, 0, sizeof(who));
		strlcpy(who.subject, "updaterd", sizeof(who.subject));
		undo(a->trial, NULL, &who);
	} else if (u->state == UPDATE_RECEIVING || u->state == UPDATE_STAGED ||
	    u->state == UPDATE_INSTALLING)
		update_fail(&up, UPD_EBUSY, "agent %s has to go back first: "
		    "%.350s; try again when it is done", a->conf->name,
		    a->trial->why);
	/* Else a release is being switched: it comes to an end by itself. */
}

int
trial_back(struct caller *c, struct agent *a, const char *id)
{
	struct trial	*t = a->trial;
	struct release	*r;
	char		 text[UPD_TEXT_SIZE];

	if (t == NULL || !has_before(t))
		return 0;
	if (t->due) {
		caller_error(c, UPD_EBUSY, "it is going back already");
		return 1;
	}
	if (id[0] != '\0' && strcmp(id, t->j.from) != 0) {
		if (!trial_blocks(a, text))
			return 0;
		caller_error(c, UPD_EBUSY, text);
		return 1;
	}
	snprintf(text, sizeof(text), "release %s was rolled back by %s while "
	    "on trial", t->j.to, c->who.subject);
	if (!is_self(a)) {
		t->phase = "rollback";
		strlcpy(t->why, text, sizeof(t->why));
		undo(t, c, &c->who);
		return 1;
	}
	r = store_find(a->store, t->j.from);
	caller_reply(c, 200, json_pack("{s:s, s:o}", "status",
	    "self_update_queued", "release", r != NULL ?
	    release_json(a->store, r) : json_null()));
	trial_fail(t, "rollback", text);
	return 1;
}

/* --- beginning ------------------------------------------------------- */

static struct trial *
trial_new(struct agent *a, const struct journal *j)
{
	struct trial	*t;

	if ((t = calloc(1, sizeof(*t))) == NULL)
		return NULL;
	t->agent = a;
	t->j = *j;
	evtimer_set(&t->confirm_ev, confirm_over, t);
	evtimer_set(&t->probation_ev, probation_over, t);
	return t;
}

/* It is on disk: let its times run. */
static void
trial_arm(struct trial *t)
{
	char	 confirm[64] = "", probation[64] = "";

	t->agent->trial = t;
	if (t->j.confirm_at != 0) {
		timer(&t->confirm_ev, t->j.confirm_at);
		snprintf(confirm, sizeof(confirm), ", to be confirmed within "
		    "%u s", trialclock_left(t->j.confirm_at));
	}
	if (t->j.probation_at != 0) {
		timer(&t->probation_ev, t->j.probation_at);
		snprintf(probation, sizeof(probation), ", with a probation of "
		    "%u s", trialclock_left(t->j.probation_at));
	}
	log_notice("release %s of %s is on trial%s%s", t->j.to,
	    t->agent->conf->name, confirm, probation);
}

void
trial_guard(struct agent *a)
{
	struct trial	*t = a->trial;

	if (t == NULL || t->j.probation_at == 0 || t->due)
		return;
	if (agent_watch(a, watch_failed, t) == -1)
		log_warnx("cannot watch %s in its probation: out of memory",
		    a->conf->name);
}

int
trial_begin(struct agent *a, const struct journal *j)
{
	struct trial	*t;
	int		 e;

	if (j->is_rollback || (j->confirm_ms == 0 && j->probation_ms == 0))
		return 0;
	if ((t = trial_new(a, j)) == NULL)
		return -1;
	t->j.phase = JOURNAL_TRIAL;
	t->j.outages = 0;
	trialclock_set(&t->j);
	if (journal_write(a->store, &t->j) == -1) {
		e = errno;
		free(t);
		errno = e;
		return -1;
	}
	trial_arm(t);
	trial_guard(a);
	return 1;
}

enum trial_state
trial_resume(struct agent *a, struct journal *j, char *text)
{
	struct trial	*t;
	enum trial_state state = trialclock_wind(j, text);

	if (is_self(a) && strcmp(j->to, handover.id) != 0) {
		snprintf(text, UPD_TEXT_SIZE, "release %s was not confirmed, "
		    "and does not start any more", j->to);
		state = TRIAL_LAPSED;
	}
	if (state == TRIAL_LAPSED && j->from[0] != '\0' && !is_self(a))
		return TRIAL_LAPSED;
	/* Without memory nobody could look after it later. */
	if ((t = trial_new(a, j)) == NULL)
		fatal("resume trial of %s", a->conf->name);
	a->trial = t;
	if (state == TRIAL_LAPSED) {
		strlcpy(t->why, text, sizeof(t->why));
		if (is_self(a)) {
			t->due = 1;	/* at the end of the start */
			t->phase = "confirm";
			return TRIAL_OPEN;
		}
		trial_hopeless(t);
		return TRIAL_OVER;
	}
	if (state == TRIAL_OVER) {
		if (journal_remove(a->store) == -1)
			log_warn("remove journal of %s", a->conf->name);
		tell(t, "passed", "updaterd", NULL);
		trial_close(t);
		return TRIAL_OVER;
	}
	/* Else the next outage would count as the first. */
	if (journal_write(a->store, j) == -1)
		log_warn("write journal of %s", a->conf->name);
	trial_arm(t);
	return TRIAL_OPEN;
}

/* --- ending otherwise ------------------------------------------------ */

void
trial_superseded(struct agent *a)
{
	if (a->trial == NULL)
		return;
	log_notice("release %s of %s was on trial until now", a->trial->j.to,
	    a->conf->name);
	tell(a->trial, "superseded", "updaterd", NULL);
	trial_free(a->trial);
}

int
trial_restore(struct agent *a)
{
	return a->trial != NULL ? journal_write(a->store, &a->trial->j) :
	    journal_remove(a->store);
}

void
trial_suspend(struct agent *a)
{
	struct trial	*t = a->trial;

	if (t == NULL)
		return;
	/* Of updaterd itself the next start knows by the clock, or by what
	 * self_return() has written. */
	if (t->due && is_self(a)) {
		trial_free(t);
		return;
	}
	if (t->due)
		t->j.phase = JOURNAL_ROLLBACK;
	else if (!trialclock_isover(&t->j)) {
		/* At least 1 ms: 0 would be none. */
		if (t->j.confirm_at != 0)
			t->j.confirm_ms =
			    trialclock_leftms(t->j.confirm_at) + 1;
		if (t->j.probation_at != 0)
			t->j.probation_ms =
			    trialclock_leftms(t->j.probation_at) + 1;
		t->j.at_rest = 1;
	}
	if (journal_write(a->store, &t->j) == -1)
		log_warn("write journal of %s", a->conf->name);
	trial_free(t);
}

void
trial_keep(struct agent *a)
{
	struct trial	*t = a->trial;

	if (t == NULL || !t->due)
		return;
	t->j.phase = JOURNAL_ROLLBACK;
	if (journal_write(a->store, &t->j) == -1)
		log_warn("write journal of %s", a->conf->name);
}

void
trial_forget(struct agent *a)
{
	if (a->trial != NULL)
		trial_free(a->trial);
}

/* --- confirming ------------------------------------------------------ */

void
trial_confirm(struct caller *c, struct agent *a, const char *id)
{
	const struct update	*u = update_current();
	struct trial		*t = a->trial;
	struct release		*r;
	struct journal		 j;
	char			 text[UPD_TEXT_SIZE], by[UPD_SUBJECT_SIZE];
	uint32_t		 s;

	if (is_self(a) && self_busy() != NULL) {
		caller_error(c, UPD_EBUSY, self_busy());
		return;
	}
	if ((t != NULL && t->due) || (u != NULL && u->agent == a &&
	    u->kind == UPDATE_UNDO)) {
		caller_error(c, UPD_EBUSY, "too late: it is going back");
		return;
	}
	if (t == NULL || t->j.confirm_at == 0 ||
	    (id[0] != '\0' && strcmp(id, t->j.to) != 0)) {
		if (t != NULL && t->j.confirm_at != 0)
			snprintf(text, sizeof(text), "it is not %s that awaits "
			    "a confirmation, but %s, the release of agent %s",
			    id, t->j.to, a->conf->name);
		else
			snprintf(text, sizeof(text), "nothing awaits a "
			    "confirmation: the release of agent %s is %s",
			    a->conf->name, a->store->current[0] ?
			    a->store->current : "none");
		caller_error(c, UPD_ENOTFOUND, text);
		return;
	}
	j = t->j;
	j.confirm_ms = 0;
	j.confirm_at = 0;
	if (record(t, &j) == -1) {
		snprintf(text, sizeof(text), "cannot record it: write journal: "
		    "%s; it is not confirmed", strerror(errno));
		caller_error(c, UPD_EIO, text);
		return;
	}
	evtimer_del(&t->confirm_ev);
	strlcpy(by, c->who.subject, sizeof(by));
	log_notice("release %s of %s is confirmed by %s", j.to, a->conf->name,
	    by);
	tell(t, "confirmed", by, NULL);
	s = trialclock_left(j.probation_at);
	r = store_find(a->store, j.to);
	caller_reply(c, 200, json_pack("{s:s, s:o, s:i}", "status",
	    "confirmed", "release", r != NULL ? release_json(a->store, r) :
	    json_null(), "probation", (int)s));
	if (trialclock_isover(&j))
		trial_close(t);
}

int
trial_blocks(const struct agent *a, char *text)
{
	const struct trial	*t = a->trial;

	if (t == NULL || t->j.confirm_at == 0)
		return 0;
	snprintf(text, UPD_TEXT_SIZE, "release %s of agent %s, pushed by "
	    "%.200s, awaits its confirmation for another %u s: confirm it "
	    "(POST /confirm, updaterctl confirm) or roll it back", t->j.to,
	    a->conf->name, t->j.by, trialclock_left(t->j.confirm_at));
	return 1;
}

/* --- for status ------------------------------------------------------ */

const char *
trial_statename(const struct agent *a)
{
	const struct trial	*t = a->trial;

	return t == NULL ? NULL : t->j.confirm_at != 0 ? "unconfirmed" :
	    "probation";
}

uint32_t
trial_confirmleft(const struct agent *a)
{
	return a->trial == NULL ? 0 : trialclock_left(a->trial->j.confirm_at);
}

uint32_t
trial_probationleft(const struct agent *a)
{
	return a->trial == NULL ? 0 :
	    trialclock_left(a->trial->j.probation_at);
}

json_t *
trial_json(const struct agent *a)
{
	const struct trial	*t = a->trial;

	if (t == NULL)
		return json_null();
	return json_pack("{s:s, s:s*, s:s, s:o, s:o}", "release", t->j.to,
	    "back_to", t->j.from[0] ? t->j.from : NULL, "by", t->j.by,
	    "confirm", t->j.confirm_at != 0 ?
	    json_integer(trialclock_left(t->j.confirm_at)) : json_null(),
	    "probation", t->j.probation_at != 0 ?
	    json_integer(trialclock_left(t->j.probation_at)) : json_null());
}
