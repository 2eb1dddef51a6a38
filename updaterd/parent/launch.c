/*
 * Starting a program that is not ours.
 *
 * Everything that may allocate, look up or block on a name service is
 * done before the fork.  The child then goes, in this order: session,
 * signals, descriptors, umask, limits, groups, user, directory, exec.
 * Limits come before the user, since they may be raised; the directory
 * comes after, since it is the user's right to be there that counts.
 *
 * All signals are blocked across the fork until the child has default
 * actions: a signal that hit one of our own handlers in the child would be
 * told to the parent's event loop, whose descriptors it shares.
 *
 * A failure comes back as {step, errno} through a pipe that the exec
 * closes: end of file means that the program runs.
 */
#include <sys/types.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "launch.h"
#include "log.h"
#include "util.h"

#define DEFAULT_PATH	"/usr/local/sbin:/usr/local/bin:/usr/sbin:" \
			"/usr/bin:/sbin:/bin"
#define FD_NOTIFY	3
#define FD_ERROR	4	/* while it lasts */
#define FD_SAFE		10	/* descriptors are moved here first */
#define EXIT_NOEXEC	127	/* as a shell has it */

enum step {
	STEP_SESSION,
	STEP_FILES,
	STEP_LIMITS,
	STEP_GROUPS,
	STEP_USER,
	STEP_DIRECTORY,
	STEP_EXEC,
	STEP__MAX
};
static const char *const step_text[] = {
	[STEP_SESSION]	 = "cannot make a session for",
	[STEP_FILES]	 = "cannot set descriptors of",
	[STEP_LIMITS]	 = "cannot set resource limits of",
	[STEP_GROUPS]	 = "cannot set groups of",
	[STEP_USER]	 = "cannot become the user of",
	[STEP_DIRECTORY] = "cannot enter the directory of",
	[STEP_EXEC]	 = "cannot execute",
};
_Static_assert(sizeof(step_text) / sizeof(step_text[0]) == STEP__MAX,
    "a text for each step");

struct failure {
	int32_t	 step;
	int32_t	 error;
};

/* --- with what ------------------------------------------------------ */

/* Does the list hold a variable of the same name?  Its index, or -1. */
static int
same_name(char *const *env, size_t n, const char *var)
{
	size_t	 i, len = strcspn(var, "=") + 1;

	for (i = 0; i < n; i++)
		if (strncmp(env[i], var, len) == 0)
			return (int)i;
	return -1;
}

/* Append, or replace from index `fixed` on; what comes before is not to be
 * replaced.  Takes over the string.  0, or -1 ENOMEM. */
static int
environ_put(char **env, size_t *n, size_t fixed, char *var)
{
	int	 at;

	if (var == NULL)
		return -1;
	at = same_name(env, *n, var);
	if (at != -1 && (size_t)at < fixed)
		free(var);
	else if (at != -1) {
		free(env[at]);
		env[at] = var;
	} else
		env[(*n)++] = var;
	return 0;
}

static char *
variable(const char *name, const char *value)
{
	char	*s;

	return asprintf(&s, "%s=%s", name, value) == -1 ? NULL : s;
}

char **
environ_make(const struct identity *id, const struct args *conf,
    const char *const *own)
{
	char	**env;
	size_t	  n = 0, fixed, i, nown = 0;

	while (own != NULL && own[nown] != NULL)
		nown++;
	/* five of the user, and the NULL */
	env = calloc(nown + (conf != NULL ? conf->n : 0) + 6,
	    sizeof(char *));
	if (env == NULL)
		return NULL;
	for (i = 0; i < nown; i++)
		if (environ_put(env, &n, 0, strdup(own[i])) == -1)
			goto fail;
	fixed = n;
	if (environ_put(env, &n, fixed, variable("PATH", DEFAULT_PATH)) == -1 ||
	    environ_put(env, &n, fixed, variable("HOME", id->home)) == -1 ||
	    environ_put(env, &n, fixed, variable("USER", id->name)) == -1 ||
	    environ_put(env, &n, fixed, variable("LOGNAME", id->name)) == -1 ||
	    environ_put(env, &n, fixed, variable("SHELL", id->shell)) == -1)
		goto fail;
	for (i = 0; conf != NULL && i < conf->n; i++)
		if (environ_put(env, &n, fixed, strdup(conf->v[i])) == -1)
			goto fail;
	return env;
 fail:
	environ_free(env);
	return NULL;
}

