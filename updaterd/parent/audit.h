/*
 * Comparing a sealed release with its manifest, all of it, in a child.
 */
#ifndef UPD_AUDIT_H
#define UPD_AUDIT_H

#include <jansson.h>

#include "parent.h"

struct audit_result {
	int		 whole;		/* 1, 0: see faults, -1: could not be
					 * finished, see text */
	char		 text[UPD_TEXT_SIZE];	/* why, or the first fault */
	json_t		*faults;	/* [{"kind","path","detail"}] */
	uint32_t	 total[FAULT__MAX];
	struct msg_unpack_done done;	/* what was looked at */
	uint64_t	 ms;		/* it took */
};
/* The result is the audit's until the function returns. */
typedef void	(*audit_done)(void *, const struct audit_result *);

/*
 * Begin; done() follows from the loop.  Files that were not touched since
 * that time (wall microseconds) are not read, 0: all are; after so many ms
 * it is given up.  0, or -1 with text: one is under way, or it cannot be
 * begun.
 */
int		 audit_start(struct agent *, const char *, int64_t, uint32_t,
		    audit_done, void *, char *);
int		 audit_isbusy(void);
/* An update begins: the unpack user is its own now.  done() follows. */
void		 audit_cancel(const char *);

/* 1 if it lacks something that it needs: what is merely there besides, or
 * has other rights, can be lived with. */
int		 audit_isbroken(const struct audit_result *);
/* For an operator; the caller is answered. */
void		 audit_ask(struct caller *, struct agent *, const char *);

/* startcheck.c: the services of an agent may start; at once, or when its
 * release has been looked at. */
void		 startcheck_begin(struct agent *);
/* One that waits may have its turn. */
void		 startcheck_next(void);
/* 1 somebody waits. */
int		 startcheck_isopen(void);
/* The services of this agent wait for it. */
int		 startcheck_holds(const struct agent *);
/* An update begins: nobody waits any longer. */
void		 startcheck_abandon(void);

#endif
