/*
 * %p, %h and %% in the texts of a service.
 */
/* LINK: updaterd/percent.o common/util.o common/log.o */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "percent.h"

static void
expands(void **state)
{
	static const struct {
		const char	*text, *want;
	} cases[] = {
		{ "", "" },
		{ "plain", "plain" },
		{ "%p", "coder" },
		{ "%h", "/opt/data/coder" },
		{ "%%", "%" },
		{ "%%p", "%p" },
		{ "%%%p", "%coder" },
		{ "a%pb%hc", "acoderb/opt/data/coderc" },
		{ "%p%p", "codercoder" },
		{ "100%", "100%" },
		{ "%x", "%x" },
		{ "%h/log", "/opt/data/coder/log" }
	};
	size_t	 i;
	char	*s;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		s = percent_expand(cases[i].text, "coder", "/opt/data/coder");
		assert_non_null(s);
		assert_string_equal(s, cases[i].want);
		free(s);
	}
	/* What is put in is not looked at again. */
	s = percent_expand("%h", "x", "/a/%p");
	assert_string_equal(s, "/a/%p");
	free(s);
}

static void
finds(void **state)
{
	assert_null(percent_odd(""));
	assert_null(percent_odd("%p %h %% %%x"));
	assert_string_equal(percent_odd("a%%%x"), "%x");
	assert_string_equal(percent_odd("100%"), "%");
	assert_string_equal(percent_odd("%P"), "%P");
	assert_int_equal(percent_has("%p", 'p'), 1);
	assert_int_equal(percent_has("%%p", 'p'), 0);
	assert_int_equal(percent_has("%%%h", 'h'), 1);
	assert_int_equal(percent_has("%h", 'p'), 0);
	assert_int_equal(percent_has("%", 'p'), 0);
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test(expands), cmocka_unit_test(finds)
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
