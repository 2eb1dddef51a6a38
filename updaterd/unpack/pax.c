/*
 * The records of a pax header, "LENGTH KEY=VALUE\n", read strictly.
 *
 * Refused: records that do not add up, values over 64 KiB, a keyword that
 * is given twice, a global header that names or sizes entries, names in an
 * unknown character set, a NUL inside a name, sparse files by any of their
 * keywords (in a global header at once; else have tells, since only the
 * entry's own header says which entry it is).
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "pax.h"

#define VALUE_MAX	(64 * 1024)	/* bytes of one value: DESIGN 4 */

enum pax_kind {
	KIND_OTHER,
	KIND_PATH,
	KIND_LINK,
	KIND_SIZE,
	KIND_CHARSET,
	KIND_SPARSE
};

static int	 refuse(struct pax *, enum upd_error, const char *, ...)
		    __attribute__((format(printf, 3, 4)));

static int
refuse(struct pax *x, enum upd_error error, const char *fmt, ...)
{
	va_list	 ap;

	x->error = error;
	va_start(ap, fmt);
	vsnprintf(x->text, sizeof(x->text), fmt, ap);
	va_end(ap);
	return -1;
}

void
pax_begin(struct pax *x, int global, struct tarname *path,
    struct tarname *link)
{
	memset(x, 0, sizeof(*x));
	x->global = global;
	x->path = path;
	x->link = link;
}

static enum pax_kind
kind_of(const char *key)
{
	static const struct {
		const char	*key;
		size_t		 len;	/* bytes to compare */
		enum pax_kind	 kind;
	} keys[] = {
		{ "path",		5,	KIND_PATH },
		{ "linkpath",		9,	KIND_LINK },
		{ "size",		5,	KIND_SIZE },
		{ "hdrcharset",		11,	KIND_CHARSET },
		{ "GNU.sparse.",	11,	KIND_SPARSE },
		{ "SCHILY.realsize",	16,	KIND_SPARSE },
		{ "SUN.holesdata",	14,	KIND_SPARSE }
	};
	size_t	 i;

	for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (strncmp(key, keys[i].key, keys[i].len) == 0)
			return keys[i].kind;
	return KIND_OTHER;
}

static int
once(struct pax *x, uint32_t bit)
{
	if (x->global)
		return refuse(x, UPD_EFORMAT, "global pax header sets %s",
		    x->key);
	if (x->have & bit)
		return refuse(x, UPD_EFORMAT, "pax header sets %s twice",
		    x->key);
	x->have |= bit;
	return 0;
}

/* The keyword is known. */
static int
key_known(struct pax *x)
{
	x->key[x->keylen < sizeof(x->key) ? x->keylen :
	    sizeof(x->key) - 1] = '\0';
	if (x->keylen == 0)
		return refuse(x, UPD_EFORMAT, "pax record without a keyword");
	if (x->left == 0)
		return refuse(x, UPD_EFORMAT, "pax record cut short");
	if (x->left - 1 > VALUE_MAX)
		return refuse(x, UPD_EENTRY, "pax value over 64 KiB");
	x->valuelen = 0;
	x->state = x->left == 1 ? PAX_NL : PAX_VALUE;
	switch (x->kind = kind_of(x->key)) {
	case KIND_PATH:
		if (once(x, PAX_HAS_PATH) == -1)
			return -1;
		tarname_clear(x->path);
		return 0;
	case KIND_LINK:
		if (once(x, PAX_HAS_LINK) == -1)
			return -1;
		tarname_clear(x->link);
		return 0;
	case KIND_SIZE:
		return once(x, PAX_HAS_SIZE);
	case KIND_SPARSE:
		if (x->global)
			return refuse(x, UPD_EENTRY, "sparse file");
		x->have |= PAX_HAS_SPARSE;
		return 0;
	default:
		return 0;
	}
}

