/*
 * Each attack of attack.h, tried from inside each of our real processes:
 * with all layers, with each layer alone, and with each layer left out.
 *
 *	confine [-s STEP] UPDATERD DIRECTORY
 *
 * UPDATERD is a test build.  With -s only every STEPth attack is tried in
 * the runs with layers left out; all layers together always stop all.
 *
 * In the table: K killed by seccomp, x refused with an error, - it went
 * through, . not tried, ! the process would not go on: without no_new_privs
 * the kernel grants neither Landlock nor seccomp, which is fatal.
 *
 * Of the layers alone only those are judged that the manual names for an
 * attack; a layer may stop more.  With one left out it must be stopped if
 * another that stops it alone is left.
 */
#include <sys/types.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <netinet/in.h>

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "attack.h"
#include "imsg.h"
#include "proto.h"

#define TIMEOUT_MS	20000	/* for one process: the machine may be busy */
#define LAYERS		6
#define ALL_LAYERS	0x3fU

#define A(name, fn, who, layers, abi)	{ name, who, layers, abi },
static const struct {
	const char	*name;
	int		 who;
	uint32_t	 layers;
	int		 abi;
} attacks[] = { ATTACKS };
#undef A
#define NATTACKS	(sizeof(attacks) / sizeof(attacks[0]))

static const struct {
	int		 bit;
	const char	*name;
	const char	*type;
} procs[] = {
	{ N, "net",	"net" },
	{ P, "probe",	"probe" },
	{ I, "inflate",	"inflate" },
	{ U, "unpack",	"unpack" },
	{ R, "unpack, reading", "unpack" }
};

static const char	*updaterd, *target;
static char		 empty[300], staging[300];
static uid_t		 user, unpacker;
static int		 port, abi, bad;
static unsigned		 tried;

/* --- what there is to attack ------------------------------------------- */

static void
put(const char *name, mode_t mode)
{
	char	 path[300];
	int	 fd;

	snprintf(path, sizeof(path), "%s/%s", target, name);
	(void)unlink(path);
	if ((fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, mode)) == -1 ||
	    write(fd, "x", 1) != 1 || fchmod(fd, mode) == -1)
		err(2, "%s", path);
	close(fd);
}

/* After an attack that went through. */
static void
renew(void)
{
	static const char *const made[] = { "new", "link", "fifo", "device",
	    "hard", "g" };
	char	 path[300];
	size_t	 i;

	for (i = 0; i < sizeof(made) / sizeof(made[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", target, made[i]);
		(void)unlink(path);
	}
	snprintf(path, sizeof(path), "%s/dir", target);
	(void)rmdir(path);
	snprintf(path, sizeof(path), "%s/f", target);
	if (access(path, F_OK) == -1)
		put("f", 0666);
}

static void
listen_on(int fd, void *sa, size_t len)
{
	if (fd == -1 || bind(fd, sa, (socklen_t)len) == -1 ||
	    listen(fd, 4096) == -1)
		err(2, "listen");
}

static void
prepare(void)
{
	struct sockaddr_in	 sin;
	struct sockaddr_un	 sun;
	struct stat		 st;
	socklen_t		 len = sizeof(sin);
	char			 path[300];
	int			 fd;

	put("key", 0600);
	put("f", 0666);
	snprintf(path, sizeof(path), "%s/suid", target);
	if (stat(path, &st) == -1 || !(st.st_mode & S_ISUID))
		errx(2, "%s must be a setuid program", path);

	memset(&sin, 0, sizeof(sin));
	sin.sin_family = AF_INET;
	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	listen_on(fd, &sin, sizeof(sin));
	if (getsockname(fd, (struct sockaddr *)&sin, &len) == -1)
		err(2, "getsockname");
	port = ntohs(sin.sin_port);

	memset(&sun, 0, sizeof(sun));
	sun.sun_family = AF_UNIX;
	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s/sock", target);
	(void)unlink(sun.sun_path);
	listen_on(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), &sun,
	    sizeof(sun));
	if (chmod(sun.sun_path, 0666) == -1)
		err(2, "%s", sun.sun_path);
	memset(sun.sun_path, 0, sizeof(sun.sun_path));
	snprintf(sun.sun_path + 1, sizeof(sun.sun_path) - 1, "%s", target);
	listen_on(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), &sun,
	    offsetof(struct sockaddr_un, sun_path) + strlen(target) + 1);

	snprintf(empty, sizeof(empty), "%s/../empty", target);
	snprintf(staging, sizeof(staging), "%s/../staging", target);
	if ((mkdir(empty, 0755) == -1 && errno != EEXIST) ||
	    (mkdir(staging, 0700) == -1 && errno != EEXIST) ||
	    chown(staging, unpacker, unpacker) == -1)
		err(2, "make directories");
}

/* --- one try ------------------------------------------------------------ */

static void
order(struct imsgbuf *ib, uint32_t type, int fd, const void *data, size_t len)
{
	if (imsg_compose(ib, type, 0, 0, fd, data, len) == -1)
		err(2, "compose");
}

