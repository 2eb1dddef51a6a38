/*
 * The answer to a health check, as services give it and as broken ones do.
 * Every answer is fed whole and cut in two at each byte: the verdict must
 * not depend on how the bytes come.
 */
/* LINK: updaterd/probe/reply.o */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "reply.h"

#define BAD	0

struct vector {
	const char	*in;
	uint32_t	 status;	/* BAD: broken */
	const char	*body;		/* or what `why` contains */
};

static const struct vector	vectors[] = {
	{ "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", 200, "hi" },
	{ "HTTP/1.1 200 OK\r\ncontent-length:2\r\n\r\nhi, more", 200, "hi" },
	{ "HTTP/1.0 503 Down\n\nlater", 503, "later" },
	{ "HTTP/1.1 200\r\n\r\n", 200, "" },
	{ "HTTP/1.1 204 No Content\r\n\r\nnothing", 204, "" },
	{ "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200, "" },
	{ "HTTP/1.1 100 Go\r\n\r\nHTTP/1.1 200 OK\r\n\r\nx", 200, "x" },
	{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n"
	    "3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\nT: 1\r\n\r\n", 200,
	    "abc0123456789" },
	{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"
	    "1\r\na\r\n0\r\n\r\n", 200, "a" },
	{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nabc", 200,
	    "abc" },
	{ "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n"
	    "z", 200, "z" },

	{ "", BAD, "without an answer" },
	{ "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nhi", BAD,
	    "broke off" },
	{ "HTTP/1.1 200 OK\r\nA: b\r\n", BAD, "broke off" },
	{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
	    BAD, "broke off" },
	{ "220 mail.example.org ESMTP\r\n", BAD, "not HTTP" },
	{ "\r\nHTTP/1.1 200 OK\r\n\r\n", BAD, "not HTTP" },
	{ "HTTP/2 200\r\n\r\n", BAD, "not HTTP" },
	{ "\025\003\001\001x", BAD, "TLS" },
	{ "HTTP/1.1 20x OK\r\n\r\n", BAD, "status line" },
	{ "HTTP/1.1 2000 OK\r\n\r\n", BAD, "status line" },
	{ "HTTP/1.1 099 OK\r\n\r\n", BAD, "status line" },
	{ "HTTP/1.1 101 Switching\r\n\r\n", BAD, "status line" },
	{ "HTTP/1.1  200 OK\r\n\r\n", BAD, "status line" },
	{ "HTTP/1.1 200 OK\r\nno colon\r\n\r\n", BAD, "header field" },
	{ "HTTP/1.1 200 OK\r\nContent-Length: +3\r\n\r\nabc", BAD,
	    "content-length" },
	{ "HTTP/1.1 200 OK\r\nContent-Length: 3, 3\r\n\r\nabc", BAD,
	    "content-length" },
	{ "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\n",
	    BAD, "content-length" },
	{ "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
	    BAD, "two different" },
	{ "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n"
	    "Transfer-Encoding: chunked\r\n\r\n", BAD, "both" },
	{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", BAD,
	    "chunk" },
	{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\n", BAD,
	    "chunk" },
	{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
	    "FFFFFFFFFFFFFFFFF\r\n", BAD, "chunk" },
	{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n",
	    BAD, "chunk" },
};

static void
check(const struct vector *v, size_t cut)
{
	struct reply		 r;
	enum reply_verdict	 got;
	size_t			 len = strlen(v->in);

	reply_init(&r);
	got = reply_feed(&r, v->in, cut);
	if (got == REPLY_MORE)
		got = reply_feed(&r, v->in + cut, len - cut);
	if (got == REPLY_MORE)
		got = reply_eof(&r);
	if (v->status == BAD) {
		assert_int_equal(got, REPLY_BAD);
		if (strstr(r.why, v->body) == NULL)
			fail_msg("%s: why is %s", v->in, r.why);
		/* And it stays so. */
		assert_int_equal(reply_feed(&r, "x", 1), REPLY_BAD);
		assert_int_equal(reply_eof(&r), REPLY_BAD);
		return;
	}
	if (got != REPLY_DONE)
		fail_msg("%s cut at %zu: %s", v->in, cut, r.why);
	assert_int_equal(r.status, v->status);
	assert_int_equal(r.body_len, strlen(v->body));
	assert_memory_equal(r.body, v->body, r.body_len);
	assert_int_equal(reply_feed(&r, "x", 1), REPLY_DONE);
}

static void
each_vector(void **state)
{
	size_t	 i, cut;

	for (i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++)
		for (cut = 0; cut <= strlen(vectors[i].in); cut++)
			check(&vectors[i], cut);
}

static void
garbage_is_seen_at_once(void **state)
{
	struct reply	 r;

	/* No line end ever comes. */
	reply_init(&r);
	assert_int_equal(reply_feed(&r, "HTTP/", 5), REPLY_MORE);
	assert_int_equal(reply_feed(&r, "9 and on", 8), REPLY_BAD);
	/* What it was is kept. */
	assert_int_equal(r.body_len, 13);
	assert_memory_equal(r.body, "HTTP/9 and on", 13);
}

static enum reply_verdict
pour(struct reply *r, const char *head, const char *more, size_t total)
{
	enum reply_verdict	 v;
	size_t			 n, len = strlen(more);

	reply_init(r);
	v = reply_feed(r, head, strlen(head));
	for (n = 0; v == REPLY_MORE && n < total; n += len)
		v = reply_feed(r, more, len);
	return v;
}

static void
bounded(void **state)
{
	struct reply	 r;
	char		 line[1024];

	/* A head without end. */
	memset(line, 'x', sizeof(line) - 1);
	line[1] = ':';
	line[sizeof(line) - 2] = '\n';
	line[sizeof(line) - 1] = '\0';
	assert_int_equal(pour(&r, "HTTP/1.1 200 OK\r\n", line, 1 << 20),
	    REPLY_BAD);
	assert_non_null(strstr(r.why, "16 KiB"));
	assert_true(r.total < REPLY_HEAD_MAX + 2 * sizeof(line));
	/* One line without end. */
	line[sizeof(line) - 2] = 'x';
	assert_int_equal(pour(&r, "HTTP/1.1 200 OK\r\nA", line, 1 << 20),
	    REPLY_BAD);
	/* Interim answers without end. */
	assert_int_equal(pour(&r, "", "HTTP/1.1 100 Go\r\n\r\n", 1 << 20),
	    REPLY_BAD);
	/* A body without end is far enough at 64 KiB. */
	assert_int_equal(pour(&r, "HTTP/1.1 200 OK\r\n\r\n", line, 1 << 20),
	    REPLY_DONE);
	assert_int_equal(r.status, 200);
	assert_int_equal(r.total, REPLY_BYTES_MAX);
	assert_int_equal(r.body_len, UPD_BODY_SIZE);
	/* So are chunk lines and trailers without end. */
	assert_int_equal(pour(&r, "HTTP/1.1 200 OK\r\n"
	    "Transfer-Encoding: chunked\r\n\r\n0\r\n", "T: x\r\n", 1 << 20),
	    REPLY_DONE);
	assert_int_equal(r.total, REPLY_BYTES_MAX);
}

static void
long_fields(void **state)
{
	struct reply	 r;
	char		 in[4096];
	int		 n;

	/* A long field that does not matter is let pass, */
	n = snprintf(in, sizeof(in), "HTTP/1.1 200 OK\r\nCookie: %0*d\r\n"
	    "Content-Length: 1\r\n\r\nz", 2000, 0);
	reply_init(&r);
	assert_int_equal(reply_feed(&r, in, (size_t)n), REPLY_DONE);
	assert_int_equal(r.body_len, 1);
	/* one that does is not: half of it would be believed. */
	n = snprintf(in, sizeof(in), "HTTP/1.1 200 OK\r\n"
	    "Content-Length: %0*d\r\n\r\nz", 2000, 1);
	reply_init(&r);
	assert_int_equal(reply_feed(&r, in, (size_t)n), REPLY_BAD);
}

static void
until_close(void **state)
{
	struct reply	 r;

	reply_init(&r);
	reply_feed(&r, "HTTP/1.1 200 OK\r\n", 17);
	assert_false(reply_untilclose(&r));
	reply_feed(&r, "\r\nabc", 5);
	assert_true(reply_untilclose(&r));
	assert_int_equal(reply_eof(&r), REPLY_DONE);
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test(each_vector),
		cmocka_unit_test(garbage_is_seen_at_once),
		cmocka_unit_test(bounded),
		cmocka_unit_test(long_fields),
		cmocka_unit_test(until_close),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
