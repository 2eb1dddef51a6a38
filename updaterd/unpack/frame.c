/*
 * Strict reading of a tar archive's frame: ustar, pax and GNU headers.
 *
 * What libarchive lets pass or does not tell, and this reader refuses:
 *  - an end that is missing or only one zero block, anything but zeros
 *    behind it;
 *  - header checksums by signed addition, sizes that are negative or not
 *    clean octal, a body on an entry that cannot have one;
 *  - sparse files by any of their pax keywords, names in an unknown
 *    character set, a NUL inside a name;
 *  - pax records that do not add up, values over 64 KiB, a keyword given
 *    twice, a global header that names or sizes entries;
 *  - several x, L or K headers for one entry, or x together with L or K:
 *    readers differ on which one holds (and libarchive calls itself for
 *    each, without bound).
 * Types are not judged here, but a type we do not know has no body whose
 * length could be relied on: it ends the reading at its header.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "entry.h"
#include "frame.h"

/* POSIX ustar header, offsets and lengths in bytes. */
#define H_NAME		0
#define H_NAME_LEN	100
#define H_MODE		100
#define H_MODE_LEN	8
#define H_SIZE		124
#define H_SIZE_LEN	12
#define H_SUM		148
#define H_SUM_LEN	8
#define H_TYPE		156
#define H_LINK		157
#define H_LINK_LEN	100
#define H_MAGIC		257
#define H_PREFIX	345
#define H_PREFIX_LEN	155

#define FRAME_EXT_MAX	(1024 * 1024)	/* bytes of one x, g, L, K body */
#define FRAME_PAX_MAX	(64 * 1024)	/* bytes of one pax value: DESIGN 4 */
#define FRAME_SIZE_MAX	(1ULL << 60)	/* bytes; keeps sums from wrapping */
#define FRAME_GLOBALS	16		/* g headers in a row */

#define FRAME_HAS_X	0x01		/* extension headers of this entry */
#define FRAME_HAS_L	0x02
#define FRAME_HAS_K	0x04
#define FRAME_HAS_PATH	0x08		/* what they brought */
#define FRAME_HAS_LINK	0x10
#define FRAME_HAS_SIZE	0x20
#define FRAME_HAS_SPARSE 0x40

enum pax_kind {
	KIND_OTHER,
	KIND_PATH,
	KIND_LINK,
	KIND_SIZE,
	KIND_CHARSET,
	KIND_SPARSE
};

static const uint8_t	zeros[FRAME_BLOCK];

void
frame_init(struct frame *f)
{
	memset(f, 0, sizeof(*f));
	f->state = FRAME_HEADER;
}

static int	 refuse(struct frame *, enum upd_error, const char *, ...)
		    __attribute__((format(printf, 3, 4)));

static int
refuse(struct frame *f, enum upd_error error, const char *fmt, ...)
{
	va_list	 ap;

	f->error = error;
	va_start(ap, fmt);
	vsnprintf(f->text, sizeof(f->text), fmt, ap);
	va_end(ap);
	if (f->have & (FRAME_HAS_PATH | FRAME_HAS_L) && f->pathlen > 0)
		memcpy(f->name, f->m.path, sizeof(f->name));
	return -1;
}

/* Append to a name of which more than FRAME_NAME_SIZE - 1 bytes are only
 * counted. */
static void
name_add(char *name, size_t *len, const uint8_t *p, size_t n)
{
	size_t	 room;

	if (*len < FRAME_NAME_SIZE - 1) {
		room = FRAME_NAME_SIZE - 1 - *len;
		memcpy(name + *len, p, n < room ? n : room);
	}
	*len += n;
	name[*len < FRAME_NAME_SIZE - 1 ? *len : FRAME_NAME_SIZE - 1] = '\0';
}

/* A field that a NUL or its end ends. */
static void
name_field(char *name, size_t *len, const uint8_t *p, size_t n)
{
	const uint8_t	*nul;

	if ((nul = memchr(p, '\0', n)) != NULL)
		n = (size_t)(nul - p);
	name_add(name, len, p, n);
}

