/*
 * `verify at start`: before the services of an agent are started, when the
 * daemon or the host has come up, its release is compared with its
 * manifest.  Cheaply: all names, types, sizes, modes and owners, but only
 * the contents of files that were touched since the release was sealed.
 *
 * What is found is told.  A release that lacks something (missing, changed,
 * not to be read) gives way to the one before if that is whole; else it is
 * started all the same.  So is one that could not be looked at in time, and
 * one that an update comes for meanwhile: no host is left without its
 * service for the sake of a check.
 *
 * Agents wait here by name, for a reload may come between; they take turns,
 * since there is one audit at a time, and go before the verdicts that are
 * still open.
 */
#include <sys/types.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit.h"
#include "log.h"
#include "trial.h"
#include "update.h"
#include "util.h"

#define LIMIT_MS	60000	/* for one release: then it is started */

struct waiting {
	TAILQ_ENTRY(waiting)	 entry;
	char			 agent[UPD_NAME_SIZE];
	char			 id[UPD_ID_SIZE];	/* being looked at */
	char			 text[UPD_TEXT_SIZE];	/* of the active one */
	int			 second;	/* it is the one before */
};
static TAILQ_HEAD(, waiting) queue = TAILQ_HEAD_INITIALIZER(queue);

static void
start(struct agent *a)
{
	const struct update	*u = update_current();

	if (a == NULL || a->store == NULL)
		return;
	/* One that switches releases starts them by itself. */
	if (u != NULL && u->agent == a && (u->state == UPDATE_PROMOTING ||
	    u->state == UPDATE_PROBING || u->state == UPDATE_ROLLBACK))
		return;
	service_start_wanted(a);
	trial_guard(a);
}

static void
tell(struct agent *a, const char *result, const char *id, const char *text)
{
	json_t	*o;
	char	 now[40];

	time_iso(time_real_us(), now, sizeof(now));
	log_warnx("%s: %s", a->conf->name, text);
	strlcpy(a->last_error, text, sizeof(a->last_error));
	a->last_error_at = time_real_us();
	o = json_pack("{s:s, s:s, s:s, s:i, s:s, s:s, s:s}", "time", now,
	    "event", "verify", "result", result, "status", 0, "to", id,
	    "by", "updaterd", "error", text);
	if (o == NULL || history_append(a->store, o) == -1)
		log_warnx("write history of %s", a->conf->name);
	control_event("verify", json_pack("{s:s, s:s, s:s, s:s}", "agent",
	    a->conf->name, "release", id, "result", result, "detail", text));
}

/* --- the end ----------------------------------------------------------- */

static void
leave(struct waiting *w)
{
	struct agent	*a = parent_agent(w->agent);

	TAILQ_REMOVE(&queue, w, entry);
	free(w);
	if (!env->stopping)
		start(a);
}

/* The one before is whole. */
static void
change(struct waiting *w, struct agent *a)
{
	struct store	*s = a->store;
	struct journal	 j;

	memset(&j, 0, sizeof(j));
	j.phase = JOURNAL_ROLLBACK;
	strlcpy(j.to, s->current, sizeof(j.to));
	strlcpy(j.from, s->previous, sizeof(j.from));
	strlcpy(j.from_prev, store_older(s, s->previous), sizeof(j.from_prev));
	strlcpy(j.by, "updaterd", sizeof(j.by));
	j.started_at = time_real_us();
	if (journal_write(s, &j) == -1) {
		log_warn("write journal of %s", a->conf->name);
		(void)trial_restore(a);
		return;
	}
	trial_forget(a);
	recover_undo(a, &j, w->text);
}

static void	 looked(void *, const struct audit_result *);

/* 0, or -1: it cannot be looked at. */
static int
look(struct waiting *w, struct agent *a, const char *id)
{
	struct release	*r = store_find(a->store, id);
	char		 text[UPD_TEXT_SIZE];

	strlcpy(w->id, id, sizeof(w->id));
	if (audit_start(a, id, r != NULL ? r->installed_at : 0, LIMIT_MS,
	    looked, w, text) == 0)
		return 0;
	log_warnx("cannot verify release %s of %s, start it all the same: %s",
	    id, a->conf->name, text);
	return -1;
}

