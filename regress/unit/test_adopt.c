/*
 * What is left of a service when its daemon goes and another one comes: in
 * order, by SIGKILL at two moments, with and without the service.
 */
/* LINK: updaterd/parent/asked.o updaterd/parent/command.o updaterd/parent/contain.o updaterd/parent/death.o updaterd/parent/describe.o updaterd/parent/dump.o updaterd/parent/expand.o updaterd/parent/guard.o updaterd/parent/health.o updaterd/parent/herald.o updaterd/parent/inquiry.o updaterd/parent/instance.o updaterd/parent/intent.o updaterd/parent/identity.o updaterd/parent/launch.o updaterd/parent/ledger.o updaterd/parent/logfile.o updaterd/parent/native.o updaterd/parent/pidfile.o updaterd/parent/quiet.o updaterd/parent/rundir.o updaterd/parent/note.o updaterd/parent/observe.o updaterd/parent/orphan.o updaterd/parent/operate.o updaterd/parent/reap.o updaterd/parent/remains.o updaterd/parent/service.o updaterd/parent/task.o updaterd/parent/tree.o updaterd/parent/utf8.o updaterd/parent/verdict.o updaterd/parent/walk.o updaterd/config.o updaterd/percent.o updaterd/value.o common/error.o common/log.o common/proto.o common/util.o common/compat/beneath-linux.o common/compat/beneath-walk.o common/compat/contain-linux.o common/compat/imsg.o common/compat/osproc-linux.o common/compat/pidwatch-linux.o common/compat/procgroup-linux.o updaterd/parent/plan.o updaterd/parent/seat.o common/profile.o */
/* LIBS: -ljansson */
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sched.h>

#include "service_lab.h"

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
		UNTIL(i->ledger == LEDGER_TRUE);
		kill(getpid(), SIGKILL);
	}
	service_shutdown(strcmp(way, "keep") == 0, closed, NULL);
	UNTIL(first_closed);
	return 0;
}

static void
run_first(const char *way)
{
	/* static: should we fail, it is still told */
	static int	 ended;
	pid_t		 pid;

	ended = 0;
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
	UNTIL(i->ledger == LEDGER_TRUE);
	/* its death is noticed, and how it died */
	kill(pid, SIGUSR1);
	UNTIL(i->in.pid != pid && i->state == SERVICE_UP);
	assert_int_equal(i->in.deaths, 1);
	print_message("# %s: %s\n", way, i->in.exit_text);
	assert_true(fstatat(service_getenv()->runfd, "s/pid", &st, 0) == 0);
	pid = i->in.pid;
	assert_int_equal(operate(i, OP_STOP), UPD_OK);
	assert_false(alive(pid));
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
	pid_t		 pid;

	lab_script("bin/s", READY "trap '' TERM\nsetsid sleep 1000 &\n"
	    TICK);
	run_first("kill");
	lab_service("s", HEALTH_NOTIFY)->stop_ms = 100;
	service_configure(&lab);
	i = service_find("s");
	pid = i->in.pid;
	assert_true(alive(pid));
	assert_int_equal(operate(i, OP_RESTART), UPD_OK);
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
	static int	 ended;

	if ((pid = fork()) == 0) {
		/* Should we fail, prove(1) must not wait for it. */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(open("/dev/null", O_RDWR), 1);
		dup2(1, 2);
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
	UNTIL(i->state == SERVICE_UP && i->ledger == LEDGER_TRUE);
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
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest	 tests[] = {
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
	return cmocka_run_group_tests(tests, lab_setup, lab_teardown);
}
