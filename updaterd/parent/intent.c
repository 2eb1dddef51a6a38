/*
 * The state file of an instance, <state>/services/<instance>.json: one JSON
 * object, root only, replaced whole.
 *
 *	version		1
 *	service		the instance's own name: a file that was copied or
 *			renamed is not believed
 *	owner		the service it is an instance of: another's profile
 *			may make the same name.  Earlier versions have none
 *	agent		whose release it runs; likewise
 *	desired, desired_by, desired_at
 *	state, phase ("running", "exited"), boot, pid, start_time,
 *	started_at, release, conf
 *	exit		{kind, value, at, planned, text}, or null
 *	failed		{code, release, at}, or null
 *	restarts, deaths
 *
 * Times are microseconds of wall time.  What is read is checked member by
 * member; one wrong member and nothing of the file is believed, since the
 * intent in it may then be anybody's.  Unknown members are passed over: a
 * later version may have written them.
 */
#include <sys/types.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "dump.h"
#include "intent.h"
#include "utf8.h"
#include "util.h"

#define VERSION		1
#define FILE_MODE	0600

static const char *const exit_names[] = {
	[EXIT_NONE]	= "none",
	[EXIT_CODE]	= "code",
	[EXIT_SIGNAL]	= "signal",
	[EXIT_NOSTART]	= "nostart",
	[EXIT_UNKNOWN]	= "unknown",
};
_Static_assert(sizeof(exit_names) / sizeof(exit_names[0]) == EXIT__MAX,
    "a name for each kind of exit");

static int
file_name(const char *name, char *file, size_t size)
{
	if ((size_t)snprintf(file, size, "%s.json", name) < size)
		return 0;
	errno = ENAMETOOLONG;
	return -1;
}

/* --- reading --------------------------------------------------------- */

/* A string that fits.  0, or -1. */
static int
get_string(const json_t *o, const char *key, char *dst, size_t size)
{
	const char	*s = json_string_value(json_object_get(o, key));

	return s != NULL && strlcpy(dst, s, size) < size ? 0 : -1;
}

static int
get_int(const json_t *o, const char *key, int64_t min, int64_t max,
    int64_t *v)
{
	const json_t	*j = json_object_get(o, key);

	if (!json_is_integer(j))
		return -1;
	*v = json_integer_value(j);
	return *v >= min && *v <= max ? 0 : -1;
}

/* A release id, or "". */
static int
get_id(const json_t *o, const char *key, char *dst)
{
	if (get_string(o, key, dst, UPD_ID_SIZE) == -1)
		return -1;
	return dst[0] == '\0' || id_isvalid(dst) ? 0 : -1;
}

/* 1 the first word, 0 the second, -1 neither. */
static int
get_word(const json_t *o, const char *key, const char *one,
    const char *zero)
{
	const char	*s = json_string_value(json_object_get(o, key));

	if (s == NULL)
		return -1;
	return strcmp(s, one) == 0 ? 1 : strcmp(s, zero) == 0 ? 0 : -1;
}

static int
get_exit(const json_t *e, struct intent *in)
{
	const char	*kind;
	int64_t		 v;
	int		 k;

	if (json_is_null(e))
		return 0;
	if ((kind = json_string_value(json_object_get(e, "kind"))) == NULL)
		return -1;
	for (k = 0; k < EXIT__MAX; k++)
		if (strcmp(kind, exit_names[k]) == 0)
			break;
	if (k == EXIT__MAX || get_int(e, "value", 0, INT_MAX, &v) == -1)
		return -1;
	in->exit_kind = (enum exit_kind)k;
	in->exit_value = (int)v;
	if (get_int(e, "at", 0, INT64_MAX, &in->exit_at) == -1 ||
	    !json_is_boolean(json_object_get(e, "planned")) ||
	    get_string(e, "text", in->exit_text,
	    sizeof(in->exit_text)) == -1)
		return -1;
	in->exit_planned = json_is_true(json_object_get(e, "planned"));
	return 0;
}

static int
get_failed(const json_t *f, struct intent *in)
{
	int64_t	 v;

	if (json_is_null(f))
		return 0;
	if (get_int(f, "code", 0, 255, &v) == -1 ||
	    get_int(f, "at", 0, INT64_MAX, &in->failed_at) == -1 ||
	    get_id(f, "release", in->failed_release) == -1)
		return -1;
	in->failed = 1;
	in->failed_code = (int)v;
	return 0;
}

