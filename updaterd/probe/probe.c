/*
 * The probe process: asks services whether they are healthy.
 *
 * The parent starts sequences (START, FILE .., GO) under ids of its own
 * choice; each is a row of attempts (check.c) until one finds the service
 * healthy or `within` has passed, and ends in one RESULT.  Many run at
 * once.  Between the last RESULT and the next START no timer exists.
 *
 * When the next attempt comes:
 *  - After "connection refused", which costs microseconds, an eighth of
 *    the time passed, but 2 ms at least and 15 ms at most.  So a service
 *    is seen soon after it listens, however long it took to start.
 *  - After any other failure 10 ms, doubling up to 1 s: somebody answered,
 *    and asking is work for him.
 *  - Never at the end of `within` itself: a wait that would reach it is
 *    halved, so that a service that comes late still has its chance.
 *
 * An attempt that only the end of `within` cut short says less than the
 * one before it, unless that was refused: that one's reason is then the
 * reason.
 *
 * The TLS context of the next attempt is built while we wait for it
 * (check_prepare); were the files unfit, the first build, at GO, says so.
 *
 * The process lives as long as its channel: the parent ends it by closing.
 * It trusts the parent; a message that breaks a rule of the table is a bug
 * and ends the process.
 */
#include <sys/types.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <errno.h>
#include <event.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <tls.h>

#include "../proc.h"
#include "../sandbox.h"
#include "check.h"
#include "imsg.h"
#include "imsgev.h"
#include "log.h"
#include "pemdate.h"
#include "proto.h"
#include "target.h"
#include "timer.h"
#include "util.h"

#define PROBE_FILE_MAX	(1024 * 1024)	/* bytes of a CA or key file */
#define REFUSED_MIN_MS	2
#define REFUSED_MAX_MS	15
#define REFUSED_PART	8		/* of the time passed */
#define RETRY_MIN_MS	10
#define RETRY_MAX_MS	1000
#define LAST_MS		2		/* less is left: it is over */

struct sequence {
	TAILQ_ENTRY(sequence)	 entry;
	uint32_t		 id;
	int			 running;	/* GO has come */
	uint32_t		 within_ms;
	uint32_t		 timeout_ms;
	int			 anyname;	/* do not verify the name */
	uint64_t		 began;		/* monotonic ms */
	uint32_t		 attempts;
	uint32_t		 delay_ms;	/* after the next failure */
	struct event		 timer;		/* until the next attempt */
	int			 answered;	/* by more than a refusal */
	char			 bad[UPD_TEXT_SIZE];	/* unfit from start */
	char			 why[UPD_TEXT_SIZE];	/* last good reason */
	uint32_t		 status;	/* these two belong to why */
	uint32_t		 body_len;
	char			 body[UPD_BODY_SIZE];
	struct target		 target;
	struct check		 check;
	struct target_file	 files[PROBEFILE__MAX];
};
TAILQ_HEAD(sequences, sequence);

struct probe {
	struct imsgev		 iev;
	struct sequences	 seqs;
};

static int	on_verbose(void *, struct imsg *);
static int	on_start(void *, struct imsg *);
static int	on_file(void *, struct imsg *);
static int	on_go(void *, struct imsg *);
static int	on_cancel(void *, struct imsg *);
static void	attempt_done(void *, enum check_outcome);

static const struct imsg_rule	rules[] = {
	{ IMSG_VERBOSE, PROC_PARENT, sizeof(struct msg_verbose), 0, 0,
	    ANY_STATE, on_verbose },
	{ IMSG_PROBE_START, PROC_PARENT, sizeof(struct msg_probe_start), 0, 0,
	    ANY_STATE, on_start },
	{ IMSG_PROBE_FILE, PROC_PARENT, sizeof(struct msg_probe_file), 0, 1,
	    ANY_STATE, on_file },
	{ IMSG_PROBE_GO, PROC_PARENT, sizeof(struct msg_id), 0, 0,
	    ANY_STATE, on_go },
	{ IMSG_PROBE_CANCEL, PROC_PARENT, sizeof(struct msg_id), 0, 0,
	    ANY_STATE, on_cancel },
};

