/*
 * A profile's own state file, whatever is in its place; the reconcile log
 * at the edge of its size.
 */
/* LINK: updaterd/profile/statefile.o updaterd/profile/rlog.o common/profile.o common/util.o common/log.o */
/* LIBS: -ljansson */
#include <sys/types.h>
#include <sys/resource.h>
#include <sys/stat.h>

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

#include "lodge.h"
#include "statefile.h"
#include "util.h"

#define FILE_NAME	"gw_state.json"

static char	 dir[] = "/tmp/test_statefile.XXXXXX";
static int	 fd = -1;

/* profile.c's */
void
lodge_error(struct lodge *l, const char *what, const char *name)
{
	l->done.errors++;
}

static void
parses(void **state)
{
	static const struct {
		const char		*text;
		enum profile_state	 s;
		enum profile_desired	 d;
		int64_t			 stamp;
	} cases[] = {
		{ "", PSTATE_UNREADABLE, PDESIRED_NONE, 0 },
		{ "{", PSTATE_UNREADABLE, PDESIRED_NONE, 0 },
		{ "[]", PSTATE_UNREADABLE, PDESIRED_NONE, 0 },
		{ "\"running\"", PSTATE_UNREADABLE, PDESIRED_NONE, 0 },
		{ "17", PSTATE_UNREADABLE, PDESIRED_NONE, 0 },
		{ "null", PSTATE_UNREADABLE, PDESIRED_NONE, 0 },
		{ "{} x", PSTATE_UNREADABLE, PDESIRED_NONE, 0 },
		{ "{\"gw_state\":\"running\",\"gw_state\":\"stopped\"}",
		    PSTATE_UNREADABLE, PDESIRED_NONE, 0 },
		{ "{\"x\":\"\xff\",\"gw_state\":\"running\"}",
		    PSTATE_UNREADABLE, PDESIRED_NONE, 0 },
		{ "{\"gw_state\":\"a\\u0000b\"}", PSTATE_UNREADABLE,
		    PDESIRED_NONE, 0 },
		{ "{}", PSTATE_NONE, PDESIRED_NONE, 0 },
		{ "{\"other_state\":\"running\"}", PSTATE_NONE,
		    PDESIRED_NONE, 0 },
		{ "{\"gw_state\":1}", PSTATE_INVALID, PDESIRED_NONE, 0 },
		{ "{\"gw_state\":[\"running\"]}", PSTATE_INVALID,
		    PDESIRED_NONE, 0 },
		{ "{\"gw_state\":\"running\\nx\"}", PSTATE_INVALID,
		    PDESIRED_NONE, 0 },
		{ "{\"gw_state\":\"Running\"}", PSTATE_INVALID,
		    PDESIRED_NONE, 0 },
		{ "\xef\xbb\xbf{\"gw_state\":\"running\"}", PSTATE_RUNNING,
		    PDESIRED_NONE, 0 },
		{ "{\r\n\"gw_state\":\r\n\"draining\"}\r\n", PSTATE_DRAINING,
		    PDESIRED_NONE, 0 },
		{ "{\"desired_state\":\"running\",\"timestamp\":2}",
		    PSTATE_NONE, PDESIRED_RUNNING, 2000000 },
		{ "{\"desired_state\":\"stopped\",\"timestamp\":2.5}",
		    PSTATE_NONE, PDESIRED_STOPPED, 2500000 },
		{ "{\"desired_state\":\"maybe\",\"timestamp\":-1}",
		    PSTATE_NONE, PDESIRED_NONE, 0 },
		{ "{\"timestamp\":1e300}", PSTATE_NONE, PDESIRED_NONE, 0 },
		{ "{\"timestamp\":\"1970-01-01T00:00:02Z\"}", PSTATE_NONE,
		    PDESIRED_NONE, 2000000 },
		{ "{\"timestamp\":\"1970-01-01T01:00:02.25+01:00\"}",
		    PSTATE_NONE, PDESIRED_NONE, 2250000 },
		{ "{\"timestamp\":\"yesterday\"}", PSTATE_NONE,
		    PDESIRED_NONE, 0 }
	};
	struct msg_profile_found f;
	size_t			 i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		memset(&f, 0, sizeof(f));
		statefile_parse(cases[i].text, strlen(cases[i].text), "gw",
		    &f);
		if (f.state != cases[i].s || f.desired != cases[i].d ||
		    f.stamp != cases[i].stamp)
			fail_msg("%s: %u %u %lld", cases[i].text, f.state,
			    f.desired, (long long)f.stamp);
	}
}

static void
put(const char *text)
{
	unlinkat(fd, FILE_NAME, 0);
	assert_int_equal(file_write(fd, FILE_NAME, text, strlen(text), 0640),
	    0);
}

static enum profile_state
look(void)
{
	struct msg_profile_found f;

	memset(&f, 0xff, sizeof(f));
	assert_int_equal(statefile_read(fd, "gw", &f), 0);
	return (enum profile_state)f.state;
}

