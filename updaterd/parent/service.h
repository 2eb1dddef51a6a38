/*
 * Services: one state machine per instance, run natively by this daemon.
 *
 * States: down, starting, up, stopping, backoff, failed; one transition
 * table in service.c.  An exit while stopping is down, anything else is a
 * death.  Intent (wanted running or stopped) is durable in intent.c before
 * it is acted on.
 */
#ifndef UPD_SERVICE_H
#define UPD_SERVICE_H

#include <sys/types.h>
#include <sys/queue.h>
#include <stdint.h>

#include <jansson.h>

#include "../config.h"
#include "expiry.h"
#include "release.h"

struct agent;
struct instance;

enum service_state {
	SERVICE_DOWN,
	SERVICE_STARTING,	/* process runs, not yet known healthy */
	SERVICE_UP,
	SERVICE_STOPPING,
	SERVICE_BACKOFF,	/* died, will be started again */
	SERVICE_FAILED,		/* permanent exit; waits for an operator */
	SERVICE__MAX
};
const char	*service_statename(enum service_state);

/* What the parent hands to the service layer at start. */
struct service_env {
	int		 statefd;	/* <state>/services, root 0700 */
	int		 runfd;		/* /run/updaterd */
	const char	*run_path;	/* for NOTIFY_SOCKET */
	int		 oneshot;	/* -R: we shall not be there to look
					 * after what we start ourselves */
	int		 dry;		/* -n: and nothing is touched */
	/* Start a probe sequence in the probe process.  0, or -1 with text.
	 * The result comes through service_probe_result(). */
	int		(*probe_start)(struct msg_probe_start *,
			    const struct health_conf *, char *);
	void		(*probe_cancel)(uint32_t);
	void		(*probe_kill)(void);	/* it does not answer */
	/* When a file of a health check ends. */
	void		(*expires)(enum expiry_kind, const char *, int64_t);
	/* What a foreign supervisor was told of a service is lost: tell it
	 * again.  NULL: not now. */
	void		(*lost)(const char *);
	/* What is recorded of an instance has changed.  May be NULL. */
	void		(*changed)(struct instance *);
	/* Something changed that a monitor wants to see. */
	void		(*event)(const char *, json_t *);
};
/* With dry (1) nothing is touched yet, nor later. */
void		 service_init(const struct service_env *, int);

/*
 * Make, keep or drop the agent's instances so that they fit its
 * configuration: new ones are made (state read, living process adopted by
 * pid, start time and boot id), removed ones stopped, kept ones take over
 * their new configuration.  Starts nothing.
 */
void		 service_configure(struct agent *);
/* After recovery: start what is wanted up and is not running yet. */
void		 service_start_wanted(struct agent *);

/* An operator's command on one instance by name; intent is written first.
 * done(arg, error, text) once the state is reached (start: up or healthy,
 * or died / not healthy within its limit; stop: all of it gone). */
typedef void	(*service_done)(void *, enum upd_error, const char *);
struct instance	*service_find(const char *);
/* Why there is none of that name; with profiles, which ones there are. */
void		 service_unknown(const char *, char *, size_t);
void		 service_op(struct instance *, enum upd_op, const char *,
		    service_done, void *);

/* --- what an update does with all instances of an agent ------------- */

/* Stop every instance that runs, planned: intent stays.  done(arg) when
 * all are gone (KILL after the grace).  At once when none runs. */
void		 agent_stop(struct agent *, void (*)(void *), void *);
/* 1 and text: a foreign supervisor could not stop one of them, so that not
 * all are gone. */
int		 agent_isstuck(struct agent *, char *);
/* Start every instance wanted up, from current/, back-off and permanent
 * failures forgotten; begin their health checks; done(arg, healthy,
 * report) once the verdict is known: healthy when each that is wanted up
 * and not optional became healthy within its limit.  A required one that
 * dies before that is a verdict at once.  The report is owned by the
 * callee until done returns:
 *	{"services":[{"service":..,"healthy":bool,"detail":"text",
 *	 "status":n,"attempts":n,"elapsed_ms":n,"body":"..","exit":..}]}
 * With no service wanted up the verdict is healthy at once. */
void		 agent_start(struct agent *,
		    void (*)(void *, int, json_t *), void *);
/* Forget a pending agent_stop or agent_start callback. */
void		 agent_forget(struct agent *);
/* Clear the captured output of all instances (before a promotion). */
void		 agent_tail_clear(struct agent *);
/* The last `max` bytes of the captured output of all instances since
 * agent_tail_clear(), each preceded by "==> name <==" if there are
 * several.  Malloced, valid UTF-8 (what was not becomes U+FFFD). */
char		*agent_tail(struct agent *, size_t);
/* 1 if the last verdict of every required wanted instance is healthy and
 * it is still up. */
int		 agent_healthy(struct agent *);
/* 1 if each of its services that is wanted up has a process. */
int		 agent_runs(struct agent *);
/* Health body of the first service with one: for "probe" in answers; ""
 * if none.  Owned by the instance. */
const char	*agent_body(struct agent *);

/* Watch over a release in its probation, in the place of a watch that is
 * on: failed(arg, why) once, from the loop, when a required instance that
 * is wanted up dies too often, for good, or is not healthy.  0, or -1 out
 * of memory. */
int		 agent_watch(struct agent *, void (*)(void *, const char *),
		    void *);
/* End it, if there is one; failed() is not called. */
void		 agent_unwatch(struct agent *);

/* JSON array of all instances of an agent, for status: name, state,
 * wanted, since, pid, release, restarts, last exit, health, containment,
 * log. */
json_t		*service_json(struct agent *);
/* The probe process answered. */
void		 service_probe_result(const struct msg_probe_result *);
/* ... and how long a file of the check is good for. */
void		 service_probe_cert(const struct msg_probe_cert *);
/* The probe process was lost: pending checks are started again. */
void		 service_probe_lost(void);
/* Orderly end of the daemon: with keep leave all running (phase stays
 * running, logs go on through pipes that ... see native.c), else stop all;
 * done(arg) when gone.  Never writes intent. */
void		 service_shutdown(int, void (*)(void *), void *);
/* Write all state files that are behind. */
void		 service_flush(void);
/* 1 if somebody waits for a command on a service. */
int		 service_waits(void);
/* Reopen log files (SIGUSR1). */
void		 service_reopen(void);
/* Run a command as a user with captured output, for install steps and
 * exec health checks. */
struct command;
struct command_conf {
	const struct args *argv;
	const char	*user;		/* NULL: as we are */
	uid_t		 uid;		/* used when user is NULL and != 0 */
	gid_t		 gid;
	int		 dirfd;		/* working directory; relative
					 * commands are looked up there */
	const struct args *environment;	/* may be NULL */
	uint32_t	 timeout_ms;
	size_t		 tail;		/* bytes of output kept */
	int		 leaves;	/* what it leaves running may live */
};
struct command_result {
	int		 status;	/* waitpid status, -1 not started */
	int		 timed_out;
	char		*output;	/* head and tail, valid UTF-8 */
	char		 text[UPD_TEXT_SIZE];	/* "exited 3", "timed out
					 * after 300 s", "cannot execute
					 * x: No such file" */
};
/* done(arg, result) when it and all its process group have gone, or, if it
 * leaves something, it alone.  NULL with errno when it cannot be started at
 * all. */
struct command	*command_start(const struct command_conf *,
		    void (*)(void *, const struct command_result *), void *);
/* Kill it with all its group; done is not called. */
void		 command_cancel(struct command *);

#endif