static struct probe	probe;

static struct sequence *
seq_find(uint32_t id)
{
	struct sequence	*s;

	TAILQ_FOREACH(s, &probe.seqs, entry)
		if (s->id == id)
			return s;
	return NULL;
}

static void
seq_forget_files(struct sequence *s)
{
	size_t	 i;

	for (i = 0; i < PROBEFILE__MAX; i++) {
		if (s->files[i].data != NULL)
			freezero(s->files[i].data, s->files[i].len);
		s->files[i].data = NULL;
		s->files[i].len = 0;
	}
}

static void
seq_free(struct sequence *s)
{
	TAILQ_REMOVE(&probe.seqs, s, entry);
	evtimer_del(&s->timer);
	check_clear(&s->check);
	seq_forget_files(s);
	target_clear(&s->target);
	free(s);
}

static void
send_result(struct msg_probe_result *r)
{
	if (imsgev_compose(&probe.iev, IMSG_PROBE_RESULT, -1, r,
	    sizeof(*r)) == -1)
		fatalx("send the result of probe %u", r->id);
}

/* Report and free the sequence. */
static void
seq_finish(struct sequence *s, int healthy)
{
	struct msg_probe_result	 r;
	char			 took[32];

	memset(&r, 0, sizeof(r));
	r.id = s->id;
	r.healthy = healthy ? 1 : 0;
	r.status = s->status;
	r.attempts = s->attempts;
	r.elapsed_ms = time_mono_ms() - s->began;
	r.body_len = s->body_len;
	memcpy(r.body, s->body, s->body_len);
	if (r.elapsed_ms < 1000)
		snprintf(took, sizeof(took), "%" PRIu64 " ms", r.elapsed_ms);
	else
		snprintf(took, sizeof(took), "%" PRIu64 ".%" PRIu64 " s",
		    r.elapsed_ms / 1000, r.elapsed_ms % 1000 / 100);
	if (s->attempts == 0)
		(void)strlcpy(r.text, s->why, sizeof(r.text));
	else
		/* The figures matter more than the end of a long reason. */
		snprintf(r.text, sizeof(r.text), "%.440s (%u %s in %s)",
		    s->why, s->attempts,
		    s->attempts == 1 ? "attempt" : "attempts", took);
	log_debug("probe %u: %s: %s", s->id, healthy ? "healthy" :
	    "not healthy", r.text);
	send_result(&r);
	seq_free(s);
}

static uint64_t
seq_left(const struct sequence *s)
{
	uint64_t	 passed = time_mono_ms() - s->began;

	return passed < s->within_ms ? s->within_ms - passed : 0;
}

static void
seq_attempt(int fd, short what, void *arg)
{
	struct sequence	*s = arg;
	uint64_t	 left = seq_left(s);

	if (left == 0 && s->attempts > 0) {
		seq_finish(s, 0);
		return;
	}
	if (left == 0)
		left = 1;
	s->attempts++;
	check_start(&s->check, left < s->timeout_ms ? (uint32_t)left :
	    s->timeout_ms);
}

static void
seq_again(struct sequence *s, enum check_outcome outcome)
{
	uint64_t	 left = seq_left(s), wait;

	if (outcome == CHECK_REFUSED) {
		wait = (time_mono_ms() - s->began) / REFUSED_PART;
		if (wait < REFUSED_MIN_MS)
			wait = REFUSED_MIN_MS;
		if (wait > REFUSED_MAX_MS)
			wait = REFUSED_MAX_MS;
		s->delay_ms = RETRY_MIN_MS;	/* it was started anew */
	} else {
		wait = s->delay_ms;
		s->delay_ms *= 2;
		if (s->delay_ms > RETRY_MAX_MS)
			s->delay_ms = RETRY_MAX_MS;
	}
	if (left <= LAST_MS) {
		seq_finish(s, 0);
		return;
	}
	if (wait >= left)
		wait = left / 2;
	if (timer_in(&s->timer, wait) == -1) {
		(void)strlcpy(s->why, "cannot set a timer: out of memory",
		    sizeof(s->why));
		seq_finish(s, 0);
		return;
	}
	/* Its failure, if it was no passing one, is the next attempt's. */
	(void)check_prepare(&s->check);
}

