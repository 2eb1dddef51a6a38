/*
 * One update: the state machine that takes an agent from one release to
 * another, or back.  One at a time on the host.
 *
 *	update.c	states, admission, the one abort path, the answer
 *	push.c		a push: opened, complete, given up
 *	receive.c	RECEIVING: pipes, inflate, unpack
 *	trust.c		whose release it is, and that it is not an old one
 *	prepare.c	STAGED, INSTALLING: seal, install, manifest, dry run
 *	promote.c	VERIFYING, PROMOTING, PROBING, ROLLBACK
 *	trial.c		what comes behind a good verdict: probation, confirm
 */
#ifndef UPD_UPDATE_H
#define UPD_UPDATE_H

#include <event.h>

#include "journal.h"
#include "parent.h"
#include "release.h"
#include "task.h"
#include "worker.h"

enum update_state {
	UPDATE_IDLE,
	UPDATE_RECEIVING,	/* bytes arrive and are unpacked */
	UPDATE_STAGED,		/* complete; being sealed and synced */
	UPDATE_INSTALLING,	/* the install step, then its manifest */
	UPDATE_VERIFYING,	/* target of a rollback against its manifest */
	UPDATE_PROMOTING,	/* commit, stop, flip */
	UPDATE_PROBING,		/* started, verdict open */
	UPDATE_ROLLBACK,	/* going back */
	UPDATE_CLEANING,	/* staging being removed */
	UPDATE__MAX
};
const char	*update_statename(enum update_state);

enum update_kind {
	UPDATE_PUSH,
	UPDATE_BACK,		/* rollback asked for */
	UPDATE_RECOVER,		/* verdict was open when we started */
	UPDATE_UNDO,		/* a release has not stood its trial */
	UPDATE_KIND__MAX
};

struct update {
	enum update_state	 state;
	enum update_kind	 kind;
	struct agent		*agent;
	struct caller		*caller;	/* NULL: answered */
	struct msg_caller	 who;
	int64_t			 since;		/* wall microseconds */
	uint64_t		 t_open;	/* monotonic ms, of phases */
	uint64_t		 t_received;
	uint64_t		 t_sealed;
	uint64_t		 t_installed;
	uint64_t		 t_stop;	/* services told to stop */
	uint64_t		 t_stopped;
	uint64_t		 t_healthy;
	uint32_t		 flags;		/* UPDF_ */
	uint32_t		 confirm;	/* seconds, 0: not asked for */
	uint64_t		 bytes;		/* of the archive */
	char			 sha[UPD_SHA_SIZE];
	char			 claimed[UPD_HEX_SIZE];
	char			 digest[UPD_HEX_SIZE];
	char			 signer[UPD_KEYNAME_SIZE];	/* or "" */
	int64_t			 signed_at;	/* seconds since 1970 */

	/* receiving */
	struct staging		 st;
	int			 staged;	/* st is valid */
	struct worker		 inflate;
	struct worker		 unpack;
	int			 local;		/* archive came as a file */
	int			 complete;	/* net said DONE */
	int			 stopped;	/* net was told to stop */
	int			 unpack_first;	/* ... because of unpack */
	uint64_t		 moved_in;	/* bytes, as inflate said */
	uint64_t		 moved_out;
	uint64_t		 reserve_bytes;
	uint64_t		 reserve_inodes;

	/* preparing */
	struct task		*task;
	struct command		*command;
	char			*output;	/* of the install step */
	json_t			*diff[DIFF__MAX];	/* dry run */
	uint32_t		 diff_total[DIFF__MAX];

	/* promoting */
	struct journal		 journal;
	struct release		 rel;		/* being promoted */
	json_t			*probe;		/* report of the new one */
	json_t			*probe_back;	/* of the one gone back to */
	char			*tail;		/* services' output */
	char			 damage[UPD_TEXT_SIZE];	/* of `from` */
	uint32_t		 flips;		/* tries to go back */
	int			 stuck;		/* links could not go back */

