/*
 * What is seen of a unit, told to observe.c.
 *
 * The state always comes from `systemctl show`; when to look comes by
 * event, so that a service at rest costs nothing: the end of its main
 * process by a pidfd, its being started by somebody else by its control
 * group's appearance in its slice.  Only while something is on its way
 * (a start, a stop, systemd's own delay before a restart) it is looked at
 * again and again, ever less often.  So is, rarely, one without a main
 * process, of which no event comes.
 *
 * `show` says how things are; what happened since the last look is told
 * from it:
 *	another main process, same invocation: handed over, still the same
 *	another invocation, more restarts: it died, and systemd started it
 *	another invocation, restarts from 0: somebody stopped and started it
 *	inactive, left "active" before the process ended: it was stopped
 *	inactive, left it afterwards, or failed: it ended by itself
 */
#include <sys/types.h>
#include <sys/wait.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compat/cgwatch.h"
#include "instance.h"
#include "log.h"
#include "systemd.h"
#include "timer.h"
#include "util.h"

#define POLL_MIN	5	/* ms to the next look, at first */
#define POLL_MAX	1000	/* ms, and at last */
#define POLL_BLIND	2000	/* ms, when systemctl fails */
#define POLL_RARE	10000	/* ms, of one without a main process */
#define PATH_SIZE	1024	/* bytes of a slice's control group */

/* --- when to look ------------------------------------------------------ */

void
unitlook_now(struct unit *u)
{
	evtimer_del(&u->poll_ev);
	u->poll_ms = POLL_MIN;
	if (u->name[0] == '\0')
		timer_in(&u->poll_ev, 0);
	else
		systemctl_ask(&u->call[SYSTEMCTL_SHOW]);
}

static void	 tell_unknown(struct unit *, const char *);

static void
poll_timer(int fd, short what, void *arg)
{
	struct unit	*u = arg;

	if (u->name[0] == '\0')
		tell_unknown(u, "has no name that is fit for a unit");
	else
		systemctl_ask(&u->call[SYSTEMCTL_SHOW]);
}

/* It is on its way. */
void
unitlook_again(struct unit *u)
{
	timer_in(&u->poll_ev, u->poll_ms);
	u->poll_ms *= 2;
	if (u->poll_ms > POLL_MAX)
		u->poll_ms = POLL_MAX;
}

static void
main_exited(void *arg, pid_t pid, int status)
{
	struct unit	*u = arg;

	u->watch = NULL;
	u->gone = 1;
	u->status = status;
	unitlook_now(u);
}

static void
watch_main(struct unit *u, pid_t pid)
{
	if (u->pid == pid)
		return;
	pidwatch_del(u->watch);
	u->watch = NULL;
	u->pid = pid;
	u->status = -1;
	u->gone = 0;
	if (pid == 0 || (u->watch = pidwatch_add(pid, main_exited, u)) !=
	    NULL)
		return;
	if (errno == ESRCH)
		u->gone = 1;
	else {
		log_warn("watch pid %d of %s", (int)pid, u->i->name);
		timer_in(&u->poll_ev, POLL_RARE);
	}
}

/* --- slices ------------------------------------------------------------ */

struct slice {
	TAILQ_ENTRY(slice)	 entry;
	char			 name[UNIT_NAME_SIZE];
	unsigned int		 users;
	struct cgwatch		*watch;		/* NULL: cannot be */
};
static TAILQ_HEAD(, slice) slices = TAILQ_HEAD_INITIALIZER(slices);

/* A control group came.  systemd puts "_" before some names. */
static void
group_made(void *arg, const char *name)
{
	struct slice	*s = arg;
	struct unit	*u;

	TAILQ_FOREACH(u, &all_units, entry) {
		if (u->slice != s || u->watch != NULL)
			continue;
		if (name == NULL || strcmp(name, u->name) == 0 ||
		    (name[0] == '_' && strcmp(name + 1, u->name) == 0))
			unitlook_now(u);
	}
}

