/*
 * bcrypt_pbkdf: PBKDF2's outside with bcrypt as its inside.  Each of its
 * hashes sets up Blowfish 129 times from the SHA-512 of passphrase and salt
 * and then encrypts a text 64 times; the hashes of all rounds are added
 * without carry, and the bytes of the key are dealt out over the blocks in
 * turn, so that no part of it can be had for less than the whole work.
 *
 * Blowfish begins with the fraction of pi in binary: 18 words, then four
 * tables of 256.  They are computed, by Machin's formula, rather than kept:
 * whoever doubts a digit need not compare a thousand numbers.
 */
#include <sys/types.h>

#include <openssl/bn.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>

#include "passkey.h"

#define ROUNDS		16		/* of Blowfish */
#define SUBKEYS		(ROUNDS + 2)
#define BOX		256
#define WORDS		(SUBKEYS + 4 * BOX)
#define GUARD		64		/* bits beyond those wanted */
#define HASH_LEN	32		/* bytes of one bcrypt hash */
#define HASH_WORDS	(HASH_LEN / 4)
#define SALT_MAX	64
#define KEY_MAX		1024

struct blowfish {
	uint32_t	 p[SUBKEYS];
	uint32_t	 s[4][BOX];
};

/* --- pi --------------------------------------------------------------- */

/* sum += or -= factor * 2^bits * atan(1 / x).  1, or 0. */
static int
add_atan(BIGNUM *sum, int factor, BN_ULONG x, int bits)
{
	BIGNUM	*power = BN_new(), *term = BN_new();
	BN_ULONG k = 1;
	int	 minus = factor < 0, ok = 0;

	if (power == NULL || term == NULL || !BN_set_word(power,
	    (BN_ULONG)abs(factor)) || !BN_lshift(power, power, bits) ||
	    BN_div_word(power, x) == (BN_ULONG)-1)
		goto done;
	for (; !BN_is_zero(power); k += 2, minus = !minus) {
		if (BN_copy(term, power) == NULL ||
		    BN_div_word(term, k) == (BN_ULONG)-1 ||
		    !(minus ? BN_sub : BN_add)(sum, sum, term) ||
		    BN_div_word(power, x * x) == (BN_ULONG)-1)
			goto done;
	}
	ok = 1;
 done:
	BN_free(power);
	BN_free(term);
	return ok;
}

/* pi = 16 atan(1/5) - 4 atan(1/239); what is behind the 3.  0, or -1. */
static int
first_state(struct blowfish *b)
{
	BIGNUM	*pi = BN_new();
	uint8_t	*bytes = NULL;
	uint32_t *word = NULL;
	int	 i, rv = -1;

	if (pi == NULL || !BN_set_word(pi, 0) ||
	    !add_atan(pi, 16, 5, 32 * WORDS + GUARD) ||
	    !add_atan(pi, -4, 239, 32 * WORDS + GUARD) ||
	    !BN_rshift(pi, pi, GUARD) || !BN_mask_bits(pi, 32 * WORDS) ||
	    (bytes = malloc(4 * WORDS)) == NULL ||
	    BN_bn2binpad(pi, bytes, 4 * WORDS) == -1)
		goto done;
	for (i = 0; i < WORDS; i++) {
		word = i < SUBKEYS ? &b->p[i] :
		    &b->s[(i - SUBKEYS) / BOX][(i - SUBKEYS) % BOX];
		*word = (uint32_t)bytes[4 * i] << 24 |
		    (uint32_t)bytes[4 * i + 1] << 16 |
		    (uint32_t)bytes[4 * i + 2] << 8 | bytes[4 * i + 3];
	}
	rv = 0;
 done:
	BN_free(pi);
	free(bytes);
	return rv;
}

/* --- Blowfish --------------------------------------------------------- */

static void
encipher(const struct blowfish *b, uint32_t *left, uint32_t *right)
{
	uint32_t	 l = *left, r = *right, t;
	int		 i;

	for (i = 0; i < ROUNDS; i++) {
		l ^= b->p[i];
		r ^= ((b->s[0][l >> 24] + b->s[1][l >> 16 & 0xff]) ^
		    b->s[2][l >> 8 & 0xff]) + b->s[3][l & 0xff];
		t = l;
		l = r;
		r = t;
	}
	*left = r ^ b->p[ROUNDS + 1];
	*right = l ^ b->p[ROUNDS];
}

