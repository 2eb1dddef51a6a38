/*
 * The watch over an agent whose release is in its probation.
 *
 * The release was found good; for a while yet it is held to that.  Every
 * few seconds each required instance that is up is asked for its health
 * once more, as its check says, and its deaths are counted.  The watch ends
 * with the first of
 *
 *	a check that fails, repeated or after a restart
 *	DEATHS_MAX deaths of one instance
 *	an exit that is permanent
 *
 * and says so once, from the loop.  Instances that are optional, or that
 * somebody wants down, do not count; nor does an exit that asks to be
 * started again.  Without a watch there is no timer and no work.
 */
#include <sys/types.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "instance.h"
#include "log.h"
#include "timer.h"
#include "utf8.h"
#include "util.h"

#define ASK_MS		3000	/* between two checks of an instance */
#define DEATHS_MAX	3

struct guard {
	struct agent	*agent;
	struct event	 ask_ev;
	struct event	 told_ev;
	int		 over;		/* told_ev is under way, or was */
	char		 why[UPD_TEXT_SIZE];
	void		(*failed)(void *, const char *);
	void		*arg;
};

static int
is_required(const struct instance *i)
{
	return i->agent != NULL && i->conf != NULL && i->in.desired &&
	    !i->conf->optional;
}

static void
ask(int fd, short what, void *arg)
{
	struct guard	*g = arg;
	struct instance	*i;

	TAILQ_FOREACH(i, &g->agent->instances, entry)
		if (is_required(i) && i->state == SERVICE_UP)
			health_again(i);
	timer_in(&g->ask_ev, ASK_MS);
}

static void
tell(int fd, short what, void *arg)
{
	struct guard	*g = arg;

	/* It ends the watch: g may be gone behind this. */
	g->failed(g->arg, g->why);
}

static void
over(struct guard *g, const struct instance *i, const char *what)
{
	if (g->over)
		return;
	g->over = 1;
	evtimer_del(&g->ask_ev);
	snprintf(g->why, sizeof(g->why), "service %.200s %s", i->name, what);
	utf8_mend(g->why);
	timer_in(&g->told_ev, 0);
}

int
agent_watch(struct agent *a, void (*failed)(void *, const char *), void *arg)
{
	struct guard	*g;
	struct instance	*i;

	if ((g = calloc(1, sizeof(*g))) == NULL)
		return -1;
	agent_unwatch(a);
	g->agent = a;
	g->failed = failed;
	g->arg = arg;
	evtimer_set(&g->ask_ev, ask, g);
	evtimer_set(&g->told_ev, tell, g);
	TAILQ_FOREACH(i, &a->instances, entry)
		i->losses = 0;
	a->guard = g;
	timer_in(&g->ask_ev, ASK_MS);
	return 0;
}

void
agent_unwatch(struct agent *a)
{
	struct guard	*g = a->guard;
	struct instance	*i;

	if (g == NULL)
		return;
	TAILQ_FOREACH(i, &a->instances, entry)
		health_letbe(i);
	evtimer_del(&g->ask_ev);
	evtimer_del(&g->told_ev);
	free(g);
	a->guard = NULL;
}

void
guard_died(struct instance *i)
{
	char	 text[UPD_TEXT_SIZE];

	if (i->agent == NULL || i->agent->guard == NULL || !is_required(i))
		return;
	if (i->state == SERVICE_FAILED) {
		snprintf(text, sizeof(text), "%.200s, which is permanent",
		    note_text(&i->why));
		over(i->agent->guard, i, text);
	} else if (++i->losses >= DEATHS_MAX) {
		snprintf(text, sizeof(text), "died %u times: %.200s",
		    i->losses, note_text(&i->why));
		over(i->agent->guard, i, text);
	}
}

void
guard_checked(struct instance *i)
{
	char	 text[UPD_TEXT_SIZE];

	if (i->agent == NULL || i->agent->guard == NULL || !is_required(i) ||
	    i->health.healthy == 1)
		return;
	snprintf(text, sizeof(text), "is not healthy: %.250s",
	    note_text(&i->health.detail));
	over(i->agent->guard, i, text);
}
