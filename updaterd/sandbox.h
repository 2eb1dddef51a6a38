/*
 * Locking a process in.  sandbox.c says what each process may do; the
 * system's part (Landlock and seccomp, or pledge and unveil) is in
 * common/compat/sandbox-*.c under the names declared at the end.
 */
#ifndef UPD_SANDBOX_H
#define UPD_SANDBOX_H

#include <sys/types.h>

#include "proto.h"

#define SANDBOX_BENEATH	3	/* directories at most */

struct sandbox_opts {
	enum proc_type	 proc;
	uid_t		 uid;
	gid_t		 gid;
	const gid_t	*groups;	/* profile: more, never root's */
	int		 ngroups;
	const char	*chroot;	/* path, or NULL */
	int		 chroot_fd;	/* directory instead, or -1 */
	uint64_t	 max_fsize;	/* unpack, profile: RLIMIT_FSIZE in
					 * bytes, of the manifest, too; 0: not
					 * limited */
	int		 readonly;	/* unpack: MANIFEST and VERIFY modes;
					 * profile: dry; writes nothing */
	uint32_t	 nofile;	/* RLIMIT_NOFILE, 0: the default */
	/* profile: called once it is the user, and may open files still. */
	void		(*as_user)(void *);
	void		*as_user_arg;
	/* inflate: called when all holds but the limit on processes and
	 * what seccomp forbids: the last moment to make a thread, which both
	 * then hold, too. */
	void		(*threads)(void *);
	void		*threads_arg;
	/* profile: what it sees from then on; descriptors that are -1 by
	 * then, and names that are "", count for nothing. */
	const int	*beneath[SANDBOX_BENEATH];
	const char	*paths[SANDBOX_BENEATH];
};

/*
 * Enter: chroot, groups and user, rlimits, no_new_privs, Landlock and
 * seccomp or pledge and unveil.  Fatal when a layer that every system has
 * (user, chroot, rlimits) fails, or when the process would go on as root;
 * a layer the kernel lacks is marked missing.  Fills in the report that
 * the child sends in IMSG_READY.
 *
 * UPDATERD_SANDBOX_SKIP in the environment, as a LAYER_ mask, leaves
 * layers out: only in a build with -DSANDBOX_TEST.
 */
void	 sandbox_enter(const struct sandbox_opts *, struct msg_ready *);
/* "uid chroot rlimit no_new_privs landlock seccomp" of a LAYER_ mask. */
void	 sandbox_names(uint32_t, char *, size_t);

/* For sandbox_os_final(): make the threads, then forbid more. */
void	 sandbox_threads(const struct sandbox_opts *);

/* common/compat/sandbox-*.c.  Each returns 0 and sets its LAYER_ bits in
 * layers or missing, or -1 with errno: fatal. */
int	 sandbox_os_early(const struct sandbox_opts *, struct msg_ready *);
int	 sandbox_os_final(const struct sandbox_opts *, struct msg_ready *);

#endif
