/*
 * name=value&name=value: the query of a target, and a form body.  Pure.
 */
#ifndef NET_QUERY_H
#define NET_QUERY_H

#include <stddef.h>

#define QUERY_NAME_SIZE		65	/* bytes, the NUL included */
#define QUERY_VALUE_SIZE	1025

/*
 * Take the next pair out of [*p, end) and move *p on.  1: name and value
 * (of QUERY_NAME_SIZE and QUERY_VALUE_SIZE bytes) hold it, decoded; 0: none
 * left; -1: malformed, too long, or control bytes in it.
 */
int	 query_next(const char **, const char *, char *, char *);
/* Decode percent escapes of [s, end) into a buffer.  With plus, '+' is a
 * blank.  0, or -1. */
int	 query_decode(const char *, const char *, char *, size_t, int);

#endif
