/*
 * hosts: who there is, what came of the last push, and whose certificate
 * ends soon.
 */
#include <sys/types.h>

#include <err.h>
#include <getopt.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "master.h"
#include "util.h"

#define WARN_DAYS	30	/* before a certificate ends */
#define DAY		86400	/* seconds */
#define SHA_SHOWN	12	/* characters of a sha in the table */
#define NCOLUMNS	6

static const char	*const heads[NCOLUMNS] = { "NAME", "ADDRESS", "GROUPS",
			    "LAST", "SHA", "EXPIRES" };

static void
set(char **cell, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void
set(char **cell, const char *fmt, ...)
{
	va_list	 ap;

	va_start(ap, fmt);
	if (vasprintf(cell, fmt, ap) == -1)
		err(EXIT_FAILED, NULL);
	va_end(ap);
}

static void
set_groups(char **cell, const struct host *h)
{
	struct buf	 b = { NULL, 0, 0 };
	size_t		 i;

	for (i = 0; h->groups != NULL && h->groups[i] != NULL; i++)
		if (buf_printf(&b, "%s%s", i > 0 ? "," : "",
		    h->groups[i]) == -1)
			err(EXIT_FAILED, NULL);
	if (b.data == NULL)
		set(cell, "-");
	else
		*cell = b.data;
}

static void
set_expires(char **cell, const struct host *h, int64_t now)
{
	struct tm	 tm;
	time_t		 t = (time_t)h->expires;
	char		 day[16];
	int64_t		 left = (h->expires - now) / DAY;

	if (h->revoked) {
		set(cell, "REVOKED");
		return;
	}
	if (h->fingerprint == NULL) {
		set(cell, "not enrolled");
		return;
	}
	if (h->expires == 0 || gmtime_r(&t, &tm) == NULL ||
	    strftime(day, sizeof(day), "%Y-%m-%d", &tm) == 0)
		set(cell, "?");
	else if (h->expires <= now)
		set(cell, "%s EXPIRED", day);
	else if (left < WARN_DAYS)
		set(cell, "%s in %" PRId64 " days", day, left);
	else
		set(cell, "%s", day);
}

static void
row(char **cell, const struct host *h, int64_t now)
{
	char	 when[20];
	time_t	 t = (time_t)h->last_at;
	struct tm tm;

	set(&cell[0], "%s", h->name);
	set(&cell[1], strchr(h->address, ':') != NULL ? "[%s]:%u" : "%s:%u",
	    h->address, h->port);
	set_groups(&cell[2], h);
	if (h->last_result == NULL)
		set(&cell[3], "-");
	else if (localtime_r(&t, &tm) != NULL &&
	    strftime(when, sizeof(when), "%Y-%m-%d %H:%M", &tm) > 0)
		set(&cell[3], "%s %s", h->last_result, when);
	else
		set(&cell[3], "%s", h->last_result);
	set(&cell[4], "%.*s", SHA_SHOWN, h->last_sha != NULL &&
	    h->last_sha[0] != '\0' ? h->last_sha : "-");
	set_expires(&cell[5], h, now);
}

static void
print_line(const char *const *cell, const size_t *width)
{
	size_t	 i;

	/* The last column needs no blanks behind it. */
	for (i = 0; i + 1 < NCOLUMNS; i++)
		printf("%-*s  ", (int)width[i], cell[i]);
	printf("%s\n", cell[i]);
}

static void
print_table(const struct master *m, const char *group, int64_t now)
{
	const struct host	*h;
	char			*(*rows)[NCOLUMNS];
	size_t			 width[NCOLUMNS], i, j, n = 0, soon = 0;

	TAILQ_FOREACH(h, &m->hosts, entry)
		n++;
	if (n == 0) {
		printf("no hosts; next: updatermaster enroll NAME ADDRESS\n");
		return;
	}
	if ((rows = calloc(n, sizeof(*rows))) == NULL)
		err(EXIT_FAILED, NULL);
	for (j = 0; j < NCOLUMNS; j++)
		width[j] = strlen(heads[j]);
	n = 0;
	TAILQ_FOREACH(h, &m->hosts, entry) {
		if (group != NULL && !host_ingroup(h, group))
			continue;
		row(rows[n], h, now);
		for (j = 0; j < NCOLUMNS; j++)
			if (strlen(rows[n][j]) > width[j])
				width[j] = strlen(rows[n][j]);
		n++;
		if (!h->revoked && h->expires != 0 &&
		    h->expires - now < (int64_t)WARN_DAYS * DAY)
			soon++;
	}
	print_line(heads, width);
	for (i = 0; i < n; i++) {
		print_line((const char *const *)rows[i], width);
		for (j = 0; j < NCOLUMNS; j++)
			free(rows[i][j]);
	}
	free(rows);
	fflush(stdout);
	if (soon > 0)
		warnx("%zu certificate%s ended or end%s within %d days: "
		    "updatermaster renew NAME", soon, soon == 1 ? "" : "s",
		    soon == 1 ? "s" : "", WARN_DAYS);
}

static json_t *
string_or_null(const char *s)
{
	json_t	*j;

	if (s == NULL || s[0] == '\0')
		return json_null();
	/* What is no UTF-8 is no JSON either. */
	return (j = json_string(s)) != NULL ? j : json_null();
}

static json_t *
time_or_null(int64_t t)
{
	char	 iso[40];

	if (t == 0)
		return json_null();
	time_iso(t * 1000000, iso, sizeof(iso));
	return json_string(iso);
}

static int
print_json(const struct master *m, const char *group, int64_t now)
{
	const struct host	*h;
	json_t			*all, *list, *o, *groups;
	size_t			 i;
	int			 rv = EXIT_DONE;

	list = json_array();
	TAILQ_FOREACH(h, &m->hosts, entry) {
		if (group != NULL && !host_ingroup(h, group))
			continue;
		groups = json_array();
		for (i = 0; h->groups != NULL && h->groups[i] != NULL; i++)
			json_array_append_new(groups,
			    json_string(h->groups[i]));
		o = json_pack("{s:s, s:s, s:i, s:o, s:o, s:o, s:o, s:b, s:b,"
		    " s:o, s:o, s:o}", "name", h->name, "address", h->address,
		    "port", (int)h->port, "groups", groups, "fingerprint",
		    string_or_null(h->fingerprint), "serial",
		    string_or_null(h->serial), "expires",
		    time_or_null(h->expires), "expires_soon", h->expires != 0
		    && h->expires - now < (int64_t)WARN_DAYS * DAY, "revoked",
		    h->revoked, "last_result", string_or_null(h->last_result),
		    "last_sha", string_or_null(h->last_sha), "last_at",
		    time_or_null(h->last_at));
		json_array_append_new(list, o);
	}
	all = json_pack("{s:o}", "hosts", list);
	if (all == NULL || json_dumpf(all, stdout, isatty(STDOUT_FILENO) ?
	    JSON_INDENT(2) : JSON_COMPACT) == -1) {
		warnx("cannot print");
		rv = EXIT_FAILED;
	}
	putchar('\n');
	json_decref(all);
	return rv;
}

int
cmd_hosts(struct master *m, int argc, char **argv)
{
	static const struct option	 longopts[] = {
		{ "group", required_argument, NULL, 'g' },
		{ "json", no_argument, NULL, 'j' },
		{ NULL, 0, NULL, 0 }
	};
	const char			*group = NULL;
	int64_t				 now = time_real_us() / 1000000;
	int				 ch, json = 0;

	while ((ch = getopt_long(argc, argv, "", longopts, NULL)) != -1) {
		switch (ch) {
		case 'g':
			group = optarg;
			break;
		case 'j':
			json = 1;
			break;
		default:
			return master_usage(argv[0]);
		}
	}
	if (optind != argc)
		return master_usage(argv[0]);
	outcomes_last(m);
	if (json)
		return print_json(m, group, now);
	print_table(m, group, now);
	return EXIT_DONE;
}
