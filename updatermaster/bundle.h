/* What a host is given to begin with, or when its certificate is renewed. */
#ifndef UPD_BUNDLE_H
#define UPD_BUNDLE_H

#include "ca.h"

struct bundle {
	const char		*name;		/* of the host */
	uint16_t		 port;
	const struct ca_issued	*updater;
	const struct ca_issued	*worker;	/* or NULL */
	const char		*out;	/* directory to make it in, or NULL:
					 * hosts/ of the master's */
	int			 conf;	/* an updaterd.conf goes with it */
};

/*
 * Make OUT/NAME/ with the files and NAME.tgz in it, in place of one that
 * was there; all of it is 0700 and 0600.  0, or -1 (said): what was there
 * is then still there.
 */
int	 bundle_write(const struct master *, const struct bundle *);
/* The path of the tarball; malloced. */
char	*bundle_path(const struct master *, const struct bundle *);
/* May OUT/NAME be made?  0, or -1 (said).  Under hosts/ always. */
int	 bundle_check(const struct bundle *);

#endif
