/*
 * A program of updaterd that another one has become, or that the chain has
 * chosen.
 *
 * On trial it must answer its own /health, over TLS, with the updater's own
 * certificate: net, probe, parent and configuration all take part.  Only
 * the new net may answer: the ghost has the old one closed before.  Then it
 * is good: <id>.json, history, state, and a word to the ghost.  Else it
 * goes back itself, in this very process, which keeps sockets and services;
 * also when it is about to exit for whatever reason.  What it cannot notice
 * itself, the ghost does.
 *
 * One that is not on trial is good as soon as it serves; if something is
 * still on trial then, the way back from it was cut off, and is finished.
 */
#include <sys/types.h>
#include <sys/socket.h>
#include <netinet/in.h>
#include <netdb.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "journal.h"
#include "log.h"
#include "parent.h"
#include "self.h"
#include "timer.h"
#include "util.h"

#define PROBE_ID	0xffffff00U	/* and above: ours */
#define ASK_TIMEOUT_MS	2000	/* for one attempt */
#define AGAIN_MS	200	/* the probe process is not there yet */
#define SETTLE_MS	1000	/* before what failed on disk is tried again */

static struct {
	uint32_t	 id;		/* of the check that goes on; 0 none */
	uint64_t	 until;		/* monotonic ms, of asking */
	struct event	 again;
	void		(*done)(const char *);
} asking;

static struct event	 ear, late;
static pid_t		 owner;		/* who goes back at its exit */

/* --- asking ------------------------------------------------------------- */

static void	 ask_again(int, short, void *);

static void
answered(const char *why)
{
	void	(*done)(const char *) = asking.done;

	asking.id = 0;
	asking.done = NULL;
	if (done != NULL)
		done(why);
}

/* Where we listen, as seen from this host. */
static int
own_address(struct msg_probe_start *m)
{
	struct listen_conf	*lc = TAILQ_FIRST(&env->conf->listeners);
	struct sockaddr_storage	 ss = lc->ss;
	struct sockaddr_in	*sin = (struct sockaddr_in *)&ss;
	struct sockaddr_in6	*sin6 = (struct sockaddr_in6 *)&ss;

	if (ss.ss_family == AF_INET &&
	    sin->sin_addr.s_addr == htonl(INADDR_ANY))
		sin->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (ss.ss_family == AF_INET6 &&
	    IN6_IS_ADDR_UNSPECIFIED(&sin6->sin6_addr))
		sin6->sin6_addr = in6addr_loopback;
	m->port = lc->port;
	return getnameinfo((struct sockaddr *)&ss, lc->sslen, m->address,
	    sizeof(m->address), NULL, 0, NI_NUMERICHOST) == 0 ? 0 : -1;
}

static int
ask_now(char *text)
{
	static uint32_t		 n;
	struct msg_probe_start	 m;
	struct health_conf	 h;
	uint64_t		 now = time_mono_ms();

	memset(&m, 0, sizeof(m));
	memset(&h, 0, sizeof(h));
	if (now >= asking.until) {
		strlcpy(text, "the probe process does not answer",
		    UPD_TEXT_SIZE);
		return -1;
	}
	m.id = PROBE_ID + 1 + n++ % 0xfe;
	m.kind = h.kind = HEALTH_HTTPS;
	m.status = 200;
	m.within_ms = (uint32_t)(asking.until - now);
	m.timeout_ms = ASK_TIMEOUT_MS;
	m.anyname = 1;
	strlcpy(m.path, "/health", sizeof(m.path));
	if (own_address(&m) == -1) {
		strlcpy(text, "our own address has no text", UPD_TEXT_SIZE);
		return -1;
	}
	h.ca = env->conf->tls.ca;
	h.cert = env->conf->tls.cert;
	h.key = env->conf->tls.key;
	if (probe_start(&m, &h, text) == -1) {
		evtimer_set(&asking.again, ask_again, NULL);
		timer_in(&asking.again, AGAIN_MS);
		return 0;
	}
	asking.id = m.id;
	return 0;
}

static void
ask_again(int fd, short event, void *arg)
{
	char	 text[UPD_TEXT_SIZE];

	if (asking.done != NULL && ask_now(text) == -1)
		answered(text);
}

int
self_ask(uint32_t ms, void (*done)(const char *), char *text)
{
	if (TAILQ_EMPTY(&env->conf->listeners)) {
		done("");
		return 0;
	}
	if (asking.done != NULL) {
		strlcpy(text, "is being asked already", UPD_TEXT_SIZE);
		return -1;
	}
	asking.done = done;
	asking.until = time_mono_ms() + ms;
	if (ask_now(text) == 0)
		return 0;
	asking.done = NULL;
	return -1;
}

int
self_probe_result(const struct msg_probe_result *m)
{
	if (m->id <= PROBE_ID)
		return 0;
	if (m->id == asking.id && asking.id != 0)
		answered(m->healthy ? "" : m->text[0] != '\0' ? m->text :
		    "not healthy");
	return 1;
}

void
self_probe_lost(void)
{
	if (asking.id == 0)
		return;
	asking.id = 0;
	evtimer_set(&asking.again, ask_again, NULL);
	timer_in(&asking.again, AGAIN_MS);
}

/* --- the verdict --------------------------------------------------------- */

int
self_ontrial(void)
{
	return handover.trial;
}

static void
settle_again(int fd, short event, void *arg)
{
	self_settle("the way back was cut off");
}

