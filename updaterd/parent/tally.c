/*
 * What would be gone if it were not counted at once: the results of updates,
 * and how long their phases took.  All of it begins at 0 with the daemon.
 */
#include <sys/types.h>

#include <string.h>

#include "parent.h"
#include "prom.h"
#include "tally.h"
#include "update.h"
#include "util.h"

/* Shown before they happen, so that rates can be taken from the start. */
static const struct {
	const char	*event;
	const char	*result;
} known[] = {
	{ "update", "updated" },
	{ "update", "unchanged" },
	{ "update", "dry_run" },
	{ "update", "rolled_back" },
	{ "update", "failed" },
	{ "rollback", "rolled_back" },
	{ "rollback", "undone" },
	{ "rollback", "failed" },
	{ "trial", "rolled_back" },
	{ "trial", "failed" },
	{ "recover", "updated" },
	{ "recover", "rolled_back" },
	{ "recover", "failed" }
};
#define NKNOWN	(sizeof(known) / sizeof(known[0]))

enum phase {
	PHASE_RECEIVE,
	PHASE_SEAL,
	PHASE_INSTALL,
	PHASE_STOP,
	PHASE_START,
	PHASE_DOWNTIME,
	PHASE_TOTAL,
	PHASE__MAX
};
static const char *const phase_names[PHASE__MAX] = {
	"receive", "seal", "install", "stop", "start", "downtime", "total"
};

/* Upper bounds: from a small release on a fast disk to a large one through
 * a thin line.  Milliseconds, and as they are written. */
static const struct {
	uint64_t	 ms;
	const char	*le;
} bounds[] = {
	{ 10, "0.01" }, { 50, "0.05" }, { 100, "0.1" }, { 250, "0.25" },
	{ 500, "0.5" }, { 1000, "1" }, { 2500, "2.5" }, { 5000, "5" },
	{ 10000, "10" }, { 30000, "30" }, { 60000, "60" }, { 300000, "300" },
	{ 1800000, "1800" }
};
#define NBOUNDS	(sizeof(bounds) / sizeof(bounds[0]))

static struct {
	uint64_t	 count;
	uint64_t	 sum;			/* ms */
	uint64_t	 within[NBOUNDS];	/* of that bound or less */
} phases[PHASE__MAX];
static uint64_t		 archive_bytes;

static void
add(struct agent *a, const char *event, const char *result, uint64_t more)
{
	struct tallies	*t = &a->tallies;
	uint32_t	 i;

	for (i = 0; i < t->n; i++)
		if (strcmp(t->row[i].event, event) == 0 &&
		    strcmp(t->row[i].result, result) == 0)
			break;
	if (i == TALLY_MAX)
		return;
	if (i == t->n) {
		strlcpy(t->row[i].event, event, sizeof(t->row[i].event));
		strlcpy(t->row[i].result, result, sizeof(t->row[i].result));
		t->n++;
	}
	t->row[i].count += more;
}

/* So that the order is the same from the start. */
static void
seed(struct agent *a)
{
	size_t	 i;

	if (a->tallies.n > 0)
		return;
	for (i = 0; i < NKNOWN; i++)
		add(a, known[i].event, known[i].result, 0);
}

void
tally_count(struct agent *a, const char *event, const char *result)
{
	seed(a);
	add(a, event, result, 1);
}

static void
phase_add(enum phase p, uint64_t begin, uint64_t end)
{
	uint64_t	 ms;
	size_t		 i;

	if (begin == 0 || end == 0 || end < begin)
		return;
	ms = end - begin;
	phases[p].count++;
	phases[p].sum += ms;
	for (i = 0; i < NBOUNDS; i++)
		phases[p].within[i] += ms <= bounds[i].ms;
}

void
tally_phases(const struct update *u)
{
	if (u->kind == UPDATE_PUSH) {
		archive_bytes += u->bytes;
		phase_add(PHASE_RECEIVE, u->t_open, u->t_received);
		phase_add(PHASE_SEAL, u->t_received, u->t_sealed);
		phase_add(PHASE_INSTALL, u->t_sealed, u->t_installed);
	}
	phase_add(PHASE_STOP, u->t_stop, u->t_stopped);
	phase_add(PHASE_START, u->t_stopped, u->t_healthy);
	phase_add(PHASE_DOWNTIME, u->t_stop, u->t_healthy);
	phase_add(PHASE_TOTAL, u->t_open, time_mono_ms());
}

/* --- as text -------------------------------------------------------- */

static void
put_results(struct prom *p)
{
	struct agent	*a;
	uint32_t	 i;

	prom_family(p, "updaterd_updates_total", "counter",
	    "Updates, rollbacks that were asked for and recoveries after a "
	    "crash, by result.");
	TAILQ_FOREACH(a, &env->agents, entry) {
		seed(a);
		for (i = 0; i < a->tallies.n; i++)
			prom_put(p, a->tallies.row[i].count,
			    "agent", a->conf->name,
			    "event", a->tallies.row[i].event,
			    "result", a->tallies.row[i].result, NULL);
	}
	prom_family(p, "updaterd_archive_bytes_total", "counter",
	    "Bytes of archives that were received whole.");
	prom_put(p, archive_bytes, NULL);
}

static void
put_phases(struct prom *p)
{
	size_t	 i, n;

	prom_family(p, "updaterd_update_phase_seconds", "histogram",
	    "How long phases of updates took; downtime is from stop to "
	    "healthy.");
	for (n = 0; n < PHASE__MAX; n++) {
		for (i = 0; i < NBOUNDS; i++)
			prom_part(p, "_bucket", phases[n].within[i], "phase",
			    phase_names[n], "le", bounds[i].le, NULL);
		prom_part(p, "_bucket", phases[n].count, "phase",
		    phase_names[n], "le", "+Inf", NULL);
		prom_part(p, "_sum", phases[n].sum, "phase", phase_names[n],
		    NULL);
		prom_part(p, "_count", phases[n].count, "phase",
		    phase_names[n], NULL);
	}
}

void
tally_put(struct prom *p)
{
	put_results(p);
	put_phases(p);
}
