/*
 * Signed archives as signify(1) makes them (relkey.h): the secret half of
 * a release key, and what it signs.
 */
#ifndef UPD_MASTER_SIGNING_H
#define UPD_MASTER_SIGNING_H

#include <stdint.h>

#include "master.h"

struct signkey;

/* Read a secret key file of ours or signify's; it must be its owner's alone.
 * NULL with text (UPD_TEXT_SIZE).  The caller frees it, which wipes it. */
struct signkey	*signkey_load(const char *, char *);
void		 signkey_free(struct signkey *);

/*
 * Sign an archive that pack.c made, with that date (seconds since 1970): the
 * same bytes for the same archive, key and date.  A signature that is on it
 * already is replaced.  The descriptor is replaced, size and sha256 are
 * those of the signed one.  0, or -1 with text, and *packed is as it was.
 */
int		 signing_sign(const struct signkey *, int64_t,
		    struct packed *, char *);

/* sign.c: the same with the key of that path.  0, or -1 (said). */
int		 sign_packed(const char *, int64_t, struct packed *);
/* The path of the key as given, or (NULL) of release.sec; malloced,
 * never NULL. */
char		*sign_keypath(const struct master *, const char *);

#endif
