/*
 * An update: from a request's head to the parent's verdict.
 *
 *	OPEN	asked the parent; the client is not read
 *	BODY	the body comes in, see relay.c; its bytes go nowhere once
 *		the parent has lost interest (stopped, held)
 *	FLUSH	the body is complete, the pipe is not empty yet
 *	OVER	DONE is sent, or the connection waits for its answer
 *
 * c->id is not 0 as long as the parent owes an answer.  The body is refused
 * by ABORT before DONE; behind it only the answer can be called off.  After
 * a STOP the rest of the body is read and thrown away, so that the client
 * comes to read the answer that follows.
 */
#include <sys/types.h>
#include <sys/time.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "log.h"
#include "upload.h"

/* --- beginning ------------------------------------------------------ */

/* 1 if the media type, without its parameters, is that. */
static int
istype(const char *value, const char *type)
{
	size_t	 n = strlen(type);

	return strncasecmp(value, type, n) == 0 &&
	    (value[n] == '\0' || value[n] == ';' || value[n] == ' ');
}

/* What kind of body: 0, or answered. */
static int
check_type(struct conn *c)
{
	static const char	*const archives[] = {
				    "application/gzip", "application/zstd",
				    "application/x-tar",
				    "application/octet-stream" };
	struct upload		*u = c->up;
	const char		*type, *enc;
	char			 boundary[MP_BOUNDARY_MAX + 1];
	size_t			 i;
	int			 form = 0, put;

	put = strcmp(c->head->method, "PUT") == 0;
	enc = http_get(c->head, "content-encoding");
	if (enc != NULL && strcasecmp(enc, "identity") != 0) {
		reply_error(c, 415, 1, "content-encoding is not taken");
		return -1;
	}
	type = http_get(c->head, "content-type");
	if (type != NULL && (form = mp_boundary(type, boundary)) == -1) {
		reply_error(c, 400, 1, "malformed multipart content-type");
		return -1;
	}
	if (form && !put) {
		if ((u->mp = malloc(sizeof(*u->mp))) == NULL) {
			reply_error(c, 503, 1, "out of memory");
			return -1;
		}
		mp_init(u->mp, boundary, "tarball");
		return 0;
	}
	if (put && (type == NULL || strncasecmp(type, "multipart/", 10) != 0))
		return 0;
	for (i = 0; type != NULL && i < 4; i++)
		if (istype(type, archives[i]))
			return 0;
	reply_error(c, 415, 1, put ? "the body has to be the archive" :
	    "the body has to be multipart/form-data or an archive");
	return -1;
}

int
upload_has_sha256(struct conn *c)
{
	return !c->net->conf->c.need_sha256 || c->up->opt.sha256[0] != '\0';
}

int
upload_may_downgrade(struct conn *c)
{
	return (c->up->opt.flags & UPDF_DOWNGRADE) == 0 ||
	    c->role >= ROLE_SELF;
}

const char *
upload_unconfirmed(struct conn *c)
{
	int	 self = strcmp(c->request.agent, SELF_NAME) == 0;

	if (self && !c->up->opt.confirm_self)
		return "confirm_self=true is required to update updaterd "
		    "itself";
	if (!self && c->up->opt.confirm_self)
		return "confirm_self belongs to /update-self";
	return NULL;
}

/* 0 if the head asks for a possible update, else answered. */
static int
check_head(struct conn *c)
{
	struct upload	*u = c->up;
	char		 text[UPD_TEXT_SIZE];
	const char	*lacks;
	enum upd_error	 error;

	if (!c->head->chunked && c->head->length == -1) {
		reply_error(c, upd_httpstatus(UPD_ELENGTH), 1,
		    "a length is required");
		return -1;
	}
	if (c->head->length > 0 &&
	    (uint64_t)c->head->length > c->net->conf->c.body) {
		reply_error(c, upd_httpstatus(UPD_EBODY), 1,
		    "request body over the limit of %llu bytes",
		    (unsigned long long)c->net->conf->c.body);
		return -1;
	}
	if (check_type(c) == -1)
		return -1;
	error = option_query(&u->opt, c->head->query, text, sizeof(text));
	if (error != UPD_OK) {
		reply_error(c, upd_httpstatus(error), 1, "%s", text);
		return -1;
	}
	if (!upload_may_downgrade(c)) {
		reply_error(c, upd_httpstatus(UPD_EFORBIDDEN), 1,
		    UPLOAD_DOWNGRADE);
		return -1;
	}
	if (u->mp == NULL && (lacks = upload_unconfirmed(c)) != NULL) {
		reply_error(c, 400, 1, "%s", lacks);
		return -1;
	}
	if (u->mp == NULL && !upload_has_sha256(c)) {
		reply_error(c, 400, 1, "sha256 is required");
		return -1;
	}
	return 0;
}

void
upload_begin(struct conn *c)
{
	struct msg_update_open	 m;
	struct upload		*u;
	const char		*accept = http_get(c->head, "accept");

	if ((u = calloc(1, sizeof(*u))) == NULL ||
	    (u->md = EVP_MD_CTX_new()) == NULL ||
	    EVP_DigestInit_ex(u->md, EVP_sha256(), NULL) != 1) {
		if (u != NULL)
			EVP_MD_CTX_free(u->md);
		free(u);
		reply_error(c, 503, 1, "out of memory");
		return;
	}
	u->pipe = -1;
	u->phase = UP_OPEN;
	c->up = u;
	if (check_head(c) == -1)
		return;
	u->ndjson = accept != NULL && istype(accept, "application/x-ndjson");
	http_body_init(&c->body, c->head, c->net->conf->c.body);

	memset(&m, 0, sizeof(m));
	m.id = conn_newid(c->net);
	m.flags = u->opt.flags;
	m.length = c->head->length;
	if (u->mp == NULL)
		m.flags |= UPDF_FINAL;
	strlcpy(m.agent, c->request.agent, sizeof(m.agent));
	strlcpy(m.sha, u->opt.sha, sizeof(m.sha));
	strlcpy(m.sha256, u->opt.sha256, sizeof(m.sha256));
	m.caller = c->caller;
	if (api_send(c, IMSG_UPDATE_OPEN, &m, sizeof(m)) == -1)
		return;
	c->id = m.id;
	conn_setstate(c, CONN_UPLOAD);
}

