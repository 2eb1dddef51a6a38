/*
 * Options of an update: one table of names and setters.  An empty value
 * counts as not given (curl -F "sha=" from a script), but only once; and not
 * where an update would go further than was meant: a variable that a script
 * has not set must not make a dry run, or a trial, the real thing.
 */
#include <stdio.h>
#include <string.h>

#include "option.h"
#include "query.h"

#define CONFIRM_MAX	86400	/* seconds; the parent allows as much */

static int
set_sha(struct options *o, uint32_t arg, const char *s)
{
	static const char	 allowed[] = "0123456789._-"
				    "abcdefghijklmnopqrstuvwxyz"
				    "ABCDEFGHIJKLMNOPQRSTUVWXYZ";

	if (s[strspn(s, allowed)] != '\0' || strlen(s) >= sizeof(o->sha))
		return -1;
	strlcpy(o->sha, s, sizeof(o->sha));
	return 0;
}

static int
set_sha256(struct options *o, uint32_t arg, const char *s)
{
	size_t	 i;

	if (strlen(s) != sizeof(o->sha256) - 1)
		return -1;
	for (i = 0; s[i] != '\0'; i++)
		o->sha256[i] = s[i] >= 'A' && s[i] <= 'F' ?
		    (char)(s[i] - 'A' + 'a') : s[i];
	o->sha256[i] = '\0';
	return digest_ishex(o->sha256) ? 0 : -1;
}

static int
set_flag(struct options *o, uint32_t flag, const char *s)
{
	if (strcmp(s, "true") == 0 || strcmp(s, "1") == 0)
		o->flags |= flag;
	else if (strcmp(s, "false") != 0 && strcmp(s, "0") != 0)
		return -1;
	return 0;
}

/* Seconds; the argument is the most. */
static int
set_confirm(struct options *o, uint32_t max, const char *s)
{
	uint32_t	 n = 0;

	for (; *s >= '0' && *s <= '9' && n <= max; s++)
		n = n * 10 + (uint32_t)(*s - '0');
	if (*s != '\0' || n > max)
		return -1;
	o->confirm = n;
	return 0;
}

static int
set_confirm_self(struct options *o, uint32_t arg, const char *s)
{
	if (strcmp(s, "true") != 0)
		return -1;
	o->confirm_self = 1;
	return 0;
}

static const struct {
	const char	*name;
	int		(*set)(struct options *, uint32_t, const char *);
	uint32_t	 arg;		/* UPDF_, or a limit */
	int		 filled;	/* must not be empty */
	const char	*form;		/* what it has to look like */
} table[] = {
	{ "sha",	set_sha,	0,	0,
	    "1 to 128 of 0-9 A-Z a-z . _ -" },
	{ "sha256",	set_sha256,	0,	0,	"64 hex digits" },
	{ "force",	set_flag,	UPDF_FORCE, 0,	"true or false" },
	{ "dry_run",	set_flag,	UPDF_DRY_RUN, 1, "true or false" },
	{ "downgrade",	set_flag,	UPDF_DOWNGRADE, 0, "true or false" },
	{ "confirm_self", set_confirm_self, 0,	0,	"true" },
	{ "confirm",	set_confirm,	CONFIRM_MAX, 1,
	    "0 to 86400 seconds" }
};

enum upd_error
option_set(struct options *o, const char *name, const char *value, char *why,
    size_t size)
{
	size_t	 i;

	for (i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (strcmp(table[i].name, name) == 0)
			break;
	if (i == sizeof(table) / sizeof(table[0])) {
		snprintf(why, size, "unknown option \"%s\"", name);
		return UPD_EBADREQ;
	}
	if (o->seen & 1U << i) {
		snprintf(why, size, "option \"%s\" given twice", name);
		return UPD_EBADREQ;
	}
	o->seen |= 1U << i;
	if (value[0] == '\0' && !table[i].filled)
		return UPD_OK;
	if (value[0] == '\0' || table[i].set(o, table[i].arg, value) == -1) {
		snprintf(why, size, "option \"%s\" has to be %s", name,
		    table[i].form);
		return UPD_EBADREQ;
	}
	return UPD_OK;
}

enum upd_error
option_query(struct options *o, const char *query, char *why, size_t size)
{
	char		 name[QUERY_NAME_SIZE], value[QUERY_VALUE_SIZE];
	const char	*end;
	enum upd_error	 error;
	int		 r;

	if (query == NULL)
		return UPD_OK;
	end = query + strlen(query);
	while ((r = query_next(&query, end, name, value)) == 1)
		if ((error = option_set(o, name, value, why, size)) != UPD_OK)
			return error;
	if (r == -1) {
		snprintf(why, size, "malformed query");
		return UPD_EBADREQ;
	}
	return UPD_OK;
}
