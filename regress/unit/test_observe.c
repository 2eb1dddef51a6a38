/*
 * What a foreign supervisor shows, and what is made of it: each kind of
 * sighting in each state, seen late, twice or not at all.  The supervisor
 * is played; the processes are real.
 */
/* LINK: updaterd/parent/asked.o updaterd/parent/command.o updaterd/parent/contain.o updaterd/parent/death.o updaterd/parent/describe.o updaterd/parent/dump.o updaterd/parent/expand.o updaterd/parent/guard.o updaterd/parent/health.o updaterd/parent/herald.o updaterd/parent/inquiry.o updaterd/parent/instance.o updaterd/parent/intent.o updaterd/parent/identity.o updaterd/parent/launch.o updaterd/parent/ledger.o updaterd/parent/logfile.o updaterd/parent/native.o updaterd/parent/pidfile.o updaterd/parent/quiet.o updaterd/parent/rundir.o updaterd/parent/note.o updaterd/parent/observe.o updaterd/parent/orphan.o updaterd/parent/operate.o updaterd/parent/reap.o updaterd/parent/remains.o updaterd/parent/service.o updaterd/parent/utf8.o updaterd/parent/verdict.o updaterd/config.o updaterd/percent.o updaterd/value.o common/error.o common/log.o common/proto.o common/util.o common/compat/contain-linux.o common/compat/imsg.o common/compat/osproc-linux.o common/compat/pidwatch-linux.o common/compat/procgroup-linux.o updaterd/parent/plan.o updaterd/parent/seat.o common/profile.o */
/* LIBS: -ljansson */
#include "observe_lab.h"

static void
test_start(void **state)
{
	struct instance	*i;
	pid_t		 pid;

	i = begin_up(&pid);
	see_again(i);
	see_again(i);
	assert_int_equal(i->state, SERVICE_UP);
	assert_int_equal(fake.starts, 1);
	/* ours to stop: no wish but the operator's */
	fake.obey = 1;
	assert_int_equal(operate(i, OP_STOP), UPD_OK);
	assert_int_equal(fake.stops, 1);
	assert_int_equal(i->state, SERVICE_DOWN);
	assert_int_equal(i->in.desired, 0);
	assert_string_equal(i->in.desired_by, "operator");
	assert_int_equal(i->in.deaths, 0);
	end(pid);
}

static void
test_death(void **state)
{
	struct instance	*i;
	pid_t		 a, b;

	i = begin_up(&a);
	end(a);
	see(i, 0, WANTED_UP, 0, SIGKILL);
	assert_int_equal(i->state, SERVICE_BACKOFF);
	assert_int_equal(i->in.deaths, 1);
	assert_int_equal(i->in.exit_kind, EXIT_SIGNAL);
	lab_pass(60);
	assert_int_equal(fake.starts, 1);	/* not ours to restart */
	b = spawn();
	see(i, 1, WANTED_UP, b, -1);
	assert_int_equal(i->state, SERVICE_STARTING);
	assert_int_equal(i->in.restarts, 1);
	assert_int_equal(i->in.desired, 1);
	/* dies and is back before anybody looks */
	end(b);
	a = spawn();
	see(i, 1, WANTED_UP, a, -1);
	assert_int_equal(i->in.deaths, 2);
	assert_int_equal(i->in.restarts, 2);
	assert_int_equal(i->in.pid, a);
	/* comes and goes unseen */
	end(a);
	see(i, 0, WANTED_UP, 0, 1 << 8);
	assert_int_equal(i->in.deaths, 3);
	see_again(i);
	assert_int_equal(i->in.deaths, 3);
	see(i, 0, WANTED_UP, 0, 1 << 8);
	assert_int_equal(i->in.deaths, 4);
	/* a stop in between is carried out */
	fake.obey = 1;
	assert_int_equal(operate(i, OP_STOP), UPD_OK);
	assert_int_equal(fake.stops, 1);
	assert_int_equal(i->state, SERVICE_DOWN);
}

