/* LINK: updaterd/parent/store.o updaterd/parent/release.o updaterd/parent/dump.o updaterd/parent/record.o updaterd/parent/staging.o updaterd/parent/tree.o updaterd/parent/walk.o updaterd/parent/journal.o common/util.o common/log.o common/proto.o common/error.o common/compat/imsg.o */
/* LIBS: -levent -ljansson -Wl,--wrap=renameat,--wrap=fsync,--wrap=unlinkat,--wrap=symlinkat,--wrap=mkdirat,--wrap=syncfs,--wrap=openat,--wrap=fchmod */
/*
 * The goal: one update, from staging to the removal of what keep does not
 * keep, is killed before every call that changes the disk.  Whatever then
 * is found, `current` is the old or the new release and complete, the
 * journal explains what is open, and the next start ends with a clean
 * store.  The same with that call failing: what the functions report and
 * keep in memory is what is on disk.  And the order of the calls is the
 * one that survives a power cut.
 */
#include <sys/types.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "log.h"
#include "util.h"
#include "parent/journal.h"
#include "parent/record.h"
#include "parent/release.h"
#include "parent/task.h"

#define KILLED	99			/* exit status at the chosen call */
#define OLDER	"20261122T000000Z-older"
#define OLD	"20261122T000001Z-old"
#define NEW	"20261122T000002Z-new"

static const char *base;
static char	 dir[64], root[128];
static int	 calls, kill_at, fail_at;
static char	 trace[16384];

/* --- the calls ------------------------------------------------------ */

/* Before each: 1 if it shall fail. */
static int
step(const char *call, const char *name)
{
	calls++;
	if (kill_at != 0 && calls == kill_at)
		_exit(KILLED);
	strlcat(trace, call, sizeof(trace));
	strlcat(trace, " ", sizeof(trace));
	strlcat(trace, name, sizeof(trace));
	strlcat(trace, "\n", sizeof(trace));
	if (fail_at != 0 && calls == fail_at) {
		errno = EIO;
		return 1;
	}
	return 0;
}

/* The last component of what a descriptor is open on. */
static const char *
fd_name(int fd)
{
	static char	 path[4096];
	char		 proc[64];
	const char	*p;
	ssize_t		 n;

	snprintf(proc, sizeof(proc), "/proc/self/fd/%d", fd);
	if ((n = readlink(proc, path, sizeof(path) - 1)) == -1)
		return "?";
	path[n] = '\0';
	p = strrchr(path, '/');
	return p == NULL ? path : p + 1;
}

int	 __real_renameat(int, const char *, int, const char *);
int	 __wrap_renameat(int, const char *, int, const char *);
int	 __real_fsync(int);
int	 __wrap_fsync(int);
int	 __real_unlinkat(int, const char *, int);
int	 __wrap_unlinkat(int, const char *, int);
int	 __real_symlinkat(const char *, int, const char *);
int	 __wrap_symlinkat(const char *, int, const char *);
int	 __real_mkdirat(int, const char *, mode_t);
int	 __wrap_mkdirat(int, const char *, mode_t);
int	 __real_syncfs(int);
int	 __wrap_syncfs(int);
int	 __real_openat(int, const char *, int, ...);
int	 __wrap_openat(int, const char *, int, ...);
int	 __real_fchmod(int, mode_t);
int	 __wrap_fchmod(int, mode_t);

int
__wrap_renameat(int a, const char *from, int b, const char *to)
{
	return step("rename", to) ? -1 : __real_renameat(a, from, b, to);
}

int
__wrap_fsync(int fd)
{
	return step("fsync", fd_name(fd)) ? -1 : __real_fsync(fd);
}

int
__wrap_unlinkat(int fd, const char *name, int flags)
{
	return step("unlink", name) ? -1 : __real_unlinkat(fd, name, flags);
}

int
__wrap_symlinkat(const char *target, int fd, const char *name)
{
	return step("symlink", name) ? -1 :
	    __real_symlinkat(target, fd, name);
}

int
__wrap_mkdirat(int fd, const char *name, mode_t mode)
{
	return step("mkdir", name) ? -1 : __real_mkdirat(fd, name, mode);
}

int
__wrap_syncfs(int fd)
{
	return step("syncfs", fd_name(fd)) ? -1 : __real_syncfs(fd);
}

int
__wrap_fchmod(int fd, mode_t mode)
{
	return step("fchmod", fd_name(fd)) ? -1 : __real_fchmod(fd, mode);
}

