/*
 * A jail for one try: a child locks itself in, as a process of updaterd does,
 * and tries something.  Here are the child, what its end means, and the ways
 * out that need nothing but a process.
 */
#ifndef JAIL_H
#define JAIL_H

#include <sys/types.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "sandbox.h"

#define JAIL_ODD	3	/* exit code: the sandbox is not as it should */
/* No test uses all of them. */
#define JAIL_FN		static int __attribute__((unused))

struct jail {
	const char	*name;
	int		(*fn)(void);	/* in the child; 0, or -1 */
	int		 who;		/* mask of those who try it */
	uint32_t	 by;		/* LAYER_ without which there is no
					 * telling; 0: it must hold anyhow */
};

static pid_t	 jail_tester;	/* getppid(2) is not allowed inside */

/*
 * The wait status of a child that was locked in, with those layers at least,
 * and ran fn: exit code 0, or 1 for -1.
 */
static int
jail_run(const struct sandbox_opts *o, uint32_t layers, int (*fn)(void),
    uint32_t *missing)
{
	struct msg_ready	 ready;
	pid_t			 pid;
	int			 st, null, p[2];

	jail_tester = getpid();
	assert_int_equal(pipe(p), 0);
	if ((pid = fork()) == 0) {
		null = open("/dev/null", O_WRONLY);
		dup2(null, STDERR_FILENO);
		/* inflate may have 16 descriptors. */
		close(null);
		close(p[0]);
		sandbox_enter(o, &ready);
		if (write(p[1], &ready, sizeof(ready)) != sizeof(ready) ||
		    (ready.layers & layers) != layers ||
		    (ready.layers & ready.missing) != 0)
			_exit(JAIL_ODD);
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

/* A try that must fail, or be its death by SIGSYS: 1 it got through. */
JAIL_FN
jail_escapes(const struct sandbox_opts *o, uint32_t layers, int who,
    const struct jail *t)
{
	uint32_t	 missing;
	int		 st;

	if (!(t->who & who))
		return 0;
	st = jail_run(o, layers, t->fn, &missing);
	if ((missing & t->by) ||
	    (WIFSIGNALED(st) && WTERMSIG(st) == SIGSYS) ||
	    (WIFEXITED(st) && WEXITSTATUS(st) == 1))
		return 0;
	print_message("# process %#x gets through: %s (status %#x)\n",
	    (unsigned int)who, t->name, (unsigned int)st);
	return 1;
}

/* Work that must go: 1 it does not. */
JAIL_FN
jail_hinders(const struct sandbox_opts *o, uint32_t layers, int who,
    const struct jail *t)
{
	uint32_t	 missing;
	int		 st;

	if (!(t->who & who) ||
	    (st = jail_run(o, layers, t->fn, &missing)) == 0)
		return 0;
	print_message("# process %#x cannot: %s (status %#x)\n",
	    (unsigned int)who, t->name, (unsigned int)st);
	return 1;
}

/* Away with what a test has made in those two (NULL: one). */
JAIL_FN
jail_remove(const char *dir, const char *other)
{
	pid_t	 pid;
	int	 st;

	if ((pid = fork()) == 0) {
		execl("/bin/rm", "rm", "-rf", "--", dir, other,
		    (char *)NULL);
		_exit(1);
	}
	waitpid(pid, &st, 0);
	return st;
}

/* --- ways out -------------------------------------------------------- */

static int
ok(long r)
{
	return r == -1 ? -1 : 0;
}

JAIL_FN out_fork(void) { return ok(syscall(SYS_clone, SIGCHLD, 0, 0, 0)); }
JAIL_FN out_userns(void)
{
	return ok(syscall(SYS_unshare, 0x10000000 /* CLONE_NEWUSER */));
}
JAIL_FN out_kill_parent(void) { return ok(kill(jail_tester, 0)); }
JAIL_FN out_unix(void) { return ok(socket(AF_UNIX, SOCK_STREAM, 0)); }
JAIL_FN out_tcp(void) { return ok(socket(AF_INET, SOCK_STREAM, 0)); }
JAIL_FN out_udp(void) { return ok(socket(AF_INET, SOCK_DGRAM, 0)); }
JAIL_FN out_exec(void)
{
	char	*argv[] = { "true", NULL };

	return ok(execv("/bin/true", argv));
}
JAIL_FN out_setuid(void) { return ok(setuid(0)); }
JAIL_FN out_ptrace(void) { return ok(ptrace(PTRACE_TRACEME, 0, 0, 0)); }
JAIL_FN out_wx(void)
{
	void	*p = mmap(NULL, 4096, PROT_WRITE | PROT_EXEC,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? -1 : 0;
}
JAIL_FN out_uring(void)
{
	char	 params[256] = { 0 };

	return ok(syscall(425 /* io_uring_setup */, 1, params));
}
JAIL_FN out_chroot(void) { return ok(chroot("/")); }
JAIL_FN out_prlimit(void)
{
	struct rlimit	 rl = { 1, 1 };

	return ok(prlimit(jail_tester, RLIMIT_NOFILE, &rl, NULL));
}

#endif
