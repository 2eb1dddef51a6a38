/*
 * Names that go to another supervisor's tools.  They are words of a command
 * line and names of files in directories of the system: so they hold no
 * slash, no blank, nothing that a tool takes for a pattern ("*", "?", "["),
 * and do not begin like an option or a hidden file.
 */
#include <sys/types.h>

#include <ctype.h>
#include <string.h>

#include "unitname.h"

#define SUFFIX	".service"

static int
is_unitchar(char c)
{
	return isascii((unsigned char)c) && (isalnum((unsigned char)c) ||
	    strchr(":-_.\\@", c) != NULL);
}

int
unitname_isvalid(const char *s)
{
	size_t		 i, len = strlen(s), suffix = strlen(SUFFIX);
	const char	*at = strchr(s, '@');

	if (len >= UNIT_NAME_SIZE || len <= suffix ||
	    strcmp(s + len - suffix, SUFFIX) != 0)
		return 0;
	if (s[0] == '-' || s[0] == '.' || s[0] == '@')
		return 0;
	for (i = 0; i < len; i++)
		if (!is_unitchar(s[i]))
			return 0;
	/* A template by itself cannot run. */
	return at == NULL || (size_t)(at - s) + 1 < len - suffix;
}

void
unitname_file(const char *unit, char *file, size_t size)
{
	const char	*at = strchr(unit, '@');

	strlcpy(file, unit, size);
	if (at != NULL && (size_t)(at - unit) + 1 < size)
		strlcpy(file + (at - unit) + 1, SUFFIX,
		    size - (size_t)(at - unit) - 1);
}

/* It becomes part of the name of a shell variable, too. */
int
rcname_isvalid(const char *s)
{
	size_t	 i;

	if (strlen(s) >= RC_NAME_SIZE || !isascii((unsigned char)s[0]) ||
	    !isalpha((unsigned char)s[0]))
		return 0;
	for (i = 0; s[i] != '\0'; i++)
		if (!isascii((unsigned char)s[i]) ||
		    (!isalnum((unsigned char)s[i]) && s[i] != '_'))
			return 0;
	return 1;
}
