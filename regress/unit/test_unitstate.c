/*
 * unitstate.c: what a real systemctl printed is understood, what none
 * prints is refused, and who ended a unit is told from the times.
 */
/* LINK: updaterd/parent/unitstate.o */
#include <sys/wait.h>

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "unitstate.h"

/* systemd 252, `systemctl show` of two units, one of them not there. */
static const char printed[] =
    "Restart=no\nMainPID=57\nResult=success\nNRestarts=0\n"
    "ExecMainPID=57\n"
    "ExecMainStartTimestampMonotonic=12142401357\n"
    "ExecMainExitTimestampMonotonic=0\nExecMainCode=0\nExecMainStatus=0\n"
    "Slice=system.slice\nInvocationID=648482630843464db37e134fd6d385c6\n"
    "Id=a.service\nLoadState=loaded\nActiveState=active\n"
    "SubState=running\n"
    "ActiveExitTimestampMonotonic=0\nJob=\nNeedDaemonReload=no\n"
    "\n"
    "Restart=no\nMainPID=0\nResult=success\nNRestarts=0\n"
    "ExecMainStartTimestampMonotonic=0\n"
    "ExecMainExitTimestampMonotonic=0\nExecMainCode=0\nExecMainStatus=0\n"
    "Slice=\nInvocationID=\nId=nope.service\nLoadState=not-found\n"
    "ActiveState=inactive\nSubState=dead\n"
    "ActiveExitTimestampMonotonic=0\nJob=17\nNeedDaemonReload=yes\n";

static int
parse(const char *s, struct unitstate *u)
{
	char	*text = strdup(s), *p = text, why[UNITSTATE_WHY];
	int	 r = unitstate_next(&p, u, why);

	free(text);
	return r;
}

static void
real(void **state)
{
	struct unitstate u;
	char		*text = strdup(printed), *p = text;
	char		 why[UNITSTATE_WHY];

	assert_int_equal(unitstate_next(&p, &u, why), 1);
	assert_string_equal(u.id, "a.service");
	assert_int_equal(u.load, UNIT_LOADED);
	assert_int_equal(u.active, UNIT_ACTIVE);
	assert_string_equal(u.sub, "running");
	assert_string_equal(u.result, "success");
	assert_int_equal(u.pid, 57);
	assert_int_equal(u.mainpid, 57);
	assert_true(u.begun == 12142401357ULL);
	assert_string_equal(u.run, "648482630843464db37e134fd6d385c6");
	assert_string_equal(u.slice, "system.slice");
	assert_int_equal(u.stale, 0);
	assert_int_equal(u.job, 0);
	assert_int_equal(u.always, 0);
	assert_int_equal(unitstate_next(&p, &u, why), 1);
	assert_string_equal(u.id, "nope.service");
	assert_int_equal(u.load, UNIT_NOTFOUND);
	assert_int_equal(u.active, UNIT_INACTIVE);
	assert_int_equal(u.pid, 0);
	assert_int_equal(u.stale, 1);
	assert_int_equal(u.job, 1);
	assert_int_equal(unitstate_next(&p, &u, why), 0);
	free(text);
}

#define MUST	"Id=a.service\nLoadState=loaded\nActiveState=active\n" \
		"SubState=running\n"

static void
odd(void **state)
{
	static const char *const bad[] = {
		"garbage\n", "Id\n", "=\n", "Id=a.service\n",
		MUST "Unknown=1\n", MUST "Id=a.service\n",
		MUST "MainPID=-1\n", MUST "MainPID=\n", MUST "MainPID=1x\n",
		MUST "MainPID=99999999999\n", MUST "NRestarts=4294967296\n",
		MUST "ExecMainStatus=0x1\n", MUST "NeedDaemonReload=maybe\n",
		MUST "Job=no\n", MUST "Restart=Always\n",
		MUST "ActiveExitTimestampMonotonic=18446744073709551616\n",
		"Id=a.service\nLoadState=loaded\nActiveState=ACTIVE\n"
		    "SubState=running\n",
		"Id=a.service\nLoadState=loaded\nActiveState=active\n"
		    "SubState=run ning\n",
		"Id=a.service\nLoadState=loaded\nActiveState=active\n"
		    "SubState=abcdefghijklmnopqrstuvwxyzabcdefghijklmn\n"
	};
	struct unitstate u;
	size_t		 i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (parse(bad[i], &u) != -1)
			fail_msg("taken: %s", bad[i]);
	assert_int_equal(parse(MUST, &u), 1);
	assert_int_equal(parse("", &u), 0);
	/* Words of a later systemd are no reason to fail. */
	assert_int_equal(parse("Id=a.service\nLoadState=merged\n"
	    "ActiveState=refreshing\nSubState=new-word\n", &u), 1);
	assert_int_equal(u.load, UNIT_BAD);
	assert_int_equal(u.active, UNIT_RELOADING);
}

