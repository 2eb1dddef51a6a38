/*
 * mtree(5) lines: pure formatting and parsing.
 *
 *	. type=dir mode=0755
 *	./bin/agent type=file mode=0755 size=123 sha256digest=...
 *	./l type=link mode=0777 link=TARGET
 *
 * In names every byte but letters, digits and harmless punctuation is
 * written as a backslash and three octal digits, as mtree's vis(3) does; a
 * line is thus printable ASCII without a space inside a name.  The parser
 * takes exactly what the formatter writes, in any order of keywords: the
 * file is ours, but it may have been damaged or meddled with.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "manifest.h"

#define SEEN_TYPE	0x01
#define SEEN_MODE	0x02
#define SEEN_SIZE	0x04
#define SEEN_DIGEST	0x08
#define SEEN_LINK	0x10

static const struct {
	const char	*name;
	uint32_t	 keys;		/* SEEN_: exactly these */
} types[MANIFEST__MAX] = {
	{ "file",	SEEN_TYPE | SEEN_MODE | SEEN_SIZE | SEEN_DIGEST },
	{ "dir",	SEEN_TYPE | SEEN_MODE },
	{ "link",	SEEN_TYPE | SEEN_MODE | SEEN_LINK }
};

const char *
manifest_typename(enum manifest_type type)
{
	return type < MANIFEST__MAX ? types[type].name : "unknown";
}

static int
is_plain(uint8_t c)
{
	return c > ' ' && c < 0x7f && strchr("\\#=*?[\"'`", c) == NULL;
}

static size_t
put_name(char *out, const char *name)
{
	const uint8_t	*p = (const uint8_t *)name;
	char		*o = out;

	for (; *p != '\0'; p++) {
		if (is_plain(*p)) {
			*o++ = (char)*p;
			continue;
		}
		*o++ = '\\';
		*o++ = (char)('0' + (*p >> 6));
		*o++ = (char)('0' + (*p >> 3 & 7));
		*o++ = (char)('0' + (*p & 7));
	}
	return (size_t)(o - out);
}

size_t
manifest_format(const struct manifest_entry *e, char *out)
{
	char	 hex[UPD_HEX_SIZE];
	size_t	 n = 0;

	out[n++] = '.';
	if (e->path[0] != '\0') {
		out[n++] = '/';
		n += put_name(out + n, e->path);
	}
	n += (size_t)snprintf(out + n, MANIFEST_LINE_MAX - n,
	    " type=%s mode=%04o", manifest_typename(e->type), e->mode);
	switch (e->type) {
	case MANIFEST_FILE:
		digest_hex(e->digest, hex);
		n += (size_t)snprintf(out + n, MANIFEST_LINE_MAX - n,
		    " size=%llu sha256digest=%s", (unsigned long long)e->size,
		    hex);
		break;
	case MANIFEST_LINK:
		memcpy(out + n, " link=", 6);
		n += 6;
		n += put_name(out + n, e->link);
		break;
	default:
		break;
	}
	out[n++] = '\n';
	out[n] = '\0';
	return n;
}

/* --- parsing -------------------------------------------------------- */

/* Undo put_name() into size bytes.  0, or -1. */
static int
get_name(const char *p, size_t len, char *out, size_t size)
{
	size_t	 o = 0;
	int	 c;

	for (; len > 0; len--, p++) {
		c = (uint8_t)*p;
		if (c == '\\') {
			if (len < 4 || p[1] < '0' || p[1] > '3' ||
			    p[2] < '0' || p[2] > '7' ||
			    p[3] < '0' || p[3] > '7')
				return -1;
			c = (p[1] - '0') << 6 | (p[2] - '0') << 3 |
			    (p[3] - '0');
			if (c == 0)
				return -1;
			p += 3;
			len -= 3;
		} else if (!is_plain((uint8_t)c))
			return -1;
		if (o + 1 >= size)
			return -1;
		out[o++] = (char)c;
	}
	out[o] = '\0';
	return 0;
}

