/*
 * Letting go of a unit.  In this order:
 *
 *	record	its record says that it leaves (unitrecord.c)
 *	stop	and wait until it is down, as long as systemd takes
 *	pin	the target that held it
 *	file	if it was a release's, and no other unit is made of it
 *	reload	so that systemd forgets what the file said
 *	forget	the record
 *
 * The file of one that still stops would be missed: with it go its ExecStop
 * and its limits, at the next daemon-reload of whoever.  A daemon that is
 * killed in between leaves the record: the next one begins anew, and each
 * step may be done twice.  What systemctl refuses is tried again at the
 * next pass of reconcile.
 *
 * Whoever takes the unit again before its end (a service that is configured
 * again, another one that takes over its name) ends this where it is.
 */
#include <sys/types.h>
#include <sys/queue.h>

#include <errno.h>
#include <event.h>
#include <stdlib.h>
#include <string.h>

#include "instance.h"
#include "log.h"
#include "systemctl.h"
#include "timer.h"
#include "unitfile.h"
#include "unitleave.h"
#include "unitrecord.h"

#define POLL_MIN	5	/* ms to the next look, at first */
#define POLL_MAX	2000	/* ms, and at last */
#define RETELL_LOOKS	4	/* one that was refused is told again */
#define STUCK_LOOKS	64	/* some 2 minutes; systemd's own limit is 90
				 * seconds.  Then it is said that it does not
				 * stop, and at twice as many, and so on */
#define STUCK_EVERY	1800	/* looks: every hour at last */

struct leave {
	TAILQ_ENTRY(leave)	 entry;
	struct unitrecord	 r;
	char			 pin[UNIT_NAME_SIZE];
	struct systemctl_call	 stop, show, unpin, reload;
	struct event		 ev;		/* look again */
	uint32_t		 poll_ms;
	int			 anew;		/* an earlier daemon began */
	int			 stale;		/* systemd has it of a file
						 * that is not the same now */
	int			 blind;		/* systemctl fails */
	char			 refusal[256];	/* of its stop; "" none */
	uint32_t		 looks;		/* that found it running */
	uint32_t		 say;		/* at so many: does not stop */
	int			 stuck;		/* ... as was said */
	int			 retell;	/* to stop, at the next look */
	int			 down;		/* nothing of it runs */
	void			(*done)(void *);	/* down; or NULL */
	void			*arg;
};
static TAILQ_HEAD(, leave) leaves = TAILQ_HEAD_INITIALIZER(leaves);

static void
leave_free(struct leave *l)
{
	TAILQ_REMOVE(&leaves, l, entry);
	systemctl_drop(&l->stop);
	systemctl_drop(&l->show);
	systemctl_drop(&l->unpin);
	systemctl_drop(&l->reload);
	evtimer_del(&l->ev);
	free(l);
}

static struct leave *
find(const char *unit)
{
	struct leave	*l;

	TAILQ_FOREACH(l, &leaves, entry)
		if (strcmp(l->r.unit, unit) == 0)
			break;
	return l;
}

/* --- the steps, the last first ------------------------------------------ */

static void
leave_end(struct leave *l)
{
	unitrecord_left(l->r.unit);
	leave_free(l);
}

static void
reloaded(void *arg, const struct unitstate *st, const char *error)
{
	struct leave	*l = arg;

	if (error[0] == '\0') {
		leave_end(l);
		return;
	}
	log_warnx("reload without unit %s: %s; tried again at `updaterctl "
	    "reconcile`", l->r.unit, error);
	leave_free(l);
}

/* What a release has brought goes, unless others are made of it. */
static void
take_file(struct leave *l)
{
	int	 r;

	if (!l->r.installed || unitrecord_isshared(l->r.unit)) {
		leave_end(l);
		return;
	}
	if ((r = unitfile_remove(l->r.unit)) == -1) {
		log_warn("remove file of unit %s, tried again at `updaterctl "
		    "reconcile`", l->r.unit);
		leave_free(l);
		return;
	}
	/* The earlier daemon may have come as far as that. */
	if (r == 1 || l->anew || l->stale)
		systemctl_ask(&l->reload);
	else
		leave_end(l);
}

static void
unpinned(void *arg, const struct unitstate *st, const char *error)
{
	struct leave	*l = arg;

	/* One that systemd does not know holds nothing. */
	if (error[0] != '\0')
		log_debug("let go of %s: %s", l->r.unit, error);
	take_file(l);
}

