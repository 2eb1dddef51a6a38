/*
 * Parser of the answer to a health check.
 *
 * The answer comes from the operator's own service, but from one that may
 * just be broken or hostile.  So: every length is bounded before it is
 * used, the number of bytes looked at is limited (REPLY_HEAD_MAX and
 * REPLY_BYTES_MAX), and only the first UPD_BODY_SIZE bytes are kept.
 *
 * Where a lenient reading does no harm it is lenient (bare LF, a missing
 * reason phrase, interim 1xx answers), because nothing but the status is
 * believed and the connection is never used twice.  Where two readings
 * would differ (two lengths, length and coding together) it is broken.
 *
 * Order: a line is gathered up to its LF and looked at as a whole; only
 * its first REPLY_LINE_MAX bytes are kept, and a line we depend on that was
 * longer is broken.  A first line that cannot become "HTTP/1." is refused
 * at its first wrong byte, not at a line end that may never come.
 */
#include <string.h>
#include <strings.h>

#include "reply.h"

static const char	http_prefix[] = "HTTP/1.";

#define PREFIX_LEN	(sizeof(http_prefix) - 1)
#define STATUS_OFF	9		/* "HTTP/1.1 " */
#define STATUS_LEN	3		/* digits */
#define CHUNK_DIGITS	15		/* hex: no overflow of 64 bits */
#define TLS_ALERT	0x15		/* first byte of a TLS alert record */

static enum reply_verdict
broken(struct reply *r, const char *why)
{
	r->state = REPLY_BROKEN;
	r->why = why;
	return REPLY_BAD;
}

static void
keep_body(struct reply *r, const char *p, size_t len)
{
	size_t	 room = sizeof(r->body) - r->body_len;

	if (len > room)
		len = room;
	memcpy(r->body + r->body_len, p, len);
	r->body_len += (uint32_t)len;
}

static int
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* 1 while the bytes gathered may still become a status line. */
static int
prefix_fits(const struct reply *r)
{
	size_t	 n = r->line_len < PREFIX_LEN ? r->line_len : PREFIX_LEN;

	return memcmp(r->line, http_prefix, n) == 0;
}

/* The first line cannot be a status line: keep what there is of it. */
static enum reply_verdict
not_http(struct reply *r, const char *rest, size_t len)
{
	r->body_len = 0;
	keep_body(r, r->line, r->line_len);
	keep_body(r, rest, len);
	return broken(r, r->body[0] == TLS_ALERT ?
	    "the answer is TLS, not HTTP" : "the answer is not HTTP");
}

static enum reply_verdict
status_line(struct reply *r)
{
	const char	*p = r->line;

	/* The line has no NUL: lengths, not string functions. */
	if (r->line_len < STATUS_OFF + STATUS_LEN || !prefix_fits(r) ||
	    !is_digit(p[PREFIX_LEN]) || p[PREFIX_LEN + 1] != ' ' ||
	    !is_digit(p[9]) || !is_digit(p[10]) || !is_digit(p[11]) ||
	    (r->line_len > 12 && p[12] != ' ')) {
		r->body_len = 0;
		keep_body(r, r->line, r->line_len);
		return broken(r, "the status line is garbled");
	}
	r->status = (uint32_t)((p[9] - '0') * 100 + (p[10] - '0') * 10 +
	    (p[11] - '0'));
	if (r->status < 100 || r->status == 101)
		return broken(r, "the status line is garbled");
	r->have_length = r->have_coding = r->chunked = 0;
	r->state = REPLY_FIELDS;
	return REPLY_MORE;
}

static int
parse_length(const char *p, size_t len, uint64_t *out)
{
	uint64_t	 v = 0;
	size_t		 i;

	if (len == 0)
		return -1;
	for (i = 0; i < len; i++) {
		if (!is_digit(p[i]) || v > (UINT64_MAX - 9) / 10)
			return -1;
		v = v * 10 + (uint64_t)(p[i] - '0');
	}
	*out = v;
	return 0;
}

/* Is the last element of a comma-separated list "chunked"? */
static int
last_is_chunked(const char *p, size_t len)
{
	const char	*comma = memrchr(p, ',', len);

	if (comma != NULL) {
		len -= (size_t)(comma + 1 - p);
		p = comma + 1;
	}
	while (len > 0 && (*p == ' ' || *p == '\t'))
		p++, len--;
	return len == 7 && strncasecmp(p, "chunked", 7) == 0;
}

