/*
 * Which hosts a command is for: --host, --group, --all.
 */
#ifndef UPD_MASTER_CHOOSE_H
#define UPD_MASTER_CHOOSE_H

#include <stddef.h>

#include "master.h"

struct choice {
	char	**hosts;		/* as given; NULL-terminated or NULL */
	char	**groups;
	int	  all;
};

/* Append to a NULL-terminated list; the string is borrowed. */
void	 list_add(char ***, char *);
size_t	 list_len(char *const *);

/*
 * The chosen hosts, each once: those named in the order given, then groups
 * and all in that of hosts.conf.  Revoked ones are left out; one that is
 * named is an error.  An exit code: EXIT_DONE with a malloced array of
 * pointers (the hosts are the master's), else said.
 */
int	 choose(struct master *, const struct choice *, struct host ***,
	    size_t *);

#endif
