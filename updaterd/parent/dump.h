/*
 * A JSON value as text.
 */
#ifndef UPD_DUMP_H
#define UPD_DUMP_H

#include <jansson.h>

/* As json_dumps(3): malloced, or NULL with errno; but whole or not at all. */
char	*dump_json(const json_t *, size_t);

#endif
