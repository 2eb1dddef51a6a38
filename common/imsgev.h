/*
 * An imsg channel in the libevent loop.  Reads are dispatched one message
 * at a time; writes are queued and sent when the socket takes them.
 */
#ifndef UPD_IMSGEV_H
#define UPD_IMSGEV_H

#include <sys/types.h>
#include <sys/uio.h>
#include <event.h>
#include <stdint.h>

#include "imsg.h"

struct imsgev {
	struct imsgbuf	 ibuf;
	struct event	 ev;
	struct event	 pause;		/* until a descriptor is free */
	short		 events;
	int		 open;
	int		 deaf;		/* the peer takes no more from us */
	int		 paused;	/* not reading: no descriptor free */
	uint32_t	 queue_max;	/* not reading either while more
					 * messages wait to go; 0: no limit */
	int		*closed;	/* tells the dispatcher of a close */
	void		*arg;
	/* Called per message.  Return 0, or -1: the peer broke the
	 * protocol, the channel is then reported dead.  The imsg is freed
	 * by the caller.  May call imsgev_close() on its own channel, and
	 * then free or reuse the struct. */
	int		(*recv)(struct imsgev *, struct imsg *, void *);
	/* The peer closed (error 0) or broke (error 1) the channel.  Already
	 * closed by then; the struct may be freed or reused. */
	void		(*dead)(struct imsgev *, int, void *);
};

/* Take over the (non-blocking) socket.  fdpass: may carry descriptors.
 * 0, or -1 with errno. */
int	 imsgev_init(struct imsgev *, int, int,
	    int (*)(struct imsgev *, struct imsg *, void *),
	    void (*)(struct imsgev *, int, void *), void *);
/*
 * Read nothing from a peer that leaves more than so many messages of ours
 * unread: who asks without listening would fill our memory with answers.
 * For one end of a channel only, else both might wait for the other.
 */
void	 imsgev_queuemax(struct imsgev *, uint32_t);
/* Queue one message; fd -1 or handed over (closed on failure, too).  0, or
 * -1 (logged).  What is queued for a peer that has closed its end is
 * dropped: dead() follows from the loop. */
int	 imsgev_compose(struct imsgev *, uint32_t, int, const void *, size_t);
/* The same from two parts: a struct and the text behind it. */
int	 imsgev_compose2(struct imsgev *, uint32_t, int, const void *, size_t,
	    const void *, size_t);
/* After a fork, in a new event base: watch the channel there. */
void	 imsgev_rebase(struct imsgev *);
/* Write out all that is queued, waiting; for a last word before exit. */
void	 imsgev_flush(struct imsgev *);
/* Close the socket, forget what is queued.  Harmless if closed. */
void	 imsgev_close(struct imsgev *);

#endif
