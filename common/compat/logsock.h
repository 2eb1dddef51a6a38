/*
 * The system's syslog, spoken to without the C library's help: that one
 * opens files and reconnects behind our back, which a sandbox punishes.
 */
#ifndef UPD_COMPAT_LOGSOCK_H
#define UPD_COMPAT_LOGSOCK_H

#include <stddef.h>

/* Connect.  0, or -1 with errno.  Closes an earlier connection. */
int	 logsock_open(void);
/* The descriptor, or -1 where there is none or none is needed. */
int	 logsock_fd(void);
/* Send one line (NUL-terminated, of that length, no newline) with a
 * priority (facility and severity) under an ident; never waits.  0, or -1
 * with errno: EAGAIN when the daemon does not keep up. */
int	 logsock_send(int, const char *, const char *, size_t);

#endif
