/*
 * What the actions of the grammar do, and how errors are told.  A single
 * value is checked here, where its line is known; how values relate to
 * each other is config_check()'s.
 */
#include <sys/types.h>
#include <sys/queue.h>
#include <sys/resource.h>

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "lex.h"
#include "log.h"
#include "setting.h"

#define LOCALHOST	"127.0.0.1"	/* what "localhost" stands for */
#define WHY_SIZE	256		/* bytes of an explanation */
#define LINE_SIZE	1024		/* bytes of a report, cut beyond */

static void	(*sink)(const char *);	/* NULL: standard error */
static int	 errors;

void
config_onerror(void (*fn)(const char *))
{
	sink = fn;
}

void
setting_begin(void)
{
	errors = 0;
}

int
setting_errors(void)
{
	return errors;
}

void
setting_error(int pos, const char *fmt, ...)
{
	char	 text[LINE_SIZE], line[2 * LINE_SIZE], *p;
	va_list	 ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	/* Whatever is in the file, the report is one line and harmless. */
	for (p = text; *p != '\0'; p++)
		if (iscntrl((unsigned char)*p))
			*p = '?';
	if (pos == 0)
		snprintf(line, sizeof(line), "%s: %s", lex_filename(pos), text);
	else
		snprintf(line, sizeof(line), "%s:%d: %s", lex_filename(pos),
		    CONF_LINE(pos), text);
	if (sink != NULL)
		sink(line);
	else
		fprintf(stderr, "%s\n", line);
	errors++;
}

static char *
copy(const char *s)
{
	char	*p;

	if ((p = strdup(s)) == NULL)
		fatal("strdup");
	return p;
}

int
setting_once(int *lines, enum conf_key key, int pos)
{
	if (lines[key] != 0) {
		setting_error(pos, "%s: already set on %s", key_name(key),
		    lex_where(lines[key], pos));
		return 0;
	}
	lines[key] = pos;
	return 1;
}

void
setting_string(char **field, int *lines, enum conf_key key, int pos,
    const char *s)
{
	if (!setting_once(lines, key, pos))
		return;
	if (s[0] == '\0') {
		setting_error(pos, "%s: must not be empty", key_name(key));
		return;
	}
	free(*field);
	*field = copy(s);
}

uint64_t
setting_number(int *lines, enum conf_key key, int pos, const char *s,
    uint64_t old)
{
	char		 why[WHY_SIZE];
	uint64_t	 v;

	if (!setting_once(lines, key, pos))
		return old;
	if (key_parse(key, s, &v, why, sizeof(why)) == -1) {
		setting_error(pos, "%s: %s", key_name(key), why);
		return old;
	}
	return v;
}

void
setting_list(struct args *field, struct args *from, int *lines,
    enum conf_key key, int pos)
{
	if (!setting_once(lines, key, pos))
		return;
	args_free(field);
	*field = *from;
	memset(from, 0, sizeof(*from));
}

/* A port, or 0 (reported). */
static uint16_t
port(int pos, const char *s)
{
	char		 why[WHY_SIZE];
	uint64_t	 v;

	if (key_parse(KEY_PORT, s, &v, why, sizeof(why)) == 0)
		return (uint16_t)v;
	setting_error(pos, "port: %s", why);
	return 0;
}

static void
add_listen(struct config *conf, int pos, const char *written,
    const char *host, uint16_t number)
{
	struct listen_conf	*l;

	if ((l = calloc(1, sizeof(*l))) == NULL)
		fatal("calloc");
	l->host = copy(written);
	l->port = number;
	l->line = pos;
	if (value_address(host, number, &l->ss, &l->sslen) == -1) {
		setting_error(pos, "listen on \"%.64s\": not a numeric "
		    "address, \"*\" or localhost; names are not looked up",
		    written);
		free(l->host);
		free(l);
		return;
	}
	TAILQ_INSERT_TAIL(&conf->listeners, l, entry);
}

void
setting_listen(struct config *conf, int pos, const char *host, const char *s)
{
	uint16_t	 number;

	/* Go on with any port: the address may be wrong, too. */
	if ((number = port(pos, s)) == 0)
		number = CONF_PORT;
	if (strcmp(host, "*") == 0) {
		add_listen(conf, pos, host, "0.0.0.0", number);
		add_listen(conf, pos, host, "::", number);
	} else if (strcmp(host, "localhost") == 0)
		add_listen(conf, pos, host, LOCALHOST, number);
	else
		add_listen(conf, pos, host, host, number);
}

void
setting_permit(struct config *conf, int pos, enum upd_role role,
    enum permit_kind kind, const char *s)
{
	struct permit_conf	*p;
	char			 fpr[UPD_FPR_SIZE];

	if (kind == PERMIT_FINGERPRINT) {
		if (value_fingerprint(s, fpr, sizeof(fpr)) == -1) {
			setting_error(pos, "fingerprint: must be \"SHA256:\" "
			    "and 64 hex digits");
			return;
		}
		s = fpr;
	} else if (s[0] == '\0' || strlen(s) >= UPD_SUBJECT_SIZE) {
		setting_error(pos, "subject: must be 1 to %d bytes long",
		    UPD_SUBJECT_SIZE - 1);
		return;
	}
	if ((p = calloc(1, sizeof(*p))) == NULL)
		fatal("calloc");
	p->role = role;
	p->kind = kind;
	p->value = copy(s);
	TAILQ_INSERT_TAIL(&conf->permits, p, entry);
}

