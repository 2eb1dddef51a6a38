/*
 * The writer: directories, symlinks and files of a release, each made
 * exactly once, hashed while it is written and noted in the manifest.
 *
 * Invariants:
 *  - a name is made only below a directory that this archive made, found in
 *    u->names as one: no path leads through a symlink or a file;
 *  - besides, no lookup follows a symlink (beneath_open) and no file is
 *    opened that was there before (O_EXCL);
 *  - a directory's manifest line stands before those of its contents, a
 *    file's is written when its contents are complete;
 *  - limits are checked before anything is made, the space that must stay
 *    free every 16 MiB or 1,000 entries.
 */
#include <sys/types.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "beneath.h"
#include "util.h"
#include "writer.h"

#define SPACE_BYTES	(16ULL * 1024 * 1024)	/* look after so many bytes */
#define SPACE_ENTRIES	1000			/* or entries */

void
writer_init(struct writer *w, struct unpack *u)
{
	memset(w, 0, sizeof(*w));
	w->u = u;
	w->dirfd = w->fd = -1;
	w->since = SPACE_ENTRIES;	/* look before the first one */
}

/* --- room ----------------------------------------------------------- */

/* Would `more` bytes leave what must stay free? */
static enum upd_error
space_check(struct writer *w, const char *path, uint64_t more)
{
	struct unpack	*u = w->u;
	struct statvfs	 vfs;
	uint64_t	 avail, reserve = u->limits.reserve_blocks;
	char		 have[16], keep[16];

	w->unchecked = 0;
	w->since = 0;
	if (fstatvfs(u->root, &vfs) == -1)
		return unpack_fail_errno(u, path, "statvfs");
	avail = (uint64_t)vfs.f_bavail * vfs.f_frsize;
	if (more > avail || avail - more < reserve) {
		fmt_bytes(avail, have, sizeof(have));
		fmt_bytes(reserve, keep, sizeof(keep));
		return unpack_fail(u, UPD_ENOSPACE, path,
		    "%s free, %s must stay free", have, keep);
	}
	/* file systems without a table of inodes report none at all */
	if (vfs.f_files > 0 && vfs.f_favail < u->limits.reserve_inodes)
		return unpack_fail(u, UPD_ENOSPACE, path, "%llu inodes free, "
		    "%llu must stay free", (unsigned long long)vfs.f_favail,
		    (unsigned long long)u->limits.reserve_inodes);
	return UPD_OK;
}

/* One more entry. */
static enum upd_error
take_entry(struct writer *w, const char *path)
{
	enum upd_error	 error;

	if ((error = unpack_count(w->u, path)) != UPD_OK)
		return error;
	if (++w->since >= SPACE_ENTRIES)
		return space_check(w, path, 0);
	return UPD_OK;
}

static enum upd_error
note(struct writer *w, const char *path, enum name_kind kind)
{
	if (path[0] != '\0' &&
	    names_put(w->u->names, path, strlen(path), kind) == -1)
		return unpack_fail(w->u, UPD_EIO, path, "out of memory");
	return UPD_OK;
}

static enum upd_error
manifest_note(struct writer *w)
{
	if (manifest_write(w->u->manifest, &w->e) == -1)
		return unpack_fail_errno(w->u, w->e.path, "write manifest");
	return UPD_OK;
}

/* --- directories ---------------------------------------------------- */

/* Length of the parent's path; 0: the root. */
static size_t
parent_len(const char *path)
{
	const char	*slash = strrchr(path, '/');

	return slash == NULL ? 0 : (size_t)(slash - path);
}

static const char *
last_name(const char *path)
{
	const char	*slash = strrchr(path, '/');

	return slash == NULL ? path : slash + 1;
}

/* Have w->dirfd refer to path's parent, which exists. */
static enum upd_error
enter_parent(struct writer *w, const char *path)
{
	size_t	 len = parent_len(path);
	int	 fd;

	if (w->dirfd != -1 && strncmp(w->dir, path, len) == 0 &&
	    w->dir[len] == '\0')
		return UPD_OK;
	if (w->dirfd != -1)
		close(w->dirfd);
	memcpy(w->dir, path, len);
	w->dir[len] = '\0';
	fd = w->dirfd = beneath_open(w->u->root, len == 0 ? "." : w->dir,
	    O_RDONLY | O_DIRECTORY, 0);
	return fd == -1 ? unpack_fail_errno(w->u, path, "open directory") :
	    UPD_OK;
}

