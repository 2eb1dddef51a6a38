/*
 * The rules of reconciling: whose word counts, what is done, and a line
 * that nobody can forge.
 */
/* LINK: updaterd/parent/plan.o common/profile.o common/util.o common/log.o */
#include <sys/types.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "plan.h"

#define NOW	1000

static void
precedence(void **state)
{
	static const struct {
		int			 ours, desired;
		int64_t			 at;
		enum profile_state	 said;
		enum profile_desired	 wants;
		int64_t			 stamp;
		int			 silent;
		int			 changed, result;
	} cases[] = {
		/* ours, and nothing newer */
		{ 1, 1, 500, PSTATE_STOPPED, PDESIRED_STOPPED, 400, 0, 0, 1 },
		{ 1, 0, 500, PSTATE_RUNNING, PDESIRED_RUNNING, 500, 0, 0, 0 },
		{ 1, 1, 500, PSTATE_STOPPED, PDESIRED_NONE, 900, 0, 0, 1 },
		{ 1, 0, 500, PSTATE_RUNNING, PDESIRED_NONE, 900, 0, 0, 0 },
		{ 1, 1, 500, PSTATE_UNREADABLE, PDESIRED_NONE, 0, 0, 0, 1 },
		/* a newer file */
		{ 1, 1, 500, PSTATE_STOPPED, PDESIRED_STOPPED, 501, 0, 1, 0 },
		{ 1, 0, 500, PSTATE_STOPPED, PDESIRED_RUNNING, 900, 0, 1, 1 },
		{ 1, 1, 500, PSTATE_RUNNING, PDESIRED_RUNNING, 900, 0, 0, 1 },
		{ 1, 1, 500, PSTATE_NONE, PDESIRED_STOPPED, NOW + 1, 0, 1, 0 },
		/* the profile's */
		{ 0, 0, 0, PSTATE_STOPPED, PDESIRED_RUNNING, 1, 0, 1, 1 },
		{ 0, 0, 0, PSTATE_RUNNING, PDESIRED_STOPPED, 1, 1, 1, 0 },
		{ 0, 0, 0, PSTATE_RUNNING, PDESIRED_NONE, 1, 0, 1, 1 },
		{ 0, 0, 0, PSTATE_DRAINING, PDESIRED_NONE, 1, 0, 1, 1 },
		{ 0, 0, 0, PSTATE_DEGRADED, PDESIRED_NONE, 1, 0, 1, 1 },
		{ 0, 0, 0, PSTATE_STARTING, PDESIRED_NONE, 1, 0, 1, 0 },
		{ 0, 0, 0, PSTATE_STARTUP_FAILED, PDESIRED_NONE, 1, 0, 1, 0 },
		{ 0, 0, 0, PSTATE_STOPPED, PDESIRED_NONE, 1, 1, 1, 0 },
		{ 0, 0, 0, PSTATE_INVALID, PDESIRED_NONE, 1, 1, 1, 0 },
		{ 0, 0, 0, PSTATE_UNREADABLE, PDESIRED_NONE, 0, 1, 1, 0 },
		/* nobody's */
		{ 0, 0, 0, PSTATE_NONE, PDESIRED_NONE, 0, 0, 1, 0 },
		{ 0, 0, 0, PSTATE_NONE, PDESIRED_NONE, 0, 1, 1, 1 },
		/* ours is broken */
		{ -1, 0, 0, PSTATE_NONE, PDESIRED_NONE, 0, 1, 1, 0 },
		{ -1, 0, 0, PSTATE_RUNNING, PDESIRED_NONE, 1, 0, 1, 1 },
		{ -1, 0, 0, PSTATE_STOPPED, PDESIRED_RUNNING, 1, 0, 1, 1 }
	};
	struct intent	 in;
	struct word	 w;
	struct wish	 wish;
	size_t		 i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		memset(&in, 0, sizeof(in));
		in.desired = cases[i].desired;
		in.desired_at = cases[i].at;
		w.state = cases[i].said;
		w.desired = cases[i].wants;
		w.stamp = cases[i].stamp;
		if (plan_wish(cases[i].ours, &in, &w, cases[i].silent, NOW,
		    &wish) != cases[i].changed ||
		    wish.desired != cases[i].result)
			fail_msg("case %zu", i);
		assert_int_equal(wish.by != NULL, cases[i].changed);
		/* Never from the future. */
		assert_true(wish.at <= NOW);
	}
	/* Without a file at all. */
	assert_int_equal(plan_wish(0, &in, NULL, 1, NOW, &wish), 1);
	assert_int_equal(wish.desired, 1);
	assert_int_equal(plan_wish(-1, &in, NULL, 1, NOW, &wish), 1);
	assert_int_equal(wish.desired, 0);
}