	/* verdict */
	enum upd_error		 error;
	const char		*phase;		/* where it failed */
	char			 text[UPD_TEXT_SIZE];
	int			 rolled_back;
	json_t			*answer;
	int			 answer_status;
	struct event		 timer;
	void			(*timeout)(struct update *);
};

/* --- for everybody -------------------------------------------------- */

/* A push: answers through the caller, at once or at the end. */
void		 update_open(struct caller *, const struct msg_update_open *);
/* The same from a file at hand; the descriptor is handed over. */
void		 update_local(struct caller *, const struct msg_ctl_update *,
		    int);
void		 update_done(struct imsgev *, const struct msg_update_done *);
void		 update_netabort(struct imsgev *,
		    const struct msg_update_abort *);
/* The channel of the one who pushes has gone. */
void		 update_lost(struct imsgev *);
/* Go back to `id`, or to the previous release when it is "". */
void		 update_rollback(struct caller *, struct agent *,
		    const char *);
/* At start: a release whose verdict is open; journal as read. */
int		 update_recover(struct agent *, const struct journal *);
/* The update in flight, or NULL. */
const struct update *update_current(void);
/* {"agent","state","by",..} or null, for status. */
json_t		*update_json(void);
/* The daemon stops: abort what is not yet being promoted. */
void		 update_shutdown(void);

#define UPDATE_TAIL	(64 * 1024)	/* bytes of output in an answer */

/* --- among the files of an update ----------------------------------- */

extern struct update	 up;		/* the one; update.c */

/* The agent by name if an update may begin; else NULL, and answered. */
struct agent	*update_admit(struct caller *, const char *);
struct update	*update_begin(struct agent *, enum update_kind,
		    struct caller *, const struct msg_caller *);
void		 push_next(void);	/* one who waits may begin, if he can */
void		 push_forget(void);	/* he is answered elsewhere */

void		 update_setstate(struct update *, enum update_state);
/* The one abort path before promotion, safe in every state: kill, clean
 * up, answer.  The first reason counts. */
void		 update_fail(struct update *, enum upd_error, const char *, ...)
		    __attribute__((format(printf, 3, 4)));
/* Likewise, because of an entry of the tree; "" for none. */
void		 update_failentry(struct update *, enum upd_error,
		    const char *, const char *);
/* Answer with this (reference stolen) once staging is gone. */
void		 update_finish(struct update *, int, json_t *);
void		 update_cleaned(struct update *);	/* workers are gone */
void		 update_settimer(struct update *, uint32_t,
		    void (*)(struct update *));
void		 update_cleartimer(struct update *);
void		 update_history(struct update *, const char *, int);

void		 update_received(struct update *);	/* counted, digested */
int		 receive_start(struct update *, int, int *, char *);
void		 receive_check(struct update *);
int		 receive_running(const struct update *);
void		 receive_kill(struct update *);

/* unpack in a mode that only reads; gone() once it is through.  All
 * descriptors are handed over.  0, or -1 (logged). */
int		 reader_start(struct update *, const struct msg_unpack_start *,
		    int, int, int, void (*)(void *));

void		 prepare_start(struct update *);	/* all received */
void		 prepare_kill(struct update *);
void		 prepare_diff(struct update *);	/* of a dry run */

void		 promote_commit(struct update *);	/* sealed and synced */
void		 promote_rollback(struct update *, const char *);
void		 promote_recover(struct update *);
/* Back to journal.from; u->text says why. */
void		 promote_undo(struct update *);
/* Fill in what is recorded of the release of a push, but its id. */
void		 promote_describe(struct update *);

/* outcome.c: what of that is answered.  Good: current is what was wanted.  Bad:
 * it was gone back; 1: the old release is healthy.  And the status of that. */
void		 outcome_good(struct update *);
void		 outcome_bad(struct update *, int);
int		 outcome_status(const struct update *, int);
/* A rollback that has touched nothing yet is not to be. */
void		 outcome_refuse(struct update *, const char *);

#endif
