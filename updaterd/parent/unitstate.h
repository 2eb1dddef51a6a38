/*
 * What `systemctl show` says of units: one record each, parsed strictly.
 */
#ifndef UPD_UNITSTATE_H
#define UPD_UNITSTATE_H

#include <sys/types.h>
#include <stdint.h>

#include "../unitname.h"

/* The properties asked for; the parser takes these and no others. */
#define UNITSTATE_PROPERTIES						\
	"Id,LoadState,ActiveState,SubState,Result,MainPID,NRestarts,"	\
	"ExecMainPID,ExecMainCode,ExecMainStatus,"			\
	"ExecMainStartTimestampMonotonic,"				\
	"ExecMainExitTimestampMonotonic,ActiveExitTimestampMonotonic,"	\
	"Slice,NeedDaemonReload,Job,Restart,InvocationID"

#define UNITSTATE_WORD	40	/* bytes of a word of systemd's, with NUL */
#define UNITSTATE_WHY	256	/* bytes of why it cannot be read */
#define UNITSTATE_BYTES	4096	/* of one record, more than it can have */

enum unit_load {
	UNIT_LOADED,
	UNIT_NOTFOUND,
	UNIT_MASKED,
	UNIT_BAD,		/* its file has errors */
	UNIT_LOAD__MAX
};

enum unit_active {
	UNIT_ACTIVE,
	UNIT_RELOADING,
	UNIT_INACTIVE,
	UNIT_FAILED,
	UNIT_ACTIVATING,
	UNIT_DEACTIVATING,
	UNIT_ACTIVE__MAX
};

struct unitstate {
	char		 id[UNIT_NAME_SIZE];
	enum unit_load	 load;
	enum unit_active active;
	char		 sub[UNITSTATE_WORD];	/* "auto-restart" */
	char		 result[UNITSTATE_WORD]; /* "success" */
	pid_t		 pid;		/* of the main process, 0: none */
	pid_t		 mainpid;	/* ... that is, or was the last one */
	uint32_t	 restarts;	/* by systemd, since it was started */
	int		 code;		/* CLD_, 0: has not ended */
	int		 status;	/* exit code or signal */
	uint64_t	 begun;		/* monotonic us, main process; 0 none */
	uint64_t	 ended;		/* ... its end; 0: not known */
	uint64_t	 left;		/* when it ceased to be active */
	char		 slice[UNIT_NAME_SIZE];
	int		 stale;		/* the file was changed since it was
					 * loaded */
	int		 job;		/* something is queued for it */
	int		 always;	/* Restart=always */
	char		 run[UNITSTATE_WORD];	/* changes with each start */
};

/*
 * Read the next record of the text, whose pointer is moved on; the text is
 * cut up.  1, 0 at the end, or -1: it is not what systemctl prints, and why
 * (UNITSTATE_WHY bytes) says what.
 */
int	 unitstate_next(char **, struct unitstate *, char *);
/* As from waitpid(2): how the main process ended, -1 not known. */
int	 unitstate_status(const struct unitstate *);
/* 1: it was asked to stop, before its main process ended; else it ended by
 * itself.  Of one that is neither active nor on its way. */
int	 unitstate_wasstopped(const struct unitstate *);

#endif
