/*
 * Requests to many hosts at once: libcurl's multi interface, driven by
 * libevent.  Mutual TLS with the master's certificate; the host's is
 * compared with the recorded fingerprint inside the handshake, before one
 * byte of a request goes out, and then checked against the CA.
 *
 * The name in the host's certificate is not compared with its address: the
 * fingerprint names one certificate, which is stricter than any name, and a
 * host may move to another address without a new one.
 */
#ifndef UPD_MASTER_CLIENT_H
#define UPD_MASTER_CLIENT_H

#include <sys/types.h>
#include <sys/time.h>
#include <sys/queue.h>
#include <stdint.h>
#include <event.h>
#include <jansson.h>

#include "master.h"
#include "util.h"

enum request_end {
	REQUEST_OPEN,		/* not ended yet */
	REQUEST_ANSWER,		/* status and, if it was JSON, answer */
	REQUEST_UNREACHED,	/* no connection: nothing was sent */
	REQUEST_DISTRUST,	/* not the certificate it has to be: nothing
				 * was sent */
	REQUEST_REFUSED,	/* a TLS alert, as for our certificate */
	REQUEST_LOST,		/* broke off: what became of it is not known */
	REQUEST__MAX
};

struct request {
	TAILQ_ENTRY(request)	 entry;
	/* The caller fills in: */
	struct host		*host;
	const char		*method;	/* "GET", "POST", "PUT" */
	char			*path;		/* with the query; malloced,
						 * the request's */
	const struct packed	*body;		/* or NULL */
	int			 events;	/* ask for events as it goes */
	uint32_t		 retries;	/* connections tried again */
	uint32_t		 timeout;	/* seconds, 0: as long as the
						 * host is alive */
	/* A step the host tells: its name, and bytes.  May not call the
	 * client; may be NULL. */
	void			(*event)(struct request *, const char *,
				    uint64_t);
	/* A connection failed and will be tried again in so many ms. */
	void			(*again)(struct request *, uint32_t);
	/* The end; the request is the caller's again. */
	void			(*done)(struct request *);
	void			*arg;
	/* What came of it: */
	enum request_end	 end;
	int			 status;	/* HTTP */
	json_t			*answer;	/* or NULL */
	char			 text[UPD_TEXT_SIZE];	/* why, if no answer */
	uint64_t		 sent;		/* bytes of the body */
	uint64_t		 begun_us;	/* monotonic */
	uint32_t		 attempts;
	/* The client's own: */
	struct client		*client;
	void			*easy;		/* CURL */
	void			*headers;	/* curl_slist */
	void			*to;		/* curl_slist */
	struct buf		 in;
	struct event		 timer;		/* until the next attempt */
	int			 waiting;	/* timer is set */
	int			 streaming;	/* the answer is events */
	int			 verify;	/* X509_V_ of the chain */
	int			 differs;	/* from the fingerprint */
	uint8_t			 pin[UPD_DIGEST_LEN];
	uint8_t			 seen[UPD_DIGEST_LEN];
	char			*errors;	/* CURL_ERROR_SIZE */
};

struct client;

/* Read certificate, key and CA.  event_init() must have been called.  With
 * `keep` connections stay open for the next request.  NULL: said. */
struct client	*client_new(const struct master *, int keep);
/* Ends what is under way without a word. */
void		 client_free(struct client *);
/* Begin; done() is called in any case, but never from within. */
void		 client_start(struct client *, struct request *);
/* Who waits to connect again shall not: it ends as unreached. */
void		 client_hurry(struct client *);
/* Free what a request holds, not the request. */
void		 request_free(struct request *);

/* "SHA256:<64 hex>" into bytes; 0, or -1. */
int		 pin_parse(const char *, uint8_t *);
/* What one line of an answer in events says: 1 the last one (status and
 * answer are set), 0 a step (event() was called), -1 not understood. */
int		 request_line(struct request *, const char *, size_t);

#endif
