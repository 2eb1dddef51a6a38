/*
 * Reconciling: bringing what runs to what is wanted, at start, by command
 * and when profiles come and go.  One pass at a time.
 */
#ifndef UPD_RECONCILE_H
#define UPD_RECONCILE_H

#include <sys/types.h>
#include <sys/queue.h>
#include <event.h>

#include "parent.h"
#include "plan.h"
#include "roster.h"

/* --- reconcile.c: who asks for a pass ------------------------------- */

/* The configuration is new, at start or by a reload: done() follows, maybe
 * from within; instances are there by then, and nothing is started yet. */
void	 reconcile_configured(void (*)(void));
/* updaterctl reconcile; dry: only say what would be done. */
void	 reconcile_command(struct caller *, int);
/* 1 from reconcile_configured() until done. */
int	 reconcile_isbusy(void);
/* Forget what is under way: the configuration is going. */
void	 reconcile_cancel(void);
/* An update has ended: what had to wait may begin. */
void	 reconcile_idle(void);
/* Something has changed in the directories of that service. */
void	 reconcile_event(const char *);
/* `updaterd -R`: one pass, then done(changes, failed); the lines go to
 * standard output. */
void	 reconcile_once(int, void (*)(int, int));

/* --- pass.c: one pass ------------------------------------------------ */

struct line {
	struct plan_line	 l;		/* its texts are those below */
	char			 name[UPD_INSTANCE_SIZE];
	char			 profile[UPD_INSTANCE_SIZE];
	char			 service[UPD_INSTANCE_SIZE];
	char			 release[UPD_ID_SIZE];
	char			 odd[PROFILE_FILE_SIZE];
	struct instance		*i;		/* NULL: has none */
	const struct service_conf *conf;	/* NULL: no longer there */
	struct ward		*ward;		/* whose log it goes to */
	int			 is_new;	/* the instance */
	int			 imported;
	int			 decided;
};

/* A service under the pass. */
struct ward {
	TAILQ_ENTRY(ward)	 entry;
	struct pass		*pass;
	struct agent		*agent;
	const struct service_conf *conf;
	struct roster		*roster;	/* NULL: none, or through */
	enum {
		WARD_WAITS,	/* for its turn */
		WARD_SCANS,
		WARD_READY,	/* scanned, or nothing to scan, or lost */
		WARD_ENDED
	}			 phase;
	int			 lost;		/* not all was looked at:
						 * again later */
	int			 swept;		/* sweeps were asked for */
	int			 synced;
	int			 changes;
};
TAILQ_HEAD(wards, ward);

struct pass {
	struct wards		 wards;
	int			 dry;
	int			 all;		/* services, orphans, too */
	int			 once;		/* -R */
	int			 busy;		/* given up: an update is
						 * switching */
	int			 running;	/* rosters at work */
	int			 ordered;	/* decided; being swept */
	struct line		**lines;
	size_t			 n, cap;
	int			 changes;
	int			 failed;
	struct event		 timer;		/* for sightings */
	uint64_t		 since;		/* monotonic ms */
	void			(*act)(struct pass *);
	void			(*done)(struct pass *);
};

/*
 * One over all services, or that of a name; act() is called when all is
 * swept, to start what is wanted (not when dry), done() when the lines are
 * complete; it may look at them, and frees nothing.  The pass goes on to
 * write its logs and frees itself.  NULL: out of memory.
 */
struct pass	*pass_new(const char *, int, int, void (*)(struct pass *),
		    void (*)(struct pass *));
/* Begin; it may be over when this returns. */
void		 pass_run(struct pass *);
void	 pass_cancel(struct pass *);
/* How many there are, those that still write their logs included. */
int	 pass_count(void);
/* Another line for that service, or NULL: out of memory. */
struct line	*pass_line(struct pass *, struct ward *);

/* --- judge.c: what is found, and what it means ------------------------ */

/* Seat what the roster found, enrol it, dismiss the rest. */
void	 judge_seat(struct pass *, struct ward *);
/* All that is known of it is known now: decide. */
void	 judge_decide(struct line *);
/* What became of it. */
void	 judge_outcome(struct line *);
/* Services that nobody configures any more. */
void	 judge_orphans(struct pass *);

/* --- lookout.c: waiting for changes ---------------------------------- */

/* From now on this is waited for (taken over) on behalf of the service;
 * changed says whether the pass found anything new, the last one that it did
 * not see all: another follows, even without a change. */
void	 lookout_set(const char *, struct farwait *, int, int);
/* Nothing can be waited for now: try again later. */
void	 lookout_retry(const char *);
/* Forget services that are not configured with a home any more. */
void	 lookout_configured(void);

#endif
