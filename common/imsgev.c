/*
 * An imsg channel in the libevent loop.
 *
 * Invariants: the read event is armed while the channel is open, but for a
 * pause when no descriptor is free (receiving one would lose it) or while
 * the peer leaves too much of ours unread; the write event is armed while
 * something is queued.  Callbacks may close the
 * channel, and then free or reuse the struct: the dispatcher leaves a flag
 * on its stack that imsgev_close() sets, and looks at nothing else after a
 * callback.  A peer that has closed its end is reported only after its
 * last words have been read, so a failed write just stops the writing.
 */
#include <sys/types.h>
#include <sys/time.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "imsgev.h"
#include "log.h"
#include "proto.h"
#include "util.h"

#define PAUSE_MS	50	/* before asking the system again */

static const struct timeval	 soon = { 0, PAUSE_MS * 1000 };

static void	dispatch(int, short, void *);

/* Arm the event for what is wanted now.  0, or -1. */
static int
arm(struct imsgev *iev, short events)
{
	if (iev->events == events)
		return 0;
	if (iev->events != 0)
		event_del(&iev->ev);
	iev->events = 0;
	if (events == 0)
		return 0;
	event_set(&iev->ev, iev->ibuf.fd, events | EV_PERSIST, dispatch, iev);
	/* Unwatched it would never be seen to end.  A timer asks nothing of
	 * the kernel. */
	if (event_add(&iev->ev, NULL) == -1)
		return evtimer_add(&iev->pause, &soon);
	iev->events = events;
	return 0;
}

static int
is_shortage(int e)
{
	return e == ENOMEM || e == ENOBUFS;
}

static short
wanted(struct imsgev *iev)
{
	uint32_t	 queued;
	short		 events = 0;

	queued = iev->deaf ? 0 : imsgbuf_queuelen(&iev->ibuf);
	if (!iev->paused && (iev->queue_max == 0 || queued <= iev->queue_max))
		events |= EV_READ;
	if (queued > 0)
		events |= EV_WRITE;
	return events;
}

static void
fail(struct imsgev *iev, int error)
{
	void	(*dead)(struct imsgev *, int, void *) = iev->dead;
	void	*arg = iev->arg;

	imsgev_close(iev);
	dead(iev, error, arg);
}

/* 1 if a descriptor could be received. */
static int
room_for_fd(struct imsgev *iev)
{
	int	 fd;

	if (!iev->ibuf.allow_fds)
		return 1;
	if ((fd = fcntl(iev->ibuf.fd, F_DUPFD_CLOEXEC, 0)) == -1)
		return 0;
	close(fd);
	return 1;
}

static void
resume(int fd, short event, void *arg)
{
	struct imsgev	*iev = arg;

	iev->paused = 0;
	if (arm(iev, wanted(iev)) == -1) {
		log_warn("cannot watch channel");
		fail(iev, 1);
		return;
	}
	/* What was read before lies here, and makes no event. */
	if (iev->ibuf.rlen > 0)
		dispatch(fd, EV_READ, iev);
}

static int
pause_reading(struct imsgev *iev)
{
	log_debug("wait for a free descriptor");
	iev->paused = 1;
	if (arm(iev, wanted(iev)) == -1)
		return -1;
	return evtimer_add(&iev->pause, &soon);
}

/* The kernel has no memory: nothing was lost, all is tried again. */
static void
pause_all(struct imsgev *iev)
{
	if (arm(iev, 0) == -1 || evtimer_add(&iev->pause, &soon) == -1)
		fail(iev, 1);
}

/* Hand out what is complete.  1 go on, 0 the channel was closed by the
 * handler, -1 broken. */
static int
deliver(struct imsgev *iev)
{
	struct imsg	 imsg;
	ssize_t		 n;
	int		 closed = 0, r;

	iev->closed = &closed;
	for (;;) {
		if ((n = imsg_get(&iev->ibuf, &imsg)) <= 0) {
			if (n == -1 && !is_shortage(errno))
				log_debug("refuse message: %s",
				    strerror(errno));
			break;
		}
		r = iev->recv(iev, &imsg, iev->arg);
		imsg_free(&imsg);
		if (closed)
			return 0;
		if (r == -1) {
			n = -1;
			errno = EPROTO;
			break;
		}
	}
	iev->closed = NULL;
	return n == -1 ? -1 : 1;
}