static void
test_permanent(void **state)
{
	struct instance	*i = begin(0);

	service_start_wanted(&lab);
	see(i, 0, WANTED_NOBODY, 0, -1);
	/* it ran, and was never seen */
	see(i, 0, WANTED_DOWN, 0, 78 << 8);
	assert_int_equal(i->state, SERVICE_FAILED);
	assert_int_equal(i->in.failed, 1);
	assert_int_equal(i->in.failed_code, 78);
	/* it holds as long as that release */
	assert_string_equal(i->in.failed_release, "r1");
	assert_int_equal(i->in.desired, 1);
	assert_true(service_isdown(i));
	lab_pass(60);
	assert_int_equal(fake.starts, 1);
	assert_int_equal(i->in.deaths, 1);
}

/* One whose supervisor does not know our permanent codes. */
static void
test_park(void **state)
{
	struct instance	*i;
	pid_t		 pid;

	i = begin_up(&pid);
	end(pid);
	see(i, 0, WANTED_UP, 0, 125 << 8);
	assert_int_equal(i->state, SERVICE_FAILED);
	assert_int_equal(fake.stops, 1);
	/* it was quicker */
	pid = spawn();
	see(i, 1, WANTED_UP, pid, -1);
	assert_int_equal(fake.stops, 2);
	assert_int_equal(i->state, SERVICE_FAILED);
	end(pid);
	see(i, 0, WANTED_DOWN, 0, SIGTERM);
	assert_int_equal(i->state, SERVICE_FAILED);
	assert_true(service_isdown(i));
	assert_int_equal(i->in.desired, 1);
}

static void
test_stopped_outside(void **state)
{
	struct instance	*i;
	pid_t		 pid;

	i = begin_up(&pid);
	end(pid);
	see(i, 0, WANTED_DOWN, 0, SIGTERM);
	assert_int_equal(i->state, SERVICE_DOWN);
	assert_int_equal(i->in.deaths, 0);
	assert_int_equal(i->in.desired, 1);	/* not yet */
	see_again(i);
	assert_int_equal(i->in.desired, 1);
	fake.looks = 0;
	UNTIL(fake.looks > 0);
	see_again(i);
	assert_int_equal(i->in.desired, 0);
	assert_string_equal(i->in.desired_by, "fake");
	assert_int_equal(fake.starts, 1);
	/* and started outside */
	pid = spawn();
	see(i, 1, WANTED_UP, pid, -1);
	assert_int_equal(i->state, SERVICE_STARTING);
	assert_int_equal(i->in.desired, 1);
	assert_string_equal(i->in.desired_by, "fake");
	assert_int_equal(fake.stops, 0);
	end(pid);
}

/* The end of the supervisor is nobody's wish. */
static void
test_going_down(void **state)
{
	struct instance	*i;
	pid_t		 pid;

	i = begin_up(&pid);
	end(pid);
	see(i, 0, WANTED_DOWN, 0, SIGTERM);
	see_nothing(i);
	assert_int_equal(i->in.desired, 1);
	fake.looks = 0;
	lab_pass(1200);
	assert_int_equal(i->in.desired, 1);
	/* it comes again, and brings it up */
	pid = spawn();
	see(i, 1, WANTED_UP, pid, -1);
	assert_int_equal(i->state, SERVICE_STARTING);
	assert_int_equal(i->in.desired, 1);
	assert_string_equal(i->in.desired_by, "config");
	end(pid);
}

static void
test_out_of_sight(void **state)
{
	struct instance	*i;
	pid_t		 pid;

	i = begin_up(&pid);
	see_nothing(i);
	assert_int_equal(i->state, SERVICE_UP);		/* it runs */
	see(i, 1, WANTED_UP, pid, -1);
	assert_int_equal(i->state, SERVICE_UP);
	assert_int_equal(i->in.deaths, 0);
	end(pid);
	see_nothing(i);
	assert_int_equal(i->state, SERVICE_BACKOFF);
	assert_int_equal(i->in.deaths, 1);
	/* nobody else will */
	fake.refuse = 1;
	UNTIL(fake.starts >= 3);
	assert_int_equal(i->in.exit_kind, EXIT_NOSTART);
	assert_string_equal(i->in.exit_text, "will not");
	assert_int_equal(i->in.desired, 1);
}

