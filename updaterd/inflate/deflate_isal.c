/*
 * Deflate by Intel's ISA-L: about twice zlib's speed on x86 and aarch64.
 *
 * Trap: ISA-L reads ahead into a 64-bit word.  At the end of the stream
 * whole bytes in it belong to what follows, and they may come from a piece
 * of input that the caller has already thrown away: deflate_rest() hands
 * them back by value.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>

#include <isa-l/crc.h>
#include <isa-l/igzip_lib.h>

#include "deflate.h"

struct deflate {
	struct inflate_state	 st;
};

struct deflate *
deflate_new(void)
{
	struct deflate	*d;

	if ((d = calloc(1, sizeof(*d))) == NULL)
		return NULL;
	isal_inflate_init(&d->st);
	d->st.crc_flag = ISAL_DEFLATE;
	return d;
}

void
deflate_free(struct deflate *d)
{
	free(d);
}

enum deflate_verdict
deflate_run(struct deflate *d, const uint8_t *in, size_t *inlen, uint8_t *out,
    size_t *outlen)
{
	struct inflate_state	*st = &d->st;
	uint32_t		 nin, nout;
	int			 r;

	nin = *inlen > INT_MAX ? INT_MAX : (uint32_t)*inlen;
	nout = *outlen > INT_MAX ? INT_MAX : (uint32_t)*outlen;
	st->next_in = (uint8_t *)(uintptr_t)in;	/* not written to */
	st->avail_in = nin;
	st->next_out = out;
	st->avail_out = nout;
	r = isal_inflate(st);
	*inlen = nin - st->avail_in;
	*outlen = nout - st->avail_out;
	if (r < 0 || r == ISAL_NEED_DICT)
		return DEFLATE_BAD;
	if (st->block_state == ISAL_BLOCK_FINISH)
		return DEFLATE_END;
	return DEFLATE_MORE;
}

size_t
deflate_rest(struct deflate *d, uint8_t *p)
{
	struct inflate_state	*st = &d->st;
	uint64_t		 bits;
	size_t			 i, n;

	if (st->read_in_length < CHAR_BIT)
		return 0;
	bits = st->read_in >> (st->read_in_length % CHAR_BIT);
	n = (size_t)st->read_in_length / CHAR_BIT;
	if (n > DEFLATE_REST_MAX)
		n = DEFLATE_REST_MAX;
	for (i = 0; i < n; i++, bits >>= CHAR_BIT)
		p[i] = (uint8_t)bits;
	st->read_in_length = 0;
	return n;
}

uint32_t
deflate_crc32(uint32_t crc, const uint8_t *p, size_t len)
{
	return crc32_gzip_refl(crc, p, len);
}
