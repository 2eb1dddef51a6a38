/*
 * The grammar of updaterd.conf(5).  The words come from lex.c, numbers
 * from value.c; what the grammar cannot see is in config_check().
 *
 * All errors of a file are reported in one go.  After a syntax error the
 * parser goes on behind the statement (lex_skip()), and whatever it stood
 * in is marked damaged, so that config_check() does not call missing what
 * was only misspelt.
 *
 * Texts belong to lex.c until lex_end(); actions copy what they keep.
 */
%{
#include <sys/types.h>
#include <sys/queue.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "lex.h"
#include "log.h"
#include "macro.h"
#include "setting.h"
#include "syntax.h"

typedef struct {
	union {
		const char	*string;
		int		 number;
	} v;
	int	 pos;
} YYSTYPE;
#define YYSTYPE_IS_DECLARED	1

static struct config		*conf;
static struct agent_conf	*agent;		/* being read, or NULL */
static struct service_conf	*svc;		/* being read, or NULL */
static struct args		 list;		/* the last { list } */
static struct token		 tok, before;	/* the last two */
static const char		*missing;	/* where it errs now, or NULL */

int	 yyparse(void);
int	 yylex(void);
int	 yyerror(const char *);
%}

%token	AGENT ALLOW BACKOFF BODY CA CERTIFICATE CHROOT COMMAND CONNECTIONS
%token	CONTROL CRL DIRECTORY DOWNGRADE ENABLED ENV ENVIRONMENT EXEC FILES
%token	FINGERPRINT FROM
%token	GROUP GROUPS HEADER HEALTH HOME HTTP HTTPS IDLE IF INCLUDE INSTALL
%token	KEEP KEY LIMITS LISTEN LOG MARKER MAX MOUNT NAME NATIVE NONE NOTIFY
%token	ON OPTIONAL OWNER PATH PERADDRESS PERMANENT PERMIT PORT PROBATION
%token	PROFILES PUSH RATE RCCTL READ RECONCILE RELEASE RESERVE RESTART
%token	RLIMIT ROOT RUNTIME S6 SELF SERVICE SHUTDOWN SIZE STATE STATIC
%token	STATUS STOP SUBJECT SUPERVISE SYSTEMD TCP TIMEOUT TLS UMASK UNITS
%token	UNPACK UNPACKED USER WITHIN
%token	AT START VERIFY
%token	<v.string>	WORD STRING
%type	<v.string>	value string strings
%type	<v.number>	role http

%%

grammar	: /* empty */
	| grammar '\n'
	| grammar INCLUDE string '\n'	{ (void)lex_open($3, $<pos>2); }
	| grammar macro '\n'
	| grammar main '\n'
	| grammar error '\n'		{ yyerrok; }
	;

macro	: WORD '=' string	{
		if (macro_set($1, $3, 0) == -1)
			setting_error($<pos>1, "\"%.64s\" is not fit for "
			    "the name of a macro", $1);
	}
	;

/* One text: pieces of it may stand apart. */
string	: WORD
	| strings
	;
strings	: STRING
	| strings STRING	{ $$ = lex_join($1, $2); }
	;
value	: WORD
	| STRING
	;

list	: '{'			{ args_free(&list); }
	  listed '}'
	;
listed	: /* empty */
	| listed value		{ args_add(&list, $2); }
	| listed ','
	| listed '\n'
	| listed error '\n'	{ yyerrok; }
	;

/* --- the file ------------------------------------------------------- */

