/* Patterns of paths: those of .updaterignore, --include and --exclude. */
#ifndef UPD_IGNORE_H
#define UPD_IGNORE_H

#include <stddef.h>

struct ignore {
	struct pattern	*v;
	size_t		 n;
};
enum ignore_verdict { IGNORE_NONE, IGNORE_OUT, IGNORE_IN };

/* The patterns of a file's text, which is changed.  0, or -1 ENOMEM. */
int	 ignore_parse(struct ignore *, char *);
void	 ignore_free(struct ignore *);
/* What the last pattern that matches a path (no slash at its ends) says. */
enum ignore_verdict ignore_match(const struct ignore *, const char *, int);
/* Does one pattern match the path of a directory or something else? */
int	 glob_path(const char *, const char *, int);

#endif
