/*
 * OpenBSD: kqueue(2) cannot be handed over, the descriptors that it watches
 * can: so the one that waits makes the queue.  Files beyond FARWATCH_FDS are
 * not watched.
 */
#include <sys/types.h>
#include <sys/event.h>
#include <sys/stat.h>
#include <sys/time.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "farwatch.h"

#define DIR_EVENTS	(NOTE_WRITE | NOTE_EXTEND | NOTE_DELETE | \
			NOTE_RENAME | NOTE_REVOKE | NOTE_ATTRIB)
#define FILE_EVENTS	(NOTE_DELETE | NOTE_RENAME | NOTE_REVOKE | NOTE_LINK)

int
farwatch_init(struct farwatch *w)
{
	memset(w, 0, sizeof(*w));
	return 0;
}

static int
keep(struct farwatch *w, int fd)
{
	if (fd == -1)
		return -1;
	if (w->n == FARWATCH_FDS) {
		close(fd);
		errno = ENOSPC;
		return -1;
	}
	w->fds[w->n++] = fd;
	return 0;
}

int
farwatch_dir(struct farwatch *w, int dirfd)
{
	return keep(w, openat(dirfd, ".", O_RDONLY | O_DIRECTORY |
	    O_CLOEXEC));
}

int
farwatch_file(struct farwatch *w, int dirfd, const char *name)
{
	return keep(w, openat(dirfd, name, O_RDONLY | O_NOFOLLOW |
	    O_NONBLOCK | O_CLOEXEC));
}

void
farwait_init(struct farwait *w)
{
	w->fd = -1;
	w->n = 0;
}

int
farwait_add(struct farwait *w, int fd)
{
	struct kevent	 kev;
	struct stat	 st;

	if (w->n == FARWATCH_FDS || fstat(fd, &st) == -1 ||
	    (w->fd == -1 && (w->fd = kqueue()) == -1))
		goto fail;
	EV_SET(&kev, fd, EVFILT_VNODE, EV_ADD | EV_CLEAR,
	    S_ISDIR(st.st_mode) ? DIR_EVENTS : FILE_EVENTS, 0, NULL);
	if (kevent(w->fd, &kev, 1, NULL, 0, NULL) == -1)
		goto fail;
	/* Closing it would end its watch. */
	w->held[w->n++] = fd;
	return 0;
 fail:
	close(fd);
	errno = EINVAL;
	return -1;
}

void
farwait_close(struct farwait *w)
{
	while (w->n > 0)
		close(w->held[--w->n]);
	if (w->fd != -1)
		close(w->fd);
	farwait_init(w);
}
