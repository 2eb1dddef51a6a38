/*
 * A walk over a directory tree by descriptors, following nothing.  What is
 * done with each entry is the caller's: see tree.c.
 */
#ifndef UPD_WALK_H
#define UPD_WALK_H

#include <sys/types.h>
#include <sys/stat.h>
#include <stdint.h>

#include "error.h"
#include "task.h"

enum walk_verdict {
	WALK_NEXT,
	WALK_DESCEND,
	WALK_STOP
};

struct level;

/* Zero it, then fill in the first part. */
struct walk {
	struct task_result *r;		/* the first error goes here */
	/* A directory, before it is read.  0, or -1 with errno.  May be
	 * NULL. */
	int		 (*enter)(struct walk *, int, const struct stat *);
	/* An entry: descriptor of its directory, name, d_type.  DESCEND for
	 * directories only. */
	enum walk_verdict (*entry)(struct walk *, int, const char *, int);
	/* A directory whose entries are through: its own descriptor, that of
	 * the one above (-1 at the top) and its name there.  0, or -1:
	 * reported.  May be NULL. */
	int		 (*leave)(struct walk *, int, int, const char *);
	size_t		 depth_max;	/* levels, 0: any number */
	int		 go_on;		/* an error does not end the walk,
					 * what has gone meanwhile is none */
	int		 links_outside;	/* for the caller's functions */
	uid_t		 uid;
	gid_t		 gid;
	uint64_t	 removed;	/* entries removed so far */
	dev_t		 dev;		/* to stay on; set by the walk where
					 * the top has no name */

	struct level	*lv;		/* the walk's own */
	size_t		 n;
	size_t		 cap;
};

/* Walk dirfd/name, or with name NULL what dirfd itself is; leaves no
 * descriptor open.  Errors are in w->r. */
void	 walk_tree(struct walk *, int, const char *);
/* Directories between the top and the one being read. */
size_t	 walk_depth(const struct walk *);
/* Report an entry (NULL: the directory) as refused, with a text for a
 * person.  Only the first report counts. */
void	 walk_refuse(struct walk *, const char *, enum upd_error,
	    const char *, ...) __attribute__((format(printf, 4, 5)));
/* Report a system call that failed, "cannot VERB: ..." from errno. */
void	 walk_failed(struct walk *, const char *, const char *);

#endif
