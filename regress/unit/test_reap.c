/*
 * Every exit is collected and told once, with its status; of processes
 * that are not ours, too.
 */
/* LINK: updaterd/parent/reap.o common/compat/pidwatch-linux.o common/compat/osproc-linux.o common/util.o common/log.o */
#include <sys/types.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <errno.h>
#include <event.h>
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

#include "parent/reap.h"

#define PATIENCE_S	20

static int	calls, status;
static pid_t	pid;

static void
told(void *arg, pid_t p, int st)
{
	assert_ptr_equal(arg, &calls);
	calls++;
	pid = p;
	status = st;
	event_loopbreak();
}

static void
too_late(int fd, short ev, void *arg)
{
	*(int *)arg = 1;
	event_loopbreak();
}

/* Run the loop until told() was called that often. */
static void
wait_calls(int n)
{
	struct timeval	 tv = { PATIENCE_S, 0 };
	struct event	 ev;
	int		 late = 0;

	evtimer_set(&ev, too_late, &late);
	evtimer_add(&ev, &tv);
	while (calls < n && !late)
		event_dispatch();
	evtimer_del(&ev);
	assert_int_equal(calls, n);
}

static pid_t
spawn(int code, int sig)
{
	pid_t	 p;

	if ((p = fork()) == 0) {
		if (sig != 0) {
			signal(sig, SIG_DFL);
			raise(sig);
		}
		_exit(code);
	}
	assert_true(p > 1);
	return p;
}

static void
statuses(void **state)
{
	pid_t	 p;

	calls = 0;
	p = spawn(0, 0);
	assert_int_equal(reap_add(p, told, &calls), 0);
	wait_calls(1);
	assert_int_equal(pid, p);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	p = spawn(78, 0);
	assert_int_equal(reap_add(p, told, &calls), 0);
	wait_calls(2);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 78);
	p = spawn(0, SIGKILL);
	assert_int_equal(reap_add(p, told, &calls), 0);
	wait_calls(3);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void
many_at_once(void **state)
{
	pid_t	 p[100];
	int	 i;

	calls = 0;
	for (i = 0; i < 100; i++) {
		p[i] = spawn(i, 0);
		assert_int_equal(reap_add(p[i], told, &calls), 0);
	}
	wait_calls(100);
	/* All of them collected: none is left to wait for. */
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

static void
forgotten_and_unknown(void **state)
{
	pid_t	 a, b, c;

	calls = 0;
	a = spawn(1, 0);		/* never registered */
	b = spawn(2, 0);
	assert_int_equal(reap_add(b, told, &calls), 0);
	reap_del(b);
	reap_del(b);
	c = spawn(3, 0);
	assert_int_equal(reap_add(c, told, &calls), 0);
	wait_calls(1);
	assert_int_equal(pid, c);
	while (waitpid(-1, NULL, 0) > 0)
		continue;
	assert_int_equal(kill(a, 0), -1);
	assert_int_equal(kill(b, 0), -1);
}

static void
again(void *arg, pid_t p, int st)
{
	told(arg, p, st);
	if (calls < 3)
		assert_int_equal(reap_add(spawn(calls, 0), again, arg), 0);
}

static void
restart_in_callback(void **state)
{
	calls = 0;
	assert_int_equal(reap_add(spawn(0, 0), again, &calls), 0);
	wait_calls(3);
	assert_int_equal(WEXITSTATUS(status), 2);
}

/* An orphan of a child of ours becomes ours, and is no zombie then. */
static void
subreaper(void **state)
{
	int	 p[2], gate[2];
	pid_t	 child, orphan = 0;
	char	 c;

	calls = 0;
	assert_int_equal(pipe(p), 0);
	assert_int_equal(pipe(gate), 0);
	if ((child = fork()) == 0) {
		close(gate[1]);
		if ((orphan = fork()) == 0)
			_exit((int)read(gate[0], &c, 1));
		if (write(p[1], &orphan, sizeof(orphan)) == -1)
			_exit(1);
		_exit(0);
	}
	close(p[1]);
	close(gate[0]);
	assert_int_equal(read(p[0], &orphan, sizeof(orphan)),
	    sizeof(orphan));
	close(p[0]);
	assert_int_equal(reap_add(child, told, &calls), 0);
	wait_calls(1);
	assert_int_equal(reap_add(orphan, told, &calls), 0);
	close(gate[1]);
	wait_calls(2);
	assert_int_equal(pid, orphan);
}

/* A process that is not our child: its parent is a helper, which collects
 * it or not. */
static pid_t
stranger(int code, int collect, int *gate, pid_t *helper)
{
	int	 in[2], out[2], st;
	pid_t	 p;
	char	 c;

	assert_int_equal(pipe(in), 0);
	assert_int_equal(pipe(out), 0);
	if ((*helper = fork()) == 0) {
		/* Not to outlive a test that fails. */
		prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
		close(in[1]);
		if ((p = fork()) == 0) {
			close(out[1]);
			_exit(read(in[0], &c, 1) == 1 ? code : 99);
		}
		if (write(out[1], &p, sizeof(p)) == -1)
			_exit(1);
		if (collect)
			waitpid(p, &st, 0);
		pause();
		_exit(0);
	}
	close(in[0]);
	close(out[1]);
	assert_int_equal(read(out[0], &p, sizeof(p)), sizeof(p));
	close(out[0]);
	*gate = in[1];
	return p;
}

static void
watch(int collect)
{
	struct pidwatch	*w;
	pid_t		 p, helper;
	int		 gate;

	calls = 0;
	p = stranger(42, collect, &gate, &helper);
	assert_true(pid_starttime(p) > 0);
	assert_non_null(w = pidwatch_add(p, told, &calls));
	assert_int_equal(write(gate, "x", 1), 1);
	wait_calls(1);
	assert_int_equal(pid, p);
	/* Known, or (a quick reaper on a kernel before 6.15) not: never
	 * wrong. */
	if (!collect || status != -1)
		assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 42);
	assert_true(pid_starttime(p) == 0);
	close(gate);
	kill(helper, SIGKILL);
	assert_int_equal(reap_add(helper, told, &calls), 0);
	wait_calls(2);
}

