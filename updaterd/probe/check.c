/*
 * One attempt of a health check, never blocking.
 *
 * States, in this order: CONNECTING (wait for writable, ask SO_ERROR),
 * HANDSHAKE (HTTPS only), SENDING, READING; each ends the attempt or hands
 * on to the next.  One descriptor, one event on it, one timer for the
 * whole attempt.  finish() is the only way out: it releases all that
 * belongs to the attempt before it calls done, so done may start the next.
 *
 * libtls works on our descriptor through callbacks: so its context can be
 * built before there is a connection, while the service still starts.
 * With it comes that tls_read() and tls_write() say WANT_POLLIN or
 * WANT_POLLOUT independent of what we wanted ourselves.
 */
#include <sys/types.h>
#include <sys/socket.h>
#include <netinet/in.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "log.h"
#include "timer.h"

#define READ_SIZE	16384	/* bytes at once: a TLS record */

static void	on_io(int, short, void *);

static void settext(struct check *, const char *, ...)
    __attribute__((format(printf, 2, 3)));

static void
settext(struct check *c, const char *fmt, ...)
{
	va_list	 ap;

	va_start(ap, fmt);
	vsnprintf(c->text, sizeof(c->text), fmt, ap);
	va_end(ap);
}

/*
 * The library's words for a person: of OpenSSL's
 * "error:0A00045C:SSL routines::tlsv13 alert certificate required" only
 * the last part says something.
 */
static void
tls_text(struct check *c, const char *what)
{
	const char	*err, *p, *last;

	if ((err = tls_error(c->tls)) == NULL) {
		settext(c, "%s", what);
		return;
	}
	p = strstr(err, "error:");
	last = p != NULL ? strrchr(p, ':') : NULL;
	if (last != NULL && last[1] != '\0')
		settext(c, "%s: %s", what, last + 1);
	else
		settext(c, "%s", err);
}

/* Release what belongs to one attempt; a TLS context not used yet stays. */
static void
release(struct check *c)
{
	if (c->state == CHECK_IDLE)
		return;
	evtimer_del(&c->timer);
	event_del(&c->io);
	if (c->state >= CHECK_SENDING && c->tls != NULL)
		(void)tls_close(c->tls);	/* a word of goodbye, once */
	c->state = CHECK_IDLE;
	if (!c->prepared) {
		tls_free(c->tls);
		c->tls = NULL;
	}
	if (c->fd != -1)
		close(c->fd);
	c->fd = -1;
}

static void
finish(struct check *c, enum check_outcome outcome)
{
	release(c);
	c->done(c->arg, outcome);
}

static void
finish_errno(struct check *c, const char *what, int error)
{
	if (error == ECONNREFUSED) {
		settext(c, "connection refused");
		finish(c, CHECK_REFUSED);
		return;
	}
	settext(c, "%s: %s", what, strerror(error));
	finish(c, CHECK_FAILED);
}

/* Wait for the descriptor.  The check may be gone afterwards. */
static void
wait_for(struct check *c, short what)
{
	event_del(&c->io);
	event_set(&c->io, c->fd, what, on_io, c);
	if (event_add(&c->io, NULL) == -1) {
		settext(c, "cannot wait for the connection: %s",
		    strerror(errno));
		finish(c, CHECK_FAILED);
	}
}

static ssize_t
cb_read(struct tls *ctx, void *buf, size_t len, void *arg)
{
	struct check	*c = arg;
	ssize_t		 n;

	n = read(c->fd, buf, len);
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return TLS_WANT_POLLIN;
	return n;
}

static ssize_t
cb_write(struct tls *ctx, const void *buf, size_t len, void *arg)
{
	struct check	*c = arg;
	ssize_t		 n;

	n = write(c->fd, buf, len);
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return TLS_WANT_POLLOUT;
	return n;
}

int
check_prepare(struct check *c)
{
	const struct target	*t = c->target;
	const char		*err;

	if (t->kind != HEALTH_HTTPS || c->tls != NULL)
		return 0;
	if ((c->tls = tls_client()) == NULL) {
		settext(c, "cannot make a TLS client: out of memory");
		return -1;
	}
	if (tls_configure(c->tls, t->tlsconf) == -1 ||
	    tls_connect_cbs(c->tls, cb_read, cb_write, c, t->name) == -1) {
		err = tls_error(c->tls);
		/* It names no file; that of the ca is the one to verify. */
		settext(c, "cannot use the %s of the check: %s",
		    err != NULL && strstr(err, "verify") != NULL ?
		    "ca certificate" : "certificate and key",
		    err != NULL ? err : "unknown error");
		tls_free(c->tls);
		c->tls = NULL;
		return -1;
	}
	c->prepared = 1;
	return 0;
}

