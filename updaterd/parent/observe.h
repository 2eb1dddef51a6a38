/*
 * What a foreign supervisor (s6, systemd, rcctl) reports of a service.
 *
 * Such a supervisor may start and stop the service by itself, and so may
 * others through it.  A backend with struct backend.foreign set tells what
 * it sees, as often as it likes and in whatever order things come to its
 * ears: service_observed() compares with what was known and feeds the state
 * machine.  It never calls service_exited() or service_gone() itself.
 */
#ifndef UPD_OBSERVE_H
#define UPD_OBSERVE_H

#include <sys/types.h>
#include <event.h>
#include <stdint.h>

struct instance;

enum wanted {
	WANTED_NOBODY,		/* down, and the supervisor will not start it:
				 * gave up, or never does.  We shall. */
	WANTED_DOWN,		/* told to be, or to stay, down */
	WANTED_UP,		/* told to be up: it starts it by itself */
	WANTED__MAX
};

struct sighting {
	int		 known;		/* 0: not registered, its supervisor
					 * is away, or is itself going down:
					 * nothing below holds, and nothing
					 * that happens is anybody's wish */
	int		 up;		/* its main process runs */
	int		 ready;		/* ... and the supervisor was told by
					 * the service that it is ready */
	enum wanted	 wanted;
	int		 ours;		/* WANTED_DOWN is our own doing, maybe
					 * of an earlier daemon */
	pid_t		 pid;		/* of the main process, 0: none */
	int64_t		 since;		/* wall us, up or down; 0: unknown */
	int		 status;	/* of its last end, as waitpid(2) has
					 * it; -1 not known, or none */
	uint64_t	 restarts;	/* the supervisor's own counter; it may
					 * stay 0, but not go down while it is
					 * known */
	char		 text[320];	/* why it is down, if it could not be
					 * executed; else "" */
};

/* Of an instance under a foreign supervisor. */
struct observed {
	int		 any;		/* a sighting came */
	int		 met;		/* ... of one that is known there */
	int		 renewed;	/* by what a sighting has led to */
	int		 behind;	/* sightings of what has ended */
	struct sighting	 last;
	enum {
		ASKED_NO,
		ASKED_HERE,		/* a start waits until it is known what
					 * became of it before */
		ASKED_THERE		/* was passed on, and is to be seen
					 * within ... */
	}		 asked;
	int		 hampered;	/* a start waits for what does not
					 * end */
	int		 awaits;	/* its supervisor is to come, and to
					 * start it */
	struct event	 late_ev;
	struct event	 look_ev;	/* out of sight: look again */
	enum {
		SETTLE_NO,
		SETTLE_WAIT,		/* stopped outside, a moment ago */
		SETTLE_LOOK		/* ... and if it still is: a wish */
	}		 settling;
	struct event	 settle_ev;
	uint64_t	 grace_end;	/* of a stop by us, monotonic ms */
	struct event	 quiet_ev;	/* quiet.c: its deaths are counted */
	uint32_t	 quiet_ms;
	uint64_t	 quiet_since;	/* monotonic ms */
	uint32_t	 unsaid;	/* so many */
};

/*
 * Tell.  The sighting is copied.  Never from within enroll, look, start,
 * stop or forget of the backend: their caller has not finished.
 */
void		 service_observed(struct instance *, const struct sighting *);

/* For the backends: their drain and sweep. */
void		 observe_drain(struct instance *);
void		 observe_sweep(struct instance *);

/* --- orphan.c: its process, past its supervisor ------------------------- */

/* 1 the process that is recorded still is that process.  Of one that is not
 * known by its pid (rcctl) there is only the supervisor's word. */
int		 observe_isthere(const struct instance *);
/* Its supervisor does not know the process, which lives all the same: end
 * it. */
#define ORPHAN_MS	10000	/* from TERM to KILL */
void		 observe_orphan(struct instance *);
/*
 * Signal its process, past a supervisor that is no longer there.  0 sent,
 * or -1: it has gone, or is not what it was said to be.
 */
int		 observe_kill(struct instance *, int);

/* --- observe.c, again --------------------------------------------------- */

/* For instance.c: before it is under a foreign supervisor, 0 or -1 ENOMEM;
 * and when it no longer is, harmless if it never was. */
int		 observe_init(struct instance *);
void		 observe_end(struct instance *);
/* It gets another supervisor of the same kind, which knows nothing of it. */
void		 observe_renewed(struct instance *);
/* The last that was seen, or NULL: nothing yet. */
const struct sighting *observe_last(const struct instance *);

/* --- asked.c: a start of ours ------------------------------------------ */

/* For service.c: start it, once it is known what became of it before. */
void		 observe_asked(struct instance *);
/* What another supervisor had of it has ended: it may be started here. */
void		 observe_moved(struct instance *);
/* The start was answered, or is no longer wanted. */
void		 observe_answered(struct instance *);
/* A start that waits for what does not end (text): whoever waits for it is
 * told, it is waited for all the same; 1 that is so. */
void		 observe_hampered(struct instance *, const char *);
int		 observe_ishampered(const struct instance *);
/* 1 it is down only because its supervisor is not there. */
int		 observe_awaits(const struct instance *);
/* ... which is to start it no longer: 1 it was. */
int		 observe_unawait(struct instance *);
/* For the backends: it has come. */
void		 observe_arrived(struct instance *);
/* For observe.c: pass it on now; and its late_ev. */
void		 observe_ask(struct instance *);
void		 observe_late(int, short, void *);

#endif
