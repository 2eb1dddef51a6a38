/*
 * Metrics: all there is to tell, as Prometheus's text.
 *
 * Most of it is read off at the moment somebody asks; what would be gone
 * otherwise is counted by tally.c.  All counters begin at 0 with the
 * daemon, but for those of services, which are in their state files.
 *
 * Names are an interface: dashboards and alerts are built on them.  Labels
 * come from the configuration and from releases, of which there are few;
 * never from who asks.
 */
#include <sys/types.h>
#include <sys/statvfs.h>

#include <stdio.h>
#include <string.h>

#include "expiry.h"
#include "instance.h"
#include "log.h"
#include "metrics.h"
#include "netcount.h"
#include "parent.h"
#include "prom.h"
#include "self.h"
#include "../sandbox.h"
#include "trial.h"
#include "update.h"
#include "version.h"

#define SECOND_US	1000000

/* --- the daemon ------------------------------------------------------- */

static void
put_build(struct prom *p)
{
	prom_family(p, "updaterd_build_info", "gauge",
	    "Always 1; what runs is in the label.");
	prom_put(p, 1, "version", UPD_VERSION, NULL);
	prom_family(p, "updaterd_start_time_seconds", "gauge",
	    "When the daemon was started.");
	prom_put_us(p, env->since, NULL);
}

static void
put_processes(struct prom *p)
{
	const struct procinfo	*i;
	uint32_t		 bit;
	char			 name[64];
	int			 n;

	prom_family(p, "updaterd_process_up", "gauge",
	    "1 if the process runs.");
	for (n = PROC_PARENT; n <= PROC_PROBE; n++)
		prom_put(p, env->proc[n].pid != 0, "process",
		    proc_name((enum proc_type)n), NULL);
	prom_family(p, "updaterd_process_restarts_total", "counter",
	    "How often the process was lost and started again.");
	for (n = PROC_NET; n <= PROC_PROBE; n++)
		prom_put(p, env->proc[n].restarts, "process",
		    proc_name((enum proc_type)n), NULL);
	prom_family(p, "updaterd_sandbox_layer", "gauge",
	    "1 if the layer confined the process when it last ran, 0 if the "
	    "system lacks it.");
	for (n = PROC_NET; n <= PROC_UNPACK; n++) {
		i = &env->proc[n];
		for (bit = 1; i->seen && bit != 0; bit <<= 1) {
			if (((i->ready.layers | i->ready.missing) & bit) == 0)
				continue;
			sandbox_names(bit, name, sizeof(name));
			prom_put(p, (i->ready.layers & bit) != 0, "process",
			    proc_name((enum proc_type)n), "layer",
			    name[0] != '\0' ? name : "unknown", NULL);
		}
	}
}

static void
put_expiry(void *arg, enum expiry_kind kind, const char *file, int64_t when)
{
	prom_put(arg, (uint64_t)when, "kind", expiry_name(kind), "file", file,
	    NULL);
}

static void
put_certificates(struct prom *p)
{
	prom_family(p, "updaterd_certificate_expiry_timestamp_seconds",
	    "gauge", "When the first certificate of the file expires, or its "
	    "revocation list is due to be replaced.");
	expiry_each(put_expiry, p);
}

/* --- net -------------------------------------------------------------- */

static void
put_counter(struct prom *p, const char *name, const char *help, uint64_t n)
{
	prom_family(p, name, "counter", help);
	prom_put(p, n, NULL);
}

