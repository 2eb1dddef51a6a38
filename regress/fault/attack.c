/*
 * The attacks, made from inside one of our real processes right after it
 * has locked itself in: sandbox_enter() of a test build calls this.
 *
 * $UPDATERD_ATTACK is the number of a row of attack.h.  $UPDATERD_TARGET is
 * a directory outside, open to all, with: key (0600, root's), f (0666),
 * sock (a listening unix socket), suid (a setuid program of root's).
 * $UPDATERD_PORT is a TCP port where somebody listens.  Nothing here does
 * any harm when it succeeds; it runs as root without a sandbox, too.
 */
#include <sys/types.h>
#include <sys/klog.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>

#include <netinet/in.h>

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "attack.h"
#include "sandbox.h"

/* Where the headers are older than the kernel. */
#define NR_IO_URING_SETUP	425
#define NR_FSOPEN		430
#define NR_PIDFD_OPEN		434
#define NR_PIDFD_SEND_SIGNAL	424
#define NR_PIDFD_GETFD		438
#define MEMORY			(512UL << 20)	/* twice what is granted */
#define DESCRIPTORS		6000		/* more than net is granted */
#define OTHER_UID		54321

static const char	*target;
static pid_t		 parent;
static int		 port;

static const char *
at(const char *name)
{
	static char	 path[2][300];
	static int	 i;

	i = !i;
	snprintf(path[i], sizeof(path[i]), "%s/%s", target, name);
	return path[i];
}

static long a_open_key(void) { return open(at("key"), O_RDONLY); }
static long a_open_passwd(void) { return open("/etc/passwd", O_RDONLY); }
static long
a_open_dotdot(void)
{
	return open("../../../../../../../../etc/passwd", O_RDONLY);
}
static long a_list(void) { return open("/etc", O_RDONLY | O_DIRECTORY); }

static long
a_proc_mem(void)
{
	char	 path[64];

	snprintf(path, sizeof(path), "/proc/%ld/mem", (long)parent);
	return open(path, O_RDWR);
}

static long
a_create(void)
{
	return open(at("new"), O_WRONLY | O_CREAT, 0600);
}
static long a_mkdir(void) { return mkdirat(AT_FDCWD, at("dir"), 0700); }
static long a_symlink(void) { return symlinkat("f", AT_FDCWD, at("link")); }
static long
a_mkfifo(void)
{
	return mknodat(AT_FDCWD, at("fifo"), S_IFIFO | 0600, 0);
}
static long
a_mknod(void)
{
	/* /dev/null, in case it succeeds */
	return mknodat(AT_FDCWD, at("device"), S_IFCHR | 0600, 1 << 8 | 3);
}
static long
a_link(void)
{
	return linkat(AT_FDCWD, at("f"), AT_FDCWD, at("hard"), 0);
}
static long
a_rename(void)
{
	return renameat(AT_FDCWD, at("f"), AT_FDCWD, at("g"));
}
static long a_unlink(void) { return unlinkat(AT_FDCWD, at("f"), 0); }
static long a_truncate(void) { return truncate(at("f"), 0); }
static long a_chmod(void) { return chmod(at("f"), 0666); }
static long a_chown(void) { return chown(at("f"), 0, 0); }

static long
a_handle(void)
{
	union {
		struct file_handle	 h;
		char			 b[sizeof(struct file_handle) + 128];
	} u;
	int	 id, dir;

	memset(&u, 0, sizeof(u));
	u.h.handle_bytes = 128;
	if (name_to_handle_at(AT_FDCWD, at("f"), &u.h, &id, 0) == -1)
		return -1;
	if ((dir = open(target, O_RDONLY | O_DIRECTORY)) == -1)
		return -1;
	return open_by_handle_at(dir, &u.h, O_RDONLY);
}

static long
exec_path(const char *path)
{
	char	 name[] = "x", *argv[] = { name, NULL }, *envp[] = { NULL };

	return execve(path, argv, envp);
}

static long a_exec(void) { return exec_path("/bin/true"); }
static long a_exec_suid(void) { return exec_path(at("suid")); }

static long
a_exec_memfd(void)
{
	char	 name[] = "x", *argv[] = { name, NULL }, *envp[] = { NULL };
	char	 b[] = "#!/bin/true\n";
	int	 fd;

	if ((fd = (int)syscall(SYS_memfd_create, "x", 0)) == -1 ||
	    write(fd, b, sizeof(b) - 1) == -1)
		return -1;
	execveat(fd, "", argv, envp, AT_EMPTY_PATH);
	/* Only its interpreter is out of reach. */
	return errno == ENOENT || errno == EACCES ? 0 : -1;
}

