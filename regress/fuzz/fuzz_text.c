/*
 * Small parsers and writers of text from outside: queries, options, routes,
 * JSON strings, the mending of UTF-8.  What they make must be what they
 * promise: short enough, without control bytes, JSON that another library
 * reads.
 */
/* LINK: updaterd/net/route.o updaterd/net/option.o updaterd/net/query.o updaterd/net/json.o updaterd/parent/utf8.o common/proto.o common/error.o common/util.o common/compat/imsg.o */
/* LIBS: -ljansson */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "json.h"
#include "option.h"
#include "query.h"
#include "route.h"
#include "parent/utf8.h"

#define INPUT_MAX	4096	/* bytes: longer ones are only slower */

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static int
is_utf8(const char *s, size_t n)
{
	size_t	 i, len;

	for (i = 0; i < n; i += len)
		if ((len = utf8_len(s + i, n - i)) == 0)
			return 0;
	return 1;
}

static void
check_query(const char *s, size_t n)
{
	char		 name[QUERY_NAME_SIZE], value[QUERY_VALUE_SIZE];
	const char	*p = s;
	unsigned int	 turns = 0;

	while (query_next(&p, s + n, name, value) == 1) {
		if (p > s + n || ++turns > n + 1 ||
		    strlen(name) >= sizeof(name) ||
		    strlen(value) >= sizeof(value))
			abort();
	}
}

static void
check_options(const char *s)
{
	struct options	 o;
	char		 text[UPD_TEXT_SIZE];
	enum upd_error	 e;

	memset(&o, 0, sizeof(o));
	text[0] = '\0';
	e = option_query(&o, s, text, sizeof(text));
	if (strlen(text) >= sizeof(text) || (e != UPD_OK && text[0] == '\0'))
		abort();
	if (e != UPD_OK)
		return;
	if (!PROTO_STR(o.sha) || !PROTO_STR(o.sha256) ||
	    (o.sha256[0] != '\0' && !digest_ishex(o.sha256)) ||
	    strspn(o.sha, "0123456789abcdefghijklmnopqrstuvwxyz"
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZ._-") != strlen(o.sha))
		abort();
}

static void
check_route(const char *s)
{
	static const char *const methods[] = { "GET", "POST", "PUT", "X" };
	const struct route	*r;
	char			 name[UPD_INSTANCE_SIZE], allow[64];
	size_t			 i;

	for (i = 0; i < 4; i++) {
		memset(name, 'x', sizeof(name));
		memset(allow, 'x', sizeof(allow));
		if (route_find(methods[i], s, &r, name, allow,
		    sizeof(allow)) == ROUTE_FOUND && (r == NULL ||
		    strchr(name, '/') != NULL))
			abort();
		if (!PROTO_STR(name) || !PROTO_STR(allow))
			abort();
	}
}

static void
check_json(const char *s, size_t n)
{
	struct buf	 b;
	json_t		*j;

	memset(&b, 0, sizeof(b));
	if (jsontext_string(&b, s, n) == -1)
		abort();
	j = json_loadb(b.data, b.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
	if (!json_is_string(j) || !is_utf8(b.data, b.len))
		abort();
	/* what was UTF-8 comes back as it was */
	if (is_utf8(s, n) && (json_string_length(j) != n ||
	    memcmp(json_string_value(j), s, n) != 0))
		abort();
	json_decref(j);
	buf_reset(&b);
	if (utf8_clean(&b, s, n) == -1 || (b.len > 0 &&
	    (!is_utf8(b.data, b.len) || memchr(b.data, '\0', b.len) != NULL)))
		abort();
	buf_free(&b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char	*raw, *s;

	if (len > INPUT_MAX)
		return 0;
	if ((raw = malloc(len > 0 ? len : 1)) == NULL ||
	    (s = strndup((const char *)data, len)) == NULL)
		abort();
	memcpy(raw, data, len);
	check_query(raw, len);
	check_json(raw, len);
	check_options(s);
	check_route(s);
	utf8_mend(s);
	if (!is_utf8(s, strlen(s)))
		abort();
	free(raw);
	free(s);
	return 0;
}
