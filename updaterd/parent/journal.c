/*
 * The journal of the update in flight, <root>/update.json.
 *
 * It is replaced whole and durably (file_write): there is the old one, the
 * new one, or none.  Written before the first link moves, removed when the
 * verdict is durable in the release's record and its trial, if it has one,
 * is over; each is fsynced before the
 * caller goes on, because the next start believes it.  One that does not
 * parse is damage, or another version's: it is put aside as update.json.bad
 * for a person, and recovery goes by the links and records alone.
 */
#include <sys/types.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "dump.h"
#include "journal.h"
#include "log.h"
#include "record.h"
#include "util.h"

#define JOURNAL_NAME	"update.json"
#define JOURNAL_BAD	"update.json.bad"
#define JOURNAL_VERSION	1
#define JOURNAL_FILE_MAX 65536		/* bytes */

static const char *const phasenames[JOURNAL__MAX] = {
	[JOURNAL_NONE] =	"none",
	[JOURNAL_PROMOTE] =	"promote",
	[JOURNAL_PROBE] =	"probe",
	[JOURNAL_TRIAL] =	"trial",
	[JOURNAL_ROLLBACK] =	"rollback"
};

static const char *
phase_name(enum journal_phase phase)
{
	if ((unsigned int)phase >= JOURNAL__MAX)
		return "unknown";
	return phasenames[phase];
}

/* Members of the trial into the object.  0, or -1. */
static int
put_trial(json_t *o, const struct journal *j)
{
	json_t	*t;
	int	 rv;

	t = json_pack("{s:I, s:I, s:I, s:I, s:o, s:b, s:I}",
	    "confirm_ms", (json_int_t)j->confirm_ms,
	    "probation_ms", (json_int_t)j->probation_ms,
	    "confirm_at", (json_int_t)j->confirm_at,
	    "probation_at", (json_int_t)j->probation_at,
	    "boot", record_text(j->boot),
	    "at_rest", j->at_rest != 0,
	    "outages", (json_int_t)j->outages);
	rv = json_object_update(o, t);
	json_decref(t);
	return rv;
}

int
journal_write(struct store *s, const struct journal *j)
{
	json_t	*o;
	char	*text;
	int	 rv = -1, e;

	if (j->phase <= JOURNAL_NONE || j->phase >= JOURNAL__MAX ||
	    !record_isid(j->to)) {
		errno = EINVAL;
		return -1;
	}
	o = json_pack("{s:i, s:s, s:I, s:b, s:s, s:o, s:o, s:o, s:I}",
	    "version", JOURNAL_VERSION,
	    "phase", phase_name(j->phase),
	    "attempts", (json_int_t)j->attempts,
	    "is_rollback", j->is_rollback != 0,
	    "to", j->to,
	    "from", record_text(j->from),
	    "from_prev", record_text(j->from_prev),
	    "by", record_text(j->by),
	    "started_at", (json_int_t)j->started_at);
	text = o == NULL || put_trial(o, j) == -1 ? NULL :
	    dump_json(o, JSON_INDENT(2));
	if (text == NULL)
		errno = ENOMEM;
	else
		rv = file_write(s->rootfd, JOURNAL_NAME, text, strlen(text),
		    0600);
	e = errno;
	free(text);
	json_decref(o);
	errno = e;
	return rv;
}

/* An id that may be null. */
static int
get_id(const json_t *o, const char *key, char *id)
{
	const json_t	*v = json_object_get(o, key);

	id[0] = '\0';
	if (v == NULL || json_is_null(v))
		return 0;
	if (record_get(o, key, id, UPD_ID_SIZE) == -1)
		return -1;
	return record_isid(id) ? 0 : -1;
}

/* A number that may be missing, as in a journal of an earlier version. */
static int
get_number(const json_t *o, const char *key, uint64_t max, uint64_t *n)
{
	const json_t	*v = json_object_get(o, key);

	*n = 0;
	if (v == NULL)
		return 0;
	if (!json_is_integer(v) || json_integer_value(v) < 0 ||
	    (uint64_t)json_integer_value(v) > max)
		return -1;
	*n = (uint64_t)json_integer_value(v);
	return 0;
}

