/*
 * The probe process as the parent sees it: the real probe_main() in a
 * child, without its sandbox, against small servers.  TLS is tested with
 * the whole daemon, in regress/live.
 */
/* LINK: common/pemdate.o updaterd/probe/probe.o updaterd/probe/check.o updaterd/probe/reply.o updaterd/probe/target.o common/imsgev.o common/log.o common/proto.o common/util.o common/compat/imsg.o */
/* LIBS: -ltls -levent */
#include <sys/types.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <netinet/in.h>
#include <arpa/inet.h>
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
#include "util.h"

#define WAIT_MS		20000	/* for anything that must come */
#define WAIT_S		60	/* and then even a hang ends */

static struct imsgbuf	 ibuf;
static pid_t		 probe_pid, server_pid;
static int		 probe_fd;

/* The real one needs root; what it does is tested elsewhere. */
void
sandbox_enter(const struct sandbox_opts *opts, struct msg_ready *ready)
{
	ready->layers = LAYER_UID;
}

static int
probe_up(void **state)
{
	struct proc_args	 args;
	int			 sv[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv) == -1)
		return -1;
	if ((probe_pid = fork()) == -1)
		return -1;
	if (probe_pid == 0) {
		alarm(WAIT_S);
		signal(SIGPIPE, SIG_IGN);
		fd_nonblock(sv[1]);
		if (dup2(sv[1], PROC_FD) == -1)
			_exit(9);
		closefrom(PROC_FD + 1);
		log_init("test", 1, 0);
		log_procname("probe");
		memset(&args, 0, sizeof(args));
		args.chroot = "";
		probe_main(&args);
	}
	close(sv[1]);
	probe_fd = sv[0];
	server_pid = 0;
	if (imsgbuf_init(&ibuf, probe_fd) == -1)
		return -1;
	imsgbuf_allow_fdpass(&ibuf);
	return 0;
}

static void
server_down(void)
{
	if (server_pid > 1) {
		kill(server_pid, SIGKILL);
		waitpid(server_pid, NULL, 0);
	}
	server_pid = 0;
}

/* Its end by closing must be an orderly one. */
static int
probe_down(void **state)
{
	int	 status;

	server_down();
	if (probe_fd != -1) {
		imsgbuf_clear(&ibuf);
		close(probe_fd);
	}
	if (probe_pid > 1 && waitpid(probe_pid, &status, 0) != -1 &&
	    status != 0)
		return -1;
	probe_pid = 0;
	return 0;
}

/* The next message; 0: the probe has closed. */
static int
get(struct imsg *imsg, int ms)
{
	struct pollfd	 pfd = { probe_fd, POLLIN, 0 };
	ssize_t		 n;
	int		 r;

	while ((n = imsg_get(&ibuf, imsg)) == 0) {
		if (poll(&pfd, 1, ms) != 1)
			return -1;
		if ((r = imsgbuf_read(&ibuf)) != 1)
			return 0;
	}
	assert_true(n > 0);
	return 1;
}

static void
say(uint32_t type, int fd, const void *data, size_t len)
{
	assert_int_equal(imsg_compose(&ibuf, type, 0, 0, fd, data, len), 1);
	assert_int_equal(imsgbuf_flush(&ibuf), 0);
}

static void
start(uint32_t id, enum health_kind kind, uint16_t port, uint32_t within,
    uint32_t timeout)
{
	struct msg_probe_start	 m;

	memset(&m, 0, sizeof(m));
	m.id = id;
	m.kind = kind;
	m.port = port;
	m.status = 200;
	m.within_ms = within;
	m.timeout_ms = timeout;
	strcpy(m.address, "127.0.0.1");
	strcpy(m.path, "/health?x=1");
	say(IMSG_PROBE_START, -1, &m, sizeof(m));
}

static void
go(uint32_t id)
{
	struct msg_id	 m = { id };

	say(IMSG_PROBE_GO, -1, &m, sizeof(m));
}

static struct msg_probe_result
result(void)
{
	struct msg_probe_result	 r;
	struct imsg		 imsg;

	do {
		assert_int_equal(get(&imsg, WAIT_MS), 1);
		if (imsg_get_type(&imsg) == IMSG_PROBE_RESULT)
			break;
		assert_int_equal(imsg_get_type(&imsg), IMSG_READY);
		imsg_free(&imsg);
	} while (1);
	assert_int_equal(imsg_get_data(&imsg, &r, sizeof(r)), 0);
	imsg_free(&imsg);
	assert_true(PROTO_STR(r.text));
	assert_true(r.body_len <= sizeof(r.body));
	return r;
}

static int
bound_socket(uint16_t *port)
{
	struct sockaddr_in	 sin;
	socklen_t		 len = sizeof(sin);
	int			 fd;

	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	memset(&sin, 0, sizeof(sin));
	sin.sin_family = AF_INET;
	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, (struct sockaddr *)&sin, sizeof(sin)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&sin, &len), 0);
	*port = ntohs(sin.sin_port);
	return fd;
}

