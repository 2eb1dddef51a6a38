/*
 * Landlock: no file anywhere (unpack and profile: their own directories), no
 * TCP bind, TCP connect for probe only, no signal and no abstract socket to
 * the outside.
 *
 * The constants are ours, from the kernel's documentation
 * (userspace-api/landlock): the headers of the system we are built on may
 * be older than the kernel we run on.  Rights the kernel does not know are
 * masked out by its ABI version; a structure longer than the kernel's is
 * fine as long as the surplus is zero.
 */
#include <sys/types.h>
#include <sys/syscall.h>

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <unistd.h>

#include "lockin-linux.h"

#define LL_VERSION		(1U << 0)	/* flag: ask for the ABI */
#define LL_PATH_BENEATH		1		/* rule type */

#define LL_FS_WRITE_FILE	(1ULL << 1)
#define LL_FS_READ_FILE		(1ULL << 2)
#define LL_FS_READ_DIR		(1ULL << 3)
#define LL_FS_REMOVE_DIR	(1ULL << 4)
#define LL_FS_REMOVE_FILE	(1ULL << 5)
#define LL_FS_MAKE_DIR		(1ULL << 7)
#define LL_FS_MAKE_REG		(1ULL << 8)
#define LL_FS_MAKE_SYM		(1ULL << 12)
#define LL_FS_MAKE_SOCK		(1ULL << 9)
#define LL_FS_MAKE_FIFO		(1ULL << 10)
#define LL_FS_TRUNCATE		(1ULL << 14)
/* What stands in the way of a state file, whatever it is, is renamed. */
#define LL_FS_RENAME_ANY	(LL_FS_REMOVE_DIR | LL_FS_MAKE_DIR | \
				LL_FS_MAKE_SYM | LL_FS_MAKE_FIFO | \
				LL_FS_MAKE_SOCK)
#define LL_FS_ABI1		((1ULL << 13) - 1)
#define LL_FS_ABI2		((1ULL << 14) - 1)	/* refer */
#define LL_FS_ABI3		((1ULL << 15) - 1)	/* truncate */
#define LL_FS_ABI5		((1ULL << 16) - 1)	/* ioctl_dev */
#define LL_NET_BIND_TCP		(1ULL << 0)	/* ABI 4 */
#define LL_NET_CONNECT_TCP	(1ULL << 1)
#define LL_SCOPE_ABSTRACT	(1ULL << 0)	/* ABI 6 */
#define LL_SCOPE_SIGNAL		(1ULL << 1)

struct ll_ruleset {
	uint64_t	 fs;
	uint64_t	 net;
	uint64_t	 scoped;
};

struct ll_path {
	uint64_t	 allowed;
	int32_t		 parent_fd;
} __attribute__((packed));

int
landlock_abi(void)
{
	long	 abi;

	abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LL_VERSION);
	return abi < 1 ? 0 : (int)abi;
}

static uint64_t
fs_known(int abi)
{
	if (abi >= 5)
		return LL_FS_ABI5;
	if (abi >= 3)
		return LL_FS_ABI3;
	return abi == 2 ? LL_FS_ABI2 : LL_FS_ABI1;
}

static uint64_t
fs_allowed(const struct sandbox_opts *o)
{
	if (o->proc != PROC_UNPACK && o->proc != PROC_PROFILE)
		return 0;
	if (o->readonly)
		return LL_FS_READ_FILE | LL_FS_READ_DIR;
	/* A new file is renamed over an old one. */
	if (o->proc == PROC_PROFILE)
		return LL_FS_READ_FILE | LL_FS_READ_DIR | LL_FS_WRITE_FILE |
		    LL_FS_TRUNCATE | LL_FS_MAKE_REG | LL_FS_REMOVE_FILE |
		    LL_FS_RENAME_ANY;
	return LL_FS_READ_FILE | LL_FS_READ_DIR | LL_FS_WRITE_FILE |
	    LL_FS_TRUNCATE | LL_FS_MAKE_REG | LL_FS_MAKE_DIR |
	    LL_FS_MAKE_SYM;
}

/* Allow what is beneath the directory that was handed over: that, and not
 * "/", so that this holds without the chroot, too.  0, or -1. */
static int
allow_beneath(int rulesetfd, int dirfd, uint64_t rights)
{
	struct ll_path	 path;

	path.allowed = rights;
	path.parent_fd = dirfd;
	return (int)syscall(SYS_landlock_add_rule, rulesetfd, LL_PATH_BENEATH,
	    &path, 0);
}

/* All that it was given.  0, or -1. */
static int
allow_all(const struct sandbox_opts *o, int rulesetfd, uint64_t rights)
{
	int	 i;

	if (rights == 0)
		return 0;
	if (o->proc == PROC_UNPACK)
		return allow_beneath(rulesetfd, o->chroot_fd, rights);
	for (i = 0; i < SANDBOX_BENEATH; i++)
		if (o->beneath[i] != NULL && *o->beneath[i] != -1 &&
		    allow_beneath(rulesetfd, *o->beneath[i], rights) == -1)
			return -1;
	return 0;
}

int
landlock_enter(const struct sandbox_opts *o, int abi)
{
	struct ll_ruleset	 rs = { 0, 0, 0 };
	uint64_t		 rights;
	int			 fd, saved, r;

	rs.fs = fs_known(abi);
	if (abi >= 4) {
		rs.net = LL_NET_BIND_TCP;
		if (o->proc != PROC_PROBE)
			rs.net |= LL_NET_CONNECT_TCP;
	}
	if (abi >= 6)
		rs.scoped = LL_SCOPE_ABSTRACT | LL_SCOPE_SIGNAL;
	fd = (int)syscall(SYS_landlock_create_ruleset, &rs, sizeof(rs), 0);
	if (fd == -1)
		return -1;
	rights = fs_allowed(o) & rs.fs;
	r = allow_all(o, fd, rights);
	if (r == 0)
		r = (int)syscall(SYS_landlock_restrict_self, fd, 0);
	saved = errno;
	close(fd);
	errno = saved;
	return r;
}
