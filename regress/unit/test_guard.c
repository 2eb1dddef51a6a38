/*
 * The watch over a release in its probation: what ends it, once, and what
 * does not.
 */
/* LINK: updaterd/parent/asked.o updaterd/parent/command.o updaterd/parent/contain.o updaterd/parent/death.o updaterd/parent/describe.o updaterd/parent/dump.o updaterd/parent/expand.o updaterd/parent/guard.o updaterd/parent/health.o updaterd/parent/herald.o updaterd/parent/inquiry.o updaterd/parent/instance.o updaterd/parent/intent.o updaterd/parent/identity.o updaterd/parent/launch.o updaterd/parent/ledger.o updaterd/parent/logfile.o updaterd/parent/native.o updaterd/parent/pidfile.o updaterd/parent/quiet.o updaterd/parent/rundir.o updaterd/parent/note.o updaterd/parent/observe.o updaterd/parent/orphan.o updaterd/parent/operate.o updaterd/parent/reap.o updaterd/parent/remains.o updaterd/parent/service.o updaterd/parent/task.o updaterd/parent/tree.o updaterd/parent/utf8.o updaterd/parent/verdict.o updaterd/parent/walk.o updaterd/config.o updaterd/percent.o updaterd/value.o common/error.o common/log.o common/proto.o common/util.o common/compat/beneath-linux.o common/compat/beneath-walk.o common/compat/contain-linux.o common/compat/imsg.o common/compat/osproc-linux.o common/compat/pidwatch-linux.o common/compat/procgroup-linux.o updaterd/parent/plan.o updaterd/parent/seat.o common/profile.o */
/* LIBS: -ljansson */
#include "service_lab.h"

static struct {
	int	 calls;
	char	 why[UPD_TEXT_SIZE];
} over;

static void
on_over(void *arg, const char *why)
{
	over.calls++;
	strlcpy(over.why, why, sizeof(over.why));
	/* As a trial does: that ends the watch. */
	agent_unwatch(&lab);
}

static void
watch(void)
{
	memset(&over, 0, sizeof(over));
	assert_int_equal(agent_watch(&lab, on_over, NULL), 0);
}

/* Configure a with that script and let it become healthy. */
static struct instance *
begin(const char *script, enum health_kind kind)
{
	struct instance	*i;

	lab_script("bin/a", script);
	lab_service("a", kind);
	i = lab_configure("a");
	service_start_wanted(&lab);
	UNTIL(i->state == SERVICE_UP);
	return i;
}

static void
test_deaths(void **state)
{
	struct instance	*i;

	i = begin(READY "sleep 0.1; exit 3\n", HEALTH_NOTIFY);
	watch();
	UNTIL(over.calls == 1);
	assert_non_null(strstr(over.why, "service a died 3 times: exited 3"));
	assert_null(lab.guard);
	/* It is supervised as before. */
	UNTIL(i->in.restarts >= 4);
	assert_int_equal(over.calls, 1);
	lab_clear();
}

static void
test_permanent(void **state)
{
	(void)begin(READY "sleep 0.1; exit 78\n", HEALTH_NOTIFY);
	watch();
	UNTIL(over.calls == 1);
	assert_non_null(strstr(over.why, "service a exited 78"));
	assert_non_null(strstr(over.why, "permanent"));
	lab_clear();
}

/* It dies once, and does not become healthy again. */
static void
test_not_up_again(void **state)
{
	struct instance	*i;
	char		 script[256];

	snprintf(script, sizeof(script), "if [ -e %s/seen ]; then " STAY
	    "fi\n: > %s/seen\n" READY "sleep 0.1; exit 1\n", lab_dir, lab_dir);
	/* "exec" within "if" needs its own end of line, which STAY has. */
	i = begin(script, HEALTH_NOTIFY);
	lab_conf.services.tqh_first->health.within_ms = 200;
	watch();
	UNTIL(over.calls == 1);
	assert_non_null(strstr(over.why, "service a is not healthy: did not "
	    "say within 200 ms"));
	assert_int_equal(i->in.deaths, 1);
	lab_clear();
}

