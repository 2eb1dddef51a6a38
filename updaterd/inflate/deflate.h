/*
 * A raw deflate stream, decompressed piece by piece.  Two backends of the
 * same behaviour, ISA-L (fast) and zlib (everywhere): the Makefile's
 * DEFLATE chooses deflate_isal.c or deflate_zlib.c.
 */
#ifndef UPD_DEFLATE_H
#define UPD_DEFLATE_H

#include <stddef.h>
#include <stdint.h>

#define DEFLATE_REST_MAX	8	/* bytes a backend may have in hand */

enum deflate_verdict {
	DEFLATE_MORE,			/* wants input, or room for output */
	DEFLATE_END,			/* the stream is complete */
	DEFLATE_BAD			/* damaged */
};

struct deflate;

/* A decompressor, or NULL with ENOMEM; the caller frees it. */
struct deflate	*deflate_new(void);
void		 deflate_free(struct deflate *);
/*
 * Take input from in (*inlen bytes), put output at out (room *outlen).
 * *inlen and *outlen become the bytes consumed and produced.  If output
 * was filled, call again even without input: there may be more in hand.
 */
enum deflate_verdict deflate_run(struct deflate *, const uint8_t *, size_t *,
		    uint8_t *, size_t *);
/* After DEFLATE_END: bytes that were consumed but lie behind the stream,
 * in order, before what is left of the input.  Copies at most
 * DEFLATE_REST_MAX bytes, returns how many. */
size_t		 deflate_rest(struct deflate *, uint8_t *);
/* CRC-32 of gzip: from the CRC so far (0 at first) and more bytes. */
uint32_t	 deflate_crc32(uint32_t, const uint8_t *, size_t);

#endif
