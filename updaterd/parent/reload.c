/*
 * A reload: the configuration is read again, and swapped in only if it is
 * valid, its sockets can be had, and net takes it; until then the old one
 * is in use, and stays so where anything fails.  What cannot change while
 * we run is refused.
 *
 * One that is asked for at a bad moment is not lost.  The end of a start,
 * and of the reload before, comes by itself in a moment: whoever asks waits
 * for that, and all who do are served by one reload, which reads what is
 * there by then.  An update may last: a signal is remembered until it is
 * over, whoever asks over the control socket is told to come again.
 */
#include <sys/types.h>
#include <sys/queue.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "echo.h"
#include "expiry.h"
#include "log.h"
#include "parent.h"
#include "reconcile.h"
#include "reload.h"
#include "self.h"
#include "update.h"
#include "util.h"

struct asker {
	TAILQ_ENTRY(asker)	 entry;
	void			(*done)(void *, const char *);
	void			*arg;
};
TAILQ_HEAD(askers, asker);

static struct event	 ev_hup;
static struct config	*trying;	/* by net */
static struct askers	 waiting = TAILQ_HEAD_INITIALIZER(waiting);
static struct askers	 served = TAILQ_HEAD_INITIALIZER(served);
static int		 wanted;	/* HUP came meanwhile */
static int		 allowed;	/* the start is over */

static void	 result(const char *);

/* Who asked for that one; a signal's word is the log.  Whoever is told may
 * ask again, for the next one. */
static void
tell(struct askers *list, const char *text)
{
	struct askers	 now = TAILQ_HEAD_INITIALIZER(now);
	struct asker	*a;

	TAILQ_CONCAT(&now, list, entry);
	while ((a = TAILQ_FIRST(&now)) != NULL) {
		TAILQ_REMOVE(&now, a, entry);
		a->done(a->arg, text);
		free(a);
	}
}

/* What cannot change while we run; its name, or NULL. */
static const char *
fixed_changed(const struct config *a, const struct config *b)
{
	if (strcmp(a->user, b->user) != 0)
		return "user";
	if (strcmp(a->unpack_user, b->unpack_user) != 0)
		return "unpack user";
	if (strcmp(a->chroot, b->chroot) != 0)
		return "chroot";
	if (strcmp(a->state, b->state) != 0)
		return "state";
	if (strcmp(a->control, b->control) != 0 ||
	    (a->control_group == NULL) != (b->control_group == NULL) ||
	    (a->control_group != NULL && strcmp(a->control_group,
	    b->control_group) != 0))
		return "control";
	return NULL;
}

int
reload_isbusy(void)
{
	return trying != NULL;
}

/* What has to end first, or NULL; passing: it does so by itself, soon. */
static const char *
obstacle(int *passing)
{
	*passing = 0;
	if (env->stopping)
		return "updaterd is stopping";
	*passing = 1;
	if (!allowed)
		return "updaterd is still starting";
	if (trying != NULL)
		return "a reload is under way";
	if (reconcile_isbusy())
		return "the last configuration is being put into effect";
	*passing = 0;
	if (update_current() != NULL)
		return "an update is in flight: reload when it is done";
	return self_busy();
}

/* 0, or -1 with text: nothing has begun. */
static int
begin(char *text)
{
	struct config	*c;
	const char	*what;
	char		 word[64];

	log_info("reload %s", env->conf->path);
	if ((c = config_parse(env->conf->path)) == NULL) {
		snprintf(text, UPD_TEXT_SIZE, "%s has errors: see the log, or "
		    "updaterd -n; the old configuration stays in use",
		    env->conf->path);
		return -1;
	}
	if ((what = fixed_changed(env->conf, c)) != NULL) {
		snprintf(text, UPD_TEXT_SIZE, "%s cannot change while updaterd "
		    "runs: restart it; the old configuration stays in use",
		    what);
		goto fail;
	}
	if (self_isheld(c, text) || users_check(c, text) == -1 ||
	    listen_prepare(c, text) == -1)
		goto fail;
	snprintf(word, sizeof(word), "RELOADING=1\nMONOTONIC_USEC=%llu",
	    (unsigned long long)time_mono_us());
	sdnotify(word);
	trying = c;
	if (children_configure(c, result, text) == -1) {
		trying = NULL;
		listen_abandon();
		sdnotify("READY=1");
		goto fail;
	}
	return 0;
fail:
	config_free(c);
	return -1;
}

/* All that the profiles' own files shall say of the old one is in them. */
static void
take(void)
{
	struct config	*old = env->conf;

	sdnotify("READY=1");
	listen_commit();
	env->conf = trying;
	trying = NULL;
	parent_configure(NULL);
	config_free(old);
	expiry_review(env->conf);
	log_notice("reloaded %s", env->conf->path);
	tell(&served, "");
	parent_idle();
}

static void
result(const char *text)
{
	if (text[0] == '\0') {
		echo_flush(take);
		return;
	}
	sdnotify("READY=1");
	listen_abandon();
	config_free(trying);
	trying = NULL;
	log_warnx("reload: %s", text);
	tell(&served, text);
	parent_idle();
}

/* For all who have asked until now. */
static void
run(void)
{
	char	 text[UPD_TEXT_SIZE];

	wanted = 0;
	TAILQ_CONCAT(&served, &waiting, entry);
	if (begin(text) == -1) {
		log_warnx("reload: %s", text);
		tell(&served, text);
	}
}

void
reload_next(void)
{
	const char	*what;
	int		 passing;

	if (!wanted && TAILQ_EMPTY(&waiting))
		return;
	if ((what = obstacle(&passing)) == NULL)
		run();
	else if (!passing)
		tell(&waiting, what);
}

int
reload_ask(void (*done)(void *, const char *), void *arg, char *text)
{
	struct asker	*a;
	const char	*what;
	int		 passing;

	if ((what = obstacle(&passing)) != NULL && !passing) {
		strlcpy(text, what, UPD_TEXT_SIZE);
		return -1;
	}
	if ((a = calloc(1, sizeof(*a))) == NULL) {
		strlcpy(text, "out of memory", UPD_TEXT_SIZE);
		return -1;
	}
	a->done = done;
	a->arg = arg;
	TAILQ_INSERT_TAIL(&waiting, a, entry);
	if (what == NULL)
		run();
	else
		log_info("reload later: %s", what);
	return 0;
}

static void
sig_hup(int sig, short ev, void *arg)
{
	const char	*what;
	int		 passing;

	wanted = 1;
	if ((what = obstacle(&passing)) == NULL)
		run();
	else
		log_info("reload later: %s", what);
}

void
reload_allow(void)
{
	allowed = 1;
}

void
reload_init(void)
{
	signal_set(&ev_hup, SIGHUP, sig_hup, NULL);
	signal_add(&ev_hup, NULL);
}
