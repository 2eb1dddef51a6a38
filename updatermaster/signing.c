/*
 * The signer.  The archive is read twice: once for the hash of each block,
 * from which the head is made and signed; once to copy the same bytes behind
 * it.  Neither a name nor a time is left in the head, so that it is the
 * same for the same archive, key and date: a rollout that is resumed sends
 * what it sent before.
 *
 * Only the last component of the key's path goes into what is signed.
 */
#include <sys/types.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <readpassphrase.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "keypair.h"
#include "passkey.h"
#include "signing.h"
#include "spool.h"
#include "util.h"

#define SECRET_MAX	4096		/* bytes of a secret key file */
#define NAME_SIZE	256		/* of a key: one component of a path */
#define SUFFIX		".sec"
#define PASS_SIZE	1024		/* bytes, as signify takes */
#define ROUNDS_MAX	100000		/* minutes; signify takes 42 */

#define GZ_FHCRC	0x02		/* RFC 1952 */
#define GZ_FEXTRA	0x04
#define GZ_FNAME	0x08
#define GZ_FCOMMENT	0x10
#define GZ_RESERVED	0xe0

struct signkey {
	char		 name[NAME_SIZE];	/* "release.sec" */
	uint8_t		 num[RELKEY_NUM_LEN];
	EVP_PKEY	*pkey;
};

static int	fail(char *, const char *, ...)
    __attribute__((format(printf, 2, 3)));

static int
fail(char *text, const char *fmt, ...)
{
	va_list	 ap;

	va_start(ap, fmt);
	vsnprintf(text, UPD_TEXT_SIZE, fmt, ap);
	va_end(ap);
	return -1;
}

/* --- the key ---------------------------------------------------------- */

void
signkey_free(struct signkey *k)
{
	if (k == NULL)
		return;
	EVP_PKEY_free(k->pkey);		/* wipes it */
	free(k);
}

/* 1 a secret key may be in it, 0 with text. */
static int
is_private(const char *path, const struct stat *st, const char *data,
    size_t len, char *text)
{
	struct relkey	 pub;
	const char	*why;

	if (relkey_parse(data, len, &pub, &why) == 0)
		fail(text, "%.384s is a public key: sign with the secret one "
		    "that was made with it", path);
	else if (st->st_mode & 077)
		fail(text, "%.384s is open to others: chmod 600 it", path);
	else
		return 1;
	return 0;
}

/* The text of a secret key file, or NULL with text. */
static char *
secret_read(const char *path, size_t *len, char *text)
{
	struct stat	 st;
	char		*data = NULL;
	int		 fd;

	if ((fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY |
	    O_CLOEXEC)) == -1 || fstat(fd, &st) == -1)
		fail(text, "%.384s: %s%s", path, strerror(errno),
		    errno == ENOENT ? ": name a key, or make one with "
		    "updatermaster init -k" : "");
	else if (!S_ISREG(st.st_mode))
		fail(text, "%.384s: not a regular file", path);
	else if ((data = fd_read(fd, SECRET_MAX, len)) == NULL)
		fail(text, "%.384s: %s", path, errno == EFBIG ?
		    "too long for a secret key" : strerror(errno));
	else if (!is_private(path, &st, data, *len, text)) {
		explicit_bzero(data, *len);
		free(data);
		data = NULL;
	}
	if (fd != -1)
		close(fd);
	return data;
}

/* Ask for the passphrase and decrypt the key with it; whether it was the
 * right one the checksum shows.  0, or -1 with text. */
