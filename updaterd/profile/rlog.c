/*
 * The reconcile log, in the user's own directory and written as the user.
 * Whatever stands in its way is reported once and stops nothing.
 */
#include <sys/types.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lodge.h"
#include "util.h"

#define LOG_MODE	0644

static int
log_open(struct lodge *l)
{
	struct stat	 st;
	int		 fd;

	/* O_NONBLOCK: a FIFO in its place must not hold us up. */
	fd = openat(l->logdirfd, l->logname, O_WRONLY | O_APPEND | O_CREAT |
	    O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, LOG_MODE);
	if (fd == -1)
		return -1;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		return fd;
	close(fd);
	errno = EINVAL;
	return -1;
}

/* It begins anew when it is too long.  That it cannot does not matter. */
static void
rotate(struct lodge *l)
{
	struct stat	 st;
	char		 old[PROFILE_FILE_SIZE + 2];

	l->rotated = 1;
	if (fstatat(l->logdirfd, l->logname, &st, AT_SYMLINK_NOFOLLOW) == -1 ||
	    !S_ISREG(st.st_mode) || st.st_size < PROFILE_LOG_MAX)
		return;
	snprintf(old, sizeof(old), "%s.1", l->logname);
	if (renameat(l->logdirfd, l->logname, l->logdirfd, old) == -1)
		lodge_error(l, "rotate", l->logname);
}

void
rlog_line(struct lodge *l, const char *line)
{
	char	 text[PROFILE_LINE_SIZE + 1];
	int	 n;

	if (l->logdirfd == -1)
		return;
	if (!l->rotated)
		rotate(l);
	if (l->logfd == -1 && (l->logfd = log_open(l)) == -1) {
		lodge_error(l, "open", l->logname);
		return;
	}
	/* One write: two that append at a time do not mix their lines. */
	n = snprintf(text, sizeof(text), "%s\n", line);
	if (write_all(l->logfd, text, (size_t)n) == -1)
		lodge_error(l, "write", l->logname);
}

void
rlog_close(struct lodge *l)
{
	if (l->logfd == -1)
		return;
	(void)fsync(l->logfd);
	close(l->logfd);
	l->logfd = -1;
}