/* What is seen of a start that cannot come to anything. */
static void
test_nostart(void **state)
{
	struct instance	*i = begin(0);

	service_start_wanted(&lab);
	see_nothing(i);
	assert_int_equal(fake.starts, 1);
	assert_int_equal(i->state, SERVICE_STARTING);
	see_nothing(i);
	assert_int_equal(i->state, SERVICE_BACKOFF);
	assert_string_equal(i->in.exit_text, "it is away");
	UNTIL(fake.starts >= 2);
}

/* A supervisor that gives up: our turn. */
static void
test_nobody(void **state)
{
	struct instance	*i;
	pid_t		 pid;

	i = begin_up(&pid);
	end(pid);
	see(i, 0, WANTED_UP, 0, SIGKILL);
	lab_pass(30);
	assert_int_equal(fake.starts, 1);
	see_again(i);
	i->observed->last.wanted = WANTED_NOBODY;
	see_again(i);
	UNTIL(fake.starts == 2);
	assert_int_equal(i->state, SERVICE_STARTING);
	assert_int_equal(i->in.desired, 1);
}

static void
test_orphan(void **state)
{
	struct instance	*i;
	pid_t		 a, b;

	i = begin_up(&a);
	b = spawn();
	see(i, 1, WANTED_UP, b, -1);
	assert_int_equal(i->in.pid, b);
	UNTIL(!alive(a));
	assert_true(alive(b));
	/* a liar names somebody else's process: it is left alone */
	i->in.pid = getpid();
	i->in.start_time = pid_starttime(getpid());
	assert_int_equal(observe_kill(i, SIGKILL), -1);
	see(i, 1, WANTED_UP, b, -1);
	end(b);
}

/* A record of an earlier daemon. */
static void
record(pid_t pid, int desired, int64_t at)
{
	struct intent	 in;

	memset(&in, 0, sizeof(in));
	in.desired = desired;
	in.desired_at = at;
	strlcpy(in.desired_by, "root", sizeof(in.desired_by));
	strlcpy(in.state, "up", sizeof(in.state));
	in.running = 1;
	strlcpy(in.boot, boot_id(), sizeof(in.boot));
	in.pid = pid;
	in.start_time = pid_starttime(pid);
	in.started_at = at;
	strlcpy(in.release, "r2", sizeof(in.release));
	assert_int_equal(intent_replace(service_getenv()->statefd, "s", &in),
	    0);
}

static void
test_adopted(void **state)
{
	struct instance	*i;
	pid_t		 pid = spawn();

	record(pid, 1, time_real_us());
	i = begin(1);
	service_start_wanted(&lab);
	see(i, 1, WANTED_UP, pid, -1);
	assert_int_equal(fake.starts, 0);
	assert_int_equal(i->state, SERVICE_STARTING);	/* asked again */
	assert_string_equal(i->in.release, "r2");	/* as recorded */
	assert_int_equal(i->in.deaths, 0);
	assert_int_equal(i->in.restarts, 0);
	end(pid);
}

static void
test_restarted_meanwhile(void **state)
{
	struct instance	*i;
	pid_t		 pid = spawn(), other = spawn();

	record(pid, 1, time_real_us());
	end(pid);
	i = begin(1);
	service_start_wanted(&lab);
	see(i, 1, WANTED_UP, other, -1);
	assert_int_equal(i->in.pid, other);
	assert_string_equal(i->in.release, "r1");	/* current */
	assert_int_equal(i->in.deaths, 1);
	assert_int_equal(fake.starts, 0);
	end(other);
}

