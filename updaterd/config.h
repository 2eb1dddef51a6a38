/*
 * The configuration: what parse.y makes of /etc/updaterd.conf, what
 * printconf.c prints back, what the parent works from.  Only the parent
 * reads it; children are told what they need over imsg.
 */
#ifndef UPD_CONFIG_H
#define UPD_CONFIG_H

#include <sys/types.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <stdint.h>
#include <stdio.h>

#include "proto.h"
#include "value.h"

#define CONF_PATH	"/etc/updaterd.conf"
#define CONF_CONTROL	"/run/updaterd.sock"
#define CONF_STATE	"/var/lib/updaterd"
#define CONF_CHROOT	"/var/empty"
#define CONF_RUN	"/run/updaterd"
#define CONF_PORT	8766

/* Defaults; units as in the structs below. */
#define DEF_CONNECTIONS	64
#define DEF_PER_ADDRESS	16
#define DEF_HEADER	(16 * 1024)
#define DEF_BODY	(2ULL << 30)
#define DEF_IDLE	30
#define DEF_RATE	1024
#define DEF_PUSH	3600
#define DEF_KEEP	3
#define DEF_UNPACKED	(4ULL << 30)
#define DEF_FILES	200000
#define DEF_RESERVE	5
#define DEF_INSTALL_MS	(300 * 1000)
#define DEF_SELF_MS	(60 * 1000)
#define DEF_WITHIN_MS	(10 * 1000)
#define DEF_TIMEOUT_MS	(3 * 1000)
#define DEF_STOP_MS	(10 * 1000)
#define DEF_BACKOFF_MS	1000
#define DEF_BACKMAX_MS	(60 * 1000)
#define DEF_LOG_SIZE	(1024 * 1024)
#define DEF_LOG_KEEP	4
#define PERMANENT_MAX	16
#define S6LOG_SIZE_MIN	4096		/* bytes, of s6-log(8) */
#define S6LOG_SIZE_MAX	268435455

/*
 * A line number as kept below: the line, and above it the number of the
 * file when it was included (0: the main one).  0 in all: not given.
 */
#define CONF_LINE_BITS	24
#define CONF_LINE(pos)	((pos) & ((1 << CONF_LINE_BITS) - 1))
#define CONF_FILE(pos)	((pos) >> CONF_LINE_BITS)

/* A list of strings, NULL-terminated: v[n] == NULL. */
struct args {
	char	**v;
	size_t	  n;
};

struct listen_conf {
	TAILQ_ENTRY(listen_conf) entry;
	char			*host;		/* as written, "*" any */
	uint16_t		 port;
	struct sockaddr_storage	 ss;
	socklen_t		 sslen;
	int			 line;
};
TAILQ_HEAD(listen_confs, listen_conf);

struct permit_conf {
	TAILQ_ENTRY(permit_conf) entry;
	enum upd_role		 role;
	enum permit_kind	 kind;
	char			*value;
};
TAILQ_HEAD(permit_confs, permit_conf);

struct tls_conf {
	char	*ca;
	char	*crl;			/* or NULL */
	char	*cert;
	char	*key;
};

struct health_conf {
	enum health_kind kind;
	char		*host;		/* numeric address */
	uint16_t	 port;
	char		*path;
	uint32_t	 status;	/* HTTP status wanted, default 200 */
	char		*name;		/* certificate name, NULL: host */
	char		*ca;
	char		*cert;		/* or NULL: no client certificate */
	char		*key;
	struct args	 command;	/* exec */
	uint32_t	 within_ms;
	uint32_t	 timeout_ms;
};

enum supervisor {
	SUPERVISE_NATIVE,
	SUPERVISE_S6,
	SUPERVISE_SYSTEMD,
	SUPERVISE_RCCTL
};

struct rlimit_conf {
	int		 resource;	/* RLIMIT_ */
	uint64_t	 value;		/* soft and hard */
};
#define RLIMITS_MAX	16

struct service_conf {
	TAILQ_ENTRY(service_conf) entry;
	char		*name;
	char		*user;		/* NULL: root */
	char		*group;		/* NULL: the user's */
	struct args	 groups;	/* n == 0: the user's */
	char		*directory;	/* working directory, NULL: current/ */
	int		 optional;
	struct args	 command;
	struct args	 environment;	/* "NAME=value" */
	struct health_conf health;
	int		 stop_signal;	/* default SIGTERM */
	uint32_t	 stop_ms;	/* grace before KILL */
	uint32_t	 backoff_ms;	/* first delay */
	uint32_t	 backmax_ms;
	int		 permanent[PERMANENT_MAX];	/* exit codes */
	int		 npermanent;
	struct rlimit_conf rlimits[RLIMITS_MAX];
	int		 nrlimits;
	mode_t		 umask;		/* default 022 */
	char		*log;		/* NULL: kept in memory only */
	uint64_t	 log_size;	/* bytes before rotation */
	uint32_t	 log_keep;	/* old files */
	int		 line;
	int		 damaged;	/* a line in it was not understood */
	int		 lines[KEY__MAX];	/* where each was set */

