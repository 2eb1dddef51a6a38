/*
 * The supervisors that there are.
 */
#include <sys/types.h>

#include "instance.h"
#include "s6record.h"
#include "unitrecord.h"

const struct backend *
backend_of(enum supervisor s)
{
	static const struct backend	*const all[] = {
		[SUPERVISE_NATIVE] = &native_backend,
		[SUPERVISE_S6] = &s6_backend,
		[SUPERVISE_SYSTEMD] = &systemd_backend,
		[SUPERVISE_RCCTL] = &rcctl_backend,
	};

	return s < sizeof(all) / sizeof(all[0]) && all[s] != NULL ? all[s] :
	    &native_backend;
}

int
backend_withdraw(const char *name)
{
	return s6record_withdraw(name, NULL) || unitrecord_withdraw(name);
}

void
backend_moved(const struct instance *i)
{
	if (i->backend != &s6_backend)
		(void)s6record_withdraw(i->name, NULL);
}
