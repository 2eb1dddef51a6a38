/*
 * Linux: openat2(2) since 5.6, else component by component.
 */
#include <sys/types.h>
#include <sys/syscall.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <unistd.h>

#include "beneath.h"

int
beneath_open(int dirfd, const char *path, int flags, mode_t mode)
{
	static int	 missing;
	struct open_how	 how;
	long		 fd;

	if (!missing) {
		memset(&how, 0, sizeof(how));
		/* O_NOFOLLOW: with O_PATH the last one would be opened */
		how.flags = (unsigned int)(flags | O_NOFOLLOW | O_CLOEXEC);
		how.mode = flags & O_CREAT ? mode : 0;
		how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS |
		    RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV;
		do
			fd = syscall(SYS_openat2, dirfd, path, &how,
			    sizeof(how));
		while (fd == -1 && errno == EAGAIN);
		if (fd != -1 || errno != ENOSYS)
			return (int)fd;
		missing = 1;
	}
	return beneath_walk(dirfd, path, flags, mode);
}

void
writeback_start(int fd)
{
	int	 saved = errno;

	(void)sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE);
	errno = saved;
}
