/*
 * One instance: a service under supervision.  Private to service.c (states),
 * verdict.c (what an update does with all of an agent's), health.c,
 * describe.c, and the supervisors behind struct backend.
 *
 * The instance's configuration is the agent's, and goes away with a reload;
 * what is needed of it afterwards, to stop a service that is no longer
 * configured, is copied.
 */
#ifndef UPD_INSTANCE_H
#define UPD_INSTANCE_H

#include <sys/types.h>
#include <sys/queue.h>
#include <event.h>

#include "contain.h"
#include "intent.h"
#include "logfile.h"
#include "note.h"
#include "observe.h"
#include "parent.h"
#include "plan.h"
#include "reap.h"
#include "service.h"

/* --- supervisors ----------------------------------------------------- */

enum attach_result {
	ATTACH_NONE,		/* nothing of it runs */
	ATTACH_RUNS,		/* taken over: pid, start time, release are
				 * filled in */
	ATTACH_LEFTOVERS,	/* its leader is gone; being killed,
				 * service_gone() follows */
	ATTACH_LATER,		/* foreign: service_observed() will tell */
	ATTACH__MAX
};

/*
 * All asynchronous.  The supervisor tells service_exited() once for each
 * start() that returned 0, when the leader has ended, and service_gone()
 * after each stop(), drain() or sweep(), when nothing is left; either may
 * come from within the call.
 *
 * A foreign one (s6, systemd, rcctl) tells neither, but service_observed()
 * of observe.h whatever it sees; start() and stop() only pass the wish on, and
 * a sighting always follows them; drain and sweep are observe_drain() and
 * observe_sweep().  At the end of the daemon it is left alone: its services
 * are not ours to stop.
 */
struct backend {
	const char	*name;
	int		 foreign;
	int		 group;		/* ... and it ends only the leader of
					 * a process group: we the rest */
	uint32_t	 start_ms;	/* foreign: from a start to a process
					 * at most; 0: 12 s */
	enum attach_result (*attach)(struct instance *);
	/* 0, or -1 with text (UPD_TEXT_SIZE): it does not run.  A foreign one
	 * also 1 with text: the supervisor is not there yet, and starts it
	 * when it comes; observe_arrived() follows; or 2: not before it is
	 * seen what became of the one before, a sighting follows. */
	int		(*start)(struct instance *, char *);
	/* Signal, grace, KILL. */
	void		(*stop)(struct instance *);
	/* The leader ended while stopping: the rest has what is left of
	 * the grace. */
	void		(*drain)(struct instance *);
	/* Kill what a death left behind. */
	void		(*sweep)(struct instance *);
	/* It is down and will stay so for a while: let go of what it had. */
	void		(*rest)(struct instance *);
	/* No longer configured, and down. */
	void		(*forget)(struct instance *);
	const char	*(*containment)(const struct instance *);

	/* Of foreign ones only; NULL where there is nothing to do. */

	/* Make it known there, up (1) or down (0) at the supervisor's own
	 * next start; what is there and runs is not touched.  With dry (the
	 * third) only look.  1 something was, or would be, changed, 0 nothing,
	 * -1 with text. */
	int		(*enroll)(struct instance *, int, int, char *);
	/* Look at it: a sighting follows. */
	void		(*look)(struct instance *);
	/* Bring what it has written into its capture, or note what of it
	 * is to be read later. */
	void		(*output)(struct instance *);
	/* Names that we made known there and that may have no instance any
	 * more: fn(arg, name) for each; and take such a one out again. */
	void		(*list)(const struct service_conf *,
			    void (*)(void *, const char *), void *);
	void		(*withdraw)(const struct service_conf *, const char *);
};
extern const struct backend	 native_backend, s6_backend, systemd_backend,
				 rcctl_backend;
/* backend.c: that of a configured supervisor. */
const struct backend		*backend_of(enum supervisor);
/* What another supervisor runs for an instance of that name is stopped and
 * taken out there.  1, or 0: none has it. */
int				 backend_withdraw(const char *);
/* The supervisor that has it on record, or native. */
const char			*backend_recorded(const char *);
/* fn(arg, name) for each that another supervisor has of us, and that has no
 * instance; with 1 nothing is done about what is left of such. */
void				 backend_strays(int,
				    void (*)(void *, const char *), void *);
/* What is recorded there of one that has another supervisor now is taken
 * out, at its beginning.  1, or 0: nothing was. */
