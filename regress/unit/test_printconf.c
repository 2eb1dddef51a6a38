/*
 * printconf.c: every field of the configuration is printed, also those
 * that config_check() refuses in this version, and what is printed parses
 * again wherever the parser takes it.
 */
/* LINK: updaterd/printconf.o updaterd/config.o updaterd/keyfile.o common/relkey.o updaterd/value.o updaterd/parse.o updaterd/lex.o updaterd/macro.o updaterd/syntax.o updaterd/setting.o updaterd/check.o updaterd/unitname.o updaterd/percent.o common/proto.o common/util.o common/log.o common/compat/imsg.o common/compat/osproc-linux.o common/profile.o */
#include <sys/types.h>
#include <sys/resource.h>

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "config.h"
#include "value.h"

static char	 errors[16384];		/* what the parser said */

static void
keep_error(const char *line)
{
	strlcat(errors, line, sizeof(errors));
	strlcat(errors, "\n", sizeof(errors));
}

static void
set(char **field, const char *s)
{
	free(*field);
	*field = strdup(s);
	assert_non_null(*field);
}

static char *
print(const struct config *c)
{
	char	*text = NULL;
	size_t	 len;
	FILE	*fp;

	fp = open_memstream(&text, &len);
	assert_non_null(fp);
	config_print(c, fp);
	assert_int_equal(fclose(fp), 0);
	return text;
}

/* Parse a text through a file; NULL and `errors` if it is refused. */
static struct config *
parse(const char *text)
{
	char		 path[] = "/tmp/test_printconf.XXXXXX";
	struct config	*c;
	FILE		*fp;
	int		 fd;

	fd = mkstemp(path);
	assert_int_not_equal(fd, -1);
	fp = fdopen(fd, "w");
	assert_non_null(fp);
	assert_true(fputs(text, fp) >= 0);
	assert_int_equal(fclose(fp), 0);
	errors[0] = '\0';
	config_onerror(keep_error);
	c = config_parse(path);
	config_onerror(NULL);
	unlink(path);
	return c;
}

/* The text holds this line, whatever stands before it. */
static void
has(const char *text, const char *line)
{
	char	 whole[512];

	snprintf(whole, sizeof(whole), "%s\n", line);
	if (strstr(text, whole) == NULL)
		fail_msg("no line \"%s\" in:\n%s", line, text);
}

static struct config *
sample(struct agent_conf **a, struct service_conf **s)
{
	struct config	*c = config_new();

	*a = agent_conf_new("default");
	TAILQ_INSERT_TAIL(&c->agents, *a, entry);
	set(&(*a)->root, "/opt/agent");
	*s = service_conf_new("gateway");
	TAILQ_INSERT_TAIL(&(*a)->services, *s, entry);
	args_add(&(*s)->command, "bin/x");
	return c;
}

static void
test_defaults(void **state)
{
	struct config		*c, *again;
	struct agent_conf	*a;
	struct service_conf	*s;
	char			*one, *two;

	c = sample(&a, &s);
	one = print(c);
	has(one, "user \"_updaterd\"");
	has(one, "unpack user \"_updunpack\"");
	has(one, "control \"/run/updaterd.sock\"");
	has(one, "shutdown stop");
	has(one, "\tbody 2G");
	has(one, "\tidle 30s");
	has(one, "\tkeep 3");
	has(one, "\t\treserve 5%");
	has(one, "\t\tuser \"root\"");
	has(one, "\t\tumask 022");
	has(one, "\t\thealth none");
	has(one, "\t\tstop TERM within 10s");
	has(one, "\t\trestart backoff 1s max 1m permanent { 78 125 }");
	has(one, "\t\tsupervise native");
	again = parse(one);
	assert_non_null(again);
	two = print(again);
	assert_string_equal(one, two);
	free(one);
	free(two);
	config_free(c);
	config_free(again);
}

