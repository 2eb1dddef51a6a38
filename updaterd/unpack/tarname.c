/*
 * A name out of an archive's headers, in pieces.
 */
#include <string.h>

#include "tarname.h"

void
tarname_clear(struct tarname *t)
{
	t->len = 0;
	t->s[0] = '\0';
}

void
tarname_add(struct tarname *t, const void *p, size_t n)
{
	size_t	 room;

	if (t->len < sizeof(t->s) - 1) {
		room = sizeof(t->s) - 1 - t->len;
		memcpy(t->s + t->len, p, n < room ? n : room);
	}
	t->len += n;
	t->s[t->len < sizeof(t->s) - 1 ? t->len : sizeof(t->s) - 1] = '\0';
}

void
tarname_field(struct tarname *t, const uint8_t *p, size_t n)
{
	const uint8_t	*nul;

	if ((nul = memchr(p, '\0', n)) != NULL)
		n = (size_t)(nul - p);
	tarname_add(t, p, n);
}
