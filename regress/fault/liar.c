/*
 * A child of the parent that has been taken over: it stands in the place of
 * net, probe, inflate or unpack, speaks their protocol, and lies.  One lie
 * a life.  Only a parent built with -DSANDBOX_TEST takes it for its own.
 *
 * $UPDATERD_TEST_DIR holds, per type of process:
 *	TYPE.next	"NUMBER END STEP": the next lie of the table below
 *			(its number counts on, round after round); at END or
 *			without this file the real program is executed
 *	TYPE.log	"NUMBER NAME WANT" when a lie begins; then "NUMBER
 *			NAME lived" if the parent took it and went on, or
 *			"hung" if the parent answered no more.  A lie that
 *			ends with our death leaves the first line only.
 *	updaterd	the real program
 *	archive		what an impostor of net pushes
 *
 * WANT is "die" or "live".  The table: each message type there is, and some
 * there are not, in each wrong form (see forms), then the lies that take
 * some telling (liar_net.h and so on below).
 */
#include <sys/types.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "liar.h"

struct imsgbuf	 ib;
static char	 dir[256];
static const char *me;
static unsigned	 number;

/* --- tools ------------------------------------------------------------ */

static void
die(const char *what)
{
	dprintf(STDERR_FILENO, "liar: %s: %s\n", what, strerror(errno));
	_exit(9);
}

static void
note(const char *name, const char *what)
{
	char	 path[300], line[128];
	int	 fd, n;

	snprintf(path, sizeof(path), "%s/%s.log", dir, me);
	n = snprintf(line, sizeof(line), "%u %s %s\n", number, name, what);
	if ((fd = open(path, O_WRONLY | O_APPEND | O_CREAT, 0600)) == -1 ||
	    write(fd, line, (size_t)n) != n)
		die(path);
	close(fd);
}

void
tell_fd(uint32_t type, int fd, const void *data, size_t len)
{
	struct imsg	 imsg;

	if (fd != -1 && (fd = dup(fd)) == -1)
		die("dup");
	if (imsg_compose(&ib, type, 0, 0, fd, data, len) == -1)
		die("compose");
	/* The parent stops to listen to who does not listen to it. */
	for (;;) {
		if (imsgbuf_write(&ib) == -1)
			_exit(0);		/* it has had enough */
		if (imsgbuf_queuelen(&ib) == 0)
			break;
		if (hear(&imsg, 20) == 1)
			imsg_free(&imsg);
	}
}

void
tell(uint32_t type, const void *data, size_t len)
{
	tell_fd(type, -1, data, len);
}

void
raw(const void *data, size_t len)
{
	const char	*p = data;
	struct pollfd	 pfd = { .fd = 3, .events = POLLOUT };
	ssize_t		 n;

	while (len > 0) {
		n = send(3, p, len, MSG_NOSIGNAL);
		if (n == -1 && errno != EAGAIN)
			_exit(0);
		if (n == -1) {
			poll(&pfd, 1, 5000);
			continue;
		}
		p += n;
		len -= (size_t)n;
	}
}

/* The next message within ms; 0 none, 1, or -1: the channel has ended. */
int
hear(struct imsg *imsg, int ms)
{
	struct pollfd	 pfd = { .fd = 3, .events = POLLIN };
	ssize_t		 n;

	for (;;) {
		if ((n = imsg_get(&ib, imsg)) > 0)
			return 1;
		if (n == -1)
			return -1;
		if (poll(&pfd, 1, ms) <= 0)
			return 0;
		if (imsgbuf_read(&ib) <= 0)
			return -1;
	}
}

/* Wait for a message of that type; what else comes is thrown away.  1 with
 * the message, 0 after ms of silence. */
int
await(uint32_t type, struct imsg *imsg, int ms)
{
	int	 r;

	while ((r = hear(imsg, ms)) == 1) {
		if (imsg_get_type(imsg) == type)
			return 1;
		imsg_free(imsg);
	}
	if (r == -1)
		_exit(0);
	return 0;
}

/* --- forms ------------------------------------------------------------ */