/*
 * A number: octal, spaces before and a space or NUL behind, or GNU's binary
 * form.  0, or -1.
 */
static int
number(const uint8_t *p, size_t n, uint64_t *v)
{
	size_t	 i = 0;

	*v = 0;
	if (p[0] & 0x80) {
		if (p[0] != 0x80)	/* negative, or beyond 64 bits */
			return -1;
		for (i = 1; i < n; i++) {
			if (*v > FRAME_SIZE_MAX >> 8)
				return -1;
			*v = *v << 8 | p[i];
		}
		return 0;
	}
	while (i < n && p[i] == ' ')
		i++;
	for (; i < n && p[i] >= '0' && p[i] <= '7'; i++)
		*v = *v << 3 | (uint64_t)(p[i] - '0');
	for (; i < n; i++)
		if (p[i] != ' ' && p[i] != '\0')
			return -1;
	return 0;
}

static int
sum_isgood(const uint8_t *h)
{
	uint64_t	 want;
	uint32_t	 sum = 0;
	size_t		 i;

	for (i = 0; i < FRAME_BLOCK; i++)
		sum += i >= H_SUM && i < H_SUM + H_SUM_LEN ? ' ' : h[i];
	return number(h + H_SUM, H_SUM_LEN, &want) == 0 && want == sum;
}

/* --- pax records ---------------------------------------------------- */

static enum pax_kind
pax_kind(const char *key)
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
pax_once(struct frame *f, uint32_t bit)
{
	if (f->pax.global)
		return refuse(f, UPD_EFORMAT, "global pax header sets %s",
		    f->pax.key);
	if (f->have & bit)
		return refuse(f, UPD_EFORMAT, "pax header sets %s twice",
		    f->pax.key);
	f->have |= bit;
	return 0;
}

/* The keyword is known. */
static int
pax_key(struct frame *f)
{
	struct frame_pax	*x = &f->pax;

	x->key[x->keylen < sizeof(x->key) ? x->keylen :
	    sizeof(x->key) - 1] = '\0';
	if (x->keylen == 0)
		return refuse(f, UPD_EFORMAT, "pax record without a keyword");
	if (x->left == 0)
		return refuse(f, UPD_EFORMAT, "pax record cut short");
	if (x->left - 1 > FRAME_PAX_MAX)
		return refuse(f, UPD_EENTRY, "pax value over 64 KiB");
	x->valuelen = 0;
	x->state = x->left == 1 ? PAX_NL : PAX_VALUE;
	switch (x->kind = pax_kind(x->key)) {
	case KIND_PATH:
		if (pax_once(f, FRAME_HAS_PATH) == -1)
			return -1;
		f->pathlen = 0;
		return 0;
	case KIND_LINK:
		if (pax_once(f, FRAME_HAS_LINK) == -1)
			return -1;
		f->linklen = 0;
		return 0;
	case KIND_SIZE:
		return pax_once(f, FRAME_HAS_SIZE);
	case KIND_SPARSE:
		if (x->global)
			return refuse(f, UPD_EENTRY, "sparse file");
		f->have |= FRAME_HAS_SPARSE;
		return 0;
	default:
		return 0;
	}
}

/* Bytes of the value: the newline behind it is not among them. */
static int
pax_value(struct frame *f, const uint8_t *p, size_t n)
{
	struct frame_pax	*x = &f->pax;

	switch (x->kind) {
	case KIND_PATH:
		name_add(f->m.path, &f->pathlen, p, n);
		break;
	case KIND_LINK:
		name_add(f->m.link, &f->linklen, p, n);
		break;
	case KIND_SIZE:
	case KIND_CHARSET:
		if (n >= sizeof(x->value) - x->valuelen)
			return refuse(f, UPD_EFORMAT, "bad pax value of %s",
			    x->key);
		memcpy(x->value + x->valuelen, p, n);
		x->valuelen += n;
		return 0;
	default:
		return 0;
	}
	if (memchr(p, '\0', n) != NULL)
		return refuse(f, UPD_EENTRY, "NUL inside a name");
	return 0;
}

