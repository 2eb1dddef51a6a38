/*
 * Containment on Linux: a cgroup v2 directory per box, made below the
 * cgroup that this daemon itself is in, on whichever mount point cgroup2
 * has.  No controller is needed: cgroup.kill and cgroup.events are there
 * in every cgroup but the root.
 *
 * A child is born inside its box (CLONE_INTO_CGROUP): moving it there
 * through cgroup.procs takes a lock that can cost 10 ms and more (12 ms
 * measured for the first move), right in a service's downtime.
 */
#include <sys/types.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <linux/sched.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "contain.h"

#define BOX_DEPTH	8	/* levels of boxes inside a box removed */
#define PROC_LINE	4096	/* bytes of one line in /proc */
#define ENVIRON_MAX	131072	/* bytes of an environment looked at */

/* --- boxes ---------------------------------------------------------- */

/* The path behind "0::" in a /proc/PID/cgroup.  0, or -1 with errno. */
static int
own_cgroup(const char *file, char *path, size_t size)
{
	char	 line[PROC_LINE];
	FILE	*fp;
	int	 found = 0;

	if ((fp = fopen(file, "re")) == NULL)
		return -1;
	while (!found && fgets(line, sizeof(line), fp) != NULL) {
		if (strncmp(line, "0::/", 4) != 0)
			continue;
		line[strcspn(line, "\n")] = '\0';
		/* "/..": outside of what our namespace shows */
		if (strncmp(line + 3, "/..", 3) == 0)
			continue;
		found = strlcpy(path, line + 3, size) < size;
	}
	fclose(fp);
	if (!found)
		errno = ENOENT;
	return found ? 0 : -1;
}

/*
 * Where cgroup2 is mounted, and which cgroup is the root of that mount.
 * Fields of mountinfo: id parent dev root mountpoint options [..] - type.
 */
static int
cgroup_mount(char *root, char *point, size_t size)
{
	char	 line[PROC_LINE], *f[5], *p, *type;
	FILE	*fp;
	int	 i, found = 0;

	if ((fp = fopen("/proc/self/mountinfo", "re")) == NULL)
		return -1;
	while (!found && fgets(line, sizeof(line), fp) != NULL) {
		if ((type = strstr(line, " - ")) == NULL ||
		    strncmp(type + 3, "cgroup2 ", 8) != 0)
			continue;
		*type = '\0';
		p = line;
		for (i = 0; i < 5; i++)
			if ((f[i] = strsep(&p, " ")) == NULL)
				break;
		/* A backslash: an escaped character, not worth knowing. */
		if (i < 5 || strchr(f[3], '\\') != NULL ||
		    strchr(f[4], '\\') != NULL)
			continue;
		found = strlcpy(root, f[3], size) < size &&
		    strlcpy(point, f[4], size) < size;
	}
	fclose(fp);
	if (!found)
		errno = ENOENT;
	return found ? 0 : -1;
}

/*
 * The same, asked once: the list of mounts takes the kernel longer than all
 * else that a start does here.  It is asked again once the mount point that
 * was remembered is not the very directory any more.
 */
static int
cgroup_known(const char **root, const char **point)
{
	static char	 known_root[PATH_MAX], known_point[PATH_MAX];
	static dev_t	 dev;
	static ino_t	 ino;
	struct stat	 st;

	if (known_point[0] == '\0' || lstat(known_point, &st) == -1 ||
	    st.st_dev != dev || st.st_ino != ino) {
		if (cgroup_mount(known_root, known_point,
		    sizeof(known_root)) == -1 ||
		    lstat(known_point, &st) == -1) {
			known_point[0] = '\0';
			return -1;
		}
		dev = st.st_dev;
		ino = st.st_ino;
	}
	*root = known_root;
	*point = known_point;
	return 0;
}

