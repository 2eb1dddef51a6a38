/*
 * The net process: terminates TLS, speaks HTTP, decides who may do what and
 * hands bodies on.  It holds the TLS key and nothing else worth having:
 * every file reaches it as bytes, every decision about a release is made
 * elsewhere.
 *
 * Order: lock in, say READY, then take configurations (CONF .. END) and
 * requests.  A configuration is used whole or not at all.  Connections made
 * under an older one go on, but for those whose certificate is no good under
 * the new one: they finish what they are doing, then close, so that a
 * certificate revoked by a reload is out at once.
 *
 * Messages name a request by its id.  The client may have gone while one
 * was under way, so an unknown id is normal and ignored; anything else
 * unexpected from the parent is a broken parent: fatal.
 */
#include <sys/types.h>
#include <sys/resource.h>
#include <sys/time.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <tls.h>
#include <unistd.h>

#include "imsg.h"
#include "log.h"
#include "net.h"
#include "pemdate.h"
#include "timer.h"
#include "../proc.h"
#include "../sandbox.h"

#define NET_NOFILE	4096	/* descriptors asked for */
#define NET_RESERVE	64	/* of them not for connections */
#define NET_FILE_MAX	(4 * 1024 * 1024)	/* bytes of a CA, CRL .. */
#define NET_PERMITS_MAX	1024

#define STATE_IDLE	0x01U	/* no configuration is arriving */
#define STATE_CONF	0x02U

/* --- configuration -------------------------------------------------- */

static void
netconf_free(struct netconf *nc)
{
	struct listener	*l;
	int		 i;

	if (nc == NULL)
		return;
	listen_stop(nc);
	while ((l = TAILQ_FIRST(&nc->listeners)) != NULL) {
		TAILQ_REMOVE(&nc->listeners, l, entry);
		free(l);
	}
	for (i = 0; i < NETFILE__MAX; i++) {
		if (nc->file[i].data != NULL)
			explicit_bzero(nc->file[i].data, nc->file[i].len);
		free(nc->file[i].data);
	}
	server_unref(nc->server);
	trust_free(nc);
	free(nc->permits);
	free(nc);
}

static int
recv_conf(void *arg, struct imsg *imsg)
{
	struct net	*net = arg;
	struct netconf	*nc;

	netconf_free(net->next);
	net->next = NULL;
	if ((nc = calloc(1, sizeof(*nc))) == NULL)
		fatal("cannot take configuration");
	TAILQ_INIT(&nc->listeners);
	net->next = nc;
	if (imsg_get_data(imsg, &nc->c, sizeof(nc->c)) == -1 ||
	    nc->c.connections == 0 || nc->c.per_address == 0 ||
	    nc->c.header == 0 || nc->c.idle == 0)
		return -1;
	return 0;
}

static int
recv_file(void *arg, struct imsg *imsg)
{
	struct net		*net = arg;
	struct msg_net_file	 m;
	struct netfile		*f;
	int			 fd;

	if (imsg_get_data(imsg, &m, sizeof(m)) == -1 || !PROTO_STR(m.name) ||
	    m.which >= NETFILE__MAX || net->next->file[m.which].data != NULL ||
	    (fd = imsg_get_fd(imsg)) == -1)
		return -1;
	f = &net->next->file[m.which];
	strlcpy(f->name, m.name, sizeof(f->name));
	/* One that cannot be read is missed in tls_build(), by its name. */
	if ((f->data = fd_read(fd, NET_FILE_MAX, &f->len)) == NULL)
		log_warn("cannot read %s", f->name);
	close(fd);
	return 0;
}

static int
recv_permit(void *arg, struct imsg *imsg)
{
	struct net		*net = arg;
	struct netconf		*nc = net->next;
	struct msg_net_permit	*p;

	if (nc->npermits == NET_PERMITS_MAX)
		return -1;
	p = recallocarray(nc->permits, nc->npermits, nc->npermits + 1,
	    sizeof(*p));
	if (p == NULL)
		fatal("cannot take configuration");
	nc->permits = p;
	p += nc->npermits;
	if (imsg_get_data(imsg, p, sizeof(*p)) == -1 || !PROTO_STR(p->value) ||
	    p->role >= ROLE__MAX || p->kind >= PERMIT__MAX)
		return -1;
	nc->npermits++;
	return 0;
}

