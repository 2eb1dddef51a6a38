/*
 * A start of ours under a foreign supervisor: it waits until it is known what
 * became of the service before, is passed on, and has to be answered by a
 * sighting within a while; or the supervisor is not there yet, which then
 * starts it when it comes.
 */
#include <sys/types.h>

#include <stdio.h>
#include <string.h>

#include "instance.h"
#include "patience.h"
#include "remains.h"
#include "timer.h"

#define LATE_MS		PATIENCE(12000)	/* from a start to a process; s6
					 * takes 10 s to try exec again */

static uint32_t
late_ms(const struct instance *i)
{
	return i->backend->start_ms != 0 ? i->backend->start_ms : LATE_MS;
}

void
observe_late(int fd, short what, void *arg)
{
	struct instance	*i = arg;
	char		 text[UPD_TEXT_SIZE];

	observe_answered(i);
	if (i->observed->awaits) {
		service_awaits(i, note_text(&i->why));
		return;
	}
	if (i->observed->last.text[0] != '\0')
		strlcpy(text, i->observed->last.text, sizeof(text));
	else
		snprintf(text, sizeof(text), "%s has not started it within "
		    "%u s of being told to", i->backend->name,
		    late_ms(i) / 1000);
	service_exited(i, -1, text);
}

/* The start is not passed on yet. */
static void
hold(struct instance *i, const char *why)
{
	i->observed->asked = ASKED_HERE;
	evtimer_del(&i->observed->late_ev);
	note_const(&i->why, why);
}

/* Who waits for it need not do so for ever. */
void
observe_hampered(struct instance *i, const char *text)
{
	if (i->observed == NULL || i->observed->asked != ASKED_HERE)
		return;
	i->observed->hampered = 1;
	note_set(&i->why, text);
	note_set(&i->health.detail, text);
	waiters_tell(i, WAIT_START, UPD_EIO, text);
	if (i->verdict == VERDICT_OPEN)
		i->verdict = VERDICT_FAILED;
	if (i->agent != NULL)
		agent_settle(i->agent);
}

int
observe_ishampered(const struct instance *i)
{
	return i->observed != NULL && i->observed->hampered;
}

void
observe_ask(struct instance *i)
{
	char	 text[UPD_TEXT_SIZE] = "";

	/* As long as that takes: observe_moved(), or cleared() in observe.c,
	 * follows. */
	if (backend_ismoving(i)) {
		hold(i, "ends under its last supervisor");
		if (backend_isstuck(i, text))
			observe_hampered(i, text);
		return;
	}
	if (remains_wait(i)) {
		hold(i, "what was before it ends");
		return;
	}
	i->observed->asked = ASKED_THERE;
	i->observed->awaits = 0;
	switch (i->backend->start(i, text)) {
	case 0:
		return;
	case 1:
		i->observed->awaits = 1;
		/* At boot it comes in a moment; that we were there first says
		 * nothing of a release. */
		if (i->verdict == VERDICT_OPEN && !i->observed->met) {
			note_set(&i->why, text);
			return;
		}
		observe_answered(i);
		service_awaits(i, text);
		return;
	case 2:
		i->observed->asked = ASKED_HERE;
		return;
	default:
		observe_answered(i);
		service_exited(i, -1, text);
	}
}

void
observe_asked(struct instance *i)
{
	struct observed	*o = i->observed;

	o->asked = ASKED_HERE;
	o->hampered = 0;
	timer_in(&o->late_ev, late_ms(i));
	if (o->any && o->settling == SETTLE_NO)
		observe_ask(i);
	else if (!o->any)
		i->backend->look(i);
}

void
observe_moved(struct instance *i)
{
	if (i->observed->asked == ASKED_HERE)
		observe_asked(i);
}

void
observe_answered(struct instance *i)
{
	if (i->observed == NULL)
		return;
	i->observed->asked = ASKED_NO;
	i->observed->hampered = 0;
	evtimer_del(&i->observed->late_ev);
}

/* --- a supervisor that is to come -------------------------------------- */

int
observe_awaits(const struct instance *i)
{
	return i->observed != NULL && i->observed->awaits;
}

int
observe_unawait(struct instance *i)
{
	if (!observe_awaits(i))
		return 0;
	i->observed->awaits = 0;
	return 1;
}

void
observe_arrived(struct instance *i)
{
	char	 text[UPD_TEXT_SIZE];

	if (!observe_unawait(i))
		return;
	if (i->state == SERVICE_STARTING)
		observe_ask(i);
	else if (i->state == SERVICE_DOWN && i->agent != NULL &&
	    i->in.desired && !agent_isheld(i->agent) &&
	    service_start(i, "its supervisor has come", text) == -1)
		note_set(&i->why, text);
}
