/*
 * One update as net sees it; upload.c and relay.c share it.
 */
#ifndef NET_UPLOAD_H
#define NET_UPLOAD_H

#include <openssl/evp.h>

#include "multipart.h"
#include "net.h"
#include "option.h"

enum phase { UP_OPEN, UP_BODY, UP_FLUSH, UP_OVER };

struct upload {
	enum phase	 phase;
	int		 pipe;		/* -1: none, or no longer */
	int		 armed;
	struct event	 ev;
	struct buf	 pend;		/* the pipe was full */
	size_t		 pendpos;
	EVP_MD_CTX	*md;
	struct multipart *mp;		/* NULL: the body is the archive */
	int		 has_file;
	struct options	 opt;
	int		 ndjson;
	int		 stopped;	/* the parent's answer is coming */
	int		 done;		/* DONE is sent */
	int		 held;		/* status of the answer, which waits
					 * for the end of the body; 0 none */
	uint64_t	 bytes;		/* of the archive */

	/* speed */
	int		 waiting;	/* for the client, since mark */
	uint64_t	 mark;
	uint64_t	 idle_ms;	/* without a byte */
	uint64_t	 window_ms;
	uint64_t	 window_bytes;

	uint64_t	 event_ms;	/* last "receiving" */
	uint64_t	 event_bytes;
};

/* upload.c */
/* The body cannot be used, or read to its end: ABORT and that status, or
 * the parent's own answer where there is going to be one. */
void	 upload_refuse(struct conn *, enum upd_error, int, const char *, ...)
	    __attribute__((format(printf, 4, 5)));
/* 1 if there is a sha256 or none is needed. */
int	 upload_has_sha256(struct conn *);
/* 1 unless it asks for a downgrade without the role for it. */
int	 upload_may_downgrade(struct conn *);
#define UPLOAD_DOWNGRADE "downgrade needs role self"
/* What a request for this agent must say and does not, or NULL. */
const char *upload_unconfirmed(struct conn *);
/* The body is complete and the pipe empty: DONE. */
void	 upload_done(struct conn *);

/* relay.c */
void	 relay_begin(struct conn *);
/* Close the pipe, drop what it has not taken. */
void	 relay_close(struct upload *);
/* The body is complete: go on as far as possible. */
void	 relay_end(struct conn *);

#endif
