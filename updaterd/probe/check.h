/*
 * One attempt of a health check: connect, TLS, one GET, one answer.
 * Private to the probe process.
 */
#ifndef UPD_PROBE_CHECK_H
#define UPD_PROBE_CHECK_H

#include <event.h>
#include <stdint.h>
#include <tls.h>

#include "proto.h"
#include "reply.h"
#include "target.h"

enum check_outcome {
	CHECK_HEALTHY,
	CHECK_REFUSED,			/* nothing listens (yet) */
	CHECK_TIMEOUT,			/* its limit passed */
	CHECK_FAILED,			/* anything else */
	CHECK__MAX
};

enum check_state {
	CHECK_IDLE,
	CHECK_CONNECTING,
	CHECK_HANDSHAKE,
	CHECK_SENDING,
	CHECK_READING
};

struct check {
	const struct target	*target;
	enum check_state	 state;
	int			 fd;		/* -1: none */
	struct event		 io;
	struct event		 timer;
	uint32_t		 limit_ms;
	int			 prepared;	/* tls is built, not used */
	struct tls		*tls;		/* or NULL */
	size_t			 sent;		/* bytes of the request */
	struct reply		 reply;
	char			 text[UPD_TEXT_SIZE];	/* what came of it */
	void			(*done)(void *, enum check_outcome);
	void			*arg;
};

/*
 * Set it up for this target, which must outlive it.  done(arg, outcome) is
 * called once for each check_start(), perhaps before that returns; text
 * and reply then tell the rest, and the check may be started again or
 * cleared from there.
 */
void	 check_init(struct check *, const struct target *,
	    void (*)(void *, enum check_outcome), void *);
/*
 * Build what an attempt needs and what takes milliseconds (the TLS
 * context: libtls builds one per connection), so that it is ready when
 * the service is.  0, or -1 with text.  Harmless when built, or no HTTPS.
 */
int	 check_prepare(struct check *);
/* Begin an attempt that ends within so many milliseconds. */
void	 check_start(struct check *, uint32_t);
/* Give up and release everything; done is not called. */
void	 check_clear(struct check *);

#endif
