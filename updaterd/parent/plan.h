/*
 * What reconciling does about one instance, and the line that says so.
 * Pure: facts in, decisions out.
 */
#ifndef UPD_PLAN_H
#define UPD_PLAN_H

#include <sys/types.h>
#include <stdint.h>

#include "intent.h"
#include "profile.h"

/* --- what is wanted -------------------------------------------------- */

/* What a profile's own file says. */
struct word {
	enum profile_state	 state;
	enum profile_desired	 desired;
	int64_t			 stamp;	/* wall us, 0 none */
};

struct wish {
	int		 desired;	/* 1 running, 0 stopped */
	int64_t		 at;		/* wall us */
	const char	*by;		/* NULL: as it was */
};
/*
 * Who is believed: ours (1 it was read, 0 there is none, -1 it is not to
 * be believed); a profile's file (or NULL); and whether nobody's word means
 * that it is to run, as with a service without profiles.  The last argument
 * is the time now.  1 if it differs from ours or ours is none, else 0.
 */
int	 plan_wish(int, const struct intent *, const struct word *, int,
	    int64_t, struct wish *);

/* --- what is done ---------------------------------------------------- */

enum prior_exit {
	PRIOR_UNKNOWN,
	PRIOR_CLEAN,
	PRIOR_UNCLEAN,
	PRIOR__MAX
};
/* How it ended before this pass: of the intent as it was read. */
enum prior_exit	 plan_prior(int, const struct intent *, int);

enum plan_action {
	ACTION_STARTED,
	ACTION_REGISTERED,	/* it is there, and down */
	ACTION_ADOPTED,		/* it runs, and is left alone */
	ACTION_STOPPED,
	ACTION_REMOVED,		/* no longer configured */
	ACTION_SKIPPED,
	ACTION_FAILED,
	ACTION__MAX
};

enum plan_reason {
	REASON_NONE,
	REASON_IMPORT,		/* taken from the profile's own file */
	REASON_PARKED,
	REASON_DISABLED,
	REASON_NORELEASE,
	REASON_NOTHERE,		/* -R: the daemon starts it */
	REASON_VERDICT,		/* an update's verdict is open */
	REASON_VERIFY,		/* its release is looked at before */
	REASON_DELAY,
	REASON_AWAITS,		/* its supervisor does not run yet */
	REASON_LEFTOVERS,	/* its leader is gone, the rest is killed */
	REASON_TAKEN,		/* another has its name */
	REASON_NOSTART,
	REASON_NOENROL,
	REASON_CHILD,		/* its files could not be looked at */
	REASON_WORD,		/* its state file could not be read now */
	REASON_DIR,		/* the profiles' directory not */
	REASON_MANY,
	REASON_MEMORY,
	REASON_RESERVED,	/* as enum profile_skip, from here on */
	REASON_NAME,
	REASON_LONG,
	REASON_SYMLINK,
	REASON_MARKER,
	REASON_UNREADABLE,
	REASON__MAX
};
enum plan_reason plan_skip(enum profile_skip);

struct facts {
	int	 alive;		/* a process of it runs */
	int	 leftovers;	/* its leader does not, others do */
	int	 wanted;
	int	 parked;	/* a permanent failure of this release */
	int	 waiting;	/* for its next start, after a death */
	int	 enabled;
	int	 release;	/* there is one */
	int	 startable;	/* by whoever reconciles */
	int	 open;		/* its agent's verdict is */
	int	 awaits;	/* its supervisor, which starts it */
};
/* What to do, and why not more. */
enum plan_action plan_decide(const struct facts *, enum plan_reason *);

/* --- the line -------------------------------------------------------- */

struct plan_line {
	const char		*profile;	/* "" none: "-" */
	const char		*service;
	const char		*release;	/* "" none */
	const char		*backend;
	const char		*boot;
	enum profile_state	 state;
	enum plan_action	 action;
	enum prior_exit		 prior;
	enum plan_reason	 reason;
	const char		*odd;		/* an unfit name, or NULL */
	int64_t			 at;		/* wall us */
	int			 change;	/* it is not as it was */
};
/* Without a newline; a buffer of PROFILE_LINE_SIZE bytes holds it. */
void	 plan_print(const struct plan_line *, char *, size_t);
const char	*plan_actionname(enum plan_action);

#endif
