/*
 * One pass.  Each service that has files of its user to look at gets a
 * roster, a few of them at a time; then, all at once:
 *
 *	seat		instances are made, kept, dismissed; nothing starts
 *	sightings	foreign supervisors say what is there, for so long
 *	decide		a line an instance
 *	sweep		stale files of those that do not run are removed, and
 *			that is waited for: what is started finds none
 *	act		what is wanted is started, by whoever began the pass
 *	outcome		what became of it: the lines are complete
 *	log		the lines are handed to the rosters, which end
 *
 * A roster that is lost changes nothing but that its service is left as it
 * is and looked at again later; one that is lost while it sweeps does not
 * keep its service down.  Seating and acting are not done while an
 * update is switching releases: the pass is then given up, and begun again.
 */
#include <sys/types.h>

#include <stdlib.h>
#include <string.h>

#include "instance.h"
#include "launch.h"
#include "log.h"
#include "reconcile.h"
#include "timer.h"
#include "update.h"
#include "util.h"

#define AT_ONCE		4	/* rosters */
#define LOOK_MS		20	/* between looks for sightings */
#define SIGHT_MS	3000	/* for all of them */

static void	 pass_next(struct pass *);
static void	 pass_step(struct pass *);

struct line *
pass_line(struct pass *p, struct ward *w)
{
	struct line	**v, *l;
	size_t		  cap;

	if (p->n == p->cap) {
		cap = p->cap == 0 ? 64 : p->cap * 2;
		v = reallocarray(p->lines, cap, sizeof(struct line *));
		if (v == NULL)
			return NULL;
		p->lines = v;
		p->cap = cap;
	}
	if ((l = calloc(1, sizeof(*l))) == NULL)
		return NULL;
	p->lines[p->n++] = l;
	l->ward = w;
	l->l.profile = l->profile;
	l->l.service = l->service;
	l->l.release = l->release;
	l->l.boot = boot_id();
	l->l.backend = native_backend.name;
	l->l.at = time_real_us();
	return l;
}

static int	 alive;		/* passes */

int
pass_count(void)
{
	return alive;
}

static void
pass_free(struct pass *p)
{
	struct ward	*w;

	alive--;
	evtimer_del(&p->timer);
	while ((w = TAILQ_FIRST(&p->wards)) != NULL) {
		TAILQ_REMOVE(&p->wards, w, entry);
		roster_cancel(w->roster);
		free(w);
	}
	while (p->n > 0)
		free(p->lines[--p->n]);
	free(p->lines);
	free(p);
}

void
pass_cancel(struct pass *p)
{
	if (p != NULL)
		pass_free(p);
}

/* --- the end ---------------------------------------------------------- */

/* Logs are with the rosters: when they have ended the pass has. */
static void
pass_end(struct pass *p)
{
	struct ward	*w;

	TAILQ_FOREACH(w, &p->wards, entry)
		if (w->roster != NULL)
			return;
	pass_free(p);
}

static void
write_logs(struct pass *p)
{
	char	 text[PROFILE_LINE_SIZE];
	size_t	 k;

	for (k = 0; k < p->n; k++) {
		if (p->lines[k]->ward == NULL ||
		    p->lines[k]->ward->roster == NULL)
			continue;
		plan_print(&p->lines[k]->l, text, sizeof(text));
		roster_log(p->lines[k]->ward->roster, text);
	}
}

static void
let_go(struct pass *p)
{
	struct ward	*w;

	TAILQ_FOREACH(w, &p->wards, entry) {
		if (w->conf->home != NULL && !p->dry && !p->once) {
			if (w->roster != NULL)
				lookout_set(w->conf->name,
				    roster_watch(w->roster), w->changes,
				    w->lost);
			else if (w->lost)
				lookout_retry(w->conf->name);
		}
		w->conf = NULL;		/* a reload may come */
		w->agent = NULL;
		if (w->roster != NULL)
			roster_finish(w->roster);
	}
}

/* What was asked for has been done. */
static void
pass_close(struct pass *p)
{
	size_t	 k;

	for (k = 0; k < p->n; k++) {
		if (!p->dry)
			judge_outcome(p->lines[k]);
		p->changes += p->lines[k]->l.change;
		p->failed += p->lines[k]->l.action == ACTION_FAILED;
		if (p->lines[k]->ward != NULL)
			p->lines[k]->ward->changes += p->lines[k]->l.change;
	}
	if (!p->dry)
		write_logs(p);
	let_go(p);
	p->done(p);
	pass_end(p);
}

/* --- the middle ------------------------------------------------------- */

static void
sweep(struct pass *p)
{
	struct line	*l;
	size_t		 k;

	for (k = 0; k < p->n; k++) {
		l = p->lines[k];
		if (l->i == NULL || l->ward->roster == NULL ||
		    l->conf->runtime_files.n == 0 || !service_isdown(l->i))
			continue;
		roster_sweep(l->ward->roster, l->profile);
		l->ward->swept = 1;
	}
}

/* Decided; go on when all is swept. */
static void
pass_order(struct pass *p)
{
	struct ward	*w;
	size_t		 k;

	p->ordered = 1;
	identity_keep();
	for (k = 0; k < p->n; k++)
		judge_decide(p->lines[k]);
	identity_letgo();
	if (!p->dry)
		sweep(p);
	TAILQ_FOREACH(w, &p->wards, entry) {
		w->synced = !w->swept;
		if (w->swept)
			roster_sync(w->roster);
	}
	pass_step(p);
}

/* Foreign ones whose supervisor has not said a word yet.  One that could not
 * be made known there is not waited for: nobody may be there to say it. */
