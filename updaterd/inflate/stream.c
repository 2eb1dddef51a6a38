/*
 * The work of inflate: find out what the bytes are, decompress, count.
 *
 * Invariants, in the order they are kept:
 *  - the input is a gzip member, a zstd frame or an uncompressed tar, told
 *    by its first bytes; every other magic number is refused by name;
 *  - no output beyond `max` is ever passed on;
 *  - the first output block is looked at before any of it is passed on: it
 *    must not be compressed again;
 *  - the last buffer is passed on only after the checksums were good and
 *    the input ended right behind them.  With damage at the end, unpack
 *    has thus not seen the end of its tar;
 *  - every byte read is hashed; a digest exists only of the whole input;
 *  - with keys given, the input is a gzip member signed by one of them, and
 *    a decompressor gets no byte that signify.c has not found good: behind
 *    the head, input comes in blocks from ahead.c only.
 */
#include <sys/types.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "ahead.h"
#include "deflate.h"
#include "gzip.h"
#include "stream.h"
#include "unzstd.h"

#define IN_SIZE		(256 * 1024)	/* bytes */
#define OUT_SIZE	(256 * 1024)	/* bytes */
#define BLOCK		512		/* bytes: a tar header */
#define USTAR_OFF	257		/* offset of its magic "ustar" */

struct stream {
	EVP_MD_CTX	*md;		/* NULL: not asked */
	struct deflate	*deflate;
	struct zstd	*zstd;
	uint8_t		*inbuf, *outbuf;
	const uint8_t	*input;		/* inbuf, or a verified block */
	int		 in, out;
	size_t		 inpos, inlen;	/* bytes of input not used yet */
	struct signify	*sig;		/* NULL: none is asked for */
	struct ahead	*ahead;		/* with it */
	int		 covered;	/* the head was good: blocks now */
	uint64_t	 before;	/* bytes read until then */
	size_t		 outlen;	/* bytes not written yet */
	uint64_t	 made;		/* bytes of output, written or not */
	uint64_t	 max;
	int		 passing;	/* the first block has been checked */
	void		(*moved)(void *, const struct stream_result *);
	void		*arg;
	struct stream_result *res;
};

struct stream *
stream_new(int hash)
{
	struct stream	*s;

	if ((s = calloc(1, sizeof(*s))) == NULL)
		return NULL;
	if ((s->inbuf = malloc(IN_SIZE)) == NULL ||
	    (s->outbuf = malloc(OUT_SIZE)) == NULL ||
	    (s->deflate = deflate_new()) == NULL ||
	    (s->zstd = zstd_new()) == NULL)
		goto fail;
	if (hash && ((s->md = EVP_MD_CTX_new()) == NULL ||
	    !EVP_DigestInit_ex(s->md, EVP_sha256(), NULL)))
		goto fail;
	s->input = s->inbuf;
	return s;
fail:
	stream_free(s);
	errno = ENOMEM;
	return NULL;
}

void
stream_free(struct stream *s)
{
	if (s == NULL)
		return;
	ahead_free(s->ahead);
	EVP_MD_CTX_free(s->md);
	zstd_free(s->zstd);
	deflate_free(s->deflate);
	free(s->outbuf);
	free(s->inbuf);
	free(s);
}

int
stream_verify(struct stream *s, struct signify *sig)
{
	if ((s->ahead = ahead_new(sig)) == NULL)
		return -1;
	s->sig = sig;
	return 0;
}

int
stream_thread(struct stream *s)
{
	return s->ahead == NULL ? 0 : ahead_thread(s->ahead);
}

void
stream_watch(struct stream *s,
    void (*moved)(void *, const struct stream_result *), void *arg)
{
	s->moved = moved;
	s->arg = arg;
}

static void
tell(struct stream *s)
{
	if (s->moved != NULL)
		s->moved(s->arg, s->res);
}

