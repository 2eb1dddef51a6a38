/* A key pair to sign releases with, in signify's format. */
#ifndef UPD_KEYPAIR_H
#define UPD_KEYPAIR_H

#include "relkey.h"

#define KEYPAIR_PUBLIC	"release.pub"
#define KEYPAIR_SECRET	"release.sec"

#define SEED_LEN	32
#define SUM_LEN		8

/* What the base64 of a secret key file holds, as it lies: no padding. */
struct keypair_secret {
	uint8_t	 pkalg[RELKEY_ALG_LEN];	/* "Ed" */
	uint8_t	 kdfalg[2];		/* "BK": bcrypt_pbkdf */
	uint8_t	 rounds[4];		/* big endian; 0: no passphrase */
	uint8_t	 salt[16];
	uint8_t	 checksum[SUM_LEN];	/* of key, in the clear */
	uint8_t	 num[RELKEY_NUM_LEN];
	uint8_t	 key[SEED_LEN + RELKEY_PUBLIC_LEN];
};
_Static_assert(sizeof(struct keypair_secret) == 104, "keypair_secret");

struct master;
/* Write both files, over any of that name.  0, or -1 (said). */
int	 keypair_make(const struct master *);
/* The first bytes of the SHA-512 of a secret key. */
void	 keypair_sum(const uint8_t *, uint8_t *);

#endif
