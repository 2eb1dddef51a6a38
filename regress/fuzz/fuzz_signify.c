/*
 * The verifier of signed archives.  The first byte chooses: with an even one
 * the rest is an archive, fed in two ways; what is found good must hold the
 * one text that was ever signed.  With an odd one the rest is what a signer
 * signed, whatever it is: behind a good signature the reader of it must be
 * as strict, and the list of hashes that is accepted must be that of the text.
 */
/* LINK: updaterd/inflate/signify.o common/relkey.o */
/* LIBS: -lcrypto */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "signify.h"

#define HEAD_ROOM	256		/* bytes before what is signed */

static EVP_PKEY			*secret;
static struct msg_inflate_key	 public;

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

/* The same key each time: what it signs may be kept as a seed. */
static void
begin(void)
{
	uint8_t	 seed[32];
	size_t	 len = sizeof(public.key);

	if (secret != NULL)
		return;
	memset(seed, 1, sizeof(seed));
	secret = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed,
	    sizeof(seed));
	if (secret == NULL || EVP_PKEY_get_raw_public_key(secret, public.key,
	    &len) != 1)
		abort();
	memcpy(public.num, "12345678", sizeof(public.num));
	strcpy(public.name, "one.pub");
}

static struct signify *
verifier(void)
{
	struct signify	*s = signify_new(1 << 30);

	if (s == NULL || signify_addkey(s, &public) == -1)
		abort();
	return s;
}

/* The head in pieces; the verdict, and how many bytes it took. */
static enum signify_verdict
feed(struct signify *s, const uint8_t *p, size_t len, size_t step,
    size_t *total)
{
	enum signify_verdict	 v = SIGNIFY_MORE;
	size_t			 n, k;

	for (*total = 0; *total < len && v == SIGNIFY_MORE; *total += n) {
		k = len - *total < step ? len - *total : step;
		v = signify_head(s, p + *total, k, &n);
		if (n > k || (v == SIGNIFY_MORE && n != k))
			abort();
	}
	return v;
}

/* Blocks, as ahead.c gives them. */
static void
blocks(struct signify *s, const uint8_t *p, size_t len)
{
	static EVP_MD_CTX	*md;
	uint8_t			 hash[SIGNED_HASH_LEN];
	size_t			 k;

	if (md == NULL && (md = signify_hasher()) == NULL)
		abort();

	for (; len > 0; p += k, len -= k) {
		k = len < SIGNED_BLOCK ? len : SIGNED_BLOCK;
		if (signify_hash(md, p, k, hash) == -1)
			abort();
		if (signify_block(s, hash, k) == SIGNIFY_BAD) {
			if (signify_why(s)[0] == '\0')
				abort();
			return;
		}
	}
	(void)signify_end(s);
}

static void
archive(const uint8_t *data, size_t len)
{
	struct signify		*a = verifier(), *b = verifier();
	enum signify_verdict	 v, w;
	size_t			 n, m;

	v = feed(a, data, len, len, &n);
	w = feed(b, data, len, 7, &m);
	if (v != w || (v == SIGNIFY_GOOD && n != m) ||
	    strcmp(signify_why(a), signify_why(b)) != 0 ||
	    (v == SIGNIFY_BAD && signify_why(a)[0] == '\0'))
		abort();
	if (v == SIGNIFY_GOOD) {
		if (signify_date(a) != signify_date(b))
			abort();
		blocks(a, data + n, len - n);
	}
	signify_free(a);
	signify_free(b);
}

/* Its head with a good signature; malloced. */
static uint8_t *
sign(const uint8_t *data, size_t len, size_t *size)
{
	uint8_t		 sig[RELKEY_SIGNED_LEN];
	char		 b64[BASE64_SIZE(RELKEY_SIGNED_LEN)];
	EVP_MD_CTX	*ctx = EVP_MD_CTX_new();
	uint8_t		*p = malloc(HEAD_ROOM + len + 1);
	size_t		 slen = RELKEY_SIG_LEN;

	memcpy(sig, "Ed12345678", 10);
	if (p == NULL || EVP_DigestSignInit(ctx, NULL, NULL, NULL,
	    secret) != 1 || EVP_DigestSign(ctx, sig + 10, &slen, data,
	    len) != 1)
		abort();
	EVP_MD_CTX_free(ctx);
	base64_encode(sig, sizeof(sig), b64);
	memcpy(p, "\x1f\x8b\x08\x10\0\0\0\0\0\x03", 10);
	*size = 10 + (size_t)snprintf((char *)p + 10, HEAD_ROOM - 10,
	    RELKEY_COMMENT "x\n%s\n", b64);
	memcpy(p + *size, data, len);
	*size += len;
	p[(*size)++] = '\0';
	return p;
}

static void
message(const uint8_t *data, size_t len)
{
	static const char	 middle[] = SIGNED_ALGORITHM;
	struct signify		*s = verifier();
	enum signify_verdict	 v;
	const uint8_t		*nul = memchr(data, '\0', len), *list;
	uint8_t			*p;
	size_t			 size, n;

	p = sign(data, len, &size);
	v = feed(s, p, size, 13, &n);
	if (v == SIGNIFY_MORE)
		abort();		/* there is a NUL */
	if (v == SIGNIFY_GOOD) {
		if (nul != NULL || signify_date(s) < 0 ||
		    signify_date(s) > SIGNED_DATE_MAX)
			abort();
		list = memmem(data, len, middle, sizeof(middle) - 1);
		if (list == NULL)
			abort();
		list += sizeof(middle) - 1;
		n = (size_t)(data + len - list);
		if (n == 0 || n % SIGNED_LINE != 0)
			abort();
		blocks(s, data, len);
	}
	signify_free(s);
	free(p);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	begin();
	if (len == 0)
		return 0;
	if (data[0] & 1)
		message(data + 1, len - 1);
	else
		archive(data + 1, len - 1);
	return 0;
}
