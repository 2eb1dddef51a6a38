/*
 * %p, %h and %% in the texts of a service.  Nothing is kept: a thousand
 * instances share the texts of their configuration, and each has its own
 * for as long as it takes to start it.
 */
#include <sys/types.h>

#include <stdlib.h>
#include <string.h>

#include "expand.h"
#include "instance.h"
#include "../percent.h"

/* A copy for the instance; NULL stays so.  0, or -1 ENOMEM. */
static int
one(const struct instance *i, const char *s, char **dst)
{
	*dst = NULL;
	if (s == NULL)
		return 0;
	*dst = i->home == NULL ? strdup(s) :
	    percent_expand(s, i->profile, i->home);
	return *dst == NULL ? -1 : 0;
}

static int
all(const struct instance *i, const struct args *from, struct args *to)
{
	if ((to->v = calloc(from->n + 1, sizeof(*to->v))) == NULL)
		return -1;
	for (to->n = 0; to->n < from->n; to->n++)
		if (one(i, from->v[to->n], &to->v[to->n]) == -1)
			return -1;
	return 0;
}

static void
list_free(struct args *a)
{
	size_t	 n;

	for (n = 0; n < a->n; n++)
		free(a->v[n]);
	free(a->v);
	memset(a, 0, sizeof(*a));
}

int
instance_expand(const struct instance *i, struct expansion *x, char *text)
{
	const struct service_conf	*c = i->conf;

	memset(x, 0, sizeof(*x));
	if (all(i, &c->command, &x->command) == 0 &&
	    all(i, &c->environment, &x->environment) == 0 &&
	    all(i, &c->health.command, &x->check) == 0 &&
	    one(i, c->directory, &x->directory) == 0 &&
	    one(i, c->log, &x->log) == 0 && one(i, c->unit, &x->unit) == 0)
		return 0;
	strlcpy(text, "out of memory", UPD_TEXT_SIZE);
	return -1;
}

void
expansion_free(struct expansion *x)
{
	list_free(&x->command);
	list_free(&x->environment);
	list_free(&x->check);
	free(x->directory);
	free(x->log);
	free(x->unit);
	memset(x, 0, sizeof(*x));
}
