/*
 * Who asks for a pass, and who is told.  One at a time; what has to wait
 * waits here: for the pass under way, for an update that is switching
 * releases, for a reload.
 *
 * A new configuration cancels the pass under way and begins its own, which
 * covers all that was asked for; a command that was cut off is done again
 * after it.
 */
#include <sys/types.h>
#include <sys/queue.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "instance.h"
#include "log.h"
#include "reconcile.h"
#include "util.h"

struct want {
	TAILQ_ENTRY(want)	 entry;
	struct caller		*caller;	/* NULL: an event */
	int			 dry;
	char			 service[UPD_NAME_SIZE];	/* "" all */
};
static TAILQ_HEAD(, want) wants = TAILQ_HEAD_INITIALIZER(wants);

static struct pass	*now;		/* under way, or NULL */
static struct want	*serving;	/* whom it is for; NULL: nobody */
static void		(*configured)(void);	/* NULL: is told */
static void		(*once_done)(int, int);

static void	 next(void);

/* --- what is said about a pass ---------------------------------------- */

/* Every line, loud where something is amiss, and one in all. */
static void
log_pass(const struct pass *p)
{
	int	 count[ACTION__MAX] = { 0 }, a;
	char	 text[PROFILE_LINE_SIZE], sum[256];
	size_t	 k, len = 0;

	for (k = 0; k < p->n; k++) {
		count[p->lines[k]->l.action]++;
		plan_print(&p->lines[k]->l, text, sizeof(text));
		/* the log has its own time */
		if (p->lines[k]->l.action == ACTION_FAILED)
			log_warnx("reconcile%s", strchr(text, ' '));
		else
			log_info("reconcile%s", strchr(text, ' '));
	}
	sum[0] = '\0';
	for (a = 0; a < ACTION__MAX; a++)
		if (count[a] > 0 && len < sizeof(sum))
			len += (size_t)snprintf(sum + len, sizeof(sum) - len,
			    ", %d %s", count[a],
			    plan_actionname((enum plan_action)a));
	if (p->changes > 0 || p->failed > 0)
		log_notice("reconciled %zu: %s", p->n, sum[0] != '\0' ?
		    sum + 2 : "nothing");
}

static json_t *
pass_json(const struct pass *p)
{
	char	 text[PROFILE_LINE_SIZE];
	json_t	*lines = json_array();
	size_t	 k;

	for (k = 0; k < p->n; k++) {
		plan_print(&p->lines[k]->l, text, sizeof(text));
		json_array_append_new(lines, json_string(text));
	}
	return json_pack("{s:b, s:i, s:i, s:o}", "dry", p->dry, "changes",
	    p->changes, "failed", p->failed, "lines", lines);
}

/* --- passes ----------------------------------------------------------- */

/* Start what is wanted; what is there already goes on. */
static void
act_start(struct pass *p)
{
	struct agent	*a;

	TAILQ_FOREACH(a, &env->agents, entry)
		if (!recover_isopen(a))
			service_start_wanted(a);
}

static void
act_configured(struct pass *p)
{
	void	(*tell)(void) = configured;

	configured = NULL;
	tell();
}

static void
done_configured(struct pass *p)
{
	now = NULL;
	log_pass(p);
	next();
}

static void
done_wanted(struct pass *p)
{
	struct want	*w = serving;

	now = NULL;
	serving = NULL;
	if (p->busy) {		/* again, after the update */
		TAILQ_INSERT_HEAD(&wants, w, entry);
		return;
	}
	if (!p->dry)
		log_pass(p);
	if (w->caller != NULL)
		caller_reply(w->caller, 200, pass_json(p));
	free(w);
	next();
}

static void
next(void)
{
	struct want	*w;

	if (now != NULL || configured != NULL ||
	    (w = TAILQ_FIRST(&wants)) == NULL)
		return;
	TAILQ_REMOVE(&wants, w, entry);
	serving = w;
	now = pass_new(w->service, w->dry, 0, act_start, done_wanted);
	if (now != NULL) {
		pass_run(now);
		return;
	}
	serving = NULL;
	if (w->caller != NULL)
		caller_error(w->caller, UPD_EIO, "out of memory");
	free(w);
}

void
reconcile_configured(void (*done)(void))
{
	struct pass	*p;

	lookout_configured();
	configured = done;
	if ((p = pass_new("", 0, 0, act_configured, done_configured)) ==
	    NULL) {
		log_warnx("reconcile: out of memory");
		configured = NULL;
		done();
		return;
	}
	now = p;
	pass_run(p);
}

int
reconcile_isbusy(void)
{
	return configured != NULL;
}

void
reconcile_cancel(void)
{
	pass_cancel(now);
	now = NULL;
	if (serving != NULL && serving->caller != NULL)
		TAILQ_INSERT_HEAD(&wants, serving, entry);
	else
		free(serving);
	serving = NULL;
}

void
reconcile_idle(void)
{
	if (!env->stopping)
		next();
}

static struct want *
want_new(const char *service)
{
	struct want	*w;

	if ((w = calloc(1, sizeof(*w))) == NULL)
		return NULL;
	strlcpy(w->service, service, sizeof(w->service));
	TAILQ_INSERT_TAIL(&wants, w, entry);
	return w;
}

void
reconcile_command(struct caller *c, int dry)
{
	struct want	*w;

	if (env->stopping) {
		caller_error(c, UPD_EFULL, "updaterd is stopping");
		return;
	}
	if ((w = want_new("")) == NULL) {
		caller_error(c, UPD_EIO, "out of memory");
		return;
	}
	w->caller = c;
	w->dry = dry;
	next();
}

void
reconcile_event(const char *service)
{
	struct want	*w;

	if (env->stopping)
		return;
	TAILQ_FOREACH(w, &wants, entry)
		if (w->caller == NULL && strcmp(w->service, service) == 0)
			return;
	if (want_new(service) == NULL) {
		log_warnx("reconcile %s: out of memory", service);
		lookout_retry(service);
		return;
	}
	next();
}

/* --- once ------------------------------------------------------------- */

static void
act_once(struct pass *p)
{
	struct agent	*a;

	TAILQ_FOREACH(a, &env->agents, entry)
		if (!recover_isopen(a))
			recover_agent(a);
}

static void
done_once(struct pass *p)
{
	char	 text[PROFILE_LINE_SIZE];
	size_t	 k;

	for (k = 0; k < p->n; k++) {
		plan_print(&p->lines[k]->l, text, sizeof(text));
		printf("%s\n", text);
	}
	once_done(p->changes, p->failed);
}

void
reconcile_once(int dry, void (*done)(int, int))
{
	struct pass	*p;

	once_done = done;
	if ((p = pass_new("", dry, 1, act_once, done_once)) == NULL)
		fatal("reconcile");
	pass_run(p);
}