static int
unlock(const char *path, struct keypair_secret *sec, char *text)
{
	uint8_t		 mask[sizeof(sec->key)];
	char		 prompt[512], pass[PASS_SIZE];
	uint32_t	 rounds;
	size_t		 i;
	int		 rv, flags = RPP_ECHO_OFF;

	rounds = (uint32_t)sec->rounds[0] << 24 |
	    (uint32_t)sec->rounds[1] << 16 | (uint32_t)sec->rounds[2] << 8 |
	    sec->rounds[3];
	if (rounds > ROUNDS_MAX)
		return fail(text, "%.384s is damaged: %u rounds", path,
		    rounds);
	/* As signify does: a script may give it. */
	if (!isatty(STDIN_FILENO))
		flags |= RPP_STDIN;
	snprintf(prompt, sizeof(prompt), "passphrase of %.384s: ", path);
	if (readpassphrase(prompt, pass, sizeof(pass), flags) == NULL ||
	    pass[0] == '\0') {
		explicit_bzero(pass, sizeof(pass));
		return fail(text, "%.256s has a passphrase: give it, or make "
		    "a key without one (signify -G -n)", path);
	}
	rv = passkey_derive(pass, sec->salt, sizeof(sec->salt), rounds, mask,
	    sizeof(mask));
	for (i = 0; i < sizeof(mask); i++)
		sec->key[i] ^= mask[i];
	explicit_bzero(pass, sizeof(pass));
	explicit_bzero(mask, sizeof(mask));
	return rv == 0 ? 0 : fail(text, "%.384s: cannot be decrypted", path);
}

/* 0, or -1 with text. */
static int
secret_parse(const char *path, const char *data, size_t len,
    struct keypair_secret *sec, char *text)
{
	static const uint8_t	 plain[sizeof(sec->rounds)];
	uint8_t			 sum[SUM_LEN];
	const char		*why;
	size_t			 n;
	int			 locked;

	n = relkey_lines(data, len, (uint8_t *)sec, sizeof(*sec), &why);
	if (n == 0)
		return fail(text, "%.384s is no secret key of signify: %s",
		    path, why);
	if (n != len || memcmp(sec->pkalg, RELKEY_ALG, RELKEY_ALG_LEN) != 0 ||
	    memcmp(sec->kdfalg, "BK", sizeof(sec->kdfalg)) != 0)
		return fail(text, "%.384s is no secret key of signify", path);
	locked = memcmp(sec->rounds, plain, sizeof(plain)) != 0;
	if (locked && unlock(path, sec, text) == -1)
		return -1;
	keypair_sum(sec->key, sum);
	if (memcmp(sum, sec->checksum, sizeof(sum)) != 0)
		return fail(text, locked ? "%.384s: wrong passphrase" :
		    "%.384s is damaged: wrong checksum", path);
	return 0;
}

struct signkey *
signkey_load(const char *path, char *text)
{
	struct keypair_secret	 sec;
	struct signkey		*k = NULL;
	const char		*name = strrchr(path, '/'), *p;
	char			*data;
	size_t			 len = 0;

	name = name == NULL ? path : name + 1;
	for (p = name; *p != '\0'; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			break;
	if (*p != '\0' || strlen(name) >= NAME_SIZE) {
		fail(text, "a key's file needs a plain name of at most %d "
		    "bytes", NAME_SIZE - 1);
		return NULL;
	}
	if ((data = secret_read(path, &len, text)) == NULL)
		return NULL;
	if (secret_parse(path, data, len, &sec, text) == -1)
		goto done;
	if ((k = calloc(1, sizeof(*k))) == NULL || (k->pkey =
	    EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, sec.key,
	    SEED_LEN)) == NULL) {
		fail(text, "%.384s: cannot be used", path);
		signkey_free(k);
		k = NULL;
		goto done;
	}
	strlcpy(k->name, name, sizeof(k->name));
	memcpy(k->num, sec.num, sizeof(k->num));
 done:
	explicit_bzero(&sec, sizeof(sec));
	explicit_bzero(data, len);
	free(data);
	return k;
}

/* --- the archive that is signed --------------------------------------- */

/* Up to n bytes at that place: how many, fewer only at the end; or -1. */
static ssize_t
read_at(int fd, uint8_t *p, size_t n, off_t at)
{
	size_t	 have = 0;
	ssize_t	 r;

	while (have < n) {
		r = pread(fd, p + have, n - have, at + (off_t)have);
		if (r == -1 && errno == EINTR)
			continue;
		if (r == -1)
			return -1;
		if (r == 0)
			break;
		have += (size_t)r;
	}
	return (ssize_t)have;
}

