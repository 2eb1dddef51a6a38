/*
 * One-shot commands: their result, what they are given, and that nothing
 * of them is left.
 */
/* LINK: updaterd/parent/command.o updaterd/parent/contain.o updaterd/parent/identity.o updaterd/parent/launch.o updaterd/parent/reap.o updaterd/parent/utf8.o common/util.o common/log.o common/compat/contain-linux.o common/compat/osproc-linux.o common/compat/pidwatch-linux.o */
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <errno.h>
#include <event.h>
#include <fcntl.h>
#include <sched.h>
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

#include "../../updaterd/parent/contain.h"
#include "../../updaterd/parent/reap.h"
#include "../../updaterd/parent/service.h"
#include "log.h"
#include "util.h"

static char	 dir[] = "/tmp/test_command.XXXXXX";
static int	 dirfd;

static struct {
	int	 calls;
	int	 status;
	int	 timed_out;
	char	*output;
	char	 text[UPD_TEXT_SIZE];
} got;

static void
done(void *arg, const struct command_result *r)
{
	got.calls++;
	got.status = r->status;
	got.timed_out = r->timed_out;
	free(got.output);
	got.output = strdup(r->output);
	strlcpy(got.text, r->text, sizeof(got.text));
}

static void
tick(int fd, short what, void *arg)
{
}

/* Loop until it was told, or for that long. */
static void
loop(int ms, int until_told)
{
	struct timeval	 tv = { 0, 5000 };
	struct event	 ev;
	uint64_t	 end = time_mono_ms() + (uint64_t)ms;

	evtimer_set(&ev, tick, NULL);
	while (time_mono_ms() < end && !(until_told && got.calls > 0)) {
		evtimer_add(&ev, &tv);
		event_loop(EVLOOP_ONCE);
	}
	evtimer_del(&ev);
}

static struct command_conf	 conf;
static struct args		 argv;

/* Words are separated by '~'. */
static struct command *
start(const char *words)
{
	static char	 copy[1024];
	static char	*v[16];
	char		*p = copy, *w;

	strlcpy(copy, words, sizeof(copy));
	argv.n = 0;
	argv.v = v;
	while ((w = strsep(&p, "~")) != NULL)
		v[argv.n++] = w;
	v[argv.n] = NULL;
	conf.argv = &argv;
	conf.dirfd = dirfd;
	if (conf.tail == 0)
		conf.tail = 4096;
	got.calls = 0;
	return command_start(&conf, done, NULL);
}

static void
run(const char *words)
{
	assert_non_null(start(words));
	assert_int_equal(got.calls, 0);
	loop(10000, 1);
	assert_int_equal(got.calls, 1);
}

static void
script(const char *name, const char *text, mode_t mode)
{
	int	 fd;

	fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert_int_equal(write_all(fd, text, strlen(text)), 0);
	fchmod(fd, mode);
	close(fd);
}

static int
exists(const char *name)
{
	return faccessat(dirfd, name, F_OK, 0) == 0;
}

static void
test_results(void **state)
{
	run("/bin/sh~-c~echo out; echo err >&2; exit 3");
	assert_true(WIFEXITED(got.status));
	assert_int_equal(WEXITSTATUS(got.status), 3);
	assert_string_equal(got.text, "exited 3");
	assert_string_equal(got.output, "out\nerr\n");
	assert_int_equal(got.timed_out, 0);
	run("/bin/sh~-c~kill -9 $$");
	assert_string_equal(got.text, "killed by signal 9");
	assert_true(WIFSIGNALED(got.status));
	run("/bin/true");
	assert_int_equal(got.status, 0);
	assert_string_equal(got.output, "");
}

static void
test_not_executable(void **state)
{
	script("plain", "#!/bin/sh\n", 0644);
	script("nothing", "\x7f" "ELF", 0755);
	run("./nowhere");
	assert_int_equal(got.status, -1);
	assert_string_equal(got.text,
	    "cannot execute ./nowhere: No such file or directory");
	run("./plain");
	assert_int_equal(got.status, -1);
	assert_string_equal(got.text,
	    "cannot execute ./plain: Permission denied");
	run("./nothing");
	assert_int_equal(got.status, -1);
	assert_string_equal(got.text,
	    "cannot execute ./nothing: Exec format error");
	conf.user = "no-such-user-here";
	run("/bin/true");
	conf.user = NULL;
	assert_int_equal(got.status, -1);
	assert_string_equal(got.text, "no such user: no-such-user-here");
}

