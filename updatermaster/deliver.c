/*
 * One host of a rollout.
 *
 *	WAIT -> PUSH -> (CONFIRM) -> (SELF) -> END
 *
 * With --confirm the host is on trial after a good answer, and goes back by
 * itself unless we reach it once more, over a new connection, in time: that
 * is tried until then.  Only a host that is confirmed counts as updated.
 *
 * A push whose end is not known (the connection was lost, or an earlier run
 * of ours was killed) is never simply repeated: the host is ASKed.  While an
 * update is in flight there one waits; then the archive is active, or it
 * failed, or it never arrived whole and is pushed again.  What the host says
 * holds whatever the record says.
 *
 * Taking back asks first, too: a host goes back only as long as it is our
 * archive that is active.
 */
#include <sys/types.h>
#include <sys/time.h>

#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "deliver.h"
#include "rollout.h"
#include "show.h"
#include "text.h"

#define BUSY_WAIT	2		/* seconds before the second try of a
					 * push that was answered 423 */
#define CONFIRM_WAIT	1		/* seconds between two tries */
#define ASK_WAIT	1		/* seconds between two questions */
#define ASK_MAX		3600		/* questions while one is in flight */
#define ASK_TIMEOUT	30		/* seconds for an answer */
#define CLOCKS_APART	300		/* seconds that a host's clock and ours
					 * may differ */

static void	 push(struct target *);
static void	 confirm(struct target *);
static void	 ask(struct target *);
static void	 ask_done(struct request *);

/* --- small things ----------------------------------------------------- */

void
deliver_phase(struct target *t, const char *name)
{
	struct phase	*p;

	if (t->nphases > 0 &&
	    strcmp(t->phases[t->nphases - 1].name, name) == 0)
		return;
	if (t->nphases == PHASES_MAX)
		t->nphases--;		/* the last is the one that counts */
	p = &t->phases[t->nphases++];
	strlcpy(p->name, name, sizeof(p->name));
	p->ms = rollout_ms(t->ro);
	show_target(t->ro->show, t, name);
}

/* What the host says is wrong, on one line. */
static const char *
detail_of(const json_t *answer)
{
	const json_t	*d = json_object_get(answer, "detail");

	if (json_is_string(d))
		return json_string_value(d);
	return js_str(d, "error");
}

void
deliver_take(struct target *t)
{
	const char	*why;

	json_decref(t->answer);
	t->answer = json_incref(t->req.answer);
	t->status = t->req.status;
	if (t->req.end != REQUEST_ANSWER)
		strlcpy(t->detail, t->req.text, sizeof(t->detail));
	else if (t->status >= 300) {
		why = detail_of(t->answer);
		snprintf(t->detail, sizeof(t->detail), "%d: %.480s", t->status,
		    why != NULL ? why : "no reason given");
	} else
		t->detail[0] = '\0';
}

void
deliver_end(struct target *t)
{
	t->state = TARGET_END;
	t->ms = (uint32_t)((time_mono_us() - t->begun_us) / 1000);
	deliver_phase(t, t->self != OUTCOME_NONE ? outcome_name(t->self) :
	    outcome_name(t->agent));
	rollout_ended(t);
}

static void
pause_over(int fd, short event, void *arg)
{
	struct target	*t = arg;

	if (t->self_id[0] != '\0')
		deliver_askself(t);
	else if (t->confirm[0] != '\0')
		confirm(t);
	else if (t->unsure || t->back)
		ask(t);
	else
		push(t);
}

void
deliver_pause(struct target *t, int seconds)
{
	struct timeval	 tv = { seconds, 0 };

	t->state = TARGET_PAUSE;
	evtimer_set(&t->timer, pause_over, t);
	evtimer_add(&t->timer, &tv);
}

static void
on_event(struct request *r, const char *event, uint64_t bytes)
{
	deliver_phase(r->arg, event);
}

static void
on_again(struct request *r, uint32_t ms)
{
	struct target	*t = r->arg;
	char		 text[UPD_TEXT_SIZE + 40];

	snprintf(text, sizeof(text), "not reached, again in %u.%u s: %s",
	    ms / 1000, ms % 1000 / 100, r->text);
	show_target(t->ro->show, t, text);
}

