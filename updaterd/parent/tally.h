/*
 * What became of updates, counted.
 */
#ifndef UPD_TALLY_H
#define UPD_TALLY_H

#include <stdint.h>

struct agent;
struct prom;
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
void	 tally_count(struct agent *, const char *, const char *);
/* An update has ended: how long did its phases take? */
void	 tally_phases(const struct update *);
/* All of it, as Prometheus's text. */
void	 tally_put(struct prom *);

#endif
