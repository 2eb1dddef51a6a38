/*
 * Whose releases run here, and in which order of time: what the parent
 * makes of inflate's word on a signature.
 */
#ifndef UPD_TRUST_H
#define UPD_TRUST_H

#include "update.h"

/* 1 if releases have to be signed. */
int	 trust_wanted(void);
/*
 * The archive is complete: note who signed it and when, and refuse it when
 * it was signed before the running release, or more than a day ahead.  1, or
 * 0: the update has failed.
 */
int	 trust_accept(struct update *);

#endif
