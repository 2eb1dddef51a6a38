/*
 * What an operator wants to see, as JSON: the same for HTTP and for
 * updaterctl.
 */
#include <sys/types.h>
#include <sys/statvfs.h>

#include <string.h>
#include <unistd.h>

#include "expiry.h"
#include "instance.h"
#include "log.h"
#include "netcount.h"
#include "parent.h"
#include "proto.h"
#include "reap.h"
#include "self.h"
#include "../sandbox.h"
#include "trial.h"
#include "update.h"
#include "util.h"
#include "version.h"

static json_t *
iso_or_null(int64_t us)
{
	char	 buf[40];

	if (us == 0)
		return json_null();
	time_iso(us, buf, sizeof(buf));
	return json_string(buf);
}

static json_t *
text_or_null(const char *s)
{
	return s != NULL && s[0] != '\0' ? json_string(s) : json_null();
}

/* The names of a LAYER_ mask as an array. */
static json_t *
layers_json(uint32_t mask)
{
	json_t	*a = json_array();
	char	 names[256], *p, *next;

	sandbox_names(mask, names, sizeof(names));
	for (p = names; p != NULL && *p != '\0'; p = next) {
		if ((next = strchr(p, ' ')) != NULL)
			*next++ = '\0';
		json_array_append_new(a, json_string(p));
	}
	return a;
}

static json_t *
process_json(enum proc_type type)
{
	const struct procinfo	*i = &env->proc[type];
	json_t			*o;

	o = json_pack("{s:s, s:i, s:o, s:i}", "name", proc_name(type),
	    "pid", (int)i->pid, "since", iso_or_null(i->since),
	    "restarts", (int)i->restarts);
	if (i->seen) {
		json_object_set_new(o, "layers",
		    layers_json(i->ready.layers));
		json_object_set_new(o, "missing",
		    layers_json(i->ready.missing));
		json_object_set_new(o, "landlock_abi",
		    json_integer(i->ready.landlock_abi));
	}
	return o;
}

static json_t *
slot_json(struct agent *a, const char *slot)
{
	struct release	*r;

	TAILQ_FOREACH(r, &a->store->list, entry)
		if (strcmp(store_slot(a->store, r), slot) == 0)
			return release_json(a->store, r);
	return json_null();
}

/* One agent with its services. */
json_t *
status_agent(struct agent *a)
{
	const struct update	*u = update_current();
	struct statvfs		 vfs;
	json_t			*o;

	o = json_pack("{s:s, s:s, s:s, s:o, s:o, s:o, s:o}",
	    "name", a->conf->name, "root", a->conf->root,
	    "state", u != NULL && u->agent == a ?
	    update_statename(u->state) : trial_statename(a) != NULL ?
	    trial_statename(a) : "idle",
	    "broken", a->store == NULL ? text_or_null(a->text) : json_null(),
	    "error", text_or_null(a->last_error),
	    "error_at", a->last_error[0] ? iso_or_null(a->last_error_at) :
	    json_null(), "services", service_json(a));
	if (o == NULL || a->store == NULL)
		return o;
	json_object_set_new(o, "trial", trial_json(a));
	json_object_set_new(o, "release", slot_json(a, "active"));
	json_object_set_new(o, "previous", slot_json(a, "prev"));
	json_object_set_new(o, "failed", slot_json(a, "failed"));
	if (fstatvfs(a->store->relfd, &vfs) == 0) {
		json_object_set_new(o, "free", json_integer(
		    (json_int_t)((uint64_t)vfs.f_bavail * vfs.f_frsize)));
		json_object_set_new(o, "reserve", json_integer(
		    (json_int_t)((uint64_t)vfs.f_blocks * vfs.f_frsize / 100 *
		    a->conf->reserve)));
	}
	return o;
}

json_t *
status_agents(void)
{
	struct agent	*a;
	json_t		*list = json_array();

	TAILQ_FOREACH(a, &env->agents, entry)
		json_array_append_new(list, status_agent(a));
	return list;
}

