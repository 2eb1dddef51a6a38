/*
 * Callers: who waits for an answer.  A caller is made when a request comes
 * in and freed when it is answered, once.  Its channel may go first; then
 * the answer goes nowhere, and whoever holds the caller need not care.
 */
#include <sys/types.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dump.h"
#include "error.h"
#include "imsgev.h"
#include "log.h"
#include "parent.h"
#include "proto.h"
#include "utf8.h"

#define CALLERS_MAX	1024	/* who may wait for an answer at once */

static const char	 nomem[] = "{\"detail\":\"out of memory\"}";
static const char	 toomany[] = "{\"detail\":\"too many requests\"}";
static uint32_t		 ncallers;
static struct callers callers = TAILQ_HEAD_INITIALIZER(callers);

static void
answer_503(struct imsgev *iev, uint32_t id, const char *text)
{
	struct msg_reply	 r;

	memset(&r, 0, sizeof(r));
	r.id = id;
	r.status = 503;
	r.last = 1;
	(void)imsgev_compose2(iev, IMSG_REPLY, -1, &r, sizeof(r), text,
	    strlen(text));
}

/* A caller, or NULL when there is no memory or too many wait (answered). */
struct caller *
caller_new(struct imsgev *iev, uint32_t id, const struct msg_caller *who)
{
	struct caller	*c;

	if (ncallers >= CALLERS_MAX) {
		answer_503(iev, id, toomany);
		return NULL;
	}
	if ((c = calloc(1, sizeof(*c))) == NULL) {
		log_warn("take request");
		answer_503(iev, id, nomem);
		return NULL;
	}
	ncallers++;
	c->iev = iev;
	c->id = id;
	c->who = *who;
	c->uid = (uid_t)-1;
	TAILQ_INSERT_TAIL(&callers, c, entry);
	return c;
}

static void
caller_free(struct caller *c)
{
	TAILQ_REMOVE(&callers, c, entry);
	ncallers--;
	free(c);
}

void
caller_lost(struct imsgev *iev)
{
	struct caller	*c;

	TAILQ_FOREACH(c, &callers, entry)
		if (c->iev == iev)
			c->iev = NULL;
}

void
caller_abandon(struct imsgev *iev, const char *text)
{
	struct caller	*c, *next;

	TAILQ_FOREACH_SAFE(c, &callers, entry, next)
		if (c->iev == iev)
			caller_error(c, UPD_EBUSY, text);
}

void
caller_cancel(struct imsgev *iev, uint32_t id)
{
	struct caller	*c;

	TAILQ_FOREACH(c, &callers, entry)
		if (c->iev == iev && c->id == id)
			c->iev = NULL;
}

/* One text in as many messages as it takes. */
static void
send_text(struct caller *c, int status, const char *text, size_t len,
    int last)
{
	struct msg_reply	 r;
	size_t			 n;

	do {
		n = len > UPD_CHUNK ? UPD_CHUNK : len;
		memset(&r, 0, sizeof(r));
		r.id = c->id;
		r.status = (uint16_t)status;
		r.last = last && n == len;
		if (imsgev_compose2(c->iev, IMSG_REPLY, -1, &r, sizeof(r),
		    text, n) == -1) {
			/* Less may fit; without an end they wait for ever. */
			if (last)
				answer_503(c->iev, c->id, nomem);
			return;
		}
		text += n;
		len -= n;
	} while (len > 0);
}

static void
send_json(struct caller *c, int status, json_t *json, int last)
{
	char			*text = NULL;

	if (c->iev == NULL)
		return;
	if (json != NULL)
		text = dump_json(json, JSON_COMPACT);
	if (text == NULL)
		send_text(c, 503, nomem, sizeof(nomem) - 1, last);
	else
		send_text(c, status, text, strlen(text), last);
	free(text);
}

void
caller_reply(struct caller *c, int status, json_t *json)
{
	if (c != NULL) {
		send_json(c, status, json, 1);
		caller_free(c);
	}
	json_decref(json);
}

void
caller_text(struct caller *c, const char *text, size_t len)
{
	if (c->iev != NULL)
		send_text(c, 200, text, len, 1);
	caller_free(c);
}

void
caller_error(struct caller *c, enum upd_error error, const char *text)
{
	char	 detail[UPD_TEXT_SIZE];

	strlcpy(detail, text != NULL && text[0] != '\0' ? text :
	    upd_strerror(error), sizeof(detail));
	utf8_mend(detail);
	caller_reply(c, upd_httpstatus(error), json_pack("{s:s}", "detail",
	    detail));
}

void
caller_reply_fd(struct caller *c, int fd, uint64_t size, const char *type)
{
	struct msg_reply_fd	 r;

	memset(&r, 0, sizeof(r));
	r.id = c->id;
	r.size = size;
	strlcpy(r.type, type, sizeof(r.type));
	if (c->iev == NULL)
		close(fd);
	else
		(void)imsgev_compose(c->iev, IMSG_REPLY_FD, fd, &r, sizeof(r));
	caller_free(c);
}

void
caller_line(struct caller *c, json_t *json)
{
	send_json(c, 200, json, 0);
	json_decref(json);
}

int
caller_go(struct caller *c, int fd)
{
	struct msg_id	 m;

	if (c == NULL || c->iev == NULL) {
		close(fd);
		return 0;
	}
	m.id = c->id;
	return imsgev_compose(c->iev, IMSG_UPDATE_GO, fd, &m, sizeof(m));
}

void
caller_event(struct caller *c, const char *event, uint64_t bytes)
{
	struct msg_update_event	 m;

	if (c == NULL || c->iev == NULL)
		return;
	memset(&m, 0, sizeof(m));
	m.id = c->id;
	m.bytes = bytes;
	strlcpy(m.event, event, sizeof(m.event));
	(void)imsgev_compose(c->iev, IMSG_UPDATE_EVENT, -1, &m, sizeof(m));
}

void
caller_stop(struct caller *c)
{
	struct msg_id	 m;

	if (c == NULL || c->iev == NULL)
		return;
	m.id = c->id;
	(void)imsgev_compose(c->iev, IMSG_UPDATE_STOP, -1, &m, sizeof(m));
}
