/*
 * The queue before systemctl.
 *
 * There are two lanes, each with one command at a time: one for what
 * changes something, in the order it was asked, and one for `show`.  Until
 * a command begins, in the next turn of the loop or when the one before
 * has ended, requests gather: a thousand services are looked at, started
 * or stopped by a few commands, not by a thousand.
 *
 * Every `show` asks for shutdown.target too: a unit that is stopped while
 * that is on its way was stopped by the end of the host, not by somebody
 * who wants it stopped.  All its jobs are queued at once, so that there is
 * no moment between.
 *
 * systemctl finds systemd by its private socket, as root; neither D-Bus
 * nor any variable of ours comes into it.  A command has an end, even if
 * systemd hangs.
 */
#include <sys/types.h>

#include <errno.h>
#include <event.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "service.h"
#include "systemctl.h"
#include "timer.h"

#define PROGRAM		"systemctl"
#define UNITS_MAX	256	/* in one command */
#define TIMEOUT_MS	30000	/* for one command: systemd is stuck */
#define SHUTDOWN_UNIT	"shutdown.target"
#define OUTPUT_BYTES	65536	/* kept of what is not a `show` */

enum lane_kind {
	LANE_CHANGE,
	LANE_SHOW,
	LANE__MAX
};

static struct lane {
	int			 ready;		/* was set up */
	struct systemctl_calls	 waiting;
	struct systemctl_calls	 running;
	struct systemctl_calls	 telling;	/* its answer is there */
	struct command		*command;
	enum systemctl_verb	 verb;
	size_t			 n;		/* units of the command */
	struct event		 ev;		/* begin the next */
} lanes[LANE__MAX];
static int leaving;

static const struct {
	const char	*words[4];
} verbs[] = {
	[SYSTEMCTL_SHOW]   = { { "show", "-p", UNITSTATE_PROPERTIES } },
	[SYSTEMCTL_RELOAD] = { { "daemon-reload" } },
	[SYSTEMCTL_RESET]  = { { "reset-failed" } },
	[SYSTEMCTL_START]  = { { "start", "--no-block" } },
	[SYSTEMCTL_STOP]   = { { "stop", "--no-block" } },
	[SYSTEMCTL_KILL]   = { { "kill", "--signal=KILL" } },
};
_Static_assert(sizeof(verbs) / sizeof(verbs[0]) == SYSTEMCTL__MAX,
    "words for each");

static void	 lane_begin(int, short, void *);

static struct lane *
lane_of(enum systemctl_verb verb)
{
	struct lane	*l;

	l = &lanes[verb == SYSTEMCTL_SHOW ? LANE_SHOW : LANE_CHANGE];
	if (!l->ready) {
		TAILQ_INIT(&l->waiting);
		TAILQ_INIT(&l->running);
		TAILQ_INIT(&l->telling);
		evtimer_set(&l->ev, lane_begin, l);
		l->ready = 1;
	}
	return l;
}

static void
put(struct systemctl_call *c, struct systemctl_calls *list)
{
	if (c->list != NULL)
		TAILQ_REMOVE(c->list, c, entry);
	c->list = list;
	if (list != NULL)
		TAILQ_INSERT_TAIL(list, c, entry);
}

/* From the loop, so that what is asked in this turn goes together. */
static void
lane_poke(struct lane *l)
{
	if (l->command == NULL && !TAILQ_EMPTY(&l->waiting) &&
	    !evtimer_pending(&l->ev, NULL))
		timer_in(&l->ev, 0);
}

/* --- which go together ------------------------------------------------ */

/* 1 if something was asked before that must be done before. */
static int
must_wait(const struct lane *l, const struct systemctl_call *c)
{
	const struct systemctl_call	*o;

	TAILQ_FOREACH(o, &l->waiting, entry) {
		if (o == c)
			return 0;
		if (o->verb == SYSTEMCTL_RELOAD || strcmp(o->unit,
		    c->unit) == 0)
			return 1;
	}
	return 0;
}

/* Take what can go with the first of those that wait. */
static void
gather(struct lane *l)
{
	struct systemctl_call	*c, *next;

	l->n = 0;
	l->verb = TAILQ_FIRST(&l->waiting)->verb;
	TAILQ_FOREACH_SAFE(c, &l->waiting, entry, next) {
		if (l->n == UNITS_MAX)
			break;
		if (c->verb != l->verb || (l->verb != SYSTEMCTL_RELOAD &&
		    l->verb != SYSTEMCTL_SHOW && must_wait(l, c)))
			continue;
		put(c, &l->running);
		c->state = CALL_RUNNING;
		c->place = l->n++;
	}
}

/* --- answers ---------------------------------------------------------- */

static void
tell(struct systemctl_call *c, const struct unitstate *u, const char *error)
{
	put(c, NULL);
	c->state = CALL_IDLE;
	c->done(c->arg, u, error);
}

/* Whoever is told may ask again, or drop others. */
static void
tell_all(struct lane *l, const char *error)
{
	struct systemctl_call	*c;

	while ((c = TAILQ_FIRST(&l->telling)) != NULL)
		tell(c, NULL, error);
}

/* 1 if the line has that unit in it, and not one whose name ends so. */
static int
names_unit(const char *line, const char *unit)
{
	const char	*at;

	for (at = line; (at = strstr(at, unit)) != NULL; at++)
		if (at == line || strchr(" '\"\t", at[-1]) != NULL)
			return 1;
	return 0;
}

/* The first line of the output about that unit ("": about whatever).  1, or
 * 0: there is none. */
static int
line_about(const char *output, const char *unit, char *line)
{
	const char	*p;
	size_t		 len;

	for (p = output; *p != '\0'; p += len + (p[len] == '\n')) {
		len = strcspn(p, "\n");
		snprintf(line, UPD_TEXT_SIZE, "%.*s", (int)len, p);
		if (unit[0] == '\0' || names_unit(line, unit))
			return 1;
	}
	return 0;
}