int
cgroup_path(const char *group, char *path, size_t size)
{
	const char	*root, *point, *rel = group;
	size_t		 len;
	int		 n;

	if (cgroup_known(&root, &point) == -1)
		return -1;
	len = strlen(root);
	if (len > 1 && strncmp(group, root, len) == 0 &&
	    (group[len] == '/' || group[len] == '\0'))
		rel = group + len;
	if (strcmp(rel, "/") == 0)
		rel = "";
	n = snprintf(path, size, "%s%s", point, rel);
	if (n < 0 || (size_t)n >= size) {
		errno = ENAMETOOLONG;
		return -1;
	}
	return 0;
}

/* The directory of the cgroup that a /proc/PID/cgroup names. */
static int
cgroup_dir(const char *file, char *path, size_t size)
{
	char	 own[PATH_MAX];

	if (own_cgroup(file, own, sizeof(own)) == -1)
		return -1;
	return cgroup_path(own, path, size);
}

static int
box_dir(const char *path)
{
	int	 fd, saved;

	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd == -1)
		return -1;
	if (faccessat(fd, "cgroup.procs", W_OK, 0) == -1 ||
	    faccessat(fd, "cgroup.events", R_OK, 0) == -1) {
		saved = errno;
		close(fd);
		errno = saved;
		return -1;
	}
	return fd;
}

/* The name behind that of the directory that boxes are in. */
static int
box_append(const char *name, char *path, size_t size)
{
	if (strlcat(path, "/", size) >= size ||
	    strlcat(path, name, size) >= size) {
		errno = ENAMETOOLONG;
		return -1;
	}
	return 0;
}

int
box_open(const char *name, char *path, size_t size, int *old)
{
	*old = 0;
	if (cgroup_dir("/proc/self/cgroup", path, size) == -1 ||
	    box_append(name, path, size) == -1)
		return -1;
	(void)rmdir(path);
	if (mkdir(path, 0755) == -1) {
		if (errno != EEXIST)
			return -1;
		*old = 1;
	}
	return box_dir(path);
}

int
box_reopen(const char *name, char *path, size_t size)
{
	int	 fd;

	if (cgroup_dir("/proc/self/cgroup", path, size) == -1 ||
	    access(path, W_OK | X_OK) == -1) {
		errno = ENOSYS;
		return -1;
	}
	if (box_append(name, path, size) == -1)
		return -1;
	if ((fd = box_dir(path)) == -1 && errno != ENOENT)
		errno = ENOSYS;
	return fd;
}

int
box_find(pid_t pid, const char *name, char *path, size_t size)
{
	char	 file[64], *last;

	snprintf(file, sizeof(file), "/proc/%d/cgroup", (int)pid);
	if (cgroup_dir(file, path, size) == -1)
		return -1;
	if ((last = strrchr(path, '/')) == NULL ||
	    strcmp(last + 1, name) != 0) {
		errno = ENOENT;
		return -1;
	}
	return box_dir(path);
}

/*
 * For kernels that cannot give birth there, and boxes that cannot be used
 * for it.  The child moves itself, before it does anything else: moved by
 * us, it could have children outside by then.
 */
static pid_t
fork_and_move(int box)
{
	pid_t	 pid;
	int	 fd, moved;

	if ((fd = openat(box, "cgroup.procs", O_WRONLY | O_CLOEXEC)) == -1)
		return -1;
	if ((pid = fork()) == 0) {
		/* Not moved is not fatal: its group is killed as well. */
		moved = write(fd, "0", 1) == 1;
		(void)moved;
	}
	close(fd);
	return pid;
}

pid_t
box_fork(int box, int move)
{
	struct clone_args	 ca;
	pid_t			 pid;

	if (move)
		return fork_and_move(box);
	memset(&ca, 0, sizeof(ca));
	ca.flags = CLONE_INTO_CGROUP;
	ca.exit_signal = SIGCHLD;
	ca.cgroup = (uint64_t)box;
	pid = (pid_t)syscall(SYS_clone3, &ca, sizeof(ca));
	if (pid == -1 && (errno == ENOSYS || errno == EINVAL ||
	    errno == E2BIG || errno == EPERM))
		return fork_and_move(box);
	return pid;
}

