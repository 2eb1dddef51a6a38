/*
 * Our own child processes: fork, then exec of this same program with
 *
 *	updaterd -T net -u UID -g GID -c CHROOT [-v]... [-d]
 *
 * and the channel on descriptor 3, so that no child shares the parent's
 * memory, nor any descriptor, signal handler or variable of its own.
 *
 * Between fork and exec only async-signal-safe calls are made, with all
 * signals blocked: a handler of the parent's event loop, run in the child,
 * would write into the parent's own signal pipe.
 *
 * A child ends when its channel does (end of file on descriptor 3); it
 * ignores the terminal's and init's signals, because the parent decides
 * when and in which order to end.
 */
#include <sys/types.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "log.h"
#include "osproc.h"
#include "proc.h"
#include "util.h"

#define ARGS_MAX	16
#define ENV_MAX		10	/* variables of a child, and the NULL */
#define EXIT_EXEC	127	/* exec failed, as from a shell */
#define VERBOSE_MAX	2
#define ENV_TEST	5	/* variables that a test build passes on */

static char	exe[PATH_MAX];

int
proc_setpath(const char *argv0)
{
	char		 path[PATH_MAX];
	struct stat	 st;

	/* What runs, rather than what the caller says it runs. */
	if (osproc_exepath(path, sizeof(path)) == -1) {
		if (argv0 == NULL || argv0[0] != '/')
			return -1;
		if (strlcpy(path, argv0, sizeof(path)) >= sizeof(path))
			return -1;
	}
	if (stat(path, &st) == -1 || !S_ISREG(st.st_mode) ||
	    access(path, X_OK) == -1)
		return -1;
	strlcpy(exe, path, sizeof(exe));
	return 0;
}

const char *
proc_path(void)
{
	return exe;
}

/* Dispositions survive an exec where they are "ignore". */
static void
reset_signals(const sigset_t *mask)
{
	struct sigaction	 sa;
	int			 sig;

	memset(&sa, 0, sizeof(sa));
	sa.sa_handler = SIG_DFL;
	sigemptyset(&sa.sa_mask);
	for (sig = 1; sig < NSIG; sig++)
		(void)sigaction(sig, &sa, NULL);
	(void)sigprocmask(SIG_SETMASK, mask, NULL);
}

/* Our own program; a test build takes an impostor for it. */
static const char *
child_exe(enum proc_type type)
{
#ifdef SANDBOX_TEST
	static const char	*names[PROC__MAX] = {
		[PROC_NET]	= "UPDATERD_TEST_NET",
		[PROC_PROBE]	= "UPDATERD_TEST_PROBE",
		[PROC_INFLATE]	= "UPDATERD_TEST_INFLATE",
		[PROC_UNPACK]	= "UPDATERD_TEST_UNPACK",
		[PROC_PROFILE]	= "UPDATERD_TEST_PROFILE"
	};
	const char		*path;

	if (names[type] != NULL && (path = getenv(names[type])) != NULL)
		return path;
#endif
	return exe;
}

static void __attribute__((noreturn))
exec_child(const char *path, int sock, int null, int to_stderr, char **argv,
    char **envp)
{
	sigset_t	 none;

	/* A session of its own: ^C at the terminal is the parent's alone. */
	if (setsid() == -1)
		_exit(EXIT_EXEC);
	/* The socket is above 3 (see proc_start), so nothing is overwritten
	 * before it is used, and dup2() clears close-on-exec. */
	if (dup2(null, STDIN_FILENO) == -1 ||
	    dup2(null, STDOUT_FILENO) == -1 ||
	    (!to_stderr && dup2(null, STDERR_FILENO) == -1) ||
	    dup2(sock, PROC_FD) == -1)
		_exit(EXIT_EXEC);
	closefrom(PROC_FD + 1);
	sigemptyset(&none);
	reset_signals(&none);
	execve(path, argv, envp);
	_exit(EXIT_EXEC);
}

/* The descriptor, moved above PROC_FD if it is not.  -1 with errno, then
 * it is closed. */
