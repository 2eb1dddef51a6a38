/*
 * The body of one pax header (x or g), in pieces.  Pure.
 */
#ifndef UPD_PAX_H
#define UPD_PAX_H

#include <stddef.h>
#include <stdint.h>

#include "error.h"
#include "proto.h"
#include "tarname.h"

#define TAR_SIZE_MAX	(1ULL << 60)	/* bytes; keeps sums from wrapping */

#define PAX_HAS_PATH	0x01		/* what the header brought */
#define PAX_HAS_LINK	0x02
#define PAX_HAS_SIZE	0x04
#define PAX_HAS_SPARSE	0x08		/* a keyword of sparse files */

enum pax_state {
	PAX_LEN,
	PAX_KEY,
	PAX_VALUE,
	PAX_NL
};

struct pax {
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
	uint32_t	 have;		/* PAX_HAS_ */
	uint64_t	 size;		/* with PAX_HAS_SIZE */
	struct tarname	*path, *link;	/* go here */
	enum upd_error	 error;
	char		 text[UPD_TEXT_SIZE];
};

/* Begin a header; the names it brings go there. */
void	 pax_begin(struct pax *, int, struct tarname *, struct tarname *);
/* Take a piece of the body; the last: how many more bytes of it follow.
 * 0, or -1 when it is refused: error and text say why. */
int	 pax_feed(struct pax *, const uint8_t *, size_t, uint64_t);

#endif