/*
 * A server that begins to listen after so many milliseconds (0: at once)
 * and gives each answer in turn, the last one for ever; NULL never
 * answers.  Bound but not listening, its port refuses.
 */
static uint16_t
serve(const char *const *answers, useconds_t after_ms)
{
	char		 buf[2048];
	uint16_t	 port;
	int		 fd, c;
	ssize_t		 n;

	fd = bound_socket(&port);
	if (after_ms == 0)
		assert_int_equal(listen(fd, 16), 0);
	if ((server_pid = fork()) == 0) {
		alarm(WAIT_S);
		usleep(after_ms * 1000);
		if (after_ms > 0 && listen(fd, 16) == -1)
			_exit(1);
		for (;;) {
			if ((c = accept(fd, NULL, NULL)) == -1)
				_exit(1);
			n = read(c, buf, sizeof(buf) - 1);
			buf[n > 0 ? n : 0] = '\0';
			if (answers[0] == NULL)
				continue;
			if (n > 0 && strncmp(buf, "GET /health?x=1 HTTP/1.1"
			    "\r\nHost: 127.0.0.1:", 41) != 0)
				_exit(1);
			if (n > 0 && write(c, answers[0],
			    strlen(answers[0])) == -1)
				_exit(1);
			close(c);
			if (answers[1] != NULL)
				answers++;
		}
	}
	assert_true(server_pid > 1);
	close(fd);
	return port;
}

static const char	ok[] = "HTTP/1.1 200 OK\r\n\r\nfine";
static const char	down[] = "HTTP/1.1 503 No\r\n\r\nnot yet";

static void
healthy(void **state)
{
	static const char *const answers[] = { ok, NULL };
	struct msg_probe_result	 r;
	uint16_t		 port = serve(answers, 0);

	start(1, HEALTH_HTTP, port, 10000, 3000);
	go(1);
	r = result();
	assert_int_equal(r.id, 1);
	assert_int_equal(r.healthy, 1);
	assert_int_equal(r.status, 200);
	assert_int_equal(r.body_len, 4);
	assert_memory_equal(r.body, "fine", 4);
	assert_non_null(strstr(r.text, "answered 200"));

	start(2, HEALTH_TCP, port, 10000, 3000);
	go(2);
	r = result();
	assert_int_equal(r.id, 2);
	assert_int_equal(r.healthy, 1);
}

static void
slow_start(void **state)
{
	static const char *const answers[] = { ok, NULL };
	struct msg_probe_result	 r;

	/* Long enough that a busy machine gets to the first attempt. */
	start(1, HEALTH_HTTP, serve(answers, 500), 15000, 3000);
	go(1);
	r = result();
	assert_int_equal(r.healthy, 1);
	assert_true(r.attempts > 1);
}

static void
recovers(void **state)
{
	static const char *const answers[] = { down, "junk", down, ok, NULL };
	struct msg_probe_result	 r;

	start(1, HEALTH_HTTP, serve(answers, 0), 15000, 3000);
	go(1);
	r = result();
	assert_int_equal(r.healthy, 1);
	assert_int_equal(r.attempts, 4);
	/* 10 + 20 + 40 ms of waiting, less what a loop's clock is late */
	assert_true(r.elapsed_ms >= 40);
}

static void
reason(const char *const *answers, uint32_t within, uint32_t timeout,
    uint32_t status, const char *text)
{
	struct msg_probe_result	 r;
	uint16_t		 port;
	int			 fd = -1;

	if (answers != NULL)
		port = serve(answers, 0);
	else
		fd = bound_socket(&port);	/* refuses */
	start(1, HEALTH_HTTP, port, within, timeout);
	go(1);
	r = result();
	assert_int_equal(r.healthy, 0);
	assert_int_equal(r.status, status);
	if (strstr(r.text, text) == NULL)
		fail_msg("%s instead of %s", r.text, text);
	assert_true(r.elapsed_ms + 10 >= within);
	server_down();
	if (fd != -1)
		close(fd);
}

static void
reasons(void **state)
{
	static const char *const sick[] = { down, NULL };
	static const char *const mute[] = { NULL };
	static const char *const junk[] = { "220 mail\r\n", NULL };
	static const char *const cut[] = {
		"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab", NULL
	};
	static const char *const none[] = { "", NULL };

	reason(NULL, 150, 100, 0, "connection refused (");
	reason(sick, 150, 100, 503, "answered 503, wanted 200");
	reason(junk, 150, 100, 0, "not HTTP");
	reason(cut, 150, 100, 200, "broke off");
	reason(none, 150, 100, 0, "closed without an answer");
	/* Within ends in an attempt: the timeout of the one before counts, */
	reason(mute, 350, 200, 0, "no answer within 200 ms");
	reason(mute, 200, 5000, 0, "no answer within 200 ms");
}