static int
above(int fd)
{
	int	 nfd, saved;

	if (fd == -1 || fd > PROC_FD)
		return fd;
	nfd = fcntl(fd, F_DUPFD_CLOEXEC, PROC_FD + 1);
	saved = errno;
	close(fd);
	errno = saved;
	return nfd;
}

static pid_t
spawn(enum proc_type type, int sock, const struct proc_args *args,
    char **argv, char **envp)
{
	const char	*path = child_exe(type);
	sigset_t	 all, old;
	pid_t		 pid;
	int		 null, saved;

	if ((null = above(open("/dev/null", O_RDWR | O_CLOEXEC))) == -1)
		return -1;
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &old);
	if ((pid = fork()) == 0)
		exec_child(path, sock, null, args->to_stderr, argv, envp);
	saved = errno;
	sigprocmask(SIG_SETMASK, &old, NULL);
	close(null);
	errno = saved;
	return pid;
}

/* The environment of a child: next to nothing.  The entries live until the
 * next call. */
static void
child_env(char **envp)
{
#ifdef SANDBOX_TEST
	static const char	*names[] = { "UPDATERD_SANDBOX_SKIP",
				    "UPDATERD_SANDBOX_ERRNO",
				    "UPDATERD_TEST_DIR",
				    "ASAN_OPTIONS", "UBSAN_OPTIONS" };
	static char		 vars[ENV_TEST][256];
	size_t			 i;
#endif
	static char		 journal[64], trial[64];
	const char		*v;
	int			 n = 0;

	envp[n++] = "PATH=/usr/bin:/bin:/usr/sbin:/sbin";
	envp[n++] = "TZ=UTC0";
	if ((v = getenv(LOG_JOURNAL)) != NULL) {
		snprintf(journal, sizeof(journal), LOG_JOURNAL "=%s", v);
		envp[n++] = journal;
	}
	if ((v = getenv(PROC_TRIAL)) != NULL) {
		snprintf(trial, sizeof(trial), PROC_TRIAL "=%s", v);
		envp[n++] = trial;
	}
#ifdef SANDBOX_TEST
	for (i = 0; i < ENV_TEST; i++) {
		if ((v = getenv(names[i])) == NULL)
			continue;
		snprintf(vars[i], sizeof(vars[i]), "%s=%s", names[i], v);
		envp[n++] = vars[i];
	}
#endif
	envp[n] = NULL;
}

int
proc_start(struct proc *p, enum proc_type type, const struct proc_args *args,
    int (*recv)(struct imsgev *, struct imsg *, void *),
    void (*dead)(struct imsgev *, int, void *), void *arg)
{
	char	 uid[24], gid[24], chroot[PATH_MAX], name[16];
	char	*argv[ARGS_MAX], *envp[ENV_MAX];
	int	 sv[2] = { -1, -1 }, i, n = 0;

	memset(p, 0, sizeof(*p));
	p->type = type;
	p->iev.ibuf.fd = -1;
	snprintf(uid, sizeof(uid), "%lu", (unsigned long)args->uid);
	snprintf(gid, sizeof(gid), "%lu", (unsigned long)args->gid);
	strlcpy(name, proc_name(type), sizeof(name));
	if (strlcpy(chroot, args->chroot != NULL ? args->chroot : "",
	    sizeof(chroot)) >= sizeof(chroot)) {
		errno = ENAMETOOLONG;
		goto fail;
	}
	argv[n++] = "updaterd";
	argv[n++] = "-T";
	argv[n++] = name;
	argv[n++] = "-u";
	argv[n++] = uid;
	argv[n++] = "-g";
	argv[n++] = gid;
	argv[n++] = "-c";
	argv[n++] = chroot;
	for (i = 0; i < args->verbose && i < VERBOSE_MAX; i++)
		argv[n++] = "-v";
	if (args->to_stderr)
		argv[n++] = "-d";
	argv[n] = NULL;
	child_env(envp);

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0,
	    sv) == -1)
		goto fail;
	if ((sv[1] = above(sv[1])) == -1)
		goto fail;
	if (imsgev_init(&p->iev, sv[0], 1, recv, dead, arg) == -1)
		goto fail;
	sv[0] = -1;
	if ((p->pid = spawn(type, sv[1], args, argv, envp)) == -1) {
		p->pid = 0;
		log_warn("cannot start %s", name);
		imsgev_close(&p->iev);
		close(sv[1]);
		return -1;
	}
	close(sv[1]);
	log_debug("start %s as %ld", name, (long)p->pid);
	return 0;
 fail:
	log_warn("cannot start %s", proc_name(type));
	if (sv[0] != -1)
		close(sv[0]);
	if (sv[1] != -1)
		close(sv[1]);
	return -1;
}