static const char *
parse_trial(const json_t *o, struct journal *j)
{
	uint64_t	 confirm, probation, outages;

	if (get_number(o, "confirm_ms", UINT32_MAX, &confirm) == -1 ||
	    get_number(o, "probation_ms", UINT32_MAX, &probation) == -1 ||
	    get_number(o, "outages", UINT32_MAX, &outages) == -1 ||
	    get_number(o, "confirm_at", INT64_MAX, &j->confirm_at) == -1 ||
	    get_number(o, "probation_at", INT64_MAX, &j->probation_at) == -1)
		return "a time of the trial is none";
	j->confirm_ms = (uint32_t)confirm;
	j->probation_ms = (uint32_t)probation;
	j->outages = (uint32_t)outages;
	j->at_rest = json_is_true(json_object_get(o, "at_rest"));
	(void)record_get(o, "boot", j->boot, sizeof(j->boot));
	return NULL;
}

/* NULL, or what is wrong with it. */
static const char *
journal_parse(const json_t *o, struct journal *j)
{
	const json_t	*n;
	char		 phase[16];
	unsigned int	 i;

	if (!json_is_object(o))
		return "no object";
	if (json_integer_value(json_object_get(o, "version")) !=
	    JOURNAL_VERSION)
		return "version not known";
	(void)record_get(o, "phase", phase, sizeof(phase));
	for (i = JOURNAL_PROMOTE; i < JOURNAL__MAX; i++)
		if (strcmp(phase, phasenames[i]) == 0)
			break;
	if (i == JOURNAL__MAX)
		return "phase not known";
	j->phase = i;
	n = json_object_get(o, "attempts");
	if (!json_is_integer(n) || json_integer_value(n) < 0 ||
	    json_integer_value(n) > UINT32_MAX)
		return "attempts is no number";
	j->attempts = (uint32_t)json_integer_value(n);
	j->is_rollback = json_is_true(json_object_get(o, "is_rollback"));
	if (get_id(o, "to", j->to) == -1 || j->to[0] == '\0' ||
	    get_id(o, "from", j->from) == -1 ||
	    get_id(o, "from_prev", j->from_prev) == -1)
		return "an id is none";
	(void)record_get(o, "by", j->by, sizeof(j->by));
	j->started_at = json_integer_value(json_object_get(o, "started_at"));
	return parse_trial(o, j);
}

/* 1; 0 there is none; -1 with text (UPD_TEXT_SIZE): it is no journal, or with
 * "" and errno: it cannot be read now. */
static int
load(int rootfd, struct journal *j, char *text)
{
	json_error_t	 error;
	json_t		*o;
	const char	*why;
	char		*data;
	size_t		 len;

	memset(j, 0, sizeof(*j));
	text[0] = '\0';
	data = file_read(rootfd, JOURNAL_NAME, JOURNAL_FILE_MAX, &len);
	if (data == NULL) {
		if (errno == ENOENT)
			return 0;
		if (errno == EINVAL || errno == ELOOP || errno == EFBIG)
			strlcpy(text, "not a small regular file",
			    UPD_TEXT_SIZE);
		return -1;
	}
	o = json_loadb(data, len, 0, &error);
	free(data);
	if (o == NULL && json_error_code(&error) ==
	    json_error_out_of_memory) {
		errno = ENOMEM;
		return -1;
	}
	why = o == NULL ? error.text : journal_parse(o, j);
	if (why != NULL)
		strlcpy(text, why, UPD_TEXT_SIZE);
	json_decref(o);
	return why == NULL ? 1 : -1;
}

int
journal_read(struct store *s, struct journal *j)
{
	char	 why[UPD_TEXT_SIZE];
	int	 r;

	if ((r = load(s->rootfd, j, why)) != -1)
		return r;
	if (why[0] == '\0') {
		/* Not its fault: it stays for the next start. */
		log_warn("read %s/%s", s->root, JOURNAL_NAME);
		return -1;
	}
	log_warnx("put aside %s/%s as %s: %s", s->root, JOURNAL_NAME,
	    JOURNAL_BAD, why);
	if (renameat(s->rootfd, JOURNAL_NAME, s->rootfd, JOURNAL_BAD) == -1)
		log_warn("rename %s/%s", s->root, JOURNAL_NAME);
	memset(j, 0, sizeof(*j));
	return -1;
}

int
journal_isopen(const struct journal *j, const char *current)
{
	return j->phase == JOURNAL_PROMOTE && j->attempts == 0 &&
	    strcmp(current, j->to) == 0;
}

int
journal_look(const char *root, struct journal *j)
{
	char	 why[UPD_TEXT_SIZE];
	int	 fd, r;

	memset(j, 0, sizeof(*j));
	if ((fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) == -1)
		return 0;
	r = load(fd, j, why);
	close(fd);
	return r == 1;
}

int
journal_remove(struct store *s)
{
	if (unlinkat(s->rootfd, JOURNAL_NAME, 0) == -1 && errno != ENOENT)
		return -1;
	return fsync(s->rootfd);
}
