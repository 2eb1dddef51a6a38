/*
 * The lives of instances: made or taken over when the configuration names
 * them, their state files, and the end of those that it no longer names.
 *
 * An instance that is no longer configured leaves: it has no agent and no
 * configuration any more, is stopped, and is freed once it is down.  A
 * configuration that names it again before that takes it back, whichever
 * agent it is of, so that it never runs twice.
 *
 * State files are written a moment after a change: many changes make one
 * write, and the fsync never falls into the downtime of an update.  What a
 * daemon that is killed in that moment has not written is in the pid file
 * (native.c).
 */
#include <sys/types.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "expand.h"
#include "instance.h"
#include "log.h"
#include "util.h"

#define WRITE_MS	100	/* from a change to the state file */
#define WRITE_RETRY_MS	10000	/* after it could not be written */

struct all_instances all_instances = TAILQ_HEAD_INITIALIZER(all_instances);

static void
timer(struct event *ev, uint32_t ms)
{
	struct timeval	 tv = { ms / 1000, (ms % 1000) * 1000 };

	evtimer_add(ev, &tv);
}

/* --- the configuration ------------------------------------------------ */

const char *
instance_norelease(const struct instance *i)
{
	static char	 text[UPD_TEXT_SIZE];

	if (i->agent == NULL || i->conf == NULL)
		return "no longer configured";
	if (i->agent->store == NULL)
		return "the agent's root cannot be used";
	if (i->agent->store->current[0] == '\0')
		return "no release";
	if (!service_isenabled(i->conf)) {
		snprintf(text, sizeof(text), "not enabled: %s is not set in "
		    "updaterd's environment", i->conf->enabled_env);
		return text;
	}
	if (service_getenv()->oneshot && i->conf->supervisor ==
	    SUPERVISE_NATIVE)
		return "the daemon starts it";
	return NULL;
}

int
service_isenabled(const struct service_conf *c)
{
	const char	*v;

	if (c->enabled_env == NULL)
		return 1;
	return (v = getenv(c->enabled_env)) != NULL && v[0] != '\0';
}

int
instance_iswanted(const struct instance *i)
{
	return i->in.desired && service_isenabled(i->conf);
}

/* FNV-1a, 64 bits, the NUL included: "ab","c" is not "a","bc". */
static uint64_t
hash_string(uint64_t h, const char *s)
{
	do
		h = (h ^ (unsigned char)(s != NULL ? *s : 0)) *
		    1099511628211ULL;
	while (s != NULL && *s++ != '\0');
	return h;
}

static uint64_t
hash_args(uint64_t h, const struct args *a)
{
	size_t	 n;

	for (n = 0; n < a->n; n++)
		h = hash_string(h, a->v[n]);
	return hash_string(h, NULL);
}

uint64_t
instance_confhash(const struct instance *i)
{
	const struct service_conf	*c = i->conf;
	char				 text[64];
	uint64_t			 h = 14695981039346656037ULL;
	int				 n;

	h = hash_string(h, c->user);
	h = hash_string(h, c->group);
	h = hash_string(h, c->directory);
	h = hash_args(h, &c->groups);
	h = hash_args(h, &c->command);
	h = hash_args(h, &c->environment);
	h = hash_string(h, c->unit);
	snprintf(text, sizeof(text), "%o %d", (unsigned int)c->umask,
	    c->health.kind == HEALTH_NOTIFY);
	h = hash_string(h, text);
	for (n = 0; n < c->nrlimits; n++) {
		snprintf(text, sizeof(text), "%d %llu",
		    c->rlimits[n].resource,
		    (unsigned long long)c->rlimits[n].value);
		h = hash_string(h, text);
	}
	/* What %p and %h stand for. */
	if (i->home != NULL) {
		h = hash_string(h, i->profile);
		h = hash_string(h, i->home);
	}
	return h;
}

static void
take_conf(struct instance *i, struct agent *a, const struct service_conf *c)
{
	struct expansion	 x;
	char			 text[UPD_TEXT_SIZE];

	i->agent = a;
	i->conf = c;
	i->stop_signal = c->stop_signal;
	i->stop_ms = c->stop_ms;
	if (instance_expand(i, &x, text) == -1 ||
	    logfile_set(&i->capture.file, x.log, c->log_size,
	    c->log_keep) == -1)
		log_warnx("use log file of %s: out of memory", i->name);
	expansion_free(&x);
}

/* --- the state file --------------------------------------------------- */

int
instance_write(struct instance *i)
{
	strlcpy(i->in.state, service_statename(i->state),
	    sizeof(i->in.state));
	if (intent_write(service_getenv()->statefd, i->name, &i->in) == -1)
		return -1;
	i->dirty = 0;
	evtimer_del(&i->write_ev);
	if (service_getenv()->changed != NULL)
		service_getenv()->changed(i);
	return 0;
}

