/*
 * What a rollout's record says of each host, noted for `hosts`.
 *
 * A push does so at its end.  One that was killed could not: its record is
 * read again by whoever looks next, until a new push takes its place.
 */
#include <sys/types.h>

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "rollout.h"

void
outcomes_note(struct rollout *ro)
{
	struct target	*t;
	struct host	*h;
	int64_t		 now = (int64_t)time(NULL), at;
	size_t		 i;

	if (ro->plan.dry_run)
		return;
	for (i = 0; i < ro->ntargets; i++) {
		t = &ro->targets[i];
		if (t->agent == OUTCOME_NONE || (h = hosts_find(ro->master,
		    t->host.name)) == NULL)
			continue;
		/* Of an earlier run, unless it was noted since; noting
		 * it again in the same second changes nothing. */
		at = t->begun_us != 0 ? now : t->begun_at;
		if (at >= h->last_at || t->begun_us != 0)
			result_note(h, outcome_name(t->agent), ro->plan.sha,
			    at);
	}
}

void
outcomes_last(struct master *m)
{
	struct rollout	*ro;
	size_t		 i;

	if ((ro = calloc(1, sizeof(*ro))) == NULL)
		return;
	ro->master = m;
	ro->recfd = ro->lockfd = -1;
	ro->plan.pack.fd = -1;
	if (record_peek(ro) == 0)
		outcomes_note(ro);
	/* The plan's strings live as long as the program, see record.c. */
	for (i = 0; i < ro->ntargets; i++)
		free(ro->targets[i].host.name);
	free(ro->targets);
	free(ro);
}
