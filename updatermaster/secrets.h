/*
 * What must not leave the master: told by its name, or by what is in it.
 * Pure: names and bytes in, verdicts out.
 */
#ifndef UPD_SECRETS_H
#define UPD_SECRETS_H

#include <stddef.h>

enum leave {
	LEAVE_NOT,		/* goes along */
	LEAVE_JUNK,		/* of no use there: caches, logs, .git */
	LEAVE_SECRET,		/* a key, a password file, by its name */
};

/* By the name of a file or directory (`dir`), and that of the directory it
 * is in ("" at the top).  *why names the rule, when it stays. */
enum leave	 secret_name(const char *, const char *, int, const char **);

/*
 * Looks through a file's bytes, which may come in pieces of any size, for
 * a private key.  Zero-initialised is the beginning.
 */
struct secret_scan {
	char	 kept[65536];	/* the end of what was seen */
	size_t	 len;
};
/* What was found, or NULL.  With `last` the file ends behind the piece. */
const char	*secret_scan(struct secret_scan *, const char *, size_t, int);

#endif
