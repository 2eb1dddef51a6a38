/*
 * One service's profiles, as a short-lived process with its user's uid sees
 * and keeps them (common/profile.h).  Root asks; it never looks itself.
 */
#ifndef UPD_ROSTER_H
#define UPD_ROSTER_H

#include <sys/types.h>

#include "../config.h"
#include "compat/farwatch.h"
#include "profile.h"

struct roster;

/* What a roster has to say; each callback at most once per request. */
struct roster_calls {
	/* Asked with PROFILE_SCAN: it has seen all. */
	void	(*scanned)(void *);
	/* roster_sync(): all that was asked for before is done. */
	void	(*synced)(void *);
	/* It is through, and freed once this returns: "" or what went
	 * wrong.  Follows roster_finish(), or comes at any time. */
	void	(*ended)(void *, const char *);
};

/*
 * Start one for that service (which has a home, profiles or a reconcile
 * log) with PROFILE_ flags.  NULL with text (UPD_TEXT_SIZE).
 */
struct roster	*roster_start(const struct service_conf *, unsigned int,
		    const struct roster_calls *, void *, char *);
/* What was found, the default one first, then in byte order: n of them. */
const struct msg_profile_found *roster_found(const struct roster *, size_t *);
const struct msg_profile_scanned *roster_scanned(const struct roster *);
/* What it waits for with PROFILE_WATCH; to be taken over by the caller. */
struct farwait	*roster_watch(struct roster *);

void	 roster_sweep(struct roster *, const char *);
void	 roster_sync(struct roster *);
void	 roster_state(struct roster *, const char *, enum profile_state,
	    int);
void	 roster_log(struct roster *, const char *);
void	 roster_finish(struct roster *);
/* Kill it; ended() is not called.  NULL is fine. */
void	 roster_cancel(struct roster *);

/* 1 if a service needs one at all. */
int	 roster_isneeded(const struct service_conf *);

#endif