/* NULL, or the member that is wrong. */
static const char *
decode(const json_t *o, const char *name, struct intent *in)
{
	char	 self[UPD_INSTANCE_SIZE], conf[17], *end;
	int64_t	 v;

	if (get_int(o, "version", VERSION, VERSION, &v) == -1)
		return "version";
	if (get_string(o, "service", self, sizeof(self)) == -1 ||
	    strcmp(self, name) != 0)
		return "service";
	if (json_object_get(o, "owner") != NULL && (get_string(o, "owner",
	    in->owner, sizeof(in->owner)) == -1 || (in->owner[0] != '\0' &&
	    !name_isvalid(in->owner))))
		return "owner";
	if (json_object_get(o, "agent") != NULL && (get_string(o, "agent",
	    in->agent, sizeof(in->agent)) == -1 || (in->agent[0] != '\0' &&
	    !name_isvalid(in->agent))))
		return "agent";
	if ((in->desired = get_word(o, "desired", "running",
	    "stopped")) == -1)
		return "desired";
	if (get_string(o, "desired_by", in->desired_by,
	    sizeof(in->desired_by)) == -1)
		return "desired_by";
	if (get_int(o, "desired_at", 0, INT64_MAX, &in->desired_at) == -1)
		return "desired_at";
	if (get_string(o, "state", in->state, sizeof(in->state)) == -1)
		return "state";
	if ((in->running = get_word(o, "phase", "running", "exited")) == -1)
		return "phase";
	if (get_string(o, "boot", in->boot, sizeof(in->boot)) == -1)
		return "boot";
	if (get_int(o, "pid", 0, INT_MAX, &v) == -1 || v == 1)
		return "pid";
	in->pid = (pid_t)v;
	if (get_int(o, "start_time", 0, INT64_MAX, &v) == -1)
		return "start_time";
	in->start_time = (uint64_t)v;
	if (get_int(o, "started_at", 0, INT64_MAX, &in->started_at) == -1)
		return "started_at";
	if (get_id(o, "release", in->release) == -1)
		return "release";
	if (get_string(o, "conf", conf, sizeof(conf)) == -1)
		return "conf";
	in->conf = strtoull(conf, &end, 16);
	if (*end != '\0')
		return "conf";
	if (get_exit(json_object_get(o, "exit"), in) == -1)
		return "exit";
	if (get_failed(json_object_get(o, "failed"), in) == -1)
		return "failed";
	if (get_int(o, "restarts", 0, UINT32_MAX, &v) == -1)
		return "restarts";
	in->restarts = (uint32_t)v;
	if (get_int(o, "deaths", 0, UINT32_MAX, &v) == -1)
		return "deaths";
	in->deaths = (uint32_t)v;
	return NULL;
}

int
intent_isof(const struct intent *in, const char *service)
{
	return in->owner[0] == '\0' || strcmp(in->owner, service) == 0;
}

int
intent_read(int dirfd, const char *name, struct intent *in, char *why)
{
	char		 file[UPD_INSTANCE_SIZE + 8], *data;
	const char	*wrong;
	json_error_t	 error;
	json_t		*o;
	size_t		 len;

	memset(in, 0, sizeof(*in));
	if (file_name(name, file, sizeof(file)) == -1)
		goto fail;
	/* Twice: a service would stay down for an error that has passed. */
	if ((data = file_read(dirfd, file, INTENT_MAX, &len)) == NULL &&
	    errno != ENOENT)
		data = file_read(dirfd, file, INTENT_MAX, &len);
	if (data == NULL) {
		if (errno == ENOENT)
			return 0;
		goto fail;
	}
	o = json_loadb(data, len, JSON_REJECT_DUPLICATES, &error);
	free(data);
	if (!json_is_object(o)) {
		json_decref(o);
		strlcpy(why, "not a JSON object", UPD_TEXT_SIZE);
		return -1;
	}
	wrong = decode(o, name, in);
	json_decref(o);
	if (wrong == NULL)
		return 1;
	memset(in, 0, sizeof(*in));
	snprintf(why, UPD_TEXT_SIZE, "no good \"%s\" in it", wrong);
	return -1;
 fail:
	strlcpy(why, strerror(errno), UPD_TEXT_SIZE);
	return -1;
}

