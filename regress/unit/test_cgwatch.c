/*
 * cgwatch: a control group that is made is told by its name; the one it is
 * made in need not be there yet, and may go and come back.
 */
/* LINK: common/compat/cgwatch-linux.o common/compat/contain-linux.o common/util.o */
#include <sys/stat.h>

#include <errno.h>
#include <event.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "compat/cgwatch.h"
#include "compat/contain.h"
#include "util.h"

static char	 base[128];	/* of the groups, "/updtest-PID" */
static char	 dir[512];	/* its directory, or "" */
static char	 last[256];
static int	 told, missed;

static void
fn(void *arg, const char *name)
{
	if (name == NULL)
		missed++;
	else {
		strlcpy(last, name, sizeof(last));
		told++;
	}
}

static void
tick(int fd, short what, void *arg)
{
}

#define UNTIL(cond) do {						\
	uint64_t end_ = time_mono_ms() + 10000;				\
	while (!(cond) && time_mono_ms() < end_) {			\
		struct timeval	 tv = { 0, 2000 };			\
		struct event	 ev;					\
		evtimer_set(&ev, tick, NULL);				\
		evtimer_add(&ev, &tv);					\
		event_loop(EVLOOP_ONCE);				\
		evtimer_del(&ev);					\
	}								\
	if (!(cond))							\
		fail_msg("never: %s", #cond);				\
} while (0)

static void
make(const char *name)
{
	char	 path[1024];

	snprintf(path, sizeof(path), "%s%s", dir, name);
	assert_int_equal(mkdir(path, 0755), 0);
}

static void
drop(const char *name)
{
	char	 path[1024];

	snprintf(path, sizeof(path), "%s%s", dir, name);
	assert_int_equal(rmdir(path), 0);
}

static int
setup(void **state)
{
	told = missed = 0;
	snprintf(base, sizeof(base), "/updtest-%d", (int)getpid());
	if (cgroup_path(base, dir, sizeof(dir)) == -1 ||
	    mkdir(dir, 0755) == -1)
		dir[0] = '\0';
	return 0;
}

static int
teardown(void **state)
{
	if (dir[0] != '\0')
		rmdir(dir);
	return 0;
}

static void
there(void **state)
{
	struct cgwatch	*w;

	if (dir[0] == '\0')
		skip();
	w = cgwatch_add(base, fn, NULL);
	assert_non_null(w);
	make("/a.service");
	UNTIL(told == 1);
	assert_string_equal(last, "a.service");
	drop("/a.service");
	make("/b.service");
	UNTIL(told == 2);
	assert_string_equal(last, "b.service");
	drop("/b.service");
	cgwatch_del(w);
	cgwatch_del(NULL);
}

static void
later(void **state)
{
	char		 group[256];
	struct cgwatch	*w;

	if (dir[0] == '\0')
		skip();
	snprintf(group, sizeof(group), "%s/x.slice/x-y.slice", base);
	w = cgwatch_add(group, fn, NULL);
	assert_non_null(w);
	make("/x.slice");
	UNTIL(missed == 1);
	make("/x.slice/x-y.slice");
	UNTIL(missed == 2);
	make("/x.slice/x-y.slice/a.service");
	UNTIL(told == 1);
	assert_string_equal(last, "a.service");
	/* It goes when it is empty, and comes back. */
	drop("/x.slice/x-y.slice/a.service");
	drop("/x.slice/x-y.slice");
	UNTIL(missed >= 3);
	missed = 0;
	make("/x.slice/x-y.slice");
	UNTIL(missed >= 1);
	make("/x.slice/x-y.slice/b.service");
	UNTIL(told == 2);
	assert_string_equal(last, "b.service");
	drop("/x.slice/x-y.slice/b.service");
	drop("/x.slice/x-y.slice");
	drop("/x.slice");
	cgwatch_del(w);
}

static void
odd(void **state)
{
	assert_null(cgwatch_add("no/slash", fn, NULL));
	assert_int_equal(errno, EINVAL);
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test_setup_teardown(there, setup, teardown),
		cmocka_unit_test_setup_teardown(later, setup, teardown),
		cmocka_unit_test(odd)
	};

	event_init();
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
