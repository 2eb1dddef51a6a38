/*
 * `updaterd -R`: one pass without a daemon, for the hook of a container's
 * init.  Neither net nor probe, neither sockets nor certificates; the lock
 * of the state directory says that no daemon is at work meanwhile.
 *
 * Services of another supervisor are registered there and started if they
 * are wanted; what only this daemon could look after (native services, the
 * verdict of an update) is left to it, and the lines say so.  Its exit code
 * is of the pass, not of what it found: a profile in trouble is no reason
 * to stop a boot.
 *
 * -n reads, and makes, changes and removes nothing: no directory, no lock
 * where there is none.
 */
#include <sys/types.h>
#include <sys/file.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "instance.h"
#include "log.h"
#include "parent.h"
#include "reap.h"
#include "reconcile.h"
#include "scandir.h"
#include "timer.h"
#include "unitleave.h"
#include "util.h"

#define EXIT_CHANGES	3	/* -n: something would change */
#define LOOK_MS		20
#define SETTLE_MS	15000	/* for what was asked of supervisors */

static int		 dry, code;
static uint64_t		 since;
static struct event	 ev;

/* -n: what is there, without making it.  -1: it is not, or locked. */
static void
dirs_look(struct service_env *senv)
{
	int	 fd;

	senv->statefd = -1;
	senv->runfd = open(CONF_RUN, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	env->statefd = open(env->conf->state, O_RDONLY | O_DIRECTORY |
	    O_CLOEXEC);
	if (env->statefd == -1)
		return;
	senv->statefd = openat(env->statefd, "services", O_RDONLY |
	    O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	fd = openat(env->statefd, "lock", O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd != -1 && flock(fd, LOCK_EX | LOCK_NB) == -1)
		fatalx("another updaterd works on %s: ask it with updaterctl "
		    "reconcile -n", env->conf->state);
	env->lockfd = fd;
}

/* Something that was begun is not over yet. */
static int
is_busy(void)
{
	const struct sighting	*s;
	const struct instance	*i;

	if (pass_count() > 0)
		return 1;
	if (time_mono_ms() - since > SETTLE_MS)
		return 0;
	if (unitleave_isbusy() || slot_isleaving())
		return 1;
	TAILQ_FOREACH(i, &all_instances, all) {
		s = observe_last(i);
		if (i->state == SERVICE_STOPPING ||
		    (i->backend->foreign && i->state == SERVICE_STARTING &&
		    i->in.pid == 0 && s != NULL && s->known))
			return 1;
	}
	return 0;
}

static void
settled(int fd, short what, void *arg)
{
	if (is_busy()) {
		timer_in(&ev, LOOK_MS);
		return;
	}
	if (!dry)
		service_flush();
	fflush(stdout);
	exit(code);
}

static void
done(int changes, int failed)
{
	code = dry && changes > 0 ? EXIT_CHANGES : 0;
	since = time_mono_ms();
	evtimer_set(&ev, settled, NULL);
	timer_in(&ev, 0);
}

static void
agents_open(void)
{
	struct agent_conf	*conf;
	struct agent		*a;

	TAILQ_FOREACH(conf, &env->conf->agents, entry) {
		if ((a = calloc(1, sizeof(*a))) == NULL)
			fatal("configure agent %s", conf->name);
		TAILQ_INIT(&a->instances);
		TAILQ_INSERT_TAIL(&env->agents, a, entry);
		a->conf = conf;
		a->fresh = 1;
		if (dry)
			continue;
		a->store = store_open(conf->root, conf->keep, a->text);
		if (a->store == NULL)
			log_warnx("agent %s is out of order: %s", conf->name,
			    a->text);
		service_configure(a);
	}
}

void
parent_once(struct config *conf, int is_dry, int verbose)
{
	static struct parent	 parent;
	struct service_env	 senv;

	env = &parent;
	env->conf = conf;
	env->foreground = 1;
	env->verbose = verbose;
	env->since = time_real_us();
	env->statefd = env->lockfd = -1;
	TAILQ_INIT(&env->agents);
	dry = is_dry;

	setenv("TZ", "UTC0", 1);
	tzset();
	umask(022);
	log_init("updaterd", 1, verbose);
	log_procname("reconcile");
	memset(&senv, 0, sizeof(senv));
	senv.oneshot = 1;
	senv.run_path = CONF_RUN;
	if (dry)
		dirs_look(&senv);
	else if (parent_dirs(&senv) == -1)
		exit(1);
	event_init();
	reap_init();
	service_init(&senv, dry);
	agents_open();
	reconcile_once(dry, done);
	event_dispatch();
	fatalx("event loop ended");
}
