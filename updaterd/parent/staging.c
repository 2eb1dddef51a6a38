/*
 * Room for an update: is there enough, the directory it is unpacked into,
 * and the removal of what updates leave behind.
 *
 * The sweep.  What is to go is chosen here, in the loop, where nothing else
 * can be under way in releases/, and only the removal of bytes is left to
 * a task: a task that looked around for itself would one day find the
 * staging directory of the push that came in meanwhile.  Names are made
 * once (.new- has a random part) or renamed to .dead-, so that a name the
 * task holds never comes to mean something else.  Before it removes
 * anything the task fsyncs releases/: a record must not come back beside a
 * tree that is half gone.
 */
#include <sys/types.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/time.h>
#include <dirent.h>
#include <errno.h>
#include <event.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "record.h"
#include "release.h"
#include "task.h"
#include "util.h"

#define STAGING_PREFIX	".new-"
#define DEAD_PREFIX	".dead-"
#define TMP_SUFFIX	".tmp"
#define STAGING_TRIES	16
#define INODES_MIN	64		/* wanted where no count is known */
#define SWEEP_NICE	19

/* --- room ----------------------------------------------------------- */

/* Percent of a number that may be near the top of its type. */
static uint64_t
percent(uint64_t n, uint32_t pct)
{
	return n / 100 * pct + n % 100 * pct / 100;
}

