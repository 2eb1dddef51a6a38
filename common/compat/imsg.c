/*
 * Messages with descriptors over a unix stream socket, after imsg_init(3).
 *
 * On the wire: a header of four 32-bit words in native order (type, length
 * with the header, peerid, pid), then the payload.  A descriptor travels
 * with the first byte of its message, whose length then has the top bit
 * set.  The kernel may hand over a descriptor in the same read as earlier
 * messages, never later than the first byte of its own; so descriptors
 * wait in a queue and each marked message takes the oldest.
 *
 * Invariants:
 * - rbuf holds rlen bytes from rpos on; a whole message always fits.
 * - every descriptor has one owner: the queue in, the imsg, or the queue
 *   out; whoever frees it closes it.
 * - a descriptor that no message claims, two at once, one that is not
 *   allowed and one that was lost on the way break the channel.
 */
#include <sys/types.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "imsg.h"

#define IMSG_FD_MARK	0x80000000U
#define IMSG_RBUF	(4 * MAX_IMSGSIZE)	/* bytes */
#define IMSG_IOV	16		/* messages in one sendmsg(2) */
#define IMSG_FLUSH_MS	5000		/* a flush gives up */

struct imsg_out {
	struct imsg_out	*next;
	int		 fd;		/* -1 none, or sent */
	size_t		 len;
	size_t		 off;		/* bytes sent */
	unsigned char	 data[];
};

int
imsgbuf_init(struct imsgbuf *ib, int fd)
{
	memset(ib, 0, sizeof(*ib));
	ib->fd = fd;
	ib->pid = (uint32_t)getpid();
	ib->out_tail = &ib->out_head;
	if ((ib->rbuf = malloc(IMSG_RBUF)) == NULL)
		return -1;
	ib->rcap = IMSG_RBUF;
	return 0;
}

void
imsgbuf_allow_fdpass(struct imsgbuf *ib)
{
	ib->allow_fds = 1;
}

uint32_t
imsgbuf_queuelen(struct imsgbuf *ib)
{
	return ib->out_n;
}

/* --- receiving ------------------------------------------------------ */

static int
queue_fd(struct imsgbuf *ib, int fd)
{
	if (ib->nfds == IMSG_FDS_MAX) {
		errno = EPROTO;
		return -1;
	}
	ib->fds[ib->nfds++] = fd;
	return 0;
}

static int
dequeue_fd(struct imsgbuf *ib)
{
	int	 fd;

	if (ib->nfds == 0)
		return -1;
	fd = ib->fds[0];
	memmove(ib->fds, ib->fds + 1, (size_t)--ib->nfds * sizeof(int));
	return fd;
}

/* Take over what came in the control part.  0, or -1 with errno. */
static int
take_control(struct imsgbuf *ib, struct msghdr *msg)
{
	struct cmsghdr	*c;
	size_t		 i, n, got = 0;
	int		 fd, err = 0;

	for (c = CMSG_FIRSTHDR(msg); c != NULL; c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (i = 0; i < n; i++) {
			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int),
			    sizeof(int));
			if (!ib->allow_fds || ++got > 1)
				err = EPROTO;
			if (err == 0 && queue_fd(ib, fd) == -1)
				err = errno;
			if (err != 0)
				close(fd);
		}
	}
	/* More than one, or no free slot: descriptors are lost for good. */
	if (err == 0 && (msg->msg_flags & MSG_CTRUNC))
		err = ib->allow_fds ? EMFILE : EPROTO;
	if (err != 0) {
		errno = err;
		return -1;
	}
	return 0;
}

int
imsgbuf_read(struct imsgbuf *ib)
{
	struct msghdr	 msg;
	struct iovec	 iov;
	ssize_t		 n;
	union {
		struct cmsghdr	 hdr;
		char		 buf[CMSG_SPACE(sizeof(int))];
	} control;

	if (ib->rpos > 0) {
		memmove(ib->rbuf, ib->rbuf + ib->rpos, ib->rlen);
		ib->rpos = 0;
	}
	/* The caller has left messages lying: they come first. */
	if (ib->rlen == ib->rcap)
		return 1;
	memset(&msg, 0, sizeof(msg));
	memset(&control, 0, sizeof(control));
	iov.iov_base = ib->rbuf + ib->rlen;
	iov.iov_len = ib->rcap - ib->rlen;
	msg.msg_iov = &iov;
	msg.msg_iovlen = 1;
	msg.msg_control = control.buf;
	msg.msg_controllen = sizeof(control.buf);
	do {
		n = recvmsg(ib->fd, &msg, MSG_CMSG_CLOEXEC);
	} while (n == -1 && errno == EINTR);
	if (n == -1) {
		if (errno == EAGAIN || errno == EWOULDBLOCK)
			return 1;
		return -1;
	}
	if (take_control(ib, &msg) == -1)
		return -1;
	if (n == 0)
		return 0;
	ib->rlen += (size_t)n;
	return 1;
}

