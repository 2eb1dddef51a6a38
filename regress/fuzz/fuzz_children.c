/*
 * What the parent, which is root, takes from its own children once one of
 * them has been taken over: net, probe, inflate, unpack (the first byte says
 * which).  Through the channel, the real tables and handlers of children.c
 * and worker.c; behind them stubs check that every text is a valid one and
 * every number is in its range.
 */
/* LINK: common/imsgev.o common/compat/imsg.o common/proto.o common/util.o common/error.o updaterd/parent/dump.o updaterd/parent/expiry.o updaterd/parent/netconf.o updaterd/parent/netcount.o updaterd/parent/request.o updaterd/parent/utf8.o regress/fuzz/quiet.o */
/* LIBS: -levent -ljansson */
#include "../../updaterd/parent/children.c"
#include "../../updaterd/parent/heard.c"
/* static in both */
#define rules		worker_rules
#define got_ready	worker_got_ready
#include "../../updaterd/parent/worker.c"
#undef rules
#undef got_ready
#include "records.h"

#define HELD_MAX	8

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static struct parent	 parent;
struct parent		*env = &parent;
static struct caller	*held[HELD_MAX];	/* answered later */
static size_t		 nheld;

/* --- what is not under test ----------------------------------------- */

int
proc_start(struct proc *p, enum proc_type type, const struct proc_args *args,
    int (*recv)(struct imsgev *, struct imsg *, void *),
    void (*dead)(struct imsgev *, int, void *), void *arg)
{
	abort();
}

void
proc_kill(struct proc *p)
{
	imsgev_close(&p->iev);
}

int
reap_add(pid_t pid, void (*fn)(void *, pid_t, int), void *arg)
{
	abort();
}

void
listen_each(void (*fn)(void *, int, const char *), void *arg)
{
}

void
update_lost(struct imsgev *iev)
{
}

void
service_probe_lost(void)
{
}

void
self_probe_lost(void)
{
}

int
self_probe_result(const struct msg_probe_result *m)
{
	return 0;
}

/* --- what got through ------------------------------------------------ */

/* jansson takes nothing but UTF-8; a log line takes no NUL. */
static void
check_valid(const char *s, size_t size)
{
	json_t	*j;

	check_text(s, size);
	if ((j = json_string(s)) == NULL)
		abort();
	json_decref(j);
}
#define CHECK_VALID(a)	check_valid((a), sizeof(a))

static void
check_caller(struct caller *caller)
{
	CHECK_VALID(caller->who.subject);
	CHECK_VALID(caller->who.fingerprint);
	CHECK_VALID(caller->who.address);
	if (caller->uid != (uid_t)-1)
		abort();	/* would be a local one */
	if (nheld < HELD_MAX && (caller->id & 1))
		held[nheld++] = caller;
	else
		caller_reply(caller, 200, json_object());
}

void
ops_run(struct caller *caller, const struct msg_request *m)
{
	CHECK_VALID(m->agent);
	CHECK_VALID(m->arg);
	if (m->op >= OP_HISTORY)
		abort();
	check_caller(caller);
}

void
update_open(struct caller *caller, const struct msg_update_open *m)
{
	check_text(m->agent, sizeof(m->agent));
	CHECK_VALID(m->sha);
	if (m->length < -1 || !PROTO_STR(m->sha256) ||
	    (m->sha256[0] != '\0' && !digest_ishex(m->sha256)))
		abort();
	check_caller(caller);
}

void
update_done(struct imsgev *iev, const struct msg_update_done *m)
{
	CHECK_VALID(m->sha);
	if (!PROTO_STR(m->sha256) || (m->sha256[0] != '\0' &&
	    !digest_ishex(m->sha256)))
		abort();
}

void
update_netabort(struct imsgev *iev, const struct msg_update_abort *m)
{
	CHECK_VALID(m->text);
	if (m->error == UPD_OK || m->error >= UPD_E__MAX)
		abort();
}

