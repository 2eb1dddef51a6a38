/*
 * The state file: what is written comes back, and nothing else is believed.
 */
/* LINK: updaterd/parent/dump.o updaterd/parent/intent.o updaterd/parent/utf8.o common/util.o common/proto.o common/error.o common/compat/imsg.o */
/* LIBS: -ljansson */
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../updaterd/parent/intent.h"
#include "../../updaterd/parent/utf8.h"

static char	 dir[] = "/tmp/test_intent.XXXXXX";
static int	 dirfd;

static void
fill(struct intent *in)
{
	memset(in, 0, sizeof(*in));
	in->desired = 1;
	strlcpy(in->desired_by, "updater-master", sizeof(in->desired_by));
	in->desired_at = 1763776194123456;
	strlcpy(in->state, "up", sizeof(in->state));
	in->running = 1;
	strlcpy(in->boot, "0f8fad5b-d9cb-469f-a165-70867728950e",
	    sizeof(in->boot));
	in->pid = 4711;
	in->start_time = 123456789;
	in->started_at = 1763776194000000;
	strlcpy(in->release, "20261122T014955Z-1a2b3c4d5e6f",
	    sizeof(in->release));
	in->conf = 0xfedcba9876543210ULL;
	in->exit_kind = EXIT_CODE;
	in->exit_value = 78;
	in->exit_at = 1763776193000000;
	in->exit_planned = 1;
	strlcpy(in->exit_text, "exited 78 after 12 ms",
	    sizeof(in->exit_text));
	in->failed = 1;
	in->failed_code = 78;
	in->failed_at = 1763776193000001;
	strlcpy(in->failed_release, "20261122T014955Z-1a2b3c4d5e6f",
	    sizeof(in->failed_release));
	in->restarts = 4000000000U;
	in->deaths = 7;
}

static void
test_roundtrip(void **state)
{
	struct intent	 in, out;
	struct stat	 st;
	char		 why[UPD_TEXT_SIZE];

	fill(&in);
	assert_int_equal(intent_replace(dirfd, "agent", &in), 0);
	assert_int_equal(fstatat(dirfd, "agent.json", &st, 0), 0);
	assert_int_equal(st.st_mode & ALLPERMS, 0600);
	assert_int_equal(intent_read(dirfd, "agent", &out, why), 1);
	assert_memory_equal(&in, &out, sizeof(in));

	memset(&in, 0, sizeof(in));
	assert_int_equal(intent_replace(dirfd, "agent", &in), 0);
	assert_int_equal(intent_read(dirfd, "agent", &out, why), 1);
	assert_memory_equal(&in, &out, sizeof(in));
	assert_int_equal(intent_remove(dirfd, "agent"), 0);
	assert_int_equal(intent_remove(dirfd, "agent"), 0);
	memset(&out, 1, sizeof(out));
	assert_int_equal(intent_read(dirfd, "agent", &out, why), 0);
	assert_memory_equal(&in, &out, sizeof(in));
}

/* Whatever bytes it is given, what it writes can be read again. */
static void
test_hostile_names(void **state)
{
	struct intent	 in, out;
	char		 why[UPD_TEXT_SIZE];
	int		 c;

	for (c = 1; c < 256; c += c > 32 && c < 120 ? 30 : 7) {
		fill(&in);
		memset(in.desired_by, c, sizeof(in.desired_by) - 1);
		memset(in.exit_text, c, sizeof(in.exit_text) - 1);
		assert_int_equal(intent_replace(dirfd, "agent", &in), 0);
		assert_int_equal(intent_read(dirfd, "agent", &out, why), 1);
		assert_int_equal(out.desired, 1);
	}
	intent_remove(dirfd, "agent");
}

