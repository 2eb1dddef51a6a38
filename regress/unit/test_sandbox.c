/*
 * Each process, locked in as it is in earnest, tries to get out: each try
 * must fail or be its death by SIGSYS.  Then what each needs for its work
 * must still go, because a list of calls that is one short kills as well.
 */
/* LINK: updaterd/sandbox.o common/compat/sandbox-linux.o common/compat/landlock-linux.o common/compat/seccomp-linux.o common/proto.o common/compat/imsg.o common/util.o common/log.o */
#include <sys/types.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/vfs.h>
#include <sys/wait.h>

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "imsg.h"
#include "lockin-linux.h"
#include "log.h"
#include "sandbox.h"
#include "util.h"

#define TEST_ID		64998	/* a user and group that nobody has */
#define ODD		3	/* exit code: the sandbox is not as it should */

static char	empty[64];	/* root's, for chroot */
static char	staging[64];	/* the test user's */
static int	stagingfd = -1;
static int	listener = -1;	/* TCP, with a connection waiting */
static int	client = -1;
static int	tcp = -1;	/* TCP, neither bound nor connected */
static int	local = -1;	/* unix datagram, not connected */
static int	outside = -1;	/* a file of root's, open for reading */
static int	loopfd = -1;	/* epoll */
static int	fdpair[2];	/* carries a message with a descriptor */
static struct sockaddr_in listen_addr;
static pid_t	tester;		/* getppid(2) is not allowed inside */

#define ALWAYS	(LAYER_UID | LAYER_CHROOT | LAYER_RLIMIT | LAYER_NNP)

/* Who, for masks. */
#define N	0x01
#define P	0x02
#define I	0x04
#define U	0x08		/* unpack, extracting */
#define R	0x10		/* unpack, reading only */
#define ALL	0x1f

static void
options(int who, struct sandbox_opts *o)
{
	memset(o, 0, sizeof(*o));
	o->uid = o->gid = TEST_ID;
	o->chroot_fd = -1;
	switch (who) {
	case N:
		o->proc = PROC_NET;
		break;
	case P:
		o->proc = PROC_PROBE;
		break;
	case I:
		o->proc = PROC_INFLATE;
		break;
	default:
		o->proc = PROC_UNPACK;
		o->readonly = who == R;
		o->max_fsize = 1 << 20;
		break;
	}
	if (o->proc == PROC_UNPACK)
		o->chroot_fd = stagingfd;
	else
		o->chroot = empty;
}

/* The wait status of a child that was locked in and ran fn. */
static int
locked_in(int who, int (*fn)(void), uint32_t *missing)
{
	struct sandbox_opts	 o;
	struct msg_ready	 ready;
	pid_t			 pid;
	int			 st, null, p[2];

	assert_int_equal(pipe(p), 0);
	if ((pid = fork()) == 0) {
		setenv("TZ", "UTC0", 1);
		tzset();
		null = open("/dev/null", O_WRONLY);
		dup2(null, STDERR_FILENO);
		/* inflate may have 16 descriptors. */
		close(null);
		close(p[0]);
		options(who, &o);
		sandbox_enter(&o, &ready);
		if (write(p[1], &ready, sizeof(ready)) != sizeof(ready))
			_exit(ODD);
		if ((ready.layers & ALWAYS) != ALWAYS ||
		    (ready.layers & ready.missing) != 0)
			_exit(ODD);
		_exit(fn() == 0 ? 0 : 1);
	}
	assert_true(pid > 1);
	close(p[1]);
	assert_int_equal(waitpid(pid, &st, 0), pid);
	assert_int_equal(read(p[0], &ready, sizeof(ready)), sizeof(ready));
	close(p[0]);
	*missing = ready.missing;
	return st;
}

/* --- ways out -------------------------------------------------------- */

static int
ok(long r)
{
	return r == -1 ? -1 : 0;
}

