/*
 * What the files of the privileged parent share.
 */
#ifndef UPD_PARENT_H
#define UPD_PARENT_H

#include <sys/types.h>
#include <sys/queue.h>
#include <event.h>
#include <jansson.h>

#include "../config.h"
#include "../proc.h"
#include "release.h"
#include "service.h"
#include "tally.h"

TAILQ_HEAD(instances, instance);
TAILQ_HEAD(callers, caller);

struct agent {
	TAILQ_ENTRY(agent)	 entry;
	struct agent_conf	*conf;		/* in parent->conf */
	struct store		*store;		/* NULL: broken, see text */
	struct instances	 instances;	/* service.c's */
	void			*service_priv;	/* service.c's */
	struct guard		*guard;		/* guard.c's, or NULL */
	struct trial		*trial;		/* trial.c's, or NULL */
	int			 gone;		/* no longer configured */
	int			 fresh;		/* to be recovered */
	char			 text[UPD_TEXT_SIZE];	/* why store is NULL */
	char			 last_error[UPD_TEXT_SIZE];
	int64_t			 last_error_at;	/* wall microseconds */
	struct tallies		 tallies;	/* tally.c's */
};
TAILQ_HEAD(agents, agent);

/*
 * Who waits for an answer: a request of net, or of a control client
 * (request.c).  Whoever holds a caller answers it exactly once; that frees
 * it.  The peer may have gone in the meantime: answering is then silent.
 */
struct caller {
	TAILQ_ENTRY(caller)	 entry;
	struct msg_caller	 who;
	uint32_t		 id;
	uid_t			 uid;		/* control: peer's; net: -1 */
	struct imsgev		*iev;		/* NULL: the peer has gone */
};

/* request.c */
struct caller	*caller_new(struct imsgev *, uint32_t,
		    const struct msg_caller *);
/* The channel has gone: its callers are answered into the void. */
void		 caller_lost(struct imsgev *);
/* Answer all of a channel with 423: nobody else will. */
void		 caller_abandon(struct imsgev *, const char *);
/* One request was cancelled by its channel; likewise. */
void		 caller_cancel(struct imsgev *, uint32_t);
/* Answer in whole; the json reference is stolen, the caller freed. */
void		 caller_reply(struct caller *, int, json_t *);
/* {"detail": text} with the error's HTTP status. */
void		 caller_error(struct caller *, enum upd_error, const char *);
/* Answer with a file; the descriptor is handed over, the caller freed. */
void		 caller_reply_fd(struct caller *, int, uint64_t,
		    const char *);
/* Answer 200 with a text that is no JSON; the caller is freed. */
void		 caller_text(struct caller *, const char *, size_t);
/* One line of a stream (monitor); the caller stays.  Reference stolen. */
void		 caller_line(struct caller *, json_t *);
/* Of an update: go on (the pipe's write end is handed over), a step, stop
 * sending.  A caller that is NULL is fine. */
int		 caller_go(struct caller *, int);
void		 caller_event(struct caller *, const char *, uint64_t);
void		 caller_stop(struct caller *);

/* One of our processes, for status. */
struct procinfo {
	pid_t			 pid;		/* 0: not running */
	int64_t			 since;		/* wall microseconds */
	uint32_t		 restarts;
	struct msg_ready	 ready;		/* the last that was sent */
	int			 seen;		/* ready is valid */
};

struct parent {
	struct config		*conf;
	struct agents		 agents;
	struct agent		*self;		/* updaterd itself; NULL: not
						 * configured */
	struct procinfo		 proc[PROC__MAX];
	uid_t			 uid, unpack_uid;
	gid_t			 gid, unpack_gid;
	int			 statefd;	/* <state>/ */
	int			 lockfd;	/* <state>/lock, held */
	int			 foreground;	/* -d */
	int			 verbose;
	int			 stopping;
	int			 ghost;		/* see ghost.c */
	int64_t			 since;		/* wall microseconds */
};
extern struct parent *env;

/* parent.c */
void		 parent_main(struct config *, int, int)
		    __attribute__((noreturn));
struct agent	*parent_agent(const char *);	/* "" the default one */
/* State and run directories, made when missing, and the lock.  0, or -1
 * (logged). */
