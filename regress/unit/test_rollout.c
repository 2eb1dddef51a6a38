/*
 * Who gets it when, and what the record says of it.  The hosts are made up:
 * each has an outcome and takes so many turns of the loop.
 */
/* LINK: updatermaster/rollout.o updatermaster/record.o updatermaster/choose.o common/text.o common/proto.o common/util.o common/compat/imsg.o */
/* LIBS: -ljansson -levent */
#include <sys/stat.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "rollout.h"
#include "show.h"

#define HOSTS		10
#define SHA256		"0123456789abcdef0123456789abcdef" \
			"0123456789abcdef0123456789abcdef"

static struct rollout	 ro;
static struct master	 master;
static char		 dir[] = "/tmp/test_rollout.XXXXXX";
static enum outcome	 fate[HOSTS];	/* what pushing will come to */
static unsigned int	 pushed[HOSTS], backed[HOSTS];
static char		 order[1024];	/* "b0 e0 .." */
static size_t		 most;		/* in flight at a time */
static int		 interrupt_at;	/* after so many ends; 0 never */
static int		 ends;

/* --- what the others would do ----------------------------------------- */

static void
note(char what, const struct target *t)
{
	size_t	 n = strlen(order);

	snprintf(order + n, sizeof(order) - n, "%c%zu ", what,
	    (size_t)(t - ro.targets));
}

static void
ended(int fd, short event, void *arg)
{
	struct target	*t = arg;
	size_t		 i = (size_t)(t - ro.targets);

	t->state = TARGET_END;
	note('e', t);
	if (t->back) {
		t->back_done = 1;
		t->agent = OUTCOME_UNDONE;
		(void)record_event(&ro, t, "taken_back");
	} else {
		t->agent = fate[i];
		(void)record_event(&ro, t, outcome_name(fate[i]));
	}
	if (++ends == interrupt_at)
		raise(SIGINT);
	rollout_ended(t);
}

static void
later(struct target *t)
{
	struct timeval	 tv = { 0, 2000 };

	t->begun_us = 1;
	if (ro.inflight > most)
		most = ro.inflight;
	evtimer_set(&t->timer, ended, t);
	evtimer_add(&t->timer, &tv);
}

void
deliver_begin(struct target *t)
{
	t->begun = 1;
	t->state = TARGET_PUSH;
	pushed[t - ro.targets]++;
	note('b', t);
	later(t);
}

void
deliver_back(struct target *t)
{
	t->back = 1;
	t->state = TARGET_BACK;
	backed[t - ro.targets]++;
	note('r', t);
	later(t);
}

struct client *
client_new(const struct master *m, int keep)
{
	static char	 c;

	return (struct client *)(void *)&c;
}

void
client_hurry(struct client *c)
{
}

void
show_begin(struct show *s)
{
}

void
show_note(struct show *s, const char *fmt, ...)
{
}

struct host *
hosts_find(struct master *m, const char *name)
{
	return NULL;
}

int
host_ingroup(const struct host *h, const char *group)
{
	return 0;
}

/* --- beginning and end ------------------------------------------------ */

static void
clean(void)
{
	record_close(&ro);
	/* Names are literals, or of a record that was read; small. */
	free(ro.targets);
	free(ro.plan.root);
	memset(&ro, 0, sizeof(ro));
	ro.master = &master;
	ro.recfd = ro.lockfd = -1;
	memset(pushed, 0, sizeof(pushed));
	memset(backed, 0, sizeof(backed));
	order[0] = '\0';
	most = 0;
	ends = interrupt_at = 0;
}

static void
make(void)
{
	static char	 names[HOSTS][4];
	size_t		 i;

	clean();
	ro.ntargets = HOSTS;
	ro.targets = calloc(HOSTS, sizeof(*ro.targets));
	assert_non_null(ro.targets);
	for (i = 0; i < HOSTS; i++) {
		snprintf(names[i], sizeof(names[i]), "h%zu", i);
		ro.targets[i].ro = &ro;
		ro.targets[i].host.name = names[i];
		fate[i] = OUTCOME_UPDATED;
	}
	strlcpy(ro.id, "test", sizeof(ro.id));
	strlcpy(ro.plan.pack.sha256, SHA256, sizeof(ro.plan.pack.sha256));
	ro.plan.parallel = 4;
	ro.plan.max_fail = -1;
	assert_int_equal(record_create(&ro), 0);
}

static void
go(void)
{
	assert_int_equal(rollout_run(&ro), 0);
	assert_int_equal(ro.inflight, 0);
}

