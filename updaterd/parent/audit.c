/*
 * Is a release still what was sealed?  unpack compares the tree with its
 * manifest and names all that differs; the list is bounded there, and the
 * parent takes it as it comes: paths and texts to be shown, nothing to be
 * acted on.
 *
 * One at a time, and never beside an update: the unpack user has to be
 * alone when root walks what it wrote.  An update that begins ends it.
 * Nothing of the agent is kept, so that a reload may come meanwhile.
 */
#include <sys/types.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "audit.h"
#include "error.h"
#include "log.h"
#include "timer.h"
#include "update.h"
#include "util.h"
#include "worker.h"

#define ASK_MS		3600000		/* an operator's may take so long */

static struct {
	struct worker		 w;
	int			 busy;
	char			 id[UPD_ID_SIZE];
	char			 cut[UPD_TEXT_SIZE];	/* why, or "" */
	uint64_t		 begun;		/* monotonic ms */
	uint32_t		 limit_ms;
	struct event		 timer;
	struct audit_result	 r;
	audit_done		 done;
	void			*arg;
} audit;

int
audit_isbusy(void)
{
	return audit.busy;
}

static void
took_fault(void *arg, const struct msg_unpack_fault *m)
{
	struct audit_result	*r = &audit.r;
	json_t			*o;

	memcpy(r->total, m->total, sizeof(r->total));
	if (m->path[0] == '\0')
		return;
	if (r->text[0] == '\0')
		snprintf(r->text, sizeof(r->text), "%.250s: %.200s", m->path,
		    m->text);
	/* Whatever it says: no more than it may. */
	if (json_array_size(r->faults) >= UPD_FAULT_MAX * FAULT__MAX)
		return;
	o = json_pack("{s:s, s:s, s:s}", "kind", fault_name(m->kind), "path",
	    m->path, "detail", m->text);
	if (o != NULL)
		(void)json_array_append_new(r->faults, o);
}

static void
gone(void *arg)
{
	struct audit_result	 r = audit.r;
	audit_done		 done = audit.done;
	void			*darg = audit.arg;
	uint32_t		 n = 0;
	int			 i;

	evtimer_del(&audit.timer);
	r.ms = time_mono_ms() - audit.begun;
	r.done = audit.w.unpack;
	for (i = 0; i < FAULT__MAX; i++)
		n += r.total[i];
	if (worker_ok(&audit.w))
		r.whole = n == 0;
	else if (audit.cut[0] != '\0') {
		r.whole = -1;
		strlcpy(r.text, audit.cut, sizeof(r.text));
	} else {
		/* The manifest is damaged: what stands behind is not known,
		 * and nothing that was found can be lived with. */
		r.whole = audit.w.fail.error == UPD_EVERIFY ? 0 : -1;
		if (r.whole == 0)
			r.total[FAULT_CHANGED]++;
		snprintf(r.text, sizeof(r.text), "%.250s%s%.200s",
		    audit.w.fail.path, audit.w.fail.path[0] ? ": " : "",
		    audit.w.fail.text);
	}
	audit.r.faults = NULL;
	audit.busy = 0;
	done(darg, &r);
	json_decref(r.faults);
	/* What waits for it: a check at start, or behind that a recovery. */
	if (!audit.busy && !env->stopping)
		parent_idle();
}

static void
too_long(int fd, short what, void *arg)
{
	char	 text[128];

	snprintf(text, sizeof(text), "not through after %u s",
	    audit.limit_ms / 1000);
	audit_cancel(text);
}

void
audit_cancel(const char *why)
{
	if (!audit.busy || audit.cut[0] != '\0')
		return;
	strlcpy(audit.cut, why, sizeof(audit.cut));
	worker_kill(&audit.w);
}

/* 0, or -1 with text. */
static int
begin(struct agent *a, const char *id, const struct msg_unpack_start *m,
    char *text)
{
	int	 dir, manifest;

	if ((manifest = release_manifest(a->store, id)) == -1) {
		snprintf(text, UPD_TEXT_SIZE, "the manifest of release %s "
		    "cannot be read: %s; push another release, or the same "
		    "again with force", id, strerror(errno));
		return -1;
	}
	if ((dir = release_open(a->store, id)) == -1) {
		snprintf(text, UPD_TEXT_SIZE, "the tree of release %s cannot "
		    "be opened: %s", id, strerror(errno));
		close(manifest);
		return -1;
	}
	memset(&audit.w, 0, sizeof(audit.w));
	audit.w.on_fault = took_fault;
	audit.w.on_gone = gone;
	if (worker_unpack(&audit.w, m, dir, manifest, -1) == -1) {
		strlcpy(text, "cannot start unpack", UPD_TEXT_SIZE);
		return -1;
	}
	return 0;
}

