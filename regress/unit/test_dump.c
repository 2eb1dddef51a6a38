/* LINK: updaterd/parent/dump.o */
/* LIBS: -ljansson */
/*
 * Goal: whichever allocation fails, the text is whole or there is none.
 */
#include <sys/types.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dump.h"

#define MEMBERS	40

static long	 left = -1;		/* allocations until one fails, once */

static void *
scarce(size_t size)
{
	if (left >= 0 && left-- == 0)
		return NULL;
	return malloc(size);
}

static json_t *
sample(void)
{
	json_t	*o = json_object(), *list = json_array();
	char	 key[32];
	int	 i;

	for (i = 0; i < MEMBERS; i++) {
		snprintf(key, sizeof(key), "a rather long key %d", i);
		json_object_set_new(o, key, json_string("text"));
		json_array_append_new(list, json_integer(i));
	}
	json_object_set_new(o, "list", list);
	return o;
}

static void
test_whole(void **state)
{
	json_t	*o = sample(), *again;
	char	*text, *same;

	text = dump_json(o, JSON_COMPACT);
	same = json_dumps(o, JSON_COMPACT);
	assert_string_equal(text, same);
	again = json_loads(text, 0, NULL);
	assert_true(json_equal(o, again));
	json_decref(again);
	free(text);
	free(same);
	assert_null(dump_json(NULL, 0));
	json_decref(o);
}

static void
test_nomem(void **state)
{
	json_t	*o = sample(), *again;
	char	*text;
	long	 n;
	int	 failures = 0;

	for (n = 0; n < 200; n++) {
		left = n;
		text = dump_json(o, JSON_INDENT(1));
		left = -1;
		if (text == NULL) {
			failures++;
			continue;
		}
		again = json_loads(text, 0, NULL);
		assert_true(json_equal(o, again));
		json_decref(again);
		free(text);
	}
	assert_true(failures > 0);
	json_decref(o);
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test(test_whole),
		cmocka_unit_test(test_nomem)
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	json_set_alloc_funcs(scarce, free);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
