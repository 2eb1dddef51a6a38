/*
 * What a service writes goes through a FIFO that it holds for reading and
 * writing, so that nothing happens to it while no parent is there; the
 * next parent opens the same FIFO and reads on.  The parent holds it both
 * ways, too: it never sees an end of file.
 *
 * A service may write as fast as it likes: one read a turn of the event
 * loop, and when nobody can keep up it is the service that waits.
 *
 * Trouble with the file never reaches the service: what cannot be written
 * is dropped and counted, and a new attempt is made a second later.
 *
 * The file is written by root at a place that an operator names, so every
 * step to it must be root's alone: a directory is passed only if it is
 * owned by root and nobody else may rename what root made in it.
 */
#include <sys/types.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "logfile.h"

#include "compat/contain.h"

#define READ_SIZE	65536	/* bytes a turn */
#define RETRY_MS	1000	/* after the file could not be written */
#define LOG_MODE	0600
#define SUFFIX_MAX	11	/* bytes: a dot and 32 bits */
#define FIFO_NAME	"log"

/* --- the file -------------------------------------------------------- */

void
logfile_init(struct logfile *f)
{
	memset(f, 0, sizeof(*f));
	f->dirfd = f->fd = -1;
}

void
logfile_reopen(struct logfile *f)
{
	if (f->fd != -1)
		close(f->fd);
	if (f->dirfd != -1)
		close(f->dirfd);
	f->fd = f->dirfd = -1;
	f->retry_at = 0;
}

void
logfile_free(struct logfile *f)
{
	logfile_reopen(f);
	free(f->path);
	f->path = NULL;
}

int
logfile_set(struct logfile *f, const char *path, uint64_t max,
    uint32_t keep)
{
	char	*copy = NULL;

	f->max = max;
	f->keep = keep;
	if (path != NULL && f->path != NULL && strcmp(path, f->path) == 0)
		return 0;
	if (path != NULL && (copy = strdup(path)) == NULL)
		return -1;
	logfile_free(f);
	f->path = copy;
	return 0;
}

/* May others rename or replace what root has in this directory? */
static int
dir_is_roots(const struct stat *st)
{
	return st->st_uid == geteuid() &&
	    ((st->st_mode & (S_IWGRP | S_IWOTH)) == 0 ||
	    (st->st_mode & S_ISVTX) != 0);
}

/*
 * One step from a directory to the next.  A symlink is followed if it is
 * root's.  Takes over dirfd.  -1 with errno.
 */
static int
dir_step(int dirfd, const char *name)
{
	struct stat	 st;
	int		 fd = -1, saved;

	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == -1)
		goto done;
	errno = EPERM;
	if (st.st_uid != geteuid())
		goto done;
	fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC |
	    (S_ISLNK(st.st_mode) ? 0 : O_NOFOLLOW));
	if (fd == -1)
		goto done;
	if (fstat(fd, &st) == -1 || !dir_is_roots(&st)) {
		close(fd);
		fd = -1;
		errno = EPERM;
	}
 done:
	saved = errno;
	close(dirfd);
	errno = saved;
	return fd;
}

/* The directory of an absolute path; *base is what is left of it. */
static int
dir_open(const char *path, const char **base)
{
	char		 name[NAME_MAX + 1];
	const char	*p, *end;
	int		 fd;

	if ((fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC)) == -1)
		return -1;
	for (p = path; *p == '/'; p++)
		;
	while ((end = strchr(p, '/')) != NULL) {
		if ((size_t)(end - p) >= sizeof(name)) {
			close(fd);
			errno = ENAMETOOLONG;
			return -1;
		}
		memcpy(name, p, (size_t)(end - p));
		name[end - p] = '\0';
		if ((fd = dir_step(fd, name)) == -1)
			return -1;
		for (p = end; *p == '/'; p++)
			;
	}
	if (strlen(p) > NAME_MAX - SUFFIX_MAX) {
		close(fd);
		errno = ENAMETOOLONG;
		return -1;
	}
	*base = p;
	return fd;
}

/* 0, or -1 with errno. */
static int
file_open(struct logfile *f)
{
	struct stat	 st;

	if (f->dirfd == -1 && (f->dirfd = dir_open(f->path, &f->base)) == -1)
		return -1;
	/* O_NONBLOCK: should it be a FIFO, it must not hold us up. */
	f->fd = openat(f->dirfd, f->base, O_WRONLY | O_APPEND | O_CREAT |
	    O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, LOG_MODE);
	if (f->fd == -1)
		return -1;
	if (fstat(f->fd, &st) == 0 && S_ISREG(st.st_mode) &&
	    st.st_nlink == 1 && st.st_uid == geteuid()) {
		f->size = (uint64_t)st.st_size;
		return 0;
	}
	close(f->fd);
	f->fd = -1;
	errno = EPERM;
	return -1;
}

/* path -> path.1 -> .. -> path.keep.  0, or -1 with errno: growing beyond
 * its size is no cure, so that counts as a failed write. */
static int
rotate(struct logfile *f)
{
	char	 from[NAME_MAX + 1], to[NAME_MAX + 1];
	uint32_t i;

	close(f->fd);
	f->fd = -1;
	for (i = f->keep; i > 1; i--) {
		snprintf(from, sizeof(from), "%s.%u", f->base, i - 1);
		snprintf(to, sizeof(to), "%s.%u", f->base, i);
		(void)renameat(f->dirfd, from, f->dirfd, to);
	}
	snprintf(to, sizeof(to), "%s.1", f->base);
	return f->keep == 0 ? unlinkat(f->dirfd, f->base, 0) :
	    renameat(f->dirfd, f->base, f->dirfd, to);
}