static int out_open(void) { return ok(open("/etc/passwd", O_RDONLY)); }
static int out_open_root(void) { return ok(open("/", O_RDONLY)); }
static int out_dotdot(void) { return ok(open("../../etc", O_RDONLY)); }
static int out_create(void)
{
	return ok(open("/x", O_WRONLY | O_CREAT, 0600));
}
static int out_mkdir(void) { return ok(mkdirat(AT_FDCWD, "/d", 0700)); }
static int out_mknod(void)
{
	return ok(mknodat(AT_FDCWD, "/p", S_IFIFO | 0600, 0));
}
static int out_fork(void) { return ok(syscall(SYS_clone, SIGCHLD, 0, 0, 0)); }
static int out_userns(void)
{
	return ok(syscall(SYS_unshare, 0x10000000 /* CLONE_NEWUSER */));
}
static int out_kill_parent(void) { return ok(kill(tester, 0)); }
static int out_kill_self(void) { return ok(kill(getpid(), 0)); }
static int out_tgkill(void)
{
	return ok(syscall(SYS_tgkill, tester, tester, 0));
}
static int out_unix(void) { return ok(socket(AF_UNIX, SOCK_STREAM, 0)); }
static int out_tcp(void) { return ok(socket(AF_INET, SOCK_STREAM, 0)); }
static int out_udp(void) { return ok(socket(AF_INET, SOCK_DGRAM, 0)); }
static int out_raw(void) { return ok(socket(AF_INET, SOCK_RAW, 1)); }
static int out_netlink(void) { return ok(socket(16, SOCK_RAW, 0)); }
static int out_connect(void)
{
	return ok(connect(tcp, (struct sockaddr *)&listen_addr,
	    sizeof(listen_addr)));
}
static int out_bind(void)
{
	struct sockaddr_in	 sin = { .sin_family = AF_INET };

	return ok(bind(tcp, (struct sockaddr *)&sin, sizeof(sin)));
}
static int out_sendto(void)
{
	struct sockaddr_un	 sun = { .sun_family = AF_UNIX };

	strlcpy(sun.sun_path, "/dev/log", sizeof(sun.sun_path));
	return ok(sendto(local, "x", 1, 0, (struct sockaddr *)&sun,
	    sizeof(sun)));
}
static int out_exec(void)
{
	char	*argv[] = { "true", NULL };

	return ok(execv("/bin/true", argv));
}
static int out_setuid(void) { return ok(setuid(0)); }
static int out_ptrace(void) { return ok(ptrace(PTRACE_TRACEME, 0, 0, 0)); }
static int out_wx(void)
{
	void	*p = mmap(NULL, 4096, PROT_WRITE | PROT_EXEC,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? -1 : 0;
}
static int out_mprotect(void)
{
	void	*p = mmap(NULL, 4096, PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return ok(mprotect(p, 4096, PROT_READ | PROT_EXEC));
}
static int out_uring(void)
{
	char	 params[256] = { 0 };

	return ok(syscall(425 /* io_uring_setup */, 1, params));
}
static int out_bpf(void) { return ok(syscall(SYS_bpf, 0, NULL, 0)); }
static int out_chroot(void) { return ok(chroot("/")); }
static int out_chmod(void) { return ok(fchmodat(AT_FDCWD, "/", 0777, 0)); }
static int out_fchmod(void) { return ok(fchmod(outside, 0777)); }
static int out_unlink(void) { return ok(unlinkat(AT_FDCWD, "/f", 0)); }
static int out_rename(void)
{
	return ok(renameat(AT_FDCWD, "/f", AT_FDCWD, "/g"));
}
static int out_link(void)
{
	return ok(linkat(AT_FDCWD, "/f", AT_FDCWD, "/h", 0));
}
static int out_mount(void) { return ok(mount("t", "/", "tmpfs", 0, NULL)); }
static int out_tiocsti(void) { return ok(ioctl(0, 0x5412 /* TIOCSTI */, "x")); }
static int out_prlimit(void)
{
	struct rlimit	 rl = { 1, 1 };

	return ok(prlimit(tester, RLIMIT_NOFILE, &rl, NULL));
}
static int out_sockopt(void)
{
	int	 v = 1;

	return ok(setsockopt(tcp, IPPROTO_IP, 6 /* IP_RECVOPTS */, &v,
	    sizeof(v)));
}
#ifdef __x86_64__
static int
out_i386(void)
{
	long	 r = 20;	/* getpid of i386 */

	__asm__ volatile("int $0x80" : "+a"(r) : : "memory");
	return r > 0 ? 0 : -1;
}
#endif

static void
ways_out(void **state)
{
	/* Who must fail; only: nothing but seccomp stands in the way. */
	static const struct {
		const char	*name;
		int		(*fn)(void);
		int		 who;
		int		 only;
	} tries[] = {
		{ "open", out_open, ALL, 0 },
		{ "open /", out_open_root, N | P | I, 0 },
		{ "open ..", out_dotdot, ALL, 0 },
		{ "create", out_create, N | P | I | R, 0 },
		{ "mkdir", out_mkdir, N | P | I | R, 0 },
		{ "mknod", out_mknod, ALL, 0 },
		{ "fork", out_fork, ALL, 0 },
		{ "unshare", out_userns, ALL, 1 },
		{ "kill parent", out_kill_parent, ALL, 0 },
		{ "kill", out_kill_self, ALL, 1 },
		{ "tgkill parent", out_tgkill, ALL, 0 },
		{ "socket unix", out_unix, ALL, 1 },
		{ "socket tcp", out_tcp, ALL & ~P, 1 },
		{ "socket udp", out_udp, ALL, 1 },
		{ "socket raw", out_raw, ALL, 0 },
		{ "socket netlink", out_netlink, ALL, 1 },
		{ "connect", out_connect, ALL & ~P, 0 },
		{ "bind", out_bind, ALL, 0 },
		{ "sendto", out_sendto, ALL, 0 },
		{ "exec", out_exec, ALL, 0 },
		{ "setuid", out_setuid, ALL, 0 },
		{ "ptrace", out_ptrace, ALL, 1 },
		{ "mmap exec", out_wx, ALL, 1 },
		{ "mprotect exec", out_mprotect, ALL, 1 },
		{ "io_uring", out_uring, ALL, 1 },
		{ "bpf", out_bpf, ALL, 0 },
		{ "chroot", out_chroot, ALL, 0 },
		{ "chmod", out_chmod, ALL, 1 },
		{ "fchmod", out_fchmod, ALL, 0 },
		{ "unlink", out_unlink, ALL, 0 },
		{ "rename", out_rename, ALL, 0 },
		{ "link", out_link, N | P | I | R, 0 },
		{ "link", out_link, U, 1 },
		{ "mount", out_mount, ALL, 0 },
		{ "tiocsti", out_tiocsti, ALL, 0 },
		{ "prlimit", out_prlimit, ALL, 0 },
		{ "setsockopt ip", out_sockopt, ALL, 1 },
#ifdef __x86_64__
		{ "i386", out_i386, ALL, 1 },
#endif
	};
	uint32_t	 missing;
	size_t		 i;
	int		 who, st, bad = 0;

	for (who = N; who < ALL; who <<= 1)
		for (i = 0; i < sizeof(tries) / sizeof(tries[0]); i++) {
			if (!(tries[i].who & who))
				continue;
			st = locked_in(who, tries[i].fn, &missing);
			if ((missing & LAYER_SECCOMP) && tries[i].only)
				continue;
			if (WIFSIGNALED(st) && WTERMSIG(st) == SIGSYS)
				continue;
			if (WIFEXITED(st) && WEXITSTATUS(st) == 1)
				continue;
			print_message("# process %#x gets through: %s "
			    "(status %#x)\n", (unsigned)who, tries[i].name,
			    (unsigned)st);
			bad++;
		}
	assert_int_equal(bad, 0);
}

/* --- what must still go ------------------------------------------------ */

static int
by_size(const void *a, const void *b)
{
	return memcmp(a, b, 64);
}

/* The C library at work: memory, chance, time, sorting, its own channel. */
static int
can_work(void)
{
	struct pollfd	 pfd;
	struct timeval	 tv;
	struct timespec	 ts;
	struct stat	 st;
	struct tm	 tm;
	time_t		 t;
	char		*p, line[64];
	int		 sp = STDERR_FILENO;
	size_t		 i;

	for (i = 1; i <= 64 << 20; i *= 4) {
		if ((p = malloc(i)) == NULL)
			return -1;
		memset(p, 1, i);
		if ((p = realloc(p, i * 2)) == NULL)
			return -1;
		free(p);
	}
	if ((p = calloc(4096, 64)) == NULL)
		return -1;
	arc4random_buf(p, 4096 * 64);
	qsort(p, 4096, 64, by_size);
	free(p);
	if (gettimeofday(&tv, NULL) == -1 ||
	    clock_gettime(CLOCK_MONOTONIC, &ts) == -1 ||
	    syscall(SYS_clock_gettime, CLOCK_REALTIME, &ts) == -1)
		return -1;
	t = time(NULL);
	localtime_r(&t, &tm);
	mktime(&tm);
	snprintf(line, sizeof(line), "%s %d %.3f", strerror(ENOENT), 1, 1.5);
	if (fstat(sp, &st) == -1 || fcntl(sp, F_GETFL) == -1 ||
	    fd_nonblock(fdpair[0]) == -1)
		return -1;
	pfd.fd = fdpair[0];
	pfd.events = POLLOUT;
	if (poll(&pfd, 1, 0) != 1)
		return -1;
	return 0;
}

/* A message with a descriptor, both ways, and reading from it. */
static int
can_imsg(void)
{
	struct imsgbuf	 ib;
	struct imsg	 imsg;
	char		 c;
	int		 fd;

	if (imsgbuf_init(&ib, fdpair[0]) == -1)
		return -1;
	imsgbuf_allow_fdpass(&ib);
	if (imsgbuf_read(&ib) != 1 || imsg_get(&ib, &imsg) <= 0)
		return -1;
	if ((fd = imsg_get_fd(&imsg)) == -1 || read(fd, &c, 1) != 1)
		return -1;
	imsg_free(&imsg);
	close(fd);
	if (imsg_compose(&ib, 9, 0, 0, -1, "answer", 6) != 1)
		return -1;
	return imsgbuf_flush(&ib);
}

static int
can_log(void)
{
	log_notice("one line");
	return 0;
}

static int
can_loop(void)
{
	struct epoll_event	 ee = { .events = EPOLLIN | EPOLLOUT };
	int			 n;

	if (epoll_ctl(loopfd, EPOLL_CTL_ADD, fdpair[0], &ee) == -1)
		return -1;
	if (epoll_wait(loopfd, &ee, 1, 0) == -1)
		return -1;
	if (epoll_ctl(loopfd, EPOLL_CTL_DEL, fdpair[0], NULL) == -1)
		return -1;
	return ok(ioctl(fdpair[0], FIONREAD, &n));
}
static int
can_serve(void)
{
	struct sockaddr_storage	 ss;
	socklen_t		 len = sizeof(ss);
	char			 c;
	int			 fd, v = 1;

	fd = accept4(listener, (struct sockaddr *)&ss, &len,
	    SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd == -1)
		return -1;
	if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &v, sizeof(v)) == -1)
		return -1;
	if (send(fd, "x", 1, MSG_NOSIGNAL) != 1 || write(fd, "y", 1) != 1)
		return -1;
	if (recv(fd, &c, 1, 0) != -1 || errno != EAGAIN)
		return -1;
	len = sizeof(ss);
	if (getpeername(fd, (struct sockaddr *)&ss, &len) == -1)
		return -1;
	if (shutdown(fd, SHUT_WR) == -1)
		return -1;
	return ok(close(fd));
}

