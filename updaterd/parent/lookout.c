/*
 * Waiting for profiles that come and go, per service: a descriptor that a
 * roster brought (compat/farwatch.h) becomes readable, and a pass over that
 * service is asked for; the pass brings the next descriptor.  Nothing is
 * read from it, so whoever fills a directory with noise, or overflows the
 * queue of events, gets one pass like anybody else; passes that find
 * nothing new become rarer, as long as they follow one another.
 */
#include <sys/types.h>
#include <sys/queue.h>

#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "reconcile.h"
#include "timer.h"
#include "util.h"

#define DELAY_MIN	50	/* ms from a change to the pass */
#define DELAY_MAX	10000	/* ms, when nothing new was found */
#define RETRY_MIN	1000	/* ms, after the files could not be seen */
#define RETRY_MAX	60000
#define QUIET_MS	30000	/* without a pass: begin anew */

struct lookout {
	TAILQ_ENTRY(lookout)	 entry;
	char			 service[UPD_NAME_SIZE];
	struct farwait		 wait;
	struct event		 ev;
	int			 on;		/* ev is added */
	struct event		 timer;
	int			 noise;		/* it is a change that was
						 * seen which began the pass */
	uint32_t		 delay;		/* ms, the next one */
	uint32_t		 retry;
	uint64_t		 last;		/* monotonic ms, of a pass */
};
static TAILQ_HEAD(, lookout) lookouts = TAILQ_HEAD_INITIALIZER(lookouts);

static void
later(struct lookout *l, uint32_t ms)
{
	evtimer_del(&l->timer);
	timer_in(&l->timer, ms);
}

static void
close_wait(struct lookout *l)
{
	if (l->on)
		event_del(&l->ev);
	l->on = 0;
	farwait_close(&l->wait);
}

static void
due(int fd, short what, void *arg)
{
	struct lookout	*l = arg;

	reconcile_event(l->service);
}

static void
changed(int fd, short what, void *arg)
{
	struct lookout	*l = arg;

	close_wait(l);
	l->noise = 1;
	later(l, l->delay);
}

static struct lookout *
find(const char *service, int make)
{
	struct lookout	*l;

	TAILQ_FOREACH(l, &lookouts, entry)
		if (strcmp(l->service, service) == 0)
			return l;
	if (!make || (l = calloc(1, sizeof(*l))) == NULL)
		return NULL;
	strlcpy(l->service, service, sizeof(l->service));
	farwait_init(&l->wait);
	evtimer_set(&l->timer, due, l);
	l->delay = DELAY_MIN;
	l->retry = RETRY_MIN;
	TAILQ_INSERT_TAIL(&lookouts, l, entry);
	return l;
}

/* Whether anything changes or not. */
static void
again(struct lookout *l)
{
	later(l, l->retry);
	if ((l->retry *= 2) > RETRY_MAX)
		l->retry = RETRY_MAX;
}

void
lookout_set(const char *service, struct farwait *w, int is_changed, int lost)
{
	struct lookout	*l;
	uint64_t	 now = time_mono_ms();

	if ((l = find(service, lost || w->fd != -1)) == NULL) {
		farwait_close(w);
		return;
	}
	close_wait(l);
	evtimer_del(&l->timer);
	if (lost)
		again(l);
	else
		l->retry = RETRY_MIN;
	if (is_changed || now - l->last > QUIET_MS)
		l->delay = DELAY_MIN;
	else if (l->noise && (l->delay *= 2) > DELAY_MAX)
		l->delay = DELAY_MAX;
	l->noise = 0;
	l->last = now;
	l->wait = *w;
	farwait_init(w);
	if (l->wait.fd == -1)
		return;
	/* Whatever the user's process has sent may not be fit to wait for. */
	event_set(&l->ev, l->wait.fd, EV_READ, changed, l);
	if (event_add(&l->ev, NULL) == -1) {
		log_warnx("watch profiles of %s: not possible, updaterctl "
		    "reconcile will find new ones", service);
		farwait_close(&l->wait);
	} else
		l->on = 1;
}

void
lookout_retry(const char *service)
{
	struct lookout	*l;

	if ((l = find(service, 1)) == NULL)
		return;
	close_wait(l);
	again(l);
}

/* 1 the service is configured, and has files to look at. */
static int
is_configured(const char *service)
{
	const struct service_conf	*c;
	struct agent			*a;

	TAILQ_FOREACH(a, &env->agents, entry)
		TAILQ_FOREACH(c, &a->conf->services, entry)
			if (c->home != NULL && strcmp(c->name, service) == 0)
				return 1;
	return 0;
}

void
lookout_configured(void)
{
	struct lookout	*l, *next;

	TAILQ_FOREACH_SAFE(l, &lookouts, entry, next) {
		if (is_configured(l->service))
			continue;
		TAILQ_REMOVE(&lookouts, l, entry);
		close_wait(l);
		evtimer_del(&l->timer);
		free(l);
	}
}
