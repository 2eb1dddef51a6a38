/*
 * The macros of the configuration: those of the command line (-D), which
 * stay for good and win, and those that its files set, until macro_end().
 */
#include <sys/types.h>
#include <sys/queue.h>

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "macro.h"

struct macro {
	TAILQ_ENTRY(macro)	 entry;
	char			*name;
	char			*value;
	int			 fixed;
};

static TAILQ_HEAD(, macro)	 macros = TAILQ_HEAD_INITIALIZER(macros);

size_t
macro_span(const char *s, size_t len)
{
	size_t	 n;
	int	 c;

	for (n = 0; n < len; n++) {
		c = (unsigned char)s[n];
		if (c != '_' && (c >= 0x80 ||
		    (!isalpha(c) && (n == 0 || !isdigit(c)))))
			break;
	}
	return n;
}

static struct macro *
find(const char *name, size_t len)
{
	struct macro	*m;

	TAILQ_FOREACH(m, &macros, entry)
		if (strlen(m->name) == len && memcmp(m->name, name, len) == 0)
			return m;
	return NULL;
}

const char *
macro_value(const char *name, size_t len)
{
	const struct macro	*m = find(name, len);

	return m != NULL ? m->value : NULL;
}

static void
forget(struct macro *m)
{
	TAILQ_REMOVE(&macros, m, entry);
	free(m->name);
	free(m->value);
	free(m);
}

int
macro_set(const char *name, const char *value, int fixed)
{
	struct macro	*m;
	const char	*p;
	size_t		 len = strlen(name);

	if (len == 0 || macro_span(name, len) != len)
		return -1;
	for (p = value; *p != '\0'; p++)
		if (((unsigned char)*p < ' ' && *p != '\t') || *p == 0x7f)
			return -1;
	if ((m = find(name, len)) != NULL) {
		if (m->fixed && !fixed)
			return 0;
		forget(m);
	}
	if ((m = calloc(1, sizeof(*m))) == NULL ||
	    (m->name = strdup(name)) == NULL ||
	    (m->value = strdup(value)) == NULL)
		fatal("malloc");
	m->fixed = fixed;
	TAILQ_INSERT_TAIL(&macros, m, entry);
	return 0;
}

void
macro_end(void)
{
	struct macro	*m, *next;

	TAILQ_FOREACH_SAFE(m, &macros, entry, next)
		if (!m->fixed)
			forget(m);
}
