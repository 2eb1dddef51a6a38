/*
 * A name out of an archive's headers, in pieces.  Pure.
 */
#ifndef UPD_TARNAME_H
#define UPD_TARNAME_H

#include <stddef.h>
#include <stdint.h>

#include "proto.h"

/* One byte more than a path may have: enough to tell that it is too long. */
#define TARNAME_SIZE	(UPD_PATH_SIZE + 1)

struct tarname {
	size_t	 len;			/* bytes seen; s holds no more than */
	char	 s[TARNAME_SIZE];	/* it can, and always its NUL */
};

void	 tarname_clear(struct tarname *);
/* Append bytes, whatever they are. */
void	 tarname_add(struct tarname *, const void *, size_t);
/* Append a field that a NUL or its end ends. */
void	 tarname_field(struct tarname *, const uint8_t *, size_t);

#endif
