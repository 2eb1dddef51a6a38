/*
 * The verifier of signed archives.  What has not been signed by one of the
 * release keys never leaves it as good.
 *
 * Invariants, in the order they are kept:
 *  - the ten bytes of gzip before the comment carry no signature: they must
 *    be what signify writes, so that nothing else can hide there;
 *  - the comment is collected up to its NUL, and never beyond what the
 *    largest archive that is taken can need;
 *  - only the first two lines are looked at before the signature over all
 *    others is good; the number in them finds the key, it proves nothing;
 *  - what was signed is read strictly: one text for one meaning;
 *  - then the list of hashes, 32 bytes for 64 KiB, is all that is kept.  A
 *    block is good if its hash stands in its place: none can be altered,
 *    moved, left out or added.
 */
#include <sys/types.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "signify.h"

#define GZ_FLAGS	3		/* offsets */
#define GZ_MTIME	4
#define GZ_XFL		8
#define GZ_OS		9
#define GZ_FCOMMENT	0x10
#define GZ_OS_LAST	13		/* RFC 1952; 255 is unknown */
#define COLLECT		4096		/* bytes of head to begin with */
/* The head without its hashes: two lines, date, key and the rest. */
#define HEAD_FIXED	(2 * RELKEY_COMMENT_MAX + SIGNED_KEY_MAX)

struct key {
	struct msg_inflate_key	 pub;
	EVP_MD_CTX		*ctx;		/* used once */
};

struct signify {
	struct key	 keys[RELEASE_KEYS_MAX];
	uint32_t	 nkeys;
	size_t		 max;		/* bytes of comment */
	uint8_t		 gz[SIGNED_GZ_HEAD];
	size_t		 ngz;
	char		*text;		/* comment; then the hashes */
	size_t		 len, cap;
	uint32_t	 nblocks;
	uint32_t	 next;		/* block */
	uint32_t	 signer;
	int64_t		 date;
	char		 why[UPD_TEXT_SIZE];
};

struct signify *
signify_new(uint64_t archive)
{
	struct signify	*s;
	uint64_t	 blocks = archive / SIGNED_BLOCK + 1;

	if ((s = calloc(1, sizeof(*s))) == NULL)
		return NULL;
	s->max = SIGNIFY_HEAD_MAX;
	if (archive != 0 && blocks < SIGNIFY_HEAD_MAX / SIGNED_LINE)
		s->max = HEAD_FIXED + (size_t)blocks * SIGNED_LINE;
	if ((s->text = malloc(COLLECT)) == NULL) {
		signify_free(s);
		errno = ENOMEM;
		return NULL;
	}
	s->cap = COLLECT;
	return s;
}

void
signify_free(struct signify *s)
{
	uint32_t	 i;

	if (s == NULL)
		return;
	for (i = 0; i < s->nkeys; i++)
		EVP_MD_CTX_free(s->keys[i].ctx);
	free(s->text);
	free(s);
}

int
signify_addkey(struct signify *s, const struct msg_inflate_key *pub)
{
	struct key	*k = &s->keys[s->nkeys];
	EVP_PKEY	*pkey;
	int		 good;

	if (s->nkeys == RELEASE_KEYS_MAX)
		return -1;
	k->pub = *pub;
	pkey = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, pub->key,
	    sizeof(pub->key));
	k->ctx = EVP_MD_CTX_new();
	good = pkey != NULL && k->ctx != NULL &&
	    EVP_DigestVerifyInit(k->ctx, NULL, NULL, NULL, pkey) == 1;
	EVP_PKEY_free(pkey);		/* the context holds it */
	if (!good) {
		EVP_MD_CTX_free(k->ctx);
		k->ctx = NULL;
		return -1;
	}
	s->nkeys++;
	return 0;
}

static enum signify_verdict bad(struct signify *, const char *, ...)
    __attribute__((format(printf, 2, 3)));

static enum signify_verdict
bad(struct signify *s, const char *fmt, ...)
{
	va_list	 ap;

	va_start(ap, fmt);
	vsnprintf(s->why, sizeof(s->why), fmt, ap);
	va_end(ap);
	return SIGNIFY_BAD;
}

/* --- the head ------------------------------------------------------- */

static enum signify_verdict
check_gz(struct signify *s)
{
	const uint8_t	*p = s->gz;

	if (p[0] != 0x1f || p[1] != 0x8b || p[2] != 8)
		return bad(s, "unsigned: not a gzip archive; make a .tar.gz "
		    "and sign it with updatermaster sign or signify -Sz");
	if ((p[GZ_FLAGS] & GZ_FCOMMENT) == 0)
		return bad(s, "unsigned: a gzip archive without a signature; "
		    "sign it with updatermaster sign or signify -Sz");
	if (p[GZ_FLAGS] != GZ_FCOMMENT)
		return bad(s, "altered: more in the head of the gzip archive "
		    "than a signature (flags 0x%02x)", p[GZ_FLAGS]);
	if ((p[GZ_MTIME] | p[GZ_MTIME + 1] | p[GZ_MTIME + 2] |
	    p[GZ_MTIME + 3]) != 0)
		return bad(s, "altered: a time in the head of the gzip "
		    "archive, where signify writes none");
	if (p[GZ_XFL] != 0 && p[GZ_XFL] != 2 && p[GZ_XFL] != 4)
		return bad(s, "altered: unknown flags in the head of the gzip "
		    "archive");
	if (p[GZ_OS] > GZ_OS_LAST && p[GZ_OS] != 255)
		return bad(s, "altered: unknown system in the head of the "
		    "gzip archive");
	return SIGNIFY_MORE;
}

