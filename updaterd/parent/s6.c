/*
 * The supervisor s6: the service runs under s6-supervise, in a slot that
 * we make in the scan directory of somebody's s6-svscan.
 *
 * s6 restarts what dies, and anybody with the right to may start and stop
 * by s6-svc: what happens is seen (s6look.c) and told to observe.c.  We
 * tell s6-supervise what we want by a byte in its control FIFO, and keep
 * the file `down` in agreement with it, for a supervisor that is killed and
 * comes again.
 *
 * A service is stopped, waited for, and started, which takes a few ms; s6's
 * own restart would wait for a second.  The slot goes through `current` and
 * is not touched by an update.  The end of updaterd stops nothing here.
 */
#include <sys/types.h>
#include <sys/stat.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "launch.h"
#include "log.h"
#include "remains.h"
#include "s6.h"
#include "s6record.h"
#include "timer.h"
#include "unitleave.h"
#include "util.h"

#define POLL_MIN	5	/* ms, between looks for a supervisor */
#define POLL_MAX	100	/* ms */
#define POLL_END	5000	/* ms; it takes 1 or 2, a second where the
				 * machine has other things to do */
#define KILL_EXTRA	3000	/* ms beyond the grace: s6 has not killed it */

static void	 poll_begin(struct s6 *);

/* --- the slot ---------------------------------------------------------- */

/* Who may control it, by the configuration of now. */
static void
take_owner(struct s6 *x)
{
	struct identity	 id;
	char		 text[UPD_TEXT_SIZE] = "";

	if (identity_lookup(&id, x->i->conf->scan_owner, NULL, NULL, text) ==
	    -1)
		/* Its slot is root's alone; the start says so as well. */
		log_warnx("give %s to its owner: %s", x->i->name, text);
	else {
		x->owner.uid = id.uid;
		x->owner.gid = id.gid;
	}
	identity_free(&id);
}

/* Whoever made it may have been killed before s6-svscan was told. */
static int
is_supervised(struct s6 *x, int scan)
{
	int	 slot = scan_slot(x->scan, scan, x->i->name), yes;

	if (slot == -1)
		return 0;
	yes = slot_issupervised(slot, 0);
	close(slot);
	return yes;
}

/*
 * 1 what ran of it before still does, under another supervisor or past one
 * that was killed: s6-svscan, if it comes now, is to start none beside it.
 */
static int
runs_before(struct s6 *x, int scan)
{
	struct instance	*i = x->i;

	return slot_runs(i->name) || unitleave_runs(i->name) ||
	    (observe_isthere(i) && (!i->observed->met || faccessat(scan,
	    i->name, F_OK, AT_SYMLINK_NOFOLLOW) == -1));
}

static enum published
publish(struct s6 *x, int scan, int down, int dry, char *text)
{
	struct slot		 slot;
	struct publication	 p;
	enum published		 r = PUBLISHED_FAILED;

	memset(&slot, 0, sizeof(slot));
	if (scan_isfixed(x->scan, x->i->name))
		snprintf(text, UPD_TEXT_SIZE, "the slot %s is somebody "
		    "else's by \"static\": give the service another name",
		    x->i->name);
	else if (s6slot_render(x->i, dry, &slot, text) == 0) {
		p.name = x->i->name;
		p.slot = &slot;
		p.mark = scan_mark();
		take_owner(x);
		p.owner = x->owner;
		p.down = down;
		/* s6-svscan may be about to start it. */
		p.hold = (!dry && scandir_isalive(scan)) ||
		    runs_before(x, scan);
		p.dry = dry;
		r = slot_publish(scan, &p, text);
	}
	slot_free(&slot);
	if (dry || r == PUBLISHED_FAILED)
		return r;
	x->loss.made = 1;
	s6record_write(x->i->name, x->scan->path);
	if (r == PUBLISHED_NEW) {
		log_info("make slot %s in %s", x->i->name, x->scan->path);
		/* Another supervisor: what the one before it has said, or is
		 * being asked for, is not of this one. */
		s6_look_end(x);
		observe_renewed(x->i);
		/* That one lives on without its directory, if somebody has
		 * removed it, until it is told to go. */
		if (scandir_rescan(scan, 1) == 0)
			poll_begin(x);
	} else if (!is_supervised(x, scan) &&
	    scandir_rescan(scan, 0) == 0)
		poll_begin(x);
	s6_watch(x);
	return r;
}

