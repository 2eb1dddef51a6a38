/*
 * JSON strings from bytes of unknown making: what is not UTF-8 becomes
 * U+FFFD, control characters are escaped, so that what comes out is always
 * valid JSON.
 */
#include <string.h>

#include "json.h"

size_t
utf8_len(const char *s, size_t n)
{
	const unsigned char	*p = (const unsigned char *)s;
	unsigned char		 lo = 0x80, hi = 0xbf;
	size_t			 len, i;

	if (n == 0)
		return 0;
	if (p[0] < 0x80)
		return 1;
	if (p[0] < 0xc2 || p[0] > 0xf4)
		return 0;
	len = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	if (n < len)
		return 0;
	/* Overlong forms, surrogates and what is above U+10FFFF. */
	if (p[0] == 0xe0)
		lo = 0xa0;
	else if (p[0] == 0xed)
		hi = 0x9f;
	else if (p[0] == 0xf0)
		lo = 0x90;
	else if (p[0] == 0xf4)
		hi = 0x8f;
	if (p[1] < lo || p[1] > hi)
		return 0;
	for (i = 2; i < len; i++)
		if (p[i] < 0x80 || p[i] > 0xbf)
			return 0;
	return len;
}

int
jsontext_string(struct buf *b, const char *s, size_t n)
{
	size_t	 i, len;
	int	 r = 0;

	r |= buf_add(b, "\"", 1);
	for (i = 0; i < n && r == 0; i += len) {
		unsigned char c = (unsigned char)s[i];

		if ((len = utf8_len(s + i, n - i)) == 0) {
			r |= buf_add(b, "\\ufffd", 6);
			len = 1;
		} else if (c == '"' || c == '\\')
			r |= buf_printf(b, "\\%c", c);
		else if (c == '\n')
			r |= buf_add(b, "\\n", 2);
		else if (c < ' ' || c == 0x7f)
			r |= buf_printf(b, "\\u%04x", c);
		else
			r |= buf_add(b, s + i, len);
	}
	r |= buf_add(b, "\"", 1);
	return r == 0 ? 0 : -1;
}

int
jsontext_detail(struct buf *b, const char *text)
{
	int	 r = 0;

	r |= buf_add(b, "{\"detail\":", 10);
	r |= jsontext_string(b, text, strlen(text));
	r |= buf_add(b, "}", 1);
	return r == 0 ? 0 : -1;
}

int
jsontext_oneline(struct buf *b, const char *s, size_t n)
{
	size_t	 start = b->len, i;

	if (n == 0)
		return buf_add(b, "null", 4);
	if (buf_add(b, s, n) == -1)
		return -1;
	for (i = start; i < b->len; i++)
		if (b->data[i] == '\n' || b->data[i] == '\r')
			b->data[i] = ' ';
	return 0;
}
