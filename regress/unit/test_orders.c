/*
 * orders.c, inflate.c, unpack.c: orders in the right sequence are carried
 * out, anything else ends the process without a word; so does the parent's
 * leaving.
 */
/* LINK: common/compat/osproc-linux.o updaterd/orders.o updaterd/inflate/inflate.o updaterd/inflate/ahead.o updaterd/inflate/stream.o updaterd/inflate/signify.o common/relkey.o updaterd/inflate/gzip.o updaterd/inflate/unzstd.o updaterd/inflate/deflate_zlib.o updaterd/unpack/unpack.o updaterd/unpack/report.o updaterd/unpack/extract.o updaterd/unpack/source.o updaterd/unpack/frame.o updaterd/unpack/pax.o updaterd/unpack/tarname.o updaterd/unpack/entry.o updaterd/unpack/names.o updaterd/unpack/writer.o updaterd/unpack/verify.o updaterd/unpack/walk.o updaterd/unpack/diff.o updaterd/unpack/manifest.o updaterd/unpack/manifest_io.o common/compat/beneath-linux.o common/compat/beneath-walk.o common/proto.o common/util.o common/error.o common/log.o common/compat/imsg.o */
/* LIBS: -larchive -lz -lzstd -lcrypto */
#include <sys/socket.h>
#include <sys/wait.h>

#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "imsg.h"
#include "log.h"
#include "proc.h"
#include "sandbox.h"

#define WAIT_MS	10000

static struct imsgbuf	 ibuf;
static pid_t		 pid;

/* In the place of the real one: the test may run as anybody. */
void
sandbox_enter(const struct sandbox_opts *o, struct msg_ready *r)
{
	r->layers = LAYER_UID;
}

static void
start(void (*child)(const struct proc_args *))
{
	struct proc_args	 args;
	int			 sv[2], null;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK |
	    SOCK_CLOEXEC, 0, sv), 0);
	if ((pid = fork()) == 0) {
		null = open("/dev/null", O_RDWR);
		dup2(null, STDERR_FILENO);
		dup2(sv[1], PROC_FD);
		closefrom(PROC_FD + 1);
		memset(&args, 0, sizeof(args));
		args.chroot = "/";
		log_init("test", 1, 0);
		child(&args);
		_exit(99);
	}
	assert_true(pid > 1);
	close(sv[1]);
	assert_int_equal(imsgbuf_init(&ibuf, sv[0]), 0);
	imsgbuf_allow_fdpass(&ibuf);
}

static void
send_msg(uint32_t type, int fd, const void *p, size_t len)
{
	assert_int_equal(imsg_compose(&ibuf, type, 0, -1, fd, p, len), 1);
	assert_int_equal(imsgbuf_flush(&ibuf), 0);
}

/* The next message's type, or IMSG_NONE when the channel is closed. */
static uint32_t
next(void)
{
	struct pollfd	 pfd = { ibuf.fd, POLLIN, 0 };
	struct imsg	 imsg;
	uint32_t	 type;
	ssize_t		 n;

	while ((n = imsg_get(&ibuf, &imsg)) == 0) {
		assert_int_equal(poll(&pfd, 1, WAIT_MS), 1);
		if (imsgbuf_read(&ibuf) != 1)
			return IMSG_NONE;
	}
	assert_true(n > 0);
	type = imsg_get_type(&imsg);
	imsg_free(&imsg);
	return type;
}

