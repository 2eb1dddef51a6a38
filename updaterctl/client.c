/*
 * updaterctl's side of the control socket: one request, its answer.
 *
 * Framing is imsg; each message of ours carries the protocol's version as
 * its peerid, so that a daemon of another version can say so.  The daemon
 * runs as root and is trusted, but what it sends is checked like any other
 * message: it may be another program that listens there.
 */
#include <sys/types.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "client.h"

#define ANSWER_MAX	(64 * 1024 * 1024)	/* bytes of JSON */

struct incoming {
	struct client	*client;
	struct answer	*answer;
	enum client_got	 got;
};

static int	on_reply(void *, struct imsg *);
static int	on_event(void *, struct imsg *);
static int	on_other(void *, struct imsg *);

static const struct imsg_rule	rules[] = {
	{ IMSG_REPLY, PROC_PARENT, sizeof(struct msg_reply), 1, 0,
	    ANY_STATE, on_reply },
	{ IMSG_UPDATE_EVENT, PROC_PARENT, sizeof(struct msg_update_event), 0,
	    0, ANY_STATE, on_event },
	/* We hand the descriptor over and relay nothing ourselves. */
	{ IMSG_UPDATE_STOP, PROC_PARENT, sizeof(struct msg_id), 0, 0,
	    ANY_STATE, on_other },
};

/* Who may connect?  The socket's group says it. */
static void
explain_access(struct client *c, const char *path)
{
	struct stat	 st;
	struct group	*gr = NULL;

	if (stat(path, &st) == 0 && st.st_gid != 0 && (st.st_mode & S_IWGRP))
		gr = getgrgid(st.st_gid);
	if (gr != NULL)
		snprintf(c->why, sizeof(c->why), "cannot connect to %s: %s "
		    "(for root and members of the group %s only)", path,
		    strerror(EACCES), gr->gr_name);
	else
		snprintf(c->why, sizeof(c->why), "cannot connect to %s: %s "
		    "(for root only)", path, strerror(EACCES));
}

int
client_open(struct client *c, const char *path)
{
	struct sockaddr_un	 sun;
	int			 fd, saved;

	memset(c, 0, sizeof(*c));
	c->fd = -1;
	memset(&sun, 0, sizeof(sun));
	sun.sun_family = AF_UNIX;
	if (strlcpy(sun.sun_path, path, sizeof(sun.sun_path)) >=
	    sizeof(sun.sun_path)) {
		snprintf(c->why, sizeof(c->why), "cannot connect to %.300s: "
		    "%s", path, strerror(ENAMETOOLONG));
		return -1;
	}
	if ((fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) == -1) {
		snprintf(c->why, sizeof(c->why), "cannot make a socket: %s",
		    strerror(errno));
		return -1;
	}
	if (connect(fd, (struct sockaddr *)&sun, sizeof(sun)) == -1) {
		saved = errno;
		close(fd);
		if (saved == EACCES)
			explain_access(c, path);
		else
			snprintf(c->why, sizeof(c->why), "cannot connect to "
			    "%s: %s%s", path, strerror(saved),
			    saved == ENOENT || saved == ECONNREFUSED ?
			    " (is updaterd running?)" : "");
		return -1;
	}
	return client_take(c, fd);
}

int
client_take(struct client *c, int fd)
{
	memset(c, 0, sizeof(*c));
	c->fd = fd;
	c->id = 1;
	if (imsgbuf_init(&c->ibuf, fd) == -1) {
		snprintf(c->why, sizeof(c->why), "cannot set up the "
		    "connection: %s", strerror(errno));
		close(fd);
		c->fd = -1;
		return -1;
	}
	/* To send one; what comes with a descriptor breaks a rule. */
	imsgbuf_allow_fdpass(&c->ibuf);
	return 0;
}

void
client_close(struct client *c)
{
	if (c->fd == -1)
		return;
	imsgbuf_clear(&c->ibuf);
	close(c->fd);
	c->fd = -1;
}

static int
client_send(struct client *c, uint32_t type, int fd, const void *data,
    size_t len)
{
	if (imsg_compose(&c->ibuf, type, UPD_PROTO_VERSION, 0, fd, data,
	    len) == -1) {
		snprintf(c->why, sizeof(c->why), "cannot send the request: "
		    "%s", strerror(errno));
		if (fd != -1)
			close(fd);
		return -1;
	}
	/* A daemon that refuses us answers and closes: read that, too. */
	if (imsgbuf_flush(&c->ibuf) == -1 && errno != EPIPE &&
	    errno != ECONNRESET) {
		snprintf(c->why, sizeof(c->why), "cannot send the request: "
		    "%s", strerror(errno));
		return -1;
	}
	return 0;
}

