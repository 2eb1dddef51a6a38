/*
 * The privileged parent: start, signals, stop.
 *
 * Order at start: configuration, users, directories and the lock that makes
 * us the only one, daemon(3), control socket, listening sockets, probe and
 * net, then each agent's store is brought in order (recover.c) and its
 * services started.  Only when net serves is the service manager told.
 *
 * It parses nothing that came from outside: only its configuration and its
 * own state files, all of them root's.
 */
#include <sys/types.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "audit.h"
#include "echo.h"
#include "expiry.h"
#include "log.h"
#include "parent.h"
#include "reap.h"
#include "reconcile.h"
#include "reload.h"
#include "self.h"
#include "trial.h"
#include "update.h"
#include "util.h"

#define PATIENCE_MS	3000	/* for what the last run held to be free */
#define PATIENCE_NS	20000000	/* between looks */

struct parent		*env;

static struct event	 ev_term, ev_int, ev_usr1;
static int		 leaving;		/* services are being stopped */
static void		(*agents_done)(void);	/* they are as configured */

/* --- agents --------------------------------------------------------- */

struct agent *
parent_agent(const char *name)
{
	struct agent	*a, *only = NULL;
	int		 n = 0;

	if (strcmp(name, SELF_NAME) == 0)
		return env->self;
	TAILQ_FOREACH(a, &env->agents, entry) {
		if (strcmp(a->conf->name, name[0] ? name : "default") == 0)
			return a;
		only = a;
		n++;
	}
	return name[0] == '\0' && n == 1 ? only : NULL;
}

static void
agent_open(struct agent *a)
{
	/* Once more: what passes must not put it out of order. */
	if ((a->store = store_open(a->conf->root, a->conf->keep, a->text)) ==
	    NULL && (a->store = store_open(a->conf->root, a->conf->keep,
	    a->text)) == NULL)
		log_warnx("agent %s is out of order: %s", a->conf->name,
		    a->text);
}

/* Their instances are there: those that are new are recovered. */
static void
agents_ready(void)
{
	struct agent	*a;

	TAILQ_FOREACH(a, &env->agents, entry) {
		if (a->fresh)
			recover_agent(a);
		else
			service_start_wanted(a);
		a->fresh = 0;
	}
	recover_next();
	/* A HUP may have come meanwhile. */
	if (agents_done == NULL)
		parent_idle();
	else
		agents_done();
	agents_done = NULL;
}

void
parent_configure(void (*done)(void))
{
	struct agent_conf	*conf;
	struct agent		*a, *next;

	reconcile_cancel();
	agents_done = done;
	TAILQ_FOREACH_SAFE(a, &env->agents, entry, next) {
		conf = config_agent(env->conf, a->conf->name);
		if (conf != NULL && strcmp(conf->root, a->conf->root) == 0)
			continue;
		/* Its services are stopped, and look after themselves. */
		a->gone = 1;
		trial_forget(a);
		service_configure(a);
		TAILQ_REMOVE(&env->agents, a, entry);
		store_free(a->store);
		free(a);
	}
	TAILQ_FOREACH(conf, &env->conf->agents, entry) {
		TAILQ_FOREACH(a, &env->agents, entry)
			if (strcmp(a->conf->name, conf->name) == 0 &&
			    strcmp(a->conf->root, conf->root) == 0)
				break;
		if (a == NULL) {
			if ((a = calloc(1, sizeof(*a))) == NULL)
				fatal("configure agent %s", conf->name);
			TAILQ_INIT(&a->instances);
			TAILQ_INSERT_TAIL(&env->agents, a, entry);
		}
		a->conf = conf;
		if (a->store == NULL) {
			agent_open(a);
			a->fresh = 1;
		} else
			a->store->keep = conf->keep;
		service_configure(a);
	}
	self_configure(env->conf);
	reconcile_configured(agents_ready);
}

/* --- directories ---------------------------------------------------- */

/*
 * At start, before the loop.  What a parent that was killed had forked
 * keeps its sockets, and its lock up to exec, for as long as it takes it
 * to notice: 1 after a while, 0 when it has taken too long.
 */
static int
patience(uint64_t since)
{
	static const struct timespec	 pause = { 0, PATIENCE_NS };

	if (time_mono_ms() - since >= PATIENCE_MS)
		return 0;
	(void)nanosleep(&pause, NULL);
	return 1;
}

static int
lock(int fd)
{
	uint64_t	 since = time_mono_ms();

	while (flock(fd, LOCK_EX | LOCK_NB) == -1)
		if (errno != EINTR && (errno != EWOULDBLOCK ||
		    !patience(since)))
			return -1;
	return 0;
}

