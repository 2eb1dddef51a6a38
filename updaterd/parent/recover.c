/*
 * What an earlier end left behind, at start: each agent's journal is
 * finished or undone, then its services are started.
 *
 *	no journal		a release that is still "new" and not current
 *				never got a verdict: it goes
 *	PROMOTE, current old	the flip did not happen: undo
 *	PROMOTE, current new	verdict open: started and probed once more;
 *				a second time it goes back at once
 *	TRIAL			it goes on (trial.c); or it has lapsed
 *				meanwhile: go back
 *	ROLLBACK		go on going back
 *	no journal, and the tree of current is gone: go back
 *
 * Verdicts still open need the one update at a time: they queue here.
 */
#include <sys/types.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "audit.h"
#include "log.h"
#include "parent.h"
#include "trial.h"
#include "update.h"
#include "util.h"

struct open_verdict {
	TAILQ_ENTRY(open_verdict)	 entry;
	struct agent			*agent;
	struct journal			 journal;
};
static TAILQ_HEAD(, open_verdict) queue = TAILQ_HEAD_INITIALIZER(queue);

static void
record(struct agent *a, const struct journal *j, const char *result,
    const char *text)
{
	char	 now[40];
	json_t	*o;

	time_iso(time_real_us(), now, sizeof(now));
	log_notice("recover %s: %s", a->conf->name, text);
	o = json_pack("{s:s, s:s, s:s, s:i, s:s*, s:s, s:s, s:s}", "time", now,
	    "event", "recover", "result", result, "status", 0,
	    "from", j->from[0] ? j->from : NULL, "to", j->to,
	    "by", j->by, "error", text);
	if (o == NULL || history_append(a->store, o) == -1)
		log_warnx("write history of %s", a->conf->name);
	strlcpy(a->last_error, text, sizeof(a->last_error));
	a->last_error_at = time_real_us();
}

/* Releases that no journal speaks of and that never had a verdict. */
static void
retire_new(struct agent *a, const char *except)
{
	struct release	*r, *next;

	TAILQ_FOREACH_SAFE(r, &a->store->list, entry, next) {
		if (r->state != RELEASE_NEW || strcmp(r->id, except) == 0 ||
		    strcmp(r->id, a->store->current) == 0 ||
		    strcmp(r->id, a->store->previous) == 0)
			continue;
		log_notice("remove release %s of %s: it never had a verdict",
		    r->id, a->conf->name);
		if (release_retire(a->store, r->id) == -1)
			log_warn("remove release");
	}
}

static void
stopped(void *arg)
{
	startcheck_begin(arg);
}

static void
swept(void *arg)
{
}

/* Links back to where they were.  What runs may be of the other release:
 * it is stopped first. */
void
recover_undo(struct agent *a, const struct journal *j, const char *text)
{
	if (store_flip(a->store, j->from, j->from_prev) == -1) {
		log_warn("move the link current of %s", a->conf->name);
		return;			/* the journal stays */
	}
	if (!j->is_rollback && j->phase == JOURNAL_ROLLBACK &&
	    store_find(a->store, j->to) != NULL)
		(void)release_setstate(a->store, j->to, RELEASE_FAILED, text);
	/* Rather written twice, after another cut, than not at all. */
	record(a, j, "undone", text);
	if (journal_remove(a->store) == -1)
		log_warn("remove journal of %s", a->conf->name);
}

static void
open_queue(struct agent *a, const struct journal *j)
{
	struct open_verdict	*v;

	if ((v = calloc(1, sizeof(*v))) == NULL)
		fatal("recover %s", a->conf->name);
	v->agent = a;
	v->journal = *j;
	TAILQ_INSERT_TAIL(&queue, v, entry);
}

/*
 * The tree that the link current leads to is gone: back to the release
 * before, or else to the newest good one.  1: the journal says so.  0: there
 * is nothing to go back to.
 */
