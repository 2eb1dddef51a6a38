/*
 * Watching processes that are not our children, with pidfds.
 *
 * Such a process cannot be waited for, but its status can be had: from
 * /proc/PID/stat (field 52) while it is a zombie, which holds its pid;
 * once its parent has collected it, from the pidfd itself since Linux
 * 6.15.  In that order, because the second begins when the first ends.
 * Before 6.15 a quick reaper wins and the status is not known.
 */
#include <sys/types.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include <errno.h>
#include <event.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "parent/reap.h"
#include "util.h"

#define STAT_MAX	4096	/* bytes of /proc/PID/stat */
#define STAT_PARENT	4	/* fields, counted from 1, proc(5) */
#define STAT_START	22
#define STAT_STATUS	52
#define BOOT_ID		"/proc/sys/kernel/random/boot_id"
#define BOOT_ID_SIZE	41
#define READ_TRIES	3

/* linux/pidfd.h of 6.15; the first 64 bytes, which never change. */
struct pidfd_exit {
	uint64_t	 mask;
	uint64_t	 cgroupid;
	uint32_t	 ids[11];	/* pid, tgid, ppid, users, groups */
	int32_t		 exit_code;
};
#define PIDFD_GET_EXIT	_IOWR(0xff, 11, struct pidfd_exit)
#define PIDFD_HAS_EXIT	(1ULL << 3)

struct pidwatch {
	struct event	 ev;
	pid_t		 pid;
	int		 fd;
	int		 firing;	/* fn runs: it frees afterwards */
	uint64_t	 start;
	void		(*fn)(void *, pid_t, int);
	void		*arg;
};

struct stat_info {
	char		 state;
	pid_t		 parent;
	uint64_t	 start;		/* clock ticks since boot */
	int		 status;	/* as from waitpid(2), of a zombie */
};

/* What is there, or NULL.  A passing want of descriptors or memory must not
 * make a living process a dead one, nor this boot another. */
static char *
read_proc(const char *path, size_t *len)
{
	char	*data = NULL;
	int	 fd, i;

	for (i = 0; i < READ_TRIES && data == NULL; i++) {
		if ((fd = open(path, O_RDONLY | O_CLOEXEC)) == -1) {
			if (errno == ENOENT || errno == ESRCH)
				return NULL;
			continue;
		}
		data = fd_read(fd, STAT_MAX, len);
		if (data == NULL && errno == ESRCH)
			i = READ_TRIES;
		close(fd);
	}
	return data;
}

/* 0, or -1: no such process, or an odd file. */
static int
read_stat(pid_t pid, struct stat_info *info)
{
	char		 path[40], *data, *p, *end;
	unsigned long long v;
	size_t		 len;
	int		 i;

	snprintf(path, sizeof(path), "/proc/%ld/stat", (long)pid);
	if ((data = read_proc(path, &len)) == NULL)
		return -1;
	memset(info, 0, sizeof(*info));
	/* The command, field 2, may hold anything, parentheses too. */
	if ((p = strrchr(data, ')')) == NULL || p[1] != ' ' || p[2] == '\0')
		goto odd;
	info->state = p[2];
	p += 3;
	for (i = STAT_PARENT; i <= STAT_STATUS; i++) {
		/* Some are negative; those we want are not. */
		v = strtoull(p, &end, 10);
		if (end == p)
			goto odd;
		p = end;
		if (i == STAT_PARENT)
			info->parent = (pid_t)v;
		else if (i == STAT_START)
			info->start = v;
		else if (i == STAT_STATUS)
			info->status = (int)v;
	}
	free(data);
	return 0;
 odd:
	free(data);
	errno = EINVAL;
	return -1;
}

static int
exit_status(const struct pidwatch *w)
{
	struct stat_info	 info;
	struct pidfd_exit	 ex;

	if (read_stat(w->pid, &info) == 0 && info.state == 'Z' &&
	    info.start == w->start)
		return info.status;
	memset(&ex, 0, sizeof(ex));
	ex.mask = PIDFD_HAS_EXIT;
	if (ioctl(w->fd, PIDFD_GET_EXIT, &ex) == 0 &&
	    (ex.mask & PIDFD_HAS_EXIT))
		return ex.exit_code;
	return -1;
}

static void
gone(int fd, short event, void *arg)
{
	struct pidwatch	*w = arg;

	w->firing = 1;
	w->fn(w->arg, w->pid, exit_status(w));
	close(w->fd);
	free(w);
}

struct pidwatch *
pidwatch_add(pid_t pid, void (*fn)(void *, pid_t, int), void *arg)
{
	struct stat_info	 info;
	struct pidwatch		*w;
	int			 saved;

	if ((w = calloc(1, sizeof(*w))) == NULL)
		return NULL;
	w->pid = pid;
	w->fn = fn;
	w->arg = arg;
	w->fd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (w->fd == -1)
		goto fail;
	/* A zombie has gone, too; its status is told like any other. */
	if (read_stat(pid, &info) == -1) {
		errno = ESRCH;
		goto fail;
	}
	w->start = info.start;
	event_set(&w->ev, w->fd, EV_READ, gone, w);
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
pidwatch_del(struct pidwatch *w)
{
	if (w == NULL || w->firing)
		return;
	event_del(&w->ev);
	close(w->fd);
	free(w);
}

uint64_t
pid_starttime(pid_t pid)
{
	struct stat_info	 info;

	if (pid <= 0 || read_stat(pid, &info) == -1)
		return 0;
	if (info.state == 'Z' || info.state == 'X')
		return 0;
	return info.start;
}

pid_t
pid_parent(pid_t pid)
{
	struct stat_info	 info;

	return pid > 0 && read_stat(pid, &info) == 0 ? info.parent : 0;
}

const char *
boot_id(void)
{
	static char	 id[BOOT_ID_SIZE];
	char		*data;
	size_t		 len;

	if (id[0] != '\0')
		return id;
	if ((data = read_proc(BOOT_ID, &len)) != NULL) {
		data[strcspn(data, "\n")] = '\0';
		strlcpy(id, data, sizeof(id));
	}
	free(data);
	if (id[0] == '\0')
		strlcpy(id, "unknown", sizeof(id));
	return id;
}
