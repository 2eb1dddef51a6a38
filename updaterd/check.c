/*
 * config_check(): what neither the grammar nor a single value shows.
 *
 * The checks run also on a file that had syntax errors.  Then what is
 * "damaged" is not accused of missing parts: they may be in the line that
 * was not understood.
 */
#include <sys/types.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <ctype.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "lex.h"
#include "percent.h"
#include "profile.h"
#include "unitname.h"

typedef void	(*report)(int, const char *, ...)
		    __attribute__((format(printf, 2, 3)));

struct check {
	const struct config	*conf;
	report			 tell;
	int			 errors;
};

/* Count and tell; the line is 0 where a thing is missing. */
#define ERROR(c, ...)	do {						\
	(c)->errors++;							\
	(c)->tell(__VA_ARGS__);						\
} while (0)

/* A path that somebody gave must be one that means the same everywhere. */
static void
check_path(struct check *c, const int *lines, enum conf_key key,
    const char *path)
{
	if (path != NULL && !value_ispath(path))
		ERROR(c, lines[key], "%s: \"%.64s\" must be an absolute path "
		    "without empty, \".\" or \"..\" parts", key_name(key),
		    path);
}

/* 1 if one is the other or lies in it. */
static int
nested(const char *a, const char *b)
{
	size_t	 n = strlen(a), m = strlen(b);

	if (n > m)
		return nested(b, a);
	return strncmp(a, b, n) == 0 &&
	    (b[n] == '\0' || b[n] == '/' || a[n - 1] == '/');
}

/* Where updaterd itself lives, apart from all that it keeps. */
static void
check_self(struct check *c)
{
	const struct config	*conf = c->conf;
	const char		*root = conf->self_root;
	const int		*lines = conf->lines;

	check_path(c, lines, KEY_SELF, root);
	if (root == NULL && lines[KEY_SELF_WITHIN] != 0 && !conf->damaged)
		ERROR(c, lines[KEY_SELF_WITHIN], "self: no root");
	if (root == NULL)
		return;
	if (strcmp(root, "/") == 0)
		ERROR(c, lines[KEY_SELF], "self: \"/\" holds the whole host, "
		    "updaterd needs a directory of its own");
	else if (nested(root, conf->state))
		ERROR(c, lines[KEY_SELF], "self: root \"%.64s\" and state "
		    "\"%.64s\" must not hold each other", root, conf->state);
}

static void
check_global(struct check *c)
{
	const struct config		*conf = c->conf;
	const int			*lines = conf->lines;
	const struct listen_conf	*l, *other;
	struct sockaddr_un		 sun;
	size_t				 i;

	for (i = 0; i < conf->release_keys.n; i++)
		if (!value_ispath(conf->release_keys.v[i]))
			ERROR(c, conf->release_lines[i], "release key: "
			    "\"%.64s\" must be an absolute path without "
			    "empty, \".\" or \"..\" parts",
			    conf->release_keys.v[i]);
	check_path(c, lines, KEY_CHROOT, conf->chroot);
	check_path(c, lines, KEY_CONTROL, conf->control);
	check_path(c, lines, KEY_STATE, conf->state);
	check_path(c, lines, KEY_CA, conf->tls.ca);
	check_path(c, lines, KEY_CRL, conf->tls.crl);
	check_path(c, lines, KEY_CERTIFICATE, conf->tls.cert);
	check_path(c, lines, KEY_KEY, conf->tls.key);
	if (strlen(conf->control) >= sizeof(sun.sun_path))
		ERROR(c, lines[KEY_CONTROL], "control: path is too long "
		    "for a socket");

	/* They are walls between processes only while they differ. */
	if (strcmp(conf->user, conf->unpack_user) == 0)
		ERROR(c, lines[lines[KEY_UNPACK_USER] != 0 ? KEY_UNPACK_USER :
		    KEY_USER], "user and unpack user are both \"%.64s\", they "
		    "must differ", conf->user);
	if (strcmp(conf->user, "root") == 0)
		ERROR(c, lines[KEY_USER], "user: must not be root");
	if (strcmp(conf->unpack_user, "root") == 0)
		ERROR(c, lines[KEY_UNPACK_USER],
		    "unpack user: must not be root");

	TAILQ_FOREACH(l, &conf->listeners, entry) {
		for (other = TAILQ_FIRST(&conf->listeners); other != l;
		    other = TAILQ_NEXT(other, entry)) {
			if (l->sslen == other->sslen && memcmp(&l->ss,
			    &other->ss, l->sslen) == 0) {
				ERROR(c, l->line, "listen on %s port %u: "
				    "already on %s", l->host, l->port,
				    lex_where(other->line, l->line));
				break;
			}
		}
	}
	check_self(c);
	if (!TAILQ_EMPTY(&conf->listeners) && !conf->damaged) {
		l = TAILQ_FIRST(&conf->listeners);
		if (conf->tls.ca == NULL)
			ERROR(c, l->line, "listen on: needs a ca in tls { }");
		if (conf->tls.cert == NULL)
			ERROR(c, l->line,
			    "listen on: needs a certificate in tls { }");
		if (conf->tls.key == NULL)
			ERROR(c, l->line, "listen on: needs a key in tls { }");
	}
	if (TAILQ_EMPTY(&conf->agents) && !conf->damaged)
		ERROR(c, 0, "no agent: one agent \"name\" { } is needed");
}

