/*
 * A process that makes a thread while it locks itself in: both of them are
 * locked in, and there is never a third.
 */
/* LINK: updaterd/sandbox.o common/compat/sandbox-linux.o common/compat/landlock-linux.o common/compat/seccomp-linux.o common/proto.o common/compat/imsg.o common/util.o common/log.o */
/* LIBS: -lpthread */
#include <sys/types.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
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

#include "log.h"
#include "sandbox.h"

#define TEST_ID		64998	/* a user and group that nobody has */
#define NO_THREAD	7	/* exit codes */
#define CAME_BACK	8

static char	empty[64];	/* root's, for chroot */
static int	go[2];		/* a byte: the thread does its thing */
static int	alive[2];	/* a byte: there is a thread */
static int	done[2];	/* a byte: locked in */

enum thing { IDLE, OPEN };
static enum thing	thing;

static void *
thread(void *arg)
{
	char	 c;

	if (write(alive[1], "", 1) == 1 && read(go[0], &c, 1) == 1 &&
	    thing == OPEN)
		(void)open("/", O_RDONLY);
	return NULL;
}

/* As ahead.c does, it waits until the thread has come to life. */
static void
make_thread(void *arg)
{
	char	 c;

	if (pthread_create(arg, NULL, thread, NULL) != 0 ||
	    read(alive[0], &c, 1) != 1)
		_exit(NO_THREAD);
}

static void *
nothing(void *arg)
{
	return arg;
}

/* A child that is locked in with a thread and waits; then ends as fn says. */
static pid_t
child(int (*fn)(pthread_t))
{
	struct sandbox_opts	 o;
	struct msg_ready	 ready;
	pthread_t		 t;
	pid_t			 pid;
	char			 c;

	assert_int_equal(pipe(go), 0);
	assert_int_equal(pipe(alive), 0);
	assert_int_equal(pipe(done), 0);
	if ((pid = fork()) == 0) {
		memset(&o, 0, sizeof(o));
		o.proc = PROC_INFLATE;
		o.uid = o.gid = TEST_ID;
		o.chroot_fd = -1;
		o.chroot = empty;
		o.threads = make_thread;
		o.threads_arg = &t;
		sandbox_enter(&o, &ready);
		if (write(done[1], "", 1) != 1)
			_exit(CAME_BACK);
		_exit(fn(t));
	}
	assert_true(pid > 1);
	close(done[1]);
	close(alive[0]);
	close(alive[1]);
	assert_int_equal(read(done[0], &c, 1), 1);
	return pid;
}

/* The child's wait status, once it is let go. */
static int
let_go(pid_t pid)
{
	int	 st;

	assert_int_equal(write(go[1], "ab", 2), 2);
	assert_int_equal(waitpid(pid, &st, 0), pid);
	close(go[0]);
	close(go[1]);
	close(done[0]);
	return st;
}

static int
joined(pthread_t t)
{
	return pthread_join(t, NULL) == 0 ? 0 : CAME_BACK;
}

/* Only after its thread was let go, so that the test could look. */
static int
one_more(pthread_t t)
{
	pthread_t	 more;
	char		 c;

	if (read(go[0], &c, 1) != 1)
		return CAME_BACK;
	errno = pthread_create(&more, NULL, nothing, NULL);
	return errno == 0 ? CAME_BACK : 0;
}

/* The value of a line of /proc/PID/task/TID/status. */
static void
value(const char *path, const char *key, char *buf, size_t size)
{
	char	 line[256];
	FILE	*f = fopen(path, "r");

	buf[0] = '\0';
	assert_non_null(f);
	while (fgets(line, sizeof(line), f) != NULL)
		if (strncmp(line, key, strlen(key)) == 0) {
			strlcpy(buf, line + strlen(key), size);
			buf[strcspn(buf, "\n")] = '\0';
		}
	fclose(f);
}

static void
test_both_are_locked_in(void **state)
{
	struct dirent	*d;
	DIR		*dir;
	char		 path[512], tasks[64], v[128];
	int		 n = 0;
	pid_t		 pid = child(joined);

	snprintf(tasks, sizeof(tasks), "/proc/%d/task", (int)pid);
	assert_non_null(dir = opendir(tasks));
	while ((d = readdir(dir)) != NULL) {
		if (d->d_name[0] == '.')
			continue;
		n++;
		snprintf(path, sizeof(path), "%s/%s/status", tasks,
		    d->d_name);
		value(path, "Uid:\t", v, sizeof(v));
		assert_string_equal(v, "64998\t64998\t64998\t64998");
		value(path, "Groups:\t", v, sizeof(v));
		assert_string_equal(v, "64998 ");
		value(path, "CapEff:\t", v, sizeof(v));
		assert_string_equal(v, "0000000000000000");
		value(path, "NoNewPrivs:\t", v, sizeof(v));
		assert_string_equal(v, "1");
#ifndef __SANITIZE_ADDRESS__
		value(path, "Seccomp:\t", v, sizeof(v));
		assert_string_equal(v, "2");
#endif
	}
	closedir(dir);
	assert_int_equal(n, 2);
	assert_int_equal(let_go(pid), 0);
}

static void
test_the_thread_cannot_open(void **state)
{
#ifdef __SANITIZE_ADDRESS__
	print_message("# SKIP no seccomp in this build\n");
#else
	int	 st;

	thing = OPEN;
	st = let_go(child(joined));
	thing = IDLE;
	assert_true(WIFSIGNALED(st));
	assert_int_equal(WTERMSIG(st), SIGSYS);
#endif
}

static void
test_there_is_no_third(void **state)
{
	int	 st = let_go(child(one_more));

#ifdef __SANITIZE_ADDRESS__
	assert_int_equal(st, 0);	/* the limit on processes alone */
#else
	assert_true(WIFSIGNALED(st));
	assert_int_equal(WTERMSIG(st), SIGSYS);
#endif
}

static int
setup(void **state)
{
	strlcpy(empty, "/tmp/updthread.XXXXXXXX", sizeof(empty));
	return mkdtemp(empty) == NULL || chmod(empty, 0555) == -1 ? -1 : 0;
}

static int
teardown(void **state)
{
	return rmdir(empty);
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test(test_both_are_locked_in),
		cmocka_unit_test(test_the_thread_cannot_open),
		cmocka_unit_test(test_there_is_no_third),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	if (geteuid() != 0) {
		puts("1..0 # SKIP only root can be locked in");
		return 0;
	}
	log_init("test", 2, 0);
	return cmocka_run_group_tests(tests, setup, teardown);
}
