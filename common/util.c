/*
 * Growing buffers, the last bytes of a stream, durable file writes, time.
 *
 * A durable write keeps this order: temporary name beside the target (an
 * old one is unlinked, O_EXCL), contents, mode, fsync, rename, fsync of
 * the directory.  Before the rename a failure leaves no trace.
 *
 * Time is reckoned here, not by the C library: gmtime(3) opens the time
 * zone file at its first call, which is death in a sandbox.
 */
#include <sys/types.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "util.h"

#define BUF_MIN		256	/* bytes of the first allocation */
#define TAIL_MIN	512	/* bytes of a ring, at first */
#define READ_MIN	4096	/* bytes */
#define US_PER_S	1000000
#define S_PER_DAY	86400

/* --- buffers -------------------------------------------------------- */

/* Make room for `more` bytes and a NUL. */
static int
buf_grow(struct buf *b, size_t more)
{
	size_t	 need, cap;
	char	*p;

	if (more > SIZE_MAX / 2 || b->len > SIZE_MAX / 2 - more - 1) {
		errno = ENOMEM;
		return -1;
	}
	need = b->len + more + 1;
	if (need <= b->cap)
		return 0;
	cap = b->cap < BUF_MIN ? BUF_MIN : b->cap;
	while (cap < need)
		cap *= 2;
	if ((p = realloc(b->data, cap)) == NULL)
		return -1;
	b->data = p;
	b->cap = cap;
	return 0;
}

int
buf_add(struct buf *b, const void *data, size_t len)
{
	if (buf_grow(b, len) == -1)
		return -1;
	if (len > 0)
		memcpy(b->data + b->len, data, len);
	b->len += len;
	b->data[b->len] = '\0';
	return 0;
}

int
buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list	 ap;
	int	 n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0 || buf_grow(b, (size_t)n) == -1)
		return -1;
	va_start(ap, fmt);
	vsnprintf(b->data + b->len, (size_t)n + 1, fmt, ap);
	va_end(ap);
	b->len += (size_t)n;
	return 0;
}

void
buf_reset(struct buf *b)
{
	b->len = 0;
	if (b->data != NULL)
		b->data[0] = '\0';
}

void
buf_free(struct buf *b)
{
	free(b->data);
	memset(b, 0, sizeof(*b));
}

/* --- the last bytes of a stream ------------------------------------- */

int
tail_init(struct tail *t, size_t cap)
{
	memset(t, 0, sizeof(*t));
	t->cap = cap;
	return 0;
}

/*
 * Make room for so many bytes more while the ring has not gone round yet:
 * most services are quiet, and a thousand of them shall not take what one
 * that talks does.  0, or -1 ENOMEM.
 */
static int
tail_grow(struct tail *t, size_t len)
{
	size_t	 need, size = t->size;
	char	*p;

	need = len < t->cap - t->pos ? t->pos + len : t->cap;
	if (t->total > t->cap || need <= size)
		return 0;
	while (size < need)
		size = size == 0 ? TAIL_MIN : size * 2;
	if (size > t->cap)
		size = t->cap;
	if ((p = realloc(t->data, size)) == NULL)
		return -1;
	t->data = p;
	t->size = size;
	return 0;
}

void
tail_add(struct tail *t, const void *data, size_t len)
{
	const char	*p = data;
	size_t		 n;

	if (t->cap == 0 || len == 0)
		return;
	if (tail_grow(t, len) == -1)
		return;
	t->total += len;
	if (len > t->cap) {
		p += len - t->cap;
		len = t->cap;
	}
	while (len > 0) {
		n = t->cap - t->pos;
		if (n > len)
			n = len;
		memcpy(t->data + t->pos, p, n);
		t->pos = (t->pos + n) % t->cap;
		p += n;
		len -= n;
	}
}

char *
tail_get(const struct tail *t, size_t *len)
{
	char	*s;
	size_t	 first;

	*len = t->total < t->cap ? (size_t)t->total : t->cap;
	if ((s = malloc(*len + 1)) == NULL)
		return NULL;
	if (*len == 0) {
		s[0] = '\0';
		return s;
	}
	if (t->total <= t->cap)
		memcpy(s, t->data, *len);
	else {
		first = t->cap - t->pos;
		memcpy(s, t->data + t->pos, first);
		memcpy(s + first, t->data, t->pos);
	}
	s[*len] = '\0';
	return s;
}

void
tail_clear(struct tail *t)
{
	t->pos = 0;
	t->total = 0;
}