static size_t
count(const unsigned int *a)
{
	size_t	 i, n = 0;

	for (i = 0; i < HOSTS; i++)
		n += a[i];
	return n;
}

static char *
record_text(size_t *len)
{
	char	*s = file_read(master.dirfd, "rollout.jsonl", 1 << 20, len);

	assert_non_null(s);
	return s;
}

static void
record_put(const char *data, size_t len)
{
	assert_int_equal(file_write(master.dirfd, "rollout.jsonl", data, len,
	    0600), 0);
}

static int
resume(void)
{
	clean();
	return record_resume(&ro);
}

/* What is complained of on purpose is not for who reads the tests. */
static void
hush(int on)
{
	static int	 saved = -1;
	int		 null;

	fflush(stderr);
	if (on) {
		saved = dup(STDERR_FILENO);
		null = open("/dev/null", O_WRONLY);
		assert_true(saved != -1 && null != -1);
		(void)dup2(null, STDERR_FILENO);
		close(null);
	} else {
		(void)dup2(saved, STDERR_FILENO);
		close(saved);
	}
}

/* --- order and limits ------------------------------------------------- */

static void
all_at_once(void **state)
{
	make();
	ro.plan.parallel = HOSTS;
	go();
	assert_int_equal(count(pushed), HOSTS);
	assert_int_equal(most, HOSTS);
	assert_string_equal(ro.stopped, "");
	assert_int_equal(rollout_left(&ro), 0);
}

static void
at_most_so_many(void **state)
{
	make();
	go();
	assert_int_equal(count(pushed), HOSTS);
	assert_int_equal(most, 4);
}

static void
waves(void **state)
{
	const char	*first, *p;

	make();
	ro.plan.canary = 2;
	ro.plan.batch = 3;
	go();
	assert_int_equal(count(pushed), HOSTS);
	/* Canaries 0 1, then 2 3 4, 5 6 7, 8 9: none before all of those. */
	first = strstr(order, "b2");
	assert_non_null(first);
	for (p = order; p < first; p++)
		assert_true(*p != 'b' || p[1] < '2');
	assert_true(strstr(order, "e0") < first);
	assert_true(strstr(order, "e1") < first);
	assert_true(strstr(order, "e4") < strstr(order, "b5"));
	assert_true(strstr(order, "e7") < strstr(order, "b8"));
}

static void
canary_fails(void **state)
{
	make();
	ro.plan.canary = 3;
	ro.plan.parallel = 1;
	fate[1] = OUTCOME_ROLLED_BACK;
	go();
	assert_string_equal(order, "b0 e0 b1 e1 ");
	assert_non_null(strstr(ro.stopped, "canary h1"));
	/* Also with any number of failures allowed. */
	make();
	ro.plan.canary = 1;
	ro.plan.max_fail = HOSTS;
	fate[0] = OUTCOME_UNREACHABLE;
	go();
	assert_string_equal(order, "b0 e0 ");
	/* More canaries than hosts are all the hosts. */
	make();
	ro.plan.canary = 100;
	go();
	assert_int_equal(count(pushed), HOSTS);
}

static void
limit(void **state)
{
	make();
	ro.plan.parallel = 1;
	ro.plan.max_fail = 1;
	fate[0] = OUTCOME_FAILED;
	fate[3] = OUTCOME_UNREACHABLE;	/* counts, too */
	go();
	assert_int_equal(count(pushed), 4);
	assert_non_null(strstr(ro.stopped, "2 hosts"));
	make();
	ro.plan.max_fail = 2;
	fate[0] = OUTCOME_FAILED;
	fate[3] = OUTCOME_UNREACHABLE;
	go();
	assert_int_equal(count(pushed), HOSTS);
	assert_string_equal(ro.stopped, "");
	make();
	ro.plan.max_fail = 0;
	ro.plan.parallel = 1;
	fate[5] = OUTCOME_DISTRUSTED;
	go();
	assert_int_equal(count(pushed), 6);
}

static void
taking_back(void **state)
{
	make();
	ro.plan.rollback = 1;
	ro.plan.max_fail = 0;
	ro.plan.parallel = 1;
	fate[1] = OUTCOME_UNCHANGED;
	fate[4] = OUTCOME_ROLLED_BACK;
	go();
	assert_int_equal(count(pushed), 5);
	/* Not the one that had it before, nor the one that failed. */
	assert_int_equal(count(backed), 3);
	assert_int_equal(backed[0] + backed[2] + backed[3], 3);
	assert_int_equal(ro.targets[0].agent, OUTCOME_UNDONE);
	/* It is over; nothing begins again. */
	assert_int_equal(resume(), 0);
	assert_int_equal(ro.over, 1);
	assert_int_equal(ro.backing, 1);
}