/* No file can be opened, for a moment. */
static void
shortage(rlim_t *was, int on)
{
	struct rlimit	 rl;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &rl), 0);
	if (on)
		*was = rl.rlim_cur;
	rl.rlim_cur = on ? 0 : *was;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &rl), 0);
}

/* An error that passes says nothing of the file, and writes nothing over
 * it. */
static void
passing(void **state)
{
	static const char		 text[] = "{\"gw_state\":\"running\"}";
	struct msg_profile_found	 f;
	struct msg_profile_state	 m;
	rlim_t				 was;
	char				*data;
	size_t				 len;
	int				 r, e, w, we;

	memset(&m, 0, sizeof(m));
	m.state = PSTATE_STOPPED;
	m.desired = PDESIRED_STOPPED;
	put(text);
	shortage(&was, 1);
	r = statefile_read(fd, "gw", &f);
	e = errno;
	w = statefile_write(fd, "gw", &m);
	we = errno;
	shortage(&was, 0);
	assert_int_equal(r, -1);
	assert_int_equal(e, EMFILE);
	assert_int_equal(f.state, PSTATE_UNREADABLE);
	assert_int_equal(f.desired, PDESIRED_NONE);
	assert_int_equal(f.stamp, 0);
	assert_int_equal(w, -1);
	assert_int_equal(we, EMFILE);
	assert_int_equal(look(), PSTATE_RUNNING);
	data = file_read(fd, FILE_NAME, STATEFILE_MAX, &len);
	assert_string_equal(data, text);
	free(data);
	assert_int_equal(unlinkat(fd, FILE_NAME ".bad", 0), -1);
	unlinkat(fd, FILE_NAME, 0);
	/* One that is not there is not known to be so, either. */
	shortage(&was, 1);
	r = statefile_read(fd, "gw", &f);
	shortage(&was, 0);
	assert_int_equal(r, -1);
	assert_int_equal(look(), PSTATE_NONE);
}

