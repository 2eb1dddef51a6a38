/*
 * What is written about a release: releases/<id>.json.
 */
#ifndef UPD_RECORD_H
#define UPD_RECORD_H

#include <jansson.h>

#include "release.h"

#define RECORD_SUFFIX	".json"
#define MTREE_SUFFIX	".mtree"
#define RECORD_NAME_SIZE (UPD_ID_SIZE + 8)	/* id and suffix */

/* 1 if releases/<name> may be a release's tree: an id that does not end
 * like one of the files beside a tree. */
int	 record_isid(const char *);
/* Read <id>.json in that directory.  1 read; 0 there is none we can use
 * (a broken one is logged, with `where` before it); -1 not now, for want
 * of memory or descriptors (errno). */
int	 record_read(int, const char *, const char *, struct release *);
/* Write it durably.  0, or -1 with errno. */
int	 record_write(int, const struct release *);

/* A JSON string of text that may hold anything; bytes that are no UTF-8
 * become '?'.  "" is null.  A new reference, or NULL. */
json_t	*record_text(const char *);
/* Copy a string member into an array, NUL added.  0; -1 if it is missing,
 * no string or too long (the array is "" then). */
int	 record_get(const json_t *, const char *, char *, size_t);

#endif