/* Whose deaths and illnesses are nothing to it. */
static void
test_not_counted(void **state)
{
	struct instance	*a, *b, *c;

	a = begin(READY STAY, HEALTH_NOTIFY);
	lab_script("bin/b", "exit 1\n");
	lab_script("bin/c", "exit 75\n");
	lab_service("b", HEALTH_NOTIFY)->optional = 1;
	lab_service("c", HEALTH_NOTIFY);
	service_configure(&lab);
	b = service_find("b");
	c = service_find("c");
	watch();
	service_start_wanted(&lab);
	UNTIL(b->in.deaths >= 4 && c->in.restarts >= 4);
	/* An operator's stop is no death, nor is what he stopped watched. */
	assert_int_equal(operate(a, OP_STOP), UPD_OK);
	assert_int_equal(operate(a, OP_START), UPD_OK);
	assert_int_equal(over.calls, 0);
	/* Nor does anything after its end count. */
	agent_unwatch(&lab);
	agent_unwatch(&lab);
	lab_script("bin/a", "exit 78\n");
	assert_int_equal(operate(a, OP_RESTART), UPD_EUNHEALTHY);
	assert_int_equal(over.calls, 0);
	lab_clear();
}

/* The probe process answers. */
static void
answer(const struct instance *i, int healthy)
{
	struct msg_probe_result	 r;

	memset(&r, 0, sizeof(r));
	r.id = i->health.probe_id;
	r.healthy = (uint32_t)healthy;
	r.status = healthy ? 200 : 500;
	r.attempts = 1;
	strlcpy(r.text, healthy ? "fine" : "answered 500", sizeof(r.text));
	service_probe_result(&r);
}

static void
test_asked_again(void **state)
{
	struct service_conf	*sc;
	struct instance		*i;
	int			 n;

	lab_script("bin/a", STAY);
	sc = lab_service("a", HEALTH_TCP);
	sc->health.host = strdup("127.0.0.1");
	sc->health.within_ms = 60000;
	sc->health.timeout_ms = 1000;
	i = lab_configure("a");
	service_start_wanted(&lab);
	UNTIL(i->health.probe_id != 0);
	answer(i, 1);
	UNTIL(i->state == SERVICE_UP);
	n = lab_probes;
	watch();
	UNTIL(lab_probes == n + 1);
	/* What was known holds while it is asked, and it gets less time
	 * than to start. */
	assert_int_equal(i->health.healthy, 1);
	assert_true(agent_healthy(&lab));
	assert_true(lab_probe.within_ms <= 10000);
	answer(i, 1);
	assert_int_equal(over.calls, 0);
	UNTIL(lab_probes == n + 2);
	answer(i, 0);
	UNTIL(over.calls == 1);
	assert_string_equal(over.why, "service a is not healthy: answered "
	    "500");
	assert_int_equal(i->state, SERVICE_UP);

	/* The end of the watch takes back an open question. */
	i->health.healthy = 1;
	n = lab_probes;
	watch();
	UNTIL(lab_probes == n + 1);
	n = lab_cancels;
	agent_unwatch(&lab);
	assert_int_equal(lab_cancels, n + 1);
	assert_int_equal(i->health.pending, 0);
	assert_int_equal(i->health.healthy, 1);
	free(sc->health.host);
	sc->health.host = NULL;
	lab_clear();
}

/* Also after one that failed in the middle. */
static int
after(void **state)
{
	agent_unwatch(&lab);
	return lab_after(state);
}
#define TEST(fn)	cmocka_unit_test_teardown(fn, after)

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		TEST(test_deaths),
		TEST(test_permanent),
		TEST(test_not_up_again),
		TEST(test_not_counted),
		TEST(test_asked_again),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, lab_setup, lab_teardown);
}
