/*
 * The release store: an agent's root as it is found on disk, and the two
 * links whose flip is the promotion.
 *
 * Invariants:
 * 1. Below the root nothing is reached but by one component, O_NOFOLLOW,
 *    relative to rootfd or relfd, and every id has passed record_isid().
 * 2. A link counts only if its text is exactly "releases/<id>" and that
 *    tree is a directory.  Anything else is logged and taken as no link: a
 *    service is never started from somewhere else.
 * 3. What is in the list has a tree.  The releases the links point at are
 *    always in it, with a record made up if theirs is damaged: the running
 *    release is never lost over a small file.
 * 4. The list and the two ids say what is on disk.  Each is changed only
 *    after the disk was, one by one, so that a failure half-way leaves the
 *    truth in memory.
 *
 * The flip: `previous` moves first.  A cut between the two leaves both on
 * the old release, which is complete; the journal, durable by then, has the
 * old value of `previous` and names what was to be.  The other way round
 * such a cut would leave a new release active and forget the one to return
 * to.  The root is fsynced after both: before that a power cut may undo
 * either, so nothing may be reported as done.
 */
#include <sys/types.h>
#include <sys/stat.h>
#include <dirent.h>
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

#define LINK_PREFIX	"releases/"
#define LINK_SIZE	(sizeof(LINK_PREFIX) + UPD_ID_SIZE)
#define MODE_ROOT	0755
#define MODE_RELEASES	0711		/* unpack must reach its own tree */
#define DIR_OPEN	(O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

/* 0 if nobody but us may change what is in the directory. */
static int
dir_check(int fd, const char *path, char *text)
{
	struct stat	 st;

	if (fstat(fd, &st) == -1) {
		snprintf(text, UPD_TEXT_SIZE, "cannot stat %s: %s", path,
		    strerror(errno));
		return -1;
	}
	if (st.st_uid != geteuid()) {
		snprintf(text, UPD_TEXT_SIZE, "%s belongs to user %u, not to "
		    "%u: chown %u %s", path, st.st_uid, geteuid(), geteuid(),
		    path);
		return -1;
	}
	if (st.st_mode & (S_IWGRP | S_IWOTH)) {
		snprintf(text, UPD_TEXT_SIZE, "%s may be written to by others "
		    "than its owner: chmod go-w %s", path, path);
		return -1;
	}
	return 0;
}

/* Open a directory, made if it is missing; path is for messages.  The
 * descriptor, or -1 with text. */