/* The record is complete. */
static int
pax_record(struct frame *f)
{
	struct frame_pax	*x = &f->pax;
	size_t			 i;

	x->value[x->valuelen] = '\0';
	x->state = PAX_LEN;
	x->len = 0;
	x->digits = 0;
	switch (x->kind) {
	case KIND_PATH:
		if (f->pathlen == 0)
			return refuse(f, UPD_EENTRY, "empty name");
		return 0;
	case KIND_LINK:
		if (f->linklen == 0)
			return refuse(f, UPD_EENTRY, "empty link target");
		return 0;
	case KIND_CHARSET:
		if (strcmp(x->value, "BINARY") == 0 ||
		    strcmp(x->value, "ISO-IR 10646 2000 UTF-8") == 0)
			return 0;
		return refuse(f, UPD_EENTRY, "names in another character set");
	case KIND_SIZE:
		f->paxsize = 0;
		for (i = 0; i < x->valuelen; i++) {
			if (x->value[i] < '0' || x->value[i] > '9' ||
			    f->paxsize > FRAME_SIZE_MAX / 10)
				break;
			f->paxsize = f->paxsize * 10 +
			    (uint64_t)(x->value[i] - '0');
		}
		if (i < x->valuelen || x->valuelen == 0)
			return refuse(f, UPD_EFORMAT, "bad pax value of size");
		return 0;
	default:
		return 0;
	}
}

/* One byte of "LENGTH SP": the length counts itself. */
static int
pax_length(struct frame *f, uint8_t c, uint64_t body)
{
	struct frame_pax	*x = &f->pax;

	if (c >= '0' && c <= '9' && x->digits < 8) {
		x->len = x->len * 10 + (uint64_t)(c - '0');
		x->digits++;
		return 0;
	}
	if (c != ' ' || x->digits == 0 || x->len < x->digits + 1 ||
	    x->len - x->digits - 1 > body)
		return refuse(f, UPD_EFORMAT, "bad length of a pax record");
	x->left = x->len - x->digits - 1;
	x->keylen = 0;
	x->state = PAX_KEY;
	return 0;
}

/* A piece of an x or g body; `body` more bytes of it follow this piece. */
static int
pax_feed(struct frame *f, const uint8_t *p, size_t n, uint64_t body)
{
	struct frame_pax	*x = &f->pax;
	size_t			 m;

	for (; n > 0; p += m, n -= m) {
		m = 1;
		switch (x->state) {
		case PAX_LEN:
			if (pax_length(f, *p, body + n - 1) == -1)
				return -1;
			continue;
		case PAX_KEY:
			if (x->left == 0)
				return refuse(f, UPD_EFORMAT,
				    "pax record without a value");
			x->left--;
			if (*p == '=') {
				if (pax_key(f) == -1)
					return -1;
				continue;
			}
			if (x->keylen < sizeof(x->key))
				x->key[x->keylen] = (char)*p;
			x->keylen++;
			continue;
		case PAX_VALUE:
			m = x->left - 1 < n ? (size_t)(x->left - 1) : n;
			if (pax_value(f, p, m) == -1)
				return -1;
			x->left -= m;
			if (x->left == 1)
				x->state = PAX_NL;
			continue;
		case PAX_NL:
			if (*p != '\n')
				return refuse(f, UPD_EFORMAT,
				    "pax record without a newline");
			if (pax_record(f) == -1)
				return -1;
		}
	}
	if (body == 0 && (x->state != PAX_LEN || x->digits != 0))
		return refuse(f, UPD_EFORMAT, "pax record cut short");
	return 0;
}

/* A piece of an L or K body: one name, NULs behind it. */
static int
long_feed(struct frame *f, const uint8_t *p, size_t n)
{
	const uint8_t	*nul;
	size_t		 m = n;

	if ((nul = memchr(p, '\0', n)) != NULL)
		m = (size_t)(nul - p);
	if (f->pax.state == PAX_LEN)		/* no NUL so far */
		name_add(f->longname, f->longlen, p, m);
	else
		m = 0;
	if (nul != NULL)
		f->pax.state = PAX_NL;
	for (; m < n; m++)
		if (p[m] != '\0')
			return refuse(f, UPD_EENTRY, "NUL inside a name");
	return 0;
}

