/*
 * <service>_state.json of a profile: one JSON object with
 *
 *	<service>_state		how it is
 *	desired_state		what somebody wants: running or stopped
 *	timestamp		when that was written: seconds, or as text
 *
 * and whatever else the service keeps there, which stays as it is.  A byte
 * order mark is passed over.  Anything that is no such object, no regular
 * file or too long is not believed: it counts as unreadable, and a service
 * whose file is broken is not started because of it.  An error that may
 * pass (EIO, EMFILE) says nothing of the file: nothing is concluded from
 * it, and nothing written over what is there.
 *
 * The kind of timestamp that is there stays: programs that read a number
 * get a number.
 */
#include <sys/types.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <jansson.h>

#include "statefile.h"
#include "util.h"

#define BOM		"\xef\xbb\xbf"
#define SUFFIX		"_state.json"
#define FILE_SIZE	(UPD_NAME_SIZE + 24)	/* bytes, with .bad */
#define FILE_MODE	0644	/* of a new one */
#define KEY_DESIRED	"desired_state"
#define KEY_STAMP	"timestamp"
#define US		1000000
#define STAMP_MAX	253402300799LL	/* s: the end of the year 9999 */
#define STAMP_TEXT	64		/* bytes, more is no time */

static json_t *
load(const char *data, size_t len)
{
	json_error_t	 error;
	json_t		*o;

	if (len >= 3 && memcmp(data, BOM, 3) == 0) {
		data += 3;
		len -= 3;
	}
	o = json_loadb(data, len, JSON_REJECT_DUPLICATES, &error);
	if (!json_is_object(o)) {
		json_decref(o);
		return NULL;
	}
	return o;
}

static void
state_key(const char *service, char *key, size_t size)
{
	snprintf(key, size, "%s_state", service);
}

/* --- time ------------------------------------------------------------ */

/* "2026-11-22T01:49:55.123456+00:00", the fraction and the zone may be
 * missing (then it is UTC).  Microseconds, or 0. */
static int64_t
parse_iso(const char *s)
{
	struct tm	 tm;
	int64_t		 us, unit;
	int		 n = 0, h, m;
	char		 sign;

	memset(&tm, 0, sizeof(tm));
	if (strlen(s) >= STAMP_TEXT || sscanf(s, "%4d-%2d-%2d%*1[T ]"
	    "%2d:%2d:%2d%n", &tm.tm_year, &tm.tm_mon, &tm.tm_mday,
	    &tm.tm_hour, &tm.tm_min, &tm.tm_sec, &n) != 6 || n == 0 ||
	    tm.tm_year < 1970 || tm.tm_mon < 1 || tm.tm_mon > 12 ||
	    tm.tm_mday < 1 || tm.tm_mday > 31 || tm.tm_hour < 0 ||
	    tm.tm_hour > 23 || tm.tm_min < 0 || tm.tm_min > 59 ||
	    tm.tm_sec < 0 || tm.tm_sec > 60)
		return 0;
	tm.tm_year -= 1900;
	tm.tm_mon--;
	us = (int64_t)timegm(&tm) * US;
	s += n;
	if (*s == '.')
		for (s++, unit = US / 10; *s >= '0' && *s <= '9'; s++) {
			us += (*s - '0') * unit;
			unit /= 10;
		}
	if (*s == '\0' || strcmp(s, "Z") == 0)
		return us;
	if (sscanf(s, "%c%2d%*1[:]%2d%n", &sign, &h, &m, &n) != 3 &&
	    sscanf(s, "%c%2d%2d%n", &sign, &h, &m, &n) != 3)
		return 0;
	if ((sign != '+' && sign != '-') || s[n] != '\0' || h < 0 ||
	    h > 23 || m < 0 || m > 59)
		return 0;
	unit = ((int64_t)h * 60 + m) * 60 * US;
	return sign == '+' ? us - unit : us + unit;
}

/* Microseconds, or 0: none that can be used. */
static int64_t
parse_stamp(const json_t *v)
{
	double	 d;

	if (json_is_string(v))
		return parse_iso(json_string_value(v));
	if (!json_is_number(v))
		return 0;
	d = json_number_value(v);
	/* also false for what is not a number */
	if (!(d > 0 && d <= (double)STAMP_MAX))
		return 0;
	return (int64_t)(d * US);
}

static json_t *
make_stamp(const json_t *old, int64_t us)
{
	char	 text[40];

	if (!json_is_string(old))
		return json_real((double)us / US);
	time_iso(us, text, sizeof(text));
	return json_string(text);
}

/* --- reading --------------------------------------------------------- */

static enum profile_desired
parse_desired(const json_t *v)
{
	const char	*s = json_string_value(v);

	if (s != NULL && strcmp(s, "running") == 0)
		return PDESIRED_RUNNING;
	if (s != NULL && strcmp(s, "stopped") == 0)
		return PDESIRED_STOPPED;
	return PDESIRED_NONE;
}

void
statefile_parse(const char *data, size_t len, const char *service,
    struct msg_profile_found *f)
{
	char		 key[UPD_NAME_SIZE + 8];
	const json_t	*v;
	json_t		*o;

	f->desired = PDESIRED_NONE;
	f->stamp = 0;
	if ((o = load(data, len)) == NULL) {
		f->state = PSTATE_UNREADABLE;
		return;
	}
	state_key(service, key, sizeof(key));
	v = json_object_get(o, key);
	if (v == NULL)
		f->state = PSTATE_NONE;
	else if (!json_is_string(v))
		f->state = PSTATE_INVALID;
	else
		f->state = profile_stateof(json_string_value(v));
	f->desired = parse_desired(json_object_get(o, KEY_DESIRED));
	f->stamp = parse_stamp(json_object_get(o, KEY_STAMP));
	json_decref(o);
}

