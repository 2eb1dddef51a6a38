/*
 * The inflate process: one push's compressed bytes in, tar bytes out.
 *
 * Orders first (START with the input, the release KEYs, OUT with the
 * output), then the sandbox, READY, the work in stream.c, and one last word:
 * DONE or FAIL.
 * FAIL is sent before the pipes are closed by the exit, so that the parent
 * knows the cause before unpack sees a short tar.  Nothing is drained on
 * failure: net then gets EPIPE and stops relaying.
 */
#include <sys/types.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "osproc.h"
#include "proc.h"
#include "sandbox.h"
#include "stream.h"
#include "util.h"
#include "orders.h"

enum inflate_state {
	WANT_START	= 0x1,		/* limits and input */
	WANT_KEY	= 0x2,		/* release keys */
	WANT_OUT	= 0x4,		/* output */
	WORKING		= 0x8		/* no more orders */
};

struct inflate {
	struct imsgbuf			 ibuf;
	enum inflate_state		 state;
	struct msg_inflate_start	 start;
	struct signify			*sig;	/* NULL: no release keys */
	uint32_t			 keys;	/* still to come */
	int				 in, out;
	uint64_t			 told;	/* monotonic ms */
};

static int	 inflate_start(void *, struct imsg *);
static int	 inflate_key(void *, struct imsg *);
static int	 inflate_out(void *, struct imsg *);

static const struct imsg_rule rules[] = {
	{ IMSG_VERBOSE, PROC_PARENT, sizeof(struct msg_verbose), 0, 0,
	    ANY_STATE, orders_verbose },
	{ IMSG_INFLATE_START, PROC_PARENT, sizeof(struct msg_inflate_start),
	    0, 1, WANT_START, inflate_start },
	{ IMSG_INFLATE_KEY, PROC_PARENT, sizeof(struct msg_inflate_key),
	    0, 0, WANT_KEY, inflate_key },
	{ IMSG_INFLATE_OUT, PROC_PARENT, 0, 0, 1, WANT_OUT, inflate_out }
};

/* The work is done by blocking reads and writes. */
static int
take_pipe(struct imsg *imsg)
{
	int	 fd, flags;

	if ((fd = imsg_get_fd(imsg)) == -1)
		return -1;
	if ((flags = fcntl(fd, F_GETFL)) == -1 ||
	    fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) == -1)
		fatal("fcntl");
	return fd;
}

static int
inflate_start(void *arg, struct imsg *imsg)
{
	struct inflate	*in = arg;

	if (imsg_get_data(imsg, &in->start, sizeof(in->start)) == -1 ||
	    in->start.hash > 1 || in->start.keys > RELEASE_KEYS_MAX ||
	    (in->in = take_pipe(imsg)) == -1)
		return -1;
	in->keys = in->start.keys;
	in->state = in->keys > 0 ? WANT_KEY : WANT_OUT;
	if (in->keys > 0 && (in->sig = signify_new(in->start.max_in)) == NULL)
		fatal("signify_new");
	return 0;
}

/* A key that cannot be used is fatal: without it an archive would be judged
 * by others than the operator meant. */
static int
inflate_key(void *arg, struct imsg *imsg)
{
	struct inflate		*in = arg;
	struct msg_inflate_key	 key;

	if (imsg_get_data(imsg, &key, sizeof(key)) == -1 ||
	    !PROTO_STR(key.name) || signify_addkey(in->sig, &key) == -1)
		return -1;
	if (--in->keys == 0)
		in->state = WANT_OUT;
	return 0;
}

static int
inflate_out(void *arg, struct imsg *imsg)
{
	struct inflate	*in = arg;

	if ((in->out = take_pipe(imsg)) == -1)
		return -1;
	in->state = WORKING;
	return 0;
}

/* The parent's proof that this push is alive: it has no other, since all
 * that it sees of the bytes are two processes at work. */
static void
inflate_moved(void *arg, const struct stream_result *res)
{
	struct inflate			*in = arg;
	struct msg_inflate_progress	 m;
	uint64_t			 now = time_mono_ms();

	if (now - in->told < UPD_PROGRESS_MS)
		return;
	in->told = now;
	m.in = res->in;
	m.out = res->out;
	orders_send(&in->ibuf, IMSG_INFLATE_PROGRESS, &m, sizeof(m));
}

static void
inflate_fail(struct inflate *in, enum upd_error error,
    const struct stream_result *res)
{
	struct msg_fail	 fail;

	memset(&fail, 0, sizeof(fail));
	fail.error = error;
	fail.sys_errno = res->sys_errno;
	fail.in = res->in;
	fail.out = res->out;
	snprintf(fail.text, sizeof(fail.text), "%s", res->text);
	orders_fail(&in->ibuf, IMSG_INFLATE_FAIL, &fail);
}

/* With keys, a second thread; from then on there is no third.  It is faster
 * with it, and does without where the system allows none. */
static void
inflate_threads(void *arg)
{
	if (stream_thread(arg) == -1)
		log_warn("verify without a thread of its own, at the cost of "
		    "time: cannot make one");
}

void
inflate_main(const struct proc_args *args)
{
	struct inflate		 in;
	struct sandbox_opts	 opts;
	struct msg_ready	 ready;
	struct msg_inflate_done	 done;
	struct stream_result	 res;
	struct stream		*stream;
	enum upd_error		 error;

	memset(&in, 0, sizeof(in));
	in.in = in.out = -1;
	in.state = WANT_START;
	signal(SIGPIPE, SIG_IGN);
	osproc_batch();
	orders_open(&in.ibuf);
	while (in.state != WORKING)
		orders_recv(&in.ibuf, rules, sizeof(rules) / sizeof(rules[0]),
		    in.state, &in);
	if ((stream = stream_new((int)in.start.hash)) == NULL)
		fatal("stream_new");
	if (in.sig != NULL && stream_verify(stream, in.sig) == -1)
		fatal("stream_verify");
	in.told = time_mono_ms();
	stream_watch(stream, inflate_moved, &in);

	memset(&opts, 0, sizeof(opts));
	opts.proc = PROC_INFLATE;
	opts.uid = args->uid;
	opts.gid = args->gid;
	opts.chroot = args->chroot;
	opts.chroot_fd = -1;
	opts.threads = inflate_threads;
	opts.threads_arg = stream;
	memset(&ready, 0, sizeof(ready));
	sandbox_enter(&opts, &ready);
	orders_send(&in.ibuf, IMSG_READY, &ready, sizeof(ready));

	error = stream_run(stream, in.in, in.out, in.start.max_out, &res);
	if (error != UPD_OK)
		inflate_fail(&in, error, &res);
	memset(&done, 0, sizeof(done));
	done.in = res.in;
	done.out = res.out;
	done.format = res.format;
	done.signer = res.signer;
	done.signed_at = res.signed_at;
	memcpy(done.digest, res.digest, sizeof(done.digest));
	orders_send(&in.ibuf, IMSG_INFLATE_DONE, &done, sizeof(done));
	_exit(0);
}