main	: USER string	{ STRINGTO(conf, KEY_USER, user, $<pos>1, $2); }
	| UNPACK USER string	{
		STRINGTO(conf, KEY_UNPACK_USER, unpack_user, $<pos>1, $3);
	}
	| CHROOT string	{ STRINGTO(conf, KEY_CHROOT, chroot, $<pos>1, $2); }
	| CONTROL string cgroup	{
		STRINGTO(conf, KEY_CONTROL, control, $<pos>1, $2);
	}
	| STATE string	{ STRINGTO(conf, KEY_STATE, state, $<pos>1, $2); }
	| SHUTDOWN STOP	{
		if (setting_once(conf->lines, KEY_SHUTDOWN, $<pos>1))
			conf->shutdown_keep = 0;
	}
	| SHUTDOWN KEEP	{
		if (setting_once(conf->lines, KEY_SHUTDOWN, $<pos>1))
			conf->shutdown_keep = 1;
	}
	| LISTEN ON value PORT value	{
		setting_listen(conf, $<pos>1, $3, $5);
	}
	| TLS '{' tlsopts '}'
	| LIMITS '{' netlimits '}'
	| PERMIT role FROM SUBJECT string	{
		setting_permit(conf, $<pos>1, $2, PERMIT_SUBJECT, $5);
	}
	| PERMIT role FROM FINGERPRINT string	{
		setting_permit(conf, $<pos>1, $2, PERMIT_FINGERPRINT, $5);
	}
	| RELEASE KEY string	{ setting_release_key(conf, $<pos>1, $3); }
	| SELF '{' selfopts '}'	{
		if (conf->self_root == NULL && !conf->damaged &&
		    conf->lines[KEY_SELF_WITHIN] == 0)
			setting_error($<pos>1, "self: no root: it takes a "
			    "directory for the releases of updaterd");
	}
	| agent
	;
cgroup	: /* empty */
	| GROUP string	{
		STRINGTO(conf, KEY_GROUP, control_group, $<pos>1, $2);
	}
	;
role	: READ		{ $$ = ROLE_READ; }
	| CONTROL	{ $$ = ROLE_CONTROL; }
	| PUSH		{ $$ = ROLE_PUSH; }
	| SELF		{ $$ = ROLE_SELF; }
	;

tlsopts	: /* empty */
	| tlsopts '\n'
	| tlsopts tlsopt
	| tlsopts error '\n'	{ yyerrok; }
	;
tlsopt	: CA string	{ STRINGTO(conf, KEY_CA, tls.ca, $<pos>1, $2); }
	| CRL string	{ STRINGTO(conf, KEY_CRL, tls.crl, $<pos>1, $2); }
	| CERTIFICATE string	{
		STRINGTO(conf, KEY_CERTIFICATE, tls.cert, $<pos>1, $2);
	}
	| KEY string	{ STRINGTO(conf, KEY_KEY, tls.key, $<pos>1, $2); }
	;

netlimits : /* empty */
	| netlimits '\n'
	| netlimits netlimit
	| netlimits error '\n'	{ yyerrok; }
	;
netlimit : CONNECTIONS value	{
		NUMBER(conf, KEY_CONNECTIONS, connections, $<pos>1, $2);
	}
	| PERADDRESS value	{
		NUMBER(conf, KEY_PER_ADDRESS, per_address, $<pos>1, $2);
	}
	| HEADER value	{ NUMBER(conf, KEY_HEADER, header, $<pos>1, $2); }
	| BODY value	{ NUMBER(conf, KEY_BODY, body, $<pos>1, $2); }
	| IDLE value	{ NUMBER(conf, KEY_IDLE, idle, $<pos>1, $2); }
	| RATE value	{ NUMBER(conf, KEY_RATE, rate, $<pos>1, $2); }
	| PUSH value	{ NUMBER(conf, KEY_PUSH, push, $<pos>1, $2); }
	;

selfopts : /* empty */
	| selfopts '\n'
	| selfopts ROOT string	{
		STRINGTO(conf, KEY_SELF, self_root, $<pos>2, $3);
	}
	| selfopts WITHIN value	{
		NUMBER(conf, KEY_SELF_WITHIN, self_within_ms, $<pos>2, $3);
	}
	| selfopts error '\n'	{ yyerrok; }
	;

/* --- an agent ------------------------------------------------------- */

agent	: AGENT string '{'	{
		agent = agent_conf_new($2);
		agent->line = $<pos>1;
		TAILQ_INSERT_TAIL(&conf->agents, agent, entry);
	}
	  agentopts agentlast '}'	{ agent = NULL; }
	;
agentopts : /* empty */
	| agentopts '\n'
	| agentopts agentopt '\n'
	| agentopts error '\n'	{ yyerrok; }
	;
agentlast : /* empty */
	| agentopt
	;
