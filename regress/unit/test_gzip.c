/*
 * gzip.c: a member's header and trailer, whole and split at every byte.
 */
/* LINK: updaterd/inflate/gzip.o */
/* LIBS: -lz */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <zlib.h>

#include "gzip.h"

static uint32_t
crc(uint32_t c, const uint8_t *p, size_t n)
{
	return (uint32_t)crc32_z(c, p, n);
}

/* Feed in pieces of that size; *used is all that belongs to the header. */
static enum gzip_verdict
feed(const uint8_t *p, size_t len, size_t step, size_t *used)
{
	struct gzip_head	 h;
	enum gzip_verdict	 v = GZIP_MORE;
	const char		*why = NULL;
	size_t			 n, m;

	gzip_head_init(&h, crc);
	for (*used = 0; *used < len && v == GZIP_MORE; *used += m) {
		n = len - *used < step ? len - *used : step;
		v = gzip_head_feed(&h, p + *used, n, &m, &why);
		if (v == GZIP_MORE)
			assert_int_equal(m, n);
		assert_true(m <= n);
	}
	if (v == GZIP_BAD)
		assert_non_null(why);
	return v;
}

/* A header with those flags, its CRC included; its length. */
static size_t
make(uint8_t flags, uint8_t *p)
{
	size_t		 n = 10;
	uint32_t	 c;

	memcpy(p, "\x1f\x8b\x08\0\1\2\3\4\0\3", 10);
	p[3] = flags;
	if (flags & 0x04) {
		memcpy(p + n, "\5\0extra", 7);
		n += 7;
	}
	if (flags & 0x08) {
		memcpy(p + n, "name", 5);
		n += 5;
	}
	if (flags & 0x10) {
		memcpy(p + n, "a comment\nin two lines", 23);
		n += 23;
	}
	if (flags & 0x02) {
		c = crc(0, p, n);
		p[n++] = (uint8_t)c;
		p[n++] = (uint8_t)(c >> 8);
	}
	return n;
}

static void
all_flags(void **state)
{
	uint8_t	 p[128];
	size_t	 n, step, used;
	uint8_t	 flags;

	for (flags = 0; flags < 0x20; flags++) {
		n = make(flags, p);
		memset(p + n, 0x55, sizeof(p) - n);	/* deflate data */
		for (step = 1; step <= n + 3; step++) {
			assert_int_equal(feed(p, sizeof(p), step, &used),
			    GZIP_DONE);
			assert_int_equal(used, n);
		}
		/* cut short anywhere, it wants more */
		for (step = 0; step < n; step++)
			assert_int_equal(feed(p, step, 1, &used), GZIP_MORE);
	}
}

static void
refused(void **state)
{
	uint8_t	 p[128];
	size_t	 n, used;
	int	 bit;

	for (bit = 0x20; bit <= 0x80; bit <<= 1) {
		n = make(0, p);
		p[3] = (uint8_t)bit;
		assert_int_equal(feed(p, n, 1, &used), GZIP_BAD);
	}
	n = make(0, p);
	p[2] = 7;
	assert_int_equal(feed(p, n, 64, &used), GZIP_BAD);
	n = make(0, p);
	p[1] = 0x8c;
	assert_int_equal(feed(p, n, 64, &used), GZIP_BAD);
	/* every bit of a header counts in its CRC */
	for (bit = 4 * 8; bit < (int)make(0x1e, p) * 8; bit++) {
		n = make(0x1e, p);
		p[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_not_equal(feed(p, n, 7, &used), GZIP_DONE);
	}
}

static void
extra(void **state)
{
	uint8_t	*p = calloc(1, 70000);
	size_t	 used;

	memcpy(p, "\x1f\x8b\x08\4\0\0\0\0\0\3\0\0", 12);
	assert_int_equal(feed(p, 70000, 1, &used), GZIP_DONE);
	assert_int_equal(used, 12);
	p[10] = p[11] = 0xff;
	assert_int_equal(feed(p, 70000, 1000, &used), GZIP_DONE);
	assert_int_equal(used, 12 + 65535);
	free(p);
}

static void
too_long(void **state)
{
	uint8_t	*p = malloc(GZIP_COMMENT_MAX + 64);
	size_t	 used;

	memset(p, 'c', GZIP_COMMENT_MAX + 64);
	memcpy(p, "\x1f\x8b\x08\x10\0\0\0\0\0\3", 10);
	assert_int_equal(feed(p, GZIP_COMMENT_MAX + 64, 65536, &used),
	    GZIP_BAD);
	p[10 + GZIP_COMMENT_MAX - 1] = '\0';	/* the NUL counts */
	assert_int_equal(feed(p, GZIP_COMMENT_MAX + 64, 65536, &used),
	    GZIP_DONE);
	p[3] = 0x08;
	assert_int_equal(feed(p, GZIP_COMMENT_MAX + 64, 4096, &used),
	    GZIP_BAD);
	free(p);
}

static void
trailer(void **state)
{
	static const uint8_t	 t[] = { 0x78, 0x56, 0x34, 0x12, 5, 0, 0, 0,
				    0xee };
	struct gzip_tail	 tail;
	enum gzip_verdict	 v;
	const char		*why;
	size_t			 step, pos, n, used;

	for (step = 1; step <= sizeof(t); step++) {
		memset(&tail, 0, sizeof(tail));
		for (pos = 0, v = GZIP_MORE; v == GZIP_MORE; pos += used) {
			n = sizeof(t) - pos < step ? sizeof(t) - pos : step;
			v = gzip_tail_feed(&tail, t + pos, n, &used,
			    0x12345678, 5 + (1ULL << 32), &why);
		}
		assert_int_equal(v, GZIP_DONE);
		assert_int_equal(pos, 8);
	}
	memset(&tail, 0, sizeof(tail));
	assert_int_equal(gzip_tail_feed(&tail, t, 8, &used, 0x12345679, 5,
	    &why), GZIP_BAD);
	memset(&tail, 0, sizeof(tail));
	assert_int_equal(gzip_tail_feed(&tail, t, 8, &used, 0x12345678, 6,
	    &why), GZIP_BAD);
	memset(&tail, 0, sizeof(tail));
	assert_int_equal(gzip_tail_feed(&tail, NULL, 0, &used, 0, 0, &why),
	    GZIP_MORE);
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test(all_flags),
		cmocka_unit_test(refused),
		cmocka_unit_test(extra),
		cmocka_unit_test(too_long),
		cmocka_unit_test(trailer)
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
