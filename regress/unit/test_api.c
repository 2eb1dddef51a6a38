/*
 * Routes, roles, options of an update, queries and the JSON of answers.
 */
/* LINK: updaterd/net/route.o updaterd/net/option.o updaterd/net/query.o updaterd/net/json.o common/proto.o common/util.o common/compat/imsg.o */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "json.h"
#include "option.h"
#include "query.h"
#include "route.h"

static void
routes(void **state)
{
	static const struct {
		const char		*method, *path;
		enum route_result	 result;
		enum upd_role		 role;
		enum route_kind		 kind;
		enum upd_op		 op;
		const char		*name;	/* or Allow */
	} t[] = {
		{ "GET", "/health", ROUTE_FOUND, ROLE_NONE, ROUTE_OP,
		    OP_HEALTH, "" },
		{ "GET", "/releases", ROUTE_FOUND, ROLE_READ, ROUTE_OP,
		    OP_RELEASES, "" },
		{ "GET", "/status", ROUTE_FOUND, ROLE_READ, ROUTE_OP,
		    OP_STATUS, "" },
		{ "GET", "/manifest", ROUTE_FOUND, ROLE_READ, ROUTE_OP,
		    OP_MANIFEST, "" },
		{ "GET", "/agents", ROUTE_FOUND, ROLE_READ, ROUTE_OP,
		    OP_AGENTS, "" },
		{ "GET", "/agents/web", ROUTE_FOUND, ROLE_READ, ROUTE_OP,
		    OP_AGENTS, "web" },
		{ "GET", "/agents/web/releases", ROUTE_FOUND, ROLE_READ,
		    ROUTE_OP, OP_RELEASES, "web" },
		{ "GET", "/agents/w%65b/manifest", ROUTE_FOUND, ROLE_READ,
		    ROUTE_OP, OP_MANIFEST, "web" },
		{ "GET", "/metrics", ROUTE_FOUND, ROLE_READ, ROUTE_OP,
		    OP_METRICS, "" },
		{ "POST", "/update", ROUTE_FOUND, ROLE_PUSH, ROUTE_UPDATE, 0,
		    "" },
		{ "PUT", "/update", ROUTE_FOUND, ROLE_PUSH, ROUTE_UPDATE, 0,
		    "" },
		{ "PUT", "/agents/a-1_b/update", ROUTE_FOUND, ROLE_PUSH,
		    ROUTE_UPDATE, 0, "a-1_b" },
		{ "POST", "/rollback", ROUTE_FOUND, ROLE_CONTROL, ROUTE_OP,
		    OP_ROLLBACK, "" },
		{ "POST", "/services/a-x.Y/stop", ROUTE_FOUND, ROLE_CONTROL,
		    ROUTE_OP, OP_STOP, "a-x.Y" },
		{ "POST", "/services/a/start", ROUTE_FOUND, ROLE_CONTROL,
		    ROUTE_OP, OP_START, "a" },
		{ "POST", "/services/a/restart", ROUTE_FOUND, ROLE_CONTROL,
		    ROUTE_OP, OP_RESTART, "a" },
		{ "POST", "/confirm", ROUTE_FOUND, ROLE_PUSH, ROUTE_OP,
		    OP_CONFIRM, "" },
		{ "POST", "/agents/a/confirm", ROUTE_FOUND, ROLE_PUSH,
		    ROUTE_OP, OP_CONFIRM, "a" },
		{ "POST", "/update-self", ROUTE_FOUND, ROLE_SELF,
		    ROUTE_SELF, 0, "" },
		{ "PUT", "/update-self", ROUTE_FOUND, ROLE_SELF,
		    ROUTE_SELF, 0, "" },
		{ "DELETE", "/releases", ROUTE_NOMETHOD, 0, 0, 0, "GET" },
		{ "get", "/health", ROUTE_NOMETHOD, 0, 0, 0, "GET" },
		{ "GET", "/update", ROUTE_NOMETHOD, 0, 0, 0, "POST, PUT" },
		{ "GET", "/", ROUTE_NOPATH, 0, 0, 0, "" },
		{ "GET", "/health/", ROUTE_NOPATH, 0, 0, 0, "" },
		{ "GET", "/healthx", ROUTE_NOPATH, 0, 0, 0, "" },
		{ "GET", "//health", ROUTE_NOPATH, 0, 0, 0, "" },
		{ "GET", "/h%65alth", ROUTE_NOPATH, 0, 0, 0, "" },
		{ "GET", "/agents/", ROUTE_NOPATH, 0, 0, 0, "" },
		{ "GET", "/agents/../status", ROUTE_NOPATH, 0, 0, 0, "" },
		{ "GET", "/agents/a%2Fb", ROUTE_NOPATH, 0, 0, 0, "" },
		{ "GET", "/agents/Web", ROUTE_NOPATH, 0, 0, 0, "" },
		{ "GET", "/agents/a%0ab", ROUTE_NOPATH, 0, 0, 0, "" },
		{ "POST", "/services/.a/stop", ROUTE_NOPATH, 0, 0, 0, "" },
		{ "POST", "/services/a/b/stop", ROUTE_NOPATH, 0, 0, 0, "" },
		{ "POST", "/services//stop", ROUTE_NOPATH, 0, 0, 0, "" }
	};
	const struct route	*r;
	char			 name[UPD_INSTANCE_SIZE], allow[64];
	size_t			 i;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		if (route_find(t[i].method, t[i].path, &r, name, allow,
		    sizeof(allow)) != t[i].result)
			fail_msg("%s %s", t[i].method, t[i].path);
		if (t[i].result != ROUTE_FOUND) {
			assert_null(r);
			assert_string_equal(allow, t[i].name);
			continue;
		}
		assert_int_equal(r->role, t[i].role);
		assert_int_equal(r->kind, t[i].kind);
		assert_int_equal(r->op, t[i].op);
		assert_string_equal(name, t[i].name);
	}
}

