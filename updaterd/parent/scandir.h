/*
 * The directory that s6-svscan watches, and what s6's programs listen to
 * in it.
 */
#ifndef UPD_SCANDIR_H
#define UPD_SCANDIR_H

#include <sys/types.h>
#include <stdint.h>

#include "slot.h"

#define SCANDIR_NEW	".updaterd.new"	/* a slot that is being built */
#define SCANDIR_DEAD	".dead-"	/* ... that is being taken down */

/* Whose the slots are to control. */
struct owner {
	uid_t	 uid;		/* 0: root's only */
	gid_t	 gid;
};

/*
 * Open it; make it where missing (0755), and with `mount` on a tmpfs that
 * follows no symlinks.  -1 with text.
 */
int	 scandir_open(const char *, int, char *);
/* 1 only root has a say in what s6-supervise, or s6-svscan, executes in that
 * directory. */
int	 scandir_isroots(int);
/* A slot of somebody else's in it, followed only where root may have linked
 * it.  -1 with errno. */
int	 scandir_slot(int, const char *);
/* 1 s6-svscan runs on it. */
int	 scandir_isalive(int);
/* Have it look for new slots, and forget those (1) that have gone.  0, or
 * -1: it does not run. */
int	 scandir_rescan(int, int);

/* --- one slot ---------------------------------------------------------- */

/* Bytes for the s6-supervise of the slot, or (1) of its logger.  0, or -1
 * with errno: ENXIO nobody listens, ENOENT never did. */
int	 slot_control(int, int, const char *);
/* 1 somebody listens there. */
int	 slot_issupervised(int, int);
/* Its s6-supervise, or 0: none, or it cannot be told. */
pid_t	 slot_supervisor(int);
/* Neither for the slot nor for its logger. */
int	 slot_isdead(int);
/* Have it, and its logger, down (1) or up (0) when a supervisor starts on
 * it.  0, or -1 with errno. */
int	 slot_setdown(int, int);
int	 slot_isdown(int);		/* 1 it has that file */

/* --- rights.c: what the owner may do ----------------------------------- */

/* In a slot, or the logger's part of it, that is being built.  0, or -1 with
 * errno. */
int	 rights_seed(int, const struct owner *);
/* In one that is supervised, which s6-rc may have made, and its logger:
 * likewise; ENOENT: not supervised yet. */
int	 rights_grant(int, const struct owner *);
/* In one that we made, whoever had them before: 1 they were not as they
 * should be, and are now, or with 1 would be; 0 they were; -1 with errno. */
int	 rights_renew(int, const struct owner *, int);

/* --- publish.c --------------------------------------------------------- */

enum published {
	PUBLISHED_FAILED = -1,	/* with text */
	PUBLISHED_SAME,		/* as it should be */
	PUBLISHED_CHANGED,	/* files were written again */
	PUBLISHED_NEW,		/* rescan */
	PUBLISHED_REBUILD	/* runs, and must be withdrawn first */
};
/* Put that slot into its place, or bring what is there up to date; with
 * `dry` only say what would be done. */
struct publication {
	const char		*name;
	const struct slot	*slot;
	const char		*mark;
	struct owner		 owner;
	int			 down;	/* if nobody supervises it */
	int			 hold;	/* likewise, for the time being */
	int			 dry;
};
enum published slot_publish(int, const struct publication *, char *);
/* One that has that mark: no other is told anything, or written to.  -1 with
 * errno; EPERM: it is somebody else's. */
int	 slot_open(int, const char *, const char *);
/* 1 there is one. */
int	 slot_ismine(int, const char *, const char *);

/* --- withdraw.c -------------------------------------------------------- */

/*
 * Take a slot out: it and its logger are stopped, their supervisors go, and
 * it is removed.  Asynchronous; done(arg) (may be NULL) when nothing of it
 * is left, or it had to be given up.  0, or -1 with errno: nothing was done.
 */
int	 slot_withdraw(int, const char *, void (*)(void *), void *);
/* Remove what was left behind by a daemon that was killed. */
void	 slot_sweep(int);
/* 1 something of a slot of that name, wherever it was, still runs and is
 * being taken out, and done(arg) of the last who asked follows when it does
 * not any more, or had to be given up; else 0. */
int	 slot_await(const char *, void (*)(void *), void *);
/* 1 the same, and nobody waits for it. */
int	 slot_runs(const char *);
/* 1 some slot is being taken out. */
int	 slot_isleaving(void);
/* 1 something of that name is being taken out of that directory, for nobody
 * so far: done(arg) as of slot_withdraw(); -1 for somebody; 0 nothing is. */
int	 slot_leaves(int, const char *, void (*)(void *), void *);

#endif
