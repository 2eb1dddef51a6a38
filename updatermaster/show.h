/*
 * What a person sees while a rollout goes on, and at its end.
 */
#ifndef UPD_MASTER_SHOW_H
#define UPD_MASTER_SHOW_H

#include "rollout.h"

enum show_mode {
	SHOW_LINES,			/* a pipe: one line per event */
	SHOW_LIVE,			/* a terminal: repainted in place */
	SHOW_JSON			/* nothing until the end */
};

/* A terminal or a pipe, or with `json` that.  Never NULL. */
struct show	*show_new(struct rollout *, int json);
/* SHOW_LIVE begins to repaint; event_init() must have been called. */
void		 show_begin(struct show *);
/* A target is in a new phase, has ended, ... */
void		 show_target(struct show *, const struct target *,
		    const char *);
/* Something about the whole. */
void		 show_note(struct show *, const char *, ...)
		    __attribute__((format(printf, 2, 3)));
/* The table, or the JSON object; ends the repainting. */
void		 show_end(struct show *);
void		 show_free(struct show *);

/* One line of the live picture into the buffer, that wide at most. */
void		 show_line(const struct target *, size_t, size_t, char *,
		    size_t);
/* What --json prints; the caller owns it. */
json_t		*show_json(const struct rollout *);

#endif