static int
is_unseen(const struct pass *p)
{
	size_t	 k;

	for (k = 0; k < p->n; k++)
		if (p->lines[k]->i != NULL && !p->lines[k]->decided &&
		    p->lines[k]->i->backend->foreign &&
		    observe_last(p->lines[k]->i) == NULL)
			return 1;
	return 0;
}

static void
pass_look(int fd, short what, void *arg)
{
	struct pass	*p = arg;

	if (is_unseen(p) && time_mono_ms() - p->since < SIGHT_MS)
		timer_in(&p->timer, LOOK_MS);
	else
		pass_order(p);
}

/* From the switch of a release to its verdict nobody else starts, stops or
 * makes an instance. */
static int
is_switching(void)
{
	const struct update	*u = update_current();

	return u != NULL && u->state >= UPDATE_PROMOTING;
}

static void
pass_give_up(struct pass *p)
{
	p->busy = 1;
	p->done(p);
	pass_free(p);
}

static void
pass_seat(struct pass *p)
{
	struct ward	*w;
	struct agent	*a;

	if (!p->dry && is_switching()) {
		pass_give_up(p);
		return;
	}
	identity_keep();
	TAILQ_FOREACH(w, &p->wards, entry)
		judge_seat(p, w);
	identity_letgo();
	if (p->all)
		judge_orphans(p);
	if (!p->dry)
		TAILQ_FOREACH(a, &env->agents, entry)
			seat_sort(a);
	p->since = time_mono_ms();
	pass_look(-1, 0, p);
}

/* Is all of it where the next step may begin? */
static void
pass_step(struct pass *p)
{
	struct ward	*w;

	TAILQ_FOREACH(w, &p->wards, entry)
		if (p->ordered ? !w->synced : w->phase < WARD_READY)
			return;
	if (!p->ordered) {
		pass_seat(p);
		return;
	}
	/* An update that came meanwhile starts what is wanted. */
	if (!p->dry && !is_switching())
		p->act(p);
	pass_close(p);
}

/* --- the beginning ---------------------------------------------------- */

static void
ward_scanned(void *arg)
{
	struct ward	*w = arg;

	w->phase = WARD_READY;
	w->pass->running--;
	pass_next(w->pass);
}

static void
ward_synced(void *arg)
{
	struct ward	*w = arg;

	w->synced = 1;
	pass_step(w->pass);
}

static void
ward_ended(void *arg, const char *text)
{
	struct ward	*w = arg;
	struct pass	*p = w->pass;
	int		 waited = w->swept && !w->synced;

	w->roster = NULL;
	if (text[0] != '\0')
		log_warnx("reconcile %s: %s", w->conf != NULL ?
		    w->conf->name : "a service", text);
	if (w->conf == NULL) {		/* its pass is over */
		pass_end(p);
		return;
	}
	w->lost = 1;
	w->synced = 1;
	if (w->phase == WARD_SCANS) {
		w->phase = WARD_READY;
		p->running--;
		pass_next(p);
	} else if (waited)
		pass_step(p);
}

static const struct roster_calls	 ward_calls = {
	ward_scanned, ward_synced, ward_ended
};

static void
ward_scan(struct pass *p, struct ward *w)
{
	unsigned int	 flags = 0;
	char		 text[UPD_TEXT_SIZE];

	if (w->conf->home != NULL)
		flags |= PROFILE_SCAN;
	if (p->dry)
		flags |= PROFILE_DRY;
	else if (!p->once && w->conf->profiles != NULL)
		flags |= PROFILE_WATCH;
	w->roster = roster_start(w->conf, flags, &ward_calls, w, text);
	if (w->roster == NULL) {
		log_warnx("reconcile %s: %s", w->conf->name, text);
		w->lost = 1;
		w->phase = WARD_READY;
	} else if (flags & PROFILE_SCAN) {
		w->phase = WARD_SCANS;
		p->running++;
	} else
		w->phase = WARD_READY;
}

static void
pass_next(struct pass *p)
{
	struct ward	*w;

	TAILQ_FOREACH(w, &p->wards, entry) {
		if (p->running >= AT_ONCE)
			return;
		if (w->phase == WARD_WAITS)
			ward_scan(p, w);
	}
	pass_step(p);
}

static int
ward_new(struct pass *p, struct agent *a, const struct service_conf *c)
{
	struct ward	*w;

	if ((w = calloc(1, sizeof(*w))) == NULL)
		return -1;
	w->pass = p;
	w->agent = a;
	w->conf = c;
	/* Nothing of a dry run is written: the log needs no roster. */
	w->phase = roster_isneeded(c) && (c->home != NULL || !p->dry) ?
	    WARD_WAITS : WARD_READY;
	TAILQ_INSERT_TAIL(&p->wards, w, entry);
	return 0;
}

struct pass *
pass_new(const char *service, int dry, int once,
    void (*act)(struct pass *), void (*done)(struct pass *))
{
	const struct service_conf	*c;
	struct agent			*a;
	struct pass			*p;

	if ((p = calloc(1, sizeof(*p))) == NULL)
		return NULL;
	alive++;
	TAILQ_INIT(&p->wards);
	p->dry = dry;
	p->once = once;
	p->act = act;
	p->done = done;
	p->all = service[0] == '\0';
	evtimer_set(&p->timer, pass_look, p);
	TAILQ_FOREACH(a, &env->agents, entry)
		TAILQ_FOREACH(c, &a->conf->services, entry)
			if ((p->all || strcmp(service, c->name) == 0) &&
			    ward_new(p, a, c) == -1) {
				pass_free(p);
				return NULL;
			}
	return p;
}

void
pass_run(struct pass *p)
{
	pass_next(p);
}
