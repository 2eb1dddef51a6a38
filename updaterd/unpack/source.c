/*
 * Reading the pipe for libarchive.
 *
 * Every piece given out ends behind an entry's header, or where the buffer
 * ends: when libarchive returns from a header, the frame reader stands at
 * the same one, and when it asks for more, the last one must have been
 * taken.  A piece is valid until the next call, as libarchive wants it.
 */
#include <sys/types.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "source.h"

void
source_init(struct source *s, int fd, uint8_t *buf, size_t size)
{
	memset(s, 0, sizeof(*s));
	frame_init(&s->frame);
	s->fd = fd;
	s->buf = buf;
	s->size = size;
}

/* Have a whole block, or the end of the input.  0, or -1. */
static int
source_fill(struct source *s)
{
	ssize_t	 n;

	if (s->len - s->pos >= FRAME_BLOCK)
		return 0;
	memmove(s->buf, s->buf + s->pos, s->len - s->pos);
	s->len -= s->pos;
	s->pos = 0;
	while (!s->eof && s->len < FRAME_BLOCK) {
		n = read(s->fd, s->buf + s->len, s->size - s->len);
		if (n == -1) {
			if (errno == EINTR)
				continue;
			s->sys_errno = errno;
			return -1;
		}
		s->eof = n == 0;
		s->len += (size_t)n;
		s->total += (uint64_t)n;
	}
	return 0;
}

/* The next piece; *n is 0 at the end.  0, or -1. */
static int
source_piece(struct source *s, const uint8_t **p, size_t *n)
{
	ssize_t	 used;

	if (source_fill(s) == -1)
		return -1;
	*p = s->buf + s->pos;
	*n = 0;
	if (s->len - s->pos < FRAME_BLOCK)
		return frame_finish(&s->frame, *p, s->len - s->pos);
	used = frame_feed(&s->frame, *p,
	    (s->len - s->pos) / FRAME_BLOCK * FRAME_BLOCK, &s->member);
	if (used == -1)
		return -1;
	s->pos += (size_t)used;
	*n = (size_t)used;
	return 0;
}

ssize_t
source_read(struct archive *a, void *arg, const void **buf)
{
	struct source	*s = arg;
	const uint8_t	*p;
	size_t		 n;

	if (s->frame.error != UPD_OK || s->sys_errno != 0)
		return -1;
	if (s->member) {
		/* it looked beyond a header it has not told us of */
		s->frame.error = UPD_EFORMAT;
		(void)strlcpy(s->frame.text, "entry can be read in two ways",
		    sizeof(s->frame.text));
		s->frame.name = s->frame.m.path;
	} else if (source_piece(s, &p, &n) == 0) {
		*buf = p;
		return (ssize_t)n;
	}
	archive_set_error(a, EINVAL, "refused");
	return -1;
}

const struct frame_member *
source_member(struct source *s)
{
	if (!s->member)
		return NULL;
	s->member = 0;
	return &s->frame.m;
}

int
source_drain(struct source *s)
{
	const uint8_t	*p;
	size_t		 n;

	do {
		if (source_piece(s, &p, &n) == -1)
			return -1;
		if (s->member) {
			s->frame.error = UPD_EFORMAT;
			(void)strlcpy(s->frame.text,
			    "entry can be read in two ways",
			    sizeof(s->frame.text));
			return -1;
		}
	} while (n > 0);
	return 0;
}
