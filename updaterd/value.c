/*
 * Keywords and values of the configuration.
 *
 * Numbers are unsigned decimal (a umask: octal) without sign or blank, so
 * that nothing which strtoull(3) would quietly take gets through.  The
 * ranges stand in one table, with the reason where it is not plain.
 * value_format() is the inverse of value_parse(): what it prints parses to
 * the same number.
 */
#include <sys/types.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <ctype.h>
#include <inttypes.h>
#include <limits.h>
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "proto.h"
#include "value.h"

#define KIB		1024ULL
#define MIB		(1024 * KIB)
#define GIB		(1024 * MIB)
#define TIB		(1024 * GIB)
#define SECOND		1000ULL		/* milliseconds */
#define HOUR		(3600 * SECOND)
#define DAY		(24 * HOUR)

#define WORD_MAX	31		/* bytes, of value_distance() */
#define FPR_PREFIX	"SHA256:"

struct unit {
	const char	*name;
	uint64_t	 factor;
};

/* Largest first: value_format() takes the first that divides. */
static const struct unit	 none_units[] = {
	{ "", 1 },
	{ NULL, 0 }
};
static const struct unit	 size_units[] = {
	{ "T", TIB },
	{ "G", GIB },
	{ "M", MIB },
	{ "K", KIB },
	{ "", 1 },
	{ NULL, 0 }
};
static const struct unit	 time_units[] = {
	{ "h", HOUR },
	{ "m", 60 * SECOND },
	{ "s", SECOND },
	{ "ms", 1 },
	{ "", SECOND },
	{ NULL, 0 }
};
static const struct unit	 second_units[] = {
	{ "h", 3600 },
	{ "m", 60 },
	{ "s", 1 },
	{ "", 1 },
	{ NULL, 0 }
};
static const struct unit	 percent_units[] = {
	{ "%", 1 },
	{ "", 1 },
	{ NULL, 0 }
};

static const struct {
	const struct unit	*units;
	int			 base;
	const char		*what;
} kinds[] = {
	[VALUE_NONE] =		{ none_units, 10, "a number" },
	[VALUE_NUMBER] =	{ none_units, 10, "a number" },
	[VALUE_SIZE] =		{ size_units, 10,
	    "a size (bytes, or with K, M, G or T)" },
	[VALUE_DURATION] =	{ time_units, 10,
	    "a time (seconds, or with ms, s, m or h)" },
	[VALUE_SECONDS] =	{ second_units, 10,
	    "a time (seconds, or with s, m or h)" },
	[VALUE_PERCENT] =	{ percent_units, 10, "a percentage" },
	[VALUE_OCTAL] =		{ none_units, 8, "an octal number" }
};

