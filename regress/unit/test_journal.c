/* LINK: updaterd/parent/dump.o updaterd/parent/journal.o updaterd/parent/history.o updaterd/parent/record.o common/util.o common/log.o common/proto.o common/error.o common/compat/imsg.o */
/* LIBS: -ljansson */
/*
 * The goal: a journal is read as it was written or not at all, and a
 * damaged one stops nothing; the history is bounded, survives a torn line
 * and takes any object.
 */
#include <sys/types.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <errno.h>
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

#include "log.h"
#include "parent/journal.h"

static char		 dir[64];
static struct store	 s;

static int
setup(void **state)
{
	snprintf(dir, sizeof(dir), "/tmp/test_journal.XXXXXX");
	if (mkdtemp(dir) == NULL)
		return -1;
	s.root = dir;
	s.rootfd = open(dir, O_RDONLY | O_DIRECTORY);
	return s.rootfd == -1 ? -1 : 0;
}

static int
teardown(void **state)
{
	static const char *const names[] = { "update.json",
	    "update.json.bad", "history.jsonl", "history.jsonl.1", "x" };
	size_t	 i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		(void)unlinkat(s.rootfd, names[i], 0);
	close(s.rootfd);
	return rmdir(dir);
}

static void
put(const char *name, const char *data, size_t len)
{
	int	 f;

	f = openat(s.rootfd, name, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	assert_int_not_equal(f, -1);
	assert_int_equal(write(f, data, len), len);
	close(f);
}

static off_t
size(const char *name)
{
	struct stat	 st;

	return fstatat(s.rootfd, name, &st, 0) == -1 ? -1 : st.st_size;
}

static const struct journal sample = {
	.phase = JOURNAL_PROBE,
	.attempts = 1,
	.is_rollback = 1,
	.to = "20261122T014955Z-b",
	.from = "20261122T014954Z-a",
	.by = "updater-master",
	.started_at = 1795312195123456
};

static const struct journal on_trial = {
	.phase = JOURNAL_TRIAL,
	.to = "20261122T014955Z-b",
	.from = "20261122T014954Z-a",
	.from_prev = "20261122T014953Z-c",
	.by = "updater-master",
	.started_at = 1795312195123456,
	.confirm_ms = 86400000,
	.probation_ms = 1,
	.confirm_at = 1ULL << 52,
	.probation_at = 1,
	.boot = "0b6ff3a1-6b3c-4b0c-8d53-0a3b3c6a7a10",
	.at_rest = 1,
	.outages = 1
};

static void
journal_comes_back(void **state)
{
	struct journal	 j;

	assert_int_equal(journal_read(&s, &j), 0);
	assert_int_equal(journal_write(&s, &sample), 0);
	memset(&j, 0xff, sizeof(j));
	assert_int_equal(journal_read(&s, &j), 1);
	assert_memory_equal(&j, &sample, sizeof(j));
	assert_int_equal(journal_write(&s, &on_trial), 0);
	memset(&j, 0xff, sizeof(j));
	assert_int_equal(journal_read(&s, &j), 1);
	assert_memory_equal(&j, &on_trial, sizeof(j));
	assert_int_equal(journal_remove(&s), 0);
	assert_int_equal(journal_remove(&s), 0);
	assert_int_equal(journal_read(&s, &j), 0);

	j = sample;
	j.phase = JOURNAL_NONE;
	assert_int_equal(journal_write(&s, &j), -1);
	j = sample;
	j.to[0] = '\0';
	assert_int_equal(journal_write(&s, &j), -1);
	assert_int_equal(size("update.json"), -1);
}

static void
journal_damaged(void **state)
{
#define P	"{\"version\":1,\"phase\":\"promote\",\"attempts\":0,"
	static const char *const bad[] = {
		"", "{", "[]", "{}", "x",
		"{\"version\":2,\"phase\":\"promote\",\"attempts\":0,"
		    "\"to\":\"a\"}",
		"{\"version\":1,\"phase\":\"none\",\"attempts\":0,"
		    "\"to\":\"a\"}",
		P "\"to\":\"a\",\"confirm_ms\":-1}",
		P "\"to\":\"a\",\"confirm_at\":\"1\"}",
		P "\"to\":\"a\",\"outages\":4294967296}",
		"{\"version\":1,\"phase\":7,\"attempts\":0,\"to\":\"a\"}",
		"{\"version\":1,\"phase\":\"promote\",\"attempts\":-1,"
		    "\"to\":\"a\"}",
		"{\"version\":1,\"phase\":\"promote\",\"attempts\":4294967296,"
		    "\"to\":\"a\"}",
		P "\"to\":null}",
		P "\"to\":\"../x\"}",
		P "\"to\":\"a\",\"from\":\"/etc\"}",
		P "\"to\":\"a\",\"from\":\".\"}",
		P "\"to\":\"a\",\"from_prev\":[]}",
		P "\"to\":\"a\\u0000b\"}",
		P "\"to\":\"0123456789012345678901234567890123456789"
		    "012345678901234567890123\"}",
	};
	static const char	 good[] = P "\"to\":\"a\",\"more\":1}";
	struct journal		 j;
	char			 big[70000];
	size_t			 i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		put("update.json", bad[i], strlen(bad[i]));
		print_message("# %s\n", bad[i]);
		assert_int_equal(journal_read(&s, &j), -1);
		assert_int_equal(j.phase, JOURNAL_NONE);
		assert_int_equal(size("update.json"), -1);
		assert_int_equal(size("update.json.bad"), strlen(bad[i]));
		assert_int_equal(journal_read(&s, &j), 0);
	}
	memset(big, ' ', sizeof(big));
	put("update.json", big, sizeof(big));
	assert_int_equal(journal_read(&s, &j), -1);
	assert_int_equal(size("update.json.bad"), sizeof(big));
	put("x", good, strlen(good));
	assert_int_equal(symlinkat("x", s.rootfd, "update.json"), 0);
	assert_int_equal(journal_read(&s, &j), -1);
	assert_int_equal(journal_read(&s, &j), 0);
	put("update.json", good, strlen(good));
	assert_int_equal(journal_read(&s, &j), 1);
	assert_string_equal(j.to, "a");
	assert_string_equal(j.from, "");
}