static void
decisions(void **state)
{
	/* alive leftovers wanted parked waiting enabled release startable
	 * open awaits */
	static const struct {
		struct facts		 f;
		enum plan_action	 a;
		enum plan_reason	 r;
	} cases[] = {
		{ { 1, 0, 1, 0, 0, 1, 1, 1, 0, 0 }, ACTION_ADOPTED,
		    REASON_NONE },
		{ { 1, 0, 0, 0, 0, 1, 1, 1, 0, 0 }, ACTION_STOPPED,
		    REASON_NONE },
		{ { 0, 0, 0, 0, 0, 1, 1, 1, 0, 0 }, ACTION_REGISTERED,
		    REASON_NONE },
		{ { 0, 0, 1, 0, 0, 1, 1, 1, 0, 0 }, ACTION_STARTED,
		    REASON_NONE },
		{ { 0, 1, 1, 0, 0, 1, 1, 1, 0, 0 }, ACTION_STARTED,
		    REASON_LEFTOVERS },
		{ { 0, 0, 1, 1, 0, 1, 1, 1, 0, 0 }, ACTION_REGISTERED,
		    REASON_PARKED },
		{ { 0, 0, 1, 0, 1, 1, 1, 1, 0, 0 }, ACTION_REGISTERED,
		    REASON_DELAY },
		{ { 0, 0, 1, 0, 0, 0, 1, 1, 0, 0 }, ACTION_REGISTERED,
		    REASON_DISABLED },
		{ { 0, 0, 1, 0, 0, 1, 0, 1, 0, 0 }, ACTION_REGISTERED,
		    REASON_NORELEASE },
		{ { 0, 0, 1, 0, 0, 1, 1, 0, 0, 0 }, ACTION_REGISTERED,
		    REASON_NOTHERE },
		{ { 0, 0, 1, 0, 0, 1, 1, 1, 1, 0 }, ACTION_REGISTERED,
		    REASON_VERDICT },
		{ { 0, 0, 1, 0, 0, 1, 1, 1, 0, 1 }, ACTION_REGISTERED,
		    REASON_AWAITS },
		{ { 0, 0, 0, 0, 0, 1, 1, 1, 0, 1 }, ACTION_REGISTERED,
		    REASON_NONE }
	};
	struct intent	 in;
	enum plan_reason r;
	size_t		 i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (plan_decide(&cases[i].f, &r) != cases[i].a ||
		    r != cases[i].r)
			fail_msg("case %zu", i);

	memset(&in, 0, sizeof(in));
	assert_int_equal(plan_prior(0, &in, 0), PRIOR_UNKNOWN);
	assert_int_equal(plan_prior(1, &in, 0), PRIOR_UNKNOWN);
	in.exit_kind = EXIT_CODE;
	assert_int_equal(plan_prior(1, &in, 0), PRIOR_UNCLEAN);
	in.exit_planned = 1;
	assert_int_equal(plan_prior(1, &in, 0), PRIOR_CLEAN);
	in.running = 1;
	assert_int_equal(plan_prior(1, &in, 0), PRIOR_UNCLEAN);
	assert_int_equal(plan_prior(1, &in, 1), PRIOR_UNKNOWN);
}

static void
lines(void **state)
{
	struct plan_line l;
	char		 s[PROFILE_LINE_SIZE], odd[PROFILE_FILE_SIZE];

	setenv("TZ", "UTC0", 1);
	tzset();
	memset(&l, 0, sizeof(l));
	l.profile = "coder";
	l.service = "gateway";
	l.release = "20261122T014955Z-1a2b";
	l.backend = "s6";
	l.boot = "5f0c12ab";
	l.state = PSTATE_RUNNING;
	l.action = ACTION_STARTED;
	l.prior = PRIOR_UNCLEAN;
	l.at = 1795312195LL * 1000000;
	plan_print(&l, s, sizeof(s));
	assert_string_equal(s, "2026-11-22T01:49:55+0000 profile=coder "
	    "prior_state=running action=started prior_exit=unclean "
	    "service=gateway release=20261122T014955Z-1a2b backend=s6 "
	    "boot=5f0c12ab reason=\"-\"");

	l.profile = l.release = "";
	l.state = PSTATE_NONE;
	l.action = ACTION_SKIPPED;
	l.reason = plan_skip(SKIP_NAME);
	l.odd = "a b\n\"profile=x\xff";
	plan_print(&l, s, sizeof(s));
	assert_null(strchr(s, '\n'));
	assert_non_null(strstr(s, " profile=- prior_state=None "));
	assert_non_null(strstr(s, " release=- "));
	assert_non_null(strstr(s, "reason=\"unfit name: "
	    "a%20b%0A%22profile%3Dx%FF\""));

	/* The longest there can be is cut, and still a whole line. */
	memset(odd, '\n', sizeof(odd) - 1);
	odd[sizeof(odd) - 1] = '\0';
	l.odd = odd;
	plan_print(&l, s, sizeof(s));
	assert_true(strlen(s) < sizeof(s) - 1);
	assert_int_equal(s[strlen(s) - 1], '"');
}

static void
names(void **state)
{
	static const char *const good[] = { "a", "0", "coder", "a-b_c", "9x",
	    "defaults" };
	static const char *const bad[] = { "", "default", "-a", "_a", "A",
	    "a.b", "a b", "a/b", ".", "..", ".git", "a\n", "\xc3\xa9", "a%" };
	char		 name[UPD_INSTANCE_SIZE], profile[256];
	size_t		 i;
	int		 s;

	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_int_equal(profile_isvalid(good[i]), 1);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(profile_isvalid(bad[i]), 0);
	/* 200 bytes in all: "svc-" and 196. */
	memset(profile, 'p', sizeof(profile));
	profile[196] = '\0';
	assert_int_equal(profile_instance("svc", profile, name,
	    sizeof(name)), 0);
	assert_int_equal(strlen(name), 200);
	profile[196] = 'p';
	profile[197] = '\0';
	assert_int_equal(profile_instance("svc", profile, name,
	    sizeof(name)), -1);
	assert_int_equal(profile_isfile("SOUL.md"), 1);
	assert_int_equal(profile_isfile("a/b"), 0);
	assert_int_equal(profile_isfile(".."), 0);
	assert_int_equal(profile_isfile(""), 0);
	for (s = PSTATE_STOPPED; s < PSTATE__MAX; s++)
		assert_int_equal(profile_stateof(profile_statename(
		    (enum profile_state)s)), s);
	assert_int_equal(profile_stateof("None"), PSTATE_INVALID);
	assert_int_equal(profile_stateof("running\n"), PSTATE_INVALID);
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test(precedence), cmocka_unit_test(decisions),
		cmocka_unit_test(lines), cmocka_unit_test(names)
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