static int
recv_listen(void *arg, struct imsg *imsg)
{
	struct net		*net = arg;
	struct msg_net_listen	 m;
	struct listener		*l;

	if (imsg_get_data(imsg, &m, sizeof(m)) == -1 || !PROTO_STR(m.text))
		return -1;
	if ((l = calloc(1, sizeof(*l))) == NULL)
		fatal("cannot take configuration");
	l->fd = imsg_get_fd(imsg);
	strlcpy(l->text, m.text, sizeof(l->text));
	TAILQ_INSERT_TAIL(&net->next->listeners, l, entry);
	return 0;
}

/* The parent, who may not look for itself, keeps the dates. */
static int
send_dates(struct net *net, const struct netconf *nc)
{
	const struct netfile	*f;
	struct msg_net_cert	 m;

	memset(&m, 0, sizeof(m));
	for (m.which = 0; m.which < NETFILE_KEY; m.which++) {
		f = &nc->file[m.which];
		m.expires = pem_expires(f->data, f->len,
		    m.which == NETFILE_CRL);
		if (m.expires != -1 && imsgev_compose(&net->iev,
		    IMSG_NET_CERT, -1, &m, sizeof(m)) == -1)
			return -1;
	}
	return 0;
}

/* Swap in what has arrived, or keep what we have. */
static int
recv_end(void *arg, struct imsg *imsg)
{
	struct net	*net = arg;
	struct netconf	*old = net->conf, *nc = net->next;
	struct msg_text	 m;

	memset(&m, 0, sizeof(m));
	net->next = NULL;
	if (tls_build(nc, m.text) == -1) {
		log_warnx("refuse configuration: %s", m.text);
		netconf_free(nc);
		return imsgev_compose(&net->iev, IMSG_NET_BAD, -1, &m,
		    sizeof(m));
	}
	if (listen_start(net, nc) == -1)
		fatal("cannot use socket");
	if (nc->c.connections > net->maxconns)
		log_warnx("connections %u are more than descriptors allow, "
		    "use %u", nc->c.connections, net->maxconns);
	net->conf = nc;
	net->gen++;
	netconf_free(old);
	listen_review(net);
	log_debug("use configuration %u", net->gen);
	if (send_dates(net, nc) == -1)
		return -1;
	return imsgev_compose(&net->iev, IMSG_NET_OK, -1, NULL, 0);
}

/* --- requests and updates ------------------------------------------- */

/* Or NULL. */
static struct conn *
conn_byid(struct net *net, uint32_t id)
{
	struct conn	*c;

	TAILQ_FOREACH(c, &net->conns, entry)
		if (c->id == id && id != 0)
			return c;
	return NULL;
}

uint32_t
conn_newid(struct net *net)
{
	do
		net->lastid++;
	while (net->lastid == 0 || conn_byid(net, net->lastid) != NULL);
	return net->lastid;
}

static int
recv_reply(void *arg, struct imsg *imsg)
{
	struct net		*net = arg;
	struct msg_reply	 m;
	const char		*data = imsg->data;
	struct conn		*c;

	memcpy(&m, data, sizeof(m));
	if (m.status < 200 || m.status > 599 || m.last > 1)
		return -1;
	if ((c = conn_byid(net, m.id)) == NULL)
		return 0;
	api_reply(c, &m, data + sizeof(m), imsg_get_len(imsg) - sizeof(m));
	conn_run(c);
	return 0;
}

static int
recv_reply_fd(void *arg, struct imsg *imsg)
{
	struct net		*net = arg;
	struct msg_reply_fd	 m;
	struct conn		*c;
	int			 fd;

	if (imsg_get_data(imsg, &m, sizeof(m)) == -1 || !PROTO_STR(m.type) ||
	    strpbrk(m.type, "\r\n") != NULL)
		return -1;
	if ((c = conn_byid(net, m.id)) == NULL)
		return 0;
	if (c->up != NULL || (fd = imsg_get_fd(imsg)) == -1)
		return -1;
	c->id = 0;
	reply_file(c, fd, m.size, m.type);
	conn_run(c);
	return 0;
}