/* Want of descriptors is not the journal's fault: it stays. */
static void
journal_shortage(void **state)
{
	struct rlimit	 rl, none;
	struct journal	 j;

	assert_int_equal(journal_write(&s, &sample), 0);
	getrlimit(RLIMIT_NOFILE, &rl);
	none = rl;
	none.rlim_cur = 3;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	assert_int_equal(journal_read(&s, &j), -1);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &rl), 0);
	assert_int_equal(journal_read(&s, &j), 1);
}

static int
number(const json_t *list, size_t i)
{
	return json_integer_value(json_object_get(json_array_get(list, i),
	    "n"));
}

static void
history_newest_first(void **state)
{
	json_t	*list;
	int	 i;

	list = history_read(&s, 10);
	assert_int_equal(json_array_size(list), 0);
	json_decref(list);
	for (i = 0; i < 20; i++)
		assert_int_equal(history_append(&s,
		    json_pack("{s:i, s:s}", "n", i, "text", "a\nb")), 0);
	list = history_read(&s, 5);
	assert_int_equal(json_array_size(list), 5);
	for (i = 0; i < 5; i++)
		assert_int_equal(number(list, i), 19 - i);
	json_decref(list);
}

static void
history_torn_line(void **state)
{
	json_t	*list;

	assert_int_equal(history_append(&s, json_pack("{s:i}", "n", 1)), 0);
	put("history.jsonl", "{\"n\":1}\n{\"n\":2,\"te", 18);
	assert_int_equal(history_append(&s, json_pack("{s:i}", "n", 3)), 0);
	list = history_read(&s, 10);
	assert_int_equal(json_array_size(list), 2);
	assert_int_equal(number(list, 0), 3);
	assert_int_equal(number(list, 1), 1);
	json_decref(list);
	/* binary rubbish, empty lines, other values */
	put("history.jsonl", "\n\0\xff\n[1]\n7\n\n{\"n\":9}", 18);
	list = history_read(&s, 10);
	assert_int_equal(json_array_size(list), 1);
	assert_int_equal(number(list, 0), 9);
	json_decref(list);
}

