/*
 * Releases: how one comes to be, changes its state and goes.
 *
 * Invariant: a tree that <id>.json stands beside is complete, on disk, and
 * has its manifest.  So the order of a commit is
 *
 *	1. tree and manifest are written and synced (tree_seal with sync):
 *	   a rename may reach the disk before the data of what it renames.
 *	   syncfs goes to a descriptor that was opened before the first
 *	   write, for only that one is told of a write that failed since;
 *	2. tree, then manifest are renamed into place;
 *	3. releases/ is fsynced: the next step is a rename in the same
 *	   directory, and not every file system keeps their order;
 *	4. <id>.json is written by file_write(), which fsyncs it, renames it
 *	   and fsyncs the directory.  From here on it is a release.
 *
 * A cut before 4 leaves a tree or a manifest without a record, which
 * store_sweep() takes.  Then, elsewhere (promote.c):
 *
 *	5. the journal is written durably, and only then
 *	6. the links move and the root is fsynced (store.c): a link that has
 *	   moved is always explained by a journal, or by a record that says
 *	   "good";
 *	7. the verdict is written: record, then history, each fsynced;
 *	8. the journal is removed and the root fsynced; then the answer.
 *
 * A cut before 6 is an update that never was; between 6 and 7 the verdict
 * is found by the next start; between 7 and 8 it is found once more, and
 * is the same.  So nothing that was answered is ever lost, and nothing is
 * answered that a cut could take back.
 *
 * The order of going is the reverse: the record first, so that what may be
 * half gone is no release; then the tree gets a name that says so; the
 * manifest last.  Nothing is fsynced here: until the sweep, which fsyncs
 * before it removes the first byte, a cut merely brings it back whole, or
 * brings back some of its names in any order (btrfs): none of them is
 * believed without the others.
 */
#include <sys/types.h>
#include <sys/stat.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "record.h"
#include "release.h"
#include "util.h"

#define ID_SHA_LEN	12		/* characters of sha in an id */
#define ID_TRIES	1000		/* ids tried for one second */
#define DEAD_TRIES	10

json_t *
release_json(struct store *s, const struct release *r)
{
	json_t	*o;
	char	 iso[40] = "", signed_at[40] = "";

	if (r->installed_at != 0)
		time_iso(r->installed_at, iso, sizeof(iso));
	if (r->signed_at != 0)
		time_iso(r->signed_at * 1000000, signed_at,
		    sizeof(signed_at));
	o = json_pack("{s:s, s:o, s:o, s:s, s:o, s:o, s:o, s:I, s:I, s:s, "
	    "s:o}",
	    "slot", store_slot(s, r),
	    "sha", record_text(r->sha),
	    "installed_at", record_text(iso),
	    "id", r->id,
	    "sha256", record_text(r->sha256),
	    "signer", record_text(r->signer),
	    "signed_at", record_text(signed_at),
	    "size", (json_int_t)r->size,
	    "files", (json_int_t)r->files,
	    "state", release_statename(r->state),
	    "by", record_text(r->by));
	if (o != NULL && r->state == RELEASE_FAILED)
		json_object_set_new(o, "why", record_text(r->why));
	return o;
}

json_t *
store_json(struct store *s)
{
	static const char *const slots[] = {
		"active", "prev", "old", "failed"
	};
	struct release	*r;
	json_t		*o, *list;
	size_t		 i;

	if ((list = json_array()) == NULL)
		return NULL;
	for (i = 0; i < sizeof(slots) / sizeof(slots[0]); i++) {
		TAILQ_FOREACH(r, &s->list, entry) {
			if (strcmp(store_slot(s, r), slots[i]) != 0)
				continue;
			if ((o = release_json(s, r)) == NULL ||
			    json_array_append_new(list, o) == -1)
				goto fail;
		}
	}
	if ((o = json_object()) == NULL)
		goto fail;
	if (json_object_set_new(o, "releases", list) == -1) {
		json_decref(o);
		return NULL;
	}
	return o;

 fail:
	json_decref(list);
	return NULL;
}

