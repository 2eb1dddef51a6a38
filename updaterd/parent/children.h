/*
 * Between children.c, which keeps net and probe alive, and heard.c, which
 * takes what they ask and answer.
 */
#ifndef UPD_CHILDREN_H
#define UPD_CHILDREN_H

#include <sys/types.h>
#include <event.h>
#include <stdint.h>

#include "../proc.h"

#define DATE_MAX	253402300799	/* seconds, the end of year 9999 */

struct child {
	enum proc_type	 type;
	struct proc	 proc;
	struct event	 timer;
	int		 running;
	int		 exited;
	int		 ready;		/* has said READY */
	uint32_t	 delay_ms;
	uint64_t	 started;	/* monotonic ms */
};

/* For the table of messages: 0, or -1: what is in it is not valid. */
int	 heard_request(void *, struct imsg *);
int	 heard_cancel(void *, struct imsg *);
int	 heard_open(void *, struct imsg *);
int	 heard_done(void *, struct imsg *);
int	 heard_abort(void *, struct imsg *);
int	 heard_probe(void *, struct imsg *);
int	 heard_cert(void *, struct imsg *);

#endif
