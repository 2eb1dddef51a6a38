/*
 * The output of units, for the answer to an update that failed: native
 * services and those of s6 write to us or to a file, units to the journal.
 *
 * It is read by journalctl(1), as a command with an end and a limit; what it
 * prints is anybody's, and is handled as any captured output is.  The journal
 * keeps it, so that there is no hurry: only which runs of the unit are asked
 * about is noted when it fails (its InvocationID, that systemd gives to
 * each); it is read when the old release is back.  So that it has nothing of
 * the old release in it, a run that was there before the start is not meant.
 *
 * journald may be behind: it is told to write what it has first.
 *
 * Of a unit that systemd starts again and again the first run and the last
 * that was seen are shown.
 */
#include <sys/types.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "instance.h"
#include "log.h"
#include "systemd.h"
#include "timer.h"
#include "unitlog.h"
#include "utf8.h"
#include "util.h"

#define PROGRAM		"journalctl"
#define LINES		"200"	/* of one unit, the last */
#define READ_MAX	8	/* units in one answer */
#define READ_MS		5000	/* for all of them: an answer waits */
#define SYNC_MS		2000	/* of that, for journald to catch up */
#define ID_LENGTH	32	/* of an InvocationID, in hex */

struct wanted_log {
	char	 instance[UPD_INSTANCE_SIZE];
	char	 unit[UNIT_NAME_SIZE];
	char	 run[2][UNITSTATE_WORD];
};

static struct reading {
	struct wanted_log	 log[READ_MAX];
	size_t			 n, at;
	size_t			 left_out;	/* more units than that */
	size_t			 share;		/* bytes for one */
	uint64_t		 end;		/* monotonic ms */
	int			 synced;	/* was asked to be */
	struct buf		 text;
	struct event		 ev;
	void			(*done)(void *, const char *);
	void			*arg;
} reading;

static void	 read_next(int, short, void *);

/* --- which runs ---------------------------------------------------------- */

static int
is_id(const char *s)
{
	return strlen(s) == ID_LENGTH &&
	    s[strspn(s, "0123456789abcdef")] == '\0';
}

void
unitlog_begin(struct unit *u)
{
	strlcpy(u->before, u->current, sizeof(u->before));
	u->first[0] = u->latest[0] = '\0';
}

void
unitlog_seen(struct unit *u, const struct unitstate *st)
{
	strlcpy(u->current, st->run, sizeof(u->current));
	if (!is_id(st->run) || strcmp(st->run, u->before) == 0)
		return;
	if (u->first[0] == '\0')
		strlcpy(u->first, st->run, sizeof(u->first));
	strlcpy(u->latest, st->run, sizeof(u->latest));
}

void
unitlog_mark(struct instance *i)
{
	struct unit	*u = i->priv;
	int		 well;

	if (u == NULL)
		return;
	well = i->state == SERVICE_UP && i->health.healthy == 1;
	strlcpy(u->failed[0], well ? "" : u->first, sizeof(u->failed[0]));
	strlcpy(u->failed[1], well ? "" : u->latest, sizeof(u->failed[1]));
}

/* --- reading -------------------------------------------------------------- */

static void
read_end(void)
{
	struct reading	*r = &reading;
	void		(*done)(void *, const char *) = r->done;
	struct buf	 text = r->text;

	if (r->left_out > 0)
		(void)buf_printf(&text, "[the journals of %zu more units are "
		    "not shown]\n", r->left_out);
	r->done = NULL;
	memset(&r->text, 0, sizeof(r->text));
	done(r->arg, text.data != NULL ? text.data : "");
	buf_free(&text);
}

static void
read_soon(void)
{
	timer_in(&reading.ev, 0);
}

static void
add_failure(const struct wanted_log *l, const char *why)
{
	(void)buf_printf(&reading.text, "[%s: the journal of %s cannot be "
	    "read: %s]\n", l->instance, l->unit, why);
}

static void
read_done(void *arg, const struct command_result *r)
{
	struct wanted_log	*l = &reading.log[reading.at++];
	const char		*out = r->output != NULL ? r->output : "";
	char			 why[UPD_TEXT_SIZE];
	size_t			 len = strlen(out);

	if (r->status != 0 || r->timed_out) {
		snprintf(why, sizeof(why), PROGRAM " %.200s%s%.*s", r->text,
		    len > 0 ? ": " : "", (int)strcspn(out, "\n"), out);
		utf8_mend(why);
		add_failure(l, why);
	} else if (len > 0)
		(void)buf_printf(&reading.text, "==> %s (journal of %s) <==\n"
		    "%s%s", l->instance, l->unit, out,
		    out[len - 1] == '\n' ? "" : "\n");
	read_soon();
}

