/*
 * Waiting for changes of directories on behalf of somebody else: whoever
 * may look at them (profile, with the uid of a service's user) makes the
 * watch, and hands over descriptors; whoever waits (the parent) makes of
 * them one that becomes readable at the first change.  It is not read: a
 * change, whichever, is a reason to look at all again, with a new watch.
 */
#ifndef UPD_COMPAT_FARWATCH_H
#define UPD_COMPAT_FARWATCH_H

#define FARWATCH_FDS	64	/* descriptors handed over, at most */

struct farwatch {
	int	 fds[FARWATCH_FDS];
	int	 n;
};

/* 0, or -1 errno. */
int	 farwatch_init(struct farwatch *);
/* Entries that come and go or become another's, its own end included.  0, or
 * -1 errno (ENOSPC: there are too many).  farwatch_dir() changes the working
 * directory. */
int	 farwatch_dir(struct farwatch *, int);
/* The end of a file, or its replacement by another.  Likewise. */
int	 farwatch_file(struct farwatch *, int, const char *);

/* The other side: fd becomes readable, -1 none. */
struct farwait {
	int	 fd;
	int	 held[FARWATCH_FDS];
	int	 n;
};
void	 farwait_init(struct farwait *);
/* One of those handed over; it is taken over.  0, or -1 errno. */
int	 farwait_add(struct farwait *, int);
void	 farwait_close(struct farwait *);

#endif