static void
looked_second(struct waiting *w, struct agent *a,
    const struct audit_result *r)
{
	if (r->whole == -1 || audit_isbroken(r) ||
	    strcmp(w->id, a->store->previous) != 0)
		log_warnx("release %s of %s is no better, start %s: %s",
		    w->id, a->conf->name, a->store->current, r->text);
	else
		change(w, a);
	leave(w);
}

static void
looked_first(struct waiting *w, struct agent *a, const struct audit_result *r)
{
	struct store	*s = a->store;
	uint32_t	 n = 0;
	int		 i;

	if (r->whole == -1) {
		log_warnx("cannot verify release %s of %s, start it all the "
		    "same: %s", w->id, a->conf->name, r->text);
		leave(w);
		return;
	}
	if (r->whole == 1) {
		log_info("release %s of %s is whole: %u entries in %llu ms",
		    w->id, a->conf->name, r->done.entries,
		    (unsigned long long)r->ms);
		leave(w);
		return;
	}
	for (i = 0; i < FAULT__MAX; i++)
		n += r->total[i];
	snprintf(w->text, sizeof(w->text), "release %s differs from its "
	    "manifest in %u place%s, first %.300s: see updaterctl verify",
	    w->id, n, n == 1 ? "" : "s", r->text);
	tell(a, audit_isbroken(r) ? "damaged" : "altered", w->id, w->text);
	if (!audit_isbroken(r) || s->previous[0] == '\0') {
		leave(w);
		return;
	}
	/* Its turn goes on, from the loop. */
	w->second = 1;
}

static void
looked(void *arg, const struct audit_result *r)
{
	struct waiting	*w = arg;
	struct agent	*a = parent_agent(w->agent);

	/* Gone, or an update has come and gone. */
	if (env->stopping || a == NULL || a->store == NULL || (!w->second &&
	    strcmp(w->id, a->store->current) != 0))
		leave(w);
	else if (w->second)
		looked_second(w, a, r);
	else
		looked_first(w, a, r);
}

/* --- turns ------------------------------------------------------------- */

void
startcheck_next(void)
{
	struct waiting	*w;
	struct agent	*a;

	while ((w = TAILQ_FIRST(&queue)) != NULL && !audit_isbusy()) {
		a = parent_agent(w->agent);
		if (a != NULL && a->store != NULL && !env->stopping &&
		    update_current() == NULL && look(w, a, w->second ?
		    a->store->previous : a->store->current) == 0)
			return;
		leave(w);
	}
}

int
startcheck_isopen(void)
{
	return !TAILQ_EMPTY(&queue);
}

int
startcheck_holds(const struct agent *a)
{
	const struct waiting	*w;

	TAILQ_FOREACH(w, &queue, entry)
		if (strcmp(w->agent, a->conf->name) == 0)
			return 1;
	return 0;
}

void
startcheck_abandon(void)
{
	struct waiting	*w, *next;

	/* The one being looked at is told by its audit. */
	TAILQ_FOREACH_SAFE(w, &queue, entry, next)
		if (w != TAILQ_FIRST(&queue) || !audit_isbusy())
			leave(w);
	audit_cancel("an update has begun");
}

void
startcheck_begin(struct agent *a)
{
	struct waiting	*w;

	if (!a->conf->verify_start || a->store->current[0] == '\0' ||
	    agent_runs(a)) {
		start(a);
		return;
	}
	if ((w = calloc(1, sizeof(*w))) == NULL) {
		log_warnx("cannot verify %s: out of memory", a->conf->name);
		start(a);
		return;
	}
	strlcpy(w->agent, a->conf->name, sizeof(w->agent));
	TAILQ_INSERT_TAIL(&queue, w, entry);
	/* The audit ends from the loop; who cannot wait has started. */
	startcheck_next();
}
