/*
 * multipart/form-data (RFC 7578, 2046): small fields and one file.  Pure;
 * data is handed out as pointers into the caller's buffer.
 */
#ifndef NET_MULTIPART_H
#define NET_MULTIPART_H

#include <stddef.h>

#define MP_BOUNDARY_MAX	70	/* bytes, RFC 2046 5.1.1 */
#define MP_HEADER_MAX	4096	/* bytes of headers of one part */
#define MP_HEADERS_MAX	16	/* headers of one part */
#define MP_NAME_MAX	64	/* bytes of a field's name */
#define MP_VALUE_MAX	1024	/* bytes of a field's value */
#define MP_PARTS_MAX	32	/* parts of one body */

enum mp_event {
	MP_MORE,		/* all consumed */
	MP_FIELD,		/* name and value are complete */
	MP_FILE,		/* the file begins */
	MP_DATA,		/* bytes of the file */
	MP_FILE_END,
	MP_BAD			/* refused: see why */
};

struct multipart {
	int		 state;
	const char	*file;		/* name of the part that is the file */
	char		 delim[4 + MP_BOUNDARY_MAX + 1]; /* CRLF "--" .. */
	size_t		 delim_len;
	size_t		 match;		/* bytes of delim seen */
	unsigned int	 parts;
	unsigned int	 headers;	/* of this part */
	size_t		 header_bytes;
	int		 is_file;
	int		 has_name;
	char		 line[MP_HEADER_MAX];
	size_t		 line_len;
	char		 name[MP_NAME_MAX + 1];
	char		 value[MP_VALUE_MAX + 1];
	size_t		 value_len;
	const char	*why;
};

/*
 * Take the boundary out of a Content-Type; the buffer holds
 * MP_BOUNDARY_MAX + 1 bytes.  1: it is multipart/form-data with a boundary;
 * 0: another media type; -1: multipart/form-data, but malformed.
 */
int		 mp_boundary(const char *, char *);
/* Begin; both strings must be valid, the second outlives the parser. */
void		 mp_init(struct multipart *, const char *, const char *);
/*
 * Feed bytes.  *used were consumed.  MP_FIELD: name and value hold one
 * field; MP_DATA: *data and *len, valid until the next call.  Call until
 * MP_MORE or MP_BAD.
 */
enum mp_event	 mp_feed(struct multipart *, const char *, size_t, size_t *,
		    const char **, size_t *);
/* The body has ended: 0 if it was complete, or -1 with why. */
int		 mp_finish(struct multipart *);

#endif
