/*
 * Health checks of a service: each kind, late, lost, and not at all.
 */
/* LINK: updaterd/parent/asked.o updaterd/parent/command.o updaterd/parent/contain.o updaterd/parent/death.o updaterd/parent/describe.o updaterd/parent/dump.o updaterd/parent/expand.o updaterd/parent/guard.o updaterd/parent/health.o updaterd/parent/herald.o updaterd/parent/inquiry.o updaterd/parent/instance.o updaterd/parent/intent.o updaterd/parent/identity.o updaterd/parent/launch.o updaterd/parent/ledger.o updaterd/parent/logfile.o updaterd/parent/native.o updaterd/parent/pidfile.o updaterd/parent/quiet.o updaterd/parent/rundir.o updaterd/parent/note.o updaterd/parent/observe.o updaterd/parent/orphan.o updaterd/parent/operate.o updaterd/parent/reap.o updaterd/parent/remains.o updaterd/parent/service.o updaterd/parent/task.o updaterd/parent/tree.o updaterd/parent/utf8.o updaterd/parent/verdict.o updaterd/parent/walk.o updaterd/config.o updaterd/percent.o updaterd/value.o common/error.o common/log.o common/proto.o common/util.o common/compat/beneath-linux.o common/compat/beneath-walk.o common/compat/contain-linux.o common/compat/imsg.o common/compat/osproc-linux.o common/compat/pidwatch-linux.o common/compat/procgroup-linux.o updaterd/parent/plan.o updaterd/parent/seat.o common/profile.o */
/* LIBS: -ljansson */
#include "service_lab.h"

static void
test_readiness(void **state)
{
	struct service_conf	*c;
	struct instance		*i;

	/* too late is not healthy, but it stays up */
	lab_script("bin/s", STAY);
	c = lab_service("s", HEALTH_NOTIFY);
	c->health.within_ms = 100;
	i = lab_configure("s");
	assert_int_equal(operate(i, OP_START), UPD_EUNHEALTHY);
	assert_string_equal(told.text,
	    "did not say within 100 ms that it is ready");
	assert_int_equal(i->state, SERVICE_UP);
	assert_int_equal(i->health.healthy, 0);
	assert_int_equal(i->in.deaths, 0);
	assert_int_equal(operate(i, OP_START), UPD_EUNHEALTHY);
	operate(i, OP_STOP);

	/* the other way to say so, as another user */
	c->health.within_ms = 5000;
	c->user = "nobody";
	lab_script("bin/s", "python3 - <<'E'\n"
	    "import os, socket\n"
	    "s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)\n"
	    "s.sendto(b'STATUS=x\\nREADY=1\\n', "
	    "os.environ['NOTIFY_SOCKET'])\nE\n" STAY);
	assert_int_equal(operate(i, OP_START), UPD_OK);
	operate(i, OP_STOP);

	/* a command that succeeds at last */
	lab_script("bin/s", "sleep 0.1; touch ready; " STAY);
	lab_script("bin/check", "[ -e ready ] || { echo not yet; exit 1; }\n"
	    "echo fine\n");
	{
		static char	*v[] = { "bin/check", NULL };
		char		 path[256];

		snprintf(path, sizeof(path), "%s/root/releases/r1/ready",
		    lab_dir);
		unlink(path);
		c->user = NULL;
		c->health.kind = HEALTH_EXEC;
		c->health.command.v = v;
		c->health.command.n = 1;
		assert_int_equal(operate(i, OP_START), UPD_OK);
		assert_true(i->health.attempts > 1);
		assert_string_equal(i->health.body, "fine\n");
		operate(i, OP_STOP);
		unlink(path);
		lab_script("bin/s", STAY);
		c->health.within_ms = 150;
		assert_int_equal(operate(i, OP_START), UPD_EUNHEALTHY);
		assert_string_equal(told.text, "exited 1: not yet");
	}
	lab_clear();
}