/* Without a slash: in the directory first, then along PATH. */
static void
test_lookup(void **state)
{
	run("uname");
	assert_int_equal(got.status, 0);
	assert_string_equal(got.output, "Linux\n");
	script("uname", "#!/bin/sh\necho mine; pwd\n", 0755);
	run("uname");
	assert_int_equal(strncmp(got.output, "mine\n/tmp/test_command.", 23),
	    0);
	unlinkat(dirfd, "uname", 0);
	mkdirat(dirfd, "bin", 0755);
	script("bin/x", "#!/bin/sh\necho deep\n", 0755);
	run("bin/x");
	assert_string_equal(got.output, "deep\n");
}

static void
test_surroundings(void **state)
{
	char	*v[] = { "A=1", "PATH=/opt:/bin:/usr/bin",
		    "UPDATERD_BOX=mine", NULL };
	struct args	 env = { v, 3 };

	setenv("LEAK", "yes", 1);
	run("/bin/sh~-c~ls /proc/self/fd; echo; echo $LEAK,$HOME,$PATH; "
	    "readlink /proc/self/fd/0; ps -o sid= -p $$ | tr -d ' ' | "
	    "grep -x $$ >/dev/null && echo leader; umask; "
	    "i=$(sed -n 's/SigIgn:.//p' /proc/self/status); "
	    "b=$(sed -n 's/SigBlk:.//p' /proc/self/status); "
	    "echo $((0x$i & 0x7fffffff)) $((0x$b & 0x7fffffff))");
	/* 3: the directory that ls itself reads; 32 and 33 are libc's own */
	assert_string_equal(got.output, "0\n1\n2\n3\n\n,/,/usr/local/sbin:"
	    "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n/dev/null\n"
	    "leader\n0022\n0 0\n");
	conf.environment = &env;
	run("/bin/sh~-c~echo $A,$PATH,$UPDATERD_BOX");
	conf.environment = NULL;
	assert_int_equal(strncmp(got.output,
	    "1,/opt:/bin:/usr/bin,updaterd-", 30), 0);
}

static void
test_user(void **state)
{
	conf.user = "nobody";
	run("/bin/sh~-c~id -u; id -G; id -g; echo $USER");
	conf.user = NULL;
	assert_string_equal(got.output, "65534\n65534\n65534\nnobody\n");
	conf.uid = 12345;
	conf.gid = 12346;
	run("/bin/sh~-c~id -u; id -G; echo $HOME");
	assert_string_equal(got.output, "12345\n12346\n/\n");
	/* not a place for that user */
	fchmod(dirfd, 0700);
	run("/bin/true");
	fchmod(dirfd, 0755);
	conf.uid = conf.gid = 0;
	assert_int_equal(got.status, -1);
	assert_string_equal(got.text, "cannot enter the directory of "
	    "/bin/true: Permission denied");
}

static void
test_timeout(void **state)
{
	uint64_t	 t = time_mono_ms();

	conf.timeout_ms = 100;
	run("/bin/sh~-c~trap '' TERM INT; echo begun; sleep 100; echo no");
	conf.timeout_ms = 0;
	assert_true(time_mono_ms() - t < 5000);
	assert_int_equal(got.timed_out, 1);
	assert_string_equal(got.text, "timed out after 100 ms");
	assert_string_equal(got.output, "begun\n");
}

/* Children in the group, in a session of their own, and orphans; all of
 * them hold the pipe, and would write a file half a second later. */
static void
test_nothing_left(void **state)
{
	uint64_t	 t = time_mono_ms();

	run("/bin/sh~-c~(sleep 0.5; touch left1) & "
	    "setsid sh -c 'sleep 0.5; touch left2' & "
	    "(setsid sh -c 'sleep 0.5; touch left3' &) ; sleep 0.1; exit 0");
	assert_int_equal(got.status, 0);
	assert_true(time_mono_ms() - t < 450);
	loop(700, 0);
	assert_false(exists("left1"));
	assert_false(exists("left2"));
	assert_false(exists("left3"));
}

