/*
 * Request heads.
 *
 * One state for each place in the grammar, one step for each byte: that is
 * what makes the verdict independent of how the bytes were split.  Whatever
 * two parsers could read in two ways is refused, because somewhere there
 * may be a second parser: length and chunked together, a field twice, blanks
 * before a colon, folded lines, a CR or LF alone, control bytes, a tab
 * around the value of a field that frames the body (llhttp does not read
 * "chunked" where a tab follows).
 *
 * Invariants: used <= seen <= size; what is stored is NUL-terminated where
 * its field ends, so all strings handed out lie inside buf.  Names are
 * stored in lower case, values without the blanks around them.
 */
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "http.h"

enum head_state {
	HEAD_METHOD,
	HEAD_TARGET_START,
	HEAD_TARGET,
	HEAD_ESCAPE1,
	HEAD_ESCAPE2,
	HEAD_VERSION,
	HEAD_LINE_LF,
	HEAD_FIELD,		/* first byte of a line */
	HEAD_NAME,
	HEAD_BLANK,		/* between colon and value */
	HEAD_VALUE,
	HEAD_VALUE_LF,
	HEAD_END_LF,
	HEAD_DONE,
	HEAD_BAD
};

#define STATUS_BAD	400
#define STATUS_EXPECT	417
#define STATUS_HEADER	431
#define STATUS_VERSION	505

static enum http_result
bad(struct http_head *h, int status, const char *why)
{
	h->state = HEAD_BAD;
	h->status = status;
	h->why = why;
	return HTTP_BAD;
}

int
http_istoken(unsigned char c)
{
	if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
	    (c >= 'a' && c <= 'z'))
		return 1;
	return c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL;
}

/* What may stand in path and query as it is (RFC 3986, 3.3 and 3.4). */
static int
istarget(unsigned char c)
{
	if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
	    (c >= 'a' && c <= 'z'))
		return 1;
	return c != '\0' && strchr("-._~!$&'()*+,;=:@/?", c) != NULL;
}

