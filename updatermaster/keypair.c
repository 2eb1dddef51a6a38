/*
 * A release key pair, Ed25519, as signify(1) keeps it on disk: a comment
 * line, then one line of base64.
 *
 *	release.pub	"Ed" keynum(8) public key(32)
 *	release.sec	"Ed" "BK" rounds(4) salt(16) checksum(8) keynum(8)
 *			secret key(64: seed and public key)
 *
 * rounds is 0: no passphrase.  The checksum is the first eight bytes of the
 * secret key's SHA-512.  The number only helps to find the key.
 */
#include <sys/types.h>

#include <err.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "master.h"
#include "keypair.h"
#include "util.h"

struct public {
	uint8_t	 pkalg[RELKEY_ALG_LEN];
	uint8_t	 num[RELKEY_NUM_LEN];
	uint8_t	 key[RELKEY_PUBLIC_LEN];
};
_Static_assert(sizeof(struct public) == 42, "struct public");

static int
write_key(const struct master *m, const char *name, const char *comment,
    const void *data, size_t len, mode_t mode)
{
	char		 b64[BASE64_SIZE(sizeof(struct keypair_secret))];
	struct buf	 b = { NULL, 0, 0 };
	int		 rv = -1;

	base64_encode(data, len, b64);
	if (buf_printf(&b, RELKEY_COMMENT "%s\n%s\n", comment, b64) == 0)
		rv = file_write(m->dirfd, name, b.data, b.len, mode);
	if (rv == -1)
		warn("%s/%s", m->dir, name);
	explicit_bzero(b64, sizeof(b64));
	if (b.data != NULL)
		explicit_bzero(b.data, b.cap);
	buf_free(&b);
	return rv;
}

void
keypair_sum(const uint8_t *key, uint8_t *sum)
{
	uint8_t	 md[SHA512_DIGEST_LENGTH];

	SHA512(key, SEED_LEN + RELKEY_PUBLIC_LEN, md);
	memcpy(sum, md, SUM_LEN);
	explicit_bzero(md, sizeof(md));
}

int
keypair_make(const struct master *m)
{
	struct keypair_secret sec;
	struct public	 pub;
	EVP_PKEY_CTX	*ctx;
	EVP_PKEY	*key = NULL;
	size_t		 seed = SEED_LEN, len = RELKEY_PUBLIC_LEN;
	int		 rv = -1;

	memset(&sec, 0, sizeof(sec));
	memset(&pub, 0, sizeof(pub));
	ctx = EVP_PKEY_CTX_new_id(EVP_PKEY_ED25519, NULL);
	if (ctx == NULL || EVP_PKEY_keygen_init(ctx) != 1 ||
	    EVP_PKEY_keygen(ctx, &key) != 1 ||
	    EVP_PKEY_get_raw_private_key(key, sec.key, &seed) != 1 ||
	    EVP_PKEY_get_raw_public_key(key, pub.key, &len) != 1 ||
	    RAND_bytes(pub.num, sizeof(pub.num)) != 1 ||
	    RAND_bytes(sec.salt, sizeof(sec.salt)) != 1) {
		warnx("cannot make a release key");
		goto done;
	}
	memcpy(pub.pkalg, RELKEY_ALG, sizeof(pub.pkalg));
	memcpy(sec.pkalg, RELKEY_ALG, sizeof(sec.pkalg));
	memcpy(sec.kdfalg, "BK", 2);
	memcpy(sec.num, pub.num, sizeof(sec.num));
	memcpy(sec.key + SEED_LEN, pub.key, RELKEY_PUBLIC_LEN);
	keypair_sum(sec.key, sec.checksum);
	/* The secret half last: with it the pair is complete. */
	if (write_key(m, KEYPAIR_PUBLIC, "updater release public key", &pub,
	    sizeof(pub), 0644) == 0)
		rv = write_key(m, KEYPAIR_SECRET, "updater release secret key",
		    &sec, sizeof(sec), 0600);
 done:
	explicit_bzero(&sec, sizeof(sec));
	EVP_PKEY_free(key);
	EVP_PKEY_CTX_free(ctx);
	return rv;
}
