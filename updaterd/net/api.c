/*
 * Requests.  From a complete head: find the route, the caller's role, what
 * kind of body there may be; then one message to the parent, and back.
 *
 * The order of the checks is part of the interface: path, method, role,
 * then whether the thing is built, then the body.  A body that will not be
 * read ends the connection, for its bytes cannot be told from a request.
 */
#include <sys/types.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "log.h"
#include "net.h"
#include "option.h"
#include "query.h"
#include "route.h"
#include "version.h"

#define CONTENT_MAX	8192	/* bytes of a small body */
#define REPLY_MAX	(32 * 1024 * 1024)	/* bytes of an answer */

static const char form_type[] = "application/x-www-form-urlencoded";

/* 1 if the connection cannot go on without reading a body. */
static int
has_body(const struct conn *c)
{
	return c->head->chunked || c->head->length > 0;
}

int
api_send(struct conn *c, uint32_t type, const void *data, size_t len)
{
	if (imsgev_compose(&c->net->iev, type, -1, data, len) == 0)
		return 0;
	reply_error(c, upd_httpstatus(UPD_EFULL), 1, "out of memory");
	return -1;
}

/* The option of those routes that have one: the id of a release. */
static const char *
arg_name(const struct conn *c)
{
	return c->route->op == OP_ROLLBACK ? "to" :
	    c->route->op == OP_CONFIRM ? "id" : NULL;
}

/* Take it from query or form. */
static int
take_arg(struct conn *c, const char *s, size_t len)
{
	char		 name[QUERY_NAME_SIZE], value[QUERY_VALUE_SIZE];
	const char	*end = s + len;
	int		 r;

	while ((r = query_next(&s, end, name, value)) == 1) {
		if (strcmp(name, arg_name(c)) != 0) {
			reply_error(c, 400, 0, "unknown option \"%s\"", name);
			return -1;
		}
		if (c->request.arg[0] != '\0') {
			reply_error(c, 400, 0, "option \"%s\" given twice",
			    name);
			return -1;
		}
		if (value[0] == '\0')
			continue;
		if (!id_isvalid(value)) {
			reply_error(c, 400, 0, "option \"%s\" is not the id "
			    "of a release", name);
			return -1;
		}
		strlcpy(c->request.arg, value, sizeof(c->request.arg));
	}
	if (r == -1)
		reply_error(c, 400, 0, "malformed options");
	return r;
}

static void
ask_parent(struct conn *c)
{
	c->request.id = conn_newid(c->net);
	c->request.op = c->route->op;
	c->request.caller = c->caller;
	if (api_send(c, IMSG_REQUEST, &c->request, sizeof(c->request)) == -1)
		return;
	c->id = c->request.id;
	conn_setstate(c, CONN_WAIT);
}

static void
content(struct conn *c)
{
	const char	*type = http_get(c->head, "content-type");

	if (arg_name(c) != NULL && c->content.len > 0) {
		if (type == NULL || strncasecmp(type, form_type,
		    sizeof(form_type) - 1) != 0) {
			reply_error(c, 415, 0, "a body has to be %s",
			    form_type);
			return;
		}
		if (take_arg(c, c->content.data, c->content.len) == -1)
			return;
	}
	ask_parent(c);
}

static void
begin_op(struct conn *c)
{
	if (arg_name(c) != NULL && c->head->query != NULL &&
	    take_arg(c, c->head->query, strlen(c->head->query)) == -1) {
		c->close |= has_body(c);
		return;
	}
	http_body_init(&c->body, c->head, CONTENT_MAX);
	if (!has_body(c)) {
		content(c);
		return;
	}
	if (c->head->length > CONTENT_MAX) {
		reply_error(c, upd_httpstatus(UPD_EBODY), 1,
		    "request body over %d bytes", CONTENT_MAX);
		return;
	}
	if (c->head->expect)
		reply_continue(c);
	conn_setstate(c, CONN_BODY);
}

static const char *
nobody(const struct conn *c)
{
	return c->caller.subject[0] != '\0' ? c->caller.subject :
	    c->caller.fingerprint;
}

/* 0 if the caller may, else answered. */
static int
authorise(struct conn *c, const char *name)
{
	const struct netconf	*nc = c->net->conf;
	enum upd_role		 role, need = route_needs(c->route, name);

	role = route_role(nc->permits, nc->npermits, c->caller.subject,
	    c->caller.fingerprint);
	c->role = role;
	if (role >= need)
		return 0;
	log_notice("refuse %s %s of \"%s\" at %s: role %s, %s needed",
	    c->head->method, c->head->path, nobody(c), c->caller.address,
	    role_name(role), role_name(need));
	reply_error(c, upd_httpstatus(UPD_EFORBIDDEN), has_body(c),
	    "\"%s\" has role %s, this needs %s", nobody(c), role_name(role),
	    role_name(need));
	return -1;
}