static const struct {
	const char	*name;
	enum value_kind	 kind;
	uint64_t	 lo, hi;
} keys[KEY__MAX] = {
	[KEY_USER] =		{ "user", VALUE_NONE, 0, 0 },
	[KEY_UNPACK_USER] =	{ "unpack user", VALUE_NONE, 0, 0 },
	[KEY_CHROOT] =		{ "chroot", VALUE_NONE, 0, 0 },
	[KEY_CONTROL] =		{ "control", VALUE_NONE, 0, 0 },
	[KEY_STATE] =		{ "state", VALUE_NONE, 0, 0 },
	[KEY_SHUTDOWN] =	{ "shutdown", VALUE_NONE, 0, 0 },
	[KEY_PORT] =		{ "port", VALUE_NUMBER, 1, 65535 },
	[KEY_CA] =		{ "ca", VALUE_NONE, 0, 0 },
	[KEY_CRL] =		{ "crl", VALUE_NONE, 0, 0 },
	[KEY_CERTIFICATE] =	{ "certificate", VALUE_NONE, 0, 0 },
	[KEY_KEY] =		{ "key", VALUE_NONE, 0, 0 },
	[KEY_CONNECTIONS] =	{ "connections", VALUE_NUMBER, 1, 10000 },
	[KEY_PER_ADDRESS] =	{ "per-address", VALUE_NUMBER, 1, 10000 },
	/* Held in memory for each connection. */
	[KEY_HEADER] =		{ "header", VALUE_SIZE, KIB, 64 * KIB },
	[KEY_BODY] =		{ "body", VALUE_SIZE, 1, 1024 * TIB },
	[KEY_IDLE] =		{ "idle", VALUE_SECONDS, 1, 3600 },
	[KEY_RATE] =		{ "rate", VALUE_SIZE, 0, GIB },
	[KEY_PUSH] =		{ "push", VALUE_SECONDS, 1, 7 * 86400 },
	[KEY_RELEASE_KEY] =	{ "release key", VALUE_NONE, 0, 0 },
	[KEY_SELF] =		{ "root", VALUE_NONE, 0, 0 },
	[KEY_SELF_WITHIN] =	{ "within", VALUE_DURATION, SECOND, HOUR },
	[KEY_ROOT] =		{ "root", VALUE_NONE, 0, 0 },
	[KEY_INSTALL] =		{ "install", VALUE_NONE, 0, 0 },
	[KEY_INSTALL_USER] =	{ "user", VALUE_NONE, 0, 0 },
	[KEY_INSTALL_TIMEOUT] =	{ "timeout", VALUE_DURATION, SECOND, DAY },
	/* Current and previous always stay. */
	[KEY_KEEP] =		{ "keep", VALUE_NUMBER, 2, 1000 },
	[KEY_UNPACKED] =	{ "unpacked", VALUE_SIZE, 1, 1024 * TIB },
	[KEY_FILES] =		{ "files", VALUE_NUMBER, 1, 100000000 },
	[KEY_RESERVE] =		{ "reserve", VALUE_PERCENT, 0, 50 },
	[KEY_DOWNGRADE] =	{ "allow downgrade", VALUE_NONE, 0, 0 },
	[KEY_PROBATION] =	{ "probation", VALUE_DURATION, SECOND, DAY },
	[KEY_VERIFY] =		{ "verify at start", VALUE_NONE, 0, 0 },
	[KEY_GROUP] =		{ "group", VALUE_NONE, 0, 0 },
	[KEY_GROUPS] =		{ "groups", VALUE_NONE, 0, 0 },
	[KEY_DIRECTORY] =	{ "directory", VALUE_NONE, 0, 0 },
	[KEY_UMASK] =		{ "umask", VALUE_OCTAL, 0, 0777 },
	[KEY_RLIMIT] =		{ "rlimit", VALUE_NONE, 0, 0 },
	[KEY_OPTIONAL] =	{ "optional", VALUE_NONE, 0, 0 },
	[KEY_COMMAND] =		{ "command", VALUE_NONE, 0, 0 },
	[KEY_ENVIRONMENT] =	{ "environment", VALUE_NONE, 0, 0 },
	[KEY_HEALTH] =		{ "health", VALUE_NONE, 0, 0 },
	[KEY_PATH] =		{ "path", VALUE_NONE, 0, 0 },
	[KEY_STATUS] =		{ "status", VALUE_NUMBER, 100, 599 },
	[KEY_NAME] =		{ "name", VALUE_NONE, 0, 0 },
	[KEY_WITHIN] =		{ "within", VALUE_DURATION, 100, DAY },
	[KEY_TIMEOUT] =		{ "timeout", VALUE_DURATION, 10, DAY },
	[KEY_STOP] =		{ "stop", VALUE_NONE, 0, 0 },
	[KEY_STOP_WITHIN] =	{ "within", VALUE_DURATION, 0, HOUR },
	[KEY_RESTART] =		{ "restart", VALUE_NONE, 0, 0 },
	/* A crash loop must leave the host usable. */
	[KEY_BACKOFF] =		{ "backoff", VALUE_DURATION, 100, DAY },
	[KEY_BACKMAX] =		{ "max", VALUE_DURATION, 100, DAY },
	[KEY_PERMANENT] =	{ "permanent", VALUE_NUMBER, 0, 255 },
	[KEY_LOG] =		{ "log", VALUE_NONE, 0, 0 },
	[KEY_LOG_SIZE] =	{ "size", VALUE_SIZE, 4 * KIB, TIB },
	[KEY_LOG_KEEP] =	{ "keep", VALUE_NUMBER, 0, 1000 },
	[KEY_HOME] =		{ "home", VALUE_NONE, 0, 0 },
	[KEY_PROFILES] =	{ "profiles", VALUE_NONE, 0, 0 },
	[KEY_MARKER] =		{ "marker", VALUE_NONE, 0, 0 },
	[KEY_RUNTIME_FILES] =	{ "runtime files", VALUE_NONE, 0, 0 },
	[KEY_RECONCILE_LOG] =	{ "reconcile log", VALUE_NONE, 0, 0 },
	[KEY_SUPERVISE] =	{ "supervise", VALUE_NONE, 0, 0 },
	[KEY_SUPERVISE_S6] =	{ "supervise s6", VALUE_NONE, 0, 0 },
	[KEY_SUPERVISE_SYSTEMD] = { "supervise systemd", VALUE_NONE, 0, 0 },
	[KEY_SUPERVISE_RCCTL] =	{ "supervise rcctl", VALUE_NONE, 0, 0 },
	[KEY_ENABLED] =		{ "enabled if env", VALUE_NONE, 0, 0 }
};

