/*
 * Run or watch a process and, at its Nth system call of those asked for,
 * kill it before the call is made, or let that one call fail.
 *
 *	tracer [-ac] [-e errno | -s] [-f calls] [-m text] [-n N] [-o file]
 *	    [-r] [-t class] -p pid | command ...
 *
 *	-a	every call counts, whether it is in the table or not
 *	-c	with -p and -t net or probe: not this one, but those that it
 *		starts from now on
 *	-e	the Nth call fails with this error (a number), once
 *	-s	the Nth call is given half of its length: a short one
 *	-f	the calls that count, "write,fsync"; else all in the table
 *	-m	only calls with this text in one of their paths
 *	-n	0: none, only list what there was
 *	-o	the calls that counted, one a line
 *	-r	of calls on a descriptor only those on files
 *	-t	whose calls: parent (the process itself), task (what it
 *		forks), watch (such a one, once that is what it is called,
 *		and what it becomes), or the NAME of what it executes with
 *		-T NAME
 *
 * Prints "ready" once it watches, then one line of what it did: "killed
 * PID CALL PATH", "failed ..", "shortened ..", "missed .." where a call
 * that had to fail did not, "lost .." where it was the end of the process,
 * or "not reached N".  After that it lets everybody go.  SIGTERM ends it,
 * and them not.
 */
#include <sys/types.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/ptrace.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "calls.h"

#define MAX_TRACEES	64
#define CLASS_SIZE	16
#define PATHS_SIZE	1200
#define PAGE		4096		/* bytes; a larger one does as well */

struct tracee {
	pid_t		 pid;
	char		 class[CLASS_SIZE];
	const struct call *spoiled;	/* overwrite the result */
};

static struct tracee	 tracees[MAX_TRACEES];
static int		 counts[NCALLS];	/* asked for */
static const char	*who = "parent", *match;
static long		 at, seen;		/* -n, and how many so far */
static int		 every, error_no, shorten, files_only, children;
static FILE		*list;
static int		 leaving;		/* let everybody go */
static pid_t		 victim;		/* killed: wait for its end */
static int		 asked;			/* a call was spoiled */
static char		 spoiled_paths[PATHS_SIZE];

static volatile sig_atomic_t	 told;

static void
on_term(int sig)
{
	told = 1;
}

static struct tracee *
find(pid_t pid)
{
	int	 i;

	for (i = 0; i < MAX_TRACEES; i++)
		if (tracees[i].pid == pid)
			return &tracees[i];
	return NULL;
}

static struct tracee *
add(pid_t pid, const char *class)
{
	struct tracee	*t = find(pid);

	if (t != NULL)
		return t;
	if ((t = find(0)) == NULL)
		errx(2, "too many processes");
	t->pid = pid;
	t->spoiled = NULL;
	snprintf(t->class, sizeof(t->class), "%s", class);
	return t;
}

/* A text of the tracee's; as much as can be read of it. */
static void
peek(pid_t pid, uint64_t addr, char *buf, size_t size)
{
	struct iovec	 l, r[2];
	ssize_t		 n;

	l.iov_base = buf;
	l.iov_len = size - 1;
	r[0].iov_base = (void *)(uintptr_t)addr;
	r[0].iov_len = PAGE - addr % PAGE < size - 1 ?
	    PAGE - addr % PAGE : size - 1;
	/* Apart: where the next page is none this one is read all the same. */
	r[1].iov_base = (char *)r[0].iov_base + r[0].iov_len;
	r[1].iov_len = size - 1 - r[0].iov_len;
	n = process_vm_readv(pid, &l, 1, r, 2, 0);
	buf[n > 0 ? n : 0] = '\0';
}

static void
paths_of(pid_t pid, const struct call *c, const uint64_t *args, char *buf,
    size_t size)
{
	char	 path[512];
	size_t	 len = 0;
	int	 i;

	buf[0] = '\0';
	for (i = 0; i < 6; i++)
		if (c->paths & 1 << i) {
			peek(pid, args[i], path, sizeof(path));
			len += (size_t)snprintf(buf + len, size - len, " %s",
			    path);
			if (len >= size)
				return;
		}
}

