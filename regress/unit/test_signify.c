/*
 * signify.c and relkey.c: the same verdict however the input is cut; what
 * is kept is bounded; key files and dates have one text each.
 */
/* LINK: updaterd/inflate/signify.o common/relkey.o */
/* LIBS: -lcrypto */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/evp.h>

#include <cmocka.h>

#include "signify.h"

#define BODY	(2 * SIGNED_BLOCK + 100)	/* bytes: three blocks */

static EVP_PKEY			*secret;
static struct msg_inflate_key	 public;
static uint8_t			 body[BODY];
static uint8_t			 head[4096];
static size_t			 nhead;

/* --- what signify would write ----------------------------------------- */

static size_t
hash_lines(char *p, size_t len)
{
	uint8_t		 md[EVP_MAX_MD_SIZE];
	unsigned int	 n, i;
	size_t		 at, k, used = 0;

	for (at = 0; at < len; at += k) {
		k = len - at < SIGNED_BLOCK ? len - at : SIGNED_BLOCK;
		assert_int_equal(EVP_Digest(body + at, k, md, &n,
		    EVP_sha512_256(), NULL), 1);
		for (i = 0; i < n; i++)
			used += (size_t)sprintf(p + used, "%02x", md[i]);
		p[used++] = '\n';
	}
	return used;
}

/* Sign n bytes of text, and put both into the head. */
static void
make_head(const char *text, size_t n)
{
	uint8_t		 sig[RELKEY_SIGNED_LEN];
	char		 b64[BASE64_SIZE(RELKEY_SIGNED_LEN)];
	size_t		 slen = RELKEY_SIG_LEN;
	EVP_MD_CTX	*ctx = EVP_MD_CTX_new();

	memcpy(sig, "Ed12345678", 10);
	assert_int_equal(EVP_DigestSignInit(ctx, NULL, NULL, NULL, secret), 1);
	assert_int_equal(EVP_DigestSign(ctx, sig + 10, &slen,
	    (const uint8_t *)text, n), 1);
	EVP_MD_CTX_free(ctx);
	base64_encode(sig, sizeof(sig), b64);
	memcpy(head, "\x1f\x8b\x08\x10\0\0\0\0\0\x03", 10);
	nhead = 10 + (size_t)sprintf((char *)head + 10, RELKEY_COMMENT
	    "verify with one.pub\n%s\n", b64);
	memcpy(head + nhead, text, n);
	nhead += n;
	head[nhead++] = '\0';
}

static size_t
make_text(char *text)
{
	size_t	 n = (size_t)sprintf(text, "date=2026-11-22T02:23:48Z\n"
		    "key=one.sec\n%s", SIGNED_ALGORITHM);

	return n + hash_lines(text + n, sizeof(body));
}

static int
setup(void **state)
{
	char	 text[2048];
	size_t	 n, len = sizeof(public.key);

	secret = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	assert_non_null(secret);
	assert_int_equal(EVP_PKEY_get_raw_public_key(secret, public.key, &len),
	    1);
	memcpy(public.num, "12345678", 8);
	strcpy(public.name, "one.pub");
	for (n = 0; n < sizeof(body); n++)
		body[n] = (uint8_t)(n * 7 + n / 251);
	make_head(text, make_text(text));
	return 0;
}

static int
teardown(void **state)
{
	EVP_PKEY_free(secret);
	return 0;
}

static struct signify *
begin(uint64_t max)
{
	struct signify	*s = signify_new(max);

	assert_non_null(s);
	assert_int_equal(signify_addkey(s, &public), 0);
	return s;
}

/* --- the verifier ------------------------------------------------------ */

static enum signify_verdict
block(struct signify *s, const uint8_t *p, size_t len)
{
	uint8_t		 hash[SIGNED_HASH_LEN];
	EVP_MD_CTX	*md = signify_hasher();

	assert_non_null(md);
	assert_int_equal(signify_hash(md, p, len, hash), 0);
	EVP_MD_CTX_free(md);
	return signify_block(s, hash, len);
}

