/*
 * Watching directories with inotify: one queue for all.  The system knows
 * a directory by its inode and gives two watches of the same one the same
 * number; so a number may stand for several of ours.
 *
 * What is told is only that something changed, so the loss of events when
 * the queue overflows is made good by telling everybody.
 */
#include <sys/types.h>
#include <sys/inotify.h>
#include <sys/queue.h>

#include <errno.h>
#include <event.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dirwatch.h"

#define CHANGES		(IN_CREATE | IN_DELETE | IN_MOVED_FROM |	\
			IN_MOVED_TO | IN_CLOSE_WRITE | IN_DELETE_SELF |	\
			IN_MOVE_SELF | IN_ONLYDIR)
#define READ_SIZE	16384	/* bytes of events a turn */

struct dirwatch {
	TAILQ_ENTRY(dirwatch) entry;
	int		 wd;		/* -1: the directory has gone */
	int		 due;		/* to be told */
	const char	*ignored;	/* when written; NULL: none */
	void		(*fn)(void *);
	void		*arg;
};
static TAILQ_HEAD(, dirwatch)	 watches = TAILQ_HEAD_INITIALIZER(watches);
static int			 queue = -1;
static struct event		 queue_ev;

/* fn may remove any of them, so the list is gone through anew each time. */
static void
tell(void)
{
	struct dirwatch	*w;

 again:
	TAILQ_FOREACH(w, &watches, entry) {
		if (!w->due)
			continue;
		w->due = 0;
		w->fn(w->arg);
		goto again;
	}
}

static void
note(const struct inotify_event *e)
{
	struct dirwatch	*w;

	TAILQ_FOREACH(w, &watches, entry) {
		if (w->wd != e->wd && !(e->mask & IN_Q_OVERFLOW))
			continue;
		if ((e->mask & IN_CLOSE_WRITE) && w->ignored != NULL &&
		    e->len > 0 && strcmp(e->name, w->ignored) == 0)
			continue;
		w->due = 1;
		if (e->mask & IN_IGNORED)
			w->wd = -1;
	}
}

static void
readable(int fd, short what, void *arg)
{
	union {
		struct inotify_event	 first;
		char			 data[READ_SIZE];
	} u;
	const struct inotify_event	*e;
	char				*p;
	ssize_t				 n;

	if ((n = read(fd, u.data, sizeof(u.data))) <= 0)
		return;
	for (p = u.data; p < u.data + n; p += sizeof(*e) + e->len) {
		e = (const struct inotify_event *)(void *)p;
		note(e);
	}
	tell();
}

/* 0, or -1 with errno. */
static int
open_queue(void)
{
	if (queue != -1)
		return 0;
	if ((queue = inotify_init1(IN_NONBLOCK | IN_CLOEXEC)) == -1)
		return -1;
	event_set(&queue_ev, queue, EV_READ | EV_PERSIST, readable, NULL);
	if (event_add(&queue_ev, NULL) == 0)
		return 0;
	close(queue);
	queue = -1;
	errno = ENOMEM;
	return -1;
}

struct dirwatch *
dirwatch_add(int fd, void (*fn)(void *), void *arg)
{
	struct dirwatch	*w;
	char		 path[32];
	int		 saved;

	if (open_queue() == -1 || (w = calloc(1, sizeof(*w))) == NULL)
		return NULL;
	/* By name, but by one that means just this descriptor. */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if ((w->wd = inotify_add_watch(queue, path, CHANGES)) == -1) {
		saved = errno;
		free(w);
		errno = saved;
		return NULL;
	}
	w->fn = fn;
	w->arg = arg;
	TAILQ_INSERT_TAIL(&watches, w, entry);
	return w;
}

void
dirwatch_ignore(struct dirwatch *w, const char *name)
{
	w->ignored = name;
}

void
dirwatch_del(struct dirwatch *w)
{
	struct dirwatch	*other;

	if (w == NULL)
		return;
	TAILQ_REMOVE(&watches, w, entry);
	TAILQ_FOREACH(other, &watches, entry)
		if (other->wd == w->wd)
			break;
	if (other == NULL && w->wd != -1)
		(void)inotify_rm_watch(queue, w->wd);
	free(w);
}
