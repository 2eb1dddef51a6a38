/*
 * The configuration in memory: constructors with the defaults filled in,
 * and release.  Running out of memory here is fatal: it is read at start,
 * or by a reload that a daemon without memory could not act on.
 */
#include <sys/types.h>
#include <sys/queue.h>

#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "log.h"

#define DEF_USER	"_updaterd"
#define DEF_UNPACK_USER	"_updunpack"
#define DEF_STATUS	200
#define DEF_UMASK	022
#define DEF_PERMANENT	{ 78, 125 }	/* EX_CONFIG; s6's "do not restart" */

/* --- making and releasing ------------------------------------------- */

static void *
make(size_t size)
{
	void	*p;

	if ((p = calloc(1, size)) == NULL)
		fatal("calloc");
	return p;
}

static char *
copy(const char *s)
{
	char	*p;

	if ((p = strdup(s)) == NULL)
		fatal("strdup");
	return p;
}

void
args_add(struct args *a, const char *s)
{
	a->v = recallocarray(a->v, a->v == NULL ? 0 : a->n + 1, a->n + 2,
	    sizeof(*a->v));
	if (a->v == NULL)
		fatal("recallocarray");
	a->v[a->n++] = copy(s);
}

void
args_free(struct args *a)
{
	size_t	 i;

	for (i = 0; i < a->n; i++)
		free(a->v[i]);
	free(a->v);
	memset(a, 0, sizeof(*a));
}

struct config *
config_new(void)
{
	struct config	*c = make(sizeof(*c));

	c->user = copy(DEF_USER);
	c->unpack_user = copy(DEF_UNPACK_USER);
	c->chroot = copy(CONF_CHROOT);
	c->control = copy(CONF_CONTROL);
	c->state = copy(CONF_STATE);
	TAILQ_INIT(&c->listeners);
	c->connections = DEF_CONNECTIONS;
	c->per_address = DEF_PER_ADDRESS;
	c->header = DEF_HEADER;
	c->body = DEF_BODY;
	c->idle = DEF_IDLE;
	c->rate = DEF_RATE;
	c->push = DEF_PUSH;
	c->self_within_ms = DEF_SELF_MS;
	TAILQ_INIT(&c->permits);
	TAILQ_INIT(&c->agents);
	return c;
}

struct agent_conf *
agent_conf_new(const char *name)
{
	struct agent_conf	*a = make(sizeof(*a));

	a->name = copy(name);
	a->install_ms = DEF_INSTALL_MS;
	a->keep = DEF_KEEP;
	a->unpacked = DEF_UNPACKED;
	a->files = DEF_FILES;
	a->reserve = DEF_RESERVE;
	TAILQ_INIT(&a->services);
	return a;
}

struct service_conf *
service_conf_new(const char *name)
{
	static const int	 permanent[] = DEF_PERMANENT;
	struct service_conf	*s = make(sizeof(*s));

	s->name = copy(name);
	s->health.kind = HEALTH_NONE;
	s->health.path = copy("/");
	s->health.status = DEF_STATUS;
	s->health.within_ms = DEF_WITHIN_MS;
	s->health.timeout_ms = DEF_TIMEOUT_MS;
	s->stop_signal = SIGTERM;
	s->stop_ms = DEF_STOP_MS;
	s->backoff_ms = DEF_BACKOFF_MS;
	s->backmax_ms = DEF_BACKMAX_MS;
	memcpy(s->permanent, permanent, sizeof(permanent));
	s->npermanent = (int)(sizeof(permanent) / sizeof(permanent[0]));
	s->umask = DEF_UMASK;
	s->log_size = DEF_LOG_SIZE;
	s->log_keep = DEF_LOG_KEEP;
	s->supervisor = SUPERVISE_NATIVE;
	return s;
}

static void
service_conf_free(struct service_conf *s)
{
	free(s->name);
	free(s->user);
	free(s->group);
	args_free(&s->groups);
	free(s->directory);
	args_free(&s->command);
	args_free(&s->environment);
	free(s->health.host);
	free(s->health.path);
	free(s->health.name);
	free(s->health.ca);
	free(s->health.cert);
	free(s->health.key);
	args_free(&s->health.command);
	free(s->log);
	free(s->home);
	free(s->profiles);
	free(s->marker);
	args_free(&s->runtime_files);
	free(s->reconcile_log);
	free(s->scandir);
	free(s->scan_owner);
	args_free(&s->scan_static);
	free(s->unit);
	free(s->enabled_env);
	free(s);
}

static void
agent_conf_free(struct agent_conf *a)
{
	struct service_conf	*s;

	while ((s = TAILQ_FIRST(&a->services)) != NULL) {
		TAILQ_REMOVE(&a->services, s, entry);
		service_conf_free(s);
	}
	free(a->name);
	free(a->root);
	args_free(&a->install);
	free(a->install_user);
	free(a);
}

void
config_free(struct config *c)
{
	struct listen_conf	*l;
	struct permit_conf	*p;
	struct agent_conf	*a;

	if (c == NULL)
		return;
	while ((l = TAILQ_FIRST(&c->listeners)) != NULL) {
		TAILQ_REMOVE(&c->listeners, l, entry);
		free(l->host);
		free(l);
	}
	while ((p = TAILQ_FIRST(&c->permits)) != NULL) {
		TAILQ_REMOVE(&c->permits, p, entry);
		free(p->value);
		free(p);
	}
	while ((a = TAILQ_FIRST(&c->agents)) != NULL) {
		TAILQ_REMOVE(&c->agents, a, entry);
		agent_conf_free(a);
	}
	free(c->path);
	free(c->user);
	free(c->unpack_user);
	free(c->chroot);
	free(c->control);
	free(c->control_group);
	free(c->state);
	free(c->tls.ca);
	free(c->tls.crl);
	free(c->tls.cert);
	free(c->tls.key);
	args_free(&c->release_keys);
	free(c->self_root);
	free(c);
}

struct agent_conf *
config_agent(const struct config *c, const char *name)
{
	struct agent_conf	*a;

	TAILQ_FOREACH(a, &c->agents, entry)
		if (strcmp(a->name, name) == 0)
			return a;
	return NULL;
}
