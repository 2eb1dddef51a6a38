/*
 * One update at a time on this host: which state it is in, how it begins,
 * the one way in which it is aborted, and how it is answered.
 *
 * Invariants
 * - `up` is the update; IDLE means there is none.
 * - Up to STAGED, INSTALLING and VERIFYING nothing of the running release
 *   has been touched: update_fail() is enough, in any of them, at any time.
 *   From PROMOTING on only promote.c decides, by its journal.
 * - The answer is sent last: after staging is gone, or the verdict is
 *   durable.  caller is NULL from then on.
 */
#include <sys/types.h>

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "audit.h"
#include "error.h"
#include "log.h"
#include "parent.h"
#include "proto.h"
#include "reconcile.h"
#include "reload.h"
#include "self.h"
#include "timer.h"
#include "trial.h"
#include "update.h"
#include "utf8.h"
#include "util.h"

#define PATH_SHOWN	300	/* bytes of an entry's path in a text */
#define SHARED		230	/* bytes of a text that two share */

struct update		 up;

static const char *const statenames[UPDATE__MAX] = {
	"idle", "receiving", "staged", "installing", "verifying",
	"promoting", "probing", "rolling_back", "cleaning"
};

#define S(x)	(1U << (x))
/* From each state, where it may go. */
static const uint32_t transitions[UPDATE__MAX] = {
	[UPDATE_IDLE] = S(UPDATE_RECEIVING) | S(UPDATE_VERIFYING) |
	    S(UPDATE_PROBING) | S(UPDATE_ROLLBACK),
	[UPDATE_RECEIVING] = S(UPDATE_STAGED) | S(UPDATE_CLEANING),
	[UPDATE_STAGED] = S(UPDATE_INSTALLING) | S(UPDATE_PROMOTING) |
	    S(UPDATE_CLEANING),
	[UPDATE_INSTALLING] = S(UPDATE_STAGED) | S(UPDATE_CLEANING),
	[UPDATE_VERIFYING] = S(UPDATE_PROMOTING) | S(UPDATE_ROLLBACK) |
	    S(UPDATE_IDLE),
	[UPDATE_PROMOTING] = S(UPDATE_PROBING) | S(UPDATE_CLEANING) |
	    S(UPDATE_ROLLBACK) | S(UPDATE_IDLE),
	[UPDATE_PROBING] = S(UPDATE_VERIFYING) | S(UPDATE_ROLLBACK) |
	    S(UPDATE_IDLE),
	[UPDATE_ROLLBACK] = S(UPDATE_IDLE),
	[UPDATE_CLEANING] = S(UPDATE_IDLE)
};
#undef S

const char *
update_statename(enum update_state s)
{
	return s < UPDATE__MAX ? statenames[s] : "unknown";
}

void
update_setstate(struct update *u, enum update_state s)
{
	if ((transitions[u->state] & (1U << s)) == 0)
		fatalx("update of %s cannot go from %s to %s",
		    u->agent->conf->name, update_statename(u->state),
		    update_statename(s));
	log_debug("update of %s: %s -> %s", u->agent->conf->name,
	    update_statename(u->state), update_statename(s));
	u->state = s;
	/* A rollback is a plain request: it has no steps on the wire. */
	if (u->kind == UPDATE_PUSH && s != UPDATE_IDLE &&
	    s != UPDATE_CLEANING && s != UPDATE_RECEIVING)
		caller_event(u->caller, update_statename(s), 0);
	control_event("update", json_pack("{s:s, s:s, s:s}", "agent",
	    u->agent->conf->name, "state", update_statename(s), "by",
	    u->who.subject));
}

const struct update *
update_current(void)
{
	return up.state == UPDATE_IDLE ? NULL : &up;
}

json_t *
update_json(void)
{
	char	 since[40];

	if (up.state == UPDATE_IDLE)
		return json_null();
	time_iso(up.since, since, sizeof(since));
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s*, s:I}",
	    "agent", up.agent->conf->name,
	    "state", update_statename(up.state),
	    "by", up.who.subject, "address", up.who.address,
	    "since", since, "sha", up.sha[0] ? up.sha : NULL,
	    "bytes", (json_int_t)up.bytes);
}

