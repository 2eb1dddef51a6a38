/*
 * Deflate by zlib, for systems without ISA-L.
 */
#include <limits.h>
#include <stdlib.h>

#include <zlib.h>

#include "deflate.h"

struct deflate {
	z_stream	 z;
};

struct deflate *
deflate_new(void)
{
	struct deflate	*d;

	if ((d = calloc(1, sizeof(*d))) == NULL)
		return NULL;
	if (inflateInit2(&d->z, -MAX_WBITS) != Z_OK) {
		free(d);
		return NULL;
	}
	return d;
}

void
deflate_free(struct deflate *d)
{
	if (d == NULL)
		return;
	inflateEnd(&d->z);
	free(d);
}

enum deflate_verdict
deflate_run(struct deflate *d, const uint8_t *in, size_t *inlen, uint8_t *out,
    size_t *outlen)
{
	uInt	 nin, nout;
	int	 r;

	nin = *inlen > INT_MAX ? INT_MAX : (uInt)*inlen;
	nout = *outlen > INT_MAX ? INT_MAX : (uInt)*outlen;
	d->z.next_in = (Bytef *)(uintptr_t)in;	/* not written to */
	d->z.avail_in = nin;
	d->z.next_out = out;
	d->z.avail_out = nout;
	r = inflate(&d->z, Z_NO_FLUSH);
	*inlen = nin - d->z.avail_in;
	*outlen = nout - d->z.avail_out;
	switch (r) {
	case Z_OK:
	case Z_BUF_ERROR:	/* nothing to do: no input, or no room */
		return DEFLATE_MORE;
	case Z_STREAM_END:
		return DEFLATE_END;
	default:
		return DEFLATE_BAD;
	}
}

size_t
deflate_rest(struct deflate *d, uint8_t *p)
{
	return 0;	/* zlib consumes nothing behind the end */
}

uint32_t
deflate_crc32(uint32_t crc, const uint8_t *p, size_t len)
{
	return (uint32_t)crc32_z(crc, p, len);
}
