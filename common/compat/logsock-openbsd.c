/*
 * OpenBSD: sendsyslog(2) needs no descriptor and is part of every pledge.
 */
#include <sys/types.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "logsock.h"

#define LOGSOCK_LINE	4096	/* bytes, prefix included */

int
logsock_open(void)
{
	return 0;
}

int
logsock_fd(void)
{
	return -1;
}

int
logsock_send(int pri, const char *ident, const char *text, size_t len)
{
	char	 line[LOGSOCK_LINE];
	int	 n;

	n = snprintf(line, sizeof(line), "<%d>%s[%ld]: %.*s", pri, ident,
	    (long)getpid(), (int)len, text);
	if (n < 0) {
		errno = EINVAL;
		return -1;
	}
	if ((size_t)n >= sizeof(line))
		n = sizeof(line) - 1;
	return sendsyslog(line, n, LOG_CONS);
}
