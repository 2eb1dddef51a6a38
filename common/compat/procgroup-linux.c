#include <sys/types.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "procgroup.h"

#define STAT_MAX	1024	/* bytes of a /proc/PID/stat looked at */

/* In the group, of that user, and no zombie. */
static int
is_member(pid_t pid, pid_t pgid, uid_t uid)
{
	struct stat	 st;
	char		 path[32], text[STAT_MAX], *p, state;
	ssize_t		 n;
	int		 fd, ppid, pgrp, ok;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	if ((fd = open(path, O_RDONLY | O_CLOEXEC)) == -1)
		return 0;
	n = read(fd, text, sizeof(text) - 1);
	ok = n > 0 && fstat(fd, &st) == 0 && st.st_uid == uid;
	close(fd);
	if (!ok)
		return 0;
	text[n] = '\0';
	/* The name stands in parentheses and may hold some itself. */
	return (p = strrchr(text, ')')) != NULL &&
	    sscanf(p + 1, " %c %d %d", &state, &ppid, &pgrp) == 3 &&
	    state != 'Z' && state != 'X' && pgrp == pgid;
}

/* 1 it was there, to be signalled; else 0. */
static int
signal_member(pid_t pid, pid_t pgid, uid_t uid, int sig)
{
	int	 fd, yes;

	fd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (fd == -1 && errno != ENOSYS)
		return 0;
	/* After the open: what the pidfd holds is what was looked at. */
	yes = is_member(pid, pgid, uid);
	if (yes && fd != -1)
		(void)syscall(SYS_pidfd_send_signal, fd, sig, NULL, 0);
	else if (yes)
		(void)kill(pid, sig);
	if (fd != -1)
		close(fd);
	return yes;
}

int
procgroup_signal(pid_t pgid, uid_t uid, int sig)
{
	struct dirent	*de;
	DIR		*dir;
	char		*end;
	long		 pid;
	int		 count = 0;

	if (pgid < 2) {
		errno = EINVAL;
		return -1;
	}
	/* The usual case, and much cheaper. */
	if (kill(-pgid, 0) == -1 && errno == ESRCH)
		return 0;
	if ((dir = opendir("/proc")) == NULL)
		return -1;
	while ((de = readdir(dir)) != NULL) {
		pid = strtol(de->d_name, &end, 10);
		if (*end != '\0' || pid < 2 || pid > INT_MAX ||
		    pid == getpid() || !is_member((pid_t)pid, pgid, uid))
			continue;
		if (sig == 0)
			count++;
		else
			count += signal_member((pid_t)pid, pgid, uid, sig);
	}
	closedir(dir);
	return count;
}
