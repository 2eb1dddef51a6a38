/*
 * seccomp: a list of the system calls each process may make; any other
 * kills it.
 *
 * One table, written by hand, names each call, who may make it and with
 * which arguments.  Calls that differ between machines (aarch64 has no
 * poll or epoll_wait) are there under #ifdef __NR_.  The kernel runs the
 * filter from the top, so what the bulk of the work needs comes first.
 *
 * Trap: a C library may use another call for the same function after an
 * upgrade; regress/unit/test_sandbox.c makes the ones we rely on.
 */
#include <sys/types.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/in.h>

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include "lockin-linux.h"

#if defined(__x86_64__)
#define FILTER_ARCH	AUDIT_ARCH_X86_64
#elif defined(__aarch64__) && defined(__AARCH64EL__)
#define FILTER_ARCH	AUDIT_ARCH_AARCH64
#endif

/* Under AddressSanitizer anything may be called at any time. */
#if !defined(FILTER_ARCH) || defined(__SANITIZE_ADDRESS__)

int
seccomp_enter(const struct sandbox_opts *o)
{
	errno = ENOSYS;
	return -1;
}

#else

#define X32_BIT		0x40000000U	/* x86_64's other system calls */
#define NELEM(a)	(sizeof(a) / sizeof((a)[0]))
#define INSNS_MAX	512
#define CONDS_MAX	3
#define VALUES_MAX	8

/* Who. */
#define N	0x01		/* net */
#define P	0x02		/* probe */
#define I	0x04		/* inflate */
#define U	0x08		/* unpack, writing or not */
#define W	0x10		/* unpack, writing */
#define F	0x20		/* profile, writing or not */
#define G	0x40		/* profile, writing */
#define ALL	(N | P | I | U | F)

/* (argument & mask) is one of the values; an argument's upper half counts
 * in pointers only. */
struct cond {
	uint32_t	 arg;
	uint32_t	 mask;
	uint32_t	 nvalues;	/* 0: the end */
	uint32_t	 values[VALUES_MAX];
	int		 high;		/* look at the upper half */
	int		 self;		/* the value is our own pid */
};

struct call {
	uint32_t	 nr;
	uint32_t	 who;
	struct cond	 conds[CONDS_MAX];	/* all must hold */
};

#define FULL		0xffffffffU
#define IS(arg, ...)	{ arg, FULL, \
	    NELEM(((uint32_t[]){ __VA_ARGS__ })), { __VA_ARGS__ }, 0, 0 }
#define WITHOUT(arg, bits)	{ arg, bits, 1, { 0 }, 0, 0 }
#define IS_SELF(arg)	{ arg, FULL, 1, { 0 }, 0, 1 }
#define IS_NULL(arg)	IS(arg, 0), { arg, FULL, 1, { 0 }, 1, 0 }

