/*
 * Commands, as net and updaterctl ask for them: one table says who may and
 * what is done.  net has checked the role of its caller; what only root may
 * do over the control socket is checked here.
 */
#include <sys/types.h>
#include <sys/stat.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "audit.h"
#include "error.h"
#include "expiry.h"
#include "journal.h"
#include "log.h"
#include "parent.h"
#include "proto.h"
#include "reconcile.h"
#include "reload.h"
#include "self.h"
#include "trial.h"
#include "update.h"

#define HISTORY_LINES	200		/* in one answer */

static struct agent *
op_agent(struct caller *c, const struct msg_request *m)
{
	struct agent	*a;
	char		 text[UPD_TEXT_SIZE];

	if ((a = parent_agent(m->agent)) == NULL) {
		if (strcmp(m->agent, SELF_NAME) == 0)
			strlcpy(text, SELF_NONE, sizeof(text));
		else if (m->agent[0] != '\0')
			snprintf(text, sizeof(text), "no agent named %s",
			    m->agent);
		else
			strlcpy(text, "more than one agent and none is named "
			    "default: name one", sizeof(text));
		caller_error(c, UPD_ENOTFOUND, text);
		return NULL;
	}
	if (a->store == NULL) {
		caller_error(c, UPD_EIO, a->text);
		return NULL;
	}
	return a;
}

static void
op_health(struct caller *c, const struct msg_request *m)
{
	struct agent	*a = parent_agent(m->agent);

	caller_reply(c, 200, status_health(a));
}

static void
op_releases(struct caller *c, const struct msg_request *m)
{
	struct agent	*a;

	if ((a = op_agent(c, m)) != NULL)
		caller_reply(c, 200, store_json(a->store));
}

static void
op_status(struct caller *c, const struct msg_request *m)
{
	caller_reply(c, 200, status_json());
}

static void
op_agents(struct caller *c, const struct msg_request *m)
{
	struct agent	*a;

	if (m->agent[0] == '\0')
		caller_reply(c, 200, json_pack("{s:o}", "agents",
		    status_agents()));
	else if ((a = op_agent(c, m)) != NULL)
		caller_reply(c, 200, status_agent(a));
}

static void
op_manifest(struct caller *c, const struct msg_request *m)
{
	struct agent	*a;
	struct stat	 st;
	int		 fd;

	if ((a = op_agent(c, m)) == NULL)
		return;
	if (a->store->current[0] == '\0') {
		caller_error(c, UPD_ENOTFOUND, "no active release");
		return;
	}
	if ((fd = release_manifest(a->store, a->store->current)) == -1 ||
	    fstat(fd, &st) == -1) {
		if (fd != -1)
			close(fd);
		caller_error(c, UPD_EIO, "the manifest cannot be read");
		return;
	}
	caller_reply_fd(c, fd, (uint64_t)st.st_size,
	    "text/plain; charset=utf-8");
}

static void
op_metrics(struct caller *c, const struct msg_request *m)
{
	scrape(c);
}

static void
op_rollback(struct caller *c, const struct msg_request *m)
{
	struct agent	*a;

	if ((a = op_agent(c, m)) == NULL)
		return;
	if (m->arg[0] != '\0' && !id_isvalid(m->arg)) {
		caller_error(c, UPD_EBADREQ, "to: not a release id");
		return;
	}
	update_rollback(c, a, m->arg);
}

static void
op_confirm(struct caller *c, const struct msg_request *m)
{
	struct agent	*a;

	if ((a = op_agent(c, m)) == NULL)
		return;
	if (m->arg[0] != '\0' && !id_isvalid(m->arg)) {
		caller_error(c, UPD_EBADREQ, "id: not a release id");
		return;
	}
	trial_confirm(c, a, m->arg);
}

static void
op_verify(struct caller *c, const struct msg_request *m)
{
	struct agent	*a;

	if ((a = op_agent(c, m)) == NULL)
		return;
	if (m->arg[0] != '\0' && !id_isvalid(m->arg)) {
		caller_error(c, UPD_EBADREQ, "not a release id");
		return;
	}
	audit_ask(c, a, m->arg);
}

/* --- services ------------------------------------------------------- */

static void
service_answer(void *arg, enum upd_error error, const char *text)
{
	struct caller	*c = arg;

	if (error != UPD_OK)
		caller_error(c, error, text);
	else
		caller_reply(c, 200, json_pack("{s:s, s:s}", "status", "ok",
		    "detail", text));
}

