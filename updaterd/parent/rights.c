/*
 * How an unprivileged user may control a slot without being root, and
 * without being made root by it.
 *
 * s6-supervise runs as root and opens files in the slot's supervise/ and
 * event/ without a thought of links.  So who may make entries there can make
 * root write to, empty or create any file, unless the file system follows no
 * links at all.  Hence two layouts, by the file system the slot is in:
 *
 *	safe mount	event/ 03730, supervise/ 0755 and supervise/event/
 *			03730 the user's, control 0660 the user's: s6-svc,
 *			-svstat, -svok, -svdt, -svwait and -svlisten work
 *	any other	supervise/ root's 0711, control 0620 root's with the
 *			user's group: all but s6-svwait and -svlisten
 *
 * In a slot that lives the entries are done before supervise/ is opened to
 * him, and none through a link.
 */
#include <sys/types.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "scandir.h"

#include "compat/beneath.h"
#include "compat/scanmount.h"

#define MODE_EVENT	03730	/* s6's own for an event directory */
#define MODE_OPEN	0755
#define MODE_PASS	0711	/* one who knows the name may pass */
#define MODE_CONTROL	0660
#define MODE_GROUP	0620	/* the group may write */
#define MODE_OWN	0700	/* as s6 makes supervise/ */
#define MODE_OWNCONTROL	0600	/* and its control */

static int
give(int fd, uid_t uid, gid_t gid, mode_t mode)
{
	int	 r, saved;

	if (fd == -1)
		return -1;
	/* chown(2) first: it may take mode bits away. */
	r = fchown(fd, uid, gid) == -1 || fchmod(fd, mode) == -1 ? -1 : 0;
	saved = errno;
	close(fd);
	errno = saved;
	return r;
}

static int
open_dir(int dirfd, const char *name)
{
	return beneath_open(dirfd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC,
	    0);
}

/* The directory, made where missing. */
static int
give_dir(int dirfd, const char *name, const struct owner *o, mode_t mode)
{
	if (mkdirat(dirfd, name, 0700) == -1 && errno != EEXIST)
		return -1;
	return give(open_dir(dirfd, name), o->uid, o->gid, mode);
}

static int
give_control(int dirfd, uid_t uid, gid_t gid, mode_t mode)
{
	struct stat	 st;
	int		 fd;

	if (mkfifoat(dirfd, "control", 0600) == -1 && errno != EEXIST)
		return -1;
	fd = beneath_open(dirfd, "control", O_RDONLY | O_NONBLOCK | O_CLOEXEC,
	    0);
	if (fd != -1 && (fstat(fd, &st) == -1 || !S_ISFIFO(st.st_mode) ||
	    st.st_nlink != 1)) {
		close(fd);
		errno = EINVAL;
		return -1;
	}
	return give(fd, uid, gid, mode);
}

/* What is below supervise/, and that last: all was root's or is the
 * owner's.  The descriptor is taken over. */
static int
set_entries(int dirfd, int fd, const struct owner *o, int safe)
{
	mode_t	 mode = o->uid == 0 ? MODE_OWN : safe ? MODE_OPEN : MODE_PASS;
	int	 r;

	if (safe)
		r = give_control(fd, o->uid, o->gid, o->uid == 0 ?
		    MODE_OWNCONTROL : MODE_CONTROL) == -1 ||
		    give_dir(fd, "event", o, MODE_EVENT) == -1 ||
		    give_dir(dirfd, "event", o, MODE_EVENT) == -1 ? -1 : 0;
	else if (o->uid == 0)
		r = give_control(fd, 0, 0, MODE_OWNCONTROL);
	else
		r = give_control(fd, 0, o->gid, MODE_GROUP);
	if (r == -1) {
		close(fd);
		return -1;
	}
	return safe ? give(fd, o->uid, o->gid, mode) : give(fd, 0, 0, mode);
}

