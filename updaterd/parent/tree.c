/*
 * What is done to a release's tree: seal it, give it away, remove it, sync
 * it.  All of this blocks and runs in a task (task.h), never in the loop.
 *
 * Who may change the tree meanwhile decides the order:
 * - seal takes a directory (owner, then mode) before it reads it.  From
 *   then on only root can add, rename or replace an entry in it, so that
 *   what fstatat(2) says about a name is still true when fchownat(2) and
 *   fchmodat(2) use that name, even if a process of the old owner is left.
 * - give goes the other way, entries before their directory and the top,
 *   which is 0700, last: the new owner, who may well have processes, cannot
 *   enter the tree until all of it has been handled.
 * - remove needs no order.  It goes on after an error, so that one stubborn
 *   file does not keep gigabytes, and reports the first.
 */
#include <sys/types.h>
#include <sys/stat.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "release.h"
#include "task.h"
#include "walk.h"

#define TREE_DEPTH_MAX	256		/* levels, seal and give */
#define MODE_DIR	0755
#define MODE_EXEC	0755
#define MODE_FILE	0644
#define MODE_BITS	07777

static const char *
type_name(mode_t mode)
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
		return "file of unknown type";
	}
}

/*
 * Whether a link `depth` directories below the top stays inside.  ".." may
 * only come first: behind a name that is a link itself it would climb from
 * where that link leads to, which counting components cannot see.
 */
static int
link_inside(const char *target, size_t depth)
{
	const char	*p = target;
	size_t		 len;
	int		 named = 0;

	if (*p == '\0' || *p == '/')
		return 0;
	while (*p != '\0') {
		len = strcspn(p, "/");
		if (len == 2 && strncmp(p, "..", 2) == 0) {
			if (named || depth == 0)
				return 0;
			depth--;
		} else if (len > 1 || (len == 1 && *p != '.'))
			named = 1;
		p += len;
		p += strspn(p, "/");
	}
	return 1;
}

static int
seal_enter(struct walk *w, int fd, const struct stat *st)
{
	if (fchown(fd, 0, 0) == -1)
		return -1;
	if ((st->st_mode & MODE_BITS) != MODE_DIR)
		return fchmod(fd, MODE_DIR);
	return 0;
}

static int
link_refused(struct walk *w, int dirfd, const char *name)
{
	char	 target[PATH_MAX];
	ssize_t	 n;

	if (w->links_outside)
		return 0;
	if ((n = readlinkat(dirfd, name, target, sizeof(target))) == -1) {
		walk_failed(w, name, "read link");
		return 1;
	}
	if ((size_t)n < sizeof(target)) {
		target[n] = '\0';
		if (link_inside(target, walk_depth(w)))
			return 0;
	}
	walk_refuse(w, name, UPD_EENTRY,
	    "symlink is not relative or leaves the release");
	return 1;
}

/* What seal and give refuse alike.  0 if the entry may stay. */
static int
entry_refused(struct walk *w, const char *name, const struct stat *st)
{
	if (S_ISDIR(st->st_mode) || S_ISLNK(st->st_mode))
		return 0;
	if (!S_ISREG(st->st_mode)) {
		walk_refuse(w, name, UPD_EENTRY, "%s", type_name(st->st_mode));
		return 1;
	}
	if (st->st_nlink > 1) {
		walk_refuse(w, name, UPD_EENTRY,
		    "hard link; use copies, a release shares no file");
		return 1;
	}
	return 0;
}

/* The owner is always set, even if it is root's already: that also takes
 * away file capabilities. */
static enum walk_verdict
seal_entry(struct walk *w, int dirfd, const char *name, int type)
{
	struct stat	 st;
	mode_t		 mode;

	if (type == DT_DIR)
		return WALK_DESCEND;
	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == -1) {
		walk_failed(w, name, "stat");
		return WALK_STOP;
	}
	if (S_ISDIR(st.st_mode))
		return WALK_DESCEND;
	if (entry_refused(w, name, &st))
		return WALK_STOP;
	if (S_ISLNK(st.st_mode) && link_refused(w, dirfd, name))
		return WALK_STOP;
	if (fchownat(dirfd, name, 0, 0, AT_SYMLINK_NOFOLLOW) == -1) {
		walk_failed(w, name, "change owner");
		return WALK_STOP;
	}
	if (S_ISLNK(st.st_mode))
		return WALK_NEXT;
	mode = st.st_mode & (S_IXUSR | S_IXGRP | S_IXOTH) ?
	    MODE_EXEC : MODE_FILE;
	if ((st.st_mode & MODE_BITS) != mode &&
	    fchmodat(dirfd, name, mode, 0) == -1) {
		walk_failed(w, name, "change mode");
		return WALK_STOP;
	}
	w->r->files++;
	w->r->bytes += st.st_size;
	return WALK_NEXT;
}