/* 1: go on; 0: wait, or the attempt is over. */
static int
handshake(struct check *c)
{
	switch (tls_handshake(c->tls)) {
	case 0:
		c->state = CHECK_SENDING;
		return 1;
	case TLS_WANT_POLLIN:
		wait_for(c, EV_READ);
		return 0;
	case TLS_WANT_POLLOUT:
		wait_for(c, EV_WRITE);
		return 0;
	default:
		tls_text(c, "TLS handshake failed");
		finish(c, CHECK_FAILED);
		return 0;
	}
}

static void
send_failed(struct check *c, int error)
{
	char	 buf[1];

	if (c->tls == NULL) {
		finish_errno(c, "sending the request failed", error);
		return;
	}
	tls_text(c, "sending the request failed");
	/*
	 * With TLS 1.3 a server refuses our certificate after our side of
	 * the handshake, and closes.  Its alert, which says why, is still
	 * there to be read.
	 */
	if (tls_read(c->tls, buf, sizeof(buf)) == -1 &&
	    tls_error(c->tls) != NULL &&
	    strstr(tls_error(c->tls), "alert") != NULL)
		tls_text(c, "TLS handshake failed");
	finish(c, CHECK_FAILED);
}

static int
send_request(struct check *c)
{
	const struct target	*t = c->target;
	ssize_t			 n;

	while (c->sent < t->request_len) {
		if (c->tls != NULL)
			n = tls_write(c->tls, t->request + c->sent,
			    t->request_len - c->sent);
		else
			n = cb_write(NULL, t->request + c->sent,
			    t->request_len - c->sent, c);
		if (n == TLS_WANT_POLLIN || n == TLS_WANT_POLLOUT) {
			wait_for(c, n == TLS_WANT_POLLIN ? EV_READ : EV_WRITE);
			return 0;
		}
		if (n == -1) {
			send_failed(c, errno);
			return 0;
		}
		c->sent += (size_t)n;
	}
	c->state = CHECK_READING;
	return 1;
}

static void
judge(struct check *c, enum reply_verdict v)
{
	if (v == REPLY_BAD) {
		if (c->reply.status != 0)
			settext(c, "answered %u, but %s", c->reply.status,
			    c->reply.why);
		else
			settext(c, "%s", c->reply.why);
		finish(c, CHECK_FAILED);
		return;
	}
	if (c->reply.status != c->target->status) {
		settext(c, "answered %u, wanted %u", c->reply.status,
		    c->target->status);
		finish(c, CHECK_FAILED);
		return;
	}
	settext(c, "answered %u", c->reply.status);
	finish(c, CHECK_HEALTHY);
}

/* 1: call again; 0: wait, or the attempt is over. */
static int
read_reply(struct check *c)
{
	char			 buf[READ_SIZE];
	enum reply_verdict	 v;
	ssize_t			 n;
	int			 saved;

	if (c->tls != NULL)
		n = tls_read(c->tls, buf, sizeof(buf));
	else
		n = cb_read(NULL, buf, sizeof(buf), c);
	saved = errno;
	if (n == TLS_WANT_POLLIN || n == TLS_WANT_POLLOUT) {
		wait_for(c, n == TLS_WANT_POLLIN ? EV_READ : EV_WRITE);
		return 0;
	}
	if (n > 0) {
		v = reply_feed(&c->reply, buf, (size_t)n);
		if (v == REPLY_MORE)
			return 1;
		judge(c, v);
		return 0;
	}
	if (n == 0 || (c->tls != NULL && reply_untilclose(&c->reply))) {
		judge(c, reply_eof(&c->reply));
		return 0;
	}
	if (c->tls != NULL) {
		tls_text(c, c->reply.total == 0 ? "no answer" :
		    "reading the answer failed");
		finish(c, CHECK_FAILED);
	} else
		finish_errno(c, "reading the answer failed", saved);
	return 0;
}

/*
 * Where the port lies among those the system hands out, a connection to a
 * port without a listener can meet itself (its own port is the one it asks
 * for), and looks healthy.  Over many attempts that does happen.
 */
static int
met_itself(struct check *c)
{
	const struct sockaddr_storage	*t = &c->target->ss;
	struct sockaddr_storage		 me;
	socklen_t			 len = sizeof(me);

	memset(&me, 0, sizeof(me));
	if (getsockname(c->fd, (struct sockaddr *)&me, &len) == -1 ||
	    me.ss_family != t->ss_family)
		return 0;
	if (me.ss_family == AF_INET)
		return ((struct sockaddr_in *)&me)->sin_port ==
		    ((const struct sockaddr_in *)t)->sin_port &&
		    ((struct sockaddr_in *)&me)->sin_addr.s_addr ==
		    ((const struct sockaddr_in *)t)->sin_addr.s_addr;
	return ((struct sockaddr_in6 *)&me)->sin6_port ==
	    ((const struct sockaddr_in6 *)t)->sin6_port &&
	    memcmp(&((struct sockaddr_in6 *)&me)->sin6_addr,
	    &((const struct sockaddr_in6 *)t)->sin6_addr,
	    sizeof(struct in6_addr)) == 0;
}

