/*
 * What of a tree must not leave, by its name.  Decided in this order; the
 * first that speaks wins:
 *
 *	--exclude		stays
 *	--include		goes (a directory: it is entered, and what
 *				is in it judged by itself)
 *	a secret by its name	stays
 *	.updaterignore		stays, or goes for `!'
 *	junk by its name	stays
 */
#include <sys/types.h>

#include <limits.h>
#include <string.h>

#include "master.h"
#include "secrets.h"
#include "stays.h"

static int
any(char **globs, const char *path, int dir)
{
	for (; globs != NULL && *globs != NULL; globs++)
		if (glob_path(*globs, path, dir))
			return 1;
	return 0;
}

const char *
stays_why(const struct pack_opts *opts, const struct ignore *ignore,
    const char *path, const char *name, int dir, int venv)
{
	const char	*why = NULL, *slash;
	char		 parent[NAME_MAX + 1] = "";
	enum leave	 leave;
	size_t		 n;

	if (any(opts->exclude, path, dir))
		return "excluded";
	if (any(opts->include, path, dir))
		return NULL;
	n = strlen(path) - strlen(name);
	if (n > 0) {
		for (slash = path + n - 1; slash > path &&
		    slash[-1] != '/'; slash--)
			;
		n -= (size_t)(slash - path) + 1;
		if (n < sizeof(parent)) {
			memcpy(parent, slash, n);
			parent[n] = '\0';
		}
	}
	leave = secret_name(name, parent, dir, &why);
	if (leave == LEAVE_SECRET)
		return why;
	switch (ignore_match(ignore, path, dir)) {
	case IGNORE_OUT:
		return IGNORE_FILE;
	case IGNORE_IN:
		return NULL;
	case IGNORE_NONE:
		break;
	}
	if (leave == LEAVE_JUNK)
		return why;
	return venv ? "virtual environment" : NULL;
}
