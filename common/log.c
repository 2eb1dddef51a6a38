/*
 * Logging: one line, one system call.
 *
 * Invariants: a line is formatted in a buffer on the stack and goes out in
 * one write(2) or send(2), no stdio, no file, no time zone, so that it
 * works in every sandbox and after fork.  Control characters in a text are
 * shown as \ooo: whoever chose a name in it cannot forge a line.  errno is
 * kept.  Logging to syslog never waits: what the daemon does not take is
 * counted, and the next line that gets through says how many were lost.
 *
 * The syslog client is ours, in the RFC 3164 form that every daemon behind
 * /dev/log takes: "<pri>Mmm dd hh:mm:ss ident[pid]: text".  The C library's
 * opens files and connects again behind our back, which a sandbox punishes
 * with death.  Ours is connected before the sandbox and then needs send(2)
 * and getpid(2) only.  The time is UTC: local time would take a file.
 *
 * Where standard error leads to systemd's journal, which knows the time and
 * our name itself, a line begins with its severity as sd-daemon(3) has it.
 */
#include <sys/types.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "log.h"
#include "util.h"

#define LOG_TEXT	2048	/* bytes of one text, cut beyond */
#define LOG_PREFIX	160	/* bytes: time, ident, process name */
#define LOG_SOCKET	"/dev/log"

static const char	*ident = "updaterd";
static const char	*procname = "parent";
static int		 to_stderr = 1;
static int		 to_journal;	/* and that is the journal */
static int		 verbose;
static int		 locked;	/* in a sandbox: never connect */
static unsigned long	 lost;		/* lines syslog did not take */
static int		 sock = -1;	/* connected to syslog, or -1 */
static int		 stream;	/* ... with SOCK_STREAM, as old
					 * syslog-ng has it */

/* --- syslog --------------------------------------------------------- */

static void
syslog_close(void)
{
	if (sock != -1)
		close(sock);
	sock = -1;
}

static int
syslog_connect(int type)
{
	struct sockaddr_un	 sun;
	int			 fd, high, saved;

	memset(&sun, 0, sizeof(sun));
	sun.sun_family = AF_UNIX;
	strlcpy(sun.sun_path, LOG_SOCKET, sizeof(sun.sun_path));
	fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd == -1)
		return -1;
	if (connect(fd, (struct sockaddr *)&sun, sizeof(sun)) == -1)
		goto fail;
	if (fd > STDERR_FILENO)
		return fd;
	/* 0 to 2 are going to be replaced. */
	if ((high = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1)) == -1)
		goto fail;
	close(fd);
	return high;
 fail:
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

static int
syslog_open(void)
{
	syslog_close();
	stream = 0;
	sock = syslog_connect(SOCK_DGRAM);
	if (sock == -1 && errno == EPROTOTYPE) {
		stream = 1;
		sock = syslog_connect(SOCK_STREAM);
	}
	return sock == -1 ? -1 : 0;
}

static int
syslog_send(const char *line, size_t len)
{
	if (sock == -1) {
		errno = ENOTCONN;
		return -1;
	}
	/* On a stream the NUL ends the message. */
	return send(sock, line, len + (stream ? 1 : 0),
	    MSG_DONTWAIT | MSG_NOSIGNAL) == -1 ? -1 : 0;
}

/* Send, after connecting anew if the daemon was restarted, or started
 * after us.  0, or -1. */
static int
syslog_line(const char *line, size_t len)
{
	if (syslog_send(line, len) == 0)
		return 0;
	if (locked || errno == EAGAIN || errno == EWOULDBLOCK ||
	    errno == ENOBUFS || errno == EMSGSIZE)
		return -1;
	if (syslog_open() == -1)
		return -1;
	return syslog_send(line, len);
}

/* The beginning of a line; its length. */
static int
syslog_prefix(char *line, size_t size, int severity)
{
	static const char	*months[] = { "Jan", "Feb", "Mar", "Apr",
				    "May", "Jun", "Jul", "Aug", "Sep", "Oct",
				    "Nov", "Dec" };
	char			 iso[40];
	int			 month;

	/* 2026-04-08T21:40:21 becomes Apr  8 21:40:21 */
	time_iso(time_real_us(), iso, sizeof(iso));
	month = (iso[5] - '0') * 10 + iso[6] - '0';
	if (month < 1 || month > 12)
		month = 1;
	return snprintf(line, size, "<%d>%s %c%c %.8s %s[%ld]: %s: ",
	    LOG_DAEMON | severity, months[month - 1],
	    iso[8] == '0' ? ' ' : iso[8], iso[9], iso + 11, ident,
	    (long)getpid(), procname);
}

/* --- all -------------------------------------------------------------- */

/* Is standard error what JOURNAL_STREAM says, "device:inode"?  It may have
 * been redirected since systemd set that. */
static int
is_journal(void)
{
	const char	*value = getenv(LOG_JOURNAL);
	struct stat	 st;
	char		 own[48];

	if (value == NULL || fstat(STDERR_FILENO, &st) == -1)
		return 0;
	snprintf(own, sizeof(own), "%ju:%ju", (uintmax_t)st.st_dev,
	    (uintmax_t)st.st_ino);
	return strcmp(value, own) == 0;
}

void
log_init(const char *name, int use_stderr, int level)
{
	ident = name;
	to_stderr = use_stderr;
	to_journal = use_stderr && is_journal();
	verbose = level;
	syslog_close();
	/* No syslog daemon yet: each line tries again. */
	if (!to_stderr)
		(void)syslog_open();
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
		(void)syslog_open();
}

int
log_fd(void)
{
	return sock;
}

void
log_lock(void)
{
	locked = 1;
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

	if (to_journal)
		n = snprintf(line, LOG_PREFIX, "<%d>%s: ", severity, procname);
	else if (to_stderr) {
		time_iso(time_real_us(), iso, sizeof(iso));
		n = snprintf(line, LOG_PREFIX, "%.19sZ %s[%s]: ", iso, ident,
		    procname);
	} else
		n = syslog_prefix(line, LOG_PREFIX, severity);
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
	if (syslog_line(line, len) == -1) {
		lost++;
		return;
	}
	if (lost == 0)
		return;
	n = syslog_prefix(line, LOG_PREFIX, LOG_WARNING);
	if (n < 0 || n >= LOG_PREFIX)
		return;
	n += snprintf(line + n, sizeof(line) - (size_t)n,
	    "lost %lu lines of log", lost);
	if (syslog_line(line, (size_t)n) == 0)
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
