/*
 * Buffers, the tail ring, durable writes, links, time.
 */
/* LINK: common/util.o common/log.o */
#include <sys/types.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "log.h"
#include "util.h"

static char	dir[64];
static int	dirfd_;

static int
setup(void **state)
{
	strlcpy(dir, "/tmp/test_util.XXXXXX", sizeof(dir));
	if (mkdtemp(dir) == NULL)
		return -1;
	dirfd_ = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return dirfd_ == -1 ? -1 : 0;
}

static int
teardown(void **state)
{
	struct dirent	*de;
	DIR		*d;

	if ((d = opendir(dir)) == NULL)
		return -1;
	while ((de = readdir(d)) != NULL)
		if (de->d_name[0] != '.' || strlen(de->d_name) > 2)
			if (unlinkat(dirfd_, de->d_name, 0) == -1)
				unlinkat(dirfd_, de->d_name, AT_REMOVEDIR);
	closedir(d);
	close(dirfd_);
	return rmdir(dir);
}

static int
entries(void)
{
	struct dirent	*de;
	DIR		*d;
	int		 n = 0;

	assert_non_null(d = opendir(dir));
	while ((de = readdir(d)) != NULL)
		if (strcmp(de->d_name, ".") != 0 &&
		    strcmp(de->d_name, "..") != 0)
			n++;
	closedir(d);
	return n;
}

static void
assert_content(const char *name, const char *want)
{
	size_t	 len;
	char	*s;

	assert_non_null(s = file_read(dirfd_, name, 4096, &len));
	assert_int_equal(len, strlen(want));
	assert_string_equal(s, want);
	free(s);
}

static void
bufs(void **state)
{
	struct buf	 b = { NULL, 0, 0 };
	int		 i;

	buf_reset(&b);
	assert_int_equal(buf_add(&b, NULL, 0), 0);
	assert_string_equal(b.data, "");
	assert_int_equal(buf_add(&b, "a\0b", 3), 0);
	assert_memory_equal(b.data, "a\0b", 4);
	buf_reset(&b);
	for (i = 0; i < 10000; i++)
		assert_int_equal(buf_printf(&b, "%04d", i), 0);
	assert_int_equal(b.len, 40000);
	assert_string_equal(b.data + 39996, "9999");
	assert_int_equal(buf_add(&b, b.data, SIZE_MAX - 5), -1);
	assert_int_equal(b.len, 40000);
	buf_free(&b);
	assert_null(b.data);
	buf_free(&b);
}

static void
tails(void **state)
{
	struct tail	 t;
	size_t		 len, cap, step, i;
	char		 ref[64], *s;

	/* Against the obvious model, for every capacity and step. */
	for (i = 0; i < sizeof(ref); i++)
		ref[i] = (char)('!' + i);
	for (cap = 0; cap <= 17; cap++)
		for (step = 1; step <= 40; step++) {
			assert_int_equal(tail_init(&t, cap), 0);
			for (i = 0; i + step <= sizeof(ref); i += step)
				tail_add(&t, ref + i, step);
			assert_non_null(s = tail_get(&t, &len));
			assert_int_equal(len, i < cap ? i : cap);
			assert_memory_equal(s, ref + i - len, len);
			assert_int_equal(s[len], '\0');
			free(s);
			tail_clear(&t);
			assert_non_null(s = tail_get(&t, &len));
			assert_int_equal(len, 0);
			free(s);
			tail_free(&t);
			tail_free(&t);
		}
}

