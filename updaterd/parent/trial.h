/*
 * A release on trial: it was found good, and goes back all the same when
 * it is not confirmed in time, or does not keep healthy for its probation.
 */
#ifndef UPD_TRIAL_H
#define UPD_TRIAL_H

#include "journal.h"
#include "parent.h"

struct update;

#define TRIAL_CONFIRM_MAX	86400	/* seconds; as the option's limit */

enum trial_state {
	TRIAL_OPEN,		/* it goes on */
	TRIAL_OVER,		/* nothing of it is left: the release stays */
	TRIAL_LAPSED		/* it is to go back; text says why */
};

/*
 * The verdict is good: put it on trial if the journal wants that, durably.
 * 1 it is on trial, 0 it is not wanted, or -1 with errno: it cannot be
 * recorded, and so not be promised.
 */
int		 trial_begin(struct agent *, const struct journal *);
/* The same at start, from a journal in its phase.  Starts nothing. */
enum trial_state trial_resume(struct agent *, struct journal *, char *);
/* Its services have been started: look after it from now on. */
void		 trial_guard(struct agent *);
/* Another journal has taken the place of its own: it is over. */
void		 trial_superseded(struct agent *);
/* Write its journal again, or remove what stands there when there is none. */
int		 trial_restore(struct agent *);
/* The daemon ends in good order: what is left is left for the next. */
void		 trial_suspend(struct agent *);
/* Another program of updaterd goes on with it: what is decided is on disk. */
void		 trial_keep(struct agent *);
/* The agent goes: forget it, it stays on disk. */
void		 trial_forget(struct agent *);
/* The update has ended: one that is to go back may be waiting. */
void		 trial_next(void);

/* Somebody confirms the release of that id, or "" whichever it is; the
 * caller is answered. */
void		 trial_confirm(struct caller *, struct agent *, const char *);
/* Somebody wants to go back, to that id or "": 1 the trial ends with that,
 * or it is refused, and the caller is answered; 0 it is nothing to us. */
int		 trial_back(struct caller *, struct agent *, const char *);
/* 1 an update has to wait for a confirmation, and text says so. */
int		 trial_blocks(const struct agent *, char *);
/* Its state for status, or NULL; {"release",..,"confirm":seconds left or
 * null,"probation":the same}, or null. */
const char	*trial_statename(const struct agent *);
json_t		*trial_json(const struct agent *);
/* Seconds that are left, 0: none; confirmation, and probation. */
uint32_t	 trial_confirmleft(const struct agent *);
uint32_t	 trial_probationleft(const struct agent *);

#endif
