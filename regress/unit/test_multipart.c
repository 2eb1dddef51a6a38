/*
 * multipart/form-data: fields in any order, a file of any bytes, boundaries
 * and what looks like them at any place, and all of it split anywhere.
 */
/* LINK: updaterd/net/multipart.o updaterd/net/http.o */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "multipart.h"

#define OUT_SIZE	8192

/* What came out, as one text: "sha=abc;[bytes of the file];end". */
struct out {
	char	 s[OUT_SIZE];
	size_t	 n;
};

static void
add(struct out *o, const void *p, size_t n)
{
	assert_true(o->n + n < sizeof(o->s));
	memcpy(o->s + o->n, p, n);
	o->n += n;
	o->s[o->n] = '\0';
}

/* 1 go on, 0 refused. */
static int
feed(struct multipart *m, struct out *o, const char *in, size_t n)
{
	const char	*data;
	char		*copy = malloc(n > 0 ? n : 1), *p = copy;
	size_t		 used, len;

	assert_non_null(copy);
	memcpy(copy, in, n);
	for (;;) {
		switch (mp_feed(m, p, n, &used, &data, &len)) {
		case MP_FIELD:
			add(o, m->name, strlen(m->name));
			add(o, "=", 1);
			add(o, m->value, m->value_len);
			add(o, ";", 1);
			break;
		case MP_FILE:
			add(o, "[", 1);
			break;
		case MP_DATA:
			assert_true(len > 0);
			add(o, data, len);
			break;
		case MP_FILE_END:
			add(o, "];", 2);
			break;
		case MP_MORE:
			assert_int_equal(used, n);
			free(copy);
			return 1;
		case MP_BAD:
			assert_non_null(m->why);
			free(copy);
			return 0;
		}
		assert_true(used <= n);
		p += used;
		n -= used;
	}
}

static void
end(struct multipart *m, struct out *o, int good)
{
	if (good && mp_finish(m) == 0)
		add(o, "end", 3);
	else
		add(o, "bad", 3);
}

static void
check_n(const char *boundary, const char *in, size_t n, const char *want,
    size_t want_n)
{
	struct multipart	 m;
	struct out		 o;
	size_t			 k;
	int			 good;

	memset(&o, 0, sizeof(o));
	mp_init(&m, boundary, "tarball");
	end(&m, &o, feed(&m, &o, in, n));
	assert_int_equal(o.n, want_n);
	assert_memory_equal(o.s, want, want_n);

	memset(&o, 0, sizeof(o));
	mp_init(&m, boundary, "tarball");
	for (k = 0, good = 1; k < n && good; k++)
		good = feed(&m, &o, in + k, 1);
	end(&m, &o, good);
	assert_int_equal(o.n, want_n);
	assert_memory_equal(o.s, want, want_n);

	for (k = 0; k <= n; k++) {
		memset(&o, 0, sizeof(o));
		mp_init(&m, boundary, "tarball");
		good = feed(&m, &o, in, k);
		if (good)
			good = feed(&m, &o, in + k, n - k);
		end(&m, &o, good);
		assert_int_equal(o.n, want_n);
		assert_memory_equal(o.s, want, want_n);
	}
}

static void
check(const char *in, const char *want)
{
	check_n("b", in, strlen(in), want, strlen(want));
}

#define FIELD(name)	"Content-Disposition: form-data; name=\"" name \
			"\"\r\n\r\n"
#define FIL		"Content-Disposition: form-data; name=\"tarball\"; " \
			"filename=\"x\"\r\n" \
			"Content-Type: application/gzip\r\n\r\n"

static void
orders(void **state)
{
	check("--b\r\n" FIELD("sha") "abc\r\n--b\r\n" FIL "data\r\n--b--\r\n",
	    "sha=abc;[data];end");
	check("--b\r\n" FIL "data\r\n--b\r\n" FIELD("sha") "abc\r\n--b--",
	    "[data];sha=abc;end");
	check("\r\n--b\r\n" FIELD("a") "\r\n--b\r\n" FIELD("b") "x=y;z"
	    "\r\n--b--\r\n", "a=;b=x=y;z;end");
	check("--b\r\n" FIL "\r\n--b--\r\n", "[];end");
	check("--b--\r\n", "end");
}

/* What looks like a boundary and is none belongs to the file. */
static void
lookalikes(void **state)
{
	static const char	 in[] = "--xxy\r\n" FIL
				    "\r\n--xx\r\n--x\r\n--xxxy\r\n--xxy--";
	static const char	 out[] =
				    "[\r\n--xx\r\n--x\r\n--xxxy];end";

	check("--b\r\n" FIL "\r\r\n\r\r\n-\r\n--\r\n--a\n--b\r--b\r\n--b--",
	    "[\r\r\n\r\r\n-\r\n--\r\n--a\n--b\r--b];end");
	check("--b\r\n" FIL "--b--\r\n--b--", "[--b--];end");
	check("--b\r\n" FIL "\r\n\r\n--b--", "[\r\n];end");
	check_n("xxy", in, sizeof(in) - 1, out, sizeof(out) - 1);
}

