/*
 * How the time of a trial runs, over restarts of this daemon and the host.
 */
#ifndef UPD_TRIALCLOCK_H
#define UPD_TRIALCLOCK_H

#include <stdint.h>

#include "journal.h"
#include "trial.h"

/* Until then, a time of time_mono_ms(); 0 when it is past, or none: in
 * milliseconds, and in seconds rounded up. */
uint32_t	 trialclock_leftms(uint64_t);
uint32_t	 trialclock_left(uint64_t);
/* The clock of this boot, from what is left. */
void		 trialclock_set(struct journal *);
/* Bring the clock of what was read up to now.  LAPSED with text. */
enum trial_state trialclock_wind(struct journal *, char *);
/* Neither a confirmation nor a probation is waited for. */
int		 trialclock_isover(const struct journal *);

#endif
