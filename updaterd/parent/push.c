/*
 * A push, from the request to the complete archive: who may begin, where
 * the bytes come from, and whether what came is what was meant.
 *
 * net sends OPEN, then DONE or ABORT, for one id; a local push comes as a
 * file.  Whatever net says of an update that is over already is ignored:
 * the two may cross.
 */
#include <sys/types.h>

#include <errno.h>
#include <event.h>
#include <string.h>
#include <unistd.h>

#include "error.h"
#include "log.h"
#include "parent.h"
#include "proto.h"
#include "reconcile.h"
#include "reload.h"
#include "self.h"
#include "timer.h"
#include "trial.h"
#include "trust.h"
#include "update.h"
#include "util.h"

#define WAIT_MS		20000	/* less than net and clients have patience */

/* What is asked for, by OPEN or CTL_UPDATE. */
struct order {
	char		 agent[UPD_NAME_SIZE];
	uint32_t	 flags;		/* UPDF_ */
	int64_t		 length;	/* -1: not known */
	char		 sha[UPD_SHA_SIZE];
	char		 sha256[UPD_HEX_SIZE];
	int		 input;		/* the archive, or -1: net has it */
};

/*
 * One who came at a bad moment: a failed update was being cleaned up, or at
 * a start, or a reload, services were being brought back.  All of that is
 * over by itself in a moment, and whoever was refused may well come back at
 * once; so he waits, but not for long.
 */
static struct {
	struct caller	*caller;	/* NULL: nobody waits */
	struct order	 order;
	struct event	 ev;		/* the end of his patience */
} waiting;

static int
is_unchanged(struct update *u, const char *digest)
{
	struct release	*cur = store_current(u->agent->store);

	return (u->flags & UPDF_FORCE) == 0 && cur != NULL &&
	    cur->state == RELEASE_GOOD && cur->sha256[0] != '\0' &&
	    strcmp(cur->sha256, digest) == 0 && agent_healthy(u->agent) &&
	    (!self_isupdate(u) || self_iscurrent());
}

static json_t *
unchanged_json(struct update *u)
{
	struct store	*s = u->agent->store;

	tally_count(u->agent, "update", "unchanged");
	return json_pack("{s:s, s:b, s:o, s:s}", "status", "updated",
	    "unchanged", 1, "release", release_json(s, store_current(s)),
	    "probe", agent_body(u->agent));
}

/* From admission to workers; the archive is handed over. */
static void
update_push(struct caller *c, const struct order *o)
{
	struct agent	*a;
	struct update	*u = NULL;
	enum upd_error	 error;
	char		 text[UPD_TEXT_SIZE];
	int		 input = o->input, out = -1;

	if ((a = update_admit(c, o->agent)) == NULL)
		goto refused;
	if (trial_blocks(a, text)) {
		caller_error(c, UPD_EBUSY, text);
		goto refused;
	}
	u = update_begin(a, UPDATE_PUSH, c, &c->who);
	u->flags = o->flags;
	u->local = input != -1;
	strlcpy(u->sha, o->sha, sizeof(u->sha));
	strlcpy(u->claimed, o->sha256, sizeof(u->claimed));
	if ((o->flags & UPDF_FINAL) && u->claimed[0] != '\0' &&
	    (o->flags & UPDF_DRY_RUN) == 0 && is_unchanged(u, u->claimed)) {
		caller_reply(c, 200, unchanged_json(u));
		goto refused;
	}
	error = store_space(a->store, o->length, a->conf->reserve,
	    &u->reserve_bytes, &u->reserve_inodes, text);
	if (error != UPD_OK) {
		log_warnx("refuse update of %s by %s: %s", a->conf->name,
		    u->who.subject, text);
		strlcpy(u->text, text, sizeof(u->text));
		update_history(u, "failed", upd_httpstatus(error));
		caller_error(c, error, text);
		goto refused;
	}
	if (staging_make(a->store, env->unpack_uid, env->unpack_gid, &u->st,
	    text) == -1) {
		caller_error(c, errno == ENOSPC ? UPD_ENOSPACE : UPD_EIO,
		    text);
		goto refused;
	}
	u->staged = 1;
	update_setstate(u, UPDATE_RECEIVING);
	log_info("receive update of %s by %s from %s", a->conf->name,
	    u->who.subject, u->who.address);
	if (receive_start(u, input, input == -1 ? &out : NULL, text) == -1) {
		update_fail(u, UPD_ECHILD, "%s", text);
		return;
	}
	if (out != -1 && caller_go(c, out) == -1)
		update_fail(u, UPD_EIO, "tell net to send: %s",
		    strerror(errno));
	return;
refused:
	if (u != NULL)
		u->caller = NULL;	/* answered, and freed */
	if (input != -1)
		close(input);
}

/* --- a bad moment ----------------------------------------------------- */

static int
is_badmoment(void)
{
	return up.state == UPDATE_CLEANING ||
	    (up.state != UPDATE_IDLE && up.kind == UPDATE_RECOVER) ||
	    reconcile_isbusy() || reload_isbusy();
}