/* "a-b.slice" is /a.slice/a-b.slice.  0, or -1. */
static int
slice_path(const char *name, char *path, size_t size)
{
	const char	*p;
	size_t		 len = 0;
	int		 n;

	if (strcmp(name, "-.slice") == 0) {
		strlcpy(path, "/", size);
		return 0;
	}
	path[0] = '\0';
	for (p = name; (p = strchr(p, '-')) != NULL; p++) {
		n = snprintf(path + len, size - len, "/%.*s.slice",
		    (int)(p - name), name);
		if (n < 0 || (size_t)n >= size - len)
			return -1;
		len += (size_t)n;
	}
	n = snprintf(path + len, size - len, "/%s", name);
	return n < 0 || (size_t)n >= size - len ? -1 : 0;
}

static void
slice_leave(struct unit *u)
{
	struct slice	*s = u->slice;

	u->slice = NULL;
	if (s == NULL || --s->users > 0)
		return;
	cgwatch_del(s->watch);
	TAILQ_REMOVE(&slices, s, entry);
	free(s);
}

static void
slice_join(struct unit *u, const char *name)
{
	struct slice	*s;
	char		 path[PATH_SIZE];

	if (name[0] == '\0' || strchr(name, '/') != NULL ||
	    (u->slice != NULL && strcmp(u->slice->name, name) == 0))
		return;
	slice_leave(u);
	TAILQ_FOREACH(s, &slices, entry)
		if (strcmp(s->name, name) == 0)
			break;
	if (s == NULL) {
		if ((s = calloc(1, sizeof(*s))) == NULL)
			return;
		strlcpy(s->name, name, sizeof(s->name));
		if (slice_path(name, path, sizeof(path)) == 0)
			s->watch = cgwatch_add(path, group_made, s);
		if (s->watch == NULL)
			log_warn("watch control group of %s: a unit that "
			    "others start there is seen at `updaterctl "
			    "reconcile` only", name);
		TAILQ_INSERT_TAIL(&slices, s, entry);
	}
	s->users++;
	u->slice = s;
}

/* --- what to tell ------------------------------------------------------ */

/* The same moment is the same time whenever it is said. */
static int64_t
wall(struct unit *u, uint64_t mono)
{
	if (mono == 0)
		return 0;
	if (u->moment != mono) {
		u->moment = mono;
		u->moment_real = time_real_us() -
		    (int64_t)(time_mono_us() - mono);
	}
	return u->moment_real;
}

static void
sighting_init(struct sighting *s, enum wanted wanted, int64_t since)
{
	memset(s, 0, sizeof(*s));
	s->known = 1;
	s->wanted = wanted;
	s->since = since;
	s->status = -1;
}

static void
tell_unknown(struct unit *u, const char *why)
{
	struct sighting	 s;

	memset(&s, 0, sizeof(s));
	s.status = -1;
	strlcpy(s.text, why, sizeof(s.text));
	service_observed(u->i, &s);
}

void
unitlook_refused(struct unit *u, const char *why)
{
	struct sighting	 s;

	u->starting = 0;
	sighting_init(&s, WANTED_NOBODY, time_real_us());
	strlcpy(s.text, why, sizeof(s.text));
	service_observed(u->i, &s);
}

/* What `show` has forgotten its process may have told. */
static int
end_status(const struct unit *u, const struct unitstate *st)
{
	int	 status = unitstate_status(st);

	return status != -1 ? status : u->status;
}

/* What the exit codes of systemd's own mean, where it could not get as far
 * as the program (systemd.exec(5)). */