static int
can_connect(void)
{
	socklen_t	 len = sizeof(int);
	int		 fd, err;

	fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return -1;
	if (connect(fd, (struct sockaddr *)&listen_addr,
	    sizeof(listen_addr)) == -1 && errno != EINPROGRESS)
		return -1;
	return ok(getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len));
}

static int
can_extract(void)
{
	struct open_how_ {
		uint64_t	 flags, mode, resolve;
	} how = { O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0, 0x08 | 0x04 };
	struct statfs	 sf;
	struct stat	 st;
	char		 name[32], buf[8];
	int		 d, fd;

	snprintf(name, sizeof(name), "d%ld", (long)getpid());
	if (mkdirat(AT_FDCWD, name, 0700) == -1)
		return -1;
	d = (int)syscall(SYS_openat2, AT_FDCWD, name, &how, sizeof(how));
	if (d == -1)
		return -1;
	fd = openat(d, "f", O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0644);
	if (fd == -1)
		return -1;
	if (write(fd, "hello", 5) != 5 || pwrite(fd, "y", 1, 4) != 1 ||
	    pread(fd, buf, 5, 0) != 5 || ftruncate(fd, 3) == -1 ||
	    fchmod(fd, 0755) == -1 || fstat(fd, &st) == -1 ||
	    fstatfs(fd, &sf) == -1 || fsync(fd) == -1 ||
	    lseek(fd, 0, SEEK_SET) == -1)
		return -1;
	if (sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE) == -1)
		return -1;
	close(fd);
	if (symlinkat("f", d, "l") == -1 ||
	    readlinkat(d, "l", buf, sizeof(buf)) != 1 ||
	    fstatat(d, "l", &st, AT_SYMLINK_NOFOLLOW) == -1)
		return -1;
	return 0;
}