static enum upd_error refuse(struct stream *, enum upd_error, const char *,
    ...) __attribute__((format(printf, 3, 4)));

static enum upd_error
refuse(struct stream *s, enum upd_error error, const char *fmt, ...)
{
	va_list	 ap;

	va_start(ap, fmt);
	vsnprintf(s->res->text, sizeof(s->res->text), fmt, ap);
	va_end(ap);
	return error;
}

static enum upd_error
refuse_errno(struct stream *s, const char *what)
{
	s->res->sys_errno = errno;
	return refuse(s, UPD_EIO, "%s: %s", what, strerror(errno));
}

/* One more verified block, when all before it are used. */
static enum upd_error
fill_block(struct stream *s, size_t *n)
{
	enum ahead_verdict	 v;
	uint64_t		 in;

	s->inpos = s->inlen = *n = 0;
	do {
		v = ahead_next(s->ahead, &s->input, n, &in);
		s->res->in = s->before + in;
		if (v == AHEAD_MOVED || v == AHEAD_BLOCK)
			tell(s);
	} while (v == AHEAD_MOVED);
	switch (v) {
	case AHEAD_BAD:
		return refuse(s, UPD_ESIGNATURE, "%s", signify_why(s->sig));
	case AHEAD_EREAD:
		return refuse_errno(s, "read archive");
	case AHEAD_EDIGEST:
		return refuse(s, UPD_EIO, "libcrypto failed to hash");
	default:
		s->inlen = *n;
		return UPD_OK;
	}
}

/* Read once, behind what is unused; the buffer must have room. */
static enum upd_error
fill_plain(struct stream *s, size_t *n)
{
	ssize_t	 r;

	if (s->inpos == s->inlen)
		s->inpos = s->inlen = 0;
	do
		r = read(s->in, s->inbuf + s->inlen, IN_SIZE - s->inlen);
	while (r == -1 && errno == EINTR);
	if (r == -1)
		return refuse_errno(s, "read archive");
	*n = (size_t)r;
	if (s->md != NULL &&
	    !EVP_DigestUpdate(s->md, s->inbuf + s->inlen, *n))
		return refuse(s, UPD_EIO, "libcrypto failed to hash");
	s->inlen += *n;
	s->res->in += *n;
	tell(s);
	return UPD_OK;
}

/* More input.  *n is 0 at its end. */
static enum upd_error
fill(struct stream *s, size_t *n)
{
	return s->covered ? fill_block(s, n) : fill_plain(s, n);
}

/* As fill(), when nothing is left; the end of input is an error. */
static enum upd_error
need(struct stream *s)
{
	enum upd_error	 error;
	size_t		 n;

	if (s->inpos < s->inlen)
		return UPD_OK;
	if ((error = fill(s, &n)) != UPD_OK)
		return error;
	if (n == 0)
		return refuse(s, UPD_ECOMPRESS, "compressed stream is cut "
		    "short after %llu bytes", (unsigned long long)s->res->in);
	return UPD_OK;
}

/* --- magic numbers -------------------------------------------------- */

static const struct magic {
	size_t			 len;
	const char		*bytes;
	int			 format;	/* enum archive_format, or -1 */
	const char		*name;
	/* No control or invalid UTF-8 byte in it: a tar whose first entry
	 * is so called begins with the same bytes. */
	int			 text;
} magics[] = {
	{ 2, "\x1f\x8b",		FORMAT_GZIP,	"gzip", 0 },
	{ 4, "\x28\xb5\x2f\xfd",	FORMAT_ZSTD,	"zstd", 0 },
	{ 6, "\xfd" "7zXZ\0",		-1,	"xz", 0 },
	{ 6, "7z\xbc\xaf\x27\x1c",	-1,	"7z", 0 },
	{ 2, "\x1f\x9d",		-1,	"compress", 0 },
	{ 2, "\x1f\xa0",		-1,	"compress", 0 },
	{ 2, "\x1f\x1e",		-1,	"pack", 0 },
	{ 4, "\x04\x22\x4d\x18",	-1,	"lz4", 0 },
	{ 5, "\x5d\0\0\x80\0",		-1,	"lzma", 0 },
	{ 4, "PK\x03\x04",		-1,	"zip", 0 },
	{ 3, "BZh",			-1,	"bzip2", 1 },
	{ 4, "LZIP",			-1,	"lzip", 1 }
};

