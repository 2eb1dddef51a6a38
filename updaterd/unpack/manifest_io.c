/*
 * Buffered writing and reading of a manifest by write(2) and read(2) only.
 *
 * A manifest whose last line has no newline was cut short: reading says so.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "manifest.h"
#include "util.h"

#define IO_SIZE		(128 * 1024)	/* bytes; several lines */

struct manifest_writer {
	int	 fd;
	size_t	 len;
	char	 buf[IO_SIZE + 1];
};

struct manifest_reader {
	int	 fd;
	uint32_t lineno;
	int	 eof;
	size_t	 pos, len;		/* bytes not yet given out */
	char	 buf[IO_SIZE];
};

struct manifest_writer *
manifest_writer_new(int fd)
{
	struct manifest_writer	*w;

	if ((w = malloc(sizeof(*w))) == NULL)
		return NULL;
	w->fd = fd;
	memcpy(w->buf, MANIFEST_HEAD, sizeof(MANIFEST_HEAD) - 1);
	w->len = sizeof(MANIFEST_HEAD) - 1;
	return w;
}

void
manifest_writer_free(struct manifest_writer *w)
{
	free(w);
}

int
manifest_flush(struct manifest_writer *w)
{
	if (write_all(w->fd, w->buf, w->len) == -1)
		return -1;
	w->len = 0;
	return 0;
}

int
manifest_write(struct manifest_writer *w, const struct manifest_entry *e)
{
	if (w->len + MANIFEST_LINE_MAX > IO_SIZE && manifest_flush(w) == -1)
		return -1;
	w->len += manifest_format(e, w->buf + w->len);
	return 0;
}

struct manifest_reader *
manifest_reader_new(int fd)
{
	struct manifest_reader	*r;

	if ((r = calloc(1, sizeof(*r))) == NULL)
		return NULL;
	r->fd = fd;
	return r;
}

void
manifest_reader_free(struct manifest_reader *r)
{
	free(r);
}

/* A line without its newline.  1, 0 at the end, -1 with *why. */
static int
read_line(struct manifest_reader *r, const char **line, size_t *len,
    const char **why)
{
	char	*nl;
	ssize_t	 n;

	for (;;) {
		nl = memchr(r->buf + r->pos, '\n', r->len - r->pos);
		if (nl != NULL) {
			*line = r->buf + r->pos;
			*len = (size_t)(nl - *line);
			r->pos += *len + 1;
			r->lineno++;
			return 1;
		}
		if (r->eof) {
			*why = "last line is cut short";
			return r->pos == r->len ? 0 : -1;
		}
		memmove(r->buf, r->buf + r->pos, r->len - r->pos);
		r->len -= r->pos;
		r->pos = 0;
		if (r->len == sizeof(r->buf)) {
			*why = "line too long";
			return -1;
		}
		n = read(r->fd, r->buf + r->len, sizeof(r->buf) - r->len);
		if (n == -1) {
			if (errno == EINTR)
				continue;
			*why = NULL;
			return -1;
		}
		r->eof = n == 0;
		r->len += (size_t)n;
	}
}

int
manifest_read(struct manifest_reader *r, struct manifest_entry *e,
    const char **why)
{
	const char	*line;
	size_t		 len;
	int		 ret;

	if (r->lineno == 0) {
		if ((ret = read_line(r, &line, &len, why)) == -1)
			return -1;
		if (ret == 0 || len != sizeof(MANIFEST_HEAD) - 2 ||
		    memcmp(line, MANIFEST_HEAD, len) != 0) {
			*why = "does not begin with #mtree";
			return -1;
		}
	}
	if ((ret = read_line(r, &line, &len, why)) != 1)
		return ret;
	if ((*why = manifest_parse(line, len, e)) != NULL)
		return -1;
	return 1;
}

uint32_t
manifest_lineno(const struct manifest_reader *r)
{
	return r->lineno;
}