static void
say(const char *what, pid_t pid, const char *call, const char *paths)
{
	printf("%s %d %s%s\n", what, (int)pid, call, paths);
	fflush(stdout);
}

/* It is told at its end what became of the call. */
static void
spoil(struct tracee *t, const struct call *c)
{
	spoil_enter(t->pid, c, shorten);
	t->spoiled = c;
	asked = 1;
}

static void
unspoil(struct tracee *t)
{
	const struct call	*c = t->spoiled;

	t->spoiled = NULL;
	leaving = 1;
	if (shorten) {
		say("shortened", t->pid, c->name, spoiled_paths);
		return;
	}
	switch (spoil_leave(t->pid, c, error_no)) {
	case 1:
		say("failed", t->pid, c->name, spoiled_paths);
		break;
	case 0:
		say("missed", t->pid, c->name, spoiled_paths);
		break;
	}
}

/* A file or directory, and no pipe or socket, which have no EIO. */
static int
is_file(pid_t pid, int fd)
{
	char	 path[64], to[8];

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)pid, fd);
	return readlink(path, to, sizeof(to)) > 0 && to[0] == '/';
}

/* Asked for by name, or by default: openat only where it makes a file. */
static int
is_wanted(pid_t pid, const struct call *c, const uint64_t *args)
{
	int	 wanted = counts[c - calls];

	if (wanted == CREATES && (args[2] & O_CREAT) == 0)
		return 0;
	/* What else it does to a descriptor cannot fail. */
	if (c->nr == SYS_fcntl && args[1] != F_DUPFD_CLOEXEC)
		return 0;
	if (files_only && c->paths == 0 &&
	    (c->spoil == BAD_FD || c->nr == SYS_close) &&
	    !is_file(pid, (int)args[0]))
		return 0;
	return wanted != 0;
}

/* The text of /proc/PID/cmdline; its length, 0: none. */
static size_t
cmdline(pid_t pid, char *buf, size_t size)
{
	char	 path[64];
	ssize_t	 n;
	int	 fd;

	snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)pid);
	if ((fd = open(path, O_RDONLY)) == -1)
		return 0;
	n = read(fd, buf, size - 1);
	close(fd);
	if (n <= 0)
		n = 0;
	buf[n] = '\0';
	return (size_t)n;
}

/* A fork of the parent's that calls itself so. */
static void
look_watch(struct tracee *t)
{
	char	 buf[64];

	if (strcmp(who, "watch") == 0 && strcmp(t->class, "task") == 0 &&
	    cmdline(t->pid, buf, sizeof(buf)) > 0 &&
	    strcmp(buf, "updaterd: watch") == 0)
		snprintf(t->class, sizeof(t->class), "watch");
}

static void
entered(struct tracee *t, const struct ptrace_syscall_info *si)
{
	const struct call	*c = NULL;
	const uint64_t		*args;
	const char		*name;
	char			 paths[PATHS_SIZE], number[24];
	size_t			 i;

	look_watch(t);
	if (strcmp(t->class, who) != 0 || asked)
		return;
	args = (const uint64_t *)si->entry.args;
	for (i = 0; i < NCALLS; i++)
		if ((long)si->entry.nr == calls[i].nr)
			c = &calls[i];
	if (!every && (c == NULL || !is_wanted(t->pid, c, args)))
		return;
	/* What is written to the log changes nothing. */
	if (!every && (c->nr == SYS_write || c->nr == SYS_writev) &&
	    args[0] <= 2)
		return;
	snprintf(number, sizeof(number), "call-%ld", (long)si->entry.nr);
	name = c != NULL ? c->name : number;
	paths[0] = '\0';
	if (c != NULL)
		paths_of(t->pid, c, args, paths, sizeof(paths));
	if (match != NULL && strstr(paths, match) == NULL)
		return;
	seen++;
	if (list != NULL) {
		fprintf(list, "%ld %s%s\n", seen, name, paths);
		fflush(list);
	}
	if (seen != at)
		return;
	if (error_no != 0 || shorten) {
		snprintf(spoiled_paths, sizeof(spoiled_paths), "%s", paths);
		spoil(t, c);
		return;
	}
	asked = 1;
	victim = t->pid;
	kill(t->pid, SIGKILL);
	say("killed", t->pid, name, paths);
}