void
service_probe_result(const struct msg_probe_result *m)
{
	CHECK_VALID(m->text);
	if (m->body_len > sizeof(m->body) || m->healthy > 1)
		abort();
}

void
service_probe_cert(const struct msg_probe_cert *m)
{
	if (m->which >= PROBEFILE_KEY || m->expires < 0)
		abort();
	expiry_health(EXPIRY_HEALTH_CA, "health.crt", m->expires);
}

static void
on_diff(void *arg, const struct msg_unpack_diff *m)
{
	CHECK_VALID(m->path);
	if (m->kind >= DIFF__MAX)
		abort();
}

static void
on_fail(void *arg)
{
	struct worker	*w = arg;

	CHECK_VALID(w->fail.text);
	CHECK_VALID(w->fail.path);
	if (w->fail.error == UPD_OK || w->fail.error >= UPD_E__MAX ||
	    !w->failed)
		abort();
}

static void
on_gone(void *arg)
{
	struct worker	*w = arg;

	if (w->running || !w->exited)
		abort();
}

static void
conf_said(const char *text)
{
	check_valid(text, UPD_TEXT_SIZE);
}

/* --- running -------------------------------------------------------- */

static void
run_child(struct child *c, int sv[2], const uint8_t *data, size_t len)
{
	memset(&c->proc, 0, sizeof(c->proc));
	c->running = 1;
	c->exited = 0;
	if (imsgev_init(&c->proc.iev, sv[0], 1, child_recv, child_dead,
	    c) == -1)
		abort();
	net_state = data[0] & 4 ? NET_WAITING : NET_SERVING;
	conf_done = conf_said;
	records_run(sv[1], data + 1, len - 1, rules,
	    sizeof(rules) / sizeof(rules[0]));
	if (c->proc.iev.open)
		abort();
	child_exited(c, 0, 0);
	if (c->running)
		abort();
}

static void
run_worker(enum proc_type type, int sv[2], const uint8_t *data, size_t len)
{
	struct worker	 w;

	memset(&w, 0, sizeof(w));
	w.type = type;
	w.running = 1;
	w.on_fail = on_fail;
	w.on_diff = data[0] & 4 ? on_diff : NULL;
	w.on_gone = on_gone;
	w.arg = &w;
	if (imsgev_init(&w.proc.iev, sv[0], 1, worker_recv, worker_dead,
	    &w) == -1)
		abort();
	records_run(sv[1], data + 1, len - 1, worker_rules,
	    sizeof(worker_rules) / sizeof(worker_rules[0]));
	if (w.proc.iev.open)
		abort();
	worker_exited(&w, 0, data[0] & 8 ? 256 : 0);
	if (w.running || (worker_ok(&w) && (w.failed || !w.done)) ||
	    (!worker_ok(&w) && !w.failed))
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct event_base	*base;
	static struct config		 conf;
	int				 sv[2], before;

	if (base == NULL && (base = event_init()) == NULL)
		abort();
	if (len < 1)
		return 0;
	TAILQ_INIT(&conf.listeners);
	parent.conf = &conf;
	parent.stopping = 1;	/* none is started again */
	conf.tls.ca = "ca.crt";
	conf.tls.crl = "ca.crl";
	conf.tls.cert = "updater.crt";
	before = lowest_free();
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0,
	    sv) == -1)
		abort();
	switch (data[0] & 3) {
	case 0:
		run_child(&net, sv, data, len);
		break;
	case 1:
		run_child(&probe, sv, data, len);
		break;
	case 2:
		run_worker(PROC_INFLATE, sv, data, len);
		break;
	default:
		run_worker(PROC_UNPACK, sv, data, len);
		break;
	}
	while (nheld > 0)
		caller_error(held[--nheld], UPD_EBUSY, "later");
	if (lowest_free() != before)
		abort();
	return 0;
}
