/*
 * Scan directories, each once, however many services are in it.
 *
 * The directory is watched for slots that appear: those of ours that
 * another of us (updaterd -R) made, and static ones that s6-rc makes, on
 * which the owner gets his rights as soon as they are supervised; and for
 * those that go (s6loss.c).
 */
#include <sys/types.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "s6.h"
#include "s6given.h"
#include "timer.h"

#define GRANT_MIN	50	/* ms, between attempts */
#define GRANT_MAX	1000	/* ms */
#define GRANT_END	20000	/* ms; then at the next change */
#define COME_MIN	20	/* ms, between looks for s6-svscan */
#define COME_MAX	1000	/* ms */
#define COME_WARN	60000	/* ms, then it is amiss */
#define COME_AGAIN	3600000	/* ms, until that is said again */

static TAILQ_HEAD(, scan) scans = TAILQ_HEAD_INITIALIZER(scans);

static int
args_has(const struct args *a, const char *name)
{
	size_t	 n;

	for (n = 0; n < a->n; n++)
		if (strcmp(a->v[n], name) == 0)
			return 1;
	return 0;
}

/* Whoever may write there is root anyway, once it is supervised. */
static void
refuse(struct scan *s, const char *name)
{
	if (args_has(&s->refused, name))
		return;
	args_add(&s->refused, name);
	log_warnx("give no rights on slot %s/%s: others than root may write "
	    "to it, and so have root run what they like; chown root it, "
	    "chmod go-w", s->path, name);
}

/* 1 all static slots are done. */
static int
grant_all(struct scan *s, int fd)
{
	size_t	 n;
	int	 slot, done = 1;

	for (n = 0; n < s->fixed.n; n++) {
		if ((slot = scandir_slot(fd, s->fixed.v[n])) == -1) {
			if (errno == EPERM)
				refuse(s, s->fixed.v[n]);
			done = 0;
			continue;
		}
		/* Whoever had them before may still have them. */
		if ((s->owner.uid != 0 && rights_renew(slot, &s->owner, 0) ==
		    -1) || rights_grant(slot, &s->owner) == -1) {
			if (errno != ENOENT)
				log_warn("give rights on slot %s/%s",
				    s->path, s->fixed.v[n]);
			else
				done = 0;
		}
		close(slot);
	}
	return done;
}

static void
grant_timer(int nofd, short what, void *arg)
{
	struct scan	*s = arg;
	char		 text[UPD_TEXT_SIZE];
	int		 fd, done;

	if ((fd = scandir_open(s->path, 0, text)) == -1)
		return;
	done = grant_all(s, fd);
	close(fd);
	if (done || time_mono_ms() > s->end)
		return;
	timer_in(&s->ev, s->wait_ms);
	s->wait_ms = s->wait_ms * 2 < GRANT_MAX ? s->wait_ms * 2 : GRANT_MAX;
}

void
scan_grant(struct scan *s, int fd)
{
	if (s->fixed.n == 0 || grant_all(s, fd))
		return;
	s->wait_ms = GRANT_MIN;
	s->end = time_mono_ms() + GRANT_END;
	timer_in(&s->ev, GRANT_MIN);
}

/* --- another configuration ---------------------------------------------- */

/* A static slot is somebody else's from now on. */
static void
regrant(struct scan *s, int fd, const char *name)
{
	int	 slot;

	if ((slot = scandir_slot(fd, name)) == -1)
		return;
	if (rights_renew(slot, &s->owner, 0) == -1)
		log_warn("give rights on slot %s/%s", s->path, name);
	close(slot);
}

/* That of a slot's service; NULL: it is on its way out, or to another
 * supervisor, and has none of s6. */
static const struct service_conf *
conf_of(const struct s6 *x)
{
	const struct service_conf	*c = x->i->conf;

	return c != NULL && c->supervisor == SUPERVISE_S6 ? c : NULL;
}

