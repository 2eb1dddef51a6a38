/*
 * net and probe: started, told their configuration, started again with a
 * growing delay when they are lost.  What they send is checked by one table
 * before anything here looks at it.
 *
 * net keeps no state worth keeping: after a restart it gets the current
 * configuration and the same listening sockets.  Its requests die with it;
 * an upload in flight fails, later stages of an update go on.
 */
#include <sys/types.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "children.h"
#include "error.h"
#include "expiry.h"
#include "imsgev.h"
#include "log.h"
#include "netcount.h"
#include "parent.h"
#include "patience.h"
#include "proto.h"
#include "reap.h"
#include "self.h"
#include "timer.h"
#include "update.h"
#include "utf8.h"
#include "util.h"

#ifdef SANDBOX_TEST
#define DELAY_MIN_MS	2		/* a test loses thousands of them */
#define DELAY_MAX_MS	20
#else
#define DELAY_MIN_MS	100		/* before a lost child comes back */
#define DELAY_MAX_MS	10000
#endif
#define START_TRIES	3		/* of net, before we do not start */
#define STEADY_MS	60000		/* a child that lived so long is fine */
#define CONF_MS		PATIENCE(30000)	/* for net to answer a configuration */
#define QUEUE_MAX	256		/* answers one may leave unread before
					 * it is read no more */

enum net_state {
	NET_WAITING = 0x1,		/* a configuration is on its way */
	NET_SERVING = 0x2,
	NET_DRAINING = 0x4		/* the ghost's: told to end */
};

static struct child	 net = { .type = PROC_NET };
static struct child	 probe = { .type = PROC_PROBE };
static enum net_state	 net_state = NET_SERVING;
static struct event	 conf_timer;
static void		(*conf_done)(const char *);
static void		(*ghost_drained)(void);
static void		(*ghost_gone)(void);
static const struct config *conf_sent;	/* being tried; else env->conf */
static int	 lost_early;		/* nets before one ever answered */

static int	 child_start(struct child *);
static int	 got_ready(void *, struct imsg *);
static int	 got_conf_ok(void *, struct imsg *);
static int	 got_conf_bad(void *, struct imsg *);
static int	 got_cert(void *, struct imsg *);
static int	 got_count(void *, struct imsg *);
static int	 got_drained(void *, struct imsg *);

static const struct imsg_rule rules[] = {
	{ IMSG_READY, PROC_NET, sizeof(struct msg_ready), 0, 0,
	    ANY_STATE, got_ready },
	{ IMSG_READY, PROC_PROBE, sizeof(struct msg_ready), 0, 0,
	    ANY_STATE, got_ready },
	{ IMSG_NET_OK, PROC_NET, 0, 0, 0, NET_WAITING, got_conf_ok },
	{ IMSG_NET_BAD, PROC_NET, sizeof(struct msg_text), 0, 0,
	    NET_WAITING, got_conf_bad },
	{ IMSG_NET_CERT, PROC_NET, sizeof(struct msg_net_cert), 0, 0,
	    NET_WAITING, got_cert },
	{ IMSG_NET_COUNT, PROC_NET, sizeof(struct msg_net_count), 0, 0,
	    ANY_STATE, got_count },
	{ IMSG_NET_DRAINED, PROC_NET, 0, 0, 0, NET_DRAINING, got_drained },
	{ IMSG_REQUEST, PROC_NET, sizeof(struct msg_request), 0, 0,
	    ANY_STATE, heard_request },
	{ IMSG_CANCEL, PROC_NET, sizeof(struct msg_id), 0, 0,
	    ANY_STATE, heard_cancel },
	{ IMSG_UPDATE_OPEN, PROC_NET, sizeof(struct msg_update_open), 0, 0,
	    ANY_STATE, heard_open },
	{ IMSG_UPDATE_DONE, PROC_NET, sizeof(struct msg_update_done), 0, 0,
	    ANY_STATE, heard_done },
	{ IMSG_UPDATE_ABORT, PROC_NET, sizeof(struct msg_update_abort), 0, 0,
	    ANY_STATE, heard_abort },
	{ IMSG_PROBE_RESULT, PROC_PROBE, sizeof(struct msg_probe_result), 0,
	    0, ANY_STATE, heard_probe },
	{ IMSG_PROBE_CERT, PROC_PROBE, sizeof(struct msg_probe_cert), 0, 0,
	    ANY_STATE, heard_cert }
};

