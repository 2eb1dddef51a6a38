/*
 * The journal of the update in flight, <root>/update.json, and the history
 * beside it.  The journal is written durably before the first link moves
 * and removed when the verdict is durable; its phase tells the next start
 * what to finish or undo.
 */
#ifndef UPD_JOURNAL_H
#define UPD_JOURNAL_H

#include <jansson.h>

#include "release.h"

enum journal_phase {
	JOURNAL_NONE,
	JOURNAL_PROMOTE,	/* links may point at either release */
	JOURNAL_PROBE,		/* links moved, verdict open */
	JOURNAL_ROLLBACK,	/* going back to `from` */
	JOURNAL__MAX
};
const char	*journal_phasename(enum journal_phase);

struct journal {
	enum journal_phase phase;
	uint32_t	 attempts;	/* starts that found it open */
	int		 is_rollback;	/* asked for by an operator */
	char		 to[UPD_ID_SIZE];	/* release being promoted */
	char		 from[UPD_ID_SIZE];	/* current before, or "" */
	char		 from_prev[UPD_ID_SIZE];	/* previous before */
	char		 by[UPD_SUBJECT_SIZE];
	int64_t		 started_at;	/* wall microseconds */
};

/* Write durably.  0, or -1 with errno. */
int	 journal_write(struct store *, const struct journal *);
/* 1 there is one, 0 none, -1 unreadable (treated as none after a log line;
 * renamed to update.json.bad). */
int	 journal_read(struct store *, struct journal *);
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
