/*
 * The lies of net: about callers, requests, and updates.  An update that
 * it opens is never completed as a good one: nothing may be installed.
 */
#include <sys/types.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "liar.h"

#define ASK_ID	0xfffffff0U	/* of the question whether it still lives */
#define ID	7U
#define REPLY_MS 15000

static void
net_begin(const struct lie *l)
{
	struct msg_ready	 ready;
	struct imsg		 imsg;
	uint32_t		 type = 0;

	while (type != IMSG_NET_END) {
		if (hear(&imsg, -1) != 1)
			_exit(0);
		type = imsg_get_type(&imsg);
		imsg_free(&imsg);
	}
	memset(&ready, 0, sizeof(ready));
	ready.layers = LAYER_UID;
	tell(IMSG_READY, &ready, sizeof(ready));
	if (l == NULL || strncmp(l->name, "early-", 6) != 0)
		tell(IMSG_NET_OK, NULL, 0);
}

static int
net_takes(uint32_t type, int zeros, int ones, int bare)
{
	switch (type) {
	case IMSG_REQUEST:
	case IMSG_UPDATE_OPEN:
	case IMSG_UPDATE_DONE:
		return zeros;
	case IMSG_CANCEL:
		return zeros || ones;
	default:
		return 0;
	}
}

/* --- requests ----------------------------------------------------------- */

static void
request_make(struct msg_request *m, uint32_t id, uint32_t op)
{
	memset(m, 0, sizeof(*m));
	m->id = id;
	m->op = op;
	strlcpy(m->caller.subject, "updater-master",
	    sizeof(m->caller.subject));
	strlcpy(m->caller.address, "192.0.2.1", sizeof(m->caller.address));
}

static void
ask(uint32_t id, uint32_t op, const char *agent, const char *arg)
{
	struct msg_request	 m;

	request_make(&m, id, op);
	strlcpy(m.agent, agent, sizeof(m.agent));
	strlcpy(m.arg, arg, sizeof(m.arg));
	tell(IMSG_REQUEST, &m, sizeof(m));
}

/* The status of the whole answer to that id; 0: none. */
static unsigned
answer(uint32_t id)
{
	struct msg_reply	 r;
	struct imsg		 imsg;

	while (await(IMSG_REPLY, &imsg, REPLY_MS)) {
		memcpy(&r, imsg.data, sizeof(r));
		imsg_free(&imsg);
		if (r.id == id && r.last)
			return r.status;
	}
	return 0;
}

static int
net_alive(void)
{
	ask(ASK_ID, OP_HEALTH, "", "");
	return answer(ASK_ID) == 200;
}

static void
expect(unsigned want, uint32_t id)
{
	unsigned	 got = answer(id);

	if (got == want)
		return;
	dprintf(STDERR_FILENO, "liar: answered %u instead of %u\n", got, want);
	poll(NULL, 0, 1000);
	_exit(9);
}

static void op_monitor(void) { ask(ID, OP_MONITOR, "", ""); }
static void op_reload(void) { ask(ID, OP_RELOAD, "", ""); }
static void op_history(void) { ask(ID, OP_HISTORY, "", ""); }
static void op_verbose(void) { ask(ID, OP_VERBOSE, "", "verbose"); }
static void op_huge(void) { ask(ID, 0xffffffffU, "", ""); }

static void
back_path(void)
{
	ask(ID, OP_ROLLBACK, "", "../../../etc");
	expect(400, ID);
}

static void
back_dots(void)
{
	ask(ID, OP_ROLLBACK, "", "..");
	expect(400, ID);
}

static void
back_nothing(void)
{
	ask(ID, OP_ROLLBACK, "", "20200101T000000Z-0");
	expect(404, ID);
}

static void
service_path(void)
{
	ask(ID, OP_START, "", "../agent");
	expect(404, ID);
}

static void
agent_long(void)
{
	struct msg_request	 m;

	request_make(&m, ID, OP_RELEASES);
	memset(m.agent, 'a', sizeof(m.agent));
	tell(IMSG_REQUEST, &m, sizeof(m));
}

static void
with_subject(const char *s)
{
	struct msg_request	 m;

	request_make(&m, ID, OP_HEALTH);
	strlcpy(m.caller.subject, s, sizeof(m.caller.subject));
	tell(IMSG_REQUEST, &m, sizeof(m));
}

