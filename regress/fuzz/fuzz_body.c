/*
 * Bodies by length and chunked: in pieces as the first bytes say, against a
 * second reader that sees the whole at once and is written from the rules
 * alone.  Both must take the same bytes, give the same body and come to the
 * same verdict.
 */
/* LINK: updaterd/net/body.o */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "http.h"

#define STEPS		4	/* bytes of input that say the pieces */
#define LEAD		(STEPS + 3)	/* and framing, length, limit */
#define DIGITS		16	/* of a chunk's size */

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

struct verdict {
	int		 status;	/* 0 complete, -1 not yet, or refused */
	size_t		 used;		/* bytes, when complete */
	uint64_t	 total;
	uint64_t	 sum;		/* of the body, in order */
};

static void
add(struct verdict *v, const uint8_t *p, size_t n)
{
	v->total += n;
	while (n-- > 0)
		v->sum = v->sum * 31 + *p++ + 1;
}

static int
hex(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* One literal byte: 0, or the verdict. */
static int
want(const uint8_t *p, size_t len, size_t *i, uint8_t c)
{
	if (*i == len)
		return -1;
	return p[(*i)++] == c ? 0 : 400;
}

/* The size of a chunk and its line's end: 0, or the verdict. */
static int
size_line(const uint8_t *p, size_t len, size_t *i, uint64_t room,
    uint64_t *size)
{
	size_t	 digits;

	*size = 0;
	for (digits = 0; *i < len && hex(p[*i]) != -1; digits++) {
		if (digits == DIGITS)
			return 400;
		*size = *size << 4 | (uint64_t)hex(p[(*i)++]);
	}
	if (*i == len)
		return -1;
	if (digits == 0 || p[*i] != '\r')
		return 400;
	(*i)++;
	if (*size > room)
		return 413;
	return want(p, len, i, '\n');
}

static void
chunks(const uint8_t *p, size_t len, uint64_t max, struct verdict *v)
{
	uint64_t	 size;
	size_t		 i = 0, n;

	for (;;) {
		if ((v->status = size_line(p, len, &i, max - v->total,
		    &size)) != 0)
			return;
		n = len - i < size ? len - i : (size_t)size;
		add(v, p + i, n);
		i += n;
		if (n < size) {
			v->status = -1;
			return;
		}
		if ((v->status = want(p, len, &i, '\r')) != 0 ||
		    (v->status = want(p, len, &i, '\n')) != 0)
			return;
		if (size == 0)
			break;
	}
	v->used = i;
}

static void
plain(const uint8_t *p, size_t len, int64_t length, uint64_t max,
    struct verdict *v)
{
	if (length <= 0)
		return;
	if ((uint64_t)length > max) {
		v->status = 413;
		return;
	}
	v->used = len < (size_t)length ? len : (size_t)length;
	add(v, p, v->used);
	if (len < (size_t)length)
		v->status = -1;
}

static void
pieces(struct http_body *b, const uint8_t *p, size_t len,
    const uint8_t *steps, struct verdict *v)
{
	enum http_result	 r = HTTP_MORE;
	const char		*data;
	char			*copy;
	size_t			 n, used, off, size;
	int			 i = 0;

	/* also with no input a body may be complete */
	for (;;) {
		n = (size_t)steps[i++ % STEPS] + 1;
		if (n > len - v->used)
			n = len - v->used;
		if ((copy = malloc(n > 0 ? n : 1)) == NULL)
			abort();
		memcpy(copy, p + v->used, n);
		off = 0;
		do {
			r = http_body_feed(b, copy + off, n - off, &used,
			    &data, &size);
			if (used > n - off)
				abort();
			if (r == HTTP_DATA) {
				if (size == 0 || data < copy + off ||
				    data + size > copy + n)
					abort();
				add(v, (const uint8_t *)data, size);
			}
			off += used;
		} while (r == HTTP_DATA);
		if (r == HTTP_MORE && off != n)
			abort();
		free(copy);
		v->used += off;
		if (r != HTTP_MORE || v->used == len)
			break;
	}
	if (b->total != v->total || b->total > b->max)
		abort();
	v->status = r == HTTP_DONE ? 0 : r == HTTP_MORE ? -1 : b->status;
	if (r == HTTP_BAD && (b->why == NULL || b->status < 400))
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct http_head	 h;
	struct http_body	 b;
	struct verdict		 one, two;
	uint64_t		 max;

	if (len < LEAD)
		return 0;
	memset(&h, 0, sizeof(h));
	memset(&one, 0, sizeof(one));
	memset(&two, 0, sizeof(two));
	h.chunked = data[STEPS] & 1;
	h.length = h.chunked ? -1 : (int64_t)data[STEPS + 1] - 1;
	max = (uint64_t)data[STEPS + 2] * (data[STEPS] & 2 ? 1 : 64);
	if (data[STEPS] & 4)
		max = UINT64_MAX;
	http_body_init(&b, &h, max);
	pieces(&b, data + LEAD, len - LEAD, data, &one);
	if (h.chunked)
		chunks(data + LEAD, len - LEAD, max, &two);
	else
		plain(data + LEAD, len - LEAD, h.length, max, &two);
	if (one.status != two.status || one.total != two.total ||
	    one.sum != two.sum || (one.status == 0 && one.used != two.used))
		abort();
	return 0;
}