static void
kinds_of_errors(void **state)
{
	static const int	 lasting[] = { ENOENT, EACCES, EPERM, ELOOP,
				    EINVAL, EISDIR, EFBIG, ENXIO };
	static const int	 others[] = { EIO, EMFILE, ENFILE, ENOMEM,
				    EINTR, EAGAIN, ESTALE, ETIMEDOUT, ENOSPC,
				    EBUSY };
	size_t			 i;

	for (i = 0; i < sizeof(lasting) / sizeof(lasting[0]); i++)
		assert_int_equal(file_islasting(lasting[i]), 1);
	for (i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		assert_int_equal(file_islasting(others[i]), 0);
}

static void
hostile(void **state)
{
	struct stat	 st;
	int		 big;

	assert_int_equal(look(), PSTATE_NONE);
	put("{\"gw_state\":\"running\"}");
	assert_int_equal(look(), PSTATE_RUNNING);
	assert_int_equal(renameat(fd, FILE_NAME, fd, "real"), 0);
	assert_int_equal(symlinkat("real", fd, FILE_NAME), 0);
	assert_int_equal(look(), PSTATE_UNREADABLE);
	unlinkat(fd, FILE_NAME, 0);
	assert_int_equal(mkfifoat(fd, FILE_NAME, 0644), 0);
	assert_int_equal(look(), PSTATE_UNREADABLE);
	unlinkat(fd, FILE_NAME, 0);
	assert_int_equal(mkdirat(fd, FILE_NAME, 0755), 0);
	assert_int_equal(look(), PSTATE_UNREADABLE);
	unlinkat(fd, FILE_NAME, AT_REMOVEDIR);
	big = openat(fd, FILE_NAME, O_WRONLY | O_CREAT, 0644);
	assert_int_equal(ftruncate(big, 1LL << 30), 0);
	close(big);
	assert_int_equal(look(), PSTATE_UNREADABLE);
	unlinkat(fd, FILE_NAME, 0);
	assert_int_equal(fstatat(fd, "real", &st, 0), 0);
	unlinkat(fd, "real", 0);
}

static void
writes(void **state)
{
	struct msg_profile_state m;
	struct msg_profile_found f;
	struct stat		 a, b;
	char			*data;
	size_t			 len;

	memset(&m, 0, sizeof(m));
	m.state = PSTATE_RUNNING;
	m.desired = PDESIRED_RUNNING;
	m.stamp = 5000000;
	put("{\"z\":{\"a\":[1,null]},\"gw_state\":\"stopped\","
	    "\"timestamp\":\"x\"}");
	assert_int_equal(statefile_write(fd, "gw", &m), 0);
	data = file_read(fd, FILE_NAME, STATEFILE_MAX, &len);
	assert_non_null(data);
	assert_non_null(strstr(data, "\"z\":{\"a\":[1,null]}"));
	/* A text stays a text. */
	assert_non_null(strstr(data, "\"1970-01-01T00:00:05"));
	free(data);
	statefile_read(fd, "gw", &f);
	assert_int_equal(f.state, PSTATE_RUNNING);
	assert_int_equal(f.desired, PDESIRED_RUNNING);
	assert_int_equal(f.stamp, 5000000);
	assert_int_equal(fstatat(fd, FILE_NAME, &a, 0), 0);
	assert_int_equal(a.st_mode & 0777, 0640);
	/* The same again is not written. */
	m.stamp = 6000000;
	assert_int_equal(statefile_write(fd, "gw", &m), 0);
	assert_int_equal(fstatat(fd, FILE_NAME, &b, 0), 0);
	assert_int_equal(a.st_ino, b.st_ino);
	/* What is not to be believed is kept. */
	put("gw_state: running");
	assert_int_equal(statefile_write(fd, "gw", &m), 0);
	assert_int_equal(look(), PSTATE_RUNNING);
	data = file_read(fd, FILE_NAME ".bad", STATEFILE_MAX, &len);
	assert_string_equal(data, "gw_state: running");
	free(data);
	unlinkat(fd, FILE_NAME, 0);
	assert_int_equal(symlinkat("/etc/passwd", fd, FILE_NAME), 0);
	assert_int_equal(statefile_write(fd, "gw", &m), 0);
	assert_int_equal(fstatat(fd, FILE_NAME, &b, AT_SYMLINK_NOFOLLOW), 0);
	assert_true(S_ISREG(b.st_mode));
	unlinkat(fd, FILE_NAME ".bad", 0);
	unlinkat(fd, FILE_NAME, 0);
	/* Nor is what no file can replace in the way. */
	assert_int_equal(mkdirat(fd, FILE_NAME, 0700), 0);
	assert_int_equal(statefile_write(fd, "gw", &m), 0);
	assert_int_equal(look(), PSTATE_RUNNING);
	assert_int_equal(unlinkat(fd, FILE_NAME ".bad", AT_REMOVEDIR), 0);
	unlinkat(fd, FILE_NAME, 0);
}

/* The time of the file where it has none, or one that is yet to come. */
static void
times(void **state)
{
	static const char *const	 texts[] = {
		"{\"desired_state\":\"running\"}",
		"{\"desired_state\":\"running\",\"timestamp\":4102444800}",
		"{\"timestamp\":\"2199-01-01T00:00:00Z\"}"
	};
	static const struct timespec	 past[2] = { { 7, 5000 }, { 7, 5000 } };
	static const struct timespec	 future[2] = { { 4102444800, 0 },
					    { 4102444800, 0 } };
	struct msg_profile_found	 f;
	size_t				 i;

	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		put(texts[i]);
		assert_int_equal(utimensat(fd, FILE_NAME, past, 0), 0);
		statefile_read(fd, "gw", &f);
		assert_int_equal(f.stamp, 7000005);
		assert_int_equal(utimensat(fd, FILE_NAME, future, 0), 0);
		statefile_read(fd, "gw", &f);
		assert_int_equal(f.stamp, 0);
	}
	unlinkat(fd, FILE_NAME, 0);
}

/* A log of that size, then a line; is it rotated? */
static int
rotates(off_t size)
{
	struct lodge	 l;
	struct stat	 st;
	int		 f, r;

	memset(&l, 0, sizeof(l));
	l.logdirfd = fd;
	l.logname = "boot.log";
	l.logfd = -1;
	f = openat(fd, "boot.log", O_WRONLY | O_CREAT | O_TRUNC, 0644);
	assert_int_equal(ftruncate(f, size), 0);
	close(f);
	rlog_line(&l, "one");
	rlog_line(&l, "two");
	rlog_close(&l);
	assert_int_equal(l.done.errors, 0);
	r = fstatat(fd, "boot.log.1", &st, 0) == 0;
	assert_int_equal(fstatat(fd, "boot.log", &st, 0), 0);
	assert_int_equal(st.st_size, (r ? 0 : size) + 8);
	unlinkat(fd, "boot.log.1", 0);
	unlinkat(fd, "boot.log", 0);
	return r;
}

static void
rotation(void **state)
{
	assert_int_equal(rotates(0), 0);
	assert_int_equal(rotates(262143), 0);
	assert_int_equal(rotates(262144), 1);
	assert_int_equal(rotates(262145), 1);
}

static int
setup(void **state)
{
	return mkdtemp(dir) == NULL || (fd = open(dir, O_RDONLY |
	    O_DIRECTORY)) == -1 ? -1 : 0;
}

static int
teardown(void **state)
{
	close(fd);
	return rmdir(dir);
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test(parses), cmocka_unit_test(hostile),
		cmocka_unit_test(passing), cmocka_unit_test(kinds_of_errors),
		cmocka_unit_test(times),
		cmocka_unit_test(writes), cmocka_unit_test(rotation)
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, setup, teardown);
}
