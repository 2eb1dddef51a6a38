/*
 * The lives of instances: made or taken over when the configuration names
 * them, their state files, and the end of those that it no longer names.
 *
 * An instance that is no longer configured leaves: it has no agent and no
 * configuration any more, is stopped, and is freed once it is down.  A
 * configuration that names it again before that takes it back, whichever
 * agent it is of, so that it never runs twice.
 *
 * There may be thousands: what most do not need most of the time is not in
 * the struct, but made when it is needed.
 */
#include <sys/types.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "expand.h"
#include "instance.h"
#include "log.h"
#include "timer.h"
#include "util.h"

struct all_instances all_instances = TAILQ_HEAD_INITIALIZER(all_instances);

/* --- the configuration ------------------------------------------------ */

const char *
instance_norelease(const struct instance *i)
{
	static char	 text[UPD_TEXT_SIZE];

	if (i->agent == NULL || i->conf == NULL)
		return "no longer configured";
	if (i->agent->store == NULL)
		return "the agent's root cannot be used";
	/* A release would not help. */
	if (!service_isenabled(i->conf)) {
		snprintf(text, sizeof(text), "not enabled: %s is not set in "
		    "updaterd's environment", i->conf->enabled_env);
		return text;
	}
	if (i->agent->store->current[0] == '\0')
		return "no release";
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

/* --- beginning -------------------------------------------------------- */

void
instance_noprocess(struct instance *i)
{
	i->in.running = 0;
	i->in.pid = 0;
	i->in.start_time = 0;
	i->ledger = LEDGER_BEHIND;
}

/* It was running when the file was written, and is not any more. */
static void
note_loss(struct instance *i, const char *boot)
{
	instance_noprocess(i);
	i->in.exit_kind = EXIT_UNKNOWN;
	i->in.exit_value = 0;
	i->in.exit_planned = 0;
	i->in.exit_at = time_real_us();
	strlcpy(i->in.exit_text, strcmp(boot, boot_id()) == 0 ?
	    "ended while updaterd was away" : "the host went down",
	    sizeof(i->in.exit_text));
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
		i->ledger = LEDGER_BEHIND;
	i->in.running = 1;
	take_started(i);
	i->state = strcmp(i->in.state,
	    service_statename(SERVICE_UP)) == 0 ? SERVICE_UP :
	    SERVICE_STARTING;
	note_const(&i->why, "taken over");
	log_info("take over %s: pid %d, release %s", i->name, (int)i->in.pid,
	    i->in.release);
	/* Ready is said only once. */
	if (i->state == SERVICE_UP &&
	    i->conf->health.kind == HEALTH_NOTIFY) {
		health_clear(i);
		i->health.healthy = 1;
		note_const(&i->health.detail, "was ready before it was taken "
		    "over");
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
		i->ledger = LEDGER_BEHIND;
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
		note_const(&i->why, "its leader has gone");
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
	if (i->in.exit_text[0] != '\0' && note_text(&i->why)[0] == '\0')
		note_set(&i->why, i->in.exit_text);
}

static void
instance_free(struct instance *i)
{
	evtimer_del(&i->delay_ev);
	health_clear(i);
	observe_end(i);
	free(i->observed);
	capture_free(&i->capture);
	TAILQ_REMOVE(&all_instances, i, all);
	note_clear(&i->why);
	free(i->seat);
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
	if (to->foreign && observe_init(i) == -1) {
		log_warnx("move %s from %s to %s: out of memory", i->name,
		    i->backend->name, to->name);
		return;
	}
	log_notice("move %s from %s to %s", i->name, i->backend->name,
	    to->name);
	evtimer_del(&i->delay_ev);
	i->backend->forget(i);
	observe_end(i);
	i->backend = to;
	note_clear(&i->why);
	instance_attach(i);
	if (was == SERVICE_BACKOFF && i->in.desired &&
	    service_start(i, "moved", text) == -1)
		note_set(&i->why, text);
	ledger_note(i);
}

/* NULL: out of memory. */
static struct instance *
instance_new(const char *name)
{
	struct instance	*i;
	size_t		 len = strlen(name) + 1;

	if ((i = calloc(1, sizeof(*i) + len)) == NULL)
		return NULL;
	if (capture_init(&i->capture) == -1) {
		free(i);
		return NULL;
	}
	i->name = memcpy(i + 1, name, len);
	i->service = i->profile = "";
	TAILQ_INIT(&i->waiters);
	TAILQ_INSERT_TAIL(&all_instances, i, all);
	evtimer_set(&i->delay_ev, service_delayed, i);
	health_init(i);
	i->backend = &native_backend;
	i->since = time_real_us();
	return i;
}

/* Which service, which profile.  0, or -1 ENOMEM: as it was. */
static int
take_seat(struct instance *i, const struct service_conf *c,
    const struct seat *s)
{
	const char	*home = s->home != NULL ? s->home : "";
	size_t		 sl = strlen(c->name) + 1;
	size_t		 pl = strlen(s->profile) + 1, hl = strlen(home) + 1;
	char		*p;

	if ((p = malloc(sl + pl + hl)) == NULL)
		return -1;
	i->service = memcpy(p, c->name, sl);
	i->profile = memcpy(p + sl, s->profile, pl);
	i->home = memcpy(p + sl + pl, home, hl);
	if (s->home == NULL)
		i->home = NULL;
	free(i->seat);		/* not before: s may be of it */
	i->seat = p;
	return 0;
}

static struct instance *
instance_make(struct agent *a, const struct service_conf *c,
    const struct seat *s)
{
	const struct backend	*to = backend_of(c->supervisor);
	struct instance		*i;
	int			 native = rundir_isthere(s->name), moved;

	if ((i = instance_new(s->name)) == NULL)
		return NULL;
	if (take_seat(i, c, s) == -1 || (to->foreign &&
	    observe_init(i) == -1)) {
		instance_free(i);
		return NULL;
	}
	/* What it ran by itself it has to end by itself. */
	i->backend = native ? &native_backend : to;
	moved = backend_moved(i);
	take_conf(i, a, c);
	ledger_read(i, s->word);
	/* What is recorded as running is not of this supervisor. */
	if (moved && !native)
		instance_noprocess(i);
	instance_attach(i);
	instance_move(i);
	if (i->state == SERVICE_DOWN && !i->backend->foreign &&
	    backend_ismoving(i)) {
		i->state = SERVICE_STOPPING;
		i->drained = 0;
		note_const(&i->why, "ends under its last supervisor");
	}
	if (i->ledger != LEDGER_TRUE)
		ledger_note(i);
	return i;
}

struct instance *
instance_sketch(struct agent *a, const struct service_conf *c,
    const struct seat *s)
{
	struct instance	*i;

	if ((i = instance_new(s->name)) == NULL || take_seat(i, c, s) == -1)
		return NULL;
	i->agent = a;
	i->conf = c;
	i->backend = backend_of(c->supervisor);
	(void)i->backend->attach(i);
	return i;
}

/* --- the end ---------------------------------------------------------- */

static void
instance_gone(struct instance *i)
{
	log_info("forget %s: no longer configured", i->name);
	i->backend->forget(i);
	if (!i->keep_intent &&
	    intent_remove(service_getenv()->statefd, i->name) == -1)
		log_warn("remove state of %s", i->name);
	instance_free(i);
}

static void
all_gone(int fd, short what, void *arg)
{
	struct instance	*i, *next;

	TAILQ_FOREACH_SAFE(i, &all_instances, all, next)
		if (i->leaving)
			instance_gone(i);
}

void
instance_leave(struct instance *i)
{
	static struct event	 ev;

	i->leaving = 1;
	if (!evtimer_initialized(&ev))
		evtimer_set(&ev, all_gone, NULL);
	/* Whoever got us here may still look at it. */
	timer_in(&ev, 0);
}

void
instance_dismiss(struct instance *i)
{
	struct agent	*a = i->agent;

	TAILQ_REMOVE(&a->instances, i, entry);
	health_clear(i);
	waiters_tell(i, WAIT_START, UPD_EBUSY, "no longer configured");
	if (i->keep_intent && i->ledger != LEDGER_TRUE && ledger_write(i) == -1)
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

int
instance_isstranger(const struct instance *i)
{
	return i->stranger > 1 && i->in.running && i->in.pid == i->stranger;
}

/* What runs of it is not what it is now: end that, and start this. */
static void
instance_renew(struct instance *i, const char *why)
{
	if (service_isdown(i))
		return;
	log_notice("stop %s, pid %d: %s", i->name, (int)i->in.pid, why);
	service_stop(i, why);
	if (i->in.desired)
		i->again = 1;
}

struct instance *
instance_place(struct agent *a, const struct service_conf *c,
    const struct seat *s)
{
	struct instance	*i;
	int		 left, moved;

	if ((i = instance_find(s->name)) == NULL) {
		if ((i = instance_make(a, c, s)) == NULL) {
			log_warnx("supervise %s: out of memory", s->name);
			return NULL;
		}
		TAILQ_INSERT_TAIL(&a->instances, i, entry);
		/* An earlier daemon's last command, not yet carried out. */
		if (!i->in.desired && !service_isdown(i))
			service_stop(i, "wanted down");
		else if (instance_isstranger(i))
			instance_renew(i, "started as another's");
		return i;
	}
	left = i->agent == NULL;
	moved = !left && i->agent != a;
	if (!left)
		TAILQ_REMOVE(&i->agent->instances, i, entry);
	i->leaving = 0;
	TAILQ_INSERT_TAIL(&a->instances, i, entry);
	if (take_seat(i, c, s) == -1)
		log_warnx("configure %s: out of memory", i->name);
	i->keep_intent = 0;
	take_conf(i, a, c);
	instance_move(i);
	if (moved)
		instance_renew(i, "goes to another agent");
	if (left) {
		ledger_note(i);
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
