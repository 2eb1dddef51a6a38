/*
 * Seeing what becomes of a slot.
 *
 * s6-supervise renames a new status file into supervise/ at each change:
 * that is the event, and costs nothing while nothing happens.  What it
 * means is asked of s6-svstat, one child per change and a few at a time.
 * supervise/ may be its user's, who can make that hang: it has a deadline.
 * (The file itself is not read here: its form is s6's own, and changed.)
 * With neither s6-svscan nor s6-supervise there is nobody to ask; where one
 * of them is there, the other may only be between two lives.
 *
 * What the service has written is read from its logger's directory, which
 * is the user's own: no link is followed there, and only a file of that
 * user is taken, so that root reads nothing for him.
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
#include "launch.h"
#include "log.h"
#include "s6.h"
#include "svstat.h"
#include "timer.h"

#include "compat/beneath.h"

#define FINISHED_US	1000000	/* a process and its finish may take less */
#define ASK_MAX		4	/* s6-svstat at once */
#define ASK_MS		5000	/* for its answer */
#define ASK_TAIL	512	/* bytes of it */
#define READ_MAX	CAPTURE_TAIL	/* bytes of a log */

TAILQ_HEAD(lookouts, s6);
static struct lookouts	 queue = TAILQ_HEAD_INITIALIZER(queue);
static int		 asking;
static struct lookouts	 absent = TAILQ_HEAD_INITIALIZER(absent);
static struct event	 absent_ev;

static void	 next(void);

const char *
s6_program(const char *name)
{
	static const char *const dirs[] = { "/command", "/usr/local/bin",
				    "/usr/bin", "/bin",
				    "/package/admin/s6/command" };
	static char		 path[3][64];
	static int		 turn;
	char			*p = path[turn];
	size_t			 n;

	turn = (turn + 1) % 3;
	for (n = 0; n < sizeof(dirs) / sizeof(dirs[0]); n++) {
		snprintf(p, sizeof(path[0]), "%s/%s", dirs[n], name);
		if (access(p, X_OK) == 0)
			return p;
	}
	return name;
}

/* The slot's directory, or -1. */
static int
open_slot(struct s6 *x)
{
	char	 text[UPD_TEXT_SIZE];
	int	 scan, slot;

	if ((scan = scan_open(x->scan, 0, text)) == -1)
		return -1;
	slot = scan_slot(x->scan, scan, x->i->name);
	close(scan);
	return slot;
}

/* --- its changes ------------------------------------------------------- */

static void
changed(void *arg)
{
	struct s6	*x = arg;

	s6_look(x->i);
}

void
s6_watch(struct s6 *x)
{
	static int	 said;
	int		 slot, fd;

	if (x->watch != NULL || (slot = open_slot(x)) == -1)
		return;
	fd = beneath_open(slot, "supervise", O_RDONLY | O_DIRECTORY |
	    O_CLOEXEC, 0);
	close(slot);
	if (fd == -1)
		return;
	x->watch = dirwatch_add(fd, changed, x);
	/* Else we should be told of each of our own looks at it. */
	if (x->watch != NULL)
		dirwatch_ignore(x->watch, "control");
	else if (!said++)
		log_warn("watch slot %s: raise fs.inotify.max_user_watches",
		    x->i->name);
	close(fd);
}

/* --- asking ------------------------------------------------------------ */

/* Does s6-svscan run there? */
static int
is_scanned(struct s6 *x)
{
	char	 text[UPD_TEXT_SIZE];
	int	 scan, alive;

	if ((scan = scan_open(x->scan, 0, text)) == -1)
		return 0;
	alive = scandir_isalive(scan);
	close(scan);
	return alive;
}

int
s6_isseen(struct s6 *x)
{
	const struct sighting	*s = observe_last(x->i);
	int			 slot, listens;

	if (x->watch == NULL || x->waiting || x->asking != NULL ||
	    x->absent || s == NULL || !s->known ||
	    (slot = open_slot(x)) == -1)
		return 0;
	listens = slot_issupervised(slot, 0);
	close(slot);
	return listens;
}

/* Nothing is to be seen there, and why. */
static void
unseen(struct s6 *x, int slot, struct sighting *s)
{
	char	 text[UPD_TEXT_SIZE];
	int	 scan, alive = 0, foreign = 0;

	memset(s, 0, sizeof(*s));
	s->status = -1;
	if ((scan = scan_open(x->scan, 0, text)) != -1) {
		alive = scandir_isalive(scan);
		foreign = slot == -1 && faccessat(scan, x->i->name, F_OK,
		    AT_SYMLINK_NOFOLLOW) == 0;
		close(scan);
	}
	if (foreign)
		snprintf(s->text, sizeof(s->text), "its slot in %.60s is not "
		    "updaterd's: give the service another name",
		    x->scan->path);
	else if (slot == -1)
		snprintf(s->text, sizeof(s->text), "there is no slot for it "
		    "in %.100s", x->scan->path);
	else if (!alive)
		snprintf(s->text, sizeof(s->text), "s6-svscan does not run "
		    "on %.100s", x->scan->path);
	else if (slot_issupervised(slot, 0))
		snprintf(s->text, sizeof(s->text), "s6-svstat does not say "
		    "how it is: try it by hand, as root");
	else
		snprintf(s->text, sizeof(s->text), "s6-svscan does not "
		    "supervise it%s", x->late ? "; it takes so many "
		    "services only: see its -c" : "");
}