static void
binary(void **state)
{
	static const char	 head[] = "--b\r\n" FIL;
	static const char	 tail[] = "\r\n--b--\r\n";
	char			 in[1024], want[1024];
	size_t			 n = 0, w = 0;
	int			 i;

	memcpy(in, head, sizeof(head) - 1);
	n = sizeof(head) - 1;
	want[w++] = '[';
	for (i = 0; i < 512; i++)
		in[n++] = want[w++] = (char)(i * 7);
	memcpy(in + n, tail, sizeof(tail) - 1);
	n += sizeof(tail) - 1;
	memcpy(want + w, "];end", 5);
	check_n("b", in, n, want, w + 5);
}

static void
disposition(void **state)
{
	check("--b\r\nContent-Disposition: form-data; name=sha\r\n\r\nx"
	    "\r\n--b--", "sha=x;end");
	check("--b\r\nCONTENT-DISPOSITION:form-data ; filename*=UTF-8''x ;"
	    "name=\"a\\\"b\"\r\n\r\nx\r\n--b--", "a\"b=x;end");
	check("--b\r\nX-Other: y\r\nContent-Disposition: form-data; "
	    "name=\"tarball\"; filename=\"a;b\\\\\"\r\n\r\nx\r\n--b--",
	    "[x];end");
	check("--b\r\nContent-Transfer-Encoding: binary\r\n" FIL "x\r\n--b--",
	    "[x];end");
}

static void
refused(void **state)
{
	static const char	*const bad[] = {
		"",
		"preamble\r\n--b\r\n" FIELD("a") "x\r\n--b--",
		"--c\r\n" FIELD("a") "x\r\n--b--",
		"--b \r\n" FIELD("a") "x\r\n--b--",
		"--b\n" FIELD("a") "x\r\n--b--",
		"--b-x",
		"--b--x",
		"--b--\r\n\r\n",
		"--b--\n",
		"--b\r\n\r\nx\r\n--b--",
		"--b\r\nX: y\r\n\r\nx\r\n--b--",
		"--b\r\nX y\r\n" FIELD("a") "x\r\n--b--",
		"--b\r\nX : y\r\n" FIELD("a") "x\r\n--b--",
		"--b\r\n: y\r\n" FIELD("a") "x\r\n--b--",
		"--b\r\nX: y\n" FIELD("a") "x\r\n--b--",
		"--b\r\nX: y\rz\r\n" FIELD("a") "x\r\n--b--",
		"--b\r\n X: y\r\n" FIELD("a") "x\r\n--b--",
		"--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b--",
		"--b\r\nContent-Disposition: attachment; name=a\r\n\r\nx"
		    "\r\n--b--",
		"--b\r\nContent-Disposition: form-data; name=\"\"\r\n\r\nx"
		    "\r\n--b--",
		"--b\r\nContent-Disposition: form-data; name=\"a\r\n\r\nx"
		    "\r\n--b--",
		"--b\r\nContent-Disposition: form-data; name=\"a\\\r\n\r\nx"
		    "\r\n--b--",
		"--b\r\nContent-Disposition: form-data; name=a; name=b\r\n"
		    "\r\nx\r\n--b--",
		"--b\r\nContent-Disposition: form-data; name=a b\r\n\r\nx"
		    "\r\n--b--",
		"--b\r\nContent-Disposition: form-data name=a\r\n\r\nx"
		    "\r\n--b--",
		"--b\r\nContent-Disposition: form-data; name=a\r\n"
		    FIELD("a") "x\r\n--b--",
		"--b\r\nContent-Transfer-Encoding: base64\r\n" FIELD("a")
		    "x\r\n--b--"
	};
	size_t	 i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		check(bad[i], "bad");
	check_n("b", "--b\r\n" FIELD("a") "x\0y\r\n--b--",
	    sizeof("--b\r\n" FIELD("a") "x\0y\r\n--b--") - 1, "bad", 3);
	/* Without its end a form is refused, whatever came out before. */
	check("--b\r\n" FIELD("a") "x\r\n--b", "a=x;bad");
	check("--b\r\n" FIL "x\r\n--b\r\n", "[x];bad");
	check("--b\r\n" FIELD("a") "x\r\n--bx", "a=x;bad");
}

