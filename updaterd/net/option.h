/*
 * The options of an update, the same from a query and from form fields.
 * Pure.
 */
#ifndef NET_OPTION_H
#define NET_OPTION_H

#include <stddef.h>
#include <stdint.h>

#include "error.h"
#include "proto.h"

struct options {
	uint32_t	 flags;			/* UPDF_ */
	uint32_t	 seen;			/* bit of each option given */
	uint32_t	 confirm;		/* seconds, 0 not given */
	int		 confirm_self;		/* it says that it is meant */
	char		 sha[UPD_SHA_SIZE];	/* "" not given */
	char		 sha256[UPD_HEX_SIZE];	/* lower case, "" not given */
};

/*
 * Set one option from outside.  UPD_OK; UPD_EBADREQ: unknown, given twice
 * or malformed; the buffer of that size says what.
 */
enum upd_error	 option_set(struct options *, const char *, const char *,
		    char *, size_t);
/* All of a query string (NULL is empty). */
enum upd_error	 option_query(struct options *, const char *, char *, size_t);

#endif