/* a + b, or the most there is. */
static uint64_t
sum(uint64_t a, uint64_t b)
{
	return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

enum upd_error
store_space(struct store *s, int64_t length, uint32_t reserve,
    uint64_t *keep_bytes, uint64_t *keep_inodes, char *text)
{
	struct statvfs	 v;
	char		 need[16], keep[16], left[16];
	uint64_t	 want, avail, inodes;

	text[0] = '\0';
	*keep_bytes = *keep_inodes = 0;
	if (reserve > 100)
		reserve = 100;
	if (fstatvfs(s->relfd, &v) == -1) {
		snprintf(text, UPD_TEXT_SIZE, "cannot stat file system of %s:"
		    " %s", s->root, strerror(errno));
		return UPD_EIO;
	}
	/* What is left for all can be below zero, which some systems show as
	 * a huge number. */
	avail = v.f_bavail > v.f_blocks ? 0 :
	    (uint64_t)v.f_bavail * v.f_frsize;
	inodes = v.f_favail > v.f_files ? 0 : v.f_favail;
	*keep_bytes = percent(v.f_blocks, reserve) * v.f_frsize;
	*keep_inodes = percent(v.f_files, reserve);

	/* The archive's length is what its files take at least. */
	want = length < 0 ? 0 : length;
	if (avail < sum(want, *keep_bytes)) {
		fmt_bytes(want, need, sizeof(need));
		fmt_bytes(*keep_bytes, keep, sizeof(keep));
		fmt_bytes(avail, left, sizeof(left));
		snprintf(text, UPD_TEXT_SIZE, "%s%s%smust keep %s (%u %%) "
		    "free, but only %s are free on %s",
		    length < 0 ? "" : "needs ", length < 0 ? "" : need,
		    length < 0 ? "" : " and ", keep, reserve, left, s->root);
		return UPD_ENOSPACE;
	}
	/* No inodes at all: the file system makes them as it goes. */
	if (v.f_files != 0 && inodes < sum(INODES_MIN, *keep_inodes)) {
		snprintf(text, UPD_TEXT_SIZE, "needs %d inodes and must keep "
		    "%llu (%u %%) free, but only %llu are free on %s",
		    INODES_MIN, (unsigned long long)*keep_inodes, reserve,
		    (unsigned long long)inodes, s->root);
		return UPD_ENOSPACE;
	}
	return UPD_OK;
}

/* --- one staging directory ------------------------------------------ */

/* Make the directory under a name nobody has. */
static int
staging_mkdir(struct store *s, struct staging *st)
{
	char	 stamp[20];
	int	 i;

	time_compact(time_real_us(), stamp, sizeof(stamp));
	for (i = 0; i < STAGING_TRIES; i++) {
		(void)snprintf(st->name, sizeof(st->name), "%s%s-%06x",
		    STAGING_PREFIX, stamp, arc4random() & 0xffffff);
		(void)snprintf(st->manifest, sizeof(st->manifest), "%s%s",
		    st->name, MTREE_SUFFIX);
		if (mkdirat(s->relfd, st->name, 0700) == 0)
			return 0;
		if (errno != EEXIST)
			break;
	}
	return -1;
}

int
staging_make(struct store *s, uid_t uid, gid_t gid, struct staging *st,
    char *text)
{
	int	 e;

	memset(st, 0, sizeof(*st));
	st->fd = st->manifest_fd = -1;
	if (staging_mkdir(s, st) == -1)
		goto fail;
	st->fd = openat(s->relfd, st->name,
	    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (st->fd == -1)
		goto fail_dir;
	st->manifest_fd = openat(s->relfd, st->manifest,
	    O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (st->manifest_fd == -1)
		goto fail_dir;
	/* The owner comes last: whoever runs as that user finds nothing. */
	if (fchmod(st->manifest_fd, 0600) == -1 ||
	    fchmod(st->fd, 0700) == -1 || fchown(st->fd, uid, gid) == -1)
		goto fail_manifest;
	return 0;

 fail_manifest:
	e = errno;
	(void)unlinkat(s->relfd, st->manifest, 0);
	errno = e;
 fail_dir:
	e = errno;
	(void)unlinkat(s->relfd, st->name, AT_REMOVEDIR);
	staging_close(st);
	errno = e;
 fail:
	e = errno;
	snprintf(text, UPD_TEXT_SIZE, "cannot make a staging directory in "
	    "%s/releases: %s", s->root, strerror(e));
	st->name[0] = st->manifest[0] = '\0';
	errno = e;
	return -1;
}

/* A zeroed one was never made: its descriptors are not ours. */
void
staging_close(struct staging *st)
{
	if (st->name[0] == '\0')
		return;
	if (st->fd != -1)
		close(st->fd);
	if (st->manifest_fd != -1)
		close(st->manifest_fd);
	st->fd = st->manifest_fd = -1;
}

/* --- the sweep ------------------------------------------------------ */

struct sweep {
	int		  relfd;	/* our own: the store may go first */
	int		  again;	/* the task was lost once */
	const char	 *except;	/* staging to be left, or NULL */
	char		 *root;
	char		**names;	/* to be removed by the task */
	size_t		  n;
	size_t		  cap;
	void		(*done)(void *);
	void		 *arg;
};

static void
sweep_free(struct sweep *sw)
{
	size_t	 i;

	if (sw == NULL)
		return;
	if (sw->relfd != -1)
		close(sw->relfd);
	for (i = 0; i < sw->n; i++)
		free(sw->names[i]);
	free(sw->names);
	free(sw->root);
	free(sw);
}

static int
sweep_add(struct sweep *sw, const char *name)
{
	char	**p;
	size_t	  cap;

	if (sw->n == sw->cap) {
		cap = sw->cap == 0 ? 8 : sw->cap * 2;
		if ((p = reallocarray(sw->names, cap, sizeof(*p))) == NULL)
			return -1;
		sw->names = p;
		sw->cap = cap;
	}
	if ((sw->names[sw->n] = strdup(name)) == NULL)
		return -1;
	sw->n++;
	return 0;
}

static int
has_prefix(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

/* Cut a suffix off a name: 1, or 0 if it has none or does not fit. */
static int
cut_suffix(const char *name, const char *suffix, char *stem, size_t size)
{
	size_t	 n = strlen(name), m = strlen(suffix);

	if (n <= m || n - m >= size || strcmp(name + n - m, suffix) != 0)
		return 0;
	memcpy(stem, name, n - m);
	stem[n - m] = '\0';
	return 1;
}

/*
 * An id as release_newid() makes them, "20261122T014955Z-".  A directory
 * that somebody else made here, or lost+found, is not ours to remove.
 */
static int
is_stamped(const char *id)
{
	static const char	 form[] = "########T######Z-";
	size_t			 i;

	for (i = 0; form[i] != '\0'; i++)
		if (form[i] == '#' ? id[i] < '0' || id[i] > '9' :
		    id[i] != form[i])
			return 0;
	return record_isid(id);
}

/* 1 it is there, 0 it is not, -1 cannot be known: then nothing goes. */
static int
beside_exists(struct store *s, const char *id, const char *suffix)
{
	struct stat	 st;
	char		 name[RECORD_NAME_SIZE];

	(void)snprintf(name, sizeof(name), "%s%s", id, suffix);
	if (fstatat(s->relfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return 1;
	return errno == ENOENT ? 0 : -1;
}

static void
sweep_unlink(struct store *s, const char *name)
{
	if (unlinkat(s->relfd, name, 0) == -1 && errno != ENOENT)
		log_warn("remove %s/releases/%s", s->root, name);
	else
		log_info("removed %s/releases/%s", s->root, name);
}

static int
is_kept(struct store *s, const char *id)
{
	return strcmp(id, s->current) == 0 || strcmp(id, s->previous) == 0 ||
	    strcmp(id, s->lost) == 0;	/* its tree may be put back */
}

/* A directory in releases/: a tree without a record is no release. */
static void
sweep_tree(struct store *s, const char *id)
{
	if (!is_stamped(id) || is_kept(s, id) ||
	    beside_exists(s, id, RECORD_SUFFIX) != 0)
		return;
	log_info("remove half release %s of %s", id, s->root);
	(void)release_retire(s, id);
}

/* A file in releases/ that has lost what it stood beside, or that never
 * got its name. */
static void
sweep_file(struct store *s, const char *name)
{
	char	 id[RECORD_NAME_SIZE];

	if (name[0] == '.') {
		if (cut_suffix(name, TMP_SUFFIX, id, sizeof(id)))
			sweep_unlink(s, name);
		return;
	}
	/* Not every file system keeps the order of a retirement: the tree
	 * may be gone and both files be back. */
	if ((cut_suffix(name, MTREE_SUFFIX, id, sizeof(id)) &&
	    is_stamped(id) && !is_kept(s, id) &&
	    (beside_exists(s, id, RECORD_SUFFIX) == 0 ||
	    beside_exists(s, id, "") == 0)) ||
	    (cut_suffix(name, RECORD_SUFFIX, id, sizeof(id)) &&
	    is_stamped(id) && !is_kept(s, id) &&
	    beside_exists(s, id, "") == 0))
		sweep_unlink(s, name);
}

/* First pass: what is none of a release any more gets a name that says so,
 * or goes at once where it is only a small file. */
static int
sweep_half(struct store *s, struct sweep *sw, const char *name)
{
	struct stat	 st;

	if (has_prefix(name, DEAD_PREFIX) || has_prefix(name, STAGING_PREFIX))
		return 0;
	if (fstatat(s->relfd, name, &st, AT_SYMLINK_NOFOLLOW) == -1)
		return 0;
	if (S_ISDIR(st.st_mode))
		sweep_tree(s, name);
	else if (S_ISREG(st.st_mode))
		sweep_file(s, name);
	return 0;
}

/* Second pass: collect what the task shall remove. */
static int
sweep_collect(struct store *s, struct sweep *sw, const char *name)
{
	char	 stem[NAME_MAX + 1];

	if (has_prefix(name, DEAD_PREFIX))
		return sweep_add(sw, name);
	if (!has_prefix(name, STAGING_PREFIX))
		return 0;
	if (sw->except != NULL && (strcmp(name, sw->except) == 0 ||
	    (cut_suffix(name, MTREE_SUFFIX, stem, sizeof(stem)) &&
	    strcmp(stem, sw->except) == 0)))
		return 0;
	return sweep_add(sw, name);
}

/* Call fn on every name in releases/.  0, or -1. */
static int
sweep_scan(struct store *s, struct sweep *sw,
    int (*fn)(struct store *, struct sweep *, const char *))
{
	struct dirent	*de;
	DIR		*dir;
	int		 fd, rv = 0;

	fd = openat(s->relfd, ".",
	    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd == -1)
		return -1;
	if ((dir = fdopendir(fd)) == NULL) {
		close(fd);
		return -1;
	}
	while (rv == 0 && (de = readdir(dir)) != NULL)
		if (strcmp(de->d_name, ".") != 0 &&
		    strcmp(de->d_name, "..") != 0)
			rv = fn(s, sw, de->d_name);
	closedir(dir);
	return rv;
}

/* Temporary names of what we write in the root itself. */
static void
sweep_root(struct store *s)
{
	static const char *const names[] = {
		".current.tmp", ".previous.tmp", ".update.json.tmp"
	};
	size_t	 i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (unlinkat(s->rootfd, names[i], 0) == -1 && errno != ENOENT)
			log_warn("remove %s/%s", s->root, names[i]);
}

/* In the task. */
static void
sweep_work(void *arg, struct task_result *r)
{
	struct sweep		*sw = arg;
	struct task_result	 one;
	size_t			 i;

	memset(r, 0, sizeof(*r));
	(void)setpriority(PRIO_PROCESS, 0, SWEEP_NICE);
	if (fsync(sw->relfd) == -1) {
		r->error = UPD_EIO;
		r->sys_errno = errno;
		snprintf(r->text, sizeof(r->text), "cannot sync releases: %s",
		    strerror(errno));
		return;
	}
	for (i = 0; i < sw->n; i++) {
		tree_remove(sw->relfd, sw->names[i], &one);
		if (one.error != UPD_OK && r->error == UPD_OK)
			*r = one;
	}
}

static void
sweep_done(void *arg, const struct task_result *r)
{
	struct sweep	*sw = arg;

	/* Names are never used twice: it may just be done again. */
	if (r->error != UPD_OK && !sw->again) {
		sw->again = 1;
		if (task_start("sweep", sweep_work, sw, &sw->relfd, 1,
		    sweep_done, sw) != NULL)
			return;
	}
	if (r->error != UPD_OK)
		log_warnx("remove old files of %s: %s: %s", sw->root,
		    r->path[0] ? r->path : upd_strerror(r->error), r->text);
	if (sw->done != NULL)
		sw->done(sw->arg);
	sweep_free(sw);
}

/* Nothing to wait for: done all the same only once the caller is back in
 * the loop, as after a task. */
static void
sweep_nothing(int fd, short event, void *arg)
{
	struct sweep	*sw = arg;

	sw->done(sw->arg);
	sweep_free(sw);
}

static void
sweep_later(struct sweep *sw)
{
	static const struct timeval	 now = { 0, 0 };

	if (sw->done == NULL)
		sweep_free(sw);
	else if (event_once(-1, EV_TIMEOUT, sweep_nothing, sw, &now) == -1)
		sweep_nothing(-1, 0, sw);
}

void
store_sweep(struct store *s, const char *except, void (*done)(void *),
    void *arg)
{
	struct sweep	*sw;

	if ((sw = calloc(1, sizeof(*sw))) != NULL)
		sw->relfd = fcntl(s->relfd, F_DUPFD_CLOEXEC, 3);
	if (sw == NULL || sw->relfd == -1 ||
	    (sw->root = strdup(s->root)) == NULL) {
		log_warn("sweep %s", s->root);
		sweep_free(sw);
		if (done != NULL)
			done(arg);
		return;
	}
	sw->except = except;
	sw->done = done;
	sw->arg = arg;
	sweep_root(s);
	/* What was found before an error goes; the next sweep sees the rest. */
	if (sweep_scan(s, sw, sweep_half) == -1 ||
	    sweep_scan(s, sw, sweep_collect) == -1)
		log_warn("sweep %s", s->root);
	sw->except = NULL;		/* the caller's */
	if (sw->n == 0) {
		sweep_later(sw);
		return;
	}
	if (task_start("sweep", sweep_work, sw, &sw->relfd, 1, sweep_done,
	    sw) == NULL) {
		log_warn("start sweep of %s", s->root);
		sweep_later(sw);
	}
}