static void
write_new_and_over(void **state)
{
	struct stat	 st;
	mode_t		 old;

	old = umask(077);
	assert_int_equal(file_write(dirfd_, "f", "one", 3, 0644), 0);
	umask(old);
	assert_int_equal(fstatat(dirfd_, "f", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0644);
	assert_content("f", "one");
	assert_int_equal(file_write(dirfd_, "f", "two", 3, 0600), 0);
	assert_content("f", "two");
	assert_int_equal(file_write(dirfd_, "f", "", 0, 0600), 0);
	assert_content("f", "");
	assert_int_equal(entries(), 1);
}

static void
write_over_leftovers(void **state)
{
	/* What an earlier crash, or somebody else, left there. */
	assert_int_equal(symlinkat("/etc/passwd", dirfd_, ".f.tmp"), 0);
	assert_int_equal(file_write(dirfd_, "f", "new", 3, 0644), 0);
	assert_content("f", "new");
	assert_int_equal(entries(), 1);
}

static void
write_fails_old_stays(void **state)
{
	struct rlimit	 rl, old;
	static char	 big[65536];
	char		 name[256];

	assert_int_equal(file_write(dirfd_, "f", "old", 3, 0644), 0);
	/* In the middle of the contents. */
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	rl = old;
	rl.rlim_cur = 1000;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &rl), 0);
	assert_int_equal(file_write(dirfd_, "f", big, sizeof(big), 0644), -1);
	assert_int_equal(errno, EFBIG);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_content("f", "old");
	assert_int_equal(entries(), 1);
	/* At the rename. */
	assert_int_equal(mkdirat(dirfd_, "d", 0755), 0);
	assert_int_equal(file_write(dirfd_, "d", "x", 1, 0644), -1);
	assert_int_equal(entries(), 2);
	/* Names that are none. */
	assert_int_equal(file_write(dirfd_, "a/b", "x", 1, 0644), -1);
	assert_int_equal(file_write(dirfd_, "", "x", 1, 0644), -1);
	memset(name, 'n', sizeof(name));
	name[255] = '\0';
	assert_int_equal(file_write(dirfd_, name, "x", 1, 0644), -1);
	assert_int_equal(errno, ENAMETOOLONG);
	assert_int_equal(entries(), 2);
}

static void
reading(void **state)
{
	size_t	 len;
	char	*s;

	assert_int_equal(file_write(dirfd_, "f", "12345", 5, 0644), 0);
	assert_non_null(s = file_read(dirfd_, "f", 5, &len));
	assert_int_equal(len, 5);
	free(s);
	assert_null(file_read(dirfd_, "f", 4, &len));
	assert_int_equal(errno, EFBIG);
	assert_null(file_read(dirfd_, "none", 4, &len));
	assert_int_equal(errno, ENOENT);
	assert_int_equal(symlinkat("f", dirfd_, "l"), 0);
	assert_null(file_read(dirfd_, "l", 100, &len));
	assert_int_equal(errno, ELOOP);
	assert_int_equal(mkfifoat(dirfd_, "p", 0600), 0);
	assert_null(file_read(dirfd_, "p", 100, &len));	/* does not hang */
	assert_int_equal(errno, EINVAL);
	assert_null(file_read(dirfd_, ".", 100, &len));
	assert_int_equal(errno, EINVAL);
}

static void
reading_pipe(void **state)
{
	static char	 big[20000];
	size_t		 len;
	int		 p[2], cut;
	char		*s;

	memset(big, 'x', sizeof(big));
	for (cut = 0; cut < 2; cut++) {
		assert_int_equal(pipe(p), 0);
		assert_int_equal(write_all(p[1], big, sizeof(big)), 0);
		close(p[1]);
		s = fd_read(p[0], sizeof(big) - (size_t)cut, &len);
		if (cut) {
			assert_null(s);
			assert_int_equal(errno, EFBIG);
		} else {
			assert_non_null(s);
			assert_int_equal(len, sizeof(big));
			assert_memory_equal(s, big, len);
			assert_int_equal(s[len], '\0');
		}
		free(s);
		close(p[0]);
	}
}

static void
links(void **state)
{
	char	 target[64];
	ssize_t	 n;

	assert_int_equal(link_swap(dirfd_, "cur", "releases/a"), 0);
	assert_int_equal(link_swap(dirfd_, "cur", "releases/b"), 0);
	n = readlinkat(dirfd_, "cur", target, sizeof(target) - 1);
	assert_true(n > 0);
	target[n] = '\0';
	assert_string_equal(target, "releases/b");
	assert_int_equal(entries(), 1);
	assert_int_equal(mkdirat(dirfd_, "d", 0755), 0);
	assert_int_equal(link_swap(dirfd_, "d", "x"), -1);
	assert_int_equal(entries(), 2);
}

