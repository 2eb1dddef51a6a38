/*
 * A new updaterd, in the program that it replaces.  It is received, checked
 * and sealed like any release (receive.c, prepare.c); then:
 *
 *	ask		our own /health: who cannot be asked now could not
 *			be judged afterwards
 *	try		the new program's -V and -n on the live configuration
 *	commit		<id>.json, self.state with what is on trial, the
 *			time in which it is to be confirmed, links
 *	answer		"self_update_queued"
 *	settle		state files written, who waits for a service answered
 *	count, exec	the state counts a start, the ghost is left behind,
 *			and this process is the new program
 *
 * Up to the commit a failure is that of any update.  An exec that fails
 * takes the trial back and leaves us as we are.
 */
#include <sys/types.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "journal.h"
#include "log.h"
#include "parent.h"
#include "self.h"
#include "timer.h"
#include "trial.h"
#include "update.h"
#include "util.h"

#define ASK_MS		5000	/* for our own /health */
#define TRY_MS		20000	/* for -V and for -n */
#define TRY_OUTPUT	16384	/* bytes of output kept */
#define SETTLE_MS	50	/* between looks whether all is quiet */
#define SETTLE_MAX_MS	10000

static struct {
	struct args	 argv;		/* of the program being tried */
	int		 dirfd;
	int		 switching;	/* committed: no update may begin */
	uint64_t	 until;		/* monotonic ms, to settle */
	struct event	 timer;
	char		 to[UPD_ID_SIZE];
} sp = { .dirfd = -1 };

static void	 ask_done(const char *);
static void	 try_start(struct update *, const char *);

/* --- the store --------------------------------------------------------- */

static void
drop(void)
{
	struct agent	*a = env->self;

	env->self = NULL;
	if (a == NULL)
		return;
	trial_forget(a);
	store_free(a->store);
	args_free(&a->conf->install);
	free(a->conf->name);
	free(a->conf->root);
	free(a->conf);
	free(a);
}

void
self_configure(const struct config *conf)
{
	struct agent	*a = env->self;
	struct stat	 sb;

	if (a != NULL && (conf->self_root == NULL ||
	    strcmp(conf->self_root, a->conf->root) != 0))
		drop();
	if (conf->self_root == NULL || (env->self != NULL &&
	    env->self->store != NULL))
		return;
	if ((a = env->self) == NULL) {
		if ((a = calloc(1, sizeof(*a))) == NULL)
			fatal("configure self");
		TAILQ_INIT(&a->instances);
		a->conf = agent_conf_new(SELF_NAME);
		if ((a->conf->root = strdup(conf->self_root)) == NULL)
			fatal("configure self");
		env->self = a;
	}
	/* Once more: what passes must not put it out of order. */
	if ((a->store = store_open(a->conf->root, a->conf->keep, a->text)) ==
	    NULL && (a->store = store_open(a->conf->root, a->conf->keep,
	    a->text)) == NULL) {
		log_warnx("self is out of order: %s", a->text);
		return;
	}
	if (fstat(a->store->rootfd, &sb) == 0)
		recover_agent(a);
}

/* Its time must come to an end, and runs only in the store's own daemon. */
int
self_isheld(const struct config *c, char *text)
{
	const struct agent	*a = env->self;

	if (a == NULL || a->trial == NULL || (c->self_root != NULL &&
	    strcmp(c->self_root, a->conf->root) == 0))
		return 0;
	snprintf(text, UPD_TEXT_SIZE, "self cannot change now, for release %s "
	    "of updaterd awaits its confirmation for another %u s: confirm it "
	    "(updaterctl confirm self) or go back from it (updaterctl "
	    "rollback self), and then reload; the old configuration stays in "
	    "use", a->store->current, trial_confirmleft(a));
	return 1;
}

int
self_isupdate(const struct update *u)
{
	return u->agent != NULL && u->agent == env->self;
}