static void subject_line(void) { with_subject("a\nupdaterd[parent]: forged"); }
static void subject_escape(void) { with_subject("\33]0;title\7"); }
static void subject_utf8(void) { with_subject("a\xff\xfe"); }
static void subject_c1(void) { with_subject("a\xc2\x9b" "31m"); }
static void agent_line(void) { ask(ID, OP_RELEASES, "a\nb", ""); }
static void arg_utf8(void) { ask(ID, OP_START, "", "\xc3"); }

static void
cancel_all(void)
{
	struct msg_id	 m;

	ask(ID, OP_RESTART, "", "agent");
	for (m.id = 0; m.id < 20000; m.id++)
		tell(IMSG_CANCEL, &m, sizeof(m));
	m.id = 0xffffffffU;
	tell(IMSG_CANCEL, &m, sizeof(m));
}

/* Ask and ask, and listen only when nobody takes the questions any more:
 * that is where the parent must have stopped to make answers. */
static void
ask_deaf(uint32_t op)
{
	struct msg_request	 m;
	struct pollfd		 pfd = { .fd = 3, .events = POLLOUT };
	struct imsgbuf		*b = &ib;
	int			 i;

	request_make(&m, ID, op);
	for (i = 0; i < 100000; i++) {
		if (imsg_compose(b, IMSG_REQUEST, 0, 0, -1, &m,
		    sizeof(m)) == -1 || imsgbuf_write(b) == -1)
			_exit(0);
		if (imsgbuf_queuelen(b) > 0 && poll(&pfd, 1, 300) == 0)
			break;
	}
	/* All of it was read: then the answers stand in its memory. */
	if (i == 100000) {
		dprintf(STDERR_FILENO, "liar: the parent never stops\n");
		_exit(9);
	}
}

static void deaf_health(void) { ask_deaf(OP_STATUS); }
static void deaf_manifest(void) { ask_deaf(OP_MANIFEST); }

static void
same_ids(void)
{
	int	 i;

	for (i = 0; i < 100; i++)
		ask(ID, OP_RELEASES, "", "");
	for (i = 0; i < 100; i++)
		if (answer(ID) != 200)
			_exit(9);
}

static void
restarts(void)
{
	int	 i;

	/* Far more than may wait. */
	for (i = 0; i < 3000; i++)
		ask(ID + (uint32_t)i, OP_RESTART, "", "agent");
}

/* --- configuration ------------------------------------------------------ */

static void early_silence(void) { poll(NULL, 0, 60000); }
static void early_ok_twice(void)
{
	tell(IMSG_NET_OK, NULL, 0);
	tell(IMSG_NET_OK, NULL, 0);
}

static void
early_bad(void)
{
	struct msg_text	 m;

	memset(&m, 0, sizeof(m));
	strlcpy(m.text, "no\nforged \xff line", sizeof(m.text));
	tell(IMSG_NET_BAD, &m, sizeof(m));
}

static void
early_bad_text(void)
{
	struct msg_text	 m;

	memset(&m, 'x', sizeof(m));
	tell(IMSG_NET_BAD, &m, sizeof(m));
}

static void early_request(void) { ask(ID, OP_STATUS, "", ""); expect(200, ID); }

/* --- updates ------------------------------------------------------------ */

static void
open_make(struct msg_update_open *m, uint32_t id)
{
	memset(m, 0, sizeof(*m));
	m->id = id;
	m->length = -1;
	strlcpy(m->caller.subject, "updater-master",
	    sizeof(m->caller.subject));
}

/* The pipe, or -1 and the status of the refusal. */
static int
open_update(uint32_t id, unsigned *status)
{
	struct msg_update_open	 m;
	struct msg_reply	 r;
	struct imsg		 imsg;
	int			 fd;

	open_make(&m, id);
	tell(IMSG_UPDATE_OPEN, &m, sizeof(m));
	for (;;) {
		switch (hear(&imsg, REPLY_MS)) {
		case -1:
			_exit(0);
		case 0:
			dprintf(STDERR_FILENO, "liar: OPEN is not answered\n");
			_exit(9);
		}
		if (imsg_get_type(&imsg) == IMSG_UPDATE_GO) {
			fd = imsg_get_fd(&imsg);
			imsg_free(&imsg);
			*status = 0;
			return fd;
		}
		if (imsg_get_type(&imsg) == IMSG_REPLY) {
			memcpy(&r, imsg.data, sizeof(r));
			imsg_free(&imsg);
			*status = r.status;
			return -1;
		}
		imsg_free(&imsg);
	}
}