/* --- writing --------------------------------------------------------- */

/* From a certificate, or with the name of a command in it; less than `size`
 * bytes, or it could not be read back. */
static json_t *
clean_string(const char *s, size_t size)
{
	struct buf	 b;
	json_t		*j;

	memset(&b, 0, sizeof(b));
	if (utf8_clean(&b, s, strlen(s)) == -1)
		return NULL;
	/* U+FFFD is longer than what it replaces */
	j = b.len < size ? json_stringn(b.data, b.len) :
	    json_string("?");
	buf_free(&b);
	return j;
}

/* A new reference, or NULL: out of memory. */
static json_t *
encode(const char *name, const struct intent *in)
{
	char	 conf[17];
	json_t	*e, *f;

	snprintf(conf, sizeof(conf), "%016" PRIx64, in->conf);
	e = in->exit_kind == EXIT_NONE ? json_null() :
	    json_pack("{s:s, s:i, s:I, s:b, s:o}",
	    "kind", exit_names[in->exit_kind], "value", in->exit_value,
	    "at", (json_int_t)in->exit_at, "planned", in->exit_planned,
	    "text", clean_string(in->exit_text, sizeof(in->exit_text)));
	f = !in->failed ? json_null() : json_pack("{s:i, s:s, s:I}",
	    "code", in->failed_code, "release", in->failed_release,
	    "at", (json_int_t)in->failed_at);
	return json_pack("{s:i, s:s, s:s, s:s, s:s, s:o, s:I,"
	    " s:s, s:s, s:s, s:i, s:I, s:I, s:s, s:s,"
	    " s:o, s:o, s:I, s:I}",
	    "version", VERSION, "service", name, "owner", in->owner,
	    "agent", in->agent,
	    "desired", in->desired ? "running" : "stopped",
	    "desired_by", clean_string(in->desired_by,
	    sizeof(in->desired_by)),
	    "desired_at", (json_int_t)in->desired_at,
	    "state", in->state, "phase", in->running ? "running" : "exited",
	    "boot", in->boot, "pid", (int)in->pid,
	    "start_time", (json_int_t)in->start_time,
	    "started_at", (json_int_t)in->started_at,
	    "release", in->release, "conf", conf,
	    "exit", e, "failed", f,
	    "restarts", (json_int_t)in->restarts,
	    "deaths", (json_int_t)in->deaths);
}

int
intent_replace(int dirfd, const char *name, const struct intent *in)
{
	char	 file[UPD_INSTANCE_SIZE + 8], *data = NULL;
	json_t	*o;
	size_t	 len;
	int	 r = -1;

	if (file_name(name, file, sizeof(file)) == -1)
		return -1;
	o = encode(name, in);
	if (o != NULL)
		data = dump_json(o, JSON_INDENT(1));
	json_decref(o);
	if (data == NULL) {
		errno = ENOMEM;
		return -1;
	}
	len = strlen(data);
	if (len > INTENT_MAX)
		errno = EFBIG;
	else
		r = file_replace(dirfd, file, data, len, FILE_MODE);
	free(data);
	return r;
}

void
intent_sweep(int dirfd)
{
	struct dirent	*de;
	const char	*dot;
	DIR		*dir;
	int		 fd;

	/* not dirfd itself: its offset is shared with every duplicate */
	fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd == -1)
		return;
	if ((dir = fdopendir(fd)) == NULL) {
		close(fd);
		return;
	}
	while ((de = readdir(dir)) != NULL)
		if (de->d_name[0] == '.' &&
		    (dot = strrchr(de->d_name, '.')) != NULL &&
		    strcmp(dot, ".tmp") == 0)
			(void)unlinkat(dirfd, de->d_name, 0);
	closedir(dir);
}

int
intent_remove(int dirfd, const char *name)
{
	char	 file[UPD_INSTANCE_SIZE + 8];

	if (file_name(name, file, sizeof(file)) == -1)
		return -1;
	if (unlinkat(dirfd, file, 0) == -1)
		return errno == ENOENT ? 0 : -1;
	return fsync(dirfd);
}