/* supervise/ in that directory, which is root's. */
static int
rights_set(int dirfd, const struct owner *o)
{
	struct stat	 st;
	int		 safe = mount_issafe(dirfd), fd;

	if ((fd = open_dir(dirfd, "supervise")) == -1)
		return -1;
	if (fstat(fd, &st) == -1 || (st.st_uid != 0 && !(safe &&
	    st.st_uid == o->uid))) {
		close(fd);
		errno = EPERM;
		return -1;
	}
	if (safe && st.st_uid == o->uid) {
		close(fd);
		return 0;		/* done, and his since */
	}
	return set_entries(dirfd, fd, o, safe);
}

/* --- of one that is there ---------------------------------------------- */

static int
is_given(const struct stat *st, uid_t uid, gid_t gid, mode_t mode)
{
	return st->st_uid == uid && st->st_gid == gid &&
	    (st->st_mode & 07777) == mode;
}

/* supervise/ of that state, and its control FIFO, are as they should be. */
static int
is_set(int fd, const struct stat *st, const struct owner *o, int safe)
{
	struct stat	 c;
	int		 there;

	there = fstatat(fd, "control", &c, AT_SYMLINK_NOFOLLOW) == 0;
	/* What he has done to his own is his affair, and to mend. */
	if (safe && o->uid != 0 && st->st_uid == o->uid &&
	    (!there || !S_ISFIFO(c.st_mode)))
		return 1;
	/* Its supervisor is still to make it. */
	if (!there)
		return o->uid == 0;
	if (o->uid == 0)
		return is_given(st, 0, 0, MODE_OWN) &&
		    is_given(&c, 0, 0, MODE_OWNCONTROL);
	if (safe)
		return is_given(st, o->uid, o->gid, MODE_OPEN) &&
		    is_given(&c, o->uid, o->gid, MODE_CONTROL);
	return is_given(st, 0, 0, MODE_PASS) &&
	    is_given(&c, 0, o->gid, MODE_GROUP);
}

static int
renew(int dirfd, const struct owner *o, int dry)
{
	struct stat	 st;
	int		 safe = mount_issafe(dirfd), fd, good, saved;

	if ((fd = open_dir(dirfd, "supervise")) == -1)
		return errno == ENOENT ? 0 : -1;
	if (fstat(fd, &st) == -1)
		goto fail;
	if (st.st_uid != 0 && !safe) {
		errno = EPERM;
		goto fail;
	}
	good = is_set(fd, &st, o, safe);
	if (good || dry) {
		close(fd);
		return !good;
	}
	/* Away from whoever had it, before anything in it is looked at. */
	if (fchown(fd, 0, 0) == -1 || fchmod(fd, MODE_OWN) == -1)
		goto fail;
	return set_entries(dirfd, fd, o, safe) == -1 ? -1 : 1;
 fail:
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

int
rights_renew(int slot, const struct owner *o, int dry)
{
	int	 log, n, m, saved;

	if ((n = renew(slot, o, dry)) == -1)
		return -1;
	if ((log = open_dir(slot, SLOT_LOG)) == -1)
		return errno == ENOENT ? n : -1;
	m = renew(log, o, dry);
	saved = errno;
	close(log);
	errno = saved;
	return m == -1 ? -1 : n || m;
}

/* --- of a new one, or one of somebody else's ---------------------------- */

int
rights_seed(int dirfd, const struct owner *o)
{
	if (o->uid == 0)
		return 0;
	if (mkdirat(dirfd, "supervise", 0700) == -1)
		return -1;
	return rights_set(dirfd, o);
}

int
rights_grant(int slot, const struct owner *o)
{
	int	 log, r, saved;

	if (o->uid == 0)
		return 0;
	if (rights_set(slot, o) == -1)
		return -1;
	if ((log = open_dir(slot, SLOT_LOG)) == -1)
		return errno == ENOENT ? 0 : -1;
	r = rights_set(log, o);
	saved = errno;
	close(log);
	errno = saved;
	return r;
}