/* Bytes written, or -1 with errno. */
static ssize_t
append(struct logfile *f, const char *data, size_t len)
{
	ssize_t	 n;

	if (f->fd == -1 && file_open(f) == -1)
		return -1;
	if (f->size > 0 && f->size + len > f->max) {
		if (rotate(f) == -1 || file_open(f) == -1)
			return -1;
	}
	while ((n = write(f->fd, data, len)) == -1 && errno == EINTR)
		;
	if (n > 0)
		f->size += (uint64_t)n;
	return n;
}

void
logfile_renew(struct logfile *f)
{
	logfile_reopen(f);
	if (f->path != NULL && file_open(f) == -1)
		log_warn("open %s", f->path);
}

/* How much goes into one file: no more than its size, whole lines where
 * that is possible. */
static size_t
portion(const struct logfile *f, const char *data, size_t len)
{
	const char	*nl;

	if (len <= f->max)
		return len;
	nl = memrchr(data, '\n', f->max);
	return nl != NULL ? (size_t)(nl - data) + 1 : f->max;
}

void
logfile_write(struct logfile *f, const char *data, size_t len)
{
	uint64_t now;
	ssize_t	 n;
	size_t	 done = 0;

	if (f->path == NULL)
		return;
	now = time_mono_ms();
	if (f->retry_at != 0 && now < f->retry_at) {
		f->dropped += len;
		return;
	}
	while (done < len) {
		n = append(f, data + done, portion(f, data + done,
		    len - done));
		if (n <= 0) {
			if (f->dropped == 0)
				log_warn("write %s, drop until it works",
				    f->path);
			f->dropped += len - done;
			logfile_reopen(f);
			f->retry_at = now + RETRY_MS;
			return;
		}
		done += (size_t)n;
	}
	f->retry_at = 0;
	if (f->dropped > 0)
		log_notice("write %s again, %" PRIu64 " bytes were dropped",
		    f->path, f->dropped);
	f->dropped = 0;
}

/* --- the channel ----------------------------------------------------- */

/* 0: there is a FIFO of ours, -1 with errno. */
static int
fifo_make(int dirfd, const char *name)
{
	struct stat	 st;

	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
		if (S_ISFIFO(st.st_mode) && st.st_uid == geteuid() &&
		    (st.st_mode & ALLPERMS) == 0600)
			return 0;
		if (unlinkat(dirfd, name, 0) == -1)
			return -1;
	} else if (errno != ENOENT)
		return -1;
	if (mkfifoat(dirfd, name, 0600) == -1)
		return -1;
	/* whatever the umask */
	return fchmodat(dirfd, name, 0600, 0);
}

int
fifo_open(int dirfd, const char *name)
{
	int	 fd;

	if (fifo_make(dirfd, name) == -1)
		return -1;
	fd = openat(dirfd, name, O_RDWR | O_NONBLOCK | O_NOFOLLOW |
	    O_CLOEXEC);
	return fd;
}

int
fifo_writer(int dirfd, const char *name)
{
	return openat(dirfd, name, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
}

/* One read.  Bytes, 0: nothing there. */
static size_t
take(struct capture *c)
{
	static char	 data[READ_SIZE];
	ssize_t		 n;

	if (c->fd == -1 || (n = read(c->fd, data, sizeof(data))) <= 0)
		return 0;
	tail_add(&c->tail, data, (size_t)n);
	logfile_write(&c->file, data, (size_t)n);
	return (size_t)n;
}

static void
capture_read(int fd, short what, void *arg)
{
	(void)take(arg);
}

int
capture_init(struct capture *c)
{
	memset(c, 0, sizeof(*c));
	c->fd = c->dirfd = -1;
	logfile_init(&c->file);
	return tail_init(&c->tail, CAPTURE_TAIL);
}

int
capture_open(struct capture *c, int dirfd)
{
	if (c->fd != -1)
		return 0;
	c->dirfd = dirfd;
	if ((c->fd = fifo_open(dirfd, FIFO_NAME)) == -1)
		return -1;
	pipe_grow(c->fd, CAPTURE_PIPE);
	event_set(&c->ev, c->fd, EV_READ | EV_PERSIST, capture_read, c);
	if (event_add(&c->ev, NULL) == -1) {
		close(c->fd);
		c->fd = -1;
		errno = ENOMEM;
		return -1;
	}
	return 0;
}

int
capture_writer(struct capture *c)
{
	if (c->fd == -1) {
		errno = EBADF;
		return -1;
	}
	return fifo_writer(c->dirfd, FIFO_NAME);
}

void
capture_drain(struct capture *c)
{
	size_t	 n, sum = 0;

	/* A service that still writes must not keep us here. */
	while (sum < CAPTURE_PIPE && (n = take(c)) > 0)
		sum += n;
}

void
capture_close(struct capture *c)
{
	if (c->fd != -1) {
		event_del(&c->ev);
		close(c->fd);
	}
	c->fd = -1;
}

void
capture_free(struct capture *c)
{
	capture_close(c);
	logfile_free(&c->file);
	tail_free(&c->tail);
}