/* Is what is on disk how it is?  0, or -1: to be tried again. */
static int
settle(struct agent *a, const char *why)
{
	static int		 unread;
	struct selfstate	 st;
	int			 r;

	r = selfstate_read(a->store->rootfd, &st);
	if (r == -1 && !unread) {
		unread = 1;		/* it may be damaged, or not */
		return -1;
	}
	if (r != 1 || (st.starts == 0 && st.to[0] == '\0'))
		return 0;
	if (st.to[0] != '\0' && strcmp(st.to, handover.id) != 0) {
		r = self_undo(a->conf->root, why);
		return store_load(a->store) == -1 ? -1 : r;
	}
	memset(&st, 0, sizeof(st));
	if (selfstate_write(a->store->rootfd, &st) == 0)
		return 0;
	log_warn("write %s/%s", a->conf->root, SELF_STATE);
	return -1;
}

void
self_settle(const char *why)
{
	static struct event	 again;
	struct agent		*a = env->self;

	/* What goes on now ends with the same. */
	if (a == NULL || a->store == NULL || self_busy() != NULL ||
	    settle(a, why) == 0)
		return;
	if (evtimer_initialized(&again))
		evtimer_del(&again);
	evtimer_set(&again, settle_again, NULL);
	timer_in(&again, SETTLE_MS);
}

static int
record_good(struct agent *a, const struct selfstate *st)
{
	const struct release	*r = store_find(a->store, st->to);
	char			 now[40];
	json_t			*o;

	if (release_setstate(a->store, st->to, RELEASE_GOOD, "") == -1)
		return -1;
	time_iso(time_real_us(), now, sizeof(now));
	o = json_pack("{s:s, s:s, s:s, s:i, s:s*, s:s*, s:s, s:s, s:I}",
	    "time", now,
	    "event", st->is_rollback ? "self_rollback" : "self_update",
	    "result", st->is_rollback ? "rolled_back" : "updated",
	    "status", 200, "from", st->from[0] ? st->from : NULL,
	    "signer", r != NULL && r->signer[0] ? r->signer : NULL,
	    "to", st->to, "by", st->by, "ms",
	    (json_int_t)((time_real_us() - st->since) / 1000));
	if (o == NULL || history_append(a->store, o) == -1)
		log_warnx("write history of %s", a->conf->root);
	return 0;
}

static void
verdict(const char *why)
{
	struct selfstate	 st;
	struct agent		*a = env->self;
	char			 text[UPD_TEXT_SIZE];

	if (!handover.trial)
		return;			/* stopped meanwhile */
	if (why[0] != '\0') {
		snprintf(text, sizeof(text), "it does not answer its own "
		    "/health: %.400s", why);
		self_back(text);
		return;
	}
	if (a == NULL || a->store == NULL ||
	    selfstate_read(a->store->rootfd, &st) != 1 ||
	    strcmp(st.to, handover.id) != 0) {
		self_back("its state was lost");
		return;
	}
	/* Nobody may be told what is not on disk. */
	if (record_good(a, &st) == -1) {
		snprintf(text, sizeof(text), "it is good, but that cannot be "
		    "recorded: %s", strerror(errno));
		self_back(text);
	}
	handover.trial = 0;
	evtimer_del(&late);
	log_notice("updaterd %s is good: it answers its own /health",
	    handover.id);
	self_settle("");
	ghost_tell(GHOST_GOOD);
	sdnotify("READY=1");
	control_event("self", json_pack("{s:s, s:s}", "result", "updated",
	    "to", handover.id));
	parent_idle();
}

static void
begin_asking(void)
{
	char	 text[UPD_TEXT_SIZE];

	if (handover.trial && self_ask(env->conf->self_within_ms / 2, verdict,
	    text) == -1)
		verdict(text);
}

/* The old net accepts no more, or it takes too long. */
static void
drained(int fd, short event, void *arg)
{
	char	 c;

	if (event & EV_TIMEOUT)
		self_back("the old net did not let go of its sockets");
	if (read(fd, &c, 1) == -1)
		log_warn("hear the watch");
	begin_asking();
}

static void
too_late(int fd, short event, void *arg)
{
	self_back("it did not prove itself in time");
}

void
self_serving(void)
{
	struct timeval	 tv;
	uint32_t	 ms = env->conf->self_within_ms;

	if (!handover.trial) {
		self_settle("the way back was cut off");
		ghost_tell(GHOST_GOOD);
		sdnotify("READY=1");
		return;
	}
	ghost_tell(GHOST_SERVING);
	evtimer_set(&late, too_late, NULL);
	timer_in(&late, ms / 4 * 3);
	if (handover.watch == -1) {
		begin_asking();
		return;
	}
	tv.tv_sec = ms / 2 / 1000;
	tv.tv_usec = ms / 2 % 1000 * 1000;
	event_set(&ear, handover.watch, EV_READ, drained, NULL);
	event_add(&ear, &tv);
}

/* An orderly stop is no verdict: the next start tries it again. */
void
self_stopping(void)
{
	struct selfstate	 st;
	int			 fd;

	/* By its path: the root is opened as an agent's only later. */
	if (handover.trial && (fd = open(handover.root, O_RDONLY |
	    O_DIRECTORY | O_CLOEXEC)) != -1) {
		if (selfstate_read(fd, &st) == 1) {
			st.starts = 0;
			(void)selfstate_write(fd, &st);
		}
		close(fd);
	}
	handover.trial = 0;
	ghost_tell(GHOST_QUIT);
}

/* --- an end before the verdict -------------------------------------------- */

static void
at_exit(void)
{
	/* Not in a child that was forked of us. */
	if (handover.trial && getpid() == owner)
		self_back("it gave up while it started, see its log");
}

void
self_guard(void)
{
	owner = getpid();
	if (handover.trial && atexit(at_exit) != 0)
		log_warnx("guard the start: out of memory");
}