static int
is_envname(const char *s, size_t len)
{
	size_t	 i;

	for (i = 0; i < len; i++)
		if (s[i] != '_' && (!isascii((unsigned char)s[i]) ||
		    (!isalpha((unsigned char)s[i]) &&
		    (i == 0 || !isdigit((unsigned char)s[i])))))
			return 0;
	return len > 0;
}

static void
check_environment(struct check *c, const struct service_conf *s)
{
	const char	*e;
	size_t		 i;

	for (i = 0; i < s->environment.n; i++) {
		e = s->environment.v[i];
		if (strchr(e, '=') == NULL ||
		    !is_envname(e, (size_t)(strchr(e, '=') - e)))
			ERROR(c, s->lines[KEY_ENVIRONMENT], "environment: "
			    "\"%.64s\" must be NAME=value", e);
	}
}

/* What goes onto the request line as it stands. */
static int
is_urlpath(const char *s)
{
	if (s[0] != '/' || strlen(s) >= UPD_URLPATH_SIZE)
		return 0;
	for (; *s != '\0'; s++)
		if (!isascii((unsigned char)*s) || !isgraph((unsigned char)*s))
			return 0;
	return 1;
}

static void
check_health(struct check *c, const struct service_conf *s)
{
	static const enum conf_key	 https_only[] = { KEY_CA,
					    KEY_CERTIFICATE, KEY_KEY,
					    KEY_NAME };
	const struct health_conf	*h = &s->health;
	size_t				 i;

	if (!is_urlpath(h->path))
		ERROR(c, s->lines[KEY_PATH], "path: \"%.64s\" must begin "
		    "with \"/\" and hold neither blanks nor control or "
		    "non-ASCII characters", h->path);
	if (h->name != NULL && (strlen(h->name) >= UPD_HOST_SIZE ||
	    strpbrk(h->name, " \t/") != NULL))
		ERROR(c, s->lines[KEY_NAME], "name: \"%.64s\" is not a host "
		    "name", h->name);
	if (h->timeout_ms > h->within_ms)
		ERROR(c, s->lines[KEY_TIMEOUT], "timeout: longer than within");
	if (h->kind == HEALTH_EXEC && h->command.n == 0 && !s->damaged)
		ERROR(c, s->lines[KEY_HEALTH], "health exec: no command");
	if (h->kind == HEALTH_EXEC && h->command.n > 0 &&
	    h->command.v[0][0] == '\0')
		ERROR(c, s->lines[KEY_HEALTH], "health exec: the command is "
		    "empty");
	if (h->kind == HEALTH_NOTIFY && s->lines[KEY_TIMEOUT] != 0)
		ERROR(c, s->lines[KEY_TIMEOUT], "timeout: a service that "
		    "notifies is not asked, it has within only");

	if (h->kind != HEALTH_HTTPS) {
		for (i = 0; i < sizeof(https_only) / sizeof(https_only[0]);
		    i++)
			if (s->lines[https_only[i]] != 0)
				ERROR(c, s->lines[https_only[i]],
				    "%s: only for health https",
				    key_name(https_only[i]));
		return;
	}
	check_path(c, s->lines, KEY_CA, h->ca);
	check_path(c, s->lines, KEY_CERTIFICATE, h->cert);
	check_path(c, s->lines, KEY_KEY, h->key);
	if (s->damaged)
		return;
	if (h->ca == NULL)
		ERROR(c, s->lines[KEY_HEALTH], "health https: needs a ca");
	if ((h->cert == NULL) != (h->key == NULL))
		ERROR(c, s->lines[h->cert != NULL ? KEY_CERTIFICATE : KEY_KEY],
		    "health https: certificate and key go together");
}

