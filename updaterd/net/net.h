/*
 * What the files of the net process share.
 *
 *	net.c		net_main, messages from the parent, its configuration
 *	listen.c	listening sockets, limits on connections
 *	tls.c		libtls and libcrypto
 *	trust.c		who was let in before a reload, and still is
 *	addr.c		addresses of peers
 *	conn.c		one connection: a state machine around tls_read/write
 *	reply.c		answers
 *	api.c		requests: routes, roles, messages to the parent
 *	upload.c	an update: its beginning, its end, the parent's part
 *	relay.c		its body, from TLS into the parent's pipe
 *	http body multipart query option route json	pure
 */
#ifndef NET_NET_H
#define NET_NET_H

#include <sys/types.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <event.h>
#include <stdint.h>

#include "http.h"
#include "imsgev.h"
#include "proto.h"
#include "util.h"

struct tls;
struct x509_store_st;
struct net;
struct route;
struct upload;

#define NET_READ_SIZE	65536	/* bytes; a TLS record is at most 16384 */

/* --- configuration -------------------------------------------------- */

/* A libtls server context.  A connection in its handshake points back to
 * it, so it lives as long as the last connection made from it. */
struct server {
	struct tls	*tls;
	unsigned int	 refs;
};

struct netfile {
	char		*data;		/* NULL: not given */
	size_t		 len;
	char		 name[UPD_PATH_SIZE];
};

struct listener {
	TAILQ_ENTRY(listener)	 entry;
	struct net		*net;
	int			 fd;
	int			 armed;
	struct event		 ev;
	char			 text[UPD_TEXT_SIZE];
};
TAILQ_HEAD(listeners, listener);

struct netconf {
	struct msg_net_conf	 c;
	struct netfile		 file[NETFILE__MAX];
	struct msg_net_permit	*permits;
	size_t			 npermits;
	struct listeners	 listeners;
	struct server		*server;
	struct x509_store_st	*trust;	/* trust.c's */
};

/* --- one connection ------------------------------------------------- */

/* Whether a connection may be given up when there are too many. */
enum evict {
	EVICT_NONE,			/* not at all: it is being served */
	EVICT_HALF,			/* waits for an answer, half-closed */
	EVICT_HEAD,			/* owes us a request, or its end */
	EVICT_HANDSHAKE,		/* has shown no certificate yet */
	EVICT_OVER,			/* lingers */
	EVICT__MAX
};

enum conn_state {
	CONN_HANDSHAKE,
	CONN_HEAD,		/* a request head, or nothing yet */
	CONN_BODY,		/* a small body, kept in memory */
	CONN_UPLOAD,		/* the body of an update */
	CONN_WAIT,		/* the parent's answer */
	CONN_SEND,		/* the answer is on its way out */
	CONN_LINGER,		/* over; the peer may still be sending */
	CONN_DEAD,		/* conn_run() frees it */
	CONN__MAX
};

struct conn {
	TAILQ_ENTRY(conn) entry;	/* in net->conns, longest idle first */
	struct net	*net;
	struct server	*server;
	struct tls	*tls;
	int		 fd;
	enum conn_state	 state;
	struct event	 ev;
	short		 events;	/* what ev is armed for */
	short		 rwant;		/* what tls_read waits for */
	short		 wwant;		/* what tls_write waits for */
	struct event	 timer;
	uint64_t	 deadline;	/* of a linger, monotonic ms */
	struct sockaddr_storage peer;
	struct msg_caller caller;
	uint32_t	 gen;		/* net->gen when it was let in */
	int		 fresh;		/* no request yet */
	int		 full;		/* came over the limit: 503 */
	int		 eof;		/* the peer will send no more */
	int		 close;		/* no further request after this */

	struct http_head *head;		/* while there is a request, and its
					 * buffer behind it */
	struct http_body body;
	const struct route *route;
	enum upd_role	 role;		/* of the caller, for this request */
	struct msg_request request;
	struct buf	 in;		/* read, not yet looked at */
	struct buf	 content;	/* of a small body */

	uint32_t	 id;		/* open at the parent; 0: none */
	struct buf	 reply;		/* REPLYs so far */
	struct upload	*up;

	struct buf	 out;
	size_t		 outpos;	/* sent of out */
	int		 stream;	/* the head of an event stream is out */
	int		 file;		/* being sent, or -1 */
	uint64_t	 file_left;	/* bytes */
};
TAILQ_HEAD(conns, conn);

struct net {
	struct imsgev	 iev;
	struct netconf	*conf;		/* in use, or NULL */
	struct netconf	*next;		/* arriving, or NULL */
	uint32_t	 gen;		/* of conf */
	struct conns	 conns;
	uint32_t	 nconns;
	uint32_t	 nfull;		/* of them: over the limit */
	uint64_t	 count[NETCOUNT__MAX];
	uint32_t	 maxconns;	/* what descriptors allow */
	uint32_t	 lastid;
	int		 draining;	/* ends with the last connection */
	struct event	 end;
	int		 paused;	/* accept waits for a descriptor */
	struct event	 resume;
	uint64_t	 log_second;	/* of refusals, see tls_refused() */
	uint32_t	 log_lines;
	uint32_t	 log_more;
	char		 rbuf[NET_READ_SIZE];
};

