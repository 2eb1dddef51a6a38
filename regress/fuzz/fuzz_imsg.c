/*
 * The reader of messages on a socket: an input is a list of packets, each a
 * byte that says how many descriptors go with it and how long it is, and its
 * bytes.  What comes out must be what the bytes say, and no descriptor may
 * be lost or kept: the number of the lowest free one tells.
 */
/* LINK: common/compat/imsg.o */
#include <sys/types.h>
#include <sys/socket.h>

#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "imsg.h"

#define FDS_MAX		3	/* with one packet */
#define MARK		0x80000000U	/* in a length: with a descriptor */

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

/* All bytes sent so far, and where the next message begins. */
struct stream {
	const uint8_t	*sent;
	size_t		 len, pos;
};

static int
lowest_free(void)
{
	int	 fd;

	if ((fd = open("/dev/null", O_RDONLY | O_CLOEXEC)) == -1)
		abort();
	close(fd);
	return fd;
}

static void
send_packet(int sock, int null, const uint8_t *p, size_t n, int nfds)
{
	union {
		struct cmsghdr	 hdr;
		char		 buf[CMSG_SPACE(FDS_MAX * sizeof(int))];
	} control;
	struct cmsghdr	*c;
	struct msghdr	 msg;
	struct iovec	 iov;
	int		 i, fds[FDS_MAX];

	memset(&msg, 0, sizeof(msg));
	iov.iov_base = (void *)(uintptr_t)p;
	iov.iov_len = n;
	msg.msg_iov = &iov;
	msg.msg_iovlen = 1;
	if (nfds > 0) {
		memset(&control, 0, sizeof(control));
		for (i = 0; i < nfds; i++)
			fds[i] = null;
		msg.msg_control = control.buf;
		msg.msg_controllen = CMSG_SPACE((size_t)nfds * sizeof(int));
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN((size_t)nfds * sizeof(int));
		memcpy(CMSG_DATA(c), fds, (size_t)nfds * sizeof(int));
	}
	if (sendmsg(sock, &msg, MSG_NOSIGNAL) != (ssize_t)n)
		abort();
}

/* Take out what is complete.  0, or -1: the channel is broken. */
static int
take(struct imsgbuf *ib, struct stream *s)
{
	struct imsg_hdr	 hdr;
	struct imsg	 imsg;
	ssize_t		 n;
	size_t		 len;
	char		*copy;

	while ((n = imsg_get(ib, &imsg)) > 0) {
		if (s->len - s->pos < (size_t)n || n < IMSG_HEADER_SIZE ||
		    n > MAX_IMSGSIZE)
			abort();
		memcpy(&hdr, s->sent + s->pos, sizeof(hdr));
		len = imsg_get_len(&imsg);
		if ((hdr.len & ~MARK) != (size_t)n ||
		    len != (size_t)n - IMSG_HEADER_SIZE ||
		    imsg_get_type(&imsg) != hdr.type ||
		    imsg_get_id(&imsg) != hdr.peerid ||
		    imsg_has_fd(&imsg) != ((hdr.len & MARK) != 0))
			abort();
		if ((copy = malloc(len + 1)) == NULL)
			abort();
		if (imsg_get_data(&imsg, copy, len + 1) == 0 ||
		    imsg_get_data(&imsg, copy, len) == -1 ||
		    memcmp(copy, s->sent + s->pos + IMSG_HEADER_SIZE,
		    len) != 0)
			abort();
		free(copy);
		/* a handler may take it, or leave it to imsg_free() */
		if ((hdr.type & 1) && imsg_has_fd(&imsg))
			close(imsg_get_fd(&imsg));
		imsg_free(&imsg);
		s->pos += (size_t)n;
	}
	return n == -1 ? -1 : 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static int	 null = -1;
	struct imsgbuf	 ib;
	struct stream	 s;
	uint8_t		*sent;
	size_t		 i, n;
	int		 sv[2], before, nfds, allow, r = 0;

	if (len < 2)
		return 0;
	if (null == -1 && (null = open("/dev/null", O_RDONLY)) == -1)
		abort();
	before = lowest_free();
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, sv) == -1 ||
	    imsgbuf_init(&ib, sv[0]) == -1 || (sent = malloc(len)) == NULL)
		abort();
	allow = data[0] & 1;
	if (allow)
		imsgbuf_allow_fdpass(&ib);
	s.sent = sent;
	s.len = s.pos = 0;
	for (i = 1; i < len && r != -1; i += n) {
		/* 1 to 64 bytes or all, with 0 to FDS_MAX descriptors */
		nfds = data[i] >> 6;
		n = (data[i] & 0x3f) == 0x3f ? 65536 : (data[i] & 0x3f) + 1U;
		if (++i == len)
			break;
		if (n > len - i)
			n = len - i;
		memcpy(sent + s.len, data + i, n);
		s.len += n;
		send_packet(sv[1], null, data + i, n, nfds);
		do {
			size_t	 had = ib.rlen;

			if ((r = imsgbuf_read(&ib)) == 0)
				abort();
			if (r == 1 && (nfds > 1 || (nfds > 0 && !allow)) &&
			    ib.rlen != had)
				abort();	/* must break the channel */
			if (r == 1 && take(&ib, &s) == -1)
				r = -1;
			if (ib.rlen == had)
				break;
		} while (r == 1);
	}
	imsgbuf_clear(&ib);
	close(sv[0]);
	close(sv[1]);
	free(sent);
	if (lowest_free() != before)
		abort();
	return 0;
}
