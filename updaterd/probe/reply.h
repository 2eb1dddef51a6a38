/*
 * Parser of the answer to a health check: the head of an HTTP/1.x response
 * and its body, in pieces of any size.  Pure: no I/O, no allocation, no
 * globals.  One struct is one answer.
 */
#ifndef UPD_PROBE_REPLY_H
#define UPD_PROBE_REPLY_H

#include <stddef.h>
#include <stdint.h>

#include "proto.h"

#define REPLY_HEAD_MAX	(16 * 1024)	/* bytes, all heads together */
#define REPLY_BYTES_MAX	(64 * 1024)	/* bytes of an answer that we read */
#define REPLY_LINE_MAX	512		/* bytes of a head line looked at */

enum reply_verdict {
	REPLY_MORE,			/* goes on */
	REPLY_DONE,			/* complete, or read far enough */
	REPLY_BAD			/* broken; reply.why says how */
};

enum reply_state {
	REPLY_STATUS_LINE,
	REPLY_FIELDS,
	REPLY_BODY_LENGTH,		/* `left` bytes are to come */
	REPLY_BODY_CLOSE,		/* until the end of the connection */
	REPLY_CHUNK_SIZE,
	REPLY_CHUNK_DATA,		/* `left` bytes are to come */
	REPLY_CHUNK_END,		/* the line end behind the data */
	REPLY_TRAILER,
	REPLY_COMPLETE,
	REPLY_BROKEN,
	REPLY__MAX
};

struct reply {
	enum reply_state state;
	uint32_t	 status;	/* 0: no whole status line yet */
	uint32_t	 head_len;	/* bytes of heads so far */
	uint64_t	 total;		/* bytes of the answer so far */
	uint64_t	 left;
	uint64_t	 length;	/* Content-Length */
	int		 have_length;
	int		 have_coding;	/* Transfer-Encoding was there */
	int		 chunked;	/* and its last coding is chunked */
	size_t		 line_len;	/* bytes in line */
	int		 line_cut;	/* the line was longer than that */
	const char	*why;		/* static text, with REPLY_BAD */
	char		 line[REPLY_LINE_MAX];
	uint32_t	 body_len;
	char		 body[UPD_BODY_SIZE];	/* as it came, no NUL */
};

void			 reply_init(struct reply *);
/*
 * Take the next bytes.  What follows a complete answer is ignored.  After
 * DONE or BAD the same verdict is given again.  An answer that is no HTTP
 * leaves its first bytes in body, for the person who has to find out what
 * it was.
 */
enum reply_verdict	 reply_feed(struct reply *, const void *, size_t);
/* The connection has ended: DONE or BAD. */
enum reply_verdict	 reply_eof(struct reply *);
/* 1 if a broken connection may be taken for the end of the answer: its
 * length was not given, and many servers omit the TLS goodbye. */
int			 reply_untilclose(const struct reply *);

#endif
