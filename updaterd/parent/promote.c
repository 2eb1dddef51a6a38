/*
 * From a sealed tree to a verdict, and back if it is bad.
 *
 *	commit		tree, manifest, <id>.json in place, journal PROMOTE
 *	stop		the services of the agent, planned
 *	flip		previous, then current; fsync of the root
 *	start, probe	verdict
 *	good		<id>.json says good, a line in the history, journal
 *			removed: durable; answer.  What cannot be recorded
 *			is not good.  A release to be confirmed, or with a
 *			probation, keeps its journal: trial.c
 *	bad		the old tree is compared with its manifest, journal
 *			ROLLBACK, stop, flip back, start, probe; <id>.json
 *			says failed, history, journal removed; answer
 *
 * A rollback that was asked for is the same with an old release as target
 * and the comparison first: a release that differs is not started.  When
 * the way back leads to a release that ran until a moment ago, a difference
 * is reported but does not keep the host down.
 */
#include <sys/types.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "error.h"
#include "log.h"
#include "parent.h"
#include "proto.h"
#include "self.h"
#include "trial.h"
#include "update.h"
#include "utf8.h"
#include "util.h"

#define FLIP_TRIES	20		/* to move the links back */
#define FLIP_MS		250		/* between them */

static void	 promote_stop(struct update *);
static void	 promote_verdict(void *, int, json_t *);
static void	 go_back(struct update *);
static void	 back_stopped(void *);

/* --- verify --------------------------------------------------------- */

/* Compare a release with its manifest in an unprivileged process; gone()
 * looks at u->unpack.  0, or -1 with u->damage. */
static int
verify_start(struct update *u, const char *id, void (*gone)(void *))
{
	struct store		*s = u->agent->store;
	struct msg_unpack_start	 m;
	int			 dir, manifest;

	if ((manifest = release_manifest(s, id)) == -1) {
		snprintf(u->damage, sizeof(u->damage),
		    "release %s: its manifest cannot be read: %s", id,
		    strerror(errno));
		return -1;
	}
	if ((dir = release_open(s, id)) == -1) {
		snprintf(u->damage, sizeof(u->damage),
		    "release %s: its tree cannot be opened: %s", id,
		    strerror(errno));
		close(manifest);
		return -1;
	}
	memset(&m, 0, sizeof(m));
	m.mode = UNPACK_VERIFY;
	m.max_files = u->agent->conf->files;
	m.max_bytes = u->agent->conf->unpacked;
	if (reader_start(u, &m, dir, manifest, -1, gone) == -1) {
		strlcpy(u->damage, "cannot start unpack to verify",
		    sizeof(u->damage));
		return -1;
	}
	return 0;
}

/* 1 if the release is as its manifest says; else u->damage tells. */
static int
verify_ok(struct update *u, const char *id)
{
	update_cleartimer(u);
	if (worker_ok(&u->unpack))
		return 1;
	snprintf(u->damage, sizeof(u->damage), "release %s differs from its "
	    "manifest: %.200s%s%.200s", id, u->unpack.fail.path,
	    u->unpack.fail.path[0] ? ": " : "", u->unpack.fail.text);
	utf8_mend(u->damage);
	return 0;
}

/* --- the way there -------------------------------------------------- */

static int
begin_journal(struct update *u)
{
	struct store	*s = u->agent->store;
	struct journal	*j = &u->journal;

	j->phase = JOURNAL_PROMOTE;
	j->attempts = 0;
	j->is_rollback = u->kind == UPDATE_BACK;
	j->confirm_ms = u->confirm * 1000;
	j->probation_ms = j->is_rollback ? 0 : u->agent->conf->probation_ms;
	strlcpy(j->to, u->rel.id, sizeof(j->to));
	strlcpy(j->from, s->current, sizeof(j->from));
	strlcpy(j->from_prev, s->previous, sizeof(j->from_prev));
	strlcpy(j->by, u->who.subject, sizeof(j->by));
	j->started_at = u->since;
	if (journal_write(s, j) == -1)
		return -1;
	/* It stood where the trial's was. */
	trial_superseded(u->agent);
	return 0;
}

void
promote_describe(struct update *u)
{
	struct release	*r = &u->rel;

	strlcpy(r->sha, u->sha, sizeof(r->sha));
	strlcpy(r->sha256, u->digest, sizeof(r->sha256));
	strlcpy(r->by, u->who.subject, sizeof(r->by));
	strlcpy(r->signer, u->signer, sizeof(r->signer));
	r->signed_at = u->signed_at;
	r->installed_at = time_real_us();
	r->packed = u->bytes;
	r->state = RELEASE_NEW;
}