/* As above, when the update of the life before may still be in its end. */
static int
must_open(uint32_t id)
{
	unsigned	 status;
	int		 fd, i;

	for (i = 0; i < 500; i++) {
		if ((fd = open_update(id, &status)) != -1)
			return fd;
		if (status != 423)
			break;
		poll(NULL, 0, 10);
	}
	dprintf(STDERR_FILENO, "liar: cannot open an update: %u\n", status);
	_exit(9);
}

static void
send_done(uint32_t id, uint64_t bytes, const char *sha256)
{
	struct msg_update_done	 m;

	memset(&m, 0, sizeof(m));
	m.id = id;
	m.bytes = bytes;
	strlcpy(m.sha256, sha256, sizeof(m.sha256));
	tell(IMSG_UPDATE_DONE, &m, sizeof(m));
}

static void
send_abort(uint32_t id, uint32_t error)
{
	struct msg_update_abort	 m;

	memset(&m, 0, sizeof(m));
	m.id = id;
	m.error = error;
	strlcpy(m.text, "changed\nits \xff mind", sizeof(m.text));
	tell(IMSG_UPDATE_ABORT, &m, sizeof(m));
}

/* The archive into the pipe; its length. */
static uint64_t
send_archive(int fd, size_t max)
{
	char	 path[300], b[65536];
	ssize_t	 n, sum = 0;
	int	 in;

	snprintf(path, sizeof(path), "%s/archive",
	    getenv("UPDATERD_TEST_DIR"));
	if ((in = open(path, O_RDONLY | O_CLOEXEC)) == -1)
		_exit(9);
	fcntl(fd, F_SETFL, 0);
	while ((n = read(in, b, sizeof(b))) > 0 && (size_t)sum < max) {
		if ((size_t)(sum + n) > max)
			n = (ssize_t)max - sum;
		if (write(fd, b, (size_t)n) != n)
			break;
		sum += n;
	}
	close(in);
	return (uint64_t)sum;
}

#define ZERO32	"00000000000000000000000000000000"
#define ZERO64	ZERO32 ZERO32
#define ONE32	"11111111111111111111111111111111"
#define ONE64	ONE32 ONE32

static void
open_silent(void)
{
	(void)must_open(ID);
	expect(408, ID);
}

static void
open_trickle(void)
{
	int	 fd = must_open(ID);
	char	 b[1024];
	int	 i;

	/* Half, then so slowly that it is never silent. */
	(void)send_archive(fd, 20000);
	memset(b, 0, sizeof(b));
	for (i = 0; i < 200; i++) {
		if (write(fd, b, 1) == -1)
			break;
		poll(NULL, 0, 100);
	}
	expect(408, ID);
}

static void
open_half(void)
{
	close(must_open(ID));
	expect(422, ID);
}

static void
open_exit(void)
{
	(void)must_open(ID);
	_exit(0);
}

static void
open_half_exit(void)
{
	send_archive(must_open(ID), 30000);
	_exit(0);
}

static void
open_garbage(void)
{
	int	 fd = must_open(ID), i;
	char	 b[4096];

	memset(b, 0xa5, sizeof(b));
	fcntl(fd, F_SETFL, 0);
	for (i = 0; i < 10000 && write(fd, b, sizeof(b)) > 0; i++)
		;
	close(fd);
	expect(422, ID);
}

static void
open_kept(void)
{
	int	 fd = must_open(ID);

	/* DONE, but the pipe stays open. */
	send_done(ID, send_archive(fd, SIZE_MAX), ZERO64);
	expect(500, ID);
}

static void
done_nothing(void)
{
	close(must_open(ID));
	send_done(ID, 0, ZERO64);
	expect(422, ID);
}

