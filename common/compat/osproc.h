/*
 * What a process asks of its system about itself.
 */
#ifndef UPD_COMPAT_OSPROC_H
#define UPD_COMPAT_OSPROC_H

#include <sys/types.h>
#include <stddef.h>

/* No core file and no ptrace by our own user.  0, or -1 with errno. */
int	 osproc_nodump(void);
/* Orphans below us become our children.  0, or -1 with errno (ENOSYS). */
int	 osproc_subreaper(void);
/* Die by SIGKILL with that parent, where the system can do it; a help, not
 * to be relied on.  0, or -1: the parent has gone already. */
int	 osproc_diewith(pid_t);
/* Long work that nobody watches: to be given time in long pieces, and never
 * before a service that wakes up.  A help: nothing is said if it fails. */
void	 osproc_batch(void);
/* The calling thread helps others, in time that nobody else wants. */
void	 osproc_idle(void);
/* The absolute path of the running program.  0, or -1 with errno. */
int	 osproc_exepath(char *, size_t);

#endif