void
promote_commit(struct update *u)
{
	struct store	*s = u->agent->store;
	struct release	*r = &u->rel;
	char		 text[UPD_TEXT_SIZE];
	int		 e;

	u->phase = "commit";
	release_newid(s, time_real_us(), u->sha, u->digest, r->id);
	promote_describe(u);
	(void)store_prune_failed(s);
	if (release_commit(s, &u->st, r, text) == -1) {
		update_fail(u, errno == ENOSPC ? UPD_ENOSPACE : UPD_EIO, "%s",
		    text);
		return;
	}
	u->staged = 0;
	if (begin_journal(u) == -1) {
		e = errno;
		snprintf(text, sizeof(text), "write journal: %s",
		    strerror(e));
		/* It may be there all the same, only not durable. */
		(void)trial_restore(u->agent);
		(void)release_retire(s, r->id);
		update_fail(u, e == ENOSPC ? UPD_ENOSPACE : UPD_EIO, "%s",
		    text);
		return;
	}
	promote_stop(u);
}

static void
promote_start(struct update *u)
{
	update_setstate(u, UPDATE_PROBING);
	u->phase = "probe";
	agent_start(u->agent, promote_verdict, u);
}

static void
promote_stopped(void *arg)
{
	struct update	*u = arg;

	u->t_stopped = time_mono_ms();
	if (agent_isstuck(u->agent, u->text)) {
		u->phase = "stop";
		go_back(u);
		return;
	}
	/* What the old one said while it stopped is not the new one's. */
	agent_tail_clear(u->agent);
	if (store_flip(u->agent->store, u->journal.to, u->journal.from) ==
	    -1) {
		snprintf(u->text, sizeof(u->text), "move the link current: %s",
		    strerror(errno));
		u->phase = "flip";
		go_back(u);
		return;
	}
	promote_start(u);
}

static void
promote_stop(struct update *u)
{
	update_setstate(u, UPDATE_PROMOTING);
	u->t_stop = time_mono_ms();
	agent_stop(u->agent, promote_stopped, u);
}

/* "service agent: exited 1 after 3 ms; service x: ...", of those that the
 * verdict depends on. */
static void
reasons(const json_t *report, char *buf, size_t size)
{
	const json_t	*list, *s;
	const char	*name, *detail;
	size_t		 i, len = 0;
	int		 n;

	buf[0] = '\0';
	list = json_object_get(report, "services");
	json_array_foreach(list, i, s) {
		if (json_is_true(json_object_get(s, "healthy")) ||
		    json_is_true(json_object_get(s, "optional")))
			continue;
		name = json_string_value(json_object_get(s, "service"));
		detail = json_string_value(json_object_get(s, "detail"));
		n = snprintf(buf + len, size - len, "%sservice %s: %s",
		    len ? "; " : "", name != NULL ? name : "?",
		    detail != NULL ? detail : "not healthy");
		if (n < 0 || (size_t)n >= size - len)
			break;
		len += (size_t)n;
	}
	if (buf[0] == '\0')
		strlcpy(buf, "not healthy", size);
}

static void
promote_verdict(void *arg, int healthy, json_t *report)
{
	struct update	*u = arg;
	struct store	*s = u->agent->store;
	int		 trial;

	u->probe = json_incref(report);
	u->t_healthy = time_mono_ms();
	if (healthy && release_setstate(s, u->journal.to, RELEASE_GOOD,
	    "") == 0) {
		/* Before the journal goes: a cut between the two writes a
		 * second line, not none. */
		update_history(u, u->kind == UPDATE_BACK ? "rolled_back" :
		    "updated", 200);
		trial = trial_begin(u->agent, &u->journal);
		if (trial == 0 && journal_remove(s) == -1)
			log_warn("remove journal of %s",
			    u->agent->conf->name);
		if (trial != -1) {
			outcome_good(u);
			return;
		}
		snprintf(u->text, sizeof(u->text), "release %s is healthy, "
		    "but its trial cannot be recorded: %s", u->journal.to,
		    strerror(errno));
	} else if (healthy)	/* nobody may be told what is not on disk */
		snprintf(u->text, sizeof(u->text), "release %s is healthy, "
		    "but that cannot be recorded: %s", u->journal.to,
		    strerror(errno));
	else
		reasons(report, u->text, sizeof(u->text));
	utf8_mend(u->text);
	go_back(u);
}

/* --- the way back --------------------------------------------------- */

static void
back_end(struct update *u, int healthy)
{
	struct store	*s = u->agent->store;

	/* A release asked back that was not healthy had been good once. */
	if (!u->journal.is_rollback && release_setstate(s, u->journal.to,
	    RELEASE_FAILED, u->text) == -1)
		log_warn("mark release %s failed", u->journal.to);
	/* A rollback that was taken back must not read like one that held. */
	update_history(u, !healthy ? "failed" : u->kind == UPDATE_BACK ?
	    "undone" : "rolled_back", outcome_status(u, healthy));
	if (u->stuck)
		log_warnx("keep the journal of %s: the next start goes back",
		    u->agent->conf->name);
	else if (journal_remove(s) == -1)
		log_warn("remove journal of %s", u->agent->conf->name);
	/* Nobody stops it any more: what died is started again. */
	if (!healthy)
		service_start_wanted(u->agent);
	outcome_bad(u, healthy);
}

