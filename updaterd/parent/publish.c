/*
 * Putting a slot where s6-svscan finds it.
 *
 * A new one is built under a dot-name, which s6-svscan passes over, with
 * all its files, `down` and the rights of its owner, and comes to its place
 * whole, by a rename.
 *
 * One that is there is never replaced: s6-svscan knows slots by their
 * inode, and would run the service twice.  Files that differ are written
 * beside and renamed one by one; s6-supervise reads each anew when it needs
 * it.  Only a logger cannot come or go in a slot that lives: that one must
 * be withdrawn first.
 *
 * Nothing is synced: a scan directory is a tmpfs, as a rule, and on a disk it
 * would stop us for 5 to 20 ms a slot.  After a power cut any file may be
 * there without its bytes, the mark that says whose the slot is as well: all
 * of them are compared, and written again, by the next pass.
 *
 * The slot itself is root's, so names in it are ours; its supervise/ and
 * event/ may be somebody else's and are not touched here.
 */
#include <sys/types.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "release.h"
#include "scandir.h"
#include "task.h"

#define FILE_MAX	65536	/* bytes of one of ours */
#define NEW_SUFFIX	".new"

/* Files that a slot of ours may have had and now has not. */
static const char *const optional[] = { "notification-fd" };

static int
write_file(int dirfd, const char *path, const struct slot_file *f)
{
	int	 fd, saved;

	(void)unlinkat(dirfd, path, 0);
	fd = openat(dirfd, path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW |
	    O_CLOEXEC, 0600);
	if (fd == -1)
		return -1;
	if (write_all(fd, f->data.data, f->data.len) == -1 ||
	    fchmod(fd, f->mode) == -1) {
		saved = errno;
		close(fd);
		errno = saved;
		return -1;
	}
	return close(fd);
}

/* --- a new one --------------------------------------------------------- */

static int
seed(int fd, const struct publication *p)
{
	int	 log, r;

	if (rights_seed(fd, &p->owner) == -1)
		return -1;
	if (!p->slot->logged)
		return 0;
	log = openat(fd, SLOT_LOG, O_RDONLY | O_DIRECTORY | O_NOFOLLOW |
	    O_CLOEXEC);
	if (log == -1)
		return -1;
	r = fchmod(log, 0755) == -1 ? -1 : rights_seed(log, &p->owner);
	close(log);
	return r;
}

static int
fill(int fd, const struct publication *p)
{
	const struct slot	*s = p->slot;
	size_t			 i;

	if (mkdirat(fd, "data", 0700) == -1 ||
	    (s->logged && mkdirat(fd, SLOT_LOG, 0700) == -1))
		return -1;
	for (i = 0; i < s->n; i++)
		if (write_file(fd, s->file[i].path, &s->file[i]) == -1)
			return -1;
	if ((p->down || p->hold) && slot_setdown(fd, 1) == -1)
		return -1;
	return seed(fd, p) == -1 ? -1 : fchmod(fd, 0755);
}

static enum published
create(int scan, const struct publication *p, char *text)
{
	struct task_result	 r;
	int			 fd, ok, saved;

	memset(&r, 0, sizeof(r));
	tree_remove(scan, SCANDIR_NEW, &r);
	if (mkdirat(scan, SCANDIR_NEW, 0700) == -1 ||
	    (fd = openat(scan, SCANDIR_NEW, O_RDONLY | O_DIRECTORY |
	    O_NOFOLLOW | O_CLOEXEC)) == -1) {
		snprintf(text, UPD_TEXT_SIZE, "cannot make a slot for %s: %s",
		    p->name, strerror(errno));
		return PUBLISHED_FAILED;
	}
	ok = fill(fd, p) == 0 &&
	    renameat(scan, SCANDIR_NEW, scan, p->name) == 0;
	saved = errno;
	close(fd);
	if (ok)
		return PUBLISHED_NEW;
	snprintf(text, UPD_TEXT_SIZE, "cannot make a slot for %s: %s",
	    p->name, strerror(saved));
	memset(&r, 0, sizeof(r));
	tree_remove(scan, SCANDIR_NEW, &r);
	return PUBLISHED_FAILED;
}

/* --- one that is there ------------------------------------------------- */

/* 1 its bytes and mode are those. */
static int
is_same(int fd, const struct slot_file *f)
{
	struct stat	 st;
	char		*data;
	size_t		 len;
	int		 same;

	if (fstatat(fd, f->path, &st, AT_SYMLINK_NOFOLLOW) == -1 ||
	    !S_ISREG(st.st_mode) || (st.st_mode & 07777) != f->mode ||
	    (data = file_read(fd, f->path, FILE_MAX, &len)) == NULL)
		return 0;
	same = len == f->data.len && memcmp(data, f->data.data, len) == 0;
	free(data);
	return same;
}

static int
replace(int fd, const struct slot_file *f)
{
	char	 path[64];

	snprintf(path, sizeof(path), "%s" NEW_SUFFIX, f->path);
	return write_file(fd, path, f) == -1 ? -1 :
	    renameat(fd, path, fd, f->path);
}