	/* parsed and printed; refused by config_check() until built */
	char		*home;
	char		*profiles;
	char		*marker;
	struct args	 runtime_files;
	char		*reconcile_log;
	enum supervisor	 supervisor;	/* s6 is built */
	char		*scandir;	/* s6 */
	char		*scan_owner;	/* s6 */
	int		 scan_mount;	/* s6: mount the tmpfs ourselves */
	struct args	 scan_static;	/* s6 */
	char		*unit;		/* systemd, rcctl */
	int		 units_install;	/* systemd */
	char		*enabled_env;
};
TAILQ_HEAD(service_confs, service_conf);

struct agent_conf {
	TAILQ_ENTRY(agent_conf) entry;
	char		*name;
	char		*root;
	struct args	 install;	/* n == 0: none */
	char		*install_user;	/* NULL: the unpack user */
	uint32_t	 install_ms;
	uint32_t	 keep;
	uint64_t	 unpacked;	/* bytes */
	uint32_t	 files;		/* entries */
	uint32_t	 reserve;	/* percent of blocks and inodes */
	int		 downgrade;	/* an older signature is taken, too */
	struct service_confs services;
	int		 line;
	int		 damaged;	/* a line in it was not understood */
	int		 lines[KEY__MAX];	/* where each was set */
	uint32_t	 probation_ms;	/* 0: none */
	int		 verify_start;	/* compare before it is started */
};
TAILQ_HEAD(agent_confs, agent_conf);

struct config {
	char			*path;
	char			*user;
	char			*unpack_user;
	char			*chroot;
	char			*control;
	char			*control_group;	/* NULL: root only */
	char			*state;
	int			 shutdown_keep;	/* services outlive us */
	struct listen_confs	 listeners;
	struct tls_conf		 tls;
	uint32_t		 connections;
	uint32_t		 per_address;
	uint32_t		 header;	/* bytes */
	uint64_t		 body;		/* bytes */
	uint32_t		 idle;		/* seconds */
	uint64_t		 rate;		/* bytes/s */
	uint32_t		 push;		/* seconds */
	struct permit_confs	 permits;
	struct agent_confs	 agents;
	int			 damaged;	/* a line was not understood */
	int			 lines[KEY__MAX];	/* where each was set */

	struct args		 release_keys;	/* paths */
	int			 release_lines[RELEASE_KEYS_MAX];
	/* What was in them when the configuration was read (keyfile.c). */
	struct msg_inflate_key	 keys[RELEASE_KEYS_MAX];
	char			*self_root;	/* NULL: no self-update */
	uint32_t		 self_within_ms;	/* to prove itself */
};

/*
 * parse.y.  Read and check a file; errors go to standard error or the log
 * as "file:line: message", all of them.  A config the caller frees with
 * config_free(), or NULL.
 */
struct config	*config_parse(const char *);
/*
 * parse.y.  The same for where things are (state, self) when the file may
 * be newer than the program: with errors, too, and none is told.  Never
 * NULL; not to be worked from.
 */
struct config	*config_skim(const char *);
/* setting.c: where its errors go, a line each without its newline; NULL
 * (the default): standard error. */
void		 config_onerror(void (*)(const char *));
/* -D macro=value; call before config_parse().  0, or -1: not such a form. */
int		 config_define(char *);

/* config.c: constructors with the defaults filled in, never NULL. */
struct config	*config_new(void);
struct agent_conf *agent_conf_new(const char *);
struct service_conf *service_conf_new(const char *);
void		 config_free(struct config *);
/* check.c: what the grammar cannot see: missing parts, duplicates, features
 * not built.  Calls the function with a line (0: none) and a message for each
 * error; returns how many. */
int		 config_check(const struct config *,
		    void (*)(int, const char *, ...)
		    __attribute__((format(printf, 2, 3))));
/* keyfile.c: read the release keys' files; told and counted likewise. */
int		 config_readkeys(struct config *,
		    void (*)(int, const char *, ...)
		    __attribute__((format(printf, 2, 3))));
/* Append a copy of the string.  Never fails (fatal when out of memory). */
void		 args_add(struct args *, const char *);
void		 args_free(struct args *);
struct agent_conf *config_agent(const struct config *, const char *);

/* printconf.c: print it in a form that parses to the same. */
void		 config_print(const struct config *, FILE *);

#endif