/* All instances that have a home. */
json_t *
profiles_json(void)
{
	const struct instance	*i;
	struct agent		*a;
	json_t			*list = json_array();

	TAILQ_FOREACH(a, &env->agents, entry)
		TAILQ_FOREACH(i, &a->instances, entry)
			if (i->home != NULL)
				json_array_append_new(list, json_pack(
				    "{s:s, s:s, s:s, s:s, s:s, s:s, s:o}",
				    "name", i->name, "service", i->service,
				    "profile", i->profile, "state",
				    service_statename(i->state), "wanted",
				    i->in.desired ? "running" : "stopped",
				    "home", i->home, "wanted_by",
				    text_or_null(i->in.desired_by)));
	return json_pack("{s:o}", "profiles", list);
}

/* "*" is two sockets, IPv4 and IPv6, of one text. */
static void
add_listener(void *arg, int fd, const char *text)
{
	const json_t	*v;
	size_t		 i;

	json_array_foreach(arg, i, v)
		if (strcmp(json_string_value(v), text) == 0)
			return;
	json_array_append_new(arg, json_string(text));
}

/* The newest release that failed, if it is newer than what is active.  Ids of
 * the same second do not tell. */
static const struct release *
last_failed(struct store *s)
{
	const struct release	*now = store_find(s, s->current);
	const struct release	*r, *bad = NULL;

	TAILQ_FOREACH(r, &s->list, entry)
		if (r->state == RELEASE_FAILED && (bad == NULL ||
		    r->installed_at > bad->installed_at))
			bad = r;
	return bad != NULL && (now == NULL ||
	    bad->installed_at > now->installed_at) ? bad : NULL;
}

/* What updaterd itself is; null without a store of its own.  With no more
 * than a master waits for, or all that an operator wants to know. */
static json_t *
self_json(int all)
{
	struct agent		*a = env->self;
	struct release		*r;
	const struct release	*bad;
	json_t			*o;

	if (a == NULL)
		return json_null();
	o = json_pack("{s:o, s:b, s:o}", "id", text_or_null(handover.id),
	    "trial", self_ontrial(), "confirm", a->trial != NULL ?
	    json_integer(trial_confirmleft(a)) : json_null());
	if (all && o != NULL) {
		json_object_set_new(o, "root", json_string(a->conf->root));
		json_object_set_new(o, "program", json_string(proc_path()));
		json_object_set_new(o, "broken", a->store == NULL ?
		    text_or_null(a->text) : json_null());
		json_object_set_new(o, "error",
		    text_or_null(a->last_error));
	}
	if (o == NULL || a->store == NULL)
		return o;
	r = store_find(a->store, handover.id);
	bad = last_failed(a->store);
	json_object_set_new(o, "release", r != NULL ?
	    release_json(a->store, r) : json_null());
	json_object_set_new(o, "current", text_or_null(a->store->current));
	json_object_set_new(o, "failed", bad != NULL ?
	    release_json(a->store, bad) : json_null());
	json_object_set_new(o, "why", bad != NULL ? text_or_null(bad->why) :
	    json_null());
	return o;
}

json_t *
status_json(void)
{
	json_t	*procs = json_array(), *listeners = json_array();
	int	 i;

	for (i = PROC_PARENT; i <= PROC_UNPACK; i++)
		json_array_append_new(procs,
		    process_json((enum proc_type)i));
	if (env->proc[PROC_PROFILE].seen)
		json_array_append_new(procs, process_json(PROC_PROFILE));
	listen_each(add_listener, listeners);
	/* Who looks wants to know whether all is well: a net that is stuck
	 * is found out. */
	(void)netcount_ask();
	return json_pack(
	    "{s:s, s:i, s:o, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o}",
	    "version", UPD_VERSION, "pid", (int)getpid(),
	    "since", iso_or_null(env->since), "boot", boot_id(),
	    "config", env->conf->path, "listen", listeners,
	    "certificates", expiry_json(),
	    "processes", procs, "update", update_json(),
	    "agents", status_agents(), "self",
	    self_json(1));
}

/* GET /health: for any certificate of the CA.  The agent may be NULL. */
json_t *
status_health(struct agent *a)
{
	json_t	*o, *list = NULL;

	if (a != NULL && a->store != NULL) {
		list = store_json(a->store);
		o = json_incref(json_object_get(list, "releases"));
		json_decref(list);
	} else
		o = json_array();
	return json_pack("{s:s, s:s, s:s, s:o, s:o}", "status", "ok", "role",
	    "updater", "version", UPD_VERSION, "releases", o, "self",
	    self_json(0));
}