/* One is called as the default profile of the other. */
static int
is_default_of(const struct service_conf *s, const struct service_conf *other)
{
	size_t	 len = strlen(other->name);

	return other->profiles != NULL &&
	    strncmp(s->name, other->name, len) == 0 && s->name[len] == '-' &&
	    strcmp(s->name + len + 1, PROFILE_DEFAULT) == 0;
}

/* Against every service before it, of all agents. */
static void
check_unique(struct check *c, const struct service_conf *s)
{
	const struct agent_conf		*a;
	const struct service_conf	*other;

	TAILQ_FOREACH(a, &c->conf->agents, entry) {
		TAILQ_FOREACH(other, &a->services, entry) {
			if (other == s)
				return;
			if (strcmp(other->name, s->name) == 0)
				ERROR(c, s->line, "service \"%.64s\": already "
				    "on %s; names are unique on the host",
				    s->name, lex_where(other->line, s->line));
			if (other->unit != NULL && s->unit != NULL &&
			    strcmp(other->unit, s->unit) == 0)
				ERROR(c, s->lines[KEY_SUPERVISE], "supervise: "
				    "\"%.64s\" is already of service "
				    "\"%.64s\"", s->unit, other->name);
			if (is_default_of(s, other) ||
			    is_default_of(other, s))
				ERROR(c, s->line, "service \"%.64s\": one of "
				    "the profiles of service \"%.64s\" has "
				    "such a name", is_default_of(s, other) ?
				    s->name : other->name,
				    is_default_of(s, other) ? other->name :
				    s->name);
			if (other->log != NULL && s->log != NULL &&
			    strcmp(other->log, s->log) == 0)
				ERROR(c, s->lines[KEY_LOG], "log \"%.64s\": "
				    "already of service \"%.64s\"", s->log,
				    other->name);
		}
	}
}

/* What another supervisor starts from a description of its own. */
static void
check_foreign(struct check *c, const struct service_conf *s)
{
	static const enum conf_key	 theirs[] = { KEY_GROUP, KEY_GROUPS,
					    KEY_DIRECTORY, KEY_UMASK,
					    KEY_RLIMIT, KEY_COMMAND, KEY_LOG };
	int				 is_unit, ok;
	char				*name;
	size_t				 i;

	is_unit = s->supervisor == SUPERVISE_SYSTEMD;
	name = s->profiles == NULL ? strdup(s->unit) :
	    percent_expand(s->unit, "p", "/");
	ok = name != NULL && (is_unit ? unitname_isvalid(name) :
	    rcname_isvalid(name));
	free(name);
	if (s->profiles != NULL && !percent_has(s->unit, 'p'))
		ERROR(c, s->lines[KEY_SUPERVISE], "supervise: \"%.64s\" is "
		    "one name for all profiles; put %%p into it", s->unit);
	else if (s->profiles != NULL && strncmp(s->unit, "%p", 2) == 0)
		ERROR(c, s->lines[KEY_SUPERVISE], "supervise: \"%.64s\" lets "
		    "the name of a profile choose any of the host's; put "
		    "something before %%p, as in \"%s%%p%s\"", s->unit,
		    is_unit ? "gateway@" : "gateway_",
		    is_unit ? ".service" : "");
	else if (!ok && is_unit)
		ERROR(c, s->lines[KEY_SUPERVISE], "supervise systemd: "
		    "\"%.64s\" is not the whole name of a service unit, as "
		    "\"agent.service\"", s->unit);
	else if (!ok)
		ERROR(c, s->lines[KEY_SUPERVISE], "supervise rcctl: "
		    "\"%.64s\" is not the name of an rc.d script", s->unit);
	for (i = 0; i < sizeof(theirs) / sizeof(theirs[0]); i++)
		if (s->lines[theirs[i]] != 0)
			ERROR(c, s->lines[theirs[i]], "%s: this is up to %s; "
			    "remove it", key_name(theirs[i]), is_unit ?
			    "the unit" : "the rc.d script");
	if (s->stop_signal != SIGTERM)
		ERROR(c, s->lines[KEY_STOP], "stop: the signal is up to %s; "
		    "only within can be given", is_unit ? "the unit" :
		    "the rc.d script");
}

