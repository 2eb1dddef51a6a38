/*
 * Our reading of requests against llhttp's: what we accept it must accept,
 * with the same method, target, fields, body and end.  What we refuse it may
 * accept.  With LLHTTP_DUMP=file in the environment what we accept is
 * written there as well, for another llhttp (llhttp/batch.js).
 *
 * Only methods that both know are compared, and nothing behind a request
 * that closes or upgrades the connection.
 */
/* LINK: updaterd/net/http.o updaterd/net/body.o */
/* ORACLE: llhttp */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "http.h"
#include "llhttp.h"

#define HEAD_SIZE	8192
#define BODY_MAX	(1024 * 1024)
#define MESSAGES_MAX	8
#define TEXT_MAX	16384		/* bytes of a body that are kept */

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

struct span {
	const char	*at;
	size_t		 len;
};
struct message {
	char		 method[HTTP_METHOD_MAX + 1];
	struct span	 target;
	struct span	 name[HTTP_FIELDS_MAX], value[HTTP_FIELDS_MAX];
	unsigned int	 nfields;
	char		 body[TEXT_MAX];
	size_t		 len;
	int		 head;		/* complete */
	int		 done;		/* body, too */
	/* ours only */
	struct http_head h;
	char		 buf[HEAD_SIZE];
	char		 full[HEAD_SIZE];	/* target with its query */
};
struct run {
	struct message	 m[MESSAGES_MAX];
	unsigned int	 n;
};
static struct run	 ours, theirs;

