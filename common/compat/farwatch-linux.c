/*
 * Linux: one inotify descriptor watches all, wherever it is handed to.
 * Watches are made on "." after fchdir(2): no path is followed.
 */
#include <sys/types.h>
#include <sys/inotify.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "farwatch.h"

/* Owner and mode of what is in it, too: it may become readable. */
#define DIR_EVENTS	(IN_CREATE | IN_MOVED_TO | IN_DELETE | \
			IN_MOVED_FROM | IN_DELETE_SELF | IN_MOVE_SELF | \
			IN_ATTRIB | IN_ONLYDIR)
/* A file that is replaced loses a link, and is deleted once nobody has it
 * open any more. */
#define FILE_EVENTS	(IN_DELETE_SELF | IN_MOVE_SELF | IN_ATTRIB | \
			IN_DONT_FOLLOW)

int
farwatch_init(struct farwatch *w)
{
	memset(w, 0, sizeof(*w));
	if ((w->fds[0] = inotify_init1(IN_CLOEXEC | IN_NONBLOCK)) == -1)
		return -1;
	w->n = 1;
	return 0;
}

int
farwatch_dir(struct farwatch *w, int dirfd)
{
	if (w->n == 0) {
		errno = EBADF;
		return -1;
	}
	if (fchdir(dirfd) == -1)
		return -1;
	return inotify_add_watch(w->fds[0], ".", DIR_EVENTS) == -1 ? -1 : 0;
}

int
farwatch_file(struct farwatch *w, int dirfd, const char *name)
{
	if (w->n == 0) {
		errno = EBADF;
		return -1;
	}
	if (fchdir(dirfd) == -1)
		return -1;
	return inotify_add_watch(w->fds[0], name, FILE_EVENTS) == -1 ? -1 : 0;
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
	if (w->fd != -1) {	/* one is all there is */
		close(fd);
		errno = EINVAL;
		return -1;
	}
	w->fd = fd;
	return 0;
}

void
farwait_close(struct farwait *w)
{
	if (w->fd != -1)
		close(w->fd);
	farwait_init(w);
}
