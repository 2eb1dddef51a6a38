/*
 * Names that go to another supervisor's tools: a unit of systemd, a script
 * in /etc/rc.d.
 */
#ifndef UPD_UNITNAME_H
#define UPD_UNITNAME_H

#include <stddef.h>

#define UNIT_NAME_SIZE	256	/* bytes with the NUL; UNIT_NAME_MAX */
#define RC_NAME_SIZE	64	/* bytes with the NUL, ours */

/* 1 if fit for the name of a service unit, as "agent.service" or
 * "gateway@coder.service". */
int	 unitname_isvalid(const char *);
/* The file it is loaded from: "gateway@.service" for "gateway@x.service".
 * As long as the name at most. */
void	 unitname_file(const char *, char *, size_t);
/* 1 if fit for the name of an rc.d script. */
int	 rcname_isvalid(const char *);

#endif
