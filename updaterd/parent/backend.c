/*
 * The supervisors that there are.
 */
#include <sys/types.h>

#include "instance.h"
#include "s6given.h"
#include "s6record.h"
#include "scandir.h"
#include "unitleave.h"

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
	return s6record_withdraw(name, NULL) || unitleave_withdraw(name);
}

const char *
backend_recorded(const char *name)
{
	return s6record_has(name) ? s6_backend.name :
	    unitleave_has(name) ? systemd_backend.name :
	    native_backend.name;
}

void
backend_strays(int dry, void (*fn)(void *, const char *), void *arg)
{
	s6record_strays(dry, fn, arg);
	if (!dry)
		given_settle();
	unitleave_strays(fn, arg);
}

/* What another supervisor had of it has ended. */
static void
moved(void *arg)
{
	struct instance	*i;

	TAILQ_FOREACH(i, &all_instances, all)
		if (i == arg)
			break;
	if (i != NULL && i->backend->foreign)
		observe_moved(i);
	else if (i != NULL && i->state == SERVICE_STOPPING)
		service_gone(i);
}

int
backend_ismoving(struct instance *i)
{
	/* s6 itself waits for its own (s6.c). */
	return (i->backend != &s6_backend &&
	    slot_await(i->name, moved, i)) ||
	    unitleave_await(i->name, moved, i);
}

int
backend_isstuck(const struct instance *i, char *text)
{
	return unitleave_isstuck(i->name, text);
}

int
backend_moved(const struct instance *i)
{
	int	 r = 0;

	if (i->backend != &s6_backend)
		r |= s6record_withdraw(i->name, NULL);
	if (i->backend != &systemd_backend)
		r |= unitleave_withdraw(i->name);
	return r;
}