static void
history_is_bounded(void **state)
{
	char	 filler[1000];
	json_t	*list;
	int	 i, n = 700;

	memset(filler, 'x', sizeof(filler) - 1);
	filler[sizeof(filler) - 1] = '\0';
	for (i = 0; i < n; i++) {
		assert_int_equal(history_append(&s,
		    json_pack("{s:i, s:s}", "n", i, "f", filler)), 0);
		assert_true(size("history.jsonl") <= HISTORY_MAX);
	}
	assert_true(size("history.jsonl.1") <= HISTORY_MAX);
	assert_true(size("history.jsonl.1") > HISTORY_MAX - 2000);
	/* across both files, without a gap */
	list = history_read(&s, 400);
	assert_int_equal(json_array_size(list), 400);
	for (i = 0; i < 400; i++)
		assert_int_equal(number(list, i), n - 1 - i);
	json_decref(list);
}

static void
history_cuts_long_strings(void **state)
{
	json_t		*o, *list, *e;
	const char	*v;
	char		*big;
	size_t		 i, n = 3 * 100000;

	big = malloc(n + 1);
	for (i = 0; i < n; i += 3)
		memcpy(big + i, "\xe2\x82\xac", 3);	/* euro sign */
	big[n] = '\0';
	assert_non_null(o = json_pack("{s:i, s:s, s:{s:[s, s]}, s:s}", "n", 5,
	    "a", big, "b", "c", big, big, "short", "kept"));
	json_incref(o);
	assert_int_equal(history_append(&s, o), 0);
	assert_int_equal(json_string_length(json_object_get(o, "a")), n);
	json_decref(o);
	assert_true(size("history.jsonl") <= 65536);
	list = history_read(&s, 1);
	assert_int_equal(json_array_size(list), 1);
	e = json_array_get(list, 0);
	assert_int_equal(number(list, 0), 5);
	assert_string_equal(json_string_value(json_object_get(e, "short")),
	    "kept");
	v = json_string_value(json_object_get(e, "a"));
	assert_string_equal(v + strlen(v) - 3, "...");
	assert_int_equal((strlen(v) - 3) % 3, 0);
	json_decref(list);
	free(big);
	/* what cannot be cut is refused, not written in part */
	o = json_object();
	for (i = 0; i < 9000; i++) {
		char	 key[16];

		snprintf(key, sizeof(key), "%zu", i);
		json_object_set_new(o, key, json_integer(1));
	}
	assert_int_equal(history_append(&s, o), -1);
	assert_int_equal(history_append(&s, NULL), -1);
}

/* A line that does not go out whole is taken back. */
static void
history_full_disk(void **state)
{
	struct rlimit	 rl, small;
	json_t		*list;
	off_t		 before;

	assert_int_equal(history_append(&s, json_pack("{s:i}", "n", 1)), 0);
	before = size("history.jsonl");
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &rl);
	small = rl;
	small.rlim_cur = before + 5;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	assert_int_equal(history_append(&s, json_pack("{s:i}", "n", 2)), -1);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &rl), 0);
	assert_int_equal(size("history.jsonl"), before);
	assert_int_equal(history_append(&s, json_pack("{s:i}", "n", 3)), 0);
	list = history_read(&s, 10);
	assert_int_equal(json_array_size(list), 2);
	json_decref(list);
}

static void
history_follows_nothing(void **state)
{
	put("x", "", 0);
	assert_int_equal(symlinkat("x", s.rootfd, "history.jsonl"), 0);
	assert_int_equal(history_append(&s, json_pack("{s:i}", "n", 1)), -1);
	assert_int_equal(size("x"), 0);
	assert_int_equal(unlinkat(s.rootfd, "history.jsonl", 0), 0);
	assert_int_equal(mkfifoat(s.rootfd, "history.jsonl", 0600), 0);
	assert_int_equal(history_append(&s, json_pack("{s:i}", "n", 1)), -1);
	json_decref(history_read(&s, 1));
}

int
main(void)
{
#define T(f)	cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(journal_comes_back),
		T(journal_damaged),
		T(journal_shortage),
		T(history_newest_first),
		T(history_torn_line),
		T(history_is_bounded),
		T(history_cuts_long_strings),
		T(history_full_disk),
		T(history_follows_nothing),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	log_init("test_journal", 1, 0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
