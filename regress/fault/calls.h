/*
 * The system calls that tracer.c knows by name: what of them is a path,
 * which of them change something, and how each is made to fail.
 */
#ifndef FAULT_CALLS_H
#define FAULT_CALLS_H

#include <sys/syscall.h>

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

static const struct call {
	const char	*name;
	long		 nr;
	enum spoil	 spoil;
	int		 paths;		/* bit per argument that is a path */
	int		 changes;	/* counts by default: 1, CREATES */
} calls[] = {
	{ "openat", SYS_openat, BAD_FD, 0x2, CREATES },
	{ "openat2", SYS_openat2, BAD_FD, 0x2, 0 },
	{ "write", SYS_write, BAD_FD, 0, 1 },
	{ "writev", SYS_writev, BAD_FD, 0, 1 },
	{ "pwrite64", SYS_pwrite64, BAD_FD, 0, 1 },
	{ "read", SYS_read, BAD_FD, 0, 0 },
	{ "pread64", SYS_pread64, BAD_FD, 0, 0 },
	{ "fsync", SYS_fsync, BAD_FD, 0, 1 },
	{ "fdatasync", SYS_fdatasync, BAD_FD, 0, 1 },
	{ "syncfs", SYS_syncfs, BAD_FD, 0, 1 },
	{ "ftruncate", SYS_ftruncate, BAD_FD, 0, 1 },
	{ "renameat", SYS_renameat, BAD_FD, 0xa, 1 },
	{ "renameat2", SYS_renameat2, BAD_FD, 0xa, 1 },
	{ "unlinkat", SYS_unlinkat, BAD_FD, 0x2, 1 },
	{ "symlinkat", SYS_symlinkat, BAD_POINTER, 0x5, 1 },
	{ "linkat", SYS_linkat, BAD_FD, 0xa, 1 },
	{ "mkdirat", SYS_mkdirat, BAD_FD, 0x2, 1 },
	{ "readlinkat", SYS_readlinkat, BAD_FD, 0x2, 0 },
	{ "fchown", SYS_fchown, BAD_FD, 0, 1 },
	{ "fchownat", SYS_fchownat, BAD_FD, 0x2, 1 },
	{ "fchmod", SYS_fchmod, BAD_FD, 0, 1 },
	{ "fchmodat", SYS_fchmodat, BAD_FD, 0x2, 1 },
	{ "fstat", SYS_fstat, BAD_FD, 0, 0 },
	{ "newfstatat", SYS_newfstatat, BAD_FD, 0x2, 0 },
	{ "fstatfs", SYS_fstatfs, BAD_FD, 0, 0 },
	{ "getdents64", SYS_getdents64, BAD_FD, 0, 0 },
	{ "lseek", SYS_lseek, BAD_FD, 0, 0 },
	{ "fcntl", SYS_fcntl, BAD_FD, 0, 0 },
	{ "pipe2", SYS_pipe2, BAD_POINTER, 0, 0 },
	{ "socketpair", SYS_socketpair, BAD_FD, 0, 0 },
	{ "socket", SYS_socket, AFTERWARDS, 0, 0 },
	{ "connect", SYS_connect, BAD_FD, 0, 0 },
	{ "accept4", SYS_accept4, BAD_FD, 0, 0 },
	{ "sendmsg", SYS_sendmsg, BAD_FD, 0, 1 },
	{ "recvmsg", SYS_recvmsg, BAD_FD, 0, 0 },
	{ "sendto", SYS_sendto, BAD_FD, 0, 1 },
	{ "epoll_ctl", SYS_epoll_ctl, BAD_FD, 0, 0 },
	{ "clone", SYS_clone, BAD_CLONE, 0, 1 },
	{ "execve", SYS_execve, BAD_POINTER, 0x1, 1 },
	{ "kill", SYS_kill, BAD_FLAGS, 0, 1 },
	{ "clone3", SYS_clone3, BAD_LENGTH, 0, 0 },
	{ "pidfd_open", SYS_pidfd_open, BAD_FD, 0, 0 },
	{ "prlimit64", SYS_prlimit64, BAD_FLAGS, 0, 0 },
	{ "close", SYS_close, AFTERWARDS, 0, 0 },
	{ "close_range", SYS_close_range, BAD_FD, 0, 0 },
	{ "dup3", SYS_dup3, BAD_FD, 0, 0 },
	{ "sync_file_range", SYS_sync_file_range, BAD_FD, 0, 0 },
	{ "faccessat2", SYS_faccessat2, BAD_FD, 0x2, 0 },
	{ "recvfrom", SYS_recvfrom, BAD_FD, 0, 0 },
	{ "shutdown", SYS_shutdown, BAD_FD, 0, 0 },
	{ "setsockopt", SYS_setsockopt, BAD_FD, 0, 0 },
	{ "getsockopt", SYS_getsockopt, BAD_FD, 0, 0 },
	{ "getsockname", SYS_getsockname, BAD_FD, 0, 0 },
	{ "bind", SYS_bind, BAD_FD, 0, 0 },
	{ "epoll_create1", SYS_epoll_create1, BAD_FLAGS, 0, 0 },
	{ "getrandom", SYS_getrandom, BAD_POINTER, 0, 0 },
	{ "chroot", SYS_chroot, BAD_POINTER, 0x1, 0 },
	{ "chdir", SYS_chdir, BAD_POINTER, 0x1, 0 },
	{ "fchdir", SYS_fchdir, BAD_FD, 0, 0 },
	{ "setgroups", SYS_setgroups, BAD_FD, 0, 0 },
	{ "setresuid", SYS_setresuid, UNCHANGED, 0, 0 },
	{ "setresgid", SYS_setresgid, UNCHANGED, 0, 0 },
	{ "setsid", SYS_setsid, AFTERWARDS, 0, 0 },
	{ "setpriority", SYS_setpriority, BAD_FLAGS, 0, 0 },
	{ "prctl", SYS_prctl, BAD_FLAGS, 0, 0 },
	{ "seccomp", SYS_seccomp, BAD_FLAGS, 0, 0 },
	{ "landlock_create_ruleset", SYS_landlock_create_ruleset,
	    BAD_POINTER, 0, 0 },
	{ "landlock_add_rule", SYS_landlock_add_rule, BAD_FD, 0, 0 },
	{ "landlock_restrict_self", SYS_landlock_restrict_self, BAD_FD, 0,
	    0 },
	{ "mprotect", SYS_mprotect, BAD_POINTER, 0, 0 },
	{ "mmap", SYS_mmap, BAD_LENGTH, 0, 0 },
	{ "brk", SYS_brk, BAD_ZERO, 0, 0 },
#ifdef SYS_rename
	{ "rename", SYS_rename, BAD_POINTER, 0x3, 1 },
	{ "unlink", SYS_unlink, BAD_POINTER, 0x1, 1 },
	{ "rmdir", SYS_rmdir, BAD_POINTER, 0x1, 1 },
	{ "mkdir", SYS_mkdir, BAD_POINTER, 0x1, 1 },
	{ "symlink", SYS_symlink, BAD_POINTER, 0x3, 1 },
	{ "fork", SYS_fork, AFTERWARDS, 0, 1 },
	{ "dup2", SYS_dup2, BAD_FD, 0, 0 },
	{ "poll", SYS_poll, BAD_COUNT, 0, 0 },
	{ "readlink", SYS_readlink, BAD_POINTER, 0x1, 0 },
	{ "epoll_wait", SYS_epoll_wait, BAD_FD, 0, 0 },
#endif
	{ "epoll_pwait", SYS_epoll_pwait, BAD_FD, 0, 0 }
};
#define NCALLS	(sizeof(calls) / sizeof(calls[0]))

#endif