void
setting_release_key(struct config *conf, int pos, const char *s)
{
	if (conf->release_keys.n >= RELEASE_KEYS_MAX) {
		setting_error(pos, "release key: more than %d",
		    RELEASE_KEYS_MAX);
		return;
	}
	conf->release_lines[conf->release_keys.n] = pos;
	if (conf->lines[KEY_RELEASE_KEY] == 0)
		conf->lines[KEY_RELEASE_KEY] = pos;
	args_add(&conf->release_keys, s);
}

void
setting_health_begin(struct service_conf *svc, int pos)
{
	static const enum conf_key	 parts[] = { KEY_CA, KEY_CERTIFICATE,
					    KEY_KEY, KEY_NAME, KEY_WITHIN,
					    KEY_TIMEOUT, KEY_PATH, KEY_STATUS };
	size_t				 i;

	if (setting_once(svc->lines, KEY_HEALTH, pos))
		return;
	/* One complaint will do, not another for each of its parts. */
	for (i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		svc->lines[parts[i]] = 0;
}

void
setting_health(struct service_conf *svc, enum health_kind kind, int pos,
    const char *host, const char *s)
{
	struct health_conf	*h = &svc->health;
	struct sockaddr_storage	 ss;
	socklen_t		 sslen;

	h->kind = kind;
	if (host == NULL)
		return;
	h->port = port(pos, s);
	free(h->name);
	h->name = NULL;
	if (strcmp(host, "localhost") == 0) {
		/* A certificate names the host as the operator does. */
		if (kind == HEALTH_HTTPS)
			h->name = copy(host);
		host = LOCALHOST;
	}
	if (strlen(host) >= UPD_HOST_SIZE ||
	    value_address(host, h->port, &ss, &sslen) == -1)
		setting_error(pos, "health: \"%.64s\" is not a numeric address "
		    "or localhost; names are not looked up", host);
	free(h->host);
	h->host = copy(host);
}

void
setting_rlimit(struct service_conf *svc, int pos, const char *name,
    const char *s)
{
	struct rlimit_conf	*r;
	enum value_kind		 kind;
	char			 why[WHY_SIZE];
	uint64_t		 v;
	int			 i, resource;

	if ((resource = value_rlimit(name, &kind)) == -1) {
		setting_error(pos, "rlimit: \"%.64s\" is not a limit this "
		    "system has", name);
		return;
	}
	for (i = 0; i < svc->nrlimits; i++) {
		if (svc->rlimits[i].resource == resource) {
			setting_error(pos, "rlimit: %s is already set", name);
			return;
		}
	}
	if (strcmp(s, VALUE_UNLIMITED) == 0)
		v = RLIM_INFINITY;
	else if (value_parse(kind, s, 0, INT64_MAX, &v, why,
	    sizeof(why)) == -1) {
		setting_error(pos, "rlimit: %s: %s", name, why);
		return;
	}
	if (svc->nrlimits >= RLIMITS_MAX) {
		setting_error(pos, "rlimit: more than %d", RLIMITS_MAX);
		return;
	}
	svc->lines[KEY_RLIMIT] = pos;
	r = &svc->rlimits[svc->nrlimits++];
	r->resource = resource;
	r->value = v;
}

void
setting_permanent(struct service_conf *svc, int pos, const struct args *codes)
{
	char		 why[WHY_SIZE];
	uint64_t	 v;
	size_t		 i;

	if (!setting_once(svc->lines, KEY_PERMANENT, pos))
		return;
	if (codes->n > PERMANENT_MAX) {
		setting_error(pos, "permanent: more than %d codes",
		    PERMANENT_MAX);
		return;
	}
	svc->npermanent = 0;
	for (i = 0; i < codes->n; i++) {
		if (key_parse(KEY_PERMANENT, codes->v[i], &v, why,
		    sizeof(why)) == -1)
			setting_error(pos, "permanent: %s", why);
		else
			svc->permanent[svc->npermanent++] = (int)v;
	}
}

void
setting_signal(struct service_conf *svc, int pos, const char *s)
{
	int	 number;

	if ((number = value_signal(s)) == -1)
		setting_error(pos, "stop: \"%.64s\" is not one of TERM, INT, "
		    "HUP, QUIT, USR1, USR2 or KILL", s);
	else
		svc->stop_signal = number;
}

void
setting_supervisor(struct service_conf *svc, enum supervisor which,
    enum conf_key key, int pos)
{
	if (!setting_once(svc->lines, KEY_SUPERVISE, pos))
		return;
	svc->lines[key] = pos;
	svc->supervisor = which;
}

void
setting_finish(struct service_conf *svc)
{
	struct health_conf	*h = &svc->health;

	if (svc->lines[KEY_TIMEOUT] == 0 && h->timeout_ms > h->within_ms)
		h->timeout_ms = h->within_ms;
	if (svc->lines[KEY_WITHIN] == 0 && h->within_ms < h->timeout_ms)
		h->within_ms = h->timeout_ms;
	if (svc->lines[KEY_BACKMAX] == 0 && svc->backmax_ms < svc->backoff_ms)
		svc->backmax_ms = svc->backoff_ms;
	if (svc->lines[KEY_BACKOFF] == 0 && svc->backoff_ms > svc->backmax_ms)
		svc->backoff_ms = svc->backmax_ms;
}