/*
 * 1 changed, 0 not, -1 with text.  Where s6-svscan runs it would start one
 * that is not supervised yet at once, before its stale files are gone and
 * what was before it has ended: that waits for s6_start().
 */
static int
s6_enroll(struct instance *i, int up, int dry, char *text)
{
	struct s6	*x = i->priv;
	struct stat	 st;
	enum published	 r;
	int		 scan;

	if (x == NULL) {
		strlcpy(text, "out of memory", UPD_TEXT_SIZE);
		return -1;
	}
	if (dry && stat(x->scan->path, &st) == -1 && errno == ENOENT)
		return 1;
	if ((scan = scan_open(x->scan, !dry, text)) == -1)
		return -1;
	r = publish(x, scan, !up, dry, text);
	close(scan);
	if (!dry)
		scan_review(x);
	/* One that is new is looked at once it is supervised. */
	if (!dry && !evtimer_pending(&x->poll_ev, NULL) &&
	    (r != PUBLISHED_SAME || !s6_isseen(x)))
		s6_look(i);
	/* One that must be made anew waits for its next start. */
	return r == PUBLISHED_FAILED ? -1 : r != PUBLISHED_SAME;
}

/* --- until it is supervised -------------------------------------------- */

/*
 * Up with it, its logger first, and only then is it to be up at the next
 * start of its supervisor: a daemon that is killed in between would leave
 * what looks as if its owner had stopped it.  0, or -1 with errno.
 */
static int
tell_up(int slot)
{
	(void)slot_control(slot, 1, "u");
	return slot_control(slot, 0, "u") == -1 ? -1 : slot_setdown(slot, 0);
}

void
s6_poll(struct s6 *x)
{
	timer_in(&x->poll_ev, x->poll_ms);
	x->poll_ms = x->poll_ms * 2 < POLL_MAX ? x->poll_ms * 2 : POLL_MAX;
}

static void
poll_timer(int nofd, short what, void *arg)
{
	struct s6	*x = arg;
	char		 text[UPD_TEXT_SIZE];
	int		 scan, slot = -1, listens = 0;

	if ((scan = scan_open(x->scan, 0, text)) != -1) {
		slot = scan_slot(x->scan, scan, x->i->name);
		close(scan);
	}
	if (slot != -1) {
		listens = slot_issupervised(slot, 0);
		if (listens && x->starting)
			x->starting = tell_up(slot) == -1;
		if (listens)
			x->told = x->asking != NULL;
		close(slot);
	}
	if (!listens && time_mono_ms() < x->poll_end) {
		s6_poll(x);
		return;
	}
	x->late = !listens;
	x->starting = 0;
	if (x->late)
		log_warnx("wait for s6-svscan on %s: it does not supervise "
		    "%s; it takes so many services only, see its -c",
		    x->scan->path, x->i->name);
	s6_look(x->i);
}

static void
poll_begin(struct s6 *x)
{
	x->poll_ms = POLL_MIN;
	x->poll_end = time_mono_ms() + POLL_END;
	timer_in(&x->poll_ev, 0);
}

/* --- start and stop ---------------------------------------------------- */

static void
withdrawn(void *arg)
{
	struct instance	*i;
	struct s6	*x;

	/* It may have gone meanwhile. */
	TAILQ_FOREACH(i, &all_instances, all)
		if (i->priv == arg)
			break;
	if (i == NULL || (x = i->priv)->starting == 0)
		return;
	x->starting = 0;
	if (i->state == SERVICE_STARTING)
		observe_asked(i);
}

/* One that was before it still runs: it is started behind that. */
static int
waits(struct s6 *x)
{
	x->starting = slot_await(x->i->name, withdrawn, x);
	return x->starting;
}