ssize_t
imsg_get(struct imsgbuf *ib, struct imsg *imsg)
{
	struct imsg_hdr	 hdr;
	size_t		 len, payload;
	int		 marked;

	memset(imsg, 0, sizeof(*imsg));
	imsg->fd = -1;
	if (ib->rlen == 0 && ib->nfds > 0) {
		errno = EPROTO;
		return -1;
	}
	if (ib->rlen < IMSG_HEADER_SIZE)
		return 0;
	memcpy(&hdr, ib->rbuf + ib->rpos, IMSG_HEADER_SIZE);
	marked = (hdr.len & IMSG_FD_MARK) != 0;
	len = hdr.len & ~IMSG_FD_MARK;
	if (len < IMSG_HEADER_SIZE || len > MAX_IMSGSIZE) {
		errno = ERANGE;
		return -1;
	}
	if (ib->rlen < len)
		return 0;
	if (marked && ib->nfds == 0) {
		errno = EPROTO;
		return -1;
	}
	payload = len - IMSG_HEADER_SIZE;
	if (payload > 0) {
		/* Of its own, so that it is aligned for any struct. */
		if ((imsg->buf = malloc(payload)) == NULL)
			return -1;
		memcpy(imsg->buf, ib->rbuf + ib->rpos + IMSG_HEADER_SIZE,
		    payload);
		imsg->data = imsg->buf;
	}
	imsg->hdr = hdr;
	imsg->hdr.len = (uint32_t)len;
	if (marked)
		imsg->fd = dequeue_fd(ib);
	ib->rpos += len;
	ib->rlen -= len;
	return (ssize_t)len;
}

void
imsg_free(struct imsg *imsg)
{
	if (imsg->fd != -1)
		close(imsg->fd);
	free(imsg->buf);
	imsg->fd = -1;
	imsg->buf = NULL;
	imsg->data = NULL;
}

uint32_t
imsg_get_type(struct imsg *imsg)
{
	return imsg->hdr.type;
}

uint32_t
imsg_get_id(struct imsg *imsg)
{
	return imsg->hdr.peerid;
}

size_t
imsg_get_len(struct imsg *imsg)
{
	return imsg->hdr.len - IMSG_HEADER_SIZE;
}

int
imsg_get_data(struct imsg *imsg, void *data, size_t len)
{
	if (imsg_get_len(imsg) != len) {
		errno = EBADMSG;
		return -1;
	}
	if (len > 0)
		memcpy(data, imsg->data, len);
	return 0;
}

int
imsg_get_fd(struct imsg *imsg)
{
	int	 fd = imsg->fd;

	imsg->fd = -1;
	return fd;
}

int
imsg_has_fd(struct imsg *imsg)
{
	return imsg->fd != -1;
}

/* --- sending -------------------------------------------------------- */

int
imsg_composev(struct imsgbuf *ib, uint32_t type, uint32_t id, pid_t pid,
    int fd, const struct iovec *iov, int iovcnt)
{
	struct imsg_out	*o;
	struct imsg_hdr	 hdr;
	size_t		 len = IMSG_HEADER_SIZE;
	unsigned char	*p;
	int		 i;

	for (i = 0; i < iovcnt; i++) {
		if (iov[i].iov_len > MAX_IMSGSIZE - len) {
			errno = ERANGE;
			return -1;
		}
		len += iov[i].iov_len;
	}
	if (fd != -1 && !ib->allow_fds) {
		errno = EINVAL;
		return -1;
	}
	if ((o = malloc(sizeof(*o) + len)) == NULL)
		return -1;
	hdr.type = type;
	hdr.len = (uint32_t)len | (fd != -1 ? IMSG_FD_MARK : 0);
	hdr.peerid = id;
	hdr.pid = pid != 0 ? (uint32_t)pid : ib->pid;
	memcpy(o->data, &hdr, IMSG_HEADER_SIZE);
	p = o->data + IMSG_HEADER_SIZE;
	for (i = 0; i < iovcnt; i++) {
		if (iov[i].iov_len == 0)
			continue;
		memcpy(p, iov[i].iov_base, iov[i].iov_len);
		p += iov[i].iov_len;
	}
	o->next = NULL;
	o->fd = fd;
	o->len = len;
	o->off = 0;
	*ib->out_tail = o;
	ib->out_tail = &o->next;
	ib->out_n++;
	return 1;
}

