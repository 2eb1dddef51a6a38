/*
 * Names of what our processes say to each other, and the one place where
 * a message is checked before a handler sees it.
 */
#include <sys/types.h>

#include <string.h>

#include "imsg.h"
#include "proto.h"

#define NELEM(a)	(sizeof(a) / sizeof((a)[0]))

static const char *const proc_names[PROC__MAX] = {
	"parent", "net", "probe", "inflate", "unpack", "profile",
	"control"
};

static const char *const role_names[ROLE__MAX] = {
	"none", "read", "control", "push", "self"
};

static const char *const op_names[OP__MAX] = {
	"health", "releases", "status", "agents", "manifest", "metrics",
	"rollback", "start", "stop", "restart", "confirm", "history",
	"reload", "log", "monitor", "verify", "reconcile", "profiles"
};

static const char *const health_names[HEALTH__MAX] = {
	"none", "tcp", "http", "https", "exec", "notify"
};

static const char *const fault_names[FAULT__MAX] = {
	"changed", "missing", "extra", "mode", "owner", "unreadable"
};

#define N(x)	[IMSG_##x] = #x
static const char *const imsg_names[IMSG__MAX] = {
	N(NONE), N(VERBOSE), N(READY),
	N(NET_CONF), N(NET_FILE), N(NET_PERMIT), N(NET_LISTEN), N(NET_END),
	N(NET_OK), N(NET_BAD), N(NET_CERT), N(NET_ASK), N(NET_COUNT),
	N(NET_DRAIN), N(NET_DRAINED),
	N(REQUEST), N(REPLY), N(REPLY_FD), N(CANCEL),
	N(UPDATE_OPEN), N(UPDATE_GO), N(UPDATE_DONE), N(UPDATE_ABORT),
	N(UPDATE_EVENT), N(UPDATE_STOP),
	N(INFLATE_START), N(INFLATE_KEY), N(INFLATE_OUT),
	N(INFLATE_PROGRESS),
	N(INFLATE_DONE), N(INFLATE_FAIL),
	N(UNPACK_DIR), N(UNPACK_MANIFEST), N(UNPACK_START), N(UNPACK_DIFF),
	N(UNPACK_FAULT),
	N(UNPACK_DONE), N(UNPACK_FAIL),
	N(PROBE_START), N(PROBE_FILE), N(PROBE_GO), N(PROBE_CANCEL),
	N(PROBE_CERT), N(PROBE_RESULT),
	N(CTL_UPDATE),
	N(PROFILE_START), N(PROFILE_RUNTIME), N(PROFILE_GO),
	N(PROFILE_FOUND), N(PROFILE_WATCH), N(PROFILE_SCANNED),
	N(PROFILE_SWEEP), N(PROFILE_SYNC), N(PROFILE_SYNCED),
	N(PROFILE_STATE), N(PROFILE_LOG), N(PROFILE_FINISH), N(PROFILE_DONE)
};
#undef N

static const char *
name_of(const char *const *names, size_t n, uint32_t i)
{
	if (i >= n || names[i] == NULL)
		return "unknown";
	return names[i];
}

const char *
proc_name(enum proc_type type)
{
	return name_of(proc_names, NELEM(proc_names), (uint32_t)type);
}

const char *
role_name(enum upd_role role)
{
	return name_of(role_names, NELEM(role_names), (uint32_t)role);
}

const char *
op_name(enum upd_op op)
{
	return name_of(op_names, NELEM(op_names), (uint32_t)op);
}

const char *
health_name(enum health_kind kind)
{
	return name_of(health_names, NELEM(health_names), (uint32_t)kind);
}

const char *
fault_name(enum fault_kind kind)
{
	return name_of(fault_names, NELEM(fault_names), (uint32_t)kind);
}

const char *
imsg_name(uint32_t type)
{
	return name_of(imsg_names, NELEM(imsg_names), type);
}

const struct imsg_rule *
proto_check(const struct imsg_rule *rules, size_t n, enum proc_type from,
    uint32_t state, struct imsg *imsg, const char **why)
{
	const struct imsg_rule	*r = NULL;
	size_t			 i, len;
	uint32_t		 type;

	type = imsg_get_type(imsg);
	*why = "unknown type";
	for (i = 0; i < n; i++) {
		if (rules[i].type != type)
			continue;
		if (rules[i].from == (uint32_t)from) {
			r = &rules[i];
			break;
		}
		*why = "wrong sender";
	}
	if (r == NULL)
		return NULL;
	len = imsg_get_len(imsg);
	if (len < r->size || (len > r->size && !r->more_text)) {
		*why = "wrong size";
		return NULL;
	}
	if (imsg_has_fd(imsg) != (r->want_fd != 0)) {
		*why = r->want_fd ? "descriptor missing" :
		    "unexpected descriptor";
		return NULL;
	}
	if ((r->states & state) == 0) {
		*why = "wrong state";
		return NULL;
	}
	*why = NULL;
	return r;
}

int
proto_isstr(const char *s, size_t size)
{
	return memchr(s, '\0', size) != NULL;
}

void
digest_hex(const uint8_t *digest, char *hex)
{
	static const char	 digits[] = "0123456789abcdef";
	size_t			 i;

	for (i = 0; i < UPD_DIGEST_LEN; i++) {
		*hex++ = digits[digest[i] >> 4];
		*hex++ = digits[digest[i] & 0x0f];
	}
	*hex = '\0';
}

/* The C library's ctype follows the locale; names must not. */
static int
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static int
is_lower(char c)
{
	return c >= 'a' && c <= 'z';
}

int
digest_ishex(const char *s)
{
	size_t	 i;

	for (i = 0; i < UPD_HEX_SIZE - 1; i++)
		if (!is_digit(s[i]) && !(s[i] >= 'a' && s[i] <= 'f'))
			return 0;
	return s[i] == '\0';
}

int
name_isvalid(const char *s)
{
	size_t	 i;

	if (!is_lower(s[0]) && !is_digit(s[0]))
		return 0;
	for (i = 1; s[i] != '\0'; i++) {
		if (i >= UPD_NAME_SIZE - 2)
			return 0;
		if (!is_lower(s[i]) && !is_digit(s[i]) && s[i] != '_' &&
		    s[i] != '-')
			return 0;
	}
	return 1;
}

int
id_isvalid(const char *s)
{
	size_t	 i;

	if (s[0] == '\0' || s[0] == '.')
		return 0;
	for (i = 0; s[i] != '\0'; i++) {
		if (i >= UPD_ID_SIZE - 1)
			return 0;
		if (!is_lower(s[i]) && !is_digit(s[i]) &&
		    !(s[i] >= 'A' && s[i] <= 'Z') && s[i] != '.' &&
		    s[i] != '_' && s[i] != '-')
			return 0;
	}
	return 1;
}
