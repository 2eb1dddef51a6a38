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
#include "proto.h"

#define FRAME_BLOCK	512		/* bytes */
/* One byte more than a path may have: enough to tell that it is too long. */
#define FRAME_NAME_SIZE	(UPD_PATH_SIZE + 1)

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
	char		 path[FRAME_NAME_SIZE];	/* as in the archive, cut */
	char		 link[FRAME_NAME_SIZE];	/* if too long */
};

enum pax_state {
	PAX_LEN,
	PAX_KEY,
	PAX_VALUE,
	PAX_NL
};
struct frame_pax {
	enum pax_state	 state;
	int		 global;	/* g, not x */
	int		 kind;		/* which key we care for */
	uint64_t	 left;		/* bytes of the record to come */
	uint64_t	 len;
	uint32_t	 digits;
	char		 key[64];
	size_t		 keylen;
	char		 value[32];	/* of size and hdrcharset */
	size_t		 valuelen;
};

struct frame {
	enum frame_state	 state;
	uint64_t		 left;	/* bytes of body */
	uint32_t		 have;	/* FRAME_HAS_: parts seen */
	uint32_t		 global; /* g headers in a row */
	struct frame_member	 m;
	struct frame_pax	 pax;
	uint64_t		 paxsize;
	size_t			 pathlen, linklen;	/* bytes seen */
	char			*longname;	/* L or K goes here */
	size_t			*longlen;
	enum upd_error		 error;
	char			 text[UPD_TEXT_SIZE];
	char			 name[FRAME_NAME_SIZE];	/* of the refused */
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