/* Should it not work, then what comes next tells why. */
static void
sync_done(void *arg, const struct command_result *r)
{
	read_soon();
}

/* "written in that run", or "said by systemd of that run". */
static void
add_matches(struct args *a, const char *run)
{
	char	 match[sizeof("_SYSTEMD_INVOCATION_ID=") + ID_LENGTH];

	snprintf(match, sizeof(match), "_SYSTEMD_INVOCATION_ID=%s", run);
	args_add(a, match);
	args_add(a, "+");
	snprintf(match, sizeof(match), "INVOCATION_ID=%s", run);
	args_add(a, match);
}

static void
words(struct args *a, const struct wanted_log *l)
{
	static const char	*const first[] = { "-q", "-o", "cat", "-n",
				    LINES };
	size_t			 k;

	for (k = 0; k < sizeof(first) / sizeof(first[0]); k++)
		args_add(a, first[k]);
	add_matches(a, l->run[0]);
	if (strcmp(l->run[0], l->run[1]) != 0) {
		args_add(a, "+");
		add_matches(a, l->run[1]);
	}
}

/* Read that log; NULL: have journald write what it has.  0, or -1 with
 * errno. */
static int
start(const struct wanted_log *l, uint32_t ms)
{
	static char		*vars[] = { "LC_ALL=C", "SYSTEMD_COLORS=0",
				    NULL };
	const struct args	 environment = { vars, 2 };
	struct command_conf	 cc;
	struct args		 argv;
	int			 r = -1, saved;

	memset(&cc, 0, sizeof(cc));
	memset(&argv, 0, sizeof(argv));
	cc.environment = &environment;
	cc.timeout_ms = ms;
	cc.tail = reading.share;
	cc.argv = &argv;
	if ((cc.dirfd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC)) == -1)
		return -1;
	args_add(&argv, PROGRAM);
	args_add(&argv, "--no-pager");
	if (l != NULL)
		words(&argv, l);
	else
		args_add(&argv, "--sync");
	if (command_start(&cc, l != NULL ? read_done : sync_done, NULL) !=
	    NULL)
		r = 0;
	saved = errno;
	close(cc.dirfd);
	args_free(&argv);
	errno = saved;
	return r;
}

static void
read_next(int fd, short what, void *arg)
{
	struct reading	*r = &reading;
	uint64_t	 now = time_mono_ms();

	if (!r->synced) {
		r->synced = 1;
		if (start(NULL, SYNC_MS) == 0)
			return;
	}
	for (; r->at < r->n; r->at++) {
		if (now >= r->end)
			add_failure(&r->log[r->at], "there was no more time");
		else if (start(&r->log[r->at], (uint32_t)(r->end - now)) == 0)
			return;
		else
			add_failure(&r->log[r->at], strerror(errno));
	}
	read_end();
}

int
unitlog_read(struct agent *a, size_t max, void (*done)(void *, const char *),
    void *arg)
{
	struct reading	*r = &reading;
	struct unit	*u;
	struct wanted_log *l;

	if (r->done != NULL)
		return 0;
	r->n = r->at = r->left_out = 0;
	r->synced = 0;
	TAILQ_FOREACH(u, &all_units, entry) {
		if (u->i->agent != a || u->failed[0][0] == '\0')
			continue;
		if (r->n == READ_MAX) {
			r->left_out++;
			continue;
		}
		l = &r->log[r->n++];
		strlcpy(l->instance, u->i->name, sizeof(l->instance));
		strlcpy(l->unit, u->name, sizeof(l->unit));
		memcpy(l->run, u->failed, sizeof(l->run));
		u->failed[0][0] = '\0';
	}
	if (r->n == 0)
		return 0;
	r->share = max / r->n;
	r->end = time_mono_ms() + READ_MS;
	r->done = done;
	r->arg = arg;
	evtimer_set(&r->ev, read_next, NULL);
	read_soon();
	return 1;
}
