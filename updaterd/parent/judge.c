/*
 * What a pass finds, and what that means for each instance.
 *
 * What was found comes from a process with the user's uid: names are
 * checked, the rest are known words.  Without a pass there is nothing to
 * judge by, so that a service whose files cannot be looked at keeps the
 * instances that it has; its default one needs no look, if what is wanted of
 * it is on record.
 *
 * Nor does a state file that cannot be read now say anything: what is on
 * record holds, nothing is recorded because of it, and it is read again
 * later.  Who has neither has no instance until then.
 */
#include <sys/types.h>
#include <sys/stat.h>

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "audit.h"
#include "echo.h"
#include "instance.h"
#include "journal.h"
#include "log.h"
#include "reconcile.h"
#include "util.h"

/* The release under `current`, also where the store is not open (-Rn). */
static void
current_of(const struct agent *a, char *id)
{
	char		 path[PATH_MAX], to[UPD_ID_SIZE + 16];
	const char	*dir = "releases/";
	ssize_t		 n;

	id[0] = '\0';
	if (a->store != NULL) {
		strlcpy(id, a->store->current, UPD_ID_SIZE);
		return;
	}
	if ((size_t)snprintf(path, sizeof(path), "%s/current",
	    a->conf->root) >= sizeof(path) ||
	    (n = readlink(path, to, sizeof(to) - 1)) == -1)
		return;
	to[n] = '\0';
	if (strncmp(to, dir, strlen(dir)) == 0 &&
	    id_isvalid(to + strlen(dir)))
		strlcpy(id, to + strlen(dir), UPD_ID_SIZE);
}

static struct line *
new_line(struct pass *p, struct ward *w, const char *profile,
    enum profile_state state)
{
	struct line	*l;

	if ((l = pass_line(p, w)) == NULL) {
		log_warnx("reconcile %s: out of memory", w->conf->name);
		return NULL;
	}
	l->conf = w->conf;
	l->l.state = state;
	l->l.backend = backend_of(w->conf->supervisor)->name;
	strlcpy(l->profile, profile, sizeof(l->profile));
	strlcpy(l->service, w->conf->name, sizeof(l->service));
	if (w->conf->profiles == NULL || profile_instance(w->conf->name,
	    profile, l->name, sizeof(l->name)) == -1)
		strlcpy(l->name, w->conf->name, sizeof(l->name));
	current_of(w->agent, l->release);
	return l;
}

static void
settle(struct line *l, enum plan_action action, enum plan_reason reason)
{
	l->l.action = action;
	l->l.reason = reason;
	l->decided = 1;
}

/* --- facts ------------------------------------------------------------ */

static void
facts_common(const struct line *l, struct facts *f)
{
	struct journal	 j;

	f->enabled = service_isenabled(l->conf);
	f->release = l->release[0] != '\0';
	f->startable = !service_getenv()->oneshot ||
	    backend_of(l->conf->supervisor)->foreign;
	f->open = l->ward->agent->store != NULL ?
	    recover_isopen(l->ward->agent) :
	    journal_look(l->ward->agent->conf->root, &j) &&
	    journal_isopen(&j, l->release);
}

static void
facts_instance(const struct line *l, struct facts *f)
{
	const struct instance	*i = l->i;

	memset(f, 0, sizeof(*f));
	f->alive = i->state == SERVICE_STARTING || i->state == SERVICE_UP;
	f->leftovers = i->state == SERVICE_STOPPING;
	f->waiting = i->state == SERVICE_BACKOFF;
	f->awaits = observe_awaits(i);
	f->parked = i->state == SERVICE_FAILED;
	f->wanted = i->in.desired;
	facts_common(l, f);
}

/* Of one that has no instance: what its files say. */
static void
facts_files(const struct line *l, const struct intent *in, int wanted,
    struct facts *f)
{
	memset(f, 0, sizeof(*f));
	f->alive = in->running && in->pid > 1 && in->start_time != 0 &&
	    strcmp(in->boot, boot_id()) == 0 &&
	    pid_starttime(in->pid) == in->start_time;
	f->parked = in->failed && strcmp(in->failed_release,
	    l->release) == 0;
	f->wanted = wanted;
	facts_common(l, f);
}

/* --- dry -------------------------------------------------------------- */

/*
 * A name is no word for what it names: profile b of gw-a and profile a-b of
 * gw have the same.  It stays with whose it was, as long as that is there;
 * not to be seen is there, too.
 */
