/*
 * value.c: texts to numbers and back, names, addresses, paths.
 */
/* LINK: updaterd/value.o common/proto.o common/compat/imsg.o */
#include <sys/types.h>
#include <sys/socket.h>
#include <netinet/in.h>

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto.h"
#include "value.h"

static char	 why[256];

static void
takes(enum value_kind kind, const char *s, uint64_t want)
{
	uint64_t	 v;

	if (value_parse(kind, s, 0, UINT64_MAX, &v, why, sizeof(why)) == -1)
		fail_msg("\"%s\" refused: %s", s, why);
	assert_true(v == want);
}

static void
refuses(enum value_kind kind, const char *s)
{
	uint64_t	 v;

	if (value_parse(kind, s, 0, UINT64_MAX, &v, why, sizeof(why)) == 0)
		fail_msg("\"%s\" taken", s);
}

static void
test_parse(void **state)
{
	takes(VALUE_NUMBER, "0", 0);
	takes(VALUE_NUMBER, "007", 7);
	takes(VALUE_NUMBER, "18446744073709551615", UINT64_MAX);
	refuses(VALUE_NUMBER, "18446744073709551616");
	refuses(VALUE_NUMBER, "");
	refuses(VALUE_NUMBER, "-1");
	refuses(VALUE_NUMBER, "+1");
	refuses(VALUE_NUMBER, " 1");
	refuses(VALUE_NUMBER, "1 ");
	refuses(VALUE_NUMBER, "0x1");
	refuses(VALUE_NUMBER, "1K");
	takes(VALUE_SIZE, "1K", 1024);
	takes(VALUE_SIZE, "2m", 2 << 20);
	takes(VALUE_SIZE, "4G", 4ULL << 30);
	takes(VALUE_SIZE, "16777215T", 16777215ULL << 40);
	refuses(VALUE_SIZE, "16777216T");	/* 2^64 */
	refuses(VALUE_SIZE, "1KB");
	refuses(VALUE_SIZE, "K");
	takes(VALUE_DURATION, "3", 3000);
	takes(VALUE_DURATION, "3ms", 3);
	takes(VALUE_DURATION, "2h", 7200000);
	refuses(VALUE_DURATION, "3M");
	refuses(VALUE_DURATION, "1m30s");
	takes(VALUE_SECONDS, "5m", 300);
	refuses(VALUE_SECONDS, "500ms");
	takes(VALUE_PERCENT, "5", 5);
	takes(VALUE_PERCENT, "5%", 5);
	refuses(VALUE_PERCENT, "%");
	takes(VALUE_OCTAL, "027", 027);
	takes(VALUE_OCTAL, "27", 027);
	refuses(VALUE_OCTAL, "28");
}

static void
test_range(void **state)
{
	uint64_t	 v = 1;

	assert_int_equal(value_parse(VALUE_DURATION, "9", 10000, 60000, &v,
	    why, sizeof(why)), -1);
	assert_string_equal(why, "\"9\" is out of range (10s to 1m)");
	assert_int_equal(v, 1);
	assert_int_equal(key_parse(KEY_KEEP, "2", &v, why, sizeof(why)), 0);
	assert_int_equal(key_parse(KEY_KEEP, "1", &v, why, sizeof(why)), -1);
	assert_int_equal(key_parse(KEY_PORT, "65536", &v, why, sizeof(why)),
	    -1);
}

static void
test_inverse(void **state)
{
	static const enum value_kind	 kinds[] = { VALUE_NUMBER, VALUE_SIZE,
					    VALUE_DURATION, VALUE_SECONDS,
					    VALUE_PERCENT, VALUE_OCTAL };
	static const uint64_t		 samples[] = { 0, 1, 7, 8, 59, 60, 90,
					    999, 1000, 1023, 1024, 1536, 3600,
					    60000, 90000, 3600000, 1 << 20,
					    3ULL << 40, UINT64_MAX };
	char				 text[VALUE_TEXT];
	size_t				 i, j;

	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		for (j = 0; j < sizeof(samples) / sizeof(samples[0]); j++) {
			value_format(kinds[i], samples[j], text,
			    sizeof(text));
			takes(kinds[i], text, samples[j]);
		}
	}
	value_format(VALUE_SIZE, 1536, text, sizeof(text));
	assert_string_equal(text, "1536");
	value_format(VALUE_DURATION, 90000, text, sizeof(text));
	assert_string_equal(text, "90s");
	value_format(VALUE_DURATION, 0, text, sizeof(text));
	assert_string_equal(text, "0s");
	value_format(VALUE_OCTAL, 2, text, sizeof(text));
	assert_string_equal(text, "002");
}

