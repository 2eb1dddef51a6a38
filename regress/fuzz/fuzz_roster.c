/*
 * What the parent, which is root, takes from a profile process, which has
 * the uid of a service's user and may have been taken over by any process of
 * his.  Through the channel, the real table and handlers of roster.c: what
 * is found is in order, fit for a name, and of known words; each callback
 * comes when it may, and once; it always comes to an end.
 */
/* LINK: common/imsgev.o common/compat/farwatch-linux.o common/compat/imsg.o common/profile.o common/proto.o common/util.o common/error.o regress/fuzz/quiet.o */
/* LIBS: -levent -ljansson */
#include "../../updaterd/parent/roster.c"
#include "records.h"

#define FLAG_ORDERED	0x01	/* first byte: it is not to scan */
#define FLAG_NOSYNC	0x02	/* finished without a sync */
#define FLAG_STATUS	0x04	/* it does not exit 0 */
#define FLAG_TAKE	0x08	/* its watch is taken over */

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static struct parent	 parent;
struct parent		*env = &parent;

static struct {
	struct roster	*r;
	uint8_t		 flags;
	int		 scanned, synced, ended, syncs;
} run;

/* --- what is not under test ----------------------------------------- */

int
proc_start(struct proc *p, enum proc_type type, const struct proc_args *args,
    int (*recv)(struct imsgev *, struct imsg *, void *),
    void (*dead_fn)(struct imsgev *, int, void *), void *arg)
{
	abort();
}

void
proc_kill(struct proc *p)
{
	abort();
}

int
reap_add(pid_t pid, void (*fn)(void *, pid_t, int), void *arg)
{
	abort();
}

void
reap_del(pid_t pid)
{
	abort();
}

int
identity_lookup(struct identity *id, const char *user, const char *group,
    const struct args *groups, char *text)
{
	abort();
}

void
identity_free(struct identity *id)
{
	abort();
}

/* --- what got through ------------------------------------------------ */

static void
check_found(const struct roster *r)
{
	const struct msg_profile_found	*f;
	char				 name[UPD_INSTANCE_SIZE];
	size_t				 i, n;

	f = roster_found(r, &n);
	if (n > PROFILE_MAX + 1)
		abort();
	for (i = 0; i < n; i++) {
		CHECK_TEXT(f[i].name);
		if (f[i].skip >= SKIP__MAX || f[i].state >= PSTATE__MAX ||
		    f[i].desired >= PDESIRED__MAX || f[i].stamp < 0 ||
		    f[i].error < 0 ||
		    (f[i].error != 0 && f[i].skip != SKIP_NONE) ||
		    f[i].stale > PROFILE_RUNTIME_MAX ||
		    f[i].name[0] == '\0' || strchr(f[i].name, '/') != NULL)
			abort();
		if (i > 1 && strcmp(f[i - 1].name, f[i].name) >= 0)
			abort();
		/* What becomes a part of paths and of an instance's name. */
		if (f[i].skip == SKIP_NONE && !(i == 0 &&
		    strcmp(f[i].name, PROFILE_DEFAULT) == 0) &&
		    (!profile_isvalid(f[i].name) || profile_instance("gw",
		    f[i].name, name, sizeof(name)) == -1))
			abort();
	}
}

static void
on_scanned(void *arg)
{
	struct roster	*r = run.r;

	if (run.scanned++ || run.ended || (run.flags & FLAG_ORDERED))
		abort();
	check_found(r);
	if (roster_scanned(r)->dir_errno < 0 || roster_scanned(r)->many > 1)
		abort();
	roster_sweep(r, PROFILE_DEFAULT);
	if (run.flags & FLAG_NOSYNC) {
		roster_finish(r);
		return;
	}
	run.syncs++;
	roster_sync(r);
}

static void
on_synced(void *arg)
{
	struct roster	*r = run.r;

	if (++run.synced > run.syncs || run.ended)
		abort();
	roster_state(r, PROFILE_DEFAULT, PSTATE_RUNNING, 1);
	roster_log(r, "a line");
	roster_finish(r);
}

static void
on_ended(void *arg, const char *text)
{
	const struct roster	*r = run.r;

	if (run.ended++)
		abort();
	check_text(text, UPD_TEXT_SIZE);
	/* All was said and it went well, or why not. */
	if ((text[0] == '\0') != (r->state == ROSTER_SPOKEN &&
	    !(run.flags & FLAG_STATUS) && r->text[0] == '\0'))
		abort();
}

static const struct roster_calls	 calls = {
	on_scanned, on_synced, on_ended
};

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct event_base	*base;
	struct farwait			 watch;
	struct roster			*r;
	int				 sv[2], before;

	if (base == NULL && (base = event_init()) == NULL)
		abort();
	if (len < 1)
		return 0;
	before = lowest_free();
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0,
	    sv) == -1 || (r = calloc(1, sizeof(*r))) == NULL)
		abort();
	memset(&run, 0, sizeof(run));
	run.r = r;
	run.flags = data[0];
	strlcpy(r->service, "gw", sizeof(r->service));
	r->calls = calls;
	r->state = run.flags & FLAG_ORDERED ? ROSTER_ORDERED :
	    ROSTER_SCANNING;
	farwait_init(&r->watch);
	evtimer_set(&r->timer, timed_out, r);
	if (imsgev_init(&r->proc.iev, sv[0], 1, recv_msg, dead, r) == -1)
		abort();
	if (run.flags & FLAG_ORDERED) {
		run.syncs++;
		roster_sync(r);
	}
	records_run(sv[1], data + 1, len - 1, rules,
	    sizeof(rules) / sizeof(rules[0]));
	if (r->proc.iev.open || run.ended)
		abort();
	farwait_init(&watch);
	if (run.flags & FLAG_TAKE) {
		watch = *roster_watch(r);
		farwait_init(roster_watch(r));
	}
	exited(r, 0, run.flags & FLAG_STATUS ? 256 : 0);
	if (run.ended != 1)
		abort();
	farwait_close(&watch);
	if (lowest_free() != before)
		abort();
	return 0;
}