/* Over max_fsize a write fails; it does not kill. */
static int
can_hit_limit(void)
{
	static char	 block[65536];
	char		 name[32];
	int		 fd, i;

	snprintf(name, sizeof(name), "b%ld", (long)getpid());
	fd = openat(AT_FDCWD, name, O_WRONLY | O_CREAT | O_EXCL, 0600);
	if (fd == -1)
		return -1;
	for (i = 0; i < 64; i++)
		if (write(fd, block, sizeof(block)) == -1)
			break;
	return i < 64 && errno == EFBIG ? 0 : -1;
}

static int
can_walk(void)
{
	struct dirent	*de;
	DIR		*d;
	int		 n = 0;

	if ((d = opendir("/")) == NULL)
		return -1;
	while ((de = readdir(d)) != NULL)
		n++;
	closedir(d);
	return n >= 3 ? 0 : -1;		/* ".", "..", "f" */
}

static void
still_goes(void **state)
{
	static const struct {
		const char	*name;
		int		(*fn)(void);
		int		 who;
	} works[] = {
		{ "work", can_work, ALL },
		{ "log", can_log, ALL },
		{ "imsg", can_imsg, ALL },
		{ "loop", can_loop, N | P },
		{ "serve", can_serve, N },
		{ "connect", can_connect, P },
		{ "extract", can_extract, U },
		{ "limit", can_hit_limit, U },
		{ "walk", can_walk, U | R }
	};
	struct imsgbuf	 ib;
	uint32_t	 missing;
	size_t		 i;
	int		 who, st, bad = 0;

	for (who = N; who < ALL; who <<= 1)
		for (i = 0; i < sizeof(works) / sizeof(works[0]); i++) {
			if (!(works[i].who & who))
				continue;
			assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0,
			    fdpair), 0);
			assert_int_equal(imsgbuf_init(&ib, fdpair[1]), 0);
			imsgbuf_allow_fdpass(&ib);
			assert_int_equal(imsg_compose(&ib, 1, 0, 0,
			    open("/etc/passwd", O_RDONLY), "x", 1), 1);
			assert_int_equal(imsgbuf_flush(&ib), 0);
			st = locked_in(who, works[i].fn, &missing);
			imsgbuf_clear(&ib);
			close(fdpair[0]);
			close(fdpair[1]);
			if (WIFEXITED(st) && WEXITSTATUS(st) == 0)
				continue;
			print_message("# process %#x cannot: %s (status %#x)\n",
			    (unsigned)who, works[i].name, (unsigned)st);
			bad++;
		}
	assert_int_equal(bad, 0);
}