/* Nothing of it runs any more. */
static void
is_down(struct leave *l)
{
	void	(*done)(void *) = l->done;
	void	*arg = l->arg;

	l->down = 1;
	l->done = NULL;
	if (l->pin[0] != '\0')
		systemctl_ask(&l->unpin);
	else
		take_file(l);		/* l may be gone */
	if (done != NULL)
		done(arg);
}

static void
look_later(struct leave *l)
{
	timer_in(&l->ev, l->poll_ms);
	l->poll_ms = l->poll_ms * 2 < POLL_MAX ? l->poll_ms * 2 : POLL_MAX;
}

static void
look(int fd, short what, void *arg)
{
	struct leave	*l = arg;

	/* Told again: what was said to a systemd that hung is lost. */
	systemctl_ask(l->blind || l->retell || (l->refusal[0] != '\0' &&
	    l->looks % RETELL_LOOKS == 0) ? &l->stop : &l->show);
	l->retell = 0;
}

/* Why it runs on, and what to do. */
static void
describe(const struct leave *l, char *text)
{
	snprintf(text, UPD_TEXT_SIZE, "unit %.100s, which it had before, does "
	    "not stop%s%.200s; see systemctl status %.100s, and end it by "
	    "hand", l->r.unit, l->refusal[0] != '\0' ? ": " : "",
	    l->refusal, l->r.unit);
}

/* Whoever comes after it has to wait, and is to know for what. */
static void
say_stuck(struct leave *l)
{
	struct instance	*i = instance_find(l->r.instance);
	char		 text[UPD_TEXT_SIZE];

	describe(l, text);
	log_warnx("cannot let go of %s: %s; it is told again", l->r.instance,
	    text);
	if (!l->stuck && i != NULL)
		observe_hampered(i, text);
	l->stuck = l->retell = 1;
	l->say = l->looks < STUCK_LOOKS ? STUCK_LOOKS :
	    l->looks + (l->looks < STUCK_EVERY ? l->looks : STUCK_EVERY);
}

static void
seen(void *arg, const struct unitstate *st, const char *error)
{
	struct leave	*l = arg;

	if (st == NULL) {
		if (!l->blind)
			log_warnx("look at unit %s, which leaves: %s; asked "
			    "again until systemctl answers", l->r.unit,
			    error);
		l->blind = 1;
		l->poll_ms = POLL_MAX;
		look_later(l);
		return;
	}
	l->blind = 0;
	l->stale = st->stale;
	if ((st->active == UNIT_INACTIVE || st->active == UNIT_FAILED) &&
	    !st->job)
		is_down(l);
	else {
		/* One that is not known there is refused, and is down. */
		l->looks++;
		if (l->looks >= l->say || (l->refusal[0] != '\0' &&
		    !l->stuck))
			say_stuck(l);
		look_later(l);
	}
}

static void
stopped(void *arg, const struct unitstate *st, const char *error)
{
	struct leave	*l = arg;

	strlcpy(l->refusal, error, sizeof(l->refusal));
	systemctl_ask(&l->show);
}

/* --- the beginning ------------------------------------------------------ */

static void
begin(const struct unitrecord *r, int anew)
{
	struct leave	*l;

	if (find(r->unit) != NULL)
		return;
	if ((l = calloc(1, sizeof(*l))) == NULL) {
		log_warnx("let go of unit %s: out of memory; tried again at "
		    "`updaterctl reconcile`", r->unit);
		return;
	}
	l->r = *r;
	l->anew = anew;
	l->poll_ms = POLL_MIN;
	l->say = STUCK_LOOKS;
	unitrecord_pinname(r->unit, l->pin);
	systemctl_init(&l->stop, SYSTEMCTL_STOP, l->r.unit, stopped, l);
	systemctl_init(&l->show, SYSTEMCTL_SHOW, l->r.unit, seen, l);
	systemctl_init(&l->unpin, SYSTEMCTL_STOP, l->pin, unpinned, l);
	systemctl_init(&l->reload, SYSTEMCTL_RELOAD, "", reloaded, l);
	evtimer_set(&l->ev, look, l);
	TAILQ_INSERT_TAIL(&leaves, l, entry);
	systemctl_ask(&l->stop);
}

