/*
 * updaterctl's side of the control socket, against a daemon that answers
 * well, in pieces, wrongly or not at all.
 */
/* LINK: updaterctl/client.o common/proto.o common/util.o common/compat/imsg.o */
#include <sys/types.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <fcntl.h>
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

#include "client.h"

static struct client	 client;
static struct imsgbuf	 daemon_buf;
static int		 daemon_fd;
static struct answer	 answer;

static int
setup(void **state)
{
	int	 sv[2];

	signal(SIGPIPE, SIG_IGN);
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, sv) == -1)
		return -1;
	daemon_fd = sv[0];
	if (imsgbuf_init(&daemon_buf, sv[0]) == -1)
		return -1;
	imsgbuf_allow_fdpass(&daemon_buf);
	memset(&answer, 0, sizeof(answer));
	return client_take(&client, sv[1]);
}

static void
hang_up(void)
{
	if (daemon_fd == -1)
		return;
	imsgbuf_clear(&daemon_buf);
	close(daemon_fd);
	daemon_fd = -1;
}

static int
teardown(void **state)
{
	hang_up();
	client_close(&client);
	buf_free(&answer.text);
	return 0;
}

/* What the client has sent, as the daemon sees it. */
static void
daemon_get(struct imsg *imsg)
{
	ssize_t	 n;

	while ((n = imsg_get(&daemon_buf, imsg)) == 0)
		assert_int_equal(imsgbuf_read(&daemon_buf), 1);
	assert_true(n > 0);
	assert_int_equal(imsg_get_id(imsg), UPD_PROTO_VERSION);
}

static void
daemon_say(uint32_t type, const void *data, size_t len)
{
	assert_int_equal(imsg_compose(&daemon_buf, type, 0, 0, -1, data, len),
	    1);
	assert_int_equal(imsgbuf_flush(&daemon_buf), 0);
}

static void
daemon_reply(uint32_t id, uint16_t status, uint16_t last, const char *text)
{
	struct {
		struct msg_reply	 head;
		char			 text[256];
	} m;
	size_t	 len = strlen(text);

	memset(&m, 0, sizeof(m));
	m.head.id = id;
	m.head.status = status;
	m.head.last = last;
	memcpy(m.text, text, len);
	daemon_say(IMSG_REPLY, &m, sizeof(m.head) + len);
}

static void
asks(void **state)
{
	struct msg_request	 m;
	struct imsg		 imsg;

	assert_int_equal(client_request(&client, OP_ROLLBACK, "default",
	    "20261122T"), 0);
	daemon_get(&imsg);
	assert_int_equal(imsg_get_type(&imsg), IMSG_REQUEST);
	assert_int_equal(imsg_get_data(&imsg, &m, sizeof(m)), 0);
	imsg_free(&imsg);
	assert_int_equal(m.op, OP_ROLLBACK);
	assert_string_equal(m.agent, "default");
	assert_string_equal(m.arg, "20261122T");
	/* Who asks is for the daemon to find out. */
	assert_string_equal(m.caller.subject, "");

	daemon_reply(m.id, 200, 0, "{\"a\":");
	daemon_reply(m.id, 200, 1, "1}");
	assert_int_equal(client_next(&client, &answer), CLIENT_PART);
	assert_false(answer.last);
	assert_int_equal(client_next(&client, &answer), CLIENT_PART);
	assert_true(answer.last);
	assert_int_equal(answer.status, 200);
	assert_string_equal(answer.text.data, "{\"a\":1}");
}

static void
hands_over(void **state)
{
	struct msg_ctl_update	 m;
	struct msg_update_event	 e;
	struct imsg		 imsg;
	char			 got[8];
	int			 p[2], fd;

	assert_int_equal(pipe(p), 0);
	assert_int_equal(write(p[1], "tar", 3), 3);
	assert_int_equal(client_update(&client, p[0], -1, UPDF_DRY_RUN,
	    "default", "abc"), 0);
	/* It is the daemon's alone now. */
	assert_int_equal(fcntl(p[0], F_GETFD), -1);
	daemon_get(&imsg);
	assert_int_equal(imsg_get_type(&imsg), IMSG_CTL_UPDATE);
	assert_int_equal(imsg_get_data(&imsg, &m, sizeof(m)), 0);
	fd = imsg_get_fd(&imsg);
	imsg_free(&imsg);
	assert_int_not_equal(fd, -1);
	assert_int_equal(read(fd, got, sizeof(got)), 3);
	close(fd);
	close(p[1]);
	assert_int_equal(m.length, -1);
	assert_int_equal(m.flags, UPDF_DRY_RUN);
	assert_string_equal(m.sha, "abc");

	memset(&e, 0, sizeof(e));
	e.bytes = 7;
	strcpy(e.event, "installing");
	daemon_say(IMSG_UPDATE_EVENT, &e, sizeof(e));
	assert_int_equal(client_next(&client, &answer), CLIENT_EVENT);
	assert_string_equal(answer.event.event, "installing");
	assert_int_equal(answer.event.bytes, 7);
	/* Without a NUL it is no string. */
	memset(e.event, 'x', sizeof(e.event));
	daemon_say(IMSG_UPDATE_EVENT, &e, sizeof(e));
	assert_int_equal(client_next(&client, &answer), CLIENT_BROKEN);
}

