/*
 * One connection: a state machine around tls_handshake, tls_read, tls_write.
 *
 * Invariants:
 * - conn_run() is the only place that frees a connection and the only one
 *   that arms its socket.  All else changes state and fills buffers, so no
 *   caller has to ask whether the connection is still there.
 * - Whatever can be read or written, is, before conn_run() waits; bytes read
 *   behind the current request stay in c->in and nothing more is read until
 *   they are used, so one read is the most that is ever kept.
 * - No reading in a state that has no use for the bytes: the peer's TCP
 *   window does the waiting.
 * - An idle connection holds no buffers.
 *
 * Closing takes a half-close, then reading until the peer closes, too: a
 * close with bytes unread makes a reset, and the peer then loses the answer
 * or the alert that says what was wrong with it.
 */
#include <sys/types.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <tls.h>
#include <unistd.h>

#include "log.h"
#include "net.h"
#include "timer.h"

#define READS_MAX	16	/* socket reads before others have a turn */
#define WRITES_MAX	16
#define ALERT_MS	1000	/* to take the TLS alert */
#define LINGER_MS	2000	/* since the last byte of a refused body */

static void	eof_head(struct conn *);
static void	eof_body(struct conn *);
static void	eof_wait(struct conn *);
static void	late_handshake(struct conn *);
static void	late_head(struct conn *);
static void	late_body(struct conn *);
static void	io(int, short, void *);

#define TO(s)	(1U << CONN_##s)
static const struct rule {
	const char	*name;
	uint32_t	 next;		/* states that may follow */
	/* Take bytes; returns how many.  NULL: none are wanted. */
	size_t		(*input)(struct conn *, const char *, size_t);
	void		(*eof)(struct conn *);
	void		(*timeout)(struct conn *);
	enum evict	 evict;
} rules[CONN__MAX] = {
	[CONN_HANDSHAKE] = { "handshake", TO(HEAD) | TO(LINGER) | TO(DEAD),
	    NULL, NULL, late_handshake, EVICT_HANDSHAKE },
	[CONN_HEAD] = { "head", TO(BODY) | TO(UPLOAD) | TO(WAIT) | TO(SEND) |
	    TO(LINGER) | TO(DEAD),
	    api_input_head, eof_head, late_head, EVICT_HEAD },
	[CONN_BODY] = { "body", TO(WAIT) | TO(SEND) | TO(DEAD),
	    api_input_body, eof_body, late_body, EVICT_NONE },
	[CONN_UPLOAD] = { "upload", TO(WAIT) | TO(SEND) | TO(DEAD),
	    upload_input, upload_eof, upload_timeout, EVICT_NONE },
	[CONN_WAIT] = { "wait", TO(SEND) | TO(DEAD),
	    NULL, eof_wait, conn_kill, EVICT_NONE },
	[CONN_SEND] = { "send", TO(HEAD) | TO(LINGER) | TO(DEAD),
	    NULL, NULL, conn_kill, EVICT_NONE },
	[CONN_LINGER] = { "linger", TO(DEAD),
	    NULL, NULL, conn_kill, EVICT_OVER },
	[CONN_DEAD] = { "dead", 0, NULL, NULL, NULL, EVICT_NONE }
};

/* --- small things --------------------------------------------------- */

static void
timed_out(int fd, short event, void *arg)
{
	struct conn	*c = arg;

	if (rules[c->state].timeout != NULL)
		rules[c->state].timeout(c);
	conn_run(c);
}

void
conn_timer(struct conn *c, uint64_t ms)
{
	if (timer_in(&c->timer, ms) == -1)
		fatal("cannot set timer");
}

enum evict
conn_evict(const struct conn *c)
{
	/* It may be waiting, or gone: nothing tells before the answer. */
	if (c->state == CONN_WAIT && c->eof)
		return EVICT_HALF;
	return rules[c->state].evict;
}

uint64_t
conn_idle_ms(const struct conn *c)
{
	return (uint64_t)c->net->conf->c.idle * 1000;
}

int
conn_review(struct conn *c)
{
	const struct net	*net = c->net;

	if (c->gen != net->gen && trust_peer(net->conf, c->tls))
		c->gen = net->gen;
	return c->gen == net->gen;
}

