/*
 * What other supervisors' programs print: `systemctl show` and s6-svstat -o
 * (the first byte says which).  What is believed is in range, names no pid
 * that must not be signalled, and says the same when it is printed again.
 */
/* LINK: updaterd/parent/svstat.o updaterd/parent/unitstate.o common/util.o regress/fuzz/quiet.o */
#include <sys/types.h>
#include <sys/wait.h>

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util.h"
#include "../../updaterd/parent/svstat.h"
#include "../../updaterd/parent/unitstate.h"

#define NOW		((int64_t)1795312195123456)	/* wall us */
#define TAI_1970	((uint64_t)1 << 62)
#define TAI_AHEAD	10				/* seconds */

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

/* --- s6-svstat -------------------------------------------------------- */

static const char *
bool_text(int yes)
{
	return yes ? "true" : "false";
}

static void
try_svstat(const char *text)
{
	struct sighting	 a, b;
	char		 again[256];
	int64_t		 s;
	int		 code = -1, sig = -1;

	if (svstat_parse(text, NOW, &a) == -1)
		return;
	if (a.known != 1 || (a.wanted != WANTED_UP &&
	    a.wanted != WANTED_DOWN) || a.up < 0 || a.up > 1 || a.ready < 0 ||
	    a.ready > a.up || (a.up && (a.pid < 2 || a.status != -1)) ||
	    (!a.up && a.pid != 0) || a.since > NOW + 4 * 1000000LL)
		abort();
	if (a.status != -1 && WIFSIGNALED(a.status))
		sig = WTERMSIG(a.status);
	else if (a.status != -1)
		code = WEXITSTATUS(a.status);
	s = a.since / 1000000;
	if (a.since < 0)
		return;			/* no label says that */
	snprintf(again, sizeof(again), "%s %s %s %d %d %d @%016" PRIx64
	    "%08x %" PRId64 "\n", bool_text(a.up),
	    bool_text(a.wanted == WANTED_UP), bool_text(a.ready),
	    a.up ? (int)a.pid : -1, code, sig, TAI_1970 + TAI_AHEAD +
	    (uint64_t)s, (unsigned int)(a.since % 1000000 * 1000),
	    NOW / 1000000 - s > 0 ? NOW / 1000000 - s : 0);
	if (svstat_parse(again, NOW, &b) == -1 || b.up != a.up ||
	    b.wanted != a.wanted || b.ready != a.ready || b.pid != a.pid ||
	    b.status != a.status || b.since != a.since)
		abort();
}

/* --- systemctl show --------------------------------------------------- */

static void
check_unit(const struct unitstate *u)
{
	int	 status = unitstate_status(u);

	if (memchr(u->id, '\0', sizeof(u->id)) == NULL ||
	    memchr(u->sub, '\0', sizeof(u->sub)) == NULL ||
	    memchr(u->result, '\0', sizeof(u->result)) == NULL ||
	    memchr(u->slice, '\0', sizeof(u->slice)) == NULL ||
	    memchr(u->run, '\0', sizeof(u->run)) == NULL ||
	    u->load >= UNIT_LOAD__MAX || u->active >= UNIT_ACTIVE__MAX ||
	    u->pid < 0 || u->pid == 1 || u->stale < 0 || u->stale > 1 ||
	    u->job < 0 || u->job > 1 || u->always < 0 || u->always > 1 ||
	    status < -1 || (status != -1 && !WIFEXITED(status) &&
	    !WIFSIGNALED(status)))
		abort();
	if (unitstate_wasstopped(u) && u->active == UNIT_FAILED)
		abort();
}

/* Each record again, alone, in another order: it says the same. */
static void
print_unit(const struct unitstate *u, char *buf, size_t size)
{
	static const char *const load[] = { "loaded", "not-found", "masked",
				    "bad-setting" };
	static const char *const active[] = { "active", "reloading",
				    "inactive", "failed", "activating",
				    "deactivating" };

	snprintf(buf, size, "InvocationID=%s\nRestart=%s\nJob=%s\n"
	    "NeedDaemonReload=%s\nSlice=%s\n"
	    "ActiveExitTimestampMonotonic=%" PRIu64 "\n"
	    "ExecMainExitTimestampMonotonic=%" PRIu64 "\n"
	    "ExecMainStartTimestampMonotonic=%" PRIu64 "\n"
	    "ExecMainStatus=%d\nExecMainCode=%d\nNRestarts=%u\nMainPID=%d\n"
	    "Result=%s\nSubState=%s\nActiveState=%s\nLoadState=%s\nId=%s\n",
	    u->run, u->always ? "always" : "no", u->job ? "7" : "",
	    u->stale ? "yes" : "no", u->slice, u->left,
	    u->ended, u->begun, u->status, u->code, u->restarts,
	    (int)u->pid, u->result, u->sub, active[u->active],
	    load[u->load], u->id);
}

static void
try_units(char *text)
{
	static char	 again[UNITSTATE_BYTES * 2];
	struct unitstate a, b;
	char		 why[UNITSTATE_WHY], *p = text, *q;
	int		 r;

	why[0] = '\0';
	while ((r = unitstate_next(&p, &a, why)) == 1) {
		check_unit(&a);
		print_unit(&a, again, sizeof(again));
		q = again;
		if (unitstate_next(&q, &b, why) != 1 ||
		    memcmp(&a, &b, sizeof(a)) != 0 ||
		    unitstate_next(&q, &b, why) != 0)
			abort();
	}
	if (r == -1 && (why[0] == '\0' ||
	    memchr(why, '\0', sizeof(why)) == NULL))
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char	*text;

	if (len < 1 || (text = malloc(len)) == NULL)
		return 0;
	memcpy(text, data + 1, len - 1);
	text[len - 1] = '\0';
	if (data[0] & 1)
		try_units(text);
	else
		try_svstat(text);
	free(text);
	return 0;
}
