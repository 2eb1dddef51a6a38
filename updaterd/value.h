/*
 * Keywords of the configuration and the values they take: one table of
 * names, kinds and ranges, and the way from text to number and back.  Pure:
 * text in, verdicts out.
 */
#ifndef UPD_VALUE_H
#define UPD_VALUE_H

#include <sys/types.h>
#include <sys/socket.h>
#include <stddef.h>
#include <stdint.h>

/* What can be set once in its scope (file, agent or service). */
enum conf_key {
	/* the file */
	KEY_USER,		/* also of a service */
	KEY_UNPACK_USER,
	KEY_CHROOT,
	KEY_CONTROL,
	KEY_STATE,
	KEY_SHUTDOWN,
	KEY_PORT,
	KEY_CA,			/* also of a health check */
	KEY_CRL,
	KEY_CERTIFICATE,	/* also of a health check */
	KEY_KEY,		/* also of a health check */
	KEY_CONNECTIONS,
	KEY_PER_ADDRESS,
	KEY_HEADER,
	KEY_BODY,
	KEY_IDLE,
	KEY_RATE,
	KEY_PUSH,
	KEY_RELEASE_KEY,
	KEY_SELF,
	KEY_SELF_WITHIN,
	/* an agent */
	KEY_ROOT,
	KEY_INSTALL,
	KEY_INSTALL_USER,
	KEY_INSTALL_TIMEOUT,
	KEY_KEEP,
	KEY_UNPACKED,
	KEY_FILES,
	KEY_RESERVE,
	KEY_DOWNGRADE,
	KEY_PROBATION,
	KEY_VERIFY,
	/* a service */
	KEY_GROUP,
	KEY_GROUPS,
	KEY_DIRECTORY,
	KEY_UMASK,
	KEY_RLIMIT,
	KEY_OPTIONAL,
	KEY_COMMAND,
	KEY_ENVIRONMENT,
	KEY_HEALTH,
	KEY_PATH,
	KEY_STATUS,
	KEY_NAME,
	KEY_WITHIN,
	KEY_TIMEOUT,
	KEY_STOP,
	KEY_STOP_WITHIN,
	KEY_RESTART,
	KEY_BACKOFF,
	KEY_BACKMAX,
	KEY_PERMANENT,
	KEY_LOG,
	KEY_LOG_SIZE,
	KEY_LOG_KEEP,
	KEY_HOME,
	KEY_PROFILES,
	KEY_MARKER,
	KEY_RUNTIME_FILES,
	KEY_RECONCILE_LOG,
	KEY_SUPERVISE,
	KEY_SUPERVISE_S6,
	KEY_SUPERVISE_SYSTEMD,
	KEY_SUPERVISE_RCCTL,
	KEY_ENABLED,
	KEY__MAX
};

enum value_kind {
	VALUE_NONE,		/* no number */
	VALUE_NUMBER,
	VALUE_SIZE,		/* bytes; K M G T, binary */
	VALUE_DURATION,		/* milliseconds; ms s m h, bare: seconds */
	VALUE_SECONDS,		/* seconds, written like a duration */
	VALUE_PERCENT,
	VALUE_OCTAL
};

#define VALUE_UNLIMITED	"unlimited"	/* of an rlimit */
#define VALUE_TEXT	32	/* bytes a value needs as text */

/* "unpack user": how an operator writes it.  Never NULL. */
const char	*key_name(enum conf_key);
/* What kind of number it takes. */
enum value_kind	 key_kind(enum conf_key);
/* Parse the number a key takes and check its range.  0, or -1 with what is
 * wrong in the buffer: "\"1\" is out of range (2 to 1000)". */
int		 key_parse(enum conf_key, const char *, uint64_t *, char *,
		    size_t);

/* The same for a kind and a range. */
int		 value_parse(enum value_kind, const char *, uint64_t, uint64_t,
		    uint64_t *, char *, size_t);
/* The shortest exact text of a number: "16K", "30s", "5%", "027". */
void		 value_format(enum value_kind, uint64_t, char *, size_t);

/* "TERM" or "SIGTERM" to SIGTERM, or -1; and back, NULL: not one that a
 * service can be stopped by. */
int		 value_signal(const char *);
const char	*value_signame(int);

/* An rlimit's RLIMIT_ by name, or -1; and back, NULL.  *kind says what its
 * value is. */
int		 value_rlimit(const char *, enum value_kind *);
const char	*value_rlimname(int, enum value_kind *);

/* Numeric IPv4 or IPv6 address and port, never resolved.  0, or -1. */
int		 value_address(const char *, uint16_t,
		    struct sockaddr_storage *, socklen_t *);
/* "SHA256:" and 64 hex digits, lower case in the buffer.  0, or -1. */
int		 value_fingerprint(const char *, char *, size_t);
/* Slips of the pen (a letter too many, too few, wrong, or two swapped)
 * from one word to the other; words of more than
 * 31 bytes are 32 apart from all. */
int		 value_distance(const char *, const char *);
/* 1 if absolute, without empty, "." or ".." components, < PATH_MAX. */
int		 value_ispath(const char *);

#endif
