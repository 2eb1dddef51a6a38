/*
 * RECEIVING: two pipes and two processes.  net (or a file at hand) feeds
 * inflate, inflate feeds unpack, unpack fills the staging directory.  The
 * parent holds none of the pipes' ends while bytes flow, so that the loss
 * of any process ends the others.
 *
 *	source -> [pipe] -> inflate -> [pipe] -> unpack -> staging
 *
 * Complete means: net said DONE (or there is no net), and both workers
 * said DONE and exited 0.  If both fail, one is the other's consequence:
 * what unpack finds missing is what inflate did not give it; but an inflate
 * that lost its reader, or its source because unpack had failed and net was
 * told to stop, points at unpack.
 */
#include <sys/types.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "error.h"
#include "log.h"
#include "netcount.h"
#include "parent.h"
#include "patience.h"
#include "proto.h"
#include "update.h"
#include "util.h"

#define PIPE_BYTES	(1024 * 1024)	/* asked of the kernel for each pipe */
#define LINGER_MS	PATIENCE(5000)	/* for the other once one failed */
#define DRAIN_MS	PATIENCE(120000) /* for them once net is through */
#define READER_MS	PATIENCE(600000) /* for unpack to read a tree */
#define STALL_IDLES	3	/* times `idle`, which net enforces itself */
#define STALL_MIN_MS	PATIENCE(10000)	/* a disk may be slow */

static void
linger_over(struct update *u)
{
	log_warnx("stop the workers of %s: they do not end by themselves",
	    u->agent->conf->name);
	receive_kill(u);
}

/*
 * The lock of the update must not hang on anybody's honesty.  net watches
 * the client; this watches net and inflate, who may lie about what has
 * moved: the update fails when, as they say, no byte has for STALL_IDLES
 * times as long as net lets a client be silent; and whatever they say when
 * it takes longer than `push`, or than `body` bytes would at the least
 * `rate`.  A local push is root's own, who may take the time he likes, as
 * long as something comes.
 */
static void
stall_over(struct update *u)
{
	(void)netcount_ask();	/* it may be the one that is stuck */
	update_fail(u, UPD_ETIMEOUT, "no progress after %llu bytes",
	    (unsigned long long)u->moved_in);
}

static void
push_over(struct update *u)
{
	update_fail(u, UPD_ETIMEOUT, "the archive did not arrive within %llu "
	    "s (limits push)", (unsigned long long)(time_mono_ms() -
	    u->t_open) / 1000);
}

/* When it is over at the latest, monotonic ms. */
static uint64_t
push_end(const struct update *u, uint64_t stall)
{
	const struct config	*c = env->conf;
	uint64_t		 ms = (uint64_t)c->push * 1000, slow;

	if (c->rate != 0) {
		slow = stall + c->body / c->rate * 1000;
		if (slow < ms)
			ms = slow;
	}
	return u->t_open + ms;
}

static void
stall_watch(struct update *u)
{
	uint64_t	 ms, end, now = time_mono_ms();
	void		(*over)(struct update *) = stall_over;

	ms = (uint64_t)env->conf->idle * 1000 * STALL_IDLES;
	if (ms < STALL_MIN_MS)
		ms = STALL_MIN_MS;
	if (!u->local && (end = push_end(u, ms)) < now + ms) {
		ms = end > now ? end - now : 0;
		over = push_over;
	}
	update_settimer(u, (uint32_t)ms, over);
}

/* 1 while the timer is one of stall_watch(). */
static int
stall_watched(const struct update *u)
{
	return u->timeout == stall_over || u->timeout == push_over;
}

static void
worker_moved(void *arg, const struct msg_inflate_progress *m)
{
	struct update	*u = arg;

	if (u->state != UPDATE_RECEIVING ||
	    (m->in <= u->moved_in && m->out <= u->moved_out))
		return;
	u->moved_in = m->in;
	u->moved_out = m->out;
	if (stall_watched(u))
		stall_watch(u);
}

/* First sign of failure: net stops sending, which ends inflate. */
static void
worker_failed(void *arg)
{
	struct update	*u = arg;

	if (u->state != UPDATE_RECEIVING)
		return;
	if (!u->stopped) {
		u->stopped = 1;
		u->unpack_first = !u->inflate.failed;
		caller_stop(u->caller);
	}
	update_settimer(u, LINGER_MS, linger_over);
}

static void
worker_gone(void *arg)
{
	struct update	*u = arg;

	if (u->state == UPDATE_CLEANING)
		update_cleaned(u);
	else if (u->state == UPDATE_RECEIVING) {
		/* A local archive has no net to tell inflate. */
		if (u->unpack.failed && !u->unpack.running && u->local)
			worker_kill(&u->inflate);
		receive_check(u);
	}
}

static void
pipe_size(int fd)
{
#ifdef F_SETPIPE_SZ
	(void)fcntl(fd, F_SETPIPE_SZ, PIPE_BYTES);
#endif
}

/* What both are to do, and how much of it. */
static void
orders(const struct update *u, struct msg_inflate_start *im,
    struct msg_unpack_start *um)
{
	const struct agent_conf	*conf = u->agent->conf;

