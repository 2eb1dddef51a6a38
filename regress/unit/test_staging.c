/* LINK: updaterd/parent/store.o updaterd/parent/release.o updaterd/parent/dump.o updaterd/parent/record.o updaterd/parent/staging.o updaterd/parent/tree.o updaterd/parent/walk.o updaterd/parent/task.o updaterd/parent/reap.o common/util.o common/log.o common/proto.o common/error.o common/compat/imsg.o common/compat/osproc-linux.o */
/* LIBS: -levent -ljansson */
/*
 * The goal: a push is refused before its first byte when there is no room;
 * the sweep takes all that updates left and nothing else, least of all the
 * staging directory of a push that comes in while it runs.
 */
#include <sys/vfs.h>
#include <event.h>

#include "store_lab.h"

#include "parent/reap.h"

static int		 pass;		/* sweep's done was called */

static void
damage(const char *id, const char *json)
{
	char	 name[128];

	snprintf(name, sizeof(name), "%s.json", id);
	put(s->relfd, name, json);
	assert_int_equal(store_load(s), 0);
}

static void
staging_is_the_users(void **state)
{
	struct staging	 st;
	struct stat	 sb;
	mode_t		 old = umask(0777);

	assert_int_equal(staging_make(s, 60001, 60002, &st, text), 0);
	umask(old);
	assert_int_equal(fstat(st.fd, &sb), 0);
	assert_int_equal(sb.st_mode & 07777, 0700);
	assert_int_equal(sb.st_uid, 60001);
	assert_int_equal(sb.st_gid, 60002);
	assert_int_equal(fstat(st.manifest_fd, &sb), 0);
	assert_int_equal(sb.st_mode & 07777, 0600);
	assert_int_equal(sb.st_uid, 0);
	assert_int_equal(strncmp(st.name, ".new-20", 7), 0);
	staging_close(&st);
}

static void
swept(void *arg)
{
	pass++;
	event_loopexit(NULL);
}

static void
sweep(const char *except)
{
	int	 before = pass;

	store_sweep(s, except, swept, NULL);
	assert_int_equal(pass, before);		/* never from within */
	event_dispatch();
	assert_int_equal(pass, before + 1);
}