/* Payload bytes of each type, whoever may send it. */
static size_t
size_of(uint32_t type)
{
	switch (type) {
	case IMSG_VERBOSE:		return sizeof(struct msg_verbose);
	case IMSG_READY:		return sizeof(struct msg_ready);
	case IMSG_NET_CONF:		return sizeof(struct msg_net_conf);
	case IMSG_NET_FILE:		return sizeof(struct msg_net_file);
	case IMSG_NET_PERMIT:		return sizeof(struct msg_net_permit);
	case IMSG_NET_LISTEN:		return sizeof(struct msg_net_listen);
	case IMSG_NET_BAD:		return sizeof(struct msg_text);
	case IMSG_REQUEST:		return sizeof(struct msg_request);
	case IMSG_REPLY:		return sizeof(struct msg_reply);
	case IMSG_REPLY_FD:		return sizeof(struct msg_reply_fd);
	case IMSG_UPDATE_OPEN:		return sizeof(struct msg_update_open);
	case IMSG_UPDATE_DONE:		return sizeof(struct msg_update_done);
	case IMSG_UPDATE_ABORT:		return sizeof(struct msg_update_abort);
	case IMSG_UPDATE_EVENT:		return sizeof(struct msg_update_event);
	case IMSG_INFLATE_START:	return sizeof(struct msg_inflate_start);
	case IMSG_INFLATE_KEY:		return sizeof(struct msg_inflate_key);
	case IMSG_INFLATE_PROGRESS:
		return sizeof(struct msg_inflate_progress);
	case IMSG_INFLATE_DONE:		return sizeof(struct msg_inflate_done);
	case IMSG_INFLATE_FAIL:		return sizeof(struct msg_fail);
	case IMSG_UNPACK_START:		return sizeof(struct msg_unpack_start);
	case IMSG_UNPACK_DONE:		return sizeof(struct msg_unpack_done);
	case IMSG_UNPACK_FAIL:		return sizeof(struct msg_fail);
	case IMSG_UNPACK_DIFF:		return sizeof(struct msg_unpack_diff);
	case IMSG_UNPACK_FAULT:		return sizeof(struct msg_unpack_fault);
	case IMSG_PROBE_START:		return sizeof(struct msg_probe_start);
	case IMSG_PROBE_FILE:		return sizeof(struct msg_probe_file);
	case IMSG_PROBE_RESULT:		return sizeof(struct msg_probe_result);
	case IMSG_CTL_UPDATE:		return sizeof(struct msg_ctl_update);
	case IMSG_CANCEL: case IMSG_UPDATE_GO: case IMSG_UPDATE_STOP:
	case IMSG_PROBE_GO: case IMSG_PROBE_CANCEL:
		return sizeof(struct msg_id);
	default:
		return 0;
	}
}

enum form { EMPTY, SHORT, LONG, LARGEST, ZEROS, ONES, WITH_FD, FORM__MAX };
static const char *const forms[FORM__MAX] = {
	"empty", "short", "long", "largest", "zeros", "ones", "with-fd"
};
#define TYPES		(IMSG__MAX + 2)		/* some there are not */
#define NFORMED		(TYPES * FORM__MAX)

static uint32_t
type_of(unsigned n)
{
	n /= FORM__MAX;
	return n <= IMSG__MAX ? n : 0x80000001U;
}

static void
formed_name(unsigned n, char *name, size_t size)
{
	snprintf(name, size, "%s-%s", imsg_name(type_of(n)),
	    forms[n % FORM__MAX]);
}

static void
formed(unsigned n)
{
	static char	 zero[MAX_IMSGSIZE], ones[MAX_IMSGSIZE];
	uint32_t	 type = type_of(n);
	size_t		 size = size_of(type);

	memset(ones, 0xff, sizeof(ones));
	switch (n % FORM__MAX) {
	case EMPTY:
		tell(type, NULL, 0);
		break;
	case SHORT:
		tell(type, zero, size > 0 ? size - 1 : 0);
		break;
	case LONG:
		tell(type, zero, size + 1);
		break;
	case LARGEST:
		tell(type, zero, MAX_IMSGSIZE - IMSG_HEADER_SIZE);
		break;
	case ZEROS:
		tell(type, zero, size);
		break;
	case ONES:
		tell(type, ones, size);
		break;
	case WITH_FD:
		tell_fd(type, STDIN_FILENO, zero, size);
		break;
	}
}

