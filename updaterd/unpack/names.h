/*
 * The set of names an archive has brought so far, and what each is.
 */
#ifndef UPD_NAMES_H
#define UPD_NAMES_H

#include <stddef.h>

enum name_kind {
	NAME_NONE,			/* not in the set */
	NAME_FILE,
	NAME_DIR,
	NAME_LINK
};

struct names;

/* An empty set, or NULL with ENOMEM; the caller frees it. */
struct names	*names_new(void);
void		 names_free(struct names *);
enum name_kind	 names_get(struct names *, const char *, size_t);
/* Add a name that is not in the set.  0, or -1: out of memory. */
int		 names_put(struct names *, const char *, size_t,
		    enum name_kind);

#endif
