/*
 * writer.c: what the archive tests cannot show: space that runs out, and a
 * staging directory in which somebody else has planted something.
 */
/* LINK: updaterd/unpack/writer.o updaterd/unpack/report.o updaterd/unpack/entry.o updaterd/unpack/names.o updaterd/unpack/manifest.o updaterd/unpack/manifest_io.o common/compat/beneath-linux.o common/compat/beneath-walk.o common/proto.o common/util.o common/error.o common/log.o common/compat/imsg.o */
/* LIBS: -lcrypto */
#include <sys/resource.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "beneath.h"
#include "util.h"
#include "writer.h"

static char		top[64], dir[80];
static struct unpack	u;
static struct writer	w;

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

static int
setup(void **state)
{
	char	 path[96];

	umask(0);
	snprintf(top, sizeof(top), "/tmp/test_writer.XXXXXX");
	if (mkdtemp(top) == NULL)
		return -1;
	snprintf(dir, sizeof(dir), "%s/stage", top);
	snprintf(path, sizeof(path), "%s/manifest", top);
	memset(&u, 0, sizeof(u));
	u.limits.max_files = 5000;
	u.limits.max_bytes = 1 << 20;
	if (mkdir(dir, 0755) == -1 ||
	    (u.root = open(dir, O_RDONLY | O_DIRECTORY)) == -1 ||
	    (u.manifest_fd = open(path, O_RDWR | O_CREAT, 0600)) == -1)
		return -1;
	u.names = names_new();
	u.md = EVP_MD_CTX_new();
	EVP_DigestInit_ex(u.md, EVP_sha256(), NULL);
	u.manifest = manifest_writer_new(u.manifest_fd);
	writer_init(&w, &u);
	return 0;
}

static int
teardown(void **state)
{
	if (w.dirfd != -1)
		close(w.dirfd);
	if (w.fd != -1)
		close(w.fd);
	close(u.root);
	close(u.manifest_fd);
	names_free(u.names);
	EVP_MD_CTX_free(u.md);
	manifest_writer_free(u.manifest);
	return nftw(top, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static enum upd_error
file(const char *path, const char *text)
{
	enum upd_error	 error;

	if ((error = writer_file(&w, path, 0, strlen(text))) != UPD_OK ||
	    (error = writer_data(&w, text, strlen(text))) != UPD_OK)
		return error;
	return writer_end(&w);
}

static void
makes(void **state)
{
	struct stat	 st;

	assert_int_equal(file("a/b/c", "text"), UPD_OK);
	assert_int_equal(writer_dir(&w, "a/b"), UPD_OK);
	assert_int_equal(writer_dir(&w, ""), UPD_OK);
	assert_int_equal(writer_symlink(&w, "a/l", "b/c"), UPD_OK);
	assert_int_equal(writer_file(&w, "x", 1, 0), UPD_OK);
	assert_int_equal(writer_end(&w), UPD_OK);
	assert_int_equal(writer_copy(&w, "h", "x"), UPD_OK);
	assert_int_equal(fstatat(u.root, "h", &st, 0), 0);
	assert_int_equal(st.st_mode, S_IFREG | 0755);
	assert_int_equal(st.st_nlink, 1);
	assert_int_equal(fstatat(u.root, "a/b", &st, 0), 0);
	assert_int_equal(st.st_mode, S_IFDIR | 0755);
	assert_int_equal(fstatat(u.root, "a/b/c", &st, 0), 0);
	assert_int_equal(st.st_mode, S_IFREG | 0644);
	assert_int_equal(u.done.files, 3);
	assert_int_equal(u.done.entries, 6);
	assert_int_equal(u.done.bytes, 4);
}

static void
wrong_size(void **state)
{
	assert_int_equal(writer_file(&w, "f", 0, 3), UPD_OK);
	assert_int_equal(writer_data(&w, "four", 4), UPD_EFORMAT);
	close(w.fd);
	assert_int_equal(writer_file(&w, "g", 0, 5), UPD_OK);
	assert_int_equal(writer_data(&w, "four", 4), UPD_OK);
	assert_int_equal(writer_end(&w), UPD_EFORMAT);
}

static void
no_space(void **state)
{
	u.limits.reserve_blocks = 1ULL << 62;
	assert_int_equal(file("f", "text"), UPD_ENOSPACE);
	assert_non_null(strstr(u.fail.text, " free, "));
	assert_non_null(strstr(u.fail.text, " must stay free"));
	assert_string_equal(u.fail.path, "f");
}

static void
no_inodes(void **state)
{
	u.limits.reserve_inodes = 1ULL << 62;
	assert_int_equal(writer_dir(&w, "d"), UPD_ENOSPACE);
	assert_non_null(strstr(u.fail.text, "inodes free"));
}

/* It looks again from time to time, not only at the beginning. */
static void
space_runs_out(void **state)
{
	char	 path[32];
	int	 i;

	for (i = 0; i < 10; i++) {
		snprintf(path, sizeof(path), "f%d", i);
		assert_int_equal(file(path, "x"), UPD_OK);
	}
	u.limits.reserve_inodes = 1ULL << 62;
	for (; i < 2000; i++) {
		snprintf(path, sizeof(path), "f%d", i);
		if (file(path, "x") == UPD_ENOSPACE)
			break;
	}
	assert_in_range(i, 900, 1100);
}

/* A file that is known not to fit is not begun. */
static void
large_file(void **state)
{
	u.limits.max_bytes = UINT64_MAX;
	assert_int_equal(writer_file(&w, "f", 0, 1ULL << 59), UPD_ENOSPACE);
	assert_int_equal(faccessat(u.root, "f", F_OK, 0), -1);
}

static void
file_too_large(void **state)
{
	struct rlimit	 old, rl;
	enum upd_error	 error;

	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	rl = old;
	rl.rlim_cur = 2;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &rl), 0);
	error = file("f", "text");
	setrlimit(RLIMIT_FSIZE, &old);
	assert_int_equal(error, UPD_ELIMIT);
	assert_int_equal(u.fail.sys_errno, EFBIG);
}

