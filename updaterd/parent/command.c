/*
 * One command from start to end: an install step, a health check.
 *
 * It runs in a session and a box of its own.  Its end is: the leader has
 * been collected, all it left behind has been killed, and the box is
 * empty; only then is the caller told.  What a timeout or command_cancel()
 * kills comes to the same end, a cancelled one in silence.  No descendant
 * can hold this up by keeping the output pipe open: the pipe is read until
 * the box is empty, not until its end.  One that is run to leave something
 * behind has no box, and ends with its leader.
 */
#include <sys/types.h>
#include <sys/queue.h>

#include <errno.h>
#include <event.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "contain.h"
#include "launch.h"
#include "log.h"
#include "reap.h"
#include "service.h"
#include "timer.h"
#include "utf8.h"
#include "util.h"

#define READ_SIZE	16384	/* bytes a turn */
#define LAST_READ	1048576	/* bytes taken at the end, at most */
#define UNKILLABLE_MS	30000	/* after KILL: go on without them */
#define COMMAND_UMASK	022

struct command {
	TAILQ_ENTRY(command) entry;
	int		 number;	/* of its box */
	struct contain	 box;
	pid_t		 pid;		/* 0: collected, or never started */
	char		*name;		/* as written */
	int		 errfd;		/* of launch_start(), or -1 */
	int		 out;		/* read end, or -1 */
	struct event	 out_ev;
	struct event	 timeout_ev;
	struct event	 end_ev;	/* waiting for the box to be empty */
	uint32_t	 timeout_ms;
	uint32_t	 poll_ms;
	uint64_t	 killed_at;	/* monotonic ms */
	struct buf	 head;
	size_t		 head_max;	/* bytes */
	struct tail	 tail;
	int		 cancelled;
	struct command_result result;
	void		(*done)(void *, const struct command_result *);
	void		*arg;
};
static TAILQ_HEAD(, command) commands = TAILQ_HEAD_INITIALIZER(commands);

static void	 command_end(int, short, void *);

static void
command_free(struct command *c)
{
	evtimer_del(&c->timeout_ev);
	evtimer_del(&c->end_ev);
	if (c->out != -1) {
		event_del(&c->out_ev);
		close(c->out);
	}
	if (c->errfd != -1)
		close(c->errfd);
	contain_close(&c->box);
	TAILQ_REMOVE(&commands, c, entry);
	buf_free(&c->head);
	tail_free(&c->tail);
	free(c->result.output);
	free(c->name);
	free(c);
}

/* --- output ---------------------------------------------------------- */

/* Bytes taken, 0: nothing there, or the end. */
static size_t
take(struct command *c)
{
	char	 data[READ_SIZE];
	size_t	 n, first;
	ssize_t	 r;

	if (c->out == -1)
		return 0;
	r = read(c->out, data, sizeof(data));
	if (r == 0) {
		event_del(&c->out_ev);
		close(c->out);
		c->out = -1;
	}
	if (r <= 0)
		return 0;
	n = (size_t)r;
	first = c->head_max - c->head.len;
	if (first > n)
		first = n;
	if (buf_add(&c->head, data, first) == -1)
		first = 0;
	tail_add(&c->tail, data + first, n - first);
	return n;
}

static void
command_read(int fd, short what, void *arg)
{
	(void)take(arg);
}

/* Head and tail as one text; malloced, or NULL. */
static char *
output_text(struct command *c)
{
	struct buf	 b;
	char		*last;
	size_t		 len;
	int		 bad;

	memset(&b, 0, sizeof(b));
	if ((last = tail_get(&c->tail, &len)) == NULL)
		return NULL;
	if (c->tail.total <= len) {	/* nothing was left out */
		bad = buf_add(&c->head, last, len) == -1 ||
		    utf8_clean(&b, c->head.data, c->head.len) == -1;
	} else {
		bad = utf8_clean(&b, c->head.data, c->head.len) == -1 ||
		    buf_printf(&b, "\n[... %llu bytes left out ...]\n",
		    (unsigned long long)(c->tail.total - len)) == -1 ||
		    utf8_clean(&b, last, len) == -1;
	}
	free(last);
	if (bad || buf_add(&b, "", 0) == -1) {
		buf_free(&b);
		return NULL;
	}
	return b.data;
}

/* --- the end --------------------------------------------------------- */

static void
command_finish(struct command *c)
{
	size_t	 n, sum = 0;

	evtimer_del(&c->timeout_ev);
	if (!c->cancelled) {
		while (sum < LAST_READ && (n = take(c)) > 0)
			sum += n;
		c->result.output = output_text(c);
		if (c->result.output == NULL)
			c->result.output = strdup("");
		/* It may start another one, or cancel; not this one. */
		c->cancelled = 1;
		c->done(c->arg, &c->result);
	}
	command_free(c);
}

/* The leader is gone: wait for the rest. */
static void
command_end(int fd, short what, void *arg)
{
	struct command	*c = arg;

	if (c->pid == 0 && !contain_empty(&c->box)) {
		if (time_mono_ms() - c->killed_at < UNKILLABLE_MS) {
			contain_kill(&c->box);
			timer_in(&c->end_ev, c->poll_ms);
			c->poll_ms *= 2;
			if (c->poll_ms > CONTAIN_POLL_MAX)
				c->poll_ms = CONTAIN_POLL_MAX;
			return;
		}
		log_warnx("leave processes of %s that survive KILL: ps -eo "
		    "pid,stat,wchan,args says what they wait for",
		    c->name);
	}
	command_finish(c);
}

