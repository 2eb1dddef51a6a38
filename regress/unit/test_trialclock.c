/*
 * trialclock.c: what becomes of the time of a trial over restarts of the
 * daemon and the host, by a clock and a boot id of our own.
 */
/* LINK: updaterd/parent/trialclock.o */
/* LIBS: -ljansson */
#include <sys/types.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "proto.h"
#include "reap.h"
#include "trialclock.h"
#include "util.h"

static const char	*boot;
static uint64_t		 now;		/* ms */
static struct journal	 j;
static char		 text[UPD_TEXT_SIZE];

const char *
boot_id(void)
{
	return boot;
}

uint64_t
time_mono_ms(void)
{
	return now;
}

/* A trial that has just begun. */
static void
begin(uint32_t confirm_ms, uint32_t probation_ms)
{
	boot = "first";
	now = 5000;
	text[0] = '\0';
	memset(&j, 0, sizeof(j));
	strcpy(j.to, "r2");
	j.confirm_ms = confirm_ms;
	j.probation_ms = probation_ms;
	trialclock_set(&j);
}

static void
test_left(void **state)
{
	now = 1000;
	assert_int_equal(trialclock_leftms(0), 0);
	assert_int_equal(trialclock_leftms(999), 0);
	assert_int_equal(trialclock_leftms(1000), 0);
	assert_int_equal(trialclock_leftms(1001), 1);
	assert_int_equal(trialclock_left(1001), 1);
	assert_int_equal(trialclock_left(2000), 1);
	assert_int_equal(trialclock_left(2001), 2);
	assert_int_equal(trialclock_leftms(UINT64_MAX), UINT32_MAX);
	assert_int_equal(trialclock_left(UINT64_MAX), UINT32_MAX / 1000 + 1);
}

static void
test_begins(void **state)
{
	begin(100, 0);
	assert_true(j.confirm_at == 5100 && j.probation_at == 0);
	assert_string_equal(j.boot, "first");
	assert_int_equal(trialclock_isover(&j), 0);
	begin(0, 200);
	assert_true(j.confirm_at == 0 && j.probation_at == 5200);
	assert_int_equal(trialclock_isover(&j), 0);
	begin(0, 0);
	assert_int_equal(trialclock_isover(&j), 1);
}

/* The daemon is away for a while: the time counts. */
static void
test_same_boot(void **state)
{
	begin(100, 300);
	j.at_rest = 1;
	now += 99;
	assert_int_equal(trialclock_wind(&j, text), TRIAL_OPEN);
	assert_int_equal(trialclock_leftms(j.confirm_at), 1);
	/* The next end of the daemon has to say so itself. */
	assert_int_equal(j.at_rest, 0);
	assert_int_equal(j.outages, 0);
	now++;
	assert_int_equal(trialclock_wind(&j, text), TRIAL_LAPSED);
	assert_string_equal(text, "release r2 was not confirmed in time");
	begin(0, 300);
	now += 299;
	assert_int_equal(trialclock_wind(&j, text), TRIAL_OPEN);
	now++;
	assert_int_equal(trialclock_wind(&j, text), TRIAL_OVER);
	assert_int_equal(j.probation_ms, 0);
	/* A confirmation is waited for though the probation has passed. */
	begin(300, 100);
	now += 200;
	assert_int_equal(trialclock_wind(&j, text), TRIAL_OPEN);
	assert_true(j.probation_at == 0 && j.confirm_at != 0);
}

/* In good order: what was left, as often as that happens. */
static void
test_good_order(void **state)
{
	static const char *const	 boots[] = { "second", "third",
					    "fourth" };
	size_t				 i;

	begin(100, 300);
	for (i = 0; i < sizeof(boots) / sizeof(boots[0]); i++) {
		j.confirm_ms = 40;
		j.probation_ms = 240;
		j.at_rest = 1;
		boot = boots[i];
		now = 7;
		assert_int_equal(trialclock_wind(&j, text), TRIAL_OPEN);
		assert_true(j.confirm_at == 47 && j.probation_at == 247);
		assert_int_equal(j.outages, 0);
		assert_int_equal(j.at_rest, 0);
		assert_string_equal(j.boot, boots[i]);
	}
	/* Without one behind it the next is no good order. */
	boot = "fifth";
	assert_int_equal(trialclock_wind(&j, text), TRIAL_OPEN);
	assert_int_equal(j.outages, 1);
}

/* Otherwise: the whole time once more, and then no more. */
static void
test_outage(void **state)
{
	begin(100, 0);
	now += 90;
	boot = "second";
	assert_int_equal(trialclock_wind(&j, text), TRIAL_OPEN);
	assert_int_equal(trialclock_leftms(j.confirm_at), 100);
	boot = "third";
	assert_int_equal(trialclock_wind(&j, text), TRIAL_LAPSED);
	assert_string_equal(text, "the host went down again while release r2 "
	    "was on trial");
}

/* Where the system has no id of a boot, each start is another one. */
static void
test_unknown_boot(void **state)
{
	begin(100, 0);
	boot = "unknown";
	trialclock_set(&j);
	assert_int_equal(trialclock_wind(&j, text), TRIAL_OPEN);
	assert_int_equal(j.outages, 1);
	assert_int_equal(trialclock_wind(&j, text), TRIAL_LAPSED);
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test(test_left),
		cmocka_unit_test(test_begins),
		cmocka_unit_test(test_same_boot),
		cmocka_unit_test(test_good_order),
		cmocka_unit_test(test_outage),
		cmocka_unit_test(test_unknown_boot)
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