static void
long_names(void **state)
{
	const struct route	*r;
	char			 path[300], name[UPD_INSTANCE_SIZE], allow[64];

	snprintf(path, sizeof(path), "/services/%0*d/stop",
	    UPD_INSTANCE_SIZE - 1, 1);
	assert_int_equal(route_find("POST", path, &r, name, allow,
	    sizeof(allow)), ROUTE_FOUND);
	assert_int_equal(strlen(name), UPD_INSTANCE_SIZE - 1);
	snprintf(path, sizeof(path), "/services/%0*d/stop",
	    UPD_INSTANCE_SIZE, 1);
	assert_int_equal(route_find("POST", path, &r, name, allow,
	    sizeof(allow)), ROUTE_NOPATH);
	snprintf(path, sizeof(path), "/agents/%0*d", UPD_NAME_SIZE, 1);
	assert_int_equal(route_find("GET", path, &r, name, allow,
	    sizeof(allow)), ROUTE_NOPATH);
}

static void
roles(void **state)
{
	static const struct msg_net_permit	 p[] = {
		{ ROLE_SELF, PERMIT_SUBJECT, "master" },
		{ ROLE_READ, PERMIT_SUBJECT, "monitor" },
		{ ROLE_PUSH, PERMIT_FINGERPRINT, "SHA256:ab" },
		{ ROLE_NONE, PERMIT_SUBJECT, "fired" },
		{ ROLE_CONTROL, PERMIT_SUBJECT, "monitor" },
		{ ROLE_SELF, PERMIT_SUBJECT, "" },
		{ ROLE_SELF, PERMIT_FINGERPRINT, "" }
	};
	size_t	 n = sizeof(p) / sizeof(p[0]);

	assert_int_equal(route_role(p, n, "master", "SHA256:x"), ROLE_SELF);
	assert_int_equal(route_role(p, n, "Master", "SHA256:x"), ROLE_NONE);
	assert_int_equal(route_role(p, n, "master ", "SHA256:x"), ROLE_NONE);
	assert_int_equal(route_role(p, n, "monitor", "SHA256:x"),
	    ROLE_CONTROL);
	assert_int_equal(route_role(p, 2, "monitor", "SHA256:x"), ROLE_READ);
	/* The last match wins, also over a better one before it. */
	assert_int_equal(route_role(p, n, "master", "SHA256:AB"), ROLE_PUSH);
	assert_int_equal(route_role(p, n, "fired", "SHA256:ab"), ROLE_NONE);
	/* Nobody is not everybody. */
	assert_int_equal(route_role(p, n, "", ""), ROLE_NONE);
	assert_int_equal(route_role(p, 0, "master", "SHA256:ab"), ROLE_NONE);
}