static void
sweep_takes_the_rest(void **state)
{
	struct staging	 keep, gone, late;
	char		 a[UPD_ID_SIZE], b[UPD_ID_SIZE], c[UPD_ID_SIZE];
	char		 name[128];
	int		 fd, i;

	sweep(NULL);			/* nothing to do */
	strlcpy(a, make(1, "a", RELEASE_GOOD), sizeof(a));
	strlcpy(b, make(2, "b", RELEASE_GOOD), sizeof(b));
	strlcpy(c, make(3, "c", RELEASE_GOOD), sizeof(c));
	assert_int_equal(store_flip(s, a, ""), 0);
	assert_int_equal(staging_make(s, 0, 0, &keep, text), 0);
	assert_int_equal(staging_make(s, 0, 0, &gone, text), 0);
	put(gone.fd, "file", "x");
	/* cut short: a commit, a retirement, a record of a lost tree */
	assert_int_equal(mkdirat(s->relfd, "20261122T000000Z-half", 0755), 0);
	put(s->relfd, "20261122T000000Z-half.mtree", "x");
	put(s->relfd, "20261122T000001Z-lone.mtree", "x");
	put(s->relfd, "20261122T000002Z-lost.json", "{}");
	/* in whatever order they are found */
	for (i = 0; i < 16; i++) {
		snprintf(name, sizeof(name), "20261122T0001%02dZ-x.json", i);
		put(s->relfd, name, "{}");
		snprintf(name, sizeof(name), "20261122T0001%02dZ-x.mtree", i);
		put(s->relfd, name, "x");
	}
	assert_int_equal(release_retire(s, b), 0);
	put(s->relfd, ".20261122T000001Z-x.json.tmp", "x");
	put(s->rootfd, ".update.json.tmp", "x");
	assert_int_equal(symlinkat("x", s->rootfd, ".current.tmp"), 0);
	/* not ours, or damaged only */
	assert_int_equal(mkdirat(s->relfd, "backup", 0755), 0);
	put(s->relfd, "notes", "x");
	put(s->rootfd, "README", "x");
	damage(c, "{");
	snprintf(name, sizeof(name), "%s.json", a);
	assert_int_equal(unlinkat(s->relfd, name, 0), 0);

	store_sweep(s, keep.name, swept, NULL);
	/* a push comes in before the task has run */
	assert_int_equal(staging_make(s, 0, 0, &late, text), 0);
	event_dispatch();

	assert_true(exists("releases/%s", keep.name));
	assert_true(exists("releases/%s", keep.manifest));
	assert_true(exists("releases/%s", late.name));
	assert_false(exists("releases/%s", gone.name));
	assert_false(exists("releases/%s", gone.manifest));
	assert_false(exists("releases/%s", "20261122T000000Z-half"));
	assert_false(exists("releases/.dead-%s", "20261122T000000Z-half"));
	assert_false(exists("releases/%s.mtree", "20261122T000000Z-half"));
	assert_false(exists("releases/%s.mtree", "20261122T000001Z-lone"));
	assert_false(exists("releases/%s.json", "20261122T000002Z-lost"));
	for (i = 0; i < 16; i++) {
		snprintf(name, sizeof(name), "20261122T0001%02dZ-x", i);
		assert_false(exists("releases/%s.json", name));
		assert_false(exists("releases/%s.mtree", name));
	}
	assert_false(exists("releases/.dead-%s", b));
	assert_false(exists("releases/%s",
	    ".20261122T000001Z-x.json.tmp"));
	assert_false(exists("%s", ".update.json.tmp"));
	assert_false(exists("%s", ".current.tmp"));
	assert_true(exists("releases/%s", "backup"));
	assert_true(exists("releases/%s", "notes"));
	assert_true(exists("%s", "README"));
	assert_true(exists("releases/%s", a));
	assert_true(exists("releases/%s.mtree", a));
	assert_true(exists("releases/%s", c));
	assert_true(exists("%s", "current"));
	fd = keep.fd;
	staging_close(&keep);
	assert_int_equal(fcntl(fd, F_GETFD), -1);
	staging_close(&gone);
	staging_close(&late);
}

static void
space(void **state)
{
	struct statfs	 fs;
	uint64_t	 b, i, total;

	assert_int_equal(fstatfs(s->relfd, &fs), 0);
	total = (uint64_t)fs.f_blocks * fs.f_bsize;
	assert_int_equal(store_space(s, 1, 0, &b, &i, text), UPD_OK);
	assert_int_equal(b, 0);
	assert_int_equal(store_space(s, -1, 1, &b, &i, text), UPD_OK);
	assert_in_range(b, total / 100 - 8192, total / 100);
	assert_int_equal(store_space(s, total, 5, &b, &i, text),
	    UPD_ENOSPACE);
	print_message("# %s\n", text);
	assert_non_null(strstr(text, "needs "));
	assert_non_null(strstr(text, "(5 %) free, but only "));
	assert_non_null(strstr(text, root));
	assert_int_equal(store_space(s, INT64_MAX, 100, &b, &i, text),
	    UPD_ENOSPACE);
	assert_int_equal(store_space(s, -1, 100, &b, &i, text),
	    UPD_ENOSPACE);
	print_message("# %s\n", text);
	assert_null(strstr(text, "needs"));
}

int
main(void)
{
#define T(f)	cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(staging_is_the_users),
		T(sweep_takes_the_rest),
		T(space),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	if (geteuid() != 0) {
		print_message("1..0 # SKIP must be root to change owners\n");
		return 0;
	}
	log_init("test_staging", 1, 0);
	event_init();
	reap_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
