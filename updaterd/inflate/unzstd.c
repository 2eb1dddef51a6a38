/*
 * One zstd frame: the window is bounded, a dictionary is not to be had, and
 * the checksum, where the frame has one, is libzstd's to check.  The caller
 * looks at the magic number, so that skippable and old frames never get
 * here, and refuses whatever follows the first frame.
 */
#include <stdlib.h>

#include <zstd.h>
#include <zstd_errors.h>

#include "unzstd.h"

struct zstd {
	ZSTD_DCtx	*ctx;
};

struct zstd *
zstd_new(void)
{
	struct zstd	*z;

	if ((z = calloc(1, sizeof(*z))) == NULL)
		return NULL;
	if ((z->ctx = ZSTD_createDCtx()) == NULL ||
	    ZSTD_isError(ZSTD_DCtx_setParameter(z->ctx,
	    ZSTD_d_windowLogMax, ZSTD_WINDOW_LOG))) {
		zstd_free(z);
		return NULL;
	}
	return z;
}

void
zstd_free(struct zstd *z)
{
	if (z == NULL)
		return;
	ZSTD_freeDCtx(z->ctx);
	free(z);
}

static enum upd_error
zstd_error(size_t r, const char **why)
{
	switch (ZSTD_getErrorCode(r)) {
	case ZSTD_error_frameParameter_windowTooLarge:
		*why = "zstd window over 8 MiB: compress without --long "
		    "and --ultra";
		return UPD_ELIMIT;
	case ZSTD_error_dictionary_wrong:
		*why = "zstd frame needs a dictionary";
		return UPD_ECOMPRESS;
	case ZSTD_error_checksum_wrong:
		*why = "wrong zstd checksum";
		return UPD_ECOMPRESS;
	case ZSTD_error_memory_allocation:
		*why = "out of memory";
		return UPD_EIO;
	default:
		*why = "damaged zstd stream";
		return UPD_ECOMPRESS;
	}
}

enum upd_error
zstd_run(struct zstd *z, const uint8_t *in, size_t *inlen, uint8_t *out,
    size_t *outlen, int *end, const char **why)
{
	ZSTD_inBuffer	 ib = { in, *inlen, 0 };
	ZSTD_outBuffer	 ob = { out, *outlen, 0 };
	size_t		 r;

	r = ZSTD_decompressStream(z->ctx, &ob, &ib);
	*inlen = ib.pos;
	*outlen = ob.pos;
	*end = r == 0;
	return ZSTD_isError(r) ? zstd_error(r, why) : UPD_OK;
}