static void
options(void **state)
{
	static const char	 hex[] = "0123456789ABCDEFabcdef0123456789"
				    "0123456789abcdef0123456789abcdef";
	struct options		 o;
	char			 why[UPD_TEXT_SIZE], s[200];

	memset(&o, 0, sizeof(o));
	snprintf(s, sizeof(s), "sha=a.b-c_1&sha256=%s&force=1&dry_run=true&"
	    "downgrade=false&confirm=0", hex);
	assert_int_equal(option_query(&o, s, why, sizeof(why)), UPD_OK);
	assert_string_equal(o.sha, "a.b-c_1");
	assert_string_equal(o.sha256, "0123456789abcdefabcdef0123456789"
	    "0123456789abcdef0123456789abcdef");
	assert_int_equal(o.flags, UPDF_FORCE | UPDF_DRY_RUN);
	assert_int_equal(option_set(&o, "sha", "x", why, sizeof(why)),
	    UPD_EBADREQ);
	assert_string_equal(o.sha, "a.b-c_1");

	assert_int_equal(o.confirm_self, 0);
	assert_int_equal(option_set(&o, "confirm_self", "true", why,
	    sizeof(why)), UPD_OK);
	assert_int_equal(o.confirm_self, 1);

	memset(&o, 0, sizeof(o));
	assert_int_equal(option_query(&o, NULL, why, sizeof(why)), UPD_OK);
	assert_int_equal(option_query(&o, "", why, sizeof(why)), UPD_OK);
	assert_int_equal(option_set(&o, "confirm", "86400", why, sizeof(why)),
	    UPD_OK);
	assert_int_equal(o.confirm, 86400);
	assert_int_equal(option_set(&o, "confirm", "1", why, sizeof(why)),
	    UPD_EBADREQ);
	assert_int_equal(o.confirm, 86400);
	assert_int_equal(option_set(&o, "other", "10", why, sizeof(why)),
	    UPD_EBADREQ);
	assert_non_null(strstr(why, "\"other\""));
}

/* What changes updaterd itself needs more than what changes an agent. */
static void
needs(void **state)
{
	static const struct {
		const char	*method, *path;
		enum upd_role	 role;
	} cases[] = {
		{ "GET", "/agents/self/releases", ROLE_READ },
		{ "POST", "/agents/self/rollback", ROLE_SELF },
		{ "POST", "/agents/self/update", ROLE_SELF },
		{ "PUT", "/agents/self/update", ROLE_SELF },
		{ "POST", "/agents/selfish/update", ROLE_PUSH },
		{ "POST", "/agents/default/rollback", ROLE_CONTROL },
		{ "POST", "/services/self/stop", ROLE_CONTROL },
		{ "POST", "/update-self", ROLE_SELF },
		{ "POST", "/update", ROLE_PUSH }
	};
	const struct route	*r;
	char			 name[UPD_INSTANCE_SIZE], allow[64];
	size_t			 i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(route_find(cases[i].method, cases[i].path,
		    &r, name, allow, sizeof(allow)), ROUTE_FOUND);
		assert_int_equal(route_needs(r, name), cases[i].role);
	}
}

static void
bad_options(void **state)
{
	static const char	*const bad[] = {
		"confirm_self=false", "confirm_self=1", "sha=a/b",
		"sha=a%20b", "sha=%00", "sha=%", "sha=%2",
		"sha256=12", "sha256=x123456789abcdefabcdef0123456789"
		    "0123456789abcdef0123456789abcdef",
		"confirm=86401", "confirm=-1", "confirm=", "confirm=1s",
		"confirm=0x1", "dry_run=", "dry_run",
		"confirm=4294967297", "confirm=true", "confirm=%201",
		"force=yes", "force=TRUE", "dry_run=2", "sha=a&sha=",
		"=x", "sha", "sha=a&x=y", "force=true&force=true",
		"sha=012345678901234567890123456789012345678901234567890123456"
		    "789012345678901234567890123456789012345678901234567890123"
		    "456789012345678"
	};
	struct options	 o;
	char		 why[UPD_TEXT_SIZE];
	size_t		 i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		memset(&o, 0, sizeof(o));
		/* A name alone is an empty value: not given. */
		if (strcmp(bad[i], "sha") == 0)
			assert_int_equal(option_query(&o, bad[i], why,
			    sizeof(why)), UPD_OK);
		else if (option_query(&o, bad[i], why, sizeof(why)) !=
		    UPD_EBADREQ)
			fail_msg("%s", bad[i]);
	}
}