/* After exec: one of ours has -T NAME; anything else is none of ours. */
static int
classify(struct tracee *t)
{
	char	 buf[256], *p, *end;
	size_t	 n;

	if ((n = cmdline(t->pid, buf, sizeof(buf))) == 0)
		return 0;
	end = buf + n;
	for (p = buf; p < end; p += strlen(p) + 1)
		if (strcmp(p, "-T") == 0 && p + 3 < end) {
			snprintf(t->class, sizeof(t->class), "%s", p + 3);
			return 1;
		}
	return strcmp(t->class, "parent") == 0 ||
	    strcmp(t->class, "watch") == 0;
}

static void
drop(struct tracee *t)
{
	t->pid = 0;
}

static void
let_go(struct tracee *t, int sig)
{
	(void)ptrace(PTRACE_DETACH, t->pid, 0, sig);
	drop(t);
}

static void
stopped(struct tracee *t, int status)
{
	struct ptrace_syscall_info	 si;
	unsigned long			 msg;
	int				 sig = WSTOPSIG(status);
	int				 event = status >> 16, pass = 0;

	if (sig == (SIGTRAP | 0x80)) {
		if (ptrace(PTRACE_GET_SYSCALL_INFO, t->pid, sizeof(si), &si) >
		    0) {
			if (si.op == PTRACE_SYSCALL_INFO_ENTRY && !leaving)
				entered(t, &si);
			else if (si.op == PTRACE_SYSCALL_INFO_EXIT &&
			    t->spoiled)
				unspoil(t);
		}
	} else if (event == PTRACE_EVENT_FORK || event == PTRACE_EVENT_VFORK ||
	    event == PTRACE_EVENT_CLONE) {
		if (ptrace(PTRACE_GETEVENTMSG, t->pid, 0, &msg) == 0)
			add((pid_t)msg, "task");
	} else if (event == PTRACE_EVENT_EXEC) {
		if (!classify(t)) {
			let_go(t, 0);
			return;
		}
	} else if (event == PTRACE_EVENT_STOP) {
		if (sig == SIGSTOP || sig == SIGTSTP || sig == SIGTTIN ||
		    sig == SIGTTOU) {
			(void)ptrace(PTRACE_LISTEN, t->pid, 0, 0);
			return;
		}
	} else
		pass = sig;
	/* A spoiled call must come to its end first. */
	if (leaving && !t->spoiled)
		let_go(t, pass);
	else
		(void)ptrace(PTRACE_SYSCALL, t->pid, 0, pass);
}

static int
any(void)
{
	int	 i;

	for (i = 0; i < MAX_TRACEES; i++)
		if (tracees[i].pid != 0)
			return 1;
	return 0;
}

static void
interrupt_all(void)
{
	int	 i;

	for (i = 0; i < MAX_TRACEES; i++)
		if (tracees[i].pid != 0)
			(void)ptrace(PTRACE_INTERRUPT, tracees[i].pid, 0, 0);
}

static void
loop(void)
{
	struct tracee	*t;
	pid_t		 pid;
	int		 status, interrupted = 0;

	while (any()) {
		if (told && !leaving)
			leaving = 1;
		if (leaving && !interrupted) {
			interrupted = 1;
			interrupt_all();
		}
		pid = waitpid(-1, &status, __WALL);
		if (pid == -1) {
			if (errno == EINTR)
				continue;
			return;
		}
		if (WIFSTOPPED(status))
			stopped((t = find(pid)) != NULL ? t : add(pid, "task"),
			    status);
		else if ((t = find(pid)) != NULL) {
			if (t->spoiled != NULL) {
				say("lost", pid, t->spoiled->name,
				    spoiled_paths);
				leaving = 1;
			}
			drop(t);
			if (pid == victim)
				leaving = 1;
		}
	}
}

