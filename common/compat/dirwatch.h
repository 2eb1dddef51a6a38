/*
 * Being told that the entries of a directory change, without looking.
 */
#ifndef UPD_COMPAT_DIRWATCH_H
#define UPD_COMPAT_DIRWATCH_H

struct dirwatch;

/*
 * Call fn(arg) from the event loop after entries of that directory were
 * made, removed, renamed or (where the system can tell) written and closed,
 * and when the directory itself goes away.  Many changes may make one call,
 * and a call may come without a change.  The descriptor is needed for the
 * call only.  NULL with errno; ENOSPC: the system allows no more of them.
 */
struct dirwatch	*dirwatch_add(int, void (*)(void *), void *);
/* That one of that name, which stays the caller's, is written and closed is
 * no change: a FIFO, say, that is opened to see if somebody listens. */
void		 dirwatch_ignore(struct dirwatch *, const char *);
/* NULL is fine, and so is a call from within fn. */
void		 dirwatch_del(struct dirwatch *);

#endif