static void
queries(void **state)
{
	static const char	 q[] = "&a=1&&b=x+y%2Bz%26&c&d==&";
	const char		*p = q, *end = q + strlen(q);
	char			 name[QUERY_NAME_SIZE], value[QUERY_VALUE_SIZE];
	char			 longest[QUERY_VALUE_SIZE + 8];

	assert_int_equal(query_next(&p, end, name, value), 1);
	assert_string_equal(name, "a");
	assert_string_equal(value, "1");
	assert_int_equal(query_next(&p, end, name, value), 1);
	assert_string_equal(name, "b");
	assert_string_equal(value, "x y+z&");
	assert_int_equal(query_next(&p, end, name, value), 1);
	assert_string_equal(name, "c");
	assert_string_equal(value, "");
	assert_int_equal(query_next(&p, end, name, value), 1);
	assert_string_equal(name, "d");
	assert_string_equal(value, "=");
	assert_int_equal(query_next(&p, end, name, value), 0);

	snprintf(longest, sizeof(longest), "a=%0*d", QUERY_VALUE_SIZE - 1, 1);
	p = longest;
	assert_int_equal(query_next(&p, p + strlen(p), name, value), 1);
	snprintf(longest, sizeof(longest), "a=%0*d", QUERY_VALUE_SIZE, 1);
	p = longest;
	assert_int_equal(query_next(&p, p + strlen(p), name, value), -1);
	snprintf(longest, sizeof(longest), "%0*d=1", QUERY_NAME_SIZE, 1);
	p = longest;
	assert_int_equal(query_next(&p, p + strlen(p), name, value), -1);
}

static void
json_is(const char *s, size_t n, const char *want)
{
	struct buf	 b = { NULL, 0, 0 };

	assert_int_equal(jsontext_string(&b, s, n), 0);
	assert_string_equal(b.data, want);
	buf_free(&b);
}

static void
json(void **state)
{
	struct buf	 b = { NULL, 0, 0 };

	json_is("", 0, "\"\"");
	json_is("a\"\\\n\r\t\x01\x7f/", 9,
	    "\"a\\\"\\\\\\n\\u000d\\u0009\\u0001\\u007f/\"");
	json_is("\0", 1, "\"\\u0000\"");
	json_is("\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", 9,
	    "\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\"");
	/* cut, overlong, surrogate, too large, alone */
	json_is("\xc3", 1, "\"\\ufffd\"");
	json_is("\xc0\x80", 2, "\"\\ufffd\\ufffd\"");
	json_is("\xe0\x80\x80", 3, "\"\\ufffd\\ufffd\\ufffd\"");
	json_is("\xed\xa0\x80", 3, "\"\\ufffd\\ufffd\\ufffd\"");
	json_is("\xf4\x90\x80\x80", 4, "\"\\ufffd\\ufffd\\ufffd\\ufffd\"");
	json_is("\xf0\x80\x80\x80", 4, "\"\\ufffd\\ufffd\\ufffd\\ufffd\"");
	json_is("a\xe2\x82z", 4, "\"a\\ufffd\\ufffdz\"");

	assert_int_equal(jsontext_detail(&b, "no \"x\""), 0);
	assert_string_equal(b.data, "{\"detail\":\"no \\\"x\\\"\"}");
	buf_reset(&b);
	assert_int_equal(jsontext_oneline(&b, "{\n\"a\":1\r\n}", 10), 0);
	assert_string_equal(b.data, "{ \"a\":1  }");
	buf_reset(&b);
	assert_int_equal(jsontext_oneline(&b, "", 0), 0);
	assert_string_equal(b.data, "null");
	buf_free(&b);
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test(routes),
		cmocka_unit_test(long_names),
		cmocka_unit_test(roles),
		cmocka_unit_test(options),
		cmocka_unit_test(needs),
		cmocka_unit_test(bad_options),
		cmocka_unit_test(queries),
		cmocka_unit_test(json)
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