/* %p, %h and %% in a text of a service that has a home. */
static void
check_percent(struct check *c, const struct service_conf *s,
    enum conf_key key, const char *text)
{
	const char	*odd;

	if (text != NULL && s->home != NULL &&
	    (odd = percent_odd(text)) != NULL)
		ERROR(c, s->lines[key], "%s: \"%.2s\" is not one of %%p (the "
		    "profile's name), %%h (its directory) and %%%%",
		    key_name(key), odd);
}

/*
 * Whoever makes a profile chooses what stands for %p.  1 if that alone is the
 * name, in a directory that is not visibly the service's own: it may be any
 * file of root's there.
 */
static int
is_bare(const char *path, const char *service)
{
	const char	*p = strstr(path, "%p"), *s = path;
	size_t		 len = strlen(service);

	if (p == NULL || p == path || p[-1] != '/')
		return 0;
	while ((s = strstr(s + 1, service)) != NULL && s < p)
		if (!isalnum((unsigned char)s[-1]) &&
		    !isalnum((unsigned char)s[len]))
			return 0;
	return 1;
}

static void
check_percents(struct check *c, const struct service_conf *s)
{
	size_t	 i;

	for (i = 0; i < s->command.n; i++)
		check_percent(c, s, KEY_COMMAND, s->command.v[i]);
	for (i = 0; i < s->environment.n; i++)
		check_percent(c, s, KEY_ENVIRONMENT, s->environment.v[i]);
	for (i = 0; i < s->health.command.n; i++)
		check_percent(c, s, KEY_HEALTH, s->health.command.v[i]);
	check_percent(c, s, KEY_DIRECTORY, s->directory);
	check_percent(c, s, KEY_LOG, s->log);
	if (s->home == NULL || s->log == NULL)
		return;
	if (percent_has(s->log, 'h'))
		ERROR(c, s->lines[KEY_LOG], "log: is written by root, which "
		    "does not go below a directory of the service's user "
		    "(%%h)");
	if (s->profiles != NULL && !percent_has(s->log, 'p'))
		ERROR(c, s->lines[KEY_LOG], "log: each profile needs one of "
		    "its own, put %%p into its name");
	if (s->profiles != NULL && s->supervisor == SUPERVISE_NATIVE &&
	    is_bare(s->log, s->name))
		ERROR(c, s->lines[KEY_LOG], "log: with \"%.64s\" the name of a "
		    "profile chooses any file of root's there; put the "
		    "service's name before %%p, as in \"%.64s-%%p.log\"",
		    s->log, s->name);
}

/* A directory may begin with %h, which is one. */
static void
check_directory(struct check *c, const struct service_conf *s)
{
	const char	*path = s->directory;

	if (path != NULL && s->home != NULL &&
	    strncmp(path, "%h", 2) == 0 && (path[2] == '\0' ||
	    path[2] == '/'))
		path = path[2] == '\0' ? "/" : path + 2;
	check_path(c, s->lines, KEY_DIRECTORY, path);
}

