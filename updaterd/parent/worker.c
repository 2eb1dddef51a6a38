/*
 * Inflate and unpack as the parent sees them.  Two things end a worker:
 * its exit and the end of its channel, in either order; only when both
 * have happened is what it said complete.
 */
#include <sys/types.h>
#include <sys/wait.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "imsgev.h"
#include "log.h"
#include "parent.h"
#include "proto.h"
#include "reap.h"
#include "utf8.h"
#include "util.h"
#include "worker.h"

static int	 got_ready(void *, struct imsg *);
static int	 got_inflate(void *, struct imsg *);
static int	 got_progress(void *, struct imsg *);
static int	 got_unpack(void *, struct imsg *);
static int	 got_fail(void *, struct imsg *);
static int	 got_diff(void *, struct imsg *);
static int	 got_fault(void *, struct imsg *);

enum worker_state {
	WORKER_WORKING = 0x1,	/* may say READY, DONE or FAIL */
	WORKER_SPOKEN = 0x2	/* has said DONE or FAIL: nothing may follow */
};

static const struct imsg_rule rules[] = {
	{ IMSG_READY, PROC_INFLATE, sizeof(struct msg_ready), 0, 0,
	    WORKER_WORKING, got_ready },
	{ IMSG_READY, PROC_UNPACK, sizeof(struct msg_ready), 0, 0,
	    WORKER_WORKING, got_ready },
	{ IMSG_INFLATE_PROGRESS, PROC_INFLATE,
	    sizeof(struct msg_inflate_progress), 0, 0, WORKER_WORKING,
	    got_progress },
	{ IMSG_INFLATE_DONE, PROC_INFLATE, sizeof(struct msg_inflate_done),
	    0, 0, WORKER_WORKING, got_inflate },
	{ IMSG_INFLATE_FAIL, PROC_INFLATE, sizeof(struct msg_fail), 0, 0,
	    WORKER_WORKING, got_fail },
	{ IMSG_UNPACK_DONE, PROC_UNPACK, sizeof(struct msg_unpack_done),
	    0, 0, WORKER_WORKING, got_unpack },
	{ IMSG_UNPACK_FAIL, PROC_UNPACK, sizeof(struct msg_fail), 0, 0,
	    WORKER_WORKING, got_fail },
	{ IMSG_UNPACK_DIFF, PROC_UNPACK, sizeof(struct msg_unpack_diff),
	    0, 0, WORKER_WORKING, got_diff },
	{ IMSG_UNPACK_FAULT, PROC_UNPACK, sizeof(struct msg_unpack_fault),
	    0, 0, WORKER_WORKING, got_fault }
};

static int
got_ready(void *arg, struct imsg *imsg)
{
	struct worker	*w = arg;
	struct procinfo	*info = &env->proc[w->type];

	/* Once, before it has read a byte from outside. */
	if (w->ready ||
	    imsg_get_data(imsg, &info->ready, sizeof(info->ready)) == -1)
		return -1;
	w->ready = info->seen = 1;
	return 0;
}

static int
got_inflate(void *arg, struct imsg *imsg)
{
	struct worker	*w = arg;

	if (imsg_get_data(imsg, &w->inflate, sizeof(w->inflate)) == -1 ||
	    w->inflate.format >= FORMAT__MAX)
		return -1;
	w->done = 1;
	return 0;
}

static int
got_progress(void *arg, struct imsg *imsg)
{
	struct worker			*w = arg;
	struct msg_inflate_progress	 m;

	if (imsg_get_data(imsg, &m, sizeof(m)) == -1)
		return -1;
	if (w->on_progress != NULL)
		w->on_progress(w->arg, &m);
	return 0;
}

static int
got_unpack(void *arg, struct imsg *imsg)
{
	struct worker	*w = arg;

	if (imsg_get_data(imsg, &w->unpack, sizeof(w->unpack)) == -1)
		return -1;
	w->done = 1;
	return 0;
}

static int
got_fail(void *arg, struct imsg *imsg)
{
	struct worker	*w = arg;
	struct msg_fail	 m;

	if (imsg_get_data(imsg, &m, sizeof(m)) == -1 ||
	    m.error == UPD_OK || m.error >= UPD_E__MAX ||
	    !PROTO_STR(m.text) || !PROTO_STR(m.path))
		return -1;
	utf8_mend(m.text);
	utf8_mend(m.path);
	w->fail = m;
	w->failed = 1;
	if (w->on_fail != NULL)
		w->on_fail(w->arg);
	return 0;
}

static int
got_diff(void *arg, struct imsg *imsg)
{
	struct worker		*w = arg;
	struct msg_unpack_diff	 m;

	if (imsg_get_data(imsg, &m, sizeof(m)) == -1 ||
	    m.kind >= DIFF__MAX || !PROTO_STR(m.path) || w->on_diff == NULL)
		return -1;
	utf8_mend(m.path);
	w->on_diff(w->arg, &m);
	return 0;
}

static int
got_fault(void *arg, struct imsg *imsg)
{
	struct worker		*w = arg;
	struct msg_unpack_fault	 m;

	if (imsg_get_data(imsg, &m, sizeof(m)) == -1 ||
	    m.kind >= FAULT__MAX || !PROTO_STR(m.path) ||
	    !PROTO_STR(m.text) || w->on_fault == NULL)
		return -1;
	utf8_mend(m.path);
	utf8_mend(m.text);
	w->on_fault(w->arg, &m);
	return 0;
}