/* Stopped by others while nobody was there, or by an earlier daemon. */
static void
test_stopped_meanwhile(void **state)
{
	struct instance	*i;
	struct sighting	 s;
	pid_t		 pid = spawn();

	record(pid, 1, time_real_us() - 1000000);
	end(pid);
	i = begin(1);
	service_start_wanted(&lab);
	see(i, 0, WANTED_DOWN, 0, SIGTERM);
	assert_int_equal(i->state, SERVICE_DOWN);
	fake.looks = 0;
	UNTIL(fake.looks > 0);
	see_again(i);
	assert_int_equal(i->in.desired, 0);
	assert_int_equal(fake.starts, 0);
	lab_clear();

	pid = spawn();
	record(pid, 1, time_real_us() - 1000000);
	end(pid);
	i = begin(1);
	service_start_wanted(&lab);
	stamp = time_real_us();
	s = seen(0, WANTED_DOWN, 0, SIGTERM);
	s.ours = 1;
	service_observed(i, &s);
	UNTIL(fake.starts > 0);
	assert_int_equal(i->in.desired, 1);
	assert_int_equal(i->in.deaths, 0);	/* of which we knew */
	assert_int_equal(i->in.exit_planned, 1);
	fake.obey = 1;
	lab_clear();

	/* Under one that never starts anything by itself nobody stopped it. */
	pid = spawn();
	record(pid, 1, time_real_us() - 1000000);
	end(pid);
	i = begin(1);
	service_start_wanted(&lab);
	stamp = time_real_us();
	s = seen(0, WANTED_NOBODY, 0, SIGTERM);
	s.ours = 1;
	service_observed(i, &s);
	UNTIL(fake.starts > 0);
	assert_int_equal(i->in.deaths, 1);
}

/* Another supervisor has not ended it yet: it would run twice. */
static void
test_moving(void **state)
{
	struct instance	*i;

	i = begin(1);
	lab_moving = 1;
	service_start_wanted(&lab);
	see(i, 0, WANTED_NOBODY, 0, -1);
	see_again(i);
	assert_int_equal(i->state, SERVICE_STARTING);
	assert_int_equal(fake.starts, 0);
	observe_moved(i);			/* another one, too */
	assert_int_equal(fake.starts, 0);
	lab_moving = 0;
	observe_moved(i);
	assert_int_equal(fake.starts, 1);
	observe_moved(i);
	assert_int_equal(fake.starts, 1);
}

/* Stopped by others, seen by an earlier daemon, which ended before it took
 * that for a wish; and looked at before it is started again. */
static void
test_stopped_before(void **state)
{
	struct instance	*i;
	struct intent	 in;
	struct sighting	 s;

	memset(&in, 0, sizeof(in));
	in.desired = 1;
	in.desired_at = time_real_us() - 1000000;
	strlcpy(in.desired_by, "root", sizeof(in.desired_by));
	assert_int_equal(intent_replace(service_getenv()->statefd, "s", &in),
	    0);
	i = begin(1);
	see(i, 0, WANTED_DOWN, 0, SIGTERM);
	service_start_wanted(&lab);
	assert_int_equal(fake.starts, 0);
	fake.looks = 0;
	UNTIL(fake.looks > 0);
	see_again(i);
	assert_int_equal(i->in.desired, 0);
	assert_int_equal(i->state, SERVICE_DOWN);
	lab_clear();

	/* before it was last started, or by ourselves: no wish */
	in.desired_at = time_real_us() + 60000000;
	assert_int_equal(intent_replace(service_getenv()->statefd, "s", &in),
	    0);
	i = begin(1);
	see(i, 0, WANTED_DOWN, 0, SIGTERM);
	service_start_wanted(&lab);
	UNTIL(fake.starts > 0);
	fake.obey = 1;
	lab_clear();
	in.desired_at = time_real_us() - 1000000;
	assert_int_equal(intent_replace(service_getenv()->statefd, "s", &in),
	    0);
	i = begin(1);
	stamp = time_real_us();
	s = seen(0, WANTED_DOWN, 0, SIGTERM);
	s.ours = 1;
	service_observed(i, &s);
	service_start_wanted(&lab);
	UNTIL(fake.starts > 0);
	assert_int_equal(i->in.desired, 1);
}

/* Wanted down, and runs: since before that, or since after. */
static void
test_runs_unwanted(void **state)
{
	struct instance	*i;
	pid_t		 pid = spawn();

	record(pid, 0, time_real_us() + 60000000);
	i = begin(1);
	service_start_wanted(&lab);
	see(i, 1, WANTED_UP, pid, -1);
	assert_int_equal(fake.stops, 1);
	assert_int_equal(i->state, SERVICE_STOPPING);
	assert_int_equal(i->in.desired, 0);
	end(pid);
	see(i, 0, WANTED_DOWN, 0, SIGTERM);
	assert_int_equal(i->state, SERVICE_DOWN);
	lab_clear();

	pid = spawn();
	record(pid, 0, time_real_us() - 60000000);
	i = begin(1);
	service_start_wanted(&lab);
	see(i, 1, WANTED_UP, pid, -1);
	assert_int_equal(fake.stops, 0);
	assert_int_equal(i->state, SERVICE_STARTING);
	assert_int_equal(i->in.desired, 1);
	assert_string_equal(i->in.desired_by, "fake");
	end(pid);
}

