/*
 * A rollout: one archive, many hosts; who gets it when (rollout.c), what is
 * done with one host (deliver.c), what of it is on disk (record.c), and what
 * is seen of it (show.c, report.c).
 */
#ifndef UPD_MASTER_ROLLOUT_H
#define UPD_MASTER_ROLLOUT_H

#include <sys/types.h>
#include <stdint.h>
#include <event.h>
#include <jansson.h>

#include "choose.h"
#include "client.h"
#include "master.h"

#define PHASES_MAX	16		/* of one host, kept for the report */
#define PHASE_SIZE	20

/* What became of a part, the agent's or updaterd's own. */
enum outcome {
	OUTCOME_NONE,			/* not begun */
	OUTCOME_UPDATED,
	OUTCOME_UNCHANGED,		/* had it already, and healthy */
	OUTCOME_DRY,			/* a dry run went through */
	OUTCOME_FAILED,
	OUTCOME_ROLLED_BACK,		/* failed, and went back by itself */
	OUTCOME_DISTRUSTED,		/* not the certificate it should be:
					 * nothing was sent */
	OUTCOME_UNREACHABLE,
	OUTCOME_UNDONE,			/* updated, and taken back */
	OUTCOME_UNCONFIRMED,		/* updated, could not be confirmed, and
					 * so goes back by itself */
	OUTCOME__MAX
};
const char	*outcome_name(enum outcome);
/* OUTCOME__MAX: no such name. */
enum outcome	 outcome_find(const char *);
/* 1 if the host counts as failed or not reached. */
int		 outcome_isbad(enum outcome);

enum target_state {
	TARGET_WAIT,			/* not begun, or to be asked first */
	TARGET_ASK,			/* asked what became of the push */
	TARGET_PUSH,
	TARGET_PAUSE,			/* busy: asked again in a moment */
	TARGET_CONFIRM,			/* updated: to be confirmed */
	TARGET_SELF,
	TARGET_BACK,
	TARGET_END,
	TARGET__MAX
};

struct phase {
	char	 name[PHASE_SIZE];
	uint32_t ms;			/* since the rollout began */
};

struct rollout;
struct target {
	struct rollout		*ro;
	struct host		 host;	/* a copy; strings are the master's */
	enum target_state	 state;
	enum outcome		 agent;
	enum outcome		 self;
	int			 begun;		/* by an earlier run, too */
	int64_t			 begun_at;	/* wall seconds */
	int			 unsure;	/* ask before pushing */
	int			 back;		/* is being taken back */
	int			 back_done;	/* tried, well or not */
	char			 confirm[UPD_ID_SIZE];	/* release that is to
						 * be, or "" */
	uint64_t		 confirm_us;	/* until then, monotonic */
	char			 self_id[UPD_ID_SIZE];	/* release of updaterd
						 * that is on trial, or "" */
	uint64_t		 self_us;	/* until then, monotonic */
	uint32_t		 tries;		/* pushes that broke off */
	uint32_t		 busy;		/* answers 423, waits */
	struct request		 req;
	struct event		 timer;
	uint64_t		 begun_us;	/* monotonic; 0: earlier run */
	uint32_t		 ms;		/* it took */
	int			 status;	/* HTTP */
	json_t			*answer;	/* the last, or NULL */
	char			 detail[UPD_TEXT_SIZE];
	struct phase		 phases[PHASES_MAX];
	size_t			 nphases;
};

