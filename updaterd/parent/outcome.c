/*
 * How a promotion or a rollback has come out, as whoever asked for it is told.
 *
 * What it came to is durable by then.  The output of services goes into the
 * answer to a bad one: what they wrote to us was taken when they failed;
 * what units of systemd wrote is read here, so that nobody waits for that
 * before he has the old release back.
 */
#include <sys/types.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "parent.h"
#include "self.h"
#include "trial.h"
#include "unitlog.h"
#include "update.h"
#include "util.h"

static json_t *
timings(const struct update *u)
{
	uint64_t	 now = time_mono_ms();
	json_t		*o = json_object();

	if (u->t_received)
		json_object_set_new(o, "receive",
		    json_integer((json_int_t)(u->t_received - u->t_open)));
	if (u->t_sealed)
		json_object_set_new(o, "seal",
		    json_integer((json_int_t)(u->t_sealed - u->t_received)));
	if (u->t_installed)
		json_object_set_new(o, "install",
		    json_integer((json_int_t)(u->t_installed - u->t_sealed)));
	if (u->t_stopped)
		json_object_set_new(o, "stop",
		    json_integer((json_int_t)(u->t_stopped - u->t_stop)));
	if (u->t_healthy) {
		json_object_set_new(o, "start",
		    json_integer((json_int_t)(u->t_healthy - u->t_stopped)));
		json_object_set_new(o, "downtime",
		    json_integer((json_int_t)(u->t_healthy - u->t_stop)));
	}
	json_object_set_new(o, "total",
	    json_integer((json_int_t)(now - u->t_open)));
	return o;
}

void
outcome_good(struct update *u)
{
	struct store	*s = u->agent->store;
	struct release	*r = store_current(s), *p = store_previous(s);
	const char	*word;
	json_t		*o;

	word = u->kind == UPDATE_PUSH ? "updated" : "rolled_back";
	log_notice("%s %s to release %s for %s: healthy after %llu ms",
	    u->kind == UPDATE_PUSH ? "update" : u->kind == UPDATE_BACK ?
	    "roll back" : "recover", u->agent->conf->name, u->rel.id,
	    u->who.subject, (unsigned long long)(u->t_healthy - u->t_stop));
	u->agent->last_error[0] = '\0';
	o = json_pack("{s:s, s:o, s:o, s:s, s:o, s:I, s:b, s:o}",
	    "status", word,
	    "release", r != NULL ? release_json(s, r) : json_null(),
	    "previous", p != NULL ? release_json(s, p) : json_null(),
	    "probe", agent_body(u->agent), "timings", timings(u),
	    "bytes", (json_int_t)u->bytes, "rolled_back", 0,
	    "health", u->probe != NULL ? json_incref(u->probe) : json_null());
	if (o != NULL && trial_confirmleft(u->agent) != 0)
		json_object_set_new(o, "confirm",
		    json_integer(trial_confirmleft(u->agent)));
	if (o != NULL && trial_probationleft(u->agent) != 0)
		json_object_set_new(o, "probation",
		    json_integer(trial_probationleft(u->agent)));
	update_finish(u, 200, o);
}

int
outcome_status(const struct update *u, int back)
{
	if (u->kind == UPDATE_UNDO)
		return back ? 200 : 500;
	return back && u->kind == UPDATE_PUSH ? 409 : 500;
}

