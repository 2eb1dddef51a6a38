/*
 * Being told that a directory changes: each kind of change, two watches of
 * one directory, the end of the directory, and a queue that overflows.
 */
/* LINK: common/compat/dirwatch-linux.o */
#include <sys/stat.h>

#include <errno.h>
#include <event.h>
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

#include "compat/dirwatch.h"

#define OVERFLOWING	40000	/* changes; the queue holds 16,384 */

static char		 dir[64];
static int		 dirfd_, told, told_b;
static struct dirwatch	*self;

static void
tell(void *arg)
{
	(*(int *)arg)++;
}

static void
tell_once(void *arg)
{
	(*(int *)arg)++;
	dirwatch_del(self);
	self = NULL;
}

static void
turn(void)
{
	event_loop(EVLOOP_ONCE | EVLOOP_NONBLOCK);
}

static void
touch(const char *name)
{
	int	 fd = openat(dirfd_, name, O_WRONLY | O_CREAT, 0600);

	assert_int_not_equal(fd, -1);
	close(fd);
}

static int
setup(void **state)
{
	strlcpy(dir, "/tmp/updwatch.XXXXXX", sizeof(dir));
	if (mkdtemp(dir) == NULL)
		return -1;
	dirfd_ = open(dir, O_RDONLY | O_DIRECTORY);
	told = told_b = 0;
	return dirfd_ == -1 ? -1 : 0;
}

static int
teardown(void **state)
{
	char	 cmd[128];

	close(dirfd_);
	snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	return system(cmd);
}

static void
test_changes(void **state)
{
	struct dirwatch	*w = dirwatch_add(dirfd_, tell, &told);

	assert_non_null(w);
	turn();
	assert_int_equal(told, 0);
	touch("a");
	turn();
	assert_int_equal(told, 1);	/* made and closed: one call */
	assert_int_equal(renameat(dirfd_, "a", dirfd_, "b"), 0);
	turn();
	assert_int_equal(told, 2);
	assert_int_equal(unlinkat(dirfd_, "b", 0), 0);
	turn();
	assert_int_equal(told, 3);
	assert_int_equal(mkdirat(dirfd_, "d", 0700), 0);
	turn();
	assert_int_equal(told, 4);
	dirwatch_del(w);
	touch("c");
	turn();
	assert_int_equal(told, 4);
}

/* A look at who listens is no change; that the FIFO comes and goes is. */
static void
test_ignored(void **state)
{
	struct dirwatch	*w;
	int		 fd, reader;

	w = dirwatch_add(dirfd_, tell, &told);
	assert_non_null(w);
	dirwatch_ignore(w, "control");
	assert_int_equal(mkfifoat(dirfd_, "control", 0600), 0);
	turn();
	assert_int_equal(told, 1);
	reader = openat(dirfd_, "control", O_RDONLY | O_NONBLOCK);
	fd = openat(dirfd_, "control", O_WRONLY | O_NONBLOCK);
	assert_int_not_equal(fd, -1);
	close(fd);
	close(reader);
	turn();
	assert_int_equal(told, 1);
	touch("other");
	turn();
	assert_int_equal(told, 2);
	assert_int_equal(unlinkat(dirfd_, "control", 0), 0);
	turn();
	assert_int_equal(told, 3);
	dirwatch_del(w);
}

static void
test_two(void **state)
{
	struct dirwatch	*a = dirwatch_add(dirfd_, tell, &told);
	struct dirwatch	*b = dirwatch_add(dirfd_, tell, &told_b);

	touch("a");
	turn();
	assert_int_equal(told, 1);
	assert_int_equal(told_b, 1);
	/* the end of one is not that of the other */
	dirwatch_del(a);
	touch("b");
	turn();
	assert_int_equal(told, 1);
	assert_int_equal(told_b, 2);
	dirwatch_del(b);
	dirwatch_del(NULL);
}

static void
test_from_within(void **state)
{
	struct dirwatch	*b;

	self = dirwatch_add(dirfd_, tell_once, &told);
	b = dirwatch_add(dirfd_, tell, &told_b);
	touch("a");
	turn();
	touch("b");
	turn();
	assert_int_equal(told, 1);
	assert_int_equal(told_b, 2);
	dirwatch_del(b);
}

static void
test_gone(void **state)
{
	struct dirwatch	*w;
	int		 fd;

	assert_int_equal(mkdirat(dirfd_, "sub", 0700), 0);
	fd = openat(dirfd_, "sub", O_RDONLY | O_DIRECTORY);
	w = dirwatch_add(fd, tell, &told);
	close(fd);
	assert_non_null(w);
	assert_int_equal(unlinkat(dirfd_, "sub", AT_REMOVEDIR), 0);
	turn();
	assert_true(told >= 1);
	dirwatch_del(w);
	/* no directory */
	fd = openat(dirfd_, "file", O_RDWR | O_CREAT, 0600);
	assert_null(dirwatch_add(fd, tell, &told));
	assert_int_equal(errno, ENOTDIR);
	close(fd);
	assert_null(dirwatch_add(-1, tell, &told));
}

/* Lost events are made good by telling everybody. */
static void
test_overflow(void **state)
{
	struct dirwatch	*a, *b;
	int		 fd, i;

	assert_int_equal(mkdirat(dirfd_, "sub", 0700), 0);
	fd = openat(dirfd_, "sub", O_RDONLY | O_DIRECTORY);
	a = dirwatch_add(dirfd_, tell, &told);
	b = dirwatch_add(fd, tell, &told_b);
	close(fd);
	/* in turn, or the queue takes them for the same */
	for (i = 0; i < OVERFLOWING / 2; i++) {
		touch(i % 2 ? "a" : "b");
		unlinkat(dirfd_, i % 2 ? "a" : "b", 0);
	}
	for (i = 0; i < 2000; i++)
		turn();
	assert_true(told >= 1);
	assert_true(told_b >= 1);
	dirwatch_del(a);
	dirwatch_del(b);
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test_setup_teardown(test_changes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_ignored, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(test_two, setup, teardown),
		cmocka_unit_test_setup_teardown(test_from_within, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(test_gone, setup, teardown),
		cmocka_unit_test_setup_teardown(test_overflow, setup,
		    teardown),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	event_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