static void
test_probe(void **state)
{
	struct service_conf	*c;
	struct instance		*i;
	struct msg_probe_result	 r;

	lab_script("bin/s", STAY);
	c = lab_service("s", HEALTH_HTTP);
	c->health.host = "127.0.0.1";
	c->health.port = 8765;
	c->health.path = "/health";
	c->health.status = 200;
	i = lab_configure("s");
	lab_noprobe = 1;
	service_start_wanted(&lab);
	lab_pass(50);
	lab_noprobe = 0;		/* it is there after a while */
	UNTIL(lab_probes == 1);
	assert_int_equal(lab_probe.kind, HEALTH_HTTP);
	assert_int_equal(lab_probe.port, 8765);
	assert_string_equal(lab_probe.path, "/health");
	assert_in_range(lab_probe.within_ms, 1, 4960);
	service_probe_lost();		/* and lost */
	UNTIL(lab_probes == 2);
	memset(&r, 0, sizeof(r));
	r.id = lab_probe.id - 1;	/* of the lost one: nobody's */
	r.healthy = 1;
	service_probe_result(&r);
	assert_int_equal(i->state, SERVICE_STARTING);
	r.id = lab_probe.id;
	r.status = 200;
	r.attempts = 3;
	memset(r.text, 'x', sizeof(r.text));	/* no NUL, and not UTF-8 */
	r.text[0] = (char)0xff;
	memcpy(r.body, "{\"ok\":1}", 8);
	r.body_len = 4000000000U;
	service_probe_result(&r);
	assert_int_equal(i->state, SERVICE_UP);
	assert_int_equal(i->health.healthy, 1);
	assert_int_equal(i->health.attempts, 3);
	assert_int_equal(strncmp(agent_body(&lab), "{\"ok\":1}", 8), 0);
	operate(i, OP_STOP);
	service_start_wanted(&lab);
	assert_int_equal(operate(i, OP_STOP), UPD_OK);
	/* what is asked of a service that is stopped is not asked any more */
	told.calls = 0;
	service_op(i, OP_START, "operator", on_told, NULL);
	UNTIL(lab_probes == 3);
	lab_cancels = 0;
	service_op(i, OP_STOP, "operator", on_told, NULL);
	assert_int_equal(lab_cancels, 1);
	UNTIL(told.calls == 2);
	lab_clear();
}

/* Asked, and then not a word: there is a verdict all the same. */
static void
test_silent_probe(void **state)
{
	struct service_conf	*c;
	struct instance		*i;

	lab_script("bin/s", STAY);
	c = lab_service("s", HEALTH_TCP);
	c->health.host = "127.0.0.1";
	c->health.port = 8765;
	c->health.within_ms = 1;
	c->health.timeout_ms = 1;
	i = lab_configure("s");
	assert_int_equal(operate(i, OP_START), UPD_EUNHEALTHY);
	assert_string_equal(told.text, "the probe process does not answer");
	assert_int_equal(lab_probe_kills, 1);
	assert_int_equal(i->health.healthy, 0);
	operate(i, OP_STOP);
	lab_clear();
}

/* Busy for longer than a probe that has 2 ms may take. */
static void
on_busy(int fd, short what, void *arg)
{
	usleep(5300000);
}

/* It has answered, but we were busy until after the end of its time. */
static void
test_late_ourselves(void **state)
{
	struct service_conf	*c;
	struct instance		*i;
	struct msg_probe_result	 r;
	struct event		 busy;
	struct timeval		 tv = { 0, 0 };

	lab_script("bin/s", STAY);
	c = lab_service("s", HEALTH_TCP);
	c->health.host = "127.0.0.1";
	c->health.port = 8765;
	c->health.within_ms = 1;
	c->health.timeout_ms = 1;
	i = lab_configure("s");
	lab_probes = lab_probe_kills = 0;
	memset(&told, 0, sizeof(told));
	service_op(i, OP_START, "operator", on_told, NULL);
	UNTIL(lab_probes == 1);
	evtimer_set(&busy, on_busy, NULL);
	evtimer_add(&busy, &tv);
	lab_turn();
	lab_turn();
	assert_int_equal(lab_probe_kills, 0);
	assert_int_equal(i->state, SERVICE_STARTING);
	memset(&r, 0, sizeof(r));
	r.id = lab_probe.id;
	r.healthy = 1;
	service_probe_result(&r);
	assert_int_equal(i->state, SERVICE_UP);
	UNTIL(told.calls == 1);
	assert_int_equal(told.error, UPD_OK);
	operate(i, OP_STOP);

	/* the same of one that says so itself */
	lab_script("bin/s", "sleep 0.3\n" READY STAY);
	c->health.kind = HEALTH_NOTIFY;
	c->health.within_ms = 600;
	told.calls = 0;
	service_op(i, OP_START, "operator", on_told, NULL);
	UNTIL(i->state == SERVICE_STARTING);
	/* not heard before its time is over */
	event_del(&i->health.herald->fifo_ev);
	UNTIL(told.calls == 1);
	assert_int_equal(told.error, UPD_OK);
	operate(i, OP_STOP);
	lab_clear();
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		LAB_TEST(test_readiness),
		LAB_TEST(test_probe),
		LAB_TEST(test_silent_probe),
		LAB_TEST(test_late_ourselves),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, lab_setup, lab_teardown);
}