/* What is wanted; from the command line or a record. */
struct plan {
	char		*agent;		/* NULL: the host's only one */
	char		*root;		/* absolute, or NULL */
	char		*tarball;	/* absolute, or NULL */
	char		**include;	/* NULL-terminated */
	char		**exclude;
	char		*inventory;	/* or NULL */
	char		*sign;		/* secret key, absolute, or NULL */
	int64_t		 signed_at;	/* seconds since 1970 */
	char		 sha[UPD_SHA_SIZE];
	struct packed	 pack;
	uint16_t	 port;		/* 0: that of the host */
	int		 dry_run;
	int		 force;
	int		 downgrade;	/* an older signature is meant */
	int		 verbose;	/* of this run: say what is left out */
	int		 self;
	char		*self_root;	/* absolute; both NULL: the */
	char		*self_tarball;	/* archive of the agent */
	struct packed	 self_pack;	/* if one of them is given */
	int		 rollback;	/* --rollback-on-fail */
	uint32_t	 canary;	/* hosts */
	uint32_t	 batch;		/* hosts; 0 all */
	int64_t		 max_fail;	/* hosts; -1 no limit */
	uint32_t	 pause;		/* seconds */
	uint32_t	 parallel;
	uint32_t	 retries;
	uint32_t	 confirm;	/* seconds; 0: not asked for */
};

/* rollout.c: 1 if updaterd's part has an archive of its own. */
int		 plan_ownself(const struct plan *);
/* archive.c: make what is to be sent; updaterd's part of a run that resumes
 * must be what it was.  0, or -1: said. */
int		 plan_pack(struct plan *);

struct show;
struct rollout {
	struct master	*master;
	struct plan	 plan;
	struct target	*targets;
	size_t		 ntargets;
	struct client	*client;
	struct show	*show;
	char		 id[UPD_ID_SIZE];
	int64_t		 started;	/* wall seconds, of the first run */
	uint64_t	 begun_us;	/* monotonic, of this run */
	/* record.c */
	int		 lockfd;
	int		 recfd;		/* -1: none is kept */
	/* rollout.c */
	size_t		 next;		/* not looked at yet */
	size_t		 wave_end;	/* how far one may go now */
	size_t		 inflight;
	size_t		 bad;		/* failed or not reached */
	int		 backing;	/* targets are taken back */
	int		 interrupted;	/* signals */
	int		 over;
	char		 stopped[UPD_TEXT_SIZE];	/* why, or "" */
	struct event	 pause;
	int		 pausing;
	struct event	 sigint, sigterm;
};

/* --- rollout.c --- */
/* Push to all targets as the plan says; blocks.  0, or -1: said. */
int		 rollout_run(struct rollout *);
/* A target's part has ended; deliver.c. */
void		 rollout_ended(struct target *);
/* Begin no more hosts, for this reason. */
void		 rollout_stop(struct rollout *, const char *, ...)
		    __attribute__((format(printf, 2, 3)));
/* Targets that were never begun, or not reached. */
size_t		 rollout_left(const struct rollout *);
/* 1 if that target needs nothing more. */
int		 target_isfinal(const struct target *);
/* Milliseconds since this run began. */
uint32_t	 rollout_ms(const struct rollout *);

/* --- deliver.c --- */
/* Begin with a host; rollout_ended() follows, never from within. */
void		 deliver_begin(struct target *);
/* Take the release back. */
void		 deliver_back(struct target *);
void		 deliver_free(struct target *);

/* --- record.c --- */
/* Only one rollout at a time: 0, or -1 (said). */
int		 record_lock(struct rollout *);
/* Begin a record in the place of the last.  0, or -1 (said). */
int		 record_create(struct rollout *);
/* Read the last one into the plan and the targets.  0, or -1 (said). */
int		 record_resume(struct rollout *);
/* One event, durable before it returns; of a host or, with NULL, of the
 * whole.  0, or -1: said, and the rollout stops. */
int		 record_event(struct rollout *, const struct target *,
		    const char *);
void		 record_close(struct rollout *);
/* Read the last one as it is, to look at: nothing is said or written. */
int		 record_peek(struct rollout *);

/* --- outcome.c --- */
/* Note what became of each host, for `hosts`. */
void		 outcomes_note(struct rollout *);

/* --- report.c --- */
/* 0, or -1 (said). */
int		 report_write(const struct rollout *, const char *);

#endif
