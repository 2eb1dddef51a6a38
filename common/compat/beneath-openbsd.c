/*
 * OpenBSD: no call that confines a lookup; component by component.  The
 * syncer begins write-back on its own.
 */
#include <sys/types.h>

#include "beneath.h"

int
beneath_open(int dirfd, const char *path, int flags, mode_t mode)
{
	return beneath_walk(dirfd, path, flags, mode);
}

void
writeback_start(int fd)
{
}