/* --- life ----------------------------------------------------------- */

void
conn_new(struct net *net, int fd, const struct sockaddr_storage *ss, int full)
{
	struct conn	*c;
	int		 on = 1;

	/* Without the one a peer that has lost its power is waited for as
	 * long as an answer takes; without the other events come late. */
	(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if ((c = calloc(1, sizeof(*c))) == NULL ||
	    tls_accept_socket(net->conf->server->tls, &c->tls, fd) == -1) {
		log_warnx("cannot take connection: out of memory");
		free(c);
		close(fd);
		return;
	}
	c->net = net;
	c->server = net->conf->server;
	c->server->refs++;
	c->fd = fd;
	c->file = -1;
	c->peer = *ss;
	c->gen = net->gen;
	c->fresh = 1;
	c->full = full;
	c->rwant = EV_READ;
	c->wwant = EV_WRITE;
	addr_text(ss, c->caller.address, sizeof(c->caller.address));
	evtimer_set(&c->timer, timed_out, c);
	TAILQ_INSERT_TAIL(&net->conns, c, entry);
	net->nconns++;
	net->nfull += full ? 1 : 0;
	net->count[NETCOUNT_FULL] += full ? 1 : 0;
	conn_timer(c, conn_idle_ms(c));
	conn_run(c);
}

/* All that belongs to one request. */
static void
request_free(struct conn *c)
{
	upload_free(c);
	free(c->head);
	c->head = NULL;
	c->route = NULL;
	c->stream = 0;
	buf_free(&c->content);
	buf_free(&c->reply);
	buf_free(&c->out);
	c->outpos = 0;
	if (c->file != -1)
		close(c->file);
	c->file = -1;
}

static void
conn_free(struct conn *c)
{
	struct net	*net = c->net;

	request_free(c);
	buf_free(&c->in);
	if (c->events != 0)
		event_del(&c->ev);
	evtimer_del(&c->timer);
	tls_free(c->tls);
	close(c->fd);
	server_unref(c->server);
	TAILQ_REMOVE(&net->conns, c, entry);
	net->nconns--;
	net->nfull -= c->full ? 1 : 0;
	free(c);
	listen_resume(net);
	net_left(net);
}

void
conn_kill(struct conn *c)
{
	struct msg_id	 m;

	if (c->state == CONN_DEAD)
		return;
	/* The parent goes on; only the answer has nowhere to go.  An upload
	 * is called off when it is freed: callers still use it. */
	if (c->id != 0 && c->up == NULL) {
		m.id = c->id;
		(void)imsgev_compose(&c->net->iev, IMSG_CANCEL, -1, &m,
		    sizeof(m));
		c->id = 0;
	}
	conn_setstate(c, CONN_DEAD);
}

static void
begin_linger(struct conn *c, enum conn_state old)
{
	uint64_t	 ms = LINGER_MS;

	/* A refused handshake has sent its alert instead. */
	if (old == CONN_HANDSHAKE)
		ms = ALERT_MS;
	else
		(void)tls_close(c->tls);
	request_free(c);
	buf_free(&c->in);
	if (shutdown(c->fd, SHUT_WR) == -1)
		conn_setstate(c, CONN_DEAD);
	c->deadline = time_mono_ms() +
	    (old == CONN_HANDSHAKE ? ms : conn_idle_ms(c));
	conn_timer(c, ms);
}

void
conn_setstate(struct conn *c, enum conn_state state)
{
	enum conn_state	 old = c->state;

	/* Dead is dead, whatever a handler has not noticed. */
	if (old == CONN_DEAD)
		return;
	if ((rules[old].next & 1U << state) == 0)
		fatalx("connection cannot go from %s to %s", rules[old].name,
		    rules[state].name);
	c->state = state;
	log_debug("connection of %s: %s", c->caller.address,
	    rules[state].name);
	switch (state) {
	case CONN_HEAD:
		/* The first head shares the time of the handshake. */
		if (old != CONN_HANDSHAKE)
			conn_timer(c, conn_idle_ms(c));
		TAILQ_REMOVE(&c->net->conns, c, entry);
		TAILQ_INSERT_TAIL(&c->net->conns, c, entry);
		break;
	case CONN_BODY:
	case CONN_SEND:
		conn_timer(c, conn_idle_ms(c));
		break;
	case CONN_LINGER:
		begin_linger(c, old);
		break;
	case CONN_UPLOAD:
	case CONN_WAIT:
	default:
		evtimer_del(&c->timer);
		break;
	}
}

/* --- states --------------------------------------------------------- */

static void
eof_head(struct conn *c)
{
	conn_setstate(c, CONN_LINGER);
}

static void
eof_body(struct conn *c)
{
	reply_error(c, 400, 1, "request body ends early");
}

/* A client may close its half behind the request and wait. */
static void
eof_wait(struct conn *c)
{
	c->close = 1;
}

static void
late_handshake(struct conn *c)
{
	c->net->count[NETCOUNT_HANDSHAKE]++;
	tls_refused(c, "handshake took too long");
	conn_kill(c);
}

static void
late_head(struct conn *c)
{
	if (c->head == NULL)
		conn_setstate(c, CONN_LINGER);
	else
		reply_error(c, upd_httpstatus(UPD_ETIMEOUT), 1,
		    "request head took too long");
}

static void
late_body(struct conn *c)
{
	reply_error(c, upd_httpstatus(UPD_ETIMEOUT), 1,
	    "request body took too long");
}

/* The answer is out: what next? */
static void
next_request(struct conn *c)
{
	request_free(c);
	if (c->close || !conn_review(c) || (c->eof && c->in.len == 0))
		conn_setstate(c, CONN_LINGER);
	else
		conn_setstate(c, CONN_HEAD);
}

/* --- input and output ----------------------------------------------- */

/* 1 if it is over, one way or the other. */
static int
handshake(struct conn *c)
{
	switch (tls_handshake(c->tls)) {
	case TLS_WANT_POLLIN:
		c->rwant = EV_READ;
		return 0;
	case TLS_WANT_POLLOUT:
		c->rwant = EV_WRITE;
		return 0;
	case 0:
		break;
	default:
		c->net->count[NETCOUNT_HANDSHAKE]++;
		tls_refused(c, tls_error(c->tls) != NULL ?
		    tls_error(c->tls) : "handshake failed");
		conn_setstate(c, CONN_LINGER);
		return 1;
	}
	c->rwant = EV_READ;
	if (tls_identify(c->tls, &c->caller) == -1) {
		/* Taken for nobody it would be told a wrong reason. */
		tls_refused(c, "out of memory");
		conn_setstate(c, CONN_LINGER);
		return 1;
	}
	log_debug("connection of %s is \"%s\" %s %s", c->caller.address,
	    c->caller.subject, c->caller.fingerprint,
	    tls_conn_version(c->tls));
	conn_setstate(c, CONN_HEAD);
	return 1;
}

/* Throw away what the peer still sends. */
static void
drain(struct conn *c)
{
	uint64_t	 now;
	ssize_t		 n;

	n = read(c->fd, c->net->rbuf, sizeof(c->net->rbuf));
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	now = time_mono_ms();
	if (n <= 0 || now >= c->deadline)
		conn_setstate(c, CONN_DEAD);
	else
		conn_timer(c, c->deadline - now < LINGER_MS ?
		    c->deadline - now : LINGER_MS);
}

/* Send what is waiting; 1 if the whole answer is out. */
static int
flush(struct conn *c)
{
	ssize_t	 n;
	int	 i;

	for (i = 0; i < WRITES_MAX; i++) {
		if (c->outpos == c->out.len) {
			buf_reset(&c->out);
			c->outpos = 0;
			if (c->file == -1)
				return c->state == CONN_SEND;
			if (reply_more(c) == -1) {
				conn_kill(c);
				return 0;
			}
		}
		n = tls_write(c->tls, c->out.data + c->outpos,
		    c->out.len - c->outpos);
		if (n == TLS_WANT_POLLIN || n == TLS_WANT_POLLOUT) {
			c->wwant = n == TLS_WANT_POLLIN ? EV_READ : EV_WRITE;
			return 0;
		}
		if (n < 0) {
			log_debug("cannot write to %s: %s", c->caller.address,
			    tls_error(c->tls));
			conn_kill(c);
			return 0;
		}
		c->wwant = EV_WRITE;
		c->outpos += (size_t)n;
		c->net->count[NETCOUNT_OUT] += (uint64_t)n;
		if (c->state == CONN_SEND)
			conn_timer(c, conn_idle_ms(c));
	}
	return 0;
}

static int
reading(struct conn *c)
{
	switch (c->state) {
	case CONN_UPLOAD:
		return upload_reading(c);
	case CONN_WAIT:
		/* Only to see the peer go. */
		return c->in.len == 0 && !c->eof;
	default:
		return rules[c->state].input != NULL;
	}
}

static void
process(struct conn *c, const char *data, size_t len)
{
	size_t	 n;

	while (len > 0 && rules[c->state].input != NULL &&
	    (c->state != CONN_UPLOAD || upload_reading(c))) {
		n = rules[c->state].input(c, data, len);
		data += n;
		len -= n;
	}
	if (len > 0 && c->state != CONN_DEAD && c->state != CONN_LINGER &&
	    buf_add(&c->in, data, len) == -1) {
		log_warn("cannot read from %s", c->caller.address);
		conn_kill(c);
	}
}

/*
 * 1 if the peer has closed its half without a close_notify.  tls_read()
 * would take that for an attack and break the connection for good, so that
 * nothing could be answered; a body that was cut its length betrays anyway.
 */
static int
finished(struct conn *c)
{
	char	 b;

	return recv(c->fd, &b, sizeof(b), MSG_PEEK) == 0;
}

/* Take input once; 1 if there was some. */
static int
pull(struct conn *c)
{
	struct buf	 in = c->in;
	ssize_t		 n;

	if (in.len > 0) {
		memset(&c->in, 0, sizeof(c->in));
		process(c, in.data, in.len);
		buf_free(&in);
		return 1;
	}
	c->eof |= finished(c);
	if (c->eof) {
		rules[c->state].eof(c);
		return 1;
	}
	n = tls_read(c->tls, c->net->rbuf, sizeof(c->net->rbuf));
	switch (n) {
	case TLS_WANT_POLLIN:
		c->rwant = EV_READ;
		return 0;
	case TLS_WANT_POLLOUT:
		c->rwant = EV_WRITE;
		return 0;
	case -1:
		log_debug("cannot read from %s: %s", c->caller.address,
		    tls_error(c->tls));
		conn_kill(c);
		return 0;
	case 0:
		c->eof = 1;
		rules[c->state].eof(c);
		return 1;
	default:
		c->rwant = EV_READ;
		c->net->count[NETCOUNT_IN] += (uint64_t)n;
		process(c, c->net->rbuf, (size_t)n);
		return 1;
	}
}

static void
arm(struct conn *c)
{
	short	 want = 0;

	if (c->state == CONN_HANDSHAKE)
		want = c->rwant;
	else if (c->state == CONN_LINGER)
		want = EV_READ;
	else {
		if (reading(c))
			want |= c->rwant;
		if (c->outpos < c->out.len || c->file != -1)
			want |= c->wwant;
	}
	if (want == c->events)
		return;
	if (c->events != 0)
		event_del(&c->ev);
	c->events = want;
	if (want == 0)
		return;
	event_set(&c->ev, c->fd, want | EV_PERSIST, io, c);
	if (event_add(&c->ev, NULL) == -1)
		fatal("cannot watch connection");
}

void
conn_run(struct conn *c)
{
	int	 reads = 0, more = 1;

	while (more) {
		more = 0;
		switch (c->state) {
		case CONN_DEAD:
			conn_free(c);
			return;
		case CONN_HANDSHAKE:
			more = handshake(c);
			break;
		case CONN_LINGER:
			drain(c);
			more = c->state == CONN_DEAD;
			break;
		default:
			if (flush(c)) {
				next_request(c);
				more = 1;
			} else if (reading(c) && reads++ < READS_MAX)
				more = pull(c);
			more |= c->state == CONN_DEAD;
			break;
		}
	}
	arm(c);
}

static void
io(int fd, short event, void *arg)
{
	conn_run(arg);
}
