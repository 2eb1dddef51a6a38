/*
 * One question to many hosts, and their answers side by side.
 */
#ifndef UPD_MASTER_QUERY_H
#define UPD_MASTER_QUERY_H

#include "choose.h"
#include "client.h"
#include "master.h"
#include "text.h"

struct query;
struct asked {				/* one host */
	struct query	*q;
	struct host	 host;		/* a copy; strings are the master's */
	struct request	 req;
	int		 open;		/* under way */
	char		*last;		/* watch: its line */
};

struct query {
	struct master	*master;
	struct client	*client;
	struct choice	 choice;
	const char	*agent;		/* or NULL */
	const char	*to;		/* rollback: a release's id, or NULL */
	const char	*inventory;
	uint32_t	 port;		/* 0: that of the host */
	uint32_t	 parallel;
	uint32_t	 every;		/* watch: seconds */
	uint32_t	 rounds;	/* watch: 0 for ever */
	int		 json;
	struct asked	*asked;
	size_t		 n;
	size_t		 next;		/* not begun yet */
	size_t		 inflight;
	const char	*method;
	const char	*path;
	uint32_t	 timeout;	/* seconds, 0 none */
	uint32_t	 retries;
	void		(*all)(struct query *);	/* every host has ended */
};

/* Options, hosts and connections; `keep` leaves these open.  With
 * `everyone`, no host named means all.  An exit code. */
int		 query_open(struct query *, struct master *, const char *, int,
		    char **, int keep, int everyone);
void		 query_close(struct query *);
/* Ask everybody; q->all() is called from the loop. */
void		 query_ask(struct query *);
/* What a host answered is good: 200 with JSON. */
int		 asked_isgood(const struct asked *);
/* Why it is not good, on one line: the text, and its size. */
void		 asked_why(const struct asked *, char *, size_t);
/* Its sha, or else its id. */
const char	*release_name(const json_t *);
/* Cells of a line of status: state, release, services, detail; in that
 * order, each of UPD_TEXT_SIZE.  1 if all is well. */
#define STATUS_CELLS	4
int		 asked_status(const struct asked *,
		    char [STATUS_CELLS][UPD_TEXT_SIZE]);

#endif