/* Make one directory whose parent exists. */
static enum upd_error
make_dir(struct writer *w, const char *path)
{
	enum upd_error	 error;

	if ((error = take_entry(w, path)) != UPD_OK ||
	    (error = enter_parent(w, path)) != UPD_OK)
		return error;
	if (mkdirat(w->dirfd, last_name(path), WRITER_MODE_DIR) == -1)
		return unpack_fail_errno(w->u, path, "make directory");
	w->e.type = MANIFEST_DIR;
	w->e.mode = WRITER_MODE_DIR;
	(void)strlcpy(w->e.path, path, sizeof(w->e.path));
	if ((error = note(w, path, NAME_DIR)) != UPD_OK)
		return error;
	return manifest_note(w);
}

/* Have every directory above path; refuse what is none. */
static enum upd_error
make_parents(struct writer *w, const char *path)
{
	enum upd_error	 error;
	const char	*p;
	char		 dir[UPD_PATH_SIZE];
	size_t		 len = parent_len(path);

	/* mostly it is the last entry's directory again */
	if (len == 0 || (w->dirfd != -1 && strncmp(w->dir, path, len) == 0 &&
	    w->dir[len] == '\0'))
		return UPD_OK;
	for (p = path; (p = strchr(p, '/')) != NULL; p++) {
		switch (names_get(w->u->names, path, (size_t)(p - path))) {
		case NAME_DIR:
			continue;
		case NAME_LINK:
			return unpack_fail(w->u, UPD_EENTRY, path,
			    "path through a symlink");
		case NAME_FILE:
			return unpack_fail(w->u, UPD_EENTRY, path,
			    "path through a file");
		case NAME_NONE:
			break;
		}
		memcpy(dir, path, (size_t)(p - path));
		dir[p - path] = '\0';
		if ((error = make_dir(w, dir)) != UPD_OK)
			return error;
	}
	return UPD_OK;
}

/* Everything that comes before making a new entry that is no directory. */
static enum upd_error
make_room(struct writer *w, const char *path)
{
	enum upd_error	 error;

	switch (names_get(w->u->names, path, strlen(path))) {
	case NAME_NONE:
		break;
	case NAME_DIR:
		return unpack_fail(w->u, UPD_EENTRY, path,
		    "there is a directory of that name already");
	default:
		return unpack_fail(w->u, UPD_EENTRY, path, "duplicate entry");
	}
	if ((error = make_parents(w, path)) != UPD_OK ||
	    (error = take_entry(w, path)) != UPD_OK ||
	    (error = enter_parent(w, path)) != UPD_OK)
		return error;
	(void)strlcpy(w->e.path, path, sizeof(w->e.path));
	return UPD_OK;
}

enum upd_error
writer_dir(struct writer *w, const char *path)
{
	enum upd_error	 error;

	if (path[0] == '\0')
		return UPD_OK;
	switch (names_get(w->u->names, path, strlen(path))) {
	case NAME_DIR:
		return UPD_OK;
	case NAME_NONE:
		break;
	default:
		return unpack_fail(w->u, UPD_EENTRY, path,
		    "directory in the place of another entry");
	}
	if ((error = make_parents(w, path)) != UPD_OK)
		return error;
	return make_dir(w, path);
}

/* --- links and files ------------------------------------------------ */

enum upd_error
writer_symlink(struct writer *w, const char *path, const char *target)
{
	enum upd_error	 error;

	if ((error = make_room(w, path)) != UPD_OK)
		return error;
	if (symlinkat(target, w->dirfd, last_name(path)) == -1)
		return unpack_fail_errno(w->u, path, "make symlink");
	w->e.type = MANIFEST_LINK;
	w->e.mode = 0777;
	(void)strlcpy(w->e.link, target, sizeof(w->e.link));
	if ((error = note(w, path, NAME_LINK)) != UPD_OK)
		return error;
	return manifest_note(w);
}