static void
put_net(struct prom *p)
{
	struct msg_net_count	 m;
	int			 fresh = netcount_get(&m);

	prom_family(p, "updaterd_net_answered", "gauge",
	    "1 if the network process told these figures now, 0 if they are "
	    "the last that it told.");
	prom_put(p, (uint64_t)fresh, NULL);
	prom_family(p, "updaterd_connections", "gauge", "Open connections.");
	prom_put(p, m.open, NULL);
	prom_family(p, "updaterd_connections_max", "gauge",
	    "How many connections there may be.");
	prom_put(p, m.max, NULL);
	put_counter(p, "updaterd_connections_accepted_total",
	    "Connections that were accepted.", m.count[NETCOUNT_ACCEPTED]);
	prom_family(p, "updaterd_connections_refused_total", "counter",
	    "Of them, those that were over a limit, or had to give way to a "
	    "new one.");
	prom_put(p, m.count[NETCOUNT_FULL], "reason", "full", NULL);
	prom_put(p, m.count[NETCOUNT_EVICTED], "reason", "evicted", NULL);
	put_counter(p, "updaterd_tls_handshake_failures_total",
	    "Of them, those that no TLS came about on: a certificate that is "
	    "no good, or none in time.", m.count[NETCOUNT_HANDSHAKE]);
	prom_family(p, "updaterd_http_requests_total", "counter",
	    "Requests answered, by class of status.");
	prom_put(p, m.count[NETCOUNT_2XX], "code", "2xx", NULL);
	prom_put(p, m.count[NETCOUNT_4XX], "code", "4xx", NULL);
	prom_put(p, m.count[NETCOUNT_5XX], "code", "5xx", NULL);
	put_counter(p, "updaterd_http_received_bytes_total",
	    "Bytes of requests, without TLS.", m.count[NETCOUNT_IN]);
	put_counter(p, "updaterd_http_sent_bytes_total",
	    "Bytes of answers, without TLS.", m.count[NETCOUNT_OUT]);
}

/* --- updates ---------------------------------------------------------- */

/* When the newest release of that state was installed; 0: none. */
static int64_t
newest(const struct store *s, enum release_state state)
{
	const struct release	*r;

	TAILQ_FOREACH(r, &s->list, entry)
		if (r->state == state)
			return r->installed_at;
	return 0;
}

static void
put_update(struct prom *p)
{
	const struct update	*u = update_current();
	struct agent		*a;
	int64_t			 t;

	prom_family(p, "updaterd_update_in_flight", "gauge",
	    "1 while an update of the agent goes on.");
	TAILQ_FOREACH(a, &env->agents, entry)
		prom_put(p, u != NULL && u->agent == a, "agent",
		    a->conf->name, NULL);
	prom_family(p, "updaterd_update_start_time_seconds", "gauge",
	    "When the update in flight began; 0: there is none.");
	TAILQ_FOREACH(a, &env->agents, entry)
		prom_put_us(p, u != NULL && u->agent == a ? u->since : 0,
		    "agent", a->conf->name, NULL);
	prom_family(p, "updaterd_last_success_timestamp_seconds", "gauge",
	    "When the newest release that became healthy was installed; 0: "
	    "none yet.");
	TAILQ_FOREACH(a, &env->agents, entry) {
		t = a->store != NULL ? newest(a->store, RELEASE_GOOD) : 0;
		prom_put_us(p, t, "agent", a->conf->name, NULL);
	}
	prom_family(p, "updaterd_last_failure_timestamp_seconds", "gauge",
	    "When an update last failed since the daemon was started; 0: "
	    "none did.");
	TAILQ_FOREACH(a, &env->agents, entry)
		prom_put_us(p, a->last_error_at, "agent", a->conf->name,
		    NULL);
	prom_family(p, "updaterd_confirm_left_seconds", "gauge",
	    "Within how many seconds the active release has to be confirmed, "
	    "or it goes back; 0: nothing awaits that.");
	TAILQ_FOREACH(a, &env->agents, entry)
		prom_put(p, trial_confirmleft(a), "agent", a->conf->name,
		    NULL);
}

/* --- releases --------------------------------------------------------- */

static void
put_slots(struct prom *p, struct agent *a)
{
	static const char *const	 slots[] = {
					    "active", "prev", "old", "failed" };
	struct release			*r;
	uint64_t			 n;
	size_t				 i;

	for (i = 0; i < sizeof(slots) / sizeof(slots[0]); i++) {
		n = 0;
		TAILQ_FOREACH(r, &a->store->list, entry)
			n += strcmp(store_slot(a->store, r), slots[i]) == 0;
		prom_put(p, n, "agent", a->conf->name, "slot", slots[i], NULL);
	}
}

