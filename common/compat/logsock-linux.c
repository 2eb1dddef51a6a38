/*
 * A syslog client in the RFC 3164 form that every daemon behind /dev/log
 * takes: "<pri>Mmm dd hh:mm:ss ident[pid]: text".
 *
 * The socket is connected once, before any sandbox; sending needs sendto(2)
 * and getpid(2) only.  The time is UTC: the local time would take a file.
 */
#include <sys/socket.h>
#include <sys/un.h>

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "logsock.h"
#include "util.h"

#define LOGSOCK_PATH	"/dev/log"
#define LOGSOCK_LINE	4096	/* bytes, prefix included */

static int	sock = -1;
static int	stream;		/* old syslog-ng listens with SOCK_STREAM */

int
logsock_open(void)
{
	struct sockaddr_un	 sun;
	int			 fd, type, err;

	if (sock != -1)
		close(sock);
	sock = -1;
	memset(&sun, 0, sizeof(sun));
	sun.sun_family = AF_UNIX;
	strlcpy(sun.sun_path, LOGSOCK_PATH, sizeof(sun.sun_path));
	type = SOCK_DGRAM;
	for (;;) {
		fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
		if (fd == -1)
			return -1;
		if (connect(fd, (struct sockaddr *)&sun, sizeof(sun)) == 0)
			break;
		err = errno;
		close(fd);
		errno = err;
		if (err != EPROTOTYPE || type == SOCK_STREAM)
			return -1;
		type = SOCK_STREAM;
	}
	/* 0 to 2 will be replaced by /dev/null or a pipe. */
	if (fd <= STDERR_FILENO) {
		sock = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
		err = errno;
		close(fd);
		errno = err;
		if (sock == -1)
			return -1;
	} else
		sock = fd;
	stream = type == SOCK_STREAM;
	return 0;
}

int
logsock_fd(void)
{
	return sock;
}

int
logsock_send(int pri, const char *ident, const char *text, size_t len)
{
	static const char	*months[] = { "Jan", "Feb", "Mar", "Apr",
				    "May", "Jun", "Jul", "Aug", "Sep", "Oct",
				    "Nov", "Dec" };
	char			 line[LOGSOCK_LINE], iso[40];
	int			 n, month;

	if (sock == -1) {
		errno = ENOTCONN;
		return -1;
	}
	/* 2026-04-18T21:40:21 */
	time_iso(time_real_us(), iso, sizeof(iso));
	month = (iso[5] - '0') * 10 + iso[6] - '0';
	if (month < 1 || month > 12)
		month = 1;
	n = snprintf(line, sizeof(line), "<%d>%s %c%c %.8s %s[%ld]: ", pri,
	    months[month - 1], iso[8] == '0' ? ' ' : iso[8], iso[9], iso + 11,
	    ident, (long)getpid());
	if (n < 0 || (size_t)n >= sizeof(line)) {
		errno = EMSGSIZE;
		return -1;
	}
	if (len > sizeof(line) - 1 - n)
		len = sizeof(line) - 1 - n;
	memcpy(line + n, text, len);
	line[n + len] = '\0';
	/* On a stream the NUL ends the message. */
	if (send(sock, line, n + len + (stream ? 1 : 0),
	    MSG_DONTWAIT | MSG_NOSIGNAL) == -1)
		return -1;
	return 0;
}
