/*
 * What the parent counts, and the whole of it as Prometheus's text.
 */
#ifndef UPD_METRICS_H
#define UPD_METRICS_H

#include <stdint.h>

#include "util.h"

struct agent;
struct update;

/* How often an event of an agent had a result. */
#define TALLY_MAX	24		/* pairs kept of one agent */
#define TALLY_WORD	24		/* bytes of a word, NUL included */
struct tallies {
	uint32_t	n;
	struct {
		char		event[TALLY_WORD];
		char		result[TALLY_WORD];
		uint64_t	count;
	}		row[TALLY_MAX];
};

/* An event ("update", "rollback", ..) had that result ("updated", ..). */
void	 metrics_count(struct agent *, const char *, const char *);
/* An update has ended: how long did its phases take? */
void	 metrics_phases(const struct update *);
/* All there is.  0, or -1: out of memory. */
int	 metrics_text(struct buf *);

#endif