static void
test_names(void **state)
{
	enum value_kind	 kind;
	int		 i;

	for (i = 0; i < KEY__MAX; i++)
		assert_non_null(key_name(i));
	assert_int_equal(value_signal("TERM"), SIGTERM);
	assert_int_equal(value_signal("SIGUSR1"), SIGUSR1);
	assert_int_equal(value_signal("SIGSIGTERM"), -1);
	assert_int_equal(value_signal("STOP"), -1);
	assert_int_equal(value_signal("term"), -1);
	assert_string_equal(value_signame(SIGKILL), "KILL");
	assert_null(value_signame(SIGSTOP));
	i = value_rlimit("stack", &kind);
	assert_int_not_equal(i, -1);
	assert_int_equal(kind, VALUE_SIZE);
	assert_string_equal(value_rlimname(i, &kind), "stack");
	assert_int_equal(value_rlimit("bogus", &kind), -1);
}

static void
test_address(void **state)
{
	struct sockaddr_storage	 ss;
	socklen_t		 len;

	assert_int_equal(value_address("10.1.2.3", 80, &ss, &len), 0);
	assert_int_equal(ss.ss_family, AF_INET);
	assert_int_equal(len, sizeof(struct sockaddr_in));
	assert_int_equal(((struct sockaddr_in *)&ss)->sin_port, htons(80));
	assert_int_equal(value_address("::1", 80, &ss, &len), 0);
	assert_int_equal(ss.ss_family, AF_INET6);
	assert_int_equal(value_address("localhost", 80, &ss, &len), -1);
	assert_int_equal(value_address("example.com", 80, &ss, &len), -1);
	assert_int_equal(value_address("", 80, &ss, &len), -1);
	assert_int_equal(value_address("1.2.3.4.5", 80, &ss, &len), -1);
}

#define HEX	"0123456789abcdef0123456789abcdef" \
		"0123456789abcdef0123456789ABCDEF"

static void
test_fingerprint(void **state)
{
	char	 buf[UPD_FPR_SIZE];

	assert_int_equal(value_fingerprint("SHA256:" HEX, buf, sizeof(buf)),
	    0);
	assert_string_equal(buf + 55, "0123456789abcdef");
	assert_int_equal(strncmp(buf, "SHA256:0123", 11), 0);
	assert_int_equal(value_fingerprint(HEX, buf, sizeof(buf)), -1);
	assert_int_equal(value_fingerprint("SHA256:" HEX "0", buf,
	    sizeof(buf)), -1);
	assert_int_equal(value_fingerprint("SHA256:" HEX HEX, buf,
	    sizeof(buf)), -1);
	assert_int_equal(value_fingerprint("SHA256:", buf, sizeof(buf)), -1);
}

static void
test_path(void **state)
{
	char	 longest[8192];

	assert_true(value_ispath("/"));
	assert_true(value_ispath("/a/b.c/...d/..e"));
	assert_false(value_ispath(""));
	assert_false(value_ispath("a"));
	assert_false(value_ispath("/a/"));
	assert_false(value_ispath("//a"));
	assert_false(value_ispath("/a//b"));
	assert_false(value_ispath("/."));
	assert_false(value_ispath("/a/.."));
	assert_false(value_ispath("/a/../b"));
	memset(longest, 'x', sizeof(longest) - 1);
	longest[0] = '/';
	longest[sizeof(longest) - 1] = '\0';
	assert_false(value_ispath(longest));
}

static void
test_distance(void **state)
{
	assert_int_equal(value_distance("user", "user"), 0);
	assert_int_equal(value_distance("usr", "user"), 1);
	assert_int_equal(value_distance("prot", "port"), 1);
	assert_int_equal(value_distance("", "abc"), 3);
	assert_int_equal(value_distance("kitten", "sitting"), 3);
	assert_int_equal(value_distance("0123456789012345678901234567890",
	    "0123456789012345678901234567890"), 0);
	assert_true(value_distance("01234567890123456789012345678901", "a") >
	    31);
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_range),
		cmocka_unit_test(test_inverse),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_address),
		cmocka_unit_test(test_fingerprint),
		cmocka_unit_test(test_path),
		cmocka_unit_test(test_distance)
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
