/*
 * A directory of this process in memory (/dev/shm, else /tmp), for harnesses
 * of what reads and writes files.  It goes when the process ends well.
 */
#ifndef FUZZ_SCRATCH_H
#define FUZZ_SCRATCH_H

#include <sys/stat.h>

#include <fcntl.h>
#include <ftw.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char	scratch[64];
static int	scratch_fd = -1;

static int
scratch_rm(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	if (remove(path) == -1)
		abort();
	return 0;
}

static void
scratch_end(void)
{
	(void)nftw(scratch, scratch_rm, 16, FTW_DEPTH | FTW_PHYS);
}

static void
scratch_begin(void)
{
	if (scratch_fd != -1)
		return;
	snprintf(scratch, sizeof(scratch), "%s/updaterd-fuzz.XXXXXX",
	    access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	if (mkdtemp(scratch) == NULL || (scratch_fd = open(scratch,
	    O_RDONLY | O_DIRECTORY | O_CLOEXEC)) == -1)
		abort();
	atexit(scratch_end);
}

static void __attribute__((unused))
scratch_put(const char *name, const void *data, size_t len)
{
	int	 fd;

	fd = openat(scratch_fd, name, O_WRONLY | O_CREAT | O_TRUNC |
	    O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd == -1 || write(fd, data, len) != (ssize_t)len)
		abort();
	close(fd);
}

#endif