static void
done_digest(void)
{
	int		 fd = must_open(ID);
	uint64_t	 n = send_archive(fd, SIZE_MAX);

	close(fd);
	send_done(ID, n, ONE64);
	expect(422, ID);
}

static void
done_bytes(void)
{
	int		 fd = must_open(ID);
	uint64_t	 n = send_archive(fd, SIZE_MAX);

	close(fd);
	send_done(ID, n + 1, ZERO64);
	expect(500, ID);
}

static void
done_unclaimed(void)
{
	int		 fd = must_open(ID);
	uint64_t	 n = send_archive(fd, SIZE_MAX);

	close(fd);
	send_done(ID, n, "");
	expect(400, ID);
}

static void
done_never(void)
{
	int	 fd = must_open(ID);

	/* All is there, but the word that it was meant so. */
	send_archive(fd, SIZE_MAX);
	close(fd);
	expect(408, ID);
}

static void
done_twice(void)
{
	int		 fd = must_open(ID);
	uint64_t	 n = send_archive(fd, SIZE_MAX);

	close(fd);
	send_done(ID, n, ONE64);
	send_done(ID, n + 5, ZERO64);
	send_done(ID, n, "");
	expect(422, ID);
	send_done(ID, n, ONE64);
}

static void
done_abort(void)
{
	int		 fd = must_open(ID);
	uint64_t	 n = send_archive(fd, SIZE_MAX);

	close(fd);
	send_done(ID, n, ONE64);
	send_abort(ID, UPD_EABORTED);
	send_abort(ID, UPD_EABORTED);
}

static void
done_exit(void)
{
	int		 fd = must_open(ID);
	uint64_t	 n = send_archive(fd, SIZE_MAX);

	close(fd);
	send_done(ID, n, ONE64);
	_exit(0);
}

static void
done_hex(void)
{
	must_open(ID);
	send_done(ID, 0, "zz");
}

static void
done_sha(void)
{
	struct msg_update_done	 m;

	must_open(ID);
	memset(&m, 0, sizeof(m));
	m.id = ID;
	strlcpy(m.sha, "a\nb", sizeof(m.sha));
	tell(IMSG_UPDATE_DONE, &m, sizeof(m));
}

static void done_alone(void) { send_done(ID, 1, ONE64); }
static void abort_alone(void) { send_abort(ID, UPD_EABORTED); }
static void abort_ok(void) { send_abort(ID, UPD_OK); }
static void abort_huge(void) { send_abort(ID, 0xffffffffU); }

static void
abort_refused(void)
{
	struct msg_update_open	 m;

	/* Refused at once, for want of room: then ABORT names a caller that
	 * has been answered. */
	open_make(&m, ID);
	m.length = INT64_MAX;
	tell(IMSG_UPDATE_OPEN, &m, sizeof(m));
	expect(507, ID);
	send_abort(ID, UPD_EABORTED);
	send_abort(0, UPD_EABORTED);
}

static void
abort_other(void)
{
	int	 fd = must_open(ID);

	send_abort(ID + 1, UPD_EABORTED);
	close(fd);
	expect(422, ID);
}

static void
abort_reopen(void)
{
	int	 i;

	for (i = 0; i < 20; i++) {
		close(must_open(ID));
		send_abort(ID, UPD_EABORTED);
	}
}

static void
cancel_open(void)
{
	struct msg_id	 m = { .id = ID };

	/* Called off, but never ended: somebody must end it. */
	(void)must_open(ID);
	tell(IMSG_CANCEL, &m, sizeof(m));
	send_done(ID, 1, ONE64);
	send_abort(ID, UPD_EABORTED);
	close(must_open(ID + 1));
	expect(422, ID + 1);
}

static void
open_twice(void)
{
	unsigned	 status;

	int	 fd = must_open(ID);

	if (open_update(ID, &status) != -1 || status != 423)
		_exit(9);
	close(fd);
	expect(422, ID);
}

static void
open_many(void)
{
	struct msg_update_open	 m;
	int			 i;

	close(must_open(ID));
	for (i = 0; i < 2000; i++) {
		open_make(&m, ID + (uint32_t)i);
		tell(IMSG_UPDATE_OPEN, &m, sizeof(m));
	}
}