static const struct {
	const char	*name;
	int		 number;
} signals[] = {
	{ "TERM",	SIGTERM },
	{ "INT",	SIGINT },
	{ "HUP",	SIGHUP },
	{ "QUIT",	SIGQUIT },
	{ "USR1",	SIGUSR1 },
	{ "USR2",	SIGUSR2 },
	{ "KILL",	SIGKILL }
};

static const struct {
	const char	*name;
	int		 resource;
	enum value_kind	 kind;
} rlimits[] = {
	{ "nofile",	RLIMIT_NOFILE,	VALUE_NUMBER },
	{ "core",	RLIMIT_CORE,	VALUE_SIZE },
	{ "nproc",	RLIMIT_NPROC,	VALUE_NUMBER },
#ifdef RLIMIT_AS
	{ "as",		RLIMIT_AS,	VALUE_SIZE },
#endif
	{ "fsize",	RLIMIT_FSIZE,	VALUE_SIZE },
	{ "data",	RLIMIT_DATA,	VALUE_SIZE },
	{ "stack",	RLIMIT_STACK,	VALUE_SIZE },
	{ "memlock",	RLIMIT_MEMLOCK,	VALUE_SIZE },
	{ "cpu",	RLIMIT_CPU,	VALUE_SECONDS }
};

#define NITEMS(a)	(sizeof(a) / sizeof((a)[0]))

const char *
key_name(enum conf_key key)
{
	return keys[key].name;
}

enum value_kind
key_kind(enum conf_key key)
{
	return keys[key].kind;
}

int
key_parse(enum conf_key key, const char *s, uint64_t *v, char *why,
    size_t whysize)
{
	return value_parse(keys[key].kind, s, keys[key].lo, keys[key].hi, v,
	    why, whysize);
}

/* The digits at *s, which is moved behind them.  0, or -1: none, or more
 * than 64 bits (*big is set). */
static int
parse_digits(const char **s, unsigned int base, uint64_t *v, int *big)
{
	const char	*p = *s;
	unsigned int	 d;

	*v = 0;
	*big = 0;
	for (; isdigit((unsigned char)*p); p++) {
		d = (unsigned int)(*p - '0');
		if (d >= base)
			return -1;
		if (*v > (UINT64_MAX - d) / base)
			*big = 1;
		else
			*v = *v * base + d;
	}
	if (p == *s)
		return -1;
	*s = p;
	return 0;
}

int
value_parse(enum value_kind kind, const char *s, uint64_t lo, uint64_t hi,
    uint64_t *out, char *why, size_t whysize)
{
	const struct unit	*u;
	const char		*p = s;
	char			 tlo[VALUE_TEXT], thi[VALUE_TEXT];
	uint64_t		 v;
	int			 big;

	if (parse_digits(&p, (unsigned int)kinds[kind].base, &v, &big) == -1)
		goto malformed;
	for (u = kinds[kind].units; u->name != NULL; u++) {
		/* Sizes also in lower case; "M" of a time is no minute. */
		if (strcmp(p, u->name) == 0 || (kind == VALUE_SIZE &&
		    strcasecmp(p, u->name) == 0))
			break;
	}
	if (u->name == NULL)
		goto malformed;
	if (big || v > UINT64_MAX / u->factor || v * u->factor < lo ||
	    v * u->factor > hi) {
		value_format(kind, lo, tlo, sizeof(tlo));
		value_format(kind, hi, thi, sizeof(thi));
		snprintf(why, whysize, "\"%.64s\" is out of range (%s to %s)",
		    s, tlo, thi);
		return -1;
	}
	*out = v * u->factor;
	return 0;
 malformed:
	snprintf(why, whysize, "\"%.64s\" is not %s", s, kinds[kind].what);
	return -1;
}