/* The unpack user's other processes, if it had any, gain nothing. */
static void
planted(void **state)
{
	struct stat	 st;

	assert_int_equal(symlinkat(top, u.root, "d"), 0);
	assert_int_equal(writer_dir(&w, "d"), UPD_EIO);
	assert_int_equal(writer_dir(&w, "e"), UPD_OK);
	assert_int_equal(file("other/f", "x"), UPD_OK);
	assert_int_equal(unlinkat(u.root, "e", AT_REMOVEDIR), 0);
	assert_int_equal(symlinkat("..", u.root, "e"), 0);
	assert_int_equal(file("e/pwned", "x"), UPD_EIO);
	assert_true(u.fail.sys_errno == ELOOP || u.fail.sys_errno == ENOTDIR);
	/* a file that is there is not opened */
	assert_int_equal(symlinkat("../pwned", u.root, "f"), 0);
	assert_int_equal(file("f", "x"), UPD_EIO);
	assert_int_equal(u.fail.sys_errno, EEXIST);
	assert_int_equal(fstatat(u.root, "../pwned", &st, 0), -1);
}

static void
beneath(void **state)
{
	int	 (*const opens[])(int, const char *, int, mode_t) = {
		beneath_open, beneath_walk
	};
	int	 (*open1)(int, const char *, int, mode_t);
	size_t	 i;
	int	 fd;

	assert_int_equal(file("a/b/c", "text"), UPD_OK);
	assert_int_equal(symlinkat("a", u.root, "l"), 0);
	assert_int_equal(symlinkat("c", u.root, "a/b/l"), 0);
	for (i = 0; i < 2; i++) {
		open1 = opens[i];
		fd = open1(u.root, "a/b/c", O_RDONLY, 0);
		assert_int_not_equal(fd, -1);
		assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
		close(fd);
		fd = open1(u.root, ".", O_RDONLY | O_DIRECTORY, 0);
		assert_int_not_equal(fd, -1);
		close(fd);
		assert_int_equal(open1(u.root, "l/b/c", O_RDONLY, 0), -1);
		assert_true(errno == ELOOP || errno == ENOTDIR);
		assert_int_equal(open1(u.root, "a/b/l", O_RDONLY, 0), -1);
		assert_int_equal(errno, ELOOP);
		assert_int_equal(open1(u.root, "..", O_RDONLY, 0), -1);
		assert_int_equal(errno, EXDEV);
		assert_int_equal(open1(u.root, "a/../..", O_RDONLY, 0), -1);
		assert_int_equal(errno, EXDEV);
		assert_int_equal(open1(u.root, "/", O_RDONLY, 0), -1);
		assert_int_equal(errno, EXDEV);
		assert_int_equal(open1(u.root, "a/x", O_RDONLY, 0), -1);
		assert_int_equal(errno, ENOENT);
	}
}

int
main(void)
{
#define T(f)	cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest	 tests[] = {
		T(makes), T(wrong_size), T(no_space), T(no_inodes),
		T(space_runs_out), T(large_file), T(file_too_large),
		T(planted), T(beneath)
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