/* --- configuration of net ------------------------------------------- */

/* A net that neither takes nor refuses one would keep every reload, and
 * the start of the services, waiting. */
static void
conf_timeout(int fd, short ev, void *arg)
{
	log_warnx("kill net: no answer to its configuration within %d s",
	    CONF_MS / 1000);
	proc_kill(&net.proc);
}

static void
conf_wait(void)
{
	if (evtimer_initialized(&conf_timer))
		evtimer_del(&conf_timer);
	evtimer_set(&conf_timer, conf_timeout, NULL);
	timer_in(&conf_timer, CONF_MS);
}

static int
send_conf(const struct config *c, const int *fd, char *text)
{
	if (netconf_send(&net.proc.iev, c, fd) == -1) {
		strlcpy(text, "cannot talk to net", UPD_TEXT_SIZE);
		return -1;
	}
	net_state = NET_WAITING;
	conf_wait();
	return 0;
}

/*
 * Try a configuration (its listening sockets are prepared); done("") once
 * net uses it, or with the reason why it does not.
 */
int
children_configure(const struct config *c, void (*done)(const char *),
    char *text)
{
	int	 fd[NETFILE__MAX];

	if (TAILQ_EMPTY(&c->listeners) && !net.running) {
		done("");
		return 0;
	}
	if (!net.running && child_start(&net) == -1 && c != env->conf) {
		strlcpy(text, "cannot start net", UPD_TEXT_SIZE);
		return -1;
	}
	if (net.running && netconf_open(c, fd, text) == -1)
		return -1;
	conf_done = done;
	conf_sent = c;
	if (!net.running)
		return 0;	/* at the start: child_again() */
	if (send_conf(c, fd, text) == -1) {
		/* net holds half a stream: only a new one is sound. */
		conf_done = NULL;
		conf_sent = NULL;
		proc_kill(&net.proc);
		return -1;
	}
	return 0;
}

static void
conf_answer(const char *text)
{
	void	(*done)(const char *) = conf_done;

	if (evtimer_initialized(&conf_timer))
		evtimer_del(&conf_timer);
	conf_done = NULL;
	conf_sent = NULL;
	if (done != NULL)
		done(text);
}

/* --- messages ------------------------------------------------------- */

static int
got_ready(void *arg, struct imsg *imsg)
{
	struct child	*c = arg;
	struct procinfo	*info = &env->proc[c->type];

	/* Once, before it has met anybody: later words on its sandbox would
	 * be those of whoever has taken it over. */
	if (c->ready ||
	    imsg_get_data(imsg, &info->ready, sizeof(info->ready)) == -1)
		return -1;
	c->ready = info->seen = 1;
	return 0;
}

static int
got_conf_ok(void *arg, struct imsg *imsg)
{
	net_state = NET_SERVING;
	expiry_net_used(conf_sent != NULL ? conf_sent : env->conf);
	conf_answer("");
	return 0;
}

static int
got_drained(void *arg, struct imsg *imsg)
{
	net_state = NET_SERVING;
	ghost_drained();
	return 0;
}

static int
got_cert(void *arg, struct imsg *imsg)
{
	struct msg_net_cert	 m;

	if (imsg_get_data(imsg, &m, sizeof(m)) == -1 ||
	    m.which >= NETFILE_KEY || m.expires < 0 || m.expires > DATE_MAX)
		return -1;
	expiry_net((enum net_file)m.which, m.expires);
	return 0;
}