agentopt : ROOT string	{ STRINGTO(agent, KEY_ROOT, root, $<pos>1, $2); }
	| INSTALL list	{
		setting_list(&agent->install, &list, agent->lines, KEY_INSTALL,
		    $<pos>1);
	}
	  instopts
	| KEEP value	{ NUMBER(agent, KEY_KEEP, keep, $<pos>1, $2); }
	| LIMITS '{' treelimits '}'
	| ALLOW DOWNGRADE	{
		if (setting_once(agent->lines, KEY_DOWNGRADE, $<pos>1))
			agent->downgrade = 1;
	}
	| PROBATION value	{
		NUMBER(agent, KEY_PROBATION, probation_ms, $<pos>1, $2);
	}
	| VERIFY AT START	{
		if (setting_once(agent->lines, KEY_VERIFY, $<pos>1))
			agent->verify_start = 1;
	}
	| service
	;
instopts : /* empty */
	| instopts USER string	{
		STRINGTO(agent, KEY_INSTALL_USER, install_user, $<pos>2, $3);
	}
	| instopts TIMEOUT value	{
		NUMBER(agent, KEY_INSTALL_TIMEOUT, install_ms, $<pos>2, $3);
	}
	;
treelimits : /* empty */
	| treelimits '\n'
	| treelimits treelimit
	| treelimits error '\n'	{ yyerrok; }
	;
treelimit : UNPACKED value	{
		NUMBER(agent, KEY_UNPACKED, unpacked, $<pos>1, $2);
	}
	| FILES value	{ NUMBER(agent, KEY_FILES, files, $<pos>1, $2); }
	| RESERVE value	{ NUMBER(agent, KEY_RESERVE, reserve, $<pos>1, $2); }
	;

/* --- a service ------------------------------------------------------ */

service	: SERVICE string '{'	{
		svc = service_conf_new($2);
		svc->line = $<pos>1;
		TAILQ_INSERT_TAIL(&agent->services, svc, entry);
	}
	  svcopts svclast '}'	{
		setting_finish(svc);
		svc = NULL;
	}
	;
svcopts	: /* empty */
	| svcopts '\n'
	| svcopts svcopt '\n'
	| svcopts error '\n'	{ yyerrok; }
	;
svclast	: /* empty */
	| svcopt
	;
svcopt	: USER string	{ STRINGTO(svc, KEY_USER, user, $<pos>1, $2); }
	| GROUP string	{ STRINGTO(svc, KEY_GROUP, group, $<pos>1, $2); }
	| GROUPS list	{
		setting_list(&svc->groups, &list, svc->lines, KEY_GROUPS,
		    $<pos>1);
	}
	| DIRECTORY string	{
		STRINGTO(svc, KEY_DIRECTORY, directory, $<pos>1, $2);
	}
	| UMASK value	{ NUMBER(svc, KEY_UMASK, umask, $<pos>1, $2); }
	| RLIMIT '{' rlimits '}'
	| OPTIONAL	{
		if (setting_once(svc->lines, KEY_OPTIONAL, $<pos>1))
			svc->optional = 1;
	}
	| COMMAND list	{
		setting_list(&svc->command, &list, svc->lines, KEY_COMMAND,
		    $<pos>1);
	}
	| ENVIRONMENT list	{
		setting_list(&svc->environment, &list, svc->lines,
		    KEY_ENVIRONMENT, $<pos>1);
	}
	| HEALTH	{ setting_health_begin(svc, $<pos>1); }
	  health
	| STOP stopsig stopwait	{
		(void)setting_once(svc->lines, KEY_STOP, $<pos>1);
	}
	| RESTART restarts	{
		(void)setting_once(svc->lines, KEY_RESTART, $<pos>1);
	}
	| LOG string	{ STRINGTO(svc, KEY_LOG, log, $<pos>1, $2); }
	  logopts
	| HOME string	{ STRINGTO(svc, KEY_HOME, home, $<pos>1, $2); }
	| PROFILES {
		missing = "the marker is missing: profiles \"/DIRECTORY\" "
		    "marker \"FILE\"";
	}
	  string MARKER string	{
		missing = NULL;
		STRINGTO(svc, KEY_PROFILES, profiles, $<pos>1, $3);
		STRINGTO(svc, KEY_MARKER, marker, $<pos>4, $5);
	}
	| RUNTIME FILES list	{
		setting_list(&svc->runtime_files, &list, svc->lines,
		    KEY_RUNTIME_FILES, $<pos>1);
	}
	| RECONCILE LOG string	{
		STRINGTO(svc, KEY_RECONCILE_LOG, reconcile_log, $<pos>1, $3);
	}
	| SUPERVISE supervise
	| ENABLED IF ENV string	{
		STRINGTO(svc, KEY_ENABLED, enabled_env, $<pos>1, $4);
	}
	;

