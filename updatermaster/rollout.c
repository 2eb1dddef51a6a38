/*
 * Who gets it when.
 *
 * Hosts go in waves: the canaries first, then batches; within a wave at most
 * `parallel` at a time.  The next wave begins when all of the last one have
 * ended well enough: every canary has to be good, and never may more than
 * max_fail hosts have failed or not been reached.  When the rollout stops,
 * the hosts in flight are waited for, since an update cannot be called off
 * half way; then, if that is wanted, those that were updated are taken back.
 *
 * The first SIGINT or SIGTERM stops it the same way, without taking back.
 * The second ends the program at once: the record says which hosts were in
 * flight, and a resumed rollout asks them.
 */
#include <sys/types.h>
#include <sys/time.h>

#include <err.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "rollout.h"
#include "show.h"

static const char *const	outcomes[OUTCOME__MAX] = {
	[OUTCOME_NONE] = "-",
	[OUTCOME_UPDATED] = "updated",
	[OUTCOME_UNCHANGED] = "unchanged",
	[OUTCOME_DRY] = "dry_run",
	[OUTCOME_FAILED] = "failed",
	[OUTCOME_ROLLED_BACK] = "rolled_back",
	[OUTCOME_DISTRUSTED] = "not_trusted",
	[OUTCOME_UNREACHABLE] = "unreachable",
	[OUTCOME_UNDONE] = "taken_back",
	[OUTCOME_UNCONFIRMED] = "unconfirmed",
};

static void	 pump(struct rollout *);

const char *
outcome_name(enum outcome o)
{
	return o < OUTCOME__MAX ? outcomes[o] : "?";
}

enum outcome
outcome_find(const char *name)
{
	int	 o;

	for (o = OUTCOME_UPDATED; o < OUTCOME__MAX; o++)
		if (strcmp(outcomes[o], name) == 0)
			break;
	return (enum outcome)o;
}

int
plan_ownself(const struct plan *p)
{
	return p->self_root != NULL || p->self_tarball != NULL;
}

/* Nothing was done there: a resumed rollout begins with it again. */
static int
is_void(enum outcome o)
{
	return o == OUTCOME_UNREACHABLE || o == OUTCOME_DISTRUSTED;
}

int
outcome_isbad(enum outcome o)
{
	return o == OUTCOME_FAILED || o == OUTCOME_ROLLED_BACK ||
	    o == OUTCOME_UNCONFIRMED || is_void(o);
}

uint32_t
rollout_ms(const struct rollout *ro)
{
	return (uint32_t)((time_mono_us() - ro->begun_us) / 1000);
}

static int
target_isbad(const struct target *t)
{
	return outcome_isbad(t->agent) || outcome_isbad(t->self);
}

int
target_isfinal(const struct target *t)
{
	if (t->agent == OUTCOME_NONE || is_void(t->agent))
		return 0;
	return outcome_isbad(t->agent) || t->agent == OUTCOME_UNDONE ||
	    !t->ro->plan.self || t->ro->plan.dry_run ||
	    (t->self != OUTCOME_NONE && !is_void(t->self));
}

size_t
rollout_left(const struct rollout *ro)
{
	size_t	 i, n = 0;

	for (i = 0; i < ro->ntargets; i++)
		n += !target_isfinal(&ro->targets[i]);
	return n;
}

void
rollout_stop(struct rollout *ro, const char *fmt, ...)
{
	va_list	 ap;

	if (ro->stopped[0] != '\0')
		return;
	va_start(ap, fmt);
	vsnprintf(ro->stopped, sizeof(ro->stopped), fmt, ap);
	va_end(ap);
	show_note(ro->show, "stopped: %s", ro->stopped);
	client_hurry(ro->client);
}

static int
stopping(const struct rollout *ro)
{
	return ro->stopped[0] != '\0' || ro->interrupted;
}

/* --- waves ------------------------------------------------------------ */

static void
set_wave(struct rollout *ro)
{
	size_t	 size = ro->plan.batch ? ro->plan.batch : ro->ntargets;

	if (ro->wave_end < ro->plan.canary)
		ro->wave_end = ro->plan.canary;
	else
		ro->wave_end += size;
	if (ro->wave_end > ro->ntargets)
		ro->wave_end = ro->ntargets;
}

static void
next_wave(int fd, short event, void *arg)
{
	struct rollout	*ro = arg;

	ro->pausing = 0;
	set_wave(ro);
	pump(ro);
}

/* 1 if some of the wave was done in this run, so that a pause has a sense. */
static int
anything_done(const struct rollout *ro)
{
	size_t	 i;

	for (i = 0; i < ro->next; i++)
		if (ro->targets[i].begun_us != 0)
			return 1;
	return 0;
}

static void
end_wave(struct rollout *ro)
{
	struct timeval	 tv = { 0, 0 };

	if (ro->pausing)
		return;
	if (ro->plan.pause > 0 && anything_done(ro)) {
		tv.tv_sec = (time_t)ro->plan.pause;
		show_note(ro->show, "%zu of %zu hosts done, pause of %u s",
		    ro->next, ro->ntargets, ro->plan.pause);
	}
	ro->pausing = 1;
	evtimer_add(&ro->pause, &tv);
}

