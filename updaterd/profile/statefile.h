/*
 * A profile's own state file, <service>_state.json, so that its data can
 * move between hosts: what it says, and how it is written.
 */
#ifndef UPD_STATEFILE_H
#define UPD_STATEFILE_H

#include <sys/types.h>

#include "profile.h"

#define STATEFILE_MAX	65536	/* bytes; more is not believed */

/*
 * What these bytes say, for that service: state, desired and stamp are
 * filled in.  Pure; whatever the bytes are, the answer is known words.
 */
void	 statefile_parse(const char *, size_t, const char *,
	    struct msg_profile_found *);
/*
 * These bytes (NULL: none) with a new state, members that are not ours as
 * they were.  Malloced, *len bytes; NULL: not a JSON object (EINVAL), no
 * change is needed (EEXIST), or ENOMEM.
 */
char	*statefile_merge(const char *, size_t, const char *,
	    const struct msg_profile_state *, size_t *);

/* The same from and to a directory.  What is not to be believed is kept as
 * <service>_state.json.bad when it is written over.  0, or -1 errno: what it
 * says cannot be told now. */
int	 statefile_read(int, const char *, struct msg_profile_found *);
int	 statefile_write(int, const char *, const struct msg_profile_state *);

#endif