/* 1, with text. */
static int
await(struct s6 *x, char *text)
{
	snprintf(text, UPD_TEXT_SIZE, "waits for s6-svscan, which does not "
	    "run on %s", x->scan->path);
	scan_await(x->scan);
	return 1;
}

/* 1 a process of it runs of which its supervisor has not said a word: it
 * may be one that the supervisor knows nothing of. */
static int
is_unclear(const struct instance *i)
{
	const struct sighting	*s = observe_last(i);

	return (s == NULL || !s->known) && observe_isthere(i);
}

/* Without s6-svscan, which starts it when it comes.  As of bring_up(). */
static int
leave_up(struct s6 *x, int slot, char *text)
{
	/* Else it stays held down: see publish(). */
	if (!is_unclear(x->i)) {
		if (slot_setdown(slot, 0) == -1)
			return -1;
		if (service_getenv()->oneshot) {
			x->starting = 1;
			return 0;
		}
	}
	return await(x, text);
}

/* In its slot, which is as it should be.  As of struct backend. */
static int
bring_up(struct s6 *x, int scan, int slot, char *text)
{
	int	 unclear = is_unclear(x->i);

	if (!unclear && tell_up(slot) == 0) {
		/* What is being asked for is how it was before. */
		x->told = x->asking != NULL;
		s6_look(x->i);
		return 0;
	}
	if (scandir_rescan(scan, 0) == -1)
		return leave_up(x, slot, text);
	x->starting = !unclear;
	poll_begin(x);
	return unclear ? 2 : 0;
}

static int
s6_start(struct instance *i, char *text)
{
	struct s6	*x = i->priv;
	enum published	 r;
	int		 scan, slot = -1, ok = -1;

	if (x == NULL) {
		strlcpy(text, "out of memory", UPD_TEXT_SIZE);
		return -1;
	}
	evtimer_del(&x->kill_ev);
	if ((scan = scan_open(x->scan, 1, text)) == -1)
		return -1;
	if (waits(x)) {
		close(scan);
		return 0;
	}
	r = publish(x, scan, 0, 0, text);
	if (r == PUBLISHED_REBUILD) {
		/* It gets a logger, or loses it. */
		dirwatch_del(x->watch);
		x->watch = NULL;
		x->loss.made = 0;
		if (slot_withdraw(scan, i->name, NULL, NULL) == 0) {
			if (waits(x)) {
				close(scan);
				return 0;
			}
			r = publish(x, scan, 0, 0, text);
		}
	}
	if (r != PUBLISHED_FAILED && r != PUBLISHED_REBUILD &&
	    (slot = scan_slot(x->scan, scan, i->name)) != -1)
		ok = bring_up(x, scan, slot, text);
	if (ok == -1 && r != PUBLISHED_FAILED)
		snprintf(text, UPD_TEXT_SIZE, "cannot use the slot %s: %s",
		    i->name, strerror(errno));
	if (ok == -1) {
		x->starting = 0;
		evtimer_del(&x->poll_ev);
	}
	if (slot != -1)
		close(slot);
	close(scan);
	return ok;
}

static void
kill_timer(int nofd, short what, void *arg)
{
	struct s6	*x = arg;
	char		 text[UPD_TEXT_SIZE];
	int		 scan, slot;

	if (x->i->state != SERVICE_STOPPING)
		return;
	log_notice("kill %s: not stopped within %u ms", x->i->name,
	    x->i->stop_ms);
	if ((scan = scan_open(x->scan, 0, text)) != -1) {
		slot = scan_slot(x->scan, scan, x->i->name);
		if (slot == -1 || slot_control(slot, 0, "k") == -1)
			(void)observe_kill(x->i, SIGKILL);
		if (slot != -1)
			close(slot);
		close(scan);
	}
	s6_look(x->i);
}

