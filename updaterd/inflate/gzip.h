/*
 * A gzip member's header and trailer (RFC 1952), read in pieces of any
 * size.  Pure: bytes in, verdicts out; the CRC function is the caller's.
 */
#ifndef UPD_GZIP_H
#define UPD_GZIP_H

#include <stddef.h>
#include <stdint.h>

/* Bytes of a name and of a comment.  signify(1) keeps its list of block
 * hashes in the comment: 65 bytes for each 64 KiB. */
#define GZIP_NAME_MAX		(64 * 1024)
#define GZIP_COMMENT_MAX	(16 * 1024 * 1024)
#define GZIP_TRAILER		8	/* bytes: CRC-32 and size */

enum gzip_verdict {
	GZIP_MORE,		/* wants more bytes */
	GZIP_DONE,		/* complete and good */
	GZIP_BAD		/* *why says what is wrong */
};

typedef uint32_t (*gzip_crc)(uint32_t, const uint8_t *, size_t);

enum gzip_part {
	GZIP_FIXED,
	GZIP_EXTRALEN,
	GZIP_EXTRA,
	GZIP_NAME,
	GZIP_COMMENT,
	GZIP_HCRC,
	GZIP_BODY
};

struct gzip_head {
	enum gzip_part	 part;
	gzip_crc	 crcfn;
	uint32_t	 crc;		/* of the header so far */
	uint8_t		 flags;
	uint8_t		 buf[10];	/* fixed part, lengths */
	size_t		 n;		/* bytes of this part so far */
	size_t		 want;		/* bytes of FEXTRA */
};

void	 gzip_head_init(struct gzip_head *, gzip_crc);
/* Take bytes; *used says how many belong to the header. */
enum gzip_verdict gzip_head_feed(struct gzip_head *, const uint8_t *, size_t,
	    size_t *, const char **);

struct gzip_tail {
	uint8_t		 buf[GZIP_TRAILER];
	size_t		 n;
};

/* Take bytes of the trailer; once complete compare with the CRC and the
 * count of what was decompressed.  Starts zeroed. */
enum gzip_verdict gzip_tail_feed(struct gzip_tail *, const uint8_t *, size_t,
	    size_t *, uint32_t, uint64_t, const char **);

#endif