static void
long_names(void **state)
{
	char	 name[UPD_INSTANCE_SIZE + 1];
	int	 fd;

	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	assert_int_equal(client_request(&client, OP_START, "", name), -1);
	assert_non_null(strstr(client.why, "longer than"));
	fd = open("/dev/null", O_RDONLY);
	assert_int_equal(client_update(&client, fd, 0, 0, name, ""), -1);
	assert_int_equal(fcntl(fd, F_GETFD), -1);
}

static void
hangs_up(void **state)
{
	/* A daemon that refuses us says why first; that is read. */
	daemon_reply(client.id, 403, 1, "{}");
	hang_up();
	assert_int_equal(client_request(&client, OP_STATUS, "", ""), 0);
	assert_int_equal(client_next(&client, &answer), CLIENT_PART);
	assert_int_equal(answer.status, 403);
	assert_int_equal(client_next(&client, &answer), CLIENT_END);
}

static void
wrong_answers(void **state)
{
	struct msg_id	 id = { 1 };

	switch ((int)(intptr_t)*state) {
	case 0:		/* of another request */
		daemon_reply(client.id + 1, 200, 1, "{}");
		break;
	case 1:		/* too short */
		daemon_say(IMSG_REPLY, &id, sizeof(id));
		break;
	case 2:		/* not for us */
		daemon_say(IMSG_UPDATE_GO, &id, sizeof(id));
		break;
	case 3:		/* a descriptor that nobody wants */
		assert_int_equal(imsg_compose(&daemon_buf, IMSG_REPLY, 0, 0,
		    dup(0), &(struct msg_reply){ client.id, 200, 1 },
		    sizeof(struct msg_reply)), 1);
		assert_int_equal(imsgbuf_flush(&daemon_buf), 0);
		break;
	case 4:		/* no frame at all */
		assert_int_equal(write(daemon_fd,
		    "\377\377\377\377\377\377\377\177\0\0\0\0\0\0\0\0", 16),
		    16);
		break;
	}
	assert_int_equal(client_next(&client, &answer), CLIENT_BROKEN);
	assert_string_not_equal(client.why, "");
}

static void
cannot_connect(void **state)
{
	struct client		 c;
	struct sockaddr_un	 sun;
	char			 dir[] = "/tmp/test_client.XXXXXX";
	char			 path[64], longpath[256];
	int			 fd;

	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/sock", dir);
	assert_int_equal(client_open(&c, path), -1);
	assert_non_null(strstr(c.why, "No such file"));
	assert_non_null(strstr(c.why, "is updaterd running?"));
	/* Harmless. */
	client_close(&c);

	/* A socket that a dead daemon left. */
	memset(&sun, 0, sizeof(sun));
	sun.sun_family = AF_UNIX;
	strcpy(sun.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
	assert_int_equal(client_open(&c, path), -1);
	assert_non_null(strstr(c.why, "is updaterd running?"));
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(client_open(&c, path), 0);
	client_close(&c);

	/* Not allowed: the text says who is. */
	assert_int_equal(chmod(path, 0600), 0);
	assert_int_equal(chmod(dir, 0755), 0);
	if (geteuid() == 0) {
		assert_int_equal(seteuid(65534), 0);
		assert_int_equal(client_open(&c, path), -1);
		assert_non_null(strstr(c.why, "root only"));
		assert_int_equal(seteuid(0), 0);
	}
	close(fd);
	unlink(path);
	rmdir(dir);

	memset(longpath, 'x', sizeof(longpath) - 1);
	longpath[sizeof(longpath) - 1] = '\0';
	assert_int_equal(client_open(&c, longpath), -1);
}

int
main(void)
{
#define T(f)	cmocka_unit_test_setup_teardown(f, setup, teardown)
#define W(n)	{ "wrong_answers " #n, wrong_answers, setup, teardown,	\
		    (void *)(intptr_t)(n) }
	const struct CMUnitTest	 tests[] = {
		T(asks),
		T(hands_over),
		T(long_names),
		T(hangs_up),
		W(0),
		W(1),
		W(2),
		W(3),
		W(4),
		cmocka_unit_test(cannot_connect),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
