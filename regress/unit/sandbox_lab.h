/*
 * The processes that are always the same user's and in a chroot, for a jail:
 * how each locks itself in, what is there to be misused, and the ways out.
 */
#ifndef SANDBOX_LAB_H
#define SANDBOX_LAB_H

#include "jail.h"

#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <netinet/in.h>

#include "lockin-linux.h"
#include "util.h"

#define TEST_ID		64998	/* a user and group that nobody has */

static char	empty[64];	/* root's, for chroot */
static char	staging[64];	/* the test user's */
static int	stagingfd = -1;
static int	listener = -1;	/* TCP, with a connection waiting */
static int	client = -1;
static int	tcp = -1;	/* TCP, neither bound nor connected */
static int	local = -1;	/* unix datagram, not connected */
static int	outside = -1;	/* a file of root's, open for reading */
static struct sockaddr_in listen_addr;

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

/* --- ways out -------------------------------------------------------- */

JAIL_FN out_open(void) { return ok(open("/etc/passwd", O_RDONLY)); }
JAIL_FN out_open_root(void) { return ok(open("/", O_RDONLY)); }
JAIL_FN out_dotdot(void) { return ok(open("../../etc", O_RDONLY)); }
JAIL_FN out_create(void)
{
	return ok(open("/x", O_WRONLY | O_CREAT, 0600));
}
JAIL_FN out_mkdir(void) { return ok(mkdirat(AT_FDCWD, "/d", 0700)); }
JAIL_FN out_mknod(void)
{
	return ok(mknodat(AT_FDCWD, "/p", S_IFIFO | 0600, 0));
}
JAIL_FN out_kill_self(void) { return ok(kill(getpid(), 0)); }
JAIL_FN out_tgkill(void)
{
	return ok(syscall(SYS_tgkill, jail_tester, jail_tester, 0));
}
JAIL_FN out_raw(void) { return ok(socket(AF_INET, SOCK_RAW, 1)); }
JAIL_FN out_netlink(void) { return ok(socket(16, SOCK_RAW, 0)); }
JAIL_FN out_connect(void)
{
	return ok(connect(tcp, (struct sockaddr *)&listen_addr,
	    sizeof(listen_addr)));
}
JAIL_FN out_bind(void)
{
	struct sockaddr_in	 sin = { .sin_family = AF_INET };

	return ok(bind(tcp, (struct sockaddr *)&sin, sizeof(sin)));
}
JAIL_FN out_sendto(void)
{
	struct sockaddr_un	 sun = { .sun_family = AF_UNIX };

	strlcpy(sun.sun_path, "/dev/log", sizeof(sun.sun_path));
	return ok(sendto(local, "x", 1, 0, (struct sockaddr *)&sun,
	    sizeof(sun)));
}
JAIL_FN out_mprotect(void)
{
	void	*p = mmap(NULL, 4096, PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return ok(mprotect(p, 4096, PROT_READ | PROT_EXEC));
}
JAIL_FN out_bpf(void) { return ok(syscall(SYS_bpf, 0, NULL, 0)); }
JAIL_FN out_chmod(void) { return ok(fchmodat(AT_FDCWD, "/", 0777, 0)); }
JAIL_FN out_fchmod(void) { return ok(fchmod(outside, 0777)); }
JAIL_FN out_unlink(void) { return ok(unlinkat(AT_FDCWD, "/f", 0)); }
JAIL_FN out_rename(void)
{
	return ok(renameat(AT_FDCWD, "/f", AT_FDCWD, "/g"));
}
JAIL_FN out_link(void)
{
	return ok(linkat(AT_FDCWD, "/f", AT_FDCWD, "/h", 0));
}
JAIL_FN out_mount(void) { return ok(mount("t", "/", "tmpfs", 0, NULL)); }
JAIL_FN out_tiocsti(void) { return ok(ioctl(0, 0x5412 /* TIOCSTI */, "x")); }
JAIL_FN out_sockopt(void)
{
	int	 v = 1;

	return ok(setsockopt(tcp, IPPROTO_IP, 6 /* IP_RECVOPTS */, &v,
	    sizeof(v)));
}

/* --- what is there ----------------------------------------------------- */

static int
sandbox_start(void **state)
{
	socklen_t	 len = sizeof(listen_addr);
	int		 fd;

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
sandbox_stop(void **state)
{
	return jail_remove(empty, staging);
}

#endif
