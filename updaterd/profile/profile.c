/*
 * The profile process: what root must not do itself below directories that
 * a service's user owns, it does with that user's uid.  It reads what may
 * be anything, and says known words and names that the parent checks again.
 *
 * Orders first (START, RUNTIME ..., GO), then it becomes the user, opens
 * what it needs with the user's rights, and locks itself in: from then on
 * it sees those directories and no other.  READY, the work, DONE.
 *
 * Its user's own processes may stop or kill it: the parent waits for so
 * long and no longer.
 */
#include <sys/types.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "lodge.h"
#include "log.h"
#include "orders.h"
#include "proc.h"
#include "sandbox.h"
#include "statefile.h"

#define FSIZE_MAX	(8 * 1024 * 1024)	/* bytes: the log, and a run's
						 * lines behind its limit */
#define LOGDIR_MODE	0755

enum lodge_state {
	WANT_START	= 0x1,
	WANT_GO		= 0x2,
	WORKING		= 0x4,
	FINISHED	= 0x8
};

static enum lodge_state	 state = WANT_START;

void
lodge_error(struct lodge *l, const char *what, const char *name)
{
	if (l->done.errors++ == 0)
		snprintf(l->done.text, sizeof(l->done.text), "%s %s: %s",
		    what, name, strerror(errno));
	log_debug("%s %s: %s", what, name, strerror(errno));
}

/* --- orders ---------------------------------------------------------- */

static int
order_start(void *arg, struct imsg *imsg)
{
	struct lodge			*l = arg;
	struct msg_profile_start	*s = &l->start;

	if (imsg_get_data(imsg, s, sizeof(*s)) == -1 ||
	    s->ngroups > PROFILE_GROUPS_MAX ||
	    !PROTO_STR(s->service) || !PROTO_STR(s->home) ||
	    !PROTO_STR(s->profiles) || !PROTO_STR(s->marker) ||
	    !PROTO_STR(s->log))
		return -1;
	state = WANT_GO;
	return 0;
}

static int
order_runtime(void *arg, struct imsg *imsg)
{
	struct lodge		*l = arg;
	struct msg_profile_name	 m;

	if (imsg_get_data(imsg, &m, sizeof(m)) == -1 || !PROTO_STR(m.name) ||
	    !profile_isfile(m.name) || l->nruntime == PROFILE_RUNTIME_MAX)
		return -1;
	strlcpy(l->runtime[l->nruntime++], m.name, PROFILE_FILE_SIZE);
	return 0;
}

static int
order_go(void *arg, struct imsg *imsg)
{
	state = WORKING;
	return 0;
}

static int
order_sweep(void *arg, struct imsg *imsg)
{
	struct msg_profile_name	 m;

	if (imsg_get_data(imsg, &m, sizeof(m)) == -1 || !PROTO_STR(m.name))
		return -1;
	visit_sweep(arg, m.name);
	return 0;
}

static int
order_sync(void *arg, struct imsg *imsg)
{
	struct lodge	*l = arg;

	orders_send(&l->ibuf, IMSG_PROFILE_SYNCED, NULL, 0);
	return 0;
}

static int
order_state(void *arg, struct imsg *imsg)
{
	struct lodge			*l = arg;
	struct msg_profile_state	 m;
	int				 fd;

	if (imsg_get_data(imsg, &m, sizeof(m)) == -1 || !PROTO_STR(m.name) ||
	    m.state >= PSTATE__MAX || m.desired >= PDESIRED__MAX)
		return -1;
	if ((fd = visit_open(l, m.name)) == -1 ||
	    statefile_write(fd, l->start.service, &m) == -1)
		lodge_error(l, "write state of", m.name);
	if (fd != -1)
		close(fd);
	return 0;
}

static int
order_log(void *arg, struct imsg *imsg)
{
	struct msg_profile_log	 m;

	if (imsg_get_data(imsg, &m, sizeof(m)) == -1 || !PROTO_STR(m.line))
		return -1;
	rlog_line(arg, m.line);
	return 0;
}

static int
order_finish(void *arg, struct imsg *imsg)
{
	state = FINISHED;
	return 0;
}

static const struct imsg_rule rules[] = {
	{ IMSG_VERBOSE, PROC_PARENT, sizeof(struct msg_verbose), 0, 0,
	    ANY_STATE, orders_verbose },
	{ IMSG_PROFILE_START, PROC_PARENT, sizeof(struct msg_profile_start),
	    0, 0, WANT_START, order_start },
	{ IMSG_PROFILE_RUNTIME, PROC_PARENT, sizeof(struct msg_profile_name),
	    0, 0, WANT_GO, order_runtime },
	{ IMSG_PROFILE_GO, PROC_PARENT, 0, 0, 0, WANT_GO, order_go },
	{ IMSG_PROFILE_SWEEP, PROC_PARENT, sizeof(struct msg_profile_name),
	    0, 0, WORKING, order_sweep },
	{ IMSG_PROFILE_SYNC, PROC_PARENT, 0, 0, 0, WORKING, order_sync },
	{ IMSG_PROFILE_STATE, PROC_PARENT, sizeof(struct msg_profile_state),
	    0, 0, WORKING, order_state },
	{ IMSG_PROFILE_LOG, PROC_PARENT, sizeof(struct msg_profile_log), 0,
	    0, WORKING, order_log },
	{ IMSG_PROFILE_FINISH, PROC_PARENT, 0, 0, 0, WORKING, order_finish }
};

