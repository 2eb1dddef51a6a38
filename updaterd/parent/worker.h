/*
 * The short-lived processes of an update: inflate and unpack.  A worker is
 * through when its process has been collected and its channel is drained;
 * it succeeded when it said DONE and exited 0.
 */
#ifndef UPD_WORKER_H
#define UPD_WORKER_H

#include "../proc.h"

struct worker {
	struct proc		 proc;
	enum proc_type		 type;
	int			 running;	/* started, not through */
	int			 exited;
	int			 status;	/* as from waitpid(2) */
	int			 ready;		/* said READY */
	int			 done;		/* said DONE */
	int			 failed;	/* said FAIL, or died */
	struct msg_fail		 fail;
	struct msg_inflate_done	 inflate;
	struct msg_unpack_done	 unpack;
	/* First sign of failure, the process may still run.  May be NULL. */
	void			(*on_fail)(void *);
	/* inflate moves bytes; may be NULL. */
	void			(*on_progress)(void *,
				    const struct msg_inflate_progress *);
	void			(*on_diff)(void *,
				    const struct msg_unpack_diff *);
	void			(*on_fault)(void *,
				    const struct msg_unpack_fault *);
	void			(*on_gone)(void *);	/* through */
	void			*arg;
};

/* Start one; set the callbacks first.  All descriptors are handed over,
 * also on failure.  0, or -1 (logged). */
/* inflate: as many release keys as START says, input, output. */
int	 worker_inflate(struct worker *, const struct msg_inflate_start *,
	    const struct msg_inflate_key *, int, int);
/* unpack: directory, manifest, and the input or -1. */
int	 worker_unpack(struct worker *, const struct msg_unpack_start *,
	    int, int, int);
int	 worker_ok(const struct worker *);	/* through, and succeeded */
/* SIGKILL; on_gone still follows.  Harmless when not running. */
void	 worker_kill(struct worker *);

#endif
