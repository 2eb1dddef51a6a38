/*
 * Which hosts a command is for: see choose.h.
 */
#include <sys/types.h>

#include <err.h>
#include <stdlib.h>
#include <string.h>

#include "choose.h"

size_t
list_len(char *const *list)
{
	size_t	 n = 0;

	while (list != NULL && list[n] != NULL)
		n++;
	return n;
}

void
list_add(char ***list, char *s)
{
	size_t	  n = list_len(*list);
	char	**l;

	if ((l = reallocarray(*list, n + 2, sizeof(*l))) == NULL)
		err(1, NULL);
	l[n] = s;
	l[n + 1] = NULL;
	*list = l;
}

static void
take(struct host **list, size_t *n, struct host *h)
{
	size_t	 i;

	for (i = 0; i < *n; i++)
		if (list[i] == h)
			return;
	list[(*n)++] = h;
}

static int
take_named(struct master *m, const struct choice *c, struct host **list,
    size_t *n)
{
	struct host	*h;
	size_t		 i;
	int		 rv = EXIT_DONE;

	for (i = 0; i < list_len(c->hosts); i++) {
		if ((h = hosts_find(m, c->hosts[i])) == NULL) {
			warnx("%s: unknown host; `updatermaster hosts` lists "
			    "them, `enroll` adds one", c->hosts[i]);
			rv = EXIT_FAILED;
		} else if (h->revoked) {
			warnx("%s: its certificate is revoked", h->name);
			rv = EXIT_FAILED;
		} else
			take(list, n, h);
	}
	return rv;
}

static int
take_group(struct master *m, const char *group, struct host **list, size_t *n)
{
	struct host	*h;
	int		 found = 0;

	TAILQ_FOREACH(h, &m->hosts, entry) {
		if (group != NULL && !host_ingroup(h, group))
			continue;
		found = 1;
		if (!h->revoked)
			take(list, n, h);
	}
	if (found)
		return EXIT_DONE;
	if (group != NULL)
		warnx("%s: no host is in that group", group);
	else
		warnx("there are no hosts yet; `updatermaster enroll` adds "
		    "one");
	return EXIT_FAILED;
}

int
choose(struct master *m, const struct choice *c, struct host ***out,
    size_t *count)
{
	struct host	**list, *h;
	size_t		  n = 0, i;
	int		  rv;

	if (c->all && (c->hosts != NULL || c->groups != NULL)) {
		warnx("--all and --%s exclude each other",
		    c->hosts != NULL ? "host" : "group");
		return EXIT_USAGE;
	}
	if (!c->all && c->hosts == NULL && c->groups == NULL) {
		warnx("say which hosts: --host NAME, --group G or --all");
		return EXIT_USAGE;
	}
	TAILQ_FOREACH(h, &m->hosts, entry)
		n++;
	if ((list = calloc(n + 1, sizeof(void *))) == NULL)
		err(1, NULL);
	n = 0;
	rv = take_named(m, c, list, &n);
	for (i = 0; rv == EXIT_DONE && i < list_len(c->groups); i++)
		rv = take_group(m, c->groups[i], list, &n);
	if (rv == EXIT_DONE && c->all)
		rv = take_group(m, NULL, list, &n);
	if (rv == EXIT_DONE && n == 0) {
		warnx("all of these hosts are revoked");
		rv = EXIT_FAILED;
	}
	if (rv != EXIT_DONE) {
		free(list);
		return rv;
	}
	*out = list;
	*count = n;
	return EXIT_DONE;
}