#define ZSTD_SKIP_LO	0x50		/* 5? 2a 4d 18: skippable frame */

static const struct magic *
magic_find(const uint8_t *p, size_t len)
{
	static const struct magic skippable =
	    { 4, "", -1, "a zstd skippable frame", 0 };
	size_t			  i;
	int			  tar;

	if (len >= 4 && (p[0] & 0xf0) == ZSTD_SKIP_LO && p[1] == 0x2a &&
	    p[2] == 0x4d && p[3] == 0x18)
		return &skippable;
	tar = len >= BLOCK && memcmp(p + USTAR_OFF, "ustar", 5) == 0;
	for (i = 0; i < sizeof(magics) / sizeof(magics[0]); i++)
		if (len >= magics[i].len && !(tar && magics[i].text) &&
		    memcmp(p, magics[i].bytes, magics[i].len) == 0)
			return &magics[i];
	return NULL;
}

/* --- output --------------------------------------------------------- */

static enum upd_error
flush(struct stream *s)
{
	const struct magic	*m;
	const uint8_t		*p = s->outbuf;
	ssize_t			 n;

	if (!s->passing && s->res->format != FORMAT_TAR &&
	    (m = magic_find(p, s->outlen)) != NULL)
		return refuse(s, UPD_ENESTED, "%s inside %s: compress once",
		    m->name, s->res->format == FORMAT_GZIP ? "gzip" : "zstd");
	s->passing = 1;
	while (s->outlen > 0) {
		if ((n = write(s->out, p, s->outlen)) == -1) {
			if (errno == EINTR)
				continue;
			if (errno != EPIPE)
				return refuse_errno(s, "write to unpack");
			s->res->sys_errno = errno;
			return refuse(s, UPD_ECHILD,
			    "the unpacking process has ended");
		}
		p += n;
		s->outlen -= (size_t)n;
		s->res->out += (uint64_t)n;
		tell(s);
	}
	return UPD_OK;
}

/* n more bytes stand in outbuf.  A full buffer is passed on. */
static enum upd_error
produced(struct stream *s, size_t n)
{
	if (n > s->max - s->made)
		return refuse(s, UPD_ELIMIT, "archive unpacks to more than "
		    "%llu bytes", (unsigned long long)s->max);
	s->made += n;
	s->outlen += n;
	return s->outlen == OUT_SIZE ? flush(s) : UPD_OK;
}

/* --- formats -------------------------------------------------------- */

/* All is well so far: there must be nothing more, `rest` bytes in hand
 * included. */
static enum upd_error
finish(struct stream *s, const uint8_t *rest, size_t nrest)
{
	enum upd_error	 error;
	uint8_t		 c[2];
	size_t		 n, have = 0;

	for (; have < sizeof(c) && nrest > 0; nrest--)
		c[have++] = *rest++;
	while (have < sizeof(c)) {
		if (s->inpos == s->inlen) {
			if ((error = fill(s, &n)) != UPD_OK)
				return error;
			if (n == 0)
				break;
		}
		c[have++] = s->input[s->inpos++];
	}
	if (have == 2 && c[0] == 0x1f && c[1] == 0x8b)
		return refuse(s, UPD_ETRAILING, "a second gzip member");
	if (have > 0)
		return refuse(s, UPD_ETRAILING, "bytes after the end of the "
		    "compressed stream");
	return flush(s);
}

