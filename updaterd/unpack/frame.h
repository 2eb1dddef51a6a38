/*
 * The frame of a tar archive, read strictly: where each header stands, how
 * long its body is, what it is called.  Pure.
 *
 * libarchive reads the entries; this reader stands in front of it and lets
 * through only what leaves nothing to interpretation.  The two must agree
 * on every entry (extract.c).
 */
#ifndef UPD_FRAME_H
#define UPD_FRAME_H

#include <sys/types.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"
#include "pax.h"
#include "proto.h"
#include "tarname.h"

#define FRAME_BLOCK	512		/* bytes */

enum frame_state {
	FRAME_HEADER,			/* a header or a zero block */
	FRAME_BODY,			/* an entry's contents */
	FRAME_PAX,			/* body of an x or g header */
	FRAME_LONG,			/* body of GNU's L or K header */
	FRAME_ZERO,			/* one zero block was there */
	FRAME_END			/* two: only zeros may follow */
};

/* One entry, all headers that belong to it taken together. */
struct frame_member {
	char		 type;		/* tar type flag */
	uint32_t	 mode;		/* as in the header */
	uint64_t	 size;		/* bytes of contents */
	struct tarname	 path;		/* as in the archive */
	struct tarname	 link;
};

struct frame {
	enum frame_state	 state;
	uint64_t		 left;	/* bytes of body */
	uint32_t		 have;	/* FRAME_HAS_: parts seen */
	uint32_t		 global; /* g headers in a row */
	struct frame_member	 m;
	struct pax		 pax;
	struct tarname		*longname;	/* L or K goes here */
	int			 longended;	/* its NUL was there */
	enum upd_error		 error;
	char			 text[UPD_TEXT_SIZE];
	struct tarname		 name;	/* of the refused */
};

void	 frame_init(struct frame *);
/*
 * Take n bytes, a multiple of FRAME_BLOCK.  Returns how many were taken, a
 * multiple as well: it stops behind an entry's header block with *member
 * set to 1, f->m is then complete and valid until the next call.  -1 when
 * the archive is refused: f->error, f->text and f->name say why.
 */
ssize_t	 frame_feed(struct frame *, const uint8_t *, size_t, int *);
/* The input is over, with n bytes left that fill no block.  0, or -1 as
 * above when the end is missing. */
int	 frame_finish(struct frame *, const uint8_t *, size_t);

#endif
