/*
 * All services of an agent: what an update does with them.
 */
/* LINK: updaterd/parent/asked.o updaterd/parent/command.o updaterd/parent/contain.o updaterd/parent/death.o updaterd/parent/describe.o updaterd/parent/dump.o updaterd/parent/expand.o updaterd/parent/guard.o updaterd/parent/health.o updaterd/parent/herald.o updaterd/parent/inquiry.o updaterd/parent/instance.o updaterd/parent/intent.o updaterd/parent/identity.o updaterd/parent/launch.o updaterd/parent/ledger.o updaterd/parent/logfile.o updaterd/parent/native.o updaterd/parent/pidfile.o updaterd/parent/quiet.o updaterd/parent/rundir.o updaterd/parent/note.o updaterd/parent/observe.o updaterd/parent/orphan.o updaterd/parent/operate.o updaterd/parent/reap.o updaterd/parent/remains.o updaterd/parent/service.o updaterd/parent/task.o updaterd/parent/tree.o updaterd/parent/utf8.o updaterd/parent/verdict.o updaterd/parent/walk.o updaterd/config.o updaterd/percent.o updaterd/value.o common/error.o common/log.o common/proto.o common/util.o common/compat/beneath-linux.o common/compat/beneath-walk.o common/compat/contain-linux.o common/compat/imsg.o common/compat/osproc-linux.o common/compat/pidwatch-linux.o common/compat/procgroup-linux.o updaterd/parent/plan.o updaterd/parent/seat.o common/profile.o */
/* LIBS: -ljansson */
#include "service_lab.h"

static struct {
	int	 stopped;
	int	 calls;
	int	 healthy;
	json_t	*report;
} got;

static void
on_stopped(void *arg)
{
	got.stopped++;
}

static void
on_verdict(void *arg, int healthy, json_t *report)
{
	got.calls++;
	got.healthy = healthy;
	json_decref(got.report);
	got.report = json_incref(report);
}

static void
stop_all(void)
{
	got.stopped = 0;
	agent_stop(&lab, on_stopped, NULL);
	assert_int_equal(got.stopped, 0);
	UNTIL(got.stopped == 1);
}

static int
start_all(void)
{
	got.calls = 0;
	agent_start(&lab, on_verdict, NULL);
	assert_int_equal(got.calls, 0);
	UNTIL(got.calls == 1);
	return got.healthy;
}

/* A member of one service's entry in the report. */
static json_t *
report(const char *service, const char *key)
{
	json_t	*o;
	size_t	 n;

	json_array_foreach(json_object_get(got.report, "services"), n, o)
		if (strcmp(json_string_value(json_object_get(o, "service")),
		    service) == 0)
			return json_object_get(o, key);
	return NULL;
}

static const char *
detail(const char *service)
{
	const char	*s = json_string_value(report(service, "detail"));

	return s != NULL ? s : "(none)";
}

static void
on_op(void *arg, enum upd_error error, const char *text)
{
	*(enum upd_error *)arg = error;
}

static void
test_good(void **state)
{
	struct instance	*a, *b, *c;
	enum upd_error	 e = UPD_E__MAX;
	uint64_t	 t;
	pid_t		 pid;

	lab_script("bin/a", READY "echo a says; " STAY);
	lab_script("bin/b", READY "echo b says; " STAY);
	lab_script("bin/c", READY STAY);
	lab_service("a", HEALTH_NOTIFY);
	lab_service("b", HEALTH_NOTIFY);
	lab_service("c", HEALTH_NOTIFY);
	service_configure(&lab);
	a = service_find("a");
	b = service_find("b");
	c = service_find("c");
	service_op(c, OP_STOP, "operator", on_op, &e);
	UNTIL(e == UPD_OK);
	service_start_wanted(&lab);
	UNTIL(a->state == SERVICE_UP && b->state == SERVICE_UP);
	assert_true(agent_healthy(&lab));
	pid = a->in.pid;

	t = time_mono_us();
	stop_all();
	assert_false(alive(pid));
	assert_false(agent_healthy(&lab));
	assert_int_equal(a->in.desired, 1);
	/* nobody else starts it in between */
	e = UPD_E__MAX;
	service_op(a, OP_START, "operator", on_op, &e);
	UNTIL(e != UPD_E__MAX);
	assert_int_equal(e, UPD_EBUSY);
	assert_int_equal(a->state, SERVICE_DOWN);
	strlcpy(lab_store.current, "r2", sizeof(lab_store.current));
	agent_tail_clear(&lab);
	assert_int_equal(start_all(), 1);
	t = time_mono_us() - t;
	print_message("# two services stopped and started: %llu us\n",
	    (unsigned long long)t);
	assert_string_equal(a->in.release, "r2");
	assert_true(json_is_true(report("a", "healthy")));
	assert_true(json_is_true(report("b", "healthy")));
	/* wanted down: neither started nor asked for */
	assert_null(report("c", "healthy"));
	assert_int_equal(c->state, SERVICE_DOWN);
	assert_int_equal(a->in.deaths, 0);
	assert_true(agent_healthy(&lab));
	UNTIL(a->capture.tail.total > 0 && b->capture.tail.total > 0);
	{
		char	*tail = agent_tail(&lab, 4096);

		assert_string_equal(tail, "==> a <==\na says\n"
		    "==> b <==\nb says\n");
		free(tail);
		agent_tail_clear(&lab);
		tail = agent_tail(&lab, 4096);
		assert_string_equal(tail, "");
		free(tail);
	}
	lab_clear();
	/* nothing is configured: good at once */
	stop_all();
	assert_int_equal(start_all(), 1);
}

