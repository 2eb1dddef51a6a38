/*
 * updaterctl's side of the control socket.
 */
#ifndef UPD_CTL_CLIENT_H
#define UPD_CTL_CLIENT_H

#include <stdint.h>

#include "imsg.h"
#include "proto.h"
#include "util.h"

struct client {
	struct imsgbuf	 ibuf;
	int		 fd;
	uint32_t	 id;		/* of the request */
	char		 why[UPD_TEXT_SIZE];	/* after a failure */
};

enum client_got {
	CLIENT_PART,			/* a REPLY: status, last, text */
	CLIENT_EVENT,			/* a step of an update */
	CLIENT_END,			/* the daemon has closed */
	CLIENT_BROKEN			/* why says how */
};

struct answer {
	uint32_t		 status;	/* HTTP status, 0 none yet */
	int			 last;		/* the answer is complete */
	struct buf		 text;		/* JSON so far */
	struct msg_update_event	 event;		/* with CLIENT_EVENT */
};

/* Connect to the socket of that path, or take over a connected one.
 * 0, or -1 with why. */
int		 client_open(struct client *, const char *);
int		 client_take(struct client *, int);
void		 client_close(struct client *);
/* Send a request: operation, agent, argument ("" for none).  0, or -1. */
int		 client_request(struct client *, enum upd_op, const char *,
		    const char *);
/* Hand over an archive: descriptor (closed in any case), bytes or -1,
 * UPDF_ flags, agent, sha.  0, or -1. */
int		 client_update(struct client *, int, int64_t, uint32_t,
		    const char *, const char *);
/* Wait for the next message; a part's text is added to what is there. */
enum client_got	 client_next(struct client *, struct answer *);

#endif
