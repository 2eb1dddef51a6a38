/*
 * The rules of reconciling.  Each was somebody's outage once:
 *
 *  - only what somebody wants is started, never what merely died;
 *  - what is wanted is never read from an exit code or a signal;
 *  - a state that a broken service leaves behind does not count as wanted,
 *    so that it does not loop from boot to boot;
 *  - a profile's own file may overrule ours when it is newer, but only by
 *    what it says is desired: its state is a report, not a wish.
 *
 * The log's lines are of known words, ids and checked names only, so that
 * nobody can forge one.
 */
#include <sys/types.h>

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "plan.h"

#define US	1000000

static const char *const prior_names[] = {
	[PRIOR_UNKNOWN]	= "unknown",
	[PRIOR_CLEAN]	= "clean",
	[PRIOR_UNCLEAN]	= "unclean",
};
_Static_assert(sizeof(prior_names) / sizeof(prior_names[0]) == PRIOR__MAX,
    "a word for each end");

static const char *const action_names[] = {
	[ACTION_STARTED]	= "started",
	[ACTION_REGISTERED]	= "registered",
	[ACTION_ADOPTED]	= "adopted",
	[ACTION_STOPPED]	= "stopped",
	[ACTION_REMOVED]	= "removed",
	[ACTION_SKIPPED]	= "skipped",
	[ACTION_FAILED]		= "failed",
};
_Static_assert(sizeof(action_names) / sizeof(action_names[0]) == ACTION__MAX,
    "a word for each action");

static const char *const reason_texts[] = {
	[REASON_NONE]		= "-",
	[REASON_IMPORT]		= "as its own file wants",
	[REASON_PARKED]		= "permanent failure",
	[REASON_DISABLED]	= "not enabled",
	[REASON_NORELEASE]	= "no release",
	[REASON_NOTHERE]	= "the daemon starts it",
	[REASON_VERDICT]	= "verdict of an update open",
	[REASON_VERIFY]		= "once its release is verified",
	[REASON_DELAY]		= "waits after a death",
	[REASON_AWAITS]		= "waits for its supervisor",
	[REASON_LEFTOVERS]	= "what it left behind is killed",
	[REASON_TAKEN]		= "name of another service",
	[REASON_NOSTART]	= "cannot be started, see the log",
	[REASON_NOENROL]	= "cannot be registered, see the log",
	[REASON_CHILD]		= "its files cannot be looked at, see the log",
	[REASON_WORD]		= "its state file cannot be read now",
	[REASON_DIR]		= "profiles directory cannot be read",
	[REASON_MANY]		= "too many profiles",
	[REASON_MEMORY]		= "out of memory",
	[REASON_RESERVED]	= "reserved name",
	[REASON_NAME]		= "unfit name",
	[REASON_LONG]		= "name too long",
	[REASON_SYMLINK]	= "symlink",
	[REASON_MARKER]		= "marker is no file",
	[REASON_UNREADABLE]	= "unreadable",
};
_Static_assert(sizeof(reason_texts) / sizeof(reason_texts[0]) == REASON__MAX,
    "a text for each reason");

/* --- what is wanted -------------------------------------------------- */

/* Precedence without ours. */
static int
word_says(const struct word *w)
{
	if (w->desired != PDESIRED_NONE)
		return w->desired == PDESIRED_RUNNING;
	return w->state == PSTATE_RUNNING || w->state == PSTATE_DRAINING ||
	    w->state == PSTATE_DEGRADED;
}

static int
word_is_silent(const struct word *w)
{
	return w == NULL || (w->state == PSTATE_NONE &&
	    w->desired == PDESIRED_NONE && w->stamp == 0);
}