void
tree_seal(int fd, int links_outside, int sync, struct task_result *r)
{
	struct walk	 w;

	memset(r, 0, sizeof(*r));
	memset(&w, 0, sizeof(w));
	w.r = r;
	w.depth_max = TREE_DEPTH_MAX;
	w.links_outside = links_outside;
	w.enter = seal_enter;
	w.entry = seal_entry;
	walk_tree(&w, fd, NULL);
	if (sync && r->error == UPD_OK)
		tree_sync(fd, r);
}

static enum walk_verdict
give_entry(struct walk *w, int dirfd, const char *name, int type)
{
	struct stat	 st;

	if (type == DT_DIR)
		return WALK_DESCEND;
	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == -1) {
		walk_failed(w, name, "stat");
		return WALK_STOP;
	}
	if (S_ISDIR(st.st_mode))
		return WALK_DESCEND;
	if (entry_refused(w, name, &st))
		return WALK_STOP;
	if (fchownat(dirfd, name, w->uid, w->gid,
	    AT_SYMLINK_NOFOLLOW) == -1) {
		walk_failed(w, name, "change owner");
		return WALK_STOP;
	}
	return WALK_NEXT;
}

static int
give_leave(struct walk *w, int fd, int upfd, const char *name)
{
	if (fchown(fd, w->uid, w->gid) == -1) {
		walk_failed(w, name, "change owner");
		return -1;
	}
	return 0;
}

void
tree_give(int fd, uid_t uid, gid_t gid, struct task_result *r)
{
	struct walk	 w;

	memset(r, 0, sizeof(*r));
	memset(&w, 0, sizeof(w));
	w.r = r;
	w.depth_max = TREE_DEPTH_MAX;
	w.uid = uid;
	w.gid = gid;
	w.entry = give_entry;
	w.leave = give_leave;
	walk_tree(&w, fd, NULL);
}

static enum walk_verdict
remove_entry(struct walk *w, int dirfd, const char *name, int type)
{
	struct stat	 st;

	if (type == DT_UNKNOWN) {
		if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == -1) {
			if (errno != ENOENT)
				walk_failed(w, name, "stat");
			return WALK_NEXT;
		}
		type = S_ISDIR(st.st_mode) ? DT_DIR : DT_REG;
	}
	if (type == DT_DIR)
		return WALK_DESCEND;
	if (unlinkat(dirfd, name, 0) == 0)
		w->removed++;
	else if (errno != ENOENT)
		walk_failed(w, name, "remove");
	return WALK_NEXT;
}

static int
remove_leave(struct walk *w, int fd, int upfd, const char *name)
{
	if (upfd == -1)
		return 0;
	if (unlinkat(upfd, name, AT_REMOVEDIR) == 0)
		w->removed++;
	else if (errno != ENOENT)
		walk_failed(w, name, "remove directory");
	return 0;
}

void
tree_remove(int dirfd, const char *name, struct task_result *r)
{
	struct walk	 w;
	struct stat	 st;

	memset(r, 0, sizeof(*r));
	memset(&w, 0, sizeof(w));
	w.r = r;
	w.go_on = 1;
	w.entry = remove_entry;
	w.leave = remove_leave;
	if (fstat(dirfd, &st) == -1) {
		walk_failed(&w, name, "stat");
		return;
	}
	w.dev = st.st_dev;
	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == -1) {
		if (errno != ENOENT)
			walk_failed(&w, name, "stat");
		return;
	}
	if (!S_ISDIR(st.st_mode)) {
		remove_entry(&w, dirfd, name, DT_REG);
		return;
	}
	walk_tree(&w, dirfd, name);
	if (unlinkat(dirfd, name, AT_REMOVEDIR) == -1 && errno != ENOENT)
		walk_failed(&w, name, "remove directory");
}

void
tree_sync(int fd, struct task_result *r)
{
	struct walk	 w;

	memset(&w, 0, sizeof(w));
	w.r = r;
	if (syncfs(fd) == -1)
		walk_failed(&w, NULL, "write files to disk");
}
