/*
 * Logging for all programs: to syslog, or to standard error with -d.
 * Texts are "verb object": lower case, no full stop, no severity word.
 */
#ifndef UPD_LOG_H
#define UPD_LOG_H

#include <stdarg.h>

/* Set by systemd where standard error leads to its journal; a child needs
 * it to know as much. */
#define LOG_JOURNAL	"JOURNAL_STREAM"

/*
 * Start logging as `ident`.  With to_stderr lines go to standard error,
 * else to syslog, whose socket is opened at once so that it survives a
 * chroot.  verbose 0: notices and worse; 1: and information; 2: and debug.
 */
void	 log_init(const char *, int, int);
/* Name the process in each line: "parent", "net" ...; kept by reference. */
void	 log_procname(const char *);
void	 log_setverbose(int);
int	 log_getverbose(void);
/* Reconnect to syslog (SIGUSR1); nothing to do on standard error. */
void	 log_reopen(void);
/* The syslog socket, to keep it where all else is closed; -1: none. */
int	 log_fd(void);
/* Never connect again: the sandbox would kill the process for trying. */
void	 log_lock(void);

/* log_warn and fatal append strerror(errno); the x forms do not. */
void	 log_warn(const char *, ...) __attribute__((format(printf, 1, 2)));
void	 log_warnx(const char *, ...) __attribute__((format(printf, 1, 2)));
void	 log_notice(const char *, ...) __attribute__((format(printf, 1, 2)));
void	 log_info(const char *, ...) __attribute__((format(printf, 1, 2)));
void	 log_debug(const char *, ...) __attribute__((format(printf, 1, 2)));
/* Log and exit 1: for our own broken invariants and start-up only. */
void	 fatal(const char *, ...)
	    __attribute__((noreturn, format(printf, 1, 2)));
void	 fatalx(const char *, ...)
	    __attribute__((noreturn, format(printf, 1, 2)));

#endif
