/*
 * What an update does with all services of an agent: stop them, start
 * them, and say whether the release is good.
 *
 * Between agent_stop() and agent_start() the agent is held: nobody else
 * starts a service, and no state file is written.  From agent_start() to
 * its verdict the verdict is open: deaths are answers, not reasons to
 * start again.  The first required service that is not healthy decides at
 * once; a good verdict takes all of them.
 *
 * Both end in one event of the loop, so that callers are never told from
 * within their own call, and so that what happens at the same moment is in
 * the report.
 */
#include <sys/types.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "instance.h"
#include "launch.h"
#include "log.h"
#include "timer.h"
#include "util.h"

struct agent_priv {
	struct agent	*agent;
	int		 held;
	int		 decided;	/* ev is under way */
	struct event	 ev;
	void		(*stopped)(void *);	/* NULL: nobody waits */
	void		*stopped_arg;
	void		(*started)(void *, int, json_t *);
	void		*started_arg;
};

static void	 agent_told(int, short, void *);

/* Made at the first use, which is at start.  NULL: out of memory. */
static struct agent_priv *
priv(struct agent *a)
{
	struct agent_priv	*p = a->service_priv;

	if (p != NULL)
		return p;
	if ((p = calloc(1, sizeof(*p))) == NULL) {
		log_warnx("supervise agent %s: out of memory",
		    a->conf->name);
		return NULL;
	}
	p->agent = a;
	evtimer_set(&p->ev, agent_told, p);
	a->service_priv = p;
	return p;
}

void
agent_release(struct agent *a)
{
	struct agent_priv	*p = a->service_priv;

	if (p == NULL)
		return;
	evtimer_del(&p->ev);
	free(p);
	a->service_priv = NULL;
}

int
agent_isheld(const struct agent *a)
{
	const struct agent_priv	*p = a->service_priv;

	return p != NULL && p->held;
}

int
agent_isopen(const struct agent *a)
{
	const struct agent_priv	*p = a->service_priv;

	return p != NULL && p->started != NULL;
}

void
agent_unhold(struct agent *a)
{
	struct agent_priv	*p = a->service_priv;

	if (p != NULL)
		p->held = 0;
}

static void
decide(struct agent_priv *p)
{
	if (p->decided)
		return;
	p->decided = 1;
	timer_in(&p->ev, 0);
}

/* 1 all of it is down, but for what cannot be stopped. */
static int
all_down(struct agent *a)
{
	struct instance	*i;

	TAILQ_FOREACH(i, &a->instances, entry)
		if (!service_isdown(i) && !i->stuck)
			return 0;
	return 1;
}

int
agent_isstuck(struct agent *a, char *text)
{
	struct instance	*i;

	TAILQ_FOREACH(i, &a->instances, entry)
		if (i->stuck) {
			snprintf(text, UPD_TEXT_SIZE, "service %s: %.400s",
			    i->name, note_text(&i->why));
			return 1;
		}
	return 0;
}

/* It cannot be started, with that release or another. */
static void
fail(struct instance *i, const char *text)
{
	i->health.healthy = 0;
	note_set(&i->health.detail, text);
	i->verdict = VERDICT_FAILED;
}

static int
is_required(const struct instance *i)
{
	return i->verdict != VERDICT_NONE && !i->conf->optional;
}

/* 1 good, 0 not, -1 open. */
static int
verdict(struct agent *a)
{
	struct instance	*i;
	int		 open = 0;

	TAILQ_FOREACH(i, &a->instances, entry) {
		if (!is_required(i))
			continue;
		if (i->verdict == VERDICT_FAILED)
			return 0;
		open |= i->verdict == VERDICT_OPEN;
	}
	return open ? -1 : 1;
}

void
agent_settle(struct agent *a)
{
	struct agent_priv	*p = a->service_priv;

	if (p == NULL)
		return;
	if ((p->stopped != NULL && all_down(a)) ||
	    (p->started != NULL && verdict(a) != -1))
		decide(p);
}

/* --- stopping --------------------------------------------------------- */

void
agent_stop(struct agent *a, void (*done)(void *), void *arg)
{
	struct agent_priv	*p;
	struct instance		*i, *next;

	if ((p = priv(a)) == NULL) {
		/* agent_start() will then say that the release is no good. */
		done(arg);
		return;
	}
	p->held = 1;
	p->started = NULL;
	p->stopped = done;
	p->stopped_arg = arg;
	TAILQ_FOREACH_SAFE(i, &a->instances, entry, next) {
		i->verdict = VERDICT_NONE;
		service_stop(i, "stopped by an update");
	}
	agent_settle(a);
}

/* --- starting --------------------------------------------------------- */