/* "one.pub, two.pub" */
static void
key_names(const struct signify *s, char *buf, size_t size)
{
	size_t		 len = 0;
	uint32_t	 i;
	int		 n;

	buf[0] = '\0';
	for (i = 0; i < s->nkeys; i++) {
		n = snprintf(buf + len, size - len, "%s%s", i > 0 ? ", " : "",
		    s->keys[i].pub.name);
		if (n < 0 || (size_t)n >= size - len)
			return;
		len += (size_t)n;
	}
}

/* The signature of the first two lines over what is behind them. */
static enum signify_verdict
check_signature(struct signify *s, const uint8_t *sig, const char *msg,
    size_t len)
{
	const uint8_t	*num = sig + RELKEY_ALG_LEN;
	char		 names[256];
	struct key	*k;
	uint32_t	 i;

	if (memcmp(sig, RELKEY_ALG, RELKEY_ALG_LEN) != 0)
		return bad(s, "altered: the signature is not Ed25519");
	for (i = 0; i < s->nkeys; i++)
		if (memcmp(s->keys[i].pub.num, num, RELKEY_NUM_LEN) == 0)
			break;
	if (i == s->nkeys) {
		key_names(s, names, sizeof(names));
		return bad(s, "signed with a key that is no release key here "
		    "(number %02x%02x%02x%02x%02x%02x%02x%02x; there is %s): "
		    "sign with the right one, or add its public key to the "
		    "configuration", num[0], num[1], num[2], num[3], num[4],
		    num[5], num[6], num[7], names);
	}
	k = &s->keys[i];
	s->signer = i;
	if (EVP_DigestVerify(k->ctx, num + RELKEY_NUM_LEN, RELKEY_SIG_LEN,
	    (const uint8_t *)msg, len) != 1)
		return bad(s, "bad signature: by its number of key %s, but "
		    "altered since, or signed by somebody else", k->pub.name);
	return SIGNIFY_MORE;
}

/* A line "key=value\n" of what was signed; its value, without the end of
 * the line, in *value.  Bytes of the line, or 0. */
static size_t
field(const char *s, size_t len, const char *key, const char **value,
    size_t *n)
{
	const char	*end;
	size_t		 k = strlen(key), i;

	if (len < k || memcmp(s, key, k) != 0 ||
	    (end = memchr(s, '\n', len)) == NULL)
		return 0;
	*value = s + k;
	*n = (size_t)(end - *value);
	for (i = 0; i < *n; i++)
		if ((unsigned char)(*value)[i] < ' ' || (*value)[i] == 0x7f)
			return 0;
	return k + *n + 1;
}

