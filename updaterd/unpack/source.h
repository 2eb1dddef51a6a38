/*
 * The pipe's tar bytes, framed strictly, as libarchive's input.
 */
#ifndef UPD_SOURCE_H
#define UPD_SOURCE_H

#include <sys/types.h>
#include <archive.h>
#include <stdint.h>

#include "frame.h"

struct source {
	struct frame	 frame;
	int		 fd;
	uint8_t		*buf;		/* the caller's */
	size_t		 size;		/* of buf, multiple of FRAME_BLOCK */
	size_t		 pos, len;	/* bytes not yet given out */
	int		 eof;
	int		 member;	/* frame.m is the next entry */
	int		 sys_errno;	/* reading failed */
	uint64_t	 total;		/* bytes read */
};

void	 source_init(struct source *, int, uint8_t *, size_t);
/* archive_read_callback; the client data is the source. */
ssize_t	 source_read(struct archive *, void *, const void **);
/*
 * Take the entry that libarchive has just returned: NULL when the bytes
 * given to it so far contain no further one.
 */
const struct frame_member *source_member(struct source *);
/* libarchive is through: read to the end of the pipe.  0, or -1: the
 * frame's error is set, or sys_errno. */
int	 source_drain(struct source *);

#endif