static const struct call calls[] = {
	/* moving bytes */
	{ __NR_read,		ALL, { { 0 } } },
	{ __NR_write,		ALL, { { 0 } } },
#ifdef __NR_epoll_wait
	{ __NR_epoll_wait,	N | P, { { 0 } } },
#endif
	{ __NR_epoll_pwait,	N | P, { { 0 } } },
	{ __NR_epoll_ctl,	N | P, { { 0 } } },
	{ __NR_openat,		U | F, { { 0 } } },
	{ __NR_openat2,		U, { { 0 } } },
	{ __NR_close,		ALL, { { 0 } } },
	{ __NR_pwrite64,	U, { { 0 } } },
	{ __NR_pread64,		N | P | U, { { 0 } } },
	{ __NR_readv,		ALL, { { 0 } } },
	{ __NR_writev,		ALL, { { 0 } } },
	{ __NR_lseek,		N | P | U | F, { { 0 } } },
#ifdef __NR_poll
	{ __NR_poll,		ALL, { { 0 } } },
#endif
	{ __NR_ppoll,		ALL, { { 0 } } },

	/* sockets that are open; sending to no other address */
	{ __NR_recvmsg,		ALL, { { 0 } } },
	{ __NR_sendmsg,		ALL, { { 0 } } },
	{ __NR_recvfrom,	N | P, { { 0 } } },
	{ __NR_sendto,		ALL, { IS_NULL(4) } },
	{ __NR_shutdown,	N | P, { { 0 } } },
	{ __NR_getsockopt,	N | P, { { 0 } } },
	{ __NR_setsockopt,	N | P, { IS(1, SOL_SOCKET, IPPROTO_TCP) } },
	{ __NR_getsockname,	N | P, { { 0 } } },
	{ __NR_getpeername,	N | P, { { 0 } } },
	{ __NR_accept4,		N, { { 0 } } },
	{ __NR_connect,		P, { { 0 } } },
	{ __NR_socket,		P, { IS(0, AF_INET, AF_INET6),
	    IS(1, SOCK_STREAM, SOCK_STREAM | SOCK_NONBLOCK,
	    SOCK_STREAM | SOCK_CLOEXEC,
	    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC),
	    IS(2, 0, IPPROTO_TCP) } },

	/* files below unpack's root */
	{ __NR_newfstatat,	U | F, { { 0 } } },
	{ __NR_mkdirat,		W, { { 0 } } },
	{ __NR_symlinkat,	W, { { 0 } } },
	{ __NR_fchmod,		W | G, { { 0 } } },
	{ __NR_umask,		W, { { 0 } } },
	{ __NR_ftruncate,	U, { { 0 } } },
	{ __NR_fsync,		U | G, { { 0 } } },
	{ __NR_fdatasync,	U, { { 0 } } },
	{ __NR_sync_file_range,	U, { { 0 } } },
	{ __NR_fadvise64,	U, { { 0 } } },
	{ __NR_getdents64,	U | F, { { 0 } } },
	{ __NR_readlinkat,	U, { { 0 } } },
	{ __NR_fstatfs,		U, { { 0 } } },

	/* files of a service's user, and waiting for changes of them */
	{ __NR_fchdir,		F, { { 0 } } },
	{ __NR_inotify_init1,	F, { { 0 } } },
	{ __NR_inotify_add_watch, F, { { 0 } } },
	{ __NR_unlinkat,	G, { IS(2, 0) } },
#ifdef __NR_renameat
	{ __NR_renameat,	G, { { 0 } } },
#endif
	{ __NR_renameat2,	G, { { 0 } } },

	/* descriptors; fstat(3) is newfstatat with an empty path */
	{ __NR_fstat,		ALL, { { 0 } } },
	{ __NR_newfstatat,	N | P | I, { IS(3, AT_EMPTY_PATH) } },
	{ __NR_fcntl,		ALL, { IS(1, F_GETFD, F_SETFD, F_GETFL,
	    F_SETFL, F_DUPFD_CLOEXEC, F_GETPIPE_SZ, F_SETPIPE_SZ) } },
	{ __NR_ioctl,		N | P, { IS(1, FIONREAD, FIONBIO) } },

	/* memory, never executable */
	{ __NR_brk,		ALL, { { 0 } } },
	{ __NR_mmap,		ALL, { WITHOUT(2, PROT_EXEC) } },
	{ __NR_mprotect,	ALL, { WITHOUT(2, PROT_EXEC) } },
	{ __NR_munmap,		ALL, { { 0 } } },
	{ __NR_mremap,		ALL, { { 0 } } },
	{ __NR_madvise,		ALL, { { 0 } } },
	{ __NR_futex,		ALL, { { 0 } } },

	/* time, chance, ourselves; the clock may be no vDSO in a VM */
	{ __NR_clock_gettime,	ALL, { { 0 } } },
	{ __NR_gettimeofday,	ALL, { { 0 } } },
#ifdef __NR_time
	{ __NR_time,		ALL, { { 0 } } },
#endif
	{ __NR_getrandom,	ALL, { { 0 } } },
	{ __NR_getpid,		ALL, { { 0 } } },
	{ __NR_gettid,		ALL, { { 0 } } },
	{ __NR_sysinfo,		ALL, { { 0 } } },	/* qsort(3) */

	/* ending; abort(3) signals itself */
	{ __NR_rt_sigreturn,	ALL, { { 0 } } },
	{ __NR_rt_sigprocmask,	ALL, { { 0 } } },
	{ __NR_rt_sigaction,	ALL, { { 0 } } },
	{ __NR_restart_syscall,	ALL, { { 0 } } },
	{ __NR_tgkill,		ALL, { IS_SELF(0) } },
	{ __NR_exit,		ALL, { { 0 } } },
	{ __NR_exit_group,	ALL, { { 0 } } },
};

struct prog {
	struct sock_filter	 insn[INSNS_MAX];
	unsigned short		 n;
};

