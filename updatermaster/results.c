/*
 * results: what the last push to each host came to, for `hosts`; a line
 * each, `NAME RESULT SHA SECONDS`, "-" for nothing.
 *
 * The truth is in a rollout's record (record.c), which is durable with each
 * step.  This is what is made of it once at the end, for all hosts with one
 * write, and once more from a record whose push was killed.  Under the lock
 * of hosts.conf; lines of hosts that we have not noted stay as another
 * updatermaster wrote them.
 */
#include <sys/types.h>

#include <ctype.h>
#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "master.h"
#include "util.h"

#define RESULTS_FILE	"results"
#define RESULTS_MAX	(64U << 20)	/* bytes of the file */

static char *
copy(const char *s)
{
	char	*p;

	if ((p = strdup(s)) == NULL)
		err(EXIT_FAILED, NULL);
	return p;
}

/* The next word of a line, or "". */
static const char *
word(char **line)
{
	const char	*w = *line != NULL ? strsep(line, " ") : NULL;

	return w != NULL ? w : "";
}

static void
set(struct host *h, const char *result, const char *sha, int64_t at)
{
	char	*r = result != NULL ? copy(result) : NULL;
	char	*s = sha != NULL ? copy(sha) : NULL;

	free(h->last_result);
	free(h->last_sha);
	h->last_result = r;
	h->last_sha = s;
	h->last_at = at;
}

int
results_load(struct master *m)
{
	struct host	*h;
	const char	*result, *sha;
	char		*data, *rest, *line;
	size_t		 len;

	if ((data = file_read(m->dirfd, RESULTS_FILE, RESULTS_MAX,
	    &len)) == NULL) {
		if (errno == ENOENT)
			return 0;
		warn("%s/%s", m->dir, RESULTS_FILE);
		return -1;
	}
	rest = data;
	while ((line = strsep(&rest, "\n")) != NULL) {
		h = hosts_find(m, word(&line));
		result = word(&line);
		sha = word(&line);
		if (h != NULL && line != NULL && result[0] != '\0' &&
		    sha[0] != '\0')
			set(h, strcmp(result, "-") == 0 ? NULL : result,
			    strcmp(sha, "-") == 0 ? NULL : sha,
			    strtonum(word(&line), 0, INT64_MAX, NULL));
	}
	free(data);
	return 0;
}

void
result_note(struct host *h, const char *result, const char *sha, int64_t at)
{
	set(h, result, sha, at);
	h->noted = 1;
}

/* A word for the file: no blanks, never empty. */
static int
print_word(struct buf *b, const char *s)
{
	char	 w[UPD_SHA_SIZE];
	size_t	 i;

	strlcpy(w, s != NULL && s[0] != '\0' ? s : "-", sizeof(w));
	for (i = 0; w[i] != '\0'; i++)
		if (!isgraph((unsigned char)w[i]) || w[i] == '#')
			w[i] = '_';
	return buf_printf(b, " %s", w);
}

/* The lines of hosts that were not noted, as they are by now. */
static int
keep_others(struct master *m, struct buf *b, char *rest)
{
	struct host	*h;
	char		*line, *end;
	int		 r = 0;

	while ((line = strsep(&rest, "\n")) != NULL) {
		if ((end = strchr(line, ' ')) == NULL)
			continue;
		*end = '\0';
		h = hosts_find(m, line);
		*end = ' ';
		if (h == NULL || !h->noted)
			r |= buf_printf(b, "%s\n", line);
	}
	return r;
}

int
results_save(struct master *m)
{
	struct host	*h;
	struct buf	 b = { NULL, 0, 0 };
	char		*data;
	size_t		 len;
	int		 fd, n = 0, r, rv = -1;

	TAILQ_FOREACH(h, &m->hosts, entry)
		n += h->noted;
	if (n == 0)
		return 0;
	if ((fd = hosts_lock(m)) == -1)
		return -1;
	data = file_read(m->dirfd, RESULTS_FILE, RESULTS_MAX, &len);
	if (data == NULL && errno != ENOENT)
		goto done;
	r = keep_others(m, &b, data);
	TAILQ_FOREACH(h, &m->hosts, entry) {
		if (!h->noted)
			continue;
		r |= buf_printf(&b, "%s", h->name);
		r |= print_word(&b, h->last_result);
		r |= print_word(&b, h->last_sha);
		r |= buf_printf(&b, " %" PRId64 "\n", h->last_at);
	}
	if (r != 0 || file_write(m->dirfd, RESULTS_FILE, b.data, b.len,
	    0600) == -1)
		goto done;
	TAILQ_FOREACH(h, &m->hosts, entry)
		h->noted = 0;
	rv = 0;
 done:
	if (rv == -1)
		warn("%s/%s", m->dir, RESULTS_FILE);
	free(data);
	buf_free(&b);
	close(fd);
	return rv;
}