static void
test_bad(void **state)
{
	struct service_conf	*sa, *sb;
	struct instance		*a, *b;
	char			*tail;
	uint64_t		 t;

	/* one dies: the verdict does not wait for the other */
	lab_script("bin/a", "echo last words >&2; sleep 0.05; exit 3\n");
	lab_script("bin/b", STAY);
	sa = lab_service("a", HEALTH_NOTIFY);
	sb = lab_service("b", HEALTH_NOTIFY);
	service_configure(&lab);
	a = service_find("a");
	b = service_find("b");
	t = time_mono_ms();
	assert_int_equal(start_all(), 0);
	assert_true(time_mono_ms() - t < 2000);
	assert_int_equal(strncmp(detail("a"), "exited 3 after ", 15), 0);
	assert_string_equal(json_string_value(report("a", "exit")),
	    detail("a"));
	assert_string_equal(detail("b"), "cut short by the verdict");
	assert_true(json_is_false(report("b", "healthy")));
	assert_null(report("b", "exit"));
	tail = agent_tail(&lab, 4096);
	assert_string_equal(tail, "last words\n");
	free(tail);
	/* a death is the verdict, nothing is started again */
	lab_pass(200);
	assert_int_equal(a->state, SERVICE_BACKOFF);
	assert_int_equal(a->in.restarts, 0);
	stop_all();
	assert_int_equal(a->state, SERVICE_DOWN);
	assert_int_equal(b->state, SERVICE_DOWN);

	/* cannot be executed: at once, and with the reason */
	sb->optional = 1;
	sa->command.v[0][4] = 'x';
	t = time_mono_ms();
	assert_int_equal(start_all(), 0);
	assert_true(time_mono_ms() - t < 1000);
	assert_string_equal(detail("a"), "cannot execute bin/x: No such "
	    "file or directory");
	stop_all();
	sa->command.v[0][4] = 'a';

	/* a permanent failure is forgotten by the next */
	lab_script("bin/a", "exit 78\n");
	assert_int_equal(start_all(), 0);
	UNTIL(a->state == SERVICE_FAILED);
	stop_all();
	lab_script("bin/a", READY STAY);
	assert_int_equal(start_all(), 1);
	assert_int_equal(a->state, SERVICE_UP);
	assert_int_equal(a->in.failed, 0);
	stop_all();

	/* not in time */
	lab_script("bin/a", STAY);
	sa->health.within_ms = 100;
	assert_int_equal(start_all(), 0);
	assert_string_equal(detail("a"),
	    "did not say within 100 ms that it is ready");
	assert_int_equal(a->state, SERVICE_UP);
	stop_all();

	/* healthy first, dead before the others are: not healthy */
	lab_script("bin/a", READY "sleep 0.05; exit 1\n");
	lab_script("bin/b", "sleep 0.5\n" READY STAY);
	sb->optional = 0;
	assert_int_equal(start_all(), 0);
	assert_true(json_is_false(report("a", "healthy")));
	stop_all();
	lab_clear();
}

static void
test_optional(void **state)
{
	struct instance	*a, *b;

	lab_script("bin/a", "sleep 0.1\n" READY STAY);
	lab_script("bin/b", "exit 1\n");
	lab_service("a", HEALTH_NOTIFY);
	lab_service("b", HEALTH_NOTIFY)->optional = 1;
	service_configure(&lab);
	a = service_find("a");
	b = service_find("b");
	assert_int_equal(start_all(), 1);
	assert_int_equal(a->state, SERVICE_UP);
	assert_true(json_is_false(report("b", "healthy")));
	assert_int_equal(b->in.deaths, 1);	/* and waited */
	/* from now on it is a service like any other */
	UNTIL(b->in.restarts >= 2);
	assert_true(agent_healthy(&lab));
	stop_all();
	agent_forget(&lab);
	service_start_wanted(&lab);
	UNTIL(a->state == SERVICE_UP);
	/* forgotten while it is open: nobody is told, restarts go on */
	stop_all();
	got.calls = 0;
	agent_start(&lab, on_verdict, NULL);
	agent_forget(&lab);
	UNTIL(b->in.restarts >= 4);
	assert_int_equal(got.calls, 0);
	lab_clear();
}

static void
test_no_release(void **state)
{
	lab_script("bin/a", READY STAY);
	lab_service("a", HEALTH_NOTIFY);
	service_configure(&lab);
	lab_store.current[0] = '\0';
	assert_int_equal(start_all(), 0);
	assert_string_equal(detail("a"), "no release");
	lab_clear();
}

/* An operator takes a service out while the verdict is open. */
static void
test_stop_meanwhile(void **state)
{
	enum upd_error	 e = UPD_E__MAX;

	lab_script("bin/a", READY STAY);
	lab_script("bin/b", STAY);
	lab_service("a", HEALTH_NOTIFY);
	lab_service("b", HEALTH_NOTIFY);
	service_configure(&lab);
	got.calls = 0;
	agent_start(&lab, on_verdict, NULL);
	service_op(service_find("b"), OP_STOP, "operator", on_op, &e);
	UNTIL(got.calls == 1 && e == UPD_OK);
	assert_int_equal(got.healthy, 1);
	lab_clear();
}

static int
teardown(void **state)
{
	json_decref(got.report);
	return lab_teardown(state);
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		LAB_TEST(test_good),
		LAB_TEST(test_bad),
		LAB_TEST(test_optional),
		LAB_TEST(test_no_release),
		LAB_TEST(test_stop_meanwhile),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, lab_setup, teardown);
}