enum upd_error
writer_file(struct writer *w, const char *path, int exec, uint64_t size)
{
	struct unpack	*u = w->u;
	enum upd_error	 error;

	if (size > u->limits.max_bytes - u->done.bytes)
		return unpack_fail(u, UPD_ELIMIT, path, "the files have more "
		    "than %llu bytes", (unsigned long long)u->limits.max_bytes);
	if ((error = make_room(w, path)) != UPD_OK)
		return error;
	/* a large file is told at once, not when it has filled the disk */
	if (w->unchecked + size >= SPACE_BYTES &&
	    (error = space_check(w, path, size)) != UPD_OK)
		return error;
	w->e.type = MANIFEST_FILE;
	w->e.mode = exec ? WRITER_MODE_EXEC : WRITER_MODE_FILE;
	w->e.size = 0;
	w->want = size;
	if (!EVP_DigestInit_ex(u->md, NULL, NULL))
		return unpack_fail(u, UPD_EIO, path, "sha256 failed");
	w->fd = openat(w->dirfd, last_name(path), O_WRONLY | O_CREAT | O_EXCL |
	    O_NOFOLLOW | O_CLOEXEC, w->e.mode);
	if (w->fd == -1)
		return unpack_fail_errno(u, path, "make file");
	u->done.bytes += size;
	return UPD_OK;
}

enum upd_error
writer_data(struct writer *w, const void *data, size_t len)
{
	struct unpack	*u = w->u;
	enum upd_error	 error;

	if (len > w->want - w->e.size)
		return unpack_fail(u, UPD_EFORMAT, w->e.path,
		    "more bytes than its header says");
	if (!EVP_DigestUpdate(u->md, data, len))
		return unpack_fail(u, UPD_EIO, w->e.path, "sha256 failed");
	if (write_all(w->fd, data, len) == -1)
		return unpack_fail_errno(u, w->e.path, "write file");
	w->e.size += len;
	w->unchecked += len;
	if (w->unchecked >= SPACE_BYTES &&
	    (error = space_check(w, w->e.path, 0)) != UPD_OK)
		return error;
	return UPD_OK;
}

enum upd_error
writer_end(struct writer *w)
{
	struct unpack	*u = w->u;
	enum upd_error	 error;
	int		 r;

	if (w->e.size != w->want)
		return unpack_fail(u, UPD_EFORMAT, w->e.path,
		    "fewer bytes than its header says");
	if (!EVP_DigestFinal_ex(u->md, w->e.digest, NULL))
		return unpack_fail(u, UPD_EIO, w->e.path, "sha256 failed");
	/* hides part of the later sync under the upload */
	writeback_start(w->fd);
	r = close(w->fd);
	w->fd = -1;
	if (r == -1)
		return unpack_fail_errno(u, w->e.path, "close file");
	u->done.files++;
	if ((error = note(w, w->e.path, NAME_FILE)) != UPD_OK)
		return error;
	return manifest_note(w);
}

enum upd_error
writer_copy(struct writer *w, const char *path, const char *from)
{
	struct unpack	*u = w->u;
	struct stat	 st;
	enum upd_error	 error;
	ssize_t		 n;
	int		 fd;

	if (names_get(u->names, from, strlen(from)) != NAME_FILE)
		return unpack_fail(u, UPD_EENTRY, path,
		    "hard link to what is no earlier file of the archive");
	if ((fd = beneath_open(u->root, from, O_RDONLY, 0)) == -1)
		return unpack_fail_errno(u, path, "open hard link's file");
	if (fstat(fd, &st) == -1) {
		error = unpack_fail_errno(u, path, "stat hard link's file");
		goto out;
	}
	error = writer_file(w, path, (st.st_mode & 0111) != 0,
	    (uint64_t)st.st_size);
	while (error == UPD_OK) {
		if ((n = read(fd, w->copy, sizeof(w->copy))) == -1) {
			if (errno == EINTR)
				continue;
			error = unpack_fail_errno(u, path,
			    "read hard link's file");
		} else if (n == 0)
			break;
		else
			error = writer_data(w, w->copy, (size_t)n);
	}
	if (error == UPD_OK)
		error = writer_end(w);
out:
	close(fd);
	return error;
}
