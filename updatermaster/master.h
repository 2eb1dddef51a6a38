/*
 * updatermaster: what its files share.  One program, no daemon: it reads
 * its directory (DESIGN 8), does one command, and ends.
 *
 *	updatermaster.c		main, the table of commands
 *	hosts.c			hosts.conf: who there is, groups, fingerprints
 *	ca.c, crl.c, pem.c	CA, certificates, CRL
 *	keypair.c		a release key pair, as signify makes it
 *	enroll.c		init, enroll, renew, revoke
 *	bundle.c		what a host is given to begin with
 *	listing.c		hosts
 *	pack.c			a tree into a tarball, reproducibly; pack
 *	stays.c			what of it must not leave
 *	secrets.c, ignore.c	... by name, by content, by patterns
 *	gitsha.c		the commit of a tree, without git
 *	inventory.c		hosts from ansible-inventory --list
 *	choose.c		--host, --group, --all
 *	client.c, transfer.c	requests to many hosts: libcurl, libevent
 *	push.c			push: what is sent to whom
 *	rollout.c		canary, batches, limits, resume
 *	deliver.c		one host of a rollout
 *	record.c		a rollout's record on disk
 *	show.c			what a person sees while it goes on
 *	report.c		--report FILE.html
 *	query.c, watch.c	status, releases, rollback, confirm; watch
 */
#ifndef UPD_MASTER_H
#define UPD_MASTER_H

#include <sys/types.h>
#include <sys/queue.h>
#include <stdint.h>
#include <stdio.h>

#include "proto.h"

#define MASTER_PORT	8766

/* Exit codes of every command. */
#define EXIT_DONE	0
#define EXIT_FAILED	1		/* also: a host is not known */
#define EXIT_USAGE	2

struct host {
	TAILQ_ENTRY(host) entry;
	char	*name;			/* as in the certificate */
	char	*address;		/* name or address to connect to */
	uint16_t port;
	char	*fingerprint;		/* "SHA256:<hex>" of updater.crt, or
					 * NULL: nothing is sent to it */
	char	*serial;		/* hex, of updater.crt */
	char	*worker;		/* serial of worker.crt, or NULL */
	char	*san;			/* more names for updater.crt, with
					 * commas between, or NULL */
	char	**groups;		/* NULL-terminated */
	int64_t	 expires;		/* of updater.crt, seconds */
	int	 revoked;
	int	 dirty;			/* hosts_save() writes its line */
	/* of the last push, for `hosts` */
	char	*last_result;		/* "updated", "failed" .. or NULL */
	char	*last_sha;
	int64_t	 last_at;		/* seconds */
	int	 noted;			/* the last_ are to be saved */
};
TAILQ_HEAD(hosts, host);

struct master {
	char		*dir;		/* ~/.updater or -d */
	int		 dirfd;
	struct hosts	 hosts;
};

/*
 * Open the directory: 0700, ours.  With `need` what is missing is an error
 * that names `updatermaster init`.  0, or -1 (said on stderr).
 */
int	 master_open(struct master *, const char *, int need);
void	 master_close(struct master *);
/* A path below the directory; malloced. */
char	*master_path(const struct master *, const char *);
/* Print how the command of that name is used; EXIT_USAGE. */
int	 master_usage(const char *);

/*
 * hosts.c: read and durably rewrite hosts.conf.  0, or -1 (said).
 * hosts_load() forgets what was there before; main has called it before a
 * command runs.  hosts_save() writes the hosts marked dirty (as new ones
 * are) into the file as it is by then; all other lines stay.
 */
int	 hosts_load(struct master *);
int	 hosts_save(struct master *);
void	 hosts_free(struct master *);
struct host *hosts_find(struct master *, const char *);
struct host *hosts_add(struct master *, const char *);	/* never NULL */
int	 host_ingroup(const struct host *, const char *);
/* Put it into a group, once. */
void	 host_group(struct host *, const char *);
/* Set address and port from ADDRESS[:PORT], [V6]:PORT or V6.  0, or -1. */
int	 host_address(struct host *, const char *);
/* Is the name fit for a host, and for a certificate?  NULL, or why not. */
const char *host_badname(const char *);
/* Nobody else rewrites our files until the descriptor is closed.  It, or -1
 * (said). */
int	 hosts_lock(const struct master *);

/* results.c: hosts_load() has called results_load(). */
int	 results_load(struct master *);
/* Note the outcome of a push: result, sha, seconds. */
void	 result_note(struct host *, const char *, const char *, int64_t);
/* Save what was noted, all at once.  0, or -1 (said). */
int	 results_save(struct master *);
/* outcome.c: note what the last rollout's record says, where that is newer;
 * it may have been killed. */
void	 outcomes_last(struct master *);

/* pack.c */
struct pack_opts {
	const char	*root;
	char		**include;	/* globs to a NULL, or NULL */
	char		**exclude;
	/* Told of everything that is left out: path, why.  May be NULL. */
	void		(*left)(void *, const char *, const char *);
	void		*arg;
};
struct packed {
	int		 fd;		/* unlinked temporary file, at 0 */
	uint64_t	 size;		/* bytes */
	uint64_t	 files;
	char		 sha256[UPD_HEX_SIZE];
};
/* Pack the tree as a .tar.gz, the same bytes for the same tree.  0, or -1
 * with text: what could not be read, or why it is refused. */
int	 pack_tree(const struct pack_opts *, struct packed *, char *);
/* The same from a ready file. */
int	 pack_file(const char *, struct packed *, char *);
/* The commit checked out in root or above it; "" if there is none. */
void	 git_sha(const char *, char *, size_t);

/* inventory.c: more hosts' addresses and groups from the JSON that
 * `ansible-inventory --list` prints ("-" stdin); fingerprints stay those of
 * hosts.conf.  0, or -1 (said). */
int	 inventory_load(struct master *, const char *);

/* The commands: argc and argv from the command's own name on. */
int	 cmd_init(struct master *, int, char **);
int	 cmd_enroll(struct master *, int, char **);
int	 cmd_renew(struct master *, int, char **);
int	 cmd_revoke(struct master *, int, char **);
int	 cmd_hosts(struct master *, int, char **);
int	 cmd_pack(struct master *, int, char **);
int	 cmd_sign(struct master *, int, char **);
int	 cmd_push(struct master *, int, char **);
int	 cmd_status(struct master *, int, char **);
int	 cmd_releases(struct master *, int, char **);
int	 cmd_rollback(struct master *, int, char **);
int	 cmd_confirm(struct master *, int, char **);
int	 cmd_watch(struct master *, int, char **);

#endif