int
plan_wish(int ours, const struct intent *in, const struct word *w,
    int if_silent, int64_t now, struct wish *wish)
{
	wish->at = now;
	if (ours == 1) {
		wish->desired = in->desired;
		wish->at = in->desired_at;
		wish->by = NULL;
		if (w == NULL || w->desired == PDESIRED_NONE ||
		    w->stamp <= in->desired_at)
			return 0;
		wish->desired = w->desired == PDESIRED_RUNNING;
		if (wish->desired == in->desired)
			return 0;
		/* Not from the future, or no command could follow it. */
		wish->at = now;
		wish->by = "import";
		return 1;
	}
	if (!word_is_silent(w)) {
		wish->desired = word_says(w);
		wish->by = "import";
	} else if (ours == 0) {
		wish->desired = if_silent;
		wish->by = "config";
	} else {
		/* Nobody knows: what is broken must not loop. */
		wish->desired = 0;
		wish->by = "unreadable state file";
	}
	return 1;
}

/* --- what is done ---------------------------------------------------- */

enum prior_exit
plan_prior(int ours, const struct intent *in, int alive)
{
	if (ours != 1 || alive)
		return PRIOR_UNKNOWN;
	if (in->running)
		return PRIOR_UNCLEAN;
	if (in->exit_kind == EXIT_NONE)
		return PRIOR_UNKNOWN;
	return in->exit_planned ? PRIOR_CLEAN : PRIOR_UNCLEAN;
}

enum plan_reason
plan_skip(enum profile_skip s)
{
	_Static_assert(REASON_UNREADABLE - REASON_RESERVED ==
	    SKIP_UNREADABLE - SKIP_RESERVED, "in the same order");
	return (enum plan_reason)(REASON_RESERVED + (s - SKIP_RESERVED));
}

enum plan_action
plan_decide(const struct facts *f, enum plan_reason *reason)
{
	*reason = REASON_NONE;
	if (f->alive)
		return f->wanted ? ACTION_ADOPTED : ACTION_STOPPED;
	if (!f->wanted)
		return ACTION_REGISTERED;
	if (f->parked)
		*reason = REASON_PARKED;
	else if (!f->enabled)
		*reason = REASON_DISABLED;
	else if (!f->release)
		*reason = REASON_NORELEASE;
	else if (f->open)
		*reason = REASON_VERDICT;
	else if (!f->startable)
		*reason = REASON_NOTHERE;
	else if (f->waiting)
		*reason = REASON_DELAY;
	else if (f->awaits)
		*reason = REASON_AWAITS;
	else {
		/* It is started once they are gone. */
		if (f->leftovers)
			*reason = REASON_LEFTOVERS;
		return ACTION_STARTED;
	}
	return ACTION_REGISTERED;
}

/* --- the line -------------------------------------------------------- */

const char *
plan_actionname(enum plan_action a)
{
	return a < ACTION__MAX ? action_names[a] : "unknown";
}

/* A name that anybody may have given: what is not harmless as %XX. */
static void
escape(const char *s, char *dst, size_t size)
{
	static const char	 plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "abcdefghijklmnopqrstuvwxyz0123456789._-";
	size_t			 n = 0;

	for (; *s != '\0' && n + 4 < size; s++) {
		if (strchr(plain, *s) != NULL)
			dst[n++] = *s;
		else
			n += (size_t)snprintf(dst + n, size - n, "%%%02X",
			    (unsigned char)*s);
	}
	dst[n] = '\0';
}

void
plan_print(const struct plan_line *l, char *s, size_t size)
{
	char		 when[32] = "", odd[200];
	struct tm	 tm;
	time_t		 t = (time_t)(l->at / US);

	if (localtime_r(&t, &tm) != NULL)
		strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%S%z", &tm);
	odd[0] = '\0';
	if (l->odd != NULL) {
		strlcpy(odd, ": ", sizeof(odd));
		escape(l->odd, odd + 2, sizeof(odd) - 2);
	}
	snprintf(s, size, "%s profile=%s prior_state=%s action=%s "
	    "prior_exit=%s service=%s release=%s backend=%s boot=%s "
	    "reason=\"%s%s\"", when, l->profile[0] != '\0' ? l->profile :
	    "-", profile_statename(l->state), plan_actionname(l->action),
	    prior_names[l->prior < PRIOR__MAX ? l->prior : PRIOR_UNKNOWN],
	    l->service, l->release[0] != '\0' ? l->release : "-",
	    l->backend, l->boot, reason_texts[l->reason < REASON__MAX ?
	    l->reason : REASON_NONE], odd);
}
