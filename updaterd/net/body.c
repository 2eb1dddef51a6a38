/*
 * Request bodies: framed by Content-Length or chunked (RFC 9112, 6 and 7).
 *
 * The framing is ours, never a library's, and strict: the size of a chunk
 * is 1 to 16 hex digits and nothing else, CR LF where CR LF belongs, no
 * extensions, no trailers.  total never passes max: a chunk that would is
 * refused by its announcement.
 */
#include <string.h>

#include "http.h"

#define CHUNK_DIGITS_MAX	16	/* as many as a uint64_t holds */

enum body_state {
	BODY_PLAIN,
	BODY_SIZE,
	BODY_SIZE_LF,
	BODY_CHUNK,
	BODY_CHUNK_CR,
	BODY_CHUNK_LF,
	BODY_LAST_CR,		/* behind the chunk of size 0 */
	BODY_LAST_LF,
	BODY_DONE,
	BODY_BAD
};

static enum http_result
bad(struct http_body *b, int status, const char *why)
{
	b->state = BODY_BAD;
	b->status = status;
	b->why = why;
	return HTTP_BAD;
}

void
http_body_init(struct http_body *b, const struct http_head *h, uint64_t max)
{
	memset(b, 0, sizeof(*b));
	b->max = max;
	if (h->chunked)
		b->state = BODY_SIZE;
	else if (h->length <= 0)
		b->state = BODY_DONE;
	else if ((uint64_t)h->length > max)
		bad(b, 413, "request body over the limit");
	else {
		b->state = BODY_PLAIN;
		b->left = (uint64_t)h->length;
	}
}

static enum http_result
step_size(struct http_body *b, unsigned char c)
{
	unsigned int	 d;

	if (c == '\r' && b->digits > 0) {
		if (b->left > b->max - b->total)
			return bad(b, 413, "request body over the limit");
		b->state = BODY_SIZE_LF;
		return HTTP_MORE;
	}
	if (c >= '0' && c <= '9')
		d = c - '0';
	else if (c >= 'a' && c <= 'f')
		d = c - 'a' + 10;
	else if (c >= 'A' && c <= 'F')
		d = c - 'A' + 10;
	else
		return bad(b, 400, "malformed chunk size");
	if (++b->digits > CHUNK_DIGITS_MAX)
		return bad(b, 400, "chunk size too long");
	b->left = b->left << 4 | d;
	return HTTP_MORE;
}

/* One byte of framing. */
static enum http_result
step(struct http_body *b, unsigned char c)
{
	switch (b->state) {
	case BODY_SIZE:
		return step_size(b, c);
	case BODY_SIZE_LF:
		if (c != '\n')
			return bad(b, 400, "malformed chunk size");
		b->digits = 0;
		b->state = b->left == 0 ? BODY_LAST_CR : BODY_CHUNK;
		break;
	case BODY_CHUNK_CR:
		if (c != '\r')
			return bad(b, 400, "chunk longer than its size");
		b->state = BODY_CHUNK_LF;
		break;
	case BODY_CHUNK_LF:
		if (c != '\n')
			return bad(b, 400, "chunk longer than its size");
		b->state = BODY_SIZE;
		break;
	case BODY_LAST_CR:
		if (c != '\r')
			return bad(b, 400, "trailer behind the last chunk");
		b->state = BODY_LAST_LF;
		break;
	case BODY_LAST_LF:
		if (c != '\n')
			return bad(b, 400, "malformed end of body");
		b->state = BODY_DONE;
		break;
	}
	return HTTP_MORE;
}

enum http_result
http_body_feed(struct http_body *b, const char *in, size_t n, size_t *used,
    const char **data, size_t *len)
{
	size_t	 i = 0;

	for (;;) {
		*used = i;
		if (b->state == BODY_DONE)
			return HTTP_DONE;
		if (b->state == BODY_BAD)
			return HTTP_BAD;
		if (i == n)
			return HTTP_MORE;
		if (b->state == BODY_PLAIN || b->state == BODY_CHUNK)
			break;
		if (step(b, (unsigned char)in[i++]) == HTTP_BAD) {
			*used = i;
			return HTTP_BAD;
		}
	}
	*data = in + i;
	*len = n - i < b->left ? n - i : (size_t)b->left;
	*used = i + *len;
	b->left -= *len;
	b->total += *len;
	if (b->left == 0)
		b->state = b->state == BODY_PLAIN ? BODY_DONE : BODY_CHUNK_CR;
	return HTTP_DATA;
}
