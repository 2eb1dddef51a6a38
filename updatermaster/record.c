/*
 * A rollout's record, DIR/rollout.jsonl: what a later --resume goes by.
 *
 *	{"rollout":ID, "hosts":[..], ..}	the plan; written as a whole
 *	{"event":"begun","host":"a",..}		before anything is sent to it
 *	{"event":"updated","host":"a",..}	or another outcome
 *	{"event":"self","host":"a",..}		updaterd's own part
 *	{"event":"taking-back"}			the rollout has stopped and goes
 *						back
 *	{"event":"taken_back","host":"a"}	or "not-undone"
 *	{"event":"end"}				every host has been through
 *
 * Each line is on disk before what it says is acted on, or said.  A cut may
 * leave the last line torn: a reader ignores it, and it is cut off before
 * the next is written.  The lock is on a file of its own, since the record
 * is replaced by rename.
 */
#include <sys/types.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "rollout.h"
#include "show.h"
#include "text.h"

#define RECORD		"rollout.jsonl"
#define RECORD_OLD	"rollout.jsonl.1"
#define LOCK		"rollout.lock"
#define RECORD_MAX	(256U * 1024 * 1024)	/* bytes that are read */

int
record_lock(struct rollout *ro)
{
	ro->lockfd = openat(ro->master->dirfd, LOCK, O_RDWR | O_CREAT |
	    O_NOFOLLOW | O_CLOEXEC, 0600);
	if (ro->lockfd == -1) {
		warn("%s/%s", ro->master->dir, LOCK);
		return -1;
	}
	if (flock(ro->lockfd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	if (errno == EWOULDBLOCK)
		warnx("another push from %s is under way", ro->master->dir);
	else
		warn("%s/%s", ro->master->dir, LOCK);
	close(ro->lockfd);
	ro->lockfd = -1;
	return -1;
}

void
record_close(struct rollout *ro)
{
	if (ro->recfd != -1)
		close(ro->recfd);
	if (ro->lockfd != -1)
		close(ro->lockfd);
	ro->recfd = ro->lockfd = -1;
}

/* --- writing ---------------------------------------------------------- */

static json_t *
list_json(char *const *list)
{
	json_t	*a = json_array();
	size_t	 i;

	for (i = 0; i < list_len(list); i++)
		if (json_array_append_new(a, json_string(list[i])) == -1) {
			json_decref(a);
			return NULL;
		}
	return a;
}

static json_t *
plan_json(const struct rollout *ro)
{
	const struct plan	*p = &ro->plan;
	json_t			*o, *hosts = json_array();
	size_t			 i;

	for (i = 0; i < ro->ntargets; i++)
		json_array_append_new(hosts,
		    json_string(ro->targets[i].host.name));
	o = json_pack("{s:s, s:I, s:s*, s:s*, s:s*, s:s*, s:o, s:o, s:s, s:s, "
	    "s:I}", "rollout", ro->id, "started", (json_int_t)ro->started,
	    "agent", p->agent, "root", p->root, "tarball", p->tarball,
	    "inventory", p->inventory, "include", list_json(p->include),
	    "exclude", list_json(p->exclude), "sha", p->sha, "sha256",
	    p->pack.sha256, "bytes", (json_int_t)p->pack.size);
	if (o == NULL)
		return NULL;
	if (p->sign != NULL) {
		json_object_set_new(o, "sign", json_string(p->sign));
		json_object_set_new(o, "signed_at",
		    json_integer((json_int_t)p->signed_at));
	}
	json_object_set_new(o, "port", json_integer(p->port));
	json_object_set_new(o, "force", json_boolean(p->force));
	json_object_set_new(o, "downgrade", json_boolean(p->downgrade));
	json_object_set_new(o, "self", json_boolean(p->self));
	if (plan_ownself(p)) {
		if (p->self_root != NULL)
			json_object_set_new(o, "self_root",
			    json_string(p->self_root));
		if (p->self_tarball != NULL)
			json_object_set_new(o, "self_tarball",
			    json_string(p->self_tarball));
		json_object_set_new(o, "self_sha256",
		    json_string(p->self_pack.sha256));
	}
	json_object_set_new(o, "rollback", json_boolean(p->rollback));
	json_object_set_new(o, "canary", json_integer(p->canary));
	json_object_set_new(o, "batch", json_integer(p->batch));
	json_object_set_new(o, "max_fail", json_integer(p->max_fail));
	json_object_set_new(o, "pause", json_integer(p->pause));
	json_object_set_new(o, "parallel", json_integer(p->parallel));
	json_object_set_new(o, "retries", json_integer(p->retries));
	json_object_set_new(o, "confirm", json_integer(p->confirm));
	json_object_set_new(o, "hosts", hosts);
	return o;
}

/* The line with its newline; malloced, or NULL.  Takes the reference. */
static char *
make_line(json_t *o, size_t *len)
{
	char	*text = o != NULL ? json_dumps(o, JSON_COMPACT) : NULL, *line;

	if (text == NULL || (line = realloc(text, strlen(text) + 2)) == NULL) {
		/* A path that is no UTF-8 could not be found again. */
		errno = o == NULL ? EILSEQ : ENOMEM;
		json_decref(o);
		free(text);
		return NULL;
	}
	json_decref(o);
	*len = strlen(line);
	line[(*len)++] = '\n';
	line[*len] = '\0';
	return line;
}

static int
record_open(struct rollout *ro)
{
	ro->recfd = openat(ro->master->dirfd, RECORD, O_RDWR | O_APPEND |
	    O_NOFOLLOW | O_CLOEXEC);
	return ro->recfd != -1 ? 0 : -1;
}

int
record_create(struct rollout *ro)
{
	size_t	 len = 0;
	char	*line = make_line(plan_json(ro), &len);
	int	 rv = -1;

	if (line == NULL)
		goto done;
	if (renameat(ro->master->dirfd, RECORD, ro->master->dirfd,
	    RECORD_OLD) == -1 && errno != ENOENT)
		goto done;
	if (file_write(ro->master->dirfd, RECORD, line, len, 0600) == 0)
		rv = record_open(ro);
 done:
	if (rv == -1)
		warn("%s/%s", ro->master->dir, RECORD);
	free(line);
	return rv;
}

int
record_event(struct rollout *ro, const struct target *t, const char *event)
{
	json_t	*o;
	char	*line = NULL;
	size_t	 len = 0;
	off_t	 size;

	if (ro->recfd == -1)
		return 0;
	o = json_pack("{s:s, s:I}", "event", event, "time",
	    (json_int_t)time(NULL));
	if (t != NULL && o != NULL) {
		json_object_set_new(o, "host", json_string(t->host.name));
		if (strcmp(event, "self") == 0)
			json_object_set_new(o, "outcome",
			    json_string(outcome_name(t->self)));
		if (t->detail[0] != '\0' && strcmp(event, "begun") != 0)
			json_object_set_new(o, "detail",
			    js_make(t->detail));
		if (t->status != 0)
			json_object_set_new(o, "status",
			    json_integer(t->status));
	}
	size = lseek(ro->recfd, 0, SEEK_END);
	if (size != -1 && (line = make_line(o, &len)) != NULL) {
		if (write_all(ro->recfd, line, len) == 0 &&
		    fdatasync(ro->recfd) == 0) {
			free(line);
			return 0;
		}
		if (ftruncate(ro->recfd, size) == -1)
			warn("%s/%s", ro->master->dir, RECORD);
	}
	free(line);
	rollout_stop(ro, "cannot write %s/%s: %s", ro->master->dir, RECORD,
	    strerror(errno));
	return -1;
}

/* --- reading ---------------------------------------------------------- */

static char *
string_of(const json_t *o, const char *key)
{
	const char	*s = js_str(o, key);
	char		*copy;

	if (s == NULL)
		return NULL;
	if ((copy = strdup(s)) == NULL)
		err(1, NULL);
	return copy;
}

/* The strings live as long as the program. */
static char **
list_of(const json_t *o, const char *key)
{
	const json_t	*a = json_object_get(o, key), *v;
	char		**list = NULL, *s;
	size_t		 i;

	json_array_foreach(a, i, v) {
		if (!json_is_string(v))
			continue;
		if ((s = strdup(json_string_value(v))) == NULL)
			err(1, NULL);
		list_add(&list, s);
	}
	return list;
}

static int
read_plan(struct rollout *ro, const json_t *o)
{
	struct plan	*p = &ro->plan;

	if (js_text(o, "rollout")[0] == '\0' ||
	    !digest_ishex(js_text(o, "sha256")))
		return -1;
	strlcpy(ro->id, js_text(o, "rollout"), sizeof(ro->id));
	ro->started = js_int(o, "started", 0);
	p->agent = string_of(o, "agent");
	p->root = string_of(o, "root");
	p->tarball = string_of(o, "tarball");
	p->sign = string_of(o, "sign");
	p->signed_at = json_integer_value(json_object_get(o, "signed_at"));
	if (p->inventory == NULL)
		p->inventory = string_of(o, "inventory");
	p->include = list_of(o, "include");
	p->exclude = list_of(o, "exclude");
	strlcpy(p->sha, js_text(o, "sha"), sizeof(p->sha));
	strlcpy(p->pack.sha256, js_text(o, "sha256"),
	    sizeof(p->pack.sha256));
	p->port = (uint16_t)js_int(o, "port", 0);
	p->force = js_true(o, "force");
	p->downgrade = js_true(o, "downgrade");
	p->self = js_true(o, "self");
	p->self_root = string_of(o, "self_root");
	p->self_tarball = string_of(o, "self_tarball");
	strlcpy(p->self_pack.sha256, js_text(o, "self_sha256"),
	    sizeof(p->self_pack.sha256));
	p->rollback = js_true(o, "rollback");
	p->canary = (uint32_t)js_int(o, "canary", 0);
	p->batch = (uint32_t)js_int(o, "batch", 0);
	p->max_fail = js_int(o, "max_fail", -1);
	p->pause = (uint32_t)js_int(o, "pause", 0);
	p->parallel = (uint32_t)js_int(o, "parallel", 1);
	p->retries = (uint32_t)js_int(o, "retries", 0);
	p->confirm = (uint32_t)js_int(o, "confirm", 0);
	return p->parallel > 0 ? 0 : -1;
}

/* Hosts stay in the order of the record; a name that is not known any more
 * has no fingerprint, and nothing is sent there. */
static int
read_hosts(struct rollout *ro, const json_t *o)
{
	const json_t	*a = json_object_get(o, "hosts"), *v;
	size_t		 i;

	ro->ntargets = json_array_size(a);
	if (ro->ntargets == 0)
		return -1;
	ro->targets = calloc(ro->ntargets, sizeof(*ro->targets));
	if (ro->targets == NULL)
		err(1, NULL);
	json_array_foreach(a, i, v) {
		ro->targets[i].ro = ro;
		ro->targets[i].host.name = strdup(json_is_string(v) ?
		    json_string_value(v) : "?");
		if (ro->targets[i].host.name == NULL)
			err(1, NULL);
	}
	return 0;
}

static struct target *
find_target(struct rollout *ro, const char *name, size_t *hint)
{
	size_t	 i, n;

	/* Events come nearly in the order of the hosts. */
	for (i = 0; i < ro->ntargets; i++) {
		n = (*hint + i) % ro->ntargets;
		if (strcmp(ro->targets[n].host.name, name) == 0) {
			*hint = n;
			return &ro->targets[n];
		}
	}
	return NULL;
}

static void
read_event(struct rollout *ro, const json_t *o, size_t *hint)
{
	const char	*event = js_text(o, "event");
	struct target	*t;
	enum outcome	 outcome;

	if (strcmp(event, "taking-back") == 0)
		ro->backing = 1;
	if (strcmp(event, "end") == 0)
		ro->over = 1;
	if (js_str(o, "host") == NULL ||
	    (t = find_target(ro, js_str(o, "host"), hint)) == NULL)
		return;
	if (strcmp(event, "begun") == 0) {
		t->begun = t->unsure = 1;
		t->begun_at = js_int(o, "time", 0);
		return;
	}
	strlcpy(t->detail, js_text(o, "detail"), sizeof(t->detail));
	t->status = (int)js_int(o, "status", 0);
	if (strcmp(event, "self") == 0) {
		outcome = outcome_find(js_text(o, "outcome"));
		if (outcome != OUTCOME__MAX)
			t->self = outcome;
	} else if (strcmp(event, "not-undone") == 0)
		t->back_done = 1;
	else if ((outcome = outcome_find(event)) != OUTCOME__MAX)
		t->agent = outcome;
}

/* Cut off what is behind the last newline, and read the rest. */
static int
read_all(struct rollout *ro, char *data, size_t len)
{
	char	*p = data, *end;
	json_t	*o;
	size_t	 hint = 0, left = len;
	int	 first = 1, rv = 0;

	while (rv == 0 && left > 0 && (end = memchr(p, '\n', left)) != NULL) {
		o = json_loadb(p, (size_t)(end - p), 0, NULL);
		if (first) {
			rv = read_plan(ro, o) == -1 ||
			    read_hosts(ro, o) == -1 ? -1 : 0;
			first = 0;
		} else if (o != NULL)
			read_event(ro, o, &hint);
		json_decref(o);
		left -= (size_t)(end - p) + 1;
		p = end + 1;
	}
	if (ro->recfd == -1)		/* only looking */
		return first ? -1 : rv;
	if (first || rv == -1) {
		warnx("%s/%s: not a rollout's record", ro->master->dir,
		    RECORD);
		return -1;
	}
	if (left > 0 && ftruncate(ro->recfd, (off_t)(len - left)) == -1) {
		warn("%s/%s", ro->master->dir, RECORD);
		return -1;
	}
	return 0;
}

int
record_resume(struct rollout *ro)
{
	char	*data;
	size_t	 len;
	int	 rv;

	if (record_open(ro) == -1) {
		if (errno == ENOENT)
			warnx("there is no rollout to resume");
		else
			warn("%s/%s", ro->master->dir, RECORD);
		return -1;
	}
	if ((data = fd_read(ro->recfd, RECORD_MAX, &len)) == NULL) {
		warn("%s/%s", ro->master->dir, RECORD);
		return -1;
	}
	rv = read_all(ro, data, len);
	free(data);
	return rv;
}

int
record_peek(struct rollout *ro)
{
	char	*data;
	size_t	 len;
	int	 rv;

	if ((data = file_read(ro->master->dirfd, RECORD, RECORD_MAX,
	    &len)) == NULL)
		return -1;
	rv = read_all(ro, data, len);
	free(data);
	return rv;
}