/* What belongs to a user is looked at with that user's rights. */
static void
check_profiles(struct check *c, const struct service_conf *s)
{
	static const enum conf_key	 keys[] = { KEY_HOME, KEY_PROFILES,
					    KEY_RUNTIME_FILES,
					    KEY_RECONCILE_LOG };
	size_t				 i;

	for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		if (s->lines[keys[i]] == 0 || s->damaged)
			continue;
		if (s->user == NULL || strcmp(s->user, "root") == 0)
			ERROR(c, s->lines[keys[i]], "%s: needs a user that is "
			    "not root, with whose rights it is used",
			    key_name(keys[i]));
		if ((keys[i] == KEY_PROFILES || keys[i] ==
		    KEY_RUNTIME_FILES) && s->home == NULL)
			ERROR(c, s->lines[keys[i]], "%s: needs a home",
			    key_name(keys[i]));
	}
	if (s->marker != NULL && !profile_isfile(s->marker))
		ERROR(c, s->lines[KEY_MARKER], "marker: \"%.64s\" must be the "
		    "name of a file, without \"/\"", s->marker);
	if (s->runtime_files.n > PROFILE_RUNTIME_MAX)
		ERROR(c, s->lines[KEY_RUNTIME_FILES], "runtime files: more "
		    "than %d", PROFILE_RUNTIME_MAX);
	for (i = 0; i < s->runtime_files.n; i++)
		if (!profile_isfile(s->runtime_files.v[i]))
			ERROR(c, s->lines[KEY_RUNTIME_FILES], "runtime files: "
			    "\"%.64s\" must be the name of a file in the "
			    "home, without \"/\"", s->runtime_files.v[i]);
	if ((s->home != NULL && strlen(s->home) >= UPD_PATH_SIZE) ||
	    (s->profiles != NULL && strlen(s->profiles) + NAME_MAX + 1 >=
	    UPD_PATH_SIZE) || (s->reconcile_log != NULL &&
	    strlen(s->reconcile_log) >= UPD_PATH_SIZE))
		ERROR(c, s->line, "service \"%.64s\": the path of home, "
		    "profiles or reconcile log is too long", s->name);
	if (s->enabled_env != NULL && !is_envname(s->enabled_env,
	    strlen(s->enabled_env)))
		ERROR(c, s->lines[KEY_ENABLED], "enabled if env: \"%.64s\" is "
		    "not the name of a variable", s->enabled_env);
}

static void
check_s6(struct check *c, const struct service_conf *s)
{
	const struct service_conf	*other;
	const struct agent_conf		*a;
	const char			*name;
	size_t				 i;

	if (s->supervisor != SUPERVISE_S6)
		return;
	check_path(c, s->lines, KEY_SUPERVISE_S6, s->scandir);
	for (i = 0; i < s->scan_static.n; i++) {
		name = s->scan_static.v[i];
		if (name[0] == '\0' || name[0] == '.' ||
		    strchr(name, '/') != NULL)
			ERROR(c, s->lines[KEY_SUPERVISE_S6], "static: "
			    "\"%.64s\" is not the name of a slot", name);
		TAILQ_FOREACH(a, &c->conf->agents, entry)
			TAILQ_FOREACH(other, &a->services, entry)
				if (strcmp(other->name, name) == 0)
					ERROR(c, s->lines[KEY_SUPERVISE_S6],
					    "static: \"%.64s\" is a service "
					    "of updaterd's, on %s", name,
					    lex_where(other->line, s->line));
	}
	if (s->lines[KEY_LOG_SIZE] != 0 && (s->log_size < S6LOG_SIZE_MIN ||
	    s->log_size > S6LOG_SIZE_MAX))
		ERROR(c, s->lines[KEY_LOG_SIZE], "log: s6-log takes a size "
		    "of 4K to 255M");
}

