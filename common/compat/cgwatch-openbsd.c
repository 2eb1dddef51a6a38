/*
 * There are no control groups on OpenBSD, and no systemd either.
 */
#include <errno.h>
#include <stddef.h>

#include "cgwatch.h"

struct cgwatch *
cgwatch_add(const char *group, void (*fn)(void *, const char *), void *arg)
{
	errno = ENOSYS;
	return NULL;
}

void
cgwatch_del(struct cgwatch *w)
{
}