/* A path below the root, in no other spelling than ours: 1, or 0. */
static int
path_isclean(const char *path)
{
	size_t	 n;

	for (;; path += n + 1) {
		n = strcspn(path, "/");
		if (n == 0 || (n == 1 && path[0] == '.') ||
		    (n == 2 && path[0] == '.' && path[1] == '.'))
			return 0;
		if (path[n] == '\0')
			return 1;
	}
}

static int
get_number(const char *p, size_t len, unsigned int base, uint64_t max,
    uint64_t *v)
{
	unsigned int	 c;

	if (len == 0)
		return -1;
	for (*v = 0; len > 0; len--, p++) {
		c = (unsigned int)(uint8_t)*p - '0';
		if (c >= base || *v > (max - c) / base)
			return -1;
		*v = *v * base + c;
	}
	return 0;
}

static int
get_digest(const char *p, size_t len, uint8_t *digest)
{
	char	 hex[UPD_HEX_SIZE];
	size_t	 i;
	int	 hi, lo;

	if (len != UPD_HEX_SIZE - 1)
		return -1;
	memcpy(hex, p, len);
	hex[len] = '\0';
	if (!digest_ishex(hex))
		return -1;
	for (i = 0; i < UPD_DIGEST_LEN; i++) {
		hi = (unsigned char)hex[2 * i];
		lo = (unsigned char)hex[2 * i + 1];
		hi = hi <= '9' ? hi - '0' : hi - 'a' + 10;
		lo = lo <= '9' ? lo - '0' : lo - 'a' + 10;
		digest[i] = (uint8_t)(hi << 4 | lo);
	}
	return 0;
}

/* The value of one keyword; its SEEN_ bit, or 0: bad. */
static uint32_t
get_key(const char *key, size_t klen, const char *v, size_t vlen,
    struct manifest_entry *e)
{
	uint64_t	 n;
	int		 i;

#define IS(s)	(klen == sizeof(s) - 1 && memcmp(key, s, klen) == 0)
	if (IS("type")) {
		for (i = 0; i < MANIFEST__MAX; i++)
			if (strlen(types[i].name) == vlen &&
			    memcmp(types[i].name, v, vlen) == 0) {
				e->type = (enum manifest_type)i;
				return SEEN_TYPE;
			}
		return 0;
	}
	if (IS("mode")) {
		if (get_number(v, vlen, 8, 07777, &n) == -1)
			return 0;
		e->mode = (uint32_t)n;
		return SEEN_MODE;
	}
	if (IS("size"))
		return get_number(v, vlen, 10, INT64_MAX, &e->size) == 0 ?
		    SEEN_SIZE : 0;
	if (IS("sha256digest"))
		return get_digest(v, vlen, e->digest) == 0 ? SEEN_DIGEST : 0;
	if (IS("link"))
		return vlen > 0 && get_name(v, vlen, e->link,
		    sizeof(e->link)) == 0 ? SEEN_LINK : 0;
#undef IS
	return 0;
}

const char *
manifest_parse(const char *line, size_t len, struct manifest_entry *e)
{
	const char	*p = line, *end = line + len, *sp, *eq;
	uint32_t	 seen = 0, bit;

	if ((sp = memchr(p, ' ', len)) == NULL)
		return "no keywords";
	if (sp - p == 1 && *p == '.')
		e->path[0] = '\0';
	else if (sp - p < 3 || p[0] != '.' || p[1] != '/' ||
	    get_name(p + 2, (size_t)(sp - p) - 2, e->path,
	    sizeof(e->path)) == -1 || !path_isclean(e->path))
		return "bad path";
	e->size = 0;
	e->link[0] = '\0';
	memset(e->digest, 0, sizeof(e->digest));
	while (sp < end) {
		p = sp + 1;
		if ((sp = memchr(p, ' ', (size_t)(end - p))) == NULL)
			sp = end;
		if ((eq = memchr(p, '=', (size_t)(sp - p))) == NULL ||
		    (bit = get_key(p, (size_t)(eq - p), eq + 1,
		    (size_t)(sp - eq) - 1, e)) == 0)
			return "bad keyword";
		if (seen & bit)
			return "keyword given twice";
		seen |= bit;
	}
	if (!(seen & SEEN_TYPE) || seen != types[e->type].keys)
		return "keywords do not fit the type";
	return NULL;
}
