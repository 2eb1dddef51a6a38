/*
 * Names of profiles and the words of their state files.
 */
#include <sys/types.h>

#include <stdio.h>
#include <string.h>

#include "profile.h"

#define LOWER	"abcdefghijklmnopqrstuvwxyz0123456789"

static const char *const state_names[] = {
	[PSTATE_NONE]		= "None",
	[PSTATE_UNREADABLE]	= "unreadable",
	[PSTATE_INVALID]	= "invalid",
	[PSTATE_STOPPED]	= "stopped",
	[PSTATE_STARTING]	= "starting",
	[PSTATE_RUNNING]	= "running",
	[PSTATE_DRAINING]	= "draining",
	[PSTATE_DEGRADED]	= "degraded",
	[PSTATE_STARTUP_FAILED]	= "startup_failed",
};
_Static_assert(sizeof(state_names) / sizeof(state_names[0]) == PSTATE__MAX,
    "a word for each state");

const char *
profile_statename(enum profile_state s)
{
	return s < PSTATE__MAX ? state_names[s] : state_names[PSTATE_INVALID];
}

enum profile_state
profile_stateof(const char *word)
{
	int	 s;

	for (s = PSTATE_STOPPED; s < PSTATE__MAX; s++)
		if (strcmp(word, state_names[s]) == 0)
			return (enum profile_state)s;
	return PSTATE_INVALID;
}

int
profile_isvalid(const char *name)
{
	if (name[0] == '\0' || strchr(LOWER, name[0]) == NULL ||
	    strcmp(name, PROFILE_DEFAULT) == 0)
		return 0;
	return name[strspn(name, LOWER "_-")] == '\0';
}

int
profile_isfile(const char *name)
{
	const char	*p;

	if (name[0] == '\0' || strlen(name) >= PROFILE_FILE_SIZE ||
	    strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return 0;
	for (p = name; *p != '\0'; p++)
		if (*p <= ' ' || *p > '~' || *p == '/')
			return 0;
	return 1;
}

int
profile_instance(const char *service, const char *profile, char *name,
    size_t size)
{
	int	 n;

	n = snprintf(name, size, "%s-%s", service, profile);
	return n > 0 && (size_t)n < size && n < UPD_INSTANCE_SIZE ? 0 : -1;
}