static void
emit(struct prog *p, uint16_t code, uint8_t jt, uint8_t jf, uint32_t k)
{
	/* The table is ours: it fits or the build is broken. */
	if (p->n >= INSNS_MAX)
		abort();
	p->insn[p->n].code = code;
	p->insn[p->n].jt = jt;
	p->insn[p->n].jf = jf;
	p->insn[p->n].k = k;
	p->n++;
}

static void
emit_load(struct prog *p, size_t off)
{
	emit(p, BPF_LD | BPF_W | BPF_ABS, 0, 0, (uint32_t)off);
}

/* Deny unless the condition holds, else fall through.  It leaves another
 * word in the accumulator, so a call with conditions never rejoins. */
static void
emit_cond(struct prog *p, const struct cond *c, uint32_t deny)
{
	uint32_t	 i, value;

	emit_load(p, offsetof(struct seccomp_data, args) +
	    c->arg * sizeof(uint64_t) + (c->high ? sizeof(uint32_t) : 0));
	if (c->mask != FULL)
		emit(p, BPF_ALU | BPF_AND | BPF_K, 0, 0, c->mask);
	for (i = 0; i < c->nvalues; i++) {
		value = c->self ? (uint32_t)getpid() : c->values[i];
		/* Over the values that are left and the denial. */
		emit(p, BPF_JMP | BPF_JEQ | BPF_K,
		    (uint8_t)(c->nvalues - i), 0, value);
	}
	emit(p, BPF_RET | BPF_K, 0, 0, deny);
}

static void
emit_call(struct prog *p, const struct call *c, uint32_t deny)
{
	unsigned short	 jump;
	int		 i;

	jump = p->n;
	emit(p, BPF_JMP | BPF_JEQ | BPF_K, 0, 0, c->nr);
	for (i = 0; i < CONDS_MAX && c->conds[i].nvalues > 0; i++)
		emit_cond(p, &c->conds[i], deny);
	emit(p, BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW);
	p->insn[jump].jf = (uint8_t)(p->n - jump - 1);
}

static uint32_t
who(const struct sandbox_opts *o)
{
	switch (o->proc) {
	case PROC_NET:
		return N;
	case PROC_PROBE:
		return P;
	case PROC_INFLATE:
		return I;
	case PROC_UNPACK:
		return o->readonly ? U : U | W;
	case PROC_PROFILE:
		return o->readonly ? F : F | G;
	default:
		return 0;
	}
}

static uint32_t
denial(void)
{
#ifdef SANDBOX_TEST
	if (getenv("UPDATERD_SANDBOX_ERRNO") != NULL)
		return SECCOMP_RET_ERRNO | EPERM;
#endif
	return SECCOMP_RET_KILL_PROCESS;
}

int
seccomp_enter(const struct sandbox_opts *o)
{
	struct prog		 p;
	struct sock_fprog	 fprog;
	uint32_t		 deny = denial(), me = who(o);
	size_t			 i;
	long			 r;

	if (me == 0) {
		errno = EINVAL;
		return -1;
	}
	p.n = 0;
	emit_load(&p, offsetof(struct seccomp_data, arch));
	emit(&p, BPF_JMP | BPF_JEQ | BPF_K, 1, 0, FILTER_ARCH);
	emit(&p, BPF_RET | BPF_K, 0, 0, SECCOMP_RET_KILL_PROCESS);
	emit_load(&p, offsetof(struct seccomp_data, nr));
	emit(&p, BPF_JMP | BPF_JGE | BPF_K, 0, 1, X32_BIT);
	emit(&p, BPF_RET | BPF_K, 0, 0, SECCOMP_RET_KILL_PROCESS);
	for (i = 0; i < NELEM(calls); i++)
		if (calls[i].who & me)
			emit_call(&p, &calls[i], deny);
	emit(&p, BPF_RET | BPF_K, 0, 0, deny);

	fprog.len = p.n;
	fprog.filter = p.insn;
	/* On every thread there is; a number above 0 names one on which it
	 * cannot be laid. */
	if ((r = syscall(__NR_seccomp, SECCOMP_SET_MODE_FILTER,
	    SECCOMP_FILTER_FLAG_TSYNC, &fprog)) == 0)
		return 0;
	if (r > 0) {
		errno = EBUSY;
		return -1;
	}
	/* EINVAL: a kernel built without filters; the program is good, the
	 * test has installed it. */
	if (errno == EINVAL && prctl(PR_GET_SECCOMP, 0, 0, 0, 0) == -1)
		errno = ENOSYS;
	return -1;
}

#endif