static int
name_exists(struct store *s, const char *prefix, const char *id,
    const char *suffix)
{
	struct stat	 st;
	char		 name[UPD_ID_SIZE + 16];

	(void)snprintf(name, sizeof(name), "%s%s%s", prefix, id, suffix);
	return fstatat(s->relfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static int
id_taken(struct store *s, const char *id)
{
	return name_exists(s, "", id, "") ||
	    name_exists(s, "", id, RECORD_SUFFIX) ||
	    name_exists(s, "", id, MTREE_SUFFIX) ||
	    name_exists(s, ".dead-", id, "");
}

/* The first characters of sha that an id may have; how many. */
static size_t
sha_part(const char *sha, char *dst, size_t max)
{
	char	 c[3] = "a";		/* an id cannot begin with a dot */
	size_t	 n = 0;

	for (; *sha != '\0' && n < max; sha++) {
		c[1] = *sha;
		if (id_isvalid(c))
			dst[n++] = *sha;
	}
	dst[n] = '\0';
	return n;
}

void
release_newid(struct store *s, int64_t now, const char *sha,
    const char *sha256, char *id)
{
	char	 stamp[20], part[ID_SHA_LEN + 1], *dot;
	int	 i;

	time_compact(now, stamp, sizeof(stamp));
	if (sha_part(sha, part, ID_SHA_LEN) == 0 &&
	    sha_part(sha256, part, ID_SHA_LEN) == 0)
		(void)strlcpy(part, "0", sizeof(part));
	/* "x.json" as a tree would be the name of x's record */
	(void)snprintf(id, UPD_ID_SIZE, "%s-%s", stamp, part);
	if (!record_isid(id) && (dot = strrchr(id, '.')) != NULL)
		*dot = '_';
	(void)strlcpy(part, id + strlen(stamp) + 1, sizeof(part));
	for (i = 2; id_taken(s, id) && i < ID_TRIES; i++)
		(void)snprintf(id, UPD_ID_SIZE, "%s-%s-%d", stamp, part, i);
}

static int
rel_rename(struct store *s, const char *from, const char *to)
{
	return renameat(s->relfd, from, s->relfd, to);
}

int
release_commit(struct store *s, struct staging *st, const struct release *r,
    char *text)
{
	struct release	*new = NULL;
	const char	*step = "check id";
	char		 mtree[RECORD_NAME_SIZE], json[RECORD_NAME_SIZE];
	int		 e;

	if (!record_isid(r->id)) {
		errno = EINVAL;
		goto fail;
	}
	if (id_taken(s, r->id) || store_find(s, r->id) != NULL) {
		errno = EEXIST;
		goto fail;
	}
	(void)snprintf(mtree, sizeof(mtree), "%s%s", r->id, MTREE_SUFFIX);
	(void)snprintf(json, sizeof(json), "%s%s", r->id, RECORD_SUFFIX);
	step = "allocate release";
	if ((new = malloc(sizeof(*new))) == NULL)
		goto fail;
	*new = *r;
	new->state = RELEASE_NEW;
	new->why[0] = '\0';
	new->leftover = 0;

	step = "rename tree";
	if (rel_rename(s, st->name, r->id) == -1)
		goto fail;
	step = "rename manifest";
	if (rel_rename(s, st->manifest, mtree) == -1)
		goto fail_tree;
	step = "sync releases";
	if (fsync(s->relfd) == -1)
		goto fail_manifest;
	step = "write record";
	if (record_write(s->relfd, new) == -1)
		goto fail_record;
	store_insert(s, new);
	return 0;

	/* Undone so that the abort path finds staging where it was; what
	 * cannot be undone is a tree without a record. */
 fail_record:
	e = errno;
	(void)unlinkat(s->relfd, json, 0);	/* may be its last fsync */
	errno = e;
 fail_manifest:
	e = errno;
	(void)rel_rename(s, mtree, st->manifest);
	errno = e;
 fail_tree:
	e = errno;
	(void)rel_rename(s, r->id, st->name);
	errno = e;
 fail:
	e = errno;
	snprintf(text, UPD_TEXT_SIZE, "cannot commit release %s: %s: %s",
	    r->id, step, strerror(e));
	free(new);
	errno = e;
	return -1;
}

int
release_setstate(struct store *s, const char *id, enum release_state state,
    const char *why)
{
	struct release	*r, new;

	if ((r = store_find(s, id)) == NULL) {
		errno = ENOENT;
		return -1;
	}
	new = *r;
	new.state = state;
	(void)strlcpy(new.why, why == NULL ? "" : why, sizeof(new.why));
	if (record_write(s->relfd, &new) == -1)
		return -1;
	r->state = state;
	r->leftover = 0;
	memcpy(r->why, new.why, sizeof(r->why));
	return 0;
}

/* Rename a tree to .dead-<id>, which may be there already if a clock went
 * back over a removal that was cut short. */
static int
tree_bury(struct store *s, const char *id)
{
	char	 dead[UPD_ID_SIZE + 32];
	int	 i;

	(void)snprintf(dead, sizeof(dead), ".dead-%s", id);
	for (i = 2; i <= DEAD_TRIES; i++) {
		if (rel_rename(s, id, dead) == 0 || errno == ENOENT)
			return 0;
		if (errno != EEXIST && errno != ENOTEMPTY)
			return -1;
		(void)snprintf(dead, sizeof(dead), ".dead-%s.%d", id, i);
	}
	return -1;
}

int
release_retire(struct store *s, const char *gone)
{
	struct release	*r;
	char		 id[UPD_ID_SIZE], name[RECORD_NAME_SIZE];

	if (!record_isid(gone)) {
		errno = EINVAL;
		return -1;
	}
	/* a copy: it may be the id in the entry that is freed */
	(void)strlcpy(id, gone, sizeof(id));
	if (strcmp(id, s->current) == 0 || strcmp(id, s->previous) == 0) {
		errno = EBUSY;
		return -1;
	}
	(void)snprintf(name, sizeof(name), "%s%s", id, RECORD_SUFFIX);
	if (unlinkat(s->relfd, name, 0) == -1 && errno != ENOENT) {
		log_warn("remove %s/releases/%s", s->root, name);
		return -1;
	}
	if ((r = store_find(s, id)) != NULL) {
		TAILQ_REMOVE(&s->list, r, entry);
		free(r);
	}
	if (tree_bury(s, id) == -1) {
		log_warn("rename %s/releases/%s", s->root, id);
		return -1;
	}
	(void)snprintf(name, sizeof(name), "%s%s", id, MTREE_SUFFIX);
	if (unlinkat(s->relfd, name, 0) == -1 && errno != ENOENT)
		log_warn("remove %s/releases/%s", s->root, name);
	return 0;
}

static int
is_linked(struct store *s, const struct release *r)
{
	return strcmp(r->id, s->current) == 0 ||
	    strcmp(r->id, s->previous) == 0;
}

int
store_prune(struct store *s)
{
	struct release	*r, *next;
	uint32_t	 good = 0;
	int		 failed = 0, n = 0, gone;

	TAILQ_FOREACH(r, &s->list, entry)
		if (r->state == RELEASE_GOOD && is_linked(s, r))
			good++;
	TAILQ_FOREACH_SAFE(r, &s->list, entry, next) {
		if (is_linked(s, r))
			continue;
		switch (r->state) {
		case RELEASE_GOOD:
			gone = good >= s->keep;
			if (!gone)
				good++;
			break;
		case RELEASE_FAILED:
			gone = failed++ > 0;
			break;
		default:
			gone = 0;	/* recovery's, or in flight */
			break;
		}
		if (gone && release_retire(s, r->id) == 0)
			n++;
	}
	return n;
}

int
store_prune_failed(struct store *s)
{
	struct release	*r, *next;
	int		 n = 0;

	TAILQ_FOREACH_SAFE(r, &s->list, entry, next)
		if (r->state == RELEASE_FAILED && !is_linked(s, r) &&
		    release_retire(s, r->id) == 0)
			n++;
	return n;
}

static int
open_beside(struct store *s, const char *id, const char *suffix, int flags)
{
	char	 name[RECORD_NAME_SIZE];

	if (!record_isid(id)) {
		errno = EINVAL;
		return -1;
	}
	(void)snprintf(name, sizeof(name), "%s%s", id, suffix);
	return openat(s->relfd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC |
	    flags);
}

int
release_manifest(struct store *s, const char *id)
{
	return open_beside(s, id, MTREE_SUFFIX, O_NONBLOCK);
}

int
release_open(struct store *s, const char *id)
{
	return open_beside(s, id, "", O_DIRECTORY);
}
