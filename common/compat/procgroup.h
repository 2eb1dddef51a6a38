/*
 * Process groups that somebody else's supervisor made.
 */
#ifndef UPD_PROCGROUP_H
#define UPD_PROCGROUP_H

#include <sys/types.h>

/*
 * Count processes (no zombies) of that user in the process group, and send
 * each a signal if that is not 0.  One of another user is neither counted nor
 * signalled, nor is one that left the group meanwhile or took the pid of
 * one that ended.  -1 with errno.
 */
int	 procgroup_signal(pid_t, uid_t, int);

#endif
