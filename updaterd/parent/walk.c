/*
 * A walk over a directory tree by descriptors.
 *
 * Invariants:
 * 1. Nothing is reached by a path of more than one component, and nothing
 *    is followed: each directory is opened by O_NOFOLLOW relative to the
 *    descriptor of the one above it.
 * 2. The walk stays on the file system it began on.  Only directories are
 *    compared: on overlayfs the st_dev of a file may differ from that of
 *    its directory, and a mount on a single file takes root to make.
 * 3. Depth costs memory, not descriptors: beyond WALK_FDS levels the
 *    uppermost directory is closed and found again by "..", which must
 *    have the device and inode that were noted on the way down.
 */
#include <sys/types.h>
#include <sys/stat.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "walk.h"

#define WALK_FDS	32		/* directories open at a time */
#define WALK_NAMES_MAX	(64U << 20)	/* bytes of one directory's names */
#define WALK_OPEN	(O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

struct level {
	int		 fd;		/* -1: closed, to be found by ".." */
	dev_t		 dev;
	ino_t		 ino;
	const char	*name;		/* in the names of the level above */
	char		*names;		/* d_type, name, NUL; and so on */
	size_t		 len;
	size_t		 cap;
	size_t		 pos;
	int		 more;		/* not all of them fitted */
	uint64_t	 removed;	/* walk's count when they were read */
};

/* Append text to the result's path, fit for a terminal. */
static size_t
path_add(char *path, size_t pos, size_t size, const char *s)
{
	static const char	 hex[] = "0123456789abcdef";
	unsigned char		 c;

	for (; (c = *s) != '\0'; s++) {
		if (pos + 8 > size) {
			memcpy(path + pos, "...", 4);
			return size;
		}
		if (c >= 0x20 && c < 0x7f && c != '\\')
			path[pos++] = c;
		else {
			path[pos++] = '\\';
			path[pos++] = 'x';
			path[pos++] = hex[c >> 4];
			path[pos++] = hex[c & 15];
		}
		path[pos] = '\0';
	}
	return pos;
}

static void
path_set(struct walk *w, const char *name)
{
	size_t	 i, pos = 0;

	w->r->path[0] = '\0';
	for (i = 1; i < w->n && pos < sizeof(w->r->path); i++) {
		pos = path_add(w->r->path, pos, sizeof(w->r->path),
		    w->lv[i].name);
		if (pos < sizeof(w->r->path))
			pos = path_add(w->r->path, pos, sizeof(w->r->path),
			    "/");
	}
	if (pos < sizeof(w->r->path))
		path_add(w->r->path, pos, sizeof(w->r->path),
		    name == NULL ? "." : name);
}

void
walk_refuse(struct walk *w, const char *name, enum upd_error error,
    const char *fmt, ...)
{
	va_list	 ap;

	if (w->r->error != UPD_OK)
		return;
	w->r->error = error;
	va_start(ap, fmt);
	vsnprintf(w->r->text, sizeof(w->r->text), fmt, ap);
	va_end(ap);
	path_set(w, name);
}

void
walk_failed(struct walk *w, const char *name, const char *verb)
{
	int		 e = errno;
	enum upd_error	 error = UPD_EIO;

	if (w->r->error != UPD_OK)
		return;
	if (e == ENOSPC || e == EDQUOT)
		error = UPD_ENOSPACE;
	w->r->sys_errno = e;
	walk_refuse(w, name, error, "cannot %s: %s%s", verb, strerror(e),
	    e == EPERM ? " (immutable? chattr -i)" : "");
}

/* Read all names of the directory at once: its entries are about to be
 * removed, and its descriptor may have to be closed in between. */
static int
names_read(struct walk *w, struct level *lv)
{
	struct dirent	*de;
	DIR		*dir;
	char		*p;
	size_t		 len, cap;
	int		 fd, e;

	lv->len = lv->pos = 0;
	lv->more = 0;
	lv->removed = w->removed;
	if ((fd = openat(lv->fd, ".", WALK_OPEN)) == -1)
		return -1;
	if ((dir = fdopendir(fd)) == NULL) {
		e = errno;
		close(fd);
		errno = e;
		return -1;
	}
	for (errno = 0; (de = readdir(dir)) != NULL; errno = 0) {
		if (strcmp(de->d_name, ".") == 0 ||
		    strcmp(de->d_name, "..") == 0)
			continue;
		len = strlen(de->d_name) + 2;
		if (lv->len + len > WALK_NAMES_MAX) {
			lv->more = 1;
			break;
		}
		if (lv->len + len > lv->cap) {
			cap = lv->cap == 0 ? 1024 : lv->cap * 2;
			if ((p = realloc(lv->names, cap)) == NULL)
				goto fail;
			lv->names = p;
			lv->cap = cap;
		}
		lv->names[lv->len] = (char)de->d_type;
		memcpy(lv->names + lv->len + 1, de->d_name, len - 1);
		lv->len += len;
	}
	if (de == NULL && errno != 0)
		goto fail;
	closedir(dir);
	return 0;

 fail:
	e = errno;
	closedir(dir);
	errno = e;
	return -1;
}

