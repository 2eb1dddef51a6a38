/*
 * <root>/<instance>.pid: the bare pid of a native service, for an operator's
 * scripts; we never read it.
 *
 * It is no part of a start: those of a thousand that are started in one go
 * are written behind the last of them, a few a turn of the loop.
 */
#include <sys/types.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "instance.h"
#include "log.h"
#include "timer.h"
#include "util.h"

#define FILES	32	/* written a turn of the loop */

void
pidfile_set(struct instance *i, pid_t pid)
{
	char	 name[UPD_INSTANCE_SIZE + 8], text[16];
	int	 fd, n, rootfd;

	i->native.unnoted = 0;
	if (i->agent == NULL || i->agent->store == NULL)
		return;
	rootfd = i->agent->store->rootfd;
	snprintf(name, sizeof(name), "%s.pid", i->name);
	/* Gone first, so that nobody takes an old one. */
	if (unlinkat(rootfd, name, 0) == -1 && errno != ENOENT) {
		log_warn("remove %s/%s", i->agent->store->root, name);
		return;
	}
	if (pid == 0)
		return;
	n = snprintf(text, sizeof(text), "%d\n", (int)pid);
	fd = openat(rootfd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW |
	    O_CLOEXEC, 0644);
	if (fd == -1 || write_all(fd, text, (size_t)n) == -1)
		log_warn("write %s/%s", i->agent->store->root, name);
	if (fd != -1)
		close(fd);
}

static void
all_due(int nofd, short what, void *arg)
{
	struct instance	*i;
	int		 n = 0;

	TAILQ_FOREACH(i, &all_instances, all) {
		if (!i->native.unnoted)
			continue;
		if (n++ == FILES) {
			pidfile_note(i);
			return;
		}
		pidfile_set(i, i->in.pid);
	}
}

void
pidfile_note(struct instance *i)
{
	static struct event	 ev;

	i->native.unnoted = 1;
	if (!evtimer_initialized(&ev))
		evtimer_set(&ev, all_due, NULL);
	if (!evtimer_pending(&ev, NULL))
		timer_in(&ev, 0);
}
