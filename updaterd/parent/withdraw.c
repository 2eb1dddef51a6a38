/*
 * Taking a slot out of its scan directory.
 *
 * s6-svscan ends only supervisors whose slot has gone from the directory
 * when it is told to look; and a directory that is removed under its
 * supervisor leaves that running.  So, in this order:
 *
 *	d	the service is told to stop
 *	rename	to a dot-name: gone for s6-svscan
 *	an	it looks, and ends both supervisors, which stop what they run
 *	wait	until nobody listens at either control FIFO
 *	remove
 *
 * A daemon that is killed in between leaves the dot-name: slot_sweep() goes
 * on from there.  Until nothing of it is left whoever starts the same service
 * anew has to wait: slot_await().
 */
#include <sys/types.h>
#include <sys/queue.h>
#include <sys/stat.h>

#include <dirent.h>
#include <errno.h>
#include <event.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "release.h"
#include "scandir.h"
#include "task.h"
#include "timer.h"
#include "util.h"

#define POLL_MIN	5	/* ms */
#define POLL_MAX	500	/* ms */
#define KILL_MS		30000	/* then the service is killed */
#define GIVE_UP_MS	60000	/* then it is left to slot_sweep() */
#define NAMES_MAX	16	/* of one that died that often */
#define REMOVE_MS	1000	/* between attempts to remove it */
#define REMOVE_TRIES	5

struct withdrawal {
	TAILQ_ENTRY(withdrawal)	 entry;
	int		 scan;		/* ours */
	int		 slot;		/* likewise */
	char		 dead[sizeof(SCANDIR_DEAD) + UPD_INSTANCE_SIZE + 4];
	struct event	 ev;
	uint32_t	 wait_ms;
	uint64_t	 begin;		/* monotonic ms */
	int		 killed;
	int		 tries;		/* to remove it */
	void		(*done)(void *);	/* all gone; or NULL */
	void		*arg;
	void		(*ended)(void *);	/* slot_await(); or NULL */
	void		*ended_arg;
};
static TAILQ_HEAD(, withdrawal) withdrawals =
    TAILQ_HEAD_INITIALIZER(withdrawals);

static void	 look(int, short, void *);

/* Whoever waits for it may start it anew. */
static void
tell_ended(struct withdrawal *w)
{
	void	(*ended)(void *) = w->ended;

	w->ended = NULL;
	if (ended != NULL)
		ended(w->ended_arg);
}

static void
finish(struct withdrawal *w)
{
	TAILQ_REMOVE(&withdrawals, w, entry);
	tell_ended(w);
	if (w->done != NULL)
		w->done(w->arg);
	close(w->scan);
	close(w->slot);
	free(w);
}

static void
remove_work(void *arg, struct task_result *r)
{
	struct withdrawal	*w = arg;

	tree_remove(w->scan, w->dead, r);
}

/* Later, or never: it does no harm under its dot-name. */
static void
remove_failed(struct withdrawal *w, const char *text)
{
	log_warnx("remove %s: %s", w->dead, text);
	if (++w->tries < REMOVE_TRIES)
		timer_in(&w->ev, REMOVE_MS);
	else
		finish(w);
}

static void
removed(void *arg, const struct task_result *r)
{
	struct withdrawal	*w = arg;

	if (r->error != UPD_OK)
		remove_failed(w, r->text);
	else
		finish(w);
}

static void
look(int fd, short what, void *arg)
{
	struct withdrawal	*w = arg;
	uint64_t		 gone = time_mono_ms() - w->begin;

	if (slot_isdead(w->slot)) {
		tell_ended(w);
		/* It may be large: its owner could write there. */
		if (task_start("withdraw", remove_work, w, &w->scan, 1,
		    removed, w) == NULL)
			remove_failed(w, strerror(errno));
		return;
	}
	if (gone > GIVE_UP_MS) {
		log_warnx("leave %s: its supervisor does not end; look at "
		    "s6-svscan", w->dead);
		finish(w);
		return;
	}
	if (gone > KILL_MS && !w->killed) {
		w->killed = 1;
		(void)slot_control(w->slot, 0, "k");
	}
	timer_in(&w->ev, w->wait_ms);
	w->wait_ms = w->wait_ms * 2 < POLL_MAX ? w->wait_ms * 2 : POLL_MAX;
}

/* Takes over the descriptor of the slot. */
static int
begin(int scan, int slot, const char *dead, void (*done)(void *), void *arg)
{
	struct withdrawal	*w;

	if ((w = calloc(1, sizeof(*w))) == NULL ||
	    (w->scan = fcntl(scan, F_DUPFD_CLOEXEC, 0)) == -1) {
		free(w);
		close(slot);
		return -1;
	}
	w->slot = slot;
	strlcpy(w->dead, dead, sizeof(w->dead));
	w->wait_ms = POLL_MIN;
	w->begin = time_mono_ms();
	w->done = done;
	w->arg = arg;
	evtimer_set(&w->ev, look, w);
	timer_in(&w->ev, 0);
	TAILQ_INSERT_TAIL(&withdrawals, w, entry);
	return 0;
}

