/* LINK: updaterd/parent/store.o updaterd/parent/release.o updaterd/parent/dump.o updaterd/parent/record.o updaterd/parent/staging.o updaterd/parent/tree.o updaterd/parent/walk.o updaterd/parent/task.o updaterd/parent/reap.o common/util.o common/log.o common/proto.o common/error.o common/compat/imsg.o common/compat/osproc-linux.o */
/* LIBS: -levent -ljansson */
/*
 * The goal: the store says what is on disk and nothing else; what it does
 * not know it leaves alone; what is linked it never loses.
 */
#include "store_lab.h"

#include "parent/record.h"

static void
reopen(void)
{
	store_free(s);
	s = store_open(root, 3, text);
	assert_non_null(s);
}

static void
open_makes_and_checks(void **state)
{
	struct stat	 st;
	char		 path[256];

	assert_int_equal(fstat(s->rootfd, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0755);
	assert_int_equal(fstat(s->relfd, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0711);
	store_free(s);

	assert_int_equal(chmod(root, 0775), 0);
	assert_null(s = store_open(root, 3, text));
	assert_non_null(strstr(text, "chmod go-w"));
	assert_non_null(strstr(text, root));
	assert_int_equal(chmod(root, 0755), 0);
	assert_int_equal(chown(root, 60001, 0), 0);
	assert_null(s = store_open(root, 3, text));
	assert_non_null(strstr(text, "chown"));
	assert_int_equal(chown(root, 0, 0), 0);

	snprintf(path, sizeof(path), "%s/link", dir);
	assert_int_equal(symlink(root, path), 0);
	assert_null(s = store_open(path, 3, text));
	assert_non_null(strstr(text, "symbolic link"));
	strlcat(path, "/", sizeof(path));
	assert_null(s = store_open(path, 3, text));

	snprintf(path, sizeof(path), "%s/no/such", dir);
	assert_null(s = store_open(path, 3, text));
	assert_non_null(strstr(text, "mkdir -p"));
	assert_null(s = store_open("relative", 3, text));
	assert_null(s = store_open("/", 3, text));

	snprintf(path, sizeof(path), "%s/releases", root);
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(symlink("/tmp", path), 0);
	assert_null(s = store_open(root, 3, text));
	assert_non_null(strstr(text, "symbolic link"));
	assert_int_equal(unlink(path), 0);
	reopen();
}

static void
ids(void **state)
{
	char	 id[UPD_ID_SIZE];

	release_newid(s, T0, "1a2b3c4d5e6f7890", SHA256, id);
	assert_string_equal(id, "20261122T014955Z-1a2b3c4d5e6f");
	release_newid(s, T0, "", SHA256, id);
	assert_string_equal(id, "20261122T014955Z-6bd3f1c2a0e9");
	release_newid(s, T0, "../../etc/pass wd\n", SHA256, id);
	assert_string_equal(id, "20261122T014955Z-....etcpassw");
	assert_true(record_isid(id));
	release_newid(s, T0, "\xc3\xa4/ ", SHA256, id);
	assert_string_equal(id, "20261122T014955Z-6bd3f1c2a0e9");
	release_newid(s, T0, "x.json", SHA256, id);
	assert_string_equal(id, "20261122T014955Z-x_json");
	release_newid(s, T0, "x.mtree", SHA256, id);
	assert_string_equal(id, "20261122T014955Z-x_mtree");

	assert_string_equal(make(0, "abc", RELEASE_NEW),
	    "20261122T014955Z-abc");
	assert_string_equal(make(0, "abc", RELEASE_NEW),
	    "20261122T014955Z-abc-2");
	assert_int_equal(mkdirat(s->relfd, ".dead-20261122T014955Z-abc-3",
	    0700), 0);
	assert_string_equal(make(0, "abc", RELEASE_NEW),
	    "20261122T014955Z-abc-4");
}

static void
commit_is_read_again(void **state)
{
	struct release	*r;
	struct stat	 st;
	char		 id[UPD_ID_SIZE];
	int		 fd;

	strlcpy(id, make(1, "abc", RELEASE_NEW), sizeof(id));
	assert_true(exists("releases/%s.mtree", id));
	assert_true(exists("releases/%s/VERSION", id));
	assert_non_null(r = store_find(s, id));
	assert_int_equal(r->leftover, 0);	/* it is in flight */
	reopen();
	assert_non_null(r = store_find(s, id));
	assert_int_equal(r->state, RELEASE_NEW);
	assert_int_equal(r->leftover, 1);
	assert_int_equal(r->installed_at, T0 + 1000000);
	assert_string_equal(r->sha, "abc");
	assert_string_equal(r->sha256, SHA256);
	assert_string_equal(r->by, "updater-master");
	assert_int_equal(r->size, 3);
	assert_int_equal(r->files, 1);
	assert_int_equal(r->packed, 100);
	assert_int_equal(release_setstate(s, id, RELEASE_FAILED,
	    "it \"died\"\n\xff"), 0);
	reopen();
	assert_non_null(r = store_find(s, id));
	assert_int_equal(r->state, RELEASE_FAILED);
	assert_string_equal(r->why, "it \"died\"\n?");
	assert_int_equal(release_setstate(s, "20200101T000000Z-no",
	    RELEASE_GOOD, NULL), -1);

	assert_int_not_equal(fd = release_open(s, id), -1);
	assert_int_equal(fstat(fd, &st), 0);
	assert_true(S_ISDIR(st.st_mode));
	close(fd);
	assert_int_not_equal(fd = release_manifest(s, id), -1);
	close(fd);
	assert_int_equal(release_open(s, "../releases"), -1);
	assert_int_equal(release_manifest(s, ".."), -1);
}

static void
commit_fails_whole(void **state)
{
	struct staging	 st;
	struct release	 r;

	assert_int_equal(staging_make(s, 0, 0, &st, text), 0);
	memset(&r, 0, sizeof(r));
	strlcpy(r.id, make(1, "abc", RELEASE_GOOD), sizeof(r.id));
	assert_int_equal(release_commit(s, &st, &r, text), -1);
	assert_int_equal(errno, EEXIST);
	strlcpy(r.id, "../x", sizeof(r.id));
	assert_int_equal(release_commit(s, &st, &r, text), -1);
	strlcpy(r.id, "20261122T014955Z-x", sizeof(r.id));
	assert_int_equal(unlinkat(s->relfd, st.manifest, 0), 0);
	assert_int_equal(release_commit(s, &st, &r, text), -1);
	assert_non_null(strstr(text, "rename manifest"));
	assert_true(exists("releases/%s", st.name));
	assert_false(exists("releases/%s", r.id));
	assert_null(store_find(s, r.id));
	staging_close(&st);
	staging_close(&st);		/* harmless */
	memset(&st, 0, sizeof(st));
	staging_close(&st);		/* closes no descriptor 0 */
	assert_int_not_equal(fcntl(0, F_GETFD), -1);
}

static void
set_link(const char *name, const char *target)
{
	(void)unlinkat(s->rootfd, name, 0);
	assert_int_equal(symlinkat(target, s->rootfd, name), 0);
	assert_int_equal(store_load(s), 0);
}

static void
links_count_only_as_made(void **state)
{
	char	 target[512];

	make(1, "abc", RELEASE_GOOD);
	assert_int_equal(mkdirat(s->rootfd, "other", 0755), 0);
	set_link("current", "releases/20261122T014956Z-abc");
	assert_string_equal(s->current, "20261122T014956Z-abc");
	assert_string_equal(store_slot(s, store_current(s)), "active");
	assert_null(store_previous(s));
	snprintf(target, sizeof(target), "%s/releases/20261122T014956Z-abc",
	    root);
	set_link("current", target);
	assert_string_equal(s->current, "");
	set_link("current", "./releases/20261122T014956Z-abc");
	assert_string_equal(s->current, "");
	set_link("current", "releases/20261122T014956Z-abc/");
	assert_string_equal(s->current, "");
	set_link("current", "releases/../other");
	assert_string_equal(s->current, "");
	set_link("current", "releases/..");
	assert_string_equal(s->current, "");
	set_link("current", "releases/20261122T014956Z-abc.mtree");
	assert_string_equal(s->current, "");
	set_link("current", "releases/gone");
	assert_string_equal(s->current, "");
	memset(target, 'a', sizeof(target) - 1);
	target[sizeof(target) - 1] = '\0';
	memcpy(target, "releases/", 9);
	set_link("current", target);
	assert_string_equal(s->current, "");
	assert_int_equal(unlinkat(s->rootfd, "current", 0), 0);
	put(s->rootfd, "current", "releases/20261122T014956Z-abc");
	assert_int_equal(store_load(s), 0);
	assert_string_equal(s->current, "");
}

static void
damage(const char *id, const char *json)
{
	char	 name[128];

	snprintf(name, sizeof(name), "%s.json", id);
	put(s->relfd, name, json);
	assert_int_equal(store_load(s), 0);
}

static void
damaged_records(void **state)
{
	static const char *const bad[] = {
		"", "{", "[]", "null", "{}", "\0", "{\"version\":2}",
		"{\"version\":1,\"id\":\"20261122T014956Z-abc\"}",
		"{\"version\":1,\"id\":\"20261122T014957Z-abc\","
		"\"state\":\"good\"}",
		"{\"version\":1,\"id\":\"20261122T014956Z-abc\","
		"\"state\":\"best\"}",
		"{\"version\":1,\"id\":\"20261122T014956Z-abc\","
		"\"state\":\"good\",\"size\":-1}",
		"{\"version\":1,\"id\":\"20261122T014956Z-abc\","
		"\"state\":\"good\",\"sha256\":\"abc\"}",
	};
	const char	*id = "20261122T014956Z-abc";
	char		 big[70000];
	struct release	*r;
	size_t		 i;

	make(1, "abc", RELEASE_GOOD);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		damage(id, bad[i]);
		assert_null(store_find(s, id));
	}
	memset(big, ' ', sizeof(big));
	big[sizeof(big) - 1] = '\0';
	damage(id, big);
	assert_null(store_find(s, id));
	damage(id, "{\"version\":1,\"id\":\"20261122T014956Z-abc\","
	    "\"state\":\"good\",\"colour\":[1]}");
	assert_non_null(store_find(s, id));

	/* linked: it stays, and setstate mends it */
	damage(id, "{");
	set_link("current", "releases/20261122T014956Z-abc");
	assert_non_null(r = store_current(s));
	assert_int_equal(r->state, RELEASE_GOOD);
	assert_int_equal(release_setstate(s, id, RELEASE_GOOD, NULL), 0);
	reopen();
	assert_non_null(r = store_current(s));
	assert_int_equal(r->installed_at, 0);
}

static void
json_is_R(void **state)
{
	static const char *const slots[] = { "active", "prev", "old",
	    "failed" };
	json_t		*o, *list, *e;
	char		 a[UPD_ID_SIZE], b[UPD_ID_SIZE];
	size_t		 i;

	make(4, "dddd", RELEASE_FAILED);
	make(3, "cccc", RELEASE_GOOD);
	strlcpy(b, make(2, "", RELEASE_GOOD), sizeof(b));
	strlcpy(a, make(1, "aaaa", RELEASE_GOOD), sizeof(a));
	assert_int_equal(store_flip(s, a, b), 0);
	assert_non_null(o = store_json(s));
	list = json_object_get(o, "releases");
	assert_int_equal(json_array_size(list), 4);
	json_array_foreach(list, i, e)
		assert_string_equal(json_string_value(json_object_get(e,
		    "slot")), slots[i]);
	e = json_array_get(list, 0);
	assert_string_equal(json_string_value(json_object_get(e,
	    "installed_at")), "2026-11-22T01:49:56.000000+00:00");
	assert_string_equal(json_string_value(json_object_get(e, "sha")),
	    "aaaa");
	assert_string_equal(json_string_value(json_object_get(e, "sha256")),
	    SHA256);
	assert_string_equal(json_string_value(json_object_get(e, "id")), a);
	assert_true(json_is_null(json_object_get(e, "signer")));
	assert_int_equal(json_integer_value(json_object_get(e, "size")), 4);
	assert_int_equal(json_integer_value(json_object_get(e, "files")), 1);
	assert_null(json_object_get(e, "why"));
	e = json_array_get(list, 1);
	assert_true(json_is_null(json_object_get(e, "sha")));
	e = json_array_get(list, 3);
	assert_string_equal(json_string_value(json_object_get(e, "why")),
	    "exited 1");
	json_decref(o);
}

static void
flip(void **state)
{
	char	 a[UPD_ID_SIZE], b[UPD_ID_SIZE];

	strlcpy(a, make(1, "a", RELEASE_GOOD), sizeof(a));
	strlcpy(b, make(2, "b", RELEASE_GOOD), sizeof(b));
	assert_int_equal(store_flip(s, a, ""), 0);
	assert_int_equal(store_flip(s, b, a), 0);
	assert_int_equal(store_flip(s, b, a), 0);
	assert_string_equal(s->current, b);
	assert_string_equal(s->previous, a);
	reopen();
	assert_string_equal(s->current, b);
	assert_string_equal(s->previous, a);
	assert_int_equal(store_flip(s, s->previous, s->current), 0);
	assert_string_equal(s->current, a);
	assert_string_equal(s->previous, b);
	assert_int_equal(store_flip(s, "../x", a), -1);
	assert_int_equal(store_flip(s, "gone", a), -1);
	assert_int_equal(errno, ENOENT);
	assert_string_equal(s->current, a);
	assert_int_equal(store_flip(s, a, "gone"), 0);
	assert_string_equal(s->previous, "");
	assert_int_equal(store_flip(s, "", ""), 0);
	reopen();
	assert_string_equal(s->current, "");
	/* a directory in the way is an error, not a promotion */
	assert_int_equal(mkdirat(s->rootfd, "current", 0755), 0);
	assert_int_equal(store_flip(s, a, b), -1);
	assert_string_equal(s->current, "");
	assert_string_equal(s->previous, b);
}

static int
count(enum release_state state)
{
	struct release	*r;
	int		 n = 0;

	TAILQ_FOREACH(r, &s->list, entry)
		n += r->state == state;
	return n;
}

static void
prune(void **state)
{
	char	 id[9][UPD_ID_SIZE], sha[16];
	int	 i;

	for (i = 0; i < 6; i++) {
		snprintf(sha, sizeof(sha), "g%d", i);
		strlcpy(id[i], make(i, sha, RELEASE_GOOD), UPD_ID_SIZE);
	}
	strlcpy(id[6], make(6, "f6", RELEASE_FAILED), UPD_ID_SIZE);
	strlcpy(id[7], make(7, "f7", RELEASE_FAILED), UPD_ID_SIZE);
	strlcpy(id[8], make(8, "n8", RELEASE_NEW), UPD_ID_SIZE);
	/* the two linked are old ones: one more fits */
	assert_int_equal(store_flip(s, id[0], id[1]), 0);
	assert_int_equal(store_prune(s), 4);
	assert_non_null(store_find(s, id[0]));
	assert_non_null(store_find(s, id[1]));
	assert_non_null(store_find(s, id[5]));
	assert_null(store_find(s, id[4]));
	assert_null(store_find(s, id[6]));
	assert_non_null(store_find(s, id[7]));
	assert_non_null(store_find(s, id[8]));
	assert_int_equal(store_prune(s), 0);
	assert_true(exists("releases/.dead-%s", id[4]));
	assert_false(exists("releases/%s.mtree", id[4]));
	reopen();
	assert_int_equal(count(RELEASE_GOOD), 3);
	assert_int_equal(count(RELEASE_FAILED), 1);

	/* keep 1 is never fewer than current and previous */
	s->keep = 1;
	assert_int_equal(store_prune(s), 1);
	assert_int_equal(count(RELEASE_GOOD), 2);
	assert_int_equal(store_prune_failed(s), 1);
	assert_int_equal(count(RELEASE_FAILED), 0);
	assert_int_equal(release_retire(s, id[0]), -1);
	assert_int_equal(errno, EBUSY);
	assert_int_equal(release_retire(s, id[1]), -1);
	assert_int_equal(release_retire(s, "../x"), -1);
	/* the id may be the entry's own */
	assert_int_equal(release_retire(s, store_find(s, id[8])->id), 0);
	assert_null(store_find(s, id[8]));
	assert_int_equal(release_retire(s, id[8]), 0);
}

int
main(void)
{
#define T(f)	cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(open_makes_and_checks),
		T(ids),
		T(commit_is_read_again),
		T(commit_fails_whole),
		T(links_count_only_as_made),
		T(damaged_records),
		T(json_is_R),
		T(flip),
		T(prune),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	if (geteuid() != 0) {
		print_message("1..0 # SKIP must be root to change owners\n");
		return 0;
	}
	log_init("test_release", 1, 0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
