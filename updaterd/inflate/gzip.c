/*
 * A gzip member's header and trailer, strictly: no flag that RFC 1952
 * reserves, every field within its limit, the header's CRC checked where
 * there is one, and at the end both the CRC-32 and the size.
 *
 * The parts come in a fixed order and each is left out unless its flag is
 * set: next_part() is that order.  The header CRC covers all bytes before
 * it.
 */
#include <string.h>

#include "gzip.h"

#define GZ_FIXED_LEN	10	/* bytes */
#define GZ_CM_DEFLATE	8
#define GZ_FHCRC	0x02
#define GZ_FEXTRA	0x04
#define GZ_FNAME	0x08
#define GZ_FCOMMENT	0x10
#define GZ_RESERVED	0xe0

void
gzip_head_init(struct gzip_head *h, gzip_crc crcfn)
{
	memset(h, 0, sizeof(*h));
	h->part = GZIP_FIXED;
	h->crcfn = crcfn;
}

static void
next_part(struct gzip_head *h)
{
	h->n = 0;
	switch (h->part) {
	case GZIP_FIXED:
		if (h->flags & GZ_FEXTRA) {
			h->part = GZIP_EXTRALEN;
			return;
		}
		/* FALLTHROUGH */
	case GZIP_EXTRALEN:
	case GZIP_EXTRA:
		if (h->part == GZIP_EXTRALEN && h->want > 0) {
			h->part = GZIP_EXTRA;
			return;
		}
		if (h->flags & GZ_FNAME) {
			h->part = GZIP_NAME;
			return;
		}
		/* FALLTHROUGH */
	case GZIP_NAME:
		if (h->flags & GZ_FCOMMENT) {
			h->part = GZIP_COMMENT;
			return;
		}
		/* FALLTHROUGH */
	case GZIP_COMMENT:
		if (h->flags & GZ_FHCRC) {
			h->part = GZIP_HCRC;
			return;
		}
		/* FALLTHROUGH */
	case GZIP_HCRC:
	case GZIP_BODY:
		h->part = GZIP_BODY;
	}
}

/* Collect up to `want` bytes into h->buf; how many were taken. */
static size_t
collect(struct gzip_head *h, const uint8_t *p, size_t len, size_t want)
{
	size_t	 n;

	n = want - h->n < len ? want - h->n : len;
	memcpy(h->buf + h->n, p, n);
	h->n += n;
	return n;
}

static const char *
check_fixed(struct gzip_head *h)
{
	if (h->buf[0] != 0x1f || h->buf[1] != 0x8b)
		return "not a gzip stream";
	if (h->buf[2] != GZ_CM_DEFLATE)
		return "unknown gzip compression method";
	if (h->buf[3] & GZ_RESERVED)
		return "reserved gzip flag set";
	h->flags = h->buf[3];
	return NULL;
}

/* A NUL-terminated field: *n bytes of it are taken.  1 at its end, 0 for
 * more, -1 too long. */
static int
skip_string(struct gzip_head *h, const uint8_t *p, size_t len, size_t max,
    size_t *n)
{
	const uint8_t	*nul;

	nul = memchr(p, '\0', len);
	*n = nul == NULL ? len : (size_t)(nul - p) + 1;
	h->n += *n;
	if (h->n > max)
		return -1;
	return nul != NULL;
}

/* One part's bytes.  1 the part is complete, 0 for more, -1 with *why. */
static int
feed_part(struct gzip_head *h, const uint8_t *p, size_t len, size_t *n,
    const char **why)
{
	int	 r = 0;

	switch (h->part) {
	case GZIP_FIXED:
		*n = collect(h, p, len, GZ_FIXED_LEN);
		if (h->n < GZ_FIXED_LEN)
			return 0;
		return (*why = check_fixed(h)) != NULL ? -1 : 1;
	case GZIP_EXTRALEN:
		*n = collect(h, p, len, 2);
		h->want = (size_t)(h->buf[0] | h->buf[1] << 8);
		return h->n == 2;
	case GZIP_EXTRA:
		*n = h->want - h->n < len ? h->want - h->n : len;
		h->n += *n;
		return h->n == h->want;
	case GZIP_NAME:
		r = skip_string(h, p, len, GZIP_NAME_MAX, n);
		*why = "gzip file name too long";
		return r;
	case GZIP_COMMENT:
		r = skip_string(h, p, len, GZIP_COMMENT_MAX, n);
		*why = "gzip comment too long";
		return r;
	case GZIP_HCRC:
		*n = collect(h, p, len, 2);
		if (h->n < 2)
			return 0;
		*why = "wrong gzip header checksum";
		return (uint32_t)(h->buf[0] | h->buf[1] << 8) ==
		    (h->crc & 0xffff) ? 1 : -1;
	case GZIP_BODY:
		break;
	}
	*n = 0;
	return 1;
}

enum gzip_verdict
gzip_head_feed(struct gzip_head *h, const uint8_t *p, size_t len,
    size_t *used, const char **why)
{
	size_t	 n;
	int	 r;

	for (*used = 0; h->part != GZIP_BODY && *used < len; *used += n) {
		r = feed_part(h, p + *used, len - *used, &n, why);
		if (r == -1)
			return GZIP_BAD;
		if (h->part != GZIP_HCRC)
			h->crc = h->crcfn(h->crc, p + *used, n);
		if (r == 1)
			next_part(h);
	}
	return h->part == GZIP_BODY ? GZIP_DONE : GZIP_MORE;
}

static uint32_t
le32(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
	    (uint32_t)p[3] << 24;
}

enum gzip_verdict
gzip_tail_feed(struct gzip_tail *t, const uint8_t *p, size_t len, size_t *used,
    uint32_t crc, uint64_t size, const char **why)
{
	*used = GZIP_TRAILER - t->n < len ? GZIP_TRAILER - t->n : len;
	if (*used > 0)
		memcpy(t->buf + t->n, p, *used);
	t->n += *used;
	if (t->n < GZIP_TRAILER)
		return GZIP_MORE;
	if (le32(t->buf) != crc) {
		*why = "wrong gzip checksum (CRC-32)";
		return GZIP_BAD;
	}
	if (le32(t->buf + 4) != (uint32_t)size) {	/* modulo 2^32 */
		*why = "wrong gzip size";
		return GZIP_BAD;
	}
	return GZIP_DONE;
}