static enum reply_verdict
field_line(struct reply *r)
{
	const char	*colon, *val;
	size_t		 nlen, vlen;
	uint64_t	 n;

	colon = memchr(r->line, ':', r->line_len);
	if (colon == NULL) {
		/* A continuation line is obsolete, but says nothing to us. */
		if (r->line[0] == ' ' || r->line[0] == '\t' || r->line_cut)
			return REPLY_MORE;
		return broken(r, "a header field is garbled");
	}
	nlen = (size_t)(colon - r->line);
	val = colon + 1;
	vlen = r->line_len - nlen - 1;
	while (vlen > 0 && (*val == ' ' || *val == '\t'))
		val++, vlen--;
	while (vlen > 0 && (val[vlen - 1] == ' ' || val[vlen - 1] == '\t'))
		vlen--;

	if (nlen == 14 && strncasecmp(r->line, "content-length", 14) == 0) {
		if (r->line_cut || parse_length(val, vlen, &n) == -1)
			return broken(r, "the content-length is garbled");
		if (r->have_length && n != r->length)
			return broken(r, "two different content-lengths");
		r->have_length = 1;
		r->length = n;
	} else if (nlen == 17 &&
	    strncasecmp(r->line, "transfer-encoding", 17) == 0) {
		if (r->line_cut)
			return broken(r, "the transfer-encoding is garbled");
		r->have_coding = 1;
		r->chunked = last_is_chunked(val, vlen);
	}
	return REPLY_MORE;
}

static enum reply_verdict
head_end(struct reply *r)
{
	if (r->status < 200) {
		/* An interim answer: the real one follows. */
		r->status = 0;
		r->state = REPLY_STATUS_LINE;
		return REPLY_MORE;
	}
	if (r->have_length && r->have_coding)
		return broken(r,
		    "both a content-length and a transfer-encoding");
	if (r->status == 204 || r->status == 304)
		r->state = REPLY_COMPLETE;
	else if (r->chunked)
		r->state = REPLY_CHUNK_SIZE;
	else if (r->have_length) {
		r->left = r->length;
		r->state = r->left > 0 ? REPLY_BODY_LENGTH : REPLY_COMPLETE;
	} else
		r->state = REPLY_BODY_CLOSE;
	return r->state == REPLY_COMPLETE ? REPLY_DONE : REPLY_MORE;
}

static enum reply_verdict
chunk_size(struct reply *r)
{
	uint64_t	 v = 0;
	size_t		 i;
	char		 c;

	for (i = 0; i < r->line_len; i++) {
		c = r->line[i];
		if (is_digit(c))
			v = v * 16 + (uint64_t)(c - '0');
		else if (c >= 'a' && c <= 'f')
			v = v * 16 + (uint64_t)(c - 'a' + 10);
		else if (c >= 'A' && c <= 'F')
			v = v * 16 + (uint64_t)(c - 'A' + 10);
		else
			break;
		if (i >= CHUNK_DIGITS)
			return broken(r, "a chunk is garbled");
	}
	/* Behind the number only blanks or an extension. */
	if (i == 0 || (i < r->line_len && r->line[i] != ';' &&
	    r->line[i] != ' ' && r->line[i] != '\t'))
		return broken(r, "a chunk is garbled");
	r->left = v;
	r->state = v > 0 ? REPLY_CHUNK_DATA : REPLY_TRAILER;
	return REPLY_MORE;
}

/* A whole line is in r->line, without its end. */
static enum reply_verdict
line_end(struct reply *r)
{
	switch (r->state) {
	case REPLY_STATUS_LINE:
		return status_line(r);
	case REPLY_FIELDS:
		return r->line_len == 0 ? head_end(r) : field_line(r);
	case REPLY_CHUNK_SIZE:
		return chunk_size(r);
	case REPLY_CHUNK_END:
		if (r->line_len != 0)
			return broken(r, "a chunk is garbled");
		r->state = REPLY_CHUNK_SIZE;
		return REPLY_MORE;
	case REPLY_TRAILER:
		if (r->line_len == 0) {
			r->state = REPLY_COMPLETE;
			return REPLY_DONE;
		}
		return REPLY_MORE;
	default:
		return broken(r, "internal error");
	}
}