int				 backend_moved(const struct instance *);
/* 1 that has not ended yet; service_gone() follows, or observe_moved(). */
int				 backend_ismoving(struct instance *);
/* 1 and that does not end; text (UPD_TEXT_SIZE) says what it is. */
int				 backend_isstuck(const struct instance *,
				    char *);

struct native {
	struct contain	 box;
	int		 dirfd;		/* <run>/<instance>, or -1 */
	struct birth	*birth;		/* its exec is not known yet */
	int		 unnoted;	/* its pid file is to be written */
	char		*failure;	/* of the exec, malloced, or NULL */
	struct event	 stop_ev;	/* until KILL, or the next look */
	uint64_t	 kill_at;	/* monotonic ms; 0: not to be killed */
	uint32_t	 poll_ms;	/* until the next look */
	int		 leader;	/* runs, or is not yet collected */
	int		 draining;	/* service_gone() is owed */
	int		 kill;		/* the grace is over */
	uint64_t	 killed_at;	/* monotonic ms */
	struct pidwatch	*watch;		/* adopted: no child of ours */
};

/* --- health ---------------------------------------------------------- */

struct health {
	int		 pending;	/* a check goes on */
	int		 healthy;	/* 1, 0, -1 not known */
	struct note	 detail;
	uint32_t	 status;	/* HTTP, or 0 */
	uint32_t	 attempts;
	uint64_t	 elapsed_ms;
	char		*body;		/* malloced, valid UTF-8, or NULL */
	/* of the check */
	enum health_kind kind;		/* a reload may change the next one */
	int		 again;		/* of one that is healthy: the last
					 * result holds until it is over */
	uint32_t	 within_ms;	/* for all attempts */
	uint64_t	 begin;		/* monotonic ms */
	uint32_t	 probe_id;	/* 0: none with the probe process */
	uint32_t	 wait_ms;	/* before the next attempt */
	uint64_t	 due;		/* monotonic ms, the probe's answer */
	uint32_t	 graces;	/* that it was given */
	struct event	 timer;
	struct command	*command;	/* exec */
	struct herald	*herald;	/* notify; NULL: not heard */
};

/* What a service says by itself is heard there (herald.c). */
struct herald {
	int		 fifo;		/* descriptor 3 of it, or -1 */
	struct event	 fifo_ev;
	int		 sock;		/* its socket, or -1 */
	struct event	 sock_ev;
	uid_t		 uid;		/* who may say so */
};

/* --- profiles -------------------------------------------------------- */

/* What one of a service's instances is. */
struct seat {
	const char		*name;		/* of the instance */
	const char		*profile;	/* "" none */
	const char		*home;		/* NULL: none */
	const struct word	*word;		/* of the profile, or NULL */
};

/* What the profile's own file says, as far as we know (echo.c). */
struct echoed {
	enum profile_state	 state;
	enum profile_desired	 desired;
	int			 failed;	/* could not be written */
	int			 unread;	/* cannot be read now: may be
						 * newer than ours */
};

/* --- the instance ---------------------------------------------------- */

enum verdict {
	VERDICT_NONE,		/* not part of one */
	VERDICT_OPEN,
	VERDICT_HEALTHY,
	VERDICT_FAILED
};

/* Is what is recorded what is in the file? */
enum ledger_state {
	LEDGER_TRUE,
	LEDGER_BEHIND,		/* to be written soon */
	LEDGER_FAILED		/* could not be written, tried again later */
};

enum wait_kind {
	WAIT_START,
	WAIT_STOP
};
struct waiter {
	TAILQ_ENTRY(waiter)	 entry;
	enum wait_kind		 kind;
	service_done		 done;
	void			*arg;
	enum upd_error		 error;
	char			 text[UPD_TEXT_SIZE];
	struct event		 ev;	/* told from the loop */
};
TAILQ_HEAD(waiters, waiter);

struct instance {
	TAILQ_ENTRY(instance)	 entry;		/* in the agent's list */
	TAILQ_ENTRY(instance)	 all;
	const char		*name;		/* behind the struct */
	const char		*service;
	const char		*profile;	/* "" none */
	const char		*home;		/* %h; NULL: has none */
	char			*seat;		/* holds these three */
	pid_t			 stranger;	/* a process of this pid was
						 * started as another's */
	struct agent		*agent;		/* NULL: leaving */
	const struct service_conf *conf;	/* NULL: leaving */
	const struct backend	*backend;
	int			 stop_signal;	/* copied */
	uint32_t		 stop_ms;	/* copied */