/* --- lies on the wire, of any process ---------------------------------- */

static void
wire_head(uint32_t type, uint32_t len)
{
	uint32_t	 h[4] = { type, len, 0, 0 };

	raw(h, sizeof(h));
}

static void wire_len_zero(void) { wire_head(IMSG_READY, 0); }
static void wire_len_small(void) { wire_head(IMSG_READY, 15); }
static void wire_len_huge(void) { wire_head(IMSG_READY, 0x7fffffff); }
static void wire_len_above(void) { wire_head(IMSG_READY, MAX_IMSGSIZE + 1); }
static void wire_fd_missing(void) { wire_head(IMSG_READY, 0x80000010U); }
static void wire_all_ones(void) { wire_head(0xffffffffU, 0xffffffffU); }

static void
wire_garbage(void)
{
	static unsigned char	 b[65536];
	size_t			 i;

	srand(number);
	for (i = 0; i < sizeof(b); i++)
		b[i] = (unsigned char)rand();
	raw(b, sizeof(b));
}

static void
wire_half_head(void)
{
	raw("\3\0\0\0\20", 5);
	_exit(0);
}

static void
wire_half_message(void)
{
	wire_head(IMSG_REQUEST, 1000);
	raw("half", 4);
	_exit(0);
}

/* n descriptors with one byte, or with the head of a message. */
static void
wire_fds(int n, int whole)
{
	struct msghdr	 msg;
	struct iovec	 iov;
	struct cmsghdr	*c;
	uint32_t	 h[4] = { IMSG_READY, 0x80000010U, 0, 0 };
	int		 fd[16], i;
	union {
		struct cmsghdr	 hdr;
		char		 buf[CMSG_SPACE(sizeof(fd))];
	} control;

	for (i = 0; i < n; i++)
		fd[i] = STDIN_FILENO;
	memset(&msg, 0, sizeof(msg));
	memset(&control, 0, sizeof(control));
	iov.iov_base = h;
	iov.iov_len = whole ? sizeof(h) : 1;
	msg.msg_iov = &iov;
	msg.msg_iovlen = 1;
	msg.msg_control = control.buf;
	msg.msg_controllen = CMSG_SPACE(sizeof(int) * (size_t)n);
	c = CMSG_FIRSTHDR(&msg);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int) * (size_t)n);
	memcpy(CMSG_DATA(c), fd, sizeof(int) * (size_t)n);
	if (sendmsg(3, &msg, MSG_NOSIGNAL) == -1)
		_exit(0);
}

static void wire_two_fds(void) { wire_fds(2, 1); }
static void wire_sixteen_fds(void) { wire_fds(16, 1); }

static void
wire_fd_flood(void)
{
	int	 i;

	/* Each with a byte of one message that never ends. */
	for (i = 0; i < 1000; i++)
		wire_fds(1, 0);
	_exit(0);
}

static void wire_exit(void) { _exit(0); }
static void wire_exit_status(void) { _exit(77); }
static void wire_abort(void) { signal(SIGABRT, SIG_DFL); abort(); }
static void wire_close(void) { close(3); poll(NULL, 0, 30000); }
static void wire_shut_read(void) { shutdown(3, SHUT_RD); }

static const struct lie wire[] = {
	{ "length-zero", DIE, wire_len_zero },
	{ "length-small", DIE, wire_len_small },
	{ "length-huge", DIE, wire_len_huge },
	{ "length-above", DIE, wire_len_above },
	{ "fd-missing", DIE, wire_fd_missing },
	{ "all-ones", DIE, wire_all_ones },
	{ "garbage", DIE, wire_garbage },
	{ "half-head", DIE, wire_half_head },
	{ "half-message", DIE, wire_half_message },
	{ "two-fds", DIE, wire_two_fds },
	{ "sixteen-fds", DIE, wire_sixteen_fds },
	{ "fd-flood", DIE, wire_fd_flood },
	{ "exit", DIE, wire_exit },
	{ "exit-status", DIE, wire_exit_status },
	{ "abort", DIE, wire_abort },
	{ "close", DIE, wire_close },
	{ "no-reader", DIE, wire_shut_read },
	{ NULL, DIE, NULL }
};

