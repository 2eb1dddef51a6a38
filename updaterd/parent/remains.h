/*
 * What a supervisor that ends the main process only leaves of a service: the
 * rest of its process group.
 */
#ifndef UPD_REMAINS_H
#define UPD_REMAINS_H

#include <stdint.h>

struct instance;

/* The recorded process of it has ended: have the rest of its group end, too,
 * with a signal now (0: it has had one) and by KILL at that monotonic time.
 * gone(i) of those that remains_wait() was called for follows. */
void	 remains_end(struct instance *, int, uint64_t,
	    void (*)(struct instance *));
/* 1 something is left, and gone(i) follows; else 0. */
int	 remains_wait(struct instance *);
/* It is told nothing any more. */
void	 remains_forget(struct instance *);
/* 1 all of its group is ended with it: it has a user, who is not root. */
int	 remains_apply(const struct instance *);

#endif