static int
walk_grow(struct walk *w)
{
	struct level	*p;
	size_t		 cap;

	if (w->n < w->cap)
		return 0;
	cap = w->cap == 0 ? 16 : w->cap * 2;
	if ((p = reallocarray(w->lv, cap, sizeof(*p))) == NULL)
		return -1;
	w->lv = p;
	w->cap = cap;
	return 0;
}

/*
 * Go down into atfd/name; name NULL is the top, given by atfd itself.
 * 0, or -1: reported, the walk is where it was.
 */
static int
walk_push(struct walk *w, int atfd, const char *name)
{
	struct level	 lv;
	struct stat	 st;

	memset(&lv, 0, sizeof(lv));
	lv.name = name;
	if (w->depth_max != 0 && w->n > w->depth_max) {
		walk_refuse(w, name, UPD_ELIMIT, "more than %zu levels deep",
		    w->depth_max);
		return -1;
	}
	if ((lv.fd = openat(atfd, name == NULL ? "." : name,
	    WALK_OPEN)) == -1) {
		if (!w->go_on || errno != ENOENT)
			walk_failed(w, name, "open directory");
		return -1;
	}
	if (fstat(lv.fd, &st) == -1) {
		walk_failed(w, name, "stat directory");
		goto fail;
	}
	lv.dev = st.st_dev;
	lv.ino = st.st_ino;
	if (w->n == 0 && name == NULL)
		w->dev = st.st_dev;
	if (st.st_dev != w->dev) {
		walk_refuse(w, name, UPD_EENTRY,
		    "another file system is mounted here");
		goto fail;
	}
	if (w->enter != NULL && w->enter(w, lv.fd, &st) == -1) {
		walk_failed(w, name, "take directory");
		goto fail;
	}
	if (walk_grow(w) == -1 || names_read(w, &lv) == -1) {
		walk_failed(w, name, "read directory");
		goto fail;
	}
	w->lv[w->n++] = lv;
	if (w->n > WALK_FDS) {
		close(w->lv[w->n - WALK_FDS - 1].fd);
		w->lv[w->n - WALK_FDS - 1].fd = -1;
	}
	return 0;

 fail:
	free(lv.names);
	close(lv.fd);
	return -1;
}

/* Go up.  0; -1 reported: the directory above cannot be found again, or
 * leave failed. */
static int
walk_pop(struct walk *w)
{
	struct level	*lv = &w->lv[w->n - 1], *up = NULL;
	struct stat	 st;
	int		 rv = 0;

	if (w->n > 1) {
		up = &w->lv[w->n - 2];
		if (up->fd == -1) {
			up->fd = openat(lv->fd, "..", WALK_OPEN);
			if (up->fd == -1 || fstat(up->fd, &st) == -1) {
				walk_failed(w, NULL, "go up");
				return -1;
			}
			if (st.st_dev != up->dev || st.st_ino != up->ino) {
				walk_refuse(w, NULL, UPD_EIO,
				    "directory was moved during the walk");
				return -1;
			}
		}
	}
	w->n--;
	if (w->leave != NULL)
		rv = w->leave(w, lv->fd, up == NULL ? -1 : up->fd, lv->name);
	free(lv->names);
	close(lv->fd);
	return rv;
}

void
walk_tree(struct walk *w, int atfd, const char *top)
{
	struct level	*lv;
	const char	*name;
	int		 type;

	if (walk_push(w, atfd, top) == -1)
		goto done;
	while (w->n > 0) {
		lv = &w->lv[w->n - 1];
		if (lv->pos < lv->len) {
			type = (unsigned char)lv->names[lv->pos];
			name = lv->names + lv->pos + 1;
			lv->pos += strlen(name) + 2;
			switch (w->entry(w, lv->fd, name, type)) {
			case WALK_NEXT:
				continue;
			case WALK_DESCEND:
				if (walk_push(w, lv->fd, name) == 0 ||
				    w->go_on)
					continue;
				break;
			case WALK_STOP:
				break;
			}
			break;
		}
		if (lv->more) {
			if (!w->go_on) {
				walk_refuse(w, NULL, UPD_ELIMIT,
				    "too many entries in one directory");
				break;
			}
			/* Again, as long as that makes it shorter. */
			if (w->removed != lv->removed) {
				if (names_read(w, lv) == 0)
					continue;
				walk_failed(w, NULL, "read directory");
			}
		}
		if (walk_pop(w) == -1)
			break;
	}
 done:
	while (w->n > 0) {
		lv = &w->lv[--w->n];
		if (lv->fd != -1)
			close(lv->fd);
		free(lv->names);
	}
	free(w->lv);
	w->lv = NULL;
	w->cap = 0;
}

size_t
walk_depth(const struct walk *w)
{
	return w->n - 1;
}