static void
s6_stop(struct instance *i)
{
	struct s6	*x = i->priv;
	char		 text[UPD_TEXT_SIZE];
	int		 scan, slot = -1;

	if (x == NULL)
		return;
	x->starting = 0;
	evtimer_del(&x->poll_ev);
	if ((scan = scan_open(x->scan, 0, text)) != -1) {
		slot = scan_slot(x->scan, scan, i->name);
		close(scan);
	}
	if (slot != -1 && slot_setdown(slot, 1) == -1)
		log_warn("keep %s down", i->name);
	/* Past a supervisor that has gone. */
	if (slot == -1 || slot_control(slot, 0, "d") == -1)
		(void)observe_kill(i, i->stop_signal);
	if (slot != -1)
		close(slot);
	i->observed->grace_end = time_mono_ms() + i->stop_ms;
	timer_in(&x->kill_ev, i->stop_ms + KILL_EXTRA);
	s6_look(i);
}

/* --- its life ---------------------------------------------------------- */

static enum attach_result
s6_attach(struct instance *i)
{
	struct s6	*x;

	if ((x = calloc(1, sizeof(*x))) == NULL)
		return ATTACH_LATER;
	x->i = i;
	x->conf = i->conf;
	evtimer_set(&x->poll_ev, poll_timer, x);
	evtimer_set(&x->kill_ev, kill_timer, x);
	loss_init(x);
	take_owner(x);
	if ((x->scan = scan_get(i->conf, &x->owner)) == NULL) {
		free(x);
		return ATTACH_LATER;
	}
	TAILQ_INSERT_TAIL(&x->scan->slots, x, entry);
	i->priv = x;
	/* It may have been in another one. */
	if (!service_getenv()->dry)
		(void)s6record_withdraw(i->name, x->scan->path);
	return ATTACH_LATER;
}

static void
s6_rest(struct instance *i)
{
	struct s6	*x = i->priv;

	if (x != NULL)
		evtimer_del(&x->kill_ev);
}

static void
s6_forget(struct instance *i)
{
	struct s6	*x = i->priv;
	char		 text[UPD_TEXT_SIZE];
	int		 scan;

	if (x == NULL)
		return;
	i->priv = NULL;
	if ((scan = scan_open(x->scan, 0, text)) != -1) {
		if (slot_ismine(scan, i->name, scan_mark()))
			(void)s6record_takeout(scan, i->name, x->scan->path);
		else
			s6record_drop(i->name, x->scan->path);
		close(scan);
	}
	s6_look_end(x);
	evtimer_del(&x->poll_ev);
	evtimer_del(&x->kill_ev);
	loss_end(x);
	TAILQ_REMOVE(&x->scan->slots, x, entry);
	scan_put(x->scan);
	free(x);
}

static const char *
s6_containment(const struct instance *i)
{
	return remains_apply(i) ? "group" : "none";
}

/* --- slots without an instance ----------------------------------------- */

static void
s6_list(const struct service_conf *c, void (*fn)(void *, const char *),
    void *arg)
{
	struct args	 names = { NULL, 0 };
	struct dirent	*e;
	DIR		*d;
	size_t		 n;
	int		 scan;

	if ((scan = open(c->scandir, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) ==
	    -1)
		return;
	if ((d = fdopendir(scan)) == NULL) {
		close(scan);
		return;
	}
	while ((e = readdir(d)) != NULL)
		if (e->d_name[0] != '.' &&
		    slot_ismine(scan, e->d_name, scan_mark()))
			args_add(&names, e->d_name);
	closedir(d);
	for (n = 0; n < names.n; n++)
		fn(arg, names.v[n]);
	args_free(&names);
}

static void
s6_withdraw(const struct service_conf *c, const char *name)
{
	char	 text[UPD_TEXT_SIZE];
	int	 scan;

	if ((scan = scandir_open(c->scandir, 0, text)) == -1) {
		log_warnx("remove slot %s: %s", name, text);
		return;
	}
	(void)s6record_takeout(scan, name, c->scandir);
	close(scan);
}

const struct backend s6_backend = {
	.name		= "s6",
	.foreign	= 1,
	.group		= 1,
	.attach		= s6_attach,
	.start		= s6_start,
	.stop		= s6_stop,
	.drain		= observe_drain,
	.sweep		= observe_sweep,
	.rest		= s6_rest,
	.forget		= s6_forget,
	.containment	= s6_containment,
	.enroll		= s6_enroll,
	.look		= s6_look,
	.output		= s6_output,
	.list		= s6_list,
	.withdraw	= s6_withdraw,
};