static void
test_pieces(void **state)
{
	struct signify	*s;
	size_t		 step, at, k, n;
	enum signify_verdict v;

	for (step = 1; step <= nhead; step += step < 40 ? 1 : 131) {
		s = begin(0);
		v = SIGNIFY_MORE;
		for (at = 0; at < nhead; at += n) {
			assert_int_equal(v, SIGNIFY_MORE);
			k = nhead - at < step ? nhead - at : step;
			v = signify_head(s, head + at, k, &n);
			assert_int_equal(n, k);
		}
		if (v != SIGNIFY_GOOD)
			fail_msg("in steps of %zu: %s", step, signify_why(s));
		assert_int_equal(signify_signer(s), 0);
		assert_int_equal(signify_date(s), 1795314228);
		assert_int_equal(block(s, body, SIGNED_BLOCK), SIGNIFY_GOOD);
		assert_int_equal(block(s, body + SIGNED_BLOCK, SIGNED_BLOCK),
		    SIGNIFY_GOOD);
		assert_int_equal(signify_end(s), SIGNIFY_BAD);
		assert_int_equal(block(s, body + 2 * SIGNED_BLOCK, 100),
		    SIGNIFY_GOOD);
		assert_int_equal(signify_end(s), SIGNIFY_GOOD);
		assert_int_equal(block(s, body, 1), SIGNIFY_BAD);
		signify_free(s);
	}
}

/* Not one bit of the head can change, but in the comment of line 1. */
static void
test_every_bit(void **state)
{
	const size_t	 from = 10 + sizeof(RELKEY_COMMENT) - 1;
	const size_t	 to = from + strlen("verify with one.pub");
	struct signify	*s;
	uint8_t		 copy[sizeof(head)];
	size_t		 i, n;
	enum signify_verdict v;
	int		 bit;

	for (i = 0; i < nhead; i++) {
		for (bit = 0; bit < 8; bit++) {
			memcpy(copy, head, nhead);
			copy[i] ^= (uint8_t)(1U << bit);
			s = begin(0);
			v = signify_head(s, copy, nhead, &n);
			/* that byte may be one of the 14 systems there are */
			if (v == SIGNIFY_GOOD && i != 9 &&
			    !(i >= from && i < to) && !(i == 8 && bit < 3))
				fail_msg("bit %d of byte %zu", bit, i);
			if (v == SIGNIFY_MORE && i != nhead - 1)
				fail_msg("no verdict: bit %d of byte %zu",
				    bit, i);
			signify_free(s);
		}
	}
}

/* What was signed has one text for one meaning: nothing is passed over. */
static void
test_strict(void **state)
{
	uint8_t		 copy[sizeof(head)];
	struct signify	*s;
	char		 text[2048];
	size_t		 n, i, used, was = nhead;
	static const struct {
		int		 at;	/* from the end of the text */
		const char	*add;	/* what stands there, and behind it */
	} cases[] = {
		{ 0, "\n" }, { 0, "a" }, { 0, "date=1970-01-01T00:00:00Z\n" },
		{ 1, "" }, { 1, " " }, { 1, "\r\n" }, { 2, "g\n" },
		{ 2, "A\n" }, { 2, " \n" }
	};

	memcpy(copy, head, nhead);
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		n = make_text(text) - (size_t)cases[i].at;
		strcpy(text + n, cases[i].add);
		make_head(text, strlen(text));
		s = begin(0);
		if (signify_head(s, head, nhead, &used) != SIGNIFY_BAD)
			fail_msg("case %zu is good", i);
		signify_free(s);
	}
	/* No control characters in what is shown to nobody, either. */
	n = make_text(text);
	*strstr(text, "one.sec") = 0x7f;
	make_head(text, n);
	s = begin(0);
	assert_int_equal(signify_head(s, head, nhead, &used), SIGNIFY_BAD);
	signify_free(s);
	/* Two hashes on what would be one line, of the right length. */
	n = make_text(text);
	text[n - SIGNED_LINE - 1] = ' ';
	make_head(text, n);
	s = begin(0);
	assert_int_equal(signify_head(s, head, nhead, &used), SIGNIFY_BAD);
	signify_free(s);
	memcpy(head, copy, nhead = was);
}

/* The systems of RFC 1952, and no other. */
static void
test_system(void **state)
{
	struct signify	*s;
	size_t		 n;
	int		 os;

	for (os = 0; os < 256; os++) {
		head[9] = (uint8_t)os;
		s = begin(0);
		assert_int_equal(signify_head(s, head, nhead, &n),
		    os < 14 || os == 255 ? SIGNIFY_GOOD : SIGNIFY_BAD);
		signify_free(s);
	}
	head[9] = 3;
}