static void
limits(void **state)
{
	struct multipart	 m;
	struct out		 o;
	char			 s[OUT_SIZE];
	int			 i, n, good;

	/* a field's value */
	for (n = MP_VALUE_MAX; n <= MP_VALUE_MAX + 1; n++) {
		memset(&o, 0, sizeof(o));
		snprintf(s, sizeof(s), "--b\r\n" FIELD("a") "%0*d\r\n--b--",
		    n, 7);
		mp_init(&m, "b", "tarball");
		assert_int_equal(feed(&m, &o, s, strlen(s)),
		    n == MP_VALUE_MAX);
	}
	/* its name */
	for (n = MP_NAME_MAX; n <= MP_NAME_MAX + 1; n++) {
		memset(&o, 0, sizeof(o));
		snprintf(s, sizeof(s), "--b\r\nContent-Disposition: form-data;"
		    " name=\"%0*d\"\r\n\r\nx\r\n--b--", n, 7);
		mp_init(&m, "b", "tarball");
		assert_int_equal(feed(&m, &o, s, strlen(s)),
		    n == MP_NAME_MAX);
	}
	/* one header line */
	snprintf(s, sizeof(s), "--b\r\nX: %0*d\r\n" FIELD("a") "x\r\n--b--",
	    MP_HEADER_MAX, 7);
	mp_init(&m, "b", "tarball");
	assert_int_equal(feed(&m, &o, s, strlen(s)), 0);
	/* their number */
	for (n = MP_HEADERS_MAX; n <= MP_HEADERS_MAX + 1; n++) {
		memset(&o, 0, sizeof(o));
		strlcpy(s, "--b\r\n", sizeof(s));
		for (i = 1; i < n; i++)
			strlcat(s, "X: y\r\n", sizeof(s));
		strlcat(s, FIELD("a") "x\r\n--b--", sizeof(s));
		mp_init(&m, "b", "tarball");
		assert_int_equal(feed(&m, &o, s, strlen(s)),
		    n == MP_HEADERS_MAX);
	}
	/* the number of parts */
	memset(&o, 0, sizeof(o));
	mp_init(&m, "b", "tarball");
	good = feed(&m, &o, "--b", 3);
	for (i = 0; i < MP_PARTS_MAX; i++) {
		assert_true(good);
		snprintf(s, sizeof(s), "\r\n" FIELD("a") "x\r\n--b");
		good = feed(&m, &o, s, strlen(s));
	}
	assert_true(good);
	assert_false(feed(&m, &o, "\r\n", 2));
}

static void
boundaries(void **state)
{
	static const struct {
		const char	*type;
		int		 r;
		const char	*boundary;
	} t[] = {
		{ "multipart/form-data; boundary=abc", 1, "abc" },
		{ "Multipart/Form-Data;boundary=\"a b'c\"", 1, "a b'c" },
		{ "multipart/form-data; charset=utf-8; Boundary=----x", 1,
		    "----x" },
		{ "multipart/form-data", -1, NULL },
		{ "multipart/form-data;", -1, NULL },
		{ "multipart/form-data; boundary=", -1, NULL },
		{ "multipart/form-data; boundary=\"\"", -1, NULL },
		{ "multipart/form-data; boundary=\"a", -1, NULL },
		{ "multipart/form-data; boundary=\"a \"", -1, NULL },
		{ "multipart/form-data; boundary=a; boundary=b", -1, NULL },
		{ "multipart/form-data; boundary=\"a\\\"b\"", -1, NULL },
		{ "multipart/form-data; boundary=a b", -1, NULL },
		{ "multipart/form-data boundary=a", -1, NULL },
		{ "multipart/form-data; boundary=0123456789012345678901234567"
		    "890123456789012345678901234567890123456789", 1,
		    "0123456789012345678901234567"
		    "890123456789012345678901234567890123456789" },
		{ "multipart/form-data; boundary=0123456789012345678901234567"
		    "8901234567890123456789012345678901234567890", -1, NULL },
		{ "multipart/form-datax; boundary=a", 0, NULL },
		{ "multipart/mixed; boundary=a", 0, NULL },
		{ "application/gzip", 0, NULL },
		{ "", 0, NULL }
	};
	char	 b[MP_BOUNDARY_MAX + 1];
	size_t	 i;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		if (mp_boundary(t[i].type, b) != t[i].r)
			fail_msg("%s", t[i].type);
		if (t[i].r == 1)
			assert_string_equal(b, t[i].boundary);
	}
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test(orders),
		cmocka_unit_test(lookalikes),
		cmocka_unit_test(binary),
		cmocka_unit_test(disposition),
		cmocka_unit_test(refused),
		cmocka_unit_test(limits),
		cmocka_unit_test(boundaries)
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
