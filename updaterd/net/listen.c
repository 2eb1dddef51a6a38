/*
 * Listening sockets and how many connections there may be.
 *
 * Over a limit a connection that keeps nobody waiting gives way.  Those in
 * their handshake are one crowd, those that owe us a request the other; the
 * larger gives way, the longest there first.  So neither strangers, who need
 * no certificate to connect, nor slow ones with a certificate can crowd out
 * the other kind: a new one always has the time in which half of the places
 * are filled.  When all are busy a few more are let in only to be told 503;
 * beyond these a new one is closed at once.
 * Without a free descriptor accepting pauses, for the listening socket
 * would stay readable and spin the loop.
 */
#include <sys/types.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "net.h"
#include "timer.h"

#define ACCEPT_MAX	16	/* connections taken per event */
#define FULL_MAX	8	/* connections only to be told 503 */
#define RESUME_MS	1000	/* before looking for a descriptor again */

static void
arm(struct listener *l, int on)
{
	if (l->armed == on)
		return;
	if (on ? event_add(&l->ev, NULL) == -1 : event_del(&l->ev) == -1)
		log_warn("watch socket %s", l->text);
	else
		l->armed = on;
}

static void
arm_all(struct net *net, int on)
{
	struct listener	*l;

	if (net->conf != NULL)
		TAILQ_FOREACH(l, &net->conf->listeners, entry)
			arm(l, on);
}

void
listen_resume(struct net *net)
{
	if (!net->paused || net->draining)
		return;
	net->paused = 0;
	evtimer_del(&net->resume);
	arm_all(net, 1);
}

static void
resume(int fd, short event, void *arg)
{
	listen_resume(arg);
}

static void
pause_accept(struct net *net)
{
	log_warn("pause accepting connections");
	net->paused = 1;
	arm_all(net, 0);
	evtimer_set(&net->resume, resume, net);
	if (timer_in(&net->resume, RESUME_MS) == -1)
		fatal("cannot set timer");
}

/* The one to close when one more is wanted, of that address only unless
 * NULL; the list begins with the one that is there longest. */
static struct conn *
victim(struct net *net, const struct sockaddr_storage *ss)
{
	struct conn	*c, *first[EVICT__MAX] = { NULL };
	uint32_t	 n[EVICT__MAX] = { 0 };
	enum evict	 e;

	TAILQ_FOREACH(c, &net->conns, entry) {
		if (ss != NULL && !addr_same(&c->peer, ss))
			continue;
		e = conn_evict(c);
		if (n[e]++ == 0)
			first[e] = c;
	}
	if (n[EVICT_OVER] > 0)
		return first[EVICT_OVER];
	if (n[EVICT_HANDSHAKE] + n[EVICT_HEAD] == 0)
		return first[EVICT_HALF];
	return n[EVICT_HANDSHAKE] >= n[EVICT_HEAD] ?
	    first[EVICT_HANDSHAKE] : first[EVICT_HEAD];
}

static int
evict(struct net *net, const struct sockaddr_storage *ss)
{
	struct conn	*c;

	if ((c = victim(net, ss)) == NULL)
		return -1;
	log_debug("close idle connection of %s", c->caller.address);
	net->count[NETCOUNT_EVICTED]++;
	conn_kill(c);
	conn_run(c);
	return 0;
}

static uint32_t
count(struct net *net, const struct sockaddr_storage *ss)
{
	struct conn	*c;
	uint32_t	 n = 0;

	TAILQ_FOREACH(c, &net->conns, entry)
		if (addr_same(&c->peer, ss))
			n++;
	return n;
}

static void
admit(struct net *net, int fd, const struct sockaddr_storage *ss)
{
	const struct msg_net_conf	*c = &net->conf->c;
	uint32_t			 max = c->connections;
	int				 full = 0;

	net->count[NETCOUNT_ACCEPTED]++;
	if (max > net->maxconns)
		max = net->maxconns;
	if (count(net, ss) >= c->per_address && evict(net, ss) == -1)
		full = 1;
	else if (net->nconns >= max && evict(net, NULL) == -1)
		full = 1;
	if (full && net->nfull >= FULL_MAX) {
		log_debug("close connection over the limit");
		net->count[NETCOUNT_FULL]++;
		close(fd);
		return;
	}
	conn_new(net, fd, ss, full);
}

static void
acceptable(int lfd, short event, void *arg)
{
	struct listener		*l = arg;
	struct net		*net = l->net;
	struct sockaddr_storage	 ss;
	socklen_t		 len;
	int			 fd, i;

	for (i = 0; i < ACCEPT_MAX; i++) {
		len = sizeof(ss);
		memset(&ss, 0, sizeof(ss));
		fd = accept4(lfd, (struct sockaddr *)&ss, &len,
		    SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd != -1) {
			admit(net, fd, &ss);
			continue;
		}
		switch (errno) {
		case EMFILE:
		case ENFILE:
		case ENOBUFS:
		case ENOMEM:
			if (evict(net, NULL) == 0)
				continue;
			pause_accept(net);
			return;
		case EINTR:
		case ECONNABORTED:
		case EPROTO:
			continue;
		case EAGAIN:
			return;
		default:
			/* Network errors of the new connection show up
			 * here, too; none is a reason to stop. */
			log_debug("cannot accept: %s", strerror(errno));
			return;
		}
	}
}

int
listen_start(struct net *net, struct netconf *nc)
{
	struct listener	*l;

	TAILQ_FOREACH(l, &nc->listeners, entry) {
		if (fd_nonblock(l->fd) == -1)
			return -1;
		l->net = net;
		event_set(&l->ev, l->fd, EV_READ | EV_PERSIST, acceptable, l);
		if (!net->paused)
			arm(l, 1);
	}
	return 0;
}

void
listen_stop(struct netconf *nc)
{
	struct listener	*l;

	TAILQ_FOREACH(l, &nc->listeners, entry) {
		arm(l, 0);
		if (l->fd != -1)
			close(l->fd);
		l->fd = -1;
	}
}

void
listen_review(struct net *net)
{
	struct conn	*c, *next;

	for (c = TAILQ_FIRST(&net->conns); c != NULL; c = next) {
		next = TAILQ_NEXT(c, entry);
		if (c->state != CONN_HEAD || c->head != NULL || conn_review(c))
			continue;
		conn_setstate(c, CONN_LINGER);
		conn_run(c);
	}
}
