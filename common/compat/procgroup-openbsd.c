#include <sys/types.h>
#include <sys/proc.h>
#include <sys/sysctl.h>

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "procgroup.h"

#define SPARE	16	/* born between the two calls */

/* Its members; malloced, or NULL with errno. */
static struct kinfo_proc *
members(pid_t pgid, size_t *n)
{
	struct kinfo_proc	*kp;
	size_t			 len = 0;
	int			 mib[6] = { CTL_KERN, KERN_PROC,
				    KERN_PROC_PGRP, pgid, sizeof(*kp), 0 };

	if (sysctl(mib, 6, NULL, &len, NULL, 0) == -1)
		return NULL;
	len += SPARE * sizeof(*kp);
	if ((kp = malloc(len)) == NULL)
		return NULL;
	mib[5] = (int)(len / sizeof(*kp));
	if (sysctl(mib, 6, kp, &len, NULL, 0) == -1) {
		free(kp);
		return NULL;
	}
	*n = len / sizeof(*kp);
	return kp;
}

int
procgroup_signal(pid_t pgid, uid_t uid, int sig)
{
	struct kinfo_proc	*kp;
	size_t			 i, n;
	int			 count = 0;

	if (pgid < 2) {
		errno = EINVAL;
		return -1;
	}
	if (kill(-pgid, 0) == -1 && errno == ESRCH)
		return 0;
	if ((kp = members(pgid, &n)) == NULL)
		return -1;
	for (i = 0; i < n; i++) {
		if (kp[i].p_pid < 2 || kp[i].p_pid == getpid() ||
		    kp[i].p_uid != uid || kp[i].p_stat == SDEAD ||
		    (kp[i].p_psflags & PS_ZOMBIE))
			continue;
		count++;
		if (sig != 0)
			(void)kill(kp[i].p_pid, sig);
	}
	free(kp);
	return count;
}