static void
put_releases(struct prom *p)
{
	struct agent	*a;
	struct release	*r;

	prom_family(p, "updaterd_agent_ok", "gauge",
	    "1 if the agent's store is in order and all that is required of "
	    "it is up and healthy.");
	TAILQ_FOREACH(a, &env->agents, entry)
		prom_put(p, a->store != NULL && agent_healthy(a) == 1,
		    "agent", a->conf->name, NULL);
	prom_family(p, "updaterd_releases", "gauge",
	    "Releases that are kept, by slot.");
	TAILQ_FOREACH(a, &env->agents, entry)
		if (a->store != NULL)
			put_slots(p, a);
	prom_family(p, "updaterd_release_info", "gauge",
	    "Always 1; the active release is in the labels.");
	TAILQ_FOREACH(a, &env->agents, entry)
		if (a->store != NULL && (r = store_current(a->store)) != NULL)
			prom_put(p, 1, "agent", a->conf->name, "id", r->id,
			    "sha", r->sha, NULL);
	prom_family(p, "updaterd_release_installed_timestamp_seconds",
	    "gauge", "When the active release was installed.");
	TAILQ_FOREACH(a, &env->agents, entry)
		if (a->store != NULL && (r = store_current(a->store)) != NULL)
			prom_put_us(p, r->installed_at, "agent",
			    a->conf->name, NULL);
}

static void
put_space(struct prom *p)
{
	struct agent	*a;
	struct statvfs	 v;

	prom_family(p, "updaterd_store_free_bytes", "gauge",
	    "Free bytes of the file system of the releases.");
	TAILQ_FOREACH(a, &env->agents, entry)
		if (a->store != NULL && fstatvfs(a->store->relfd, &v) == 0)
			prom_put(p, (uint64_t)v.f_bavail * v.f_frsize,
			    "agent", a->conf->name, NULL);
	prom_family(p, "updaterd_store_reserve_bytes", "gauge",
	    "How many of them an update leaves free.");
	TAILQ_FOREACH(a, &env->agents, entry)
		if (a->store != NULL && fstatvfs(a->store->relfd, &v) == 0)
			prom_put(p, (uint64_t)v.f_blocks * v.f_frsize / 100 *
			    a->conf->reserve, "agent", a->conf->name, NULL);
	prom_family(p, "updaterd_store_free_inodes", "gauge",
	    "Free inodes of the file system of the releases.");
	TAILQ_FOREACH(a, &env->agents, entry)
		if (a->store != NULL && fstatvfs(a->store->relfd, &v) == 0)
			prom_put(p, (uint64_t)v.f_favail, "agent",
			    a->conf->name, NULL);
}

/* --- services --------------------------------------------------------- */

/* One family: a value of each instance, -1 to leave it out. */
static void
put_each(struct prom *p, const char *name, const char *type, const char *help,
    int64_t (*value)(const struct instance *))
{
	struct agent	*a;
	struct instance	*i;
	int64_t		 v;

	prom_family(p, name, type, help);
	TAILQ_FOREACH(a, &env->agents, entry)
		TAILQ_FOREACH(i, &a->instances, entry)
			if ((v = value(i)) >= 0)
				prom_put(p, (uint64_t)v, "agent",
				    a->conf->name, "service", i->name, NULL);
}

static int64_t
is_up(const struct instance *i)
{
	return i->state == SERVICE_UP;
}

static int64_t
is_wanted(const struct instance *i)
{
	return i->in.desired != 0;
}

static int64_t
is_stuck(const struct instance *i)
{
	return i->stuck || observe_ishampered(i);
}

static int64_t
is_healthy(const struct instance *i)
{
	return i->health.healthy;
}

static int64_t
restarts(const struct instance *i)
{
	return (int64_t)i->in.restarts;
}

