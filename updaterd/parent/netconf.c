/*
 * What net is told of a configuration: limits, files as descriptors,
 * permits, listening sockets.
 *
 * The files are opened before the first message: a file that is missing is
 * then an error to tell, and the net that serves goes on with what it has.
 */
#include <sys/types.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "imsgev.h"
#include "log.h"
#include "parent.h"
#include "proto.h"

/* What net reads of a configuration; NULL: not given. */
static const char *
file_path(const struct config *c, int which)
{
	switch (which) {
	case NETFILE_CA:
		return c->tls.ca;
	case NETFILE_CRL:
		return c->tls.crl;
	case NETFILE_CERT:
		return c->tls.cert;
	default:
		return c->tls.key;
	}
}

int
netconf_open(const struct config *c, int *fd, char *text)
{
	const char	*path;
	int		 i;

	for (i = 0; i < NETFILE__MAX; i++) {
		fd[i] = -1;
		if ((path = file_path(c, i)) == NULL)
			continue;
		fd[i] = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
		if (fd[i] != -1)
			continue;
		snprintf(text, UPD_TEXT_SIZE, "open %s: %s", path,
		    strerror(errno));
		while (i-- > 0)
			if (fd[i] != -1)
				close(fd[i]);
		return -1;
	}
	return 0;
}

/* The descriptor is handed over. */
static int
send_file(struct imsgev *iev, enum net_file which, const char *path, int fd)
{
	struct msg_net_file	 m;

	memset(&m, 0, sizeof(m));
	m.which = which;
	strlcpy(m.name, path, sizeof(m.name));
	return imsgev_compose(iev, IMSG_NET_FILE, fd, &m, sizeof(m));
}

/* Where a socket goes, and whether all of them went. */
struct outlet {
	struct imsgev	*iev;
	int		 failed;
};

static void
send_listener(void *arg, int fd, const char *text)
{
	struct outlet		*o = arg;
	struct msg_net_listen	 m;
	int			 copy;

	memset(&m, 0, sizeof(m));
	strlcpy(m.text, text, sizeof(m.text));
	if ((copy = fcntl(fd, F_DUPFD_CLOEXEC, 3)) == -1) {
		log_warn("pass listening socket to net");
		o->failed = 1;
	} else if (imsgev_compose(o->iev, IMSG_NET_LISTEN, copy, &m,
	    sizeof(m)) == -1)
		o->failed = 1;
}

int
netconf_send(struct imsgev *iev, const struct config *c, const int *fd)
{
	struct msg_net_conf	 m;
	struct msg_net_permit	 mp;
	struct permit_conf	*p;
	struct outlet		 o = { iev, 0 };
	int			 i, r;

	memset(&m, 0, sizeof(m));
	m.connections = c->connections;
	m.per_address = c->per_address;
	m.header = c->header;
	m.idle = c->idle;
	m.body = c->body;
	m.rate = c->rate;
	m.need_sha256 = c->release_keys.n == 0;
	r = imsgev_compose(iev, IMSG_NET_CONF, -1, &m, sizeof(m));
	for (i = 0; i < NETFILE__MAX; i++)
		if (fd[i] != -1 && send_file(iev, (enum net_file)i,
		    file_path(c, i), fd[i]) == -1)
			r = -1;
	if (r == -1)
		return -1;
	TAILQ_FOREACH(p, &c->permits, entry) {
		memset(&mp, 0, sizeof(mp));
		mp.role = p->role;
		mp.kind = p->kind;
		strlcpy(mp.value, p->value, sizeof(mp.value));
		if (imsgev_compose(iev, IMSG_NET_PERMIT, -1, &mp,
		    sizeof(mp)) == -1)
			return -1;
	}
	listen_each(send_listener, &o);
	if (o.failed)
		return -1;
	return imsgev_compose(iev, IMSG_NET_END, -1, NULL, 0);
}
