/*
 * Watching control groups with inotify: what systemd makes in cgroup2 is
 * made by mkdir(2), and told like any other directory.
 *
 * A group that is empty for a while may go, and its watch with it, which
 * nobody tells (kernfs does not say IN_DELETE_SELF).  So those above it are
 * watched, too, for the next one on the way; when that comes or goes all
 * watches are made anew.
 */
#include <sys/types.h>
#include <sys/inotify.h>

#include <errno.h>
#include <event.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cgwatch.h"
#include "contain.h"

#define EVENTS_SIZE	16384	/* bytes of events taken at once */
#define GROUP_SIZE	1024	/* bytes of a group's path */
#define DEPTH_MAX	16	/* levels of a group's path */
#define TRIES_MAX	8	/* groups that come and go meanwhile */

struct cgwatch {
	struct event	 ev;
	int		 fd;		/* inotify */
	int		 wd[DEPTH_MAX];	/* "/" first; -1: is not there */
	char		*name[DEPTH_MAX];	/* in group; "/" has none */
	int		 depth;		/* wd[depth] is of the group itself */
	char		 group[GROUP_SIZE];	/* cut up */
	void		(*fn)(void *, const char *);
	void		*arg;
};

/* "/a/b" is two names.  0, or -1. */
static int
split(struct cgwatch *w, const char *group)
{
	char	*p, *name;

	if (group[0] != '/' ||
	    strlcpy(w->group, group + 1, GROUP_SIZE) >= GROUP_SIZE)
		return -1;
	for (p = w->group; (name = strsep(&p, "/")) != NULL; ) {
		if (*name == '\0')
			continue;
		if (w->depth + 1 == DEPTH_MAX)
			return -1;
		w->name[++w->depth] = name;
	}
	return 0;
}

/* The directory of the first so many levels.  0, or -1 with errno. */
static int
level_path(const struct cgwatch *w, int level, char *path, size_t size)
{
	char	 group[GROUP_SIZE] = "";
	int	 i;

	for (i = 1; i <= level; i++) {
		strlcat(group, "/", sizeof(group));
		strlcat(group, w->name[i], sizeof(group));
	}
	return cgroup_path(group[0] != '\0' ? group : "/", path, size);
}

/* Watch what is there of it.  0, or -1 with errno. */
static int
watch(struct cgwatch *w)
{
	char	 path[PATH_MAX];
	int	 i, tries = 0;

	for (i = 0; i <= w->depth; i++) {
		if (w->wd[i] != -1)
			(void)inotify_rm_watch(w->fd, w->wd[i]);
		w->wd[i] = -1;
	}
	for (i = 0; i <= w->depth; i++) {
		if (level_path(w, i, path, sizeof(path)) == -1)
			return -1;
		w->wd[i] = inotify_add_watch(w->fd, path, IN_CREATE |
		    IN_DELETE | IN_ONLYDIR);
		if (w->wd[i] != -1)
			continue;
		if (errno != ENOENT || i == 0)
			return -1;
		/* It may have come before the one above was watched. */
		if (access(path, F_OK) == -1 || ++tries == TRIES_MAX)
			return 0;
		i--;
	}
	return 0;
}

/* 1 if the watches must be made anew. */
static int
take(struct cgwatch *w, const struct inotify_event *e)
{
	int	 i;

	if (e->mask & IN_Q_OVERFLOW)
		return 1;
	for (i = 0; i <= w->depth; i++)
		if (w->wd[i] == e->wd)
			break;
	if (i > w->depth || e->len == 0)
		return 0;		/* of one watched before */
	if (i < w->depth)
		return strcmp(e->name, w->name[i + 1]) == 0;
	if (e->mask & IN_CREATE)
		w->fn(w->arg, e->name);
	return 0;
}

static void
readable(int fd, short what, void *arg)
{
	char	 data[EVENTS_SIZE]
		    __attribute__((aligned(__alignof__(struct inotify_event))));
	const struct inotify_event *e;
	struct cgwatch	*w = arg;
	ssize_t		 n;
	char		*p;
	int		 anew = 0;

	n = read(fd, data, sizeof(data));
	for (p = data; n > 0 && p < data + n; p += sizeof(*e) + e->len) {
		e = (const struct inotify_event *)p;
		anew |= take(w, e);
	}
	if (anew) {
		(void)watch(w);
		w->fn(w->arg, NULL);
	}
}

struct cgwatch *
cgwatch_add(const char *group, void (*fn)(void *, const char *), void *arg)
{
	struct cgwatch	*w;
	int		 i, saved;

	if ((w = calloc(1, sizeof(*w))) == NULL)
		return NULL;
	for (i = 0; i < DEPTH_MAX; i++)
		w->wd[i] = -1;
	w->fn = fn;
	w->arg = arg;
	w->fd = -1;
	if (split(w, group) == -1) {
		errno = EINVAL;
		goto fail;
	}
	w->fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (w->fd == -1 || watch(w) == -1)
		goto fail;
	event_set(&w->ev, w->fd, EV_READ | EV_PERSIST, readable, w);
	if (event_add(&w->ev, NULL) == -1)
		goto fail;
	return w;
 fail:
	saved = errno;
	if (w->fd != -1)
		close(w->fd);
	free(w);
	errno = saved;
	return NULL;
}

void
cgwatch_del(struct cgwatch *w)
{
	if (w == NULL)
		return;
	event_del(&w->ev);
	close(w->fd);
	free(w);
}
