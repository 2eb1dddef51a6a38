/*
 * What the files of the supervisor s6 share.
 */
#ifndef UPD_S6_H
#define UPD_S6_H

#include <sys/types.h>
#include <sys/queue.h>
#include <event.h>

#include "instance.h"
#include "scandir.h"

#include "compat/dirwatch.h"

struct scan;
struct s6log {
	ino_t		 ino;		/* of what was read last */
	off_t		 pos;		/* so far */
};

/* What becomes of it when somebody removes its slot (s6loss.c). */
struct loss {
	int		 made;		/* it was there */
	struct event	 ev;		/* look for it again */
	uint32_t	 ms;		/* ... after so long, the next time */
	uint64_t	 last;		/* monotonic ms, made again; 0 never */
};

/* Of one instance.  The configuration may go before it does: what is
 * needed to the end is copied. */
struct s6 {
	TAILQ_ENTRY(s6)	 entry;		/* in its scan directory */
	TAILQ_ENTRY(s6)	 turn;		/* waits for its turn to be asked */
	struct instance	*i;
	struct scan	*scan;
	struct owner	 owner;
	const struct service_conf *conf;	/* of the last look; only to
						 * see that it is another */
	struct dirwatch	*watch;		/* its supervise/, or NULL */
	struct command	*asking;	/* s6-svstat runs */
	int		 waiting;	/* in the queue of those to ask for */
	int		 again;		/* something happened since */
	int		 absent;	/* nobody is there to be asked */
	int		 told;		/* ... a start of ours */
	int		 starting;	/* a start waits for its supervisor */
	int		 late;		/* the supervisor does not come */
	struct event	 poll_ev;	/* is it supervised? */
	uint32_t	 poll_ms;
	uint64_t	 poll_end;	/* monotonic ms */
	struct event	 kill_ev;	/* the grace is over */
	struct s6log	 log;
	struct loss	 loss;
};

/* --- s6.c --------------------------------------------------------------- */

/* Look in a moment whether it is supervised, and then at it. */
void		 s6_poll(struct s6 *);

/* --- s6slot.c ----------------------------------------------------------- */

/* How the slot of it is to be; with 1 nothing is made for it.  0, or -1 with
 * text; slot_free() either way. */
int		 s6slot_render(struct instance *, int, struct slot *, char *);

/* --- s6scan.c: one scan directory and all that is in it ---------------- */

struct scan {
	TAILQ_ENTRY(scan) entry;
	char		*path;
	int		 mount;
	TAILQ_HEAD(, s6) slots;
	struct args	 fixed;		/* names of others' slots */
	struct args	 refused;	/* ... that are not to be trusted */
	struct owner	 owner;		/* ... are to be controlled by */
	struct dirwatch	*watch;
	struct event	 ev;		/* look at those again */
	uint32_t	 wait_ms;
	uint64_t	 end;		/* monotonic ms */
	struct event	 review_ev;	/* configured otherwise? */
	struct event	 loss_ev;	/* has a slot gone? */
	struct event	 come_ev;	/* has s6-svscan come? */
	uint32_t	 come_ms;	/* to the next look */
	uint64_t	 come_warn;	/* monotonic ms: say that it has not */
};
/* That of a service, shared; the owner of static slots is told.  NULL:
 * out of memory. */
struct scan	*scan_get(const struct service_conf *, const struct owner *);
void		 scan_put(struct scan *);	/* one slot less */
/* Open it; with 1 make and mount what is wanted first, sweep it, and begin
 * to watch.  -1 with text. */
int		 scan_open(struct scan *, int, char *);
/* Whose slots are ours: no two daemons have the same. */
const char	*scan_mark(void);
/* 1 the slot of that name is somebody else's by the configuration. */
int		 scan_isfixed(const struct scan *, const char *);
/* The same of the one of that path, if a service is in it. */
int		 scan_names(const char *, const char *);
/* That slot of ours in it, which is open.  -1 with errno; EPERM: it is
 * somebody else's, and is to be left alone. */
int		 scan_slot(const struct scan *, int, const char *);
/* The configuration of a service in it may be another one. */
void		 scan_review(struct s6 *);
/* A service in it waits for s6-svscan: observe_arrived() follows. */
void		 scan_await(struct scan *);
/* Give the rights on static slots. */
void		 scan_grant(struct scan *, int);

/* --- s6loss.c: slots that somebody has removed -------------------------- */

void		 loss_init(struct s6 *);
void		 loss_end(struct s6 *);
void		 loss_scan(struct scan *);
/* In a moment, for something has changed there. */
void		 loss_look(struct scan *);

/* --- s6look.c: seeing what becomes of it ------------------------------- */

/* Ask s6-svstat; a sighting follows. */
void		 s6_look(struct instance *);
void		 s6_look_end(struct s6 *);
/* 1: what was seen of it last is how it is, for else we were told. */
int		 s6_isseen(struct s6 *);
/* Watch it, if it is there and that was not done. */
void		 s6_watch(struct s6 *);
/* Bring what its logger has written into the capture. */
void		 s6_output(struct instance *);
/* A program of s6's by its whole path; the name itself if it is nowhere. */
const char	*s6_program(const char *);

#endif