static int
name_copy(struct client *c, char *dst, const char *src, size_t size)
{
	if (strlcpy(dst, src, size) < size)
		return 0;
	snprintf(c->why, sizeof(c->why), "the name %.40s... is longer than "
	    "%zu bytes", src, size - 1);
	return -1;
}

int
client_request(struct client *c, enum upd_op op, const char *agent,
    const char *arg)
{
	struct msg_request	 m;

	memset(&m, 0, sizeof(m));
	m.id = c->id;
	m.op = op;
	if (name_copy(c, m.agent, agent, sizeof(m.agent)) == -1 ||
	    name_copy(c, m.arg, arg, sizeof(m.arg)) == -1)
		return -1;
	return client_send(c, IMSG_REQUEST, -1, &m, sizeof(m));
}

int
client_update(struct client *c, int fd, int64_t length, uint32_t flags,
    const char *agent, const char *sha)
{
	struct msg_ctl_update	 m;

	memset(&m, 0, sizeof(m));
	m.id = c->id;
	m.flags = flags;
	m.length = length;
	if (name_copy(c, m.agent, agent, sizeof(m.agent)) == -1 ||
	    name_copy(c, m.sha, sha, sizeof(m.sha)) == -1) {
		close(fd);
		return -1;
	}
	return client_send(c, IMSG_CTL_UPDATE, fd, &m, sizeof(m));
}

static int
on_reply(void *arg, struct imsg *imsg)
{
	struct incoming		*in = arg;
	struct msg_reply	 m;
	size_t			 len = imsg_get_len(imsg) - sizeof(m);

	memcpy(&m, imsg->data, sizeof(m));
	if (m.id != in->client->id)
		return -1;
	if (len > ANSWER_MAX - in->answer->text.len)
		return -1;
	if (buf_add(&in->answer->text, (char *)imsg->data + sizeof(m),
	    len) == -1)
		return -1;
	in->answer->status = m.status;
	in->answer->last = m.last != 0;
	in->got = CLIENT_PART;
	return 0;
}

static int
on_event(void *arg, struct imsg *imsg)
{
	struct incoming	*in = arg;

	if (imsg_get_data(imsg, &in->answer->event,
	    sizeof(in->answer->event)) == -1 ||
	    !PROTO_STR(in->answer->event.event))
		return -1;
	in->got = CLIENT_EVENT;
	return 0;
}

static int
on_other(void *arg, struct imsg *imsg)
{
	return 0;
}

/* One message; 1: it was worth returning for. */
static int
take(struct incoming *in, struct imsg *imsg)
{
	const struct imsg_rule	*rule;
	const char		*why = NULL;
	struct client		*c = in->client;

	rule = proto_check(rules, sizeof(rules) / sizeof(rules[0]),
	    PROC_PARENT, ANY_STATE, imsg, &why);
	if (rule != NULL && rule->handler(in, imsg) == 0)
		return in->got != CLIENT_END;
	snprintf(c->why, sizeof(c->why), "cannot understand the answer (%s "
	    "message: %s)", imsg_name(imsg_get_type(imsg)),
	    why != NULL ? why : "bad content");
	in->got = CLIENT_BROKEN;
	return 1;
}

enum client_got
client_next(struct client *c, struct answer *a)
{
	struct incoming	 in = { c, a, CLIENT_END };
	struct imsg	 imsg;
	ssize_t		 n;
	int		 done;

	for (;;) {
		if ((n = imsg_get(&c->ibuf, &imsg)) == -1) {
			(void)strlcpy(c->why, "cannot understand the answer",
			    sizeof(c->why));
			return CLIENT_BROKEN;
		}
		if (n > 0) {
			done = take(&in, &imsg);
			imsg_free(&imsg);
			if (done)
				return in.got;
			continue;
		}
		switch (imsgbuf_read(&c->ibuf)) {
		case 0:
			return CLIENT_END;
		case -1:
			if (errno == EINTR)
				break;
			if (errno == ECONNRESET)
				return CLIENT_END;
			snprintf(c->why, sizeof(c->why), "cannot read the "
			    "answer: %s", strerror(errno));
			return CLIENT_BROKEN;
		default:
			break;
		}
	}
}