static int
is_owned(const struct pass *p, const struct line *l)
{
	const struct msg_profile_found	*f;
	const struct msg_profile_scanned *end;
	const struct ward		*w;
	struct intent			 in;
	char				 why[UPD_TEXT_SIZE];
	size_t				 k, n, len;
	int				 statefd = service_getenv()->statefd;

	if (statefd == -1 || l->conf->profiles == NULL ||
	    intent_read(statefd, l->name, &in, why) != 1 ||
	    intent_isof(&in, l->service))
		return 0;
	TAILQ_FOREACH(w, &p->wards, entry)
		if (strcmp(w->conf->name, in.owner) == 0)
			break;
	len = strlen(in.owner);
	if (w == NULL || w->conf->profiles == NULL ||
	    strncmp(l->name, in.owner, len) != 0 || l->name[len] != '-')
		return 0;
	if (w->roster == NULL)
		return 1;
	end = roster_scanned(w->roster);
	f = roster_found(w->roster, &n);
	for (k = 0; k < n; k++)
		if (f[k].skip == SKIP_NONE && strcmp(f[k].name,
		    l->name + len + 1) == 0)
			return 1;
	return end->dir_errno != 0 || end->many;
}

/* Another service has its name, or is about to. */
static int
is_taken(const struct pass *p, const struct line *l,
    const struct instance *i)
{
	size_t	 k;

	if (i != NULL && i->agent != NULL)
		return strcmp(i->service, l->service) != 0;
	if (is_owned(p, l))
		return 1;
	for (k = 0; k < p->n; k++)
		if (p->lines[k] != l && strcmp(p->lines[k]->name,
		    l->name) == 0 && strcmp(p->lines[k]->service,
		    l->service) != 0 && p->lines[k]->l.action !=
		    ACTION_SKIPPED)
			return 1;
	return 0;
}

/* Would its foreign supervisor be told of anything? */
static void
dry_enrol(struct line *l, struct instance *i, int up)
{
	char	 text[UPD_TEXT_SIZE] = "out of memory";
	int	 r = -1;

	if (i != NULL ? i->backend->enroll == NULL :
	    !service_getenv()->oneshot ||
	    backend_of(l->conf->supervisor)->enroll == NULL)
		return;
	if (i != NULL || (i = seat_sketch(l->ward->agent, l->conf,
	    l->profile)) != NULL)
		r = i->backend->enroll(i, up, 1, text);
	if (r != 0)
		l->l.change = 1;
	if (r == -1) {
		log_warnx("register %s: %s", l->name, text);
		settle(l, ACTION_FAILED, REASON_NOENROL);
	}
}

static void
dry_one(struct pass *p, struct line *l, const struct word *word, int stale)
{
	struct instance	*i = instance_find(l->name);
	struct intent	 in;
	struct wish	 wish;
	struct facts	 f;
	enum plan_action action;
	enum plan_reason reason;
	char		 why[UPD_TEXT_SIZE];
	int		 r = 0, changed, statefd = service_getenv()->statefd;

	if (is_taken(p, l, i)) {
		settle(l, ACTION_SKIPPED, REASON_TAKEN);
		return;
	}
	memset(&in, 0, sizeof(in));
	if (i != NULL && i->agent != NULL) {
		in = i->in;
		r = 1;
	} else {
		if (statefd != -1)
			r = intent_read(statefd, l->name, &in, why);
		if (r == 1 && !intent_isof(&in, l->service))
			r = 0;
		i = NULL;
		/* The daemon would seat it. */
		l->l.change = !service_getenv()->oneshot;
	}
	changed = plan_wish(r, &in, word, l->conf->profiles == NULL,
	    time_real_us(), &wish);
	l->i = i;
	if (i != NULL)
		facts_instance(l, &f);
	else
		facts_files(l, &in, wish.desired, &f);
	f.wanted = wish.desired;
	l->l.prior = plan_prior(r, &in, f.alive);
	action = plan_decide(&f, &reason);
	settle(l, action, reason);
	if (changed && r == 1 && l->l.reason == REASON_NONE)
		l->l.reason = REASON_IMPORT;
	if (changed || (stale > 0 && !f.alive && !f.leftovers) ||
	    l->l.action == ACTION_STARTED || l->l.action == ACTION_STOPPED)
		l->l.change = 1;
	dry_enrol(l, i, f.wanted && (f.alive || f.awaits ||
	    action == ACTION_STARTED));
}

/* --- seats ------------------------------------------------------------ */

/* Make a foreign supervisor know of it. */
static void
enrol(struct line *l)
{
	struct instance	*i = l->i;
	struct facts	 f;
	enum plan_reason reason;
	char		 text[UPD_TEXT_SIZE] = "";
	int		 up;

	if (i->backend->enroll == NULL)
		return;
	facts_instance(l, &f);
	up = f.alive || f.awaits ||
	    plan_decide(&f, &reason) == ACTION_STARTED;
	switch (i->backend->enroll(i, up && f.wanted, 0, text)) {
	case 1:
		l->l.change = 1;
		break;
	case -1:
		log_warnx("register %s: %s", i->name, text);
		l->l.change = 1;
		settle(l, ACTION_FAILED, REASON_NOENROL);
	}
}

