/*
 * beneath_walk(): each directory of the path is opened from the one before
 * with O_NOFOLLOW, so that no symlink is ever followed.
 */
#include <sys/types.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "beneath.h"

#define WALK_PATH_MAX	4096	/* bytes, NUL included */

int
beneath_walk(int dirfd, const char *path, int flags, mode_t mode)
{
	char	 buf[WALK_PATH_MAX], *p, *slash;
	int	 fd = dirfd, next, saved;

	if (*path == '/') {
		errno = EXDEV;
		return -1;
	}
	if (strlen(path) >= sizeof(buf)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(buf, path, strlen(path) + 1);
	for (p = buf;; p = slash + 1) {
		if ((slash = strchr(p, '/')) != NULL)
			*slash = '\0';
		if (strcmp(p, "..") == 0) {
			next = -1;
			errno = EXDEV;
		} else if (slash != NULL)
			next = openat(fd, p, O_RDONLY | O_DIRECTORY |
			    O_NOFOLLOW | O_CLOEXEC);
		else
			next = openat(fd, p, flags | O_NOFOLLOW | O_CLOEXEC,
			    mode);
		saved = errno;
		if (fd != dirfd)
			close(fd);
		errno = saved;
		if (next == -1 || slash == NULL)
			return next;
		fd = next;
	}
}
