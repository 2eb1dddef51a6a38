/*
 * walk.c and diff.c: the manifest of a tree, every kind of difference
 * between the two, and what lies between two manifests.
 */
/* LINK: updaterd/unpack/verify.o updaterd/unpack/walk.o updaterd/unpack/diff.o updaterd/unpack/report.o updaterd/unpack/entry.o updaterd/unpack/names.o updaterd/unpack/manifest.o updaterd/unpack/manifest_io.o common/compat/beneath-linux.o common/compat/beneath-walk.o common/proto.o common/util.o common/error.o common/log.o common/compat/imsg.o */
/* LIBS: -lcrypto */
#include <sys/stat.h>

#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "orders.h"
#include "unpack.h"
#include "util.h"

static char	dir[64], manifest[80];
static int	root = -1;
static char	diffs[8192];		/* "+a ~b -c " */
static uint32_t	totals[DIFF__MAX];
static char	faults[8192];		/* "kind path: text\n" .. */
static uint32_t	fault_totals[FAULT__MAX];

static void
took_fault(const struct msg_unpack_fault *m)
{
	size_t	 n = strlen(faults);

	memcpy(fault_totals, m->total, sizeof(fault_totals));
	if (m->path[0] != '\0' && n < sizeof(faults) - 1)
		snprintf(faults + n, sizeof(faults) - n, "%s %s: %s\n",
		    fault_name(m->kind), m->path, m->text);
}