	memset(im, 0, sizeof(*im));
	/* A header block per entry, and pax records, count as tar bytes. */
	im->max_out = conf->unpacked + (uint64_t)conf->files * 4096 +
	    PIPE_BYTES;
	im->max_in = u->local ? 0 : env->conf->body;
	im->hash = (uint32_t)u->local;
	im->keys = (uint32_t)env->conf->release_keys.n;
	memset(um, 0, sizeof(*um));
	um->mode = UNPACK_EXTRACT;
	um->max_files = conf->files;
	um->max_bytes = conf->unpacked;
	um->reserve_blocks = u->reserve_bytes;
	um->reserve_inodes = u->reserve_inodes;
}

/*
 * Start both workers.  input: the archive, handed over, or -1; then the
 * write end of the first pipe is stored in *out.  0, or -1 with text.
 */
int
receive_start(struct update *u, int input, int *out, char *text)
{
	struct msg_inflate_start	 im;
	struct msg_unpack_start		 um;
	int				 p[2] = { -1, -1 }, q[2] = { -1, -1 };
	int				 dir = -1, manifest = -1;

	if (input == -1) {
		if (pipe2(p, O_CLOEXEC) == -1)
			goto fail;
		pipe_size(p[0]);
	} else
		p[0] = input;
	if (pipe2(q, O_CLOEXEC) == -1)
		goto fail;
	pipe_size(q[0]);
	if ((dir = fcntl(u->st.fd, F_DUPFD_CLOEXEC, 3)) == -1 ||
	    (manifest = fcntl(u->st.manifest_fd, F_DUPFD_CLOEXEC, 3)) == -1)
		goto fail;

	orders(u, &im, &um);
	u->inflate.on_fail = u->unpack.on_fail = worker_failed;
	u->inflate.on_gone = u->unpack.on_gone = worker_gone;
	u->inflate.on_progress = worker_moved;
	u->inflate.arg = u->unpack.arg = u;
	if (worker_unpack(&u->unpack, &um, dir, manifest, q[0]) == -1) {
		dir = manifest = q[0] = -1;
		goto fail;
	}
	dir = manifest = q[0] = -1;
	if (worker_inflate(&u->inflate, &im, env->conf->keys, p[0],
	    q[1]) == -1) {
		p[0] = q[1] = -1;
		goto fail;
	}
	if (out != NULL)
		*out = p[1];
	else
		u->complete = 1;
	stall_watch(u);
	return 0;
fail:
	snprintf(text, UPD_TEXT_SIZE, "start the unpacking processes: %s",
	    strerror(errno));
	if (p[0] != -1)
		close(p[0]);
	if (p[1] != -1)
		close(p[1]);
	if (q[0] != -1)
		close(q[0]);
	if (q[1] != -1)
		close(q[1]);
	if (dir != -1)
		close(dir);
	if (manifest != -1)
		close(manifest);
	return -1;
}

int
receive_running(const struct update *u)
{
	return u->inflate.running || u->unpack.running;
}

void
receive_kill(struct update *u)
{
	worker_kill(&u->inflate);
	worker_kill(&u->unpack);
}

/*
 * unpack reads a tree or a manifest: verify, manifest, diff.  It is bounded
 * so that nothing that it meets can hold up a verdict.
 */
static void
reader_over(struct update *u)
{
	log_warnx("stop unpack: it does not end within %d s",
	    READER_MS / 1000);
	worker_kill(&u->unpack);
}

int
reader_start(struct update *u, const struct msg_unpack_start *m, int dir,
    int manifest, int old, void (*gone)(void *))
{
	u->unpack.on_fail = NULL;
	u->unpack.on_gone = gone;
	u->unpack.arg = u;
	if (worker_unpack(&u->unpack, m, dir, manifest, old) == -1)
		return -1;
	update_settimer(u, READER_MS, reader_over);
	return 0;
}

static void
drain_over(struct update *u)
{
	update_fail(u, UPD_ECHILD, "unpacking did not end within %d s of the "
	    "last byte", DRAIN_MS / 1000);
}

/* Whose failure is the reason, where there is one. */
static const struct msg_fail *
reason(const struct update *u)
{
	const struct msg_fail	*in = &u->inflate.fail, *un = &u->unpack.fail;

	if (!u->unpack.failed)
		return in;
	if (!u->inflate.failed)
		return un;
	/* There was less than it needs, or nothing. */
	if (un->error == UPD_ECUT || un->error == UPD_EEMPTY)
		return in;
	return in->error == UPD_ECHILD || u->unpack_first ? un : in;
}

void
receive_check(struct update *u)
{
	const struct msg_fail	*f;

	if (u->state != UPDATE_RECEIVING)
		return;
	if (receive_running(u)) {
		if (u->complete && stall_watched(u) &&
		    (!u->local || !u->inflate.running))
			update_settimer(u, DRAIN_MS, drain_over);
		return;
	}
	if (!worker_ok(&u->inflate) || !worker_ok(&u->unpack)) {
		f = reason(u);
		u->phase = "unpack";
		update_failentry(u, f->error, f->path, f->text);
		return;
	}
	/* DONE of net is on its way, with what the form says behind the
	 * archive; the stall timer runs on. */
	if (!u->complete)
		return;
	update_cleartimer(u);
	if (u->local) {
		u->bytes = u->inflate.inflate.in;
		digest_hex(u->inflate.inflate.digest, u->digest);
	} else if (u->bytes != u->inflate.inflate.in) {
		update_fail(u, UPD_ECHILD, "net sent %llu bytes, inflate read "
		    "%llu", (unsigned long long)u->bytes,
		    (unsigned long long)u->inflate.inflate.in);
		return;
	}
	update_received(u);
}
