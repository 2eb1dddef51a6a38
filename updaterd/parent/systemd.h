/*
 * A service that systemd runs.  Private to systemd.c (what is asked of it),
 * unitlook.c (what is seen of it) and unitlog.c (what it writes).
 */
#ifndef UPD_SYSTEMD_H
#define UPD_SYSTEMD_H

#include <sys/types.h>
#include <sys/queue.h>
#include <event.h>
#include <stdint.h>

#include "observe.h"
#include "systemctl.h"
#include "unitstate.h"

struct instance;
struct pidwatch;
struct slice;

/* One run of a unit, as the journal knows it. */
struct unitrun {
	char			 id[UNITSTATE_WORD];	/* InvocationID */
	pid_t			 pid;	/* its main process, 0: not known */
};

/* In the instance's priv. */
struct unit {
	TAILQ_ENTRY(unit)	 entry;
	struct instance		*i;
	char			 name[UNIT_NAME_SIZE];	/* "": none is fit */
	char			 pin[UNIT_NAME_SIZE];	/* "" none */
	struct systemctl_call	 call[SYSTEMCTL__MAX];
	struct systemctl_call	 hold;		/* starts the pin */

	/* what was asked of it */
	int			 starting;	/* not seen to run since */
	uint64_t		 asked;		/* monotonic us, the start */
	int			 stopping;	/* not seen to be down since */
	int			 ours;		/* it is down by our wish */
	uint64_t		 told;		/* as is on record: it was
						 * brought down by us then,
						 * monotonic us; 0 was not */
	int			 used;		/* started since its counters
						 * were reset */
	int			 installed;	/* its file is of a release */
	struct event		 grace_ev;	/* from stop to KILL */
	int			 kills;		/* of this stop */
	char			 refusal[256];	/* what systemctl said of it */

	/* what is known of it */
	int			 seen;		/* last is valid */
	struct unitstate	 last;
	int			 blind;		/* it cannot be looked at */
	uint64_t		 moment;	/* monotonic us, and ... */
	int64_t			 moment_real;	/* ... wall us, of the same */
	struct event		 poll_ev;	/* look again */
	uint32_t		 poll_ms;
	struct pidwatch		*watch;		/* of its main process */
	pid_t			 pid;		/* the one watched, or was */
	int			 gone;		/* ... and has ended */
	int			 status;	/* ... like that, -1 unknown */
	struct slice		*slice;		/* where its cgroup comes */
	/* whose output is whose, for unitlog.c */
	struct unitrun		 current;	/* last seen */
	struct unitrun		 before;	/* at our last start */
	struct unitrun		 first;		/* since; no id: none */
	struct unitrun		 latest;
	struct unitrun		 failed[2];	/* to be read */
	int			 ended;		/* forgotten: still there */
	struct event		 free_ev;	/* ... until the next turn */
};
TAILQ_HEAD(units, unit);

/* systemd.c */
extern struct units	 all_units;
/* Write down when it was brought down by us, 0: it runs. */
void		 unit_told(struct unit *, uint64_t);

/* unitlog.c */
/* It is another unit from now on. */
void		 unitlog_forget(struct unit *);
/* It is about to be started: what comes from now on is of that. */
void		 unitlog_begin(struct unit *);
/* It was seen. */
void		 unitlog_seen(struct unit *, const struct unitstate *);
/* For struct backend: if it is not well now, note what of it is to be read
 * later. */
void		 unitlog_mark(struct instance *);

/* unitlook.c */
void		 unitlook_init(struct unit *);
/* Look at it soon: something has happened, or was asked. */
void		 unitlook_now(struct unit *);
/* Look at it in a while, which becomes longer and longer. */
void		 unitlook_again(struct unit *);
/* Something was asked and could not be done: say so as its state. */
void		 unitlook_refused(struct unit *, const char *);
/* For call[SYSTEMCTL_SHOW]. */
void		 unitlook_seen(void *, const struct unitstate *, const char *);
void		 unitlook_end(struct unit *);

#endif
