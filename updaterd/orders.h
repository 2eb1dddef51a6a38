/*
 * The channel of a process that lives for one push (inflate, unpack): it
 * has no event loop, it waits for its orders, works, says one last word.
 */
#ifndef UPD_ORDERS_H
#define UPD_ORDERS_H

#include <sys/types.h>
#include <stdint.h>

#include "imsg.h"
#include "proto.h"

/* Take over PROC_FD; descriptors may come.  Fatal on failure. */
void	 orders_open(struct imsgbuf *);
/*
 * Wait for a message, check it against the table in that state and call
 * its handler with arg.  A type may stand in two rows, one with and one
 * without a descriptor.  Fatal when it does not fit, or when the handler
 * returns -1; exits when the parent has closed the channel.
 */
void	 orders_recv(struct imsgbuf *, const struct imsg_rule *, size_t,
	    uint32_t, void *);
/* Send and wait until it is out.  Exits 1 when the parent has gone. */
void	 orders_send(struct imsgbuf *, uint32_t, const void *, size_t);
/* Send the msg_fail under that type and exit 1. */
void	 orders_fail(struct imsgbuf *, uint32_t, const struct msg_fail *)
	    __attribute__((noreturn));
/* IMSG_VERBOSE, for the tables. */
int	 orders_verbose(void *, struct imsg *);

#endif
