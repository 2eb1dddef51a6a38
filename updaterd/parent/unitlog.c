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
 * journald may be behind: it is told to write what it has first.  And of who
 * wrote it asks the kernel only when it reads: what has ended by then is in
 * no run, or in the next one.  The process is right even so, which the kernel
 * sends along, and the unit, which systemd told it; hence both are asked for.
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
	char		 instance[UPD_INSTANCE_SIZE];
	char		 unit[UNIT_NAME_SIZE];
	struct unitrun	 run[2];
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
unitlog_forget(struct unit *u)
{
	memset(&u->current, 0, sizeof(u->current));
	memset(&u->before, 0, sizeof(u->before));
	memset(&u->first, 0, sizeof(u->first));
	memset(&u->latest, 0, sizeof(u->latest));
	memset(u->failed, 0, sizeof(u->failed));
}

void
unitlog_begin(struct unit *u)
{
	u->before = u->current;
	memset(&u->first, 0, sizeof(u->first));
	memset(&u->latest, 0, sizeof(u->latest));
}

/* It is not known at once, and that of the last run is said until then. */
static void
take_pid(struct unitrun *r, const struct unit *u, const struct unitstate *st)
{
	if (strcmp(r->id, st->run) == 0 && st->mainpid != 0 &&
	    st->begun >= u->asked)
		r->pid = st->mainpid;
}

void
unitlog_seen(struct unit *u, const struct unitstate *st)
{
	strlcpy(u->current.id, st->run, sizeof(u->current.id));
	if (!is_id(st->run) || strcmp(st->run, u->before.id) == 0)
		return;
	if (strcmp(u->latest.id, st->run) != 0) {
		strlcpy(u->latest.id, st->run, sizeof(u->latest.id));
		u->latest.pid = 0;
		if (u->first.id[0] == '\0')
			u->first = u->latest;
	}
	take_pid(&u->first, u, st);
	take_pid(&u->latest, u, st);
}

void
unitlog_mark(struct instance *i)
{
	struct unit	*u = i->priv;

	if (u == NULL)
		return;
	memset(u->failed, 0, sizeof(u->failed));
	if (i->state == SERVICE_UP && i->health.healthy == 1)
		return;
	u->failed[0] = u->first;
	u->failed[1] = u->latest;
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

static void
add_match(struct args *a, const char *field, const char *value)
{
	char	 match[32 + UNIT_NAME_SIZE];

	snprintf(match, sizeof(match), "%s=%s", field, value);
	args_add(a, match);
}

/* "written in that run", or "said by systemd of that run", or "written by
 * its main process". */
static void
add_matches(struct args *a, const char *unit, const struct unitrun *run)
{
	char	 pid[16];

	add_match(a, "_SYSTEMD_INVOCATION_ID", run->id);
	args_add(a, "+");
	add_match(a, "INVOCATION_ID", run->id);
	if (run->pid == 0)
		return;
	snprintf(pid, sizeof(pid), "%d", (int)run->pid);
	args_add(a, "+");
	add_match(a, "_SYSTEMD_UNIT", unit);
	add_match(a, "_PID", pid);
}

static void
words(struct args *a, const struct wanted_log *l)
{
	/* Of this boot: a number of a process means nothing in another. */
	static const char	*const first[] = { "-q", "-b", "-o", "cat",
				    "-n", LINES };
	size_t			 k;

	for (k = 0; k < sizeof(first) / sizeof(first[0]); k++)
		args_add(a, first[k]);
	add_matches(a, l->unit, &l->run[0]);
	if (strcmp(l->run[0].id, l->run[1].id) != 0) {
		args_add(a, "+");
		add_matches(a, l->unit, &l->run[1]);
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
		if (u->i->agent != a || u->failed[0].id[0] == '\0')
			continue;
		if (r->n == READ_MAX) {
			r->left_out++;
			continue;
		}
		l = &r->log[r->n++];
		strlcpy(l->instance, u->i->name, sizeof(l->instance));
		strlcpy(l->unit, u->name, sizeof(l->unit));
		memcpy(l->run, u->failed, sizeof(l->run));
		u->failed[0].id[0] = '\0';
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
