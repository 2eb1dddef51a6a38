/*
 * What a client of the control socket may send: through the channel, the
 * real table and the real handlers of control.c; behind them stubs check
 * what gets through.  A client that was closed leaves no caller, monitor or
 * descriptor behind.
 */
/* LINK: common/imsgev.o common/compat/imsg.o common/proto.o common/util.o common/error.o updaterd/parent/dump.o updaterd/parent/request.o updaterd/parent/utf8.o regress/fuzz/quiet.o */
/* LIBS: -levent -ljansson */
#include "../../updaterd/parent/control.c"
#include "records.h"

#define HELD_MAX	8

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static struct caller	*held[HELD_MAX];	/* answered later */
static size_t		 nheld;
static int		 as_root;

int
group_lookup(const char *name, gid_t *gid)
{
	return -1;
}

static void
answer(struct caller *caller)
{
	if (nheld < HELD_MAX && (caller->id & 1))
		held[nheld++] = caller;
	else
		caller_reply(caller, 200, json_pack("{s:i}", "id",
		    (int)(caller->id & 0xff)));
}

static void
release_held(void)
{
	while (nheld > 0)
		caller_error(held[--nheld], UPD_EBUSY, "later");
}

void
ops_run(struct caller *caller, const struct msg_request *m)
{
	CHECK_TEXT(m->agent);
	CHECK_TEXT(m->arg);
	CHECK_TEXT(caller->who.subject);
	if (m->op >= OP__MAX || (caller->uid == 0) != as_root)
		abort();
	if (m->op == OP_MONITOR) {
		if (control_monitor(caller) == -1)
			caller_error(caller, UPD_EBADREQ, "twice");
		return;
	}
	if (m->op == OP_VERBOSE)
		release_held();
	control_event("test", json_pack("{s:i}", "op", (int)m->op));
	answer(caller);
}

void
update_local(struct caller *caller, const struct msg_ctl_update *m, int fd)
{
	CHECK_TEXT(m->agent);
	CHECK_TEXT(m->sha);
	/* who is not root has no descriptors: the channel refuses them */
	if (!as_root || fd == -1 || fcntl(fd, F_GETFD) == -1 ||
	    m->length < -1)
		abort();
	close(fd);
	answer(caller);
}

void
update_lost(struct imsgev *iev)
{
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct event_base	*base;
	struct client			*c;
	int				 sv[2], before;

	if (base == NULL && (base = event_init()) == NULL)
		abort();
	if (len < 1)
		return 0;
	as_root = data[0] & 1;
	before = lowest_free();
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0,
	    sv) == -1 || (c = calloc(1, sizeof(*c))) == NULL ||
	    imsgev_init(&c->iev, sv[0], as_root, client_recv, client_dead,
	    c) == -1)
		abort();
	c->uid = as_root ? 0 : 1000;
	TAILQ_INSERT_TAIL(&clients, c, entry);
	nclients++;
	records_run(sv[1], data + 1, len - 1, rules,
	    sizeof(rules) / sizeof(rules[0]));
	if (!TAILQ_EMPTY(&clients) || nclients != 0)
		abort();
	release_held();
	if (lowest_free() != before)
		abort();
	return 0;
}
