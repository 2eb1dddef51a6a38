/*
 * entry.c: the policy for names, link targets and types.
 */
/* LINK: updaterd/unpack/entry.o */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "entry.h"

#define N(a)	(sizeof(a) / sizeof((a)[0]))

static void
path_good(void **state)
{
	static const char *const	t[][2] = {
		{ "a", "a" }, { "a/b", "a/b" }, { "./a", "a" },
		{ "././a/b", "a/b" }, { "a/", "a" }, { "./", "" }, { ".", "" },
		{ "././", "" }, { "./.", "" }, { "...", "..." },
		{ "..a", "..a" }, { "a..", "a.." }, { ".a/.b", ".a/.b" },
		{ "-rf", "-rf" }, { "a b", "a b" }, { "a\\b", "a\\b" },
		{ "\xc3\xa9", "\xc3\xa9" }, { "\xe2\x82\xac", "\xe2\x82\xac" },
		{ "\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80" },
		{ "\xc2\xa0", "\xc2\xa0" }, { "\xf4\x8f\xbf\xbf",
		    "\xf4\x8f\xbf\xbf" }
	};
	char	 out[UPD_PATH_SIZE];
	size_t	 i;

	for (i = 0; i < N(t); i++) {
		assert_null(entry_path(t[i][0], out));
		assert_string_equal(out, t[i][1]);
	}
}

static void
path_refused(void **state)
{
	static const char *const	t[][2] = {
		{ "", "empty name" }, { "/", "absolute" },
		{ "/a", "absolute" }, { "//a", "absolute" },
		{ "..", "\"..\"" }, { "../a", "\"..\"" }, { "a/..", "\"..\"" },
		{ "a/../b", "\"..\"" }, { "./..", "\"..\"" },
		{ "./../a", "\"..\"" }, { "a/../", "\"..\"" },
		{ "a/.", "\".\"" }, { "a/./b", "\".\"" },
		{ "a//b", "empty name in" }, { "a//", "empty name in" },
		{ ".//a", "empty name in" }, { ".//", "empty name in" },
		{ "a\nb", "control" }, { "\x01", "control" },
		{ "a\x7f", "control" }, { "a\x1b[0m", "control" },
		{ "\xc2\x80", "control" }, { "\xc2\x9f", "control" },
		{ "\x80", "UTF-8" }, { "\xff", "UTF-8" }, { "\xc3", "UTF-8" },
		{ "\xc0\xaf", "UTF-8" }, { "\xc1\xbf", "UTF-8" },
		{ "\xe0\x80\xaf", "UTF-8" }, { "\xf0\x80\x80\xaf", "UTF-8" },
		{ "\xed\xa0\x80", "UTF-8" }, { "\xed\xbf\xbf", "UTF-8" },
		{ "\xf4\x90\x80\x80", "UTF-8" },
		{ "\xf5\x80\x80\x80", "UTF-8" },
		{ "\xe2\x82", "UTF-8" }, { "\xe2\x82" "a", "UTF-8" },
		{ "\xf8\x88\x80\x80\x80", "UTF-8" }
	};
	char		 out[UPD_PATH_SIZE];
	const char	*why;
	size_t		 i;

	for (i = 0; i < N(t); i++) {
		why = entry_path(t[i][0], out);
		assert_non_null(why);
		if (strstr(why, t[i][1]) == NULL)
			fail_msg("\"%s\": %s", t[i][0], why);
	}
}

/* Depth levels of "d", then a last name of so many bytes. */
static void
make(char *p, int depth, int last)
{
	for (; depth > 1; depth--) {
		*p++ = 'd';
		*p++ = '/';
	}
	memset(p, 'n', (size_t)last);
	p[last] = '\0';
}

static void
path_limits(void **state)
{
	char	 p[4096], out[UPD_PATH_SIZE];
	int	 i;

	make(p, 1, 255);
	assert_null(entry_path(p, out));
	make(p, 1, 256);
	assert_non_null(entry_path(p, out));
	make(p, 32, 1);
	assert_null(entry_path(p, out));
	make(p, 33, 1);
	assert_non_null(entry_path(p, out));
	for (i = 0; i < 1024; i++)
		p[i] = i % 128 == 127 ? '/' : 'x';
	p[1024] = '\0';
	assert_null(entry_path(p, out));
	assert_int_equal(strlen(out), 1023);	/* ended in a slash */
	p[1024] = 'x';
	p[1025] = '\0';
	assert_string_equal(entry_path(p, out), "path over 1024 bytes");
}

