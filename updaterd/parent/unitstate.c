/*
 * A parser for `systemctl show -p ...`: records of NAME=value lines, an
 * empty line between two of them.  Pure: a buffer in, structs out.
 *
 * The order of the lines is not that of the request, and an older systemd
 * leaves out what it does not know.  A line that was not asked for, one
 * twice, or a value that is no number where there must be one, is not
 * systemctl's: nothing is believed then.
 */
#include <sys/types.h>
#include <sys/wait.h>

#include <limits.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unitstate.h"

static const char *const load_names[] = {
	[UNIT_LOADED]	= "loaded",
	[UNIT_NOTFOUND]	= "not-found",
	[UNIT_MASKED]	= "masked",
	[UNIT_BAD]	= "bad-setting",
};
_Static_assert(sizeof(load_names) / sizeof(load_names[0]) ==
    UNIT_LOAD__MAX, "a name for each");

static const char *const active_names[] = {
	[UNIT_ACTIVE]		= "active",
	[UNIT_RELOADING]	= "reloading",
	[UNIT_INACTIVE]		= "inactive",
	[UNIT_FAILED]		= "failed",
	[UNIT_ACTIVATING]	= "activating",
	[UNIT_DEACTIVATING]	= "deactivating",
};
_Static_assert(sizeof(active_names) / sizeof(active_names[0]) ==
    UNIT_ACTIVE__MAX, "a name for each");

enum kind {
	KIND_WORD,		/* of letters and "-" */
	KIND_TEXT,		/* anything, as a path */
	KIND_LOAD,
	KIND_ACTIVE,
	KIND_NUMBER,		/* int */
	KIND_PID,
	KIND_COUNT,		/* uint32_t */
	KIND_TIME,		/* uint64_t, microseconds */
	KIND_BOOL,
	KIND_JOB,		/* a number, or nothing: no job */
	KIND_ALWAYS		/* "always", or another word */
};

#define FIELD(f)	offsetof(struct unitstate, f), \
			sizeof(((struct unitstate *)NULL)->f)

static const struct property {
	const char	*name;
	enum kind	 kind;
	size_t		 offset;
	size_t		 size;
	int		 required;
} properties[] = {
	{ "Id", KIND_TEXT, FIELD(id), 1 },
	{ "LoadState", KIND_LOAD, FIELD(load), 1 },
	{ "ActiveState", KIND_ACTIVE, FIELD(active), 1 },
	{ "SubState", KIND_WORD, FIELD(sub), 1 },
	{ "Result", KIND_WORD, FIELD(result), 0 },
	{ "MainPID", KIND_PID, FIELD(pid), 0 },
	{ "NRestarts", KIND_COUNT, FIELD(restarts), 0 },
	{ "ExecMainPID", KIND_PID, FIELD(mainpid), 0 },
	{ "ExecMainCode", KIND_NUMBER, FIELD(code), 0 },
	{ "ExecMainStatus", KIND_NUMBER, FIELD(status), 0 },
	{ "ExecMainStartTimestampMonotonic", KIND_TIME, FIELD(begun), 0 },
	{ "ExecMainExitTimestampMonotonic", KIND_TIME, FIELD(ended), 0 },
	{ "ActiveExitTimestampMonotonic", KIND_TIME, FIELD(left), 0 },
	{ "Slice", KIND_TEXT, FIELD(slice), 0 },
	{ "NeedDaemonReload", KIND_BOOL, FIELD(stale), 0 },
	{ "Job", KIND_JOB, FIELD(job), 0 },
	{ "Restart", KIND_ALWAYS, FIELD(always), 0 },
	{ "InvocationID", KIND_TEXT, FIELD(run), 0 },
};
#define NPROPERTIES	(sizeof(properties) / sizeof(properties[0]))

/* 0, or -1: not a decimal number of at most max. */
static int
number(const char *s, uint64_t max, uint64_t *v)
{
	*v = 0;
	if (*s == '\0')
		return -1;
	for (; *s != '\0'; s++) {
		if (*s < '0' || *s > '9' ||
		    *v > (max - (uint64_t)(*s - '0')) / 10)
			return -1;
		*v = *v * 10 + (uint64_t)(*s - '0');
	}
	return 0;
}

static int
is_word(const char *s)
{
	for (; *s != '\0'; s++)
		if ((*s < 'a' || *s > 'z') && *s != '-')
			return 0;
	return 1;
}

/* Which of the names; what is new to us is n. */
static size_t
find(const char *const *names, size_t n, const char *s)
{
	size_t	 i;

	for (i = 0; i < n; i++)
		if (strcmp(names[i], s) == 0)
			break;
	return i;
}

