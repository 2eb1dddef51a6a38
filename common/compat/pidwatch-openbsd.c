/*
 * Watching processes that are not our children, with kqueue: a queue per
 * process, whose descriptor the event loop watches.  The exit status comes
 * with the event.
 */
#include <sys/types.h>
#include <sys/event.h>
#include <sys/sysctl.h>
#include <sys/time.h>

#include <errno.h>
#include <event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "parent/reap.h"

#define BOOT_ID_SIZE	41
#define US_PER_S	1000000ULL

struct pidwatch {
	struct event	 ev;
	pid_t		 pid;
	int		 kq;
	int		 firing;	/* fn runs: it frees afterwards */
	void		(*fn)(void *, pid_t, int);
	void		*arg;
};

static void
gone(int fd, short event, void *arg)
{
	struct pidwatch	*w = arg;
	struct kevent	 kev;
	struct timespec	 now = { 0, 0 };
	int		 status = -1;

	if (kevent(w->kq, NULL, 0, &kev, 1, &now) == 1 &&
	    (kev.fflags & NOTE_EXIT))
		status = (int)kev.data;
	w->firing = 1;
	w->fn(w->arg, w->pid, status);
	close(w->kq);
	free(w);
}

struct pidwatch *
pidwatch_add(pid_t pid, void (*fn)(void *, pid_t, int), void *arg)
{
	struct pidwatch	*w;
	struct kevent	 kev;
	int		 saved;

	if ((w = calloc(1, sizeof(*w))) == NULL)
		return NULL;
	w->pid = pid;
	w->fn = fn;
	w->arg = arg;
	if ((w->kq = kqueue()) == -1)
		goto fail;
	EV_SET(&kev, pid, EVFILT_PROC, EV_ADD, NOTE_EXIT, 0, NULL);
	if (kevent(w->kq, &kev, 1, NULL, 0, NULL) == -1)
		goto fail;
	event_set(&w->ev, w->kq, EV_READ, gone, w);
	if (event_add(&w->ev, NULL) == -1)
		goto fail;
	return w;
 fail:
	saved = errno;
	if (w->kq != -1)
		close(w->kq);
	free(w);
	errno = saved;
	return NULL;
}

void
pidwatch_del(struct pidwatch *w)
{
	if (w == NULL || w->firing)
		return;
	event_del(&w->ev);
	close(w->kq);
	free(w);
}

/* 0, or -1: no such process. */
static int
look_up(pid_t pid, struct kinfo_proc *kp)
{
	size_t	 len = sizeof(*kp);
	int	 mib[6] = { CTL_KERN, KERN_PROC, KERN_PROC_PID, pid,
		    sizeof(*kp), 1 };

	return pid > 0 && sysctl(mib, 6, kp, &len, NULL, 0) == 0 &&
	    len != 0 ? 0 : -1;
}

uint64_t
pid_starttime(pid_t pid)
{
	struct kinfo_proc	 kp;

	if (look_up(pid, &kp) == -1 || kp.p_stat == SDEAD)
		return 0;
	return kp.p_ustart_sec * US_PER_S + kp.p_ustart_usec;
}

pid_t
pid_parent(pid_t pid)
{
	struct kinfo_proc	 kp;

	return look_up(pid, &kp) == 0 ? kp.p_ppid : 0;
}

const char *
boot_id(void)
{
	static char	 id[BOOT_ID_SIZE];
	struct timeval	 tv;
	size_t		 len = sizeof(tv);
	int		 mib[2] = { CTL_KERN, KERN_BOOTTIME };

	if (id[0] != '\0')
		return id;
	if (sysctl(mib, 2, &tv, &len, NULL, 0) == -1)
		strlcpy(id, "unknown", sizeof(id));
	else
		snprintf(id, sizeof(id), "%lld.%06ld", (long long)tv.tv_sec,
		    (long)tv.tv_usec);
	return id;
}