/* --- who, which, and what came of it ----------------------------------- */

static unsigned
count(const struct lie *l)
{
	unsigned	 n = 0;

	while (l[n].name != NULL)
		n++;
	return n;
}

/* The number of the next lie, counted on under a lock; -1: be honest. */
static long
next_lie(void)
{
	char	 path[300], text[64];
	long	 n, end, step;
	ssize_t	 len;
	int	 fd;

	snprintf(path, sizeof(path), "%s/%s.next", dir, me);
	if ((fd = open(path, O_RDWR)) == -1)
		return -1;
	if (flock(fd, LOCK_EX) == -1 ||
	    (len = pread(fd, text, sizeof(text) - 1, 0)) <= 0)
		die(path);
	text[len] = '\0';
	if (sscanf(text, "%ld %ld %ld", &n, &end, &step) != 3)
		die(path);
	if (n >= end) {
		close(fd);
		return -1;
	}
	len = snprintf(text, sizeof(text), "%ld %ld %ld\n", n + step, end,
	    step);
	if (ftruncate(fd, 0) == -1 || pwrite(fd, text, (size_t)len, 0) != len)
		die(path);
	close(fd);
	return n;
}

static void __attribute__((noreturn))
honest(char **argv)
{
	char	 path[300];

	snprintf(path, sizeof(path), "%s/updaterd", dir);
	execv(path, argv);
	die(path);
	_exit(9);
}

static const struct role *
role_of(const char *name)
{
	static const struct role *const	 all[] = {
		&role_net, &role_probe, &role_inflate, &role_unpack
	};
	size_t				 i;

	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (strcmp(all[i]->name, name) == 0)
			return all[i];
	return NULL;
}

static void
judge(const struct role *r, const char *name)
{
	switch (r->alive()) {
	case 1:
		note(name, "lived");
		break;
	case 0:
		note(name, "hung");
		break;
	}
	_exit(0);
}

static void __attribute__((noreturn))
live(const struct role *r)
{
	const struct lie	*l;
	char			 name[64];
	unsigned		 n, nwire = count(wire), nown = count(r->lies);

	n = number % (NFORMED + nwire + nown);
	if (n < NFORMED) {
		formed_name(n, name, sizeof(name));
		r->begin(NULL);
		note(name, r->takes(type_of(n), n % FORM__MAX == ZEROS,
		    n % FORM__MAX == ONES, size_of(type_of(n)) == 0 &&
		    n % FORM__MAX <= ONES && n % FORM__MAX != LONG &&
		    n % FORM__MAX != LARGEST) ? "live" : "die");
		formed(n);
	} else {
		l = n < NFORMED + nwire ? &wire[n - NFORMED] :
		    &r->lies[n - NFORMED - nwire];
		snprintf(name, sizeof(name), "%s", l->name);
		r->begin(l);
		note(name, l->want == LIVE ? "live" : "die");
		l->tell();
	}
	judge(r, name);
	_exit(0);
}

int
main(int argc, char *argv[])
{
	const struct role	*r;
	const char		*d = getenv("UPDATERD_TEST_DIR");
	long			 n;

	signal(SIGPIPE, SIG_IGN);
	if (argc == 2 && strcmp(argv[1], "-n") == 0) {
		for (n = 0; n < 4; n++) {
			static const char *const names[] = { "net", "probe",
			    "inflate", "unpack" };

			r = role_of(names[n]);
			printf("%s %u\n", r->name, NFORMED + count(wire) +
			    count(r->lies));
		}
		return 0;
	}
	if (argc < 3 || strcmp(argv[1], "-T") != 0 || d == NULL ||
	    (r = role_of(argv[2])) == NULL)
		die("usage: by a test build of updaterd only");
	me = r->name;
	snprintf(dir, sizeof(dir), "%s", d);
	if ((n = next_lie()) == -1)
		honest(argv);
	number = (unsigned)n;
	if (imsgbuf_init(&ib, 3) == -1)
		die("imsgbuf_init");
	imsgbuf_allow_fdpass(&ib);
	live(r);
}
