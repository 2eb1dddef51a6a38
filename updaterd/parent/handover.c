/*
 * What one program of updaterd hands to the next when it becomes it by
 * exec, in one environment variable of "key=value" words:
 *
 *	1 chosen=1 trial=1 daemon=0 manager=1 watch=5 lock=6 control=7
 *	listen=8,9 id=20261122T...
 *
 * and two more for the paths.  Words not known are passed over, so that
 * programs of different age understand each other; one that understands
 * nothing of it starts like any other, and finds services and state by
 * their files.  The descriptors are named, never guessed, and each is
 * looked at before it is used.
 */
#include <sys/types.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config.h"
#include "log.h"
#include "self.h"
#include "util.h"

#define VAR		"UPDATERD_HANDOVER"
#define VAR_ROOT	"UPDATERD_HANDOVER_ROOT"
#define VAR_BASE	"UPDATERD_HANDOVER_BASE"
#define TEXT_MAX	1024		/* bytes of the variable */
#define FD_MAX		1048576		/* no descriptor is above */

extern char	**environ;

struct handover		 handover = { .watch = -1, .lock = -1,
			    .control = -1 };
static struct args	 options;	/* of the command line */

/* --- the text -------------------------------------------------------- */

static int
number(const char *s, int max, int *n)
{
	const char	*errstr;

	*n = (int)strtonum(s, 0, max, &errstr);
	return errstr != NULL ? -1 : 0;
}

static int
take_listen(char *list, struct handover *h)
{
	char	*s;

	while ((s = strsep(&list, ",")) != NULL) {
		if (h->nlisten == HANDOVER_SOCKETS ||
		    number(s, FD_MAX, &h->listen[h->nlisten]) == -1)
			return -1;
		h->nlisten++;
	}
	return 0;
}

