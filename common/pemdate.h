/*
 * When what is in a PEM file ends.  For the processes that parse
 * certificates; pure.
 */
#ifndef UPD_PEMDATE_H
#define UPD_PEMDATE_H

#include <stddef.h>
#include <stdint.h>

/*
 * Seconds since the epoch when the first of the certificates in there
 * expires, or with crl when the first of the revocation lists is due to be
 * replaced.  -1: nothing of that kind in there, or none with such a date.
 */
int64_t	 pem_expires(const void *, size_t, int);

#endif
