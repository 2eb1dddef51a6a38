/*
 * A reload: the configuration is read again, and swapped in only if it is
 * valid, its sockets can be had, and net takes it; until then the old one
 * is in use, and stays so where anything fails.  What cannot change while
 * we run is refused.
 *
 * One that is asked for by a signal while something is in flight comes
 * after that; whoever asks over the control socket is told to come again.
 */
#include <sys/types.h>

#include <signal.h>
#include <stdio.h>
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

static struct event	 ev_hup;
static struct config	*trying;	/* by net */
static void		(*done_fn)(void *, const char *);
static void		*done_arg;
static int		 wanted;	/* HUP came meanwhile */
static int		 allowed;	/* the start is over */

static void	 result(const char *);

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

/* What has to end first, and is in no hurry for our sake; or NULL. */
static const char *
obstacle(void)
{
	if (!allowed)
		return "updaterd is still starting: reload when it serves";
	if (trying != NULL)
		return "a reload is under way: reload again when it is done";
	if (reconcile_isbusy())
		return "the last configuration is still being put into "
		    "effect: reload when that is done";
	if (update_current() != NULL)
		return "an update is in flight: reload when it is done";
	return self_busy();
}

int
reload_start(void (*done)(void *, const char *), void *arg, char *text)
{
	struct config	*c;
	const char	*what;
	char		 tell[64];

	if ((what = obstacle()) != NULL) {
		strlcpy(text, what, UPD_TEXT_SIZE);
		return -1;
	}
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
	if (users_check(c, text) == -1 || listen_prepare(c, text) == -1)
		goto fail;
	snprintf(tell, sizeof(tell), "RELOADING=1\nMONOTONIC_USEC=%llu",
	    (unsigned long long)time_mono_us());
	sdnotify(tell);
	trying = c;
	done_fn = done;
	done_arg = arg;
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
	done_fn(done_arg, "");
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
	done_fn(done_arg, text);
	parent_idle();
}

static void
hup_done(void *arg, const char *text)
{
	if (text[0] != '\0')
		log_warnx("reload: %s", text);
}

static void
sig_hup(int sig, short ev, void *arg)
{
	char	 text[UPD_TEXT_SIZE];

	if (obstacle() != NULL) {
		log_info("reload after what is in flight");
		wanted = 1;
	} else if (reload_start(hup_done, NULL, text) == -1)
		log_warnx("reload: %s", text);
}

void
reload_next(void)
{
	char	 text[UPD_TEXT_SIZE];

	if (!wanted || obstacle() != NULL)
		return;
	wanted = 0;
	if (reload_start(hup_done, NULL, text) == -1)
		log_warnx("reload: %s", text);
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