/* Whoever waits has his turn, unless he is gone. */
static void
wait_end(void)
{
	struct caller	*c = waiting.caller;

	evtimer_del(&waiting.ev);
	waiting.caller = NULL;
	if (c->iev != NULL) {
		update_push(c, &waiting.order);
		return;
	}
	if (waiting.order.input != -1)
		close(waiting.order.input);
	caller_reply(c, 200, NULL);
}

/* It lasts: he is told what it is. */
static void
wait_over(int fd, short what, void *arg)
{
	wait_end();
}

static void
admit(struct caller *c, const struct order *o)
{
	if (env->stopping || waiting.caller != NULL || !is_badmoment()) {
		update_push(c, o);
		return;
	}
	log_info("let the update by %s wait", c->who.subject);
	waiting.caller = c;
	waiting.order = *o;
	evtimer_set(&waiting.ev, wait_over, NULL);
	timer_in(&waiting.ev, WAIT_MS);
}

void
push_next(void)
{
	if (waiting.caller != NULL && !is_badmoment())
		wait_end();
}

void
push_forget(void)
{
	if (waiting.caller == NULL)
		return;
	evtimer_del(&waiting.ev);
	if (waiting.order.input != -1)
		close(waiting.order.input);
	waiting.caller = NULL;
}

void
update_open(struct caller *c, const struct msg_update_open *m)
{
	struct order	 o;

	memset(&o, 0, sizeof(o));
	strlcpy(o.agent, m->agent, sizeof(o.agent));
	strlcpy(o.sha, m->sha, sizeof(o.sha));
	strlcpy(o.sha256, m->sha256, sizeof(o.sha256));
	o.flags = m->flags;
	o.length = m->length;
	o.input = -1;
	admit(c, &o);
}

void
update_local(struct caller *c, const struct msg_ctl_update *m, int fd)
{
	struct order	 o;

	memset(&o, 0, sizeof(o));
	strlcpy(o.agent, m->agent, sizeof(o.agent));
	strlcpy(o.sha, m->sha, sizeof(o.sha));
	o.flags = m->flags & (UPDF_FORCE | UPDF_DRY_RUN | UPDF_DOWNGRADE);
	o.length = m->length;
	o.input = fd;
	admit(c, &o);
}

/* The update that this request of net is about, or NULL. */
static struct update *
update_of(struct imsgev *iev, uint32_t id)
{
	if (up.state == UPDATE_RECEIVING && !up.local && up.caller != NULL &&
	    up.caller->iev == iev && up.caller->id == id)
		return &up;
	return NULL;
}

void
update_done(struct imsgev *iev, const struct msg_update_done *m)
{
	struct update	*u;

	/* It may have failed here while net was sending this. */
	if ((u = update_of(iev, m->id)) == NULL || u->complete)
		return;
	u->complete = 1;
	u->flags = (m->flags & ~(uint32_t)UPDF_FINAL);
	u->confirm = m->confirm < TRIAL_CONFIRM_MAX ? m->confirm :
	    TRIAL_CONFIRM_MAX;
	u->bytes = m->bytes;
	if (m->sha[0] != '\0')
		strlcpy(u->sha, m->sha, sizeof(u->sha));
	if (m->sha256[0] != '\0')
		strlcpy(u->claimed, m->sha256, sizeof(u->claimed));
	digest_hex(m->digest, u->digest);
	receive_check(u);
}

void
update_netabort(struct imsgev *iev, const struct msg_update_abort *m)
{
	struct update	*u = update_of(iev, m->id);

	caller_cancel(iev, m->id);	/* net has answered by itself */
	/* Behind DONE only the answer can be called off. */
	if (u != NULL && !u->complete)
		update_fail(u, m->error, "%s", m->text);
}

void
update_lost(struct imsgev *iev)
{
	if (up.state == UPDATE_RECEIVING && up.caller != NULL &&
	    up.caller->iev == iev && (!up.complete || up.local))
		update_fail(&up, UPD_ECHILD, up.local ?
		    "updaterctl went away" : "the network process was lost");
}

/* --- all received --------------------------------------------------- */

/* Called by receive.c: the archive is complete, unpacked and counted. */
void
update_received(struct update *u)
{
	u->t_received = time_mono_ms();
	if (u->claimed[0] != '\0' && strcmp(u->claimed, u->digest) != 0) {
		update_fail(u, UPD_EDIGEST, "sha256 of the archive is %s, the "
		    "request said %s", u->digest, u->claimed);
		return;
	}
	if (u->claimed[0] == '\0' && !u->local && !trust_wanted()) {
		update_fail(u, UPD_EBADREQ, "sha256 is missing: give the "
		    "SHA-256 of the archive");
		return;
	}
	if (!trust_accept(u))
		return;
	if ((u->flags & UPDF_DRY_RUN) == 0 && is_unchanged(u, u->digest)) {
		update_finish(u, 200, unchanged_json(u));
		return;
	}
	prepare_start(u);
}
