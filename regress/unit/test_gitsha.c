/*
 * gitsha.c: loose and packed refs, detached, worktrees, and what is none.
 */
/* LINK: updatermaster/gitsha.o common/util.o */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "master_lab.h"

#define A	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B	"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define C	"cccccccccccccccccccccccccccccccc" \
		"cccccccccccccccccccccccccccccccc"

static void
assert_sha(const char *tree, const char *want)
{
	char	 sha[UPD_SHA_SIZE] = "untouched";

	git_sha(lab_path(tree), sha, sizeof(sha));
	assert_string_equal(sha, want);
}

static void
test_loose(void **state)
{
	lab_text("r/.git/HEAD", "ref: refs/heads/main\n");
	lab_text("r/.git/refs/heads/main", A "\n");
	lab_text("r/sub/dir/file", "");
	assert_sha("r", A);
	assert_sha("r/sub/dir", A);
	assert_sha("nosuch", "");
}

static void
test_packed(void **state)
{
	lab_text("p/.git/HEAD", "ref: refs/heads/main\n");
	lab_text("p/.git/packed-refs", "# pack-refs with: peeled fully-peeled "
	    "sorted\n" A " refs/heads/mai\n" B " refs/heads/main\n^" A "\n");
	assert_sha("p", B);
	/* The loose one is newer. */
	lab_text("p/.git/refs/heads/main", A "\n");
	assert_sha("p", A);
}

static void
test_detached(void **state)
{
	lab_text("d/.git/HEAD", A "\n");
	assert_sha("d", A);
	lab_text("d/.git/HEAD", C "\n");
	assert_sha("d", C);
}

static void
test_worktree(void **state)
{
	lab_text("w/.git/HEAD", "ref: refs/heads/main\n");
	lab_text("w/.git/refs/heads/main", A "\n");
	lab_text("w/.git/refs/heads/topic", B "\n");
	lab_text("w/.git/worktrees/t/HEAD", "ref: refs/heads/topic\n");
	lab_text("w/.git/worktrees/t/commondir", "../..\n");
	lab_text("t/.git", "gitdir: ../w/.git/worktrees/t\n");
	assert_sha("t", B);
	lab_text("t/.git", "gitdir: /nonexistent\n");
	assert_sha("t", "");
}

static void
test_nothing(void **state)
{
	lab_text("n/.git/HEAD", "ref: refs/heads/unborn\n");
	assert_sha("n", "");
	lab_text("n/.git/HEAD", "ref: ../../secret\n");
	assert_sha("n", "");
	lab_text("n/.git/HEAD", "ref: refs/../../secret\n");
	lab_text("n/secret", A "\n");
	assert_sha("n", "");
	lab_text("n/.git/HEAD", "ref: refs/heads/a\n");
	lab_text("n/.git/refs/heads/a", "ref: refs/heads/a\n");
	assert_sha("n", "");
	lab_text("n/.git/refs/heads/a", "not a sha\n");
	assert_sha("n", "");
	lab_text("n/.git/HEAD", "");
	assert_sha("n", "");
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test(test_loose),
		cmocka_unit_test(test_packed),
		cmocka_unit_test(test_detached),
		cmocka_unit_test(test_worktree),
		cmocka_unit_test(test_nothing),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, lab_setup, lab_teardown);
}