static void
command_exited(void *arg, pid_t pid, int status)
{
	struct command	*c = arg;
	char		 text[UPD_TEXT_SIZE];

	c->pid = 0;
	c->result.status = status;
	if (launch_error(c->errfd, c->name, text) == 1) {
		c->result.status = -1;
		strlcpy(c->result.text, text, sizeof(c->result.text));
	} else if (c->result.timed_out)
		snprintf(c->result.text, sizeof(c->result.text),
		    c->timeout_ms % 1000 == 0 ? "timed out after %u s" :
		    "timed out after %u ms", c->timeout_ms % 1000 == 0 ?
		    c->timeout_ms / 1000 : c->timeout_ms);
	else
		launch_exittext(status, c->result.text,
		    sizeof(c->result.text));
	c->killed_at = time_mono_ms();
	contain_kill(&c->box);
	command_end(-1, 0, c);
}

static void
command_timeout(int fd, short what, void *arg)
{
	struct command	*c = arg;

	c->result.timed_out = 1;
	contain_kill(&c->box);
	/* A child that is not yet at its setsid(2) has no group. */
	if (c->pid > 1)
		contain_signal(&c->box, c->pid, 0, SIGKILL);
}

void
command_cancel(struct command *c)
{
	/* An old callback's handle, or one that is just being told. */
	if (c == NULL || c->cancelled)
		return;
	c->cancelled = 1;
	if (c->pid > 1) {
		contain_kill(&c->box);
		contain_signal(&c->box, c->pid, 0, SIGKILL);
	} else if (!evtimer_pending(&c->end_ev, NULL))
		timer_in(&c->end_ev, 0);
}

/* --- the start ------------------------------------------------------- */

static int
free_number(void)
{
	struct command	*c;
	int		 n = 0;

 again:
	TAILQ_FOREACH(c, &commands, entry)
		if (c->number == n) {
			n++;
			goto again;
		}
	return n;
}

static int
command_identity(struct identity *id, const struct command_conf *conf,
    char *text)
{
	if (conf->user != NULL)
		return identity_lookup(id, conf->user, NULL, NULL, text);
	if (conf->uid == 0) {
		identity_ours(id);
		return 0;
	}
	if (identity_ids(id, conf->uid, conf->gid) == -1) {
		strlcpy(text, "out of memory", UPD_TEXT_SIZE);
		return -1;
	}
	return 0;
}

/* Open the pipe and start it.  0, or -1 with text. */
static int
command_run(struct command *c, const struct command_conf *conf, char *text)
{
	char		 mark[CONTAIN_MARK_SIZE];
	const char	*own[] = { c->box.open ? NULL : mark, NULL };
	struct identity	 id;
	struct launch	 l;
	int		 p[2] = { -1, -1 }, r = -1;

	memset(&l, 0, sizeof(l));
	contain_mark(&c->box, mark);
	if (command_identity(&id, conf, text) == -1)
		goto done;
	if (pipe2(p, O_CLOEXEC) == -1 || fd_nonblock(p[0]) == -1 ||
	    (l.env = environ_make(&id, conf->environment, own)) == NULL) {
		snprintf(text, UPD_TEXT_SIZE, "cannot start %s: %s", c->name,
		    strerror(errno));
		goto done;
	}
	l.argv = conf->argv;
	l.id = &id;
	l.dirfd = conf->dirfd;
	l.umask = COMMAND_UMASK;
	l.out = p[1];
	l.notify = -1;
	l.box = &c->box;
	if ((c->pid = launch_start(&l, &c->errfd, text)) == -1) {
		c->pid = 0;
		goto done;
	}
	c->out = p[0];
	p[0] = -1;
	event_set(&c->out_ev, c->out, EV_READ | EV_PERSIST, command_read, c);
	if (reap_add(c->pid, command_exited, c) == -1) {
		contain_kill(&c->box);
		contain_signal(&c->box, c->pid, 0, SIGKILL);
		c->pid = 0;
		strlcpy(text, "out of memory", UPD_TEXT_SIZE);
		goto done;
	}
	if (event_add(&c->out_ev, NULL) == -1)
		log_warnx("read output of %s: out of memory", c->name);
	r = 0;
 done:
	if (p[0] != -1)
		close(p[0]);
	if (p[1] != -1)
		close(p[1]);
	environ_free(l.env);
	identity_free(&id);
	return r;
}

struct command *
command_start(const struct command_conf *conf,
    void (*done)(void *, const struct command_result *), void *arg)
{
	struct command	*c;

	if (conf->argv == NULL || conf->argv->n == 0) {
		errno = EINVAL;
		return NULL;
	}
	if ((c = calloc(1, sizeof(*c))) == NULL)
		return NULL;
	c->out = c->errfd = -1;
	c->done = done;
	c->arg = arg;
	c->poll_ms = CONTAIN_POLL_MIN;
	c->timeout_ms = conf->timeout_ms;
	c->head_max = conf->tail / 2;
	c->result.status = -1;
	evtimer_set(&c->timeout_ev, command_timeout, c);
	evtimer_set(&c->end_ev, command_end, c);
	if ((c->name = strdup(conf->argv->v[0])) == NULL ||
	    tail_init(&c->tail, conf->tail - c->head_max) == -1) {
		free(c->name);
		free(c);
		errno = ENOMEM;
		return NULL;
	}
	c->number = free_number();
	TAILQ_INSERT_TAIL(&commands, c, entry);
	contain_initcommand(&c->box, c->number);
	c->box.open = conf->leaves;
	/* The end is never told from within this call. */
	if (command_run(c, conf, c->result.text) == -1)
		timer_in(&c->end_ev, 0);
	else if (conf->timeout_ms > 0)
		timer_in(&c->timeout_ev, conf->timeout_ms);
	return c;
}