/* Behind a text that ends in NUL: where, or -1. */
static off_t
skip_text(int fd, off_t at)
{
	uint8_t	 chunk[4096];
	uint8_t	*nul;
	ssize_t	 n;

	while ((n = read_at(fd, chunk, sizeof(chunk), at)) > 0) {
		if ((nul = memchr(chunk, '\0', (size_t)n)) != NULL)
			return at + (nul - chunk) + 1;
		at += n;
	}
	return -1;
}

/* Where the compressed bytes begin, and the two bytes of the head that are
 * kept; or -1 with text. */
static off_t
skip_head(int fd, uint8_t *kept, char *text)
{
	uint8_t	 head[SIGNED_GZ_HEAD], two[2];
	off_t	 at = sizeof(head);

	if (read_at(fd, head, sizeof(head), 0) != sizeof(head) ||
	    head[0] != 0x1f || head[1] != 0x8b || head[2] != 8 ||
	    (head[3] & GZ_RESERVED) != 0)
		return fail(text, "only a gzip archive has room for a "
		    "signature: make a .tar.gz");
	kept[0] = head[8] == 2 || head[8] == 4 ? head[8] : 0;
	kept[1] = head[9] <= 13 ? head[9] : 255;
	if (head[3] & GZ_FEXTRA) {
		if (read_at(fd, two, 2, at) != 2)
			return fail(text, "the gzip archive is cut short");
		at += 2 + (two[0] | two[1] << 8);
	}
	if ((head[3] & GZ_FNAME) && (at = skip_text(fd, at)) == -1)
		return fail(text, "the gzip archive is cut short");
	if ((head[3] & GZ_FCOMMENT) && (at = skip_text(fd, at)) == -1)
		return fail(text, "the gzip archive is cut short");
	if (head[3] & GZ_FHCRC)
		at += 2;
	return at;
}

/* --- signing ---------------------------------------------------------- */

struct out {
	int		 fd;
	EVP_MD_CTX	*md;
	uint64_t	 size;
};

static int
put(struct out *o, const void *data, size_t len)
{
	if (write_all(o->fd, data, len) == -1)
		return -1;
	if (EVP_DigestUpdate(o->md, data, len) != 1) {
		errno = EIO;
		return -1;
	}
	o->size += len;
	return 0;
}

/* A line with the hash of each block. */
static int
add_hashes(struct buf *b, int fd, off_t at, char *text)
{
	uint8_t		 md[EVP_MAX_MD_SIZE];
	uint8_t		*block;
	char		 hex[UPD_HEX_SIZE];
	unsigned int	 len;
	ssize_t		 n;
	int		 rv = -1, blocks = 0;

	if ((block = malloc(SIGNED_BLOCK)) == NULL)
		return fail(text, "out of memory");
	while ((n = read_at(fd, block, SIGNED_BLOCK, at)) > 0) {
		if (EVP_Digest(block, (size_t)n, md, &len, EVP_sha512_256(),
		    NULL) != 1 || len != SIGNED_HASH_LEN) {
			fail(text, "cannot hash");
			goto done;
		}
		digest_hex(md, hex);
		if (buf_printf(b, "%s\n", hex) == -1) {
			fail(text, "out of memory");
			goto done;
		}
		at += n;
		blocks++;
	}
	if (n == -1)
		fail(text, "%s", strerror(errno));
	else if (blocks == 0)
		fail(text, "the gzip archive is cut short");
	else
		rv = 0;
 done:
	free(block);
	return rv;
}

/* The two lines that hold the signature of a message. */
static int
add_signature(struct buf *b, const struct signkey *k, const struct buf *msg)
{
	uint8_t		 sig[RELKEY_SIGNED_LEN];
	char		 b64[BASE64_SIZE(RELKEY_SIGNED_LEN)];
	size_t		 len = RELKEY_SIG_LEN, n = strlen(k->name);
	EVP_MD_CTX	*ctx;
	int		 good;

	memcpy(sig, RELKEY_ALG, RELKEY_ALG_LEN);
	memcpy(sig + RELKEY_ALG_LEN, k->num, RELKEY_NUM_LEN);
	good = (ctx = EVP_MD_CTX_new()) != NULL &&
	    EVP_DigestSignInit(ctx, NULL, NULL, NULL, k->pkey) == 1 &&
	    EVP_DigestSign(ctx, sig + RELKEY_ALG_LEN + RELKEY_NUM_LEN, &len,
	    (const uint8_t *)msg->data, msg->len) == 1;
	EVP_MD_CTX_free(ctx);
	if (!good)
		return -1;
	base64_encode(sig, sizeof(sig), b64);
	/* signify looks for the key of that name when it is told none. */
	if (n > sizeof(SUFFIX) - 1 &&
	    strcmp(k->name + n - (sizeof(SUFFIX) - 1), SUFFIX) == 0)
		n -= sizeof(SUFFIX) - 1;
	return buf_printf(b, RELKEY_COMMENT "verify with %.*s.pub\n%s\n",
	    (int)n, k->name, b64);
}