/* A refusal says less than an attempt cut short. */
static void
listens_but_is_mute(void **state)
{
	static const char *const mute[] = { NULL };
	struct msg_probe_result	 r;

	start(1, HEALTH_HTTP, serve(mute, 500), 1500, 5000);
	go(1);
	r = result();
	assert_int_equal(r.healthy, 0);
	assert_true(r.attempts > 1);
	assert_non_null(strstr(r.text, "no answer within "));
}

static void
many(void **state)
{
	static const char *const answers[] = { ok, NULL };
	struct msg_probe_result	 r;
	uint16_t		 port = serve(answers, 30);
	uint64_t		 seen = 0;
	uint32_t		 i;

	for (i = 0; i < 10; i++) {
		start(i, HEALTH_HTTP, port, 15000, 5000);
		go(i);
	}
	for (i = 0; i < 10; i++) {
		r = result();
		assert_int_equal(r.healthy, 1);
		assert_true(r.id < 10);
		seen |= 1U << r.id;
	}
	assert_int_equal(seen, 0x3ff);
}

static void
cancel(void **state)
{
	struct msg_id	 m = { 1 };
	uint16_t	 port;
	int		 fd = bound_socket(&port);

	start(1, HEALTH_HTTP, port, 100, 100);
	go(1);
	say(IMSG_PROBE_CANCEL, -1, &m, sizeof(m));
	/* Not known any more, and harmless. */
	say(IMSG_PROBE_CANCEL, -1, &m, sizeof(m));
	go(1);
	/* The one that follows is the only one that answers. */
	start(2, HEALTH_HTTP, port, 300, 100);
	go(2);
	assert_int_equal(result().id, 2);
	/* And the id may be used again. */
	start(1, HEALTH_HTTP, port, 20, 100);
	go(1);
	assert_int_equal(result().id, 1);
	close(fd);
}

static void
unfit_files(void **state)
{
	struct msg_probe_result	 r;
	struct msg_probe_file	 f = { 2, PROBEFILE_CA };

	/* What no attempt can heal is answered at once. */
	start(1, HEALTH_HTTPS, 1, 60000, 100);
	go(1);
	r = result();
	assert_int_equal(r.healthy, 0);
	assert_int_equal(r.attempts, 0);
	assert_non_null(strstr(r.text, "no ca certificate"));

	start(2, HEALTH_HTTPS, 1, 60000, 100);
	say(IMSG_PROBE_FILE, open("/etc/passwd", O_RDONLY), &f, sizeof(f));
	go(2);
	r = result();
	assert_int_equal(r.attempts, 0);
	assert_non_null(strstr(r.text, "ca certificate"));
}

static void
breaks_rules(void **state)
{
	struct msg_probe_file	 f = { 1, PROBEFILE_CA };
	struct msg_probe_start	 m;
	struct imsg		 imsg;
	int			 status;

	switch ((int)(intptr_t)*state) {
	case 0:		/* an id twice */
		start(1, HEALTH_TCP, 1, 60000, 100);
		start(1, HEALTH_TCP, 1, 60000, 100);
		break;
	case 1:		/* a file for a check that takes none */
		start(1, HEALTH_TCP, 1, 60000, 100);
		say(IMSG_PROBE_FILE, open("/dev/null", O_RDONLY), &f,
		    sizeof(f));
		break;
	case 2:		/* a file without a descriptor */
		start(1, HEALTH_HTTPS, 1, 60000, 100);
		say(IMSG_PROBE_FILE, -1, &f, sizeof(f));
		break;
	case 3:		/* a kind that is the parent's own */
		start(1, HEALTH_EXEC, 1, 60000, 100);
		break;
	case 4:		/* a string without an end */
		memset(&m, 'x', sizeof(m));
		m.kind = HEALTH_TCP;
		say(IMSG_PROBE_START, -1, &m, sizeof(m));
		break;
	case 5:		/* a message of another process */
		say(IMSG_NET_END, -1, NULL, 0);
		break;
	case 6:		/* GO twice */
		start(1, HEALTH_TCP, 1, 60000, 100);
		go(1);
		go(1);
		break;
	}
	do {
		status = get(&imsg, WAIT_MS);
		if (status == 1) {
			assert_int_not_equal(imsg_get_type(&imsg),
			    IMSG_PROBE_RESULT);
			imsg_free(&imsg);
		}
	} while (status == 1);
	assert_int_equal(status, 0);
	assert_int_equal(waitpid(probe_pid, &status, 0), probe_pid);
	probe_pid = 0;
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 1);
}

int
main(void)
{
#define T(f)	cmocka_unit_test_setup_teardown(f, probe_up, probe_down)
#define B(n)	{ "breaks_rules " #n, breaks_rules, probe_up, probe_down, \
		    (void *)(intptr_t)(n) }
	const struct CMUnitTest	 tests[] = {
		T(healthy),
		T(slow_start),
		T(recovers),
		T(reasons),
		T(listens_but_is_mute),
		T(many),
		T(cancel),
		T(unfit_files),
		B(0),
		B(1),
		B(2),
		B(3),
		B(4),
		B(5),
		B(6),
	};

	alarm(2 * WAIT_S);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