/* Bytes of the value: the newline behind it is not among them. */
static int
value(struct pax *x, const uint8_t *p, size_t n)
{
	switch (x->kind) {
	case KIND_PATH:
		tarname_add(x->path, p, n);
		break;
	case KIND_LINK:
		tarname_add(x->link, p, n);
		break;
	case KIND_SIZE:
	case KIND_CHARSET:
		if (n >= sizeof(x->value) - x->valuelen)
			return refuse(x, UPD_EFORMAT, "bad pax value of %s",
			    x->key);
		memcpy(x->value + x->valuelen, p, n);
		x->valuelen += n;
		return 0;
	default:
		return 0;
	}
	if (memchr(p, '\0', n) != NULL)
		return refuse(x, UPD_EENTRY, "NUL inside a name");
	return 0;
}

/* The record is complete. */
static int
record(struct pax *x)
{
	size_t	 i;

	x->value[x->valuelen] = '\0';
	x->state = PAX_LEN;
	x->len = 0;
	x->digits = 0;
	switch (x->kind) {
	case KIND_PATH:
		if (x->path->len == 0)
			return refuse(x, UPD_EENTRY, "empty name");
		return 0;
	case KIND_LINK:
		if (x->link->len == 0)
			return refuse(x, UPD_EENTRY, "empty link target");
		return 0;
	case KIND_CHARSET:
		if (strcmp(x->value, "BINARY") == 0 ||
		    strcmp(x->value, "ISO-IR 10646 2000 UTF-8") == 0)
			return 0;
		return refuse(x, UPD_EENTRY, "names in another character set");
	case KIND_SIZE:
		x->size = 0;
		for (i = 0; i < x->valuelen; i++) {
			if (x->value[i] < '0' || x->value[i] > '9' ||
			    x->size > TAR_SIZE_MAX / 10)
				break;
			x->size = x->size * 10 +
			    (uint64_t)(x->value[i] - '0');
		}
		if (i < x->valuelen || x->valuelen == 0)
			return refuse(x, UPD_EFORMAT, "bad pax value of size");
		return 0;
	default:
		return 0;
	}
}

/* One byte of "LENGTH SP": the length counts itself. */
static int
length(struct pax *x, uint8_t c, uint64_t body)
{
	if (c >= '0' && c <= '9' && x->digits < 8) {
		x->len = x->len * 10 + (uint64_t)(c - '0');
		x->digits++;
		return 0;
	}
	if (c != ' ' || x->digits == 0 || x->len < x->digits + 1 ||
	    x->len - x->digits - 1 > body)
		return refuse(x, UPD_EFORMAT, "bad length of a pax record");
	x->left = x->len - x->digits - 1;
	x->keylen = 0;
	x->state = PAX_KEY;
	return 0;
}

int
pax_feed(struct pax *x, const uint8_t *p, size_t n, uint64_t body)
{
	size_t	 m;

	for (; n > 0; p += m, n -= m) {
		m = 1;
		switch (x->state) {
		case PAX_LEN:
			if (length(x, *p, body + n - 1) == -1)
				return -1;
			continue;
		case PAX_KEY:
			if (x->left == 0)
				return refuse(x, UPD_EFORMAT,
				    "pax record without a value");
			x->left--;
			if (*p == '=') {
				if (key_known(x) == -1)
					return -1;
				continue;
			}
			if (x->keylen < sizeof(x->key))
				x->key[x->keylen] = (char)*p;
			x->keylen++;
			continue;
		case PAX_VALUE:
			m = x->left - 1 < n ? (size_t)(x->left - 1) : n;
			if (value(x, p, m) == -1)
				return -1;
			x->left -= m;
			if (x->left == 1)
				x->state = PAX_NL;
			continue;
		case PAX_NL:
			if (*p != '\n')
				return refuse(x, UPD_EFORMAT,
				    "pax record without a newline");
			if (record(x) == -1)
				return -1;
		}
	}
	if (body == 0 && (x->state != PAX_LEN || x->digits != 0))
		return refuse(x, UPD_EFORMAT, "pax record cut short");
	return 0;
}