static void
test_cancel(void **state)
{
	struct command	*c;

	c = start("/bin/sh~-c~sleep 0.3; touch left1");
	assert_non_null(c);
	command_cancel(c);
	loop(500, 0);
	assert_int_equal(got.calls, 0);
	assert_false(exists("left1"));
	c = start("/bin/sh~-c~(sleep 0.4; touch left1) & exec sleep 10");
	loop(100, 0);
	command_cancel(c);
	loop(500, 0);
	assert_int_equal(got.calls, 0);
	assert_false(exists("left1"));
	/* never started: cancelled before it could be told */
	conf.user = "no-such-user-here";
	c = start("/bin/true");
	conf.user = NULL;
	command_cancel(c);
	loop(50, 0);
	assert_int_equal(got.calls, 0);
	command_cancel(NULL);
}

static void
test_output(void **state)
{
	char	 all[32];
	size_t	 i;

	/* just as much as is kept: all of it, in order */
	conf.tail = 20;
	run("/bin/sh~-c~printf 0123456789abcdefghij");
	assert_string_equal(got.output, "0123456789abcdefghij");
	run("/bin/sh~-c~printf 0123456789; sleep 0.05; printf abcdefghijk");
	assert_string_equal(got.output, "0123456789\n"
	    "[... 1 bytes left out ...]\nbcdefghijk");
	conf.tail = 4096;
	run("/bin/sh~-c~head -c 3000000 /dev/zero | tr '\\0' x; echo end");
	assert_true(strlen(got.output) < 4200);
	assert_non_null(strstr(got.output, "left out"));
	assert_string_equal(got.output + strlen(got.output) - 5, "xend\n");
	run("/bin/sh~-c~printf 'a\\377b\\000c'");
	assert_string_equal(got.output, "a\xef\xbf\xbd" "bc");
	/* half a dozen at once, each with its own */
	for (i = 0; i < 6; i++) {
		snprintf(all, sizeof(all), "/bin/sh~-c~echo %zu", i);
		assert_non_null(start(all));
	}
	while (got.calls < 6)
		loop(20, 0);
	conf.tail = 0;
}

/* The same where there is no cgroup v2; the last test, there is no way back. */
static void
test_without_box(void **state)
{
	struct contain	 c;

	if (unshare(CLONE_NEWNS) == -1 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == -1)
		skip();
	while (umount2("/sys/fs/cgroup/unified", MNT_DETACH) == 0 ||
	    umount2("/sys/fs/cgroup", MNT_DETACH) == 0)
		;
	contain_initcommand(&c, 1000);
	contain_prepare(&c);
	assert_string_equal(contain_levelname(c.level), "subreaper");
	contain_close(&c);
	test_nothing_left(state);
	test_timeout(state);
	test_cancel(state);
}

static int
setup(void **state)
{
	log_init("test_command", 0, 0);
	event_init();
	reap_init();
	if (mkdtemp(dir) == NULL || chmod(dir, 0755) == -1)
		return -1;
	contain_setup(dir);
	dirfd = open(dir, O_RDONLY | O_DIRECTORY);
	return dirfd == -1 ? -1 : 0;
}

static int
teardown(void **state)
{
	unlinkat(dirfd, "plain", 0);
	unlinkat(dirfd, "nothing", 0);
	unlinkat(dirfd, "bin/x", 0);
	unlinkat(dirfd, "bin", AT_REMOVEDIR);
	close(dirfd);
	free(got.output);
	return rmdir(dir);
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test(test_results),
		cmocka_unit_test(test_not_executable),
		cmocka_unit_test(test_lookup),
		cmocka_unit_test(test_surroundings),
		cmocka_unit_test(test_user),
		cmocka_unit_test(test_timeout),
		cmocka_unit_test(test_nothing_left),
		cmocka_unit_test(test_cancel),
		cmocka_unit_test(test_output),
		cmocka_unit_test(test_without_box),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, setup, teardown);
}