/* Gather a line from p; *used says how many bytes were taken. */
static enum reply_verdict
feed_line(struct reply *r, const char *p, size_t len, size_t *used)
{
	const char		*nl;
	size_t			 n, room;
	enum reply_verdict	 v;

	nl = memchr(p, '\n', len);
	n = nl != NULL ? (size_t)(nl - p) : len;
	*used = nl != NULL ? n + 1 : n;

	room = sizeof(r->line) - r->line_len;
	if (n > room) {
		memcpy(r->line + r->line_len, p, room);
		r->line_len += room;
		r->line_cut = 1;
	} else {
		memcpy(r->line + r->line_len, p, n);
		r->line_len += n;
	}
	if (r->state == REPLY_STATUS_LINE && !prefix_fits(r)) {
		r->line_len -= n < room ? n : room;	/* p has them, too */
		return not_http(r, p, len);
	}
	if (r->state == REPLY_STATUS_LINE || r->state == REPLY_FIELDS) {
		r->head_len += (uint32_t)*used;
		if (r->head_len > REPLY_HEAD_MAX)
			return broken(r, "the head is over 16 KiB");
	}
	if (nl == NULL)
		return REPLY_MORE;
	if (!r->line_cut && r->line_len > 0 &&
	    r->line[r->line_len - 1] == '\r')
		r->line_len--;
	v = line_end(r);
	r->line_len = 0;
	r->line_cut = 0;
	return v;
}

static enum reply_verdict
feed_body(struct reply *r, const char *p, size_t len, size_t *used)
{
	size_t	 n = len;

	if (r->state != REPLY_BODY_CLOSE && n > r->left)
		n = (size_t)r->left;
	keep_body(r, p, n);
	*used = n;
	if (r->state == REPLY_BODY_CLOSE)
		return REPLY_MORE;
	r->left -= n;
	if (r->left > 0)
		return REPLY_MORE;
	if (r->state == REPLY_CHUNK_DATA) {
		r->state = REPLY_CHUNK_END;
		return REPLY_MORE;
	}
	r->state = REPLY_COMPLETE;
	return REPLY_DONE;
}

void
reply_init(struct reply *r)
{
	memset(r, 0, sizeof(*r));
}

enum reply_verdict
reply_feed(struct reply *r, const void *data, size_t len)
{
	const char		*p = data;
	size_t			 used;
	enum reply_verdict	 v = REPLY_MORE;

	if (r->state == REPLY_COMPLETE)
		return REPLY_DONE;
	if (r->state == REPLY_BROKEN)
		return REPLY_BAD;
	if (len > REPLY_BYTES_MAX - r->total)
		len = (size_t)(REPLY_BYTES_MAX - r->total);
	r->total += len;

	while (len > 0 && v == REPLY_MORE) {
		switch (r->state) {
		case REPLY_BODY_LENGTH:
		case REPLY_BODY_CLOSE:
		case REPLY_CHUNK_DATA:
			v = feed_body(r, p, len, &used);
			break;
		default:
			v = feed_line(r, p, len, &used);
			break;
		}
		p += used;
		len -= used;
	}
	if (v == REPLY_MORE && r->total >= REPLY_BYTES_MAX) {
		/* Far enough: the status is known, as heads are shorter. */
		r->state = REPLY_COMPLETE;
		v = REPLY_DONE;
	}
	return v;
}

enum reply_verdict
reply_eof(struct reply *r)
{
	switch (r->state) {
	case REPLY_COMPLETE:
		return REPLY_DONE;
	case REPLY_BROKEN:
		return REPLY_BAD;
	case REPLY_BODY_CLOSE:
		r->state = REPLY_COMPLETE;
		return REPLY_DONE;
	case REPLY_STATUS_LINE:
		if (r->total == 0)
			return broken(r,
			    "the connection was closed without an answer");
		/* FALLTHROUGH */
	default:
		return broken(r, "the answer broke off");
	}
}

int
reply_untilclose(const struct reply *r)
{
	return r->state == REPLY_BODY_CLOSE;
}