static int
hexdigit(unsigned char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* seen counts the byte already and used never passes it: always room. */
static void
put(struct http_head *h, unsigned char c)
{
	h->buf[h->used++] = (char)c;
}

void
http_init(struct http_head *h, char *buf, size_t size)
{
	memset(h, 0, sizeof(*h));
	h->buf = buf;
	h->size = size;
	h->length = -1;
	h->state = HEAD_METHOD;
	h->method = buf;
}

const char *
http_get(const struct http_head *h, const char *name)
{
	unsigned int	 i;

	for (i = 0; i < h->nfields; i++)
		if (strcmp(h->field[i].name, name) == 0)
			return h->field[i].value;
	return NULL;
}

static enum http_result
check_version(struct http_head *h)
{
	const char	*v = h->version;

	if (h->version_len != HTTP_VERSION_LEN || memcmp(v, "HTTP/", 5) != 0 ||
	    v[5] < '0' || v[5] > '9' || v[6] != '.' || v[7] < '0' ||
	    v[7] > '9')
		return bad(h, STATUS_BAD, "malformed version");
	if (v[5] != '1' || v[7] != '1')
		return bad(h, STATUS_VERSION, "only HTTP/1.1 is spoken here");
	return HTTP_MORE;
}

/* Digits only: no sign, no blank, no list; at most INT64_MAX. */
static int
parse_length(const char *s, int64_t *length)
{
	int64_t	 n = 0;

	if (*s == '\0')
		return -1;
	for (; *s != '\0'; s++) {
		if (*s < '0' || *s > '9')
			return -1;
		if (n > (INT64_MAX - (*s - '0')) / 10)
			return -1;
		n = n * 10 + (*s - '0');
	}
	*length = n;
	return 0;
}

static int
check_host(const char *s)
{
	if (*s == '\0')
		return -1;
	for (; *s != '\0'; s++)
		if (!istarget((unsigned char)*s) && *s != '[' && *s != ']' &&
		    *s != '%')
			return -1;
		else if (*s == '/' || *s == '?' || *s == '@')
			return -1;
	return 0;
}

/* A comma-separated list of tokens; only "close" means something. */
static int
check_connection(struct http_head *h, const char *s)
{
	size_t	 n;

	for (;;) {
		s += strspn(s, " \t,");
		if (*s == '\0')
			return 0;
		for (n = 0; http_istoken((unsigned char)s[n]); n++)
			continue;
		if (n == 0)
			return -1;
		if (n == 5 && strncasecmp(s, "close", n) == 0)
			h->close = 1;
		s += n;
		s += strspn(s, " \t");
		if (*s != ',' && *s != '\0')
			return -1;
	}
}

/* The head is whole: what only all fields together can tell. */
static enum http_result
finish(struct http_head *h)
{
	unsigned int	 i, host = 0, length = 0, coding = 0, expect = 0;
	unsigned int	 type = 0;
	int		 unknown_expect = 0, tab = 0;

	for (i = 0; i < h->nfields; i++) {
		const char *name = h->field[i].name;
		const char *value = h->field[i].value;
		int	 tabbed = (h->tabbed >> i & 1) != 0;

		if (strcmp(name, "host") == 0) {
			host++;
			if (check_host(value) == -1)
				return bad(h, STATUS_BAD, "malformed host");
		} else if (strcmp(name, "content-length") == 0) {
			length++;
			tab |= tabbed;
			if (parse_length(value, &h->length) == -1)
				return bad(h, STATUS_BAD,
				    "malformed content-length");
		} else if (strcmp(name, "transfer-encoding") == 0) {
			coding++;
			tab |= tabbed;
			if (strcasecmp(value, "chunked") != 0)
				return bad(h, STATUS_BAD,
				    "transfer-encoding other than chunked");
			h->chunked = 1;
		} else if (strcmp(name, "expect") == 0) {
			expect++;
			if (strcasecmp(value, "100-continue") != 0)
				unknown_expect = 1;
			h->expect = 1;
		} else if (strcmp(name, "content-type") == 0) {
			type++;
		} else if (strcmp(name, "connection") == 0) {
			if (check_connection(h, value) == -1)
				return bad(h, STATUS_BAD,
				    "malformed connection field");
		}
	}
	if (host != 1)
		return bad(h, STATUS_BAD, host == 0 ? "no host field" :
		    "more than one host field");
	if (length > 1 || coding > 1 || type > 1 || expect > 1)
		return bad(h, STATUS_BAD,
		    "a field that may come once came twice");
	if (tab)
		return bad(h, STATUS_BAD,
		    "a tab around the value of a framing field");
	if (length > 0 && coding > 0)
		return bad(h, STATUS_BAD,
		    "content-length and transfer-encoding together");
	/* Last, so that a head wrong in two ways has one verdict. */
	if (unknown_expect)
		return bad(h, STATUS_EXPECT, "unknown expectation");
	h->state = HEAD_DONE;
	return HTTP_DONE;
}

static enum http_result
step_target(struct http_head *h, unsigned char c)
{
	int	 d;

	switch (h->state) {
	case HEAD_TARGET_START:
		if (c != '/')
			return bad(h, STATUS_BAD,
			    "target does not start with a slash");
		h->path = h->buf + h->used;
		put(h, c);
		h->state = HEAD_TARGET;
		break;
	case HEAD_TARGET:
		if (c == ' ') {
			put(h, '\0');
			h->state = HEAD_VERSION;
		} else if (c == '%') {
			put(h, c);
			h->state = HEAD_ESCAPE1;
		} else if (c == '?' && h->query == NULL) {
			put(h, '\0');
			h->query = h->buf + h->used;
		} else if (istarget(c))
			put(h, c);
		else
			return bad(h, STATUS_BAD, "bad byte in target");
		break;
	case HEAD_ESCAPE1:
	case HEAD_ESCAPE2:
		if ((d = hexdigit(c)) == -1)
			return bad(h, STATUS_BAD, "malformed percent escape");
		put(h, c);
		if (h->state == HEAD_ESCAPE1) {
			h->escape = d;
			h->state = HEAD_ESCAPE2;
			break;
		}
		if (h->escape == 0 && d == 0)
			return bad(h, STATUS_BAD, "escaped NUL in target");
		h->state = HEAD_TARGET;
		break;
	}
	return HTTP_MORE;
}

static enum http_result
step_line(struct http_head *h, unsigned char c)
{
	switch (h->state) {
	case HEAD_METHOD:
		if (http_istoken(c)) {
			if (h->used == HTTP_METHOD_MAX)
				return bad(h, STATUS_BAD, "method too long");
			put(h, c);
		} else if (c == ' ' && h->used > 0) {
			put(h, '\0');
			h->state = HEAD_TARGET_START;
		} else
			return bad(h, STATUS_BAD, "malformed request line");
		break;
	case HEAD_VERSION:
		if (c == '\r') {
			h->state = HEAD_LINE_LF;
			return check_version(h);
		}
		if (h->version_len == HTTP_VERSION_LEN)
			return bad(h, STATUS_BAD, "malformed version");
		h->version[h->version_len++] = (char)c;
		break;
	case HEAD_LINE_LF:
		if (c != '\n')
			return bad(h, STATUS_BAD, "carriage return alone");
		h->state = HEAD_FIELD;
		break;
	default:
		return step_target(h, c);
	}
	return HTTP_MORE;
}

static enum http_result
step_name(struct http_head *h, unsigned char c)
{
	if (h->state == HEAD_FIELD) {
		if (c == '\r') {
			h->state = HEAD_END_LF;
			return HTTP_MORE;
		}
		if (c == ' ' || c == '\t')
			return bad(h, STATUS_BAD, "folded header line");
		if (!http_istoken(c))
			return bad(h, STATUS_BAD, "malformed field name");
		if (h->nfields == HTTP_FIELDS_MAX)
			return bad(h, STATUS_HEADER, "too many fields");
		h->field[h->nfields].name = h->buf + h->used;
		h->state = HEAD_NAME;
	}
	if (c == ':') {
		put(h, '\0');
		h->field[h->nfields].value = h->buf + h->used;
		h->state = HEAD_BLANK;
	} else if (http_istoken(c))
		put(h, c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
	else
		return bad(h, STATUS_BAD, "malformed field name");
	return HTTP_MORE;
}

static enum http_result
step_value(struct http_head *h, unsigned char c)
{
	size_t	 start;

	if (c == '\r') {
		start = (size_t)(h->field[h->nfields].value - h->buf);
		while (h->used > start && (h->buf[h->used - 1] == ' ' ||
		    h->buf[h->used - 1] == '\t'))
			if (h->buf[--h->used] == '\t')
				h->tabbed |= 1ULL << h->nfields;
		put(h, '\0');
		h->nfields++;
		h->state = HEAD_VALUE_LF;
		return HTTP_MORE;
	}
	if ((c < ' ' && c != '\t') || c == 0x7f)
		return bad(h, STATUS_BAD, "control byte in field value");
	if (h->state == HEAD_BLANK) {
		if (c == '\t')
			h->tabbed |= 1ULL << h->nfields;
		if (c == ' ' || c == '\t')
			return HTTP_MORE;
		h->state = HEAD_VALUE;
	}
	put(h, c);
	return HTTP_MORE;
}

static enum http_result
step(struct http_head *h, unsigned char c)
{
	switch (h->state) {
	case HEAD_FIELD:
	case HEAD_NAME:
		return step_name(h, c);
	case HEAD_BLANK:
	case HEAD_VALUE:
		return step_value(h, c);
	case HEAD_VALUE_LF:
		if (c != '\n')
			return bad(h, STATUS_BAD, "carriage return alone");
		h->state = HEAD_FIELD;
		return HTTP_MORE;
	case HEAD_END_LF:
		if (c != '\n')
			return bad(h, STATUS_BAD, "carriage return alone");
		return finish(h);
	case HEAD_DONE:
		return HTTP_DONE;
	case HEAD_BAD:
		return HTTP_BAD;
	default:
		return step_line(h, c);
	}
}

enum http_result
http_feed(struct http_head *h, const char *data, size_t len, size_t *used)
{
	enum http_result	 r;
	size_t			 i;

	if (h->state == HEAD_DONE || h->state == HEAD_BAD) {
		*used = 0;
		return h->state == HEAD_DONE ? HTTP_DONE : HTTP_BAD;
	}
	for (i = 0; i < len; i++) {
		if (h->seen == h->size) {
			*used = i;
			return bad(h, STATUS_HEADER,
			    "request head over the limit");
		}
		h->seen++;
		if ((r = step(h, (unsigned char)data[i])) != HTTP_MORE) {
			*used = i + 1;
			return r;
		}
	}
	*used = len;
	return HTTP_MORE;
}