/* The next four bytes of a text that goes round and round. */
static uint32_t
next_word(const uint8_t *p, size_t len, size_t *at)
{
	uint32_t	 w = 0;
	int		 i;

	for (i = 0; i < 4; i++) {
		w = w << 8 | p[*at];
		*at = (*at + 1) % len;
	}
	return w;
}

/* Mix key, and salt where there is one, into the state. */
static void
expand(struct blowfish *b, const uint8_t *salt, const uint8_t *key, size_t len)
{
	uint32_t	 l = 0, r = 0, *word;
	size_t		 at = 0;
	int		 i;

	for (i = 0; i < SUBKEYS; i++)
		b->p[i] ^= next_word(key, len, &at);
	at = 0;
	for (i = 0; i < WORDS; i += 2) {
		if (salt != NULL) {
			l ^= next_word(salt, len, &at);
			r ^= next_word(salt, len, &at);
		}
		encipher(b, &l, &r);
		word = i < SUBKEYS ? &b->p[i] :
		    &b->s[(i - SUBKEYS) / BOX][(i - SUBKEYS) % BOX];
		word[0] = l;
		word[1] = r;
	}
}

/* --- the hash, and the key -------------------------------------------- */

static void
hash(const struct blowfish *first, const uint8_t *pass, const uint8_t *salt,
    uint8_t *out)
{
	static const char	 text[] = "OxychromaticBlowfishSwatDynamite";
	struct blowfish		 b = *first;
	uint32_t		 w[HASH_WORDS];
	size_t			 at = 0;
	int			 i, j;

	expand(&b, salt, pass, SHA512_DIGEST_LENGTH);
	for (i = 0; i < 64; i++) {
		expand(&b, NULL, salt, SHA512_DIGEST_LENGTH);
		expand(&b, NULL, pass, SHA512_DIGEST_LENGTH);
	}
	for (i = 0; i < HASH_WORDS; i++)
		w[i] = next_word((const uint8_t *)text, HASH_LEN, &at);
	for (i = 0; i < 64; i++)
		for (j = 0; j < HASH_WORDS; j += 2)
			encipher(&b, &w[j], &w[j + 1]);
	for (i = 0; i < HASH_WORDS; i++)
		for (j = 0; j < 4; j++)
			out[4 * i + j] = (uint8_t)(w[i] >> 8 * j);
	explicit_bzero(&b, sizeof(b));
	explicit_bzero(w, sizeof(w));
}

/* One block: the sum of the hashes of all rounds. */
static void
block(const struct blowfish *first, const uint8_t *pass, const uint8_t *salt,
    size_t len, uint32_t number, uint32_t rounds, uint8_t *sum)
{
	uint8_t		 buf[SALT_MAX + 4], digest[SHA512_DIGEST_LENGTH];
	uint8_t		 one[HASH_LEN];
	uint32_t	 i;
	int		 j;

	memcpy(buf, salt, len);
	for (j = 0; j < 4; j++)
		buf[len + (size_t)j] = (uint8_t)(number >> (24 - 8 * j));
	SHA512(buf, len + 4, digest);
	hash(first, pass, digest, one);
	memcpy(sum, one, HASH_LEN);
	for (i = 1; i < rounds; i++) {
		SHA512(one, sizeof(one), digest);
		hash(first, pass, digest, one);
		for (j = 0; j < HASH_LEN; j++)
			sum[j] ^= one[j];
	}
	explicit_bzero(one, sizeof(one));
	explicit_bzero(digest, sizeof(digest));
}

int
passkey_derive(const char *pass, const uint8_t *salt, size_t saltlen,
    uint32_t rounds, uint8_t *key, size_t len)
{
	struct blowfish	*first;
	uint8_t		 digest[SHA512_DIGEST_LENGTH], sum[HASH_LEN];
	size_t		 blocks = (len + HASH_LEN - 1) / HASH_LEN, i, at;
	int		 rv = -1;

	if (rounds < 1 || len < 1 || len > KEY_MAX || saltlen > SALT_MAX ||
	    (first = calloc(1, sizeof(*first))) == NULL)
		return -1;
	if (first_state(first) == -1)
		goto done;
	SHA512((const uint8_t *)pass, strlen(pass), digest);
	for (i = 0; i < blocks; i++) {
		block(first, digest, salt, saltlen, (uint32_t)i + 1, rounds,
		    sum);
		for (at = 0; at < (len + blocks - 1) / blocks &&
		    at * blocks + i < len; at++)
			key[at * blocks + i] = sum[at];
	}
	explicit_bzero(digest, sizeof(digest));
	explicit_bzero(sum, sizeof(sum));
	rv = 0;
 done:
	free(first);
	return rv;
}
