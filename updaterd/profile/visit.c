/*
 * Looking at a service's profiles: the default one, whose directory is its
 * home, then each real subdirectory of DIR that holds the marker, in byte
 * order.  What is called "default", has an unfit name or is a symlink is
 * reported as skipped, and why; a subdirectory without the marker is no
 * profile and not worth a word.  What could not be looked at for another
 * reason has not gone: then the whole directory counts as not looked at.
 * One whose state file alone cannot be read now is there, and said to be so.
 *
 * The watch on a directory is made before it is read: what comes in
 * between is seen by one of both.  Of a profile only the marker is
 * watched, since its directory is busy; a directory without a marker, or
 * with something else in its place, is watched until it has one.
 */
#include <sys/types.h>
#include <sys/stat.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lodge.h"
#include "log.h"
#include "orders.h"
#include "statefile.h"
#include "util.h"

#define ENTRIES_MAX	65536	/* names of DIR looked at */
#define LOST		(-2)	/* it cannot be told what is there */

struct names {
	char	**v;
	size_t	  n;
	size_t	  cap;
};

static int
compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void
names_add(struct names *l, const char *name)
{
	if (l->n == l->cap) {
		l->cap = l->cap == 0 ? 64 : l->cap * 2;
		l->v = reallocarray(l->v, l->cap, sizeof(*l->v));
		if (l->v == NULL)
			fatalx("no memory");
	}
	if ((l->v[l->n++] = strdup(name)) == NULL)
		fatalx("no memory");
}

static void
names_free(struct names *l)
{
	while (l->n > 0)
		free(l->v[--l->n]);
	free(l->v);
}

/* All names of DIR in byte order: 0, 1 there are more, or -1 errno. */
static int
read_names(int dirfd, struct names *l)
{
	struct dirent	*de;
	DIR		*dir;
	int		 fd, more = 0;

	fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd == -1)
		return -1;
	if ((dir = fdopendir(fd)) == NULL) {
		close(fd);
		return -1;
	}
	errno = 0;
	while (!more && (de = readdir(dir)) != NULL) {
		if (strcmp(de->d_name, ".") == 0 ||
		    strcmp(de->d_name, "..") == 0)
			continue;
		if (l->n == ENTRIES_MAX)
			more = 1;
		else
			names_add(l, de->d_name);
	}
	if (errno != 0) {
		closedir(dir);
		return -1;
	}
	closedir(dir);
	if (l->n > 0)
		qsort(l->v, l->n, sizeof(*l->v), compare);
	return more;
}

/* --- one profile ----------------------------------------------------- */

