/*
 * Queries and form bodies, decoded pair by pair.
 */
#include <string.h>

#include "query.h"

static int
hexdigit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int
query_decode(const char *s, const char *end, char *out, size_t size, int plus)
{
	size_t	 n = 0;
	int	 c, hi, lo;

	for (; s < end; s++) {
		c = (unsigned char)*s;
		if (c == '%') {
			if (end - s < 3 || (hi = hexdigit(s[1])) == -1 ||
			    (lo = hexdigit(s[2])) == -1)
				return -1;
			c = hi << 4 | lo;
			s += 2;
		} else if (c == '+' && plus)
			c = ' ';
		if (c < ' ' || c == 0x7f || n + 1 >= size)
			return -1;
		out[n++] = (char)c;
	}
	out[n] = '\0';
	return 0;
}

int
query_next(const char **p, const char *end, char *name, char *value)
{
	const char	*s = *p, *amp, *eq;

	while (s < end && *s == '&')
		s++;
	if (s == end) {
		*p = s;
		return 0;
	}
	if ((amp = memchr(s, '&', (size_t)(end - s))) == NULL)
		amp = end;
	if ((eq = memchr(s, '=', (size_t)(amp - s))) == NULL)
		eq = amp;
	*p = amp;
	if (eq == s || query_decode(s, eq, name, QUERY_NAME_SIZE, 1) == -1)
		return -1;
	if (eq < amp)
		eq++;
	return query_decode(eq, amp, value, QUERY_VALUE_SIZE, 1) == -1 ?
	    -1 : 1;
}
