/*
 * The little JSON that net writes by itself: strings and errors.
 */
#ifndef NET_JSON_H
#define NET_JSON_H

#include <stddef.h>

#include "util.h"

/* Append a quoted JSON string; bytes that are not UTF-8 become U+FFFD.
 * 0, or -1 ENOMEM. */
int	 jsontext_string(struct buf *, const char *, size_t);
/* Append {"detail":"text"}.  0, or -1 ENOMEM. */
int	 jsontext_detail(struct buf *, const char *);
/* Append JSON text as it is, but on one line (a raw line break never stands
 * inside a JSON string); "null" for nothing.  0, or -1 ENOMEM. */
int	 jsontext_oneline(struct buf *, const char *, size_t);
/* Length of the valid UTF-8 sequence at s, 1 to 4 bytes; 0: not one. */
size_t	 utf8_len(const char *, size_t);

#endif
