/*
 * All services of an agent: what an update does with them, and what is left
 * of them when the daemon goes and another one comes.
 */
/* LINK: updaterd/parent/command.o updaterd/parent/contain.o updaterd/parent/describe.o updaterd/parent/health.o updaterd/parent/instance.o updaterd/parent/intent.o updaterd/parent/launch.o updaterd/parent/logfile.o updaterd/parent/native.o updaterd/parent/operate.o updaterd/parent/reap.o updaterd/parent/service.o updaterd/parent/utf8.o updaterd/parent/verdict.o common/error.o common/log.o common/proto.o common/util.o common/compat/contain-linux.o common/compat/imsg.o common/compat/osproc-linux.o common/compat/pidwatch-linux.o */
/* LIBS: -ljansson */
#include <sys/mount.h>
#include <sched.h>

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

static int
alive(pid_t pid)
{
	return pid > 1 && pid_starttime(pid) != 0;
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

/* --- another daemon ---------------------------------------------------- */

static const char	*program;
static int		 first_status;

static void
first_ended(void *arg, pid_t pid, int status)
{
	*(int *)arg = 1;
	first_status = status;
}

/* A daemon in the same directories: starts what is configured, then ends
 * in that way.  main() calls this in a process of its own. */
static int first_closed;

static void
closed(void *arg)
{
	first_closed = 1;
}

static int
first_daemon(const char *dir, const char *way)
{
	struct instance	*i;

	lab_open(dir);
	lab_service("s", HEALTH_NOTIFY);
	service_configure(&lab);
	i = service_find("s");
	/* right after the fork: the state file knows nothing yet */
	service_start_wanted(&lab);
	if (strcmp(way, "early") == 0)
		kill(getpid(), SIGKILL);
	UNTIL(i->state == SERVICE_UP);
	if (strcmp(way, "kill") == 0) {
		UNTIL(!i->dirty);
		kill(getpid(), SIGKILL);
	}
	service_shutdown(strcmp(way, "keep") == 0, closed, NULL);
	UNTIL(first_closed);
	return 0;
}

static void
run_first(const char *way)
{
	pid_t	 pid;
	int	 ended = 0;

	if ((pid = fork()) == 0) {
		execl(program, program, "first", lab_dir, way, NULL);
		_exit(127);
	}
	assert_int_equal(reap_add(pid, first_ended, &ended), 0);
	UNTIL(ended);
}

static void
adopts(const char *way)
{
	struct instance	*i;
	struct stat	 st;
	char		*tail;
	pid_t		 pid;

	run_first(way);
	pid = (pid_t)atoi(lab_read("run/s/pid"));
	assert_true(alive(pid));
	lab_service("s", HEALTH_NOTIFY);
	service_configure(&lab);
	i = service_find("s");
	service_start_wanted(&lab);
	assert_int_equal(i->in.pid, pid);
	assert_string_equal(i->in.release, "r1");
	UNTIL(i->state == SERVICE_UP);
	assert_int_equal(i->health.healthy, 1);
	/* what it writes still arrives: also what it wrote in between */
	UNTIL(i->capture.tail.total >= 20);
	tail = agent_tail(&lab, 4096);
	assert_non_null(strstr(tail, "tick\n"));
	free(tail);
	UNTIL(!i->dirty);
	/* its death is noticed, and how it died */
	kill(pid, SIGUSR1);
	UNTIL(i->in.pid != pid && i->state == SERVICE_UP);
	assert_int_equal(i->in.deaths, 1);
	print_message("# %s: %s\n", way, i->in.exit_text);
	assert_true(fstatat(service_getenv()->runfd, "s/pid", &st, 0) == 0);
	pid = i->in.pid;
	stop_all();
	assert_false(alive(pid));
	agent_unhold(&lab);
	lab_clear();
}

#define TICK	"while :; do echo tick; sleep 0.02; done\n"

static void
test_adopt(void **state)
{
	lab_script("bin/s", READY TICK);
	adopts("kill");
	adopts("keep");
	adopts("early");
}

static void
test_stop_adopted(void **state)
{
	struct instance	*i;
	enum upd_error	 e = UPD_E__MAX;
	pid_t		 pid;

	lab_script("bin/s", READY "trap '' TERM\nsetsid sleep 1000 &\n"
	    TICK);
	run_first("kill");
	lab_service("s", HEALTH_NOTIFY)->stop_ms = 100;
	service_configure(&lab);
	i = service_find("s");
	pid = i->in.pid;
	assert_true(alive(pid));
	service_op(i, OP_RESTART, "operator", on_op, &e);
	UNTIL(e != UPD_E__MAX);
	assert_int_equal(e, UPD_OK);
	assert_false(alive(pid));
	assert_int_not_equal(i->in.pid, pid);
	lab_clear();
}

/* An orderly end that keeps nothing: intent is as it was. */
static void
test_shutdown(void **state)
{
	struct instance	*i;

	lab_script("bin/s", READY TICK);
	run_first("stop");
	assert_int_equal(first_status, 0);
	assert_false(lab_exists("run/s/pid"));
	assert_non_null(strstr(lab_read("state/s.json"),
	    "\"desired\": \"running\""));
	assert_non_null(strstr(lab_read("state/s.json"),
	    "\"phase\": \"exited\""));
	lab_service("s", HEALTH_NOTIFY);
	service_configure(&lab);
	i = service_find("s");
	assert_int_equal(i->state, SERVICE_DOWN);
	service_start_wanted(&lab);
	UNTIL(i->state == SERVICE_UP);
	lab_clear();
}

static void
put(const char *name, const char *text)
{
	char	 path[256];
	int	 fd;

	lab_path(path, sizeof(path), name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert_int_not_equal(fd, -1);
	assert_int_equal(write_all(fd, text, strlen(text)), 0);
	close(fd);
}

/* The leader died with the daemon; what it left must not run beside the
 * next one. */
static void
test_leftovers(void **state)
{
	struct instance	*i;
	pid_t		 pid, kid;

	lab_script("bin/s", "setsid sleep 1000 & echo $! >../../../kid\n"
	    READY TICK);
	run_first("kill");
	pid = (pid_t)atoi(lab_read("run/s/pid"));
	kid = (pid_t)atoi(lab_read("kid"));
	assert_true(alive(pid));
	kill(pid, SIGKILL);
	UNTIL(!alive(pid));
	lab_service("s", HEALTH_NOTIFY);
	service_configure(&lab);
	i = service_find("s");
	assert_int_equal(i->state, SERVICE_STOPPING);
	service_start_wanted(&lab);
	UNTIL(i->state == SERVICE_UP);
	assert_false(alive(kid));
	assert_int_equal(i->in.deaths, 0);
	lab_clear();
}

/* A pid that is somebody else's by now, in the pid file or another boot. */
static void
test_reused_pid(void **state)
{
	struct instance	*i;
	char		 text[256];
	pid_t		 pid;
	int		 ended = 0;

	if ((pid = fork()) == 0) {
		execl("/bin/sleep", "sleep", "1000", NULL);
		_exit(127);
	}
	assert_int_equal(reap_add(pid, first_ended, &ended), 0);
	lab_script("bin/s", READY TICK);
	lab_service("s", HEALTH_NOTIFY);
	mkdirat(service_getenv()->runfd, "s", 0711);
	snprintf(text, sizeof(text), "%d %llu %s r1\n", (int)pid,
	    (unsigned long long)pid_starttime(pid) - 1, boot_id());
	put("run/s/pid", text);
	service_configure(&lab);
	i = service_find("s");
	assert_int_equal(i->state, SERVICE_DOWN);
	lab_clear();
	lab_service("s", HEALTH_NOTIFY);
	mkdirat(service_getenv()->runfd, "s", 0711);
	snprintf(text, sizeof(text), "%d %llu not-this-boot r1\n", (int)pid,
	    (unsigned long long)pid_starttime(pid));
	put("run/s/pid", text);
	service_configure(&lab);
	i = service_find("s");
	assert_int_equal(i->state, SERVICE_DOWN);
	service_start_wanted(&lab);
	UNTIL(i->state == SERVICE_UP);
	lab_clear();
	assert_true(alive(pid));
	kill(pid, SIGKILL);
	UNTIL(ended);
}

/* A host that went down: the state file says running, with another boot. */
static void
test_reboot(void **state)
{
	struct instance	*i;
	char		*text, *at;

	lab_script("bin/s", READY TICK);
	lab_service("s", HEALTH_NOTIFY);
	service_configure(&lab);
	i = service_find("s");
	service_start_wanted(&lab);
	UNTIL(i->state == SERVICE_UP && !i->dirty);
	text = strdup(lab_read("state/s.json"));
	assert_non_null(at = strstr(text, boot_id()));
	lab_clear();
	memset(at, '0', strlen(boot_id()));
	put("state/s.json", text);
	free(text);
	lab_service("s", HEALTH_NOTIFY);
	service_configure(&lab);
	i = service_find("s");
	assert_int_equal(i->state, SERVICE_DOWN);
	assert_string_equal(i->in.exit_text, "the host went down");
	service_start_wanted(&lab);
	UNTIL(i->state == SERVICE_UP);
	lab_clear();
}

/* All of that where there is no cgroup v2; the last, no way back. */
static void
test_without_box(void **state)
{
	struct instance	*i;
	json_t		*o;

	if (unshare(CLONE_NEWNS) == -1 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == -1)
		skip();
	while (umount2("/sys/fs/cgroup/unified", MNT_DETACH) == 0 ||
	    umount2("/sys/fs/cgroup", MNT_DETACH) == 0)
		;
	lab_script("bin/s", READY TICK);
	lab_service("s", HEALTH_NOTIFY);
	service_configure(&lab);
	service_start_wanted(&lab);
	i = service_find("s");
	UNTIL(i->state == SERVICE_UP);
	o = service_json(&lab);
	assert_string_equal(json_string_value(json_object_get(
	    json_array_get(o, 0), "containment")), "subreaper");
	json_decref(o);
	lab_clear();
	test_adopt(state);
	test_stop_adopted(state);
	test_leftovers(state);
	test_good(state);
}

static int
setup(void **state)
{
	static char	 dir[] = "/tmp/test_verdict.XXXXXX";

	if (mkdtemp(dir) == NULL || chmod(dir, 0755) == -1)
		return -1;
	lab_open(dir);
	return 0;
}

static int
teardown(void **state)
{
	json_decref(got.report);
	lab_close();
	return 0;
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest	 tests[] = {
		LAB_TEST(test_good),
		LAB_TEST(test_bad),
		LAB_TEST(test_optional),
		LAB_TEST(test_no_release),
		LAB_TEST(test_stop_meanwhile),
		LAB_TEST(test_adopt),
		LAB_TEST(test_stop_adopted),
		LAB_TEST(test_shutdown),
		LAB_TEST(test_leftovers),
		LAB_TEST(test_reused_pid),
		LAB_TEST(test_reboot),
		LAB_TEST(test_without_box),
	};

	if (argc == 4 && strcmp(argv[1], "first") == 0)
		return first_daemon(argv[2], argv[3]);
	program = "/proc/self/exe";
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, setup, teardown);
}