/* That directory is being taken down already. */
static int
is_begun(int slot)
{
	struct withdrawal	*w;
	struct stat		 a, b;

	if (fstat(slot, &a) == -1)
		return 0;
	TAILQ_FOREACH(w, &withdrawals, entry)
		if (fstat(w->slot, &b) == 0 && a.st_ino == b.st_ino &&
		    a.st_dev == b.st_dev)
			return 1;
	return 0;
}

/* The service that was there, of a dot-name. */
static const char *
dead_name(const char *dead)
{
	const char	*p = dead + sizeof(SCANDIR_DEAD) - 1;

	p += strspn(p, "0123456789");
	return *p == '-' ? p + 1 : "";
}

/* To a dot-name that is free.  0, or -1 with errno. */
static int
rename_away(int scan, const char *name, char *dead, size_t size)
{
	struct stat	 st;
	int		 n;

	for (n = 0; n < NAMES_MAX; n++) {
		snprintf(dead, size, SCANDIR_DEAD "%d-%s", n, name);
		if (fstatat(scan, dead, &st, AT_SYMLINK_NOFOLLOW) == -1)
			return renameat(scan, name, scan, dead);
	}
	errno = EEXIST;
	return -1;
}

int
slot_withdraw(int scan, const char *name, void (*done)(void *), void *arg)
{
	char	 dead[sizeof(((struct withdrawal *)0)->dead)];
	int	 slot;

	slot = openat(scan, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW |
	    O_CLOEXEC);
	if (slot == -1)
		return -1;
	(void)slot_control(slot, 0, "d");
	if (rename_away(scan, name, dead, sizeof(dead)) == -1) {
		close(slot);
		return -1;
	}
	(void)scandir_rescan(scan, 1);
	return begin(scan, slot, dead, done, arg);
}

/* Of that name, with something that still runs; or NULL. */
static struct withdrawal *
find_alive(const char *name)
{
	struct withdrawal	*w;

	TAILQ_FOREACH(w, &withdrawals, entry)
		if (strcmp(dead_name(w->dead), name) == 0 &&
		    !slot_isdead(w->slot))
			break;
	return w;
}

int
slot_await(const char *name, void (*done)(void *), void *arg)
{
	struct withdrawal	*w;

	if ((w = find_alive(name)) == NULL)
		return 0;
	w->ended = done;
	w->ended_arg = arg;
	return 1;
}

int
slot_runs(const char *name)
{
	return find_alive(name) != NULL;
}

int
slot_isleaving(void)
{
	return !TAILQ_EMPTY(&withdrawals);
}

int
slot_leaves(int scan, const char *name, void (*done)(void *), void *arg)
{
	struct withdrawal	*w;
	struct stat		 a, b;
	int			 r = 0;

	if (fstat(scan, &a) == -1)
		return -1;
	TAILQ_FOREACH(w, &withdrawals, entry) {
		if (strcmp(dead_name(w->dead), name) != 0 ||
		    fstat(w->scan, &b) == -1 || a.st_ino != b.st_ino ||
		    a.st_dev != b.st_dev)
			continue;
		if (w->done == NULL && arg != NULL) {
			w->done = done;
			w->arg = arg;
			return 1;
		}
		r = -1;
	}
	return r;
}

/* Go on with one that was begun; its descriptor is taken over. */
static void
resume(int scan, int slot, const char *dead)
{
	if (is_begun(slot)) {
		close(slot);
		return;
	}
	(void)slot_control(slot, 0, "d");
	(void)scandir_rescan(scan, 1);
	if (begin(scan, slot, dead, NULL, NULL) == -1)
		log_warn("remove %s", dead);
}

void
slot_sweep(int scan)
{
	struct task_result	 r;
	struct dirent		*e;
	DIR			*d;
	int			 fd, slot;

	memset(&r, 0, sizeof(r));
	tree_remove(scan, SCANDIR_NEW, &r);
	if ((fd = openat(scan, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)) == -1)
		return;
	if ((d = fdopendir(fd)) == NULL) {
		close(fd);
		return;
	}
	while ((e = readdir(d)) != NULL) {
		if (strncmp(e->d_name, SCANDIR_DEAD,
		    sizeof(SCANDIR_DEAD) - 1) != 0)
			continue;
		slot = openat(scan, e->d_name, O_RDONLY | O_DIRECTORY |
		    O_NOFOLLOW | O_CLOEXEC);
		if (slot != -1)
			resume(scan, slot, e->d_name);
	}
	closedir(d);
}
