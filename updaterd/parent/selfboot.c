/*
 * The chain: which program of updaterd serves.
 *
 * The service manager starts the base, /usr/sbin/updaterd say.  Before it
 * reads its configuration in earnest, or does anything else that can fail,
 * it looks into the store of `self`: it counts the start (selfstate.c),
 * leaves a ghost, and becomes the program that is current there.  Only
 * where none is to be had does it serve itself: it is the last resort, and
 * may be years older than the configuration; hence config_skim().
 *
 * The lock is taken before the first look: who starts updaterd twice by
 * mistake must neither count nor take anything back.
 *
 * Taking a trial back: links, verdict, history and the time to confirm it
 * first, the state last.  Cut off in between it is done again.
 *
 * A pass (-R) serves nobody, so it proves nothing: it becomes what is known
 * to be good, and neither counts nor takes back nor leaves a ghost.
 */
#include <sys/types.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "journal.h"
#include "log.h"
#include "parent.h"
#include "self.h"
#include "trial.h"
#include "util.h"

#define LOCK_MS		5000	/* for the last updaterd's to be free */
#define LOCK_NS		20000000	/* between looks */
#define CHOICES_MAX	10	/* programs tried in one start */

static int	 in_foreground;

/* --- taking back ------------------------------------------------------ */

static void
undo_record(struct store *s, const struct selfstate *st, const char *why)
{
	char	 now[40];
	json_t	*o;

	time_iso(time_real_us(), now, sizeof(now));
	o = json_pack("{s:s, s:s, s:s, s:i, s:s*, s:s, s:s, s:s}", "time",
	    now, "event", st->is_rollback ? "self_rollback" : "self_update",
	    "result", "rolled_back", "status", 0,
	    "from", st->from[0] ? st->from : NULL, "to", st->to,
	    "by", st->by, "error", why);
	if (o == NULL || history_append(s, o) == -1)
		log_warnx("write history of %s", s->root);
}

int
self_undo(const char *root, const char *why)
{
	struct selfstate	 st;
	struct store		*s;
	char			 text[UPD_TEXT_SIZE];
	int			 r = -1;

	if ((s = store_open(root, DEF_KEEP, text)) == NULL) {
		log_warnx("take the new updaterd back: %s", text);
		return -1;
	}
	if (selfstate_read(s->rootfd, &st) != 1 || st.to[0] == '\0') {
		r = 0;
		goto done;
	}
	log_warnx("take updaterd %s back, to %s: %s", st.to, st.from[0] ?
	    st.from : "the one that was installed", why);
	if (store_flip(s, st.from, st.from_prev) == -1) {
		log_warn("move the links of %s back", root);
		goto done;
	}
	if (!st.is_rollback && store_find(s, st.to) != NULL &&
	    release_setstate(s, st.to, RELEASE_FAILED, why) == -1)
		log_warn("mark release %s failed", st.to);
	undo_record(s, &st, why);
	if (journal_remove(s) == -1)
		log_warn("remove journal of %s", root);
	memset(&st, 0, sizeof(st));
	if (selfstate_write(s->rootfd, &st) == -1)
		log_warn("write %s/%s", root, SELF_STATE);
	else
		r = 0;
 done:
	store_free(s);
	return r;
}

/* --- going back, in the program that is on trial ---------------------- */

/* What there is of ours, for the one that comes. */
static void
gather(struct handover *h)
{
	int	 n;

	*h = handover;
	h->trial = 0;
	h->chosen = 1;
	if ((n = listen_fds(h->listen, HANDOVER_SOCKETS)) > 0)
		h->nlisten = n;
	if (control_listener() != -1)
		h->control = control_listener();
	if (env != NULL && env->lockfd > 0)
		h->lock = env->lockfd;
}

