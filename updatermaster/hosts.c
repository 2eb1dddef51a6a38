/*
 * hosts.conf: the hosts there are, one line each, for people to edit too:
 *
 *	# comment
 *	NAME ADDRESS[:PORT] [groups=A,B] [fingerprint=SHA256:HEX]
 *	    [serial=HEX] [worker=HEX] [san=A,B] [expires=YYYY-MM-DD[THH:MM:SSZ]]
 *	    [revoked]	# comment
 *
 * (all on one line).
 *
 * hosts_save() takes the lock, reads the file anew and replaces only the
 * lines of hosts that we changed: comments, order, and what an editor or
 * another updatermaster wrote meanwhile stay.  Both files are replaced
 * whole and durably (file_write()), so that there is always a complete
 * one.
 */
#include <sys/types.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <ctype.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "master.h"
#include "util.h"

#define HOSTS_FILE	"hosts.conf"
#define HOSTS_MAX	(64U << 20)	/* bytes of the file */
#define NAME_BYTES	56	/* "updater@" and it: 64, a CN's bound */
#define LABEL_BYTES	63	/* RFC 1035 */
#define FPR_PREFIX	"SHA256:"
#define FPR_HEX		64
#define SERIAL_HEX	40	/* 20 bytes, RFC 5280 */

static const char head[] =
    "# Hosts of updatermaster(8), one a line; comments and order are kept.\n"
    "# name address[:port] [groups=a,b] [fingerprint=...] [serial=...]\n"
    "#     [worker=serial] [san=a,b] [expires=...] [revoked]\n";

struct place {
	const char	*dir;
	int		 line;
	int		 errors;
};

static void	 complain(struct place *, const char *, ...)
    __attribute__((format(printf, 2, 3)));

static void
complain(struct place *p, const char *fmt, ...)
{
	va_list	 ap;

	fprintf(stderr, "%s/%s:%d: ", p->dir, HOSTS_FILE, p->line);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	p->errors++;
}

static char *
copy(const char *s)
{
	char	*p;

	if ((p = strdup(s)) == NULL)
		err(EXIT_FAILED, NULL);
	return p;
}

/* --- one host --------------------------------------------------------- */

const char *
host_badname(const char *name)
{
	const char	*p;
	size_t		 label = 0;

	if (name[0] == '\0')
		return "is empty";
	if (strlen(name) > NAME_BYTES)
		return "is longer than 56 bytes";
	/* A worker's certificate has this name: it would be a master's. */
	if (strcasecmp(name, "updater-master") == 0)
		return "is the master's own";
	for (p = name; *p != '\0'; p++) {
		if (*p == '.') {
			if (label == 0 || p[1] == '\0' || p[-1] == '-')
				return "has an empty part";
			label = 0;
			continue;
		}
		if (!isascii((unsigned char)*p) ||
		    (!isalnum((unsigned char)*p) && *p != '-'))
			return "may have letters, digits, hyphens and dots "
			    "only";
		if (*p == '-' && (label == 0 || p[1] == '\0'))
			return "has a hyphen at the edge of a part";
		if (++label > LABEL_BYTES)
			return "has a part longer than 63 bytes";
	}
	return NULL;
}

int
host_ingroup(const struct host *h, const char *group)
{
	size_t	 i;

	for (i = 0; h->groups != NULL && h->groups[i] != NULL; i++)
		if (strcmp(h->groups[i], group) == 0)
			return 1;
	return 0;
}

void
host_group(struct host *h, const char *group)
{
	char	**p;
	size_t	  n = 0;

	if (host_ingroup(h, group))
		return;
	while (h->groups != NULL && h->groups[n] != NULL)
		n++;
	if ((p = reallocarray(h->groups, n + 2, sizeof(*p))) == NULL)
		err(EXIT_FAILED, NULL);
	h->groups = p;
	p[n] = copy(group);
	p[n + 1] = NULL;
}

