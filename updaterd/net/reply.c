/*
 * Answers.  One is put together in c->out and sent by conn.c; after it the
 * connection takes the next request, or lingers if c->close is set.
 *
 * An update asked for with Accept: application/x-ndjson is answered by a
 * stream of events in chunks (c->stream): 200 goes out when the upload may
 * begin, and whatever ends the request becomes the last event.
 */
#include <sys/types.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "json.h"
#include "log.h"
#include "net.h"
#include "route.h"

#define REPLY_TEXT	1024	/* bytes of an error text */
#define EVENTS_MAX	65536	/* bytes of events waiting for a client */
#define BUSY_S		2	/* seconds, in an answer of 423 */

static const struct {
	int		 status;
	const char	*phrase;
} phrases[] = {
	{ 200, "OK" },
	{ 400, "Bad Request" },
	{ 403, "Forbidden" },
	{ 404, "Not Found" },
	{ 405, "Method Not Allowed" },
	{ 408, "Request Timeout" },
	{ 409, "Conflict" },
	{ 411, "Length Required" },
	{ 413, "Content Too Large" },
	{ 415, "Unsupported Media Type" },
	{ 417, "Expectation Failed" },
	{ 422, "Unprocessable Content" },
	{ 423, "Locked" },
	{ 431, "Request Header Fields Too Large" },
	{ 500, "Internal Server Error" },
	{ 501, "Not Implemented" },
	{ 503, "Service Unavailable" },
	{ 505, "HTTP Version Not Supported" },
	{ 507, "Insufficient Storage" }
};

static const char *
phrase(int status)
{
	size_t	 i;

	for (i = 0; i < sizeof(phrases) / sizeof(phrases[0]); i++)
		if (phrases[i].status == status)
			return phrases[i].phrase;
	return "Status";
}

/* Without memory for an answer there is no answer. */
static void
out_of_memory(struct conn *c)
{
	log_warn("cannot answer %s", c->caller.address);
	conn_kill(c);
}

/* A head; length -1: chunked. */
static int
add_head(struct conn *c, int status, const char *type, int64_t length,
    const char *allow)
{
	int	 r = 0;

	r |= buf_printf(&c->out, "HTTP/1.1 %d %s\r\nContent-Type: %s\r\n",
	    status, phrase(status), type);
	if (length == -1)
		r |= buf_printf(&c->out, "Transfer-Encoding: chunked\r\n");
	else
		r |= buf_printf(&c->out, "Content-Length: %lld\r\n",
		    (long long)length);
	if (status == 423)
		r |= buf_printf(&c->out, "Retry-After: %d\r\n", BUSY_S);
	if (allow != NULL)
		r |= buf_printf(&c->out, "Allow: %s\r\n", allow);
	if (c->close)
		r |= buf_printf(&c->out, "Connection: close\r\n");
	r |= buf_printf(&c->out, "Cache-Control: no-store\r\n\r\n");
	return r == 0 ? 0 : -1;
}

/* One event as one chunk; the text is one line without its end. */
static int
add_chunk(struct conn *c, const struct buf *line)
{
	int	 r = 0;

	r |= buf_printf(&c->out, "%zx\r\n", line->len + 1);
	r |= buf_add(&c->out, line->data, line->len);
	r |= buf_add(&c->out, "\n\r\n", 3);
	return r == 0 ? 0 : -1;
}

static int
add_done(struct conn *c, int status, const char *body, size_t len)
{
	struct buf	 line = { NULL, 0, 0 };
	int		 r = 0;

	r |= buf_printf(&line, "{\"event\":\"done\",\"status\":%d,\"body\":",
	    status);
	r |= jsontext_oneline(&line, body, len);
	r |= buf_add(&line, "}", 1);
	if (r == 0)
		r |= add_chunk(c, &line);
	r |= buf_add(&c->out, "0\r\n\r\n", 5);
	buf_free(&line);
	return r == 0 ? 0 : -1;
}

static void
count(struct conn *c, int status)
{
	c->net->count[status < 300 ? NETCOUNT_2XX : status < 500 ?
	    NETCOUNT_4XX : NETCOUNT_5XX]++;
}