static void
check(struct rollout *ro, const struct target *t)
{
	size_t	 i = (size_t)(t - ro->targets);

	if (!target_isbad(t))
		return;
	ro->bad++;
	if (i < ro->plan.canary)
		rollout_stop(ro, "canary %s: %s", t->host.name,
		    t->detail[0] ? t->detail : outcome_name(t->agent));
	else if (ro->plan.max_fail >= 0 &&
	    ro->bad > (size_t)ro->plan.max_fail)
		rollout_stop(ro, "%zu hosts failed or not reached, %lld "
		    "allowed", ro->bad, (long long)ro->plan.max_fail);
}

static void
start_hosts(struct rollout *ro)
{
	struct target	*t;

	while (ro->next < ro->wave_end && ro->inflight < ro->plan.parallel &&
	    !stopping(ro)) {
		t = &ro->targets[ro->next++];
		if (t->state == TARGET_END)
			continue;
		/* Before the first byte: a host is never forgotten. */
		if (!t->begun && record_event(ro, t, "begun") == -1) {
			ro->next--;
			return;
		}
		ro->inflight++;
		deliver_begin(t);
	}
}

/* --- taking back ------------------------------------------------------ */

static void
start_back(struct rollout *ro)
{
	struct target	*t;

	while (ro->next < ro->ntargets && ro->inflight < ro->plan.parallel &&
	    !ro->interrupted) {
		t = &ro->targets[ro->next++];
		if (t->agent != OUTCOME_UPDATED || t->back_done)
			continue;
		ro->inflight++;
		deliver_back(t);
	}
}

static void
begin_back(struct rollout *ro)
{
	show_note(ro->show, "taking back the hosts that were updated");
	ro->backing = 1;
	ro->next = 0;
	(void)record_event(ro, NULL, "taking-back");
}

/* --- the whole -------------------------------------------------------- */

static void
finish(struct rollout *ro)
{
	if (ro->over)
		return;
	ro->over = 1;
	if (!ro->interrupted && (ro->stopped[0] == '\0' || ro->backing))
		(void)record_event(ro, NULL, "end");
	event_loopexit(NULL);
}

static void
pump(struct rollout *ro)
{
	if (ro->over)
		return;
	if (!ro->backing && !stopping(ro))
		start_hosts(ro);
	if (!ro->backing && stopping(ro) && ro->inflight == 0) {
		if (ro->interrupted || !ro->plan.rollback ||
		    ro->plan.dry_run) {
			finish(ro);
			return;
		}
		begin_back(ro);
	}
	if (ro->backing) {
		start_back(ro);
		if (ro->inflight == 0)
			finish(ro);
		return;
	}
	if (ro->inflight > 0 || ro->next < ro->wave_end)
		return;
	if (ro->next == ro->ntargets)
		finish(ro);
	else
		end_wave(ro);
}

void
rollout_ended(struct target *t)
{
	struct rollout	*ro = t->ro;

	ro->inflight--;
	if (!ro->backing)
		check(ro, t);
	pump(ro);
}

static void
on_signal(int sig, short event, void *arg)
{
	struct rollout	*ro = arg;

	if (ro->interrupted++ > 0) {
		show_note(ro->show, "broken off; %zu hosts were in flight",
		    ro->inflight);
		ro->over = 1;
		event_loopexit(NULL);
		return;
	}
	if (ro->inflight > 0)
		show_note(ro->show, "interrupted: waiting for %zu hosts in "
		    "flight; once more breaks off", ro->inflight);
	if (ro->pausing)
		evtimer_del(&ro->pause);
	ro->pausing = 0;
	client_hurry(ro->client);
	pump(ro);
}

static void
prepare(struct rollout *ro)
{
	struct target	*t;
	size_t		 i;

	for (i = 0; i < ro->ntargets; i++) {
		t = &ro->targets[i];
		if (target_isfinal(t)) {
			t->state = TARGET_END;
			if (!ro->backing)
				check(ro, t);
			continue;
		}
		t->state = TARGET_WAIT;
		if (is_void(t->agent))
			t->agent = OUTCOME_NONE;
		t->self = OUTCOME_NONE;
	}
}

int
rollout_run(struct rollout *ro)
{
	if ((ro->client = client_new(ro->master, 0)) == NULL)
		return -1;
	ro->begun_us = time_mono_us();
	evtimer_set(&ro->pause, next_wave, ro);
	signal_set(&ro->sigint, SIGINT, on_signal, ro);
	signal_set(&ro->sigterm, SIGTERM, on_signal, ro);
	signal_add(&ro->sigint, NULL);
	signal_add(&ro->sigterm, NULL);
	show_begin(ro->show);
	prepare(ro);
	if (!ro->backing)
		set_wave(ro);
	pump(ro);
	if (!ro->over)
		event_dispatch();
	if (ro->pausing)
		evtimer_del(&ro->pause);
	signal_del(&ro->sigint);
	signal_del(&ro->sigterm);
	return 0;
}
