/*
 * OpenBSD has no boxes and does not show one process the environment of
 * another: containment is the process group.
 */
#include <sys/types.h>
#include <sys/socket.h>

#include <errno.h>
#include <signal.h>

#include "contain.h"

int
box_open(const char *name, char *path, size_t size, int *old)
{
	errno = ENOSYS;
	return -1;
}

int
box_reopen(const char *name, char *path, size_t size)
{
	errno = ENOSYS;
	return -1;
}

int
box_find(pid_t pid, const char *name, char *path, size_t size)
{
	errno = ENOSYS;
	return -1;
}

pid_t
box_fork(int box, int move)
{
	errno = ENOSYS;
	return -1;
}

int
cgroup_path(const char *group, char *path, size_t size)
{
	errno = ENOSYS;
	return -1;
}

int
box_kill(int box)
{
	errno = ENOSYS;
	return -1;
}

int
box_populated(int box)
{
	errno = ENOSYS;
	return -1;
}

int
box_remove(const char *path)
{
	errno = ENOSYS;
	return -1;
}

int
stray_sweep(const char *mark, pid_t sid, int sig)
{
	errno = ENOSYS;
	return -1;
}

int
pid_signal(pid_t pid, uint64_t start, int sig, uint64_t (*starttime)(pid_t))
{
	if (pid < 2) {
		errno = EINVAL;
		return -1;
	}
	if (start != 0 && starttime(pid) != start) {
		errno = ESRCH;
		return -1;
	}
	return kill(pid, sig);
}

/* The size of a pipe is the kernel's affair. */
void
pipe_grow(int fd, int bytes)
{
}

/* Datagrams carry no credentials; the socket's mode keeps others out. */
int
cred_enable(int fd)
{
	return 0;
}

ssize_t
cred_recv(int fd, void *data, size_t size, uid_t *uid)
{
	*uid = (uid_t)-1;
	return recv(fd, data, size, MSG_DONTWAIT);
}