static void
take_instance(struct line *l, struct instance *i)
{
	l->i = i;
	i->seated = 1;
	l->l.prior = i->prior;
	enrol(l);
}

/* One that has an instance already, and of whose files nothing is known. */
static void
known_one(struct pass *p, struct ward *w, struct instance *i)
{
	struct line	*l;

	if ((l = new_line(p, w, i->profile, i->echoed.state)) == NULL)
		return;
	if (p->dry)
		dry_one(p, l, NULL, 0);
	else
		take_instance(l, i);
}

/* Is it known without its profile's file what is wanted of it? */
static int
is_recorded(const struct line *l)
{
	struct intent	 in;
	char		 why[UPD_TEXT_SIZE];
	int		 statefd = service_getenv()->statefd;

	return instance_find(l->name) != NULL || (statefd != -1 &&
	    intent_read(statefd, l->name, &in, why) == 1 &&
	    intent_isof(&in, l->service));
}

/* What the profile's file says (NULL: cannot be told) is known of it. */
static void
take_word(struct instance *i, const struct word *word)
{
	i->echoed.unread = word == NULL;
	if (word == NULL)
		return;
	i->echoed.state = word->state;
	i->echoed.desired = word->desired;
	/* What is on record already reminds nobody of the file. */
	if (service_getenv()->changed != NULL)
		service_getenv()->changed(i);
}

/* One that is there; its file says this, or NULL: it cannot be told. */
static void
seat_word(struct pass *p, struct line *l, const struct word *word, int stale)
{
	struct ward	*w = l->ward;
	struct instance	*i;
	enum plan_reason reason;

	if (p->dry) {
		dry_one(p, l, word, stale);
		if (l->i != NULL)
			l->i->seated = 1;
		return;
	}
	if (instance_find(l->name) == NULL && is_owned(p, l))
		reason = REASON_TAKEN;
	else
		reason = seat_take(w->agent, w->conf, l->profile, word, &i,
		    &l->is_new);
	if (reason != REASON_NONE) {
		settle(l, reason == REASON_TAKEN ? ACTION_SKIPPED :
		    ACTION_FAILED, reason);
		return;
	}
	if (!l->is_new)
		l->imported = ledger_import(i, word);
	take_word(i, word);
	l->l.change = l->is_new || l->imported;
	take_instance(l, i);
}

static void
seat_one(struct pass *p, struct ward *w, const struct msg_profile_found *f)
{
	struct word	 word;
	struct line	*l;

	word.state = (enum profile_state)f->state;
	word.desired = (enum profile_desired)f->desired;
	word.stamp = f->stamp;
	if ((l = new_line(p, w, f->name, word.state)) != NULL)
		seat_word(p, l, &word, (int)f->stale);
}

/* The same of one whose file cannot be read now. */
static void
seat_unread(struct pass *p, struct ward *w, const char *profile,
    enum plan_reason reason)
{
	struct line	*l;

	w->lost = 1;
	if ((l = new_line(p, w, profile, PSTATE_UNREADABLE)) == NULL)
		return;
	if (is_recorded(l))
		seat_word(p, l, NULL, 0);
	else
		settle(l, ACTION_FAILED, reason);
}

static void
skip_one(struct pass *p, struct ward *w, const struct msg_profile_found *f)
{
	struct line	*l;

	if ((l = new_line(p, w, "", PSTATE_NONE)) == NULL)
		return;
	l->name[0] = '\0';
	strlcpy(l->odd, f->name, sizeof(l->odd));
	l->l.odd = l->odd;
	settle(l, ACTION_SKIPPED, plan_skip((enum profile_skip)f->skip));
}

/* In one line: they may be thousands. */
static void
tell_unread(const struct ward *w, const struct msg_profile_found *first,
    size_t n)
{
	char	 more[40] = "";

	if (n > 1)
		snprintf(more, sizeof(more), " (and of %zu more)", n - 1);
	log_warnx("read the state file of profile %s of %s%s: %s; what is on "
	    "record holds, and without that it is not started until the file "
	    "can be read, which is tried again", first->name, w->conf->name,
	    more, strerror(first->error));
}