static enum upd_error
run_tar(struct stream *s)
{
	enum upd_error	 error;
	size_t		 n;

	do {
		n = s->inlen - s->inpos;
		if (n > OUT_SIZE - s->outlen)
			n = OUT_SIZE - s->outlen;
		memcpy(s->outbuf + s->outlen, s->input + s->inpos, n);
		s->inpos += n;
		if ((error = produced(s, n)) != UPD_OK ||
		    (error = flush(s)) != UPD_OK)
			return error;
		if (s->inpos == s->inlen && (error = fill(s, &n)) != UPD_OK)
			return error;
	} while (n > 0);
	return UPD_OK;
}

static enum upd_error
gzip_header(struct stream *s)
{
	struct gzip_head	 head;
	enum gzip_verdict	 v;
	enum upd_error		 error;
	const char		*why;
	size_t			 n;

	gzip_head_init(&head, deflate_crc32);
	do {
		if ((error = need(s)) != UPD_OK)
			return error;
		v = gzip_head_feed(&head, s->input + s->inpos,
		    s->inlen - s->inpos, &n, &why);
		s->inpos += n;
		if (v == GZIP_BAD)
			return refuse(s, UPD_ECOMPRESS, "%s", why);
	} while (v == GZIP_MORE);
	return UPD_OK;
}

/* The head of a signed archive; from here on fill() gives blocks. */
static enum upd_error
signed_header(struct stream *s)
{
	enum signify_verdict	 v;
	enum upd_error		 error;
	size_t			 n;

	do {
		if (s->inpos == s->inlen) {
			if ((error = fill(s, &n)) != UPD_OK)
				return error;
			if (n == 0)
				return refuse(s, UPD_ESIGNATURE, "unsigned, "
				    "or truncated: ends in its head");
		}
		v = signify_head(s->sig, s->input + s->inpos,
		    s->inlen - s->inpos, &n);
		s->inpos += n;
	} while (v == SIGNIFY_MORE);
	if (v == SIGNIFY_BAD)
		return refuse(s, UPD_ESIGNATURE, "%s", signify_why(s->sig));
	ahead_start(s->ahead, s->in, s->md, s->input + s->inpos,
	    s->inlen - s->inpos);
	s->inlen = s->inpos;
	s->before = s->res->in;
	s->covered = 1;
	s->res->signer = 1 + signify_signer(s->sig);
	s->res->signed_at = signify_date(s->sig);
	return UPD_OK;
}

static enum upd_error
gzip_body(struct stream *s, uint32_t *crc)
{
	enum deflate_verdict	 v;
	enum upd_error		 error;
	size_t			 in, out, room = 0;

	for (out = 0;;) {
		/* a filled buffer may leave output in hand: ask again */
		if (out != room || room == 0)
			if ((error = need(s)) != UPD_OK)
				return error;
		in = s->inlen - s->inpos;
		out = room = OUT_SIZE - s->outlen;
		v = deflate_run(s->deflate, s->input + s->inpos, &in,
		    s->outbuf + s->outlen, &out);
		if (v == DEFLATE_BAD)
			return refuse(s, UPD_ECOMPRESS,
			    "damaged deflate stream");
		s->inpos += in;
		*crc = deflate_crc32(*crc, s->outbuf + s->outlen, out);
		/* keep the last piece: run_gzip() has yet to check it */
		if (v == DEFLATE_END) {
			if (out > s->max - s->made)
				return produced(s, out);
			s->made += out;
			s->outlen += out;
			return UPD_OK;
		}
		if ((error = produced(s, out)) != UPD_OK)
			return error;
	}
}