	enum service_state	 state;
	int64_t			 since;		/* wall, of the state */
	struct note		 why;		/* of the state */
	int			 again;		/* start it once it is down */
	int			 stuck;		/* it does not end: see why */
	struct waiters		 waiters;

	enum prior_exit		 prior;		/* when we came upon it */
	int			 seated;	/* seen by the pass under way */
	int			 rank;		/* of its service, for order */
	int			 keep_intent;	/* leaving; its profile may
						 * come back */
	struct echoed		 echoed;

	struct intent		 in;		/* what is in its file */
	enum ledger_state	 ledger;

	uint64_t		 started;	/* monotonic ms */
	uint32_t		 fails;		/* deaths in a row, for delay */
	uint64_t		 due;		/* monotonic ms, next start */
	int			 drained;	/* the dead one is all gone */
	int			 held;		/* no restart before verdict */
	int			 returns;	/* died, and its supervisor is
						 * going to start it again */
	uint32_t		 losses;	/* deaths in this probation */
	struct event		 delay_ev;

	int			 leaving;	/* and down: free it */

	enum verdict		 verdict;
	struct health		 health;
	struct capture		 capture;
	struct native		 native;
	struct observed		*observed;	/* foreign; else NULL */
	void			*priv;		/* a foreign backend's own */
};
TAILQ_HEAD(all_instances, instance);

/* service.c: the states */
/* A supervisor's word.  The status is as from waitpid(2), -1 not known or
 * never ran; text (or NULL) says why it could not be executed. */
void		 service_exited(struct instance *, int, const char *);
void		 service_gone(struct instance *);
/* The health check is over: see its struct health. */
void		 service_checked(struct instance *);
/* Start it, or once it is down; 0, or -1 with text: nothing to start. */
int		 service_start(struct instance *, const char *, char *);
/* Stop it, planned; whoever waits for a start is told why it is none. */
void		 service_stop(struct instance *, const char *);
/* Forget permanent failure and delays. */
void		 service_clear(struct instance *);
/* The verdict is over: restarts go on. */
void		 service_unhold(struct instance *);
/* 1 nothing of it runs any more. */
int		 service_isdown(const struct instance *);
/* For delay_ev. */
void		 service_delayed(int, short, void *);
/* For observe.c: it was seen running (the process is in i->in) ... */
void		 service_runs(struct instance *);
/* ... or was stopped by somebody else; its waitpid(2) status, or -1. */
void		 service_halted(struct instance *, int);
/* ... or does not end, whatever is done (text): whoever waits for that is
 * told; it is waited for all the same. */
void		 service_stuck(struct instance *, const char *);
/* ... or is down until its supervisor comes (text). */
void		 service_awaits(struct instance *, const char *);

/* death.c: the ends of processes */
/* Milliseconds to wait after a death: *fails is carried from death to
 * death; then uptime, first and largest delay in ms. */
uint32_t	 backoff_delay(uint32_t *, uint64_t, uint32_t, uint32_t);
/* Write it down in i->in: see service_exited(). */
void		 death_record(struct instance *, int, const char *);
/* 1 the last exit has a code that says: do not retry. */
int		 death_ispermanent(const struct instance *);
/* Whoever waits for it to be healthy is told that it is not. */
void		 death_known(struct instance *);
/* For the transition table. */
void		 death_died(struct instance *);
void		 death_parked(struct instance *);


/* operate.c */
const struct service_env *service_getenv(void);
int		 service_isclosing(void);	/* nothing is to be started */
/* Somebody has acted already, by other means: write down what he wants
 * (1 running). */
void		 service_wish(struct instance *, int, const char *);
/* One more is down: the end of the daemon may wait for that. */
void		 service_left(void);
/* Answer all that wait for that, from the loop. */
void		 waiters_tell(struct instance *, enum wait_kind,
		    enum upd_error, const char *);

/* instance.c: their lives */
extern struct all_instances	 all_instances;
/* Put it under the supervisor that its configuration names: at once if it
 * is down, else it is stopped for that. */
void		 instance_move(struct instance *);
/* The process that is recorded is none of its: as if it had not run. */
void		 instance_noprocess(struct instance *);
/* 1 what runs was started as another service's, or another agent's. */
int		 instance_isstranger(const struct instance *);
/* Down, and no longer configured: free it from the loop. */
void		 instance_leave(struct instance *);
/* Why there is nothing to start (text), or NULL. */
const char	*instance_norelease(const struct instance *);
/* 1 unless `enabled if env` says that it is not to run on this host. */
int		 service_isenabled(const struct service_conf *);
/* 1 somebody wants it to run, and it is enabled. */
int		 instance_iswanted(const struct instance *);
/* Of whichever agent, leaving or not; or NULL. */
struct instance	*instance_find(const char *);
/* Make, or take back, the one of that seat, and put it at the end of the
 * agent's list.  Starts nothing; NULL: out of memory. */