static void
open_agent(void)
{
	struct msg_update_open	 m;

	open_make(&m, ID);
	strlcpy(m.agent, "../x", sizeof(m.agent));
	tell(IMSG_UPDATE_OPEN, &m, sizeof(m));
	expect(404, ID);
}

static void
open_length(void)
{
	struct msg_update_open	 m;

	open_make(&m, ID);
	m.length = -2;
	tell(IMSG_UPDATE_OPEN, &m, sizeof(m));
}

static void
open_sha(void)
{
	struct msg_update_open	 m;

	open_make(&m, ID);
	strlcpy(m.sha, "\33[2J", sizeof(m.sha));
	tell(IMSG_UPDATE_OPEN, &m, sizeof(m));
}

static void
open_flags(void)
{
	struct msg_update_open	 m;

	/* As a whole: FINAL, SELF, and bits that nobody knows. */
	open_make(&m, ID);
	m.flags = 0xffffffffU;
	tell(IMSG_UPDATE_OPEN, &m, sizeof(m));
}

static const struct lie lies[] = {
	{ "op-monitor", DIE, op_monitor },
	{ "op-reload", DIE, op_reload },
	{ "op-history", DIE, op_history },
	{ "op-verbose", DIE, op_verbose },
	{ "op-huge", DIE, op_huge },
	{ "back-path", LIVE, back_path },
	{ "back-dots", LIVE, back_dots },
	{ "back-nothing", LIVE, back_nothing },
	{ "service-path", LIVE, service_path },
	{ "agent-long", DIE, agent_long },
	{ "agent-line", LIVE, agent_line },
	{ "arg-utf8", LIVE, arg_utf8 },
	{ "subject-line", LIVE, subject_line },
	{ "subject-escape", LIVE, subject_escape },
	{ "subject-utf8", LIVE, subject_utf8 },
	{ "subject-c1", LIVE, subject_c1 },
	{ "cancel-all", LIVE, cancel_all },
	{ "deaf-health", LIVE, deaf_health },
	{ "deaf-manifest", LIVE, deaf_manifest },
	{ "same-ids", LIVE, same_ids },
	{ "restarts", LIVE, restarts },
	{ "early-silence", DIE, early_silence },
	{ "early-ok-twice", DIE, early_ok_twice },
	{ "early-bad", LIVE, early_bad },
	{ "early-bad-text", DIE, early_bad_text },
	{ "early-request", LIVE, early_request },
	{ "open-silent", LIVE, open_silent },
	{ "open-trickle", LIVE, open_trickle },
	{ "open-half", LIVE, open_half },
	{ "open-exit", DIE, open_exit },
	{ "open-half-exit", DIE, open_half_exit },
	{ "open-garbage", LIVE, open_garbage },
	{ "open-kept", LIVE, open_kept },
	{ "open-twice", LIVE, open_twice },
	{ "open-many", LIVE, open_many },
	{ "open-agent", LIVE, open_agent },
	{ "open-length", DIE, open_length },
	{ "open-sha", LIVE, open_sha },
	{ "open-flags", LIVE, open_flags },
	{ "done-nothing", LIVE, done_nothing },
	{ "done-digest", LIVE, done_digest },
	{ "done-bytes", LIVE, done_bytes },
	{ "done-unclaimed", LIVE, done_unclaimed },
	{ "done-never", LIVE, done_never },
	{ "done-twice", LIVE, done_twice },
	{ "done-abort", LIVE, done_abort },
	{ "done-exit", DIE, done_exit },
	{ "done-hex", DIE, done_hex },
	{ "done-sha", LIVE, done_sha },
	{ "done-alone", LIVE, done_alone },
	{ "abort-alone", LIVE, abort_alone },
	{ "abort-ok", DIE, abort_ok },
	{ "abort-huge", DIE, abort_huge },
	{ "abort-refused", LIVE, abort_refused },
	{ "abort-other", LIVE, abort_other },
	{ "abort-reopen", LIVE, abort_reopen },
	{ "cancel-open", LIVE, cancel_open },
	{ NULL, DIE, NULL }
};

const struct role role_net = {
	.name	= "net",
	.begin	= net_begin,
	.takes	= net_takes,
	.alive	= net_alive,
	.lies	= lies
};