static int
dir_open(int atfd, const char *name, const char *path, mode_t mode,
    char *text)
{
	struct stat	 st;
	int		 fd;

	fd = openat(atfd, name, DIR_OPEN);
	if (fd == -1 && errno == ENOENT) {
		if (mkdirat(atfd, name, mode) == -1) {
			snprintf(text, UPD_TEXT_SIZE, "cannot make %s: %s",
			    path, strerror(errno));
			return -1;
		}
		if ((fd = openat(atfd, name, DIR_OPEN)) != -1 &&
		    (fchmod(fd, mode) == -1 || fsync(atfd) == -1)) {
			snprintf(text, UPD_TEXT_SIZE, "cannot make %s: %s",
			    path, strerror(errno));
			close(fd);
			return -1;
		}
	}
	if (fd == -1) {
		if (fstatat(atfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    S_ISLNK(st.st_mode))
			snprintf(text, UPD_TEXT_SIZE, "%s is a symbolic link: "
			    "name the directory it points to", path);
		else
			snprintf(text, UPD_TEXT_SIZE, "cannot open %s: %s",
			    path, strerror(errno));
		return -1;
	}
	if (dir_check(fd, path, text) == -1) {
		close(fd);
		return -1;
	}
	return fd;
}

/* The root; only its last component may have to be made. */
static int
root_open(const char *root, char *text)
{
	char	*up, *name;
	int	 upfd, fd;

	if (root[0] != '/' || root[1] == '\0') {
		snprintf(text, UPD_TEXT_SIZE, "root \"%s\" is not an absolute "
		    "path below /", root);
		return -1;
	}
	if ((up = strdup(root)) == NULL) {
		snprintf(text, UPD_TEXT_SIZE, "cannot open %s: %s", root,
		    strerror(errno));
		return -1;
	}
	name = strrchr(up, '/');
	*name++ = '\0';
	upfd = open(up[0] == '\0' ? "/" : up,
	    O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (upfd == -1) {
		if (errno == ENOENT)
			snprintf(text, UPD_TEXT_SIZE, "cannot make %s: %s is "
			    "missing: mkdir -p %s", root, up, up);
		else
			snprintf(text, UPD_TEXT_SIZE, "cannot open %s: %s",
			    up, strerror(errno));
		free(up);
		return -1;
	}
	fd = dir_open(upfd, name, root, MODE_ROOT, text);
	close(upfd);
	free(up);
	return fd;
}

struct store *
store_open(const char *root, uint32_t keep, char *text)
{
	struct store	*s;
	char		*path = NULL;
	size_t		 n;

	text[0] = '\0';
	if ((s = calloc(1, sizeof(*s))) == NULL ||
	    (s->root = strdup(root)) == NULL) {
		snprintf(text, UPD_TEXT_SIZE, "cannot open %s: %s", root,
		    strerror(errno));
		free(s);
		return NULL;
	}
	/* "/opt/agent/" would follow a link called agent */
	for (n = strlen(s->root); n > 1 && s->root[n - 1] == '/'; n--)
		s->root[n - 1] = '\0';
	s->keep = keep;
	s->rootfd = s->relfd = -1;
	TAILQ_INIT(&s->list);

	if ((s->rootfd = root_open(s->root, text)) == -1)
		goto fail;
	if (asprintf(&path, "%s/releases", s->root) == -1) {
		path = NULL;
		goto fail_load;
	}
	s->relfd = dir_open(s->rootfd, "releases", path, MODE_RELEASES, text);
	if (s->relfd == -1)
		goto fail;
	if (store_load(s) == -1)
		goto fail_load;
	free(path);
	return s;

 fail_load:
	snprintf(text, UPD_TEXT_SIZE, "cannot read %s: %s", s->root,
	    strerror(errno));
 fail:
	free(path);
	store_free(s);
	return NULL;
}

static void
list_free(struct releases *list)
{
	struct release	*r;

	while ((r = TAILQ_FIRST(list)) != NULL) {
		TAILQ_REMOVE(list, r, entry);
		free(r);
	}
}

void
store_free(struct store *s)
{
	if (s == NULL)
		return;
	list_free(&s->list);
	if (s->relfd != -1)
		close(s->relfd);
	if (s->rootfd != -1)
		close(s->rootfd);
	free(s->root);
	free(s);
}

/* 1 a directory, 0 nothing or something else, -1 cannot be known. */
static int
tree_exists(struct store *s, const char *id)
{
	struct stat	 st;

	if (fstatat(s->relfd, id, &st, AT_SYMLINK_NOFOLLOW) == -1)
		return errno == ENOENT ? 0 : -1;
	return S_ISDIR(st.st_mode) != 0;
}

/* Read a link's id; "" where there is none to be believed, and then in lost
 * the id of a release that is not there.  0, or -1. */
static int
link_read(struct store *s, const char *name, char *id, char *lost)
{
	char	 target[LINK_SIZE];
	ssize_t	 n;

	id[0] = lost[0] = '\0';
	n = readlinkat(s->rootfd, name, target, sizeof(target));
	if (n == -1) {
		if (errno == EINVAL)
			log_warnx("ignore %s/%s: not a symbolic link", s->root,
			    name);
		else if (errno != ENOENT)
			return -1;
		return 0;
	}
	if ((size_t)n == sizeof(target))
		n = 0;
	target[n] = '\0';
	if (strncmp(target, LINK_PREFIX, strlen(LINK_PREFIX)) != 0 ||
	    !record_isid(target + strlen(LINK_PREFIX))) {
		log_warnx("ignore %s/%s: it points at no release of this root",
		    s->root, name);
		return 0;
	}
	switch (tree_exists(s, target + strlen(LINK_PREFIX))) {
	case -1:
		return -1;
	case 0:
		log_warnx("ignore %s/%s: %s is missing", s->root, name,
		    target);
		(void)strlcpy(lost, target + strlen(LINK_PREFIX), UPD_ID_SIZE);
		return 0;
	}
	(void)strlcpy(id, target + strlen(LINK_PREFIX), UPD_ID_SIZE);
	return 0;
}

static void
list_insert(struct releases *list, struct release *r)
{
	struct release	*p;

	TAILQ_FOREACH(p, list, entry)
		if (strcmp(p->id, r->id) < 0)
			break;
	if (p != NULL)
		TAILQ_INSERT_BEFORE(p, r, entry);
	else
		TAILQ_INSERT_TAIL(list, r, entry);
}

static struct release *
list_find(struct releases *list, const char *id)
{
	struct release	*r;

	TAILQ_FOREACH(r, list, entry)
		if (strcmp(r->id, id) == 0)
			return r;
	return NULL;
}

/* Add the release whose record has this file name, if it is one. */
static int
list_read(struct store *s, struct releases *list, const char *name)
{
	struct release	*r;
	char		 id[UPD_ID_SIZE];
	size_t		 n = strlen(name), m = strlen(RECORD_SUFFIX);
	int		 rv;

	if (n <= m || n - m >= sizeof(id) ||
	    strcmp(name + n - m, RECORD_SUFFIX) != 0)
		return 0;
	memcpy(id, name, n - m);
	id[n - m] = '\0';
	if (!record_isid(id))
		return 0;
	if ((rv = tree_exists(s, id)) != 1) {
		if (rv == 0)
			log_warnx("ignore release %s of %s: its tree is "
			    "missing", id, s->root);
		return rv;
	}
	if ((r = malloc(sizeof(*r))) == NULL)
		return -1;
	if ((rv = record_read(s->relfd, s->root, id, r)) != 1) {
		free(r);
		return rv;
	}
	list_insert(list, r);
	return 0;
}

/* A release that a link points at and that has no usable record. */
static int
list_makeup(struct store *s, struct releases *list, const char *id)
{
	struct release	*r;

	if (id[0] == '\0' || list_find(list, id) != NULL)
		return 0;
	if ((r = calloc(1, sizeof(*r))) == NULL)
		return -1;
	log_warnx("release %s of %s has no usable record, but is linked: "
	    "keep it", id, s->root);
	(void)strlcpy(r->id, id, sizeof(r->id));
	r->state = RELEASE_GOOD;
	list_insert(list, r);
	return 0;
}

int
store_load(struct store *s)
{
	struct releases	 list = TAILQ_HEAD_INITIALIZER(list);
	struct release	*r;
	struct dirent	*de;
	DIR		*dir = NULL;
	char		 current[UPD_ID_SIZE], previous[UPD_ID_SIZE];
	char		 lost[UPD_ID_SIZE], other[UPD_ID_SIZE];
	int		 fd, e;

	if (link_read(s, "current", current, lost) == -1 ||
	    link_read(s, "previous", previous, other) == -1)
		return -1;
	/* not relfd itself: its offset is shared with every duplicate */
	if ((fd = openat(s->relfd, ".", DIR_OPEN)) == -1)
		return -1;
	if ((dir = fdopendir(fd)) == NULL) {
		e = errno;
		close(fd);
		errno = e;
		return -1;
	}
	for (errno = 0; (de = readdir(dir)) != NULL; errno = 0)
		if (list_read(s, &list, de->d_name) == -1)
			goto fail;
	if (errno != 0 || list_makeup(s, &list, current) == -1 ||
	    list_makeup(s, &list, previous) == -1)
		goto fail;
	closedir(dir);

	TAILQ_FOREACH(r, &list, entry)
		r->leftover = r->state == RELEASE_NEW &&
		    strcmp(r->id, current) != 0 &&
		    strcmp(r->id, previous) != 0;
	list_free(&s->list);
	TAILQ_CONCAT(&s->list, &list, entry);
	memcpy(s->current, current, sizeof(s->current));
	memcpy(s->previous, previous, sizeof(s->previous));
	memcpy(s->lost, lost, sizeof(s->lost));
	return 0;

 fail:
	e = errno;
	closedir(dir);
	list_free(&list);
	errno = e;
	return -1;
}

void
store_insert(struct store *s, struct release *r)
{
	list_insert(&s->list, r);
}

struct release *
store_find(struct store *s, const char *id)
{
	return list_find(&s->list, id);
}

struct release *
store_current(struct store *s)
{
	return s->current[0] == '\0' ? NULL : store_find(s, s->current);
}

const char *
store_older(struct store *s, const char *id)
{
	struct release	*r;

	TAILQ_FOREACH(r, &s->list, entry)
		if (r->state == RELEASE_GOOD && strcmp(r->id, id) < 0 &&
		    strcmp(r->id, s->current) != 0)
			return r->id;
	return "";
}

struct release *
store_previous(struct store *s)
{
	return s->previous[0] == '\0' ? NULL : store_find(s, s->previous);
}

const char *
store_slot(struct store *s, const struct release *r)
{
	if (strcmp(r->id, s->current) == 0)
		return "active";
	if (strcmp(r->id, s->previous) == 0)
		return "prev";
	return r->state == RELEASE_FAILED ? "failed" : "old";
}

/* Move one link; `now` is its id as we know it. */
static int
link_set(struct store *s, const char *name, const char *id, char *now)
{
	char	 target[LINK_SIZE];

	/* Nothing to do must not need room for a new link. */
	if (id[0] != '\0' && strcmp(id, now) == 0)
		return 0;
	if (id[0] == '\0') {
		if (unlinkat(s->rootfd, name, 0) == -1 && errno != ENOENT)
			return -1;
	} else {
		(void)snprintf(target, sizeof(target), "%s%s", LINK_PREFIX,
		    id);
		if (link_swap(s->rootfd, name, target) == -1)
			return -1;
	}
	(void)strlcpy(now, id, UPD_ID_SIZE);
	return 0;
}

int
store_flip(struct store *s, const char *current, const char *previous)
{
	char	 cur[UPD_ID_SIZE], prev[UPD_ID_SIZE];

	if ((current[0] != '\0' && !record_isid(current)) ||
	    (previous[0] != '\0' && !record_isid(previous))) {
		errno = EINVAL;
		return -1;
	}
	/* copies: either may be s->current or s->previous itself */
	(void)strlcpy(cur, current, sizeof(cur));
	(void)strlcpy(prev, previous, sizeof(prev));
	if (cur[0] != '\0')
		switch (tree_exists(s, cur)) {
		case 0:
			errno = ENOENT;
			/* FALLTHROUGH */
		case -1:
			return -1;
		}
	/* The way back to a good release is not barred by the want of an
	 * older one. */
	if (prev[0] != '\0' && tree_exists(s, prev) != 1) {
		log_warnx("drop %s/previous: release %s is missing", s->root,
		    prev);
		prev[0] = '\0';
	}
	if (link_set(s, "previous", prev, s->previous) == -1 ||
	    link_set(s, "current", cur, s->current) == -1)
		return -1;
	return fsync(s->rootfd);
}