/* --- timer ---------------------------------------------------------- */

static void
timer_fired(int fd, short ev, void *arg)
{
	struct update	*u = arg;
	void		(*fn)(struct update *) = u->timeout;

	u->timeout = NULL;
	if (fn != NULL)
		fn(u);
}

void
update_settimer(struct update *u, uint32_t ms, void (*fn)(struct update *))
{
	update_cleartimer(u);
	u->timeout = fn;
	evtimer_set(&u->timer, timer_fired, u);
	timer_in(&u->timer, ms);
}

void
update_cleartimer(struct update *u)
{
	if (u->timeout != NULL) {
		evtimer_del(&u->timer);
		u->timeout = NULL;
	}
}

/* --- beginning ------------------------------------------------------ */

/* The lock: who holds it, for a 423. */
static void
busy_text(char *buf, size_t size)
{
	char	 since[40];

	time_iso(up.since, since, sizeof(since));
	snprintf(buf, size, "%s of agent %s by %s%s%s is in flight since %s "
	    "(%s); try again when it is done",
	    up.kind == UPDATE_PUSH ? "an update" :
	    up.kind == UPDATE_RECOVER ? "a recovery" : "a rollback",
	    up.agent->conf->name, up.who.subject,
	    up.who.address[0] ? " from " : "", up.who.address, since,
	    update_statename(up.state));
}

struct update *
update_begin(struct agent *a, enum update_kind kind, struct caller *c,
    const struct msg_caller *who)
{
	struct update	*u = &up;

	startcheck_abandon();
	memset(u, 0, sizeof(*u));
	u->kind = kind;
	u->agent = a;
	u->caller = c;
	u->who = *who;
	u->since = time_real_us();
	u->t_open = time_mono_ms();
	u->phase = "receive";
	u->st.fd = u->st.manifest_fd = -1;
	return u;
}

struct agent *
update_admit(struct caller *c, const char *name)
{
	struct agent	*a;
	const char	*busy;
	char		 text[UPD_TEXT_SIZE];

	if (env->stopping) {
		caller_error(c, UPD_EFULL, "updaterd is stopping");
		return NULL;
	}
	if ((a = parent_agent(name)) == NULL) {
		if (strcmp(name, SELF_NAME) == 0)
			strlcpy(text, SELF_NONE, sizeof(text));
		else
			snprintf(text, sizeof(text), name[0] ?
			    "no agent named %s" : "more than one agent and "
			    "none is named default: use /agents/NAME/...%s",
			    name);
		caller_error(c, UPD_ENOTFOUND, text);
		return NULL;
	}
	if (a->store == NULL) {
		caller_error(c, UPD_EIO, a->text);
		return NULL;
	}
	if (reconcile_isbusy()) {
		caller_error(c, UPD_EBUSY, "services are being brought back "
		    "after a start or a reload; try again in a few seconds");
		return NULL;
	}
	if ((busy = self_busy()) != NULL) {
		caller_error(c, UPD_EBUSY, busy);
		return NULL;
	}
	/* The agent may go, and be freed, with the old configuration. */
	if (reload_isbusy()) {
		caller_error(c, UPD_EBUSY, "a reload is under way; try again "
		    "in a few seconds");
		return NULL;
	}
	if (up.state != UPDATE_IDLE) {
		busy_text(text, sizeof(text));
		caller_error(c, UPD_EBUSY, text);
		return NULL;
	}
	return a;
}

/* What it went back to is not as it was sealed, and was taken all the same. */
static int
has_damage(const struct update *u)
{
	return u->damage[0] != '\0' && strcmp(u->damage, u->text) != 0;
}

/* --- the end -------------------------------------------------------- */