static int
is_rendered(const struct slot *s, const char *path)
{
	size_t	 i;

	for (i = 0; i < s->n; i++)
		if (strcmp(s->file[i].path, path) == 0)
			return 1;
	return 0;
}

/* How many files were, or with `dry` would be, changed; -1 with errno. */
static int
refresh(int fd, const struct publication *p)
{
	const struct slot	*s = p->slot;
	size_t			 i;
	int			 n = 0, r, down = p->down || p->hold;

	for (i = 0; i < s->n; i++) {
		if (is_same(fd, &s->file[i]))
			continue;
		if (!p->dry && replace(fd, &s->file[i]) == -1)
			return -1;
		n++;
	}
	for (i = 0; i < sizeof(optional) / sizeof(optional[0]); i++) {
		if (is_rendered(s, optional[i]) || faccessat(fd, optional[i],
		    F_OK, AT_SYMLINK_NOFOLLOW) == -1)
			continue;
		if (!p->dry && unlinkat(fd, optional[i], 0) == -1)
			return -1;
		n++;
	}
	/* Its service runs all the same. */
	if ((r = rights_renew(fd, &p->owner, p->dry)) == -1)
		log_warn("give rights on slot %s", p->name);
	else
		n += r;
	if (!slot_issupervised(fd, 0) && slot_isdown(fd) != down) {
		if (!p->dry && slot_setdown(fd, down) == -1)
			return -1;
		n++;
	}
	return n;
}

static int
has_logger(int fd)
{
	return faccessat(fd, SLOT_LOG, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static int
is_marked(int fd, const char *mark)
{
	char	*data;
	size_t	 len, n = strlen(mark);
	int	 yes;

	if ((data = file_read(fd, SLOT_MARK, FILE_MAX, &len)) == NULL)
		return 0;
	yes = len == n + 1 && memcmp(data, mark, n) == 0;
	free(data);
	return yes;
}

/* A power cut has left the mark without its bytes: nobody else has such a
 * file. */
static int
is_torn(int fd)
{
	struct stat	 st;
	char		*data;
	size_t		 len, n = 0;

	if (fstatat(fd, SLOT_MARK, &st, AT_SYMLINK_NOFOLLOW) == -1 ||
	    !S_ISREG(st.st_mode) || st.st_uid != 0 ||
	    (data = file_read(fd, SLOT_MARK, FILE_MAX, &len)) == NULL)
		return 0;
	while (n < len && data[n] == '\0')
		n++;
	free(data);
	return n == len;
}

static enum published
update(int fd, const struct publication *p, char *text)
{
	int	 n, torn = is_torn(fd);

	if (!torn && !is_marked(fd, p->mark)) {
		snprintf(text, UPD_TEXT_SIZE, "the slot %s is not updaterd's "
		    "(no " SLOT_MARK " in it): give the service another "
		    "name, or remove the slot", p->name);
		return PUBLISHED_FAILED;
	}
	if (torn && !p->dry)
		log_notice("mend slot %s: it was cut off while it was written",
		    p->name);
	if (has_logger(fd) != p->slot->logged)
		return PUBLISHED_REBUILD;
	if ((n = refresh(fd, p)) == -1) {
		snprintf(text, UPD_TEXT_SIZE, "cannot write the slot %s: %s",
		    p->name, strerror(errno));
		return PUBLISHED_FAILED;
	}
	return n > 0 ? PUBLISHED_CHANGED : PUBLISHED_SAME;
}

enum published
slot_publish(int scan, const struct publication *p, char *text)
{
	enum published	 r;
	int		 fd;

	fd = openat(scan, p->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW |
	    O_CLOEXEC);
	if (fd == -1 && errno == ENOENT)
		return p->dry ? PUBLISHED_NEW : create(scan, p, text);
	if (fd == -1) {
		snprintf(text, UPD_TEXT_SIZE, "cannot open the slot %s: %s",
		    p->name, errno == ENOTDIR || errno == ELOOP ?
		    "it is no directory of updaterd's" : strerror(errno));
		return PUBLISHED_FAILED;
	}
	/* Its owner could have put our mark there, and links. */
	if (scandir_isroots(fd))
		r = update(fd, p, text);
	else {
		snprintf(text, UPD_TEXT_SIZE, "cannot use the slot %s: others "
		    "than root may write to it; give the service another "
		    "name, or remove the slot", p->name);
		r = PUBLISHED_FAILED;
	}
	close(fd);
	return r;
}

int
slot_open(int scan, const char *name, const char *mark)
{
	int	 fd;

	fd = openat(scan, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW |
	    O_CLOEXEC);
	if (fd == -1 || (scandir_isroots(fd) && is_marked(fd, mark)))
		return fd;
	close(fd);
	errno = EPERM;
	return -1;
}

int
slot_ismine(int scan, const char *name, const char *mark)
{
	int	 fd = slot_open(scan, name, mark);

	if (fd == -1)
		return 0;
	close(fd);
	return 1;
}