static int
take_word(const char *key, char *value, struct handover *h)
{
	const struct {
		const char	*key;
		int		*n;
		int		 max;
	} numbers[] = {
		{ "chosen",	&h->chosen,	1 },
		{ "trial",	&h->trial,	1 },
		{ "daemon",	&h->daemon,	1 },
		{ "manager",	&h->manager,	1 },
		{ "watch",	&h->watch,	FD_MAX },
		{ "lock",	&h->lock,	FD_MAX },
		{ "control",	&h->control,	FD_MAX }
	};
	size_t	 i;

	for (i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		if (strcmp(key, numbers[i].key) == 0)
			return number(value, numbers[i].max, numbers[i].n);
	if (strcmp(key, "listen") == 0)
		return take_listen(value, h);
	if (strcmp(key, "id") == 0) {
		if (!id_isvalid(value) ||
		    strlcpy(h->id, value, sizeof(h->id)) >= sizeof(h->id))
			return -1;
	}
	return 0;
}

int
handover_parse(const char *text, struct handover *h)
{
	char	 copy[TEXT_MAX], *p = copy, *word, *eq;
	int	 version;

	memset(h, 0, sizeof(*h));
	h->watch = h->lock = h->control = -1;
	if (strlcpy(copy, text, sizeof(copy)) >= sizeof(copy) ||
	    (word = strsep(&p, " ")) == NULL ||
	    number(word, INT_MAX, &version) == -1 || version < 1)
		return -1;
	while ((word = strsep(&p, " ")) != NULL) {
		if ((eq = strchr(word, '=')) == NULL)
			return -1;
		*eq = '\0';
		if (take_word(word, eq + 1, h) == -1)
			return -1;
	}
	h->taken = 1;
	return 0;
}

int
handover_format(const struct handover *h, char *buf, size_t size)
{
	const struct {
		const char	*key;
		int		 fd;
	} fds[] = {
		{ "watch",	h->watch },
		{ "lock",	h->lock },
		{ "control",	h->control }
	};
	size_t	 k, len;
	int	 i;

	(void)snprintf(buf, size, "1 chosen=%d trial=%d daemon=%d manager=%d",
	    h->chosen, h->trial, h->daemon, h->manager);
	for (k = 0; k < sizeof(fds) / sizeof(fds[0]); k++) {
		len = strlen(buf);
		if (fds[k].fd != -1)
			(void)snprintf(buf + len, size - len, " %s=%d",
			    fds[k].key, fds[k].fd);
	}
	for (i = 0; i < h->nlisten; i++) {
		len = strlen(buf);
		(void)snprintf(buf + len, size - len, "%s%d",
		    i == 0 ? " listen=" : ",", h->listen[i]);
	}
	len = strlen(buf);
	if (h->id[0] != '\0')
		(void)snprintf(buf + len, size - len, " id=%s", h->id);
	return strlen(buf) + 1 < size ? 0 : -1;
}

/* --- the descriptors -------------------------------------------------- */

/* fn on each descriptor that there is. */
static void
each_fd(struct handover *h, void (*fn)(int *))
{
	int	 i;

	fn(&h->watch);
	fn(&h->lock);
	fn(&h->control);
	for (i = 0; i < h->nlisten; i++)
		fn(&h->listen[i]);
}

static void
keep_to_us(int *fd)
{
	if (*fd != -1 && (*fd <= STDERR_FILENO || fd_cloexec(*fd) == -1))
		*fd = -1;
}

static void
pass_on(int *fd)
{
	if (*fd != -1 && fcntl(*fd, F_SETFD, 0) == -1)
		*fd = -1;
}

/* --- taking, and giving ----------------------------------------------- */

void
handover_take(void)
{
	const char	*text = getenv(VAR), *s;

	if (text != NULL && handover_parse(text, &handover) == -1) {
		log_warnx("start anew: what was handed over is malformed");
		memset(&handover, 0, sizeof(handover));
		handover.watch = handover.lock = handover.control = -1;
	}
	if (handover.taken) {
		if ((s = getenv(VAR_ROOT)) != NULL)
			strlcpy(handover.root, s, sizeof(handover.root));
		if ((s = getenv(VAR_BASE)) != NULL)
			strlcpy(handover.base, s, sizeof(handover.base));
		each_fd(&handover, keep_to_us);
	}
	handover.manager |= getenv("NOTIFY_SOCKET") != NULL;
	unsetenv(VAR);
	unsetenv(VAR_ROOT);
	unsetenv(VAR_BASE);
}

void
handover_options(char **v, const char *conf)
{
	char	 path[PATH_MAX];

	for (; *v != NULL; v++)
		args_add(&options, *v);
	/* The next program may find itself in another directory. */
	args_add(&options, "-f");
	args_add(&options, realpath(conf, path) != NULL ? path : conf);
}

void
handover_getoptions(struct args *a)
{
	size_t	 i;

	for (i = 0; i + 1 < options.n; i++)
		if (strcmp(options.v[i], "-D") == 0 ||
		    strcmp(options.v[i], "-f") == 0) {
			args_add(a, options.v[i]);
			args_add(a, options.v[++i]);
		}
}

int
handover_exec(const char *path, const struct handover *h)
{
	struct handover	 next = *h;
	char		 text[TEXT_MAX], **argv;
	size_t		 i;
	int		 saved;

	each_fd(&next, pass_on);
	if ((argv = calloc(options.n + 2, sizeof(char *))) == NULL)
		return -1;
	argv[0] = (char *)(uintptr_t)path;
	for (i = 0; i < options.n; i++)
		argv[i + 1] = options.v[i];
	if (handover_format(&next, text, sizeof(text)) == -1)
		errno = E2BIG;
	else if (setenv(VAR, text, 1) == 0 &&
	    setenv(VAR_ROOT, h->root, 1) == 0 &&
	    setenv(VAR_BASE, h->base, 1) == 0)
		execve(path, argv, environ);
	saved = errno;
	each_fd(&next, keep_to_us);
	unsetenv(VAR);
	unsetenv(VAR_ROOT);
	unsetenv(VAR_BASE);
	free(argv);
	errno = saved;
	return -1;
}

int
self_program(const char *root, const char *id, char *buf, size_t size)
{
	if ((size_t)snprintf(buf, size, "%s/releases/%s/%s", root, id,
	    SELF_PROGRAM) < size)
		return 0;
	errno = ENAMETOOLONG;
	return -1;
}