static void
attempt_done(void *arg, enum check_outcome outcome)
{
	struct sequence		*s = arg;
	const struct reply	*r = &s->check.reply;

	if (outcome == CHECK_TIMEOUT && s->answered &&
	    s->check.limit_ms < s->timeout_ms) {
		seq_finish(s, 0);
		return;
	}
	s->answered = outcome != CHECK_REFUSED;
	(void)strlcpy(s->why, s->check.text, sizeof(s->why));
	s->status = r->status;
	s->body_len = r->body_len;
	memcpy(s->body, r->body, r->body_len);
	if (outcome == CHECK_HEALTHY)
		seq_finish(s, 1);
	else
		seq_again(s, outcome);
}

static void
seq_tls(struct sequence *s)
{
	if (target_settls(&s->target, s->files, s->anyname, s->bad) == -1)
		return;
	if (check_prepare(&s->check) == -1)
		(void)strlcpy(s->bad, s->check.text, sizeof(s->bad));
}

/* --- messages ------------------------------------------------------- */

static int
on_verbose(void *arg, struct imsg *imsg)
{
	struct msg_verbose	 m;

	if (imsg_get_data(imsg, &m, sizeof(m)) == -1)
		return -1;
	log_setverbose((int)m.level);
	return 0;
}

static int
on_start(void *arg, struct imsg *imsg)
{
	struct msg_probe_start	 m;
	struct msg_probe_result	 r;
	struct sequence		*s;

	if (imsg_get_data(imsg, &m, sizeof(m)) == -1 ||
	    !PROTO_STR(m.address) || !PROTO_STR(m.name) ||
	    !PROTO_STR(m.path))
		return -1;
	if (m.kind != HEALTH_TCP && m.kind != HEALTH_HTTP &&
	    m.kind != HEALTH_HTTPS)
		return -1;
	if (seq_find(m.id) != NULL)
		return -1;
	if ((s = calloc(1, sizeof(*s))) == NULL) {
		/* FILE, GO and CANCEL of an id not known are let pass. */
		memset(&r, 0, sizeof(r));
		r.id = m.id;
		(void)strlcpy(r.text, "cannot check: out of memory",
		    sizeof(r.text));
		send_result(&r);
		return 0;
	}
	s->id = m.id;
	s->within_ms = m.within_ms;
	s->timeout_ms = m.timeout_ms > 0 ? m.timeout_ms : 1;
	s->anyname = m.anyname == 1;
	s->delay_ms = RETRY_MIN_MS;
	evtimer_set(&s->timer, seq_attempt, s);
	TAILQ_INSERT_TAIL(&probe.seqs, s, entry);
	/* What is wrong with it becomes the verdict at GO. */
	(void)target_set(&s->target, &m, s->bad);
	check_init(&s->check, &s->target, attempt_done, s);
	return 0;
}

static int
on_file(void *arg, struct imsg *imsg)
{
	static const char *const names[PROBEFILE__MAX] = {
		"ca", "certificate", "key"
	};
	struct msg_probe_file	 m;
	struct sequence		*s;
	char			*data;
	size_t			 len = 0;
	int			 fd;

	if (imsg_get_data(imsg, &m, sizeof(m)) == -1 ||
	    m.which >= PROBEFILE__MAX)
		return -1;
	if ((s = seq_find(m.id)) == NULL)
		return 0;	/* its descriptor goes with the message */
	if (s->running || s->target.kind != HEALTH_HTTPS ||
	    s->files[m.which].data != NULL)
		return -1;
	if ((fd = imsg_get_fd(imsg)) == -1)
		return -1;
	if ((data = fd_read(fd, PROBE_FILE_MAX, &len)) == NULL)
		snprintf(s->bad, sizeof(s->bad), "cannot read the %s of the "
		    "check: %s", names[m.which], strerror(errno));
	s->files[m.which].data = data;
	s->files[m.which].len = len;
	close(fd);
	return 0;
}