/* The path malloced, or the end of the program. */
static char *
make_path(const struct target *t, const char *what)
{
	const char	*agent = t->ro->plan.agent;
	char		*path;
	int		 n;

	if (agent != NULL)
		n = asprintf(&path, "/agents/%s%s", agent, what);
	else
		n = asprintf(&path, "%s", what);
	if (n == -1)
		err(1, NULL);
	return path;
}

void
deliver_send(struct target *t, const char *method, char *path,
    void (*done)(struct request *))
{
	struct request	*r = &t->req;

	request_free(r);
	memset(r, 0, sizeof(*r));
	r->host = &t->host;
	r->method = method;
	r->path = path;
	r->retries = t->ro->plan.retries;
	r->event = on_event;
	r->again = on_again;
	r->done = done;
	r->arg = t;
	if (t->state == TARGET_PUSH || t->state == TARGET_SELF) {
		r->body = t->state == TARGET_SELF &&
		    plan_ownself(&t->ro->plan) ? &t->ro->plan.self_pack :
		    &t->ro->plan.pack;
		r->events = 1;
	} else if (t->state == TARGET_ASK || t->state == TARGET_CONFIRM)
		r->timeout = ASK_TIMEOUT;
	client_start(t->ro->client, r);
}

/* Neither an answer nor lost: what is it? */
enum outcome
deliver_noanswer(enum request_end how)
{
	if (how == REQUEST_DISTRUST)
		return OUTCOME_DISTRUSTED;
	return how == REQUEST_REFUSED ? OUTCOME_FAILED : OUTCOME_UNREACHABLE;
}

/* --- the agent -------------------------------------------------------- */

/* The agent's part has this outcome. */
static void
agent_ended(struct target *t, enum outcome outcome)
{
	t->agent = outcome;
	if (record_event(t->ro, t, outcome_name(outcome)) == 0 &&
	    t->ro->plan.self && !t->ro->plan.dry_run &&
	    !outcome_isbad(outcome)) {
		deliver_self(t);
		return;
	}
	deliver_end(t);
}

/* --- the confirmation -------------------------------------------------- */

static void
unconfirmed(struct target *t)
{
	char	 why[UPD_TEXT_SIZE];

	t->confirm[0] = '\0';
	strlcpy(why, t->detail, sizeof(why));
	snprintf(t->detail, sizeof(t->detail), "not confirmed, so it goes back "
	    "by itself: %.440s", why);
	agent_ended(t, OUTCOME_UNCONFIRMED);
}

static void
confirm_done(struct request *r)
{
	struct target	*t = r->arg;

	deliver_take(t);
	if (r->end == REQUEST_ANSWER && r->status == 200) {
		t->confirm[0] = '\0';
		agent_ended(t, OUTCOME_UPDATED);
	} else if (r->end == REQUEST_ANSWER && (r->status == 404 ||
	    r->status == 423)) {
		/* An earlier one has arrived, or it was too late. */
		t->confirm[0] = '\0';
		t->unsure = 1;
		t->busy = 0;
		ask(t);
	} else if (r->end == REQUEST_DISTRUST || r->end == REQUEST_REFUSED ||
	    (r->end == REQUEST_ANSWER && r->status < 500) ||
	    time_mono_us() >= t->confirm_us)
		unconfirmed(t);
	else
		deliver_pause(t, CONFIRM_WAIT);
}

static void
confirm(struct target *t)
{
	char	*what, *path;

	if (asprintf(&what, "/confirm?id=%s", t->confirm) == -1)
		err(1, NULL);
	path = make_path(t, what);
	free(what);
	t->state = TARGET_CONFIRM;
	deliver_phase(t, "confirming");
	deliver_send(t, "POST", path, confirm_done);
}

/* 1 the host waits for it, so many seconds: begun. */
static int
confirm_begin(struct target *t, const char *id, json_int_t seconds)
{
	if (t->ro->plan.confirm == 0 || seconds <= 0 || !id_isvalid(id))
		return 0;
	strlcpy(t->confirm, id, sizeof(t->confirm));
	t->confirm_us = time_mono_us() + (uint64_t)seconds * 1000000;
	confirm(t);
	return 1;
}

