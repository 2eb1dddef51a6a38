/*
 * The request head and the framing of the body: a strict subset of HTTP/1.1
 * (RFC 9112).  Pure: bytes in, verdict out; no I/O, no allocation, no
 * globals, and the same verdict however the bytes are split.
 */
#ifndef NET_HTTP_H
#define NET_HTTP_H

#include <stddef.h>
#include <stdint.h>

#define HTTP_FIELDS_MAX		64	/* header fields of one request; a bit
					 * each in tabbed */
#define HTTP_METHOD_MAX		16	/* bytes */
#define HTTP_VERSION_LEN	8	/* "HTTP/1.1" */

enum http_result {
	HTTP_MORE,			/* all consumed, more is needed */
	HTTP_DATA,			/* body bytes came out */
	HTTP_DONE,			/* head or body is complete */
	HTTP_BAD			/* refused: see status and why */
};

struct http_field {
	const char	*name;		/* lower case */
	const char	*value;		/* no blanks around it; no NUL inside */
};

struct http_head {
	char		*buf;		/* the caller's, also the limit */
	size_t		 size;
	size_t		 used;		/* of buf */
	size_t		 seen;		/* bytes of head so far */
	int		 state;
	char		 version[HTTP_VERSION_LEN];
	size_t		 version_len;
	int		 escape;	/* first digit of a percent escape */
	uint64_t	 tabbed;	/* bit of each field with a tab before
					 * or behind its value */

	/* Set when refused. */
	int		 status;
	const char	*why;

	/* Valid once HTTP_DONE; they point into buf. */
	const char	*method;
	const char	*path;		/* starts with '/', still escaped */
	const char	*query;		/* behind '?', or NULL */
	struct http_field field[HTTP_FIELDS_MAX];
	unsigned int	 nfields;
	int		 chunked;	/* Transfer-Encoding: chunked */
	int64_t		 length;	/* Content-Length, -1 none */
	int		 expect;	/* Expect: 100-continue */
	int		 close;		/* Connection: close */
};

/* Begin a head.  The buffer stays the caller's and must outlive the head;
 * a head of more than `size` bytes is refused with 431. */
void		 http_init(struct http_head *, char *, size_t);
/*
 * Feed bytes; *used says how many belong to the head.  HTTP_MORE, HTTP_DONE
 * or HTTP_BAD; after the latter two only http_init() may follow.
 */
enum http_result http_feed(struct http_head *, const char *, size_t,
		    size_t *);
/* The value of the field with this (lower-case) name, or NULL. */
const char	*http_get(const struct http_head *, const char *);
/* 1 if the byte may be part of a token. */
int		 http_istoken(unsigned char);

/* The body behind a head: by length, or chunked. */
struct http_body {
	int		 state;
	unsigned int	 digits;	/* of the chunk size so far */
	uint64_t	 left;		/* bytes of the chunk, or of all */
	uint64_t	 total;		/* body bytes that came out */
	uint64_t	 max;		/* limit of total */
	int		 status;	/* when refused */
	const char	*why;
};

/* Begin the body of that head, of at most max bytes (else 413). */
void		 http_body_init(struct http_body *, const struct http_head *,
		    uint64_t);
/*
 * Feed bytes.  *used says how many were consumed; with HTTP_DATA *data and
 * *len are body bytes inside the caller's buffer.  Call until HTTP_MORE
 * (all consumed), HTTP_DONE or HTTP_BAD; a body without bytes is HTTP_DONE
 * at the first call, also with no input.
 */
enum http_result http_body_feed(struct http_body *, const char *, size_t,
		    size_t *, const char **, size_t *);

#endif
