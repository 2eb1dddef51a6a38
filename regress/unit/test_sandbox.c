/*
 * Each process, locked in as it is in earnest, tries to get out: each try
 * must fail or be its death by SIGSYS.  Then what each needs for its work
 * must still go, because a list of calls that is one short kills as well.
 */
/* LINK: updaterd/sandbox.o common/compat/sandbox-linux.o common/compat/landlock-linux.o common/compat/seccomp-linux.o common/proto.o common/compat/imsg.o common/util.o common/log.o */
#include "sandbox_lab.h"

#include <sys/epoll.h>
#include <sys/time.h>
#include <sys/vfs.h>

#include <netinet/tcp.h>

#include <dirent.h>
#include <poll.h>
#include <stdio.h>
#include <time.h>

#include "imsg.h"
#include "log.h"

#define ALWAYS	(LAYER_UID | LAYER_CHROOT | LAYER_RLIMIT | LAYER_NNP)

static int	loopfd = -1;	/* epoll */
static int	fdpair[2];	/* carries a message with a descriptor */

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
	/* Of some nothing but seccomp stands in the way. */
	static const struct jail tries[] = {
		{ "open", out_open, ALL, 0 },
		{ "open /", out_open_root, N | P | I, 0 },
		{ "open ..", out_dotdot, ALL, 0 },
		{ "create", out_create, N | P | I | R, 0 },
		{ "mkdir", out_mkdir, N | P | I | R, 0 },
		{ "mknod", out_mknod, ALL, 0 },
		{ "fork", out_fork, ALL, 0 },
		{ "unshare", out_userns, ALL, LAYER_SECCOMP },
		{ "kill parent", out_kill_parent, ALL, 0 },
		{ "kill", out_kill_self, ALL, LAYER_SECCOMP },
		{ "tgkill parent", out_tgkill, ALL, 0 },
		{ "socket unix", out_unix, ALL, LAYER_SECCOMP },
		{ "socket tcp", out_tcp, ALL & ~P, LAYER_SECCOMP },
		{ "socket udp", out_udp, ALL, LAYER_SECCOMP },
		{ "socket raw", out_raw, ALL, 0 },
		{ "socket netlink", out_netlink, ALL, LAYER_SECCOMP },
		{ "connect", out_connect, ALL & ~P, 0 },
		{ "bind", out_bind, ALL, 0 },
		{ "sendto", out_sendto, ALL, 0 },
		{ "exec", out_exec, ALL, 0 },
		{ "setuid", out_setuid, ALL, 0 },
		{ "ptrace", out_ptrace, ALL, LAYER_SECCOMP },
		{ "mmap exec", out_wx, ALL, LAYER_SECCOMP },
		{ "mprotect exec", out_mprotect, ALL, LAYER_SECCOMP },
		{ "io_uring", out_uring, ALL, LAYER_SECCOMP },
		{ "bpf", out_bpf, ALL, 0 },
		{ "chroot", out_chroot, ALL, 0 },
		{ "chmod", out_chmod, ALL, LAYER_SECCOMP },
		{ "fchmod", out_fchmod, ALL, 0 },
		{ "unlink", out_unlink, ALL, 0 },
		{ "rename", out_rename, ALL, 0 },
		{ "link", out_link, N | P | I | R, 0 },
		{ "link", out_link, U, LAYER_SECCOMP },
		{ "mount", out_mount, ALL, 0 },
		{ "tiocsti", out_tiocsti, ALL, 0 },
		{ "prlimit", out_prlimit, ALL, 0 },
		{ "setsockopt ip", out_sockopt, ALL, LAYER_SECCOMP },
#ifdef __x86_64__
		{ "i386", out_i386, ALL, LAYER_SECCOMP },
#endif
	};
	struct sandbox_opts	 o;
	size_t			 i;
	int			 who, bad = 0;

	for (who = N; who < ALL; who <<= 1) {
		options(who, &o);
		for (i = 0; i < sizeof(tries) / sizeof(tries[0]); i++)
			bad += jail_escapes(&o, ALWAYS, who, &tries[i]);
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

/* A message with a descriptor is on its way to the process. */
static void
channel_open(struct imsgbuf *ib)
{
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fdpair), 0);
	assert_int_equal(imsgbuf_init(ib, fdpair[1]), 0);
	imsgbuf_allow_fdpass(ib);
	assert_int_equal(imsg_compose(ib, 1, 0, 0,
	    open("/etc/passwd", O_RDONLY), "x", 1), 1);
	assert_int_equal(imsgbuf_flush(ib), 0);
}

static void
channel_close(struct imsgbuf *ib)
{
	imsgbuf_clear(ib);
	close(fdpair[0]);
	close(fdpair[1]);
}

static void
still_goes(void **state)
{
	static const struct jail works[] = {
		{ "work", can_work, ALL, 0 },
		{ "log", can_log, ALL, 0 },
		{ "imsg", can_imsg, ALL, 0 },
		{ "loop", can_loop, N | P, 0 },
		{ "serve", can_serve, N, 0 },
		{ "connect", can_connect, P, 0 },
		{ "extract", can_extract, U, 0 },
		{ "limit", can_hit_limit, U, 0 },
		{ "walk", can_walk, U | R, 0 }
	};
	struct sandbox_opts	 o;
	struct imsgbuf		 ib;
	size_t			 i;
	int			 who, bad = 0;

	for (who = N; who < ALL; who <<= 1) {
		options(who, &o);
		for (i = 0; i < sizeof(works) / sizeof(works[0]); i++) {
			channel_open(&ib);
			bad += jail_hinders(&o, ALWAYS, who, &works[i]);
			channel_close(&ib);
		}
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
	struct sandbox_opts	 o;
	uint32_t		 missing;
	int			 who, st;

	for (who = N; who < ALL; who <<= 1) {
		options(who, &o);
		st = jail_run(&o, ALWAYS, do_abort, &missing);
		assert_true(WIFSIGNALED(st));
		assert_int_equal(WTERMSIG(st), SIGABRT);
		assert_false(WCOREDUMP(st));
	}
}

static int
start(void **state)
{
	setenv("TZ", "UTC0", 1);
	tzset();
	loopfd = epoll_create1(EPOLL_CLOEXEC);
	return loopfd == -1 ? -1 : sandbox_start(state);
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test(ways_out), cmocka_unit_test(still_goes),
		cmocka_unit_test(aborts)
	};

	if (geteuid() != 0) {
		printf("1..0 # SKIP only root can enter a sandbox\n");
		return 0;
	}
	log_init("test", 1, 0);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, start, sandbox_stop);
}