/* What cgroup.kill does, for kernels before 5.14. */
static int
kill_each(int box)
{
	char	 line[32];
	FILE	*fp;
	pid_t	 pid;
	int	 fd;

	if ((fd = openat(box, "cgroup.procs", O_RDONLY | O_CLOEXEC)) == -1)
		return -1;
	if ((fp = fdopen(fd, "r")) == NULL) {
		close(fd);
		return -1;
	}
	while (fgets(line, sizeof(line), fp) != NULL)
		/* 0: in a pid namespace that we cannot see */
		if ((pid = (pid_t)strtol(line, NULL, 10)) > 1 &&
		    pid != getpid())
			kill(pid, SIGKILL);
	fclose(fp);
	return 0;
}

int
box_kill(int box)
{
	int	 fd, r;

	fd = openat(box, "cgroup.kill", O_WRONLY | O_CLOEXEC);
	if (fd == -1)
		return kill_each(box);
	r = write(fd, "1", 1) == 1 ? 0 : -1;
	close(fd);
	return r;
}

int
box_populated(int box)
{
	char	 text[256], *p;
	ssize_t	 n;
	int	 fd;

	fd = openat(box, "cgroup.events", O_RDONLY | O_CLOEXEC);
	if (fd == -1)
		return -1;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n <= 0)
		return -1;
	text[n] = '\0';
	if ((p = strstr(text, "populated ")) == NULL) {
		errno = EINVAL;
		return -1;
	}
	return p[10] == '1';
}

/* Takes over the descriptor. */
static void
remove_inside(int fd, int depth)
{
	struct dirent	*de;
	DIR		*dir;
	int		 sub;

	if ((dir = fdopendir(fd)) == NULL) {
		close(fd);
		return;
	}
	while ((de = readdir(dir)) != NULL) {
		if (de->d_type != DT_DIR || de->d_name[0] == '.')
			continue;
		if (depth > 0 && (sub = openat(dirfd(dir), de->d_name,
		    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)) != -1)
			remove_inside(sub, depth - 1);
		unlinkat(dirfd(dir), de->d_name, AT_REMOVEDIR);
	}
	closedir(dir);
}

int
box_remove(const char *path)
{
	int	 fd;

	if (rmdir(path) == 0 || errno == ENOENT)
		return 0;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd != -1)
		remove_inside(fd, BOX_DEPTH);
	return rmdir(path);
}

/* --- strays --------------------------------------------------------- */

/* Session of a living process; -1: gone, or a zombie. */
static pid_t
proc_session(pid_t pid)
{
	char	 path[64], text[1024], *p, state;
	ssize_t	 n;
	int	 fd, ppid, pgrp, session;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	if ((fd = open(path, O_RDONLY | O_CLOEXEC)) == -1)
		return -1;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n <= 0)
		return -1;
	text[n] = '\0';
	/* The name stands in parentheses and may hold some itself. */
	if ((p = strrchr(text, ')')) == NULL ||
	    sscanf(p + 1, " %c %d %d %d", &state, &ppid, &pgrp,
	    &session) != 4 || state == 'Z' || state == 'X')
		return -1;
	return session;
}

/* Are its pids ours?  A container's processes show in our /proc, too. */
static int
proc_ourspace(pid_t pid)
{
	struct stat	 a, b;
	char		 path[64];

	snprintf(path, sizeof(path), "/proc/%d/ns/pid", (int)pid);
	return stat("/proc/self/ns/pid", &a) == 0 && stat(path, &b) == 0 &&
	    a.st_ino == b.st_ino && a.st_dev == b.st_dev;
}

static int
proc_marked(pid_t pid, const char *mark, char *env)
{
	char	 path[64];
	size_t	 len = 0, at, mlen = strlen(mark);
	ssize_t	 n;
	int	 fd;

	snprintf(path, sizeof(path), "/proc/%d/environ", (int)pid);
	if ((fd = open(path, O_RDONLY | O_CLOEXEC)) == -1)
		return 0;
	while (len < ENVIRON_MAX &&
	    (n = read(fd, env + len, ENVIRON_MAX - len)) > 0)
		len += (size_t)n;
	close(fd);
	env[len] = '\0';
	for (at = 0; at < len; at += strlen(env + at) + 1)
		if (strncmp(env + at, mark, mlen + 1) == 0)
			return 1;
	return 0;
}

