/*
 * The parsers of request heads and bodies: whole, and in pieces as the first
 * bytes say; both must come to the same verdicts and the same body.
 */
/* LINK: updaterd/net/http.o updaterd/net/body.o */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http.h"

#define HEAD_SIZE	1024		/* small, so that it is reached */
#define BODY_MAX	4096
#define STEPS		4		/* bytes of input that say the pieces */

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

/* What a stream of requests came to. */
struct run {
	struct http_head head;
	struct http_body body;
	char		 buf[HEAD_SIZE];
	int		 in_body;
	int		 bad;
	uint64_t	 requests;
	uint64_t	 status;
	uint64_t	 sum;		/* of all body bytes, in order */
};

static void
check_head(const struct http_head *h)
{
	const char	*end = h->buf + h->used;
	unsigned int	 i;

	if (h->used > h->seen || h->seen > h->size || h->path[0] != '/' ||
	    (h->chunked && h->length != -1) || h->length < -1)
		abort();
	for (i = 0; i < h->nfields; i++) {
		const char *value = h->field[i].value;

		if (value >= end || value + strlen(value) >= end ||
		    strpbrk(value, "\r\n") != NULL)
			abort();
	}
}

static void
feed(struct run *r, const char *p, size_t n)
{
	const char		*data;
	size_t			 used, len, i;
	enum http_result	 res;

	while (!r->bad) {
		if (!r->in_body) {
			if (n == 0)
				return;
			res = http_feed(&r->head, p, n, &used);
			if (res == HTTP_DONE) {
				check_head(&r->head);
				http_body_init(&r->body, &r->head, BODY_MAX);
				r->in_body = 1;
			} else if (res == HTTP_BAD)
				r->status = (uint64_t)r->head.status;
		} else {
			res = http_body_feed(&r->body, p, n, &used, &data,
			    &len);
			if (res == HTTP_DATA) {
				if (len == 0 || data < p || data + len > p + n)
					abort();
				for (i = 0; i < len; i++)
					r->sum = r->sum * 31 +
					    (unsigned char)data[i];
			} else if (res == HTTP_DONE) {
				r->requests++;
				r->in_body = 0;
				http_init(&r->head, r->buf, sizeof(r->buf));
			} else if (res == HTTP_BAD)
				r->status = (uint64_t)r->body.status;
			if (r->body.total > r->body.max)
				abort();
		}
		if (used > n)
			abort();
		p += used;
		n -= used;
		r->bad = res == HTTP_BAD;
		if (r->bad && r->status < 400)
			abort();
		if (res == HTTP_MORE) {
			if (n != 0)
				abort();
			return;
		}
	}
}

static void
run(struct run *r, const uint8_t *p, size_t len, const uint8_t *steps)
{
	char	*copy;
	size_t	 n;
	int	 i = 0;

	memset(r, 0, sizeof(*r));
	http_init(&r->head, r->buf, sizeof(r->buf));
	while (len > 0) {
		n = steps == NULL ? len : (size_t)steps[i++ % STEPS] + 1;
		if (n > len)
			n = len;
		/* A copy of exactly that size: the sanitizer sees overruns. */
		if ((copy = malloc(n)) == NULL)
			abort();
		memcpy(copy, p, n);
		feed(r, copy, n);
		free(copy);
		p += n;
		len -= n;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct run	 a, b;

	if (len < STEPS)
		return 0;
	run(&a, data + STEPS, len - STEPS, NULL);
	run(&b, data + STEPS, len - STEPS, data);
	if (a.bad != b.bad || a.status != b.status ||
	    a.requests != b.requests || a.sum != b.sum)
		abort();
	return 0;
}
