/*
 * One place that collects exits.  Children through SIGCHLD; processes that
 * an earlier parent started (adopted) through the system's own event, see
 * common/compat/pidwatch-*.c.
 */
#ifndef UPD_REAP_H
#define UPD_REAP_H

#include <sys/types.h>

/* Install the SIGCHLD handler; become subreaper where there is such. */
void	 reap_init(void);
/*
 * Call fn(arg, pid, status) once when the child exits; status as from
 * waitpid(2).  Register right after fork, before returning to the loop.
 * 0, or -1 ENOMEM.
 */
int	 reap_add(pid_t, void (*)(void *, pid_t, int), void *);
/* 1 if it is a child of ours that was not collected yet: also one that the
 * program started which we have replaced by exec. */
int	 reap_ischild(pid_t);
/* Forget a registration (the pid is still collected). */
void	 reap_del(pid_t);

struct pidwatch;
/*
 * Watch a process that is no child of ours: fn(arg, pid, status) once when
 * it has gone; status -1 when it cannot be known.  NULL with errno (ESRCH:
 * gone already).  The watch is freed once fn has returned; pidwatch_del()
 * within fn does no harm, after it it does.
 */
struct pidwatch	*pidwatch_add(pid_t, void (*)(void *, pid_t, int), void *);
void		 pidwatch_del(struct pidwatch *);
/* Start time of a process in the system's own unit, to tell a pid from
 * its reuse; 0: no such process, or a zombie. */
uint64_t	 pid_starttime(pid_t);
/* Its parent, or 0: no such process, or it cannot be told. */
pid_t		 pid_parent(pid_t);
/* An id of this boot, of at most 40 characters; never fails ("unknown"). */
const char	*boot_id(void);

#endif