static int
end(void)
{
	int	 status;

	close(ibuf.fd);
	ibuf.fd = -1;
	imsgbuf_clear(&ibuf);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* It must leave with 1 and no word. */
static void
thrown_out(void)
{
	assert_int_equal(next(), IMSG_NONE);
	assert_int_equal(end(), 1);
}

static int
file(void)
{
	char	 name[] = "/tmp/test_orders.XXXXXX";
	int	 fd = mkstemp(name);

	assert_int_not_equal(fd, -1);
	unlink(name);
	return fd;
}

static int
directory(void)
{
	return open("/tmp", O_RDONLY | O_DIRECTORY);
}

static int
end_of_pipe(void)
{
	int	 fd[2];

	assert_int_equal(pipe(fd), 0);
	close(fd[1]);
	return fd[0];
}

static struct msg_unpack_start *
unpack_start(uint32_t mode)
{
	static struct msg_unpack_start	 m;

	memset(&m, 0, sizeof(m));
	m.mode = mode;
	m.max_files = 10;
	m.max_bytes = 10;
	return &m;
}

static void
unpack_orders(void **state)
{
	const size_t	 n = sizeof(struct msg_unpack_start);

	start(unpack_main);		/* an empty pipe is no archive */
	send_msg(IMSG_UNPACK_DIR, directory(), NULL, 0);
	send_msg(IMSG_UNPACK_MANIFEST, file(), NULL, 0);
	send_msg(IMSG_UNPACK_START, end_of_pipe(),
	    unpack_start(UNPACK_EXTRACT), n);
	assert_int_equal(next(), IMSG_READY);
	assert_int_equal(next(), IMSG_UNPACK_FAIL);
	assert_int_equal(next(), IMSG_NONE);
	assert_int_equal(end(), 1);

	start(unpack_main);		/* the other order of the two */
	send_msg(IMSG_UNPACK_MANIFEST, file(), NULL, 0);
	send_msg(IMSG_UNPACK_DIR, directory(), NULL, 0);
	send_msg(IMSG_UNPACK_START, -1, unpack_start(UNPACK_VERIFY), n);
	assert_int_equal(next(), IMSG_READY);
	assert_int_equal(next(), IMSG_UNPACK_FAIL);
	assert_int_equal(end(), 1);
}

static void
unpack_refuses(void **state)
{
	const size_t	 n = sizeof(struct msg_unpack_start);
	uint32_t	 mode;

	start(unpack_main);		/* too early */
	send_msg(IMSG_UNPACK_START, end_of_pipe(),
	    unpack_start(UNPACK_EXTRACT), n);
	thrown_out();
	start(unpack_main);		/* twice */
	send_msg(IMSG_UNPACK_DIR, directory(), NULL, 0);
	send_msg(IMSG_UNPACK_DIR, directory(), NULL, 0);
	thrown_out();
	start(unpack_main);		/* no descriptor */
	send_msg(IMSG_UNPACK_DIR, -1, NULL, 0);
	thrown_out();
	start(unpack_main);		/* not a directory */
	send_msg(IMSG_UNPACK_DIR, file(), NULL, 0);
	thrown_out();
	start(unpack_main);		/* not a file */
	send_msg(IMSG_UNPACK_MANIFEST, directory(), NULL, 0);
	thrown_out();
	start(unpack_main);		/* surplus bytes */
	send_msg(IMSG_UNPACK_DIR, directory(), "x", 1);
	thrown_out();
	start(unpack_main);		/* another's message */
	send_msg(IMSG_INFLATE_OUT, end_of_pipe(), NULL, 0);
	thrown_out();
	start(unpack_main);		/* no such message */
	send_msg(IMSG__MAX, -1, NULL, 0);
	thrown_out();
	for (mode = 0; mode <= UNPACK__MAX; mode++) {
		if (mode == UNPACK_DIFF)
			continue;
		start(unpack_main);	/* pipe where none belongs, or not */
		send_msg(IMSG_UNPACK_DIR, directory(), NULL, 0);
		send_msg(IMSG_UNPACK_MANIFEST, file(), NULL, 0);
		send_msg(IMSG_UNPACK_START, mode == UNPACK_EXTRACT ? -1 :
		    end_of_pipe(), unpack_start(mode), n);
		thrown_out();
	}
	start(unpack_main);		/* DIFF with a pipe */
	send_msg(IMSG_UNPACK_DIR, directory(), NULL, 0);
	send_msg(IMSG_UNPACK_MANIFEST, file(), NULL, 0);
	send_msg(IMSG_UNPACK_START, end_of_pipe(),
	    unpack_start(UNPACK_DIFF), n);
	thrown_out();
}

static void
inflate_orders(void **state)
{
	struct msg_inflate_start	 m;
	struct msg_verbose		 v = { 1 };

	memset(&m, 0, sizeof(m));
	m.max_out = 10;
	start(inflate_main);
	send_msg(IMSG_VERBOSE, -1, &v, sizeof(v));
	send_msg(IMSG_INFLATE_START, end_of_pipe(), &m, sizeof(m));
	send_msg(IMSG_VERBOSE, -1, &v, sizeof(v));
	send_msg(IMSG_INFLATE_OUT, file(), NULL, 0);
	assert_int_equal(next(), IMSG_READY);
	assert_int_equal(next(), IMSG_INFLATE_FAIL);
	assert_int_equal(end(), 1);

	start(inflate_main);		/* too early */
	send_msg(IMSG_INFLATE_OUT, file(), NULL, 0);
	thrown_out();
	start(inflate_main);		/* twice */
	send_msg(IMSG_INFLATE_START, end_of_pipe(), &m, sizeof(m));
	send_msg(IMSG_INFLATE_START, end_of_pipe(), &m, sizeof(m));
	thrown_out();
	start(inflate_main);		/* cut short */
	send_msg(IMSG_INFLATE_START, end_of_pipe(), &m, sizeof(m) - 1);
	thrown_out();
	start(inflate_main);		/* no descriptor */
	send_msg(IMSG_INFLATE_START, -1, &m, sizeof(m));
	thrown_out();
	m.hash = 2;
	start(inflate_main);		/* bad contents */
	send_msg(IMSG_INFLATE_START, end_of_pipe(), &m, sizeof(m));
	thrown_out();
	v.level = 3;
	start(inflate_main);
	send_msg(IMSG_VERBOSE, -1, &v, sizeof(v));
	thrown_out();
}

static void
parent_leaves(void **state)
{
	start(unpack_main);
	send_msg(IMSG_UNPACK_DIR, directory(), NULL, 0);
	assert_int_equal(end(), 0);
	start(inflate_main);
	assert_int_equal(end(), 0);
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test(unpack_orders),
		cmocka_unit_test(unpack_refuses),
		cmocka_unit_test(inflate_orders),
		cmocka_unit_test(parent_leaves)
	};

	signal(SIGPIPE, SIG_IGN);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