void
environ_free(char **env)
{
	size_t	 i;

	for (i = 0; env != NULL && env[i] != NULL; i++)
		free(env[i]);
	free(env);
}

/* --- which program --------------------------------------------------- */

static void
paths_free(char **paths)
{
	environ_free(paths);
}

/* One candidate: dir/name. */
static int
path_add(char **paths, size_t *n, const char *dir, size_t len,
    const char *name)
{
	if (asprintf(&paths[*n], "%.*s/%s", (int)len, dir, name) == -1) {
		paths[*n] = NULL;
		return -1;
	}
	(*n)++;
	return 0;
}

/*
 * The paths to try, in order: an absolute name as it is, one with a slash
 * below the base, any other in the base and then along PATH.
 */
static char **
paths_make(const struct launch *l)
{
	const char	*name = l->argv->v[0], *path, *p;
	const char	*base = l->base != NULL ? l->base : ".";
	char		**paths;
	size_t		 n = 0, colons = 1, len;
	int		 at;

	at = 0;
	while (l->env[at] != NULL && strncmp(l->env[at], "PATH=", 5) != 0)
		at++;
	path = l->env[at] != NULL ? l->env[at] + 5 : "";
	for (p = path; *p != '\0'; p++)
		colons += *p == ':';
	if ((paths = calloc(colons + 2, sizeof(char *))) == NULL)
		return NULL;
	if (name[0] == '/') {
		if ((paths[0] = strdup(name)) == NULL)
			goto fail;
		return paths;
	}
	if (path_add(paths, &n, base, strlen(base), name) == -1)
		goto fail;
	if (strchr(name, '/') != NULL)
		return paths;
	for (p = path; *p != '\0'; p += len + (p[len] == ':')) {
		len = strcspn(p, ":");
		if (len > 0 && path_add(paths, &n, p, len, name) == -1)
			goto fail;
	}
	return paths;
 fail:
	paths_free(paths);
	return NULL;
}

/* --- the child ------------------------------------------------------- */

static void __attribute__((noreturn))
child_fail(int fd, enum step step, int error)
{
	struct failure	 f = { step, error };

	/* The reader may have gone; there is nobody else to tell. */
	if (write(fd, &f, sizeof(f)) == -1)
		_exit(EXIT_NOEXEC);
	_exit(EXIT_NOEXEC);
}

/* Put descriptors in their places, whichever numbers they came with. */
static int
child_files(const struct launch *l, int null, int err)
{
	int	 out, notify = -1;

	if ((err = fcntl(err, F_DUPFD_CLOEXEC, FD_SAFE)) == -1 ||
	    (null = fcntl(null, F_DUPFD_CLOEXEC, FD_SAFE)) == -1)
		return -1;
	out = null;
	if (l->out != -1 &&
	    (out = fcntl(l->out, F_DUPFD_CLOEXEC, FD_SAFE)) == -1)
		return -1;
	if (l->notify != -1 &&
	    (notify = fcntl(l->notify, F_DUPFD_CLOEXEC, FD_SAFE)) == -1)
		return -1;
	if (dup2(null, 0) == -1 || dup2(out, 1) == -1 || dup2(out, 2) == -1)
		return -1;
	/* dirfd is still needed, and may be any number above 2. */
	if (notify != -1 && dup2(notify, FD_NOTIFY) == -1)
		return -1;
	return dup3(err, FD_ERROR, O_CLOEXEC);
}