/* The parent, who parses none, keeps when they end. */
static void
send_dates(const struct sequence *s)
{
	struct msg_probe_cert	 m;

	m.id = s->id;
	for (m.which = 0; m.which < PROBEFILE_KEY; m.which++) {
		m.expires = pem_expires(s->files[m.which].data,
		    s->files[m.which].len, 0);
		if (m.expires != -1 && imsgev_compose(&probe.iev,
		    IMSG_PROBE_CERT, -1, &m, sizeof(m)) == -1)
			log_warnx("tell a date of probe %u", s->id);
	}
}

static int
on_go(void *arg, struct imsg *imsg)
{
	struct msg_id	 m;
	struct sequence	*s;

	if (imsg_get_data(imsg, &m, sizeof(m)) == -1)
		return -1;
	if ((s = seq_find(m.id)) == NULL)
		return 0;
	if (s->running)
		return -1;
	s->running = 1;
	s->began = time_mono_ms();
	if (s->bad[0] == '\0' && s->target.kind == HEALTH_HTTPS)
		seq_tls(s);
	send_dates(s);
	seq_forget_files(s);
	if (s->bad[0] != '\0') {
		/* Not the service's fault, and no attempt can heal it. */
		(void)strlcpy(s->why, s->bad, sizeof(s->why));
		seq_finish(s, 0);
		return 0;
	}
	seq_attempt(-1, 0, s);
	return 0;
}

static int
on_cancel(void *arg, struct imsg *imsg)
{
	struct msg_id	 m;
	struct sequence	*s;

	if (imsg_get_data(imsg, &m, sizeof(m)) == -1)
		return -1;
	/* Its result may have crossed this message on the way. */
	if ((s = seq_find(m.id)) != NULL)
		seq_free(s);
	return 0;
}

static int
dispatch(struct imsgev *iev, struct imsg *imsg, void *arg)
{
	const struct imsg_rule	*rule;
	const char		*why = NULL;

	rule = proto_check(rules, sizeof(rules) / sizeof(rules[0]),
	    PROC_PARENT, ANY_STATE, imsg, &why);
	if (rule == NULL) {
		log_warnx("refuse message %s from the parent: %s",
		    imsg_name(imsg_get_type(imsg)), why);
		return -1;
	}
	if (rule->handler(arg, imsg) == -1) {
		log_warnx("refuse message %s from the parent: bad content",
		    imsg_name(imsg_get_type(imsg)));
		return -1;
	}
	return 0;
}

static void
channel_dead(struct imsgev *iev, int error, void *arg)
{
	if (error)
		fatalx("lose the channel to the parent");
	log_debug("end: the parent has closed the channel");
	_exit(0);
}

void
probe_main(const struct proc_args *args)
{
	struct sandbox_opts	 opts;
	struct msg_ready	 ready;

	/* Both open things: before the doors are shut. */
	if (event_init() == NULL)
		fatalx("initialise the event loop");
	if (tls_init() == -1)
		fatalx("initialise TLS");
	TAILQ_INIT(&probe.seqs);

	memset(&opts, 0, sizeof(opts));
	opts.proc = PROC_PROBE;
	opts.uid = args->uid;
	opts.gid = args->gid;
	opts.chroot = args->chroot != NULL && args->chroot[0] != '\0' ?
	    args->chroot : NULL;
	opts.chroot_fd = -1;
	memset(&ready, 0, sizeof(ready));
	sandbox_enter(&opts, &ready);

	if (imsgev_init(&probe.iev, PROC_FD, 1, dispatch, channel_dead,
	    &probe) == -1)
		fatal("open the channel to the parent");
	if (imsgev_compose(&probe.iev, IMSG_READY, -1, &ready,
	    sizeof(ready)) == -1)
		fatalx("tell the parent that we are ready");
	event_dispatch();
	fatalx("leave the event loop");
}