static void
interrupted(void **state)
{
	size_t	 n;

	make();
	ro.plan.rollback = 1;		/* a signal takes nothing back */
	ro.plan.parallel = 2;
	interrupt_at = 1;
	go();
	n = count(pushed);
	assert_int_equal(ro.interrupted, 1);
	/* What is ready in the loop comes before the signal: two rounds. */
	assert_in_range(n, 2, 6);
	assert_int_equal(ends, n);	/* those in flight were waited for */
	assert_int_equal(count(backed), 0);
	assert_int_equal(rollout_left(&ro), HOSTS - n);
	assert_int_equal(resume(), 0);
	assert_int_equal(rollout_left(&ro), HOSTS - n);
	go();
	assert_int_equal(count(pushed), HOSTS - n);
	assert_int_equal(rollout_left(&ro), 0);
}

/* --- the record ------------------------------------------------------- */

static void
plan_survives(void **state)
{
	make();
	ro.plan.canary = 2;
	ro.plan.batch = 3;
	ro.plan.max_fail = 4;
	ro.plan.pause = 5;
	ro.plan.force = ro.plan.rollback = ro.plan.self = 1;
	ro.plan.retries = 6;
	ro.plan.port = 4711;
	ro.plan.root = strdup("/a \"b\"");
	list_add(&ro.plan.exclude, "*.x");
	strlcpy(ro.plan.sha, "abc", sizeof(ro.plan.sha));
	assert_int_equal(record_create(&ro), 0);
	free(ro.plan.exclude);
	assert_int_equal(resume(), 0);
	assert_int_equal(ro.plan.canary, 2);
	assert_int_equal(ro.plan.batch, 3);
	assert_int_equal(ro.plan.max_fail, 4);
	assert_int_equal(ro.plan.pause, 5);
	assert_int_equal(ro.plan.retries, 6);
	assert_int_equal(ro.plan.parallel, 4);
	assert_int_equal(ro.plan.port, 4711);
	assert_true(ro.plan.force && ro.plan.rollback && ro.plan.self);
	assert_string_equal(ro.plan.root, "/a \"b\"");
	assert_string_equal(ro.plan.exclude[0], "*.x");
	assert_string_equal(ro.plan.sha, "abc");
	assert_string_equal(ro.plan.pack.sha256, SHA256);
	assert_int_equal(ro.ntargets, HOSTS);
	assert_string_equal(ro.targets[7].host.name, "h7");
}

/*
 * Cut anywhere, a record says of each host no more than its whole lines do;
 * and a rollout that goes on from there pushes or asks exactly those that
 * are not through.
 */
static void
cut_anywhere(void **state)
{
	char	*all, *p, *end;
	size_t	 len, cut, i, head;
	int	 begun[HOSTS], through[HOSTS], whole;

	make();
	fate[2] = OUTCOME_FAILED;
	fate[6] = OUTCOME_UNREACHABLE;
	go();
	all = record_text(&len);
	head = (size_t)(strchr(all, '\n') - all) + 1;
	for (cut = head; cut <= len; cut++) {
		memset(begun, 0, sizeof(begun));
		memset(through, 0, sizeof(through));
		whole = 0;
		for (p = all + head; p < all + cut; p = end + 1) {
			end = memchr(p, '\n', (size_t)(all + cut - p));
			if (end == NULL)
				break;
			whole++;
			if (strstr(p, "\"end\"") == p + 9)
				continue;
			i = (size_t)(strstr(p, "\"host\":\"h")[9] - '0');
			if (strstr(p, "\"begun\"") == p + 9)
				begun[i] = 1;
			else
				through[i] = 1;
		}
		record_put(all, cut);
		assert_int_equal(resume(), 0);
		for (i = 0; i < HOSTS; i++) {
			assert_int_equal(ro.targets[i].unsure, begun[i]);
			assert_int_equal(target_isfinal(&ro.targets[i]),
			    through[i] && i != 6);
		}
		/* What is written next stands on a line of its own. */
		if (cut % 7 == 0) {
			assert_int_equal(record_event(&ro, &ro.targets[9],
			    "updated"), 0);
			assert_int_equal(resume(), 0);
			assert_true(target_isfinal(&ro.targets[9]));
		}
	}
	free(all);
}

