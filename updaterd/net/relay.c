/*
 * The body of an update: out of the framing and, for a form, the multipart
 * parser into the pipe that the parent made, hashed on the way.  Nothing is
 * kept but what one read brought while the pipe was full, and the client is
 * not read until the pipe has taken it.
 *
 * Too slow is what the client makes us wait: the clock stands still while
 * the pipe is full.
 */
#include <sys/types.h>
#include <sys/time.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "upload.h"

#define TICK_MS		1000	/* how often speed is looked at */
#define WINDOW_MS	10000	/* over which it is averaged */
#define EVENT_MS	250	/* between two "receiving" events, */
#define EVENT_BYTES	(8 * 1024 * 1024)	/* or so many bytes */

static void	writable(int, short, void *);

static void
out_of_memory(struct conn *c)
{
	upload_refuse(c, UPD_EIO, 503, "out of memory");
}

/* --- speed ---------------------------------------------------------- */

int
upload_reading(struct conn *c)
{
	return c->up->phase == UP_BODY && c->up->pend.len == 0;
}

/* Account for the time since the last look. */
static void
clock_update(struct conn *c)
{
	struct upload	*u = c->up;
	uint64_t	 now = time_mono_ms();

	if (u->waiting) {
		u->idle_ms += now - u->mark;
		u->window_ms += now - u->mark;
	}
	u->mark = now;
	u->waiting = upload_reading(c);
}

void
upload_timeout(struct conn *c)
{
	const struct msg_net_conf	*conf = &c->net->conf->c;
	struct upload			*u = c->up;

	if (u->phase != UP_BODY)
		return;
	clock_update(c);
	if (u->idle_ms >= (uint64_t)conf->idle * 1000) {
		upload_refuse(c, UPD_ETIMEOUT, 408, "no bytes for %u seconds",
		    conf->idle);
		return;
	}
	if (u->window_ms >= WINDOW_MS) {
		if (u->window_bytes * 1000 < conf->rate * u->window_ms) {
			upload_refuse(c, UPD_ETIMEOUT, 408,
			    "less than %llu bytes a second",
			    (unsigned long long)conf->rate);
			return;
		}
		u->window_ms = u->window_bytes = 0;
	}
	conn_timer(c, TICK_MS);
}

void
relay_begin(struct conn *c)
{
	struct upload	*u = c->up;

	u->phase = UP_BODY;
	u->mark = u->event_ms = time_mono_ms();
	u->waiting = 1;
	conn_timer(c, TICK_MS);
}

/* --- the pipe ------------------------------------------------------- */

void
relay_close(struct upload *u)
{
	if (u->armed)
		event_del(&u->ev);
	u->armed = 0;
	if (u->pipe != -1)
		close(u->pipe);
	u->pipe = -1;
	buf_free(&u->pend);
	u->pendpos = 0;
}

/* The reader has gone: it will tell the parent why, the parent us. */
static void
pipe_broken(struct conn *c)
{
	c->up->stopped = 1;
	relay_close(c->up);
}

static void
pipe_write(struct conn *c, const char *data, size_t len)
{
	struct upload	*u = c->up;
	ssize_t		 n;

	while (len > 0 && u->pend.len == 0) {
		if ((n = write(u->pipe, data, len)) >= 0) {
			data += n;
			len -= (size_t)n;
		} else if (errno == EPIPE) {
			pipe_broken(c);
			return;
		} else if (errno == EAGAIN)
			break;
		else if (errno != EINTR) {
			upload_refuse(c, UPD_EIO, 500,
			    "cannot write to pipe: %s", strerror(errno));
			return;
		}
	}
	if (len == 0)
		return;
	if (buf_add(&u->pend, data, len) == -1) {
		out_of_memory(c);
		return;
	}
	if (u->armed)
		return;
	event_set(&u->ev, u->pipe, EV_WRITE, writable, c);
	if (event_add(&u->ev, NULL) == -1)
		fatal("cannot watch pipe");
	u->armed = 1;
}

static void
writable(int fd, short event, void *arg)
{
	struct conn	*c = arg;
	struct upload	*u = c->up;
	struct buf	 b = u->pend;
	size_t		 pos = u->pendpos;
	ssize_t		 n;

	u->armed = 0;
	clock_update(c);
	n = write(u->pipe, b.data + pos, b.len - pos);
	if (n == -1 && errno == EPIPE)
		pipe_broken(c);
	else if (n == -1 && errno != EAGAIN && errno != EINTR)
		upload_refuse(c, UPD_EIO, 500, "cannot write to pipe: %s",
		    strerror(errno));
	else if ((u->pendpos += n > 0 ? (size_t)n : 0) < b.len) {
		if (event_add(&u->ev, NULL) == -1)
			fatal("cannot watch pipe");
		u->armed = 1;
		return;
	} else {
		buf_free(&u->pend);
		u->pendpos = 0;
	}
	clock_update(c);
	if (u->phase == UP_FLUSH)
		relay_end(c);
	conn_run(c);
}

