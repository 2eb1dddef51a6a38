/*
 * Print a configuration in a form that parses to the same: canonical
 * order, every setting with its value, defaults included.  A setting whose
 * default is "as somebody else has it" (group, directory, log ...) is
 * printed only where given.
 *
 * What a later version builds is printed like the rest; that config_check()
 * refuses it today is not printconf's business.
 */
#include <sys/types.h>
#include <sys/queue.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "config.h"
#include "value.h"

#define TABS	"\t\t\t\t"

static void
quote(FILE *fp, const char *s)
{
	putc('"', fp);
	for (; *s != '\0'; s++) {
		if (*s == '"' || *s == '\\')
			putc('\\', fp);
		putc(*s, fp);
	}
	putc('"', fp);
}

/* ` word "text"` or nothing. */
static void
print_opt(FILE *fp, const char *word, const char *s)
{
	if (s == NULL)
		return;
	fprintf(fp, " %s ", word);
	quote(fp, s);
}

/* A line `word "text"`, or none. */
static void
print_string(FILE *fp, int depth, const char *word, const char *s)
{
	if (s == NULL)
		return;
	fprintf(fp, "%.*s%s ", depth, TABS, word);
	quote(fp, s);
	putc('\n', fp);
}

/* A number as the key takes it. */
static const char *
value(enum conf_key key, uint64_t v)
{
	static char	 text[VALUE_TEXT];

	value_format(key_kind(key), v, text, sizeof(text));
	return text;
}

static void
print_value(FILE *fp, int depth, enum conf_key key, uint64_t v)
{
	fprintf(fp, "%.*s%s %s\n", depth, TABS, key_name(key), value(key, v));
}

static void
print_list(FILE *fp, const struct args *a)
{
	size_t	 i;

	fputs("{ ", fp);
	for (i = 0; i < a->n; i++) {
		quote(fp, a->v[i]);
		putc(' ', fp);
	}
	putc('}', fp);
}

static void
print_args(FILE *fp, int depth, const char *word, const struct args *a)
{
	if (a->n == 0)
		return;
	fprintf(fp, "%.*s%s ", depth, TABS, word);
	print_list(fp, a);
	putc('\n', fp);
}

/* --- the file ------------------------------------------------------- */

static void
print_tls(FILE *fp, const struct tls_conf *t)
{
	if (t->ca == NULL && t->crl == NULL && t->cert == NULL &&
	    t->key == NULL)
		return;
	fputs("tls {\n", fp);
	print_string(fp, 1, "ca", t->ca);
	print_string(fp, 1, "crl", t->crl);
	print_string(fp, 1, "certificate", t->cert);
	print_string(fp, 1, "key", t->key);
	fputs("}\n", fp);
}

static void
print_global(FILE *fp, const struct config *c)
{
	const struct listen_conf	*l;
	const struct permit_conf	*p;
	size_t				 i;

	print_string(fp, 0, "user", c->user);
	print_string(fp, 0, "unpack user", c->unpack_user);
	print_string(fp, 0, "chroot", c->chroot);
	fputs("control ", fp);
	quote(fp, c->control);
	print_opt(fp, "group", c->control_group);
	putc('\n', fp);
	print_string(fp, 0, "state", c->state);
	fprintf(fp, "shutdown %s\n", c->shutdown_keep ? "keep" : "stop");

	putc('\n', fp);
	TAILQ_FOREACH(l, &c->listeners, entry) {
		/* "*" has made two of one line. */
		if (strcmp(l->host, "*") == 0 && l->ss.ss_family == AF_INET6)
			continue;
		fprintf(fp, "listen on %s port %u\n", l->host, l->port);
	}
	print_tls(fp, &c->tls);
	fputs("limits {\n", fp);
	print_value(fp, 1, KEY_CONNECTIONS, c->connections);
	print_value(fp, 1, KEY_PER_ADDRESS, c->per_address);
	print_value(fp, 1, KEY_HEADER, c->header);
	print_value(fp, 1, KEY_BODY, c->body);
	print_value(fp, 1, KEY_IDLE, c->idle);
	print_value(fp, 1, KEY_RATE, c->rate);
	print_value(fp, 1, KEY_PUSH, c->push);
	fputs("}\n", fp);
	TAILQ_FOREACH(p, &c->permits, entry) {
		fprintf(fp, "permit %s from", role_name(p->role));
		print_opt(fp, p->kind == PERMIT_SUBJECT ? "subject" :
		    "fingerprint", p->value);
		putc('\n', fp);
	}
	for (i = 0; i < c->release_keys.n; i++)
		print_string(fp, 0, "release key", c->release_keys.v[i]);
	if (c->self_root != NULL) {
		fputs("self {\n", fp);
		print_string(fp, 1, "root", c->self_root);
		print_value(fp, 1, KEY_SELF_WITHIN, c->self_within_ms);
		fputs("}\n", fp);
	}
}