static void
dispatch(int fd, short event, void *arg)
{
	struct imsgev	*iev = arg;
	int		 n;

	if ((event & EV_WRITE) && imsgbuf_write(&iev->ibuf) == -1) {
		if (is_shortage(errno)) {
			pause_all(iev);
			return;
		}
		if (errno != EPIPE && errno != ECONNRESET) {
			log_warn("cannot write to channel");
			fail(iev, 1);
			return;
		}
		iev->deaf = 1;
	}
	if (event & EV_READ) {
		if (!room_for_fd(iev)) {
			if (pause_reading(iev) == -1)
				fail(iev, 1);
			return;
		}
		n = imsgbuf_read(&iev->ibuf);
		if (n == -1 && is_shortage(errno)) {
			pause_all(iev);
			return;
		}
		if (n == -1) {
			/* Reset: it left with something of ours unread. */
			n = errno != ECONNRESET && errno != EPIPE;
			if (n)
				log_debug("lose channel: %s", strerror(errno));
			fail(iev, n);
			return;
		}
		if (n == 0) {
			/* Half a message is no orderly end. */
			fail(iev, iev->ibuf.rlen > 0);
			return;
		}
		n = deliver(iev);
		if (n == 0)
			return;
		if (n == -1 && is_shortage(errno)) {
			pause_all(iev);
			return;
		}
		if (n == -1) {
			fail(iev, 1);
			return;
		}
	}
	if (arm(iev, wanted(iev)) == -1) {
		log_warn("cannot watch channel");
		fail(iev, 1);
	}
}

int
imsgev_init(struct imsgev *iev, int fd, int fdpass,
    int (*recv)(struct imsgev *, struct imsg *, void *),
    void (*dead)(struct imsgev *, int, void *), void *arg)
{
	memset(iev, 0, sizeof(*iev));
	if (imsgbuf_init(&iev->ibuf, fd) == -1)
		return -1;
	if (fdpass)
		imsgbuf_allow_fdpass(&iev->ibuf);
	iev->recv = recv;
	iev->dead = dead;
	iev->arg = arg;
	evtimer_set(&iev->pause, resume, iev);
	if (arm(iev, EV_READ) == -1) {
		imsgbuf_clear(&iev->ibuf);
		return -1;
	}
	iev->open = 1;
	return 0;
}

void
imsgev_queuemax(struct imsgev *iev, uint32_t n)
{
	iev->queue_max = n;
}

int
imsgev_compose2(struct imsgev *iev, uint32_t type, int fd, const void *data,
    size_t len, const void *more, size_t morelen)
{
	struct iovec	 iov[2];

	if (!iev->open || iev->deaf) {
		if (fd != -1)
			close(fd);
		if (iev->open)
			return 0;
		errno = ENOTCONN;
		return -1;
	}
	iov[0].iov_base = (void *)(uintptr_t)data;
	iov[0].iov_len = len;
	iov[1].iov_base = (void *)(uintptr_t)more;
	iov[1].iov_len = morelen;
	if (imsg_composev(&iev->ibuf, type, 0, 0, fd, iov, 2) == -1) {
		log_warn("cannot queue %s message", imsg_name(type));
		if (fd != -1)
			close(fd);
		return -1;
	}
	if (arm(iev, wanted(iev)) == -1) {
		log_warn("cannot send %s message", imsg_name(type));
		return -1;
	}
	return 0;
}

int
imsgev_compose(struct imsgev *iev, uint32_t type, int fd, const void *data,
    size_t len)
{
	return imsgev_compose2(iev, type, fd, data, len, NULL, 0);
}

void
imsgev_rebase(struct imsgev *iev)
{
	/* The old base is another process's: nothing is deleted there. */
	iev->events = 0;
	iev->paused = 0;
	evtimer_set(&iev->pause, resume, iev);
	if (arm(iev, wanted(iev)) == -1)
		log_warn("cannot watch channel");
}

void
imsgev_flush(struct imsgev *iev)
{
	if (!iev->open || iev->deaf)
		return;
	if (imsgbuf_flush(&iev->ibuf) == -1)
		iev->deaf = 1;
	(void)arm(iev, wanted(iev));
}

void
imsgev_close(struct imsgev *iev)
{
	if (!iev->open)
		return;
	iev->open = 0;
	if (iev->closed != NULL) {
		*iev->closed = 1;
		iev->closed = NULL;
	}
	(void)arm(iev, 0);
	evtimer_del(&iev->pause);
	imsgbuf_clear(&iev->ibuf);
	close(iev->ibuf.fd);
	iev->ibuf.fd = -1;
}
