/*
 * The journal of the update in flight, <root>/update.json, and the history
 * beside it.  The journal is written durably before the first link moves
 * and removed when the verdict is durable and no trial is open; its phase
 * tells the next start what to finish or undo.
 */
#ifndef UPD_JOURNAL_H
#define UPD_JOURNAL_H

#include <jansson.h>

#include "intent.h"
#include "release.h"

enum journal_phase {
	JOURNAL_NONE,
	JOURNAL_PROMOTE,	/* links may point at either release */
	JOURNAL_PROBE,		/* links moved, verdict open */
	JOURNAL_TRIAL,		/* verdict good; it is on trial: trial.c */
	JOURNAL_ROLLBACK,	/* going back to `from` */
	JOURNAL__MAX
};

struct journal {
	enum journal_phase phase;
	uint32_t	 attempts;	/* starts that found it open */
	int		 is_rollback;	/* asked for by an operator */
	char		 to[UPD_ID_SIZE];	/* release being promoted */
	char		 from[UPD_ID_SIZE];	/* current before, or "" */
	char		 from_prev[UPD_ID_SIZE];	/* previous before */
	char		 by[UPD_SUBJECT_SIZE];
	int64_t		 started_at;	/* wall microseconds */

	/* The trial: what is wanted; once it is open, what was left of it
	 * when this was written.  ms; 0: none, or no more. */
	uint32_t	 confirm_ms;
	uint32_t	 probation_ms;
	/* JOURNAL_TRIAL: when they end by the monotonic clock (ms) of that
	 * boot, 0: not. */
	uint64_t	 confirm_at;
	uint64_t	 probation_at;
	char		 boot[BOOT_SIZE];
	int		 at_rest;	/* the daemon ended in good order */
	uint32_t	 outages;	/* times the host went down otherwise */
};

/* Write durably.  0, or -1 with errno. */
int	 journal_write(struct store *, const struct journal *);
/* 1 there is one, 0 none, -1 unreadable (treated as none after a log line;
 * renamed to update.json.bad). */
int	 journal_read(struct store *, struct journal *);
/* The same of an agent's root, which is not touched: 1, or 0. */
int	 journal_look(const char *, struct journal *);
/* 1 the verdict on that release, the current one, is open. */
int	 journal_isopen(const struct journal *, const char *);
/* Remove durably.  0, or -1. */
int	 journal_remove(struct store *);

/* Append one JSON object as a line (the reference is stolen), fsynced;
 * over HISTORY_MAX bytes the file becomes .1 first.  0, or -1 (logged):
 * trouble with history never fails an update. */
#define HISTORY_MAX	262144	/* bytes */
int	 history_append(struct store *, json_t *);
/* The newest lines as a JSON array, newest first, at most n. */
json_t	*history_read(struct store *, size_t);

#endif