struct instance	*instance_place(struct agent *, const struct service_conf *,
		    const struct seat *);
/* -Rn: one that is no agent's, for its foreign supervisor to look at; it
 * stays.  NULL: out of memory. */
struct instance	*instance_sketch(struct agent *, const struct service_conf *,
		    const struct seat *);
/* It is no longer configured: stop it, forget it. */
void		 instance_dismiss(struct instance *);
/* One of which only the state file is left: stop what runs, forget it. */
void		 instance_orphan(const char *);
/* A hash of all that takes effect at the next start only. */
uint64_t	 instance_confhash(const struct instance *);

/* ledger.c: their state files */
/* It is behind: write it soon, never in a downtime. */
void		 ledger_note(struct instance *);
/* Write it now, durably.  0, or -1 with errno. */
int		 ledger_write(struct instance *);
/* At its beginning: what the file says, or what holds without one. */
void		 ledger_read(struct instance *, const struct word *);
/* Its profile's file says this: take it if it is to be believed.  1 if
 * something else is wanted now. */
int		 ledger_import(struct instance *, const struct word *);

/* seat.c: instances of services with a home */
/* Their configuration is new: what is there keeps to it until the next
 * pass of reconcile.c. */
void		 seat_keep(struct agent *, const struct service_conf *);
/* One that was found; is_new says if it was not there.  REASON_NONE, or
 * why there is none. */
enum plan_reason seat_take(struct agent *, const struct service_conf *,
		    const char *, const struct word *, struct instance **,
		    int *);
/* See instance_sketch(). */
struct instance	*seat_sketch(struct agent *, const struct service_conf *,
		    const char *);
/* All instances in the order of the configuration, default ones first. */
void		 seat_sort(struct agent *);
/* fn(arg, name) for each state file that has no instance. */
void		 seat_orphans(void (*)(void *, const char *), void *);

/* verdict.c */
int		 agent_isheld(const struct agent *);	/* between stop and
							 * start */
int		 agent_isopen(const struct agent *);	/* verdict open */
void		 agent_unhold(struct agent *);
/* Something changed that a pending agent_stop or agent_start waits for. */
void		 agent_settle(struct agent *);
void		 agent_release(struct agent *);	/* is gone: free ours */

/* health.c */
void		 health_init(struct instance *);
/* Begin the check of what was just started; service_checked() follows,
 * never from within. */
void		 health_begin(struct instance *);
/* Ask one that is up once more, where its kind can be asked and no check
 * goes on; service_checked() follows. */
void		 health_again(struct instance *);
/* End such a question without a result. */
void		 health_letbe(struct instance *);
/* End it without a result. */
void		 health_end(struct instance *);
/* ... and forget the last one. */
void		 health_clear(struct instance *);

/* herald.c: health of the kind notify */
/* The supervisor was told by the service that it is ready. */
void		 herald_ready(struct instance *);
/* Make what descriptor 3 and NOTIFY_SOCKET need, for a service of that user:
 * before its start (1), or again for one that runs (0).  The descriptor
 * for the service, or -1 with text (the last argument), and the socket's
 * name ("" none). */
int		 herald_prepare(struct instance *, int, uid_t, gid_t, char *,
		    size_t, char *);

/* guard.c: what happened to an instance; its state is the new one. */
void		 guard_died(struct instance *);
void		 guard_checked(struct instance *);

/* rundir.c: its directory below <run> */
/* Its descriptor, made where missing; -1 errno. */
int		 rundir_open(struct instance *);
/* 1 in this boot it was native's, who has not forgotten it. */
int		 rundir_isthere(const char *);
/* Write down the process of i->in; overwrite i->in by what is written there,
 * 1, or 0: nothing, or of no use. */
void		 rundir_note(struct instance *);
int		 rundir_recall(struct instance *);
void		 rundir_remove(struct instance *);

/* pidfile.c: the file with its pid for others */
/* Of that process, 0: remove it. */
void		 pidfile_set(struct instance *, pid_t);
/* Of what runs, soon. */
void		 pidfile_note(struct instance *);

#endif