void
update_history(struct update *u, const char *result, int status)
{
	json_t		*o;
	char		 now[40];
	const char	*event = u->kind == UPDATE_PUSH ? "update" :
	    u->kind == UPDATE_BACK ? "rollback" :
	    u->kind == UPDATE_UNDO ? "trial" : "recover";

	time_iso(time_real_us(), now, sizeof(now));
	o = json_pack("{s:s, s:s, s:s, s:i, s:s*, s:s*, s:s*, s:s*, s:s, s:s,"
	    " s:s*, s:s*, s:s*, s:I}", "time", now,
	    "event", event, "result", result, "status", status,
	    "from", u->journal.from[0] ? u->journal.from : NULL,
	    "to", u->rel.id[0] ? u->rel.id : NULL,
	    "sha", u->sha[0] ? u->sha : NULL,
	    "signer", u->rel.signer[0] ? u->rel.signer :
	    u->signer[0] ? u->signer : NULL,
	    "by", u->who.subject, "address", u->who.address,
	    "error", u->text[0] ? u->text : NULL,
	    "phase", u->text[0] ? u->phase : NULL,
	    "damage", has_damage(u) ? u->damage : NULL,
	    "ms", (json_int_t)(time_mono_ms() - u->t_open));
	tally_count(u->agent, event, result);
	if (o == NULL || history_append(u->agent->store, o) == -1)
		log_warnx("write history of %s", u->agent->conf->name);
}

/* Free what an update holds; nothing may refer to it any more. */
static void
update_release(struct update *u)
{
	int	 i;

	update_cleartimer(u);
	staging_close(&u->st);
	free(u->output);
	free(u->tail);
	json_decref(u->probe);
	json_decref(u->probe_back);
	for (i = 0; i < DIFF__MAX; i++)
		json_decref(u->diff[i]);
	json_decref(u->answer);
	u->answer = NULL;
	u->output = u->tail = NULL;
	u->probe = u->probe_back = NULL;
	memset(u->diff, 0, sizeof(u->diff));
}

static void
swept(void *arg)
{
}

static void
update_end(struct update *u)
{
	struct agent	*a = u->agent;
	json_t		*answer = u->answer;
	struct caller	*c = u->caller;

	if (u->text[0] != '\0') {
		strlcpy(a->last_error, u->text, sizeof(a->last_error));
		if (has_damage(u)) {
			snprintf(a->last_error, sizeof(a->last_error),
			    "%.*s; went back all the same, though %.*s",
			    SHARED, u->text, SHARED, u->damage);
			utf8_mend(a->last_error);
		}
		a->last_error_at = time_real_us();
	}
	u->caller = NULL;
	u->answer = NULL;
	tally_phases(u);
	update_setstate(u, UPDATE_IDLE);
	update_release(u);
	if (c != NULL)
		caller_reply(c, u->answer_status, answer);
	else
		json_decref(answer);
	/* What keep does not keep goes after the answer; but a trial may
	 * still end with everything as it was. */
	if (a->trial == NULL)
		store_prune(a->store);
	store_sweep(a->store, NULL, swept, NULL);
	push_next();
	parent_idle();
}

static void
clean_done(void *arg, const struct task_result *r)
{
	struct update	*u = arg;

	u->task = NULL;
	if (r->error != UPD_OK)
		log_warnx("remove staging of %s: %s %s", u->agent->conf->name,
		    r->text, r->path);
	u->staged = 0;
	update_end(u);
}

static void
clean_work(void *arg, struct task_result *r)
{
	struct update	*u = arg;

	tree_remove(u->agent->store->relfd, u->st.name, r);
	(void)unlinkat(u->agent->store->relfd, u->st.manifest, 0);
}

/* In CLEANING, once no worker is left: staging goes, then the answer. */
void
update_cleaned(struct update *u)
{
	int	 keep[1];

	if (u->state != UPDATE_CLEANING || receive_running(u) ||
	    u->task != NULL)
		return;
	staging_close(&u->st);
	if (!u->staged) {
		update_end(u);
		return;
	}
	keep[0] = u->agent->store->relfd;
	u->task = task_start("clean", clean_work, u, keep, 1, clean_done, u);
	if (u->task == NULL) {
		log_warn("start removal of staging");
		update_end(u);		/* the next sweep takes it */
	}
}