/* Did it ever end under this supervisor?  Else its exit code means
 * nothing. */
static int
has_died(int slot)
{
	struct stat	 st;

	return fstatat(slot, "supervise/death_tally", &st,
	    AT_SYMLINK_NOFOLLOW) == 0 && st.st_size > 0;
}

/* Its supervisor is still to come, or listens and has not written its
 * status yet. */
static int
is_early(struct s6 *x, int slot)
{
	if (x->starting)
		return 1;
	if (slot == -1 || time_mono_ms() >= x->poll_end ||
	    !slot_issupervised(slot, 0))
		return 0;
	s6_poll(x);
	return 1;
}

/*
 * 1 that is the last word of a supervisor that has gone: the one of now has
 * not written its own yet, and that process is none of its children.
 */
static int
is_old(int slot, const struct sighting *s)
{
	pid_t	 supervisor, parent;

	if (!s->up || (supervisor = slot_supervisor(slot)) == 0)
		return 0;
	parent = pid_parent(s->pid);
	return parent != 0 && parent != supervisor;
}

/*
 * A file `down` that does not hold for what runs: it is ours, and empty, or
 * `finish` made it for a process before.  The one that it makes for this
 * process holds, which may have ended meanwhile; the clock of files is some
 * milliseconds behind.
 */
static int
is_stale(const struct instance *i, int slot)
{
	struct stat	 st;

	return fstatat(slot, "down", &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    (st.st_size == 0 || (int64_t)st.st_mtim.tv_sec * 1000000 +
	    st.st_mtim.tv_nsec / 1000 + FINISHED_US < i->in.started_at);
}

/* Somebody else's start or stop is to hold for its next supervisor, too; not
 * so what runs past one that has gone. */
static void
agree(struct instance *i, const struct sighting *s)
{
	struct s6	*x = i->priv;
	char		 text[UPD_TEXT_SIZE];
	int		 scan, slot, up = i->in.desired;

	/* In an update, or on its way down, that has its say; one that is
	 * parked has its own reason to be down. */
	if (x == NULL || i->agent == NULL || agent_isheld(i->agent) ||
	    (up ? !s->up || !i->in.running ||
	    i->state == SERVICE_STOPPING : i->state != SERVICE_DOWN) ||
	    (scan = scan_open(x->scan, 0, text)) == -1)
		return;
	slot = scan_slot(x->scan, scan, i->name);
	close(scan);
	if (slot == -1)
		return;
	if ((up ? is_stale(i, slot) : !slot_isdown(slot)) &&
	    slot_setdown(slot, !up) == -1)
		log_warn("keep %s %s", i->name, up ? "up" : "down");
	close(slot);
}

/* The answer of s6-svstat, NULL: none.  Last of all: it may be the end of
 * x. */
static void
answer(struct s6 *x, const char *output, int told)
{
	struct instance	*i = x->i;
	struct sighting	 s;
	int		 slot = open_slot(x), early;

	if (slot == -1) {
		/* It comes back as another one, if at all. */
		dirwatch_del(x->watch);
		x->watch = NULL;
	}
	if (slot == -1 || output == NULL || svstat_parse(output,
	    time_real_us(), &s) == -1)
		unseen(x, slot, &s);
	else if (is_old(slot, &s)) {
		unseen(x, slot, &s);
		s6_watch(x);
	} else {
		s.ours = slot_isdown(slot);
		if (!s.up && !has_died(slot))
			s.status = -1;
		s6_watch(x);
	}
	early = !s.known && is_early(x, slot);
	if (slot != -1)
		close(slot);
	/* What was asked before our start does not count, another follows. */
	if (early || told)
		return;
	service_observed(i, &s);
	if (i->backend == &s6_backend)
		agree(i, &s);
}

static void
asked(void *arg, const struct command_result *r)
{
	struct s6	*x = arg;
	int		 again = x->again, told = x->told;

	asking--;
	x->asking = NULL;
	x->again = x->told = 0;
	if (again)
		s6_look(x->i);
	next();
	answer(x, r->status == 0 ? r->output : NULL, told);
}

/* Nobody is there to be asked. */
static int
is_absent(struct s6 *x)
{
	int	 slot, listens = 0;

	if ((slot = open_slot(x)) != -1) {
		listens = slot_issupervised(slot, 0);
		close(slot);
	}
	return !listens && !is_scanned(x);
}

/* That is told from the loop, as an answer is; if it is still so. */
static void
tell_absent(int fd, short what, void *arg)
{
	struct s6	*x;
	size_t		 n = 0;

	TAILQ_FOREACH(x, &absent, turn)
		n++;
	/* Those that come meanwhile have their turn after this. */
	for (; n > 0 && (x = TAILQ_FIRST(&absent)) != NULL; n--) {
		TAILQ_REMOVE(&absent, x, turn);
		x->absent = 0;
		if (is_absent(x))
			answer(x, NULL, 0);
		else
			s6_look(x->i);
	}
}

static void
absent_add(struct s6 *x)
{
	x->absent = 1;
	TAILQ_INSERT_TAIL(&absent, x, turn);
	if (!evtimer_initialized(&absent_ev))
		evtimer_set(&absent_ev, tell_absent, NULL);
	timer_in(&absent_ev, 0);
}

/* Ask for that one.  0, or -1: it cannot be asked. */
static int
ask(struct s6 *x)
{
	const char		*words[] = { s6_program("s6-svstat"), "-o",
				    SVSTAT_FIELDS, ".", NULL };
	struct args		 argv = { (char **)words, 4 };
	struct command_conf	 cc;
	int			 slot;

	/* Also where there is none: the answer is to come from the loop. */
	if ((slot = open_slot(x)) == -1 &&
	    (slot = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC)) == -1)
		return -1;
	memset(&cc, 0, sizeof(cc));
	cc.argv = &argv;
	cc.dirfd = slot;
	cc.timeout_ms = ASK_MS;
	cc.tail = ASK_TAIL;
	x->asking = command_start(&cc, asked, x);
	close(slot);
	return x->asking == NULL ? -1 : 0;
}

