/*
 * The time of a trial, which is in its journal:
 *
 *  - While the host stays up its monotonic clock decides, which nobody can
 *    set; also over restarts of this daemon.  The wall clock is never
 *    asked.
 *  - After an orderly end and another boot what was left then is left now.
 *  - After any other end of the host what was left is not known, and the
 *    time begins anew, for the master must be able to reach a host that
 *    has just come up; but only OUTAGES_MAX times, or a release that takes
 *    the host down would never be undone.  So a host that cannot be
 *    reached has its old release back after twice the time that it was up
 *    within the trial, at most.
 */
#include <sys/types.h>

#include <stdio.h>
#include <string.h>

#include "proto.h"
#include "reap.h"
#include "trialclock.h"
#include "util.h"

#define OUTAGES_MAX	1
#define UNKNOWN_BOOT	"unknown"	/* boot_id() without a system's help */

uint32_t
trialclock_leftms(uint64_t at)
{
	uint64_t	 now = time_mono_ms();

	return at <= now ? 0 : at - now > UINT32_MAX ? UINT32_MAX :
	    (uint32_t)(at - now);
}

uint32_t
trialclock_left(uint64_t at)
{
	return (uint32_t)(((uint64_t)trialclock_leftms(at) + 999) / 1000);
}

void
trialclock_set(struct journal *j)
{
	uint64_t	 now = time_mono_ms();

	j->confirm_at = j->confirm_ms != 0 ? now + j->confirm_ms : 0;
	j->probation_at = j->probation_ms != 0 ? now + j->probation_ms : 0;
	j->at_rest = 0;
	strlcpy(j->boot, boot_id(), sizeof(j->boot));
}

int
trialclock_isover(const struct journal *j)
{
	return j->confirm_at == 0 && j->probation_at == 0;
}

enum trial_state
trialclock_wind(struct journal *j, char *text)
{
	int	 same = strcmp(j->boot, boot_id()) == 0 &&
		    strcmp(j->boot, UNKNOWN_BOOT) != 0;

	if (!same && !j->at_rest && j->outages++ >= OUTAGES_MAX) {
		snprintf(text, UPD_TEXT_SIZE, "the host went down again while "
		    "release %s was on trial", j->to);
		return TRIAL_LAPSED;
	}
	if (!same) {
		trialclock_set(j);
		return TRIAL_OPEN;
	}
	if (j->confirm_at != 0 && trialclock_leftms(j->confirm_at) == 0) {
		snprintf(text, UPD_TEXT_SIZE, "release %s was not confirmed "
		    "in time", j->to);
		return TRIAL_LAPSED;
	}
	if (trialclock_leftms(j->probation_at) == 0)
		j->probation_at = j->probation_ms = 0;
	j->at_rest = 0;
	return trialclock_isover(j) ? TRIAL_OVER : TRIAL_OPEN;
}