static int
hex(char c)
{
	return c >= '0' && c <= '9' ? c - '0' :
	    c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The lines of hashes, into as many binary ones at the beginning of the
 * text: they only ever move to the left.  1, or 0. */
static int
read_hashes(struct signify *s, const char *list, size_t len)
{
	uint8_t	*out = (uint8_t *)s->text;
	size_t	 i, j;
	int	 hi, lo;

	s->nblocks = (uint32_t)(len / SIGNED_LINE);
	if (s->nblocks == 0 || len % SIGNED_LINE != 0)
		return 0;
	for (i = 0; i < s->nblocks; i++, list += SIGNED_LINE) {
		for (j = 0; j < SIGNED_LINE - 1; j += 2) {
			hi = hex(list[j]);
			lo = hex(list[j + 1]);
			if (hi == -1 || lo == -1)
				return 0;
			*out++ = (uint8_t)(hi << 4 | lo);
		}
		if (list[j] != '\n')
			return 0;
	}
	return 1;
}

/* What was signed. */
static enum signify_verdict
check_message(struct signify *s, const char *p, size_t len)
{
	const size_t	 fixed = sizeof(SIGNED_ALGORITHM) - 1;
	const char	*name = s->keys[s->signer].pub.name, *value;
	char		 date[SIGNED_DATE_SIZE];
	size_t		 n, k;

	if ((k = field(p, len, "date=", &value, &n)) == 0 ||
	    n != sizeof(date) - 1)
		return bad(s, "signed with key %s, but without a date", name);
	memcpy(date, value, n);
	date[n] = '\0';
	if (signed_parsedate(date, &s->date) == -1)
		return bad(s, "signed with key %s, but its date is none",
		    name);
	p += k;
	len -= k;
	if ((k = field(p, len, "key=", &value, &n)) == 0 ||
	    n > SIGNED_KEY_MAX)
		return bad(s, "signed with key %s, but the line key= is "
		    "missing", name);
	p += k;
	len -= k;
	if (len < fixed || memcmp(p, SIGNED_ALGORITHM, fixed) != 0)
		return bad(s, "signed with key %s, but not in blocks of 64 "
		    "KiB with SHA512/256", name);
	if (!read_hashes(s, p + fixed, len - fixed))
		return bad(s, "signed with key %s, but its list of hashes is "
		    "none", name);
	return SIGNIFY_GOOD;
}

static enum signify_verdict
check_head(struct signify *s)
{
	uint8_t		 sig[RELKEY_SIGNED_LEN];
	const char	*why;
	size_t		 n;

	n = relkey_lines(s->text, s->len, sig, sizeof(sig), &why);
	if (n == 0)
		return bad(s, "unsigned: the comment of the gzip archive is "
		    "no signature: %s", why);
	if (check_signature(s, sig, s->text + n, s->len - n) == SIGNIFY_BAD)
		return SIGNIFY_BAD;
	return check_message(s, s->text + n, s->len - n);
}

/* Collect bytes of the comment.  0, or -1: no memory. */
static int
collect(struct signify *s, const uint8_t *p, size_t n)
{
	size_t	 cap = s->cap;
	char	*text;

	while (cap - s->len < n)
		cap *= 2;
	if (cap != s->cap) {
		if ((text = realloc(s->text, cap)) == NULL)
			return -1;
		s->text = text;
		s->cap = cap;
	}
	if (n > 0)
		memcpy(s->text + s->len, p, n);
	s->len += n;
	return 0;
}

enum signify_verdict
signify_head(struct signify *s, const uint8_t *p, size_t len, size_t *used)
{
	const uint8_t	*nul;
	size_t		 n;

	*used = 0;
	if (s->ngz < sizeof(s->gz)) {
		n = sizeof(s->gz) - s->ngz < len ? sizeof(s->gz) - s->ngz :
		    len;
		memcpy(s->gz + s->ngz, p, n);
		s->ngz += n;
		*used = n;
		if (s->ngz < sizeof(s->gz))
			return SIGNIFY_MORE;
		if (check_gz(s) == SIGNIFY_BAD)
			return SIGNIFY_BAD;
		p += n;
		len -= n;
	}
	if (len == 0)
		return SIGNIFY_MORE;
	nul = memchr(p, '\0', len);
	n = nul == NULL ? len : (size_t)(nul - p);
	*used += n + (nul != NULL);
	if (n > s->max - s->len)
		return bad(s, "unsigned, or for an archive over the limit of "
		    "body: a list of hashes over %zu bytes", s->max);
	if (collect(s, p, n) == -1)
		return bad(s, "no memory for the list of hashes");
	return nul == NULL ? SIGNIFY_MORE : check_head(s);
}

/* --- blocks --------------------------------------------------------- */

EVP_MD_CTX *
signify_hasher(void)
{
	EVP_MD_CTX	*md;

	if ((md = EVP_MD_CTX_new()) == NULL ||
	    EVP_DigestInit_ex(md, EVP_sha512_256(), NULL) != 1) {
		EVP_MD_CTX_free(md);
		errno = ENOMEM;
		return NULL;
	}
	return md;
}

int
signify_hash(EVP_MD_CTX *md, const uint8_t *p, size_t len,
    uint8_t hash[SIGNED_HASH_LEN])
{
	unsigned int	 n;

	return EVP_DigestInit_ex(md, NULL, NULL) == 1 &&
	    EVP_DigestUpdate(md, p, len) == 1 &&
	    EVP_DigestFinal_ex(md, hash, &n) == 1 &&
	    n == SIGNED_HASH_LEN ? 0 : -1;
}

enum signify_verdict
signify_block(struct signify *s, const uint8_t hash[SIGNED_HASH_LEN],
    size_t len)
{
	const char	*name = s->keys[s->signer].pub.name;
	int		 last = s->next + 1 == s->nblocks;

	if (s->next == s->nblocks)
		return bad(s, "extended: bytes behind the last of %u blocks "
		    "signed with key %s", s->nblocks, name);
	if (len < SIGNED_BLOCK && !last)
		return bad(s, "truncated: cut short in block %u of %u signed "
		    "with key %s", s->next + 1, s->nblocks, name);
	if (memcmp(hash, s->text + (size_t)s->next * SIGNED_HASH_LEN,
	    SIGNED_HASH_LEN) != 0)
		return bad(s, "altered: block %u of %u is not the one signed "
		    "with key %s%s", s->next + 1, s->nblocks, name,
		    last ? " (or cut short, or extended)" : "");
	s->next++;
	return SIGNIFY_GOOD;
}

enum signify_verdict
signify_end(struct signify *s)
{
	if (s->next == s->nblocks)
		return SIGNIFY_GOOD;
	return bad(s, "truncated: ends before block %u of %u signed with key "
	    "%s", s->next + 1, s->nblocks,
	    s->keys[s->signer].pub.name);
}

/* --- what is known -------------------------------------------------- */

const char *
signify_why(const struct signify *s)
{
	return s->why;
}

uint32_t
signify_signer(const struct signify *s)
{
	return s->signer;
}

int64_t
signify_date(const struct signify *s)
{
	return s->date;
}
