/*
 * Walking a tree and looking at its entries: read only, by descriptors,
 * never through a symlink.  MANIFEST: write what is there.
 *
 * A directory is read whole and sorted, its own entries are dealt with,
 * then its descriptor is closed before the walk goes down: depth costs
 * memory, not descriptors.
 */
#include <sys/types.h>
#include <sys/stat.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "beneath.h"
#include "unpack.h"

/* An install step may nest deeper than an archive. */
#define WALK_DEPTH_MAX	128	/* levels */

struct names_list {
	char	**v;
	size_t	  n, cap;
};

static void
list_free(struct names_list *l)
{
	while (l->n > 0)
		free(l->v[--l->n]);
	free(l->v);
	memset(l, 0, sizeof(*l));
}

static int
list_add(struct names_list *l, const char *name)
{
	char	**v;

	if (l->n == l->cap) {
		if ((v = recallocarray(l->v, l->cap, l->cap * 2 + 16,
		    sizeof(*v))) == NULL)
			return -1;
		l->v = v;
		l->cap = l->cap * 2 + 16;
	}
	if ((l->v[l->n] = strdup(name)) == NULL)
		return -1;
	l->n++;
	return 0;
}

static int
list_cmp(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* All names of an open directory, sorted by bytes. */
static int
list_read(struct names_list *l, int fd)
{
	struct dirent	*de;
	DIR		*dir;
	int		 dup_fd, saved;

	if ((dup_fd = fcntl(fd, F_DUPFD_CLOEXEC, 0)) == -1)
		return -1;
	if ((dir = fdopendir(dup_fd)) == NULL) {
		saved = errno;
		close(dup_fd);
		errno = saved;
		return -1;
	}
	for (;;) {
		errno = 0;
		if ((de = readdir(dir)) == NULL)
			break;
		if (strcmp(de->d_name, ".") != 0 &&
		    strcmp(de->d_name, "..") != 0 &&
		    list_add(l, de->d_name) == -1) {
			errno = ENOMEM;
			break;
		}
	}
	saved = errno;
	closedir(dir);
	if (saved != 0) {
		errno = saved;
		return -1;
	}
	if (l->n > 0)
		qsort(l->v, l->n, sizeof(*l->v), list_cmp);
	return 0;
}

/* path = dir/name.  0, or -1: too long. */
static int
join(const char *dir, const char *name, char *path)
{
	int	 n;

	n = snprintf(path, UPD_PATH_SIZE, "%s%s%s", dir,
	    *dir == '\0' ? "" : "/", name);
	return n < 0 || n >= UPD_PATH_SIZE ? -1 : 0;
}

static enum upd_error walk_dir(struct unpack *, const char *, int, visit_fn);

/* The entries of one directory; those that are none themselves are taken
 * off the list. */
static enum upd_error
walk_entries(struct unpack *u, int fd, const char *dir, struct names_list *l,
    visit_fn visit)
{
	char		 path[UPD_PATH_SIZE];
	enum upd_error	 error;
	size_t		 i;
	int		 isdir;

	if (list_read(l, fd) == -1)
		return unpack_fail_errno(u, dir, "read directory");
	for (i = 0; i < l->n; i++) {
		if (join(dir, l->v[i], path) == -1)
			return unpack_fail(u, UPD_EENTRY, dir,
			    "a path in it is over 1024 bytes");
		if ((error = visit(u, fd, l->v[i], path, &isdir)) != UPD_OK)
			return error;
		if (!isdir) {
			free(l->v[i]);
			l->v[i] = NULL;
		}
	}
	return UPD_OK;
}

static enum upd_error
walk_below(struct unpack *u, const char *dir, int depth,
    struct names_list *l, visit_fn visit)
{
	char		 path[UPD_PATH_SIZE];
	enum upd_error	 error;
	size_t		 i;

	for (i = 0; i < l->n; i++) {
		if (l->v[i] == NULL)
			continue;
		if (depth >= WALK_DEPTH_MAX)
			return unpack_fail(u, UPD_EENTRY, dir,
			    "over %d levels deep", WALK_DEPTH_MAX);
		(void)join(dir, l->v[i], path);		/* fitted before */
		if ((error = walk_dir(u, path, depth + 1, visit)) != UPD_OK)
			return error;
	}
	return UPD_OK;
}

static enum upd_error
walk_dir(struct unpack *u, const char *dir, int depth, visit_fn visit)
{
	struct names_list	 list;
	enum upd_error		 error;
	int			 fd;

	memset(&list, 0, sizeof(list));
	if ((fd = beneath_open(u->root, *dir == '\0' ? "." : dir,
	    O_RDONLY | O_DIRECTORY, 0)) == -1)
		return unpack_fail_errno(u, dir, "open directory");
	error = walk_entries(u, fd, dir, &list, visit);
	close(fd);
	if (error == UPD_OK)
		error = walk_below(u, dir, depth, &list, visit);
	list_free(&list);
	return error;
}

enum upd_error
unpack_walk(struct unpack *u, visit_fn visit)
{
	return walk_dir(u, "", 0, visit);
}

/* --- looking at one entry ------------------------------------------- */

static const char *
special_name(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFIFO:
		return "FIFO";
	case S_IFSOCK:
		return "socket";
	case S_IFCHR:
		return "character device";
	case S_IFBLK:
		return "block device";
	default:
		return "entry of an unknown type";
	}
}

