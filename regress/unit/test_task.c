/*
 * A task's result arrives whole or as UPD_ECHILD; it holds no descriptor
 * but those it was given.
 */
/* LINK: updaterd/parent/task.o updaterd/parent/reap.o common/compat/osproc-linux.o common/util.o common/log.o */
#include <sys/types.h>

#include <errno.h>
#include <event.h>
#include <fcntl.h>
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
#include "parent/reap.h"
#include "parent/task.h"

#define PATIENCE_S	20

static int			 calls;
static struct task_result	 got;
static struct task		*in_done;

static void
done(void *arg, const struct task_result *res)
{
	assert_ptr_equal(arg, &calls);
	got = *res;
	calls++;
	task_cancel(in_done);		/* harmless there */
	event_loopbreak();
}

static void
too_late(int fd, short ev, void *arg)
{
	*(int *)arg = 1;
	event_loopbreak();
}

static void
run(void (*work)(void *, struct task_result *), void *arg, const int *keep,
    int nkeep)
{
	struct timeval	 tv = { PATIENCE_S, 0 };
	struct event	 ev;
	int		 late = 0;

	calls = 0;
	in_done = task_start("test", work, arg, keep, nkeep, done, &calls);
	assert_non_null(in_done);
	evtimer_set(&ev, too_late, &late);
	evtimer_add(&ev, &tv);
	while (calls == 0 && !late)
		event_dispatch();
	evtimer_del(&ev);
	assert_int_equal(calls, 1);
}

static void
work_good(void *arg, struct task_result *res)
{
	res->bytes = 1ULL << 40;
	res->files = *(int *)arg;
	snprintf(res->text, sizeof(res->text), "all well");
}

static void
good(void **state)
{
	int	 n = 17;

	run(work_good, &n, NULL, 0);
	assert_int_equal(got.error, UPD_OK);
	assert_true(got.bytes == 1ULL << 40);
	assert_int_equal(got.files, 17);
	assert_string_equal(got.text, "all well");
}

static void
work_error(void *arg, struct task_result *res)
{
	res->error = UPD_EENTRY;
	res->sys_errno = EIO;
	/* No NUL at all: it comes back with one. */
	memset(res->text, 't', sizeof(res->text));
	memset(res->path, 'p', sizeof(res->path));
}

static void
error(void **state)
{
	run(work_error, NULL, NULL, 0);
	assert_int_equal(got.error, UPD_EENTRY);
	assert_int_equal(got.sys_errno, EIO);
	assert_int_equal(strlen(got.text), sizeof(got.text) - 1);
	assert_int_equal(strlen(got.path), sizeof(got.path) - 1);
}

static void
work_die(void *arg, struct task_result *res)
{
	kill(getpid(), SIGKILL);
}

static void
work_exit(void *arg, struct task_result *res)
{
	_exit(0);
}

static void
work_odd(void *arg, struct task_result *res)
{
	res->error = 4711;
}

static void
lost(void **state)
{
	run(work_die, NULL, NULL, 0);
	assert_int_equal(got.error, UPD_ECHILD);
	assert_non_null(strstr(got.text, "signal 9"));
	run(work_exit, NULL, NULL, 0);
	assert_int_equal(got.error, UPD_ECHILD);
	run(work_odd, NULL, NULL, 0);
	assert_int_equal(got.error, UPD_ECHILD);
}

static void
work_fds(void *arg, struct task_result *res)
{
	int	 fd;

	for (fd = 0; fd < 1024; fd++)
		if (fcntl(fd, F_GETFD) != -1)
			res->files++;
	res->bytes = fcntl(*(int *)arg, F_GETFD) != -1;
}

static void
descriptors(void **state)
{
	int	 fd[8], i;

	for (i = 0; i < 8; i++)
		fd[i] = open("/dev/null", O_RDONLY);
	/* Far above the pipe. */
	assert_int_equal(dup2(fd[7], 200), 200);
	close(fd[7]);
	fd[7] = 200;
	run(work_fds, &fd[5], &fd[5], 1);
	for (i = 0; i < 8; i++)
		close(fd[i]);
	assert_int_equal(got.bytes, 1);
	assert_int_equal(got.files, 3 + 1 + 1);	/* 0-2, it, the pipe */
}

static void
work_signals(void *arg, struct task_result *res)
{
	struct sigaction	 sa;
	sigset_t		 mask;

	sigaction(SIGCHLD, NULL, &sa);
	res->files = sa.sa_handler == SIG_DFL;
	sigprocmask(SIG_SETMASK, NULL, &mask);
	res->bytes = sigismember(&mask, SIGTERM) == 0;
}

static void
signals(void **state)
{
	sigset_t	 mask;

	run(work_signals, NULL, NULL, 0);
	assert_int_equal(got.files, 1);
	assert_int_equal(got.bytes, 1);
	sigprocmask(SIG_SETMASK, NULL, &mask);
	assert_int_equal(sigismember(&mask, SIGTERM), 0);
}

static void
work_hang(void *arg, struct task_result *res)
{
	for (;;)
		pause();
}

static void
cancel(void **state)
{
	struct task	*t;
	int		 n = 1;

	calls = 0;
	t = task_start("hang", work_hang, NULL, NULL, 0, done, &calls);
	assert_non_null(t);
	task_cancel(t);
	task_cancel(NULL);
	/* Another one comes through; of the first nothing is heard. */
	run(work_good, &n, NULL, 0);
	assert_int_equal(got.error, UPD_OK);
}

static int
start(void **state)
{
	log_init("test", 1, 0);
	event_init();
	reap_init();
	return 0;
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test(good), cmocka_unit_test(error),
		cmocka_unit_test(lost), cmocka_unit_test(descriptors),
		cmocka_unit_test(signals), cmocka_unit_test(cancel)
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, start, NULL);
}