static int
recover_lost(struct agent *a, struct journal *j, char *text)
{
	struct store	*s = a->store;
	const char	*to = s->previous[0] != '\0' ? s->previous :
			    store_older(s, "~");

	memset(j, 0, sizeof(*j));
	j->phase = JOURNAL_ROLLBACK;
	strlcpy(j->to, s->lost, sizeof(j->to));
	strlcpy(j->from, to, sizeof(j->from));
	strlcpy(j->from_prev, to[0] != '\0' ? store_older(s, to) : "",
	    sizeof(j->from_prev));
	strlcpy(j->by, "updaterd", sizeof(j->by));
	j->started_at = time_real_us();
	if (to[0] == '\0') {
		record(a, j, "failed", "the files of the current release are "
		    "gone, and there is none to go back to: put its directory "
		    "back and restart updaterd, or push a release");
		return 0;
	}
	if (journal_write(s, j) == -1)
		log_warn("write journal of %s", a->conf->name);
	snprintf(text, UPD_TEXT_SIZE, "the files of release %s are gone: "
	    "went back to %s", j->to, j->from);
	return 1;
}

/* A release that is on trial.  1 it stays, 0 the journal says ROLLBACK now
 * and text why. */
static int
recover_trial(struct agent *a, struct journal *j, char *text)
{
	if (strcmp(a->store->current, j->to) != 0) {
		record(a, j, "void", "another hand has moved the link "
		    "current: the trial of the release is over");
		if (journal_remove(a->store) == -1)
			log_warn("remove journal of %s", a->conf->name);
	} else if (trial_resume(a, j, text) == TRIAL_LAPSED) {
		j->phase = JOURNAL_ROLLBACK;
		if (journal_write(a->store, j) == -1)
			log_warn("write journal of %s", a->conf->name);
		return 0;
	}
	retire_new(a, "");
	startcheck_begin(a);
	store_sweep(a->store, NULL, swept, NULL);
	return 1;
}

int
recover_isopen(struct agent *a)
{
	struct journal	 j;

	return a->store != NULL && journal_read(a->store, &j) == 1 &&
	    journal_isopen(&j, a->store->current);
}

void
recover_agent(struct agent *a)
{
	struct journal	 j;
	char		 text[UPD_TEXT_SIZE];

	if (a->store == NULL)
		return;
	strlcpy(text, "the way back was cut off and is finished",
	    sizeof(text));
	if (journal_read(a->store, &j) != 1 && (a->store->lost[0] == '\0' ||
	    !recover_lost(a, &j, text))) {
		retire_new(a, "");
		startcheck_begin(a);
		store_sweep(a->store, NULL, swept, NULL);
		return;
	}
	if (j.phase == JOURNAL_TRIAL && recover_trial(a, &j, text))
		return;
	if (j.phase == JOURNAL_PROMOTE && j.attempts == 0 &&
	    strcmp(a->store->current, j.to) == 0) {
		open_queue(a, &j);
		retire_new(a, j.to);
		store_sweep(a->store, NULL, swept, NULL);
		return;
	}
	if (j.phase == JOURNAL_PROMOTE && strcmp(a->store->current, j.to) != 0)
		recover_undo(a, &j, "the update was cut off before the switch");
	else if (j.phase == JOURNAL_PROMOTE) {
		j.phase = JOURNAL_ROLLBACK;
		if (journal_write(a->store, &j) == -1)
			log_warn("write journal of %s", a->conf->name);
		recover_undo(a, &j, "the new release was cut off twice before "
		    "a verdict");
	} else
		recover_undo(a, &j, text);
	retire_new(a, "");
	store_sweep(a->store, NULL, swept, NULL);
	agent_stop(a, stopped, a);
}

void
recover_next(void)
{
	struct open_verdict	*v;

	/* An update ends an audit. */
	if (startcheck_isopen())
		return;
	while ((v = TAILQ_FIRST(&queue)) != NULL) {
		if (update_recover(v->agent, &v->journal) == -1)
			return;			/* busy: parent_idle() */
		TAILQ_REMOVE(&queue, v, entry);
		free(v);
	}
}