/* Only those that make something. */
int
__wrap_openat(int fd, const char *name, int flags, ...)
{
	va_list	 ap;
	mode_t	 mode = 0;

	if (flags & O_CREAT) {
		va_start(ap, flags);
		mode = va_arg(ap, mode_t);
		va_end(ap);
		if (step("create", name))
			return -1;
	}
	return __real_openat(fd, name, flags, mode);
}

/* In place of a process of its own: at once, so that a kill hits it, too. */
struct task *
task_start(const char *name, void (*work)(void *, struct task_result *),
    void *arg, const int *keep, int nkeep,
    void (*done)(void *, const struct task_result *), void *arg2)
{
	static char		 t;
	struct task_result	 r;

	work(arg, &r);
	done(arg2, &r);
	return (struct task *)&t;
}

/* --- one update ----------------------------------------------------- */

static int
put(int fd, const char *name, const char *data)
{
	int	 f, rv;

	f = openat(fd, name, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	if (f == -1)
		return -1;
	rv = write_all(f, data, strlen(data));
	close(f);
	return rv;
}

static int
unpack(struct staging *st, const char *id)
{
	if (put(st->fd, "VERSION", id) == -1 ||
	    mkdirat(st->fd, "bin", 0700) == -1 ||
	    put(st->fd, "bin/agent", "#!/bin/sh\n") == -1)
		return -1;
	return write_all(st->manifest_fd, id, strlen(id));
}

/* As update.c does it.  0, or the number of the step that failed. */
static int
update(struct store *s, const char *id)
{
	struct staging		 st;
	struct task_result	 t;
	struct release		 r;
	struct journal		 j;
	char			 text[UPD_TEXT_SIZE];

	memset(&r, 0, sizeof(r));
	memset(&j, 0, sizeof(j));
	if (staging_make(s, 0, 0, &st, text) == -1)
		return 1;
	if (unpack(&st, id) == -1) {
		staging_close(&st);
		return 2;
	}
	tree_seal(st.fd, 0, 1, &t);
	if (t.error != UPD_OK) {
		staging_close(&st);
		return 3;
	}
	(void)strlcpy(r.id, id, sizeof(r.id));
	(void)store_prune_failed(s);
	if (release_commit(s, &st, &r, text) == -1) {
		staging_close(&st);
		return 4;
	}
	staging_close(&st);
	j.phase = JOURNAL_PROMOTE;
	(void)strlcpy(j.to, id, sizeof(j.to));
	(void)strlcpy(j.from, s->current, sizeof(j.from));
	(void)strlcpy(j.from_prev, s->previous, sizeof(j.from_prev));
	if (journal_write(s, &j) == -1)
		return 5;
	if (store_flip(s, j.to, j.from) == -1)
		return 6;
	j.phase = JOURNAL_PROBE;
	if (journal_write(s, &j) == -1)
		return 7;
	if (release_setstate(s, id, RELEASE_GOOD, NULL) == -1)
		return 8;
	if (journal_remove(s) == -1)
		return 9;
	(void)store_prune(s);
	store_sweep(s, NULL, NULL, NULL);
	return 0;
}

static struct store *
open_store(void)
{
	struct store	*s;
	char		 text[UPD_TEXT_SIZE];

	s = store_open(root, 2, text);
	if (s == NULL)
		print_message("# %s\n", text);
	return s;
}

/* A root with OLD and OLDER, both good. */
static void
prepare(void)
{
	struct store	*s;

	calls = kill_at = fail_at = 0;
	/* memory: a hundred updates of a dozen fsyncs each */
	base = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
	snprintf(dir, sizeof(dir), "%s/test_commit.XXXXXX", base);
	assert_non_null(mkdtemp(dir));
	snprintf(root, sizeof(root), "%s/agent", dir);
	assert_non_null(s = open_store());
	assert_int_equal(update(s, OLDER), 0);
	assert_int_equal(update(s, OLD), 0);
	store_free(s);
	calls = 0;
	trace[0] = '\0';
}

static void
cleanup(void)
{
	struct task_result	 r;
	int			 fd;

	kill_at = fail_at = 0;
	fd = open(base, O_RDONLY | O_DIRECTORY);
	tree_remove(fd, strrchr(dir, '/') + 1, &r);
	close(fd);
	assert_int_equal(r.error, UPD_OK);
}

/* --- what must hold ------------------------------------------------- */

static void
file_is(int fd, const char *name, const char *data)
{
	char	*p;
	size_t	 len;

	assert_non_null(p = file_read(fd, name, 4096, &len));
	assert_string_equal(p, data);
	free(p);
}

static void
release_is_whole(struct store *s, const char *id)
{
	char	 name[128];
	int	 fd;

	assert_non_null(store_find(s, id));
	assert_int_not_equal(fd = release_open(s, id), -1);
	file_is(fd, "VERSION", id);
	file_is(fd, "bin/agent", "#!/bin/sh\n");
	close(fd);
	snprintf(name, sizeof(name), "%s.mtree", id);
	file_is(s->relfd, name, id);
}

/* Every release that is shown is whole; current is; the journal, or the
 * record of current, says where we are. */
static void
store_is_sound(struct store *s, struct journal *j, int have)
{
	struct release	*r;

	TAILQ_FOREACH(r, &s->list, entry)
		release_is_whole(s, r->id);
	assert_non_null(store_current(s));
	assert_true(strcmp(s->current, OLD) == 0 ||
	    strcmp(s->current, NEW) == 0);
	if (have) {
		assert_string_equal(j->to, NEW);
		assert_string_equal(j->from, OLD);
		assert_string_equal(j->from_prev, OLDER);
		release_is_whole(s, j->to);
		release_is_whole(s, j->from);
		release_is_whole(s, j->from_prev);
	} else {
		assert_int_equal(store_current(s)->state, RELEASE_GOOD);
		assert_non_null(store_previous(s));
		assert_string_equal(s->previous,
		    strcmp(s->current, NEW) == 0 ? OLD : OLDER);
	}
}

/* What the next start does with it. */
static void
recover(struct store *s, const struct journal *j, int have)
{
	struct release	*r, *next;

	if (have) {
		assert_int_equal(store_flip(s, j->from, j->from_prev), 0);
		assert_int_equal(journal_remove(s), 0);
	}
	TAILQ_FOREACH_SAFE(r, &s->list, entry, next)
		if (strcmp(r->id, NEW) == 0 && strcmp(s->current, NEW) != 0)
			assert_int_equal(release_retire(s, r->id), 0);
	(void)store_prune(s);
	store_sweep(s, NULL, NULL, NULL);
}

/* Nothing but two releases and their files. */
static void
store_is_clean(void)
{
	struct store	*s;
	struct dirent	*de;
	DIR		*d;
	char		 path[256];
	int		 n = 0;

	assert_non_null(s = open_store());
	assert_non_null(store_current(s));
	assert_non_null(store_previous(s));
	snprintf(path, sizeof(path), "%s/releases", root);
	assert_non_null(d = opendir(path));
	while ((de = readdir(d)) != NULL)
		if (strcmp(de->d_name, ".") != 0 &&
		    strcmp(de->d_name, "..") != 0) {
			n++;
			assert_true(strncmp(de->d_name, s->current,
			    strlen(s->current)) == 0 ||
			    strncmp(de->d_name, s->previous,
			    strlen(s->previous)) == 0);
		}
	closedir(d);
	assert_int_equal(n, 6);
	assert_non_null(d = opendir(root));
	for (n = 0; (de = readdir(d)) != NULL; n++)
		;
	closedir(d);
	assert_int_equal(n, 5);		/* . .. current previous releases */
	store_free(s);
}

static void
check_and_recover(int *seen_new)
{
	struct store	*s;
	struct journal	 j;
	int		 have;

	assert_non_null(s = open_store());
	assert_int_not_equal(have = journal_read(s, &j), -1);
	store_is_sound(s, &j, have);
	if (strcmp(s->current, NEW) == 0)
		(*seen_new)++;
	recover(s, &j, have);
	store_free(s);
	store_is_clean();
}

/* --- the tests ------------------------------------------------------ */

static void
killed_at_every_step(void **state)
{
	struct store	*s;
	pid_t		 pid;
	int		 n, status, seen_new = 0;

	for (n = 1;; n++) {
		prepare();
		assert_int_not_equal(pid = fork(), -1);
		if (pid == 0) {
			kill_at = n;
			if ((s = open_store()) == NULL)
				_exit(1);
			_exit(update(s, NEW) == 0 ? 0 : 2);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFEXITED(status));
		check_and_recover(&seen_new);
		cleanup();
		if (WEXITSTATUS(status) != KILLED)
			break;
	}
	assert_int_equal(WEXITSTATUS(status), 0);
	print_message("# killed before each of %d calls, %d times with the "
	    "new release under current\n", n - 1, seen_new);
	assert_true(n > 40);
	assert_true(seen_new > 5);
}

/* Memory says what the disk says. */
static void
memory_is_disk(struct store *s)
{
	struct store	*d;
	struct release	*r, *p;

	assert_non_null(d = open_store());
	assert_string_equal(s->current, d->current);
	assert_string_equal(s->previous, d->previous);
	TAILQ_FOREACH(r, &s->list, entry)
		assert_non_null(store_find(d, r->id));
	TAILQ_FOREACH(r, &d->list, entry) {
		assert_non_null(p = store_find(s, r->id));
		/* a record may be new on disk when only its directory's
		 * fsync failed */
		if (p->state != r->state)
			assert_int_equal(r->state, RELEASE_GOOD);
	}
	store_free(d);
}

/* Staging is back where the abort path looks for it. */
static void
commit_is_undone(struct store *s)
{
	struct dirent	*de;
	DIR		*d;
	char		 path[256];
	int		 staged = 0;

	assert_null(store_find(s, NEW));
	snprintf(path, sizeof(path), "%s/releases", root);
	assert_non_null(d = opendir(path));
	while ((de = readdir(d)) != NULL) {
		assert_null(strstr(de->d_name, NEW));
		staged += strncmp(de->d_name, ".new-", 5) == 0;
	}
	closedir(d);
	assert_int_equal(staged, 2);
}

static void
failing_at_every_step(void **state)
{
	struct store	*s;
	int		 n, at, made, seen_new = 0, failures = 0;

	for (n = 1;; n++) {
		prepare();
		assert_non_null(s = open_store());
		calls = 0;
		fail_at = n;
		at = update(s, NEW);
		fail_at = 0;
		made = calls;
		if (at != 0)
			failures++;
		if (at == 4)
			commit_is_undone(s);
		memory_is_disk(s);
		store_free(s);
		check_and_recover(&seen_new);
		cleanup();
		if (made < n)
			break;		/* there is no such call */
	}
	print_message("# %d calls failed one by one, %d times the update\n",
	    n - 1, failures);
	assert_true(failures > 25);
}

/* Renames, removals and syncs, in the order that survives a power cut;
 * the reasons are at the heads of release.c, store.c and staging.c. */
static const char *const order[] = {
	"syncfs .new-",				/* all of the tree, */
	"rename " NEW,				/* then its name, */
	"rename " NEW ".mtree",
	"fsync releases",
	"fsync ." NEW ".json.tmp",		/* then its record */
	"rename " NEW ".json",
	"fsync releases",
	"fsync .update.json.tmp",		/* what is to be, */
	"rename update.json",
	"fsync agent",
	"rename previous",			/* then that it be */
	"rename current",
	"fsync agent",
	"fsync .update.json.tmp",
	"rename update.json",
	"fsync agent",
	"fsync ." NEW ".json.tmp",		/* the verdict, */
	"rename " NEW ".json",
	"fsync releases",
	"unlink update.json",			/* then nothing is open */
	"fsync agent",
	"unlink " OLDER ".json",		/* no release any more, */
	"rename .dead-" OLDER,
	"unlink " OLDER ".mtree",
	"fsync releases",			/* on disk, */
	"unlink "				/* then its first byte */
};

static void
order_survives_a_power_cut(void **state)
{
	struct store	*s;
	char		*line, *p = trace;
	size_t		 i = 0;

	prepare();
	assert_non_null(s = open_store());
	calls = 0;
	trace[0] = '\0';
	assert_int_equal(update(s, NEW), 0);
	store_free(s);
	while (i < sizeof(order) / sizeof(order[0])) {
		assert_non_null(line = strsep(&p, "\n"));
		if (strncmp(line, "syncfs ", 7) != 0 &&
		    strncmp(line, "fsync ", 6) != 0 &&
		    strncmp(line, "rename ", 7) != 0 &&
		    (strncmp(line, "unlink ", 7) != 0 ||
		    strstr(line, ".tmp") != NULL))
			continue;
		print_message("# %s\n", line);
		if (order[i][strlen(order[i]) - 1] == ' ' ||
		    order[i][strlen(order[i]) - 1] == '-')
			assert_memory_equal(line, order[i], strlen(order[i]));
		else
			assert_string_equal(line, order[i]);
		i++;
	}
	cleanup();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(killed_at_every_step),
		cmocka_unit_test(failing_at_every_step),
		cmocka_unit_test(order_survives_a_power_cut),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	if (geteuid() != 0) {
		print_message("1..0 # SKIP must be root to change owners\n");
		return 0;
	}
	log_init("test_commit", 1, 0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