rlimits	: /* empty */
	| rlimits '\n'
	| rlimits value value	{ setting_rlimit(svc, $<pos>2, $2, $3); }
	| rlimits error '\n'	{ yyerrok; }
	;
stopsig	: /* empty */
	| value		{ setting_signal(svc, $<pos>1, $1); }
	;
stopwait : /* empty */
	| WITHIN value	{
		NUMBER(svc, KEY_STOP_WITHIN, stop_ms, $<pos>1, $2);
	}
	;
restarts : /* empty */
	| restarts BACKOFF value	{
		NUMBER(svc, KEY_BACKOFF, backoff_ms, $<pos>2, $3);
	}
	| restarts MAX value	{
		NUMBER(svc, KEY_BACKMAX, backmax_ms, $<pos>2, $3);
	}
	| restarts PERMANENT list	{
		setting_permanent(svc, $<pos>2, &list);
	}
	;
logopts	: /* empty */
	| logopts SIZE value	{
		NUMBER(svc, KEY_LOG_SIZE, log_size, $<pos>2, $3);
	}
	| logopts KEEP value	{
		NUMBER(svc, KEY_LOG_KEEP, log_keep, $<pos>2, $3);
	}
	;

health	: NONE	{
		setting_health(svc, HEALTH_NONE, $<pos>1, NULL, NULL);
	}
	| NOTIFY	{
		setting_health(svc, HEALTH_NOTIFY, $<pos>1, NULL, NULL);
	}
	  healthblock
	| TCP value PORT value	{
		setting_health(svc, HEALTH_TCP, $<pos>1, $2, $4);
	}
	  healthblock
	| http value PORT value	{
		setting_health(svc, $1, $<pos>1, $2, $4);
	}
	  httpopts healthblock
	| EXEC list	{
		setting_health(svc, HEALTH_EXEC, $<pos>1, NULL, NULL);
		args_free(&svc->health.command);
		svc->health.command = list;
		memset(&list, 0, sizeof(list));
	}
	  healthblock
	;
http	: HTTP		{ $$ = HEALTH_HTTP; }
	| HTTPS		{ $$ = HEALTH_HTTPS; }
	;
httpopts : /* empty */
	| httpopts PATH string	{
		STRINGTO(svc, KEY_PATH, health.path, $<pos>2, $3);
	}
	| httpopts STATUS value	{
		NUMBER(svc, KEY_STATUS, health.status, $<pos>2, $3);
	}
	;
healthblock : /* empty */
	| '{' healthopts '}'
	;
healthopts : /* empty */
	| healthopts '\n'
	| healthopts healthopt
	| healthopts error '\n'	{ yyerrok; }
	;
healthopt : CA string	{ STRINGTO(svc, KEY_CA, health.ca, $<pos>1, $2); }
	| CERTIFICATE string	{
		STRINGTO(svc, KEY_CERTIFICATE, health.cert, $<pos>1, $2);
	}
	| KEY string	{ STRINGTO(svc, KEY_KEY, health.key, $<pos>1, $2); }
	| NAME string	{ STRINGTO(svc, KEY_NAME, health.name, $<pos>1, $2); }
	| WITHIN value	{
		NUMBER(svc, KEY_WITHIN, health.within_ms, $<pos>1, $2);
	}
	| TIMEOUT value	{
		NUMBER(svc, KEY_TIMEOUT, health.timeout_ms, $<pos>1, $2);
	}
	;