static int
do_abort(void)
{
	abort();
}

/* A failed assertion is to be told from a forbidden call. */
static void
aborts(void **state)
{
	uint32_t	 missing;
	int		 who, st;

	for (who = N; who < ALL; who <<= 1) {
		st = locked_in(who, do_abort, &missing);
		assert_true(WIFSIGNALED(st));
		assert_int_equal(WTERMSIG(st), SIGABRT);
		assert_false(WCOREDUMP(st));
	}
}

/* --- the layers, each alone -------------------------------------------- */

static int
layer(int (*enter)(void), int (*fn)(void))
{
	/* As root, in the whole tree: nothing else says no. */
	pid_t	 pid;
	int	 st;

	if ((pid = fork()) == 0) {
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1 ||
		    enter() == -1)
			_exit(ODD);
		_exit(fn() == 0 ? 0 : 1);
	}
	assert_true(pid > 1);
	assert_int_equal(waitpid(pid, &st, 0), pid);
	return st;
}

static int
enter_landlock(void)
{
	struct sandbox_opts	 o;

	options(N, &o);
	return landlock_enter(&o, landlock_abi());
}

static int	filtered = N;

static int
enter_seccomp(void)
{
	struct sandbox_opts	 o;

	options(filtered, &o);
	return seccomp_enter(&o);
}

