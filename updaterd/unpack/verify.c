/*
 * VERIFY: compare a tree with its manifest.
 *
 * The manifest is taken line by line (missing, type, mode, size, contents,
 * target) and the names are remembered; then the tree is walked for what is
 * extra.  The first difference ends it with a failure.
 *
 * With `report` it goes on to the end instead, and tells each fault: of an
 * operator's question and of a check at start, which also want to know of
 * another owner than root.  What cannot be read is a fault then, too, and
 * no reason to stop.
 *
 * With `since` only those files are read whose inode was touched after that
 * time.  The kernel sets ctime at every write and every change of mode,
 * owner or name, and lets nobody set it; so the contents of all others are
 * as they were when the release was sealed, unless the disk lost them or
 * the clock was set back.
 */
#include <sys/types.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "beneath.h"
#include "entry.h"
#include "orders.h"
#include "unpack.h"

static struct msg_unpack_fault	 told;		/* large */

/* Something is wrong with an entry.  UPD_OK: go on. */
static enum upd_error __attribute__((format(printf, 4, 5)))
fault(struct unpack *u, enum fault_kind kind, const char *path,
    const char *fmt, ...)
{
	char	 text[UPD_TEXT_SIZE];
	va_list	 ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (!u->limits.report)
		return unpack_fail(u, UPD_EVERIFY, path, "%s", text);
	told.kind = kind;
	if (told.total[kind]++ >= UPD_FAULT_MAX)
		return UPD_OK;
	entry_escape(*path == '\0' ? "." : path, told.path,
	    sizeof(told.path));
	memcpy(told.text, text, sizeof(told.text));
	orders_send(u->ibuf, IMSG_UNPACK_FAULT, &told, sizeof(told));
	return UPD_OK;
}

/* It could not be looked at: u->fail says why. */
static enum upd_error
unreadable(struct unpack *u, const char *path, enum upd_error error)
{
	char	 text[UPD_TEXT_SIZE];

	if (error == UPD_EENTRY)
		u->fail.error = error = UPD_EVERIFY;
	if (!u->limits.report)
		return error;
	(void)strlcpy(text, u->fail.text, sizeof(text));
	return fault(u, error == UPD_EVERIFY ? FAULT_CHANGED :
	    FAULT_UNREADABLE, path, error == UPD_EVERIFY ? "is a %s" : "%s",
	    text);
}

/* --- what the manifest names ------------------------------------------ */

/* The directory an entry is in; "" the root.  The last one is kept open. */
struct verify {
	int		 dirfd;
	char		 dir[UPD_PATH_SIZE];
	struct manifest_entry want, have;
	struct stat	 st;		/* of have */
};

static int
enter(struct unpack *u, struct verify *v, const char **name)
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

static int
is_missing(int e)
{
	return e == ENOENT || e == ENOTDIR || e == ELOOP;
}

/* Mode and owner: what lies beside the contents. */
static enum upd_error
compare_rights(struct unpack *u, const struct verify *v)
{
	const struct manifest_entry	*want = &v->want, *have = &v->have;
	enum upd_error			 error;

	/* a symlink's own mode means nothing, and differs between systems */
	if (want->type != MANIFEST_LINK && want->mode != have->mode &&
	    (error = fault(u, FAULT_MODE, want->path,
	    "mode is %04o, should be %04o", have->mode, want->mode)) != UPD_OK)
		return error;
	if (u->limits.report && (v->st.st_uid != 0 || v->st.st_gid != 0))
		return fault(u, FAULT_OWNER, want->path,
		    "owner is %u:%u, should be 0:0 (root)",
		    (unsigned int)v->st.st_uid, (unsigned int)v->st.st_gid);
	return UPD_OK;
}

/* 1 if nothing can have changed its contents since it was sealed. */
static int
is_old(const struct unpack *u, const struct stat *st)
{
	int64_t	 us = (int64_t)st->st_ctim.tv_sec * 1000000 +
		    st->st_ctim.tv_nsec / 1000;

	return u->limits.since != 0 && us <= u->limits.since;
}

