/*
 * What is written about a release: releases/<id>.json.
 *
 * The file is replaced whole and durably (file_write), so that it is either
 * missing, the old one or the new one.  A file that does not parse is
 * therefore damage or another version's, never our own crash: it is
 * reported and left where it is, for a person to look at.  Unknown members
 * are ignored; "version" changes when an older program must not guess.
 */
#include <sys/types.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dump.h"
#include "log.h"
#include "record.h"
#include "relkey.h"
#include "util.h"

#define RECORD_VERSION	1
#define RECORD_MAX	65536		/* bytes of a record */

static const char *const statenames[RELEASE__MAX] = {
	[RELEASE_NEW] =		"new",
	[RELEASE_GOOD] =	"good",
	[RELEASE_FAILED] =	"failed"
};

const char *
release_statename(enum release_state state)
{
	if ((unsigned int)state >= RELEASE__MAX)
		return "unknown";
	return statenames[state];
}

static int
has_suffix(const char *s, const char *suffix)
{
	size_t	 n = strlen(s), m = strlen(suffix);

	return n > m && strcmp(s + n - m, suffix) == 0;
}

int
record_isid(const char *name)
{
	return id_isvalid(name) && !has_suffix(name, RECORD_SUFFIX) &&
	    !has_suffix(name, MTREE_SUFFIX);
}

json_t *
record_text(const char *s)
{
	json_t	*o;
	char	*copy, *p;

	if (s[0] == '\0')
		return json_null();
	if ((o = json_string(s)) != NULL || (copy = strdup(s)) == NULL)
		return o;
	for (p = copy; *p != '\0'; p++)
		if ((unsigned char)*p >= 0x80)
			*p = '?';
	o = json_string(copy);
	free(copy);
	return o;
}

int
record_get(const json_t *o, const char *key, char *dst, size_t size)
{
	const json_t	*v = json_object_get(o, key);
	const char	*s;

	dst[0] = '\0';
	if (!json_is_string(v))
		return -1;
	s = json_string_value(v);
	if (strlen(s) != json_string_length(v) || strlen(s) >= size)
		return -1;
	memcpy(dst, s, strlen(s) + 1);
	return 0;
}

/* A member that may be missing or null; too long a text is cut. */
static void
get_text(const json_t *o, const char *key, char *dst, size_t size)
{
	const char	*s = json_string_value(json_object_get(o, key));

	dst[0] = '\0';
	if (s != NULL)
		(void)strlcpy(dst, s, size);
}

static int
get_number(const json_t *o, const char *key, uint64_t *n)
{
	const json_t	*v = json_object_get(o, key);

	*n = 0;
	if (v == NULL)
		return 0;
	if (!json_is_integer(v) || json_integer_value(v) < 0)
		return -1;
	*n = json_integer_value(v);
	return 0;
}

/* NULL, or what is wrong with it. */
static const char *
record_parse(const json_t *o, const char *id, struct release *r)
{
	const char	*s;
	char		 own[UPD_ID_SIZE];
	uint64_t	 at;
	unsigned int	 i;

	if (!json_is_object(o))
		return "no object";
	if (json_integer_value(json_object_get(o, "version")) !=
	    RECORD_VERSION)
		return "version not known";
	if (record_get(o, "id", own, sizeof(own)) == -1 ||
	    strcmp(own, id) != 0)
		return "id of another release";
	(void)strlcpy(r->id, id, sizeof(r->id));
	if ((s = json_string_value(json_object_get(o, "state"))) == NULL)
		return "no state";
	for (i = 0; i < RELEASE__MAX; i++)
		if (strcmp(s, statenames[i]) == 0)
			break;
	if (i == RELEASE__MAX)
		return "state not known";
	r->state = i;
	get_text(o, "sha", r->sha, sizeof(r->sha));
	get_text(o, "sha256", r->sha256, sizeof(r->sha256));
	if (r->sha256[0] != '\0' && !digest_ishex(r->sha256))
		return "sha256 is no digest";
	get_text(o, "signer", r->signer, sizeof(r->signer));
	if (get_number(o, "signed_at", &at) == -1 || at > SIGNED_DATE_MAX)
		return "signed_at is no date";
	r->signed_at = (int64_t)at;
	get_text(o, "by", r->by, sizeof(r->by));
	get_text(o, "why", r->why, sizeof(r->why));
	if (get_number(o, "installed_at", &at) == -1 ||
	    get_number(o, "size", &r->size) == -1 ||
	    get_number(o, "files", &r->files) == -1 ||
	    get_number(o, "packed", &r->packed) == -1)
		return "a number is none";
	r->installed_at = at;
	return NULL;
}

static int
is_shortage(int e)
{
	return e == EMFILE || e == ENFILE || e == ENOMEM;
}

int
record_read(int relfd, const char *where, const char *id, struct release *r)
{
	json_error_t	 error;
	json_t		*o;
	const char	*why;
	char		 name[RECORD_NAME_SIZE];
	char		*data;
	size_t		 len;

	memset(r, 0, sizeof(*r));
	if ((size_t)snprintf(name, sizeof(name), "%s%s", id,
	    RECORD_SUFFIX) >= sizeof(name))
		return 0;
	if ((data = file_read(relfd, name, RECORD_MAX, &len)) == NULL) {
		if (is_shortage(errno))
			return -1;
		if (errno != ENOENT)
			log_warn("read %s/releases/%s", where, name);
		return 0;
	}
	errno = 0;
	o = json_loadb(data, len, 0, &error);
	free(data);
	if (o == NULL) {
		if (json_error_code(&error) == json_error_out_of_memory) {
			errno = ENOMEM;
			return -1;
		}
		why = error.text;
	} else
		why = record_parse(o, id, r);
	if (why != NULL)
		log_warnx("%s/releases/%s is damaged: %s; the tree stays for "
		    "you to look at, and to remove", where, name, why);
	json_decref(o);
	return why == NULL;
}

int
record_write(int relfd, const struct release *r)
{
	json_t	*o;
	char	 name[RECORD_NAME_SIZE], iso[40];
	char	*text;
	int	 rv = -1, e;

	if (!record_isid(r->id)) {
		errno = EINVAL;
		return -1;
	}
	(void)snprintf(name, sizeof(name), "%s%s", r->id, RECORD_SUFFIX);
	iso[0] = '\0';
	if (r->installed_at != 0)
		time_iso(r->installed_at, iso, sizeof(iso));
	o = json_pack("{s:i, s:s, s:o, s:o, s:o, s:I, s:o, s:I, s:o, s:I, s:I,"
	    " s:I, s:s, s:o}",
	    "version", RECORD_VERSION,
	    "id", r->id,
	    "sha", record_text(r->sha),
	    "sha256", record_text(r->sha256),
	    "signer", record_text(r->signer),
	    "signed_at", (json_int_t)r->signed_at,
	    "by", record_text(r->by),
	    "installed_at", (json_int_t)r->installed_at,
	    "installed_at_iso", record_text(iso),
	    "size", (json_int_t)r->size,
	    "files", (json_int_t)r->files,
	    "packed", (json_int_t)r->packed,
	    "state", release_statename(r->state),
	    "why", record_text(r->why));
	text = o == NULL ? NULL : dump_json(o, JSON_INDENT(2));
	if (text == NULL)
		errno = ENOMEM;
	else
		rv = file_write(relfd, name, text, strlen(text), 0644);
	e = errno;
	free(text);
	json_decref(o);
	errno = e;
	return rv;
}
