/*
 * What the grammar and its complaints have in common: the keywords.
 */
#ifndef UPD_SYNTAX_H
#define UPD_SYNTAX_H

#include "lex.h"

/* Name and token (parse.y) of each. */
#define KEYWORDS(K)						\
	K("agent", AGENT)					\
	K("allow", ALLOW)					\
	K("at", AT)						\
	K("backoff", BACKOFF)					\
	K("body", BODY)						\
	K("ca", CA)						\
	K("certificate", CERTIFICATE)				\
	K("chroot", CHROOT)					\
	K("command", COMMAND)					\
	K("connections", CONNECTIONS)				\
	K("control", CONTROL)					\
	K("crl", CRL)						\
	K("directory", DIRECTORY)				\
	K("downgrade", DOWNGRADE)				\
	K("enabled", ENABLED)					\
	K("env", ENV)						\
	K("environment", ENVIRONMENT)				\
	K("exec", EXEC)						\
	K("files", FILES)					\
	K("fingerprint", FINGERPRINT)				\
	K("from", FROM)						\
	K("group", GROUP)					\
	K("groups", GROUPS)					\
	K("header", HEADER)					\
	K("health", HEALTH)					\
	K("home", HOME)						\
	K("http", HTTP)						\
	K("https", HTTPS)					\
	K("idle", IDLE)						\
	K("if", IF)						\
	K("include", INCLUDE)					\
	K("install", INSTALL)					\
	K("keep", KEEP)						\
	K("key", KEY)						\
	K("limits", LIMITS)					\
	K("listen", LISTEN)					\
	K("log", LOG)						\
	K("marker", MARKER)					\
	K("max", MAX)						\
	K("mount", MOUNT)					\
	K("name", NAME)						\
	K("native", NATIVE)					\
	K("none", NONE)						\
	K("notify", NOTIFY)					\
	K("on", ON)						\
	K("optional", OPTIONAL)					\
	K("owner", OWNER)					\
	K("path", PATH)						\
	K("per-address", PERADDRESS)				\
	K("permanent", PERMANENT)				\
	K("permit", PERMIT)					\
	K("port", PORT)						\
	K("probation", PROBATION)				\
	K("profiles", PROFILES)					\
	K("push", PUSH)						\
	K("rate", RATE)						\
	K("rcctl", RCCTL)					\
	K("read", READ)						\
	K("reconcile", RECONCILE)				\
	K("release", RELEASE)					\
	K("reserve", RESERVE)					\
	K("restart", RESTART)					\
	K("rlimit", RLIMIT)					\
	K("root", ROOT)						\
	K("runtime", RUNTIME)					\
	K("s6", S6)						\
	K("self", SELF)						\
	K("service", SERVICE)					\
	K("shutdown", SHUTDOWN)					\
	K("size", SIZE)						\
	K("start", START)					\
	K("state", STATE)					\
	K("static", STATIC)					\
	K("status", STATUS)					\
	K("stop", STOP)						\
	K("subject", SUBJECT)					\
	K("supervise", SUPERVISE)				\
	K("systemd", SYSTEMD)					\
	K("tcp", TCP)						\
	K("timeout", TIMEOUT)					\
	K("tls", TLS)						\
	K("umask", UMASK)					\
	K("units", UNITS)					\
	K("unpack", UNPACK)					\
	K("unpacked", UNPACKED)					\
	K("user", USER)						\
	K("verify", VERIFY)					\
	K("within", WITHIN)

/* Its place in KEYWORDS, or -1. */
int	 syntax_keyword(const char *);
/*
 * Report why this token does not fit behind the one before it.  The last:
 * what such a statement lacks, for the operator, or NULL.
 */
void	 syntax_explain(const struct token *, const struct token *,
	    const char *);

#endif
