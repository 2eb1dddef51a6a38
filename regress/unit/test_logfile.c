/*
 * What a service writes: the channel, the file and its rotation, and the
 * places where root must not write.
 */
/* LINK: updaterd/parent/logfile.o common/util.o common/log.o common/compat/contain-linux.o */
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <errno.h>
#include <event.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../updaterd/parent/logfile.h"
#include "log.h"

#define NOBODY	65534

static char	 dir[] = "/tmp/test_logfile.XXXXXX";
static int	 dirfd;
static char	 path[64];	/* of the log file */

static off_t
size_of(const char *name)
{
	struct stat	 st;

	return fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == -1 ? -1 :
	    st.st_size;
}

static void
clean(void)
{
	static const char *const names[] = { "a.log", "a.log.1", "a.log.2",
	    "a.log.3", "a.log.4", "log", "other" };
	size_t	 i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		unlinkat(dirfd, names[i], 0);
}

/* One turn of the loop. */
static void
turn(void)
{
	event_loop(EVLOOP_NONBLOCK);
}

static void
test_channel(void **state)
{
	struct capture	 c;
	struct stat	 st;
	char		*text;
	size_t		 len;
	int		 fd;

	assert_int_equal(capture_init(&c), 0);
	assert_int_equal(capture_open(&c, dirfd), 0);
	assert_int_equal(fstatat(dirfd, "log", &st, AT_SYMLINK_NOFOLLOW), 0);
	assert_true(S_ISFIFO(st.st_mode));
	assert_int_equal(st.st_mode & ALLPERMS, 0600);
	fd = capture_writer(&c);
	assert_int_not_equal(fd, -1);
	/* blocking for the service, whatever it is for us */
	assert_int_equal(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
	assert_int_equal(write(fd, "hello\n", 6), 6);
	turn();
	close(fd);
	turn();		/* no end of file, no busy loop */
	fd = capture_writer(&c);
	assert_int_equal(write(fd, "again\n", 6), 6);
	close(fd);
	capture_drain(&c);
	text = tail_get(&c.tail, &len);
	assert_string_equal(text, "hello\nagain\n");
	free(text);
	capture_free(&c);
	clean();
}

/* The next parent reads on where this one was lost. */
static void
test_survives_reader(void **state)
{
	struct capture	 c;
	char		*text;
	size_t		 len;
	int		 fd;

	assert_int_equal(capture_init(&c), 0);
	assert_int_equal(capture_open(&c, dirfd), 0);
	fd = capture_writer(&c);
	capture_free(&c);
	/* SIGPIPE would end this program */
	assert_int_equal(write(fd, "alone\n", 6), 6);
	assert_int_equal(capture_init(&c), 0);
	assert_int_equal(capture_open(&c, dirfd), 0);
	capture_drain(&c);
	text = tail_get(&c.tail, &len);
	assert_string_equal(text, "alone\n");
	free(text);
	close(fd);
	capture_free(&c);
	clean();
}

/* Something else stands in the FIFO's place. */
static void
test_fifo_replaced(void **state)
{
	int	 fd;

	assert_int_equal(symlinkat("/etc/passwd", dirfd, "log"), 0);
	fd = fifo_open(dirfd, "log");
	assert_int_not_equal(fd, -1);
	close(fd);
	assert_int_equal(unlinkat(dirfd, "log", 0), 0);
	assert_int_equal(mkfifoat(dirfd, "log", 0600), 0);
	assert_int_equal(fchmodat(dirfd, "log", 0622, 0), 0);
	fd = fifo_open(dirfd, "log");
	assert_int_not_equal(fd, -1);
	close(fd);
	clean();
}

/* A service that floods gets one read a turn, and waits. */
static void
test_flood(void **state)
{
	static char	 block[4096];
	struct capture	 c;
	uint64_t	 before;
	pid_t		 pid;
	int		 fd, i;

	memset(block, 'x', sizeof(block));
	assert_int_equal(capture_init(&c), 0);
	assert_int_equal(capture_open(&c, dirfd), 0);
	fd = capture_writer(&c);
	if ((pid = fork()) == 0)
		for (;;)
			if (write(fd, block, sizeof(block)) == -1)
				_exit(1);
	for (i = 0; i < 100; i++) {
		before = c.tail.total;
		event_loop(EVLOOP_ONCE);
		assert_true(c.tail.total - before <= 65536);
	}
	/* not for ever, though the writer never stops */
	before = c.tail.total;
	capture_drain(&c);
	assert_true(c.tail.total - before <= 2 * CAPTURE_PIPE);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(fd);
	capture_free(&c);
	clean();
}

static void
write_n(struct logfile *f, size_t n)
{
	char	 data[1024];

	memset(data, 'a', sizeof(data));
	while (n > 0) {
		logfile_write(f, data, n < sizeof(data) ? n : sizeof(data));
		n -= n < sizeof(data) ? n : sizeof(data);
	}
}

static void
test_rotation(void **state)
{
	static char	 large[20000];
	struct logfile	 f;
	struct stat	 st;
	size_t		 n;

	logfile_init(&f);
	assert_int_equal(logfile_set(&f, path, 4096, 2), 0);
	write_n(&f, 4096);
	assert_int_equal(size_of("a.log"), 4096);
	assert_int_equal(size_of("a.log.1"), -1);
	assert_int_equal(fstatat(dirfd, "a.log", &st, 0), 0);
	assert_int_equal(st.st_mode & ALLPERMS, 0600);
	write_n(&f, 1024);
	assert_int_equal(size_of("a.log"), 1024);
	assert_int_equal(size_of("a.log.1"), 4096);
	write_n(&f, 10 * 4096);
	assert_int_equal(size_of("a.log.2"), 4096);
	assert_int_equal(size_of("a.log.3"), -1);
	assert_true(f.dropped == 0);

	/* appended to over a restart, its size known */
	logfile_reopen(&f);
	write_n(&f, 1024);
	assert_int_equal(size_of("a.log"), 2048);

	/* one large write is spread, at the ends of lines */
	memset(large, 'b', sizeof(large));
	for (n = 99; n < sizeof(large); n += 100)
		large[n] = '\n';
	logfile_write(&f, large, sizeof(large));
	assert_true(size_of("a.log") <= 4096);
	assert_int_equal(size_of("a.log.1"), 4000);
	assert_int_equal(size_of("a.log.2"), 4000);

	/* moved away: there again at once */
	renameat(dirfd, "a.log", dirfd, "a.log.away");
	logfile_renew(&f);
	assert_int_equal(size_of("a.log"), 0);
	unlinkat(dirfd, "a.log.away", 0);

	/* keep 0: no old files */
	assert_int_equal(logfile_set(&f, path, 4096, 0), 0);
	unlinkat(dirfd, "a.log.1", 0);
	write_n(&f, 8192);
	assert_int_equal(size_of("a.log.1"), -1);
	assert_true(size_of("a.log") <= 4096);

	assert_int_equal(logfile_set(&f, NULL, 0, 0), 0);
	write_n(&f, 1024);
	logfile_free(&f);
	clean();
}

static void
test_disk_full(void **state)
{
	struct rlimit	 old, small;
	struct logfile	 f;

	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	small = old;
	small.rlim_cur = 2048;
	logfile_init(&f);
	assert_int_equal(logfile_set(&f, path, 1048576, 1), 0);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	write_n(&f, 4096);
	assert_int_equal(size_of("a.log"), 2048);
	assert_true(f.dropped == 2048);
	/* no new attempt at once, and it goes on later */
	write_n(&f, 1024);
	assert_true(f.dropped == 3072);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	f.retry_at = 1;
	write_n(&f, 1024);
	assert_int_equal(size_of("a.log"), 3072);
	assert_true(f.dropped == 0);
	logfile_free(&f);
	clean();
}

/* Nothing may be written through what another user controls. */
static void
refused(const char *name)
{
	struct logfile	 f;
	char		 p[128];

	snprintf(p, sizeof(p), "%s/%s", dir, name);
	logfile_init(&f);
	assert_int_equal(logfile_set(&f, p, 4096, 1), 0);
	write_n(&f, 10);
	assert_true(f.dropped == 10);
	logfile_free(&f);
}

static void
test_places(void **state)
{
	struct logfile	 f;
	char		 p[128];
	int		 fd;

	fd = openat(dirfd, "other", O_WRONLY | O_CREAT, 0600);
	close(fd);
	assert_int_equal(symlinkat("other", dirfd, "a.log"), 0);
	refused("a.log");
	unlinkat(dirfd, "a.log", 0);
	assert_int_equal(linkat(dirfd, "other", dirfd, "a.log", 0), 0);
	refused("a.log");
	unlinkat(dirfd, "a.log", 0);
	assert_int_equal(mkfifoat(dirfd, "a.log", 0600), 0);
	refused("a.log");
	unlinkat(dirfd, "a.log", 0);
	assert_int_equal(size_of("other"), 0);

	assert_int_equal(mkdirat(dirfd, "users", 0755), 0);
	assert_int_equal(fchownat(dirfd, "users", NOBODY, NOBODY, 0), 0);
	assert_int_equal(mkdirat(dirfd, "users/ours", 0755), 0);
	refused("users/a.log");
	refused("users/ours/a.log");
	/* a way around, made by the user */
	snprintf(p, sizeof(p), "users/link");
	assert_int_equal(symlinkat(dir, dirfd, p), 0);
	refused("users/link/a.log");
	/* a symlink in root's own directory, but the user's */
	assert_int_equal(symlinkat(dir, dirfd, "link"), 0);
	assert_int_equal(fchownat(dirfd, "link", NOBODY, NOBODY,
	    AT_SYMLINK_NOFOLLOW), 0);
	refused("link/a.log");
	/* root's own is fine: /var may be elsewhere */
	assert_int_equal(fchownat(dirfd, "link", 0, 0, AT_SYMLINK_NOFOLLOW),
	    0);
	snprintf(p, sizeof(p), "%s/link/a.log", dir);
	logfile_init(&f);
	assert_int_equal(logfile_set(&f, p, 4096, 1), 0);
	write_n(&f, 10);
	assert_true(f.dropped == 0);
	logfile_free(&f);
	/* everybody may write there */
	assert_int_equal(mkdirat(dirfd, "open", 0777), 0);
	assert_int_equal(fchmodat(dirfd, "open", 0777, 0), 0);
	refused("open/a.log");
	/* and somebody was there first */
	assert_int_equal(fchmodat(dirfd, "open", 01777, 0), 0);
	fd = openat(dirfd, "open/a.log", O_WRONLY | O_CREAT, 0600);
	assert_int_equal(fchown(fd, NOBODY, NOBODY), 0);
	close(fd);
	refused("open/a.log");
	refused("nowhere/a.log");

	unlinkat(dirfd, "open/a.log", 0);
	unlinkat(dirfd, "open", AT_REMOVEDIR);
	unlinkat(dirfd, "link", 0);
	unlinkat(dirfd, "users/link", 0);
	unlinkat(dirfd, "users/ours", AT_REMOVEDIR);
	unlinkat(dirfd, "users", AT_REMOVEDIR);
	clean();
}

static int
setup(void **state)
{
	/* What it says while it is refused is not of interest. */
	log_init("test_logfile", 0, 0);
	event_init();
	if (mkdtemp(dir) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/a.log", dir);
	dirfd = open(dir, O_RDONLY | O_DIRECTORY);
	return dirfd == -1 ? -1 : 0;
}

static int
teardown(void **state)
{
	close(dirfd);
	return rmdir(dir);
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test(test_channel),
		cmocka_unit_test(test_survives_reader),
		cmocka_unit_test(test_fifo_replaced),
		cmocka_unit_test(test_flood),
		cmocka_unit_test(test_rotation),
		cmocka_unit_test(test_disk_full),
		cmocka_unit_test(test_places),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, setup, teardown);
}