static void
child_signals(void)
{
	struct sigaction sa;
	sigset_t	 none;
	int		 sig;

	memset(&sa, 0, sizeof(sa));
	sa.sa_handler = SIG_DFL;
	for (sig = 1; sig < NSIG; sig++)
		(void)sigaction(sig, &sa, NULL);	/* KILL, STOP refuse */
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static void __attribute__((noreturn))
child_exec(const struct launch *l, char **argv, char **paths, int errfd)
{
	const char	*name = argv[0];
	int		 i, error = ENOENT;

	for (i = 0; paths[i] != NULL; i++) {
		/* A program of the release finds itself by its path. */
		argv[0] = i == 0 && l->base != NULL ? paths[0] :
		    (char *)name;
		execve(paths[i], argv, l->env);
		if (errno != ENOENT && errno != ENOTDIR)
			error = errno;
		/* There, but not to be executed: PATH does not cure it. */
		if (error == ENOEXEC || error == ETXTBSY)
			break;
	}
	child_fail(errfd, STEP_EXEC, error);
}

static void __attribute__((noreturn))
child(const struct launch *l, char **argv, char **paths, int null, int err,
    int dir)
{
	const struct identity	*id = l->id;
	struct rlimit		 rl;
	int			 i, fd;

	if (setsid() == -1)
		child_fail(err, STEP_SESSION, errno);
	child_signals();
	if ((dir = fcntl(dir, F_DUPFD_CLOEXEC, FD_SAFE)) == -1)
		child_fail(err, STEP_FILES, errno);
	if ((fd = child_files(l, null, err)) == -1)
		child_fail(err, STEP_FILES, errno);
	err = fd;
	/* Everything else goes at the exec, by close-on-exec; but not all
	 * of it is ours to have marked so: libraries open files, too. */
	if (dup3(dir, FD_ERROR + 1, O_CLOEXEC) == -1)
		child_fail(err, STEP_FILES, errno);
	dir = FD_ERROR + 1;
	closefrom(dir + 1);
	if (l->notify == -1)
		close(FD_NOTIFY);
	umask(l->umask);
	for (i = 0; i < l->nrlimits; i++) {
		rl.rlim_cur = rl.rlim_max = (rlim_t)l->rlimits[i].value;
		if (setrlimit(l->rlimits[i].resource, &rl) == -1)
			child_fail(err, STEP_LIMITS, errno);
	}
	if (id->groups != NULL) {
		if (setgroups((size_t)id->ngroups, id->groups) == -1 ||
		    setresgid(id->gid, id->gid, id->gid) == -1)
			child_fail(err, STEP_GROUPS, errno);
		if (setresuid(id->uid, id->uid, id->uid) == -1)
			child_fail(err, STEP_USER, errno);
	}
	if (l->directory != NULL ? chdir(l->directory) == -1 :
	    fchdir(dir) == -1)
		child_fail(err, STEP_DIRECTORY, errno);
	child_exec(l, argv, paths, err);
}

/* --- the parent's side ----------------------------------------------- */

pid_t
launch_start(const struct launch *l, int *errfd, char *text)
{
	sigset_t	 all, old;
	char		**argv = NULL, **paths = NULL;
	pid_t		 pid = -1;
	size_t		 i;
	int		 p[2] = { -1, -1 }, null = -1, saved;

	/* The vector is copied, since the child changes its first word. */
	if ((argv = calloc(l->argv->n + 1, sizeof(char *))) == NULL ||
	    (paths = paths_make(l)) == NULL)
		goto done;
	for (i = 0; i < l->argv->n; i++)
		argv[i] = l->argv->v[i];
	if ((null = open("/dev/null", O_RDWR | O_CLOEXEC)) == -1)
		goto done;
	if (pipe2(p, O_CLOEXEC) == -1 || fd_nonblock(p[0]) == -1)
		goto done;
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &old);
	if ((pid = contain_fork(l->box)) == 0)
		child(l, argv, paths, null, p[1], l->dirfd);
	saved = errno;
	sigprocmask(SIG_SETMASK, &old, NULL);
	errno = saved;
 done:
	if (pid == -1)
		snprintf(text, UPD_TEXT_SIZE, "cannot start %s: %s",
		    l->argv->v[0], strerror(errno));
	else {
		*errfd = p[0];
		p[0] = -1;
	}
	if (p[0] != -1)
		close(p[0]);
	if (p[1] != -1)
		close(p[1]);
	if (null != -1)
		close(null);
	paths_free(paths);
	free(argv);
	return pid;
}

int
launch_error(int fd, const char *name, char *text)
{
	struct failure	 f;
	ssize_t		 n;

	/* Less than PIPE_BUF: it comes whole or not at all. */
	n = read(fd, &f, sizeof(f));
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return -1;
	if (n != sizeof(f))
		return 0;
	if (f.step < 0 || f.step >= STEP__MAX)
		f.step = STEP_EXEC;
	snprintf(text, UPD_TEXT_SIZE, "%s %s: %s", step_text[f.step], name,
	    strerror(f.error));
	return 1;
}

void
launch_exittext(int status, char *text, size_t size)
{
	if (status == -1)
		strlcpy(text, "exited, how is not known", size);
	else if (WIFEXITED(status))
		snprintf(text, size, "exited %d", WEXITSTATUS(status));
	else
		snprintf(text, size, "killed by signal %d%s",
		    WTERMSIG(status), WCOREDUMP(status) ?
		    ", core dumped" : "");
}
