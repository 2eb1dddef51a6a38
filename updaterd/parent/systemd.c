/*
 * Services that systemd runs, each as a unit of its own: the operator's,
 * or one that the release ships.  What is asked of it goes through
 * systemctl.c; what becomes of that, and all else, is seen by unitlook.c.
 *
 * A start is, in this order: the unit's file put in place, if the release
 * ships it; daemon-reload, if it changed; reset-failed, if it ran before
 * (or systemd refuses it after a few starts); start.  A stop is systemd's
 * own, so that the unit's settings hold; what is left of it after the
 * service's `stop within` is killed.
 *
 * systemd forgets a unit that is at rest and that no other unit mentions,
 * and with it how the process ended and whether it was told to stop.  So
 * each unit is held by a target of ours, updaterd-watch@UNIT.target, which
 * does nothing but to be after it.
 */
#include <sys/types.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "expand.h"
#include "instance.h"
#include "log.h"
#include "systemd.h"
#include "timer.h"
#include "unitfile.h"
#include "unitleave.h"
#include "unitrecord.h"
#include "util.h"

#define START_MS	95000	/* to a process; systemd's own is 90 s */
#define KILL_AGAIN_MS	1000	/* ms between two, while it lives */
#define KILLS_MAX	30	/* as with our own: it survives KILL */
#define KILLS_REFUSED	3	/* and nor does systemctl stop it */

struct units all_units = TAILQ_HEAD_INITIALIZER(all_units);

static int
is_idle(const struct unit *u, enum systemctl_verb verb)
{
	return u->call[verb].state == CALL_IDLE;
}

/* --- answers of systemctl ---------------------------------------------- */

/* What failed, behind where there is more about it: it may be cut off. */
static void
say(const struct unit *u, const char *error, char *text, size_t size)
{
	snprintf(text, size, "see systemctl status %.70s: %.220s", u->name,
	    error);
}

static void
reloaded(void *arg, const struct unitstate *st, const char *error)
{
	struct unit	*u = arg;
	char		 text[UPD_TEXT_SIZE];

	if (error[0] == '\0' || !u->starting)
		return;
	/* It would start what it has loaded: the release before. */
	systemctl_drop(&u->call[SYSTEMCTL_RESET]);
	systemctl_drop(&u->call[SYSTEMCTL_START]);
	say(u, error, text, sizeof(text));
	unitlook_refused(u, text);
}

static void
reset(void *arg, const struct unitstate *st, const char *error)
{
	struct unit	*u = arg;

	/* One that systemd has forgotten has nothing to be reset. */
	u->used = 0;
}

static void
started(void *arg, const struct unitstate *st, const char *error)
{
	struct unit	*u = arg;
	char		 text[UPD_TEXT_SIZE];

	if (error[0] != '\0' && u->starting) {
		say(u, error, text, sizeof(text));
		unitlook_refused(u, text);
	} else
		unitlook_now(u);
}

/* A stop; it is asked for again and again. */
static void
refused(struct unit *u, const char *error)
{
	if (strncmp(u->refusal, error, sizeof(u->refusal) - 1) == 0)
		return;
	if (error[0] != '\0' && u->last.load == UNIT_LOADED)
		log_warnx("stop unit %s: %s", u->name, error);
	strlcpy(u->refusal, error, sizeof(u->refusal));
}

static void
stopped(void *arg, const struct unitstate *st, const char *error)
{
	struct unit	*u = arg;

	refused(u, error);
	if (error[0] != '\0' && u->stopping)
		unitlook_again(u);	/* and ask again */
	else
		unitlook_now(u);
}

static void
killed(void *arg, const struct unitstate *st, const char *error)
{
	struct unit	*u = arg;

	if (error[0] != '\0' && u->stopping && u->kills == 1)
		log_warnx("kill unit %s: %s", u->name, error);
	unitlook_now(u);
}

