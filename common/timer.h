/*
 * Timers of the event loop by milliseconds.
 */
#ifndef UPD_TIMER_H
#define UPD_TIMER_H

#include <sys/time.h>
#include <event.h>
#include <stdint.h>

/*
 * Set it off in so many milliseconds; 0: when the loop comes round next.
 * One that waits already waits anew.  0, or -1: out of memory.
 */
static inline int
timer_in(struct event *ev, uint64_t ms)
{
	struct timeval	 tv;

	tv.tv_sec = (time_t)(ms / 1000);
	tv.tv_usec = (suseconds_t)(ms % 1000 * 1000);
	return evtimer_add(ev, &tv);
}

#endif