void
update_finish(struct update *u, int status, json_t *answer)
{
	u->answer_status = status;
	json_decref(u->answer);
	u->answer = answer;
	if (u->state == UPDATE_RECEIVING || u->state == UPDATE_STAGED ||
	    u->state == UPDATE_INSTALLING) {
		update_cleartimer(u);
		update_setstate(u, UPDATE_CLEANING);
		receive_kill(u);
		prepare_kill(u);
		update_cleaned(u);
	} else if (u->state == UPDATE_CLEANING)
		update_cleaned(u);
	else
		update_end(u);
}

void
update_fail(struct update *u, enum upd_error error, const char *fmt, ...)
{
	va_list	 ap;
	json_t	*detail;
	int	 status;

	if (u->state == UPDATE_CLEANING || u->state == UPDATE_IDLE)
		return;			/* the first reason counts */
	u->error = error;
	va_start(ap, fmt);
	vsnprintf(u->text, sizeof(u->text), fmt, ap);
	va_end(ap);
	utf8_mend(u->text);
	status = upd_httpstatus(error);
	log_warnx("update of %s by %s failed in %s: %s",
	    u->agent->conf->name, u->who.subject, u->phase, u->text);
	update_history(u, "failed", status);
	caller_stop(u->stopped ? NULL : u->caller);
	u->stopped = 1;

	if (status < 500 || error == UPD_ENOSPACE || error == UPD_EFULL)
		detail = json_string(u->text);
	else
		detail = json_pack("{s:s, s:s, s:s, s:b, s:s, s:b, s:o}",
		    "agent", u->agent->conf->name,
		    "error", u->text, "stderr", u->output ? u->output : "",
		    "rolled_back", 0, "phase", u->phase,
		    "healthy", agent_healthy(u->agent),
		    "release", store_current(u->agent->store) != NULL ?
		    release_json(u->agent->store,
		    store_current(u->agent->store)) : json_null());
	update_finish(u, status, json_pack("{s:o}", "detail", detail));
}

/* A long path must not push the reason out of the text. */
void
update_failentry(struct update *u, enum upd_error error, const char *path,
    const char *text)
{
	if (path[0] == '\0')
		update_fail(u, error, "%s", text);
	else
		update_fail(u, error, "%.*s%s: %s", PATH_SHOWN, path,
		    strlen(path) > PATH_SHOWN ? "..." : "", text);
}

/* --- going back, recovery, stopping --------------------------------- */

void
update_rollback(struct caller *c, struct agent *a, const char *id)
{
	struct update	*u;
	struct release	*r;
	char		 text[UPD_TEXT_SIZE];

	if (update_admit(c, a->conf->name) == NULL || trial_back(c, a, id))
		return;
	r = id[0] ? store_find(a->store, id) : store_previous(a->store);
	if (r == NULL) {
		if (id[0])
			snprintf(text, sizeof(text), "no release %s", id);
		else
			strlcpy(text, "no previous release", sizeof(text));
		caller_error(c, UPD_ENOTFOUND, text);
		return;
	}
	if (strcmp(r->id, a->store->current) == 0) {
		snprintf(text, sizeof(text), "release %s is active already",
		    r->id);
		caller_error(c, UPD_EBADREQ, text);
		return;
	}
	u = update_begin(a, UPDATE_BACK, c, &c->who);
	u->rel = *r;
	u->phase = "verify";
	strlcpy(u->sha, r->sha, sizeof(u->sha));
	promote_rollback(u, r->id);
}

int
update_recover(struct agent *a, const struct journal *j)
{
	struct update		*u;
	struct msg_caller	 who;

	if (up.state != UPDATE_IDLE)
		return -1;
	memset(&who, 0, sizeof(who));
	strlcpy(who.subject, j->by[0] ? j->by : "updaterd",
	    sizeof(who.subject));
	u = update_begin(a, UPDATE_RECOVER, NULL, &who);
	u->journal = *j;
	u->phase = "recover";
	promote_recover(u);
	return 0;
}

void
update_shutdown(void)
{
	if (up.state == UPDATE_RECEIVING || up.state == UPDATE_STAGED ||
	    up.state == UPDATE_INSTALLING)
		update_fail(&up, UPD_EFULL, "updaterd is stopping");
}
