/*
 * Our own child processes: the parent starts them, each begins in its
 * X_main() with the socketpair on descriptor 3.
 */
#ifndef UPD_PROC_H
#define UPD_PROC_H

#include <sys/types.h>
#include <sys/queue.h>
#include <event.h>

#include "imsgev.h"
#include "proto.h"

/* In the environment while a new updaterd is on trial, of its children,
 * too: so that all of it can be found and killed. */
#define PROC_TRIAL	"UPDATERD_TRIAL"

#define PROC_FD		3	/* a child's channel to the parent */

struct proc {
	enum proc_type	 type;
	pid_t		 pid;		/* 0: none */
	struct imsgev	 iev;
};

/* What a child needs to know before it has read a message: passed on the
 * command line, all numeric or absolute paths. */
struct proc_args {
	uid_t		 uid;
	gid_t		 gid;
	const char	*chroot;	/* "" none */
	int		 verbose;
	int		 to_stderr;
};

/*
 * Fork and exec our own program (absolute path) with -T and the socketpair
 * on PROC_FD, nothing else open but standard error.  Fills in pid and the
 * channel, whose callbacks are those of imsgev_init().  0, or -1 (logged).
 */
int	 proc_start(struct proc *, enum proc_type, const struct proc_args *,
	    int (*)(struct imsgev *, struct imsg *, void *),
	    void (*)(struct imsgev *, int, void *), void *);
/* SIGKILL it (a pid of ours above 1 only) and close the channel.  The
 * parent's reaper still collects the pid.  Harmless when not running. */
void	 proc_kill(struct proc *);
/* Set the program's absolute path, taken from main's argv[0] or
 * /proc/self/exe.  0, or -1: cannot be found. */
int	 proc_setpath(const char *);
const char *proc_path(void);

/* A child's side: parse the rest of the command line behind -T into
 * *args, log, signals, set the process title.  Fatal on anything odd. */
void	 proc_child(enum proc_type, int, char **, struct proc_args *);

/* The children.  Never return. */
void	 net_main(const struct proc_args *) __attribute__((noreturn));
void	 probe_main(const struct proc_args *) __attribute__((noreturn));
void	 inflate_main(const struct proc_args *) __attribute__((noreturn));
void	 unpack_main(const struct proc_args *) __attribute__((noreturn));
void	 profile_main(const struct proc_args *) __attribute__((noreturn));

#endif