void
agent_start(struct agent *a, void (*done)(void *, int, json_t *), void *arg)
{
	struct agent_priv	*p;
	struct instance		*i, *next;
	char			 text[UPD_TEXT_SIZE];

	if ((p = priv(a)) == NULL) {
		done(arg, 0, NULL);
		return;
	}
	p->held = 0;
	p->stopped = NULL;
	p->started = done;
	p->started_arg = arg;
	/* All of them first: one may fail while it is being started. */
	TAILQ_FOREACH(i, &a->instances, entry)
		i->verdict = instance_iswanted(i) ? VERDICT_OPEN :
		    VERDICT_NONE;
	identity_keep();
	TAILQ_FOREACH_SAFE(i, &a->instances, entry, next) {
		if (i->verdict == VERDICT_NONE)
			continue;
		service_clear(i);
		if (i->stuck)
			fail(i, note_text(&i->why));
		else if (i->state == SERVICE_UP && !i->health.pending)
			health_begin(i);	/* ask again */
		else if (service_start(i, "started by an update",
		    text) == -1)
			fail(i, text);
	}
	identity_letgo();
	agent_settle(a);
}

/* One entry of the report. */
static json_t *
report_entry(const struct instance *i)
{
	const struct health	*h = &i->health;
	json_t			*o;

	o = json_pack("{s:s, s:b, s:b, s:s, s:I, s:I, s:I, s:s}",
	    "service", i->name,
	    "optional", i->conf->optional,
	    "healthy", i->verdict == VERDICT_HEALTHY,
	    "detail", note_text(&h->detail),
	    "status", (json_int_t)h->status,
	    "attempts", (json_int_t)h->attempts,
	    "elapsed_ms", (json_int_t)(h->pending ?
	    time_mono_ms() - h->begin : h->elapsed_ms),
	    "body", h->body != NULL ? h->body : "");
	/* Only of one that died: the last exit of one that runs is old. */
	if (o != NULL && i->verdict == VERDICT_FAILED && !i->in.running)
		json_object_set_new(o, "exit",
		    json_string(note_text(&i->why)));
	return o;
}

/* A new reference, or NULL: out of memory. */
static json_t *
report(struct agent *a)
{
	struct instance	*i;
	json_t		*list = json_array();

	TAILQ_FOREACH(i, &a->instances, entry)
		if (i->verdict != VERDICT_NONE)
			json_array_append_new(list, report_entry(i));
	return json_pack("{s:o}", "services", list);
}

static void
tell_verdict(struct agent_priv *p, int good)
{
	void		(*done)(void *, int, json_t *) = p->started;
	void		*arg = p->started_arg;
	struct agent	*a = p->agent;
	struct instance	*i;
	json_t		*o;

	/* Checks that are not needed any more must not come in later.  With
	 * a good verdict those open are optional, and go on. */
	TAILQ_FOREACH(i, &a->instances, entry)
		if (!good && i->verdict == VERDICT_OPEN) {
			health_end(i);
			i->health.elapsed_ms = time_mono_ms() -
			    i->health.begin;
			note_const(&i->health.detail,
			    "cut short by the verdict");
		}
	o = report(a);
	p->started = NULL;
	TAILQ_FOREACH(i, &a->instances, entry)
		i->verdict = VERDICT_NONE;
	if (good)
		TAILQ_FOREACH(i, &a->instances, entry)
			service_unhold(i);
	/* Not good: what is held stays so for the agent_stop() to come. */
	done(arg, good, o);
	json_decref(o);
}

static void
agent_told(int fd, short what, void *arg)
{
	struct agent_priv	*p = arg;
	void			(*done)(void *) = p->stopped;
	int			 v;

	p->decided = 0;
	if (done != NULL && all_down(p->agent)) {
		p->stopped = NULL;
		done(p->stopped_arg);
	} else if (p->started != NULL && (v = verdict(p->agent)) != -1)
		tell_verdict(p, v);
}

void
agent_forget(struct agent *a)
{
	struct agent_priv	*p = a->service_priv;
	struct instance		*i;

	if (p == NULL)
		return;
	evtimer_del(&p->ev);
	p->decided = 0;
	p->stopped = NULL;
	p->started = NULL;
	TAILQ_FOREACH(i, &a->instances, entry) {
		i->verdict = VERDICT_NONE;
		service_unhold(i);
	}
}

/* --- without an update ------------------------------------------------ */

void
service_start_wanted(struct agent *a)
{
	struct instance	*i, *next;
	char		 text[UPD_TEXT_SIZE];

	agent_unhold(a);
	identity_keep();
	TAILQ_FOREACH_SAFE(i, &a->instances, entry, next) {
		service_unhold(i);
		/* Parked ones stay so, and a delay is not cut short; what
		 * waits for its supervisor starts with that. */
		if (!i->in.desired || i->state == SERVICE_FAILED ||
		    i->state == SERVICE_BACKOFF || observe_awaits(i))
			continue;
		if (service_start(i, "wanted up", text) == -1)
			note_set(&i->why, text);
	}
	identity_letgo();
}

int
agent_healthy(struct agent *a)
{
	struct instance	*i;

	TAILQ_FOREACH(i, &a->instances, entry)
		if (instance_iswanted(i) && !i->conf->optional &&
		    (i->state != SERVICE_UP || i->health.healthy != 1))
			return 0;
	return 1;
}

int
agent_runs(struct agent *a)
{
	struct instance	*i;

	TAILQ_FOREACH(i, &a->instances, entry)
		if (i->in.desired && !i->in.running)
			return 0;
	return 1;
}