static long
a_fork(void)
{
	long	 pid = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);

	if (pid == 0)
		_exit(0);
	return pid;
}

static int
thread(void *arg)
{
	return (int)syscall(SYS_exit, 0);
}

static long
a_thread(void)
{
	static char	 stack[65536] __attribute__((aligned(16)));

	return clone(thread, stack + sizeof(stack), CLONE_VM | CLONE_FS |
	    CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD, NULL);
}

static long a_ptrace(void) { return ptrace(PTRACE_SEIZE, parent, 0, 0); }

static long
a_vm_read(void)
{
	char		 b[8];
	struct iovec	 mine = { b, sizeof(b) };
	struct iovec	 theirs = { (void *)&errno, sizeof(b) };

	/* Without a right to read there the address does not matter. */
	if (process_vm_readv(parent, &mine, 1, &theirs, 1, 0) == -1)
		return errno == EFAULT ? 0 : -1;
	return 0;
}

static long
pidfd(void)
{
	return syscall(NR_PIDFD_OPEN, parent, 0);
}

static long
a_pidfd_getfd(void)
{
	long	 fd = pidfd();

	return fd == -1 ? -1 : syscall(NR_PIDFD_GETFD, fd, 2, 0);
}

static long a_kill(void) { return kill(parent, 0); }
static long a_tgkill(void) { return syscall(SYS_tgkill, parent, parent, 0); }

static long
a_sigqueue(void)
{
	union sigval	 v = { .sival_int = 0 };

	return sigqueue(parent, 0, v);
}

static long
a_pidfd_kill(void)
{
	long	 fd = pidfd();

	return fd == -1 ? -1 :
	    syscall(NR_PIDFD_SEND_SIGNAL, fd, 0, NULL, 0);
}

static long
a_prlimit(void)
{
	struct rlimit	 rl = { RLIM_INFINITY, RLIM_INFINITY };

	return prlimit(parent, RLIMIT_CPU, &rl, NULL);
}

static long
a_renice(void)
{
	return setpriority(PRIO_PROCESS, (id_t)parent, -1);
}

static long
a_raise(void)
{
	struct rlimit	 rl;

	if (getrlimit(RLIMIT_NOFILE, &rl) == -1)
		return -1;
	rl.rlim_max++;
	return setrlimit(RLIMIT_NOFILE, &rl);
}

static long a_setuid(void) { return setuid(0); }
static long
a_setresuid(void)
{
	return setresuid(OTHER_UID, OTHER_UID, OTHER_UID);
}

static long
a_setgroups(void)
{
	gid_t	 g = 0;

	return setgroups(1, &g);
}

static long a_chroot(void) { return chroot("/"); }
static long
a_mount(void)
{
	return mount("none", "/", NULL, MS_REMOUNT | MS_BIND | MS_NOATIME,
	    NULL);
}
static long a_fsopen(void) { return syscall(NR_FSOPEN, "tmpfs", 0); }
static long a_userns(void) { return unshare(CLONE_NEWUSER); }

static long
a_connect(void)
{
	struct sockaddr_in	 sin;
	int			 fd;

	memset(&sin, 0, sizeof(sin));
	sin.sin_family = AF_INET;
	sin.sin_port = htons((uint16_t)port);
	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if ((fd = socket(AF_INET, SOCK_STREAM, 0)) == -1)
		return -1;
	return connect(fd, (struct sockaddr *)&sin, sizeof(sin));
}

static long
a_bind(void)
{
	struct sockaddr_in	 sin;
	int			 fd;

	memset(&sin, 0, sizeof(sin));
	sin.sin_family = AF_INET;
	if ((fd = socket(AF_INET, SOCK_STREAM, 0)) == -1)
		return -1;
	return bind(fd, (struct sockaddr *)&sin, sizeof(sin));
}

static long
a_listen(void)
{
	int	 fd;

	if ((fd = socket(AF_INET, SOCK_STREAM, 0)) == -1)
		return -1;
	return listen(fd, 1);
}

static long
a_udp(void)
{
	struct sockaddr_in	 sin;
	int			 fd;

	memset(&sin, 0, sizeof(sin));
	sin.sin_family = AF_INET;
	sin.sin_port = htons(9);
	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if ((fd = socket(AF_INET, SOCK_DGRAM, 0)) == -1)
		return -1;
	return sendto(fd, "x", 1, 0, (struct sockaddr *)&sin, sizeof(sin));
}

static long a_raw(void) { return socket(AF_INET, SOCK_RAW, IPPROTO_ICMP); }
static long a_packet(void) { return socket(AF_PACKET, SOCK_RAW, 0); }
static long a_netlink(void) { return socket(AF_NETLINK, SOCK_RAW, 0); }
static long a_alg(void) { return socket(AF_ALG, SOCK_SEQPACKET, 0); }
static long a_vsock(void) { return socket(AF_VSOCK, SOCK_STREAM, 0); }