/* Neither all processes, nor our group, nor init: never a pid of ours. */
static void
pids(void **state)
{
	struct unitstate u;

	assert_int_equal(parse(MUST "MainPID=0\n", &u), 1);
	assert_int_equal(u.pid, 0);
	assert_int_equal(parse(MUST "MainPID=1\n", &u), 1);
	assert_int_equal(u.pid, 0);
	assert_int_equal(parse(MUST "MainPID=2\n", &u), 1);
	assert_int_equal(u.pid, 2);
	assert_int_equal(parse(MUST "MainPID=0\nExecMainPID=3\n", &u), 1);
	assert_int_equal(u.pid, 0);
	assert_int_equal(u.mainpid, 3);
	assert_int_equal(parse(MUST "ExecMainPID=1\n", &u), 1);
	assert_int_equal(u.mainpid, 0);
}

static void
ends(void **state)
{
	struct unitstate u;
	int		 st;

	assert_int_equal(parse(MUST "ExecMainCode=1\nExecMainStatus=78\n",
	    &u), 1);
	st = unitstate_status(&u);
	assert_true(WIFEXITED(st) && WEXITSTATUS(st) == 78);
	assert_int_equal(parse(MUST "ExecMainCode=2\nExecMainStatus=9\n",
	    &u), 1);
	st = unitstate_status(&u);
	assert_true(WIFSIGNALED(st) && WTERMSIG(st) == SIGKILL &&
	    !WCOREDUMP(st));
	assert_int_equal(parse(MUST "ExecMainCode=3\nExecMainStatus=11\n",
	    &u), 1);
	st = unitstate_status(&u);
	assert_true(WIFSIGNALED(st) && WTERMSIG(st) == SIGSEGV &&
	    WCOREDUMP(st));
	assert_int_equal(parse(MUST "ExecMainCode=0\nExecMainStatus=0\n",
	    &u), 1);
	assert_int_equal(unitstate_status(&u), -1);
	assert_int_equal(parse(MUST "ExecMainCode=1\nExecMainStatus=300\n",
	    &u), 1);
	assert_int_equal(unitstate_status(&u), -1);
}

#define DEAD	"Id=a.service\nLoadState=loaded\nActiveState=inactive\n" \
		"SubState=dead\n"

static void
who(void **state)
{
	struct unitstate u;

	/* The times of a real one that exited 0, ... */
	assert_int_equal(parse(DEAD "ExecMainCode=1\nExecMainStatus=0\n"
	    "ExecMainExitTimestampMonotonic=12224000571\n"
	    "ActiveExitTimestampMonotonic=12224001772\nRestart=no\n", &u), 1);
	assert_int_equal(unitstate_wasstopped(&u), 0);
	/* ... and of one that exited 0 when it was told to stop. */
	assert_int_equal(parse(DEAD "ExecMainCode=1\nExecMainStatus=0\n"
	    "ExecMainExitTimestampMonotonic=12224650768\n"
	    "ActiveExitTimestampMonotonic=12224650571\nRestart=no\n", &u), 1);
	assert_int_equal(unitstate_wasstopped(&u), 1);
	/* At once: it ended first. */
	assert_int_equal(parse(DEAD "ExecMainCode=1\nExecMainStatus=0\n"
	    "ExecMainExitTimestampMonotonic=12224650768\n"
	    "ActiveExitTimestampMonotonic=12224650768\nRestart=no\n", &u), 1);
	assert_int_equal(unitstate_wasstopped(&u), 0);
	/* systemd does not start it again: somebody told it so. */
	assert_int_equal(parse(DEAD
	    "ExecMainExitTimestampMonotonic=12224000571\n"
	    "ActiveExitTimestampMonotonic=12224001772\nRestart=always\n",
	    &u), 1);
	assert_int_equal(unitstate_wasstopped(&u), 1);
	assert_int_equal(parse("Id=a.service\nLoadState=loaded\n"
	    "ActiveState=failed\nSubState=failed\nRestart=always\n", &u), 1);
	assert_int_equal(unitstate_wasstopped(&u), 0);
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test(real),
		cmocka_unit_test(odd),
		cmocka_unit_test(pids),
		cmocka_unit_test(ends),
		cmocka_unit_test(who)
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