/* 0 if the certificate is one that would be let in now, else answered: a
 * handshake, or half a head, may be older than a reload. */
static int
accepted(struct conn *c)
{
	if (conn_review(c))
		return 0;
	log_notice("refuse %s %s of \"%s\" at %s: its certificate is not "
	    "accepted any more", c->head->method, c->head->path, nobody(c),
	    c->caller.address);
	c->close = 1;
	reply_error(c, upd_httpstatus(UPD_EFORBIDDEN), has_body(c),
	    "the certificate of \"%s\" is not accepted any more: it was "
	    "revoked, or is of another ca", nobody(c));
	return -1;
}

static void
request(struct conn *c)
{
	const struct http_head	*h = c->head;
	char			 name[UPD_INSTANCE_SIZE], allow[64];

	memset(&c->request, 0, sizeof(c->request));
	if (h->close || c->eof || c->full || c->net->draining)
		c->close = 1;
	if (c->full) {
		reply_error(c, upd_httpstatus(UPD_EFULL), 1,
		    "no more connections");
		return;
	}
	if (accepted(c) == -1)
		return;
	switch (route_find(h->method, h->path, &c->route, name, allow,
	    sizeof(allow))) {
	case ROUTE_NOPATH:
		reply_error(c, upd_httpstatus(UPD_ENOTFOUND), has_body(c),
		    "not found");
		return;
	case ROUTE_NOMETHOD:
		c->close |= has_body(c);
		reply_method(c, allow);
		return;
	case ROUTE_FOUND:
		break;
	}
	if (authorise(c, name) == -1)
		return;
	if (strncmp(c->route->path, "/services/", 10) == 0)
		strlcpy(c->request.arg, name, sizeof(c->request.arg));
	else
		strlcpy(c->request.agent, name, sizeof(c->request.agent));
	switch (c->route->kind) {
	case ROUTE_OP:
		begin_op(c);
		break;
	case ROUTE_SELF:
		strlcpy(c->request.agent, SELF_NAME,
		    sizeof(c->request.agent));
		upload_begin(c);
		break;
	case ROUTE_UPDATE:
		upload_begin(c);
		break;
	case ROUTE_NOTBUILT:
		reply_error(c, upd_httpstatus(UPD_ENOTBUILT), has_body(c),
		    "%s is not built into this version of updaterd (%s)",
		    c->route->path, UPD_VERSION);
		break;
	}
}

void
api_reply(struct conn *c, const struct msg_reply *m, const char *text,
    size_t len)
{
	if (len > REPLY_MAX - c->reply.len ||
	    buf_add(&c->reply, text, len) == -1) {
		log_warnx("cannot hold answer for %s", c->caller.address);
		conn_kill(c);
		return;
	}
	if (!m->last)
		return;
	c->id = 0;
	if (c->up != NULL)
		upload_reply(c, m->status);
	else
		reply_send(c, m->status, c->reply.data,
		    c->reply.len);
}

/* --- reading a request ---------------------------------------------- */

size_t
api_input_head(struct conn *c, const char *data, size_t len)
{
	size_t	 size = c->net->conf->c.header, used;

	if (c->head == NULL) {
		if ((c->head = malloc(sizeof(*c->head) + size)) == NULL) {
			log_warn("cannot read request");
			conn_kill(c);
			return len;
		}
		http_init(c->head, (char *)(c->head + 1), size);
		if (!c->fresh)
			conn_timer(c, conn_idle_ms(c));
		c->fresh = 0;
	}
	switch (http_feed(c->head, data, len, &used)) {
	case HTTP_DONE:
		request(c);
		break;
	case HTTP_BAD:
		log_info("refuse request of \"%s\" at %s: %s",
		    c->caller.subject, c->caller.address, c->head->why);
		reply_error(c, c->head->status, 1, "%s", c->head->why);
		break;
	default:
		break;
	}
	return used;
}

size_t
api_input_body(struct conn *c, const char *data, size_t len)
{
	const char	*p;
	size_t		 used = 0, n, k;

	while (c->state == CONN_BODY) {
		switch (http_body_feed(&c->body, data + used, len - used, &n,
		    &p, &k)) {
		case HTTP_DATA:
			if (buf_add(&c->content, p, k) == -1)
				reply_error(c, 503, 1, "out of memory");
			break;
		case HTTP_DONE:
			used += n;
			content(c);
			return used;
		case HTTP_BAD:
			reply_error(c, c->body.status, 1, "%s", c->body.why);
			break;
		case HTTP_MORE:
			return used + n;
		}
		used += n;
	}
	return used;
}