/* Everything is JSON, but what Prometheus reads. */
static const char *
content_type(const struct conn *c, int status)
{
	if (status == 200 && c->route != NULL && c->route->op == OP_METRICS)
		return "text/plain; version=0.0.4; charset=utf-8";
	return "application/json";
}

static void
send_text(struct conn *c, int status, const char *body, size_t len,
    const char *allow)
{
	int	 r = 0;

	if (c->state == CONN_DEAD)
		return;
	if (c->stream)
		r = add_done(c, status, body, len);
	else {
		r |= add_head(c, status, content_type(c, status),
		    (int64_t)len, allow);
		r |= buf_add(&c->out, body, len);
	}
	c->stream = 0;
	count(c, status);
	log_debug("answer %s \"%s\" %s %s: %d", c->caller.address,
	    c->caller.subject,
	    c->head != NULL && c->route != NULL ? c->head->method : "-",
	    c->head != NULL && c->route != NULL ? c->head->path : "-",
	    status);
	if (r != 0)
		out_of_memory(c);
	else
		conn_setstate(c, CONN_SEND);
}

void
reply_send(struct conn *c, int status, const char *body, size_t len)
{
	send_text(c, status, body, len, NULL);
}

static void
send_detail(struct conn *c, int status, const char *text, const char *allow)
{
	struct buf	 b = { NULL, 0, 0 };

	if (jsontext_detail(&b, text) == -1)
		out_of_memory(c);
	else
		send_text(c, status, b.data, b.len, allow);
	buf_free(&b);
}

void
reply_error(struct conn *c, int status, int end, const char *fmt, ...)
{
	char	 text[REPLY_TEXT];
	va_list	 ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (end)
		c->close = 1;
	send_detail(c, status, text, NULL);
}

void
reply_method(struct conn *c, const char *allow)
{
	send_detail(c, 405, "method not allowed", allow);
}

void
reply_file(struct conn *c, int fd, uint64_t size, const char *type)
{
	if (size > INT64_MAX || add_head(c, 200, type, (int64_t)size,
	    NULL) == -1) {
		close(fd);
		out_of_memory(c);
		return;
	}
	count(c, 200);
	c->file = fd;
	c->file_left = size;
	conn_setstate(c, CONN_SEND);
}

int
reply_more(struct conn *c)
{
	size_t	 want = sizeof(c->net->rbuf);
	ssize_t	 n;

	if (want > c->file_left)
		want = (size_t)c->file_left;
	do
		n = read(c->file, c->net->rbuf, want);
	while (n == -1 && errno == EINTR);
	/* Shorter than announced: all that is left is to break off. */
	if (n <= 0) {
		log_warnx("file for %s ends early", c->caller.address);
		return -1;
	}
	if (buf_add(&c->out, c->net->rbuf, (size_t)n) == -1)
		return -1;
	c->file_left -= (uint64_t)n;
	if (c->file_left == 0) {
		close(c->file);
		c->file = -1;
	}
	return 0;
}

void
reply_continue(struct conn *c)
{
	if (buf_printf(&c->out, "HTTP/1.1 100 Continue\r\n\r\n") == -1)
		out_of_memory(c);
}

void
reply_stream(struct conn *c)
{
	if (add_head(c, 200, "application/x-ndjson", -1, NULL) == -1)
		out_of_memory(c);
	else
		c->stream = 1;
}

void
reply_event(struct conn *c, const char *event, uint64_t bytes)
{
	struct buf	 line = { NULL, 0, 0 };
	int		 r = 0;

	/* A client that does not read misses events, never the last. */
	if (!c->stream || c->out.len - c->outpos > EVENTS_MAX)
		return;
	r |= buf_add(&line, "{\"event\":", 9);
	r |= jsontext_string(&line, event, strlen(event));
	r |= buf_printf(&line, ",\"bytes\":%llu}", (unsigned long long)bytes);
	if (r != 0 || add_chunk(c, &line) == -1)
		out_of_memory(c);
	buf_free(&line);
}