/* No word of what it says. */
static void
blank(struct msg_profile_found *f, enum profile_state state)
{
	f->state = state;
	f->desired = PDESIRED_NONE;
	f->stamp = 0;
}

int
statefile_read(int dirfd, const char *service, struct msg_profile_found *f)
{
	struct stat	 st;
	char		 name[FILE_SIZE], *data;
	size_t		 len;
	int64_t		 now, us;

	blank(f, PSTATE_NONE);
	snprintf(name, sizeof(name), "%s" SUFFIX, service);
	if ((data = file_read(dirfd, name, STATEFILE_MAX, &len)) == NULL) {
		if (errno != ENOENT)
			f->state = PSTATE_UNREADABLE;
		return file_islasting(errno) ? 0 : -1;
	}
	statefile_parse(data, len, service, f);
	free(data);
	/*
	 * A tool that notes no time has at least written at one.  Nor is one
	 * believed that is yet to come: what is wanted then would be newer
	 * than any command.
	 */
	now = time_real_us();
	if (f->stamp != 0 && f->stamp <= now)
		return 0;
	f->stamp = 0;
	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == -1) {
		if (file_islasting(errno))
			return 0;
		/* Without its time it would be older than any command. */
		blank(f, PSTATE_UNREADABLE);
		return -1;
	}
	us = (int64_t)st.st_mtim.tv_sec * US + st.st_mtim.tv_nsec / 1000;
	if (us > 0 && us <= now)
		f->stamp = us;
	return 0;
}

/* --- writing --------------------------------------------------------- */

static char *
dump(const json_t *o, size_t *len)
{
	char	*text;

	errno = ENOMEM;
	/* Measured, then written: json_dumps(3) of Jansson up to 2.14 may
	 * leave out keys when memory runs out. */
	if ((*len = json_dumpb(o, NULL, 0, JSON_COMPACT)) == 0 ||
	    (text = malloc(*len + 1)) == NULL)
		return NULL;
	if (json_dumpb(o, text, *len, JSON_COMPACT) != *len) {
		free(text);
		return NULL;
	}
	return text;
}

char *
statefile_merge(const char *data, size_t len, const char *service,
    const struct msg_profile_state *s, size_t *outlen)
{
	const char	*state =
			    profile_statename((enum profile_state)s->state);
	const char	*desired = s->desired == PDESIRED_RUNNING ?
			    "running" : "stopped";
	const char	*had, *wanted;
	char		 key[UPD_NAME_SIZE + 8], *text = NULL;
	json_t		*o;

	if ((o = data == NULL ? json_object() : load(data, len)) == NULL) {
		errno = data == NULL ? ENOMEM : EINVAL;
		return NULL;
	}
	state_key(service, key, sizeof(key));
	had = json_string_value(json_object_get(o, key));
	wanted = json_string_value(json_object_get(o, KEY_DESIRED));
	if (had != NULL && wanted != NULL && strcmp(had, state) == 0 &&
	    strcmp(wanted, desired) == 0)
		errno = EEXIST;
	else if (json_object_set_new(o, key, json_string(state)) == -1 ||
	    json_object_set_new(o, KEY_DESIRED, json_string(desired)) == -1 ||
	    json_object_set_new(o, KEY_STAMP, make_stamp(json_object_get(o,
	    KEY_STAMP), s->stamp)) == -1)
		errno = ENOMEM;
	else
		text = dump(o, outlen);
	len = (size_t)errno;	/* json_decref() calls free(3) */
	json_decref(o);
	errno = (int)len;
	return text;
}

/* Out of the way, in the place of an earlier one. */
static int
keep_bad(int dirfd, const char *name)
{
	char	 bad[FILE_SIZE + 4];

	snprintf(bad, sizeof(bad), "%s.bad", name);
	return renameat(dirfd, name, dirfd, bad);
}

int
statefile_write(int dirfd, const char *service,
    const struct msg_profile_state *s)
{
	struct stat	 st;
	char		 name[FILE_SIZE], *data, *text;
	mode_t		 mode = FILE_MODE;
	size_t		 len = 0, outlen;
	int		 r;

	snprintf(name, sizeof(name), "%s" SUFFIX, service);
	data = file_read(dirfd, name, STATEFILE_MAX, &len);
	if (data == NULL && errno != ENOENT &&
	    (!file_islasting(errno) || keep_bad(dirfd, name) == -1))
		return -1;
	if (data != NULL && fstatat(dirfd, name, &st,
	    AT_SYMLINK_NOFOLLOW) == 0)
		mode = st.st_mode & (S_IRWXU | S_IRWXG | S_IRWXO);
	else if (data != NULL && errno != ENOENT) {
		/* It may be nobody else's to read. */
		r = errno;
		free(data);
		errno = r;
		return -1;
	}
	text = statefile_merge(data, len, service, s, &outlen);
	if (text == NULL && data != NULL && errno == EINVAL) {
		if (keep_bad(dirfd, name) == 0)
			text = statefile_merge(NULL, 0, service, s, &outlen);
	}
	free(data);
	if (text == NULL)
		return errno == EEXIST ? 0 : -1;
	r = file_write(dirfd, name, text, outlen, mode | S_IRUSR | S_IWUSR);
	free(text);
	return r;
}