int
visit_open(struct lodge *l, const char *name)
{
	if (strcmp(name, PROFILE_DEFAULT) == 0)
		return l->homefd == -1 ? -1 : openat(l->homefd, ".",
		    O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	errno = EINVAL;
	if (!profile_isvalid(name) || l->dirfd == -1)
		return -1;
	return openat(l->dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW |
	    O_CLOEXEC);
}

/* How many of its runtime files are there. */
static uint32_t
count_stale(const struct lodge *l, int fd)
{
	struct stat	 st;
	uint32_t	 n = 0;
	int		 i;

	for (i = 0; i < l->nruntime; i++)
		if (fstatat(fd, l->runtime[i], &st,
		    AT_SYMLINK_NOFOLLOW) == 0)
			n++;
	return n;
}

void
visit_sweep(struct lodge *l, const char *name)
{
	int	 fd, i;

	if ((fd = visit_open(l, name)) == -1) {
		lodge_error(l, "sweep", name);
		return;
	}
	/* Not a directory, whatever its name. */
	for (i = 0; i < l->nruntime; i++)
		if (unlinkat(fd, l->runtime[i], 0) == -1 && errno != ENOENT)
			lodge_error(l, "remove", l->runtime[i]);
	close(fd);
}

static void
send_found(struct lodge *l, struct msg_profile_found *f, int fd)
{
	if (fd != -1 && f->skip == SKIP_NONE) {
		if (statefile_read(fd, l->start.service, f) == -1)
			f->error = errno;
		f->stale = count_stale(l, fd);
	}
	orders_send(&l->ibuf, IMSG_PROFILE_FOUND, f, sizeof(*f));
}

static void
watch_failed(struct lodge *l, const char *name)
{
	/* Found at the next pass, whatever begins that. */
	log_info("watch %s: %s", name, strerror(errno));
}

/* Is the marker there: 1; 0 no; -1 what has its name is no file; LOST it
 * cannot be told now, errno. */
static int
look_marker(const struct lodge *l, int fd)
{
	struct stat	 st;

	if (fstatat(fd, l->start.marker, &st, AT_SYMLINK_NOFOLLOW) == -1)
		return errno == ENOENT || errno == EACCES ? 0 : LOST;
	return S_ISREG(st.st_mode) ? 1 : -1;
}

/* The same; one without is watched. */
static int
has_marker(struct lodge *l, int fd, const char *name)
{
	int	 r;

	if ((r = look_marker(l, fd)) == 1 ||
	    (l->start.flags & PROFILE_WATCH) == 0)
		return r;
	if (farwatch_dir(&l->watch, fd) == -1)
		watch_failed(l, name);
	/* It may have come meanwhile. */
	return look_marker(l, fd);
}

static enum profile_skip
name_skip(struct lodge *l, const char *name)
{
	char	 instance[UPD_INSTANCE_SIZE];

	if (!profile_isvalid(name))
		return SKIP_NAME;
	if (profile_instance(l->start.service, name, instance,
	    sizeof(instance)) == -1)
		return SKIP_LONG;
	return SKIP_NONE;
}

/* One name of DIR.  1 if it was worth a message; LOST as above. */
static int
visit_entry(struct lodge *l, const char *name)
{
	struct msg_profile_found f;
	struct stat		 st;
	int			 fd = -1, marker, saved;

	memset(&f, 0, sizeof(f));
	strlcpy(f.name, name, sizeof(f.name));
	if (fstatat(l->dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == -1)
		return errno == ENOENT ? 0 : LOST;
	if (S_ISLNK(st.st_mode))
		f.skip = SKIP_SYMLINK;
	else if (!S_ISDIR(st.st_mode))
		return 0;
	else if (strcmp(name, PROFILE_DEFAULT) == 0)
		f.skip = SKIP_RESERVED;
	else if ((fd = openat(l->dirfd, name, O_RDONLY | O_DIRECTORY |
	    O_NOFOLLOW | O_CLOEXEC)) == -1) {
		if (errno != EACCES && errno != ENOENT)
			return LOST;
		f.skip = SKIP_UNREADABLE;
	} else {
		marker = has_marker(l, fd, name);
		if (marker == 0 || marker == LOST) {
			saved = errno;
			close(fd);
			errno = saved;
			return marker;
		}
		f.skip = marker == -1 ? SKIP_MARKER : name_skip(l, name);
	}
	if (f.skip == SKIP_NONE && (l->start.flags & PROFILE_WATCH) &&
	    farwatch_file(&l->watch, fd, l->start.marker) == -1)
		watch_failed(l, name);
	send_found(l, &f, fd);
	if (fd != -1)
		close(fd);
	return 1;
}

/* --- all of them ----------------------------------------------------- */

static void
visit_dir(struct lodge *l, struct msg_profile_scanned *end)
{
	struct names	 names;
	size_t		 i, n = 0;
	int		 r;

	memset(&names, 0, sizeof(names));
	end->dir_errno = l->dir_errno;
	if (l->start.profiles[0] == '\0')
		return;
	if ((l->start.flags & PROFILE_WATCH) && (l->dirfd != -1 ||
	    l->abovefd != -1) && farwatch_dir(&l->watch, l->dirfd != -1 ?
	    l->dirfd : l->abovefd) == -1)
		watch_failed(l, l->start.profiles);
	if (l->dirfd == -1)
		return;
	if ((r = read_names(l->dirfd, &names)) == -1)
		end->dir_errno = errno;
	/* Who was not looked at has not gone. */
	end->many = r == 1;
	for (i = 0; i < names.n; i++) {
		if (n == PROFILE_MAX) {
			end->many = 1;
			break;
		}
		if ((r = visit_entry(l, names.v[i])) != LOST)
			n += (size_t)r;
		else if (end->dir_errno == 0)
			end->dir_errno = errno;
	}
	names_free(&names);
}

static void
send_watch(struct lodge *l)
{
	int	 i;

	for (i = 0; i < l->watch.n; i++)
		if (imsg_compose(&l->ibuf, IMSG_PROFILE_WATCH, 0, -1,
		    l->watch.fds[i], NULL, 0) == -1)
			fatal("compose watch");
	l->watch.n = 0;		/* imsg closes what it has sent */
}

void
visit_all(struct lodge *l)
{
	struct msg_profile_found	 f;
	struct msg_profile_scanned	 end;

	memset(&end, 0, sizeof(end));
	if ((l->start.flags & PROFILE_WATCH) &&
	    farwatch_init(&l->watch) == -1)
		watch_failed(l, l->start.profiles);
	if (l->start.home[0] != '\0') {
		memset(&f, 0, sizeof(f));
		strlcpy(f.name, PROFILE_DEFAULT, sizeof(f.name));
		if (l->homefd == -1 && !file_islasting(l->home_errno))
			f.error = l->home_errno;
		send_found(l, &f, l->homefd);
	}
	visit_dir(l, &end);
	send_watch(l);
	orders_send(&l->ibuf, IMSG_PROFILE_SCANNED, &end, sizeof(end));
}
