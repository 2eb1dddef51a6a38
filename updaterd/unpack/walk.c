/*
 * MANIFEST: walk a tree and write its manifest.  VERIFY: compare a tree
 * with its manifest.  Both read only, by descriptors, never through a
 * symlink.
 *
 * A directory is read whole and sorted, its own entries are dealt with,
 * then its descriptor is closed before the walk goes down: depth costs
 * memory, not descriptors.
 *
 * VERIFY takes the manifest line by line (missing, type, mode, size,
 * contents, target), remembers the names, then walks the tree for what is
 * extra.  The first difference ends it.
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

/* What to do with each entry: directory's descriptor, name in it. */
typedef enum upd_error (*visit_fn)(struct unpack *, int, const char *,
    const char *, int *);

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

/* Type, mode and size; a link's target.  e->path is set.  Something that
 * no release may hold is refused. */
static enum upd_error
look(struct unpack *u, int dirfd, const char *name, struct manifest_entry *e,
    int *missing)
{
	struct stat	 st;

	*missing = 0;
	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == -1) {
		*missing = errno == ENOENT || errno == ENOTDIR;
		return unpack_fail_errno(u, e->path, "stat");
	}
	e->mode = st.st_mode & 07777;
	e->size = 0;
	switch (st.st_mode & S_IFMT) {
	case S_IFREG:
		e->type = MANIFEST_FILE;
		e->size = (uint64_t)st.st_size;
		return UPD_OK;
	case S_IFDIR:
		e->type = MANIFEST_DIR;
		return UPD_OK;
	case S_IFLNK:
		e->type = MANIFEST_LINK;
		return look_link(u, dirfd, name, e);
	default:
		return unpack_fail(u, UPD_EENTRY, e->path, "%s",
		    special_name(st.st_mode));
	}
}