static void
check_service(struct check *c, const struct service_conf *s)
{
	int	 foreign = s->unit != NULL;

	const struct config	*conf = c->conf;

	if (!name_isvalid(s->name))
		ERROR(c, s->line, "service \"%.64s\": a name is a to z, 0 to "
		    "9, \"_\" and \"-\", begins with a letter or digit, and "
		    "is at most %d long", s->name, UPD_NAME_SIZE - 2);
	check_unique(c, s);
	if (foreign)
		check_foreign(c, s);
	else if (s->command.n == 0 && !s->damaged)
		ERROR(c, s->lines[KEY_COMMAND] != 0 ? s->lines[KEY_COMMAND] :
		    s->line, "service \"%.64s\": no command", s->name);
	else if (s->command.n > 0 && s->command.v[0][0] == '\0')
		ERROR(c, s->lines[KEY_COMMAND], "command: is empty");
	/*
	 * The unpack user must be alone while root walks what it wrote, and
	 * whoever is net's user can lay hands on the key it holds.
	 */
	if (s->user != NULL && (strcmp(s->user, conf->unpack_user) == 0 ||
	    strcmp(s->user, conf->user) == 0))
		ERROR(c, s->lines[KEY_USER], "user: \"%.64s\" is updaterd's "
		    "own, a service needs another", s->user);
	check_directory(c, s);
	check_path(c, s->lines, KEY_LOG, s->log);
	check_path(c, s->lines, KEY_HOME, s->home);
	check_path(c, s->lines, KEY_PROFILES, s->profiles);
	check_path(c, s->lines, KEY_RECONCILE_LOG, s->reconcile_log);
	check_s6(c, s);
	if (s->backmax_ms < s->backoff_ms)
		ERROR(c, s->lines[s->lines[KEY_BACKMAX] != 0 ? KEY_BACKMAX :
		    KEY_BACKOFF], "restart: max is less than backoff");
	check_environment(c, s);
	check_health(c, s);
	check_profiles(c, s);
	check_percents(c, s);
}

static void
check_agent(struct check *c, const struct agent_conf *a)
{
	const struct config		*conf = c->conf;
	const struct agent_conf		*other;
	const struct service_conf	*s;

	if (!name_isvalid(a->name))
		ERROR(c, a->line, "agent \"%.64s\": a name is a to z, 0 to 9, "
		    "\"_\" and \"-\", begins with a letter or digit, and is "
		    "at most %d long", a->name, UPD_NAME_SIZE - 2);
	check_path(c, a->lines, KEY_ROOT, a->root);
	if (a->root == NULL && a->lines[KEY_ROOT] == 0 && !a->damaged)
		ERROR(c, a->line, "agent \"%.64s\": no root", a->name);
	if (a->root != NULL && strcmp(a->root, "/") == 0)
		ERROR(c, a->lines[KEY_ROOT], "root: \"/\" holds the whole "
		    "host, an agent needs a directory of its own");
	else if (a->root != NULL && nested(a->root, conf->state))
		ERROR(c, a->lines[KEY_ROOT], "root: \"%.64s\" and state "
		    "\"%.64s\" must not hold each other", a->root,
		    conf->state);
	if (strcmp(a->name, SELF_NAME) == 0)
		ERROR(c, a->line, "agent \"%s\": that name means updaterd "
		    "itself, see self { }", SELF_NAME);
	if (a->root != NULL && conf->self_root != NULL &&
	    nested(a->root, conf->self_root))
		ERROR(c, a->lines[KEY_ROOT], "root: \"%.64s\" and the root "
		    "\"%.64s\" of self must not hold each other", a->root,
		    conf->self_root);
	for (other = TAILQ_FIRST(&conf->agents); other != a;
	    other = TAILQ_NEXT(other, entry)) {
		if (strcmp(a->name, other->name) == 0)
			ERROR(c, a->line, "agent \"%.64s\": already on %s",
			    a->name, lex_where(other->line, a->line));
		if (a->root != NULL && other->root != NULL &&
		    nested(a->root, other->root))
			ERROR(c, a->lines[KEY_ROOT], "root: \"%.64s\" and "
			    "root \"%.64s\" of agent \"%.64s\" must not hold "
			    "each other", a->root, other->root, other->name);
	}
	if (a->lines[KEY_INSTALL] != 0 &&
	    (a->install.n == 0 || a->install.v[0][0] == '\0'))
		ERROR(c, a->lines[KEY_INSTALL], "install: no command");
	TAILQ_FOREACH(s, &a->services, entry)
		check_service(c, s);
}

int
config_check(const struct config *conf, report tell)
{
	struct check		 c = { conf, tell, 0 };
	const struct agent_conf	*a;

	check_global(&c);
	TAILQ_FOREACH(a, &conf->agents, entry)
		check_agent(&c, a);
	return c.errors;
}
