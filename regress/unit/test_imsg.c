/*
 * imsg: what must never happen is a descriptor leaked, given to the wrong
 * message or accepted unasked, and a frame misread.
 */
/* LINK: common/compat/imsg.o */
#include <sys/types.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "imsg.h"

#define FD_MARK	0x80000000U

struct pair {
	struct imsgbuf	 a;
	struct imsgbuf	 b;
	int		 fds;		/* open before */
};

static int
count_fds(void)
{
	int	 fd, n = 0;

	for (fd = 0; fd < 256; fd++)
		if (fcntl(fd, F_GETFD) != -1)
			n++;
	return n;
}

static int
setup(void **state)
{
	struct pair	*p;
	int		 sv[2];

	if ((p = calloc(1, sizeof(*p))) == NULL)
		return -1;
	p->fds = count_fds();
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0,
	    sv) == -1)
		return -1;
	if (imsgbuf_init(&p->a, sv[0]) == -1 ||
	    imsgbuf_init(&p->b, sv[1]) == -1)
		return -1;
	imsgbuf_allow_fdpass(&p->a);
	imsgbuf_allow_fdpass(&p->b);
	*state = p;
	return 0;
}

static int
teardown(void **state)
{
	struct pair	*p = *state;
	int		 left;

	imsgbuf_clear(&p->a);
	imsgbuf_clear(&p->b);
	if (p->a.fd != -1)
		close(p->a.fd);
	if (p->b.fd != -1)
		close(p->b.fd);
	left = count_fds() - p->fds;
	free(p);
	return left == 0 ? 0 : -1;	/* no test may leak one */
}

/* Raw bytes with n descriptors attached. */
static void
raw_send(int sock, const void *data, size_t len, const int *fds, int n)
{
	struct msghdr	 msg;
	struct iovec	 iov = { (void *)(uintptr_t)data, len };
	struct cmsghdr	*c;
	union {
		struct cmsghdr	 hdr;
		char		 buf[CMSG_SPACE(8 * sizeof(int))];
	} control;

	memset(&msg, 0, sizeof(msg));
	msg.msg_iov = &iov;
	msg.msg_iovlen = 1;
	if (n > 0) {
		memset(&control, 0, sizeof(control));
		msg.msg_control = control.buf;
		msg.msg_controllen = CMSG_SPACE(n * sizeof(int));
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(n * sizeof(int));
		memcpy(CMSG_DATA(c), fds, n * sizeof(int));
	}
	assert_int_equal(sendmsg(sock, &msg, 0), (ssize_t)len);
}

static void
raw_header(int sock, uint32_t type, uint32_t len, const int *fds, int n)
{
	uint32_t	 h[4] = { type, len, 0, 0 };

	raw_send(sock, h, sizeof(h), fds, n);
}

static void
round_trip(void **state)
{
	struct pair	*p = *state;
	struct imsg	 imsg;
	struct iovec	 iov[2] = { { "hello ", 6 }, { "world", 6 } };
	char		 got[12], wrong[11];

	assert_int_equal(imsg_compose(&p->a, 7, 42, 0, -1, "x", 1), 1);
	assert_int_equal(imsg_composev(&p->a, 8, 43, 99, -1, iov, 2), 1);
	assert_int_equal(imsg_compose(&p->a, 9, 0, 0, -1, NULL, 0), 1);
	assert_int_equal(imsgbuf_queuelen(&p->a), 3);
	assert_int_equal(imsgbuf_write(&p->a), 0);
	assert_int_equal(imsgbuf_queuelen(&p->a), 0);

	assert_int_equal(imsgbuf_read(&p->b), 1);
	assert_int_equal(imsg_get(&p->b, &imsg), IMSG_HEADER_SIZE + 1);
	assert_int_equal(imsg_get_type(&imsg), 7);
	assert_int_equal(imsg_get_id(&imsg), 42);
	assert_int_equal(imsg_get_len(&imsg), 1);
	assert_int_equal(imsg_get_fd(&imsg), -1);
	imsg_free(&imsg);

	assert_true(imsg_get(&p->b, &imsg) > 0);
	assert_int_equal(imsg_get_len(&imsg), 12);
	assert_int_equal(imsg_get_data(&imsg, wrong, sizeof(wrong)), -1);
	assert_int_equal(imsg_get_data(&imsg, got, sizeof(got)), 0);
	assert_string_equal(got, "hello world");
	imsg_free(&imsg);

	assert_int_equal(imsg_get(&p->b, &imsg), IMSG_HEADER_SIZE);
	assert_int_equal(imsg_get_len(&imsg), 0);
	assert_int_equal(imsg_get_data(&imsg, NULL, 0), 0);
	imsg_free(&imsg);
	assert_int_equal(imsg_get(&p->b, &imsg), 0);
}

static void
empty_and_closed(void **state)
{
	struct pair	*p = *state;
	struct imsg	 imsg;

	assert_int_equal(imsgbuf_read(&p->b), 1);	/* EAGAIN */
	assert_int_equal(imsg_get(&p->b, &imsg), 0);
	close(p->a.fd);
	p->a.fd = -1;
	assert_int_equal(imsgbuf_read(&p->b), 0);
}