static void
target_good(void **state)
{
	static const char *const	t[][2] = {
		{ "l", "a" }, { "l", "." }, { "l", "./a" }, { "a/l", ".." },
		{ "a/l", "../b" }, { "a/b/l", "../../c/d" }, { "l", "a/" },
		{ "l", "a//b" }, { "a/l", "./../b" }, { "l", "..." },
		{ "a/b/c/l", "../../.." }
	};
	size_t	 i;

	for (i = 0; i < N(t); i++)
		assert_null(entry_target(t[i][0], t[i][1]));
}

static void
target_refused(void **state)
{
	static const char *const	t[][3] = {
		{ "l", "", "without" }, { "l", "/", "absolute" },
		{ "l", "/etc", "absolute" }, { "l", "..", "leaves" },
		{ "l", "../a", "leaves" }, { "l", "./..", "leaves" },
		{ "a/l", "../..", "leaves" }, { "a/l", "..//..", "leaves" },
		{ "a/l", ".././../b", "leaves" }, { "l", "a/..", "behind" },
		{ "l", "a/../..", "behind" },
		{ "a/b/l", "../c/../d", "behind" },
		{ "l", "a\n", "control" }, { "l", "\xff", "UTF-8" }
	};
	const char	*why;
	char		 p[2048];
	size_t		 i;

	for (i = 0; i < N(t); i++) {
		why = entry_target(t[i][0], t[i][1]);
		assert_non_null(why);
		if (strstr(why, t[i][2]) == NULL)
			fail_msg("\"%s\": %s", t[i][1], why);
	}
	make(p, 1, 256);
	assert_non_null(entry_target("l", p));
	make(p, 1025 / 2, 10);
	assert_non_null(entry_target("l", p));
}

static void
types(void **state)
{
	char	 why[UPD_TEXT_SIZE];
	int	 c;

	assert_int_equal(entry_type('0', why), ENTRY_FILE);
	assert_int_equal(entry_type('\0', why), ENTRY_FILE);
	assert_int_equal(entry_type('1', why), ENTRY_HARDLINK);
	assert_int_equal(entry_type('2', why), ENTRY_SYMLINK);
	assert_int_equal(entry_type('5', why), ENTRY_DIR);
	for (c = 1; c < 256; c++) {
		if (strchr("0125", c) != NULL)
			continue;
		why[0] = '\0';
		assert_int_equal(entry_type((char)c, why), ENTRY_REFUSED);
		assert_true(why[0] != '\0');
	}
	assert_int_equal(entry_type('3', why), ENTRY_REFUSED);
	assert_string_equal(why, "character device");
	assert_int_equal(entry_type('\x9b', why), ENTRY_REFUSED);
	assert_string_equal(why, "unknown entry type 0x9b");
}

static void
escape(void **state)
{
	char	 out[32], small[12];

	entry_escape("a b\\c", out, sizeof(out));
	assert_string_equal(out, "a b\\\\c");
	entry_escape("\x1b[2J\n\xff", out, sizeof(out));
	assert_string_equal(out, "\\x1b[2J\\x0a\\xff");
	entry_escape("", out, sizeof(out));
	assert_string_equal(out, "");
	entry_escape("12345678901", small, sizeof(small));
	assert_string_equal(small, "12345678901");
	entry_escape("123456789012", small, sizeof(small));
	assert_string_equal(small, "12345678...");
	/* never half of an escape */
	entry_escape("123456\xff\xff\xff", small, sizeof(small));
	assert_string_equal(small, "123456...");
	entry_escape("123", small, 1);
	assert_string_equal(small, "");
	entry_escape("1234", small, 3);
	assert_true(strlen(small) < 3);
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test(path_good),
		cmocka_unit_test(path_refused),
		cmocka_unit_test(path_limits),
		cmocka_unit_test(target_good),
		cmocka_unit_test(target_refused),
		cmocka_unit_test(types),
		cmocka_unit_test(escape)
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