/* Each byte of a hash counts. */
static void
test_every_byte_of_a_hash(void **state)
{
	struct signify	*s = begin(0);
	uint8_t		 hash[SIGNED_HASH_LEN];
	EVP_MD_CTX	*md = signify_hasher();
	size_t		 n, i;

	assert_int_equal(signify_head(s, head, nhead, &n), SIGNIFY_GOOD);
	assert_int_equal(signify_hash(md, body, SIGNED_BLOCK, hash), 0);
	for (i = 0; i < sizeof(hash); i++) {
		hash[i] ^= 1;
		assert_int_equal(signify_block(s, hash, SIGNED_BLOCK),
		    SIGNIFY_BAD);
		hash[i] ^= 1;
	}
	assert_int_equal(signify_block(s, hash, SIGNED_BLOCK), SIGNIFY_GOOD);
	EVP_MD_CTX_free(md);
	signify_free(s);
}

static void
test_used_ends_at_nul(void **state)
{
	struct signify	*s = begin(0);
	uint8_t		 more[sizeof(head) + 64];
	size_t		 n;

	memcpy(more, head, nhead);
	memcpy(more + nhead, body, 64);
	assert_int_equal(signify_head(s, more, nhead + 64, &n), SIGNIFY_GOOD);
	assert_int_equal(n, nhead);
	signify_free(s);
}

/* However long it goes on, it is refused when it cannot be right any more. */
static void
test_bounded(void **state)
{
	static const uint64_t	 archives[] = { 1, SIGNED_BLOCK, 1 << 30,
				    UINT64_MAX, 0 };
	struct signify		*s;
	uint8_t			 chunk[65536];
	uint64_t		 total, limit;
	size_t			 i, n;
	enum signify_verdict	 v;

	memset(chunk, 'a', sizeof(chunk));
	for (i = 0; i < sizeof(archives) / sizeof(archives[0]); i++) {
		s = begin(archives[i]);
		limit = SIGNIFY_HEAD_MAX;
		if (archives[i] != 0 && archives[i] < 1ULL << 34)
			limit = (archives[i] / SIGNED_BLOCK + 1) *
			    SIGNED_LINE + 4096;
		assert_int_equal(signify_head(s, head, 10, &n), SIGNIFY_MORE);
		for (total = 0, v = SIGNIFY_MORE; v == SIGNIFY_MORE;
		    total += n) {
			v = signify_head(s, chunk, sizeof(chunk), &n);
			assert_true(total <= limit);
		}
		assert_int_equal(v, SIGNIFY_BAD);
		signify_free(s);
	}
	/* To the byte. */
	s = begin(SIGNED_BLOCK - 1);
	limit = 2 * RELKEY_COMMENT_MAX + SIGNED_KEY_MAX + SIGNED_LINE;
	assert_int_equal(signify_head(s, head, 10, &n), SIGNIFY_MORE);
	assert_int_equal(signify_head(s, chunk, limit, &n), SIGNIFY_MORE);
	assert_int_equal(signify_head(s, chunk, 1, &n), SIGNIFY_BAD);
	signify_free(s);
	/* And the real one fits within its archive's size. */
	s = begin(BODY);
	assert_int_equal(signify_head(s, head, nhead, &n), SIGNIFY_GOOD);
	signify_free(s);
}

static void
test_keys(void **state)
{
	struct msg_inflate_key	 key = public;
	struct signify		*s = signify_new(0);
	size_t			 n;
	int			 i;

	/* None: nothing is good. */
	assert_int_equal(signify_head(s, head, nhead, &n), SIGNIFY_BAD);
	signify_free(s);
	/* The last of as many as there may be. */
	s = signify_new(0);
	for (i = 0; i < RELEASE_KEYS_MAX - 1; i++) {
		key.num[0] = (uint8_t)('A' + i);
		assert_int_equal(signify_addkey(s, &key), 0);
	}
	assert_int_equal(signify_addkey(s, &public), 0);
	assert_int_equal(signify_addkey(s, &public), -1);
	assert_int_equal(signify_head(s, head, nhead, &n), SIGNIFY_GOOD);
	assert_int_equal(signify_signer(s), RELEASE_KEYS_MAX - 1);
	signify_free(s);
}

/* --- the formats -------------------------------------------------------- */

static void
test_base64(void **state)
{
	uint8_t	 raw[128], back[128];
	char	 text[BASE64_SIZE(128)];
	size_t	 n, i;

	for (n = 0; n < sizeof(raw); n++) {
		for (i = 0; i < n; i++)
			raw[i] = (uint8_t)rand();
		base64_encode(raw, n, text);
		assert_int_equal(strlen(text), BASE64_SIZE(n) - 1);
		assert_int_equal(base64_decode(text, strlen(text), back, n),
		    1);
		assert_memory_equal(raw, back, n);
		assert_int_equal(base64_decode(text, strlen(text), back,
		    n + 3), 0);
	}
	base64_encode((const uint8_t *)"foobar", 5, text);
	assert_string_equal(text, "Zm9vYmE=");
	assert_int_equal(base64_decode("Zm9vYmE=", 8, back, 5), 1);
	assert_int_equal(base64_decode("Zm9vYmF=", 8, back, 5), 0);
	assert_int_equal(base64_decode("Zm9vYm==", 8, back, 5), 0);
	assert_int_equal(base64_decode("Zm9vYm=E", 8, back, 5), 0);
	assert_int_equal(base64_decode("Zm9v mE=", 8, back, 5), 0);
	assert_int_equal(base64_decode("Zm9vYmE-", 8, back, 6), 0);
}