void
self_back(const char *why)
{
	struct selfstate	 st;
	struct handover		 h;
	struct agent		*a;
	sigset_t		 all;
	char			 path[PATH_MAX], id[UPD_ID_SIZE] = "";
	int			 fd, served = !handover.trial;

	handover.trial = 0;
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	if ((fd = open(handover.root, O_RDONLY | O_DIRECTORY |
	    O_CLOEXEC)) != -1) {
		if (selfstate_read(fd, &st) == 1)
			strlcpy(id, st.from, sizeof(id));
		close(fd);
	}
	(void)self_undo(handover.root, why);
	service_flush();
	if (env != NULL)
		TAILQ_FOREACH(a, &env->agents, entry)
			trial_keep(a);
	gather(&h);
	strlcpy(h.id, id, sizeof(h.id));
	/* Nobody watches over who has proved itself; what comes may need
	 * it, and so do those who are connected. */
	if (served && ghost_start(env->conf->self_within_ms, &h) == -1)
		log_warn("watch over the updaterd before");
	h.watch = handover.watch;
	ghost_tell(GHOST_BACK);
	sdnotify_restore();
	if (id[0] != '\0' && self_program(h.root, id, path,
	    sizeof(path)) == 0) {
		(void)handover_exec(path, &h);
		log_warn("go back to %s", path);
	}
	h.id[0] = '\0';
	(void)handover_exec(h.base, &h);
	log_warn("go back to %s", h.base);
	_exit(1);		/* the ghost sees to it */
}

/* --- the chain --------------------------------------------------------- */

/* The lock of the state directory; -1: there is no such yet. */
static int
take_lock(const char *state)
{
	static const struct timespec	 pause = { 0, LOCK_NS };
	uint64_t			 end = time_mono_ms() + LOCK_MS;
	int				 dir, fd;

	if ((dir = open(state, O_RDONLY | O_DIRECTORY | O_NOFOLLOW |
	    O_CLOEXEC)) == -1)
		return -1;
	fd = openat(dir, "lock", O_RDONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW,
	    0600);
	close(dir);
	if (fd == -1)
		return -1;
	while (flock(fd, LOCK_EX | LOCK_NB) == -1) {
		if (errno != EINTR && (errno != EWOULDBLOCK ||
		    time_mono_ms() >= end)) {
			log_warnx("another updaterd works on %s: stop it, or "
			    "give this one a state directory of its own",
			    state);
			exit(1);
		}
		(void)nanosleep(&pause, NULL);
	}
	return fd;
}

static int
is_good(const struct release *r)
{
	return r != NULL && r->state == RELEASE_GOOD;
}

/* Only returns when it cannot be executed. */
static void
become(const char *root, const char *id, int trial, uint32_t ms)
{
	struct handover	 h = handover;
	char		 path[PATH_MAX];

	h.chosen = 1;
	h.trial = trial;
	strlcpy(h.id, id, sizeof(h.id));
	strlcpy(h.root, root, sizeof(h.root));
	if (h.base[0] == '\0')
		strlcpy(h.base, proc_path(), sizeof(h.base));
	if (self_program(root, id, path, sizeof(path)) == -1 ||
	    access(path, X_OK) == -1) {
		log_warn("start updaterd %s", id);
		return;
	}
	/* Now: the pid that the ghost watches must stay the same. */
	if (!in_foreground && !h.daemon) {
		if (daemon(0, 0) == -1)
			fatal("daemon");
		handover.daemon = h.daemon = 1;
		log_init("updaterd", 0, 0);
	}
	if (ghost_start(ms, &h) == -1)
		log_warn("watch over updaterd %s", id);
	h.watch = handover.watch;
	log_notice("become updaterd %s", id);
	(void)handover_exec(path, &h);
	log_warn("start updaterd %s: %s", id, path);
	ghost_cancel();
}