/* The connection is there: what comes first. */
static int
connected(struct check *c)
{
	struct linger	 hard = { 1, 0 };

	if (met_itself(c)) {
		/* Reset it: TIME_WAIT would keep the port from the service. */
		(void)setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &hard,
		    sizeof(hard));
		finish_errno(c, "connecting failed", ECONNREFUSED);
		return 0;
	}
	if (c->target->kind == HEALTH_TCP) {
		settext(c, "connected");
		finish(c, CHECK_HEALTHY);
		return 0;
	}
	if (c->target->kind == HEALTH_HTTP) {
		c->state = CHECK_SENDING;
		return 1;
	}
	if (check_prepare(c) == -1) {
		finish(c, CHECK_FAILED);
		return 0;
	}
	c->prepared = 0;
	c->state = CHECK_HANDSHAKE;
	return 1;
}

static int
connect_result(struct check *c)
{
	socklen_t	 len = sizeof(int);
	int		 error = 0;

	if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &len) == -1)
		error = errno;
	if (error != 0) {
		finish_errno(c, "connecting failed", error);
		return 0;
	}
	return connected(c);
}

static void
on_io(int fd, short what, void *arg)
{
	struct check	*c = arg;
	int		 more;

	/*
	 * Bounded: a step that makes no progress waits, and an answer is
	 * REPLY_BYTES_MAX at most.  After 0 the check may be gone.
	 */
	do {
		switch (c->state) {
		case CHECK_CONNECTING:
			more = connect_result(c);
			break;
		case CHECK_HANDSHAKE:
			more = handshake(c);
			break;
		case CHECK_SENDING:
			more = send_request(c);
			break;
		case CHECK_READING:
			more = read_reply(c);
			break;
		default:
			more = 0;
			break;
		}
	} while (more);
}

static void
on_limit(int fd, short what, void *arg)
{
	struct check	*c = arg;
	char		 limit[32];

	if (c->limit_ms % 1000 == 0)
		snprintf(limit, sizeof(limit), "%u s", c->limit_ms / 1000);
	else
		snprintf(limit, sizeof(limit), "%u ms", c->limit_ms);
	switch (c->state) {
	case CHECK_CONNECTING:
		settext(c, "no connection within %s", limit);
		break;
	case CHECK_HANDSHAKE:
		settext(c, "TLS handshake not finished within %s", limit);
		break;
	default:
		if (c->reply.status != 0)
			settext(c, "answered %u, but not completely within %s",
			    c->reply.status, limit);
		else
			settext(c, "no answer within %s", limit);
		break;
	}
	finish(c, CHECK_TIMEOUT);
}

void
check_init(struct check *c, const struct target *t,
    void (*done)(void *, enum check_outcome), void *arg)
{
	memset(c, 0, sizeof(*c));
	c->target = t;
	c->done = done;
	c->arg = arg;
	c->fd = -1;
	reply_init(&c->reply);
}

void
check_start(struct check *c, uint32_t limit_ms)
{
	const struct target	*t = c->target;

	c->limit_ms = limit_ms;
	c->sent = 0;
	reply_init(&c->reply);
	c->text[0] = '\0';

	c->fd = socket(t->ss.ss_family,
	    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	evtimer_set(&c->timer, on_limit, c);
	event_set(&c->io, c->fd, EV_WRITE, on_io, c);
	c->state = CHECK_CONNECTING;
	if (c->fd == -1) {
		/* Out of descriptors: others will be through soon. */
		finish_errno(c, "cannot make a socket", errno);
		return;
	}
	if (timer_in(&c->timer, limit_ms) == -1) {
		finish_errno(c, "cannot set a timer", errno);
		return;
	}
	if (connect(c->fd, (const struct sockaddr *)&t->ss, t->sslen) == 0) {
		if (connected(c))
			on_io(c->fd, EV_WRITE, c);
		return;
	}
	if (errno == EINPROGRESS || errno == EINTR) {
		wait_for(c, EV_WRITE);
		return;
	}
	finish_errno(c, "connecting failed", errno);
}

void
check_clear(struct check *c)
{
	release(c);
	tls_free(c->tls);
	c->tls = NULL;
	c->prepared = 0;
}