int
imsg_compose(struct imsgbuf *ib, uint32_t type, uint32_t id, pid_t pid,
    int fd, const void *data, size_t len)
{
	struct iovec	 iov;

	iov.iov_base = (void *)(uintptr_t)data;
	iov.iov_len = len;
	return imsg_composev(ib, type, id, pid, fd, &iov, 1);
}

static void
drop_first(struct imsgbuf *ib)
{
	struct imsg_out	*o = ib->out_head;

	if ((ib->out_head = o->next) == NULL)
		ib->out_tail = &ib->out_head;
	ib->out_n--;
	if (o->fd != -1)
		close(o->fd);
	free(o);
}

/* One sendmsg(2): a message with its descriptor alone, or several without.
 * Bytes sent, or -1. */
static ssize_t
send_some(struct imsgbuf *ib)
{
	struct msghdr	 msg;
	struct iovec	 iov[IMSG_IOV];
	struct imsg_out	*o;
	struct cmsghdr	*c;
	ssize_t		 n;
	union {
		struct cmsghdr	 hdr;
		char		 buf[CMSG_SPACE(sizeof(int))];
	} control;

	memset(&msg, 0, sizeof(msg));
	msg.msg_iov = iov;
	for (o = ib->out_head; o != NULL && msg.msg_iovlen < IMSG_IOV;
	    o = o->next) {
		if (o->fd != -1 && o != ib->out_head)
			break;
		iov[msg.msg_iovlen].iov_base = o->data + o->off;
		iov[msg.msg_iovlen].iov_len = o->len - o->off;
		msg.msg_iovlen++;
		if (o->fd == -1)
			continue;
		memset(&control, 0, sizeof(control));
		msg.msg_control = control.buf;
		msg.msg_controllen = sizeof(control.buf);
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &o->fd, sizeof(int));
		break;
	}
	do {
		n = sendmsg(ib->fd, &msg, MSG_NOSIGNAL);
	} while (n == -1 && errno == EINTR);
	return n;
}

int
imsgbuf_write(struct imsgbuf *ib)
{
	struct imsg_out	*o;
	ssize_t		 n;
	size_t		 left;

	while (ib->out_head != NULL) {
		n = send_some(ib);
		if (n == -1) {
			if (errno == EAGAIN || errno == EWOULDBLOCK ||
			    errno == ENOBUFS)
				return 0;
			return -1;
		}
		/* The descriptor went with the first byte. */
		if ((o = ib->out_head)->fd != -1 && n > 0) {
			close(o->fd);
			o->fd = -1;
		}
		left = (size_t)n;
		while (left > 0 && (o = ib->out_head) != NULL) {
			if (left < o->len - o->off) {
				o->off += left;
				break;
			}
			left -= o->len - o->off;
			drop_first(ib);
		}
	}
	return 0;
}

static long
now_ms(void)
{
	struct timespec	 ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (long)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int
imsgbuf_flush(struct imsgbuf *ib)
{
	struct pollfd	 pfd;
	long		 end, left;
	int		 n;

	end = now_ms() + IMSG_FLUSH_MS;
	for (;;) {
		if (imsgbuf_write(ib) == -1)
			return -1;
		if (ib->out_head == NULL)
			return 0;
		if ((left = end - now_ms()) <= 0) {
			errno = ETIMEDOUT;
			return -1;
		}
		pfd.fd = ib->fd;
		pfd.events = POLLOUT;
		n = poll(&pfd, 1, (int)left);
		if (n == -1 && errno != EINTR)
			return -1;
	}
}

void
imsgbuf_clear(struct imsgbuf *ib)
{
	int	 fd;

	while (ib->out_head != NULL)
		drop_first(ib);
	while ((fd = dequeue_fd(ib)) != -1)
		close(fd);
	free(ib->rbuf);
	ib->rbuf = NULL;
	ib->rpos = ib->rlen = ib->rcap = 0;
}
