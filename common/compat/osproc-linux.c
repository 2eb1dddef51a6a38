#include <sys/prctl.h>

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "osproc.h"

#define DELETED	" (deleted)"	/* what the kernel appends after unlink */

int
osproc_nodump(void)
{
	return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

int
osproc_subreaper(void)
{
	return prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
}

/* sched(7).  Two that feed each other through a pipe are also put on one
 * processor less often, while another has nothing to do. */
void
osproc_batch(void)
{
	struct sched_param	 p;

	memset(&p, 0, sizeof(p));
	(void)sched_setscheduler(0, SCHED_BATCH, &p);
}

void
osproc_idle(void)
{
	struct sched_param	 p;

	memset(&p, 0, sizeof(p));
	(void)sched_setscheduler(0, SCHED_IDLE, &p);
}

int
osproc_diewith(pid_t parent)
{
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	return getppid() == parent ? 0 : -1;
}

int
osproc_exepath(char *path, size_t size)
{
	ssize_t	 n;
	size_t	 cut = sizeof(DELETED) - 1;

	n = readlink("/proc/self/exe", path, size - 1);
	if (n == -1)
		return -1;
	if ((size_t)n >= size - 1) {
		errno = ENAMETOOLONG;
		return -1;
	}
	path[n] = '\0';
	/* Replaced by a newer one: that one is at the old name. */
	if ((size_t)n > cut && strcmp(path + n - cut, DELETED) == 0)
		path[(size_t)n - cut] = '\0';
	if (path[0] != '/') {
		errno = ENOENT;
		return -1;
	}
	return 0;
}
