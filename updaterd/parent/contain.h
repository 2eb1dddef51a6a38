/*
 * Keeping hold of all that a service or a command starts.
 */
#ifndef UPD_CONTAIN_H
#define UPD_CONTAIN_H

#include <sys/types.h>
#include <stdint.h>

#define CONTAIN_VAR	"UPDATERD_BOX="
#define CONTAIN_MARK_SIZE 256	/* bytes */
#define CONTAIN_POLL_MIN 1	/* ms, first wait for what was killed */
#define CONTAIN_POLL_MAX 50	/* ms */

/* Best first; which one holds is shown in status. */
enum contain_level {
	CONTAIN_CGROUP,		/* nothing gets out */
	CONTAIN_SUBREAPER,	/* out gets who drops the mark from its
				 * environment and leaves the session */
	CONTAIN_GROUP,		/* out gets who leaves the process group */
	CONTAIN__MAX
};
const char	*contain_levelname(enum contain_level);

struct contain {
	enum contain_level level;
	const char *name;	/* not ours; NULL: one of our commands */
	int	 number;	/* of the command */
	char	*path;		/* of the box, NULL none */
	int	 box;		/* its directory, or -1 */
	int	 tainted;	/* it was killed: not fit for a birth */
	int	 open;		/* holds nobody: what is left may live on */
	pid_t	 pgid;		/* group and session; 0: none, or known to
				 * be empty: the number may be reused */
};

/* Names differ between daemons with different run directories.  Kills
 * the commands that a daemon before us left behind. */
void	 contain_setup(const char *);
/* For a thing of that name, which stays the caller's; opens nothing yet. */
void	 contain_init(struct contain *, const char *);
/* The same for one of our commands: its number, from 0. */
void	 contain_initcommand(struct contain *, int);
/* CONTAIN_VAR and the name of the box, in CONTAIN_MARK_SIZE bytes: it
 * belongs into the environment of the process. */
void	 contain_mark(const struct contain *, char *);
/* Get the best containment there is.  Never fails; harmless if done. */
void	 contain_prepare(struct contain *);
/* 1 if there may be something left of it, then what contains that is got;
 * else 0, and there is nothing to close. */
int	 contain_remains(struct contain *);
/* fork(2) into it; in the child 0, it must call setsid(2).  -1: errno. */
pid_t	 contain_fork(struct contain *);
/* Take over a process that an earlier daemon started. */
void	 contain_adopt(struct contain *, pid_t);
/* Signal the whole group of that leader, whose start time guards against
 * a reused pid (0: it is our child, not collected yet). */
void	 contain_signal(struct contain *, pid_t, uint64_t, int);
/* SIGKILL everything inside. */
void	 contain_kill(struct contain *);
/* 1 nothing is left inside, else 0.  Never after contain_fork() before
 * the leader was collected. */
int	 contain_empty(struct contain *);
/* Forget it, and remove the box if that is empty. */
void	 contain_close(struct contain *);

#endif
