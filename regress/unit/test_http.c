/*
 * Request heads and bodies.  Every regress/http/NN-name.req is fed whole,
 * byte by byte and split in two at every place, and has to come to the
 * verdict in NN-name.ok each time: "accept", a status, "more" where it
 * stops in the middle; one word for each request in the file.
 */
/* LINK: updaterd/net/http.o updaterd/net/body.o */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <dirent.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "http.h"

#define HEAD_SIZE	16384
#define BODY_MAX	100000
#define DIR_NAME	"regress/http"

/* One stream of requests, fed in pieces. */
struct run {
	struct http_head head;
	struct http_body body;
	int		 in_body;
	int		 bad;
	int		 begun;
	char		 verdict[256];
	uint64_t	 sum;		/* of the body bytes, in order */
	char		 buf[HEAD_SIZE];
};

static void
say(struct run *r, const char *word)
{
	if (r->verdict[0] != '\0')
		strlcat(r->verdict, " ", sizeof(r->verdict));
	strlcat(r->verdict, word, sizeof(r->verdict));
}

static void
refused(struct run *r, int status)
{
	char	 word[16];

	snprintf(word, sizeof(word), "%d", status);
	say(r, word);
	r->bad = 1;
}

static void
run_init(struct run *r)
{
	memset(r, 0, sizeof(*r));
	http_init(&r->head, r->buf, sizeof(r->buf));
}

static void
feed_body(struct run *r, const char **p, size_t *n)
{
	const char		*data;
	size_t			 used, len, i;
	enum http_result	 res;

	do {
		res = http_body_feed(&r->body, *p, *n, &used, &data, &len);
		assert_true(used <= *n);
		if (res == HTTP_DATA) {
			assert_true(len > 0);
			assert_true(data >= *p && data + len <= *p + *n);
			for (i = 0; i < len; i++)
				r->sum = r->sum * 31 + (unsigned char)data[i];
		}
		*p += used;
		*n -= used;
	} while (res == HTTP_DATA);
	assert_true(r->body.total <= r->body.max);
	if (res == HTTP_BAD) {
		assert_non_null(r->body.why);
		refused(r, r->body.status);
	} else if (res == HTTP_DONE) {
		say(r, "accept");
		r->in_body = r->begun = 0;
		http_init(&r->head, r->buf, sizeof(r->buf));
	} else
		assert_int_equal(*n, 0);
}

static void
feed(struct run *r, const char *p, size_t n)
{
	size_t	 used;

	while (n > 0 && !r->bad) {
		if (r->in_body) {
			feed_body(r, &p, &n);
			continue;
		}
		r->begun = 1;
		switch (http_feed(&r->head, p, n, &used)) {
		case HTTP_BAD:
			assert_non_null(r->head.why);
			refused(r, r->head.status);
			break;
		case HTTP_DONE:
			http_body_init(&r->body, &r->head, BODY_MAX);
			r->in_body = 1;
			p += used;
			n -= used;
			feed_body(r, &p, &n);
			continue;
		default:
			assert_int_equal(used, n);
			break;
		}
		assert_true(used <= n);
		p += used;
		n -= used;
	}
}

static void
finish(struct run *r)
{
	if (!r->bad && (r->begun || r->in_body))
		say(r, "more");
}

static char *
slurp(const char *name, const char *suffix, size_t *len)
{
	char	 path[512], *data;
	FILE	*fp;

	snprintf(path, sizeof(path), DIR_NAME "/%s%s", name, suffix);
	fp = fopen(path, "r");
	assert_non_null(fp);
	data = malloc(65536);
	assert_non_null(data);
	*len = fread(data, 1, 65535, fp);
	data[*len] = '\0';
	fclose(fp);
	return data;
}

/* Exactly so large that a read beyond is seen by the sanitizer. */
static char *
exact(const char *data, size_t len)
{
	char	*p = malloc(len > 0 ? len : 1);

	assert_non_null(p);
	memcpy(p, data, len);
	return p;
}