static void
put(const char *data, size_t len)
{
	int	 fd;

	fd = openat(dirfd, "agent.json", O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert_int_not_equal(fd, -1);
	assert_int_equal(write(fd, data, len), (ssize_t)len);
	close(fd);
}

static void
refused(const char *data, size_t len)
{
	struct intent	 out, zero;
	char		 why[UPD_TEXT_SIZE] = "";

	put(data, len);
	memset(&zero, 0, sizeof(zero));
	memset(&out, 1, sizeof(out));
	assert_int_equal(intent_read(dirfd, "agent", &out, why), -1);
	assert_memory_equal(&out, &zero, sizeof(out));
	assert_string_not_equal(why, "");
}

static void
test_bad_content(void **state)
{
	static const char *const bad[] = {
		"", "{", "[]", "\"x\"", "1", "null", "{}", "\r\n",
		"{\"version\":1}", "\xff\xfe{}", "\xef\xbb\xbf{}",
		"{\"version\":1,\"version\":1}",
	};
	struct intent	 in;
	char		*data, *big;
	size_t		 i, len;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		refused(bad[i], strlen(bad[i]));
	refused("{}\0", 3);

	big = malloc(1024 * 1024);
	memset(big, ' ', 1024 * 1024);
	refused(big, 1024 * 1024);
	free(big);

	/* every shorter part of a good one */
	fill(&in);
	assert_int_equal(intent_replace(dirfd, "agent", &in), 0);
	data = file_read(dirfd, "agent.json", INTENT_MAX, &len);
	assert_non_null(data);
	for (i = 0; i < len; i++)
		if (data[i] != '\n' || i + 1 < len)
			refused(data, i);
	free(data);
}

/* A good file with one thing changed. */
static void
changed(const char *from, const char *to)
{
	struct intent	 in;
	struct buf	 b;
	char		*data, *at;
	size_t		 len;

	fill(&in);
	assert_int_equal(intent_replace(dirfd, "agent", &in), 0);
	data = file_read(dirfd, "agent.json", INTENT_MAX, &len);
	assert_non_null(data);
	if ((at = strstr(data, from)) == NULL)
		fail_msg("no %s in %s", from, data);
	memset(&b, 0, sizeof(b));
	buf_add(&b, data, (size_t)(at - data));
	buf_add(&b, to, strlen(to));
	buf_add(&b, at + strlen(from), strlen(at + strlen(from)));
	refused(b.data, b.len);
	buf_free(&b);
	free(data);
}

static void
test_bad_members(void **state)
{
	changed("\"version\": 1", "\"version\": 2");
	changed("\"service\": \"agent\"", "\"service\": \"other\"");
	changed("\"running\"", "\"Running\"");
	changed("\"desired\": \"running\"", "\"desired\": true");
	changed("\"desired\":", "\"desire\":");
	changed("\"pid\": 4711", "\"pid\": 1");
	changed("\"pid\": 4711", "\"pid\": -1");
	changed("\"pid\": 4711", "\"pid\": 99999999999");
	changed("\"pid\": 4711", "\"pid\": \"4711\"");
	changed("\"release\": \"2026", "\"release\": \"../2026");
	changed("\"release\": \"2026", "\"release\": \".2026");
	changed("\"state\": \"up\"", "\"state\": \"abcdefghijklmnop\"");
	changed("fedcba9876543210", "fedcba987654321g");
	changed("\"kind\": \"code\"", "\"kind\": \"what\"");
	changed("\"code\": 78", "\"code\": 256");
	changed("\"restarts\": 4000000000", "\"restarts\": -4");
	changed("\"planned\": true", "\"planned\": 1");
	changed("updater-master", "a\\u0000b");
}

static void
test_not_a_file(void **state)
{
	struct intent	 in, out;
	char		 why[UPD_TEXT_SIZE];

	intent_remove(dirfd, "agent");
	assert_int_equal(mkfifoat(dirfd, "agent.json", 0600), 0);
	assert_int_equal(intent_read(dirfd, "agent", &out, why), -1);
	assert_int_equal(unlinkat(dirfd, "agent.json", 0), 0);
	assert_int_equal(mkdirat(dirfd, "agent.json", 0700), 0);
	assert_int_equal(intent_read(dirfd, "agent", &out, why), -1);
	assert_int_equal(unlinkat(dirfd, "agent.json", AT_REMOVEDIR), 0);

	fill(&in);
	assert_int_equal(intent_replace(dirfd, "agent", &in), 0);
	assert_int_equal(renameat(dirfd, "agent.json", dirfd, "real"), 0);
	assert_int_equal(symlinkat("real", dirfd, "agent.json"), 0);
	assert_int_equal(intent_read(dirfd, "agent", &out, why), -1);
	assert_int_equal(unlinkat(dirfd, "agent.json", 0), 0);
	assert_int_equal(unlinkat(dirfd, "real", 0), 0);
}

/* A write that fails leaves the old one. */
static void
test_write_fails(void **state)
{
	struct intent	 in, out;
	char		 why[UPD_TEXT_SIZE];

	fill(&in);
	assert_int_equal(intent_replace(dirfd, "agent", &in), 0);
	assert_int_equal(mkdirat(dirfd, ".agent.json.tmp", 0700), 0);
	in.desired = 0;
	assert_int_equal(intent_replace(dirfd, "agent", &in), -1);
	assert_int_equal(intent_read(dirfd, "agent", &out, why), 1);
	assert_int_equal(out.desired, 1);
	assert_int_equal(unlinkat(dirfd, ".agent.json.tmp", AT_REMOVEDIR),
	    0);
	intent_remove(dirfd, "agent");
}

static int
setup(void **state)
{
	if (mkdtemp(dir) == NULL)
		return -1;
	dirfd = open(dir, O_RDONLY | O_DIRECTORY);
	return dirfd == -1 ? -1 : 0;
}

static int
teardown(void **state)
{
	unlinkat(dirfd, "agent.json", 0);
	close(dirfd);
	return rmdir(dir);
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test(test_roundtrip),
		cmocka_unit_test(test_hostile_names),
		cmocka_unit_test(test_bad_content),
		cmocka_unit_test(test_bad_members),
		cmocka_unit_test(test_not_a_file),
		cmocka_unit_test(test_write_fails),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, setup, teardown);
}
