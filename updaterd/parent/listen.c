/*
 * The listening sockets.  The parent opens them and keeps them, so that a
 * restart of net and a reload refuse nobody.  A reload first prepares a new
 * set, in which sockets for the same address are taken over; net is told;
 * then the set is committed, or abandoned.
 */
#include <sys/types.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <netinet/in.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "parent.h"
#include "util.h"

#define BACKLOG	128		/* connections not yet accepted */

struct listener {
	TAILQ_ENTRY(listener)	 entry;
	struct sockaddr_storage	 ss;
	socklen_t		 len;
	int			 fd;
	int			 taken;	/* fd belongs to the current set, too */
	char			 text[UPD_TEXT_SIZE];
};
TAILQ_HEAD(listeners, listener);

static struct listeners	 current = TAILQ_HEAD_INITIALIZER(current);
static struct listeners	 prepared = TAILQ_HEAD_INITIALIZER(prepared);
static int		 have_prepared;

static int
listen_open(const struct listen_conf *lc)
{
	int	 fd, on = 1;

	if ((fd = socket(lc->ss.ss_family, SOCK_STREAM | SOCK_CLOEXEC |
	    SOCK_NONBLOCK, 0)) == -1)
		return -1;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == -1 ||
	    (lc->ss.ss_family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6,
	    IPV6_V6ONLY, &on, sizeof(on)) == -1) ||
	    bind(fd, (const struct sockaddr *)&lc->ss, lc->sslen) == -1 ||
	    listen(fd, BACKLOG) == -1) {
		on = errno;
		close(fd);
		errno = on;
		return -1;
	}
	return fd;
}

static struct listener *
listen_find(const struct listen_conf *lc)
{
	struct listener	*l;

	TAILQ_FOREACH(l, &current, entry)
		if (l->len == lc->sslen &&
		    memcmp(&l->ss, &lc->ss, l->len) == 0)
			return l;
	return NULL;
}

/* 0, or -1 with text and errno; nothing is prepared then. */
int
listen_prepare(const struct config *conf, char *text)
{
	struct listen_conf	*lc;
	struct listener		*l, *old;
	int			 error;

	listen_abandon();
	have_prepared = 1;
	TAILQ_FOREACH(lc, &conf->listeners, entry) {
		if ((l = calloc(1, sizeof(*l))) == NULL) {
			strlcpy(text, "out of memory", UPD_TEXT_SIZE);
			error = ENOMEM;
			goto fail;
		}
		l->ss = lc->ss;
		l->len = lc->sslen;
		snprintf(l->text, sizeof(l->text), "%s port %u", lc->host,
		    lc->port);
		if ((old = listen_find(lc)) != NULL) {
			l->fd = old->fd;
			l->taken = 1;
		} else if ((l->fd = listen_open(lc)) == -1) {
			error = errno;
			snprintf(text, UPD_TEXT_SIZE, "listen on %.300s: %s",
			    l->text, strerror(error));
			free(l);
			/* A kernel without IPv6 must not keep "*" down. */
			if (error == EAFNOSUPPORT && lc->host[0] == '*') {
				log_info("%s", text);
				continue;
			}
			goto fail;
		}
		TAILQ_INSERT_TAIL(&prepared, l, entry);
	}
	return 0;
fail:
	listen_abandon();
	errno = error;
	return -1;
}

void
listen_commit(void)
{
	struct listener	*l, *p;
	int		 used;

	if (!have_prepared)
		return;
	while ((l = TAILQ_FIRST(&current)) != NULL) {
		used = 0;
		TAILQ_FOREACH(p, &prepared, entry)
			if (p->fd == l->fd)
				used = 1;
		if (!used)
			close(l->fd);
		TAILQ_REMOVE(&current, l, entry);
		free(l);
	}
	TAILQ_CONCAT(&current, &prepared, entry);
	TAILQ_FOREACH(l, &current, entry)
		l->taken = 0;
	have_prepared = 0;
}

void
listen_abandon(void)
{
	struct listener	*l;

	while ((l = TAILQ_FIRST(&prepared)) != NULL) {
		if (!l->taken)
			close(l->fd);
		TAILQ_REMOVE(&prepared, l, entry);
		free(l);
	}
	have_prepared = 0;
}

void
listen_each(void (*fn)(void *, int, const char *), void *arg)
{
	struct listener	*l;

	TAILQ_FOREACH(l, have_prepared ? &prepared : &current, entry)
		fn(arg, l->fd, l->text);
}

void
listen_inherit(int fd)
{
	struct listener	*l;

	if ((l = calloc(1, sizeof(*l))) == NULL)
		fatal("take over socket");
	l->len = sizeof(l->ss);
	l->fd = fd;
	if (getsockname(fd, (struct sockaddr *)&l->ss, &l->len) == -1) {
		log_warn("take over socket");
		close(fd);
		free(l);
		return;
	}
	TAILQ_INSERT_TAIL(&current, l, entry);
}

int
listen_fds(int *fds, int max)
{
	struct listener	*l;
	int		 n = 0;

	TAILQ_FOREACH(l, have_prepared ? &prepared : &current, entry)
		if (n < max)
			fds[n++] = l->fd;
	return n;
}