/* --- headers -------------------------------------------------------- */

/* Begin an x, g, L or K header. */
static int
ext_begin(struct frame *f, char type, uint64_t size)
{
	if (size == 0 || size > FRAME_EXT_MAX)
		return refuse(f, UPD_EENTRY, size == 0 ?
		    "empty extension header" :
		    "extension header over 1 MiB");
	switch (type) {
	case 'g':
		if (++f->global > FRAME_GLOBALS)
			return refuse(f, UPD_EFORMAT,
			    "too many global pax headers");
		if (f->have != 0)
			return refuse(f, UPD_EFORMAT, "global pax header "
			    "between an entry's headers");
		break;
	case 'x':
		if (f->have & (FRAME_HAS_X | FRAME_HAS_L | FRAME_HAS_K))
			return refuse(f, UPD_EFORMAT,
			    "several extension headers for one entry");
		f->have |= FRAME_HAS_X;
		break;
	default:
		if (f->have & (FRAME_HAS_X |
		    (type == 'L' ? FRAME_HAS_L : FRAME_HAS_K)))
			return refuse(f, UPD_EFORMAT,
			    "several extension headers for one entry");
		f->have |= type == 'L' ? FRAME_HAS_L : FRAME_HAS_K;
		f->longname = type == 'L' ? f->m.path : f->m.link;
		f->longlen = type == 'L' ? &f->pathlen : &f->linklen;
		*f->longlen = 0;
		f->longname[0] = '\0';
	}
	memset(&f->pax, 0, sizeof(f->pax));
	f->pax.global = type == 'g';
	f->state = type == 'x' || type == 'g' ? FRAME_PAX : FRAME_LONG;
	f->left = size;
	return 0;
}

/* Names of the header block itself, where no extension brought them. */
static void
header_names(struct frame *f, const uint8_t *h)
{
	struct frame_member	*m = &f->m;

	if (!(f->have & (FRAME_HAS_PATH | FRAME_HAS_L))) {
		f->pathlen = 0;
		m->path[0] = '\0';
		/* GNU keeps other things where the prefix is */
		if (h[H_MAGIC + 5] == '\0' && h[H_PREFIX] != '\0') {
			name_field(m->path, &f->pathlen, h + H_PREFIX,
			    H_PREFIX_LEN);
			if (m->path[f->pathlen - 1] != '/')
				name_add(m->path, &f->pathlen,
				    (const uint8_t *)"/", 1);
		}
		name_field(m->path, &f->pathlen, h + H_NAME, H_NAME_LEN);
	}
	if (!(f->have & (FRAME_HAS_LINK | FRAME_HAS_K))) {
		f->linklen = 0;
		m->link[0] = '\0';
		name_field(m->link, &f->linklen, h + H_LINK, H_LINK_LEN);
	}
}

/* An entry's own header. */
static int
member_begin(struct frame *f, const uint8_t *h, uint64_t size)
{
	struct frame_member	*m = &f->m;
	uint64_t		 mode;

	header_names(f, h);
	memcpy(f->name, m->path, sizeof(f->name));
	m->type = (char)h[H_TYPE];
	m->size = f->have & FRAME_HAS_SIZE ? f->paxsize : size;
	if (number(h + H_MODE, H_MODE_LEN, &mode) == -1)
		return refuse(f, UPD_EFORMAT, "bad mode in the header");
	m->mode = (uint32_t)(mode & 07777);
	if (f->have & FRAME_HAS_SPARSE)
		return refuse(f, UPD_EENTRY, "sparse file");
	switch (entry_type(m->type, f->text)) {
	case ENTRY_REFUSED:
		f->error = UPD_EENTRY;
		return -1;
	case ENTRY_FILE:
		break;
	case ENTRY_HARDLINK:
		if (m->size != 0)
			return refuse(f, UPD_EENTRY, "hard link with contents "
			    "of its own");
		break;
	default:
		if (m->size != 0)
			return refuse(f, UPD_EENTRY,
			    "contents on an entry that is no file");
	}
	f->state = m->size > 0 ? FRAME_BODY : FRAME_HEADER;
	f->left = m->size;
	f->have = 0;
	f->global = 0;
	return 0;
}

