/*
 * From a description to a running program: who it runs as, what it finds
 * in its environment, and why it could not be executed.
 */
#ifndef UPD_LAUNCH_H
#define UPD_LAUNCH_H

#include <sys/types.h>

#include "../config.h"
#include "contain.h"

/* identity.c */
struct identity {
	uid_t	 uid;
	gid_t	 gid;
	gid_t	*groups;		/* NULL: as we are, change nothing */
	int	 ngroups;
	char	 name[64];
	char	 home[512];
	char	 shell[256];
};
/*
 * Look up user (NULL: root), group (NULL: the user's) and groups (NULL or
 * none: the user's) by name.  0, or -1 with text (UPD_TEXT_SIZE).  Freed
 * with identity_free() either way.
 */
int	 identity_lookup(struct identity *, const char *, const char *,
	    const struct args *, char *);
/* From here to identity_letgo(), which is within the same turn of the loop,
 * one that is looked up again and again is asked for once. */
void	 identity_keep(void);
void	 identity_letgo(void);
/* By number, without other groups.  0, or -1 ENOMEM. */
int	 identity_ids(struct identity *, uid_t, gid_t);
/* Whoever we are.  Never fails. */
void	 identity_ours(struct identity *);
void	 identity_free(struct identity *);

/* launch.c */
/*
 * An environment: `own` ("NAME=value", NULL-terminated) that nobody can
 * override, then PATH, HOME, USER, LOGNAME, SHELL, then the configured
 * ones, which win over those five.  Malloced; NULL: ENOMEM.
 */
char	**environ_make(const struct identity *, const struct args *,
	    const char *const *);
void	 environ_free(char **);

struct launch {
	const struct args	*argv;
	char			**env;
	const struct identity	*id;
	int			 dirfd;		/* where commands are looked
						 * up; the cwd, unless ... */
	const char		*directory;	/* ... this is set */
	const char		*base;		/* absolute path of dirfd, or
						 * NULL: cwd is dirfd */
	mode_t			 umask;
	const struct rlimit_conf *rlimits;
	int			 nrlimits;
	int			 out;		/* descriptors 1 and 2, or -1:
						 * /dev/null, as is 0 */
	int			 notify;	/* descriptor 3, or -1: none */
	struct contain		*box;
};
/*
 * Start it in a session of its own.  The pid, and *errfd (non-blocking)
 * for launch_error(); or -1 with text.
 */
pid_t	 launch_start(const struct launch *, int *, char *);
/*
 * What became of the exec of that name: 0 it runs, 1 it failed and text
 * says how, -1 not known yet.
 */
int	 launch_error(int, const char *, char *);
/* "exited 3", "killed by signal 11" of a waitpid(2) status; -1: unknown. */
void	 launch_exittext(int, char *, size_t);

#endif
