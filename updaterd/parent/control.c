/*
 * The control socket: updaterctl's end.  It is served by the parent, so it
 * is kept small: fixed-size requests, a version in every message, no
 * descriptors but from root, a cap on clients in all and per user.  Whoever
 * sends what does not fit loses the connection; nobody else notices.
 *
 * Root may do all; others get in by the socket's group and may only look.
 * Answers are JSON text, the same that HTTP clients get.
 */
#include <sys/types.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "error.h"
#include "imsgev.h"
#include "log.h"
#include "parent.h"
#include "proto.h"
#include "timer.h"
#include "update.h"
#include "util.h"

#define CLIENTS_MAX	64		/* at once */
#define CLIENTS_ROOT	16		/* of them for root alone */
#define CLIENTS_PER_UID	16		/* of one user but root */
#define UNREAD_MAX	64		/* answers a client may leave unread
					 * before it is read no more */
#define CONTROL_BACKLOG	16
#define RETRY_MS	500		/* out of descriptors: accept later */
#define QUEUE_MAX	1024		/* messages a slow monitor may owe */

struct client {
	TAILQ_ENTRY(client)	 entry;
	struct imsgev		 iev;
	uid_t			 uid;
	struct caller		*monitor;	/* streams events, or NULL */
};
static TAILQ_HEAD(, client) clients = TAILQ_HEAD_INITIALIZER(clients);
static int		 nclients;
static int		 control_fd = -1;
static char		*control_path;
static struct event	 control_ev, control_retry;

static int	 got_request(void *, struct imsg *);
static int	 got_update(void *, struct imsg *);

static const struct imsg_rule rules[] = {
	{ IMSG_REQUEST, PROC_CONTROL, sizeof(struct msg_request), 0, 0,
	    ANY_STATE, got_request },
	{ IMSG_CTL_UPDATE, PROC_CONTROL, sizeof(struct msg_ctl_update), 0, 1,
	    ANY_STATE, got_update }
};

static void
client_close(struct client *c)
{
	update_lost(&c->iev);
	caller_lost(&c->iev);
	if (c->monitor != NULL)
		caller_reply(c->monitor, 200, NULL);
	imsgev_close(&c->iev);
	TAILQ_REMOVE(&clients, c, entry);
	nclients--;
	free(c);
}

static struct caller *
client_caller(struct client *c, uint32_t id)
{
	struct msg_caller	 who;
	struct caller		*caller;

	memset(&who, 0, sizeof(who));
	if (c->uid == 0)
		strlcpy(who.subject, "root", sizeof(who.subject));
	else
		snprintf(who.subject, sizeof(who.subject), "uid %u", c->uid);
	strlcpy(who.address, "local", sizeof(who.address));
	if ((caller = caller_new(&c->iev, id, &who)) != NULL)
		caller->uid = c->uid;
	return caller;
}

static int
got_request(void *arg, struct imsg *imsg)
{
	struct client		*c = arg;
	struct msg_request	 m;
	struct caller		*caller;

	if (imsg_get_data(imsg, &m, sizeof(m)) == -1 || m.op >= OP__MAX ||
	    !PROTO_STR(m.agent) || !PROTO_STR(m.arg))
		return -1;
	if ((caller = client_caller(c, m.id)) == NULL)
		return -1;
	ops_run(caller, &m);
	return 0;
}

static int
got_update(void *arg, struct imsg *imsg)
{
	struct client		*c = arg;
	struct msg_ctl_update	 m;
	struct caller		*caller;
	const char		*p;

	if (imsg_get_data(imsg, &m, sizeof(m)) == -1 ||
	    !PROTO_STR(m.agent) || !PROTO_STR(m.sha) || m.length < -1)
		return -1;
	if ((caller = client_caller(c, m.id)) == NULL)
		return -1;
	for (p = m.sha; *p != '\0'; p++)
		if (strchr("0123456789abcdefghijklmnopqrstuvwxyz"
		    "ABCDEFGHIJKLMNOPQRSTUVWXYZ._-", *p) == NULL) {
			caller_error(caller, UPD_EBADREQ, "sha: only letters, "
			    "digits, dot, underscore and dash");
			return 0;
		}
	update_local(caller, &m, imsg_get_fd(imsg));
	return 0;
}

static int
client_recv(struct imsgev *iev, struct imsg *imsg, void *arg)
{
	const struct imsg_rule	*rule;
	const char		*why;

	if (imsg_get_id(imsg) != UPD_PROTO_VERSION) {
		log_info("close control client: protocol version %u",
		    imsg_get_id(imsg));
		return -1;
	}
	rule = proto_check(rules, sizeof(rules) / sizeof(rules[0]),
	    PROC_CONTROL, ANY_STATE, imsg, &why);
	if (rule == NULL) {
		log_info("close control client: %s", why);
		return -1;
	}
	return rule->handler(arg, imsg);
}

static void
client_dead(struct imsgev *iev, int broken, void *arg)
{
	client_close(arg);
}

static int
uid_clients(uid_t uid)
{
	struct client	*c;
	int		 n = 0;

	TAILQ_FOREACH(c, &clients, entry)
		if (c->uid == uid)
			n++;
	return n;
}

static void
control_resume(int fd, short ev, void *arg)
{
	event_add(&control_ev, NULL);
}