static void
times(void **state)
{
	static const int64_t	 secs[] = { 0, -1, 951782399, 951782400,
				    951868800, 1776548421, 4102444800LL,
				    1709164800, 1709251200, -2203891200LL,
				    253402300799LL };
	char			 s[40], want[40];
	struct tm		 tm;
	time_t			 t;
	int64_t			 day;
	size_t			 i;

	for (i = 0; i < sizeof(secs) / sizeof(secs[0]); i++) {
		t = (time_t)secs[i];
		gmtime_r(&t, &tm);
		strftime(want, sizeof(want), "%Y-%m-%dT%H:%M:%S", &tm);
		time_iso(secs[i] * 1000000 + 123456, s, sizeof(s));
		assert_int_equal(strncmp(s, want, 19), 0);
		assert_string_equal(s + 19, ".123456+00:00");
		strftime(want, sizeof(want), "%Y%m%dT%H%M%SZ", &tm);
		time_compact(secs[i] * 1000000, s, sizeof(s));
		assert_string_equal(s, want);
	}
	for (day = -36525; day < 3 * 36525; day++) {
		t = (time_t)(day * 86400);
		gmtime_r(&t, &tm);
		strftime(want, sizeof(want), "%Y%m%dT%H%M%SZ", &tm);
		time_compact(day * 86400 * 1000000, s, sizeof(s));
		assert_string_equal(s, want);
	}
	assert_true(time_mono_ms() > 0);
	assert_true(time_real_us() > 1700000000LL * 1000000);
}

static void
sizes(void **state)
{
	static const struct {
		uint64_t	 n;
		const char	*want;
	} t[] = {
		{ 0, "0 B" }, { 999, "999 B" }, { 1000, "1.0 KB" },
		{ 1049, "1.0 KB" }, { 1050, "1.1 KB" },
		{ 66500000, "66.5 MB" }, { 999949, "999.9 KB" },
		{ 999950, "1.0 MB" }, { 4294967296ULL, "4.3 GB" },
		{ UINT64_MAX, "18.4 EB" }
	};
	char	 s[16];
	size_t	 i;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		fmt_bytes(t[i].n, s, sizeof(s));
		assert_string_equal(s, t[i].want);
	}
}

static void
flags(void **state)
{
	int	 p[2];

	assert_int_equal(pipe(p), 0);
	assert_int_equal(fd_nonblock(p[0]), 0);
	assert_int_equal(fd_cloexec(p[0]), 0);
	assert_true(fcntl(p[0], F_GETFL) & O_NONBLOCK);
	assert_true(fcntl(p[0], F_GETFD) & FD_CLOEXEC);
	close(p[0]);
	close(p[1]);
	assert_int_equal(fd_nonblock(p[0]), -1);
	assert_int_equal(fd_cloexec(p[0]), -1);
}

/* Who chooses a name in a text cannot forge a line. */
static void
log_lines(void **state)
{
	static char	 huge[10000];
	char		*s, *nl;
	int		 p[2], err;
	size_t		 len;

	memset(huge, 'h', sizeof(huge) - 1);
	assert_int_equal(pipe(p), 0);
	err = dup(STDERR_FILENO);
	dup2(p[1], STDERR_FILENO);
	close(p[1]);
	log_init("updaterd", 1, 0);
	log_procname("net");
	errno = ENOENT;
	log_warn("open %s", "a\n2026 forged\033[2J\177");
	assert_int_equal(errno, ENOENT);
	log_info("not shown");
	log_debug("not shown");
	log_setverbose(1);
	log_info("shown");
	log_setverbose(0);
	errno = EIO;
	log_warn("%s", huge);
	dup2(err, STDERR_FILENO);
	close(err);
	assert_non_null(s = fd_read(p[0], 20000, &len));
	close(p[0]);
	assert_non_null(strstr(s, "Z updaterd[net]: open a\\0122026 forged"
	    "\\033[2J\\177: No such file or directory\n"));
	assert_null(strstr(s, "not shown"));
	assert_non_null(strstr(s, "updaterd[net]: shown\n"));
	assert_int_equal(s[len - 1], '\n');
	assert_non_null(strstr(s, "hhh: Input/output error\n"));
	for (len = 0, nl = s; (nl = strchr(nl, '\n')) != NULL; nl++)
		len++;
	assert_int_equal(len, 3);
	free(s);
}

#define D(f)	cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test(bufs), cmocka_unit_test(tails),
		D(write_new_and_over), D(write_over_leftovers),
		D(write_fails_old_stays), D(reading),
		cmocka_unit_test(reading_pipe), D(links),
		cmocka_unit_test(times), cmocka_unit_test(sizes),
		cmocka_unit_test(flags), cmocka_unit_test(log_lines)
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
