/*
 * What operators ask of a service, and the end of the daemon.
 *
 * Intent is durable before it is acted on: when the write fails, nothing
 * is done.  When acting fails, the intent stands and status shows both.
 * Everybody who waits is told exactly once, from the loop.  The end of the
 * daemon never changes an intent.
 */
#include <sys/types.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "instance.h"
#include "log.h"
#include "quiet.h"
#include "timer.h"
#include "util.h"

static struct service_env senv;

static struct {
	int		 on;		/* nothing is started any more */
	int		 told;
	struct event	 ev;
	void		(*done)(void *);
	void		*arg;
} closing;

const struct service_env *
service_getenv(void)
{
	return &senv;
}

void
service_init(const struct service_env *e, int dry)
{
	senv = *e;
	senv.dry = dry;
	memset(&closing, 0, sizeof(closing));
	if (dry)
		return;
	contain_setup(senv.run_path);
	intent_sweep(senv.statefd);
}

int
service_isclosing(void)
{
	return closing.on;
}

/* --- who waits ------------------------------------------------------- */

static void
waiter_tell(int fd, short what, void *arg)
{
	struct waiter	*w = arg;

	w->done(w->arg, w->error, w->text);
	free(w);
}

void
waiters_tell(struct instance *i, enum wait_kind kind, enum upd_error error,
    const char *text)
{
	struct waiter	*w, *next;

	TAILQ_FOREACH_SAFE(w, &i->waiters, entry, next) {
		if (w->kind != kind)
			continue;
		TAILQ_REMOVE(&i->waiters, w, entry);
		w->error = error;
		strlcpy(w->text, text, sizeof(w->text));
		timer_in(&w->ev, 0);
	}
}

static struct waiter *
waiter_new(service_done done, void *arg)
{
	struct waiter	*w;

	if ((w = calloc(1, sizeof(*w))) == NULL)
		return NULL;
	w->done = done;
	w->arg = arg;
	evtimer_set(&w->ev, waiter_tell, w);
	return w;
}

/* --- operators ------------------------------------------------------- */

struct instance *
service_find(const char *name)
{
	struct instance	*i;

	TAILQ_FOREACH(i, &all_instances, all)
		if (i->agent != NULL && strcmp(i->name, name) == 0)
			return i;
	return NULL;
}

void
service_unknown(const char *name, char *text, size_t size)
{
	const struct instance	*i;
	size_t			 len;
	int			 n = 0;

	snprintf(text, size, "no service named %s", name);
	TAILQ_FOREACH(i, &all_instances, all) {
		if (i->agent == NULL || i->home == NULL ||
		    strcmp(i->service, name) != 0)
			continue;
		if (n++ == 0)
			snprintf(text, size, "%s has profiles, name one: %s",
			    name, i->name);
		else if ((len = strlen(text)) + strlen(i->name) + 8 < size)
			snprintf(text + len, size - len, ", %s", i->name);
		else {
			strlcat(text, ", ...", size);
			return;
		}
	}
}

/* Make the intent durable.  0, or -1 with text; then it is as before. */
static int
want(struct instance *i, int running, const char *by, char *text)
{
	struct intent	 before = i->in;

	i->in.desired = running;
	i->in.desired_at = time_real_us();
	strlcpy(i->in.desired_by, by, sizeof(i->in.desired_by));
	if (ledger_write(i) == 0)
		return 0;
	snprintf(text, UPD_TEXT_SIZE, "cannot write what is wanted of %s: "
	    "%s", i->name, strerror(errno));
	i->in = before;
	return -1;
}

void
service_wish(struct instance *i, int running, const char *by)
{
	char	 text[UPD_TEXT_SIZE];

	if (closing.on || i->in.desired == running)
		return;
	log_notice("take down that %s is wanted %s, by %s", i->name, running ?
	    "running" : "stopped", by);
	if (want(i, running, by, text) == -1)
		log_warnx("%s", text);
}

