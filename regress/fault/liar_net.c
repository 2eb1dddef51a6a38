/*
 * The lies of net: about callers, requests and its configuration; those
 * about updates are in liar_push.c.
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

#include "liar_net.h"

#define ASK_ID	0xfffffff0U	/* of the question whether it still lives */

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

void
ask(uint32_t id, uint32_t op, const char *agent, const char *arg)
{
	struct msg_request	 m;

	request_make(&m, id, op);
	strlcpy(m.agent, agent, sizeof(m.agent));
	strlcpy(m.arg, arg, sizeof(m.arg));
	tell(IMSG_REQUEST, &m, sizeof(m));
}

/* The status of the whole answer to that id; 0: none. */
unsigned
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

void
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

#define PUSH_ENTRY(name, want, fn)	{ name, want, fn },

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
	PUSH_LIES(PUSH_ENTRY)
	{ NULL, DIE, NULL }
};

const struct role role_net = {
	.name	= "net",
	.begin	= net_begin,
	.takes	= net_takes,
	.alive	= net_alive,
	.lies	= lies
};