int
stray_sweep(const char *mark, pid_t sid, int sig)
{
	struct dirent	*de;
	DIR		*dir;
	char		*env, *end;
	pid_t		 session;
	long		 pid;
	int		 count = 0;

	if ((env = malloc(ENVIRON_MAX + 1)) == NULL)
		return -1;
	if ((dir = opendir("/proc")) == NULL) {
		free(env);
		return -1;
	}
	while ((de = readdir(dir)) != NULL) {
		pid = strtol(de->d_name, &end, 10);
		if (*end != '\0' || pid < 2 || pid > INT_MAX ||
		    pid == getpid())
			continue;
		if ((session = proc_session((pid_t)pid)) == -1)
			continue;
		if (!(sid > 1 && session == sid) &&
		    !(proc_marked((pid_t)pid, mark, env) &&
		    proc_ourspace((pid_t)pid)))
			continue;
		count++;
		if (sig != 0)
			kill((pid_t)pid, sig);
	}
	closedir(dir);
	free(env);
	return count;
}

int
pid_signal(pid_t pid, uint64_t start, int sig, uint64_t (*starttime)(pid_t))
{
	int	 fd, r, saved;

	if (pid < 2) {
		errno = EINVAL;
		return -1;
	}
	fd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (fd == -1 && errno != ENOSYS)
		return -1;
	/* After the open: what the pidfd holds is what is compared. */
	if (start != 0 && starttime(pid) != start) {
		if (fd != -1)
			close(fd);
		errno = ESRCH;
		return -1;
	}
	if (fd == -1)
		return kill(pid, sig);
	r = (int)syscall(SYS_pidfd_send_signal, fd, sig, NULL, 0);
	saved = errno;
	close(fd);
	errno = saved;
	return r;
}

/* --- pipes and datagrams -------------------------------------------- */

void
pipe_grow(int fd, int bytes)
{
	/* Above the system's limit it takes a capability; less will do. */
	(void)fcntl(fd, F_SETPIPE_SZ, bytes);
}

int
cred_enable(int fd)
{
	int	 on = 1;

	return setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on));
}

ssize_t
cred_recv(int fd, void *data, size_t size, uid_t *uid)
{
	union {
		struct cmsghdr	 align;
		char		 space[CMSG_SPACE(sizeof(struct ucred)) +
				    CMSG_SPACE(sizeof(int) * 8)];
	} ctl;
	struct ucred	 uc;
	struct cmsghdr	*c;
	struct msghdr	 msg;
	struct iovec	 iov;
	ssize_t		 n;
	size_t		 i, nfd;
	int		 fds[8];

	memset(&msg, 0, sizeof(msg));
	iov.iov_base = data;
	iov.iov_len = size;
	msg.msg_iov = &iov;
	msg.msg_iovlen = 1;
	msg.msg_control = &ctl;
	msg.msg_controllen = sizeof(ctl);
	*uid = (uid_t)-1;
	n = recvmsg(fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (n == -1)
		return -1;
	for (c = CMSG_FIRSTHDR(&msg); c != NULL; c = CMSG_NXTHDR(&msg, c)) {
		if (c->cmsg_level != SOL_SOCKET)
			continue;
		if (c->cmsg_type == SCM_CREDENTIALS &&
		    c->cmsg_len >= CMSG_LEN(sizeof(uc))) {
			memcpy(&uc, CMSG_DATA(c), sizeof(uc));
			*uid = uc.uid;
		}
		/* Descriptors that nobody asked for would pile up. */
		if (c->cmsg_type == SCM_RIGHTS) {
			nfd = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
			if (nfd > 8)
				nfd = 8;
			memcpy(fds, CMSG_DATA(c), nfd * sizeof(int));
			for (i = 0; i < nfd; i++)
				close(fds[i]);
		}
	}
	return n;
}