/* It ended without having said why. */
static void
worker_died(struct worker *w, const char *how)
{
	if (w->failed)
		return;
	memset(&w->fail, 0, sizeof(w->fail));
	w->fail.error = UPD_ECHILD;
	snprintf(w->fail.text, sizeof(w->fail.text), "%s %s",
	    proc_name(w->type), how);
	w->failed = 1;
	if (w->on_fail != NULL)
		w->on_fail(w->arg);
}

static void
worker_through(struct worker *w)
{
	char	 how[64];

	if (!w->running || !w->exited || w->proc.iev.open)
		return;
	w->running = 0;
	w->proc.pid = 0;
	env->proc[w->type].pid = 0;
	if (WIFSIGNALED(w->status)) {
		snprintf(how, sizeof(how), "was killed by signal %d",
		    WTERMSIG(w->status));
		w->done = 0;
		worker_died(w, how);
	} else if (WEXITSTATUS(w->status) != 0 || !w->done) {
		snprintf(how, sizeof(how), "exited %d without a word",
		    WEXITSTATUS(w->status));
		w->done = 0;
		worker_died(w, how);
	}
	w->on_gone(w->arg);
}

static void
worker_exited(void *arg, pid_t pid, int status)
{
	struct worker	*w = arg;

	w->exited = 1;
	w->status = status;
	worker_through(w);
}

static int
worker_recv(struct imsgev *iev, struct imsg *imsg, void *arg)
{
	struct worker		*w = arg;
	const struct imsg_rule	*rule;
	const char		*why;

	rule = proto_check(rules, sizeof(rules) / sizeof(rules[0]), w->type,
	    w->done || w->failed ? WORKER_SPOKEN : WORKER_WORKING, imsg, &why);
	if (rule == NULL) {
		log_warnx("refuse %s from %s: %s",
		    imsg_name(imsg_get_type(imsg)), proc_name(w->type), why);
		return -1;
	}
	if (rule->handler(w, imsg) == -1) {
		log_warnx("refuse %s from %s: its content is not valid",
		    imsg_name(imsg_get_type(imsg)), proc_name(w->type));
		return -1;
	}
	return 0;
}

static void
worker_dead(struct imsgev *iev, int broken, void *arg)
{
	struct worker	*w = arg;

	if (broken) {
		w->done = 0;
		worker_died(w, "broke its protocol");
		worker_kill(w);
	}
	worker_through(w);
}

static int
worker_start(struct worker *w, enum proc_type type)
{
	struct procinfo		*info = &env->proc[type];
	struct proc_args	 args;

	w->type = type;
	w->running = w->exited = w->ready = w->done = w->failed = 0;
	memset(&w->fail, 0, sizeof(w->fail));
	children_procargs(type, &args);
	if (proc_start(&w->proc, type, &args, worker_recv, worker_dead,
	    w) == -1)
		return -1;
	if (reap_add(w->proc.pid, worker_exited, w) == -1) {
		log_warn("watch %s", proc_name(type));
		proc_kill(&w->proc);
		return -1;
	}
	w->running = 1;
	info->pid = w->proc.pid;
	info->since = time_real_us();
	return 0;
}

int
worker_inflate(struct worker *w, const struct msg_inflate_start *m,
    const struct msg_inflate_key *keys, int in, int out)
{
	uint32_t	 i;
	int		 r;

	if (worker_start(w, PROC_INFLATE) == -1) {
		close(in);
		close(out);
		return -1;
	}
	/* A failed compose shows as a worker that never finishes its job:
	 * kill it here, on_gone tells. */
	r = imsgev_compose(&w->proc.iev, IMSG_INFLATE_START, in, m,
	    sizeof(*m));
	for (i = 0; r == 0 && i < m->keys; i++)
		r = imsgev_compose(&w->proc.iev, IMSG_INFLATE_KEY, -1,
		    &keys[i], sizeof(keys[i]));
	if (r == -1)
		close(out);
	else
		r = imsgev_compose(&w->proc.iev, IMSG_INFLATE_OUT, out, NULL,
		    0);
	if (r == -1)
		worker_kill(w);
	return 0;
}

int
worker_unpack(struct worker *w, const struct msg_unpack_start *m, int dir,
    int manifest, int in)
{
	if (worker_start(w, PROC_UNPACK) == -1) {
		close(dir);
		close(manifest);
		if (in != -1)
			close(in);
		return -1;
	}
	if (imsgev_compose(&w->proc.iev, IMSG_UNPACK_DIR, dir, NULL, 0) == -1 ||
	    imsgev_compose(&w->proc.iev, IMSG_UNPACK_MANIFEST, manifest, NULL,
	    0) == -1 || imsgev_compose(&w->proc.iev, IMSG_UNPACK_START, in, m,
	    sizeof(*m)) == -1)
		worker_kill(w);
	return 0;
}

int
worker_ok(const struct worker *w)
{
	return !w->running && w->exited && w->done && !w->failed;
}

/* The channel stays open: its end is what says that all was read. */
void
worker_kill(struct worker *w)
{
	if (w->running && !w->exited && w->proc.pid > 1)
		kill(w->proc.pid, SIGKILL);
}
