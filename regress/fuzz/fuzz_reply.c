/*
 * The parser of health replies: whole, and split where the first byte says;
 * both must come to the same verdict.
 */
/* LINK: updaterd/probe/reply.o */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "reply.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static enum reply_verdict
feed(struct reply *r, const uint8_t *p, size_t len, size_t step)
{
	enum reply_verdict	 v = REPLY_MORE;
	uint8_t			*copy;
	size_t			 n;

	reply_init(r);
	while (len > 0) {
		n = len < step ? len : step;
		/* A copy of exactly that size: the sanitizer sees overruns. */
		if ((copy = malloc(n)) == NULL)
			abort();
		memcpy(copy, p, n);
		v = reply_feed(r, copy, n);
		free(copy);
		p += n;
		len -= n;
		if (r->body_len > sizeof(r->body) ||
		    r->line_len > sizeof(r->line) ||
		    r->total > REPLY_BYTES_MAX)
			abort();
	}
	if (v == REPLY_MORE)
		v = reply_eof(r);
	if (v == REPLY_MORE || (v == REPLY_BAD && r->why == NULL) ||
	    (v == REPLY_DONE && r->status < 200))
		abort();
	return v;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct reply		 a, b;
	enum reply_verdict	 v;

	if (len == 0)
		return 0;
	v = feed(&a, data + 1, len - 1, SIZE_MAX);
	if (feed(&b, data + 1, len - 1, (size_t)data[0] + 1) != v ||
	    a.status != b.status)
		abort();
	/* How much of a broken one is kept depends on the pieces. */
	if (v == REPLY_DONE && (a.body_len != b.body_len ||
	    memcmp(a.body, b.body, a.body_len) != 0))
		abort();
	return 0;
}
