/*
 * Asking net how it does: its counters, and whether it answers at all.
 */
#ifndef UPD_NETCOUNT_H
#define UPD_NETCOUNT_H

#include "proto.h"

/*
 * Ask net for its counters, unless that was asked already.  0: an answer, or
 * the end of waiting for it, will be told to netcount_onanswer()'s function
 * once; -1: there is no net to ask.
 */
int		 netcount_ask(void);
void		 netcount_onanswer(void (*)(void));
/* net has answered; it has gone, and its successor counts from 0. */
int		 netcount_got(const struct msg_net_count *);
void		 netcount_lost(void);
/* The sum over all net processes since we were started, as last told;
 * 1 if the one that runs has answered the last question. */
int		 netcount_get(struct msg_net_count *);

#endif