static int
vector(const char *name)
{
	static struct run	 whole, r;
	char			*req, *ok, *a, *b;
	size_t			 len, oklen, i, k;
	int			 bad = 0;

	req = slurp(name, ".req", &len);
	ok = slurp(name, ".ok", &oklen);
	ok[strcspn(ok, "\n")] = '\0';
	run_init(&whole);
	a = exact(req, len);
	feed(&whole, a, len);
	free(a);
	finish(&whole);
	if (strcmp(whole.verdict, ok) != 0) {
		print_error("%s: \"%s\", not \"%s\"\n", name, whole.verdict,
		    ok);
		bad = 1;
	}
	run_init(&r);
	for (i = 0; i < len; i++) {
		a = exact(req + i, 1);
		feed(&r, a, 1);
		free(a);
	}
	finish(&r);
	if (strcmp(r.verdict, whole.verdict) != 0 || r.sum != whole.sum) {
		print_error("%s: \"%s\" byte by byte\n", name, r.verdict);
		bad = 1;
	}
	for (k = 0; k <= len; k++) {
		run_init(&r);
		a = exact(req, k);
		b = exact(req + k, len - k);
		feed(&r, a, k);
		feed(&r, b, len - k);
		free(a);
		free(b);
		finish(&r);
		if (strcmp(r.verdict, whole.verdict) != 0 ||
		    r.sum != whole.sum) {
			print_error("%s: \"%s\" split at %zu\n", name,
			    r.verdict, k);
			bad = 1;
		}
	}
	free(req);
	free(ok);
	return bad;
}

static void
vectors(void **state)
{
	struct dirent	*de;
	DIR		*dir;
	char		 name[256];
	size_t		 n;
	int		 count = 0, bad = 0;

	dir = opendir(DIR_NAME);
	if (dir == NULL)
		fail_msg("run me from the top of the tree");
	while ((de = readdir(dir)) != NULL) {
		n = strlen(de->d_name);
		if (n < 5 || strcmp(de->d_name + n - 4, ".req") != 0)
			continue;
		snprintf(name, sizeof(name), "%.*s", (int)n - 4, de->d_name);
		bad += vector(name);
		count++;
	}
	closedir(dir);
	assert_int_equal(bad, 0);
	assert_true(count >= 60);
}

static enum http_result
head(struct http_head *h, char *buf, size_t size, const char *s)
{
	size_t	 used;

	http_init(h, buf, size);
	return http_feed(h, s, strlen(s), &used);
}

static void
parts(void **state)
{
	struct http_head	 h;
	char			 buf[512];

	assert_int_equal(head(&h, buf, sizeof(buf),
	    "PUT /a%2Fb?x=1&y=?z HTTP/1.1\r\nHOST: h\r\nX-Empty:\r\n"
	    "X-Value: \t one two \t\r\nContent-Length: 0042\r\n"
	    "Expect: 100-Continue\r\nConnection: Close\r\n\r\n"), HTTP_DONE);
	assert_string_equal(h.method, "PUT");
	assert_string_equal(h.path, "/a%2Fb");
	assert_string_equal(h.query, "x=1&y=?z");
	assert_int_equal(h.nfields, 6);
	assert_string_equal(http_get(&h, "host"), "h");
	assert_string_equal(http_get(&h, "x-empty"), "");
	assert_string_equal(http_get(&h, "x-value"), "one two");
	assert_null(http_get(&h, "x-other"));
	assert_int_equal(h.length, 42);
	assert_int_equal(h.chunked, 0);
	assert_int_equal(h.expect, 1);
	assert_int_equal(h.close, 1);

	assert_int_equal(head(&h, buf, sizeof(buf),
	    "GET / HTTP/1.1\r\nHost: h\r\nConnection: keep-alive\r\n\r\n"),
	    HTTP_DONE);
	assert_null(h.query);
	assert_int_equal(h.length, -1);
	assert_int_equal(h.close, 0);
	assert_int_equal(h.expect, 0);
}

/* The limit is a limit of bytes: the last one allowed is accepted. */
static void
limit(void **state)
{
	static const char	 req[] = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
	struct http_head	 h;
	char			*buf;
	size_t			 len = sizeof(req) - 1, size;

	for (size = 1; size <= len; size++) {
		buf = malloc(size);
		assert_non_null(buf);
		if (size == len)
			assert_int_equal(head(&h, buf, size, req), HTTP_DONE);
		else {
			assert_int_equal(head(&h, buf, size, req), HTTP_BAD);
			assert_int_equal(h.status, 431);
		}
		free(buf);
	}
}

static void
no_body(void **state)
{
	struct http_head	 h;
	struct http_body	 b;
	char			 buf[256];
	const char		*data;
	size_t			 used, len;

	assert_int_equal(head(&h, buf, sizeof(buf),
	    "GET / HTTP/1.1\r\nHost: h\r\n\r\n"), HTTP_DONE);
	http_body_init(&b, &h, 0);
	assert_int_equal(http_body_feed(&b, "x", 1, &used, &data, &len),
	    HTTP_DONE);
	assert_int_equal(used, 0);
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test(vectors),
		cmocka_unit_test(parts),
		cmocka_unit_test(limit),
		cmocka_unit_test(no_body)
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
