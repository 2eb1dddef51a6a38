/*
 * nosymfollow is of Linux 5.10; what the C library's headers call it, if
 * they know it at all, differs.
 */
#include <sys/mount.h>
#include <sys/statfs.h>

#include <fcntl.h>
#include <unistd.h>

#include "scanmount.h"

#define FLAG_NOSYMFOLLOW	0x2000	/* of statfs(2) */
#ifndef MS_NOSYMFOLLOW
#define MS_NOSYMFOLLOW		256	/* of mount(2) */
#endif
#define HARDLINKS	"/proc/sys/fs/protected_hardlinks"

/* Nobody may link to what he could not open for writing. */
static int
hardlinks_protected(void)
{
	char	 c = '0';
	int	 fd, n;

	if ((fd = open(HARDLINKS, O_RDONLY | O_CLOEXEC)) == -1)
		return 0;
	n = (int)read(fd, &c, 1);
	close(fd);
	return n == 1 && c == '1';
}

int
mount_issafe(int fd)
{
	struct statfs	 st;

	return fstatfs(fd, &st) == 0 && (st.f_flags & FLAG_NOSYMFOLLOW) &&
	    hardlinks_protected();
}

int
mount_safe(const char *path)
{
	return mount("updaterd", path, "tmpfs", MS_NODEV | MS_NOSUID |
	    MS_NOSYMFOLLOW, "mode=0755");
}