/* What the process waits for before it locks itself in. */
static void
orders(struct imsgbuf *ib, int who)
{
	struct msg_inflate_start	 im;
	struct msg_unpack_start		 um;
	char				 path[320];
	int				 p[2], q[2];

	if (who & (N | P))
		return;
	if (pipe2(p, O_CLOEXEC) == -1 || pipe2(q, O_CLOEXEC) == -1)
		err(2, "pipe");
	if (who == I) {
		memset(&im, 0, sizeof(im));
		im.max_out = 1 << 20;
		order(ib, IMSG_INFLATE_START, p[0], &im, sizeof(im));
		order(ib, IMSG_INFLATE_OUT, q[1], NULL, 0);
		close(p[1]);
		close(q[0]);
		return;
	}
	close(p[1]);
	close(q[0]);
	close(q[1]);
	snprintf(path, sizeof(path), "%s.mtree", staging);
	order(ib, IMSG_UNPACK_DIR, open(staging, O_RDONLY | O_DIRECTORY |
	    O_CLOEXEC), NULL, 0);
	order(ib, IMSG_UNPACK_MANIFEST, open(path, O_RDWR | O_CREAT |
	    O_CLOEXEC, 0600), NULL, 0);
	memset(&um, 0, sizeof(um));
	um.mode = who == U ? UNPACK_EXTRACT : UNPACK_MANIFEST;
	um.max_files = 100;
	um.max_bytes = 1 << 20;
	if (who == U)
		order(ib, IMSG_UNPACK_START, p[0], &um, sizeof(um));
	else {
		order(ib, IMSG_UNPACK_START, -1, &um, sizeof(um));
		close(p[0]);
	}
}

static void __attribute__((noreturn))
run(const char *type, int who, unsigned attack, uint32_t skip, int sock)
{
	char	 uid[16], vars[6][320], *envp[8];
	int	 null, n = 0, i;
	uid_t	 id = who & (N | P) ? user : unpacker;

	snprintf(uid, sizeof(uid), "%u", (unsigned)id);
	snprintf(vars[0], sizeof(vars[0]), "UPDATERD_SANDBOX_SKIP=%u", skip);
	snprintf(vars[1], sizeof(vars[1]), "UPDATERD_ATTACK=%u", attack);
	snprintf(vars[2], sizeof(vars[2]), "UPDATERD_TARGET=%s", target);
	snprintf(vars[3], sizeof(vars[3]), "UPDATERD_PORT=%d", port);
	snprintf(vars[4], sizeof(vars[4]), "UPDATERD_PARENT=%ld",
	    (long)getppid());
	snprintf(vars[5], sizeof(vars[5]), "TZ=UTC0");
	for (i = 0; i < 6; i++)
		envp[n++] = vars[i];
	envp[n] = NULL;
	if ((null = open("/dev/null", O_RDWR)) == -1 || dup2(null, 0) == -1 ||
	    dup2(null, 1) == -1 || dup2(null, 2) == -1)
		_exit(1);
	if (dup2(sock, 3) == -1)
		_exit(1);
	closefrom(4);
	execle(updaterd, "updaterd", "-T", type, "-u", uid, "-g", uid, "-c",
	    who & (U | R) ? "" : empty, "-d", (char *)NULL, envp);
	_exit(1);
}

static int
ended(pid_t pid, int *st)
{
	int	 ms;
	pid_t	 r;

	for (ms = 0; ms < TIMEOUT_MS; ms++) {
		if ((r = waitpid(pid, st, WNOHANG)) == pid)
			return 1;
		if (r == -1)
			err(2, "waitpid");
		usleep(ms < 50 ? 500 : 1000);
	}
	kill(pid, SIGKILL);
	waitpid(pid, st, 0);
	return 0;
}

/* 'K', 'x', '-', '!', or '?' when it did not come to the attack. */
static char
try(const char *type, int who, unsigned attack, uint32_t skip)
{
	struct imsgbuf	 ib;
	pid_t		 pid;
	int		 sv[2], st;

	tried++;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
	    sv) == -1)
		err(2, "socketpair");
	if ((pid = fork()) == 0)
		run(type, who, attack, skip, sv[1]);
	if (pid < 2)
		err(2, "fork");
	close(sv[1]);
	if (imsgbuf_init(&ib, sv[0]) == -1)
		err(2, "imsgbuf_init");
	imsgbuf_allow_fdpass(&ib);
	orders(&ib, who);
	if (imsgbuf_flush(&ib) == -1)
		err(2, "flush");
	st = ended(pid, &st) ? st : 0x7f00;
	imsgbuf_clear(&ib);
	close(sv[0]);
	renew();
	if (WIFSIGNALED(st))
		return WTERMSIG(st) == SIGSYS ? 'K' : '?';
	st = WEXITSTATUS(st);
	/* 0: what it executed has ended well */
	if (st == 0 || st == ATTACK_THROUGH)
		return '-';
	if (st == 1 && (skip & LAYER_NNP) && !(skip & LAYER_SECCOMP))
		return '!';
	return st > ATTACK_THROUGH && st < 255 ? 'x' : '?';
}