static void
no_record(void **state)
{
	static const char *const bad[] = {
		"", "x", "\n", "{}\n", "[]\n", "{\"rollout\":\"a\"}\n",
		"{\"rollout\":\"a\",\"sha256\":\"" SHA256 "\",\"parallel\":1,"
		    "\"hosts\":[]}\n",
		"{\"rollout\":\"a\",\"sha256\":\"" SHA256 "\",\"parallel\":0,"
		    "\"hosts\":[\"a\"]}\n",
		/* The first line is written whole or not at all. */
		"{\"rollout\":\"a\",\"sha256\":\"" SHA256 "\",\"hosts\":[\"a\""
	};
	size_t	 i;

	hush(1);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		record_put(bad[i], strlen(bad[i]));
		if (resume() != -1)
			fail_msg("taken: %s", bad[i]);
	}
	assert_int_equal(unlinkat(master.dirfd, "rollout.jsonl", 0), 0);
	assert_int_equal(resume(), -1);
	hush(0);
}

static void
nonsense_within(void **state)
{
	static const char	 text[] =
	    "{\"rollout\":\"a\",\"sha256\":\"" SHA256 "\",\"parallel\":1,"
	    "\"hosts\":[\"a\",7,\"b\"]}\n"
	    "nonsense\n{\"event\":\"updated\"}\n"
	    "{\"event\":\"updated\",\"host\":\"nobody\"}\n"
	    "{\"event\":\"unheard-of\",\"host\":\"a\"}\n"
	    "{\"event\":\"updated\",\"host\":\"b\"}\n";

	record_put(text, sizeof(text) - 1);
	assert_int_equal(resume(), 0);
	assert_int_equal(ro.ntargets, 3);
	assert_int_equal(ro.targets[0].agent, OUTCOME_NONE);
	assert_int_equal(ro.targets[2].agent, OUTCOME_UPDATED);
}

static void
only_one_at_a_time(void **state)
{
	struct rollout	 other;

	make();
	assert_int_equal(record_lock(&ro), 0);
	memset(&other, 0, sizeof(other));
	other.master = &master;
	other.recfd = other.lockfd = -1;
	hush(1);
	assert_int_equal(record_lock(&other), -1);
	hush(0);
	record_close(&ro);
	assert_int_equal(record_lock(&other), 0);
	record_close(&other);
}

/* Without a record nothing may begin. */
static void
record_cannot_be_written(void **state)
{
	make();
	close(ro.recfd);
	ro.recfd = openat(master.dirfd, "rollout.jsonl", O_RDONLY);
	assert_int_not_equal(ro.recfd, -1);
	hush(1);
	go();
	hush(0);
	assert_int_equal(count(pushed), 0);
	assert_non_null(strstr(ro.stopped, "cannot write"));
}

static void
names(void **state)
{
	int	 o;

	for (o = OUTCOME_UPDATED; o < OUTCOME__MAX; o++) {
		assert_int_equal(outcome_find(outcome_name(o)), o);
		/* One word: it is a column of a file, and a key of JSON. */
		assert_null(strchr(outcome_name(o), ' '));
	}
	assert_int_equal(outcome_find("-"), OUTCOME__MAX);
	assert_int_equal(outcome_find(""), OUTCOME__MAX);
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test(names),
		cmocka_unit_test(all_at_once),
		cmocka_unit_test(at_most_so_many),
		cmocka_unit_test(waves),
		cmocka_unit_test(canary_fails),
		cmocka_unit_test(limit),
		cmocka_unit_test(taking_back),
		cmocka_unit_test(interrupted),
		cmocka_unit_test(plan_survives),
		cmocka_unit_test(cut_anywhere),
		cmocka_unit_test(no_record),
		cmocka_unit_test(nonsense_within),
		cmocka_unit_test(only_one_at_a_time),
		cmocka_unit_test(record_cannot_be_written),
	};
	int	 rv;

	if (mkdtemp(dir) == NULL)
		return 1;
	master.dir = dir;
	master.dirfd = open(dir, O_RDONLY | O_DIRECTORY);
	ro.recfd = ro.lockfd = -1;
	event_init();
	cmocka_set_message_output(CM_OUTPUT_TAP);
	rv = cmocka_run_group_tests(tests, NULL, NULL);
	clean();
	(void)unlinkat(master.dirfd, "rollout.jsonl", 0);
	(void)unlinkat(master.dirfd, "rollout.jsonl.1", 0);
	(void)unlinkat(master.dirfd, "rollout.lock", 0);
	(void)rmdir(dir);
	return rv;
}
