/*
 * Watching directories with kqueue: a queue per directory, which keeps it
 * open.  A file in it that is written without being renamed is not noticed.
 */
#include <sys/types.h>
#include <sys/event.h>
#include <sys/time.h>

#include <errno.h>
#include <event.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "dirwatch.h"

struct dirwatch {
	struct event	 ev;
	int		 kq;
	int		 fd;		/* the directory */
	int		 telling;	/* fn runs: it may delete us */
	int		 deleted;
	void		(*fn)(void *);
	void		*arg;
};

static void
dirwatch_free(struct dirwatch *w)
{
	if (w->kq != -1)
		close(w->kq);
	if (w->fd != -1)
		close(w->fd);
	free(w);
}

static void
changed(int kq, short what, void *arg)
{
	struct dirwatch	*w = arg;
	struct kevent	 kev;
	struct timespec	 now = { 0, 0 };

	if (kevent(kq, NULL, 0, &kev, 1, &now) != 1)
		return;
	w->telling = 1;
	w->fn(w->arg);
	w->telling = 0;
	if (w->deleted)
		dirwatch_free(w);
}

struct dirwatch *
dirwatch_add(int fd, void (*fn)(void *), void *arg)
{
	struct dirwatch	*w;
	struct kevent	 kev;
	int		 saved;

	if ((w = calloc(1, sizeof(*w))) == NULL)
		return NULL;
	w->fn = fn;
	w->arg = arg;
	w->kq = -1;
	if ((w->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0)) == -1 ||
	    (w->kq = kqueue()) == -1)
		goto fail;
	EV_SET(&kev, w->fd, EVFILT_VNODE, EV_ADD | EV_CLEAR,
	    NOTE_WRITE | NOTE_DELETE | NOTE_RENAME, 0, NULL);
	if (kevent(w->kq, &kev, 1, NULL, 0, NULL) == -1)
		goto fail;
	event_set(&w->ev, w->kq, EV_READ | EV_PERSIST, changed, w);
	if (event_add(&w->ev, NULL) == -1) {
		errno = ENOMEM;
		goto fail;
	}
	return w;
 fail:
	saved = errno;
	dirwatch_free(w);
	errno = saved;
	return NULL;
}

/* What is written is not told here. */
void
dirwatch_ignore(struct dirwatch *w, const char *name)
{
}

void
dirwatch_del(struct dirwatch *w)
{
	if (w == NULL || w->deleted)
		return;
	event_del(&w->ev);
	w->deleted = 1;
	if (!w->telling)
		dirwatch_free(w);
}