void
proc_kill(struct proc *p)
{
	if (p->pid > 1 && kill(p->pid, SIGKILL) == -1 && errno != ESRCH)
		log_warn("cannot kill %s", proc_name(p->type));
	p->pid = 0;
	imsgev_close(&p->iev);
}

/* --- the child's side ----------------------------------------------- */

static void
ignore_signals(void)
{
	static const int	 sigs[] = { SIGPIPE, SIGHUP, SIGUSR1, SIGUSR2,
				    SIGINT, SIGTERM };
	struct sigaction	 sa;
	size_t			 i;

	memset(&sa, 0, sizeof(sa));
	sa.sa_handler = SIG_IGN;
	sigemptyset(&sa.sa_mask);
	for (i = 0; i < sizeof(sigs) / sizeof(sigs[0]); i++)
		if (sigaction(sigs[i], &sa, NULL) == -1)
			fatal("cannot ignore signal %d", sigs[i]);
}

static id_t
parse_id(const char *what, const char *s)
{
	const char	*errstr;
	id_t		 id;

	/* 0 is root, the largest means "leave it alone" to setresuid(2). */
	id = (id_t)strtonum(s, 1, UINT32_MAX - 1LL, &errstr);
	if (errstr != NULL)
		fatalx("%s %s is %s", what, s, errstr);
	return id;
}

void
proc_child(enum proc_type type, int argc, char **argv, struct proc_args *args)
{
	struct stat	 st;
	int		 ch, have_u = 0, have_g = 0;

	memset(args, 0, sizeof(*args));
	args->chroot = "";
	log_init("updaterd", 1, 0);
	log_procname(proc_name(type));
	while ((ch = getopt(argc, argv, "c:dg:T:u:v")) != -1) {
		switch (ch) {
		case 'c':
			args->chroot = optarg;
			break;
		case 'd':
			args->to_stderr = 1;
			break;
		case 'g':
			args->gid = parse_id("group", optarg);
			have_g = 1;
			break;
		case 'T':	/* main has looked at it */
			break;
		case 'u':
			args->uid = parse_id("user", optarg);
			have_u = 1;
			break;
		case 'v':
			args->verbose++;
			break;
		default:
			fatalx("odd option on own command line");
		}
	}
	if (optind != argc || !have_u || !have_g)
		fatalx("odd own command line");
	if (args->chroot[0] != '\0' && args->chroot[0] != '/')
		fatalx("chroot %s is not absolute", args->chroot);
	if (fstat(PROC_FD, &st) == -1 || !S_ISSOCK(st.st_mode))
		fatalx("%s is started by updaterd only", proc_name(type));
	if (fd_nonblock(PROC_FD) == -1 || fd_cloexec(PROC_FD) == -1)
		fatal("cannot prepare channel");

	/* Else the C library and libtls open /etc/localtime, and a mere look
	 * at a certificate's dates is death in the sandbox. */
	if (setenv("TZ", "UTC0", 1) == -1)
		fatal("cannot set time zone");
	tzset();
	log_init("updaterd", args->to_stderr, args->verbose);
	ignore_signals();
	if (osproc_nodump() == -1)
		fatal("cannot forbid core dumps");
	setproctitle("%s", proc_name(type));
}