/* The connection whose update that is; NULL with *bad set when the id is
 * another request's. */
static struct conn *
update_of(struct net *net, uint32_t id, int *bad)
{
	struct conn	*c = conn_byid(net, id);

	*bad = c != NULL && c->up == NULL;
	return *bad ? NULL : c;
}

static int
recv_go(void *arg, struct imsg *imsg)
{
	struct net	*net = arg;
	struct msg_id	 m;
	struct conn	*c;
	int		 bad;

	if (imsg_get_data(imsg, &m, sizeof(m)) == -1)
		return -1;
	/* The descriptor of one that has gone is closed by imsg_free(). */
	if ((c = update_of(net, m.id, &bad)) == NULL)
		return bad ? -1 : 0;
	upload_go(c, imsg_get_fd(imsg));
	conn_run(c);
	return 0;
}

static int
recv_stop(void *arg, struct imsg *imsg)
{
	struct net	*net = arg;
	struct msg_id	 m;
	struct conn	*c;
	int		 bad;

	if (imsg_get_data(imsg, &m, sizeof(m)) == -1)
		return -1;
	if ((c = update_of(net, m.id, &bad)) == NULL)
		return bad ? -1 : 0;
	upload_stop(c);
	conn_run(c);
	return 0;
}

static int
recv_event(void *arg, struct imsg *imsg)
{
	struct net		*net = arg;
	struct msg_update_event	 m;
	struct conn		*c;
	int			 bad;

	if (imsg_get_data(imsg, &m, sizeof(m)) == -1 || !PROTO_STR(m.event))
		return -1;
	if ((c = update_of(net, m.id, &bad)) == NULL)
		return bad ? -1 : 0;
	upload_event(c, m.event, m.bytes);
	conn_run(c);
	return 0;
}

/* How we have done; that we answer says that we are not stuck. */
static int
recv_ask(void *arg, struct imsg *imsg)
{
	struct net		*net = arg;
	struct msg_net_count	 m;

	memset(&m, 0, sizeof(m));
	m.open = net->nconns;
	m.max = net->maxconns;
	if (net->conf != NULL && net->conf->c.connections < m.max)
		m.max = net->conf->c.connections;
	memcpy(m.count, net->count, sizeof(m.count));
	return imsgev_compose(&net->iev, IMSG_NET_COUNT, -1, &m, sizeof(m));
}

/*
 * Another net takes over: accept nobody any more, serve those who are here,
 * each with one more answer at most, and end with the last.
 */
static int
recv_drain(void *arg, struct imsg *imsg)
{
	struct net	*net = arg;

	net->draining = 1;
	if (net->conf != NULL)
		listen_stop(net->conf);
	if (imsgev_compose(&net->iev, IMSG_NET_DRAINED, -1, NULL, 0) == -1)
		return -1;
	net_left(net);
	return 0;
}

static void
drained(int fd, short event, void *arg)
{
	log_debug("drained");
	_exit(0);
}

void
net_left(struct net *net)
{
	if (!net->draining || net->nconns > 0 ||
	    evtimer_initialized(&net->end))
		return;
	imsgev_flush(&net->iev);
	evtimer_set(&net->end, drained, net);
	timer_in(&net->end, 0);
}

static int
recv_verbose(void *arg, struct imsg *imsg)
{
	struct msg_verbose	 m;

	if (imsg_get_data(imsg, &m, sizeof(m)) == -1)
		return -1;
	log_setverbose((int)m.level);
	return 0;
}

