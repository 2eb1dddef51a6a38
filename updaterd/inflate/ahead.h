/*
 * The input of a signed archive, behind its head: read and verified block by
 * block in a thread of its own, a little ahead of the decompressor, so that
 * the hashes cost no time of their own where there is a second core.
 *
 * The two threads share one queue of blocks.  A block is the thread's until
 * it was found good, then the caller's until the next call: nobody can read
 * one that is not verified, or change one that is.
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
	AHEAD_EDIGEST		/* cannot hash */
};

/* NULL with errno.  The signature stays the caller's; it is the thread's
 * between ahead_start() and a verdict that ends. */
struct ahead	*ahead_new(struct signify *);
/*
 * Make the thread, which waits: for the moment when a process that locks
 * itself in may have a second one still, but no further ones later.
 * 0, or -1 with errno: then, and without this call, ahead_next() does the
 * work itself.
 */
int		 ahead_thread(struct ahead *);
/* Let it read this descriptor to its end, behind bytes that were already
 * read (copied; at most AHEAD_REST_MAX).  What it reads goes into the digest
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
/* Stops the thread: waits for a read(2) that it is in. */
void		 ahead_free(struct ahead *);

#endif