static void
split_anywhere(void **state)
{
	struct pair	*p = *state;
	struct imsg	 imsg;
	unsigned char	 wire[64];
	uint32_t	 h[4] = { 5, IMSG_HEADER_SIZE + 8, 3, 1 };
	size_t		 i, n = IMSG_HEADER_SIZE + 8;

	memcpy(wire, h, sizeof(h));
	memcpy(wire + sizeof(h), "12345678", 8);
	for (i = 0; i < n; i++) {
		assert_int_equal(imsg_get(&p->b, &imsg), 0);
		raw_send(p->a.fd, wire + i, 1, NULL, 0);
		assert_int_equal(imsgbuf_read(&p->b), 1);
	}
	assert_int_equal(imsg_get(&p->b, &imsg), (ssize_t)n);
	assert_memory_equal(imsg.data, "12345678", 8);
	imsg_free(&imsg);
}

static void
largest(void **state)
{
	struct pair	*p = *state;
	struct imsg	 imsg;
	static char	 big[MAX_IMSGSIZE];
	size_t		 max = MAX_IMSGSIZE - IMSG_HEADER_SIZE;
	int		 i, n = 0;

	memset(big, 'b', sizeof(big));
	assert_int_equal(imsg_compose(&p->a, 1, 0, 0, -1, big, max + 1), -1);
	for (i = 0; i < 64; i++)
		assert_int_equal(imsg_compose(&p->a, 1, 0, 0,
		    i % 3 == 2 ? dup(0) : -1, big, max), 1);
	/* More than the socket takes: partial writes, and all arrives, each
	 * descriptor once and with its own message. */
	while (n < 64) {
		assert_int_equal(imsgbuf_write(&p->a), 0);
		assert_int_equal(imsgbuf_read(&p->b), 1);
		while (imsg_get(&p->b, &imsg) > 0) {
			assert_int_equal(imsg_get_len(&imsg), max);
			assert_memory_equal(imsg.data, big, max);
			assert_int_equal(imsg_has_fd(&imsg), n % 3 == 2);
			imsg_free(&imsg);
			n++;
		}
	}
	assert_int_equal(imsgbuf_queuelen(&p->a), 0);
	assert_int_equal(imsg_get(&p->b, &imsg), 0);
}

static void
bad_length(void **state)
{
	static const uint32_t	 lens[] = { 0, 1, IMSG_HEADER_SIZE - 1,
				    MAX_IMSGSIZE + 1, 0x7fffffff };
	struct pair		*p = *state;
	struct imsg		 imsg;
	size_t			 i;

	for (i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
		raw_header(p->a.fd, 1, lens[i], NULL, 0);
		assert_int_equal(imsgbuf_read(&p->b), 1);
		assert_int_equal(imsg_get(&p->b, &imsg), -1);
		assert_int_equal(errno, ERANGE);
		imsgbuf_clear(&p->b);
		assert_int_equal(imsgbuf_init(&p->b, p->b.fd), 0);
	}
}

static void
pass_fd(void **state)
{
	struct pair	*p = *state;
	struct imsg	 imsg;
	int		 pp[2], fd;
	char		 c = 0;

	assert_int_equal(pipe(pp), 0);
	/* Around the message with the descriptor, some without. */
	assert_int_equal(imsg_compose(&p->a, 1, 0, 0, -1, "a", 1), 1);
	assert_int_equal(imsg_compose(&p->a, 2, 0, 0, pp[1], "b", 1), 1);
	assert_int_equal(imsg_compose(&p->a, 3, 0, 0, -1, "c", 1), 1);
	assert_int_equal(imsgbuf_write(&p->a), 0);
	/* Sent: no longer open on this side. */
	assert_int_equal(fcntl(pp[1], F_GETFD), -1);

	do {
		assert_int_equal(imsgbuf_read(&p->b), 1);
	} while (p->b.rlen < 3 * (IMSG_HEADER_SIZE + 1));
	assert_true(imsg_get(&p->b, &imsg) > 0);
	assert_int_equal(imsg_has_fd(&imsg), 0);
	imsg_free(&imsg);
	assert_true(imsg_get(&p->b, &imsg) > 0);
	assert_int_equal(imsg_get_type(&imsg), 2);
	assert_int_equal(imsg_has_fd(&imsg), 1);
	assert_int_equal(imsg_get_len(&imsg), 1);
	fd = imsg_get_fd(&imsg);
	assert_int_not_equal(fd, -1);
	assert_int_equal(imsg_get_fd(&imsg), -1);	/* once only */
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	imsg_free(&imsg);
	assert_int_equal(write(fd, "!", 1), 1);
	assert_int_equal(read(pp[0], &c, 1), 1);
	assert_int_equal(c, '!');
	close(fd);
	close(pp[0]);
	assert_true(imsg_get(&p->b, &imsg) > 0);
	assert_int_equal(imsg_has_fd(&imsg), 0);
	imsg_free(&imsg);
}

