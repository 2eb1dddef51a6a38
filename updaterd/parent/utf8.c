/*
 * UTF-8 as RFC 3629 has it: no overlong forms, no surrogates, nothing
 * above U+10FFFF.
 */
#include <string.h>

#include "utf8.h"

#define REPLACEMENT	"\xef\xbf\xbd"	/* U+FFFD */

/* Bytes that the first byte of a sequence announces; 0: it cannot be one. */
static size_t
announced(unsigned char c)
{
	if (c < 0x80)
		return 1;
	if (c >= 0xc2 && c <= 0xdf)
		return 2;
	if (c >= 0xe0 && c <= 0xef)
		return 3;
	if (c >= 0xf0 && c <= 0xf4)
		return 4;
	return 0;
}

static int
is_more(unsigned char c)
{
	return (c & 0xc0) == 0x80;
}

/*
 * The second byte's range depends on the first: this keeps out overlong
 * forms (E0, F0), surrogates (ED) and what is above U+10FFFF (F4).
 */
static int
is_second(unsigned char first, unsigned char c)
{
	if (!is_more(c))
		return 0;
	switch (first) {
	case 0xe0:
		return c >= 0xa0;
	case 0xed:
		return c <= 0x9f;
	case 0xf0:
		return c >= 0x90;
	case 0xf4:
		return c <= 0x8f;
	default:
		return 1;
	}
}

/* Bytes of the valid sequence at s; 0: none.  *cut: it would be valid so
 * far, but the data ends. */
static size_t
sequence(const unsigned char *s, size_t len, int *cut)
{
	size_t	 n, i;

	*cut = 0;
	if ((n = announced(s[0])) <= 1)
		return n;
	for (i = 1; i < n; i++) {
		if (i == len) {
			*cut = 1;
			return 0;
		}
		if (i == 1 ? !is_second(s[0], s[1]) : !is_more(s[i]))
			return 0;
	}
	return n;
}

int
utf8_clean(struct buf *b, const void *data, size_t len)
{
	const unsigned char	*s = data;
	size_t			 i = 0, start, n;
	int			 cut;

	/* The rest of a sequence whose begin is not there: at most three. */
	while (i < len && i < 3 && is_more(s[i]))
		i++;
	for (start = i; i < len; ) {
		n = sequence(s + i, len - i, &cut);
		if (n > 0 && s[i] != '\0') {
			i += n;
			continue;
		}
		if (buf_add(b, s + start, i - start) == -1)
			return -1;
		if (cut)
			return 0;
		if (s[i] != '\0' && buf_add(b, REPLACEMENT,
		    sizeof(REPLACEMENT) - 1) == -1)
			return -1;
		start = ++i;
	}
	return buf_add(b, s + start, len - start);
}

void
utf8_mend(char *text)
{
	unsigned char	*s = (unsigned char *)text;
	size_t		 n, len = strlen(text);
	int		 cut;

	while (len > 0) {
		if ((n = sequence(s, len, &cut)) == 0) {
			if (cut) {
				*s = '\0';
				return;
			}
			*s = '?';
			n = 1;
		}
		s += n;
		len -= n;
	}
}
