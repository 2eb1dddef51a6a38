/*
 * What somebody would try who has taken over one of our processes, and
 * which layers keep him from it, each alone, as updaterd(8) has it.
 * attack.c does it, in the process; confine.c starts it and judges.
 *
 *	A(name, function, who, layers, Landlock ABI needed)
 */
#ifndef UPD_REGRESS_ATTACK_H
#define UPD_REGRESS_ATTACK_H

struct sandbox_opts;

/* Who. */
#define N	0x01
#define P	0x02
#define I	0x04
#define U	0x08		/* unpack, extracting */
#define R	0x10		/* unpack, reading only */
#define ALL	(N | P | I | U | R)

/* Layers: user, chroot, rlimits, no_new_privs, Landlock, seccomp. */
#define u_	LAYER_UID
#define c_	LAYER_CHROOT
#define r_	LAYER_RLIMIT
#define n_	LAYER_NNP
#define l_	LAYER_LANDLOCK
#define s_	LAYER_SECCOMP
#define NEEDS_U	0x1000		/* says something only when not root */

#define ATTACKS								\
A("read the key file", a_open_key, N | P | I, u_ | c_ | l_ | s_, 1)	\
A("read the key file", a_open_key, U | R, u_ | c_ | l_, 1)		\
A("read /etc/passwd", a_open_passwd, N | P | I, c_ | l_ | s_, 1)	\
A("read /etc/passwd", a_open_passwd, U | R, c_ | l_, 1)			\
A("read ../../etc/passwd", a_open_dotdot, N | P | I, c_ | l_ | s_, 1)	\
A("read ../../etc/passwd", a_open_dotdot, U | R, c_ | l_, 1)		\
A("list /etc", a_list, N | P | I, c_ | l_ | s_, 1)			\
A("list /etc", a_list, U | R, c_ | l_, 1)				\
A("read parent's memory", a_proc_mem, N | P | I, u_ | c_ | l_ | s_, 1)	\
A("read parent's memory", a_proc_mem, U | R, u_ | c_ | l_, 1)		\
A("create outside", a_create, N | P | I, c_ | l_ | s_, 1)		\
A("create outside", a_create, U | R, c_ | l_, 1)			\
A("mkdir outside", a_mkdir, N | P | I | R, c_ | l_ | s_, 1)		\
A("mkdir outside", a_mkdir, U, c_ | l_, 1)				\
A("symlink outside", a_symlink, N | P | I | R, c_ | l_ | s_, 1)		\
A("symlink outside", a_symlink, U, c_ | l_, 1)				\
A("mkfifo outside", a_mkfifo, ALL, c_ | l_ | s_, 1)			\
A("make a device", a_mknod, ALL, u_ | c_ | l_ | s_, 1)			\
A("hard link outside", a_link, ALL, c_ | l_ | s_, 2)			\
A("rename outside", a_rename, ALL, c_ | l_ | s_, 1)			\
A("unlink outside", a_unlink, ALL, c_ | l_ | s_, 1)			\
A("truncate outside", a_truncate, ALL, c_ | l_ | s_, 3)			\
A("chmod outside", a_chmod, ALL, u_ | c_ | s_, 1)			\
A("chown outside", a_chown, ALL, u_ | c_ | s_, 1)			\
A("open by handle", a_handle, ALL, u_ | c_ | s_, 1)			\
A("execute a program", a_exec, ALL, c_ | l_ | s_, 1)			\
A("execute a setuid one", a_exec_suid, ALL,				\
    c_ | n_ | l_ | s_ | NEEDS_U, 1)					\
A("execute from memory", a_exec_memfd, N | P | I, r_ | s_, 1)		\
A("execute from memory", a_exec_memfd, U | R, s_, 1)			\
A("fork", a_fork, ALL, r_ | s_ | NEEDS_U, 1)				\
A("start a thread", a_thread, ALL, r_ | s_ | NEEDS_U, 1)		\
A("ptrace the parent", a_ptrace, ALL, u_ | l_ | s_, 1)			\
A("process_vm_readv", a_vm_read, ALL, u_ | l_ | s_, 1)			\
A("take parent's descriptor", a_pidfd_getfd, ALL, u_ | l_ | s_, 1)	\
A("signal the parent", a_kill, ALL, u_ | l_ | s_, 6)			\
A("tgkill the parent", a_tgkill, ALL, u_ | l_ | s_, 6)			\
A("sigqueue to the parent", a_sigqueue, ALL, u_ | l_ | s_, 6)		\
A("pidfd signal to it", a_pidfd_kill, ALL, u_ | l_ | s_, 6)		\
A("prlimit the parent", a_prlimit, ALL, u_ | s_, 1)			\
A("renice the parent", a_renice, ALL, u_ | s_, 1)			\
A("raise a limit", a_raise, ALL, u_ | s_, 1)				\
A("setuid(0)", a_setuid, ALL, u_ | s_, 1)				\
A("setresuid(other)", a_setresuid, ALL, u_ | s_, 1)			\
A("setgroups", a_setgroups, ALL, u_ | s_, 1)				\
A("chroot", a_chroot, ALL, u_ | s_, 1)					\
A("mount", a_mount, ALL, u_ | l_ | s_, 1)				\
A("fsopen", a_fsopen, ALL, u_ | s_, 1)					\
A("user name space", a_userns, ALL, c_ | s_, 1)				\
A("connect to TCP", a_connect, N | I | U | R, l_ | s_, 4)		\
A("bind TCP", a_bind, ALL, l_ | s_, 4)					\
A("listen, unbound", a_listen, ALL, s_, 1)				\
A("send UDP", a_udp, ALL, s_, 1)					\
A("raw socket", a_raw, ALL, u_ | s_, 1)					\
A("packet socket", a_packet, ALL, u_ | s_, 1)				\
A("netlink socket", a_netlink, ALL, s_, 1)				\
A("AF_ALG socket", a_alg, ALL, s_, 1)					\
A("vsock socket", a_vsock, ALL, s_, 1)					\
A("unix socket pair", a_pair, ALL, s_, 1)				\
A("connect to unix", a_unix, ALL, c_ | s_, 1)				\
A("connect to abstract", a_abstract, ALL, l_ | s_, 6)			\
A("io_uring", a_uring, ALL, s_, 1)					\
A("keyctl", a_keyctl, ALL, s_, 1)					\
A("add_key", a_add_key, ALL, s_, 1)					\
A("userfaultfd", a_uffd, ALL, s_, 1)					\
A("bpf", a_bpf, ALL, s_, 1)						\
A("perf_event_open", a_perf, ALL, s_, 1)				\
A("inotify", a_inotify, ALL, s_, 1)					\
A("fanotify", a_fanotify, ALL, s_, 1)					\
A("memfd_create", a_memfd, ALL, s_, 1)					\
A("personality", a_personality, ALL, s_, 1)				\
A("prctl", a_prctl, ALL, s_, 1)						\
A("kernel log", a_klog, ALL, s_, 1)					\
A("memory written and run", a_wx, ALL, s_, 1)				\
A("mprotect to run", a_mprotect, ALL, s_, 1)				\
A("32-bit system calls", a_i386, ALL, s_, 1)				\
A("x32 system calls", a_x32, ALL, s_, 1)				\
A("much memory", a_memory, I | U | R, r_, 1)				\
A("many descriptors", a_descriptors, ALL, r_, 1)

#define ATTACK_THROUGH	100	/* exit code; beyond: 100 + errno */

/* In a process, locked in: do what $UPDATERD_ATTACK says, if it is set,
 * and exit. */
void	 sandbox_attack(const struct sandbox_opts *);

#endif