/* What the services in it say now of static slots: the list is to be freed. */
static struct owner
collect(struct scan *s, struct args *names)
{
	const struct service_conf	*c;
	struct owner			 o = s->owner;
	struct s6			*x;
	size_t				 n;

	memset(names, 0, sizeof(*names));
	TAILQ_FOREACH(x, &s->slots, entry) {
		if ((c = conf_of(x)) == NULL || c->scan_static.n == 0 ||
		    strcmp(c->scandir, s->path) != 0)
			continue;
		o = x->owner;
		for (n = 0; n < c->scan_static.n; n++)
			if (!args_has(names, c->scan_static.v[n]))
				args_add(names, c->scan_static.v[n]);
	}
	return o;
}

static void
take_static(struct scan *s)
{
	struct args	 names, old = s->fixed;
	struct owner	 o = collect(s, &names);
	char		 text[UPD_TEXT_SIZE];
	size_t		 n;
	int		 fd, moved;

	moved = o.uid != s->owner.uid || o.gid != s->owner.gid;
	s->fixed = names;
	s->owner = o;
	given_note(s);
	if ((fd = scandir_open(s->path, 0, text)) != -1) {
		for (n = 0; moved && n < old.n; n++)
			if (args_has(&names, old.v[n]))
				regrant(s, fd, old.v[n]);
		scan_grant(s, fd);
		close(fd);
	}
	args_free(&old);
	args_free(&s->refused);
	given_settle();
}

static void
review(int nofd, short what, void *arg)
{
	struct scan			*s = arg;
	const struct service_conf	*c;
	const struct s6			*x;
	const char			*to = NULL;
	int				 n = 0, mount = 0;

	take_static(s);
	TAILQ_FOREACH(x, &s->slots, entry) {
		if ((c = conf_of(x)) == NULL)
			continue;
		if (strcmp(c->scandir, s->path) != 0) {
			to = c->scandir;
			n++;
		} else if (c->scan_mount)
			mount = 1;
	}
	if (n > 0)
		log_warnx("leave %d %s in %s: they move to %s when updaterd "
		    "is restarted", n, n == 1 ? "slot" : "slots", s->path, to);
	if (mount && !s->mount)
		log_warnx("mount nothing on %s now: \"mount\" takes effect "
		    "when updaterd is started before s6-svscan", s->path);
}

void
scan_review(struct s6 *x)
{
	if (x->conf == x->i->conf)
		return;
	x->conf = x->i->conf;
	timer_in(&x->scan->review_ev, 0);
}

/* --- until s6-svscan comes ---------------------------------------------- */

static int
is_alive(const struct scan *s)
{
	char	 text[UPD_TEXT_SIZE];
	int	 fd, alive;

	if ((fd = scandir_open(s->path, 0, text)) == -1)
		return 0;
	alive = scandir_isalive(fd);
	close(fd);
	return alive;
}

static void
come_look(int nofd, short what, void *arg)
{
	struct scan	*s = arg;
	struct s6	*x;
	int		 n = 0;

	if (is_alive(s)) {
		log_notice("find s6-svscan on %s", s->path);
		TAILQ_FOREACH(x, &s->slots, entry)
			observe_arrived(x->i);
		return;
	}
	TAILQ_FOREACH(x, &s->slots, entry)
		n += observe_awaits(x->i);
	if (n == 0)
		return;
	if (time_mono_ms() >= s->come_warn) {
		log_warnx("s6-svscan still does not run on %s, and %d %s: "
		    "start it", s->path, n, n == 1 ? "service waits for it" :
		    "services wait for it");
		s->come_warn = time_mono_ms() + COME_AGAIN;
	}
	s->come_ms = s->come_ms * 2 < COME_MAX ? s->come_ms * 2 : COME_MAX;
	timer_in(&s->come_ev, s->come_ms);
}