static void
landlock_alone(void **state)
{
	int	 abi = landlock_abi();

	if (abi == 0) {
		print_message("# SKIP this kernel has no Landlock\n");
		return;
	}
	assert_int_equal(layer(enter_landlock, out_open), 1 << 8);
	assert_int_equal(layer(enter_landlock, out_create), 1 << 8);
	assert_int_equal(layer(enter_landlock, out_mkdir), 1 << 8);
	if (abi >= 4) {
		assert_int_equal(layer(enter_landlock, out_connect), 1 << 8);
		assert_int_equal(layer(enter_landlock, out_bind), 1 << 8);
	}
	if (abi >= 6)
		assert_int_equal(layer(enter_landlock, out_kill_parent),
		    1 << 8);
}

static void
seccomp_alone(void **state)
{
	static const struct {
		int	(*fn)(void);
		int	 who;
	} tries[] = {
		{ out_open, N | P | I }, { out_mkdir, N | P | I | R },
		{ out_kill_parent, ALL }, { out_tgkill, ALL },
		{ out_wx, ALL }, { out_mprotect, ALL }, { out_fork, ALL },
		{ out_exec, ALL }, { out_unix, ALL }, { out_udp, ALL },
		{ out_tcp, ALL & ~P }, { out_connect, ALL & ~P },
		{ out_bind, ALL }, { out_sendto, ALL }, { out_sockopt, ALL },
		{ out_tiocsti, ALL }, { out_fchmod, ALL & ~U },
		{ out_link, ALL }, { out_unlink, ALL }, { out_rename, ALL },
		{ out_mount, ALL }, { out_chroot, ALL }, { out_ptrace, ALL },
		{ out_setuid, ALL }, { out_prlimit, ALL }
	};
	size_t	 i;
	int	 st;

	st = layer(enter_seccomp, out_open);
	if (WIFEXITED(st) && WEXITSTATUS(st) == ODD) {
		print_message("# SKIP no seccomp in this build or kernel\n");
		return;
	}
	for (filtered = N; filtered < ALL; filtered <<= 1)
		for (i = 0; i < sizeof(tries) / sizeof(tries[0]); i++) {
			if (!(tries[i].who & filtered))
				continue;
			st = layer(enter_seccomp, tries[i].fn);
			assert_true(WIFSIGNALED(st));
			assert_int_equal(WTERMSIG(st), SIGSYS);
		}
}

/* A hard limit out of /proc: prlimit(2) would take CAP_SYS_RESOURCE, which
 * root in a container has not.  -1: none, or not to be read. */
static long long
limit_of(pid_t pid, const char *name)
{
	char		 path[64], *s, *line;
	long long	 value = -1;
	size_t		 len;
	int		 fd;

	snprintf(path, sizeof(path), "/proc/%ld/limits", (long)pid);
	if ((fd = open(path, O_RDONLY | O_CLOEXEC)) == -1)
		return -1;
	s = fd_read(fd, 65536, &len);
	close(fd);
	if (s != NULL && (line = strstr(s, name)) != NULL)
		sscanf(line + strlen(name), "%*s %lld", &value);
	free(s);
	return value;
}

/* What stands in the way of a process that would fill or fork. */
static void
limits(void **state)
{
	static const struct {
		int		 who;
		long long	 nofile, fsize, as;
	} want[] = {
		{ N, 256, 0, 0 }, { P, 256, 0, 0 }, { I, 16, 0, 256 << 20 },
		{ U, 64, 1 << 20, 256 << 20 }, { R, 64, 1 << 20, 256 << 20 }
	};
	struct sandbox_opts	 o;
	struct msg_ready	 ready;
	size_t			 i;
	pid_t			 pid;
	int			 p[2], null, st;
	char			 c;

	for (i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, p), 0);
		if ((pid = fork()) == 0) {
			null = open("/dev/null", O_WRONLY);
			dup2(null, STDERR_FILENO);
			close(null);
			close(p[0]);
			options(want[i].who, &o);
			sandbox_enter(&o, &ready);
			if (write(p[1], "r", 1) != 1)
				_exit(ODD);
			_exit((int)read(p[1], &c, 1));
		}
		close(p[1]);
		assert_int_equal(read(p[0], &c, 1), 1);
		assert_int_equal(limit_of(pid, "Max core file size"), 0);
		assert_int_equal(limit_of(pid, "Max processes"), 0);
		assert_int_equal(limit_of(pid, "Max open files"),
		    want[i].nofile);
		assert_int_equal(limit_of(pid, "Max file size"),
		    want[i].fsize);