static void
held(void *arg, const struct unitstate *st, const char *error)
{
	struct unit	*u = arg;

	if (error[0] != '\0')
		log_warnx("hold unit %s: %s; a stop by others may be taken "
		    "for a crash", u->name, error);
}

/* --- the unit of an instance ------------------------------------------- */

static void
unit_calls(struct unit *u)
{
	static void	(*const done[])(void *, const struct unitstate *,
			    const char *) = {
		[SYSTEMCTL_SHOW]	= unitlook_seen,
		[SYSTEMCTL_RELOAD]	= reloaded,
		[SYSTEMCTL_RESET]	= reset,
		[SYSTEMCTL_START]	= started,
		[SYSTEMCTL_STOP]	= stopped,
		[SYSTEMCTL_KILL]	= killed,
	};
	int	 v;

	for (v = 0; v < SYSTEMCTL__MAX; v++)
		systemctl_init(&u->call[v], (enum systemctl_verb)v,
		    v == SYSTEMCTL_RELOAD ? "" : u->name, done[v], u);
	systemctl_init(&u->hold, SYSTEMCTL_START, u->pin, held, u);
}

static void
unit_drop(struct unit *u)
{
	int	 v;

	for (v = 0; v < SYSTEMCTL__MAX; v++)
		systemctl_drop(&u->call[v]);
	systemctl_drop(&u->hold);
}

/* Whoever waits for its end is not to wait for ever. */
static void
give_up(struct unit *u)
{
	char	 error[UPD_TEXT_SIZE], text[UPD_TEXT_SIZE];

	if (u->refusal[0] != '\0')
		snprintf(error, sizeof(error), "it does not stop: %s",
		    u->refusal);
	else
		strlcpy(error, "it does not stop, and survives KILL",
		    sizeof(error));
	say(u, error, text, sizeof(text));
	service_stuck(u->i, text);
}

/* Its time to stop is over. */
static void
grace_over(int fd, short what, void *arg)
{
	struct unit	*u = arg;

	if (!u->stopping)
		return;
	if (u->kills++ >= (u->refusal[0] != '\0' ? KILLS_REFUSED :
	    KILLS_MAX)) {
		give_up(u);
		return;
	}
	if (u->kills == 1 && u->pid != 0 && !u->gone)
		log_notice("kill %s: not stopped within %u ms", u->i->name,
		    u->i->stop_ms);
	systemctl_ask(&u->call[SYSTEMCTL_KILL]);
	timer_in(&u->grace_ev, KILL_AGAIN_MS);
}

/* The name that the configuration gives it.  0, or -1 with text. */
static int
unit_name(const struct instance *i, char *name, char *text)
{
	struct expansion	 x;
	int			 r;

	if ((r = instance_expand(i, &x, text)) == 0 && (x.unit == NULL ||
	    !unitname_isvalid(x.unit))) {
		snprintf(text, UPD_TEXT_SIZE, "\"%.100s\" is not fit for the "
		    "name of a unit", x.unit != NULL ? x.unit : "");
		r = -1;
	}
	if (r == 0)
		strlcpy(name, x.unit, UNIT_NAME_SIZE);
	expansion_free(&x);
	return r;
}

void
unit_told(struct unit *u, uint64_t told)
{
	if (u->told == told)
		return;
	u->told = told;
	unitrecord_write(u->i->name, u->name, u->installed, told);
}

/* Its unit was on its way out: an end that was asked for comes first. */
static void
unit_retake(struct unit *u)
{
	if (unitleave_retake(u->name) != RETAKEN_STOPPING)
		return;
	u->stopping = 1;
	timer_in(&u->grace_ev, u->i->stop_ms > 0 ? u->i->stop_ms : 1);
}