/* In the place of the channel to the parent. */
void
orders_send(struct imsgbuf *ibuf, uint32_t type, const void *p, size_t len)
{
	const struct msg_unpack_diff	*m = p;
	size_t				 n = strlen(diffs);

	if (type == IMSG_UNPACK_FAULT) {
		assert_int_equal(len, sizeof(struct msg_unpack_fault));
		took_fault(p);
		return;
	}
	assert_int_equal(type, IMSG_UNPACK_DIFF);
	assert_int_equal(len, sizeof(*m));
	memcpy(totals, m->total, sizeof(totals));
	if (m->path[0] != '\0' && n < sizeof(diffs) - 1)
		snprintf(diffs + n, sizeof(diffs) - n, "%c%s ",
		    "+~-"[m->kind], m->path);
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

static int
put(const char *name, const char *text, mode_t mode)
{
	int	 fd;

	fd = openat(root, name, O_WRONLY | O_CREAT | O_TRUNC, mode);
	if (fd == -1 || write_all(fd, text, strlen(text)) == -1 ||
	    fchmod(fd, mode) == -1)
		return -1;
	return close(fd);
}

static int
setup(void **state)
{
	umask(022);
	snprintf(dir, sizeof(dir), "/tmp/test_walk.XXXXXX");
	if (mkdtemp(dir) == NULL || chmod(dir, 0755) == -1 ||
	    (root = open(dir, O_RDONLY | O_DIRECTORY)) == -1)
		return -1;
	snprintf(manifest, sizeof(manifest), "%s.mtree", dir);
	if (mkdirat(root, "bin", 0755) || mkdirat(root, "bin/deep", 0755) ||
	    mkdirat(root, "empty", 0755) || put("bin/agent", "agent", 0755) ||
	    put("a b\n", "odd", 0644) || put("bin/deep/f", "", 0644) ||
	    symlinkat("../elsewhere", root, "link") ||
	    symlinkat("bin", root, "dirlink"))
		return -1;
	return 0;
}

static int
teardown(void **state)
{
	close(root);
	unlink(manifest);
	return nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static struct unpack *
begin(enum unpack_mode mode)
{
	static struct unpack	 u;

	EVP_MD_CTX_free(u.md);
	names_free(u.names);
	free(u.buf);
	manifest_writer_free(u.manifest);
	manifest_reader_free(u.reader);
	memset(&u, 0, sizeof(u));
	u.root = root;
	u.in = -1;
	u.limits.mode = mode;
	u.limits.max_files = 1000;
	u.limits.max_bytes = 1000;
	u.buf = malloc(UNPACK_BUF);
	u.names = names_new();
	u.md = EVP_MD_CTX_new();
	EVP_DigestInit_ex(u.md, EVP_sha256(), NULL);
	u.manifest_fd = open(manifest, mode == UNPACK_MANIFEST ?
	    O_RDWR | O_CREAT | O_TRUNC : O_RDONLY, 0644);
	assert_int_not_equal(u.manifest_fd, -1);
	if (mode == UNPACK_MANIFEST)
		u.manifest = manifest_writer_new(u.manifest_fd);
	else
		u.reader = manifest_reader_new(u.manifest_fd);
	return &u;
}

static void
write_manifest(void)
{
	struct unpack	*u = begin(UNPACK_MANIFEST);

	assert_int_equal(unpack_manifest(u), UPD_OK);
	close(u->manifest_fd);
}

static void
expect(const char *path, const char *text)
{
	struct unpack	*u = begin(UNPACK_VERIFY);
	enum upd_error	 error;

	error = unpack_verify(u);
	close(u->manifest_fd);
	if (text == NULL) {
		if (error != UPD_OK)
			fail_msg("%s: %s", u->fail.path, u->fail.text);
		return;
	}
	assert_int_equal(error, UPD_EVERIFY);
	assert_int_equal(u->fail.error, UPD_EVERIFY);
	assert_string_equal(u->fail.path, path);
	if (strstr(u->fail.text, text) == NULL)
		fail_msg("want \"%s\", got \"%s\"", text, u->fail.text);
}

/* All faults at once; those of a whole release are none. */
static const char *
report(int64_t since)
{
	struct unpack	*u = begin(UNPACK_VERIFY);

	memset(faults, 0, sizeof(faults));
	memset(fault_totals, 0xff, sizeof(fault_totals));
	u->limits.report = 1;
	u->limits.since = since;
	assert_int_equal(unpack_verify(u), UPD_OK);
	close(u->manifest_fd);
	return faults;
}

static void
reported(void **state)
{
	struct timespec	 ts;
	int64_t		 sealed;
	struct unpack	*u;
	int		 i;

	write_manifest();
	assert_string_equal(report(0), "");
	for (i = 0; i < FAULT__MAX; i++)
		assert_int_equal(fault_totals[i], 0);
	/* Let the clock of the file system pass this moment. */
	clock_gettime(CLOCK_REALTIME, &ts);
	sealed = (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
	usleep(20000);
	/* What was not touched since is not read. */
	u = begin(UNPACK_VERIFY);
	u->limits.since = sealed;
	assert_int_equal(unpack_verify(u), UPD_OK);
	assert_int_equal(u->done.files, 3);
	assert_int_equal(u->done.bytes, 0);
	close(u->manifest_fd);

	assert_int_equal(put("bin/agent", "agenX", 0755), 0);
	assert_int_equal(put("bin/deep/f", "longer", 0600), 0);
	assert_int_equal(put("new", "", 0644), 0);
	assert_int_equal(fchownat(root, "empty", 1, 2, 0), 0);
	assert_int_equal(unlinkat(root, "a b\n", 0), 0);
	assert_int_equal(unlinkat(root, "link", 0), 0);
	assert_int_equal(mkdirat(root, "link", 0755), 0);
	assert_string_equal(report(sealed),
	    "missing a b\\x0a: missing\n"
	    "owner empty: owner is 1:2, should be 0:0 (root)\n"
	    "changed link: is a dir, should be a link\n"
	    "changed bin/agent: content differs\n"
	    "mode bin/deep/f: mode is 0600, should be 0644\n"
	    "changed bin/deep/f: size is 6, should be 0\n"
	    "extra new: extra\n");
	assert_int_equal(fault_totals[FAULT_CHANGED], 3);
	assert_int_equal(fault_totals[FAULT_EXTRA], 1);
	/* With a time after the change its contents are not read. */
	clock_gettime(CLOCK_REALTIME, &ts);
	assert_null(strstr(report((int64_t)(ts.tv_sec + 10) * 1000000),
	    "content differs"));
}

static void
written(void **state)
{
	static const char	 want[] =
	    "#mtree\n"
	    ". type=dir mode=0755\n"
	    "./a\\040b\\012 type=file mode=0644 size=3 sha256digest="
	    "990cb8ebd0afb7150da453a213036a92f2c05e091df0d803e62d257ea7796c27"
	    "\n";
	struct unpack		*u = begin(UNPACK_MANIFEST);
	char			*s;
	size_t			 n;

	assert_int_equal(unpack_manifest(u), UPD_OK);
	assert_int_equal(u->done.files, 3);
	assert_int_equal(u->done.entries, 8);
	assert_int_equal(u->done.bytes, 8);
	lseek(u->manifest_fd, 0, SEEK_SET);
	s = fd_read(u->manifest_fd, 65536, &n);
	assert_non_null(s);
	/* sorted by bytes, parents first */
	assert_memory_equal(s, want, strlen(want));
	assert_non_null(strstr(s, "\n./bin type=dir mode=0755\n"
	    "./dirlink type=link mode=0777 link=bin\n"
	    "./empty type=dir mode=0755\n"
	    "./link type=link mode=0777 link=../elsewhere\n"
	    "./bin/agent type=file mode=0755 size=5 sha256digest="
	    "d4f0bc5a29de06b510f9aa428f1eedba926012b591fef7a518e776a7c9bd1824"
	    "\n./bin/deep type=dir mode=0755\n"
	    "./bin/deep/f type=file mode=0644 size=0 sha256digest="
	    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	    "\n"));
	free(s);
	close(u->manifest_fd);
	expect("", NULL);
}

static void
content(void **state)
{
	write_manifest();
	put("bin/agent", "tnega", 0755);
	expect("bin/agent", "content differs");
	put("bin/agent", "agents", 0755);
	expect("bin/agent", "size is 6, should be 5");
	put("bin/agent", "agent", 0755);
	expect("", NULL);
}

static void
modes(void **state)
{
	write_manifest();
	(void)!fchmodat(root, "bin/agent", 0600, 0);
	expect("bin/agent", "mode is 0600, should be 0755");
	(void)!fchmodat(root, "bin/agent", 04755, 0);
	expect("bin/agent", "mode is 4755, should be 0755");
	(void)!fchmodat(root, "bin/agent", 0755, 0);
	(void)!fchmodat(root, "empty", 01777, 0);
	expect("empty", "mode is 1777");
	(void)!fchmodat(root, "empty", 0755, 0);
	fchmod(root, 0777);
	expect("", "mode is 0777, should be 0755");
	fchmod(root, 0755);
	expect("", NULL);
}

static void
missing(void **state)
{
	write_manifest();
	unlinkat(root, "bin/agent", 0);
	expect("bin/agent", "missing");
	unlinkat(root, "bin/deep/f", 0);
	unlinkat(root, "bin/deep", AT_REMOVEDIR);
	unlinkat(root, "bin", AT_REMOVEDIR);
	expect("bin", "missing");
}

static void
extra(void **state)
{
	write_manifest();
	put("bin/deep/new\x1b", "x", 0644);
	expect("bin/deep/new\\x1b", "extra");
	unlinkat(root, "bin/deep/new\x1b", 0);
	mkfifoat(root, "fifo", 0644);
	expect("fifo", "extra");
}

static void
types(void **state)
{
	write_manifest();
	unlinkat(root, "bin/agent", 0);
	(void)!symlinkat("../../bin/sh", root, "bin/agent");
	expect("bin/agent", "is a link, should be a file");
	unlinkat(root, "bin/agent", 0);
	mkfifoat(root, "bin/agent", 0755);
	expect("bin/agent", "FIFO");
	unlinkat(root, "bin/agent", 0);
	mkdirat(root, "bin/agent", 0755);
	expect("bin/agent", "is a dir, should be a file");
	unlinkat(root, "bin/agent", AT_REMOVEDIR);
	put("bin/agent", "agent", 0755);
	unlinkat(root, "link", 0);
	(void)!symlinkat("../elsewher", root, "link");
	expect("link", "link target differs");
	/* a directory moved away, a symlink to it in its place */
	unlinkat(root, "link", 0);
	(void)!symlinkat("../elsewhere", root, "link");
	expect("", NULL);
	renameat(root, "bin", root, "nib");
	(void)!symlinkat("nib", root, "bin");
	expect("bin", "is a link, should be a dir");
}

static void
damaged(void **state)
{
	static const char *const	t[][2] = {
		{ "", "does not begin" },
		{ "#mtree\n", "does not name the release" },
		{ "#mtree\n. type=dir mode=0755\nx\n", "line 3" },
		{ "#mtree\n. type=dir mode=0755", "cut short" },
		{ "#mtree\n. type=dir mode=0755\n./../etc type=dir "
		    "mode=0755\n", "bad path" },
		{ "#mtree\n. type=dir mode=0755\n. type=dir mode=0755\n",
		    "named twice" }
	};
	size_t				 i;
	int				 fd;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		fd = open(manifest, O_WRONLY | O_CREAT | O_TRUNC, 0644);
		assert_int_equal(write_all(fd, t[i][0], strlen(t[i][0])), 0);
		close(fd);
		expect("", t[i][1]);
	}
}

static void
limits(void **state)
{
	struct unpack	*u = begin(UNPACK_MANIFEST);

	u->limits.max_files = 7;
	assert_int_equal(unpack_manifest(u), UPD_ELIMIT);
	close(u->manifest_fd);
	u = begin(UNPACK_MANIFEST);
	u->limits.max_bytes = 7;
	assert_int_equal(unpack_manifest(u), UPD_ELIMIT);
	close(u->manifest_fd);
	mkfifoat(root, "fifo", 0644);
	u = begin(UNPACK_MANIFEST);
	assert_int_equal(unpack_manifest(u), UPD_EENTRY);
	assert_string_equal(u->fail.path, "fifo");
	assert_string_equal(u->fail.text, "FIFO");
	close(u->manifest_fd);
}

static void
deep(void **state)
{
	struct unpack	*u;
	char		 p[512] = "d";
	int		 i;

	for (i = 1; i <= 128; i++) {
		assert_int_equal(mkdirat(root, p, 0755), 0);
		strlcat(p, "/d", sizeof(p));
	}
	write_manifest();
	expect("", NULL);
	assert_int_equal(mkdirat(root, p, 0755), 0);
	u = begin(UNPACK_MANIFEST);
	assert_int_equal(unpack_manifest(u), UPD_EENTRY);
	close(u->manifest_fd);
}

static void
diff(void **state)
{
	struct unpack	*u;
	char		 old[96];
	int		 i;

	write_manifest();
	snprintf(old, sizeof(old), "%s.old", dir);
	assert_int_equal(rename(manifest, old), 0);
	put("bin/agent", "other", 0755);
	put("bin/new", "x", 0644);
	unlinkat(root, "a b\n", 0);
	(void)!fchmodat(root, "empty", 0700, 0);
	unlinkat(root, "link", 0);
	(void)!symlinkat("x", root, "link");
	write_manifest();
	u = begin(UNPACK_DIFF);
	u->in = open(old, O_RDONLY);
	diffs[0] = '\0';
	assert_int_equal(unpack_diff(u), UPD_OK);
	assert_string_equal(diffs,
	    "~empty ~link ~bin/agent +bin/new -a b\\x0a ");
	assert_int_equal(totals[DIFF_ADDED], 1);
	assert_int_equal(totals[DIFF_CHANGED], 3);
	assert_int_equal(totals[DIFF_REMOVED], 1);
	/* the same against itself, and against nothing */
	close(u->in);
	close(u->manifest_fd);
	u = begin(UNPACK_DIFF);
	u->in = open(manifest, O_RDONLY);
	diffs[0] = '\0';
	assert_int_equal(unpack_diff(u), UPD_OK);
	for (i = 0; i < DIFF__MAX; i++)
		assert_int_equal(totals[i], 0);
	close(u->in);
	close(u->manifest_fd);
	u = begin(UNPACK_DIFF);
	assert_int_equal(unpack_diff(u), UPD_OK);
	assert_int_equal(totals[DIFF_ADDED], 9);
	close(u->manifest_fd);
	unlink(old);
}

int
main(void)
{
#define T(f)	cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest	 tests[] = {
		T(written), T(content), T(modes), T(missing), T(extra),
		T(types), T(damaged), T(limits), T(deep), T(diff), T(reported)
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
