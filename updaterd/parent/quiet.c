/*
 * A crash loop under a foreign supervisor, as the log has it.
 *
 * Such a supervisor starts what dies by its own rule, s6 every second for
 * ever.  What is said of that follows the delays that a service of ours
 * would have: a death is said at once, those within the delay behind it are
 * counted, and their number and the last of them are said when it is over;
 * so to the end of the loop.  What else is said of a service from death to
 * start is left to the verbose log meanwhile.
 */
#include <sys/types.h>

#include <event.h>
#include <stdio.h>

#include "instance.h"
#include "log.h"
#include "quiet.h"
#include "timer.h"
#include "util.h"

#define MS	1000

static void
begin(struct observed *o)
{
	o->quiet_since = time_mono_ms();
	timer_in(&o->quiet_ev, o->quiet_ms);
}

/* How often, and how it was the last time. */
static void
tell(struct instance *i)
{
	struct observed	*o = i->observed;
	uint64_t	 ms = time_mono_ms() - o->quiet_since;

	if (o->unsaid == 0)
		return;
	log_warnx("lose %s %u time%s more within %llu s, the last: %s",
	    i->name, o->unsaid, o->unsaid == 1 ? "" : "s",
	    (unsigned long long)((ms + MS - 1) / MS), i->in.exit_text);
	o->unsaid = 0;
}

static void
over(int fd, short what, void *arg)
{
	struct instance	*i = arg;

	if (i->observed->unsaid == 0)
		return;
	tell(i);
	begin(i->observed);
}

void
quiet_init(struct instance *i)
{
	evtimer_set(&i->observed->quiet_ev, over, i);
}

void
quiet_end(struct instance *i)
{
	if (i->observed == NULL)
		return;
	tell(i);
	evtimer_del(&i->observed->quiet_ev);
}

int
quiet_is(const struct instance *i)
{
	return i->observed != NULL &&
	    evtimer_pending(&i->observed->quiet_ev, NULL);
}

quiet_fn
quiet_log(const struct instance *i)
{
	return quiet_is(i) ? log_debug : log_info;
}

int
quiet_counts(struct instance *i)
{
	if (!quiet_is(i))
		return 0;
	i->observed->unsaid++;
	return 1;
}

void
quiet_died(struct instance *i, uint32_t ms)
{
	if (!i->backend->foreign || ms == 0)
		return;
	i->observed->quiet_ms = ms;
	if (!quiet_is(i))
		begin(i->observed);
}
