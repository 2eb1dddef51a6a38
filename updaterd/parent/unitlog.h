/*
 * What units of systemd have written to the journal.
 */
#ifndef UPD_UNITLOG_H
#define UPD_UNITLOG_H

#include <stddef.h>

struct agent;

/*
 * Read what was written by those of the agent's units that were not well when
 * agent_tail() was called last: at most so many bytes of all.  done(arg, text)
 * from the loop; the text is valid UTF-8 and the callee's.  1, or 0: there is
 * nothing to be read, done is not called.  One at a time.
 */
int	 unitlog_read(struct agent *, size_t, void (*)(void *, const char *),
	    void *);

#endif