static int64_t
deaths(const struct instance *i)
{
	return (int64_t)i->in.deaths;
}

static int64_t
started(const struct instance *i)
{
	return i->in.pid != 0 && i->since > 0 ? i->since / SECOND_US : -1;
}

static void
put_states(struct prom *p)
{
	struct agent	*a;
	struct instance	*i;
	uint64_t	 n[SERVICE__MAX];
	int		 s;

	prom_family(p, "updaterd_services", "gauge",
	    "Services of the agent, by state.");
	TAILQ_FOREACH(a, &env->agents, entry) {
		memset(n, 0, sizeof(n));
		TAILQ_FOREACH(i, &a->instances, entry)
			n[i->state]++;
		for (s = 0; s < SERVICE__MAX; s++)
			prom_put(p, n[s], "agent", a->conf->name, "state",
			    service_statename((enum service_state)s), NULL);
	}
}

static void
put_services(struct prom *p)
{
	put_states(p);
	put_each(p, "updaterd_service_up", "gauge",
	    "1 if the service is up.", is_up);
	put_each(p, "updaterd_service_wanted", "gauge",
	    "1 if the service is wanted up.", is_wanted);
	put_each(p, "updaterd_service_healthy", "gauge",
	    "What its last health check found; nothing before the first.",
	    is_healthy);
	put_each(p, "updaterd_service_stuck", "gauge",
	    "1 if the service cannot be stopped, here or where it was: see its "
	    "status.", is_stuck);
	put_each(p, "updaterd_service_restarts_total", "counter",
	    "How often the service was started again after its death.",
	    restarts);
	put_each(p, "updaterd_service_deaths_total", "counter",
	    "How often the service ended although it was wanted up.", deaths);
	put_each(p, "updaterd_service_state_timestamp_seconds", "gauge",
	    "Since when a service that runs is in its state.", started);
}

/* --- updaterd itself -------------------------------------------------- */

/* Of the releases, not of what was counted: a new program counts anew. */
static void
put_self(struct prom *p)
{
	struct store	*s = env->self != NULL ? env->self->store : NULL;
	struct release	*r;

	if (s == NULL)
		return;
	prom_family(p, "updaterd_self_on_trial", "gauge",
	    "1 while a new updaterd has yet to prove that it serves.");
	prom_put(p, (uint64_t)self_ontrial(), NULL);
	prom_family(p, "updaterd_self_confirm_left_seconds", "gauge",
	    "Within how many seconds the updaterd that runs has to be "
	    "confirmed, or it goes back; 0: nothing awaits that.");
	prom_put(p, trial_confirmleft(env->self), NULL);
	prom_family(p, "updaterd_self_release_info", "gauge",
	    "Always 1; the release of updaterd that runs is in the labels; "
	    "none: the program that was installed.");
	if ((r = store_find(s, handover.id)) != NULL)
		prom_put(p, 1, "id", r->id, "sha", r->sha, NULL);
	prom_family(p, "updaterd_self_last_success_timestamp_seconds",
	    "gauge", "When the newest updaterd that proved itself was "
	    "installed; 0: none yet.");
	prom_put_us(p, newest(s, RELEASE_GOOD), NULL);
	prom_family(p, "updaterd_self_last_failure_timestamp_seconds",
	    "gauge", "When the newest updaterd that failed was installed; 0: "
	    "none that is kept.");
	prom_put_us(p, newest(s, RELEASE_FAILED), NULL);
}

/* --- all -------------------------------------------------------------- */

int
metrics_text(struct buf *b)
{
	struct prom	 p;

	memset(&p, 0, sizeof(p));
	put_build(&p);
	put_processes(&p);
	put_certificates(&p);
	put_net(&p);
	tally_put(&p);
	put_update(&p);
	put_releases(&p);
	put_space(&p);
	put_services(&p);
	put_self(&p);
	if (p.failed) {
		buf_free(&p.b);
		return -1;
	}
	*b = p.b;
	return 0;
}
