/*
 * Slots that somebody has removed under a running s6-svscan.
 *
 * The watch of the scan directory says only that something changed there:
 * a moment later each slot of ours is looked for by its name.  For one that
 * has gone another pass over its service is asked for, which makes it again,
 * ends what the supervisor without a slot still runs, and starts the service
 * behind that.  Who removes it all the time gets it back later and later.
 *
 * Without s6-svscan nothing is done: there is nobody to run it.
 */
#include <sys/types.h>

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "log.h"
#include "s6.h"
#include "timer.h"
#include "util.h"

#define LOOK_MS		100	/* from a change; rm(1) is through by then */
#define AGAIN_MIN	1000	/* ms, to the next time */
#define AGAIN_MAX	60000
#define CALM_MS		120000	/* it was there for so long: begin anew */

/* That directory, with an s6-svscan on it, or -1. */
static int
open_alive(const struct scan *s)
{
	char	 text[UPD_TEXT_SIZE];
	int	 fd;

	if ((fd = scandir_open(s->path, 0, text)) == -1)
		return -1;
	if (scandir_isalive(fd))
		return fd;
	close(fd);
	return -1;
}

/* It was made, is to be there, and nobody is about to make it. */
static int
is_lost(const struct s6 *x, int fd)
{
	return x->loss.made && !x->starting && x->i->agent != NULL &&
	    faccessat(fd, x->i->name, F_OK, AT_SYMLINK_NOFOLLOW) == -1 &&
	    errno == ENOENT;
}

/* If it has not come back by then, or is removed once more: again.  Last of
 * all: it may be the end of x. */
static void
make_again(struct s6 *x)
{
	struct loss	*l = &x->loss;

	if (time_mono_ms() - l->last > CALM_MS)
		l->ms = AGAIN_MIN;
	log_warnx("make slot %s of %s again, which somebody has removed; "
	    "once more in %u s at the earliest", x->i->name, x->scan->path,
	    l->ms / 1000);
	l->last = time_mono_ms();
	timer_in(&l->ev, l->ms);
	l->ms = l->ms * 2 < AGAIN_MAX ? l->ms * 2 : AGAIN_MAX;
	service_getenv()->lost(x->i->service);
}

static void
again(int nofd, short what, void *arg)
{
	struct s6	*x = arg;
	int		 fd;

	if (service_isclosing() || (fd = open_alive(x->scan)) == -1)
		return;
	if (is_lost(x, fd))
		make_again(x);
	close(fd);
}

/* One that was made again a moment ago waits for its turn. */
static void
look(int nofd, short what, void *arg)
{
	struct scan	*s = arg;
	struct s6	*x;
	uint64_t	 ago;
	int		 fd;

	if (service_isclosing() || (fd = open_alive(s)) == -1)
		return;
	TAILQ_FOREACH(x, &s->slots, entry) {
		if (evtimer_pending(&x->loss.ev, NULL) || !is_lost(x, fd))
			continue;
		ago = time_mono_ms() - x->loss.last;
		timer_in(&x->loss.ev, x->loss.last == 0 ||
		    ago >= x->loss.ms ? 0 : x->loss.ms - (uint32_t)ago);
	}
	close(fd);
}

void
loss_init(struct s6 *x)
{
	evtimer_set(&x->loss.ev, again, x);
	x->loss.ms = AGAIN_MIN;
}

void
loss_end(struct s6 *x)
{
	evtimer_del(&x->loss.ev);
}

void
loss_scan(struct scan *s)
{
	evtimer_set(&s->loss_ev, look, s);
}

void
loss_look(struct scan *s)
{
	if (service_getenv()->lost != NULL &&
	    !evtimer_pending(&s->loss_ev, NULL))
		timer_in(&s->loss_ev, LOOK_MS);
}