int
self_iscurrent(void)
{
	return env->self != NULL && env->self->store != NULL &&
	    handover.id[0] != '\0' &&
	    strcmp(env->self->store->current, handover.id) == 0;
}

const char *
self_busy(void)
{
	if (env->ghost || sp.switching || self_isreturning())
		return "updaterd is being replaced by a new one; try again";
	if (self_ontrial())
		return "a new updaterd is on trial; try again when it has "
		    "proved itself";
	return NULL;
}

/* --- failing ------------------------------------------------------------ */

static void __attribute__((format(printf, 3, 4)))
fail(struct update *u, enum upd_error error, const char *fmt, ...)
{
	char	 text[UPD_TEXT_SIZE];
	va_list	 ap;

	if (sp.dirfd != -1)
		close(sp.dirfd);
	sp.dirfd = -1;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (u->state == UPDATE_VERIFYING)
		outcome_refuse(u, text);
	else
		update_fail(u, error, "%s", text);
}

/* --- the exec ----------------------------------------------------------- */

static void
given_up(const char *why)
{
	struct agent	*a = env->self;

	log_warnx("stay as we are: %s", why);
	sp.switching = 0;
	self_settle(why);
	strlcpy(a->last_error, why, sizeof(a->last_error));
	a->last_error_at = time_real_us();
	sdnotify_drop();
	sdnotify("READY=1");
	control_event("self", json_pack("{s:s, s:s, s:s}", "result",
	    "failed", "to", sp.to, "error", why));
	parent_idle();
}

static int
count_start(struct store *s, char *why)
{
	struct selfstate	 st;

	if (selfstate_read(s->rootfd, &st) == 1 &&
	    strcmp(st.to, sp.to) == 0) {
		st.starts++;
		if (selfstate_write(s->rootfd, &st) == 0)
			return 0;
		snprintf(why, UPD_TEXT_SIZE, "cannot count its start: %s",
		    strerror(errno));
	} else
		strlcpy(why, "its state was lost", UPD_TEXT_SIZE);
	return -1;
}

static void
become(void)
{
	struct store	*s = env->self->store;
	struct agent	*a;
	struct handover	 h = handover;
	sigset_t	 all, old;
	char		 path[PATH_MAX], why[UPD_TEXT_SIZE];

	if (env->stopping)
		return;			/* the next start tries it */
	if (self_program(s->root, sp.to, path, sizeof(path)) == -1 ||
	    count_start(s, why) == -1) {
		given_up(why);
		return;
	}
	service_flush();
	TAILQ_FOREACH(a, &env->agents, entry)
		trial_keep(a);
	h.chosen = h.trial = 1;
	h.daemon = !env->foreground;
	h.lock = env->lockfd;
	h.control = control_listener();
	h.nlisten = listen_fds(h.listen, HANDOVER_SOCKETS);
	strlcpy(h.id, sp.to, sizeof(h.id));
	strlcpy(h.root, s->root, sizeof(h.root));
	if (h.base[0] == '\0')
		strlcpy(h.base, proc_path(), sizeof(h.base));
	log_notice("become updaterd %s", sp.to);
	snprintf(why, sizeof(why), "RELOADING=1\nMONOTONIC_USEC=%llu",
	    (unsigned long long)time_mono_us());
	sdnotify(why);
	/* A signal that comes now waits for the new program's handlers. */
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &old);
	sdnotify_restore();
	if (ghost_start(env->conf->self_within_ms, &h) == -1) {
		snprintf(why, sizeof(why), "cannot watch over it: %s",
		    strerror(errno));
	} else {
		h.watch = handover.watch;
		(void)handover_exec(path, &h);
		snprintf(why, sizeof(why), "cannot execute %.300s: %s", path,
		    strerror(errno));
		ghost_cancel();
	}
	sigprocmask(SIG_SETMASK, &old, NULL);
	given_up(why);
}

