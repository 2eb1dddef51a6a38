/*
 * Logging: one line, one system call.
 *
 * Invariants: a line is formatted in a buffer on the stack and goes out in
 * one write(2) or send(2), no stdio, no file, no time zone, so that it
 * works in every sandbox and after fork.  Control characters in a text are
 * shown as \ooo: whoever chose a name in it cannot forge a line.  errno is
 * kept.  Logging to syslog never waits: what the daemon does not take is
 * counted, and the next line that gets through says how many were lost.
 */
#include <sys/types.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "log.h"
#include "logsock.h"
#include "util.h"

#define LOG_TEXT	2048	/* bytes of one text, cut beyond */
#define LOG_PREFIX	160	/* bytes: time, ident, process name */

static const char	*ident = "updaterd";
static const char	*procname = "parent";
static int		 to_stderr = 1;
static int		 verbose;
static int		 locked;	/* in a sandbox: never connect */
static unsigned long	 lost;		/* lines syslog did not take */

void
log_init(const char *name, int use_stderr, int level)
{
	ident = name;
	to_stderr = use_stderr;
	verbose = level;
	/* Without a syslog daemon yet: each line tries again. */
	if (!to_stderr)
		(void)logsock_open();
}

void
log_procname(const char *name)
{
	procname = name;
}

void
log_setverbose(int level)
{
	verbose = level;
}

int
log_getverbose(void)
{
	return verbose;
}

void
log_reopen(void)
{
	if (!to_stderr && !locked)
		(void)logsock_open();
}

int
log_fd(void)
{
	return to_stderr ? -1 : logsock_fd();
}

void
log_lock(void)
{
	locked = 1;
}

static int
syslog_line(int pri, const char *line, size_t len)
{
	if (logsock_send(pri, ident, line, len) == 0)
		return 0;
	if (locked || errno == EAGAIN || errno == EWOULDBLOCK ||
	    errno == ENOBUFS || errno == EMSGSIZE)
		return -1;
	/* The daemon was restarted, or started after us. */
	if (logsock_open() == -1)
		return -1;
	return logsock_send(pri, ident, line, len);
}

/* Append the text with control characters shown; the new length. */
static size_t
append_visible(char *dst, size_t pos, size_t size, const char *src)
{
	unsigned char	 c;

	for (; (c = (unsigned char)*src) != '\0' && pos + 5 < size; src++) {
		if (c >= ' ' && c != 0x7f) {
			dst[pos++] = (char)c;
			continue;
		}
		dst[pos++] = '\\';
		dst[pos++] = (char)('0' + (c >> 6));
		dst[pos++] = (char)('0' + ((c >> 3) & 7));
		dst[pos++] = (char)('0' + (c & 7));
	}
	dst[pos] = '\0';
	return pos;
}

static void
emit(int severity, const char *text)
{
	char	 line[LOG_PREFIX + LOG_TEXT], iso[40];
	int	 n;
	size_t	 len;

	if (to_stderr) {
		time_iso(time_real_us(), iso, sizeof(iso));
		n = snprintf(line, LOG_PREFIX, "%.19sZ %s[%s]: ", iso, ident,
		    procname);
	} else
		n = snprintf(line, LOG_PREFIX, "%s: ", procname);
	if (n < 0)
		return;
	if (n >= LOG_PREFIX)
		n = LOG_PREFIX - 1;
	len = append_visible(line, (size_t)n, sizeof(line), text);
	if (to_stderr) {
		line[len++] = '\n';
		(void)write_all(STDERR_FILENO, line, len);
		return;
	}
	if (syslog_line(LOG_DAEMON | severity, line, len) == -1) {
		lost++;
		return;
	}
	if (lost == 0)
		return;
	n = snprintf(line, sizeof(line), "%s: lost %lu lines of log",
	    procname, lost);
	if (n > 0 && syslog_line(LOG_DAEMON | LOG_WARNING, line,
	    (size_t)n) == 0)
		lost = 0;
}

static void
vemit(int severity, int error, const char *fmt, va_list ap)
{
	char	 text[LOG_TEXT];
	int	 n, saved = errno;

	n = vsnprintf(text, sizeof(text), fmt, ap);
	if (n < 0)
		strlcpy(text, fmt, sizeof(text));
	if (error != 0) {
		/* Rather cut the text than the reason. */
		if (n > LOG_TEXT - 128)
			text[LOG_TEXT - 128] = '\0';
		strlcat(text, ": ", sizeof(text));
		strlcat(text, strerror(error), sizeof(text));
	}
	emit(severity, text);
	errno = saved;
}

void
log_warn(const char *fmt, ...)
{
	va_list	 ap;

	va_start(ap, fmt);
	vemit(LOG_WARNING, errno, fmt, ap);
	va_end(ap);
}

void
log_warnx(const char *fmt, ...)
{
	va_list	 ap;

	va_start(ap, fmt);
	vemit(LOG_WARNING, 0, fmt, ap);
	va_end(ap);
}

void
log_notice(const char *fmt, ...)
{
	va_list	 ap;

	va_start(ap, fmt);
	vemit(LOG_NOTICE, 0, fmt, ap);
	va_end(ap);
}

void
log_info(const char *fmt, ...)
{
	va_list	 ap;

	if (verbose < 1)
		return;
	va_start(ap, fmt);
	vemit(LOG_INFO, 0, fmt, ap);
	va_end(ap);
}

void
log_debug(const char *fmt, ...)
{
	va_list	 ap;

	if (verbose < 2)
		return;
	va_start(ap, fmt);
	vemit(LOG_DEBUG, 0, fmt, ap);
	va_end(ap);
}

void
fatal(const char *fmt, ...)
{
	va_list	 ap;

	va_start(ap, fmt);
	vemit(LOG_CRIT, errno, fmt, ap);
	va_end(ap);
	exit(1);
}

void
fatalx(const char *fmt, ...)
{
	va_list	 ap;

	va_start(ap, fmt);
	vemit(LOG_CRIT, 0, fmt, ap);
	va_end(ap);
	exit(1);
}