static void
write_timer(int fd, short what, void *arg)
{
	struct instance	*i = arg;

	if (!i->dirty || i->agent == NULL)
		return;
	if (agent_isheld(i->agent))
		timer(&i->write_ev, WRITE_MS);
	else if (instance_write(i) == -1) {
		log_warn("write state of %s", i->name);
		timer(&i->write_ev, WRITE_RETRY_MS);
	}
}

void
instance_dirty(struct instance *i)
{
	i->dirty = 1;
	if (!evtimer_pending(&i->write_ev, NULL))
		timer(&i->write_ev, WRITE_MS);
	if (service_getenv()->changed != NULL)
		service_getenv()->changed(i);
}

/* It is not to be believed: nobody knows what was wanted. */
static void
set_aside(struct instance *i, const char *why)
{
	char	 file[UPD_INSTANCE_SIZE + 8], bad[UPD_INSTANCE_SIZE + 12];
	int	 statefd = service_getenv()->statefd;

	log_warnx("read state of %s: %s; %s, the file is kept as "
	    "%s.json.bad", i->name, why, i->in.desired ? "its profile wants "
	    "it running" : "it stays down until it is started by hand",
	    i->name);
	snprintf(file, sizeof(file), "%s.json", i->name);
	snprintf(bad, sizeof(bad), "%s.json.bad", i->name);
	if (renameat(statefd, file, statefd, bad) == -1)
		log_warn("keep %s", file);
}

static void
take_wish(struct instance *i, const struct wish *w)
{
	i->in.desired = w->desired;
	i->in.desired_at = w->at;
	strlcpy(i->in.desired_by, w->by, sizeof(i->in.desired_by));
	i->dirty = 1;
}

/* What the file says, or what holds without one. */
static void
read_state(struct instance *i, const struct word *word)
{
	struct wish	 wish;
	char		 why[UPD_TEXT_SIZE];
	int		 r;

	r = intent_read(service_getenv()->statefd, i->name, &i->in, why);
	i->prior = plan_prior(r, &i->in, 0);
	if (plan_wish(r, &i->in, word, i->conf->profiles == NULL,
	    time_real_us(), &wish)) {
		if (r == 1)
			log_notice("take what the profile of %s wants: %s",
			    i->name, wish.desired ? "running" : "stopped");
		take_wish(i, &wish);
	}
	if (r == -1)
		set_aside(i, why);
}

int
instance_import(struct instance *i, const struct word *word)
{
	struct wish	 wish;

	if (!plan_wish(1, &i->in, word, 0, time_real_us(), &wish))
		return 0;
	log_notice("take what the profile of %s wants: %s", i->name,
	    wish.desired ? "running" : "stopped");
	take_wish(i, &wish);
	if (instance_write(i) == -1) {
		log_warn("write state of %s", i->name);
		instance_dirty(i);
	}
	return 1;
}

/* --- beginning -------------------------------------------------------- */

/* It was running when the file was written, and is not any more. */
static void
note_loss(struct instance *i, const char *boot)
{
	i->in.running = 0;
	i->in.pid = 0;
	i->in.start_time = 0;
	i->in.exit_kind = EXIT_UNKNOWN;
	i->in.exit_value = 0;
	i->in.exit_planned = 0;
	i->in.exit_at = time_real_us();
	strlcpy(i->in.exit_text, strcmp(boot, boot_id()) == 0 ?
	    "ended while updaterd was away" : "the host went down",
	    sizeof(i->in.exit_text));
	i->dirty = 1;
}

/* Since when it runs: the record has it by another clock. */
static void
take_started(struct instance *i)
{
	int64_t	 up = time_real_us() - i->in.started_at;

	i->started = time_mono_ms();
	if (up > 0 && (uint64_t)up / 1000 < i->started)
		i->started -= (uint64_t)up / 1000;
}

static void
taken_over(struct instance *i)
{
	if (i->in.running == 0)
		i->dirty = 1;
	i->in.running = 1;
	take_started(i);
	i->state = strcmp(i->in.state,
	    service_statename(SERVICE_UP)) == 0 ? SERVICE_UP :
	    SERVICE_STARTING;
	strlcpy(i->why, "taken over", sizeof(i->why));
	log_info("take over %s: pid %d, release %s", i->name, (int)i->in.pid,
	    i->in.release);
	/* Ready is said only once. */
	if (i->state == SERVICE_UP &&
	    i->conf->health.kind == HEALTH_NOTIFY) {
		health_clear(i);
		i->health.healthy = 1;
		strlcpy(i->health.detail, "was ready before it was taken "
		    "over", sizeof(i->health.detail));
		return;
	}
	health_begin(i);
}

