/*
 * Strict reading of a tar archive's frame: ustar, pax and GNU headers.
 *
 * What libarchive lets pass or does not tell, and this reader refuses:
 *  - an end that is missing or only one zero block, anything but zeros
 *    behind it;
 *  - header checksums by signed addition, sizes that are negative or not
 *    clean octal, a body on an entry that cannot have one;
 *  - sparse files, a NUL inside a name; pax records as in pax.c;
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
#define FRAME_GLOBALS	16		/* g headers in a row */

#define FRAME_HAS_X	0x01		/* extension headers of this entry */
#define FRAME_HAS_L	0x02
#define FRAME_HAS_K	0x04

static const uint8_t	zeros[FRAME_BLOCK];

void
frame_init(struct frame *f)
{
	memset(f, 0, sizeof(*f));
	f->state = FRAME_HEADER;
}

/* 1 if an extension has brought the name of this entry. */
static int
has_path(const struct frame *f)
{
	return f->have & FRAME_HAS_L || f->pax.have & PAX_HAS_PATH;
}

static int
has_link(const struct frame *f)
{
	return f->have & FRAME_HAS_K || f->pax.have & PAX_HAS_LINK;
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
	if (has_path(f) && f->m.path.len > 0)
		f->name = f->m.path;
	return -1;
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
			if (*v > TAR_SIZE_MAX >> 8)
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

/* A piece of an L or K body: one name, NULs behind it. */
static int
long_feed(struct frame *f, const uint8_t *p, size_t n)
{
	const uint8_t	*nul;
	size_t		 m = n;

	if ((nul = memchr(p, '\0', n)) != NULL)
		m = (size_t)(nul - p);
	if (!f->longended)
		tarname_add(f->longname, p, m);
	else
		m = 0;
	if (nul != NULL)
		f->longended = 1;
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
		f->longname = type == 'L' ? &f->m.path : &f->m.link;
		f->longended = 0;
		tarname_clear(f->longname);
	}
	pax_begin(&f->pax, type == 'g', &f->m.path, &f->m.link);
	f->state = type == 'x' || type == 'g' ? FRAME_PAX : FRAME_LONG;
	f->left = size;
	return 0;
}

/* Names of the header block itself, where no extension brought them. */
static void
header_names(struct frame *f, const uint8_t *h)
{
	struct frame_member	*m = &f->m;

	if (!has_path(f)) {
		tarname_clear(&m->path);
		/* GNU keeps other things where the prefix is */
		if (h[H_MAGIC + 5] == '\0' && h[H_PREFIX] != '\0') {
			tarname_field(&m->path, h + H_PREFIX, H_PREFIX_LEN);
			if (m->path.s[m->path.len - 1] != '/')
				tarname_add(&m->path, "/", 1);
		}
		tarname_field(&m->path, h + H_NAME, H_NAME_LEN);
	}
	if (!has_link(f)) {
		tarname_clear(&m->link);
		tarname_field(&m->link, h + H_LINK, H_LINK_LEN);
	}
}

/* An entry's own header. */
static int
member_begin(struct frame *f, const uint8_t *h, uint64_t size)
{
	struct frame_member	*m = &f->m;
	uint64_t		 mode;

	header_names(f, h);
	f->name = m->path;
	m->type = (char)h[H_TYPE];
	m->size = f->pax.have & PAX_HAS_SIZE ? f->pax.size : size;
	if (number(h + H_MODE, H_MODE_LEN, &mode) == -1)
		return refuse(f, UPD_EFORMAT, "bad mode in the header");
	m->mode = (uint32_t)(mode & 07777);
	if (f->pax.have & PAX_HAS_SPARSE)
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
	f->pax.have = 0;
	f->global = 0;
	return 0;
}

static int
header(struct frame *f, const uint8_t *h, int *member)
{
	uint64_t	 size;

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
	tarname_clear(&f->name);
	tarname_field(&f->name, h + H_NAME, H_NAME_LEN);
	if (number(h + H_SIZE, H_SIZE_LEN, &size) == -1 ||
	    size > TAR_SIZE_MAX)
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
	if (f->state == FRAME_PAX) {
		if (pax_feed(&f->pax, p, n, f->left) == -1)
			return refuse(f, f->pax.error, "%s", f->pax.text);
	} else if (f->state == FRAME_LONG)
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