static void
op_service(struct caller *c, const struct msg_request *m)
{
	struct instance	*i;
	char		 text[UPD_TEXT_SIZE];

	if ((i = service_find(m->arg)) == NULL) {
		service_unknown(m->arg, text, sizeof(text));
		caller_error(c, UPD_ENOTFOUND, text);
		return;
	}
	if (update_current() != NULL &&
	    update_current()->state >= UPDATE_PROMOTING) {
		caller_error(c, UPD_EBUSY, "a release is being switched; try "
		    "again when it is done");
		return;
	}
	log_info("%s %s for %s", op_name(m->op), m->arg, c->who.subject);
	service_op(i, m->op, c->who.subject, service_answer, c);
}

/* --- control socket only -------------------------------------------- */

static void
op_history(struct caller *c, const struct msg_request *m)
{
	struct agent	*a;

	if ((a = op_agent(c, m)) != NULL)
		caller_reply(c, 200, json_pack("{s:o}", "history",
		    history_read(a->store, HISTORY_LINES)));
}

static void
reload_answer(void *arg, const char *text)
{
	struct caller	*c = arg;

	if (text[0] != '\0')
		caller_error(c, UPD_EBADREQ, text);
	else
		/* Who has put the wrong file there hears of it now. */
		caller_reply(c, 200, json_pack("{s:s, s:o}", "status",
		    "reloaded", "warnings", expiry_warnings()));
}

static void
op_reload(struct caller *c, const struct msg_request *m)
{
	char	 text[UPD_TEXT_SIZE];

	if (reload_ask(reload_answer, c, text) == -1)
		caller_error(c, UPD_EBADREQ, text);
}

static void
op_verbose(struct caller *c, const struct msg_request *m)
{
	if (strcmp(m->arg, "verbose") != 0 && strcmp(m->arg, "brief") != 0) {
		caller_error(c, UPD_EBADREQ, "brief or verbose");
		return;
	}
	parent_setverbose(strcmp(m->arg, "verbose") == 0 ? 2 : 0);
	caller_reply(c, 200, json_pack("{s:s, s:s}", "status", "ok",
	    "detail", m->arg));
}

static void
op_monitor(struct caller *c, const struct msg_request *m)
{
	if (control_monitor(c) == -1)
		caller_error(c, UPD_EBADREQ, "monitors already");
}

static void
op_reconcile(struct caller *c, const struct msg_request *m)
{
	if (m->arg[0] != '\0' && strcmp(m->arg, "dry") != 0)
		caller_error(c, UPD_EBADREQ, "dry or nothing");
	else
		reconcile_command(c, m->arg[0] != '\0');
}

static void
op_profiles(struct caller *c, const struct msg_request *m)
{
	caller_reply(c, 200, profiles_json());
}

static const struct {
	void	(*run)(struct caller *, const struct msg_request *);
	int	  root;			/* control socket: root only */
} ops[OP__MAX] = {
	[OP_HEALTH] =		{ op_health,	0 },
	[OP_RELEASES] =		{ op_releases,	0 },
	[OP_STATUS] =		{ op_status,	0 },
	[OP_AGENTS] =		{ op_agents,	0 },
	/* a descriptor: only root's channel carries one */
	[OP_MANIFEST] =		{ op_manifest,	1 },
	[OP_METRICS] =		{ op_metrics,	0 },
	[OP_ROLLBACK] =		{ op_rollback,	1 },
	[OP_START] =		{ op_service,	1 },
	[OP_STOP] =		{ op_service,	1 },
	[OP_RESTART] =		{ op_service,	1 },
	[OP_CONFIRM] =		{ op_confirm,	1 },
	[OP_HISTORY] =		{ op_history,	0 },
	[OP_RELOAD] =		{ op_reload,	1 },
	[OP_VERBOSE] =		{ op_verbose,	1 },
	[OP_MONITOR] =		{ op_monitor,	0 },
	[OP_VERIFY] =		{ op_verify,	0 },
	[OP_RECONCILE] =	{ op_reconcile,	1 },
	[OP_PROFILES] =		{ op_profiles,	0 }
};

void
ops_run(struct caller *c, const struct msg_request *m)
{
	char	 text[UPD_TEXT_SIZE];

	if (m->op >= OP__MAX || ops[m->op].run == NULL) {
		caller_error(c, UPD_EBADREQ, "unknown command");
		return;
	}
	if (ops[m->op].root && c->uid != (uid_t)-1 && c->uid != 0) {
		snprintf(text, sizeof(text), "%s needs root", op_name(m->op));
		caller_error(c, UPD_EFORBIDDEN, text);
		return;
	}
	/* The ghost has memory and a channel, and acts on nothing. */
	if (env->ghost && m->op != OP_HEALTH && m->op != OP_RELEASES &&
	    m->op != OP_STATUS && m->op != OP_AGENTS) {
		caller_error(c, UPD_EBUSY, self_busy());
		return;
	}
	ops[m->op].run(c, m);
}