/* The head of the signed archive, its NUL included, into b. */
static int
make_head(const struct signkey *k, int64_t date, int fd, off_t at,
    const uint8_t *kept, struct buf *b, char *text)
{
	uint8_t		 gz[SIGNED_GZ_HEAD] = { 0x1f, 0x8b, 8, GZ_FCOMMENT };
	struct buf	 msg = { NULL, 0, 0 };
	char		 when[SIGNED_DATE_SIZE];
	int		 rv = -1;

	gz[8] = kept[0];
	gz[9] = kept[1];
	signed_date(date, when);
	if (buf_printf(&msg, "date=%s\nkey=%s\n%s", when, k->name,
	    SIGNED_ALGORITHM) == -1)
		fail(text, "out of memory");
	else if (add_hashes(&msg, fd, at, text) == 0) {
		if (buf_add(b, gz, sizeof(gz)) == -1 ||
		    add_signature(b, k, &msg) == -1 ||
		    buf_add(b, msg.data, msg.len) == -1 ||
		    buf_add(b, "", 1) == -1)
			fail(text, "cannot sign");
		else
			rv = 0;
	}
	buf_free(&msg);
	return rv;
}

/* Head and compressed bytes.  0, or -1 with text. */
static int
copy(struct out *o, const struct buf *head, int fd, off_t at, char *text)
{
	uint8_t	*block;
	ssize_t	 n;
	int	 rv = -1;

	if ((block = malloc(SIGNED_BLOCK)) == NULL)
		return fail(text, "out of memory");
	if (put(o, head->data, head->len) == -1)
		goto done;
	while ((n = read_at(fd, block, SIGNED_BLOCK, at)) > 0) {
		if (put(o, block, (size_t)n) == -1)
			goto done;
		at += n;
	}
	if (n == 0 && lseek(o->fd, 0, SEEK_SET) == 0)
		rv = 0;
 done:
	if (rv == -1)
		fail(text, "cannot write the signed archive: %s",
		    strerror(errno));
	free(block);
	return rv;
}

int
signing_sign(const struct signkey *k, int64_t date, struct packed *packed,
    char *text)
{
	struct out	 o = { -1, NULL, 0 };
	struct buf	 head = { NULL, 0, 0 };
	uint8_t		 kept[2] = { 0, 0 }, md[EVP_MAX_MD_SIZE];
	off_t		 at;
	int		 rv = -1;

	if ((at = skip_head(packed->fd, kept, text)) == -1 || make_head(k,
	    date, packed->fd, at, kept, &head, text) == -1 ||
	    (o.fd = spool_open(text)) == -1)
		goto done;
	if ((o.md = EVP_MD_CTX_new()) == NULL ||
	    EVP_DigestInit_ex(o.md, EVP_sha256(), NULL) != 1) {
		fail(text, "cannot hash");
		goto done;
	}
	if (copy(&o, &head, packed->fd, at, text) == -1)
		goto done;
	if (EVP_DigestFinal_ex(o.md, md, NULL) != 1) {
		fail(text, "cannot hash");
		goto done;
	}
	close(packed->fd);
	packed->fd = o.fd;
	packed->size = o.size;
	digest_hex(md, packed->sha256);
	o.fd = -1;
	rv = 0;
 done:
	if (o.fd != -1)
		close(o.fd);
	EVP_MD_CTX_free(o.md);
	buf_free(&head);
	return rv;
}
