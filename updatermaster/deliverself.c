/*
 * updaterd's own part of one host, behind the agent's: the archive is sent,
 * and once it is taken /health is asked until the new one says that it has
 * proved itself, or the old one that it had to come back.  With --confirm the
 * new one waits for a word then: it is given, over another connection, and
 * /health is asked once more; whoever goes unheard goes back by itself.
 */
#include <sys/types.h>

#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "deliver.h"
#include "rollout.h"
#include "text.h"
#include "util.h"

#define SELF_WAIT	240	/* seconds for a new updaterd to say what
				 * came of it */
#define ASK_WAIT	1	/* seconds between two questions */

static void
self_ended(struct target *t, enum outcome outcome, const char *why)
{
	char	 text[UPD_TEXT_SIZE];

	t->self_id[0] = '\0';
	t->self = outcome;
	if (outcome_isbad(outcome)) {
		strlcpy(text, why, sizeof(text));
		snprintf(t->detail, sizeof(t->detail), "self: %.500s", text);
	} else
		t->detail[0] = '\0';
	(void)record_event(t->ro, t, "self");
	deliver_end(t);
}

/* Whatever the answer is, /health says what came of it. */
static void
confirmed_self(struct request *r)
{
	struct target	*t = r->arg;

	deliver_take(t);
	if (r->end == REQUEST_ANSWER && r->status == 200)
		self_ended(t, OUTCOME_UPDATED, "");
	else if (r->end == REQUEST_DISTRUST || r->end == REQUEST_REFUSED ||
	    (r->end == REQUEST_ANSWER && r->status == 403))
		self_ended(t, OUTCOME_UNCONFIRMED, t->detail);
	else
		deliver_pause(t, ASK_WAIT);
}

static void
confirm_self(struct target *t)
{
	char	*path;

	if (asprintf(&path, "/agents/self/confirm?id=%s", t->self_id) == -1)
		err(1, NULL);
	t->state = TARGET_CONFIRM;
	deliver_phase(t, "self confirming");
	deliver_send(t, "POST", path, confirmed_self);
}

/* What became of it: the new one says that it is, and no longer on trial,
 * or the old one that it had to come back. */
static void
asked_self(struct request *r)
{
	struct target	*t = r->arg;
	const json_t	*self;

	deliver_take(t);
	self = json_object_get(t->answer, "self");
	if (r->end == REQUEST_ANSWER && r->status == 200) {
		if (strcmp(js_text(self, "id"), t->self_id) == 0 &&
		    !js_true(self, "trial")) {
			if (t->ro->plan.confirm > 0 &&
			    js_int(self, "confirm", 0) > 0) {
				confirm_self(t);
				return;
			}
			self_ended(t, OUTCOME_UPDATED, "");
			return;
		}
		if (strcmp(js_text(json_object_get(self, "failed"), "id"),
		    t->self_id) == 0) {
			self_ended(t, OUTCOME_ROLLED_BACK, js_text(self,
			    "why"));
			return;
		}
	} else if (r->end == REQUEST_DISTRUST) {
		self_ended(t, OUTCOME_DISTRUSTED, t->detail);
		return;
	}
	if (time_mono_us() >= t->self_us && t->ro->plan.confirm > 0)
		self_ended(t, OUTCOME_UNCONFIRMED, "not heard of any more: "
		    "not confirmed, it goes back by itself");
	else if (time_mono_us() >= t->self_us)
		self_ended(t, OUTCOME_FAILED, "it was taken, but does not "
		    "say what came of it: see updaterctl history self there");
	else
		deliver_pause(t, ASK_WAIT);
}

void
deliver_askself(struct target *t)
{
	char	*path = strdup("/health");

	if (path == NULL)
		err(1, NULL);
	t->state = TARGET_ASK;
	deliver_phase(t, "self on trial");
	deliver_send(t, "GET", path, asked_self);
}

static void
self_done(struct request *r)
{
	struct target	*t = r->arg;
	const char	*id;

	deliver_take(t);
	if (r->end != REQUEST_ANSWER)
		self_ended(t, deliver_noanswer(r->end), t->detail);
	else if (r->status != 200)
		self_ended(t, OUTCOME_FAILED, t->detail);
	else if (js_true(t->answer, "unchanged"))
		self_ended(t, OUTCOME_UNCHANGED, "");
	else {
		id = js_text(json_object_get(t->answer, "release"), "id");
		if (!id_isvalid(id)) {
			self_ended(t, OUTCOME_FAILED, "the answer names no "
			    "release");
			return;
		}
		strlcpy(t->self_id, id, sizeof(t->self_id));
		t->self_us = time_mono_us() +
		    (SELF_WAIT + t->ro->plan.confirm) * 1000000ULL;
		deliver_askself(t);
	}
}

void
deliver_self(struct target *t)
{
	const struct plan	*p = &t->ro->plan;
	int			 own = plan_ownself(p);
	char			*path, window[32] = "";

	if (p->confirm > 0)
		snprintf(window, sizeof(window), "&confirm=%u", p->confirm);
	if (asprintf(&path,
	    "/update-self?sha=%s&sha256=%s&confirm_self=true%s%s%s",
	    own ? "" : p->sha, own ? p->self_pack.sha256 : p->pack.sha256,
	    p->force ? "&force=true" : "",
	    p->downgrade ? "&downgrade=true" : "", window) == -1)
		err(1, NULL);
	t->state = TARGET_SELF;
	deliver_phase(t, "self");
	deliver_send(t, "POST", path, self_done);
}