/* Hash a file that look() has seen; its size is taken anew. */
static enum upd_error
look_inside(struct unpack *u, int dirfd, const char *name,
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
	enum upd_error			 error;
	int				 missing;

	(void)strlcpy(e.path, path, sizeof(e.path));
	if ((error = unpack_count(u, path)) != UPD_OK ||
	    (error = look(u, dirfd, name, &e, &missing)) != UPD_OK)
		return error;
	*isdir = e.type == MANIFEST_DIR;
	if (e.type == MANIFEST_FILE) {
		if ((error = look_inside(u, dirfd, name, &e)) != UPD_OK)
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
	if ((error = walk_dir(u, "", 0, manifest_visit)) != UPD_OK)
		return error;
	if (manifest_flush(u->manifest) == -1)
		return unpack_fail_errno(u, "", "write manifest");
	return UPD_OK;
}

/* --- VERIFY --------------------------------------------------------- */

/* The entry as it should be against the entry as it is, contents aside. */
static enum upd_error
compare(struct unpack *u, const struct manifest_entry *want,
    const struct manifest_entry *have)
{
	if (want->type != have->type)
		return unpack_fail(u, UPD_EVERIFY, want->path,
		    "is a %s, should be a %s", manifest_typename(have->type),
		    manifest_typename(want->type));
	/* a symlink's own mode means nothing, and differs between systems */
	if (want->type != MANIFEST_LINK && want->mode != have->mode)
		return unpack_fail(u, UPD_EVERIFY, want->path,
		    "mode is %04o, should be %04o", have->mode, want->mode);
	if (want->type == MANIFEST_FILE && want->size != have->size)
		return unpack_fail(u, UPD_EVERIFY, want->path,
		    "size is %llu, should be %llu",
		    (unsigned long long)have->size,
		    (unsigned long long)want->size);
	if (want->type == MANIFEST_LINK && strcmp(want->link, have->link) != 0)
		return unpack_fail(u, UPD_EVERIFY, want->path,
		    "link target differs");
	return UPD_OK;
}

/* The directory an entry is in; "" the root.  The last one is kept open. */
struct verify {
	int		 dirfd;
	char		 dir[UPD_PATH_SIZE];
	struct manifest_entry want, have;
};

static int
verify_enter(struct unpack *u, struct verify *v, const char **name)
{
	const char	*slash = strrchr(v->want.path, '/');
	size_t		 len = 0;

	*name = v->want.path[0] == '\0' ? "." : v->want.path;
	if (slash != NULL) {
		len = (size_t)(slash - v->want.path);
		*name = slash + 1;
	}
	if (v->dirfd != -1 && strncmp(v->dir, v->want.path, len) == 0 &&
	    v->dir[len] == '\0')
		return 0;
	if (v->dirfd != -1)
		close(v->dirfd);
	memcpy(v->dir, v->want.path, len);
	v->dir[len] = '\0';
	v->dirfd = beneath_open(u->root, len == 0 ? "." : v->dir,
	    O_RDONLY | O_DIRECTORY, 0);
	return v->dirfd == -1 ? -1 : 0;
}

static enum upd_error
verify_entry(struct unpack *u, struct verify *v)
{
	struct manifest_entry	*want = &v->want, *have = &v->have;
	const char		*name;
	enum upd_error		 error;
	int			 missing;

	u->done.entries++;
	if (verify_enter(u, v, &name) == -1) {
		if (errno == ENOENT || errno == ENOTDIR || errno == ELOOP)
			return unpack_fail(u, UPD_EVERIFY, want->path,
			    "missing");
		return unpack_fail_errno(u, want->path, "open directory");
	}
	(void)strlcpy(have->path, want->path, sizeof(have->path));
	if ((error = look(u, v->dirfd, name, have, &missing)) != UPD_OK) {
		if (missing)
			return unpack_fail(u, UPD_EVERIFY, want->path,
			    "missing");
		if (error == UPD_EENTRY)
			u->fail.error = error = UPD_EVERIFY;
		return error;
	}
	if ((error = compare(u, want, have)) != UPD_OK)
		return error;
	if (want->type == MANIFEST_FILE) {
		if ((error = look_inside(u, v->dirfd, name, have)) != UPD_OK)
			return error;
		if (want->size != have->size ||
		    memcmp(want->digest, have->digest, UPD_DIGEST_LEN) != 0)
			return unpack_fail(u, UPD_EVERIFY, want->path,
			    "content differs");
		u->done.files++;
		u->done.bytes += have->size;
	}
	if (names_get(u->names, want->path, strlen(want->path)) != NAME_NONE)
		return unpack_fail(u, UPD_EVERIFY, want->path,
		    "manifest is damaged: named twice");
	if (names_put(u->names, want->path, strlen(want->path),
	    want->type == MANIFEST_DIR ? NAME_DIR : NAME_FILE) == -1)
		return unpack_fail(u, UPD_EIO, want->path, "out of memory");
	return UPD_OK;
}

static enum upd_error
extra_visit(struct unpack *u, int dirfd, const char *name, const char *path,
    int *isdir)
{
	enum name_kind	 kind;

	kind = names_get(u->names, path, strlen(path));
	if (kind == NAME_NONE)
		return unpack_fail(u, UPD_EVERIFY, path, "extra");
	*isdir = kind == NAME_DIR;
	return UPD_OK;
}

enum upd_error
unpack_verify(struct unpack *u)
{
	static struct verify	 v;
	const char		*why;
	enum upd_error		 error = UPD_OK;
	int			 r;

	v.dirfd = -1;
	while ((r = manifest_read(u->reader, &v.want, &why)) == 1 &&
	    (error = verify_entry(u, &v)) == UPD_OK)
		continue;
	if (v.dirfd != -1)
		close(v.dirfd);
	if (error != UPD_OK)
		return error;
	if (r == -1 && why == NULL)
		return unpack_fail_errno(u, "", "read manifest");
	if (r == -1)
		return unpack_fail(u, UPD_EVERIFY, "",
		    "manifest is damaged: line %u: %s",
		    manifest_lineno(u->reader), why);
	if (names_get(u->names, "", 0) != NAME_DIR)
		return unpack_fail(u, UPD_EVERIFY, "",
		    "manifest is damaged: does not name the release itself");
	return walk_dir(u, "", 0, extra_visit);
}