/* --- the body ------------------------------------------------------- */

static void
archive(struct conn *c, const char *data, size_t len)
{
	struct upload	*u = c->up;

	u->bytes += len;
	if (EVP_DigestUpdate(u->md, data, len) != 1)
		upload_refuse(c, UPD_EIO, 500, "cannot hash the archive");
	else
		pipe_write(c, data, len);
}

static void
take_field(struct conn *c)
{
	struct upload	*u = c->up;
	char		 text[UPD_TEXT_SIZE];
	enum upd_error	 error;

	error = option_set(&u->opt, u->mp->name, u->mp->value, text,
	    sizeof(text));
	if (error != UPD_OK)
		upload_refuse(c, error, upd_httpstatus(error), "%s", text);
}

static void
take_form(struct conn *c, const char *data, size_t len)
{
	struct upload	*u = c->up;
	const char	*p;
	size_t		 used, n;

	while (u->phase == UP_BODY && !u->stopped) {
		switch (mp_feed(u->mp, data, len, &used, &p, &n)) {
		case MP_FIELD:
			take_field(c);
			break;
		case MP_FILE:
			if (u->has_file++)
				upload_refuse(c, UPD_EBADREQ, 400,
				    "field \"tarball\" given twice");
			break;
		case MP_DATA:
			archive(c, p, n);
			break;
		case MP_FILE_END:
			break;
		case MP_BAD:
			upload_refuse(c, UPD_EBADREQ, 400, "multipart: %s",
			    u->mp->why);
			return;
		case MP_MORE:
			return;
		}
		data += used;
		len -= used;
	}
}

void
relay_end(struct conn *c)
{
	struct upload	*u = c->up;

	if (u->held) {
		u->phase = UP_OVER;
		reply_send(c, u->held, c->reply.data, c->reply.len);
	} else if (u->stopped) {
		u->phase = UP_OVER;
		conn_setstate(c, CONN_WAIT);
	} else if (u->pend.len > 0)
		u->phase = UP_FLUSH;
	else
		upload_done(c);
}

static void
body_complete(struct conn *c)
{
	struct upload	*u = c->up;
	const char	*lacks;

	if (!u->stopped && !u->held) {
		if (u->mp != NULL && mp_finish(u->mp) == -1) {
			upload_refuse(c, UPD_EBADREQ, 400, "multipart: %s",
			    u->mp->why);
			return;
		}
		if (u->mp != NULL && !u->has_file) {
			upload_refuse(c, UPD_EBADREQ, 400,
			    "field \"tarball\" is missing");
			return;
		}
		if (!upload_may_downgrade(c)) {
			upload_refuse(c, UPD_EFORBIDDEN,
			    upd_httpstatus(UPD_EFORBIDDEN), UPLOAD_DOWNGRADE);
			return;
		}
		if ((lacks = upload_unconfirmed(c)) != NULL) {
			upload_refuse(c, UPD_EBADREQ, 400, "%s", lacks);
			return;
		}
		if (!upload_has_sha256(c)) {
			upload_refuse(c, UPD_EBADREQ, 400,
			    "sha256 is required");
			return;
		}
	}
	relay_end(c);
}

static void
progress(struct conn *c)
{
	struct upload	*u = c->up;

	if (!c->stream || (u->mark - u->event_ms < EVENT_MS &&
	    u->bytes - u->event_bytes < EVENT_BYTES))
		return;
	u->event_ms = u->mark;
	u->event_bytes = u->bytes;
	reply_event(c, "receiving", u->bytes);
}

size_t
upload_input(struct conn *c, const char *data, size_t len)
{
	struct upload	*u = c->up;
	const char	*p;
	size_t		 used = 0, n, k;

	clock_update(c);
	u->window_bytes += len;
	u->idle_ms = 0;
	while (c->state == CONN_UPLOAD && u->phase == UP_BODY) {
		switch (http_body_feed(&c->body, data + used, len - used, &n,
		    &p, &k)) {
		case HTTP_DATA:
			if (u->stopped || u->held)
				break;
			if (u->mp != NULL)
				take_form(c, p, k);
			else
				archive(c, p, k);
			break;
		case HTTP_DONE:
			body_complete(c);
			break;
		case HTTP_BAD:
			upload_refuse(c, c->body.status == 413 ? UPD_EBODY :
			    UPD_EBADREQ, c->body.status, "%s", c->body.why);
			break;
		case HTTP_MORE:
			progress(c);
			clock_update(c);
			return used + n;
		}
		used += n;
	}
	return used;
}

void
upload_eof(struct conn *c)
{
	upload_refuse(c, UPD_EABORTED, 400,
	    "request body ends after %llu bytes",
	    (unsigned long long)c->body.total);
}