static int
got_count(void *arg, struct imsg *imsg)
{
	struct msg_net_count	 m;

	if (imsg_get_data(imsg, &m, sizeof(m)) == -1)
		return -1;
	return netcount_got(&m);
}

static int
got_conf_bad(void *arg, struct imsg *imsg)
{
	struct msg_text	 m;

	if (imsg_get_data(imsg, &m, sizeof(m)) == -1 || !PROTO_STR(m.text))
		return -1;
	utf8_mend(m.text);
	net_state = NET_SERVING;
	expiry_net_refused();
	log_warnx("net refuses the configuration: %s", m.text);
	conf_answer(m.text[0] != '\0' ? m.text : "refused by net");
	return 0;
}

static int
child_recv(struct imsgev *iev, struct imsg *imsg, void *arg)
{
	struct child		*c = arg;
	const struct imsg_rule	*rule;
	const char		*why;

	rule = proto_check(rules, sizeof(rules) / sizeof(rules[0]), c->type,
	    c->type == PROC_NET ? net_state : ANY_STATE, imsg, &why);
	if (rule == NULL) {
		log_warnx("refuse %s from %s: %s",
		    imsg_name(imsg_get_type(imsg)), proc_name(c->type), why);
		return -1;
	}
	if (rule->handler(c, imsg) == -1) {
		log_warnx("refuse %s from %s: its content is not valid",
		    imsg_name(imsg_get_type(imsg)), proc_name(c->type));
		return -1;
	}
	return 0;
}

/* --- life ----------------------------------------------------------- */

static void
child_again(int fd, short ev, void *arg)
{
	struct child	*c = arg;
	char		 text[UPD_TEXT_SIZE];
	int		 files[NETFILE__MAX];

	env->proc[c->type].restarts++;
	if (child_start(c) == -1)
		log_warnx("start %s again", proc_name(c->type));
	else if (c->type == PROC_NET &&
	    (netconf_open(env->conf, files, text) == -1 ||
	    send_conf(env->conf, files, text) == -1)) {
		/* Half configured it would serve nobody, for ever. */
		log_warnx("configure %s: %s", proc_name(c->type), text);
		proc_kill(&c->proc);
	}
}

static void
child_lost(struct child *c)
{
	if (!c->running || !c->exited || c->proc.iev.open)
		return;
	c->running = 0;
	c->proc.pid = 0;
	env->proc[c->type].pid = 0;
	if (c->type == PROC_NET) {
		net_state = NET_SERVING;
		update_lost(&c->proc.iev);
		caller_lost(&c->proc.iev);
		netcount_lost();
		expiry_net_refused();
		/* A reload fails; at the start the next one is asked. */
		if (conf_sent == NULL || conf_sent != env->conf ||
		    ++lost_early == START_TRIES)
			conf_answer("net was lost");
	} else {
		service_probe_lost();
		self_probe_lost();
	}
	if (env->stopping || (c->type == PROC_NET &&
	    TAILQ_EMPTY(&env->conf->listeners)))
		return;
	if (time_mono_ms() - c->started >= STEADY_MS || c->delay_ms == 0)
		c->delay_ms = DELAY_MIN_MS;
	else if ((c->delay_ms *= 2) > DELAY_MAX_MS)
		c->delay_ms = DELAY_MAX_MS;
	log_warnx("%s was lost, start it again in %u ms",
	    proc_name(c->type), c->delay_ms);
	evtimer_set(&c->timer, child_again, c);
	timer_in(&c->timer, c->delay_ms);
}

static void
child_exited(void *arg, pid_t pid, int status)
{
	struct child	*c = arg;

	c->exited = 1;
	imsgev_close(&c->proc.iev);
	child_lost(c);
}

