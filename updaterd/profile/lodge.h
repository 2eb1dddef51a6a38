/*
 * The profile process's own: what it was told, the directories it may see.
 */
#ifndef UPD_LODGE_H
#define UPD_LODGE_H

#include <sys/types.h>

#include "imsg.h"
#include "compat/farwatch.h"
#include "profile.h"

struct lodge {
	struct msg_profile_start start;
	char		 runtime[PROFILE_RUNTIME_MAX][PROFILE_FILE_SIZE];
	int		 nruntime;
	struct imsgbuf	 ibuf;
	int		 homefd;	/* -1: is not there */
	int		 home_errno;	/* why not */
	int		 dirfd;		/* of the profiles, likewise */
	int		 dir_errno;	/* why not */
	int		 abovefd;	/* the directory it will be in, or -1 */
	int		 logdirfd;	/* of the reconcile log, or -1 */
	const char	*logname;	/* in it */
	int		 logfd;		/* -1: not open yet */
	int		 rotated;	/* once a run */
	struct farwatch	 watch;
	struct msg_profile_done done;
};

/* visit.c */
/* Send what is there, the watch, and SCANNED. */
void	 visit_all(struct lodge *);
/* Directory of a profile; -1 with errno.  The caller closes it. */
int	 visit_open(struct lodge *, const char *);
/* Remove its runtime files. */
void	 visit_sweep(struct lodge *, const char *);

/* rlog.c: a line more in the reconcile log, which is rotated before the
 * first one of a run if it is too long. */
void	 rlog_line(struct lodge *, const char *);
void	 rlog_close(struct lodge *);

/* profile.c: count an error, the first one with its words. */
void	 lodge_error(struct lodge *, const char *, const char *);

#endif