int
host_address(struct host *h, const char *text)
{
	const char	*colon, *port = NULL, *errstr, *p;
	char		*address;
	size_t		 len;
	int		 n = MASTER_PORT;

	if (text[0] == '[') {
		if ((colon = strchr(text, ']')) == NULL)
			return -1;
		text++;
		len = (size_t)(colon - text);
		if (colon[1] == ':')
			port = colon + 2;
		else if (colon[1] != '\0')
			return -1;
	} else {
		len = strlen(text);
		colon = strchr(text, ':');
		/* More than one: IPv6 without a port. */
		if (colon != NULL && strchr(colon + 1, ':') == NULL) {
			len = (size_t)(colon - text);
			port = colon + 1;
		}
	}
	if (port != NULL) {
		n = (int)strtonum(port, 1, UINT16_MAX, &errstr);
		if (errstr != NULL || !isdigit((unsigned char)port[0]))
			return -1;
	}
	if (len == 0 || len >= UPD_HOST_SIZE)
		return -1;
	for (p = text; p < text + len; p++)
		if (!isascii((unsigned char)*p) ||
		    (!isalnum((unsigned char)*p) &&
		    strchr(".-:_%", *p) == NULL))
			return -1;
	if ((address = strndup(text, len)) == NULL)
		err(EXIT_FAILED, NULL);
	free(h->address);
	h->address = address;
	h->port = (uint16_t)n;
	return 0;
}

static int
goodgroup(const char *s)
{
	if (*s == '\0')
		return 0;
	for (; *s != '\0'; s++)
		if (!isascii((unsigned char)*s) ||
		    (!isalnum((unsigned char)*s) && strchr("._-", *s) == NULL))
			return 0;
	return 1;
}

/* Hex digits only, lower or upper; `want` of them, or up to -want. */
static int
goodhex(const char *s, int want)
{
	int	 n = (int)strspn(s, "0123456789abcdefABCDEF");

	return s[n] == '\0' && (want > 0 ? n == want : n > 0 && n <= -want);
}

static int
parse_time(const char *s, int64_t *when)
{
	struct tm	 tm;
	const char	*end;

	memset(&tm, 0, sizeof(tm));
	if ((end = strptime(s, "%Y-%m-%d", &tm)) == NULL)
		return -1;
	if (*end == 'T')
		end = strptime(end, "T%H:%M:%SZ", &tm);
	if (end == NULL || *end != '\0')
		return -1;
	*when = timegm(&tm);
	return 0;
}

static void
host_free(struct host *h)
{
	size_t	 i;

	for (i = 0; h->groups != NULL && h->groups[i] != NULL; i++)
		free(h->groups[i]);
	free(h->groups);
	free(h->name);
	free(h->address);
	free(h->fingerprint);
	free(h->serial);
	free(h->worker);
	free(h->san);
	free(h->last_result);
	free(h->last_sha);
	free(h);
}

struct host *
hosts_find(struct master *m, const char *name)
{
	struct host	*h;

	/* As in DNS: case says nothing. */
	TAILQ_FOREACH(h, &m->hosts, entry)
		if (strcasecmp(h->name, name) == 0)
			return h;
	return NULL;
}

struct host *
hosts_add(struct master *m, const char *name)
{
	struct host	*h;

	if ((h = calloc(1, sizeof(*h))) == NULL)
		err(EXIT_FAILED, NULL);
	h->name = copy(name);
	h->address = copy(name);
	h->port = MASTER_PORT;
	h->dirty = 1;
	TAILQ_INSERT_TAIL(&m->hosts, h, entry);
	return h;
}

void
hosts_free(struct master *m)
{
	struct host	*h;

	while ((h = TAILQ_FIRST(&m->hosts)) != NULL) {
		TAILQ_REMOVE(&m->hosts, h, entry);
		host_free(h);
	}
}

/* --- reading ---------------------------------------------------------- */

static void
parse_groups(struct place *at, struct host *h, char *list)
{
	char	*group;

	while ((group = strsep(&list, ",")) != NULL) {
		if (goodgroup(group))
			host_group(h, group);
		else
			complain(at, "group \"%.64s\": may have letters, "
			    "digits, and . _ - only", group);
	}
}

