/*
 * One zstd frame, decompressed piece by piece.
 */
#ifndef UPD_UNZSTD_H
#define UPD_UNZSTD_H

#include <stddef.h>
#include <stdint.h>

#include "error.h"

#define ZSTD_WINDOW_LOG	23		/* 8 MiB: DESIGN 4 */

struct zstd;

/* A decompressor, or NULL with ENOMEM; the caller frees it. */
struct zstd	*zstd_new(void);
void		 zstd_free(struct zstd *);
/*
 * Take input (*inlen bytes), put output at out (room *outlen); both become
 * what was consumed and produced.  *end is 1 once the frame is complete and
 * its checksum good.  UPD_OK, or UPD_ECOMPRESS, UPD_ELIMIT (window) or
 * UPD_EIO (memory) with *why.  If output was filled, call again even without
 * input.
 */
enum upd_error	 zstd_run(struct zstd *, const uint8_t *, size_t *, uint8_t *,
		    size_t *, int *, const char **);

#endif
