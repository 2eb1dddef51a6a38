/*
 * One place that collects the exits of our children.
 *
 * Invariants: nobody else calls wait(2).  The handler runs in the event
 * loop, never in the signal's context, so a child that is registered
 * before its parent returns to the loop is never missed, however fast it
 * dies.  We are subreaper: orphans of services come here, too, unknown,
 * and are collected without a word.
 */
#include <sys/types.h>
#include <sys/queue.h>
#include <sys/wait.h>

#include <errno.h>
#include <event.h>
#include <signal.h>
#include <stdlib.h>

#include "log.h"
#include "osproc.h"
#include "reap.h"

#define BUCKETS	64

struct child {
	LIST_ENTRY(child)	 entry;
	pid_t			 pid;
	void			(*fn)(void *, pid_t, int);
	void			*arg;
};
LIST_HEAD(children, child);

static struct children	 table[BUCKETS];
static struct event	 ev_chld;

static struct child *
find(pid_t pid)
{
	struct child	*c;

	LIST_FOREACH(c, &table[(unsigned int)pid % BUCKETS], entry)
		if (c->pid == pid)
			return c;
	return NULL;
}

static void
collect(int sig, short event, void *arg)
{
	struct child	*c;
	pid_t		 pid;
	int		 status;

	for (;;) {
		pid = waitpid(-1, &status, WNOHANG);
		if (pid == -1 && errno == EINTR)
			continue;
		if (pid <= 0)
			return;
		if ((c = find(pid)) == NULL)
			continue;
		/* Off the list first: fn may start and register another
		 * child, which may get this very pid. */
		LIST_REMOVE(c, entry);
		c->fn(c->arg, pid, status);
		free(c);
	}
}

void
reap_init(void)
{
	int	 i;

	for (i = 0; i < BUCKETS; i++)
		LIST_INIT(&table[i]);
	signal_set(&ev_chld, SIGCHLD, collect, NULL);
	if (signal_add(&ev_chld, NULL) == -1)
		fatal("cannot catch SIGCHLD");
	if (osproc_subreaper() == -1 && errno != ENOSYS)
		log_warn("cannot become subreaper");
	/* What the program that we were has started may have ended when
	 * nobody listened. */
	collect(SIGCHLD, EV_SIGNAL, NULL);
}

int
reap_add(pid_t pid, void (*fn)(void *, pid_t, int), void *arg)
{
	struct child	*c;

	if ((c = malloc(sizeof(*c))) == NULL)
		return -1;
	c->pid = pid;
	c->fn = fn;
	c->arg = arg;
	LIST_INSERT_HEAD(&table[(unsigned int)pid % BUCKETS], c, entry);
	return 0;
}

void
reap_del(pid_t pid)
{
	struct child	*c;

	if ((c = find(pid)) == NULL)
		return;
	LIST_REMOVE(c, entry);
	free(c);
}

int
reap_ischild(pid_t pid)
{
	siginfo_t	 info;

	return pid > 1 && waitid(P_PID, (id_t)pid, &info,
	    WEXITED | WNOHANG | WNOWAIT) == 0;
}