static void
seat_found(struct pass *p, struct ward *w)
{
	const struct msg_profile_found	*f, *unread = NULL;
	size_t				 k, n, bad = 0;

	f = roster_found(w->roster, &n);
	for (k = 0; k < n; k++) {
		if (f[k].skip != SKIP_NONE)
			skip_one(p, w, &f[k]);
		else if (f[k].error == 0)
			seat_one(p, w, &f[k]);
		else {
			seat_unread(p, w, f[k].name, REASON_WORD);
			if (bad++ == 0)
				unread = &f[k];
		}
	}
	if (unread != NULL)
		tell_unread(w, unread, bad);
}

static void
trouble(struct pass *p, struct ward *w, enum plan_reason reason)
{
	struct line	*l;

	if ((l = new_line(p, w, "", PSTATE_NONE)) == NULL)
		return;
	l->name[0] = '\0';
	settle(l, ACTION_FAILED, reason);
}

/* Those that the pass has not seen: they have gone, or could not be seen. */
static void
unseen(struct pass *p, struct ward *w, int gone, int keep_intent)
{
	struct instance	*i, *next;
	struct line	*l;

	TAILQ_FOREACH_SAFE(i, &w->agent->instances, entry, next) {
		if (i->seated || strcmp(i->service, w->conf->name) != 0)
			continue;
		if (!gone) {
			known_one(p, w, i);
			continue;
		}
		if ((l = new_line(p, w, i->profile, i->echoed.state)) == NULL)
			continue;
		settle(l, ACTION_REMOVED, REASON_NONE);
		l->l.change = 1;
		if (p->dry)
			continue;
		i->keep_intent = keep_intent;
		if (!keep_intent)
			echo_dismiss(w->roster, i);
		instance_dismiss(i);
	}
}

/* A service without a home has one instance, and that is there. */
static void
judge_plain(struct pass *p, struct ward *w)
{
	struct instance	*i = instance_find(w->conf->name);
	struct line	*l;

	if ((l = new_line(p, w, "", PSTATE_NONE)) == NULL)
		return;
	if (p->dry)
		dry_one(p, l, NULL, 0);
	else if (i != NULL && i->agent == w->agent)
		take_instance(l, i);
	else
		settle(l, ACTION_FAILED, REASON_MEMORY);
}

void
judge_seat(struct pass *p, struct ward *w)
{
	const struct msg_profile_scanned *end;
	struct instance			 *i;

	TAILQ_FOREACH(i, &w->agent->instances, entry)
		i->seated = 0;
	if (w->conf->home == NULL) {
		judge_plain(p, w);
		return;
	}
	if (w->roster == NULL) {
		trouble(p, w, REASON_CHILD);
		seat_unread(p, w, PROFILE_DEFAULT, REASON_CHILD);
		unseen(p, w, 0, 0);
		return;
	}
	end = roster_scanned(w->roster);
	seat_found(p, w);
	if (end->dir_errno != 0 && end->dir_errno != ENOENT) {
		trouble(p, w, REASON_DIR);
		/* What is not forbidden may pass by itself. */
		if (end->dir_errno != EACCES)
			w->lost = 1;
	}
	if (end->many)
		trouble(p, w, REASON_MANY);
	/* The whole directory is not there: a volume may be missing, so
	 * what was wanted is not forgotten. */
	unseen(p, w, (end->dir_errno == 0 || end->dir_errno == ENOENT) &&
	    !end->many, end->dir_errno == ENOENT);
}

/* --- verdicts --------------------------------------------------------- */

void
judge_decide(struct line *l)
{
	struct facts	 f;
	enum plan_action action;
	enum plan_reason reason;

	if (l->decided || l->i == NULL)
		return;
	facts_instance(l, &f);
	action = plan_decide(&f, &reason);
	settle(l, action, reason);
	if (f.alive)
		l->l.prior = PRIOR_UNKNOWN;
	else if (!l->is_new)
		l->l.prior = plan_prior(1, &l->i->in, 0);
	if (l->imported && l->l.reason == REASON_NONE)
		l->l.reason = REASON_IMPORT;
	if (l->l.action == ACTION_STARTED || l->l.action == ACTION_STOPPED)
		l->l.change = 1;
	if (l->l.action == ACTION_STOPPED)
		service_stop(l->i, "its profile's file wants it down");
}

void
judge_outcome(struct line *l)
{
	enum service_state	 s;

	if (l->l.action != ACTION_STARTED || l->i == NULL)
		return;
	s = l->i->state;
	if (s == SERVICE_DOWN && l->i->agent != NULL &&
	    startcheck_holds(l->i->agent))
		l->l.reason = REASON_VERIFY;
	else if (s == SERVICE_DOWN && observe_awaits(l->i))
		settle(l, ACTION_REGISTERED, REASON_AWAITS);
	else if (s == SERVICE_DOWN || s == SERVICE_BACKOFF ||
	    s == SERVICE_FAILED)
		settle(l, ACTION_FAILED, REASON_NOSTART);
}
