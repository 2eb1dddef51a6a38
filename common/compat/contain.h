/*
 * What a supervisor asks of its system: boxes that hold all descendants
 * of a process (cgroup v2 on Linux), finding strays, signals that cannot
 * hit a reused pid.  A system without one of these says ENOSYS, and
 * updaterd/parent/contain.c falls back.
 */
#ifndef UPD_COMPAT_CONTAIN_H
#define UPD_COMPAT_CONTAIN_H

#include <sys/types.h>
#include <stddef.h>
#include <stdint.h>

/* Make the box of that name below our own.  Its directory, or -1 with
 * errno; the path is filled in for box_remove().  One that is there and
 * cannot be made anew, since something lives in it, is taken as it is, and
 * the flag is set: it may have been killed before. */
int	 box_open(const char *, char *, size_t, int *);
/* The box of that name, if it was made before.  -1 with errno; ENOENT: there
 * is none, and one could be made. */
int	 box_reopen(const char *, char *, size_t);
/* The box of that name in which the process already is; else likewise. */
int	 box_find(pid_t, const char *, char *, size_t);
/* fork(2), the child being born inside the box, or with 1 moved there, which
 * is slow.  -1 with errno: no child; a plain fork(2) may still work. */
pid_t	 box_fork(int, int);
/* The directory of a control group ("/system.slice").  0, or -1 with errno:
 * this system has none. */
int	 cgroup_path(const char *, char *, size_t);
/* SIGKILL everything inside.  0, or -1 with errno. */
int	 box_kill(int);
/* 1 something lives inside, 0 nothing, -1 with errno. */
int	 box_populated(int);
/* Remove an empty box and the boxes made inside it.  0, or -1 with errno. */
int	 box_remove(const char *);

/*
 * Count living processes (no zombies) of our own pid namespace that carry
 * the string `mark` ("NAME=value") in their environment, or whose session
 * is `sid` (0: none); send each `sig` if that is not 0.  -1 with errno:
 * this system cannot tell.
 */
int	 stray_sweep(const char *, pid_t, int);

/* Send a signal to that very process, told from a reuse of its pid by the
 * start time of pid_starttime() unless that is 0.  0, or -1 with errno. */
int	 pid_signal(pid_t, uint64_t, int, uint64_t (*)(pid_t));

/* Give a pipe or FIFO that many bytes, if the system lets us. */
void	 pipe_grow(int, int);
/* Have the sender's uid come with each datagram.  0, or -1 with errno. */
int	 cred_enable(int);
/* recv(2) without waiting; *uid is the sender's, (uid_t)-1 where the
 * system cannot tell. */
ssize_t	 cred_recv(int, void *, size_t, uid_t *);

#endif
