/*
 * <root>/self.state: the counter of starts, and what is on trial.
 *
 * It is written before each start of a program out of the store, by the
 * one that starts it, and again once that program has proved itself.  So
 * whatever a program does, hang, crash or cut the power, the next start
 * finds that it was tried:
 *
 *	on trial, not started		it is started, once
 *	on trial, started before	it did not prove itself: taken back
 *	good, SELF_TRIES in vain	the previous one, as often; then the
 *					base; whichever serves begins anew
 *
 * The format outlives programs: lines of "key value", keys not known are
 * passed over, and nothing that is here changes its meaning.
 */
#include <sys/types.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "self.h"
#include "util.h"

#define MAGIC		"updaterd-self 1\n"
#define NONE		"-"		/* instead of an id */
#define STARTS_MAX	1000000

static int
take_id(const char *value, char *dst)
{
	dst[0] = '\0';
	if (strcmp(value, NONE) == 0)
		return 0;
	if (!id_isvalid(value) || strlen(value) >= UPD_ID_SIZE)
		return -1;
	strlcpy(dst, value, UPD_ID_SIZE);
	return 0;
}

static int
take_number(const char *value, int64_t max, int64_t *n)
{
	char	*end;

	errno = 0;
	*n = strtoll(value, &end, 10);
	return errno != 0 || end == value || *end != '\0' || *n < 0 ||
	    *n > max ? -1 : 0;
}

static int
take_line(const char *key, const char *value, struct selfstate *st)
{
	int64_t	 n;

	if (strcmp(key, "starts") == 0) {
		if (take_number(value, STARTS_MAX, &n) == -1)
			return -1;
		st->starts = (uint32_t)n;
	} else if (strcmp(key, "to") == 0)
		return take_id(value, st->to);
	else if (strcmp(key, "from") == 0)
		return take_id(value, st->from);
	else if (strcmp(key, "previous") == 0)
		return take_id(value, st->from_prev);
	else if (strcmp(key, "rollback") == 0)
		st->is_rollback = strcmp(value, "yes") == 0;
	else if (strcmp(key, "since") == 0)
		return take_number(value, INT64_MAX, &st->since);
	else if (strcmp(key, "by") == 0)
		strlcpy(st->by, value, sizeof(st->by));
	return 0;
}

int
selfstate_parse(const char *text, struct selfstate *st)
{
	char		 line[SELF_STATE_MAX], *value;
	const char	*p = text, *end;

	memset(st, 0, sizeof(*st));
	if (strncmp(text, MAGIC, sizeof(MAGIC) - 1) != 0)
		return -1;
	for (p += sizeof(MAGIC) - 1; *p != '\0'; p = end + 1) {
		if ((end = strchr(p, '\n')) == NULL ||
		    (size_t)(end - p) >= sizeof(line))
			goto bad;
		memcpy(line, p, (size_t)(end - p));
		line[end - p] = '\0';
		if ((value = strchr(line, ' ')) == NULL)
			goto bad;
		*value++ = '\0';
		if (take_line(line, value, st) == -1)
			goto bad;
	}
	return 0;
 bad:
	memset(st, 0, sizeof(*st));
	return -1;
}

int
selfstate_format(const struct selfstate *st, char *buf, size_t size)
{
	int	 n;

	n = snprintf(buf, size, MAGIC "starts %u\nto %s\nfrom %s\n"
	    "previous %s\nrollback %s\nsince %" PRId64 "\nby %s\n",
	    st->starts, st->to[0] ? st->to : NONE,
	    st->from[0] ? st->from : NONE,
	    st->from_prev[0] ? st->from_prev : NONE,
	    st->is_rollback ? "yes" : "no", st->since, st->by);
	return n < 0 || (size_t)n >= size ? -1 : n;
}

int
selfstate_read(int rootfd, struct selfstate *st)
{
	char	*data;
	size_t	 len;
	int	 r;

	memset(st, 0, sizeof(*st));
	data = file_read(rootfd, SELF_STATE, SELF_STATE_MAX, &len);
	if (data == NULL) {
		if (errno == ENOENT)
			return 0;
		log_warn("read %s", SELF_STATE);
		return -1;
	}
	/* A NUL within would hide what comes behind it. */
	r = strlen(data) == len && selfstate_parse(data, st) == 0 ? 1 : -1;
	if (r == -1)
		log_warnx("%s is damaged: only releases that are known to be "
		    "good are started", SELF_STATE);
	free(data);
	return r;
}

int
selfstate_write(int rootfd, const struct selfstate *st)
{
	struct selfstate	 copy = *st;
	char			 text[SELF_STATE_MAX], *p;
	int			 n;

	for (p = copy.by; *p != '\0'; p++)
		if ((unsigned char)*p < ' ')
			*p = '?';
	if ((n = selfstate_format(&copy, text, sizeof(text))) == -1) {
		errno = EINVAL;
		return -1;
	}
	return file_write(rootfd, SELF_STATE, text, (size_t)n, 0644);
}

enum self_pick
selfstate_pick(const struct selfstate *st, const char *current,
    int current_good, int previous_good)
{
	if (st->to[0] != '\0') {
		if (strcmp(st->to, current) != 0 || st->starts > 0)
			return SELF_UNDO;
		return SELF_CURRENT;
	}
	if (current[0] != '\0' && current_good && st->starts < SELF_TRIES)
		return SELF_CURRENT;
	if (current[0] != '\0' && previous_good &&
	    st->starts < 2 * SELF_TRIES)
		return SELF_PREVIOUS;
	return SELF_BASE;
}
