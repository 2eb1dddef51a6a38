/*
 * What the log says of a service that a foreign supervisor starts over and
 * over.  All of it does nothing for a service of ours.
 */
#ifndef UPD_QUIET_H
#define UPD_QUIET_H

#include <stdint.h>

struct instance;

/* Of one that has just got its struct observed. */
void	 quiet_init(struct instance *);
/* Say what was not said yet, for it goes. */
void	 quiet_end(struct instance *);
/* 1 less than usual is to be said of it. */
int	 quiet_is(const struct instance *);
/* By which it is logged: log_info, or less. */
typedef void	(*quiet_fn)(const char *, ...)
		    __attribute__((format(printf, 1, 2)));
quiet_fn quiet_log(const struct instance *);
/* A death: 1 it was counted, and will be said; 0 say it now. */
int	 quiet_counts(struct instance *);
/* It has died, and a service of ours would wait so long (ms) for its next
 * start. */
void	 quiet_died(struct instance *, uint32_t);

#endif
