/*
 * Unit files that a release ships below etc/systemd/system/.
 *
 * They go to /run/systemd/system, not to /etc: what belongs to a release
 * goes with it, is gone after a reboot until the release is started again,
 * and needs no write access to /etc, which the unit we ship does not give
 * us.  What the operator has in /etc wins over it in systemd's eyes, so
 * that is an error here, not a silence; drop-ins of the operator's for the
 * unit hold as ever.
 *
 * One file for each service that is configured so, never another: what
 * else lies in that directory of the release stays there.  The bytes are
 * compared and copied, not read.  The release is sealed and root's, but no
 * link in it is followed.
 */
#include <sys/types.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "compat/beneath.h"
#include "proto.h"
#include "unitfile.h"
#include "unitname.h"
#include "util.h"

#define FILE_BYTES	65536	/* of a unit file, more than any has */
#define FILE_MODE	0644
#define DIR_MODE	0755
#define OPERATORS_DIR	"/etc/systemd/system"

int
unitfile_dir(void)
{
	if (mkdir(UNITFILE_DIR, DIR_MODE) == -1 && errno != EEXIST)
		return -1;
	return open(UNITFILE_DIR, O_RDONLY | O_DIRECTORY | O_NOFOLLOW |
	    O_CLOEXEC);
}

/* The release's file.  Malloced, or NULL with text. */
static char *
read_shipped(int release, const char *file, size_t *len, char *text)
{
	struct stat	 st;
	char		 path[sizeof(UNITFILE_SHIPPED) + UNIT_NAME_SIZE];
	char		*data = NULL;
	int		 fd;

	snprintf(path, sizeof(path), UNITFILE_SHIPPED "/%s", file);
	fd = beneath_open(release, path, O_RDONLY | O_NONBLOCK, 0);
	if (fd == -1 && errno == ENOENT) {
		snprintf(text, UPD_TEXT_SIZE, "the release has no %s: ship "
		    "it, or take \"units install\" out of the configuration",
		    path);
		return NULL;
	}
	if (fd != -1 && fstat(fd, &st) == 0 && !S_ISREG(st.st_mode))
		errno = EINVAL;
	else if (fd != -1)
		data = fd_read(fd, FILE_BYTES, len);
	if (data == NULL)
		snprintf(text, UPD_TEXT_SIZE, "cannot read %s of the "
		    "release: %s", path, strerror(errno));
	if (fd != -1)
		close(fd);
	return data;
}

/* Is it there as it should be?  1 yes, 0 no, -1 with errno: something of
 * somebody else's is in its place. */
static int
is_same(int dir, const char *file, const char *data, size_t len)
{
	struct stat	 st;
	char		*old;
	size_t		 oldlen;
	int		 same;

	if (fstatat(dir, file, &st, AT_SYMLINK_NOFOLLOW) == -1)
		return errno == ENOENT ? 0 : -1;
	if (!S_ISREG(st.st_mode)) {
		errno = S_ISLNK(st.st_mode) ? ELOOP : EINVAL;
		return -1;
	}
	if ((old = file_read(dir, file, FILE_BYTES, &oldlen)) == NULL)
		return 0;
	same = oldlen == len && memcmp(old, data, len) == 0 &&
	    st.st_uid == geteuid() && (st.st_mode & 07777) == FILE_MODE;
	free(old);
	return same;
}

int
unitfile_install(int release, const char *unit, char *text)
{
	struct stat	 st;
	char		 file[UNIT_NAME_SIZE], *data;
	char		 theirs[sizeof(OPERATORS_DIR) + UNIT_NAME_SIZE];
	size_t		 len;
	int		 dir, r = -1;

	unitname_file(unit, file, sizeof(file));
	if ((data = read_shipped(release, file, &len, text)) == NULL)
		return -1;
	snprintf(theirs, sizeof(theirs), OPERATORS_DIR "/%s", file);
	if (lstat(theirs, &st) == 0) {
		snprintf(text, UPD_TEXT_SIZE, "%s hides the unit of the "
		    "release: remove it, or take \"units install\" out of "
		    "the configuration", theirs);
		free(data);
		return -1;
	}
	if ((dir = unitfile_dir()) == -1) {
		snprintf(text, UPD_TEXT_SIZE, "cannot open " UNITFILE_DIR
		    ": %s", strerror(errno));
		free(data);
		return -1;
	}
	if ((r = is_same(dir, file, data, len)) == -1)
		snprintf(text, UPD_TEXT_SIZE, "cannot install " UNITFILE_DIR
		    "/%s: %s", file, errno == ELOOP ? "a link is in its "
		    "place (masked?  systemctl unmask --runtime)" :
		    strerror(errno));
	else if (r == 1) {
		file_untemp(dir, file);
		r = 0;
	} else if (file_write(dir, file, data, len, FILE_MODE) == 0)
		r = 1;
	else {
		r = -1;
		snprintf(text, UPD_TEXT_SIZE, "cannot write " UNITFILE_DIR
		    "/%s: %s", file, strerror(errno));
	}
	close(dir);
	free(data);
	return r;
}

int
unitfile_remove(const char *unit)
{
	struct stat	 st;
	char		 file[UNIT_NAME_SIZE];
	int		 dir, r, saved;

	unitname_file(unit, file, sizeof(file));
	dir = open(UNITFILE_DIR, O_RDONLY | O_DIRECTORY | O_NOFOLLOW |
	    O_CLOEXEC);
	if (dir == -1)
		return errno == ENOENT ? 0 : -1;
	file_untemp(dir, file);
	if (fstatat(dir, file, &st, AT_SYMLINK_NOFOLLOW) == -1)
		r = errno == ENOENT ? 0 : -1;
	else if (!S_ISREG(st.st_mode))
		r = 0;		/* a mask of the operator's */
	else
		r = unlinkat(dir, file, 0) == 0 ? 1 : -1;
	saved = errno;
	close(dir);
	errno = saved;
	return r;
}
