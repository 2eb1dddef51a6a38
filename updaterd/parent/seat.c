/*
 * The instances of services that have a home: one a profile, as a pass of
 * reconcile.c finds them, or one whose profile is its home.
 *
 * Between passes nothing here changes: a reload gives those that are there
 * their new configuration, and the pass that follows says who is new and
 * who has gone.
 */
#include <sys/types.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "instance.h"
#include "log.h"

#define SUFFIX	".json"

/* Directory of a profile; malloced, or NULL ENOMEM. */
static char *
seat_home(const struct service_conf *c, const char *profile)
{
	char	*s;

	if (strcmp(profile, PROFILE_DEFAULT) == 0)
		return strdup(c->home);
	if (asprintf(&s, "%s/%s", c->profiles, profile) == -1) {
		errno = ENOMEM;
		return NULL;
	}
	return s;
}

/* Alone, it has the service's own name. */
static int
seat_name(const struct service_conf *c, const char *profile, char *name,
    size_t size)
{
	if (c->profiles != NULL)
		return profile_instance(c->name, profile, name, size);
	return strlcpy(name, c->name, size) < size ? 0 : -1;
}

void
seat_keep(struct agent *a, const struct service_conf *c)
{
	struct instance	*i, *next, *last = TAILQ_LAST(&a->instances,
			    instances);
	struct seat	 seat;
	const char	*profile;
	char		*home, name[UPD_INSTANCE_SIZE];

	/* Each is put behind the last one there was. */
	for (i = TAILQ_FIRST(&a->instances); i != NULL; i = next) {
		next = i == last ? NULL : TAILQ_NEXT(i, entry);
		/* One that had no home until now goes on in it: what was said
		 * of it is under the same name. */
		profile = i->profile[0] != '\0' ? i->profile :
		    PROFILE_DEFAULT;
		if (i->conf != NULL || strcmp(i->service, c->name) != 0 ||
		    (c->profiles == NULL &&
		    strcmp(profile, PROFILE_DEFAULT) != 0) ||
		    seat_name(c, profile, name, sizeof(name)) == -1 ||
		    strcmp(i->name, name) != 0)
			continue;
		if ((home = seat_home(c, profile)) == NULL)
			continue;
		seat.name = i->name;
		seat.profile = profile;
		seat.home = home;
		seat.word = NULL;
		(void)instance_place(a, c, &seat);
		free(home);
	}
}

struct instance *
seat_sketch(struct agent *a, const struct service_conf *c,
    const char *profile)
{
	struct instance	*i;
	struct seat	 seat = { NULL, profile, NULL, NULL };
	char		 name[UPD_INSTANCE_SIZE], *home = NULL;

	if (seat_name(c, profile, name, sizeof(name)) == -1 ||
	    (c->home != NULL && (home = seat_home(c, profile)) == NULL))
		return NULL;
	seat.name = name;
	seat.home = home;
	i = instance_sketch(a, c, &seat);
	free(home);
	return i;
}

enum plan_reason
seat_take(struct agent *a, const struct service_conf *c,
    const char *profile, const struct word *word, struct instance **ip,
    int *is_new)
{
	struct instance	*i;
	struct seat	 seat;
	char		 name[UPD_INSTANCE_SIZE], *home;

	*ip = NULL;
	*is_new = 0;
	if (seat_name(c, profile, name, sizeof(name)) == -1)
		return REASON_LONG;
	i = instance_find(name);
	if (i != NULL && i->agent != NULL && strcmp(i->service, c->name) != 0)
		return REASON_TAKEN;
	*is_new = i == NULL || i->agent == NULL;
	if ((home = seat_home(c, profile)) == NULL)
		return REASON_MEMORY;
	seat.name = name;
	seat.profile = profile;
	seat.home = home;
	seat.word = word;
	*ip = instance_place(a, c, &seat);
	free(home);
	return *ip == NULL ? REASON_MEMORY : REASON_NONE;
}

/* --- order ----------------------------------------------------------- */

static int
compare(const void *pa, const void *pb)
{
	const struct instance	*a = *(struct instance *const *)pa;
	const struct instance	*b = *(struct instance *const *)pb;
	int			 da, db;

	if (a->conf != b->conf)
		return a->rank < b->rank ? -1 : 1;
	da = strcmp(a->profile, PROFILE_DEFAULT) != 0;
	db = strcmp(b->profile, PROFILE_DEFAULT) != 0;
	return da != db ? da - db : strcmp(a->profile, b->profile);
}

void
seat_sort(struct agent *a)
{
	const struct service_conf	*c;
	struct instance			*i, **all;
	size_t				 n = 0, k;
	int				 rank;

	TAILQ_FOREACH(i, &a->instances, entry) {
		rank = 0;
		TAILQ_FOREACH(c, &a->conf->services, entry) {
			if (c == i->conf)
				break;
			rank++;
		}
		i->rank = rank;
		n++;
	}
	/* Without memory they stay in another order, and no worse. */
	if (n < 2 || (all = calloc(n, sizeof(struct instance *))) == NULL)
		return;
	n = 0;
	TAILQ_FOREACH(i, &a->instances, entry)
		all[n++] = i;
	qsort(all, n, sizeof(struct instance *), compare);
	TAILQ_INIT(&a->instances);
	for (k = 0; k < n; k++)
		TAILQ_INSERT_TAIL(&a->instances, all[k], entry);
	free(all);
}

/* --- what nobody knows any more -------------------------------------- */

void
seat_orphans(void (*fn)(void *, const char *), void *arg)
{
	struct dirent	*de;
	char		 name[UPD_INSTANCE_SIZE];
	const char	*dot;
	DIR		*dir;
	size_t		 len;
	int		 fd;

	fd = openat(service_getenv()->statefd, ".", O_RDONLY | O_DIRECTORY |
	    O_CLOEXEC);
	if (fd == -1 || (dir = fdopendir(fd)) == NULL) {
		if (fd != -1)
			close(fd);
		return;
	}
	while ((de = readdir(dir)) != NULL) {
		if ((dot = strstr(de->d_name, SUFFIX)) == NULL ||
		    dot[strlen(SUFFIX)] != '\0')
			continue;
		len = (size_t)(dot - de->d_name);
		if (len == 0 || len >= sizeof(name) || de->d_name[0] == '.')
			continue;
		memcpy(name, de->d_name, len);
		name[len] = '\0';
		if (instance_find(name) == NULL)
			fn(arg, name);
	}
	closedir(dir);
}