/* --- the push ---------------------------------------------------------- */

static void
answered(struct target *t)
{
	const json_t	*d;

	if (t->status == 200) {
		if (confirm_begin(t, js_text(json_object_get(t->answer,
		    "release"), "id"), js_int(t->answer, "confirm", 0)))
			return;
		if (t->ro->plan.dry_run)
			agent_ended(t, OUTCOME_DRY);
		else
			agent_ended(t, js_true(t->answer, "unchanged") ?
			    OUTCOME_UNCHANGED : OUTCOME_UPDATED);
		return;
	}
	/* Somebody else's, or ours of a run that was killed. */
	if (t->status == 423 && (t->unsure ? t->busy++ < ASK_MAX :
	    t->busy++ == 0)) {
		deliver_phase(t, "busy");
		deliver_pause(t, BUSY_WAIT);
		return;
	}
	d = json_object_get(t->answer, "detail");
	agent_ended(t, js_true(d, "rolled_back") ? OUTCOME_ROLLED_BACK :
	    OUTCOME_FAILED);
}

static void
push_done(struct request *r)
{
	struct target	*t = r->arg;

	deliver_take(t);
	if (r->end == REQUEST_ANSWER)
		answered(t);
	else if (r->end == REQUEST_LOST && !t->ro->plan.dry_run) {
		t->tries++;
		t->unsure = 1;
		deliver_phase(t, "lost");
		ask(t);
	} else
		agent_ended(t, deliver_noanswer(r->end));
}

static void
push(struct target *t)
{
	const struct plan	*p = &t->ro->plan;
	char			 window[32] = "", *what, *path;

	if (p->confirm > 0)
		snprintf(window, sizeof(window), "&confirm=%u", p->confirm);
	if (asprintf(&what, "/update?sha256=%s%s%s%s%s%s%s", p->pack.sha256,
	    p->sha[0] ? "&sha=" : "", p->sha, p->force ? "&force=true" : "",
	    p->downgrade ? "&downgrade=true" : "",
	    p->dry_run ? "&dry_run=true" : "", window) == -1)
		err(1, NULL);
	path = make_path(t, what);
	free(what);
	t->state = TARGET_PUSH;
	deliver_phase(t, "connecting");
	deliver_send(t, "PUT", path, push_done);
}

/* --- asking ----------------------------------------------------------- */

/* Our agent in the answer of /status, or NULL. */
static const json_t *
find_agent(const struct target *t, const json_t *status)
{
	const json_t	*list = json_object_get(status, "agents"), *a;
	const char	*name = t->ro->plan.agent;
	size_t		 i;

	json_array_foreach(list, i, a)
		if (strcmp(js_text(a, "name"), name ? name : "default") == 0)
			return a;
	return name == NULL && json_array_size(list) == 1 ?
	    json_array_get(list, 0) : NULL;
}

static int
is_ours(const struct target *t, const json_t *agent, const char *slot)
{
	return strcmp(js_text(json_object_get(agent, slot), "sha256"),
	    t->ro->plan.pack.sha256) == 0;
}

/*
 * It is active.  Whether it was so before we came decides whether the host
 * may be taken back: a release installed well before the push began was.
 */
static void
found_active(struct target *t, const json_t *agent)
{
	const json_t	*r = json_object_get(agent, "release");
	time_t		 at = text_time(js_str(r, "installed_at"));

	strlcpy(t->detail, "found active", sizeof(t->detail));
	agent_ended(t, at != -1 && at < t->begun_at - CLOCKS_APART ?
	    OUTCOME_UNCHANGED : OUTCOME_UPDATED);
}

static void
back_ended(struct target *t, int done)
{
	char	 why[UPD_TEXT_SIZE];

	t->back_done = 1;
	if (done)
		t->agent = OUTCOME_UNDONE;
	else {
		strlcpy(why, t->detail, sizeof(why));
		snprintf(t->detail, sizeof(t->detail), "cannot be taken back: "
		    "%.460s", why);
	}
	(void)record_event(t->ro, t, done ? outcome_name(OUTCOME_UNDONE) :
	    "not-undone");
	deliver_end(t);
}