static const struct imsg_rule rules[] = {
	{ IMSG_VERBOSE, PROC_PARENT, sizeof(struct msg_verbose), 0, 0,
	    ANY_STATE, recv_verbose },
	{ IMSG_NET_CONF, PROC_PARENT, sizeof(struct msg_net_conf), 0, 0,
	    ANY_STATE, recv_conf },
	{ IMSG_NET_FILE, PROC_PARENT, sizeof(struct msg_net_file), 0, 1,
	    STATE_CONF, recv_file },
	{ IMSG_NET_PERMIT, PROC_PARENT, sizeof(struct msg_net_permit), 0, 0,
	    STATE_CONF, recv_permit },
	{ IMSG_NET_LISTEN, PROC_PARENT, sizeof(struct msg_net_listen), 0, 1,
	    STATE_CONF, recv_listen },
	{ IMSG_NET_END, PROC_PARENT, 0, 0, 0, STATE_CONF, recv_end },
	{ IMSG_NET_ASK, PROC_PARENT, 0, 0, 0, ANY_STATE, recv_ask },
	{ IMSG_NET_DRAIN, PROC_PARENT, 0, 0, 0, STATE_IDLE, recv_drain },
	{ IMSG_REPLY, PROC_PARENT, sizeof(struct msg_reply), 1, 0,
	    ANY_STATE, recv_reply },
	{ IMSG_REPLY_FD, PROC_PARENT, sizeof(struct msg_reply_fd), 0, 1,
	    ANY_STATE, recv_reply_fd },
	{ IMSG_UPDATE_GO, PROC_PARENT, sizeof(struct msg_id), 0, 1,
	    ANY_STATE, recv_go },
	{ IMSG_UPDATE_STOP, PROC_PARENT, sizeof(struct msg_id), 0, 0,
	    ANY_STATE, recv_stop },
	{ IMSG_UPDATE_EVENT, PROC_PARENT, sizeof(struct msg_update_event),
	    0, 0, ANY_STATE, recv_event }
};

static int
recv_imsg(struct imsgev *iev, struct imsg *imsg, void *arg)
{
	struct net		*net = arg;
	const struct imsg_rule	*r;
	const char		*why;

	r = proto_check(rules, sizeof(rules) / sizeof(rules[0]), PROC_PARENT,
	    net->next != NULL ? STATE_CONF : STATE_IDLE, imsg, &why);
	if (r == NULL)
		fatalx("message %s from parent: %s",
		    imsg_name(imsg_get_type(imsg)), why);
	if (r->handler(net, imsg) == -1)
		fatalx("message %s from parent does not fit",
		    imsg_name(imsg_get_type(imsg)));
	return 0;
}

static void
parent_gone(struct imsgev *iev, int error, void *arg)
{
	if (error)
		log_warnx("lost the parent");
	/* Handlers of the libraries have nothing to do in here. */
	_exit(error);
}

static uint32_t
allowed_conns(void)
{
	struct rlimit	 rl;
	rlim_t		 n = NET_NOFILE;

	if (getrlimit(RLIMIT_NOFILE, &rl) == -1)
		fatal("getrlimit");
	if (rl.rlim_max != RLIM_INFINITY && rl.rlim_max < n)
		n = rl.rlim_max;
	return n > 2 * NET_RESERVE ? (uint32_t)n - NET_RESERVE : NET_RESERVE;
}

void
net_main(const struct proc_args *args)
{
	struct sandbox_opts	 opts;
	struct msg_ready	 ready;
	struct net		*net;

	if ((net = calloc(1, sizeof(*net))) == NULL)
		fatal("cannot start");
	TAILQ_INIT(&net->conns);
	net->maxconns = allowed_conns();

	/* Both make descriptors or read what is out of reach later. */
	event_init();
	if (tls_init() == -1)
		fatalx("cannot initialise libtls");

	memset(&opts, 0, sizeof(opts));
	opts.proc = PROC_NET;
	opts.uid = args->uid;
	opts.gid = args->gid;
	opts.chroot = args->chroot[0] != '\0' ? args->chroot : NULL;
	opts.chroot_fd = -1;
	opts.nofile = net->maxconns + NET_RESERVE;
	memset(&ready, 0, sizeof(ready));
	sandbox_enter(&opts, &ready);

	if (imsgev_init(&net->iev, PROC_FD, 1, recv_imsg, parent_gone,
	    net) == -1)
		fatal("cannot use channel");
	if (imsgev_compose(&net->iev, IMSG_READY, -1, &ready,
	    sizeof(ready)) == -1)
		fatal("cannot send to parent");
	event_dispatch();
	fatalx("event loop ended");
}
