/*
 * Scan directories and slots of s6, through their FIFOs.
 *
 * A FIFO in which nobody listens cannot be opened for writing without
 * waiting (ENXIO): that is how s6 itself tells whether something is
 * supervised.  All below a slot's supervise/ may belong to an unprivileged
 * user, so nothing is opened there through a link, and only what is a FIFO
 * is written to.
 */
#include <sys/types.h>
#include <sys/stat.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "scandir.h"

#include "compat/beneath.h"
#include "compat/scanmount.h"

#define SCANDIR_MODE	0755
#define SCAN_CONTROL	".s6-svscan/control"

/* Write into a FIFO below that directory.  0, or -1 with errno. */
static int
fifo_tell(int dirfd, const char *path, const char *bytes)
{
	struct stat	 st;
	size_t		 len = strlen(bytes);
	int		 fd, saved, r = -1;

	fd = beneath_open(dirfd, path, O_WRONLY | O_NONBLOCK | O_CLOEXEC, 0);
	if (fd == -1)
		return -1;
	if (fstat(fd, &st) == -1 || !S_ISFIFO(st.st_mode))
		errno = EINVAL;
	else if (len == 0 || write(fd, bytes, len) == (ssize_t)len)
		r = 0;
	saved = errno;
	close(fd);
	errno = saved;
	return r;
}

int
scandir_isalive(int fd)
{
	return fifo_tell(fd, SCAN_CONTROL, "") == 0;
}

int
scandir_rescan(int fd, int prune)
{
	return fifo_tell(fd, SCAN_CONTROL, prune ? "an" : "a");
}

int
scandir_isroots(int fd)
{
	struct stat	 st;

	return fstat(fd, &st) == 0 && st.st_uid == 0 &&
	    (st.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

/* What a mount would hide: slots that s6-svscan would have run. */
static void
warn_hidden(const char *path)
{
	struct dirent	*e;
	DIR		*d;

	if ((d = opendir(path)) == NULL)
		return;
	while ((e = readdir(d)) != NULL)
		if (e->d_name[0] != '.') {
			log_warnx("hide what is in %s (%s is) by a mount: "
			    "umount it to get at that, or remove \"mount\"",
			    path, e->d_name);
			break;
		}
	closedir(d);
}

/* Mount a tmpfs there, unless that was done.  The descriptor of what is
 * there then; -1 with text. */
static int
mount_on(const char *path, int fd, char *text)
{
	int	 e = 0;

	if (mount_issafe(fd))
		return fd;
	if (scandir_isalive(fd)) {
		snprintf(text, UPD_TEXT_SIZE, "cannot mount on %s: s6-svscan "
		    "already runs there; start it after updaterd -R", path);
		close(fd);
		return -1;
	}
	warn_hidden(path);
	if (mount_safe(path) == -1)
		e = errno;
	close(fd);
	if (e != 0) {
		snprintf(text, UPD_TEXT_SIZE, "cannot mount a tmpfs on %s: "
		    "%s; remove \"mount\" to do without", path, strerror(e));
		return -1;
	}
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd == -1)
		snprintf(text, UPD_TEXT_SIZE, "cannot open %s: %s", path,
		    strerror(errno));
	return fd;
}

int
scandir_open(const char *path, int mount, char *text)
{
	int	 fd;

	if (mkdir(path, SCANDIR_MODE) == -1 && errno != EEXIST) {
		snprintf(text, UPD_TEXT_SIZE, "cannot make %s: %s", path,
		    strerror(errno));
		return -1;
	}
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd == -1) {
		snprintf(text, UPD_TEXT_SIZE, "cannot open %s: %s", path,
		    strerror(errno));
		return -1;
	}
	if (mount && (fd = mount_on(path, fd, text)) == -1)
		return -1;
	if (!scandir_isroots(fd)) {
		snprintf(text, UPD_TEXT_SIZE, "cannot use %s: others than "
		    "root may write to it; chown root it, chmod go-w", path);
		close(fd);
		return -1;
	}
	return fd;
}

int
scandir_slot(int fd, const char *name)
{
	int	 slot = openat(fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (slot != -1 && !scandir_isroots(slot)) {
		close(slot);
		errno = EPERM;
		return -1;
	}
	return slot;
}

/* --- one slot ---------------------------------------------------------- */

int
slot_control(int slot, int logger, const char *bytes)
{
	return fifo_tell(slot, logger ? SLOT_LOG "/supervise/control" :
	    "supervise/control", bytes);
}

int
slot_issupervised(int slot, int logger)
{
	return slot_control(slot, logger, "") == 0;
}

/* It holds this lock as long as it lives; s6-svstat believes that, too. */
pid_t
slot_supervisor(int slot)
{
	struct flock	 l;
	struct stat	 st;
	pid_t		 pid = 0;
	int		 fd;

	fd = beneath_open(slot, "supervise/lock", O_RDONLY | O_NONBLOCK |
	    O_CLOEXEC, 0);
	if (fd == -1)
		return 0;
	memset(&l, 0, sizeof(l));
	l.l_type = F_RDLCK;
	l.l_whence = SEEK_SET;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
	    fcntl(fd, F_GETLK, &l) == 0 && l.l_type == F_WRLCK)
		pid = l.l_pid;
	close(fd);
	return pid > 0 ? pid : 0;
}

int
slot_isdead(int slot)
{
	return !slot_issupervised(slot, 0) && !slot_issupervised(slot, 1);
}

int
slot_isdown(int slot)
{
	return faccessat(slot, "down", F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static int
set_down(int slot, const char *name, int down)
{
	int	 fd;

	if (!down)
		return unlinkat(slot, name, 0) == 0 || errno == ENOENT ?
		    0 : -1;
	fd = openat(slot, name, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC,
	    0644);
	if (fd == -1)
		return -1;
	close(fd);
	return 0;
}

int
slot_setdown(int slot, int down)
{
	if (set_down(slot, "down", down) == -1)
		return -1;
	return set_down(slot, SLOT_LOG "/down", down) == 0 ||
	    errno == ENOENT ? 0 : -1;
}