/* Put a value in its place.  0, or -1. */
static int
take(const struct property *p, char *value, struct unitstate *u)
{
	char		*at = (char *)u + p->offset;
	uint64_t	 v = 0;
	size_t		 i;
	int		 n;
	uint32_t	 count;
	pid_t		 pid;

	switch (p->kind) {
	case KIND_WORD:
		if (!is_word(value))
			return -1;
		/* FALLTHROUGH */
	case KIND_TEXT:
		return strlcpy(at, value, p->size) < p->size ? 0 : -1;
	case KIND_LOAD:
		/* "error", "stub", "merged": none that could be started */
		i = find(load_names, UNIT_LOAD__MAX, value);
		u->load = i < UNIT_LOAD__MAX ? (enum unit_load)i : UNIT_BAD;
		return is_word(value) ? 0 : -1;
	case KIND_ACTIVE:
		/* "maintenance", "refreshing": it is there, and will change */
		i = find(active_names, UNIT_ACTIVE__MAX, value);
		u->active = i < UNIT_ACTIVE__MAX ? (enum unit_active)i :
		    UNIT_RELOADING;
		return is_word(value) ? 0 : -1;
	case KIND_JOB:
		u->job = value[0] != '\0';
		return u->job ? number(value, UINT32_MAX, &v) : 0;
	case KIND_BOOL:
		u->stale = strcmp(value, "yes") == 0;
		return u->stale || strcmp(value, "no") == 0 ? 0 : -1;
	case KIND_ALWAYS:
		u->always = strcmp(value, "always") == 0;
		return is_word(value) ? 0 : -1;
	case KIND_TIME:
		if (number(value, UINT64_MAX, &v) == -1)
			return -1;
		memcpy(at, &v, sizeof(v));
		return 0;
	case KIND_COUNT:
		if (number(value, UINT32_MAX, &v) == -1)
			return -1;
		count = (uint32_t)v;
		memcpy(at, &count, sizeof(count));
		return 0;
	case KIND_PID:
		if (number(value, INT_MAX, &v) == -1)
			return -1;
		/* Neither "every process" nor our group nor init. */
		pid = v > 1 ? (pid_t)v : 0;
		memcpy(at, &pid, sizeof(pid));
		return 0;
	case KIND_NUMBER:
		if (number(value, INT_MAX, &v) == -1)
			return -1;
		n = (int)v;
		memcpy(at, &n, sizeof(n));
		return 0;
	}
	return -1;
}

/* One line; seen has a bit for each property.  0, or -1 with why. */
static int
take_line(char *line, struct unitstate *u, uint32_t *seen, char *why)
{
	char	*value = strchr(line, '=');
	size_t	 i;

	if (value != NULL)
		*value++ = '\0';
	for (i = 0; i < NPROPERTIES; i++)
		if (strcmp(properties[i].name, line) == 0)
			break;
	if (value == NULL || i == NPROPERTIES) {
		snprintf(why, UNITSTATE_WHY, "systemctl says \"%.100s\"",
		    line);
		return -1;
	}
	if (*seen & (1U << i) || take(&properties[i], value, u) == -1) {
		snprintf(why, UNITSTATE_WHY, "systemctl says %s=\"%.100s\"%s",
		    line, value, *seen & (1U << i) ? " twice" : "");
		return -1;
	}
	*seen |= 1U << i;
	return 0;
}

int
unitstate_next(char **text, struct unitstate *u, char *why)
{
	uint32_t	 seen = 0;
	size_t		 i;
	char		*line;

	memset(u, 0, sizeof(*u));
	if (*text == NULL || **text == '\0')
		return 0;
	while ((line = strsep(text, "\n")) != NULL && *line != '\0')
		if (take_line(line, u, &seen, why) == -1)
			return -1;
	for (i = 0; i < NPROPERTIES; i++)
		if (properties[i].required && !(seen & (1U << i))) {
			snprintf(why, UNITSTATE_WHY, "systemctl does not say "
			    "%s", properties[i].name);
			return -1;
		}
	return 1;
}

int
unitstate_status(const struct unitstate *u)
{
	if (u->code == CLD_EXITED && u->status <= UCHAR_MAX)
		return W_EXITCODE(u->status, 0);
	if ((u->code == CLD_KILLED || u->code == CLD_DUMPED) &&
	    u->status > 0 && u->status < NSIG)
		return W_EXITCODE(0, u->status) |
		    (u->code == CLD_DUMPED ? WCOREFLAG : 0);
	return -1;
}

int
unitstate_wasstopped(const struct unitstate *u)
{
	if (u->active == UNIT_FAILED)
		return 0;
	/* It would have been started again. */
	if (u->always)
		return 1;
	/* No main process, or systemd has forgotten it: nothing says that
	 * it ended by itself, and what ends well is not a crash. */
	if (u->ended == 0)
		return 1;
	return u->left < u->ended;
}
