/*
 * Long work of the parent in a short-lived process.
 *
 * The child is a fork without exec: it works on the parent's data as they
 * were, with its own descriptors closed but for those it is given, and
 * never comes back to the event loop.  Its result is smaller than a pipe,
 * so it writes it whole and exits without waiting for a reader; the parent
 * reads it when the exit has been collected.  What the child left out, or
 * its death, is UPD_ECHILD.
 */
#include <sys/types.h>
#include <sys/wait.h>

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "osproc.h"
#include "reap.h"
#include "task.h"
#include "util.h"

#define TASK_NAME_SIZE	32

static_assert(sizeof(struct task_result) <= PIPE_BUF,
    "a result must fit into a pipe at once");

struct task {
	pid_t	 pid;
	int	 fd;			/* read end of the result pipe */
	int	 firing;		/* done runs: exited() frees */
	char	 name[TASK_NAME_SIZE];
	void	(*done)(void *, const struct task_result *);
	void	*arg;
};

/* --- in the child --------------------------------------------------- */

static int
is_kept(int fd, const int *keep, int nkeep, int pipefd)
{
	int	 i;

	if (fd == pipefd || fd == log_fd())
		return 1;
	for (i = 0; i < nkeep; i++)
		if (keep[i] == fd)
			return 1;
	return 0;
}

static void
close_others(const int *keep, int nkeep, int pipefd)
{
	int	 fd, i, max = pipefd;

	if (log_fd() > max)
		max = log_fd();
	for (i = 0; i < nkeep; i++)
		if (keep[i] > max)
			max = keep[i];
	for (fd = STDERR_FILENO + 1; fd < max; fd++)
		if (!is_kept(fd, keep, nkeep, pipefd))
			close(fd);
	closefrom(max + 1);
}

static void
reset_signals(void)
{
	struct sigaction	 sa;
	sigset_t		 none;
	int			 sig;

	memset(&sa, 0, sizeof(sa));
	sa.sa_handler = SIG_DFL;
	sigemptyset(&sa.sa_mask);
	for (sig = 1; sig < NSIG; sig++)
		(void)sigaction(sig, &sa, NULL);
	/* A parent that has gone shall be an error of write(2). */
	sa.sa_handler = SIG_IGN;
	(void)sigaction(SIGPIPE, &sa, NULL);
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

static void __attribute__((noreturn))
child(const struct task *t, pid_t parent, int pipefd,
    void (*work)(void *, struct task_result *), void *arg, const int *keep,
    int nkeep)
{
	struct task_result	 res;

	/* Out of the terminal's reach: ^C is the parent's to handle. */
	(void)setsid();
	reset_signals();
	if (osproc_diewith(parent) == -1)
		_exit(1);
	close_others(keep, nkeep, pipefd);
	log_procname(t->name);
	setproctitle("task %s", t->name);
	memset(&res, 0, sizeof(res));
	work(arg, &res);
	if (write_all(pipefd, &res, sizeof(res)) == -1)
		_exit(1);
	_exit(0);
}

/* --- in the parent -------------------------------------------------- */

static void
task_free(struct task *t)
{
	close(t->fd);
	free(t);
}

/* What the child wrote, if it is whole and sound.  1 or 0. */
static int
read_result(int fd, struct task_result *res)
{
	ssize_t	 n;

	do {
		n = read(fd, res, sizeof(*res));
	} while (n == -1 && errno == EINTR);
	if (n != (ssize_t)sizeof(*res))
		return 0;
	res->text[sizeof(res->text) - 1] = '\0';
	res->path[sizeof(res->path) - 1] = '\0';
	return res->error < UPD_E__MAX;
}

static void
exited(void *arg, pid_t pid, int status)
{
	struct task		*t = arg;
	struct task_result	 res;

	if (status != 0 || !read_result(t->fd, &res)) {
		memset(&res, 0, sizeof(res));
		res.error = UPD_ECHILD;
		if (WIFSIGNALED(status))
			snprintf(res.text, sizeof(res.text),
			    "%s was killed by signal %d", t->name,
			    WTERMSIG(status));
		else
			snprintf(res.text, sizeof(res.text),
			    "%s exited %d without a result", t->name,
			    WEXITSTATUS(status));
		log_warnx("lose task: %s", res.text);
	}
	t->firing = 1;
	t->done(t->arg, &res);
	task_free(t);
}

struct task *
task_start(const char *name, void (*work)(void *, struct task_result *),
    void *arg, const int *keep, int nkeep,
    void (*done)(void *, const struct task_result *), void *darg)
{
	struct task	*t;
	sigset_t	 all, old;
	pid_t		 parent = getpid();
	int		 p[2], saved;

	if ((t = calloc(1, sizeof(*t))) == NULL)
		return NULL;
	strlcpy(t->name, name, sizeof(t->name));
	t->done = done;
	t->arg = darg;
	if (pipe2(p, O_CLOEXEC | O_NONBLOCK) == -1) {
		saved = errno;
		free(t);
		errno = saved;
		return NULL;
	}
	t->fd = p[0];
	/* No handler of the event loop may run in the child: it would write
	 * into the parent's signal pipe. */
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &old);
	if ((t->pid = fork()) == 0)
		child(t, parent, p[1], work, arg, keep, nkeep);
	saved = errno;
	sigprocmask(SIG_SETMASK, &old, NULL);
	close(p[1]);
	if (t->pid == -1)
		goto fail;
	if (reap_add(t->pid, exited, t) == -1) {
		saved = errno;
		kill(t->pid, SIGKILL);
		goto fail;
	}
	return t;
 fail:
	task_free(t);
	errno = saved;
	return NULL;
}

void
task_cancel(struct task *t)
{
	if (t == NULL || t->firing)
		return;
	reap_del(t->pid);
	if (kill(t->pid, SIGKILL) == -1 && errno != ESRCH)
		log_warn("cannot kill task %s", t->name);
	task_free(t);
}