static void
parse_word(struct place *at, struct host *h, char *word)
{
	char	*value, **field;

	if (strcmp(word, "revoked") == 0) {
		h->revoked = 1;
		return;
	}
	if ((value = strchr(word, '=')) == NULL) {
		complain(at, "\"%.64s\": neither key=value nor revoked", word);
		return;
	}
	*value++ = '\0';
	if (strcmp(word, "groups") == 0)
		parse_groups(at, h, value);
	else if (strcmp(word, "fingerprint") == 0) {
		if (strncmp(value, FPR_PREFIX, sizeof(FPR_PREFIX) - 1) != 0 ||
		    !goodhex(value + sizeof(FPR_PREFIX) - 1, FPR_HEX)) {
			complain(at, "fingerprint: not SHA256: and 64 "
			    "hexadecimal digits");
			return;
		}
		free(h->fingerprint);
		h->fingerprint = copy(value);
		/* As we compare them. */
		for (value = h->fingerprint + sizeof(FPR_PREFIX) - 1;
		    *value != '\0'; value++)
			*value = (char)tolower((unsigned char)*value);
	} else if (strcmp(word, "serial") == 0 ||
	    strcmp(word, "worker") == 0) {
		if (!goodhex(value, -SERIAL_HEX)) {
			complain(at, "%s: not a serial number in hexadecimal",
			    word);
			return;
		}
		field = word[0] == 's' ? &h->serial : &h->worker;
		free(*field);
		*field = copy(value);
	} else if (strcmp(word, "san") == 0) {
		free(h->san);
		h->san = copy(value);
	} else if (strcmp(word, "expires") == 0) {
		if (parse_time(value, &h->expires) == -1)
			complain(at, "expires: not YYYY-MM-DD or "
			    "YYYY-MM-DDTHH:MM:SSZ");
	} else
		complain(at, "\"%.64s\": unknown key", word);
}

/* The next word of a line; NULL at its end or at a comment. */
static char *
word_next(char **line)
{
	char	*word;

	*line += strspn(*line, " \t\r");
	if (**line == '\0' || **line == '#')
		return NULL;
	word = *line;
	*line += strcspn(*line, " \t\r");
	if (**line != '\0')
		*(*line)++ = '\0';
	return word;
}

static void
parse_line(struct master *m, struct place *at, char *line)
{
	struct host	*h;
	const char	*why;
	char		*word;

	if ((word = word_next(&line)) == NULL)
		return;
	if ((why = host_badname(word)) != NULL) {
		complain(at, "name \"%.64s\" %s", word, why);
		return;
	}
	if (hosts_find(m, word) != NULL) {
		complain(at, "host %s is there twice", word);
		return;
	}
	h = hosts_add(m, word);
	h->dirty = 0;
	if ((word = word_next(&line)) == NULL) {
		complain(at, "host %s has no address", h->name);
		return;
	}
	if (host_address(h, word) == -1)
		complain(at, "\"%.64s\": not an address[:port]", word);
	while ((word = word_next(&line)) != NULL)
		parse_word(at, h, word);
}

int
hosts_load(struct master *m)
{
	struct place	 at = { m->dir, 0, 0 };
	char		*data, *rest, *line;
	size_t		 len;

	hosts_free(m);
	if ((data = file_read(m->dirfd, HOSTS_FILE, HOSTS_MAX,
	    &len)) == NULL) {
		warn("%s/%s", m->dir, HOSTS_FILE);
		return -1;
	}
	if (memchr(data, '\0', len) != NULL) {
		warnx("%s/%s: has a NUL byte in it", m->dir, HOSTS_FILE);
		free(data);
		return -1;
	}
	rest = data;
	while ((line = strsep(&rest, "\n")) != NULL) {
		at.line++;
		parse_line(m, &at, line);
	}
	free(data);
	if (at.errors > 0) {
		hosts_free(m);
		return -1;
	}
	return results_load(m);
}