#ifndef __SANITIZE_ADDRESS__
		if (want[i].as != 0)
			assert_int_equal(limit_of(pid, "Max address space"),
			    want[i].as);
#endif
		close(p[0]);
		assert_int_equal(waitpid(pid, &st, 0), pid);
		assert_int_equal(st, 0);
	}
}

static int
try_enter(const struct sandbox_opts *o)
{
	struct msg_ready	 ready;
	pid_t			 pid;
	int			 st, null;

	if ((pid = fork()) == 0) {
		null = open("/dev/null", O_WRONLY);
		dup2(null, STDERR_FILENO);
		sandbox_enter(o, &ready);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &st, 0), pid);
	return st;
}

static void
refusals(void **state)
{
	struct sandbox_opts	 o;

	options(N, &o);
	assert_int_equal(try_enter(&o), 0);
	o.uid = 0;
	assert_int_equal(try_enter(&o), 1 << 8);
	o.uid = TEST_ID;
	o.gid = 0;
	assert_int_equal(try_enter(&o), 1 << 8);
	o.gid = TEST_ID;
	o.chroot = "/nonexistent";
	assert_int_equal(try_enter(&o), 1 << 8);
	options(U, &o);
	o.chroot_fd = -1;
	assert_int_equal(try_enter(&o), 1 << 8);
	o.chroot_fd = tcp;
	assert_int_equal(try_enter(&o), 1 << 8);
}

static void
layer_names(void **state)
{
	char	 s[80];

	sandbox_names(LAYER_UID | LAYER_CHROOT | LAYER_RLIMIT | LAYER_NNP |
	    LAYER_LANDLOCK | LAYER_SECCOMP, s, sizeof(s));
	assert_string_equal(s,
	    "uid chroot rlimit no_new_privs landlock seccomp");
	sandbox_names(0, s, sizeof(s));
	assert_string_equal(s, "");
	sandbox_names(LAYER_PLEDGE | LAYER_UNVEIL, s, 9);
	assert_string_equal(s, "pledge u");
}

static int
start(void **state)
{
	socklen_t	 len = sizeof(listen_addr);
	int		 fd;

	tester = getpid();
	strlcpy(empty, "/tmp/test_sandbox_e.XXXXXX", sizeof(empty));
	strlcpy(staging, "/tmp/test_sandbox_s.XXXXXX", sizeof(staging));
	if (mkdtemp(empty) == NULL || mkdtemp(staging) == NULL)
		return -1;
	stagingfd = open(staging, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	fd = openat(stagingfd, "f", O_WRONLY | O_CREAT, 0644);
	if (fd == -1 || fchown(fd, TEST_ID, TEST_ID) == -1 ||
	    fchown(stagingfd, TEST_ID, TEST_ID) == -1)
		return -1;
	close(fd);
	outside = open("/etc/passwd", O_RDONLY | O_CLOEXEC);
	loopfd = epoll_create1(EPOLL_CLOEXEC);
	local = socket(AF_UNIX, SOCK_DGRAM, 0);
	tcp = socket(AF_INET, SOCK_STREAM, 0);
	listener = socket(AF_INET, SOCK_STREAM, 0);
	client = socket(AF_INET, SOCK_STREAM, 0);
	listen_addr.sin_family = AF_INET;
	listen_addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (bind(listener, (struct sockaddr *)&listen_addr, len) == -1 ||
	    listen(listener, 64) == -1 ||
	    getsockname(listener, (struct sockaddr *)&listen_addr,
	    &len) == -1 ||
	    connect(client, (struct sockaddr *)&listen_addr, len) == -1)
		return -1;
	return 0;
}

static int
stop(void **state)
{
	pid_t	 pid;
	int	 st;

	if ((pid = fork()) == 0) {
		execl("/bin/rm", "rm", "-rf", "--", empty, staging,
		    (char *)NULL);
		_exit(1);
	}
	waitpid(pid, &st, 0);
	return st;
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test(ways_out), cmocka_unit_test(still_goes),
		cmocka_unit_test(aborts), cmocka_unit_test(landlock_alone),
		cmocka_unit_test(seccomp_alone), cmocka_unit_test(limits),
		cmocka_unit_test(refusals),
		cmocka_unit_test(layer_names)
	};

	if (geteuid() != 0) {
		printf("1..0 # SKIP only root can enter a sandbox\n");
		return 0;
	}
	log_init("test", 1, 0);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, start, stop);
}