/* The verdict was bad. */
static void
answer_bad(struct update *u)
{
	struct store	*s = u->agent->store;
	struct release	*cur = store_current(s), *bad;
	int		 back = u->rolled_back;
	json_t		*d;

	bad = store_find(s, u->rel.id);
	log_warnx("release %s of %s is not healthy: %s; %s", u->rel.id,
	    u->agent->conf->name, u->text, u->journal.from[0] == '\0' ?
	    "there is no release to go back to" : back ? "went back" :
	    "went back, and the old release is not healthy either");
	d = json_pack("{s:s, s:s, s:b, s:s, s:b, s:o, s:o, s:o, s:o, s:o, s:I}",
	    "error", u->text, "stderr", u->tail != NULL ? u->tail : "",
	    "rolled_back", back, "phase", u->phase, "healthy", back,
	    "release", cur != NULL ? release_json(s, cur) : json_null(),
	    "failed", bad != NULL ? release_json(s, bad) : json_null(),
	    "probe", u->probe != NULL ? json_incref(u->probe) : json_null(),
	    "rollback_probe", u->probe_back != NULL ?
	    json_incref(u->probe_back) : json_null(),
	    "timings", timings(u), "bytes", (json_int_t)u->bytes);
	if (d != NULL && u->damage[0] != '\0')
		json_object_set_new(d, "damage", json_string(u->damage));
	update_finish(u, outcome_status(u, back), json_pack("{s:o}", "detail",
	    d));
}

/* The way back from a trial. */
static json_t *
answer_undo(const struct update *u, int back)
{
	struct store	*s = u->agent->store;
	struct release	*cur = store_current(s), *p = store_previous(s);
	json_t		*o;

	if (back) {
		o = json_pack("{s:s, s:o, s:o, s:s, s:b, s:s, s:o}",
		    "status", "rolled_back",
		    "release", cur != NULL ? release_json(s, cur) :
		    json_null(),
		    "previous", p != NULL ? release_json(s, p) : json_null(),
		    "probe", agent_body(u->agent), "rolled_back", 1,
		    "why", u->text, "health", u->probe_back != NULL ?
		    json_incref(u->probe_back) : json_null());
		if (o != NULL && u->damage[0] != '\0')
			json_object_set_new(o, "damage",
			    json_string(u->damage));
		return o;
	}
	return json_pack("{s:{s:s, s:s, s:b, s:s, s:b, s:o, s:o}}", "detail",
	    "error", u->text, "stderr", u->tail != NULL ? u->tail : "",
	    "rolled_back", 0, "phase", u->phase, "healthy", 0,
	    "release", cur != NULL ? release_json(s, cur) : json_null(),
	    "rollback_probe", u->probe_back != NULL ?
	    json_incref(u->probe_back) : json_null());
}

/* What its units have written to the journal. */
static void
outcome_read(void *arg, const char *text)
{
	struct update	*u = arg;
	char		*both;

	if (asprintf(&both, "%s%s", u->tail != NULL ? u->tail : "", text) !=
	    -1) {
		free(u->tail);
		u->tail = both;
	}
	answer_bad(u);
}

void
outcome_bad(struct update *u, int back)
{
	size_t	 len = u->tail != NULL ? strlen(u->tail) : 0;

	u->rolled_back = back;
	if (u->kind == UPDATE_UNDO) {
		log_notice("went back to release %s of %s, which is %shealthy",
		    u->journal.from, u->agent->conf->name, back ? "" : "not ");
		update_finish(u, outcome_status(u, back), answer_undo(u,
		    back));
		return;
	}
	if (len >= UPDATE_TAIL || !unitlog_read(u->agent, UPDATE_TAIL - len,
	    outcome_read, u))
		answer_bad(u);
}

/* A failure before anything was touched, of a rollback. */
void
outcome_refuse(struct update *u, const char *text)
{
	struct release	*cur = store_current(u->agent->store);

	strlcpy(u->text, text, sizeof(u->text));
	log_warnx("roll back of %s refused: %s", u->agent->conf->name, text);
	update_history(u, "failed", 500);
	update_finish(u, 500, json_pack("{s:{s:s, s:s, s:b, s:s, s:b, s:o}}",
	    "detail", "error", u->text, "stderr", "", "rolled_back", 0,
	    "phase", u->phase, "healthy", agent_healthy(u->agent),
	    "release", cur != NULL ? release_json(u->agent->store, cur) :
	    json_null()));
}
