/*
 * What the files that deliver to one host share.
 */
#ifndef MASTER_DELIVER_H
#define MASTER_DELIVER_H

#include "rollout.h"

/* deliver.c */
/* What goes on with it, for whoever watches and for the report. */
void		 deliver_phase(struct target *, const char *);
/* The answer of its request into status, answer and detail. */
void		 deliver_take(struct target *);
/* Go on in so many seconds with what it waits for. */
void		 deliver_pause(struct target *, int);
/* Begin a request; the path is handed over. */
void		 deliver_send(struct target *, const char *, char *,
		    void (*)(struct request *));
/* What it is when there was no answer. */
enum outcome	 deliver_noanswer(enum request_end);
/* All its parts are over. */
void		 deliver_end(struct target *);

/* deliverself.c */
void		 deliver_self(struct target *);
/* Ask what became of it. */
void		 deliver_askself(struct target *);

#endif