struct resumption {
	const char	*instance;	/* NULL: all */
};

/* Left to us by an earlier daemon, or by an attempt that failed. */
static void
resume(void *arg, const struct unitrecord *r)
{
	struct resumption	*of = arg;
	struct leave		*l;

	if (of->instance != NULL && strcmp(r->instance, of->instance) != 0)
		return;
	if ((l = find(r->unit)) != NULL) {
		if (l->refusal[0] != '\0' && !l->down) {
			l->stuck = 0;
			evtimer_del(&l->ev);
			l->poll_ms = POLL_MIN;
			systemctl_ask(&l->stop);
		}
		return;
	}
	if (unitrecord_hasunit(r->unit))
		unitrecord_left(r->unit);
	else {
		log_info("go on with letting go of unit %s", r->unit);
		begin(r, 1);
	}
}

int
unitleave_withdraw(const char *instance)
{
	struct resumption	 of = { instance };
	struct unitrecord	 r;
	int			 known;

	known = unitleave_has(instance);
	if (known && unitrecord_leave(instance, &r))
		begin(&r, 0);
	unitrecord_eachleaving(resume, &of);
	return known;
}

void
unitleave_drop(const struct service_conf *conf, const char *instance)
{
	(void)unitleave_withdraw(instance);
}

enum retaken
unitleave_retake(const char *unit)
{
	struct leave	*l = find(unit);
	enum retaken	 how;
	void		(*done)(void *) = NULL;
	void		*arg = NULL;

	if (l == NULL && !unitrecord_isleaving(unit))
		return RETAKEN_NOT;
	how = l != NULL && !l->anew && !l->blind &&
	    l->stop.state == CALL_WAITING ? RETAKEN_WHOLE : RETAKEN_STOPPING;
	if (l != NULL) {
		done = l->done;
		arg = l->arg;
		leave_free(l);
	}
	unitrecord_left(unit);
	/* It is another one's now. */
	if (done != NULL)
		done(arg);
	return how;
}

/* --- for others --------------------------------------------------------- */

int
unitleave_await(const char *instance, void (*done)(void *), void *arg)
{
	struct leave	*l;

	TAILQ_FOREACH(l, &leaves, entry)
		if (!l->down && strcmp(l->r.instance, instance) == 0) {
			l->done = done;
			l->arg = arg;
			return 1;
		}
	return 0;
}

int
unitleave_runs(const char *instance)
{
	const struct leave	*l;

	TAILQ_FOREACH(l, &leaves, entry)
		if (!l->down && strcmp(l->r.instance, instance) == 0)
			return 1;
	return 0;
}

int
unitleave_isstuck(const char *instance, char *text)
{
	const struct leave	*l;

	TAILQ_FOREACH(l, &leaves, entry)
		if (l->stuck && !l->down &&
		    strcmp(l->r.instance, instance) == 0) {
			describe(l, text);
			return 1;
		}
	return 0;
}

int
unitleave_isbusy(void)
{
	return !TAILQ_EMPTY(&leaves);
}

int
unitleave_has(const char *instance)
{
	struct unitrecord	 r;

	return unitrecord_read(instance, &r);
}

struct strays {
	void		(*fn)(void *, const char *);
	void		*arg;
};

static void
is_stray(void *arg, const char *instance)
{
	struct strays	*s = arg;

	if (instance_find(instance) == NULL)
		s->fn(s->arg, instance);
}

void
unitleave_strays(void (*fn)(void *, const char *), void *arg)
{
	struct strays	 s = { fn, arg };

	unitrecord_list(NULL, is_stray, &s);
}

static void
is_leaving(void *arg, const struct unitrecord *r)
{
	struct strays	*s = arg;

	if (r->instance[0] != '\0' && !unitrecord_hasunit(r->unit))
		s->fn(s->arg, r->instance);
}

static void
is_left(void *arg, const struct unitrecord *r)
{
	if (find(r->unit) == NULL)
		is_leaving(arg, r);
}

void
unitleave_goon(int dry, void (*fn)(void *, const char *), void *arg)
{
	struct resumption	 of = { NULL };
	struct strays		 s = { fn, arg };

	unitrecord_eachleaving(dry ? is_leaving : is_left, &s);
	if (dry)
		return;
	unitrecord_sweep();
	unitrecord_eachleaving(resume, &of);
}