/* From now on it is that one, of which nothing is known yet. */
static void
unit_take(struct unit *u, const char *name, int installed, uint64_t told)
{
	u->starting = u->stopping = u->seen = u->blind = u->kills = 0;
	u->refusal[0] = '\0';
	u->used = 1;		/* who knows */
	u->pid = 0;
	u->installed = installed;
	u->told = told;
	u->ours = told != 0;
	memset(&u->last, 0, sizeof(u->last));
	unitlog_forget(u);
	strlcpy(u->name, name, sizeof(u->name));
	u->pin[0] = '\0';
	unit_calls(u);
	unitlook_init(u);
	if (name[0] == '\0')
		return;
	if (unitrecord_pin(u->name, u->pin) == -1)
		log_warn("write unit to hold %s", u->name);
	unitrecord_write(u->i->name, u->name, u->installed, u->told);
	unit_retake(u);
	if (u->pin[0] != '\0')
		systemctl_ask(&u->hold);
}

/* It had another unit, and was given this one while updaterd was away: what
 * is recorded of it is of the other. */
static void
unit_changed(struct instance *i, const char *from, const char *to)
{
	log_info("take unit %s for %s instead of %s", to, i->name, from);
	(void)unitleave_withdraw(i->name);
	instance_noprocess(i);
}

static enum attach_result
systemd_attach(struct instance *i)
{
	struct unit		*u;
	struct unitrecord	 r;
	char			 name[UNIT_NAME_SIZE], text[UPD_TEXT_SIZE];
	int			 known = unitrecord_read(i->name, &r);

	if (unit_name(i, name, text) == -1) {
		log_warnx("supervise %s: %s", i->name, text);
		name[0] = '\0';
	}
	if ((u = calloc(1, sizeof(*u))) == NULL) {
		log_warnx("supervise %s: out of memory", i->name);
		return ATTACH_NONE;
	}
	i->priv = u;
	u->i = i;
	evtimer_set(&u->grace_ev, grace_over, u);
	TAILQ_INSERT_TAIL(&all_units, u, entry);
	if (known && name[0] != '\0' && strcmp(r.unit, name) != 0) {
		unit_changed(i, r.unit, name);
		known = 0;
	}
	/* What was installed is known to be so until it is taken away. */
	unit_take(u, name, i->conf->units_install || (known && r.installed),
	    known ? r.told : 0);
	unitlook_now(u);
	return ATTACH_LATER;
}

static void
unit_free(int fd, short what, void *arg)
{
	free(arg);
}

/* Whoever told what led to this may still look at it: it is freed from the
 * loop. */
static void
systemd_forget(struct instance *i)
{
	struct unit	*u = i->priv;

	if (u == NULL)
		return;
	i->priv = NULL;
	TAILQ_REMOVE(&all_units, u, entry);
	unit_drop(u);
	evtimer_del(&u->grace_ev);
	unitlook_end(u);
	(void)unitleave_withdraw(i->name);
	u->ended = 1;
	evtimer_set(&u->free_ev, unit_free, u);
	timer_in(&u->free_ev, 0);
}

/* --- what is asked ------------------------------------------------------ */

/* Put the release's unit file in place.  0, or -1 with text. */
static int
install(struct unit *u, char *text)
{
	const struct store	*s = u->i->agent->store;
	int			 dir, r;

	dir = openat(s->relfd, s->current, O_RDONLY | O_DIRECTORY |
	    O_NOFOLLOW | O_CLOEXEC);
	if (dir == -1) {
		snprintf(text, UPD_TEXT_SIZE, "cannot open release %s: %s",
		    s->current, strerror(errno));
		return -1;
	}
	r = unitfile_install(dir, u->name, text);
	close(dir);
	if (r == -1)
		return -1;
	if (r == 1)
		log_info("install unit %s of release %s", u->name,
		    s->current);
	/* The last time may have been cut off between the two. */
	if (r == 1 || u->last.stale)
		systemctl_ask(&u->call[SYSTEMCTL_RELOAD]);
	return 0;
}

/* Its file is the release's no longer: what the operator has is to hold.  0,
 * or -1 with text. */
