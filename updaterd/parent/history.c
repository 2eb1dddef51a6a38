/*
 * The history of an agent, <root>/history.jsonl: one JSON object a line,
 * appended and fsynced.
 *
 * A line is written by one write(2) and taken back when it did not go out
 * whole; a cut may still leave the last one torn.  So a writer who finds no
 * newline at the end begins with one, and a reader skips what does not
 * parse.  Over HISTORY_MAX bytes the file becomes .1 and the former .1 is
 * gone: that bounds it.  No trouble here may fail an update.
 */
#include <sys/types.h>
#include <sys/stat.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "dump.h"
#include "journal.h"
#include "log.h"
#include "util.h"

#define HISTORY_NAME	"history.jsonl"
#define HISTORY_OLD	"history.jsonl.1"
#define HISTORY_LINE	65536		/* bytes of a line, newline included */
#define CUT_FIRST	8192		/* bytes left of a long string */
#define CUT_LAST	32

/* Cut a string to max bytes, not within a character. */
static void
cut_string(json_t *v, size_t max)
{
	const char	*s = json_string_value(v);
	char		*copy;
	size_t		 n = max;

	if (json_string_length(v) <= max)
		return;
	while (n > 0 && ((unsigned char)s[n] & 0xc0) == 0x80)
		n--;
	if ((copy = malloc(n + 4)) == NULL)
		return;
	memcpy(copy, s, n);
	memcpy(copy + n, "...", 4);
	(void)json_string_setn(v, copy, n + 3);
	free(copy);
}

/* Depth is what our own callers build: a few levels. */
static void
cut_strings(json_t *o, size_t max)
{
	const char	*key;
	json_t		*v;
	size_t		 i;

	if (json_is_string(o))
		cut_string(o, max);
	json_object_foreach(o, key, v)
		cut_strings(v, max);
	json_array_foreach(o, i, v)
		cut_strings(v, max);
}

/* The line, with a newline before it (to be used if needed) and after.
 * Malloced; NULL with errno. */
static char *
history_line(json_t *o, size_t *len)
{
	json_t	*copy = NULL;
	char	*text, *line = NULL;
	size_t	 max;

	text = dump_json(o, JSON_COMPACT);
	/* parts of it may belong to others: a copy is cut */
	if (text != NULL && strlen(text) >= HISTORY_LINE &&
	    (copy = json_deep_copy(o)) != NULL) {
		for (max = CUT_FIRST; max >= CUT_LAST && text != NULL &&
		    strlen(text) >= HISTORY_LINE; max /= 2) {
			free(text);
			cut_strings(copy, max);
			text = dump_json(copy, JSON_COMPACT);
		}
	}
	json_decref(copy);
	if (text == NULL)
		errno = ENOMEM;
	else if (strlen(text) >= HISTORY_LINE)
		errno = EMSGSIZE;
	else if (asprintf(&line, "\n%s\n", text) == -1)
		line = NULL;
	else
		*len = strlen(line);
	free(text);
	return line;
}

/* Open the file for appending, rotated first where the line would not fit.
 * The descriptor, or -1; *size is its length. */
static int
history_open(struct store *s, size_t len, off_t *size)
{
	struct stat	 st;
	int		 fd, i;

	for (i = 0; i < 2; i++) {
		fd = openat(s->rootfd, HISTORY_NAME, O_RDWR | O_APPEND |
		    O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC,
		    0600);
		if (fd == -1)
			return -1;
		if (fstat(fd, &st) == -1 || !S_ISREG(st.st_mode)) {
			close(fd);
			errno = EINVAL;
			return -1;
		}
		*size = st.st_size;
		if (st.st_size == 0 ||
		    (uintmax_t)st.st_size + len <= HISTORY_MAX)
			return fd;
		close(fd);
		if (renameat(s->rootfd, HISTORY_NAME, s->rootfd,
		    HISTORY_OLD) == -1)
			return -1;
	}
	errno = EAGAIN;
	return -1;
}

int
history_append(struct store *s, json_t *o)
{
	char	*line = NULL, last = '\n';
	size_t	 len = 0, skip;
	off_t	 size;
	int	 fd = -1;

	if ((line = history_line(o, &len)) == NULL ||
	    (fd = history_open(s, len, &size)) == -1)
		goto fail;
	if (size > 0 && pread(fd, &last, 1, size - 1) != 1)
		goto fail;
	skip = last == '\n' ? 1 : 0;
	if (write_all(fd, line + skip, len - skip) == -1) {
		if (ftruncate(fd, size) == -1)
			log_warn("cut %s/%s", s->root, HISTORY_NAME);
		goto fail;
	}
	if (fsync(fd) == -1 || (size == 0 && fsync(s->rootfd) == -1))
		goto fail;
	close(fd);
	free(line);
	json_decref(o);
	return 0;

 fail:
	log_warn("append to %s/%s", s->root, HISTORY_NAME);
	if (fd != -1)
		close(fd);
	free(line);
	json_decref(o);
	return -1;
}

/* Add the lines of a file, last line first, until there are n. */
static void
history_file(struct store *s, const char *name, json_t *list, size_t n)
{
	json_t	*o;
	char	*data, *end, *line;
	size_t	 len;

	data = file_read(s->rootfd, name, HISTORY_MAX + HISTORY_LINE, &len);
	if (data == NULL) {
		if (errno != ENOENT)
			log_warn("read %s/%s", s->root, name);
		return;
	}
	for (end = data + len; end > data && json_array_size(list) < n;
	    end = line > data ? line - 1 : data) {
		line = memrchr(data, '\n', end - data);
		line = line == NULL ? data : line + 1;
		if (line == end)
			continue;
		o = json_loadb(line, end - line, 0, NULL);
		if (json_is_object(o))
			(void)json_array_append(list, o);
		json_decref(o);
	}
	free(data);
}

json_t *
history_read(struct store *s, size_t n)
{
	json_t	*list;

	if ((list = json_array()) == NULL)
		return NULL;
	history_file(s, HISTORY_NAME, list, n);
	if (json_array_size(list) < n)
		history_file(s, HISTORY_OLD, list, n);
	return list;
}