/* --- a service ------------------------------------------------------ */

static void
print_health(FILE *fp, const struct health_conf *h)
{
	fprintf(fp, "\t\thealth %s", health_name(h->kind));
	switch (h->kind) {
	case HEALTH_TCP:
	case HEALTH_HTTP:
	case HEALTH_HTTPS:
		fprintf(fp, " %s port %u", h->host, h->port);
		if (h->kind == HEALTH_TCP)
			break;
		print_opt(fp, "path", h->path);
		fprintf(fp, " status %s", value(KEY_STATUS, h->status));
		break;
	case HEALTH_EXEC:
		putc(' ', fp);
		print_list(fp, &h->command);
		break;
	case HEALTH_NOTIFY:
		break;
	default:
		putc('\n', fp);
		return;
	}
	fputs(" {\n", fp);
	print_string(fp, 3, "ca", h->ca);
	print_string(fp, 3, "certificate", h->cert);
	print_string(fp, 3, "key", h->key);
	print_string(fp, 3, "name", h->name);
	print_value(fp, 3, KEY_WITHIN, h->within_ms);
	if (h->kind != HEALTH_NOTIFY)
		print_value(fp, 3, KEY_TIMEOUT, h->timeout_ms);
	fputs("\t\t}\n", fp);
}

static void
print_rlimits(FILE *fp, const struct service_conf *s)
{
	char		 text[VALUE_TEXT];
	const char	*name;
	enum value_kind	 kind;
	int		 i;

	if (s->nrlimits == 0)
		return;
	fputs("\t\trlimit {\n", fp);
	for (i = 0; i < s->nrlimits; i++) {
		name = value_rlimname(s->rlimits[i].resource, &kind);
		if (name == NULL)
			continue;
		if (s->rlimits[i].value == (uint64_t)RLIM_INFINITY)
			strlcpy(text, VALUE_UNLIMITED, sizeof(text));
		else
			value_format(kind, s->rlimits[i].value, text,
			    sizeof(text));
		fprintf(fp, "\t\t\t%s %s\n", name, text);
	}
	fputs("\t\t}\n", fp);
}

static void
print_supervisor(FILE *fp, const struct service_conf *s)
{
	fputs("\t\tsupervise", fp);
	switch (s->supervisor) {
	case SUPERVISE_NATIVE:
		fputs(" native", fp);
		break;
	case SUPERVISE_S6:
		print_opt(fp, "s6", s->scandir);
		print_opt(fp, "owner", s->scan_owner);
		if (s->scan_mount)
			fputs(" mount", fp);
		if (s->scan_static.n > 0) {
			fputs(" static ", fp);
			print_list(fp, &s->scan_static);
		}
		break;
	case SUPERVISE_SYSTEMD:
		print_opt(fp, "systemd", s->unit);
		if (s->units_install)
			fputs(" units install", fp);
		break;
	case SUPERVISE_RCCTL:
		print_opt(fp, "rcctl", s->unit);
		break;
	}
	putc('\n', fp);
}

