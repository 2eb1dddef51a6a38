/*
 * What a service directory of s6 holds: rendered from what a service is to
 * be, without looking at the system.
 */
#ifndef UPD_SLOT_H
#define UPD_SLOT_H

#include <sys/types.h>

#include "../config.h"
#include "launch.h"
#include "util.h"

#define SLOT_FILES	12	/* at most */
#define SLOT_MARK	"data/updaterd"	/* says whose slot it is */
#define SLOT_LOG	"log"

struct slot_conf {
	const char		*name;		/* of the instance */
	const char		*mark;		/* whose it is: see scandir.h */
	const char		*base;		/* <root>/current */
	const char		*directory;	/* or NULL: base */
	const struct args	*command;
	char			**env;
	const struct identity	*id;
	int			 drop;		/* become id, else stay root */
	mode_t			 umask;
	const struct rlimit_conf *rlimits;
	int			 nrlimits;
	int			 notify;	/* descriptor 3 says ready */
	int			 stop_signal;
	uint32_t		 stop_ms;
	const int		*permanent;	/* exit codes */
	int			 npermanent;
	const char		*off;		/* this variable of the
						 * environment is not set:
						 * it shall not run; or NULL */
	const char		*log;		/* directory of s6-log, NULL:
						 * none */
	uint64_t		 log_size;
	uint32_t		 log_keep;
	const char		*applyuidgid;	/* paths of s6's programs */
	const char		*s6log;
};

struct slot_file {
	const char	*path;		/* in the slot, "data/..", "log/.." */
	mode_t		 mode;
	struct buf	 data;
};
struct slot {
	struct slot_file file[SLOT_FILES];
	size_t		 n;
	int		 logged;	/* has a logger */
};
/* 0, or -1 ENOMEM.  Freed with slot_free() either way. */
int	 slot_render(const struct slot_conf *, struct slot *);
void	 slot_free(struct slot *);
/* Append a word as sh(1) takes it, whatever bytes it is of.  0, or -1. */
int	 slot_quote(struct buf *, const char *);

#endif
