/*
 * A foreign supervisor that does not run yet, and starts what is wanted when
 * it comes.
 */
/* LINK: updaterd/parent/asked.o updaterd/parent/command.o updaterd/parent/contain.o updaterd/parent/death.o updaterd/parent/describe.o updaterd/parent/dump.o updaterd/parent/expand.o updaterd/parent/guard.o updaterd/parent/health.o updaterd/parent/herald.o updaterd/parent/inquiry.o updaterd/parent/instance.o updaterd/parent/intent.o updaterd/parent/identity.o updaterd/parent/launch.o updaterd/parent/ledger.o updaterd/parent/logfile.o updaterd/parent/native.o updaterd/parent/pidfile.o updaterd/parent/quiet.o updaterd/parent/rundir.o updaterd/parent/note.o updaterd/parent/observe.o updaterd/parent/orphan.o updaterd/parent/operate.o updaterd/parent/reap.o updaterd/parent/remains.o updaterd/parent/service.o updaterd/parent/utf8.o updaterd/parent/verdict.o updaterd/config.o updaterd/percent.o updaterd/value.o common/error.o common/log.o common/proto.o common/util.o common/compat/contain-linux.o common/compat/imsg.o common/compat/osproc-linux.o common/compat/pidwatch-linux.o common/compat/procgroup-linux.o updaterd/parent/plan.o updaterd/parent/seat.o common/profile.o */
/* LIBS: -ljansson */
#include "observe_lab.h"

static void
on_verdict_stopped(void *arg)
{
}

/* Wanted; its supervisor is away. */
static struct instance *
begin_away(void)
{
	struct instance	*i = begin(0);

	fake.away = 1;
	service_start_wanted(&lab);
	see_nothing(i);
	assert_int_equal(fake.starts, 1);
	assert_int_equal(i->state, SERVICE_DOWN);
	assert_true(observe_awaits(i));
	assert_string_equal(note_text(&i->why), "waits for it");
	assert_int_equal(i->in.deaths, 0);
	assert_int_equal(i->in.exit_kind, EXIT_NONE);
	return i;
}

static void
arrive(struct instance *i)
{
	fake.away = 0;
	observe_arrived(i);
}

static void
test_comes(void **state)
{
	struct instance	*i = begin_away();
	pid_t		 pid;

	/* a pass begins nothing anew */
	service_start_wanted(&lab);
	assert_int_equal(fake.starts, 1);
	arrive(i);
	assert_int_equal(fake.starts, 2);
	assert_int_equal(i->state, SERVICE_STARTING);
	assert_false(observe_awaits(i));
	pid = spawn();
	see(i, 1, WANTED_UP, pid, -1);
	assert_int_equal(i->in.pid, pid);
	assert_int_equal(i->in.restarts, 0);
	assert_int_equal(i->in.deaths, 0);
	end(pid);
}

/* It has started it before anybody was told that it is there. */
static void
test_seen_first(void **state)
{
	struct instance	*i = begin_away();
	pid_t		 pid = spawn();

	see(i, 1, WANTED_UP, pid, -1);
	assert_int_equal(i->state, SERVICE_STARTING);
	assert_int_equal(i->in.desired, 1);
	assert_string_not_equal(i->in.desired_by, "fake");
	arrive(i);
	assert_int_equal(fake.starts, 1);
	end(pid);
}

/* It dies at once: the start is passed on all the same, and that is seen. */
static void
test_seen_dead(void **state)
{
	struct instance	*i = begin_away();

	see(i, 0, WANTED_UP, 0, 1 << 8);
	assert_int_equal(i->state, SERVICE_DOWN);
	arrive(i);
	assert_int_equal(fake.starts, 2);
	see(i, 0, WANTED_UP, 0, 1 << 8);
	assert_int_equal(i->state, SERVICE_BACKOFF);
	assert_int_equal(i->in.deaths, 1);
}

/* A push does not wait for one that was there. */
static void
test_verdict_gone(void **state)
{
	struct instance	*i;
	pid_t		 pid;

	i = begin_up(&pid);
	fake.away = fake.obey = 1;
	agent_stop(&lab, on_verdict_stopped, NULL);
	end(pid);
	see_nothing(i);
	verdicts = 0;
	agent_start(&lab, on_verdict, NULL);
	UNTIL(verdicts == 1);
	assert_int_equal(good, 0);
	assert_string_equal(detail, "waits for it");
}

/* It goes, what it ran dies, and it comes again. */
static void
test_goes(void **state)
{
	struct instance	*i;
	pid_t		 pid;

	i = begin_up(&pid);
	fake.away = 1;
	see_nothing(i);
	assert_int_equal(i->state, SERVICE_UP);
	end(pid);
	see_nothing(i);
	assert_int_equal(i->in.deaths, 1);
	UNTIL(observe_awaits(i));
	assert_int_equal(i->state, SERVICE_DOWN);
	assert_int_equal(i->in.desired, 1);
	arrive(i);
	pid = spawn();
	see(i, 1, WANTED_UP, pid, -1);
	see_again(i);
	assert_int_equal(i->in.pid, pid);
	assert_int_equal(i->in.deaths, 1);
	end(pid);
}

static void
test_stopped(void **state)
{
	struct instance	*i = begin_away();

	assert_int_equal(operate(i, OP_STOP), UPD_OK);
	assert_int_equal(fake.stops, 1);	/* it shall not start it */
	assert_false(observe_awaits(i));
	assert_int_equal(i->in.desired, 0);
	arrive(i);
	assert_int_equal(fake.starts, 1);
	assert_int_equal(i->state, SERVICE_DOWN);
	/* whoever asks for a start is told */
	fake.away = 1;
	assert_int_equal(operate(i, OP_START), UPD_EUNHEALTHY);
	assert_int_equal(i->in.desired, 1);
	assert_true(observe_awaits(i));
}

/* A verdict that is open at the start has some patience. */
static void
test_verdict(void **state)
{
	struct instance	*i = begin(0);
	struct sighting	 s;
	pid_t		 pid;

	fake.away = 1;
	verdicts = 0;
	agent_start(&lab, on_verdict, NULL);
	see_nothing(i);
	see_nothing(i);
	lab_pass(20);
	assert_int_equal(verdicts, 0);
	assert_int_equal(i->state, SERVICE_STARTING);
	arrive(i);
	assert_int_equal(fake.starts, 2);
	pid = spawn();
	see(i, 1, WANTED_UP, pid, -1);
	s = i->observed->last;
	s.ready = 1;
	service_observed(i, &s);
	UNTIL(verdicts == 1);
	assert_int_equal(good, 1);
	end(pid);
}

/* ... and an end. */
static void
test_verdict_late(void **state)
{
	struct instance	*i = begin(0);

	fake.away = 1;
	verdicts = 0;
	agent_start(&lab, on_verdict, NULL);
	see_nothing(i);
	assert_int_equal(i->state, SERVICE_STARTING);
	/* its time is over */
	evtimer_del(&i->observed->late_ev);
	event_active(&i->observed->late_ev, EV_TIMEOUT, 1);
	UNTIL(verdicts == 1);
	assert_int_equal(good, 0);
	assert_string_equal(detail, "waits for it");
	assert_int_equal(i->state, SERVICE_DOWN);
	assert_true(observe_awaits(i));
	assert_int_equal(i->in.deaths, 0);
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		TEST(test_comes), TEST(test_seen_first),
		TEST(test_seen_dead), TEST(test_goes),
		TEST(test_stopped),
		TEST(test_verdict), TEST(test_verdict_late),
		TEST(test_verdict_gone),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, lab_setup, lab_teardown);
}