static int
header(struct frame *f, const uint8_t *h, int *member)
{
	uint64_t	 size;
	size_t		 len = 0;

	if (memcmp(h, zeros, FRAME_BLOCK) == 0) {
		if (f->have != 0)
			return refuse(f, UPD_EFORMAT,
			    "an entry's header is missing");
		f->state = FRAME_ZERO;
		return 0;
	}
	if (memcmp(h + H_MAGIC, "ustar\0", 6) != 0 &&
	    memcmp(h + H_MAGIC, "ustar  \0", 8) != 0)
		return refuse(f, UPD_EFORMAT,
		    "not a tar archive (ustar, pax or GNU)");
	if (!sum_isgood(h))
		return refuse(f, UPD_EFORMAT, "wrong header checksum");
	f->name[0] = '\0';
	name_field(f->name, &len, h + H_NAME, H_NAME_LEN);
	if (number(h + H_SIZE, H_SIZE_LEN, &size) == -1 ||
	    size > FRAME_SIZE_MAX)
		return refuse(f, UPD_EFORMAT, "bad size in the header");
	switch (h[H_TYPE]) {
	case 'x':
	case 'g':
	case 'L':
	case 'K':
		return ext_begin(f, (char)h[H_TYPE], size);
	default:
		*member = 1;
		return member_begin(f, h, size);
	}
}

/* One block of a body. */
static int
body(struct frame *f, const uint8_t *p)
{
	size_t	 n;
	int	 r = 0;

	n = f->left < FRAME_BLOCK ? (size_t)f->left : FRAME_BLOCK;
	f->left -= n;
	if (f->state == FRAME_PAX)
		r = pax_feed(f, p, n, f->left);
	else if (f->state == FRAME_LONG)
		r = long_feed(f, p, n);
	if (f->left == 0)
		f->state = FRAME_HEADER;
	return r;
}

ssize_t
frame_feed(struct frame *f, const uint8_t *p, size_t n, int *member)
{
	size_t		 used = 0;
	uint64_t	 skip;
	int		 r = 0;

	*member = 0;
	while (used < n && !*member) {
		switch (f->state) {
		case FRAME_HEADER:
			r = header(f, p + used, member);
			break;
		case FRAME_BODY:	/* all blocks of it at once */
			skip = (f->left + FRAME_BLOCK - 1) / FRAME_BLOCK *
			    FRAME_BLOCK;
			if (skip > n - used) {
				f->left -= n - used;
				return (ssize_t)n;
			}
			used += (size_t)skip;
			f->left = 0;
			f->state = FRAME_HEADER;
			continue;
		case FRAME_PAX:
		case FRAME_LONG:
			r = body(f, p + used);
			break;
		case FRAME_ZERO:
			if (memcmp(p + used, zeros, FRAME_BLOCK) != 0)
				r = refuse(f, UPD_EFORMAT,
				    "only one zero block at the end");
			f->state = FRAME_END;
			break;
		case FRAME_END:
			if (memcmp(p + used, zeros, FRAME_BLOCK) != 0)
				r = refuse(f, UPD_ETRAILING,
				    "bytes after the end of the archive");
			break;
		}
		if (r == -1)
			return -1;
		used += FRAME_BLOCK;
	}
	return (ssize_t)used;
}

int
frame_finish(struct frame *f, const uint8_t *p, size_t n)
{
	if (f->state == FRAME_END) {
		if (n == 0 || memcmp(p, zeros, n) == 0)
			return 0;
		return refuse(f, UPD_ETRAILING,
		    "bytes after the end of the archive");
	}
	if (f->state == FRAME_BODY || n > 0)
		return refuse(f, UPD_ECUT, "archive is cut short");
	return refuse(f, UPD_ECUT, "the archive's end is missing "
	    "(two zero blocks)");
}
