/*
 * systemctl, run as a command: what is asked of systemd waits here in turn,
 * and what waits for the same goes in one command.
 */
#ifndef UPD_SYSTEMCTL_H
#define UPD_SYSTEMCTL_H

#include <sys/types.h>
#include <sys/queue.h>

#include "proto.h"
#include "unitstate.h"

enum systemctl_verb {
	SYSTEMCTL_SHOW,
	SYSTEMCTL_RELOAD,	/* daemon-reload; of no unit */
	SYSTEMCTL_RESET,	/* reset-failed */
	SYSTEMCTL_START,	/* these do not wait for what they begin */
	SYSTEMCTL_STOP,
	SYSTEMCTL_KILL,		/* SIGKILL to all of it */
	SYSTEMCTL__MAX
};

enum call_state {
	CALL_IDLE,
	CALL_WAITING,
	CALL_RUNNING
};

/*
 * One thing to ask about one unit; its owner's memory, made with
 * systemctl_init() and left alone.
 */
TAILQ_HEAD(systemctl_calls, systemctl_call);
struct systemctl_call {
	TAILQ_ENTRY(systemctl_call) entry;
	struct systemctl_calls	*list;		/* the one it is in, or NULL */
	enum systemctl_verb	 verb;
	enum call_state		 state;
	const char		*unit;		/* the owner's, "" none */
	size_t			 place;		/* among those running */
	/* The state is of SYSTEMCTL_SHOW, and NULL when that failed; the
	 * error is "" when it did not. */
	void			(*done)(void *, const struct unitstate *,
				    const char *);
	void			*arg;
};

void	 systemctl_init(struct systemctl_call *, enum systemctl_verb,
	    const char *, void (*)(void *, const struct unitstate *,
	    const char *), void *);
/*
 * Ask.  done is called once, from the loop.  Of one unit, what was asked
 * first is done first, and RELOAD before and after all else; SHOW goes
 * beside them, at once.  What waits already is not asked twice; what runs
 * is asked again, and only the answer to that is told.
 */
void	 systemctl_ask(struct systemctl_call *);
/* Never mind: done is not called.  What runs already runs on. */
void	 systemctl_drop(struct systemctl_call *);
/* 1: the host was going down when units were last looked at.  Then they
 * are stopped, and it means nothing. */
int	 systemctl_isleaving(void);

#endif
