/*
 * When certificates and revocation lists end, and who is told of it.  The
 * parent parses none: net and probe, which do, tell the dates.
 */
#ifndef UPD_EXPIRY_H
#define UPD_EXPIRY_H

#include <stdint.h>

#include <jansson.h>

#include "proto.h"

struct config;

enum expiry_kind {
	EXPIRY_CA,			/* of the listener */
	EXPIRY_CRL,
	EXPIRY_CERT,
	EXPIRY_HEALTH_CA,		/* of a service's check */
	EXPIRY_HEALTH_CERT,
	EXPIRY__MAX
};
const char	*expiry_name(enum expiry_kind);

/* net tries a configuration and tells a date; the dates are those of that
 * configuration from when it is in use, or forgotten.  The date in seconds
 * since the epoch. */
void		 expiry_net(enum net_file, int64_t);
void		 expiry_net_used(const struct config *);
void		 expiry_net_refused(void);
/* A file of a health check. */
void		 expiry_health(enum expiry_kind, const char *, int64_t);
/* A configuration is in use: forget files that are not in it, warn of what
 * ends soon, and go on to do so once a day. */
void		 expiry_review(const struct config *);
/* fn(arg, kind, file, date) for each, the first to end first. */
void		 expiry_each(void (*)(void *, enum expiry_kind, const char *,
		    int64_t), void *);
/* For status: [{"file","kind","expires_at","days","warning"}], likewise. */
json_t		*expiry_json(void);
/* What there is to warn of now: an array of texts. */
json_t		*expiry_warnings(void);

#endif