/* --- what it may see ------------------------------------------------- */

static int
open_dir(const char *path)
{
	return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void
open_profiles(struct lodge *l)
{
	char	 path[UPD_PATH_SIZE];

	if (l->start.profiles[0] == '\0' ||
	    (l->dirfd = open_dir(l->start.profiles)) != -1)
		return;
	l->dir_errno = errno;
	strlcpy(path, l->start.profiles, sizeof(path));
	l->abovefd = open_dir(dirname(path));
}

/* As far as its user may; what is missing then the open tells. */
static void
make_dirs(char *path)
{
	char	*p = path;

	do {
		if ((p = strchr(p + 1, '/')) != NULL)
			*p = '\0';
		if (mkdir(path, LOGDIR_MODE) == -1 && errno != EEXIST)
			log_debug("make %s: %s", path, strerror(errno));
		if (p != NULL)
			*p = '/';
	} while (p != NULL);
}

static void
open_log(struct lodge *l)
{
	char	 path[UPD_PATH_SIZE];

	if (l->start.log[0] == '\0' || (l->start.flags & PROFILE_DRY))
		return;
	l->logname = strrchr(l->start.log, '/') + 1;
	strlcpy(path, l->start.log, sizeof(path));
	*strrchr(path, '/') = '\0';
	if (path[0] == '\0')
		strlcpy(path, "/", sizeof(path));
	else
		make_dirs(path);
	if ((l->logdirfd = open_dir(path)) == -1)
		lodge_error(l, "open", path);
}

/* Called by sandbox_enter() once it is the user. */
static void
open_all(void *arg)
{
	struct lodge	*l = arg;

	if (l->start.home[0] != '\0' &&
	    (l->homefd = open_dir(l->start.home)) == -1) {
		l->home_errno = errno;
		if (errno != ENOENT)
			lodge_error(l, "open", l->start.home);
	}
	open_profiles(l);
	open_log(l);
}

static void
enter_sandbox(struct lodge *l, const struct proc_args *args)
{
	struct sandbox_opts	 opts;
	struct msg_ready	 ready;
	gid_t			 groups[PROFILE_GROUPS_MAX];
	uint32_t		 i;

	memset(&opts, 0, sizeof(opts));
	opts.proc = PROC_PROFILE;
	opts.uid = args->uid;
	opts.gid = args->gid;
	opts.groups = groups;
	for (i = 0; i < l->start.ngroups; i++)
		if (l->start.groups[i] != 0)
			groups[opts.ngroups++] = (gid_t)l->start.groups[i];
	opts.chroot_fd = -1;
	opts.max_fsize = FSIZE_MAX;
	opts.readonly = (l->start.flags & PROFILE_DRY) != 0;
	opts.as_user = open_all;
	opts.as_user_arg = l;
	opts.beneath[0] = &l->homefd;
	opts.beneath[1] = &l->dirfd;
	opts.beneath[2] = &l->logdirfd;
	opts.paths[0] = l->start.home;
	opts.paths[1] = l->start.profiles;
	opts.paths[2] = l->start.log;
	memset(&ready, 0, sizeof(ready));
	sandbox_enter(&opts, &ready);
	orders_send(&l->ibuf, IMSG_READY, &ready, sizeof(ready));
}

/* A file is not broken because there is no memory to read it. */
static void *
must_alloc(size_t size)
{
	void	*p;

	if ((p = malloc(size)) == NULL)
		fatalx("no memory");
	return p;
}

static int
is_fit(const struct msg_profile_start *s)
{
	return name_isvalid(s->service) &&
	    (s->home[0] == '\0' || s->home[0] == '/') &&
	    (s->profiles[0] == '\0' || (s->profiles[0] == '/' &&
	    profile_isfile(s->marker))) &&
	    (s->log[0] == '\0' || s->log[0] == '/');
}

void
profile_main(const struct proc_args *args)
{
	static struct lodge	 l;

	l.homefd = l.dirfd = l.abovefd = l.logdirfd = l.logfd = -1;
	signal(SIGPIPE, SIG_IGN);
	umask(022);
	/* Else it opens /dev/urandom, at the first object. */
	json_object_seed(0);
	json_set_alloc_funcs(must_alloc, free);
	orders_open(&l.ibuf);
	while (state != WORKING)
		orders_recv(&l.ibuf, rules, sizeof(rules) / sizeof(rules[0]),
		    state, &l);
	if (!is_fit(&l.start))
		fatalx("odd orders");
	enter_sandbox(&l, args);
	if (l.start.flags & PROFILE_SCAN)
		visit_all(&l);
	while (state != FINISHED)
		orders_recv(&l.ibuf, rules, sizeof(rules) / sizeof(rules[0]),
		    state, &l);
	rlog_close(&l);
	orders_send(&l.ibuf, IMSG_PROFILE_DONE, &l.done, sizeof(l.done));
	_exit(0);
}