/* The contents of a file that has the right size. */
static enum upd_error
compare_contents(struct unpack *u, struct verify *v, const char *name)
{
	struct manifest_entry	*want = &v->want, *have = &v->have;
	enum upd_error		 error;

	u->done.files++;
	if (is_old(u, &v->st))
		return UPD_OK;
	if ((error = unpack_read(u, v->dirfd, name, have)) != UPD_OK)
		return unreadable(u, want->path, error);
	u->done.bytes += have->size;
	if (want->size != have->size ||
	    memcmp(want->digest, have->digest, UPD_DIGEST_LEN) != 0)
		return fault(u, FAULT_CHANGED, want->path, "content differs");
	return UPD_OK;
}

/* The entry as it should be against the entry as it is. */
static enum upd_error
compare(struct unpack *u, struct verify *v, const char *name)
{
	struct manifest_entry	*want = &v->want, *have = &v->have;
	enum upd_error		 error;

	if (want->type != have->type)
		return fault(u, FAULT_CHANGED, want->path,
		    "is a %s, should be a %s", manifest_typename(have->type),
		    manifest_typename(want->type));
	if ((error = compare_rights(u, v)) != UPD_OK)
		return error;
	if (want->type == MANIFEST_LINK && strcmp(want->link, have->link) != 0)
		return fault(u, FAULT_CHANGED, want->path,
		    "link target differs");
	if (want->type != MANIFEST_FILE)
		return UPD_OK;
	if (want->size != have->size)
		return fault(u, FAULT_CHANGED, want->path,
		    "size is %llu, should be %llu",
		    (unsigned long long)have->size,
		    (unsigned long long)want->size);
	return compare_contents(u, v, name);
}

static enum upd_error
look(struct unpack *u, struct verify *v)
{
	const char	*path = v->want.path, *name;
	enum upd_error	 error;

	if (enter(u, v, &name) == -1) {
		if (is_missing(errno))
			return fault(u, FAULT_MISSING, path, "missing");
		return unreadable(u, path, unpack_fail_errno(u, path,
		    "open directory"));
	}
	(void)strlcpy(v->have.path, path, sizeof(v->have.path));
	error = unpack_look(u, v->dirfd, name, &v->have, &v->st);
	if (error == UPD_OK)
		return compare(u, v, name);
	if (is_missing(u->fail.sys_errno))
		return fault(u, FAULT_MISSING, path, "missing");
	return unreadable(u, path, error);
}

static enum upd_error
verify_entry(struct unpack *u, struct verify *v)
{
	const char	*path = v->want.path;
	size_t		 len = strlen(path);
	enum upd_error	 error;

	u->done.entries++;
	if ((error = look(u, v)) != UPD_OK)
		return error;
	if (names_get(u->names, path, len) != NAME_NONE)
		return unpack_fail(u, UPD_EVERIFY, path,
		    "manifest is damaged: named twice");
	if (names_put(u->names, path, len, v->want.type == MANIFEST_DIR ?
	    NAME_DIR : NAME_FILE) == -1)
		return unpack_fail(u, UPD_EIO, path, "out of memory");
	return UPD_OK;
}

/* --- what it does not name -------------------------------------------- */

/* 1 if the walk may go down: what should be a directory may be none. */
static int
can_enter(struct unpack *u, int dirfd, const char *name, const char *path)
{
	int	 fd;

	fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW |
	    O_CLOEXEC);
	if (fd != -1) {
		close(fd);
		return 1;
	}
	if (!is_missing(errno))
		(void)unreadable(u, path, unpack_fail_errno(u, path,
		    "open directory"));
	return 0;
}

static enum upd_error
extra_visit(struct unpack *u, int dirfd, const char *name, const char *path,
    int *isdir)
{
	enum name_kind	 kind = names_get(u->names, path, strlen(path));

	*isdir = 0;
	if (kind == NAME_NONE)
		return fault(u, FAULT_EXTRA, path, "extra");
	*isdir = kind == NAME_DIR && (!u->limits.report ||
	    can_enter(u, dirfd, name, path));
	return UPD_OK;
}

enum upd_error
unpack_verify(struct unpack *u)
{
	static struct verify	 v;
	const char		*why;
	enum upd_error		 error = UPD_OK;
	int			 r;

	memset(&told, 0, sizeof(told));
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
	error = unpack_walk(u, extra_visit);
	if (error == UPD_OK && u->limits.report) {
		told.path[0] = told.text[0] = '\0';
		orders_send(u->ibuf, IMSG_UNPACK_FAULT, &told, sizeof(told));
	}
	return error;
}
