/*
 * A signed gzip as signify(1) makes it (see relkey.h), verified as it comes
 * in pieces: first the head, which holds a hash of every block that
 * follows, then block by block.  Pure: bytes in, verdicts out.
 */
#ifndef UPD_SIGNIFY_H
#define UPD_SIGNIFY_H

#include <sys/types.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/evp.h>

#include "proto.h"
#include "relkey.h"

/* Bytes of a head at most: 32 GiB of archive. */
#define SIGNIFY_HEAD_MAX	(32U * 1024 * 1024)

enum signify_verdict {
	SIGNIFY_MORE,		/* wants more bytes */
	SIGNIFY_GOOD,		/* head, or block, is covered */
	SIGNIFY_BAD		/* signify_why() says what is wrong */
};

struct signify;

/*
 * All that libcrypto has to look for is looked for here: call it before the
 * sandbox.  The number bounds the archive, in bytes, and with it the head;
 * 0: not known.  NULL with ENOMEM.  The caller frees it.
 */
struct signify	*signify_new(uint64_t);
void		 signify_free(struct signify *);
/* One more key, of at most RELEASE_KEYS.  0, or -1: is none. */
int		 signify_addkey(struct signify *,
		    const struct msg_inflate_key *);
/* Take bytes of the head; *used says how many belong to it.  GOOD: the list
 * of blocks is signed by one of the keys. */
enum signify_verdict signify_head(struct signify *, const uint8_t *, size_t,
		    size_t *);
/*
 * To hash blocks with, in any order; one for each thread.  Call it before
 * the sandbox, as above.  NULL with ENOMEM; EVP_MD_CTX_free() it.
 */
EVP_MD_CTX	*signify_hasher(void);
/* The hash of a block.  0, or -1: libcrypto failed. */
int		 signify_hash(EVP_MD_CTX *, const uint8_t *, size_t,
		    uint8_t [SIGNED_HASH_LEN]);
/* The next block, by its hash: SIGNED_BLOCK bytes, or what is left before
 * the end of the input.  GOOD: these bytes were signed, in this place. */
enum signify_verdict signify_block(struct signify *,
		    const uint8_t [SIGNED_HASH_LEN], size_t);
/* The input has ended.  GOOD: every block has been there. */
enum signify_verdict signify_end(struct signify *);
const char	*signify_why(const struct signify *);
/* After the head: the number of the key, in the order they were added, and
 * when it was signed, in seconds since 1970. */
uint32_t	 signify_signer(const struct signify *);
int64_t		 signify_date(const struct signify *);

#endif