static void
test_every_field(void **state)
{
	struct config		*c, *again;
	struct agent_conf	*a;
	struct service_conf	*s;
	char			*one, *two;

	c = sample(&a, &s);
	set(&c->control_group, "updater");
	c->shutdown_keep = 1;
	c->rate = 0;
	set(&c->self_root, "/opt/updaterd");
	c->self_within_ms = 90000;
	a->probation_ms = 30000;
	a->verify_start = 1;
	args_add(&a->install, "sh");
	args_add(&a->install, "a \"quoted\\\" word");
	set(&s->user, "agent");
	set(&s->group, "g");
	args_add(&s->groups, "h");
	set(&s->directory, "/d");
	s->optional = 1;
	args_add(&s->environment, "A=\\");
	s->health.kind = HEALTH_HTTPS;
	set(&s->health.host, "::1");
	s->health.port = 443;
	set(&s->health.ca, "/ca");
	set(&s->health.cert, "/crt");
	set(&s->health.key, "/key");
	set(&s->health.name, "n.example");
	s->health.within_ms = 1500;
	s->health.timeout_ms = 20;
	s->stop_signal = SIGUSR2;
	s->stop_ms = 0;
	s->npermanent = 0;
	s->rlimits[0].resource = RLIMIT_CORE;
	s->rlimits[0].value = RLIM_INFINITY;
	s->rlimits[1].resource = RLIMIT_NOFILE;
	s->rlimits[1].value = 77;
	s->nrlimits = 2;
	s->umask = 07;
	set(&s->log, "/var/log/x");

	one = print(c);
	has(one, "control \"/run/updaterd.sock\" group \"updater\"");
	has(one, "shutdown keep");
	has(one, "\trate 0");
	has(one, "\tinstall { \"sh\" \"a \\\"quoted\\\\\\\" word\" } "
	    "user \"_updunpack\" timeout 5m");
	has(one, "\tprobation 30s");
	has(one, "\tverify at start");
	has(one, "\t\tgroup \"g\"");
	has(one, "\t\tgroups { \"h\" }");
	has(one, "\t\tdirectory \"/d\"");
	has(one, "\t\toptional");
	has(one, "\t\tenvironment { \"A=\\\\\" }");
	has(one, "\t\thealth https ::1 port 443 path \"/\" status 200 {");
	has(one, "\t\t\tname \"n.example\"");
	has(one, "\t\t\twithin 1500ms");
	has(one, "\t\t\ttimeout 20ms");
	has(one, "\t\tstop USR2 within 0s");
	has(one, "\t\trestart backoff 1s max 1m permanent { }");
	has(one, "\t\t\tcore unlimited");
	has(one, "\t\t\tnofile 77");
	has(one, "\t\tumask 007");
	has(one, "\t\tlog \"/var/log/x\" size 1M keep 4");
	again = parse(one);
	if (again == NULL)
		fail_msg("refused: %s", errors);
	two = print(again);
	assert_string_equal(one, two);
	free(one);
	free(two);
	config_free(c);
	config_free(again);
}

/* What is said of a service under other supervisors, and with profiles. */
static void
test_supervised(void **state)
{
	struct config		*c, *again;
	struct agent_conf	*a;
	struct service_conf	*s;
	char			*text;

	c = sample(&a, &s);
	set(&s->user, "hermes");
	set(&s->home, "/opt/data");
	set(&s->profiles, "/opt/data/profiles");
	set(&s->marker, "SOUL.md");
	args_add(&s->runtime_files, "a.pid");
	args_add(&s->runtime_files, "b.json");
	set(&s->reconcile_log, "/var/log/boot");
	s->supervisor = SUPERVISE_S6;
	set(&s->scandir, "/run/service");
	set(&s->scan_owner, "hermes");
	s->scan_mount = 1;
	args_add(&s->scan_static, "x");
	set(&s->enabled_env, "GATEWAY");

	text = print(c);
	has(text, "\t\thome \"/opt/data\"");
	has(text, "\t\tprofiles \"/opt/data/profiles\" marker \"SOUL.md\"");
	has(text, "\t\truntime files { \"a.pid\" \"b.json\" }");
	has(text, "\t\treconcile log \"/var/log/boot\"");
	has(text, "\t\tsupervise s6 \"/run/service\" owner \"hermes\" mount "
	    "static { \"x\" }");
	has(text, "\t\tenabled if env \"GATEWAY\"");

	assert_non_null(again = parse(text));
	config_free(again);
	free(text);

	s->supervisor = SUPERVISE_SYSTEMD;
	set(&s->unit, "x.service");
	s->units_install = 1;
	text = print(c);
	has(text, "\t\tsupervise systemd \"x.service\" units install");
	free(text);
	s->supervisor = SUPERVISE_RCCTL;
	text = print(c);
	has(text, "\t\tsupervise rcctl \"x.service\"");
	free(text);
	config_free(c);
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_every_field),
		cmocka_unit_test(test_supervised)
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
