/*
 * Making one system call of a traced process fail.
 */
#ifndef FAULT_SPOIL_H
#define FAULT_SPOIL_H

#include <sys/types.h>

#define CREATES		2	/* counts where O_CREAT is given */

/*
 * How to make a call fail by itself, so that nothing of it happens.  Where
 * it has paths the first of them becomes NULL as well: a descriptor does not
 * matter to an absolute one.  Some cannot be made to, or are filtered by all
 * of their arguments: theirs is only said to have failed.
 */
enum spoil {
	BAD_FD,				/* argument 0 is a descriptor: -1 */
	BAD_POINTER,			/* argument 0 is an address: 0 */
	BAD_LENGTH,			/* argument 1 is a length: 0 */
	BAD_FLAGS,			/* argument 0: nonsense */
	BAD_CLONE,			/* CLONE_SIGHAND without CLONE_VM */
	BAD_COUNT,			/* argument 1 is a count: too large */
	BAD_ZERO,			/* brk(0): nothing moves */
	UNCHANGED,			/* ids are -1: nothing changes */
	AFTERWARDS			/* done, and said to have failed */
};

struct call {
	const char	*name;
	long		 nr;
	enum spoil	 spoil;
	int		 paths;		/* bit per argument that is a path */
	int		 changes;	/* counts by default: 1, CREATES */
};

/* On its way in.  With 1 it is given half of its length instead. */
void	 spoil_enter(pid_t, const struct call *, int);
/* On its way out: now it fails with that error.  1; 0 it had succeeded; -1
 * the process is no more. */
int	 spoil_leave(pid_t, const struct call *, int);

#endif