/* Target of a symlink into e->link. */
static enum upd_error
look_link(struct unpack *u, int dirfd, const char *name,
    struct manifest_entry *e)
{
	ssize_t	 n;

	n = readlinkat(dirfd, name, e->link, sizeof(e->link));
	if (n == -1)
		return unpack_fail_errno(u, e->path, "read link");
	if ((size_t)n >= sizeof(e->link))
		return unpack_fail(u, UPD_EENTRY, e->path,
		    "symlink target over %d bytes", MANIFEST_LINK_SIZE - 1);
	e->link[n] = '\0';
	return UPD_OK;
}

enum upd_error
unpack_look(struct unpack *u, int dirfd, const char *name,
    struct manifest_entry *e, struct stat *st)
{
	if (fstatat(dirfd, name, st, AT_SYMLINK_NOFOLLOW) == -1)
		return unpack_fail_errno(u, e->path, "stat");
	e->mode = st->st_mode & 07777;
	e->size = 0;
	switch (st->st_mode & S_IFMT) {
	case S_IFREG:
		e->type = MANIFEST_FILE;
		e->size = (uint64_t)st->st_size;
		return UPD_OK;
	case S_IFDIR:
		e->type = MANIFEST_DIR;
		return UPD_OK;
	case S_IFLNK:
		e->type = MANIFEST_LINK;
		return look_link(u, dirfd, name, e);
	default:
		return unpack_fail(u, UPD_EENTRY, e->path, "%s",
		    special_name(st->st_mode));
	}
}

enum upd_error
unpack_read(struct unpack *u, int dirfd, const char *name,
    struct manifest_entry *e)
{
	struct stat	 st;
	enum upd_error	 error;
	int		 fd;

	/* O_NONBLOCK: should it have become a FIFO meanwhile */
	fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK |
	    O_CLOEXEC);
	if (fd == -1)
		return unpack_fail_errno(u, e->path, "open file");
	if (fstat(fd, &st) == -1)
		error = unpack_fail_errno(u, e->path, "stat");
	else if (!S_ISREG(st.st_mode))
		error = unpack_fail(u, UPD_EENTRY, e->path, "%s",
		    special_name(st.st_mode));
	else
		error = unpack_hash(u, fd, e->path, &e->size, e->digest);
	close(fd);
	return error;
}

/* --- MANIFEST ------------------------------------------------------- */

static enum upd_error
manifest_visit(struct unpack *u, int dirfd, const char *name,
    const char *path, int *isdir)
{
	static struct manifest_entry	 e;	/* large */
	struct stat			 st;
	enum upd_error			 error;

	(void)strlcpy(e.path, path, sizeof(e.path));
	if ((error = unpack_count(u, path)) != UPD_OK ||
	    (error = unpack_look(u, dirfd, name, &e, &st)) != UPD_OK)
		return error;
	*isdir = e.type == MANIFEST_DIR;
	if (e.type == MANIFEST_FILE) {
		if ((error = unpack_read(u, dirfd, name, &e)) != UPD_OK)
			return error;
		if (e.size > u->limits.max_bytes - u->done.bytes)
			return unpack_fail(u, UPD_ELIMIT, path,
			    "the files have more than %llu bytes",
			    (unsigned long long)u->limits.max_bytes);
		u->done.bytes += e.size;
		u->done.files++;
	}
	if (manifest_write(u->manifest, &e) == -1)
		return unpack_fail_errno(u, path, "write manifest");
	return UPD_OK;
}

enum upd_error
unpack_manifest(struct unpack *u)
{
	static struct manifest_entry	 e;
	struct stat			 st;
	enum upd_error			 error;

	if (fstat(u->root, &st) == -1)
		return unpack_fail_errno(u, "", "stat");
	e.type = MANIFEST_DIR;
	/* staging is 0700 until it is sealed; the release is 0755 */
	e.mode = 0755;
	if (manifest_write(u->manifest, &e) == -1)
		return unpack_fail_errno(u, "", "write manifest");
	if ((error = unpack_walk(u, manifest_visit)) != UPD_OK)
		return error;
	if (manifest_flush(u->manifest) == -1)
		return unpack_fail_errno(u, "", "write manifest");
	return UPD_OK;
}
