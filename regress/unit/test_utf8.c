/*
 * utf8_clean(): what comes out is always valid, and nothing valid is lost.
 */
/* LINK: updaterd/parent/utf8.o common/util.o */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <string.h>

#include <cmocka.h>

#include "../../updaterd/parent/utf8.h"

#define R	"\xef\xbf\xbd"

static const struct {
	const char	*in;
	size_t		 len;
	const char	*out;
} cases[] = {
	{ "", 0, "" },
	{ "abc\n\t\x1b", 6, "abc\n\t\x1b" },
	{ "a\0b\0", 4, "ab" },
	{ "\xc3\xa9", 2, "\xc3\xa9" },
	{ "\xe2\x82\xac", 3, "\xe2\x82\xac" },
	{ "\xf0\x9f\x98\x80!", 5, "\xf0\x9f\x98\x80!" },
	{ "\xf4\x8f\xbf\xbf", 4, "\xf4\x8f\xbf\xbf" },
	/* overlong, surrogate, too large, never valid */
	{ "x\xc0\xaf", 3, "x" R R },
	{ "x\xe0\x80\xaf", 4, "x" R R R },
	{ "x\xed\xa0\x80y", 5, "x" R R R "y" },
	{ "x\xf4\x90\x80\x80", 5, "x" R R R R },
	{ "x\xff\xfey", 4, "x" R R "y" },
	/* broken off in the middle */
	{ "a\xe2\x82z", 4, "a" R R "z" },
	/* cut at the end, cut at the beginning */
	{ "ab\xe2\x82", 4, "ab" },
	{ "ab\xf0", 3, "ab" },
	{ "\x82\xac" "ab", 4, "ab" },
	{ "\x80\x80\x80\x80" "a", 5, R "a" },
};

static void
test_cases(void **state)
{
	struct buf	 b;
	size_t		 i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		memset(&b, 0, sizeof(b));
		assert_int_equal(utf8_clean(&b, cases[i].in, cases[i].len),
		    0);
		assert_string_equal(b.data, cases[i].out);
		assert_int_equal(b.len, strlen(cases[i].out));
		buf_free(&b);
	}
}

/* A second pass changes nothing: the first one's result was valid. */
static void
test_fixpoint(void **state)
{
	struct buf	 a, b;
	unsigned char	 in[64];
	uint32_t	 seed = 1;
	size_t		 i, round;

	for (round = 0; round < 20000; round++) {
		for (i = 0; i < sizeof(in); i++) {
			seed = seed * 1664525U + 1013904223U;
			in[i] = (unsigned char)(seed >> 24);
			if ((seed & 0x30000) == 0)
				in[i] = 0x80 | (in[i] & 0x3f);
		}
		memset(&a, 0, sizeof(a));
		memset(&b, 0, sizeof(b));
		assert_int_equal(utf8_clean(&a, in, sizeof(in)), 0);
		assert_int_equal(utf8_clean(&b, a.data, a.len), 0);
		assert_int_equal(a.len, b.len);
		assert_memory_equal(a.data, b.data, a.len);
		buf_free(&a);
		buf_free(&b);
	}
}

static void
test_mend(void **state)
{
	static const struct {
		const char	*in, *out;
	} mends[] = {
		{ "", "" },
		{ "plain", "plain" },
		{ "\xc3\xa9t\xc3\xa9", "\xc3\xa9t\xc3\xa9" },
		{ "a\xff" "b", "a?b" },
		{ "cut \xe2\x82", "cut " },
		{ "\x80", "?" },
		{ "\xed\xa0\x80", "???" }		/* a surrogate */
	};
	char	 text[32];
	size_t	 i;

	for (i = 0; i < sizeof(mends) / sizeof(mends[0]); i++) {
		strlcpy(text, mends[i].in, sizeof(text));
		utf8_mend(text);
		assert_string_equal(text, mends[i].out);
	}
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_fixpoint),
		cmocka_unit_test(test_mend),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