void
scan_await(struct scan *s)
{
	if (evtimer_pending(&s->come_ev, NULL))
		return;
	log_notice("wait for s6-svscan on %s: it does not run yet, and starts "
	    "what is wanted up", s->path);
	s->come_ms = COME_MIN;
	s->come_warn = time_mono_ms() + COME_WARN;
	timer_in(&s->come_ev, s->come_ms);
}

/* --- its changes -------------------------------------------------------- */

static void
changed(void *arg)
{
	struct scan	*s = arg;
	struct s6	*x;
	char		 text[UPD_TEXT_SIZE];
	int		 fd;

	loss_look(s);
	if (evtimer_pending(&s->come_ev, NULL)) {
		s->come_ms = COME_MIN;
		timer_in(&s->come_ev, s->come_ms);
	}
	TAILQ_FOREACH(x, &s->slots, entry)
		if (x->watch == NULL) {
			s6_watch(x);
			if (x->watch != NULL)
				s6_look(x->i);
		}
	if (s->fixed.n > 0 && (fd = scandir_open(s->path, 0, text)) != -1) {
		scan_grant(s, fd);
		close(fd);
	}
}

const char *
scan_mark(void)
{
	return service_getenv()->run_path;
}

int
scan_isfixed(const struct scan *s, const char *name)
{
	return args_has(&s->fixed, name);
}

int
scan_names(const char *path, const char *name)
{
	const struct scan	*s;

	TAILQ_FOREACH(s, &scans, entry)
		if (strcmp(s->path, path) == 0)
			return scan_isfixed(s, name);
	return 0;
}

int
scan_slot(const struct scan *s, int fd, const char *name)
{
	if (scan_isfixed(s, name)) {
		errno = EPERM;
		return -1;
	}
	return slot_open(fd, name, scan_mark());
}

/* Names that are not there yet. */
static void
take_fixed(struct scan *s, const struct service_conf *c,
    const struct owner *o)
{
	size_t	 n;

	for (n = 0; n < c->scan_static.n; n++)
		if (!scan_isfixed(s, c->scan_static.v[n]))
			args_add(&s->fixed, c->scan_static.v[n]);
	if (c->scan_static.n > 0)
		s->owner = *o;
	if (c->scan_mount)
		s->mount = 1;
}

struct scan *
scan_get(const struct service_conf *c, const struct owner *o)
{
	struct scan	*s;

	TAILQ_FOREACH(s, &scans, entry)
		if (strcmp(s->path, c->scandir) == 0)
			break;
	if (s == NULL) {
		if ((s = calloc(1, sizeof(*s))) == NULL ||
		    (s->path = strdup(c->scandir)) == NULL) {
			free(s);
			return NULL;
		}
		TAILQ_INIT(&s->slots);
		evtimer_set(&s->ev, grant_timer, s);
		evtimer_set(&s->come_ev, come_look, s);
		evtimer_set(&s->review_ev, review, s);
		loss_scan(s);
		TAILQ_INSERT_TAIL(&scans, s, entry);
	}
	take_fixed(s, c, o);
	return s;
}

void
scan_put(struct scan *s)
{
	if (s == NULL || !TAILQ_EMPTY(&s->slots))
		return;
	TAILQ_REMOVE(&scans, s, entry);
	evtimer_del(&s->ev);
	evtimer_del(&s->come_ev);
	evtimer_del(&s->review_ev);
	evtimer_del(&s->loss_ev);
	dirwatch_del(s->watch);
	args_free(&s->fixed);
	args_free(&s->refused);
	free(s->path);
	free(s);
}

int
scan_open(struct scan *s, int prepare, char *text)
{
	int	 fd;

	fd = scandir_open(s->path, prepare && s->mount, text);
	if (fd == -1 || !prepare || s->watch != NULL)
		return fd;
	/* The first time. */
	slot_sweep(fd);
	s->watch = dirwatch_add(fd, changed, s);
	if (s->watch == NULL)
		log_warn("watch %s", s->path);
	given_note(s);
	scan_grant(s, fd);
	return fd;
}