/* Whoever waits for a service, or for this very answer, is told first. */
static void
settle(int fd, short event, void *arg)
{
	if ((service_waits() || control_isowing()) &&
	    time_mono_ms() < sp.until)
		timer_in(&sp.timer, SETTLE_MS);
	else
		become();
}

/* --- the commit ---------------------------------------------------------- */

/* It is to be confirmed: its time, which begins with its start (an end in
 * good order, of a boot that is not this one).  0, or -1 with errno. */
static int
to_confirm(const struct update *u, const struct selfstate *st)
{
	struct journal	 j;

	if (u->kind != UPDATE_PUSH || u->confirm == 0)
		return 0;
	memset(&j, 0, sizeof(j));
	j.phase = JOURNAL_TRIAL;
	strlcpy(j.to, st->to, sizeof(j.to));
	strlcpy(j.from, st->from, sizeof(j.from));
	strlcpy(j.from_prev, st->from_prev, sizeof(j.from_prev));
	strlcpy(j.by, st->by, sizeof(j.by));
	j.started_at = st->since;
	j.confirm_ms = u->confirm * 1000;
	j.at_rest = 1;
	return journal_write(u->agent->store, &j);
}

/* Put it on trial.  0, or -1 with text; then all is as before. */
static int
on_trial(struct update *u, char *text)
{
	struct store		*s = u->agent->store;
	struct selfstate	 st;
	int			 e;

	memset(&st, 0, sizeof(st));
	strlcpy(st.to, u->rel.id, sizeof(st.to));
	strlcpy(st.from, handover.id, sizeof(st.from));
	strlcpy(st.from_prev, s->previous, sizeof(st.from_prev));
	strlcpy(st.by, u->who.subject, sizeof(st.by));
	st.is_rollback = u->kind == UPDATE_BACK;
	st.since = u->since;
	/* What fell behind, and does not serve, is nothing to go back to. */
	if (strcmp(s->current, handover.id) != 0)
		strlcpy(st.from_prev, s->current, sizeof(st.from_prev));
	if (selfstate_write(s->rootfd, &st) == 0 &&
	    to_confirm(u, &st) == 0 && store_flip(s, st.to, st.from) == 0)
		return 0;
	e = errno;
	snprintf(text, UPD_TEXT_SIZE, "put release %s on trial: %s", st.to,
	    strerror(e));
	(void)store_flip(s, st.from, st.from_prev);
	(void)journal_remove(s);
	memset(&st, 0, sizeof(st));
	(void)selfstate_write(s->rootfd, &st);
	errno = e;
	return -1;
}

/* A release that was pushed comes into its place.  0, or -1 with text. */
static int
commit(struct update *u, char *text)
{
	struct store	*s = u->agent->store;
	struct release	*r = &u->rel;

	u->phase = "commit";
	release_newid(s, time_real_us(), u->sha, u->digest, r->id);
	promote_describe(u);
	(void)store_prune_failed(s);
	if (release_commit(s, &u->st, r, text) == -1)
		return -1;
	u->staged = 0;
	return 0;
}

static void
go(struct update *u)
{
	struct store	*s = u->agent->store;
	struct release	*r;
	char		 text[UPD_TEXT_SIZE];

	if (u->kind == UPDATE_PUSH && commit(u, text) == -1) {
		fail(u, errno == ENOSPC ? UPD_ENOSPACE : UPD_EIO, "%s", text);
		return;
	}
	if (on_trial(u, text) == -1) {
		if (u->kind == UPDATE_PUSH)
			(void)release_retire(s, u->rel.id);
		fail(u, errno == ENOSPC ? UPD_ENOSPACE : UPD_EIO, "%s", text);
		return;
	}
	strlcpy(sp.to, u->rel.id, sizeof(sp.to));
	sp.switching = 1;
	sp.until = time_mono_ms() + SETTLE_MAX_MS;
	u->agent->last_error[0] = '\0';
	update_setstate(u, UPDATE_PROMOTING);
	r = store_find(s, sp.to);
	update_finish(u, 200, json_pack("{s:s, s:o, s:o*}", "status",
	    "self_update_queued", "release", r != NULL ?
	    release_json(s, r) : json_null(), "confirm",
	    u->kind == UPDATE_PUSH && u->confirm != 0 ?
	    json_integer(u->confirm) : NULL));
	evtimer_set(&sp.timer, settle, NULL);
	timer_in(&sp.timer, 0);
}

