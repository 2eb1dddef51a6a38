/*
 * Checks of health, between health.c and the kinds that have a file of
 * their own.
 */
#ifndef UPD_HEALTH_H
#define UPD_HEALTH_H

#include <sys/types.h>
#include <stdint.h>

struct health;
struct instance;

/* The check is over: healthy or not, and in what words. */
void		 health_finish(struct instance *, int, const char *);
/* What was said of it: made valid UTF-8. */
void		 health_say(struct health *, const char *);
void		 health_body(struct health *, const char *, size_t);
/* What is left of its time, in ms. */
uint32_t	 health_remaining(const struct instance *);
/* The kind's timer function is called after so many ms. */
void		 health_wait(struct health *, uint32_t);

/* herald.c: notify */
void		 herald_begin(struct instance *);
void		 herald_timer(struct instance *);
void		 herald_close(struct health *);

/* inquiry.c: tcp, http, https */
void		 inquiry_begin(struct instance *);
void		 inquiry_timer(struct instance *);
void		 inquiry_end(struct health *);

#endif