/* UPD_OK: the waiter will be told when it is reached; else with text. */
static enum upd_error
operate(struct instance *i, enum upd_op op, const char *by,
    struct waiter *w, char *text)
{
	char		 why[UPD_TEXT_SIZE];
	const char	*none;

	if (closing.on) {
		strlcpy(text, "the daemon is going down", UPD_TEXT_SIZE);
		return UPD_EFULL;
	}
	if (op != OP_START && op != OP_STOP && op != OP_RESTART) {
		strlcpy(text, "not a command for a service", UPD_TEXT_SIZE);
		return UPD_EBADREQ;
	}
	if (want(i, op != OP_STOP, by, text) == -1)
		return UPD_EIO;
	snprintf(why, sizeof(why), "%s by %.256s", op_name(op), by);
	log_notice("%s %s for %s", op_name(op), i->name, by);
	if (op == OP_STOP) {
		i->verdict = VERDICT_NONE;
		w->kind = WAIT_STOP;
		TAILQ_INSERT_TAIL(&i->waiters, w, entry);
		service_clear(i);
		if (i->stuck) {
			/* Maybe he has done something about it. */
			i->stuck = 0;
			i->backend->stop(i);
		}
		service_stop(i, why);
		return UPD_OK;
	}
	if ((none = instance_norelease(i)) != NULL) {
		strlcpy(text, none, UPD_TEXT_SIZE);
		return UPD_ENOTFOUND;
	}
	if (agent_isheld(i->agent)) {
		strlcpy(text, "an update is in flight and will start it",
		    UPD_TEXT_SIZE);
		return UPD_EBUSY;
	}
	if (op == OP_RESTART)
		service_stop(i, why);
	service_clear(i);
	w->kind = WAIT_START;
	TAILQ_INSERT_TAIL(&i->waiters, w, entry);
	(void)service_start(i, why, text);
	if (observe_ishampered(i))
		waiters_tell(i, WAIT_START, UPD_EIO, note_text(&i->why));
	return UPD_OK;
}

void
service_op(struct instance *i, enum upd_op op, const char *by,
    service_done done, void *arg)
{
	struct waiter	*w;
	enum upd_error	 error;
	char		 text[UPD_TEXT_SIZE];

	if ((w = waiter_new(done, arg)) == NULL) {
		done(arg, UPD_EIO, "out of memory");
		return;
	}
	/* With UPD_OK it is no longer ours: it may have its answer already. */
	if ((error = operate(i, op, by, w, text)) == UPD_OK)
		return;
	w->error = error;
	strlcpy(w->text, text, sizeof(w->text));
	timer_in(&w->ev, 0);
}

int
service_waits(void)
{
	struct instance	*i;

	TAILQ_FOREACH(i, &all_instances, all)
		if (!TAILQ_EMPTY(&i->waiters))
			return 1;
	return 0;
}

/* --- the end of the daemon ------------------------------------------- */

static void
closing_done(int fd, short what, void *arg)
{
	service_flush();
	closing.done(closing.arg);
}

void
service_left(void)
{
	struct instance	*i;

	if (!closing.on || closing.told)
		return;
	TAILQ_FOREACH(i, &all_instances, all)
		if (!i->backend->foreign && !service_isdown(i))
			return;
	closing.told = 1;
	timer_in(&closing.ev, 0);
}

void
service_shutdown(int keep, void (*done)(void *), void *arg)
{
	struct instance	*i;

	closing.on = 1;
	closing.told = keep;
	closing.done = done;
	closing.arg = arg;
	evtimer_set(&closing.ev, closing_done, NULL);
	TAILQ_FOREACH(i, &all_instances, all) {
		i->held = 1;
		evtimer_del(&i->delay_ev);
		quiet_end(i);
		if (keep || i->backend->foreign)
			health_end(i);
		else if (!service_isdown(i))
			service_stop(i, "the daemon stops");
	}
	if (keep)
		timer_in(&closing.ev, 0);
	else
		service_left();
}
