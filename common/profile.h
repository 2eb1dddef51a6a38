/*
 * What the parent and profile say to each other: profile is a short-lived
 * process with the uid of a service's user that looks at, sweeps and writes
 * what lies below that user's directories, so that root does not have to.
 * Only checked names and known words come back.
 *
 *	parent: START, RUNTIME ..., GO
 *	profile: READY; with PROFILE_SCAN: FOUND ..., WATCH ..., SCANNED
 *	parent: SWEEP ..., SYNC; profile: SYNCED; as often as needed
 *	parent: STATE ..., LOG ..., FINISH
 *	profile: DONE, and exits 0
 */
#ifndef UPD_PROFILE_H
#define UPD_PROFILE_H

#include "proto.h"

#define PROFILE_MAX		4096	/* profiles of one service */
#define PROFILE_FILE_SIZE	256	/* NAME_MAX and the NUL */
#define PROFILE_LINE_SIZE	1024	/* of the reconcile log, no newline */
#define PROFILE_RUNTIME_MAX	64	/* runtime files of a service */
#define PROFILE_GROUPS_MAX	256	/* further groups; more are left out */
#define PROFILE_LOG_MAX		262144	/* bytes, then it becomes .1 */
#define PROFILE_DEFAULT		"default"	/* its directory is home */

#define PROFILE_SCAN		0x01	/* look at all */
#define PROFILE_DRY		0x02	/* change nothing */
#define PROFILE_WATCH		0x04	/* and wait for changes */

struct msg_profile_start {
	uint32_t	flags;			/* PROFILE_ */
	uint32_t	ngroups;
	uint32_t	groups[PROFILE_GROUPS_MAX];	/* the service's, too */
	char		service[UPD_NAME_SIZE];
	char		home[UPD_PATH_SIZE];	/* absolute; "" none */
	char		profiles[UPD_PATH_SIZE];	/* likewise */
	char		marker[PROFILE_FILE_SIZE];
	char		log[UPD_PATH_SIZE];	/* reconcile log; "" none */
};

/* A name of one component: a runtime file (RUNTIME), a profile (SWEEP). */
struct msg_profile_name {
	char		name[PROFILE_FILE_SIZE];
};

enum profile_skip {
	SKIP_NONE,			/* it is one */
	SKIP_RESERVED,			/* called "default" */
	SKIP_NAME,
	SKIP_LONG,			/* with the service's name */
	SKIP_SYMLINK,
	SKIP_MARKER,			/* its marker is no file */
	SKIP_UNREADABLE,
	SKIP__MAX
};

/* What a state file says; the words are those of the file. */
enum profile_state {
	PSTATE_NONE,			/* there is no file, or no state */
	PSTATE_UNREADABLE,		/* not to be believed */
	PSTATE_INVALID,			/* another word */
	PSTATE_STOPPED,
	PSTATE_STARTING,
	PSTATE_RUNNING,
	PSTATE_DRAINING,
	PSTATE_DEGRADED,
	PSTATE_STARTUP_FAILED,
	PSTATE__MAX
};
const char	*profile_statename(enum profile_state);
/* By its word; PSTATE_INVALID: another. */
enum profile_state profile_stateof(const char *);

enum profile_desired {
	PDESIRED_NONE,			/* the file does not say */
	PDESIRED_STOPPED,
	PDESIRED_RUNNING,
	PDESIRED__MAX
};

/* One profile, the default one first, then in byte order of their names. */
struct msg_profile_found {
	uint32_t	skip;			/* enum profile_skip */
	uint32_t	state;			/* enum profile_state */
	uint32_t	desired;		/* enum profile_desired */
	uint32_t	stale;			/* runtime files there */
	int64_t		stamp;			/* wall us in it, 0 none */
	int32_t		error;			/* errno: what it says cannot
						 * be told now; 0 */
	uint32_t	pad;
	char		name[PROFILE_FILE_SIZE];
};

struct msg_profile_scanned {
	int32_t		dir_errno;		/* of DIR; 0: all of it seen */
	uint32_t	many;			/* 1: not all was looked at */
};

struct msg_profile_state {
	uint32_t	state;			/* enum profile_state */
	uint32_t	desired;		/* enum profile_desired */
	int64_t		stamp;			/* wall us */
	char		name[PROFILE_FILE_SIZE];
};

struct msg_profile_log {
	char		line[PROFILE_LINE_SIZE];
};

struct msg_profile_done {
	uint32_t	errors;			/* how much failed */
	uint32_t	pad;
	char		text[UPD_TEXT_SIZE];	/* the first one */
};

/* 1 if it may be a profile's name, as the part of an instance's name:
 * [a-z0-9][a-z0-9_-]*, not "default". */
int		 profile_isvalid(const char *);
/* 1 if it may name a file of a directory: one component, printable. */
int		 profile_isfile(const char *);
/* service-profile; 0, or -1: longer than UPD_INSTANCE_SIZE. */
int		 profile_instance(const char *, const char *, char *, size_t);

#endif
