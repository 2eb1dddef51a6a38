#include <sys/types.h>

#include <errno.h>
#include <unistd.h>

#include "osproc.h"

/* A process that changed its user leaves no core and cannot be traced. */
int
osproc_nodump(void)
{
	return 0;
}

/* Orphans go to init(8); services are contained by process group. */
int
osproc_subreaper(void)
{
	errno = ENOSYS;
	return -1;
}

/* There is no such class. */
void
osproc_batch(void)
{
}

void
osproc_idle(void)
{
}

int
osproc_diewith(pid_t parent)
{
	return getppid() == parent ? 0 : -1;
}

/* The kernel does not keep it: main's argv[0] must be absolute. */
int
osproc_exepath(char *path, size_t size)
{
	errno = ENOENT;
	return -1;
}