/*
 * A command of several units failed: which of them it was is in the output;
 * if none is named there it was all of them.
 */
static void
tell_failure(struct lane *l, const struct command_result *r)
{
	struct systemctl_call	*c;
	char			 line[UPD_TEXT_SIZE], text[UPD_TEXT_SIZE];
	const char		*output = r->output != NULL ? r->output : "";
	int			 named = 0;

	TAILQ_FOREACH(c, &l->telling, entry)
		named |= c->unit[0] != '\0' &&
		    line_about(output, c->unit, line);
	while ((c = TAILQ_FIRST(&l->telling)) != NULL) {
		if (line_about(output, named ? c->unit : "", line))
			snprintf(text, sizeof(text), "systemctl %s: %.480s",
			    verbs[l->verb].words[0], line);
		else if (named)
			text[0] = '\0';
		else
			snprintf(text, sizeof(text), "systemctl %s: %.480s",
			    verbs[l->verb].words[0], r->text);
		tell(c, NULL, text);
	}
}

/* The records come in the order of the units, shutdown.target first. */
static void
tell_states(struct lane *l, char *output)
{
	struct systemctl_call	*c;
	struct unitstate	 u;
	char			 why[UNITSTATE_WHY] = "";
	size_t			 place;
	int			 r;

	if ((r = unitstate_next(&output, &u, why)) == 1 &&
	    strcmp(u.id, SHUTDOWN_UNIT) == 0)
		leaving = u.job || u.active == UNIT_ACTIVE ||
		    u.active == UNIT_ACTIVATING;
	else if (r == 1) {
		snprintf(why, sizeof(why), "systemctl speaks of \"%.100s\"",
		    u.id);
		r = -1;
	}
	for (place = 0; r == 1 && place < l->n; place++) {
		if ((r = unitstate_next(&output, &u, why)) != 1)
			break;
		/* Else it was dropped meanwhile. */
		c = TAILQ_FIRST(&l->telling);
		if (c != NULL && c->place == place)
			tell(c, &u, "");
	}
	tell_all(l, why[0] != '\0' ? why : "systemctl says nothing of it");
}

static void
lane_done(void *arg, const struct command_result *r)
{
	struct lane		*l = arg;
	struct systemctl_call	*c;

	l->command = NULL;
	while ((c = TAILQ_FIRST(&l->running)) != NULL)
		put(c, &l->telling);
	if (r->status != 0 || r->timed_out)
		tell_failure(l, r);
	else if (l->verb == SYSTEMCTL_SHOW)
		tell_states(l, r->output);
	else
		tell_all(l, "");
	lane_poke(l);
}

/* --- the command ------------------------------------------------------ */

static void
words(struct args *a, const struct lane *l)
{
	const struct systemctl_call	*c;
	size_t				 i;

	memset(a, 0, sizeof(*a));
	args_add(a, PROGRAM);
	args_add(a, "--no-ask-password");
	args_add(a, "--no-pager");
	for (i = 0; i < 4 && verbs[l->verb].words[i] != NULL; i++)
		args_add(a, verbs[l->verb].words[i]);
	if (l->verb == SYSTEMCTL_RELOAD)
		return;
	args_add(a, "--");
	if (l->verb == SYSTEMCTL_SHOW)
		args_add(a, SHUTDOWN_UNIT);
	TAILQ_FOREACH(c, &l->running, entry)
		args_add(a, c->unit);
}

static void
lane_begin(int fd, short what, void *arg)
{
	static char	*vars[] = { "LC_ALL=C", "SYSTEMD_COLORS=0", NULL };
	const struct args environment = { vars, 2 };
	struct lane		*l = arg;
	struct systemctl_call	*c;
	struct command_conf	 cc;
	struct args		 argv;
	char			 text[UPD_TEXT_SIZE];

	if (l->command != NULL || TAILQ_EMPTY(&l->waiting))
		return;
	gather(l);
	words(&argv, l);
	memset(&cc, 0, sizeof(cc));
	cc.argv = &argv;
	cc.environment = &environment;
	cc.timeout_ms = TIMEOUT_MS;
	cc.tail = l->verb == SYSTEMCTL_SHOW ?
	    (l->n + 1) * UNITSTATE_BYTES : OUTPUT_BYTES;
	if ((cc.dirfd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC)) != -1)
		l->command = command_start(&cc, lane_done, l);
	if (l->command == NULL) {
		snprintf(text, sizeof(text), "cannot start " PROGRAM ": %s",
		    strerror(errno));
		while ((c = TAILQ_FIRST(&l->running)) != NULL)
			put(c, &l->telling);
		tell_all(l, text);
		lane_poke(l);
	}
	if (cc.dirfd != -1)
		close(cc.dirfd);
	args_free(&argv);
}

/* --- for others ------------------------------------------------------- */

void
systemctl_init(struct systemctl_call *c, enum systemctl_verb verb,
    const char *unit, void (*done)(void *, const struct unitstate *,
    const char *), void *arg)
{
	memset(c, 0, sizeof(*c));
	c->verb = verb;
	c->unit = unit;
	c->done = done;
	c->arg = arg;
}

void
systemctl_ask(struct systemctl_call *c)
{
	struct lane	*l = lane_of(c->verb);

	if (c->state == CALL_WAITING)
		return;
	put(c, &l->waiting);
	c->state = CALL_WAITING;
	lane_poke(l);
}

void
systemctl_drop(struct systemctl_call *c)
{
	put(c, NULL);
	c->state = CALL_IDLE;
}

int
systemctl_isleaving(void)
{
	return leaving;
}