static void
watch_zombie(void **state)
{
	watch(0);
}

static void
watch_collected(void **state)
{
	watch(1);
}

static void
watch_cancelled(void **state)
{
	struct pidwatch	*w;
	pid_t		 p, helper;
	int		 gate;

	calls = 0;
	p = stranger(1, 1, &gate, &helper);
	assert_non_null(w = pidwatch_add(p, told, &calls));
	pidwatch_del(w);
	pidwatch_del(NULL);
	assert_int_equal(write(gate, "x", 1), 1);
	close(gate);
	kill(helper, SIGKILL);
	assert_int_equal(reap_add(helper, told, &calls), 0);
	wait_calls(1);
	assert_int_equal(pid, helper);
}

static void
watch_nobody(void **state)
{
	pid_t	 p = spawn(0, 0);

	waitpid(p, NULL, 0);
	assert_null(pidwatch_add(p, told, &calls));
	assert_int_equal(errno, ESRCH);
	assert_true(pid_starttime(p) == 0);
	assert_true(pid_starttime(0) == 0);
	assert_true(pid_starttime(-1) == 0);
}

static void
identity(void **state)
{
	uint64_t	 t = pid_starttime(getpid());
	char		 odd[16] = ") Z 1 (";

	assert_true(t > 0);
	/* A name that would mislead a careless reader of the file. */
	prctl(PR_SET_NAME, odd, 0, 0, 0);
	assert_true(pid_starttime(getpid()) == t);
	assert_true(strlen(boot_id()) > 0);
	assert_true(strlen(boot_id()) <= 40);
	assert_null(strchr(boot_id(), '\n'));
	assert_ptr_equal(boot_id(), boot_id());
}

static pid_t	 early;

/* One that has ended before anybody listened; start() has forked it. */
static void
ended_before(void **state)
{
	assert_true(early > 1);
	assert_int_equal(waitpid(early, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

static int
start(void **state)
{
	siginfo_t	 info;

	if ((early = fork()) == 0)
		_exit(0);
	if (early == -1 || waitid(P_PID, (id_t)early, &info,
	    WEXITED | WNOWAIT) == -1)
		return -1;
	event_init();
	reap_init();
	return 0;
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test(ended_before),
		cmocka_unit_test(statuses), cmocka_unit_test(many_at_once),
		cmocka_unit_test(forgotten_and_unknown),
		cmocka_unit_test(restart_in_callback),
		cmocka_unit_test(subreaper),
		cmocka_unit_test(watch_zombie),
		cmocka_unit_test(watch_collected),
		cmocka_unit_test(watch_cancelled),
		cmocka_unit_test(watch_nobody), cmocka_unit_test(identity)
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, start, NULL);
}