static void
select_calls(const char *names)
{
	char	*copy, *p;
	size_t	 i;

	if (names == NULL) {
		for (i = 0; i < NCALLS; i++)
			counts[i] = calls[i].changes;
		return;
	}
	if ((copy = strdup(names)) == NULL)
		err(2, NULL);
	for (p = strtok(copy, ","); p != NULL; p = strtok(NULL, ",")) {
		for (i = 0; i < NCALLS; i++)
			if (strcmp(p, calls[i].name) == 0) {
				counts[i] = 1;
				break;
			}
		if (i == NCALLS)
			errx(2, "no call %s", p);
	}
	free(copy);
}

static pid_t
launch(char **argv)
{
	pid_t	 pid;
	char	 c;
	int	 p[2];

	if (pipe(p) == -1)
		err(2, "pipe");
	if ((pid = fork()) == -1)
		err(2, "fork");
	if (pid == 0) {
		close(p[1]);
		(void)!read(p[0], &c, 1);	/* until we are watched */
		close(p[0]);
		dup2(STDERR_FILENO, STDOUT_FILENO);
		execv(argv[0], argv);
		_exit(127);
	}
	close(p[0]);
	if (ptrace(PTRACE_SEIZE, pid, 0, PTRACE_O_TRACESYSGOOD |
	    PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE |
	    PTRACE_O_TRACEEXEC) == -1)
		err(2, "seize");
	close(p[1]);
	return pid;
}

int
main(int argc, char **argv)
{
	struct sigaction	 sa;
	long			 options;
	const char		*names = NULL;
	pid_t			 pid = 0;
	int			 ch;

	while ((ch = getopt(argc, argv, "+ace:f:m:n:o:p:rst:")) != -1)
		switch (ch) {
		case 'a': every = 1; break;
		case 'c': children = 1; break;
		case 'e': error_no = atoi(optarg); break;
		case 'f': names = optarg; break;
		case 'm': match = optarg; break;
		case 'n': at = atol(optarg); break;
		case 'o':
			if ((list = fopen(optarg, "w")) == NULL)
				err(2, "%s", optarg);
			break;
		case 'p': pid = atoi(optarg); break;
		case 'r': files_only = 1; break;
		case 's': shorten = 1; break;
		case 't': who = optarg; break;
		default: return 2;
		}
	if ((pid > 1) == (optind < argc))
		errx(2, "either -p or a command");
	if (every && (error_no != 0 || shorten))
		errx(2, "-a kills only");
	select_calls(names);
	memset(&sa, 0, sizeof(sa));
	sa.sa_handler = on_term;
	sigaction(SIGTERM, &sa, NULL);
	if (pid == 0)
		add(launch(argv + optind), "parent");
	else {
		options = PTRACE_O_TRACESYSGOOD;
		/* Of a process on its own its children are none of ours. */
		if (strcmp(who, "parent") != 0)
			options |= PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |
			    PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC;
		if (ptrace(PTRACE_SEIZE, pid, 0, options) == -1)
			err(2, "seize %d", (int)pid);
		/* net and probe run already: they are their own class. */
		add(pid, !children && (strcmp(who, "net") == 0 ||
		    strcmp(who, "probe") == 0) ? who : "parent");
		(void)ptrace(PTRACE_INTERRUPT, pid, 0, 0);
	}
	printf("ready %d\n", (int)(pid != 0 ? pid : tracees[0].pid));
	fflush(stdout);
	loop();
	if (!asked && at > 0)
		printf("not reached %ld\n", seen);
	else if (at == 0)
		printf("seen %ld\n", seen);
	if (list != NULL)
		fclose(list);
	return 0;
}