/* See what is there of it. */
static void
instance_attach(struct instance *i)
{
	char	 boot[BOOT_SIZE];
	int	 was_running = i->in.running;

	strlcpy(boot, i->in.boot, sizeof(boot));
	if (i->in.failed && i->agent->store != NULL &&
	    strcmp(i->in.failed_release, i->agent->store->current) != 0) {
		i->in.failed = 0;
		i->dirty = 1;
	}
	switch (i->backend->attach(i)) {
	case ATTACH_RUNS:
		i->prior = PRIOR_UNKNOWN;
		taken_over(i);
		return;
	case ATTACH_LATER:
		/* What is recorded stays, to be compared with. */
		take_started(i);
		i->state = i->in.failed ? SERVICE_FAILED : SERVICE_DOWN;
		i->drained = 1;
		return;
	case ATTACH_LEFTOVERS:
		log_warnx("kill what is left of %s", i->name);
		i->state = SERVICE_STOPPING;
		strlcpy(i->why, "its leader has gone", sizeof(i->why));
		break;
	default:
		i->drained = 1;
		i->state = i->in.failed ? SERVICE_FAILED : SERVICE_DOWN;
		break;
	}
	if (was_running)
		note_loss(i, boot);
	i->in.running = 0;
	i->in.pid = 0;
	if (i->in.exit_text[0] != '\0' && i->why[0] == '\0')
		strlcpy(i->why, i->in.exit_text, sizeof(i->why));
}

static void	 instance_gone(int, short, void *);

static void
instance_free(struct instance *i)
{
	evtimer_del(&i->write_ev);
	evtimer_del(&i->delay_ev);
	evtimer_del(&i->gone_ev);
	health_clear(i);
	observe_end(i);
	capture_free(&i->capture);
	TAILQ_REMOVE(&all_instances, i, all);
	free(i->home);
	free(i);
}

void
instance_move(struct instance *i)
{
	const struct backend	*to;
	char			 text[UPD_TEXT_SIZE];
	enum service_state	 was = i->state;

	if (i->conf == NULL || (to = backend_of(i->conf->supervisor)) ==
	    i->backend)
		return;
	if (!service_isdown(i)) {
		service_stop(i, "moves to another supervisor");
		if (i->in.desired)
			i->again = 1;
		return;
	}
	log_notice("move %s from %s to %s", i->name, i->backend->name,
	    to->name);
	evtimer_del(&i->delay_ev);
	i->backend->forget(i);
	observe_end(i);
	observe_init(i);
	i->backend = to;
	i->why[0] = '\0';
	instance_attach(i);
	if (was == SERVICE_BACKOFF && i->in.desired &&
	    service_start(i, "moved", text) == -1)
		strlcpy(i->why, text, sizeof(i->why));
	instance_dirty(i);
}

/* NULL: out of memory. */
static struct instance *
instance_new(const char *name)
{
	struct instance	*i;

	if ((i = calloc(1, sizeof(*i))) == NULL)
		return NULL;
	if (capture_init(&i->capture) == -1) {
		free(i);
		return NULL;
	}
	TAILQ_INIT(&i->waiters);
	TAILQ_INSERT_TAIL(&all_instances, i, all);
	strlcpy(i->name, name, sizeof(i->name));
	evtimer_set(&i->write_ev, write_timer, i);
	evtimer_set(&i->delay_ev, service_delayed, i);
	evtimer_set(&i->gone_ev, instance_gone, i);
	health_init(i);
	observe_init(i);
	i->backend = &native_backend;
	i->since = time_real_us();
	return i;
}

/* Which service, which profile.  0, or -1 ENOMEM: as it was. */
static int
take_seat(struct instance *i, const struct service_conf *c,
    const struct seat *s)
{
	char	*home = NULL;

	if (s->home != NULL && (home = strdup(s->home)) == NULL)
		return -1;
	free(i->home);
	i->home = home;
	strlcpy(i->service, c->name, sizeof(i->service));
	strlcpy(i->profile, s->profile, sizeof(i->profile));
	return 0;
}

static struct instance *
instance_make(struct agent *a, const struct service_conf *c,
    const struct seat *s)
{
	struct instance	*i;

	if ((i = instance_new(s->name)) == NULL)
		return NULL;
	if (take_seat(i, c, s) == -1) {
		instance_free(i);
		return NULL;
	}
	/* What it ran by itself it has to end by itself. */
	i->backend = native_hasrun(s->name) ? &native_backend :
	    backend_of(c->supervisor);
	backend_moved(i);
	take_conf(i, a, c);
	read_state(i, s->word);
	instance_attach(i);
	instance_move(i);
	if (i->state == SERVICE_DOWN && backend_ismoving(i)) {
		i->state = SERVICE_STOPPING;
		i->drained = 0;
		strlcpy(i->why, "ends under its last supervisor",
		    sizeof(i->why));
	}
	if (i->dirty)
		instance_dirty(i);
	return i;
}