static void
control_accept(int lfd, short ev, void *arg)
{
	struct client	*c = NULL;
	uid_t		 uid;
	gid_t		 gid;
	int		 fd;

	fd = accept4(lfd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd == -1) {
		if (errno == EMFILE || errno == ENFILE) {
			log_warn("accept control client");
			event_del(&control_ev);
			timer_in(&control_retry, RETRY_MS);
		}
		return;
	}
	if (getpeereid(fd, &uid, &gid) == -1 || nclients >= CLIENTS_MAX ||
	    (uid != 0 && (nclients >= CLIENTS_MAX - CLIENTS_ROOT ||
	    uid_clients(uid) >= CLIENTS_PER_UID)) ||
	    (c = calloc(1, sizeof(*c))) == NULL ||
	    imsgev_init(&c->iev, fd, uid == 0, client_recv, client_dead,
	    c) == -1) {
		log_info("refuse control client");
		free(c);
		close(fd);
		return;
	}
	imsgev_queuemax(&c->iev, UNREAD_MAX);
	c->uid = uid;
	TAILQ_INSERT_TAIL(&clients, c, entry);
	nclients++;
}

/* The socket handed over, if it is that path's.  The descriptor, or -1. */
static int
control_inherit(int fd, const char *path)
{
	struct sockaddr_un	 sun;
	struct stat		 st;
	socklen_t		 len = sizeof(sun);

	if (fd == -1)
		return -1;
	memset(&sun, 0, sizeof(sun));
	if (getsockname(fd, (struct sockaddr *)&sun, &len) == 0 &&
	    sun.sun_family == AF_UNIX &&
	    strncmp(sun.sun_path, path, sizeof(sun.sun_path)) == 0 &&
	    lstat(path, &st) == 0 && S_ISSOCK(st.st_mode))
		return fd;
	close(fd);
	return -1;
}

static int
control_use(int fd, const char *path)
{
	if ((control_path = strdup(path)) == NULL)
		return -1;
	control_fd = fd;
	event_set(&control_ev, fd, EV_READ | EV_PERSIST, control_accept, NULL);
	event_add(&control_ev, NULL);
	evtimer_set(&control_retry, control_resume, NULL);
	return 0;
}

/*
 * Listen on path, for that group (or NULL), on the socket that was handed
 * over (or -1) if it is that one.  A socket that a dead daemon
 * left is replaced; the lock of the state directory says that it is dead.
 */
int
control_init(const char *path, const char *group, int inherited)
{
	struct sockaddr_un	 sun;
	gid_t			 gid = 0;
	mode_t			 old;
	int			 fd, r;

	memset(&sun, 0, sizeof(sun));
	sun.sun_family = AF_UNIX;
	if (strlcpy(sun.sun_path, path, sizeof(sun.sun_path)) >=
	    sizeof(sun.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	if (group != NULL && group_lookup(group, &gid) == -1) {
		log_warnx("control socket: no group %s: root only", group);
		group = NULL;
	}
	if ((fd = control_inherit(inherited, path)) != -1)
		return control_use(fd, path);
	if ((fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
	    0)) == -1)
		return -1;
	if (unlink(path) == -1 && errno != ENOENT)
		goto fail;
	old = umask(0177);
	r = bind(fd, (struct sockaddr *)&sun, sizeof(sun));
	umask(old);
	if (r == -1)
		goto fail;
	if (group != NULL && (chown(path, 0, gid) == -1 ||
	    chmod(path, 0660) == -1))
		goto fail;
	if (listen(fd, CONTROL_BACKLOG) == -1 || control_use(fd, path) == -1)
		goto fail;
	return 0;
fail:
	r = errno;
	close(fd);
	errno = r;
	return -1;
}

void
control_close(void)
{
	struct client	*c;

	if (control_fd == -1)
		return;
	event_del(&control_ev);
	evtimer_del(&control_retry);
	close(control_fd);
	control_fd = -1;
	(void)unlink(control_path);
	while ((c = TAILQ_FIRST(&clients)) != NULL) {
		imsgev_flush(&c->iev);
		client_close(c);
	}
}

int
control_listener(void)
{
	return control_fd;
}

int
control_isowing(void)
{
	struct client	*c;

	TAILQ_FOREACH(c, &clients, entry)
		if (c->monitor == NULL &&
		    imsgbuf_queuelen(&c->iev.ibuf) > 0)
			return 1;
	return 0;
}

/* Nothing of theirs is written, nor their end noticed: they are closed. */
void
control_forget(void)
{
	struct client	*c;

	TAILQ_FOREACH(c, &clients, entry)
		close(c->iev.ibuf.fd);
	TAILQ_INIT(&clients);
	nclients = 0;
}

/* --- monitors ------------------------------------------------------- */

/* The caller stays with its client and gets every event. */
int
control_monitor(struct caller *caller)
{
	struct client	*c;

	TAILQ_FOREACH(c, &clients, entry) {
		if (&c->iev != caller->iev)
			continue;
		if (c->monitor != NULL)
			return -1;
		c->monitor = caller;
		return 0;
	}
	return -1;
}

void
control_event(const char *name, json_t *event)
{
	struct client	*c;
	char		 now[40];

	if (event == NULL)
		return;
	time_iso(time_real_us(), now, sizeof(now));
	json_object_set_new(event, "time", json_string(now));
	json_object_set_new(event, "event", json_string(name));
	TAILQ_FOREACH(c, &clients, entry) {
		if (c->monitor == NULL ||
		    imsgbuf_queuelen(&c->iev.ibuf) > QUEUE_MAX)
			continue;
		caller_line(c->monitor, json_incref(event));
	}
	json_decref(event);
}
