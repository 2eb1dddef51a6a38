/*
 * The input of a signed archive, behind its head, read a little ahead of the
 * decompressor.  A thread of its own hashes the blocks meanwhile, so that
 * they cost little time where another processor is free.
 *
 * The caller gets a block after its hash was found to be the one that was
 * signed in its place, and nobody writes to it until the next call.
 */
#ifndef UPD_AHEAD_H
#define UPD_AHEAD_H

#include <sys/types.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/evp.h>

#include "signify.h"

struct ahead;

enum ahead_verdict {
	AHEAD_MOVED,		/* bytes were read; no block yet */
	AHEAD_BLOCK,		/* the next block */
	AHEAD_END,		/* every block has been there */
	AHEAD_BAD,		/* signify_why() says what is wrong */
	AHEAD_EREAD,		/* cannot read; errno */
	AHEAD_EDIGEST		/* cannot hash: libcrypto failed */
};

/* NULL with ENOMEM.  Call it before the sandbox, see signify.h.  The
 * signature stays the caller's, and is used by ahead_next() alone. */
struct ahead	*ahead_new(struct signify *);
/*
 * Make the thread, which waits: for the moment when a process that locks
 * itself in may have a second one still, but no further ones later.
 * 0, or -1 with errno: then, and without this call, ahead_next() does the
 * work itself.
 */
int		 ahead_thread(struct ahead *);
/* Read this descriptor to its end from now on, behind bytes that were already
 * read (copied; at most AHEAD_REST_MAX).  What is read goes into the digest
 * (or NULL), too. */
#define AHEAD_REST_MAX	(256 * 1024)
void		 ahead_start(struct ahead *, int, EVP_MD_CTX *,
		    const uint8_t *, size_t);
/*
 * Wait for more.  A block is of 1 to SIGNED_BLOCK bytes and good until the
 * next call; *in becomes the count of bytes that were read since the start.
 * What ended says so again.
 */
enum ahead_verdict ahead_next(struct ahead *, const uint8_t **, size_t *,
		    uint64_t *in);
void		 ahead_free(struct ahead *);

#endif