/* --- the end ---------------------------------------------------------- */

static void
instance_gone(int fd, short what, void *arg)
{
	struct instance	*i = arg;

	log_info("forget %s: no longer configured", i->name);
	i->backend->forget(i);
	if (!i->keep_intent && intent_remove(service_getenv()->statefd, i->name) == -1)
		log_warn("remove state of %s", i->name);
	instance_free(i);
}

void
instance_leave(struct instance *i)
{
	/* Whoever got us here may still look at it. */
	timer(&i->gone_ev, 0);
}

void
instance_dismiss(struct instance *i)
{
	struct agent	*a = i->agent;

	TAILQ_REMOVE(&a->instances, i, entry);
	health_clear(i);
	waiters_tell(i, WAIT_START, UPD_EBUSY, "no longer configured");
	if (i->keep_intent && i->dirty && instance_write(i) == -1)
		log_warn("write state of %s", i->name);
	i->agent = NULL;
	i->conf = NULL;
	i->verdict = VERDICT_NONE;
	i->again = 0;
	evtimer_del(&i->delay_ev);
	if (service_isdown(i)) {
		waiters_tell(i, WAIT_STOP, UPD_OK, "");
		instance_leave(i);
	} else
		service_stop(i, "no longer configured");
	agent_settle(a);
}

void
instance_orphan(const char *name)
{
	struct instance	*i;
	char		 why[UPD_TEXT_SIZE];

	if (backend_withdraw(name)) {
		if (intent_remove(service_getenv()->statefd, name) == -1)
			log_warn("remove state of %s", name);
		return;
	}
	if ((i = instance_new(name)) == NULL) {
		log_warnx("stop %s: out of memory", name);
		return;
	}
	i->stop_signal = SIGTERM;
	i->stop_ms = DEF_STOP_MS;
	i->drained = 1;
	if (intent_read(service_getenv()->statefd, name, &i->in, why) != 1)
		memset(&i->in, 0, sizeof(i->in));
	switch (i->backend->attach(i)) {
	case ATTACH_RUNS:
		i->state = SERVICE_UP;
		i->drained = 0;
		service_stop(i, "no longer configured");
		return;
	case ATTACH_LEFTOVERS:
		i->state = SERVICE_STOPPING;
		i->drained = 0;
		return;
	default:
		instance_leave(i);
	}
}

struct instance *
instance_find(const char *name)
{
	struct instance	*i;

	TAILQ_FOREACH(i, &all_instances, all)
		if (strcmp(i->name, name) == 0)
			return i;
	return NULL;
}

struct instance *
instance_place(struct agent *a, const struct service_conf *c,
    const struct seat *s)
{
	struct instance	*i;
	int		 left;

	if ((i = instance_find(s->name)) == NULL) {
		if ((i = instance_make(a, c, s)) == NULL) {
			log_warnx("supervise %s: out of memory", s->name);
			return NULL;
		}
		TAILQ_INSERT_TAIL(&a->instances, i, entry);
		/* An earlier daemon's last command, not yet carried out. */
		if (!i->in.desired && !service_isdown(i))
			service_stop(i, "wanted down");
		return i;
	}
	left = i->agent == NULL;
	if (!left)
		TAILQ_REMOVE(&i->agent->instances, i, entry);
	evtimer_del(&i->gone_ev);
	TAILQ_INSERT_TAIL(&a->instances, i, entry);
	if (take_seat(i, c, s) == -1)
		log_warnx("configure %s: out of memory", i->name);
	i->keep_intent = 0;
	take_conf(i, a, c);
	instance_move(i);
	if (left) {
		instance_dirty(i);
		/* The delay that it left in is no longer running. */
		service_delayed(-1, 0, i);
	}
	return i;
}

void
service_configure(struct agent *a)
{
	const struct service_conf	*c;
	struct seat			 seat = { NULL, "", NULL, NULL };
	struct instance			*i, *next;

	TAILQ_FOREACH(i, &a->instances, entry)
		i->conf = NULL;
	if (!a->gone)
		TAILQ_FOREACH(c, &a->conf->services, entry) {
			seat.name = c->name;
			if (c->home == NULL)
				(void)instance_place(a, c, &seat);
			else
				seat_keep(a, c);
		}
	TAILQ_FOREACH_SAFE(i, &a->instances, entry, next)
		if (i->conf == NULL)
			instance_dismiss(i);
	if (a->gone)
		agent_release(a);
}

void
service_reopen(void)
{
	struct instance	*i;

	TAILQ_FOREACH(i, &all_instances, all)
		logfile_renew(&i->capture.file);
}