static enum upd_error
run_gzip(struct stream *s)
{
	struct gzip_tail	 tail;
	enum gzip_verdict	 v;
	enum upd_error		 error;
	uint8_t			 rest[DEFLATE_REST_MAX];
	uint32_t		 crc = 0;
	size_t			 n, nrest;
	const char		*why;

	error = s->sig != NULL ? signed_header(s) : gzip_header(s);
	if (error != UPD_OK || (error = gzip_body(s, &crc)) != UPD_OK)
		return error;
	memset(&tail, 0, sizeof(tail));
	nrest = deflate_rest(s->deflate, rest);
	v = gzip_tail_feed(&tail, rest, nrest, &n, crc, s->made, &why);
	while (v == GZIP_MORE) {
		if ((error = need(s)) != UPD_OK)
			return error;
		v = gzip_tail_feed(&tail, s->input + s->inpos,
		    s->inlen - s->inpos, &n, crc, s->made, &why);
		s->inpos += n;
	}
	if (v == GZIP_BAD)
		return refuse(s, UPD_ECOMPRESS, "%s", why);
	/* rest and trailer are of the same size: none of it is left over */
	return finish(s, NULL, 0);
}

static enum upd_error
run_zstd(struct stream *s)
{
	enum upd_error	 error;
	const char	*why;
	size_t		 in, out, room = 0;
	int		 end;

	for (out = 0;;) {
		if (out != room || room == 0)
			if ((error = need(s)) != UPD_OK)
				return error;
		in = s->inlen - s->inpos;
		out = room = OUT_SIZE - s->outlen;
		if ((error = zstd_run(s->zstd, s->input + s->inpos, &in,
		    s->outbuf + s->outlen, &out, &end, &why)) != UPD_OK)
			return refuse(s, error, "%s", why);
		s->inpos += in;
		if (end) {
			if (out > s->max - s->made)
				return produced(s, out);
			s->made += out;
			s->outlen += out;
			return finish(s, NULL, 0);
		}
		if ((error = produced(s, out)) != UPD_OK)
			return error;
	}
}

/* --- the whole ------------------------------------------------------ */

/* Have a tar header's worth of input, or all of it; tell the format. */
static enum upd_error
detect(struct stream *s)
{
	const struct magic	*m;
	enum upd_error		 error;
	size_t			 n = 1;

	while (s->inlen < BLOCK && n > 0)
		if ((error = fill(s, &n)) != UPD_OK)
			return error;
	if (s->inlen == 0)
		return refuse(s, UPD_EEMPTY, "no bytes at all");
	if ((m = magic_find(s->input, s->inlen)) == NULL) {
		s->res->format = FORMAT_TAR;
		return UPD_OK;
	}
	if (m->format == -1)
		return refuse(s, UPD_ECOMPRESS,
		    "%s is not accepted: use gzip or zstd", m->name);
	s->res->format = (enum archive_format)m->format;
	return UPD_OK;
}

/* Only gzip has room for a signature. */
static enum upd_error
signable(struct stream *s)
{
	if (s->sig == NULL || s->res->format == FORMAT_GZIP)
		return UPD_OK;
	return refuse(s, UPD_ESIGNATURE, "unsigned: %s; make it a .tar.gz and "
	    "sign it with updatermaster sign or signify -Sz",
	    s->res->format == FORMAT_ZSTD ? "zstd has no room for a signature" :
	    "not compressed");
}

enum upd_error
stream_run(struct stream *s, int in, int out, uint64_t max,
    struct stream_result *res)
{
	enum upd_error	 error;

	memset(res, 0, sizeof(*res));
	s->in = in;
	s->out = out;
	s->max = max;
	s->res = res;
	if ((error = detect(s)) != UPD_OK ||
	    (error = signable(s)) != UPD_OK)
		return error;
	switch (res->format) {
	case FORMAT_GZIP:
		error = run_gzip(s);
		break;
	case FORMAT_ZSTD:
		error = run_zstd(s);
		break;
	default:
		error = run_tar(s);
		break;
	}
	if (error == UPD_OK && s->md != NULL &&
	    !EVP_DigestFinal_ex(s->md, res->digest, NULL))
		error = refuse(s, UPD_EIO, "libcrypto failed to hash");
	return error;
}