static void
test_dates(void **state)
{
	static const char *const	 none[] = { "", "2026-11-22",
	    "2026-11-22T02:23:48", "2026-11-22T02:23:48Zx",
	    "2026-11-22 02:23:48Z", "2026-02-29T00:00:00Z",
	    "2100-02-29T00:00:00Z", "2026-04-31T00:00:00Z",
	    "2026-00-01T00:00:00Z", "2026-13-01T00:00:00Z",
	    "2026-01-00T00:00:00Z", "2026-01-01T24:00:00Z",
	    "2026-01-01T00:60:00Z", "2026-01-01T00:00:60Z",
	    "1969-12-31T23:59:59Z", "+026-01-01T00:00:00Z",
	    "2026-1-001T00:00:00Z" };
	char		 text[SIGNED_DATE_SIZE], want[SIGNED_DATE_SIZE];
	struct tm	 tm;
	int64_t		 t, back;
	time_t		 tt;
	size_t		 i;

	/* Against the C library, over all the years. */
	for (t = 0; t <= SIGNED_DATE_MAX; t += 86399LL * 97) {
		tt = (time_t)t;
		assert_non_null(gmtime_r(&tt, &tm));
		strftime(want, sizeof(want), "%Y-%m-%dT%H:%M:%SZ", &tm);
		signed_date(t, text);
		assert_string_equal(text, want);
		assert_int_equal(signed_parsedate(text, &back), 0);
		assert_int_equal(back, t);
	}
	for (i = 0; i < sizeof(none) / sizeof(none[0]); i++)
		if (signed_parsedate(none[i], &t) != -1)
			fail_msg("\"%s\" is a date", none[i]);
	assert_int_equal(signed_parsedate("2024-02-29T23:59:59Z", &t), 0);
	signed_date(INT64_MAX, text);
	assert_string_equal(text, "9999-12-31T23:59:59Z");
	signed_date(-1, text);
	assert_string_equal(text, "1970-01-01T00:00:00Z");
}

static void
test_key_files(void **state)
{
	static const char	 good[] = "untrusted comment: signify public "
	    "key\nRWTCh4nya4GzKtMSQyLCaWNsgmr6M6T82Np4Fg2nEOojiK7Vby/B10sW\n";
	struct relkey		 key;
	const char		*why;
	char			 copy[sizeof(good) + 64], theirs[200];
	size_t			 i, len = sizeof(good) - 1;

	assert_int_equal(relkey_parse(good, len, &key, &why), 0);
	assert_null(why);
	assert_memory_equal(key.num, "\xc2\x87\x89\xf2\x6b\x81\xb3\x2a", 8);
	for (i = 0; i < len; i++)
		assert_int_equal(relkey_parse(good, i, &key, &why), -1);
	snprintf(copy, sizeof(copy), "%s\n", good);
	assert_int_equal(relkey_parse(copy, len + 1, &key, &why), -1);
	assert_string_equal(why, "more than one key");
	memcpy(copy, good, sizeof(good));
	copy[strcspn(copy, "\n") + 1] = 'S';
	assert_int_equal(relkey_parse(copy, len, &key, &why), -1);
	assert_string_equal(why, "not an Ed25519 key");
	/* 104 bytes in base64 */
	memset(theirs, 'A', sizeof(theirs));
	memcpy(theirs, "untrusted comment: x\n", 21);
	memcpy(theirs + 21 + 138, "A=\n", 3);
	assert_int_equal(relkey_parse(theirs, 21 + 141, &key, &why), -1);
	assert_non_null(strstr(why, "a secret key"));
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test(test_pieces),
		cmocka_unit_test(test_every_bit),
		cmocka_unit_test(test_strict),
		cmocka_unit_test(test_system),
		cmocka_unit_test(test_every_byte_of_a_hash),
		cmocka_unit_test(test_used_ends_at_nul),
		cmocka_unit_test(test_bounded),
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_base64),
		cmocka_unit_test(test_dates),
		cmocka_unit_test(test_key_files)
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, setup, teardown);
}
