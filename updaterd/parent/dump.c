/*
 * A JSON value as text, whole or not at all.
 *
 * When memory runs out json_dumps(3) of Jansson up to 2.14 leaves out the
 * key it was about to write, and returns the rest as if nothing had
 * happened.  So it is measured first, and then written to where there is
 * room: neither takes memory for the text.
 */
#include <sys/types.h>

#include <errno.h>
#include <stdlib.h>

#include "dump.h"

char *
dump_json(const json_t *o, size_t flags)
{
	char	*text;
	size_t	 size;

	/* 0: not a value, or no memory to look for loops with */
	if ((size = json_dumpb(o, NULL, 0, flags)) == 0) {
		errno = ENOMEM;
		return NULL;
	}
	if ((text = malloc(size + 1)) == NULL)
		return NULL;
	if (json_dumpb(o, text, size, flags) != size) {
		free(text);
		errno = ENOMEM;
		return NULL;
	}
	text[size] = '\0';
	return text;
}