static void
back_verdict(void *arg, int healthy, json_t *report)
{
	struct update	*u = arg;

	u->t_healthy = time_mono_ms();
	u->probe_back = json_incref(report);
	back_end(u, healthy && strcmp(u->agent->store->current,
	    u->journal.from) == 0);
}

static void
back_again(struct update *u)
{
	if (!env->stopping)
		back_stopped(u);
}

static void
back_stopped(void *arg)
{
	struct update	*u = arg;
	struct store	*s = u->agent->store;
	struct journal	*j = &u->journal;

	if (store_flip(s, j->from, j->from_prev) == -1) {
		log_warn("move the links of %s back", u->agent->conf->name);
		if (++u->flips < FLIP_TRIES) {
			update_settimer(u, FLIP_MS, back_again);
			return;
		}
		/* The journal stays: the next start goes back.  Until then
		 * what the link leads to is better than nothing. */
		u->stuck = 1;
	}
	if (s->current[0] == '\0') {
		back_end(u, 0);
		return;
	}
	agent_start(u->agent, back_verdict, u);
}

static void
back_journal(struct update *u)
{
	if (u->journal.phase == JOURNAL_ROLLBACK)
		return;
	u->journal.phase = JOURNAL_ROLLBACK;
	if (journal_write(u->agent->store, &u->journal) == -1)
		log_warn("write journal of %s", u->agent->conf->name);
}

static void
back_stop(struct update *u)
{
	update_setstate(u, UPDATE_ROLLBACK);
	if (u->tail == NULL)
		u->tail = agent_tail(u->agent, UPDATE_TAIL);
	back_journal(u);
	agent_stop(u->agent, back_stopped, u);
}

/* It ran a moment ago, and there is nothing better; but it is told: in the
 * answer, in history, and as the agent's error. */
static void
back_allthesame(struct update *u)
{
	log_warnx("go back all the same: %s", u->damage);
}

static void
back_verified(void *arg)
{
	struct update	*u = arg;

	if (env->stopping)
		return;			/* the next start goes on */
	if (!verify_ok(u, u->journal.from))
		back_allthesame(u);
	back_stop(u);
}

static void
go_back(struct update *u)
{
	if (u->journal.from[0] == '\0' || (u->state != UPDATE_PROBING &&
	    u->kind != UPDATE_UNDO)) {
		back_stop(u);
		return;
	}
	u->tail = agent_tail(u->agent, UPDATE_TAIL);
	update_setstate(u, UPDATE_VERIFYING);
	if (verify_start(u, u->journal.from, back_verified) == -1) {
		back_allthesame(u);
		back_stop(u);
	}
}

/* It runs, and is on trial no more; whatever comes now, it goes. */
void
promote_undo(struct update *u)
{
	back_journal(u);
	u->t_stop = time_mono_ms();
	go_back(u);
}

/* --- a rollback asked for ------------------------------------------- */

static void
target_verified(void *arg)
{
	struct update	*u = arg;
	char		 text[UPD_TEXT_SIZE];

	if (env->stopping)
		return;			/* nothing has been touched */
	if (!verify_ok(u, u->rel.id)) {
		outcome_refuse(u, u->damage);
		return;
	}
	if (self_isupdate(u)) {
		self_verified(u);
		return;
	}
	u->phase = "commit";
	if (begin_journal(u) == -1) {
		snprintf(text, sizeof(text), "write journal: %s",
		    strerror(errno));
		(void)trial_restore(u->agent);
		outcome_refuse(u, text);
		return;
	}
	promote_stop(u);
}

void
promote_rollback(struct update *u, const char *id)
{
	update_setstate(u, UPDATE_VERIFYING);
	log_info("roll back %s to %s for %s", u->agent->conf->name, id,
	    u->who.subject);
	if (verify_start(u, id, target_verified) == -1)
		outcome_refuse(u, u->damage);
}

/* --- a verdict that was open when we started ------------------------ */

static void
recover_stopped(void *arg)
{
	struct update	*u = arg;

	u->t_stopped = time_mono_ms();
	agent_tail_clear(u->agent);
	agent_start(u->agent, promote_verdict, u);
}

/*
 * current is the release whose verdict is open, and it was not tried again
 * before: once more.  What may still run of it is stopped first.
 */
void
promote_recover(struct update *u)
{
	struct store	*s = u->agent->store;
	struct release	*r;

	if ((r = store_find(s, u->journal.to)) != NULL)
		u->rel = *r;
	strlcpy(u->rel.id, u->journal.to, sizeof(u->rel.id));
	strlcpy(u->sha, u->rel.sha, sizeof(u->sha));
	update_setstate(u, UPDATE_PROBING);
	u->phase = "probe";
	u->journal.attempts++;
	if (journal_write(s, &u->journal) == -1) {
		snprintf(u->text, sizeof(u->text), "write journal: %s",
		    strerror(errno));
		go_back(u);
		return;
	}
	u->t_stop = time_mono_ms();
	agent_stop(u->agent, recover_stopped, u);
}