/* Try one.  1 go on with another choice, 0 serve ourselves. */
static int
choose(const char *root, uint32_t ms)
{
	struct selfstate	 st;
	struct store		*s;
	char			 text[UPD_TEXT_SIZE], id[UPD_ID_SIZE];
	enum self_pick		 pick;
	int			 counted;

	if ((s = store_open(root, DEF_KEEP, text)) == NULL) {
		log_warnx("serve as installed: %s", text);
		return 0;
	}
	(void)selfstate_read(s->rootfd, &st);
	pick = selfstate_pick(&st, s->current, is_good(store_current(s)),
	    is_good(store_previous(s)));
	strlcpy(id, pick == SELF_PREVIOUS ? s->previous : s->current,
	    sizeof(id));
	if (pick == SELF_UNDO || pick == SELF_BASE) {
		if (pick == SELF_BASE && s->current[0] != '\0')
			log_warnx("serve as installed: the releases of %s do "
			    "not start; see its history", root);
		store_free(s);
		return pick == SELF_UNDO && self_undo(root, st.starts > 0 ?
		    "it was started and did not prove itself" :
		    "the switch was cut off before it came") == 0;
	}
	st.starts++;
	counted = selfstate_write(s->rootfd, &st) == 0;
	if (!counted)
		log_warn("count the start of updaterd %s", id);
	store_free(s);
	/* What was good may start uncounted, on a file system that has
	 * become read-only say; what was not, may not. */
	if (counted || st.to[0] == '\0')
		become(root, id, st.to[0] != '\0', ms);
	return counted;
}

void
self_boot(const char *path, int foreground)
{
	struct config	*conf;
	struct stat	 sb;
	int		 i;

	if (handover.chosen || geteuid() != 0)
		return;
	conf = config_skim(path);
	if (conf->self_root == NULL || stat(conf->self_root, &sb) == -1)
		goto done;
	log_init("updaterd", foreground || !handover.daemon, 0);
	if (handover.lock == -1 &&
	    (handover.lock = take_lock(conf->state)) == -1)
		goto done;
	in_foreground = foreground;
	for (i = 0; i < CHOICES_MAX &&
	    choose(conf->self_root, conf->self_within_ms); i++)
		continue;
 done:
	config_free(conf);
}

/* --- a pass ------------------------------------------------------------- */

/* What has served well; "" the base. */
static const char *
proven(struct store *s, const struct selfstate *st)
{
	if (st->to[0] != '\0')
		return is_good(store_find(s, st->from)) ? st->from : "";
	switch (selfstate_pick(st, s->current, is_good(store_current(s)),
	    is_good(store_previous(s)))) {
	case SELF_CURRENT:
		return s->current;
	case SELF_PREVIOUS:
		return s->previous;
	default:
		return "";
	}
}

void
self_once(const char *path)
{
	struct selfstate	 st;
	struct handover		 h = handover;
	struct config		*conf;
	struct store		*s = NULL;
	struct stat		 sb;
	char			 file[PATH_MAX], text[UPD_TEXT_SIZE];

	if (handover.chosen || geteuid() != 0)
		return;
	conf = config_skim(path);
	/* To open what is not there would make it, and -n makes nothing. */
	if (conf->self_root == NULL || (size_t)snprintf(file, sizeof(file),
	    "%s/releases", conf->self_root) >= sizeof(file) ||
	    stat(file, &sb) == -1)
		goto done;
	log_init("updaterd", 1, 0);
	if ((s = store_open(conf->self_root, DEF_KEEP, text)) == NULL) {
		log_warnx("reconcile as installed: %s", text);
		goto done;
	}
	(void)selfstate_read(s->rootfd, &st);
	h.chosen = 1;
	strlcpy(h.id, proven(s, &st), sizeof(h.id));
	strlcpy(h.root, s->root, sizeof(h.root));
	strlcpy(h.base, proc_path(), sizeof(h.base));
	if (h.id[0] == '\0' ||
	    self_program(s->root, h.id, file, sizeof(file)) == -1)
		goto done;
	(void)handover_exec(file, &h);
	log_warn("reconcile as installed: start %s", file);
 done:
	store_free(s);
	config_free(conf);
}