void
value_format(enum value_kind kind, uint64_t v, char *buf, size_t size)
{
	const struct unit	*u;

	if (kind == VALUE_OCTAL) {
		snprintf(buf, size, "%03" PRIo64, v);
		return;
	}
	/* Nought in the unit one would expect, not in hours. */
	if (v == 0) {
		snprintf(buf, size, "0%s", kind == VALUE_PERCENT ? "%" :
		    kind == VALUE_DURATION || kind == VALUE_SECONDS ? "s" : "");
		return;
	}
	for (u = kinds[kind].units; u->name != NULL; u++) {
		if (v % u->factor == 0) {
			snprintf(buf, size, "%" PRIu64 "%s", v / u->factor,
			    u->name);
			return;
		}
	}
}

int
value_signal(const char *s)
{
	size_t	 i;

	if (strncmp(s, "SIG", 3) == 0)
		s += 3;
	for (i = 0; i < NITEMS(signals); i++)
		if (strcmp(s, signals[i].name) == 0)
			return signals[i].number;
	return -1;
}

const char *
value_signame(int number)
{
	size_t	 i;

	for (i = 0; i < NITEMS(signals); i++)
		if (number == signals[i].number)
			return signals[i].name;
	return NULL;
}

int
value_rlimit(const char *s, enum value_kind *kind)
{
	size_t	 i;

	for (i = 0; i < NITEMS(rlimits); i++) {
		if (strcmp(s, rlimits[i].name) == 0) {
			*kind = rlimits[i].kind;
			return rlimits[i].resource;
		}
	}
	return -1;
}

const char *
value_rlimname(int resource, enum value_kind *kind)
{
	size_t	 i;

	for (i = 0; i < NITEMS(rlimits); i++) {
		if (resource == rlimits[i].resource) {
			*kind = rlimits[i].kind;
			return rlimits[i].name;
		}
	}
	return NULL;
}

int
value_address(const char *host, uint16_t port, struct sockaddr_storage *ss,
    socklen_t *len)
{
	struct addrinfo	 hints, *res;
	char		 service[8];

	memset(&hints, 0, sizeof(hints));
	hints.ai_family = AF_UNSPEC;
	hints.ai_socktype = SOCK_STREAM;
	hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE;
	snprintf(service, sizeof(service), "%u", (unsigned int)port);
	if (host[0] == '\0' || getaddrinfo(host, service, &hints, &res) != 0)
		return -1;
	memset(ss, 0, sizeof(*ss));
	if (res->ai_addrlen > sizeof(*ss)) {
		freeaddrinfo(res);
		return -1;
	}
	memcpy(ss, res->ai_addr, res->ai_addrlen);
	*len = res->ai_addrlen;
	freeaddrinfo(res);
	return 0;
}

int
value_fingerprint(const char *s, char *buf, size_t size)
{
	size_t	 i, skip = sizeof(FPR_PREFIX) - 1;

	if (strlen(s) >= size || strncmp(s, FPR_PREFIX, skip) != 0)
		return -1;
	memcpy(buf, s, strlen(s) + 1);
	for (i = skip; buf[i] != '\0'; i++)
		buf[i] = (char)tolower((unsigned char)buf[i]);
	return digest_ishex(buf + skip) ? 0 : -1;
}

int
value_distance(const char *a, const char *b)
{
	int	 d[WORD_MAX + 1][WORD_MAX + 1];
	size_t	 i, j, n = strlen(a), m = strlen(b);

	if (n > WORD_MAX || m > WORD_MAX)
		return WORD_MAX + 1;
	for (i = 0; i <= n; i++)
		d[i][0] = (int)i;
	for (j = 0; j <= m; j++)
		d[0][j] = (int)j;
	for (i = 1; i <= n; i++) {
		for (j = 1; j <= m; j++) {
			d[i][j] = d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
			if (d[i - 1][j] + 1 < d[i][j])
				d[i][j] = d[i - 1][j] + 1;
			if (d[i][j - 1] + 1 < d[i][j])
				d[i][j] = d[i][j - 1] + 1;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] &&
			    a[i - 2] == b[j - 1] &&
			    d[i - 2][j - 2] + 1 < d[i][j])
				d[i][j] = d[i - 2][j - 2] + 1;
		}
	}
	return d[n][m];
}

int
value_ispath(const char *s)
{
	size_t	 n;

	if (s[0] != '/' || strlen(s) >= PATH_MAX)
		return 0;
	if (s[1] == '\0')
		return 1;
	while (*s == '/') {
		s++;
		n = strcspn(s, "/");
		if (n == 0 || (n == 1 && s[0] == '.') ||
		    (n == 2 && s[0] == '.' && s[1] == '.'))
			return 0;
		s += n;
	}
	return 1;
}