int		 parent_dirs(struct service_env *);
/* Make the agents fit env->conf; done follows, maybe from within. */
void		 parent_configure(void (*)(void));
void		 parent_setverbose(int);
/* An update or a reload has ended: another, or a stop, may be waiting. */
void		 parent_idle(void);

/* once.c: reconcile, or only say (1) what would be done, and exit */
void		 parent_once(struct config *, int, int)
		    __attribute__((noreturn));

/* children.c: net and probe */
int		 children_start(void);
void		 children_stop(void);
/* Send net a configuration; done(text) with "" or why it was refused.
 * At most one at a time.  0, or -1 with text. */
int		 children_configure(const struct config *,
		    void (*)(const char *), char *);
void		 children_verbose(int);
void		 children_procargs(enum proc_type, struct proc_args *);
/* In the ghost: keep only net's channel; called when it has drained, and
 * when it has gone.  1, or 0: there is no net. */
int		 children_ghost(void (*)(void), void (*)(void));
int		 children_drain(void);		/* 0, or -1: no net */
/* The channel to net or probe; NULL: it does not run. */
struct imsgev	*children_channel(enum proc_type);
/* Started again as after any loss. */
void		 children_kill(enum proc_type);

/* netconf.c */
/* Open what net reads of a configuration, NETFILE__MAX descriptors, -1 for
 * none: all of them, or none.  0, or -1 with text. */
int		 netconf_open(const struct config *, int *, char *);
/* Send it, CONF .. END; the descriptors are handed over.  0, or -1: net has
 * got the half of it. */
int		 netconf_send(struct imsgev *, const struct config *,
		    const int *);

/* probing.c, for struct service_env */
int		 probe_start(struct msg_probe_start *,
		    const struct health_conf *, char *);
void		 probe_cancel(uint32_t);
void		 probe_kill(void);

/* listen.c: the listening sockets, kept over reloads and restarts of net */
/* 0, or -1 with text and errno. */
int		 listen_prepare(const struct config *, char *);
void		 listen_commit(void);	/* the prepared set is in use now */
void		 listen_abandon(void);	/* forget the prepared set */
/* fn(arg, fd, text) per socket of the prepared set, or else the current. */
void		 listen_each(void (*)(void *, int, const char *), void *);

/* One that was handed over to us. */
void		 listen_inherit(int);
/* Those in use; how many. */
int		 listen_fds(int *, int);

/* control.c */
int		 control_init(const char *, const char *, int);	/* 0 or -1 */
void		 control_close(void);
int		 control_listener(void);	/* its socket, or -1 */
/* 1 if an answer has not gone out yet; those of monitors do not count. */
int		 control_isowing(void);
/* In the ghost: the clients are not ours. */
void		 control_forget(void);
/* Tell every monitor: {"time":..,"event":name, ...}; reference stolen. */
void		 control_event(const char *, json_t *);
int		 control_monitor(struct caller *);

/* ops.c */
void		 ops_run(struct caller *, const struct msg_request *);

/* status.c */
json_t		*status_json(void);
json_t		*status_agent(struct agent *);
json_t		*status_agents(void);
json_t		*status_health(struct agent *);
json_t		*profiles_json(void);	/* {"profiles":[..]} */

/* recover.c: bring an agent's store in order at start, then its services */
void		 recover_agent(struct agent *);
void		 recover_next(void);	/* verdicts still open, one by one */
/* 1 if its journal names a release without a verdict, which is to be
 * started and probed again: by the daemon. */
int		 recover_isopen(struct agent *);
struct journal;
/* Move the links back as that journal says, and tell why. */
void		 recover_undo(struct agent *, const struct journal *,
		    const char *);

/* users.c: 0 and both ids, or -1 (no such user or group). */
int		 user_lookup(const char *, uid_t *, gid_t *);
int		 group_lookup(const char *, gid_t *);
/* All that a configuration names.  0, or -1 with text. */
int		 users_check(const struct config *, char *);

/* scrape.c: answer with the metrics, after net has told its own. */
void		 scrape(struct caller *);

/* sdnotify.c: a line to the service manager, if there is one. */
void		 sdnotify_init(void);
void		 sdnotify(const char *);
/* Into the environment again, for the next program; and out of it. */
void		 sdnotify_restore(void);
void		 sdnotify_drop(void);

#endif