/* Both know these, and treat them alike. */
static int
is_common(const char *method)
{
	static const char *const methods[] = { "GET", "HEAD", "POST", "PUT",
	    "DELETE", "OPTIONS", "PATCH" };
	size_t	 i;

	for (i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
		if (strcmp(methods[i], method) == 0)
			return 1;
	return 0;
}

static struct span
span(const char *s)
{
	struct span	 sp;

	sp.at = s;
	sp.len = strlen(s);
	return sp;
}

static void
keep_head(struct message *m)
{
	const struct http_head	*h = &m->h;
	unsigned int		 i;

	snprintf(m->method, sizeof(m->method), "%s", h->method);
	snprintf(m->full, sizeof(m->full), "%s%s%s", h->path,
	    h->query != NULL ? "?" : "", h->query != NULL ? h->query : "");
	m->target = span(m->full);
	m->nfields = h->nfields;
	for (i = 0; i < h->nfields; i++) {
		m->name[i] = span(h->field[i].name);
		m->value[i] = span(h->field[i].value);
	}
	m->head = 1;
}

static void
keep_body(struct message *m, const char *data, size_t len)
{
	if (len > sizeof(m->body) - m->len)
		len = sizeof(m->body) - m->len;
	memcpy(m->body + m->len, data, len);
	m->len += len;
}

/* 1 if it is complete, 0 more is needed, -1 refused. */
static int
read_message(struct message *m, const char **p, size_t *n)
{
	struct http_body	 b;
	enum http_result	 r;
	const char		*data;
	size_t			 used, len;

	m->nfields = 0;
	m->len = 0;
	m->head = m->done = 0;
	http_init(&m->h, m->buf, sizeof(m->buf));
	r = http_feed(&m->h, *p, *n, &used);
	*p += used;
	*n -= used;
	if (r != HTTP_DONE)
		return r == HTTP_MORE ? 0 : -1;
	keep_head(m);
	http_body_init(&b, &m->h, BODY_MAX);
	while ((r = http_body_feed(&b, *p, *n, &used, &data, &len)) ==
	    HTTP_DATA) {
		keep_body(m, data, len);
		*p += used;
		*n -= used;
	}
	*p += used;
	*n -= used;
	m->done = r == HTTP_DONE;
	return m->done ? 1 : r == HTTP_MORE ? 0 : -1;
}

/*
 * What llhttp 1.0.1 reads otherwise and later ones, which are compared with
 * in the batch, read as we do: the byte 0xff in a value is refused, and of a
 * Connection whose value ends in "keep" a part is lost.
 */
static int
has_quirk(const struct message *m)
{
	const struct span	*v;
	unsigned int		 i;

	for (i = 0; i < m->nfields; i++) {
		v = &m->value[i];
		if (memchr(v->at, 0xff, v->len) != NULL)
			return 1;
		if (strcasecmp(m->name[i].at, "connection") == 0 &&
		    v->len >= 4 &&
		    strncasecmp(v->at + v->len - 4, "keep", 4) == 0)
			return 1;
	}
	return 0;
}

static int
upgrades(const struct http_head *h)
{
	return http_get(h, "upgrade") != NULL;
}

/* Bytes of the input that we accept. */
static size_t
read_ours(const char *data, size_t len)
{
	const char	*p = data;
	size_t		 n = len, good = 0;
	int		 r;

	ours.n = 0;
	while (n > 0 && ours.n < MESSAGES_MAX) {
		struct message	*m = &ours.m[ours.n];

		r = read_message(m, &p, &n);
		if (r == -1 || !m->head || !is_common(m->method))
			break;
		ours.n++;
		good = (size_t)(p - data);
		if (r == 0 || m->h.close || upgrades(&m->h))
			break;
	}
	return good;
}

/* --- llhttp ---------------------------------------------------------- */

static struct message *
current(void)
{
	if (theirs.n == 0)
		abort();
	return &theirs.m[theirs.n - 1];
}

static int
on_begin(llhttp_t *p)
{
	struct message	*m;

	if (theirs.n == MESSAGES_MAX)
		return -1;
	m = &theirs.m[theirs.n++];
	m->nfields = 0;
	m->len = 0;
	m->head = m->done = 0;
	m->target.len = 0;
	return 0;
}

static int
on_url(llhttp_t *p, const char *at, size_t len)
{
	current()->target.at = at;
	current()->target.len = len;
	return 0;
}

static int
on_field(llhttp_t *p, const char *at, size_t len)
{
	struct message	*m = current();

	if (m->nfields == HTTP_FIELDS_MAX)
		return -1;
	m->name[m->nfields].at = at;
	m->name[m->nfields].len = len;
	m->value[m->nfields].at = at;
	m->value[m->nfields].len = 0;
	m->nfields++;
	return 0;
}

/* A value may come in pieces, also out of one buffer. */
static int
on_value(llhttp_t *p, const char *at, size_t len)
{
	struct message	*m = current();
	struct span	*v;

	if (m->nfields == 0)
		abort();
	v = &m->value[m->nfields - 1];
	if (v->len == 0)
		v->at = at;
	v->len = (size_t)(at + len - v->at);
	return 0;
}

/* It leaves the blanks behind a value. */
static void
trim(struct span *v)
{
	while (v->len > 0 && (v->at[v->len - 1] == ' ' ||
	    v->at[v->len - 1] == '\t'))
		v->len--;
}

static int
on_head(llhttp_t *p)
{
#define XX(num, name, string)	[num] = #string,
	static const char *const names[] = { HTTP_METHOD_MAP(XX) };
#undef XX
	struct message	*m = current();

	m->head = 1;
	snprintf(m->method, sizeof(m->method), "%s", names[p->method]);
	return 0;
}

static int
on_body(llhttp_t *p, const char *at, size_t len)
{
	keep_body(current(), at, len);
	return 0;
}

static int
on_done(llhttp_t *p)
{
	current()->done = 1;
	return 0;
}

/* --- both ------------------------------------------------------------ */

static void
say(const char *what, const char *data, size_t len)
{
	fprintf(stderr, "differs: %s\n", what);
	fwrite(data, 1, len, stderr);
	abort();
}

static int
same(const struct span *a, const struct span *b, int any_case)
{
	return a->len == b->len && (any_case ?
	    strncasecmp(a->at, b->at, a->len) :
	    memcmp(a->at, b->at, a->len)) == 0;
}

static void
compare(const struct message *a, struct message *b, int upgrade,
    const char *data, size_t len)
{
	unsigned int	 i;

	if (!b->head)
		say("head", data, len);
	if (strcmp(a->method, b->method) != 0)
		say("method", data, len);
	if (!same(&a->target, &b->target, 0))
		say("target", data, len);
	if (a->nfields != b->nfields)
		say("number of fields", data, len);
	for (i = 0; i < a->nfields; i++) {
		trim(&b->value[i]);
		if (!same(&a->name[i], &b->name[i], 1) ||
		    !same(&a->value[i], &b->value[i], 0))
			say("field", data, len);
	}
	if (upgrade)
		return;
	if (a->done != b->done)
		say("end", data, len);
	if (a->len != b->len || memcmp(a->body, b->body, a->len) != 0)
		say("body", data, len);
}

static void
hex(FILE *fp, const char *s, size_t len)
{
	while (len-- > 0)
		fprintf(fp, "%02x", (unsigned char)*s++);
}

static void
dump(const char *data, size_t len)
{
	static FILE	*fp;
	const char	*path;
	unsigned int	 i, k;

	if ((path = getenv("LLHTTP_DUMP")) == NULL || ours.n == 0)
		return;
	if (fp == NULL && (fp = fopen(path, "a")) == NULL)
		abort();
	hex(fp, data, len);
	fputs("\t[", fp);
	for (i = 0; i < ours.n; i++) {
		const struct message	*m = &ours.m[i];

		fprintf(fp, "%s[\"%s\",\"", i > 0 ? "," : "", m->method);
		hex(fp, m->target.at, m->target.len);
		fputs("\",[", fp);
		for (k = 0; k < m->nfields; k++) {
			fprintf(fp, "%s[\"", k > 0 ? "," : "");
			hex(fp, m->name[k].at, m->name[k].len);
			fputs("\",\"", fp);
			hex(fp, m->value[k].at, m->value[k].len);
			fputs("\"]", fp);
		}
		fputs("],\"", fp);
		hex(fp, m->body, m->len);
		fprintf(fp, "\",%s]", m->done ? "true" : "false");
	}
	fputs("]\n", fp);
	fflush(fp);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static llhttp_settings_t	 settings;
	llhttp_t			 parser;
	llhttp_errno_t			 r;
	const char			*p = (const char *)data;
	unsigned int			 i;
	int				 upgrade;

	if ((len = read_ours(p, len)) == 0)
		return 0;
	dump(p, len);
	for (i = 0; i < ours.n; i++)
		if (has_quirk(&ours.m[i]))
			return 0;
	llhttp_settings_init(&settings);
	settings.on_message_begin = on_begin;
	settings.on_url = on_url;
	settings.on_header_field = on_field;
	settings.on_header_value = on_value;
	settings.on_headers_complete = on_head;
	settings.on_body = on_body;
	settings.on_message_complete = on_done;
	llhttp_init(&parser, HTTP_REQUEST, &settings);
	theirs.n = 0;
	r = llhttp_execute(&parser, p, len);
	upgrade = r == HPE_PAUSED_UPGRADE;
	if (r != HPE_OK && !upgrade)
		say(parser.reason != NULL ? parser.reason : "refused", p, len);
	if (theirs.n < ours.n || (!upgrade && theirs.n != ours.n))
		say("number of requests", p, len);
	for (i = 0; i < ours.n; i++)
		compare(&ours.m[i], &theirs.m[i], upgrade, p, len);
	return 0;
}