static int
listen_first(const struct config *conf, char *text)
{
	uint64_t	 since = time_mono_ms();

	while (listen_prepare(conf, text) == -1)
		if (errno != EADDRINUSE || !patience(since))
			return -1;
	return 0;
}

/* Open a directory of ours, made when missing; -1 and the cure is logged. */
static int
dir_open(int at, const char *path, mode_t mode)
{
	struct stat	 st;
	int		 fd;

	if (mkdirat(at, path, mode) == -1 && errno != EEXIST) {
		log_warn("make directory %s", path);
		return -1;
	}
	if ((fd = openat(at, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW |
	    O_CLOEXEC)) == -1 || fstat(fd, &st) == -1) {
		log_warn("open directory %s", path);
		if (fd != -1)
			close(fd);
		return -1;
	}
	if (st.st_uid != 0 || (st.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
		log_warnx("directory %s must belong to root and be writable "
		    "by root only: chown root %s; chmod go-w %s", path, path,
		    path);
		close(fd);
		return -1;
	}
	return fd;
}

/* The lock that was handed over, if it is this one.  0, or -1. */
static int
lock_inherit(void)
{
	struct stat	 a, b;
	int		 fd = handover.lock;

	handover.lock = -1;
	if (fd == -1)
		return -1;
	if (fstat(fd, &a) == 0 && fstatat(env->statefd, "lock", &b,
	    AT_SYMLINK_NOFOLLOW) == 0 && a.st_dev == b.st_dev &&
	    a.st_ino == b.st_ino && flock(fd, LOCK_EX | LOCK_NB) == 0) {
		env->lockfd = fd;
		return 0;
	}
	close(fd);
	return -1;
}

int
parent_dirs(struct service_env *senv)
{
	if ((env->statefd = dir_open(AT_FDCWD, env->conf->state, 0700)) ==
	    -1 || (senv->statefd = dir_open(env->statefd, "services",
	    0700)) == -1 ||
	    (senv->runfd = dir_open(AT_FDCWD, CONF_RUN, 0755)) == -1)
		return -1;
	if (lock_inherit() == 0)
		return 0;
	/* Held as long as we live; inherited only by what we become.
	 * For reading: a disk that became read-only keeps nobody from a
	 * start, nor an operator from making it so. */
	if ((env->lockfd = openat(env->statefd, "lock", O_RDONLY | O_CREAT |
	    O_CLOEXEC | O_NOFOLLOW, 0600)) == -1) {
		log_warn("open %s/lock", env->conf->state);
		return -1;
	}
	if (lock(env->lockfd) == -1) {
		if (errno == EWOULDBLOCK)
			log_warnx("another updaterd works on %s: %s",
			    env->conf->state, senv->oneshot ? "ask it with "
			    "updaterctl reconcile" : "stop it, or give this "
			    "one a state directory of its own");
		else
			log_warn("lock %s/lock", env->conf->state);
		return -1;
	}
	return 0;
}

/* --- stop ----------------------------------------------------------- */

static void
bye(void)
{
	log_notice("stopped");
	control_close();
	exit(0);
}

static void
stopped(void *arg)
{
	echo_flush(bye);
}

static void
stop_services(void)
{
	struct agent	*a;

	if (leaving)
		return;
	leaving = 1;
	reconcile_cancel();
	/* First: that services end now is nothing to a trial. */
	TAILQ_FOREACH(a, &env->agents, entry)
		trial_suspend(a);
	if (env->self != NULL)
		trial_suspend(env->self);
	children_stop();
	echo_stop();
	service_shutdown(env->conf->shutdown_keep, stopped, NULL);
	/* That a service is stopped now is no verdict on its release.  Only
	 * now: what is let go must find that nothing is started any more. */
	TAILQ_FOREACH(a, &env->agents, entry)
		agent_forget(a);
}

/*
 * TERM: an update that has not touched the running release yet is aborted
 * and answered; one that has is finished by the next start from its journal.
 */
static void
sig_term(int sig, short ev, void *arg)
{
	const struct update	*u;

	if (env->stopping)
		return;
	env->stopping = 1;
	log_notice("stop on signal %d", sig);
	sdnotify("STOPPING=1");
	self_stopping();
	update_shutdown();
	u = update_current();
	if (u == NULL || u->state != UPDATE_CLEANING)
		stop_services();	/* else parent_idle() does */
}

void
parent_idle(void)
{
	if (env->stopping) {
		stop_services();
		return;
	}
	startcheck_next();
	recover_next();
	trial_next();
	reload_next();		/* before a push, which may last */
	push_next();
	reconcile_idle();
}

static void
sig_usr1(int sig, short ev, void *arg)
{
	log_reopen();
	service_reopen();
	log_info("reopened logs");
}

void
parent_setverbose(int level)
{
	log_setverbose(level > env->verbose ? level : env->verbose);
	children_verbose(log_getverbose());
}

/* --- start ---------------------------------------------------------- */

static void
started(void)
{
	reload_allow();
	expiry_review(env->conf);
	log_notice("serving");
	self_serving();		/* tells the service manager */
	parent_idle();
}

static void
serving(const char *text)
{
	if (text[0] != '\0') {
		log_warnx("cannot serve: %s", text);
		/* Not running is what the operator must see at a start. */
		children_stop();
		control_close();
		exit(1);
	}
	listen_commit();
	parent_configure(started);
}

static void
signals_init(void)
{
	signal(SIGPIPE, SIG_IGN);
	signal_set(&ev_term, SIGTERM, sig_term, NULL);
	signal_set(&ev_int, SIGINT, sig_term, NULL);
	signal_set(&ev_usr1, SIGUSR1, sig_usr1, NULL);
	reload_init();
	signal_add(&ev_term, NULL);
	signal_add(&ev_int, NULL);
	signal_add(&ev_usr1, NULL);
}

static void
conf_error(const char *line)
{
	log_warnx("%s", line);
}

/* A reload must find it after daemon(3) has changed the directory. */
static void
conf_absolute(struct config *conf)
{
	char	*path;

	if ((path = realpath(conf->path, NULL)) == NULL)
		fatal("find %s", conf->path);
	free(conf->path);
	conf->path = path;
}

static void
service_event(const char *name, json_t *event)
{
	control_event(name, event);
}

static void
env_init(struct config *conf, int foreground, int verbose)
{
	static struct parent	 parent;
	char			 first[16];

	env = &parent;
	env->conf = conf;
	env->foreground = foreground;
	env->verbose = verbose;
	env->since = time_real_us();
	TAILQ_INIT(&env->agents);

	setenv("TZ", "UTC0", 1);
	tzset();
	umask(022);
	/* Its first call takes memory, and ends the program without it. */
	arc4random_buf(first, sizeof(first));
	log_init("updaterd", 1, verbose);
	log_procname("parent");
	config_onerror(conf_error);
	conf_absolute(conf);
}

static void
env_users(const struct config *conf)
{
	char	 text[UPD_TEXT_SIZE];

	if (users_check(conf, text) == -1)
		fatalx("%s", text);
	user_lookup(conf->user, &env->uid, &env->gid);
	user_lookup(conf->unpack_user, &env->unpack_uid, &env->unpack_gid);
	if (env->uid == 0 || env->unpack_uid == 0 ||
	    env->uid == env->unpack_uid)
		fatalx("user and unpack user must be two users, not root");
}

/* The directories are in it already. */
static void
services_init(struct service_env *senv)
{
	senv->run_path = CONF_RUN;
	senv->probe_start = probe_start;
	senv->probe_cancel = probe_cancel;
	senv->probe_kill = probe_kill;
	senv->expires = expiry_health;
	senv->lost = reconcile_event;
	senv->changed = echo_note;
	senv->event = service_event;
	service_init(senv, 0);
}

void
parent_main(struct config *conf, int foreground, int verbose)
{
	struct service_env	 senv;
	sigset_t		 none;
	char			 text[UPD_TEXT_SIZE];
	int			 i, fd;

	env_init(conf, foreground, verbose);
	env_users(conf);
	memset(&senv, 0, sizeof(senv));
	if (parent_dirs(&senv) == -1 || (fd = dir_open(AT_FDCWD,
	    env->conf->chroot, 0755)) == -1)
		exit(1);
	close(fd);
	for (i = 0; i < handover.nlisten; i++)
		if (handover.listen[i] != -1)
			listen_inherit(handover.listen[i]);
	handover.nlisten = 0;
	if (listen_first(conf, text) == -1)
		fatalx("%s", text);
	if (!foreground && !handover.daemon && daemon(0, 0) == -1)
		fatal("daemon");
	log_init("updaterd", foreground, verbose);
	env->proc[PROC_PARENT].pid = getpid();
	env->proc[PROC_PARENT].since = env->since;
	setproctitle("parent");

	event_init();
	signals_init();
	reap_init();
	/* The program that we were has left them blocked. */
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	sdnotify_init();
	if (control_init(conf->control, conf->control_group,
	    handover.control) == -1)
		fatal("listen on %s", conf->control);
	handover.control = -1;
	services_init(&senv);
	log_notice("start");
	(void)children_start();
	if (children_configure(conf, serving, text) == -1)
		fatalx("%s", text);
	event_dispatch();
	fatalx("event loop ended");
}