static int	 stopped;

static void
on_stopped(void *arg)
{
	stopped++;
}

static void
test_update(void **state)
{
	struct instance	*i;
	struct sighting	 s;
	pid_t		 pid;

	i = begin_up(&pid);
	stopped = verdicts = 0;
	agent_stop(&lab, on_stopped, NULL);
	assert_int_equal(fake.stops, 1);
	lab_pass(20);
	assert_int_equal(stopped, 0);
	end(pid);
	see(i, 0, WANTED_DOWN, 0, 0);
	UNTIL(stopped == 1);
	assert_int_equal(i->in.desired, 1);
	/* somebody else's start in between has no say */
	pid = spawn();
	see(i, 1, WANTED_UP, pid, -1);
	assert_int_equal(fake.stops, 2);
	end(pid);
	see(i, 0, WANTED_DOWN, 0, 0);
	strlcpy(lab_store.current, "r2", sizeof(lab_store.current));
	agent_start(&lab, on_verdict, NULL);
	assert_int_equal(fake.starts, 2);
	pid = spawn();
	see(i, 1, WANTED_UP, pid, -1);
	assert_string_equal(i->in.release, "r2");
	s = i->observed->last;
	s.ready = 1;
	service_observed(i, &s);
	UNTIL(verdicts == 1);
	assert_int_equal(good, 1);

	/* a release that dies at once, and is restarted at once */
	fake.obey = 1;
	agent_stop(&lab, on_stopped, NULL);
	UNTIL(stopped == 2);
	end(pid);
	fake.obey = 0;
	agent_start(&lab, on_verdict, NULL);
	pid = spawn();
	see(i, 1, WANTED_UP, pid, -1);
	end(pid);
	pid = spawn();
	see(i, 1, WANTED_UP, pid, -1);
	UNTIL(verdicts == 2);
	assert_int_equal(good, 0);
	assert_non_null(strstr(detail, "exited"));
	end(pid);
}

/* Its supervisor cannot stop it: the update is told, and so is who comes
 * later; once it is down after all it is as it is wanted. */
static void
test_stuck(void **state)
{
	struct instance	*i;
	char		 text[UPD_TEXT_SIZE];
	pid_t		 pid;

	i = begin_up(&pid);
	stopped = verdicts = 0;
	agent_stop(&lab, on_stopped, NULL);
	lab_pass(20);
	assert_int_equal(stopped, 0);
	assert_int_equal(agent_isstuck(&lab, text), 0);
	service_stuck(i, "it refuses");
	UNTIL(stopped == 1);
	assert_int_equal(i->state, SERVICE_STOPPING);
	assert_int_equal(agent_isstuck(&lab, text), 1);
	assert_string_equal(text, "service s: it refuses");
	agent_stop(&lab, on_stopped, NULL);
	UNTIL(stopped == 2);
	agent_start(&lab, on_verdict, NULL);
	UNTIL(verdicts == 1);
	assert_int_equal(good, 0);
	assert_int_equal(fake.starts, 1);
	assert_string_equal(note_text(&i->health.detail), "it refuses");
	service_start_wanted(&lab);
	end(pid);
	see(i, 0, WANTED_DOWN, 0, 0);
	UNTIL(fake.starts == 2);
	assert_int_equal(agent_isstuck(&lab, text), 0);
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		TEST(test_start), TEST(test_death), TEST(test_permanent),
		TEST(test_park), TEST(test_stopped_outside),
		TEST(test_going_down), TEST(test_out_of_sight),
		TEST(test_moving), TEST(test_stuck),
		TEST(test_nostart), TEST(test_nobody), TEST(test_orphan),
		TEST(test_adopted), TEST(test_restarted_meanwhile),
		TEST(test_stopped_meanwhile), TEST(test_stopped_before),
		TEST(test_runs_unwanted),
		TEST(test_update),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, lab_setup, lab_teardown);
}
