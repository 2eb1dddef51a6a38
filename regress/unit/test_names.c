/*
 * names.c: the set finds what was put in and nothing else, while it grows.
 */
/* LINK: updaterd/unpack/names.o */
/* LIBS: -lcrypto */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "names.h"

#define MANY	50000

static void
kinds(void **state)
{
	struct names	*s = names_new();

	assert_non_null(s);
	assert_int_equal(names_get(s, "a", 1), NAME_NONE);
	assert_int_equal(names_put(s, "a", 1, NAME_DIR), 0);
	assert_int_equal(names_put(s, "a/b", 3, NAME_FILE), 0);
	assert_int_equal(names_put(s, "", 0, NAME_LINK), 0);
	assert_int_equal(names_get(s, "a", 1), NAME_DIR);
	assert_int_equal(names_get(s, "a/b", 3), NAME_FILE);
	assert_int_equal(names_get(s, "a/b", 1), NAME_DIR);
	assert_int_equal(names_get(s, "a/b", 2), NAME_NONE);
	assert_int_equal(names_get(s, "", 0), NAME_LINK);
	names_free(s);
	names_free(NULL);
}

static void
many(void **state)
{
	struct names	*s = names_new();
	char		 p[32];
	int		 i, n;

	for (i = 0; i < MANY; i++) {
		n = snprintf(p, sizeof(p), "dir/%d", i);
		assert_int_equal(names_get(s, p, (size_t)n), NAME_NONE);
		assert_int_equal(names_put(s, p, (size_t)n,
		    i % 3 ? NAME_FILE : NAME_DIR), 0);
	}
	for (i = 0; i < 2 * MANY; i++) {
		n = snprintf(p, sizeof(p), "dir/%d", i);
		assert_int_equal(names_get(s, p, (size_t)n), i >= MANY ?
		    NAME_NONE : i % 3 ? NAME_FILE : NAME_DIR);
	}
	names_free(s);
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test(kinds),
		cmocka_unit_test(many)
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