/* --- trying -------------------------------------------------------------- */

static void
tried(struct update *u, const char *option,
    const struct command_result *r)
{
	u->command = NULL;
	free(u->output);
	u->output = r->output != NULL ? strdup(r->output) : NULL;
	if (r->status != 0 || r->timed_out) {
		fail(u, UPD_EINSTALL, "the new updaterd %s: %.300s", option,
		    r->text);
		return;
	}
	if (strcmp(option, "-V") == 0) {
		if (u->output == NULL ||
		    strncmp(u->output, "updaterd ", 9) != 0) {
			fail(u, UPD_EINSTALL, "%s of the release is no "
			    "updaterd", SELF_PROGRAM);
			return;
		}
		log_info("try %.*s", (int)strcspn(u->output, "\n"),
		    u->output);
		try_start(u, "-n");
		return;
	}
	close(sp.dirfd);
	sp.dirfd = -1;
	if (u->state == UPDATE_INSTALLING)
		update_setstate(u, UPDATE_STAGED);
	if (u->flags & UPDF_DRY_RUN)
		prepare_diff(u);
	else
		go(u);
}

static void
version_done(void *arg, const struct command_result *r)
{
	tried(arg, "-V", r);
}

static void
check_done(void *arg, const struct command_result *r)
{
	tried(arg, "-n", r);
}

/* It is trusted by now as far as its signature or its sender is; and it
 * must read what only root may. */
static void
try_start(struct update *u, const char *option)
{
	struct command_conf	 c;

	args_free(&sp.argv);
	args_add(&sp.argv, SELF_PROGRAM);
	args_add(&sp.argv, option);
	if (strcmp(option, "-n") == 0)
		handover_getoptions(&sp.argv);
	memset(&c, 0, sizeof(c));
	c.argv = &sp.argv;
	c.dirfd = sp.dirfd;
	c.timeout_ms = TRY_MS;
	c.tail = TRY_OUTPUT;
	u->command = command_start(&c, strcmp(option, "-n") == 0 ?
	    check_done : version_done, u);
	if (u->command == NULL)
		fail(u, UPD_EINSTALL, "start the new updaterd: %s",
		    strerror(errno));
}

static void
ask_done(const char *why)
{
	struct update	*u = &up;

	/* It may have been aborted meanwhile. */
	if (!self_isupdate(u) || sp.dirfd == -1 ||
	    (u->state != UPDATE_INSTALLING && u->state != UPDATE_VERIFYING))
		return;
	if (why[0] != '\0')
		fail(u, UPD_ECHILD, "cannot ask our own /health, so a new "
		    "updaterd could not be judged: %s; the certificate of "
		    "tls { } must be fit for a server and for a client", why);
	else
		try_start(u, "-V");
}

static void
ask(struct update *u, int dirfd)
{
	char	 text[UPD_TEXT_SIZE];

	u->phase = "try";
	if (sp.dirfd != -1)
		close(sp.dirfd);
	if ((sp.dirfd = dirfd) == -1)
		fail(u, UPD_EIO, "open the release: %s", strerror(errno));
	else if (self_ask(ASK_MS, ask_done, text) == -1)
		ask_done(text);
}

void
self_prepared(struct update *u)
{
	update_setstate(u, UPDATE_INSTALLING);
	ask(u, fcntl(u->st.fd, F_DUPFD_CLOEXEC, 3));
}

void
self_verified(struct update *u)
{
	ask(u, release_open(u->agent->store, u->rel.id));
}