supervise : NATIVE	{
		setting_supervisor(svc, SUPERVISE_NATIVE, KEY_SUPERVISE,
		    $<pos>1);
	}
	| S6 {
		missing = "the owner is missing: supervise s6 "
		    "\"/DIRECTORY\" owner \"USER\"";
	}
	  string OWNER string	{
		missing = NULL;
		setting_supervisor(svc, SUPERVISE_S6, KEY_SUPERVISE_S6,
		    $<pos>1);
		free(svc->scandir);
		free(svc->scan_owner);
		if ((svc->scandir = strdup($3)) == NULL ||
		    (svc->scan_owner = strdup($5)) == NULL)
			fatal("strdup");
	}
	  s6opts
	| SYSTEMD string	{
		setting_supervisor(svc, SUPERVISE_SYSTEMD,
		    KEY_SUPERVISE_SYSTEMD, $<pos>1);
		free(svc->unit);
		if ((svc->unit = strdup($2)) == NULL)
			fatal("strdup");
	}
	  unitsopt
	| RCCTL string	{
		setting_supervisor(svc, SUPERVISE_RCCTL, KEY_SUPERVISE_RCCTL,
		    $<pos>1);
		free(svc->unit);
		if ((svc->unit = strdup($2)) == NULL)
			fatal("strdup");
	}
	;
s6opts	: /* empty */
	| s6opts MOUNT		{ svc->scan_mount = 1; }
	| s6opts STATIC list	{
		args_free(&svc->scan_static);
		svc->scan_static = list;
		memset(&list, 0, sizeof(list));
	}
	;
unitsopt : /* empty */
	| UNITS INSTALL	{ svc->units_install = 1; }
	;

%%

/* Their tokens, in the order of syntax.h. */
static const int tokens[] = {
#define K(name, token)	token,
	KEYWORDS(K)
#undef K
};

int
yylex(void)
{
	int	 k;

	before = tok;
	lex_next(&tok);
	yylval.pos = tok.pos;
	yylval.v.string = tok.text;
	switch (tok.type) {
	case LEX_TRUNCATED:
		return 0;
	case LEX_STRING:
		return STRING;
	case LEX_WORD:
		if (tok.named || (k = syntax_keyword(tok.text)) == -1)
			return WORD;
		return tokens[k];
	default:
		return tok.type;
	}
}

int
yyerror(const char *msg)
{
	syntax_explain(&tok, &before, missing);
	missing = NULL;
	if (svc != NULL)
		svc->damaged = 1;
	else if (agent != NULL)
		agent->damaged = 1;
	else
		conf->damaged = 1;
	lex_skip(&tok);
	return 0;
}

int
config_define(char *s)
{
	char	*eq;
	int	 ret;

	if ((eq = strchr(s, '=')) == NULL)
		return -1;
	*eq = '\0';
	ret = macro_set(s, eq + 1, 1);
	*eq = '=';
	return ret;
}

static void
begin(const char *path)
{
	conf = config_new();
	agent = NULL;
	svc = NULL;
	setting_begin();
	memset(&tok, 0, sizeof(tok));
	if ((conf->path = strdup(path)) == NULL)
		fatal("strdup");
	lex_begin(setting_error);
}

/* What was read is the caller's. */
static struct config *
end(void)
{
	struct config	*c = conf;

	lex_end();
	args_free(&list);
	conf = NULL;
	return c;
}

static void
keep_silent(const char *line)
{
}

/*
 * For a program that may be older than the file: what it does not
 * understand it passes over, and says nothing.
 */
struct config *
config_skim(const char *path)
{
	struct config	*skimmed;

	config_onerror(keep_silent);
	begin(path);
	if (lex_open(path, 0) == 0)
		(void)yyparse();
	skimmed = end();
	config_onerror(NULL);
	return skimmed;
}

struct config *
config_parse(const char *path)
{
	struct config	*parsed;

	begin(path);
	if (lex_open(path, 0) == 0) {
		if (yyparse() != 0)
			conf->damaged = 1;
		(void)config_check(conf, setting_error);
		(void)config_readkeys(conf, setting_error);
	}
	parsed = end();
	if (setting_errors() == 0)
		return parsed;
	config_free(parsed);
	return NULL;
}
