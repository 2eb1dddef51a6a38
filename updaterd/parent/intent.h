/*
 * What is remembered of an instance over the daemon's end and the host's.
 */
#ifndef UPD_INTENT_H
#define UPD_INTENT_H

#include <sys/types.h>
#include <stdint.h>

#include "proto.h"

#define INTENT_MAX	4096	/* bytes of the file */
#define BOOT_SIZE	41	/* boot_id(), with its NUL */
#define EXIT_TEXT_SIZE	160	/* bytes: "exited 1 after 12 ms" */

enum exit_kind {
	EXIT_NONE,		/* has not ended yet */
	EXIT_CODE,
	EXIT_SIGNAL,
	EXIT_NOSTART,		/* could not be executed */
	EXIT_UNKNOWN,		/* ended while nobody looked */
	EXIT__MAX
};

struct intent {
	char	 owner[UPD_NAME_SIZE];	/* service; "" not recorded */
	char	 agent[UPD_NAME_SIZE];	/* whose release runs; likewise */

	/* what somebody wants: written before it is acted on */
	int	 desired;		/* 1 running, 0 stopped */
	char	 desired_by[UPD_SUBJECT_SIZE];
	int64_t	 desired_at;		/* wall microseconds, as all times */

	/* what is: written soon after */
	char	 state[16];		/* for readers, never read as intent */
	int	 running;		/* phase: a process should be there */
	char	 boot[BOOT_SIZE];	/* pid is not believed in another */
	pid_t	 pid;			/* 0: none */
	uint64_t start_time;		/* pid_starttime() */
	int64_t	 started_at;
	char	 release[UPD_ID_SIZE];	/* started from; "" none */
	uint64_t conf;			/* hash of how it was started */

	/* its last end */
	enum exit_kind exit_kind;
	int	 exit_value;		/* code or signal */
	int64_t	 exit_at;
	int	 exit_planned;
	char	 exit_text[EXIT_TEXT_SIZE];

	/* permanent failure */
	int	 failed;
	int	 failed_code;
	int64_t	 failed_at;
	char	 failed_release[UPD_ID_SIZE];

	uint32_t restarts;		/* by us, after a death */
	uint32_t deaths;
};

/*
 * Read <name>.json.  1 read, 0 there is none (*in is all zero then), or -1:
 * it is not to be believed, and why (UPD_TEXT_SIZE) says so.
 */
int	 intent_read(int, const char *, struct intent *, char *);
/* 1 unless it is known to be of another service. */
int	 intent_isof(const struct intent *, const char *);
/* Write it: durable after an fsync of the directory, one for many of them.
 * 0, or -1 with errno. */
int	 intent_replace(int, const char *, const struct intent *);
/* At start: remove the temporary names that a killed daemon left. */
void	 intent_sweep(int);
/* Forget it, durably.  0, or -1 with errno. */
int	 intent_remove(int, const char *);

#endif