static void
child_dead(struct imsgev *iev, int broken, void *arg)
{
	struct child	*c = arg;

	if (env->ghost) {
		/* No child of ours, and we are not to kill its pid. */
		ghost_gone();
		return;
	}
	if (broken)
		log_warnx("kill %s: it broke its protocol",
		    proc_name(c->type));
	if (!c->exited)
		proc_kill(&c->proc);
	child_lost(c);
}

static int
child_start(struct child *c)
{
	struct procinfo		*info = &env->proc[c->type];
	struct proc_args	 args;

	/* A reload does not wait for its turn. */
	if (evtimer_initialized(&c->timer))
		evtimer_del(&c->timer);
	children_procargs(c->type, &args);
	c->exited = 0;
	if (proc_start(&c->proc, c->type, &args, child_recv, child_dead,
	    c) == -1)
		goto fail;
	if (reap_add(c->proc.pid, child_exited, c) == -1) {
		proc_kill(&c->proc);
		goto fail;
	}
	imsgev_queuemax(&c->proc.iev, QUEUE_MAX);
	c->running = 1;
	c->ready = 0;
	c->started = time_mono_ms();
	info->pid = c->proc.pid;
	info->since = time_real_us();
	return 0;
fail:
	/* Try again later, as if it had been lost. */
	c->running = c->exited = 1;
	c->started = time_mono_ms();
	child_lost(c);
	return -1;
}

void
children_procargs(enum proc_type type, struct proc_args *args)
{
	int	 unpacker = type == PROC_INFLATE || type == PROC_UNPACK;

	memset(args, 0, sizeof(*args));
	args->uid = unpacker ? env->unpack_uid : env->uid;
	args->gid = unpacker ? env->unpack_gid : env->gid;
	args->chroot = type == PROC_UNPACK ? "" : env->conf->chroot;
	args->verbose = log_getverbose();
	args->to_stderr = env->foreground;
}

/* probe; net comes with its configuration. */
int
children_start(void)
{
	return child_start(&probe);
}

void
children_stop(void)
{
	proc_kill(&net.proc);
	proc_kill(&probe.proc);
}

/*
 * The channel to net is the only thing of the children that the ghost
 * keeps: the program that comes has its own.  Whoever waits for what the
 * ghost cannot do is told so.
 */
int
children_ghost(void (*drained)(void), void (*gone)(void))
{
	ghost_drained = drained;
	ghost_gone = gone;
	if (probe.running && probe.proc.iev.open)
		close(probe.proc.iev.ibuf.fd);
	probe.running = 0;
	if (!net.running || !net.proc.iev.open)
		return 0;
	net_state = NET_SERVING;
	imsgev_rebase(&net.proc.iev);
	caller_abandon(&net.proc.iev, "updaterd was replaced meanwhile; look "
	    "what came of it");
	return 1;
}

int
children_drain(void)
{
	if (!net.running || !net.proc.iev.open)
		return -1;
	if (net_state == NET_DRAINING)
		return 0;
	net_state = NET_DRAINING;
	return imsgev_compose(&net.proc.iev, IMSG_NET_DRAIN, -1, NULL, 0);
}

void
children_verbose(int level)
{
	struct msg_verbose	 m = { .level = (uint32_t)level };

	if (net.running && net.proc.iev.open)
		(void)imsgev_compose(&net.proc.iev, IMSG_VERBOSE, -1, &m,
		    sizeof(m));
	if (probe.running && probe.proc.iev.open)
		(void)imsgev_compose(&probe.proc.iev, IMSG_VERBOSE, -1, &m,
		    sizeof(m));
}

struct imsgev *
children_channel(enum proc_type type)
{
	struct child	*c = type == PROC_NET ? &net : &probe;

	return c->running && c->proc.iev.open ? &c->proc.iev : NULL;
}

void
children_kill(enum proc_type type)
{
	struct child	*c = type == PROC_NET ? &net : &probe;

	if (c->running)
		proc_kill(&c->proc);
}
