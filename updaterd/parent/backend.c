/*
 * The supervisors that there are.
 */
#include <sys/types.h>

#include "instance.h"
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
	return unitrecord_withdraw(name);
}