static void
back_done(struct request *r)
{
	struct target	*t = r->arg;

	deliver_take(t);
	if (r->end == REQUEST_ANSWER && r->status == 200)
		back_ended(t, 1);
	else if (r->end == REQUEST_ANSWER && r->status == 423 &&
	    t->busy++ < ASK_MAX)
		deliver_pause(t, BUSY_WAIT);
	else if (r->end == REQUEST_LOST && t->tries++ < t->ro->plan.retries)
		ask(t);
	else
		back_ended(t, 0);
}

static void
told_back(struct target *t, const json_t *agent)
{
	if (!is_ours(t, agent, "release")) {
		strlcpy(t->detail, "taken back", sizeof(t->detail));
		back_ended(t, 1);
		return;
	}
	t->state = TARGET_BACK;
	deliver_phase(t, "taking back");
	deliver_send(t, "POST", make_path(t, "/rollback"), back_done);
}

static void
told(struct target *t, const json_t *agent)
{
	const json_t	*trial = json_object_get(agent, "trial");
	const char	*why;

	if (t->back)
		told_back(t, agent);
	else if (is_ours(t, agent, "release")) {
		if (confirm_begin(t, js_text(trial, "release"),
		    js_int(trial, "confirm", 0)))
			return;
		/* Its time is over, it only has to wait to go back. */
		if (strcmp(js_text(agent, "state"), "unconfirmed") == 0 &&
		    t->confirm_us != 0 && t->busy++ < ASK_MAX)
			deliver_pause(t, ASK_WAIT);
		else
			found_active(t, agent);
	} else if (is_ours(t, agent, "failed")) {
		why = js_str(agent, "error");
		strlcpy(t->detail, why != NULL ? why : "the release failed "
		    "there", sizeof(t->detail));
		agent_ended(t, OUTCOME_ROLLED_BACK);
	} else if (t->confirm_us != 0)
		unconfirmed(t);		/* gone, and it left no trace */
	else if (t->tries > t->ro->plan.retries)
		agent_ended(t, OUTCOME_UNREACHABLE);
	else {
		/* An answer of 423 would mean ours, still on its way. */
		push(t);
	}
}

static void
ask_done(struct request *r)
{
	struct target	*t = r->arg;
	const json_t	*agent;

	if (r->end != REQUEST_ANSWER || r->status != 200) {
		deliver_take(t);
		if (t->back)
			back_ended(t, 0);
		else
			agent_ended(t, r->end == REQUEST_ANSWER ?
			    OUTCOME_FAILED : deliver_noanswer(r->end));
		return;
	}
	if (json_is_object(json_object_get(r->answer, "update")) &&
	    t->busy++ < ASK_MAX) {
		deliver_pause(t, ASK_WAIT);
		return;
	}
	if ((agent = find_agent(t, r->answer)) == NULL) {
		strlcpy(t->detail, "the host has no such agent",
		    sizeof(t->detail));
		if (t->back)
			back_ended(t, 0);
		else
			agent_ended(t, OUTCOME_FAILED);
		return;
	}
	told(t, agent);
}

static void
ask(struct target *t)
{
	char	*path = strdup("/status");

	if (path == NULL)
		err(1, NULL);
	t->state = TARGET_ASK;
	deliver_phase(t, "asking");
	deliver_send(t, "GET", path, ask_done);
}

/* --- from the rollout ------------------------------------------------- */

void
deliver_begin(struct target *t)
{
	t->begun_us = time_mono_us();
	t->busy = t->tries = 0;
	if (!t->begun) {
		t->begun = 1;
		t->begun_at = (int64_t)time(NULL);
	}
	/* Its agent's part is done, its own is not. */
	if (t->agent != OUTCOME_NONE && !outcome_isbad(t->agent))
		deliver_self(t);
	else if (t->unsure)
		ask(t);
	else
		push(t);
}

void
deliver_back(struct target *t)
{
	if (t->begun_us == 0)
		t->begun_us = time_mono_us();
	t->back = 1;
	t->busy = t->tries = 0;
	ask(t);
}

void
deliver_free(struct target *t)
{
	if (t->state == TARGET_PAUSE)
		evtimer_del(&t->timer);
	request_free(&t->req);
	json_decref(t->answer);
	t->answer = NULL;
}
