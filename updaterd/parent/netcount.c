/*
 * Asking net how it does.
 *
 * net counts, the parent keeps: the counters of a net that was lost are
 * carried over, so that they only ever grow.  They are asked for when
 * somebody wants to see them; nothing goes on in between.
 *
 * The answer shows as well that net is not stuck.  It never blocks, so one
 * that owes an answer for ANSWER_MS is killed and started again.  Whoever
 * looks thus heals: a status, a scrape, an upload that has stalled, and the
 * watchdog where the service manager has asked for one.
 */
#include <sys/types.h>
#include <sys/time.h>

#include <event.h>
#include <string.h>

#include "imsgev.h"
#include "log.h"
#include "netcount.h"
#include "parent.h"
#include "patience.h"
#include "timer.h"

#define ANSWER_MS	PATIENCE(10000)	/* for net to say something */
#define SCRAPE_MS	PATIENCE(1000)	/* for who asked to wait for it */

static struct msg_net_count	 last;	/* of the net that runs */
static uint64_t			 before[NETCOUNT__MAX];	/* of all others */
static int			 asked, fresh;
static int			 waited;	/* wait_ev is set */
static struct event		 wait_ev, stuck_ev;
static void			(*on_answer)(void);

static void
timer(struct event *ev, void (*fn)(int, short, void *), uint32_t ms)
{
	evtimer_set(ev, fn, NULL);
	timer_in(ev, ms);
}

static void
tell(void)
{
	if (!waited)
		return;
	waited = 0;
	evtimer_del(&wait_ev);
	if (on_answer != NULL)
		on_answer();
}

static void
wait_over(int fd, short what, void *arg)
{
	tell();
}

static void
stuck(int fd, short what, void *arg)
{
	log_warnx("kill net: it does not answer within %d s",
	    ANSWER_MS / 1000);
	children_kill(PROC_NET);
}

int
netcount_ask(void)
{
	struct imsgev	*iev = children_channel(PROC_NET);

	if (iev == NULL)
		return -1;
	if (!asked) {
		if (imsgev_compose(iev, IMSG_NET_ASK, -1, NULL, 0) == -1)
			return -1;
		asked = 1;
		fresh = 0;
		timer(&stuck_ev, stuck, ANSWER_MS);
	}
	if (!waited) {
		waited = 1;
		timer(&wait_ev, wait_over, SCRAPE_MS);
	}
	return 0;
}

void
netcount_onanswer(void (*fn)(void))
{
	on_answer = fn;
}

int
netcount_got(const struct msg_net_count *m)
{
	if (!asked)
		return -1;
	asked = 0;
	fresh = 1;
	last = *m;
	evtimer_del(&stuck_ev);
	tell();
	return 0;
}

void
netcount_lost(void)
{
	int	 i;

	for (i = 0; i < NETCOUNT__MAX; i++)
		before[i] += last.count[i];
	memset(&last, 0, sizeof(last));
	fresh = 0;
	if (asked)
		evtimer_del(&stuck_ev);
	asked = 0;
	tell();
}

int
netcount_get(struct msg_net_count *m)
{
	int	 i;

	*m = last;
	for (i = 0; i < NETCOUNT__MAX; i++)
		m->count[i] += before[i];
	return fresh;
}