static void
unclaimed_is_closed(void **state)
{
	struct pair	*p = *state;
	struct imsg	 imsg;

	/* By imsg_free(); teardown counts. */
	assert_int_equal(imsg_compose(&p->a, 2, 0, 0, dup(0), NULL, 0), 1);
	assert_int_equal(imsgbuf_write(&p->a), 0);
	assert_int_equal(imsgbuf_read(&p->b), 1);
	assert_true(imsg_get(&p->b, &imsg) > 0);
	imsg_free(&imsg);
	/* By imsgbuf_clear(): queued to be sent, and received. */
	assert_int_equal(imsg_compose(&p->a, 2, 0, 0, dup(0), NULL, 0), 1);
	assert_int_equal(imsgbuf_write(&p->a), 0);
	assert_int_equal(imsgbuf_read(&p->b), 1);
	assert_int_equal(imsg_compose(&p->a, 2, 0, 0, dup(0), NULL, 0), 1);
}

static void
fd_not_allowed(void **state)
{
	struct pair	*p = *state;
	int		 fd = dup(0);

	p->b.allow_fds = 0;
	assert_int_equal(imsg_compose(&p->b, 2, 0, 0, fd, NULL, 0), -1);
	assert_int_equal(imsg_compose(&p->a, 2, 0, 0, fd, NULL, 0), 1);
	assert_int_equal(imsgbuf_write(&p->a), 0);
	assert_int_equal(imsgbuf_read(&p->b), -1);
	assert_int_equal(errno, EPROTO);
}

static void
two_fds(void **state)
{
	struct pair	*p = *state;
	int		 fds[2] = { 0, 1 };

	raw_header(p->a.fd, 1, IMSG_HEADER_SIZE | FD_MARK, fds, 2);
	assert_int_equal(imsgbuf_read(&p->b), -1);
}

static void
many_fds(void **state)
{
	struct pair	*p = *state;
	int		 fds[8] = { 0, 1, 2, 0, 1, 2, 0, 1 };

	/* More than the control buffer holds: cut by the kernel. */
	raw_header(p->a.fd, 1, IMSG_HEADER_SIZE | FD_MARK, fds, 8);
	assert_int_equal(imsgbuf_read(&p->b), -1);
}

static void
unmarked_fd(void **state)
{
	struct pair	*p = *state;
	struct imsg	 imsg;
	int		 fd = 0;

	raw_header(p->a.fd, 1, IMSG_HEADER_SIZE, &fd, 1);
	assert_int_equal(imsgbuf_read(&p->b), 1);
	assert_true(imsg_get(&p->b, &imsg) > 0);
	assert_int_equal(imsg_has_fd(&imsg), 0);
	imsg_free(&imsg);
	assert_int_equal(imsg_get(&p->b, &imsg), -1);
}

static void
marked_without_fd(void **state)
{
	struct pair	*p = *state;
	struct imsg	 imsg;

	raw_header(p->a.fd, 1, IMSG_HEADER_SIZE | FD_MARK, NULL, 0);
	assert_int_equal(imsgbuf_read(&p->b), 1);
	assert_int_equal(imsg_get(&p->b, &imsg), -1);
	assert_int_equal(errno, EPROTO);
}

static void
fd_flood(void **state)
{
	struct pair	*p = *state;
	int		 i, fd = 0, r = 1;

	/* One byte and one descriptor at a time, never a whole message. */
	for (i = 0; i < IMSG_HEADER_SIZE + 16 && r == 1; i++) {
		raw_send(p->a.fd, i == 4 ? "\377" : "", 1, &fd, 1);
		r = imsgbuf_read(&p->b);
	}
	assert_int_equal(r, -1);
	assert_true(i <= 20);
}

static void
out_of_fds(void **state)
{
	struct pair	*p = *state;
	struct rlimit	 rl, old;
	int		 fd = dup(0);

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	assert_int_equal(imsg_compose(&p->a, 2, 0, 0, fd, NULL, 0), 1);
	assert_int_equal(imsgbuf_write(&p->a), 0);
	rl = old;
	rl.rlim_cur = 3;	/* none is free below */
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &rl), 0);
	assert_int_equal(imsgbuf_read(&p->b), -1);
	assert_int_equal(errno, EMFILE);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
}

static void
flush_gives_up_on_closed(void **state)
{
	struct pair	*p = *state;

	assert_int_equal(imsg_compose(&p->a, 1, 0, 0, -1, "x", 1), 1);
	close(p->b.fd);
	p->b.fd = -1;
	assert_int_equal(imsgbuf_flush(&p->a), -1);
	assert_int_equal(errno, EPIPE);
}

#define T(f)	cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		T(round_trip), T(empty_and_closed), T(split_anywhere),
		T(largest), T(bad_length), T(pass_fd),
		T(unclaimed_is_closed), T(fd_not_allowed), T(two_fds),
		T(many_fds), T(unmarked_fd), T(marked_without_fd),
		T(fd_flood), T(out_of_fds), T(flush_gives_up_on_closed)
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