/* --- writing ---------------------------------------------------------- */

/* Nobody else rewrites these files until the descriptor is closed. */
int
hosts_lock(const struct master *m)
{
	int	 fd;

	fd = openat(m->dirfd, ".lock", O_RDWR | O_CREAT | O_NOFOLLOW |
	    O_CLOEXEC, 0600);
	if (fd == -1 || flock(fd, LOCK_EX) == -1) {
		warn("%s/.lock", m->dir);
		if (fd != -1)
			close(fd);
		return -1;
	}
	return fd;
}

static void
print_host(struct buf *b, const struct host *h)
{
	char		 when[40];
	size_t		 i;
	struct tm	 tm;
	time_t		 t = (time_t)h->expires;
	int		 e = 0;

	e |= buf_printf(b, strchr(h->address, ':') != NULL ? "%s [%s]:%u" :
	    "%s %s:%u", h->name, h->address, h->port);
	for (i = 0; h->groups != NULL && h->groups[i] != NULL; i++)
		e |= buf_printf(b, "%s%s", i == 0 ? " groups=" : ",",
		    h->groups[i]);
	if (h->fingerprint != NULL)
		e |= buf_printf(b, " fingerprint=%s", h->fingerprint);
	if (h->serial != NULL)
		e |= buf_printf(b, " serial=%s", h->serial);
	if (h->worker != NULL)
		e |= buf_printf(b, " worker=%s", h->worker);
	if (h->san != NULL)
		e |= buf_printf(b, " san=%s", h->san);
	if (h->expires != 0 && gmtime_r(&t, &tm) != NULL &&
	    strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &tm) > 0)
		e |= buf_printf(b, " expires=%s", when);
	if (h->revoked)
		e |= buf_printf(b, " revoked");
	if (e != 0)
		err(EXIT_FAILED, NULL);
}

/* The changed host that a line is of, or NULL. */
static struct host *
line_host(struct master *m, const char *line)
{
	struct host	*h;
	char		 name[NAME_BYTES + 1];
	size_t		 n;

	line += strspn(line, " \t\r");
	n = strcspn(line, " \t\r");
	if (n == 0 || n >= sizeof(name) || line[0] == '#')
		return NULL;
	memcpy(name, line, n);
	name[n] = '\0';
	h = hosts_find(m, name);
	return h != NULL && h->dirty ? h : NULL;
}

int
hosts_save(struct master *m)
{
	struct host	*h;
	struct buf	 b = { NULL, 0, 0 };
	const char	*comment;
	char		*data, *rest, *line;
	size_t		 len;
	int		 fd, rv = -1;

	if ((fd = hosts_lock(m)) == -1)
		return -1;
	data = file_read(m->dirfd, HOSTS_FILE, HOSTS_MAX, &len);
	if (data == NULL && (errno != ENOENT || (data = strdup(head)) == NULL))
		goto fail;
	rest = data;
	while ((line = strsep(&rest, "\n")) != NULL) {
		if (rest == NULL && line[0] == '\0')
			break;
		if ((h = line_host(m, line)) != NULL) {
			print_host(&b, h);
			h->dirty = 0;
			if ((comment = strchr(line, '#')) != NULL)
				buf_printf(&b, "\t%s", comment);
		} else
			buf_printf(&b, "%s", line);
		if (buf_printf(&b, "\n") == -1)
			goto fail;
	}
	TAILQ_FOREACH(h, &m->hosts, entry) {
		if (!h->dirty)
			continue;
		print_host(&b, h);
		h->dirty = 0;
		if (buf_printf(&b, "\n") == -1)
			goto fail;
	}
	if (file_write(m->dirfd, HOSTS_FILE, b.data != NULL ? b.data : "",
	    b.len, 0600) == -1)
		goto fail;
	rv = 0;
 fail:
	if (rv == -1)
		warn("%s/%s", m->dir, HOSTS_FILE);
	free(data);
	buf_free(&b);
	close(fd);
	return rv;
}