static void
next(void)
{
	struct s6	*x;

	while (asking < ASK_MAX && (x = TAILQ_FIRST(&queue)) != NULL) {
		TAILQ_REMOVE(&queue, x, turn);
		x->waiting = 0;
		if (is_absent(x))
			absent_add(x);
		else if (ask(x) == 0)
			asking++;
		else
			log_warn("ask for the state of %s", x->i->name);
	}
}

void
s6_look(struct instance *i)
{
	struct s6	*x = i->priv;

	if (x == NULL || x->waiting || x->absent)
		return;
	if (x->asking != NULL) {
		x->again = 1;
		return;
	}
	x->waiting = 1;
	TAILQ_INSERT_TAIL(&queue, x, turn);
	next();
}

void
s6_look_end(struct s6 *x)
{
	if (x->waiting)
		TAILQ_REMOVE(&queue, x, turn);
	if (x->absent)
		TAILQ_REMOVE(&absent, x, turn);
	if (x->asking != NULL) {
		command_cancel(x->asking);
		asking--;
	}
	x->waiting = x->absent = x->told = 0;
	x->asking = NULL;
	dirwatch_del(x->watch);
	x->watch = NULL;
	next();
}

/* --- its output -------------------------------------------------------- */

/* What the logger writes now, or -1. */
static int
open_log(struct instance *i, struct stat *st)
{
	struct expansion	 x;
	struct identity		 id;
	char			 path[1024], text[UPD_TEXT_SIZE];
	int			 root, fd = -1, ok;

	if (i->conf == NULL)
		return -1;
	ok = instance_expand(i, &x, text) == 0 && x.log != NULL &&
	    (size_t)snprintf(path, sizeof(path), "%s/current", x.log + 1) <
	    sizeof(path);
	expansion_free(&x);
	if (!ok || (root = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC)) ==
	    -1)
		return -1;
	ok = identity_lookup(&id, i->conf->user, i->conf->group, NULL,
	    text) == 0;
	if (ok)
		fd = beneath_open(root, path, O_RDONLY | O_NONBLOCK |
		    O_CLOEXEC, 0);
	close(root);
	if (fd != -1 && (fstat(fd, st) == -1 || !S_ISREG(st->st_mode) ||
	    st->st_uid != id.uid)) {
		close(fd);
		fd = -1;
	}
	identity_free(&id);
	return fd;
}

void
s6_output(struct instance *i)
{
	struct s6	*x = i->priv;
	struct stat	 st;
	char		*data;
	ssize_t		 n;
	int		 fd;

	if (x == NULL || (fd = open_log(i, &st)) == -1)
		return;
	if (st.st_ino != x->log.ino || st.st_size < x->log.pos)
		x->log.pos = 0;		/* it was rotated */
	x->log.ino = st.st_ino;
	if (st.st_size - x->log.pos > READ_MAX)
		x->log.pos = st.st_size - READ_MAX;
	if (st.st_size > x->log.pos && (data = malloc(READ_MAX)) != NULL) {
		n = pread(fd, data, READ_MAX, x->log.pos);
		if (n > 0) {
			tail_add(&i->capture.tail, data, (size_t)n);
			x->log.pos += n;
		}
		free(data);
	}
	close(fd);
}
