/*
 * updaterd as its own patient: it lives in a store like an agent's, and is
 * promoted like a release; but whoever judges a new one must not be it.
 *
 *	selfstate.c	<root>/self.state: what is on trial, starts counted
 *	handover.c	what goes from one program to the next at an exec
 *	selfboot.c	which program serves, decided first thing by a start
 *	ghost.c		who holds the way back while another program starts
 *	selfpush.c	a release of updaterd: tried out, committed, exec
 *	selftrial.c	a new program on trial: its verdict on itself
 *	selfreturn.c	one that proved itself, and goes back all the same
 *
 * The base is the program that the service manager starts.  It is never
 * written to.  It knows the chain: count, then exec what is current.
 */
#ifndef UPD_SELF_H
#define UPD_SELF_H

#include <sys/types.h>
#include <limits.h>
#include <stdint.h>

#include "proto.h"

#define SELF_NONE	"updaterd has no releases of itself: add self { root " \
			"\"/opt/updaterd\" } to its configuration"
#define SELF_PROGRAM	"sbin/updaterd"		/* in a release */

/* --- selfstate.c ----------------------------------------------------- */

#define SELF_STATE	"self.state"
#define SELF_STATE_MAX	4096	/* bytes of the file */
#define SELF_TRIES	3	/* starts of a good release that may fail */

struct selfstate {
	uint32_t starts;		/* that have not said good yet */
	char	 to[UPD_ID_SIZE];	/* on trial; "" nothing */
	char	 from[UPD_ID_SIZE];	/* current before; "" the base */
	char	 from_prev[UPD_ID_SIZE];	/* previous before */
	int	 is_rollback;		/* asked for, `to` was good once */
	char	 by[UPD_SUBJECT_SIZE];
	int64_t	 since;			/* wall microseconds */
};
/*
 * The text is lines of "key value", the first "updaterd-self 1".  Keys not
 * known are passed over: this is read by older programs than the one that
 * wrote it.  0, or -1: not to be believed.
 */
int	 selfstate_parse(const char *, struct selfstate *);
/* Into that buffer; its length, or -1: too long. */
int	 selfstate_format(const struct selfstate *, char *, size_t);
/* From and to the root's directory.  1 read, 0 there is none (all zero),
 * -1 not to be believed (logged, all zero). */
int	 selfstate_read(int, struct selfstate *);
/* Durably.  0, or -1 with errno. */
int	 selfstate_write(int, const struct selfstate *);

enum self_pick {
	SELF_BASE,			/* the program that was started */
	SELF_CURRENT,
	SELF_PREVIOUS,
	SELF_UNDO			/* take the trial back, then again */
};
/* Which program shall serve: from the state, the release that `current`
 * names, and whether it and the previous one are known to be good. */
enum self_pick	 selfstate_pick(const struct selfstate *, const char *, int,
		    int);

/* --- handover.c ------------------------------------------------------ */

#define HANDOVER_SOCKETS 64

struct handover {
	int	 taken;			/* we were given something */
	int	 chosen;		/* we were chosen: no chain */
	int	 trial;			/* ... and are on trial */
	int	 daemon;		/* in the background already */
	int	 manager;		/* one restarts us when we die */
	int	 watch;			/* the ghost's ear; each fd or -1 */
	int	 lock;
	int	 control;
	int	 listen[HANDOVER_SOCKETS];
	int	 nlisten;
	char	 id[UPD_ID_SIZE];	/* what we are; "" the base */
	char	 root[PATH_MAX];	/* of the store, "" none */
	char	 base[PATH_MAX];	/* "" not known */
};
extern struct handover	 handover;

/* First thing in main: take what was handed over, out of the environment
 * and close-on-exec; never fails.  The options for the next program. */
void	 handover_take(void);
void	 handover_options(char **, const char *);
/* Those of them that say which configuration is meant: -D and -f. */
struct args;
void	 handover_getoptions(struct args *);
/* Text of one line, and back.  0, or -1: malformed. */
int	 handover_format(const struct handover *, char *, size_t);
int	 handover_parse(const char *, struct handover *);
/* Become that program, with what is in there.  Only returns, -1 with
 * errno, when it cannot be executed; nothing is lost then. */
int	 handover_exec(const char *, const struct handover *);
/* The program of a release of the store.  0, or -1: too long. */
int	 self_program(const char *, const char *, char *, size_t);

/* --- selfboot.c ------------------------------------------------------ */

/* Before the configuration is read: become the program that shall serve,
 * if that is another one.  Returns in the one that serves. */
void	 self_boot(const char *, int);
/* The same for one pass: become what is known to be good; reads only. */
void	 self_once(const char *);
/* In a program on trial: go back instead of an exit. */
void	 self_guard(void);
/* Take the trial back: links, verdict, history.  0, or -1 (logged). */
int	 self_undo(const char *, const char *);
/* Go back to where the state says that we come from, in this process. */
void	 self_back(const char *) __attribute__((noreturn));

/* --- ghost.c --------------------------------------------------------- */

#define GHOST_SERVING	's'	/* to it: net may be drained */
#define GHOST_GOOD	'g'	/* to it: no way back is needed */
#define GHOST_BACK	'b'	/* to it: going back, begin your time anew */
#define GHOST_QUIT	'q'	/* to it: we were told to stop */
#define GHOST_DRAINED	'd'	/* from it: the old net accepts no more */

/* Fork it before an exec, with the time the next program has.  0 with
 * handover.watch set for the next, or -1 with errno. */
int	 ghost_start(uint32_t, const struct handover *);
/* The exec has failed: end it. */
void	 ghost_cancel(void);
/* A letter to our own. */
void	 ghost_tell(char);

/* --- the daemon ------------------------------------------------------ */

struct agent;
struct config;
struct update;
struct msg_probe_result;

/* selfpush.c */
/* Make env->self fit the configuration. */
void	 self_configure(const struct config *);
/* 1 if that one must not come now: what waits to be confirmed would be lost
 * sight of; text says what to do first. */
int	 self_isheld(const struct config *, char *);
/* The update is one of updaterd itself. */
int	 self_isupdate(const struct update *);
/* Why no update may begin now, or NULL. */
const char	*self_busy(void);
/* A release that was pushed is sealed; or the one to go back to was
 * verified. */
void	 self_prepared(struct update *);
void	 self_verified(struct update *);
/* 1 if what `current` names is what runs. */
int	 self_iscurrent(void);

/* selfreturn.c */
/* The release of that journal, which proved itself, was not confirmed, or is
 * not wanted: go back to the one before it, for that reason. */
struct journal;
void	 self_return(const struct journal *, const char *);
int	 self_isreturning(void);

/* selftrial.c */
void	 self_serving(void);		/* net serves, agents are there */
void	 self_stopping(void);		/* on a signal: no trial any more */
int	 self_ontrial(void);
/* We serve, and are on no trial: begin the count anew, and take back what
 * is on trial still, with that reason; again and again until it is done. */
void	 self_settle(const char *);
/* 1 if it was ours. */
int	 self_probe_result(const struct msg_probe_result *);
void	 self_probe_lost(void);
/* Ask our own /health: done(why), "" when it answers.  0, or -1 with text:
 * cannot be asked now. */
int	 self_ask(uint32_t, void (*)(const char *), char *);

#endif