void
tail_free(struct tail *t)
{
	free(t->data);
	memset(t, 0, sizeof(*t));
}

/* --- files ---------------------------------------------------------- */

int
write_all(int fd, const void *data, size_t len)
{
	const char	*p = data;
	ssize_t		 n;

	while (len > 0) {
		n = write(fd, p, len);
		if (n == -1) {
			if (errno == EINTR)
				continue;
			return -1;
		}
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

/* ".name.tmp", and nothing of that name there any more.  0, or -1. */
static int
temp_name(int dirfd, const char *name, char *tmp, size_t size)
{
	int	 n;

	n = snprintf(tmp, size, ".%s.tmp", name);
	if (n < 0 || (size_t)n >= size) {
		errno = ENAMETOOLONG;
		return -1;
	}
	if (strchr(name, '/') != NULL || name[0] == '\0') {
		errno = EINVAL;
		return -1;
	}
	if (unlinkat(dirfd, tmp, 0) == -1 && errno != ENOENT)
		return -1;
	return 0;
}

void
file_untemp(int dirfd, const char *name)
{
	char	 tmp[NAME_MAX + 1];

	(void)temp_name(dirfd, name, tmp, sizeof(tmp));
}

int
file_replace(int dirfd, const char *name, const void *data, size_t len,
    mode_t mode)
{
	char	 tmp[NAME_MAX + 1];
	int	 fd, saved;

	if (temp_name(dirfd, name, tmp, sizeof(tmp)) == -1)
		return -1;
	fd = openat(dirfd, tmp,
	    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd == -1)
		return -1;
	if (write_all(fd, data, len) == -1)
		goto fail;
	if (fchmod(fd, mode) == -1)	/* whatever the umask */
		goto fail;
	if (fsync(fd) == -1)
		goto fail;
	if (close(fd) == -1) {
		fd = -1;
		goto fail;
	}
	fd = -1;
	if (renameat(dirfd, tmp, dirfd, name) == -1)
		goto fail;
	return 0;
 fail:
	saved = errno;
	if (fd != -1)
		close(fd);
	unlinkat(dirfd, tmp, 0);
	errno = saved;
	return -1;
}

int
file_write(int dirfd, const char *name, const void *data, size_t len,
    mode_t mode)
{
	if (file_replace(dirfd, name, data, len, mode) == -1)
		return -1;
	return fsync(dirfd);
}

char *
fd_read(int fd, size_t max, size_t *len)
{
	char	*data = NULL, *p;
	size_t	 cap = 0, used = 0;
	ssize_t	 n;
	int	 saved;

	if (max > SIZE_MAX / 4) {
		errno = EINVAL;
		return NULL;
	}
	for (;;) {
		if (cap - used < 2) {
			cap = cap == 0 ? READ_MIN : cap * 2;
			if (cap > max + 2)
				cap = max + 2;
			if ((p = realloc(data, cap)) == NULL)
				goto fail;
			data = p;
		}
		n = read(fd, data + used, cap - used - 1);
		if (n == -1) {
			if (errno == EINTR)
				continue;
			goto fail;
		}
		if (n == 0)
			break;
		used += (size_t)n;
		if (used > max) {
			errno = EFBIG;
			goto fail;
		}
	}
	data[used] = '\0';
	*len = used;
	return data;
 fail:
	saved = errno;
	free(data);
	errno = saved;
	return NULL;
}

char *
file_read(int dirfd, const char *name, size_t max, size_t *len)
{
	struct stat	 st;
	char		*data = NULL;
	int		 fd, saved;

	/* O_NONBLOCK: a FIFO in its place must not hold us up. */
	fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK |
	    O_NOCTTY | O_CLOEXEC);
	if (fd == -1)
		return NULL;
	if (fstat(fd, &st) == -1)
		goto done;
	if (!S_ISREG(st.st_mode)) {
		errno = EINVAL;
		goto done;
	}
	if (st.st_size < 0 || (uintmax_t)st.st_size > max) {
		errno = EFBIG;
		goto done;
	}
	data = fd_read(fd, max, len);
 done:
	saved = errno;
	close(fd);
	errno = saved;
	return data;
}

int
file_islasting(int e)
{
	switch (e) {
	case ENOENT:
	case ENOTDIR:
	case EISDIR:
	case EINVAL:		/* a directory, a FIFO: see above */
	case ELOOP:		/* a symlink */
	case EFBIG:
	case EOVERFLOW:
	case EACCES:
	case EPERM:
	case ENXIO:		/* a socket, a device that is none */
	case ENODEV:
	case EOPNOTSUPP:
	case ENAMETOOLONG:
		return 1;
	default:
		return 0;
	}
}

int
link_swap(int dirfd, const char *name, const char *target)
{
	char	 tmp[NAME_MAX + 1];
	int	 saved;

	if (temp_name(dirfd, name, tmp, sizeof(tmp)) == -1)
		return -1;
	if (symlinkat(target, dirfd, tmp) == -1)
		return -1;
	if (renameat(dirfd, tmp, dirfd, name) == -1) {
		saved = errno;
		unlinkat(dirfd, tmp, 0);
		errno = saved;
		return -1;
	}
	return 0;
}

int
fd_nonblock(int fd)
{
	int	 flags;

	if ((flags = fcntl(fd, F_GETFL)) == -1)
		return -1;
	return fcntl(fd, F_SETFL, flags | O_NONBLOCK) == -1 ? -1 : 0;
}

int
fd_cloexec(int fd)
{
	int	 flags;

	if ((flags = fcntl(fd, F_GETFD)) == -1)
		return -1;
	return fcntl(fd, F_SETFD, flags | FD_CLOEXEC) == -1 ? -1 : 0;
}

/* --- time ----------------------------------------------------------- */

uint64_t
time_mono_us(void)
{
	struct timespec	 ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * US_PER_S + (uint64_t)ts.tv_nsec / 1000;
}

uint64_t
time_mono_ms(void)
{
	return time_mono_us() / 1000;
}

int64_t
time_real_us(void)
{
	struct timespec	 ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * US_PER_S + ts.tv_nsec / 1000;
}

struct civil {
	int64_t	year;
	int	month, day, hour, min, sec, us;
};

/*
 * Gregorian date of a count of microseconds since 1970, UTC.  Years are
 * counted from March, so that the leap day is the last of its year; 400
 * years are 146,097 days.
 */
static void
civil_from_us(int64_t us, struct civil *c)
{
	int64_t	 s, days, era, doe, yoe, doy, mp;

	s = us / US_PER_S;
	c->us = (int)(us % US_PER_S);
	if (c->us < 0) {
		c->us += US_PER_S;
		s--;
	}
	days = s / S_PER_DAY;
	s %= S_PER_DAY;
	if (s < 0) {
		s += S_PER_DAY;
		days--;
	}
	c->hour = (int)(s / 3600);
	c->min = (int)(s / 60 % 60);
	c->sec = (int)(s % 60);

	days += 719468;			/* from 1 March of the year 0 */
	era = (days >= 0 ? days : days - 146096) / 146097;
	doe = days - era * 146097;	/* day of the 400 years */
	yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	mp = (5 * doy + 2) / 153;	/* 0 is March */
	c->day = (int)(doy - (153 * mp + 2) / 5 + 1);
	c->month = (int)(mp < 10 ? mp + 3 : mp - 9);
	c->year = era * 400 + yoe + (c->month <= 2);
}

void
time_iso(int64_t us, char *s, size_t size)
{
	struct civil	 c;

	civil_from_us(us, &c);
	snprintf(s, size, "%04" PRId64 "-%02d-%02dT%02d:%02d:%02d.%06d+00:00",
	    c.year, c.month, c.day, c.hour, c.min, c.sec, c.us);
}

void
time_compact(int64_t us, char *s, size_t size)
{
	struct civil	 c;

	civil_from_us(us, &c);
	snprintf(s, size, "%04" PRId64 "%02d%02dT%02d%02d%02dZ", c.year,
	    c.month, c.day, c.hour, c.min, c.sec);
}

void
fmt_bytes(uint64_t n, char *s, size_t size)
{
	static const char	*units[] = { "KB", "MB", "GB", "TB", "PB",
				    "EB" };
	size_t			 i = 0;
	uint64_t		 tenths;

	if (n < 1000) {
		snprintf(s, size, "%" PRIu64 " B", n);
		return;
	}
	/* Round to tenths last, so that 999,960 becomes 1.0 MB. */
	while (n >= 999950 && i + 1 < sizeof(units) / sizeof(units[0])) {
		n /= 1000;
		i++;
	}
	tenths = (n + 50) / 100;
	snprintf(s, size, "%" PRIu64 ".%u %s", tenths / 10,
	    (unsigned int)(tenths % 10), units[i]);
}
