/*
 * Spool files have no name: they go with the process, however it ends.
 */
#include <sys/types.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto.h"
#include "spool.h"

int
spool_open(char *text)
{
	const char	*dir = getenv("TMPDIR");
	char		 path[PATH_MAX];
	int		 fd;

	if (dir == NULL || dir[0] != '/')
		dir = "/tmp";
	if ((size_t)snprintf(path, sizeof(path), "%s/updatermaster.XXXXXXXXXX",
	    dir) >= sizeof(path)) {
		strlcpy(text, "TMPDIR is too long", UPD_TEXT_SIZE);
		return -1;
	}
	if ((fd = mkostemp(path, O_CLOEXEC)) == -1) {
		snprintf(text, UPD_TEXT_SIZE, "%.256s: %s", dir,
		    strerror(errno));
		return -1;
	}
	unlink(path);
	return fd;
}