int
audit_start(struct agent *a, const char *id, int64_t since, uint32_t limit_ms,
    audit_done done, void *arg, char *text)
{
	struct msg_unpack_start	 m;

	if (audit.busy) {
		strlcpy(text, "another release is being verified; try again "
		    "when that is done", UPD_TEXT_SIZE);
		return -1;
	}
	memset(&audit.r, 0, sizeof(audit.r));
	if ((audit.r.faults = json_array()) == NULL) {
		strlcpy(text, "out of memory", UPD_TEXT_SIZE);
		return -1;
	}
	memset(&m, 0, sizeof(m));
	m.mode = UNPACK_VERIFY;
	m.report = 1;
	m.since = since;
	m.max_files = a->conf->files;
	m.max_bytes = a->conf->unpacked;
	audit.begun = time_mono_ms();
	audit.limit_ms = limit_ms;
	audit.cut[0] = '\0';
	audit.done = done;
	audit.arg = arg;
	strlcpy(audit.id, id, sizeof(audit.id));
	evtimer_set(&audit.timer, too_long, NULL);
	if (begin(a, id, &m, text) == -1) {
		json_decref(audit.r.faults);
		audit.r.faults = NULL;
		return -1;
	}
	audit.busy = 1;
	timer_in(&audit.timer, limit_ms);
	return 0;
}

/* {"changed":n, ..} of those there are. */
static json_t *
totals_json(const struct audit_result *r)
{
	json_t	*o = json_object();
	int	 i;

	for (i = 0; i < FAULT__MAX; i++)
		if (r->total[i] != 0)
			(void)json_object_set_new(o, fault_name(i),
			    json_integer(r->total[i]));
	return o;
}

int
audit_isbroken(const struct audit_result *r)
{
	return r->whole == 0 && (r->total[FAULT_CHANGED] != 0 ||
	    r->total[FAULT_MISSING] != 0 || r->total[FAULT_UNREADABLE] != 0);
}

/* --- an operator's ---------------------------------------------------- */

struct question {
	struct caller	*caller;
	json_t		*release;
	char		 agent[UPD_NAME_SIZE];
};

static void
answer(void *arg, const struct audit_result *r)
{
	struct question	*q = arg;
	char		 text[UPD_TEXT_SIZE];

	if (r->whole == -1) {
		snprintf(text, sizeof(text), "cannot verify: %.480s", r->text);
		caller_error(q->caller, audit.cut[0] != '\0' ? UPD_EBUSY :
		    UPD_EIO, text);
		json_decref(q->release);
	} else
		caller_reply(q->caller, 200, json_pack(
		    "{s:s, s:s, s:o, s:I, s:I, s:I, s:I, s:o, s:O, s:s*}",
		    "status", r->whole ? "clean" : "damaged",
		    "agent", q->agent, "release", q->release,
		    "entries", (json_int_t)r->done.entries,
		    "files", (json_int_t)r->done.files,
		    "bytes", (json_int_t)r->done.bytes,
		    "ms", (json_int_t)r->ms, "totals", totals_json(r),
		    "faults", r->faults, "detail", r->whole ? NULL :
		    r->text));
	free(q);
}

void
audit_ask(struct caller *c, struct agent *a, const char *id)
{
	struct release	*r;
	struct question	*q;
	char		 text[UPD_TEXT_SIZE];

	if (update_current() != NULL) {
		caller_error(c, UPD_EBUSY, "an update is in flight: verify "
		    "when it is done");
		return;
	}
	r = id[0] != '\0' ? store_find(a->store, id) :
	    store_current(a->store);
	if (r == NULL) {
		snprintf(text, sizeof(text), id[0] != '\0' ? "no release %s" :
		    "no active release%s", id);
		caller_error(c, UPD_ENOTFOUND, text);
		return;
	}
	if ((q = calloc(1, sizeof(*q))) == NULL) {
		caller_error(c, UPD_EIO, "out of memory");
		return;
	}
	q->caller = c;
	q->release = release_json(a->store, r);
	strlcpy(q->agent, a->conf->name, sizeof(q->agent));
	if (audit_start(a, r->id, 0, ASK_MS, answer, q, text) == -1) {
		caller_error(c, audit.busy ? UPD_EBUSY : UPD_EIO, text);
		json_decref(q->release);
		free(q);
	}
}
