/*
 * The multipart parser: whole, and in pieces as the first bytes say; both
 * must give the same fields, file and verdict.  The boundary is "b", so that
 * chance finds it.
 */
/* LINK: updaterd/net/multipart.o updaterd/net/http.o */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "multipart.h"

#define STEPS		4		/* bytes of input that say the pieces */

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

struct run {
	struct multipart m;
	int		 bad;
	uint64_t	 events;	/* but MP_DATA */
	uint64_t	 sum;		/* of all that came out, in order */
};

static void
add(struct run *r, const char *p, size_t n)
{
	while (n-- > 0)
		r->sum = r->sum * 31 + (unsigned char)*p++ + 1;
}

static void
feed(struct run *r, const char *p, size_t n)
{
	const char	*data;
	size_t		 used, len;
	enum mp_event	 ev;

	while (!r->bad) {
		ev = mp_feed(&r->m, p, n, &used, &data, &len);
		if (used > n)
			abort();
		p += used;
		n -= used;
		if (ev == MP_MORE) {
			if (n != 0)
				abort();
			return;
		}
		if (ev == MP_DATA) {
			if (len == 0)
				abort();
			add(r, data, len);
			continue;
		}
		r->events = r->events * 7 + (uint64_t)ev;
		if (ev == MP_FIELD) {
			if (r->m.name[0] == '\0' ||
			    strlen(r->m.value) != r->m.value_len)
				abort();
			add(r, r->m.name, strlen(r->m.name));
			add(r, r->m.value, r->m.value_len);
		} else if (ev == MP_BAD) {
			if (r->m.why == NULL)
				abort();
			r->bad = 1;
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
	mp_init(&r->m, "b", "t");
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
	if (!r->bad)
		r->bad = mp_finish(&r->m) == -1 ? 2 : 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct run	 a, b;
	char			 type[256], boundary[MP_BOUNDARY_MAX + 1];

	if (len < STEPS)
		return 0;
	run(&a, data + STEPS, len - STEPS, NULL);
	run(&b, data + STEPS, len - STEPS, data);
	if (a.bad != b.bad || a.events != b.events || a.sum != b.sum)
		abort();

	len = len - STEPS < sizeof(type) - 32 ? len - STEPS :
	    sizeof(type) - 32;
	snprintf(type, sizeof(type), "multipart/form-data;%.*s", (int)len,
	    (const char *)data + STEPS);
	if (mp_boundary(type, boundary) == 1 &&
	    (boundary[0] == '\0' || strlen(boundary) > MP_BOUNDARY_MAX))
		abort();
	return 0;
}
