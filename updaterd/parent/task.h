/*
 * Long work of the parent (walking and syncing a tree, removing one) in a
 * short-lived root process of its own, so that the event loop never waits.
 */
#ifndef UPD_TASK_H
#define UPD_TASK_H

#include <sys/types.h>
#include "error.h"
#include "proto.h"

struct task;

/* What a task reports; written whole through a pipe. */
struct task_result {
	uint32_t	error;			/* enum upd_error */
	int32_t		sys_errno;
	uint64_t	bytes;			/* seal: of regular files */
	uint64_t	files;			/* seal: regular files */
	char		text[UPD_TEXT_SIZE];	/* for a person */
	char		path[UPD_PATH_SIZE];	/* entry concerned, or "" */
};

/*
 * Fork, run work(arg, &result) in the child (only descriptors 0-2, the log
 * and those in keep_fds stay open), then done(arg2, &result) in the
 * parent's loop once the child has exited.  A child that dies otherwise is
 * reported as UPD_ECHILD.  NULL if it cannot be started (errno).
 */
struct task	*task_start(const char *,
		    void (*)(void *, struct task_result *), void *,
		    const int *, int,
		    void (*)(void *, const struct task_result *), void *);
/* Kill it; done is not called.  NULL is fine, and so is a call from within
 * done; after done has returned the task is no more. */
void		 task_cancel(struct task *);

#endif