static int
uninstall(struct unit *u, char *text)
{
	int	 r = 0;

	if (!unitrecord_isshared(u->name) &&
	    (r = unitfile_remove(u->name)) == -1) {
		snprintf(text, UPD_TEXT_SIZE, "cannot remove file of unit "
		    "%s: %s", u->name, strerror(errno));
		return -1;
	}
	if (r == 1 || u->last.stale)
		systemctl_ask(&u->call[SYSTEMCTL_RELOAD]);
	return 0;
}

/* A reload may have given it another unit; it is down now.  0, or -1 with
 * text. */
static int
take_name(struct unit *u, char *text)
{
	struct instance	*i = u->i;
	char		 name[UNIT_NAME_SIZE];
	int		 installed = i->conf->units_install;

	if (unit_name(i, name, text) == -1)
		return -1;
	if (strcmp(name, u->name) != 0) {
		log_info("take unit %s for %s instead of %s", name, i->name,
		    u->name);
		unit_drop(u);
		unitlook_end(u);
		(void)unitleave_withdraw(i->name);
		unit_take(u, name, installed, 0);
	} else if (u->installed != installed) {
		if (!installed && uninstall(u, text) == -1)
			return -1;
		u->installed = installed;
		unitrecord_write(i->name, u->name, installed, u->told);
	}
	return 0;
}

static int
systemd_start(struct instance *i, char *text)
{
	struct unit	*u = i->priv;

	if (u == NULL) {
		strlcpy(text, "out of memory when it was configured",
		    UPD_TEXT_SIZE);
		return -1;
	}
	if (take_name(u, text) == -1)
		return -1;
	systemctl_drop(&u->call[SYSTEMCTL_SHOW]);
	if (i->conf->units_install && install(u, text) == -1)
		return -1;
	if (!i->conf->units_install && u->last.stale)
		log_warnx("start unit %s as systemd has it loaded, which is "
		    "not what its file says: systemctl daemon-reload",
		    u->name);
	/* With its end forgotten it looks as if somebody had stopped it. */
	if (u->used) {
		unit_told(u, time_mono_us());
		systemctl_ask(&u->call[SYSTEMCTL_RESET]);
	}
	u->starting = 1;
	u->stopping = u->ours = 0;
	evtimer_del(&u->grace_ev);
	u->asked = time_mono_us();
	unitlog_begin(u);
	systemctl_ask(&u->call[SYSTEMCTL_START]);
	return 0;
}

static void
systemd_stop(struct instance *i)
{
	struct unit	*u = i->priv;

	if (u == NULL)
		return;
	u->starting = 0;
	if (u->name[0] == '\0') {
		unitlook_now(u);
		return;
	}
	u->stopping = 1;
	u->kills = 0;
	u->refusal[0] = '\0';
	unit_told(u, time_mono_us());
	systemctl_drop(&u->call[SYSTEMCTL_SHOW]);
	if (!is_idle(u, SYSTEMCTL_START))
		systemctl_drop(&u->call[SYSTEMCTL_START]);
	systemctl_ask(&u->call[SYSTEMCTL_STOP]);
	/* While it ends, so that the next start need not wait for this. */
	systemctl_ask(&u->call[SYSTEMCTL_RESET]);
	timer_in(&u->grace_ev, i->stop_ms > 0 ? i->stop_ms : 1);
}

static void
systemd_look(struct instance *i)
{
	struct unit	*u = i->priv;

	if (u != NULL)
		unitlook_now(u);
}

static void
systemd_rest(struct instance *i)
{
}

static const char *
systemd_containment(const struct instance *i)
{
	return contain_levelname(CONTAIN_CGROUP);
}

const struct backend systemd_backend = {
	.name		= "systemd",
	.foreign	= 1,
	.start_ms	= START_MS,
	.attach		= systemd_attach,
	.start		= systemd_start,
	.stop		= systemd_stop,
	.drain		= observe_drain,
	.sweep		= observe_sweep,
	.rest		= systemd_rest,
	.forget		= systemd_forget,
	.containment	= systemd_containment,
	.look		= systemd_look,
	.output		= unitlog_mark,
	.list		= unitrecord_list,
	.withdraw	= unitleave_drop,
};