/* --- ending --------------------------------------------------------- */

static void
send_abort(struct conn *c, enum upd_error error, const char *text)
{
	struct msg_update_abort	 m;

	memset(&m, 0, sizeof(m));
	m.id = c->id;
	m.error = error;
	strlcpy(m.text, text, sizeof(m.text));
	c->id = 0;
	if (imsgev_compose(&c->net->iev, IMSG_UPDATE_ABORT, -1, &m,
	    sizeof(m)) == -1)
		fatalx("cannot call off an update");
}

void
upload_refuse(struct conn *c, enum upd_error error, int status,
    const char *fmt, ...)
{
	struct upload	*u = c->up;
	char		 text[UPD_TEXT_SIZE];
	va_list		 ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	log_info("refuse update of \"%s\" at %s: %s", c->caller.subject,
	    c->caller.address, text);
	c->close = 1;
	relay_close(u);
	u->phase = UP_OVER;
	/* What the parent says, or has said, is better to know. */
	if (u->held) {
		reply_send(c, u->held, c->reply.data, c->reply.len);
		return;
	}
	if (u->stopped) {
		conn_setstate(c, CONN_WAIT);
		return;
	}
	send_abort(c, error, text);
	reply_error(c, status, 1, "%s", text);
}

void
upload_free(struct conn *c)
{
	struct upload	*u = c->up;
	struct msg_id	 m;

	if (u == NULL)
		return;
	if (c->id != 0 && (u->done || u->stopped)) {
		m.id = c->id;
		(void)imsgev_compose(&c->net->iev, IMSG_CANCEL, -1, &m,
		    sizeof(m));
		c->id = 0;
	}
	if (c->id != 0)
		send_abort(c, UPD_EABORTED, "the client went away");
	relay_close(u);
	EVP_MD_CTX_free(u->md);
	free(u->mp);
	free(u);
	c->up = NULL;
}

void
upload_done(struct conn *c)
{
	struct upload		*u = c->up;
	struct msg_update_done	 m;
	unsigned int		 n = sizeof(m.digest);

	memset(&m, 0, sizeof(m));
	m.id = c->id;
	m.flags = u->opt.flags;
	m.confirm = u->opt.confirm;
	m.bytes = u->bytes;
	strlcpy(m.sha, u->opt.sha, sizeof(m.sha));
	strlcpy(m.sha256, u->opt.sha256, sizeof(m.sha256));
	if (EVP_DigestFinal_ex(u->md, m.digest, &n) != 1 ||
	    n != sizeof(m.digest)) {
		upload_refuse(c, UPD_EIO, 500, "cannot hash the archive");
		return;
	}
	/* First, or the reader may wait for an end that has not come. */
	relay_close(u);
	u->phase = UP_OVER;
	if (imsgev_compose(&c->net->iev, IMSG_UPDATE_DONE, -1, &m,
	    sizeof(m)) == -1) {
		upload_refuse(c, UPD_EIO, 503, "out of memory");
		return;
	}
	u->done = 1;
	reply_event(c, "received", u->bytes);
	conn_setstate(c, CONN_WAIT);
}

/* --- from the parent ------------------------------------------------ */

void
upload_go(struct conn *c, int fd)
{
	struct upload	*u = c->up;

	if (u->phase != UP_OPEN || fd == -1 || fd_nonblock(fd) == -1) {
		log_warnx("unexpected go-ahead for an update");
		if (fd != -1)
			close(fd);
		return;
	}
	u->pipe = fd;
	if (c->head->expect)
		reply_continue(c);
	if (u->ndjson)
		reply_stream(c);
	if (c->state != CONN_UPLOAD)
		return;
	relay_begin(c);
	/* A body without bytes is complete by now. */
	(void)upload_input(c, "", 0);
}

void
upload_stop(struct conn *c)
{
	struct upload	*u = c->up;

	if (u->done)
		return;
	u->stopped = 1;
	relay_close(u);
	if (u->phase == UP_FLUSH)
		relay_end(c);
}

void
upload_event(struct conn *c, const char *event, uint64_t bytes)
{
	reply_event(c, event, bytes);
}

void
upload_reply(struct conn *c, int status)
{
	struct upload	*u = c->up;
	int		 begun = u->phase != UP_OPEN;

	relay_close(u);
	if (u->phase == UP_FLUSH || u->phase == UP_OVER) {
		reply_send(c, status, c->reply.data, c->reply.len);
		return;
	}
	/*
	 * The body is not here yet.  Good news can wait for its end, so that
	 * no client trips over its own upload; a refusal, and one the client
	 * has asked for first, goes out at once and ends the connection.
	 */
	if (status < 300 && (begun || !c->head->expect)) {
		u->held = status;
		if (!begun) {
			relay_begin(c);
			(void)upload_input(c, "", 0);
		}
		return;
	}
	c->close = 1;
	u->phase = UP_OVER;
	reply_send(c, status, c->reply.data, c->reply.len);
}
