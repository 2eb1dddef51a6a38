/*
 * Health of the kind notify: the service itself says that it is ready, by a
 * newline on its descriptor 3, a FIFO in its run directory, or by READY=1 to
 * the socket beside it.
 *
 * Only one whose check goes on is heard: struct herald is made before its
 * start, and goes with the check.
 */
#include <sys/types.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "health.h"
#include "instance.h"
#include "log.h"
#include "util.h"

#include "compat/contain.h"

#define DATAGRAM_MAX	4096	/* bytes of one notification */
#define READY_WORD	"READY=1"
#define FIFO_NAME	"ready"
#define SOCK_NAME	"notify"

void
herald_close(struct health *health)
{
	struct herald	*h = health->herald;

	if (h == NULL)
		return;
	if (h->fifo != -1) {
		event_del(&h->fifo_ev);
		close(h->fifo);
	}
	if (h->sock != -1) {
		event_del(&h->sock_ev);
		close(h->sock);
	}
	free(h);
	health->herald = NULL;
}

void
herald_begin(struct instance *i)
{
	health_wait(&i->health, i->health.within_ms);
}

static void	 herald_fifo(int, short, void *);
static void	 herald_sock(int, short, void *);

void
herald_timer(struct instance *i)
{
	struct herald	*h = i->health.herald;
	char		 text[128];

	/* It may have said so while we were busy with others. */
	if (h != NULL && h->fifo != -1)
		herald_fifo(h->fifo, EV_READ, i);
	if (!i->health.pending)		/* and h is gone */
		return;
	if (h != NULL && h->sock != -1)
		herald_sock(h->sock, EV_READ, i);
	if (!i->health.pending)
		return;
	snprintf(text, sizeof(text), "did not say within %u ms that it is "
	    "ready", i->health.within_ms);
	health_finish(i, 0, text);
}

static void
said_ready(struct instance *i)
{
	/* Of one that was adopted, before its check has begun: it keeps. */
	if (i->health.pending)
		health_finish(i, 1, "said that it is ready");
}

void
herald_ready(struct instance *i)
{
	if (i->health.kind == HEALTH_NOTIFY)
		said_ready(i);
}

static void
herald_fifo(int fd, short what, void *arg)
{
	struct instance	*i = arg;
	char		 data[512];
	ssize_t		 n;

	n = read(fd, data, sizeof(data));
	if (n > 0 && memchr(data, '\n', (size_t)n) != NULL)
		said_ready(i);
}

static void
herald_sock(int fd, short what, void *arg)
{
	struct instance	*i = arg;
	char		 data[DATAGRAM_MAX + 1], *p, *line;
	ssize_t		 n;
	uid_t		 uid;

	if ((n = cred_recv(fd, data, DATAGRAM_MAX, &uid)) <= 0)
		return;
	if (uid != (uid_t)-1 && uid != i->health.herald->uid && uid != 0)
		return;
	data[n] = '\0';
	for (p = data; (line = strsep(&p, "\n")) != NULL; )
		if (strcmp(line, READY_WORD) == 0) {
			said_ready(i);
			return;
		}
}

/* The socket, or -1 with errno. */
static int
make_socket(int dirfd, const char *path, uid_t uid, gid_t gid)
{
	struct sockaddr_un	 sun;
	int			 fd, saved;

	memset(&sun, 0, sizeof(sun));
	sun.sun_family = AF_UNIX;
	if (strlcpy(sun.sun_path, path, sizeof(sun.sun_path)) >=
	    sizeof(sun.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd == -1)
		return -1;
	(void)unlinkat(dirfd, SOCK_NAME, 0);
	if (bind(fd, (struct sockaddr *)&sun, sizeof(sun)) == -1 ||
	    fchmodat(dirfd, SOCK_NAME, 0600, 0) == -1 ||
	    fchownat(dirfd, SOCK_NAME, uid, gid, AT_SYMLINK_NOFOLLOW) == -1 ||
	    cred_enable(fd) == -1) {
		saved = errno;
		close(fd);
		errno = saved;
		return -1;
	}
	return fd;
}

/* Nothing is heard yet.  NULL: out of memory. */
static struct herald *
herald_new(uid_t uid)
{
	struct herald	*h;

	if ((h = calloc(1, sizeof(*h))) == NULL)
		return NULL;
	h->fifo = h->sock = -1;
	h->uid = uid;
	return h;
}

int
herald_prepare(struct instance *i, int fresh, uid_t uid, gid_t gid,
    char *path, size_t size, char *text)
{
	struct herald	*h;
	int		 dirfd, fd;

	herald_close(&i->health);
	path[0] = '\0';
	if ((h = i->health.herald = herald_new(uid)) == NULL ||
	    (dirfd = rundir_open(i)) == -1)
		goto fail;
	/* What an earlier one wrote must not speak for this one. */
	if (fresh)
		(void)unlinkat(dirfd, FIFO_NAME, 0);
	if ((h->fifo = fifo_open(dirfd, FIFO_NAME)) == -1)
		goto fail;
	event_set(&h->fifo_ev, h->fifo, EV_READ | EV_PERSIST, herald_fifo, i);
	if ((fd = fifo_writer(dirfd, FIFO_NAME)) == -1)
		goto fail;
	if (event_add(&h->fifo_ev, NULL) == -1)
		log_warnx("watch descriptor 3 of %s: out of memory", i->name);
	if ((size_t)snprintf(path, size, "%s/%s/" SOCK_NAME,
	    service_getenv()->run_path, i->name) >= size ||
	    (h->sock = make_socket(dirfd, path, uid, gid)) == -1) {
		/* Descriptor 3 does it as well. */
		log_warn("make notification socket of %s", i->name);
		path[0] = '\0';
		return fd;
	}
	event_set(&h->sock_ev, h->sock, EV_READ | EV_PERSIST, herald_sock, i);
	if (event_add(&h->sock_ev, NULL) == -1)
		log_warnx("watch socket of %s: out of memory", i->name);
	return fd;
 fail:
	snprintf(text, UPD_TEXT_SIZE, "cannot make descriptor 3: %s",
	    strerror(errno));
	herald_close(&i->health);
	return -1;
}
