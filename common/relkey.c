/*
 * The formats of signify(1), see relkey.h.  Strict: what signify would not
 * write is refused, so that there is one text for one meaning.
 */
#include <sys/types.h>

#include <stdio.h>
#include <string.h>

#include "relkey.h"

#define DAY		86400		/* seconds */
#define DAYS_TO_1970	719468		/* from 1 March of the year 0 */
#define DAYS_OF_400	146097		/* in 400 years */

/* --- base64 --------------------------------------------------------- */

static const char	 digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
			    "abcdefghijklmnopqrstuvwxyz0123456789+/";

/* -1: is none. */
static int
digit(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

int
base64_decode(const char *s, size_t len, uint8_t *out, size_t n)
{
	uint32_t	 bits = 0;
	size_t		 i, k, have = 0;
	int		 d;

	if (len != BASE64_SIZE(n) - 1)
		return 0;
	k = (n * 8 + 5) / 6;		/* digits before the padding */
	for (i = 0; i < k; i++) {
		if ((d = digit(s[i])) == -1)
			return 0;
		bits = bits << 6 | (uint32_t)d;
		if ((have += 6) < 8)
			continue;
		have -= 8;
		*out++ = (uint8_t)(bits >> have);
	}
	/* One text only: the bits left over are zeros. */
	if ((bits & ((1U << have) - 1)) != 0)
		return 0;
	for (; i < len; i++)
		if (s[i] != '=')
			return 0;
	return 1;
}

void
base64_encode(const uint8_t *p, size_t n, char *out)
{
	uint32_t	 v;
	size_t		 i, left;

	for (i = 0; i < n; i += 3) {
		left = n - i;
		v = (uint32_t)p[i] << 16;
		if (left > 1)
			v |= (uint32_t)p[i + 1] << 8;
		if (left > 2)
			v |= p[i + 2];
		*out++ = digits[v >> 18];
		*out++ = digits[v >> 12 & 63];
		*out++ = left > 1 ? digits[v >> 6 & 63] : '=';
		*out++ = left > 2 ? digits[v & 63] : '=';
	}
	*out = '\0';
}

/* --- files ---------------------------------------------------------- */

size_t
relkey_lines(const char *s, size_t len, uint8_t *out, size_t n,
    const char **why)
{
	const size_t	 prefix = sizeof(RELKEY_COMMENT) - 1;
	const char	*end;
	size_t		 i, line;

	*why = "does not begin with \"" RELKEY_COMMENT "\"";
	if (len < prefix || memcmp(s, RELKEY_COMMENT, prefix) != 0)
		return 0;
	*why = "its comment does not end";
	if ((end = memchr(s, '\n', len)) == NULL)
		return 0;
	line = (size_t)(end - s);
	*why = "its comment is too long";
	if (line - prefix > RELKEY_COMMENT_MAX)
		return 0;
	*why = "its comment holds control characters";
	for (i = 0; i < line; i++)
		if ((unsigned char)s[i] < ' ' || s[i] == 0x7f)
			return 0;
	s += line + 1;
	len -= line + 1;
	*why = "its second line does not end";
	if ((end = memchr(s, '\n', len)) == NULL)
		return 0;
	*why = "its second line is not the base64 that belongs there";
	if (!base64_decode(s, (size_t)(end - s), out, n))
		return 0;
	return line + 1 + (size_t)(end - s) + 1;
}

/* In the form of the file that signify keeps for itself. */
static int
is_secret(const char *s, size_t len)
{
	uint8_t		 raw[RELKEY_SECRET_LEN];
	const char	*why;
	int		 is;

	is = relkey_lines(s, len, raw, sizeof(raw), &why) != 0;
	explicit_bzero(raw, sizeof(raw));
	return is;
}

int
relkey_parse(const char *s, size_t len, struct relkey *key, const char **why)
{
	uint8_t	 raw[RELKEY_ALG_LEN + sizeof(*key)];
	size_t	 n;

	if ((n = relkey_lines(s, len, raw, sizeof(raw), why)) == 0) {
		if (is_secret(s, len))
			*why = "a secret key, which belongs on no host: name "
			    "the public one that was made with it";
		return -1;
	}
	if (memcmp(raw, RELKEY_ALG, RELKEY_ALG_LEN) != 0) {
		*why = "not an Ed25519 key";
		return -1;
	}
	if (n != len) {
		*why = "more than one key";
		return -1;
	}
	memcpy(key->num, raw + RELKEY_ALG_LEN, sizeof(key->num));
	memcpy(key->key, raw + RELKEY_ALG_LEN + sizeof(key->num),
	    sizeof(key->key));
	*why = NULL;
	return 0;
}

/* --- dates ---------------------------------------------------------- */

/* Days since 1970 of a day in the Gregorian calendar.  Years begin in March,
 * so that the day which comes and goes is the last. */
static int64_t
days_of(int64_t year, int64_t month, int64_t day)
{
	int64_t	 of400;

	if (month <= 2)
		year--;
	of400 = year % 400;
	return year / 400 * DAYS_OF_400 + of400 * 365 + of400 / 4 -
	    of400 / 100 + ((month + 9) % 12 * 153 + 2) / 5 + day - 1 -
	    DAYS_TO_1970;
}

void
signed_date(int64_t t, char *out)
{
	int64_t	 days, s, year, month;

	if (t < 0)
		t = 0;
	if (t > SIGNED_DATE_MAX)
		t = SIGNED_DATE_MAX;
	days = t / DAY;
	s = t % DAY;
	/* Few enough to be counted. */
	for (year = 1970; days_of(year + 1, 1, 1) <= days; year++)
		;
	for (month = 1; month < 12 && days_of(year, month + 1, 1) <= days;
	    month++)
		;
	/* The remainders show any compiler that it fits. */
	snprintf(out, SIGNED_DATE_SIZE, "%04u-%02u-%02uT%02u:%02u:%02uZ",
	    (unsigned int)year % 10000, (unsigned int)month % 100,
	    (unsigned int)(days - days_of(year, month, 1) + 1) % 100,
	    (unsigned int)(s / 3600) % 100, (unsigned int)(s / 60) % 60,
	    (unsigned int)s % 60);
}

/* The digits of s where the form has a zero; what else it has must be there
 * as it is. */
static int
scan(const char *s, const char *form, int *out, size_t n)
{
	size_t	 i;

	memset(out, 0, n * sizeof(*out));
	for (i = 0; *form != '\0'; s++, form++) {
		if (*form == '0') {
			if (*s < '0' || *s > '9')
				return 0;
			out[i] = out[i] * 10 + (*s - '0');
			continue;
		}
		if (*s != *form)
			return 0;
		i++;
	}
	return *s == '\0';
}

int
signed_parsedate(const char *s, int64_t *t)
{
	char	 again[SIGNED_DATE_SIZE];
	int	 v[7];

	if (!scan(s, "0000-00-00T00:00:00Z", v, 7) || v[0] < 1970)
		return -1;
	*t = days_of(v[0], v[1], v[2]) * DAY + v[3] * 3600 + v[4] * 60 + v[5];
	/* No 31 February, no hour 24. */
	if (*t < 0)
		return -1;
	signed_date(*t, again);
	return strcmp(s, again) == 0 ? 0 : -1;
}