/* --- the table ---------------------------------------------------------- */

static int
stopped(char c)
{
	return c == 'K' || c == 'x' || c == '!';
}

static void
complain(const char *proc, const char *name, const char *how, uint32_t layers,
    char c)
{
	bad++;
	printf("#   ^ %s, %s, %s %#x: %s\n", proc, name, how, layers,
	    c == '?' ? "the process did not come to it" : "it went through");
}

static void
row(const char *proc, const char *type, int who, unsigned a, int whole)
{
	uint32_t	 must = attacks[a].layers & ALL_LAYERS, base, nnp, bit;
	char		 c[1 + 2 * LAYERS + 1];
	int		 i;

	if (attacks[a].abi > abi)
		must &= ~(uint32_t)LAYER_LANDLOCK;
	base = attacks[a].layers & NEEDS_U ? LAYER_UID : 0;
	memset(c, '.', sizeof(c));
	c[2 * LAYERS + 1] = '\0';
	c[0] = try(type, who, a, 0);
	for (i = 0; i < LAYERS && whole; i++) {
		bit = 1U << i;
		/* Who is not root gets these two only with that one. */
		nnp = base != 0 && (bit & (LAYER_LANDLOCK | LAYER_SECCOMP)) ?
		    LAYER_NNP : 0;
		c[1 + i] = try(type, who, a,
		    ALL_LAYERS & ~(bit | base | nnp));
		c[1 + LAYERS + i] = try(type, who, a, bit);
	}
	printf("# %-26s %c  %.6s  %.6s\n", attacks[a].name, c[0], c + 1,
	    c + 1 + LAYERS);
	if (!stopped(c[0]))
		complain(proc, attacks[a].name, "with all", ALL_LAYERS, c[0]);
	for (i = 0; i < LAYERS && whole; i++) {
		bit = 1U << i;
		if (c[1 + i] == '?' ||
		    ((must & bit) && !stopped(c[1 + i])))
			complain(proc, attacks[a].name, "alone", bit,
			    c[1 + i]);
		/* Without its user it is root: a limit on processes and a
		 * setuid program mean nothing. */
		if (c[1 + LAYERS + i] == '?' || ((must & ~bit) != 0 &&
		    !(bit == LAYER_UID && (attacks[a].layers & NEEDS_U) &&
		    (must & ~bit & ~(LAYER_NNP | LAYER_RLIMIT)) == 0) &&
		    !stopped(c[1 + LAYERS + i])))
			complain(proc, attacks[a].name, "without", bit,
			    c[1 + LAYERS + i]);
	}
	fflush(stdout);
}

static uid_t
uid_of(const char *name)
{
	struct passwd	*pw = getpwnam(name);

	if (pw == NULL || pw->pw_uid == 0)
		errx(2, "no user %s", name);
	return pw->pw_uid;
}

int
main(int argc, char *argv[])
{
	struct rlimit	 rl;
	unsigned	 a, i, step = 1, test = 0;
	int		 before, failed = 0;

	if (argc == 5 && strcmp(argv[1], "-s") == 0) {
		step = (unsigned)atoi(argv[2]);
		argv += 2;
		argc -= 2;
	}
	if (argc != 3 || step == 0)
		errx(2, "usage: confine [-s step] updaterd directory");
	updaterd = argv[1];
	target = argv[2];
	user = uid_of("_updaterd");
	unpacker = uid_of("_updunpack");
	signal(SIGPIPE, SIG_IGN);
	umask(022);
	/* More than a process of ours is granted. */
	if (getrlimit(RLIMIT_NOFILE, &rl) == 0 && rl.rlim_max > 8192) {
		rl.rlim_cur = rl.rlim_max = 8192;
		(void)setrlimit(RLIMIT_NOFILE, &rl);
	}
	abi = (int)syscall(SYS_landlock_create_ruleset, NULL, 0, 1);
	prepare();
	printf("# layers: u user, c chroot, r rlimits, n no_new_privs, "
	    "l Landlock (ABI %d), s seccomp\n", abi);
	for (i = 0; i < sizeof(procs) / sizeof(procs[0]); i++) {
		before = bad;
		printf("#\n# %-24s all  alone   without\n# %-26s    ucrnls"
		    "  ucrnls\n", procs[i].name, "");
		for (a = 0; a < NATTACKS; a++)
			if (attacks[a].who & procs[i].bit)
				row(procs[i].name, procs[i].type,
				    procs[i].bit, a, (a + i) % step == 0);
		if (bad != before)
			failed = 1;
		printf("%sok %u - %s is held by each layer as the manual "
		    "says\n", bad != before ? "not " : "", ++test,
		    procs[i].name);
	}
	printf("# %u attempts, %d not as they should be\n", tried, bad);
	printf("1..%u\n", test);
	return failed;
}