static const char *
setup_error(int status)
{
	static const struct {
		int		 code;
		const char	*text;
	} errors[] = {
		{ 200, "cannot enter its WorkingDirectory" },
		{ 203, "cannot execute its program" },
		{ 208, "cannot open its StandardInput" },
		{ 209, "cannot open its StandardOutput" },
		{ 216, "its Group does not exist" },
		{ 217, "its User does not exist" },
		{ 218, "cannot set its capabilities" },
		{ 226, "cannot set up its mount namespace" },
		{ 238, "cannot make its StateDirectory" },
	};
	size_t	 i;

	if (status == -1 || !WIFEXITED(status))
		return NULL;
	for (i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
		if (errors[i].code == WEXITSTATUS(status))
			return errors[i].text;
	return NULL;
}

/* Why it is down, where its end does not say it. */
static void
explain(struct unit *u, const struct unitstate *st, struct sighting *s)
{
	const char	*text = NULL;

	if (st->load != UNIT_LOADED && st->active == UNIT_INACTIVE)
		snprintf(s->text, sizeof(s->text), "unit %.100s %s", u->name,
		    st->load == UNIT_NOTFOUND ? "does not exist" :
		    st->load == UNIT_MASKED ? "is masked" :
		    "has errors: systemctl status");
	else if (st->active == UNIT_FAILED && st->begun < u->asked &&
	    u->starting)
		text = "could not be started";
	else if (u->starting && st->begun < u->asked)
		text = "was not started, maybe by a Condition";
	else if (st->active == UNIT_FAILED)
		text = setup_error(s->status);
	if (text != NULL)
		snprintf(s->text, sizeof(s->text), "%s (%s; systemctl status "
		    "%.60s)", text, st->result, u->name);
}

/* --- what happened ----------------------------------------------------- */

/* It is not there any more, and nothing is on its way. */
static void
tell_down(struct unit *u, const struct unitstate *st)
{
	struct instance	*i = u->i;
	struct sighting	 s;
	uint64_t	 when = st->ended > st->left ? st->ended : st->left;
	enum wanted	 wanted;

	/* What began since was ended by somebody else. */
	if (st->begun > u->told)
		u->ours = 0;
	u->ours |= u->stopping;
	if (u->ours)
		wanted = WANTED_DOWN;
	else if (u->starting || (when == 0 &&
	    (!i->in.running || strcmp(i->in.boot, boot_id()) != 0)))
		wanted = WANTED_NOBODY;		/* it never ran */
	else if (u->seen && u->last.active == UNIT_ACTIVATING &&
	    strcmp(u->last.sub, "auto-restart") == 0 &&
	    st->active != UNIT_FAILED)
		wanted = WANTED_DOWN;		/* while it had to wait */
	else
		wanted = unitstate_wasstopped(st) ? WANTED_DOWN :
		    WANTED_NOBODY;
	sighting_init(&s, wanted, wall(u, when));
	s.ours = u->ours;
	s.status = end_status(u, st);
	explain(u, st, &s);
	if (s.text[0] != '\0')
		s.since = time_real_us();
	u->starting = u->stopping = 0;
	evtimer_del(&u->grace_ev);
	service_observed(i, &s);
}

/* systemd starts it again by itself, after a while. */
static void
tell_returning(struct unit *u, const struct unitstate *st)
{
	struct sighting	 s;

	sighting_init(&s, WANTED_UP, wall(u, st->ended));
	s.status = end_status(u, st);
	if (setup_error(s.status) != NULL)
		snprintf(s.text, sizeof(s.text), "%s (systemctl status "
		    "%.60s)", setup_error(s.status), u->name);
	service_observed(u->i, &s);
}

/* Another process than before is its main one. */
static void
tell_change(struct unit *u, const struct unitstate *st)
{
	struct instance	*i = u->i;
	struct sighting	 s;

	if (strcmp(st->run, u->last.run) == 0) {
		if (st->pid == i->in.pid)
			return;
		log_info("follow %s: pid %d handed over to pid %d", i->name,
		    (int)i->in.pid, (int)st->pid);
		i->in.pid = st->pid;
		i->in.start_time = st->pid != 0 ? pid_starttime(st->pid) : 0;
		ledger_note(i);
		return;
	}
	sighting_init(&s, st->restarts > u->last.restarts ? WANTED_UP :
	    WANTED_DOWN, time_real_us());
	s.status = u->status;
	service_observed(i, &s);
}

/* The first look since the host came up, and systemd has started what was
 * wanted down: it is enabled there. */
static int
is_enabled(const struct unit *u)
{
	const struct intent	*in = &u->i->in;

	return !u->seen && !in->desired && in->boot[0] != '\0' &&
	    strcmp(in->boot, boot_id()) != 0;
}

static void
tell_up(struct unit *u, const struct unitstate *st)
{
	struct instance	*i = u->i;
	struct sighting	 s;

	if (u->seen && i->in.running && u->last.run[0] != '\0')
		tell_change(u, st);
	if (u->ended)
		return;
	watch_main(u, st->pid);
	if (u->gone) {
		unitlook_again(u);		/* systemd does not know yet */
		return;
	}
	u->starting = u->ours = 0;
	unit_told(u, 0);
	u->used = 1;
	sighting_init(&s, WANTED_UP, wall(u, st->begun));
	s.up = 1;
	s.pid = st->pid;
	s.ready = st->active == UNIT_ACTIVE || st->active == UNIT_RELOADING;
	if (is_enabled(u)) {
		log_notice("stop %s: wanted down before the host went down, "
		    "but started at boot; systemctl disable %s", i->name,
		    u->name);
		s.since = i->in.desired_at;	/* nobody's later wish */
	}
	service_observed(i, &s);
}

/* Nothing to be told but by the next look. */
static int
is_onitsway(struct unit *u, const struct unitstate *st)
{
	switch (st->active) {
	case UNIT_ACTIVE:
	case UNIT_RELOADING:
		/* Somebody else has put a start before our stop. */
		if (u->stopping && !st->job)
			systemctl_ask(&u->call[SYSTEMCTL_STOP]);
		/* Or our stop of before has to wait for another unit. */
		return u->stopping || (u->ours && st->job);
	case UNIT_ACTIVATING:
		return u->stopping || (st->pid == 0 &&
		    strcmp(st->sub, "auto-restart") != 0);
	case UNIT_DEACTIVATING:
		return 1;
	default:
		return st->job;
	}
}

static void
judge(struct unit *u, const struct unitstate *st)
{
	int	 returning = st->active == UNIT_ACTIVATING && st->pid == 0;

	slice_join(u, st->slice);
	unitlog_seen(u, st);
	if (is_onitsway(u, st)) {
		unitlook_again(u);
		return;
	}
	if (returning) {
		unitlook_again(u);
		tell_returning(u, st);
	} else if (st->active == UNIT_INACTIVE || st->active == UNIT_FAILED) {
		tell_down(u, st);
		if (!u->ended)		/* what is told may be its end */
			watch_main(u, 0);
	} else {
		/* A job, or not yet said that it is ready. */
		if (st->job || st->active == UNIT_ACTIVATING)
			unitlook_again(u);
		else if (st->pid == 0)
			timer_in(&u->poll_ev, POLL_RARE);
		tell_up(u, st);
	}
	u->last = *st;
	u->seen = 1;
}

void
unitlook_seen(void *arg, const struct unitstate *st, const char *error)
{
	struct unit	*u = arg;

	if (st == NULL) {
		if (!u->blind)
			log_warnx("look at unit %s: %s", u->name, error);
		u->blind = 1;
		timer_in(&u->poll_ev, POLL_BLIND);
		tell_unknown(u, error);
		return;
	}
	u->blind = 0;
	/* What was asked comes first, and then another look. */
	if (u->call[SYSTEMCTL_START].state != CALL_IDLE ||
	    u->call[SYSTEMCTL_STOP].state != CALL_IDLE)
		return;
	/* The host goes down: nobody's wish, no crash, not to be noted. */
	if (systemctl_isleaving() && !u->stopping) {
		timer_in(&u->poll_ev, POLL_BLIND);
		return;
	}
	judge(u, st);
}

void
unitlook_init(struct unit *u)
{
	u->status = -1;
	u->poll_ms = POLL_MIN;
	evtimer_set(&u->poll_ev, poll_timer, u);
}

void
unitlook_end(struct unit *u)
{
	evtimer_del(&u->poll_ev);
	pidwatch_del(u->watch);
	u->watch = NULL;
	slice_leave(u);
}
