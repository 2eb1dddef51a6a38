/* What of a tree must not leave. */
#ifndef UPD_STAYS_H
#define UPD_STAYS_H

#include "ignore.h"

#define IGNORE_FILE	".updaterignore"	/* at the root of a tree */

struct pack_opts;

/* Why that path stays, or NULL: it goes.  Its last component, whether it is a
 * directory, and whether one of a virtual environment. */
const char	*stays_why(const struct pack_opts *, const struct ignore *,
		    const char *, const char *, int, int);

#endif