/* tls.c */
/* Build the server context from the files; wipes the key.  0, or -1 with
 * text (UPD_TEXT_SIZE). */
int		 tls_build(struct netconf *, char *);
void		 server_unref(struct server *);		/* NULL is fine */
/* Fill in subject and fingerprint of the peer; "" where there is none.  0, or
 * -1 when that cannot be told for want of memory. */
int		 tls_identify(struct tls *, struct msg_caller *);
/* Log why a client was refused, a few lines a second at most. */
void		 tls_refused(struct conn *, const char *);

/* trust.c */
/* From CA and CRL, which tls_build() has taken.  0, or -1: which file, and
 * why. */
int		 trust_build(struct netconf *, const char **, const char **);
void		 trust_free(struct netconf *);
/* 1 if the peer's certificate is good under this configuration. */
int		 trust_peer(const struct netconf *, struct tls *);

/* listen.c */
/* Accept from this configuration's sockets; 0, or -1. */
int		 listen_start(struct net *, struct netconf *);
/* Close its sockets. */
void		 listen_stop(struct netconf *);
/* A descriptor has become free. */
void		 listen_resume(struct net *);
/* A new configuration: close connections that wait for a next request and
 * would not be let in any more. */
void		 listen_review(struct net *);

/* conn.c */
/* Take over an accepted socket; closes it on failure. */
void		 conn_new(struct net *, int, const struct sockaddr_storage *,
		    int);
/* Go on as far as it can without waiting; may free the connection. */
void		 conn_run(struct conn *);
/* To be freed by conn_run(); what it has open at the parent is called off. */
void		 conn_kill(struct conn *);
void		 conn_setstate(struct conn *, enum conn_state);
/* (Re)start the state's timer, in milliseconds. */
void		 conn_timer(struct conn *, uint64_t);
/* `idle` of the configuration, in milliseconds. */
uint64_t	 conn_idle_ms(const struct conn *);
/* 1 unless it is from before a reload and would not be let in now. */
int		 conn_review(struct conn *);
/* What would be lost if it were given up for another. */
enum evict	 conn_evict(const struct conn *);

/* net.c */
/* A connection has gone: when draining, it may have been the last. */
void		 net_left(struct net *);
/* A number for a request at the parent. */
uint32_t	 conn_newid(struct net *);

/* addr.c */
/* 1 if both are from one place: an address, or an IPv6 /64. */
int		 addr_same(const struct sockaddr_storage *,
		    const struct sockaddr_storage *);
void		 addr_text(const struct sockaddr_storage *, char *, socklen_t);

/* reply.c */
/* Send a whole answer.  Into an event stream it becomes the last event. */
void		 reply_send(struct conn *, int, const char *, size_t);
/* {"detail":text}; with close, the connection ends after it. */
void		 reply_error(struct conn *, int, int, const char *, ...)
		    __attribute__((format(printf, 4, 5)));
void		 reply_method(struct conn *, const char *);	/* 405 */
/* Send a file of that size and type; takes the descriptor. */
void		 reply_file(struct conn *, int, uint64_t, const char *);
/* Put more of the file into out. 0, or -1. */
int		 reply_more(struct conn *);
void		 reply_continue(struct conn *);		/* 100 */
/* Begin an event stream, add one event to it. */
void		 reply_stream(struct conn *);
void		 reply_event(struct conn *, const char *, uint64_t);

/* api.c */
/* Take bytes of a head, of a small body; return how many. */
size_t		 api_input_head(struct conn *, const char *, size_t);
size_t		 api_input_body(struct conn *, const char *, size_t);
void		 api_reply(struct conn *, const struct msg_reply *,
		    const char *, size_t);
/* Send to the parent; a connection it fails for gets 503. 0, or -1. */
int		 api_send(struct conn *, uint32_t, const void *, size_t);

/* upload.c */
/* Ask the parent for an update; the head is c->head. */
void		 upload_begin(struct conn *);
void		 upload_go(struct conn *, int);		/* takes the fd */
void		 upload_stop(struct conn *);
void		 upload_event(struct conn *, const char *, uint64_t);
/* The parent's verdict is in c->reply. */
void		 upload_reply(struct conn *, int);
size_t		 upload_input(struct conn *, const char *, size_t);
void		 upload_eof(struct conn *);
void		 upload_timeout(struct conn *);
int		 upload_reading(struct conn *);	/* 1: wants input */
/* Call it off at the parent (if still open there) and free it. */
void		 upload_free(struct conn *);

#endif