static long
a_pair(void)
{
	int	 sv[2];

	return socketpair(AF_UNIX, SOCK_STREAM, 0, sv);
}

static long
unix_connect(struct sockaddr_un *sun, size_t len)
{
	int	 fd;

	sun->sun_family = AF_UNIX;
	if ((fd = socket(AF_UNIX, SOCK_STREAM, 0)) == -1)
		return -1;
	return connect(fd, (struct sockaddr *)sun,
	    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len));
}

static long
a_unix(void)
{
	struct sockaddr_un	 sun;

	memset(&sun, 0, sizeof(sun));
	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", at("sock"));
	return unix_connect(&sun, strlen(sun.sun_path) + 1);
}

static long
a_abstract(void)
{
	struct sockaddr_un	 sun;

	/* The name of it is that of the directory. */
	memset(&sun, 0, sizeof(sun));
	snprintf(sun.sun_path + 1, sizeof(sun.sun_path) - 1, "%s", target);
	return unix_connect(&sun, strlen(target) + 1);
}

static long
a_uring(void)
{
	char	 params[256] = { 0 };

	return syscall(NR_IO_URING_SETUP, 1, params);
}

static long
a_keyctl(void)
{
	return syscall(SYS_keyctl, 0 /* GET_KEYRING_ID */, -3, 1);
}

static long
a_add_key(void)
{
	return syscall(SYS_add_key, "user", "x", "y", 1, -2);
}

static long a_uffd(void) { return syscall(SYS_userfaultfd, 1); }

static long
a_bpf(void)
{
	/* BPF_PROG_LOAD of nothing: past the right to do so, EFAULT. */
	if (syscall(SYS_bpf, 5, NULL, 0) == -1 && errno == EPERM)
		return -1;
	return 0;
}

static long
a_perf(void)
{
	char	 attr[128] = { 1, 0, 0, 0, 112 };

	return syscall(SYS_perf_event_open, attr, 0, -1, -1, 0);
}

static long a_inotify(void) { return syscall(SYS_inotify_init1, 0); }
static long a_fanotify(void) { return syscall(SYS_fanotify_init, 0x200, 0); }
static long a_memfd(void) { return syscall(SYS_memfd_create, "x", 0); }
static long
a_personality(void)
{
	return syscall(SYS_personality, 0xffffffffUL);
}
static long a_prctl(void) { return prctl(PR_SET_DUMPABLE, 1, 0, 0, 0); }
static long a_klog(void) { return klogctl(10 /* SIZE_BUFFER */, NULL, 0); }

static long
a_wx(void)
{
	return mmap(NULL, 4096, PROT_WRITE | PROT_EXEC, MAP_PRIVATE |
	    MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -1 : 0;
}

static long
a_mprotect(void)
{
	void	*p;

	p = mmap(NULL, 4096, PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return mprotect(p, 4096, PROT_READ | PROT_EXEC);
}

static long
a_i386(void)
{
#ifdef __x86_64__
	long	 r = 20;	/* getpid there */

	__asm__ volatile("int $0x80" : "+a"(r) : : "memory");
	errno = ENOSYS;
	return r > 0 ? 0 : -1;
#else
	errno = ENOSYS;
	return -1;
#endif
}

static long a_x32(void) { return syscall(0x40000000 | SYS_getpid); }

static long
a_memory(void)
{
	void	*p;

	p = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE, MAP_PRIVATE |
	    MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	return p == MAP_FAILED ? -1 : 0;
}

static long
a_descriptors(void)
{
	int	 i;

	for (i = 0; i < DESCRIPTORS; i++)
		if (fcntl(0, F_DUPFD_CLOEXEC, 3) == -1)
			return -1;
	return 0;
}

void
sandbox_attack(const struct sandbox_opts *o)
{
#define A(name, fn, who, layers, abi)	fn,
	static long	(*const fns[])(void) = { ATTACKS };
#undef A
	const char	*s = getenv("UPDATERD_ATTACK");
	size_t		 i;

	if (s == NULL)
		return;
	i = (size_t)atoi(s);
	target = getenv("UPDATERD_TARGET");
	port = atoi(getenv("UPDATERD_PORT"));
	parent = (pid_t)atoi(getenv("UPDATERD_PARENT"));
	if (i >= sizeof(fns) / sizeof(fns[0]))
		_exit(1);
	errno = 0;
	if (fns[i]() != -1)
		_exit(ATTACK_THROUGH);
	_exit(errno > 0 && errno < 155 ? ATTACK_THROUGH + errno : 255);
}