static void
print_service(FILE *fp, const struct service_conf *s)
{
	int	 i;

	fputs("\tservice ", fp);
	quote(fp, s->name);
	fputs(" {\n", fp);
	if (s->optional)
		fputs("\t\toptional\n", fp);
	print_string(fp, 2, "user", s->user == NULL ? "root" : s->user);
	print_string(fp, 2, "group", s->group);
	print_args(fp, 2, "groups", &s->groups);
	print_string(fp, 2, "directory", s->directory);
	if (s->unit == NULL)
		print_value(fp, 2, KEY_UMASK, s->umask);
	print_rlimits(fp, s);
	print_args(fp, 2, "command", &s->command);
	print_args(fp, 2, "environment", &s->environment);
	print_health(fp, &s->health);
	fputs("\t\tstop", fp);
	if (s->unit == NULL)
		fprintf(fp, " %s", value_signame(s->stop_signal));
	fprintf(fp, " within %s\n", value(KEY_STOP_WITHIN, s->stop_ms));
	fprintf(fp, "\t\trestart backoff %s", value(KEY_BACKOFF,
	    s->backoff_ms));
	fprintf(fp, " max %s permanent { ", value(KEY_BACKMAX,
	    s->backmax_ms));
	for (i = 0; i < s->npermanent; i++)
		fprintf(fp, "%d ", s->permanent[i]);
	fputs("}\n", fp);
	if (s->log != NULL) {
		fputs("\t\tlog ", fp);
		quote(fp, s->log);
		fprintf(fp, " size %s", value(KEY_LOG_SIZE, s->log_size));
		fprintf(fp, " keep %s\n", value(KEY_LOG_KEEP, s->log_keep));
	}
	print_string(fp, 2, "home", s->home);
	if (s->profiles != NULL) {
		fputs("\t\tprofiles ", fp);
		quote(fp, s->profiles);
		print_opt(fp, "marker", s->marker);
		putc('\n', fp);
	}
	print_args(fp, 2, "runtime files", &s->runtime_files);
	print_string(fp, 2, "reconcile log", s->reconcile_log);
	print_supervisor(fp, s);
	print_string(fp, 2, "enabled if env", s->enabled_env);
	fputs("\t}\n", fp);
}

/* --- an agent ------------------------------------------------------- */

static void
print_agent(FILE *fp, const struct config *c, const struct agent_conf *a)
{
	const struct service_conf	*s;

	fputs("\nagent ", fp);
	quote(fp, a->name);
	fputs(" {\n", fp);
	print_string(fp, 1, "root", a->root);
	if (a->install.n > 0) {
		fputs("\tinstall ", fp);
		print_list(fp, &a->install);
		print_opt(fp, "user", a->install_user == NULL ?
		    c->unpack_user : a->install_user);
		fprintf(fp, " timeout %s\n", value(KEY_INSTALL_TIMEOUT,
		    a->install_ms));
	}
	print_value(fp, 1, KEY_KEEP, a->keep);
	fputs("\tlimits {\n", fp);
	print_value(fp, 2, KEY_UNPACKED, a->unpacked);
	print_value(fp, 2, KEY_FILES, a->files);
	print_value(fp, 2, KEY_RESERVE, a->reserve);
	fputs("\t}\n", fp);
	if (a->downgrade)
		fputs("\tallow downgrade\n", fp);
	if (a->probation_ms != 0)
		print_value(fp, 1, KEY_PROBATION, a->probation_ms);
	if (a->verify_start)
		fputs("\tverify at start\n", fp);
	TAILQ_FOREACH(s, &a->services, entry)
		print_service(fp, s);
	fputs("}\n", fp);
}

void
config_print(const struct config *c, FILE *fp)
{
	const struct agent_conf	*a;

	print_global(fp, c);
	TAILQ_FOREACH(a, &c->agents, entry)
		print_agent(fp, c, a);
}
