/*
 * Lines of text of any length: kept as they were said, cut where they are too
 * long, empty without a word, and true when there is no memory for them.
 */
/* LINK: updaterd/parent/note.o */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "note.h"
#include "proto.h"

/* strndup(3) of note.c, found before the library's own. */
static int	 no_memory;

char *
strndup(const char *s, size_t n)
{
	size_t	 len = strnlen(s, n);
	char	*copy;

	if (no_memory || (copy = malloc(len + 1)) == NULL)
		return NULL;
	memcpy(copy, s, len);
	copy[len] = '\0';
	return copy;
}

static void
says(void **state)
{
	struct note	 n;

	memset(&n, 0, sizeof(n));
	assert_string_equal(note_text(&n), "");
	note_set(&n, "exited 1 after 12 ms");
	assert_string_equal(note_text(&n), "exited 1 after 12 ms");
	note_printf(&n, "up for %d s", 1);
	assert_string_equal(note_text(&n), "up for 1 s");
	note_const(&n, "taken over");
	assert_string_equal(note_text(&n), "taken over");
	note_set(&n, "");
	assert_string_equal(note_text(&n), "");
	assert_null(n.own);
	note_clear(&n);
	note_clear(&n);
}

static void
says_itself(void **state)
{
	struct note	 n;

	memset(&n, 0, sizeof(n));
	note_set(&n, "find it: not healthy");
	note_set(&n, note_text(&n));
	note_set(&n, note_text(&n) + 9);
	assert_string_equal(note_text(&n), "not healthy");
	note_clear(&n);
}

static void
too_long(void **state)
{
	struct note	 n;
	char		 text[UPD_TEXT_SIZE * 2];

	memset(&n, 0, sizeof(n));
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	note_set(&n, text);
	assert_int_equal(strlen(note_text(&n)), UPD_TEXT_SIZE - 1);
	note_printf(&n, "%s", text);
	assert_int_equal(strlen(note_text(&n)), UPD_TEXT_SIZE - 1);
	note_clear(&n);
}

static void
without_memory(void **state)
{
	struct note	 n;

	memset(&n, 0, sizeof(n));
	note_set(&n, "before");
	no_memory = 1;
	note_set(&n, "this is lost");
	assert_non_null(strstr(note_text(&n), "no memory"));
	note_printf(&n, "%s too", "this");
	assert_non_null(strstr(note_text(&n), "no memory"));
	note_const(&n, "a literal");
	assert_string_equal(note_text(&n), "a literal");
	note_set(&n, "lost again");
	no_memory = 0;
	note_set(&n, note_text(&n));
	assert_non_null(strstr(note_text(&n), "no memory"));
	note_set(&n, "and back");
	assert_string_equal(note_text(&n), "and back");
	note_clear(&n);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(says),
		cmocka_unit_test(says_itself),
		cmocka_unit_test(too_long),
		cmocka_unit_test(without_memory),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
