/*
 * Patterns in the manner of gitignore(5):
 *
 *	# comment		\# and \! mean the character
 *	*.tmp			a name, at any depth
 *	build/			directories only
 *	/dist or doc/?.ps	a slash within: from the top of the tree
 *	a/ ** /b		** (without the blanks): any number of
 *				directories
 *	!keep.tmp		takes an earlier pattern back
 *
 * The last pattern that matches decides.
 */
#include <sys/types.h>

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "ignore.h"

struct pattern {
	char	*glob;
	int	 negate;
};

/* Part by part; "**" stands for any number of parts. */
static int
match_parts(const char *glob, const char *path)
{
	char	 g[256], p[256];
	size_t	 glen, plen;

	for (;;) {
		if (*glob == '\0' || *path == '\0')
			return *glob == *path;
		glen = strcspn(glob, "/");
		if (glen == 2 && glob[0] == '*' && glob[1] == '*') {
			glob += glob[2] == '/' ? 3 : 2;
			/* At the end it means all that is inside. */
			if (*glob == '\0')
				return 1;
			for (;;) {
				if (match_parts(glob, path))
					return 1;
				if ((path = strchr(path, '/')) == NULL)
					return 0;
				path++;
			}
		}
		plen = strcspn(path, "/");
		if (glen >= sizeof(g) || plen >= sizeof(p))
			return 0;
		memcpy(g, glob, glen);
		g[glen] = '\0';
		memcpy(p, path, plen);
		p[plen] = '\0';
		if (fnmatch(g, p, 0) != 0)
			return 0;
		glob += glen;
		path += plen;
		/* Both go on, or both end here. */
		if ((*glob == '/') != (*path == '/'))
			return 0;
		if (*glob == '\0')
			return 1;
		glob++;
		path++;
	}
}

int
glob_path(const char *pattern, const char *path, int dir)
{
	const char	*base;
	char		 glob[1024];
	size_t		 len;

	len = strlcpy(glob, pattern, sizeof(glob));
	if (len >= sizeof(glob))
		return 0;
	if (len > 1 && glob[len - 1] == '/') {
		if (!dir)
			return 0;
		glob[len - 1] = '\0';
	}
	if (strchr(glob, '/') == NULL) {
		base = strrchr(path, '/');
		return fnmatch(glob, base != NULL ? base + 1 : path, 0) == 0;
	}
	return match_parts(glob[0] == '/' ? glob + 1 : glob, path);
}

int
ignore_parse(struct ignore *ig, char *text)
{
	struct pattern	*p;
	char		*line;
	size_t		 len;

	while ((line = strsep(&text, "\n")) != NULL) {
		len = strlen(line);
		while (len > 0 && strchr(" \t\r", line[len - 1]) != NULL)
			line[--len] = '\0';
		if (len == 0 || line[0] == '#')
			continue;
		if ((p = reallocarray(ig->v, ig->n + 1, sizeof(*p))) == NULL)
			return -1;
		ig->v = p;
		p += ig->n;
		p->negate = line[0] == '!';
		if ((p->glob = strdup(line + p->negate)) == NULL)
			return -1;
		ig->n++;
	}
	return 0;
}

void
ignore_free(struct ignore *ig)
{
	size_t	 i;

	for (i = 0; i < ig->n; i++)
		free(ig->v[i].glob);
	free(ig->v);
	memset(ig, 0, sizeof(*ig));
}

enum ignore_verdict
ignore_match(const struct ignore *ig, const char *path, int dir)
{
	size_t	 i;

	for (i = ig->n; i > 0; i--)
		if (glob_path(ig->v[i - 1].glob, path, dir))
			return ig->v[i - 1].negate ? IGNORE_IN : IGNORE_OUT;
	return IGNORE_NONE;
}
