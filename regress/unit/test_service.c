/*
 * One service: its states, what operators ask, how it is started, how it
 * is stopped, and what is remembered.
 */
/* LINK: updaterd/parent/asked.o updaterd/parent/command.o updaterd/parent/contain.o updaterd/parent/death.o updaterd/parent/describe.o updaterd/parent/dump.o updaterd/parent/expand.o updaterd/parent/guard.o updaterd/parent/health.o updaterd/parent/herald.o updaterd/parent/inquiry.o updaterd/parent/instance.o updaterd/parent/intent.o updaterd/parent/identity.o updaterd/parent/launch.o updaterd/parent/ledger.o updaterd/parent/logfile.o updaterd/parent/native.o updaterd/parent/pidfile.o updaterd/parent/quiet.o updaterd/parent/rundir.o updaterd/parent/note.o updaterd/parent/observe.o updaterd/parent/orphan.o updaterd/parent/operate.o updaterd/parent/reap.o updaterd/parent/remains.o updaterd/parent/service.o updaterd/parent/task.o updaterd/parent/tree.o updaterd/parent/utf8.o updaterd/parent/verdict.o updaterd/parent/walk.o updaterd/config.o updaterd/percent.o updaterd/value.o common/error.o common/log.o common/proto.o common/util.o common/compat/beneath-linux.o common/compat/beneath-walk.o common/compat/contain-linux.o common/compat/imsg.o common/compat/osproc-linux.o common/compat/pidwatch-linux.o common/compat/procgroup-linux.o updaterd/parent/plan.o updaterd/parent/seat.o common/profile.o */
/* LIBS: -ljansson */
#include "service_lab.h"

/* A pid that a script wrote into the lab's directory. */
static pid_t
pid_in(const char *name)
{
	return (pid_t)atoi(lab_read(name));
}

static const char *
desired(const char *name)
{
	static struct intent	 in;
	char			 why[UPD_TEXT_SIZE];

	if (intent_read(service_getenv()->statefd, name, &in, why) != 1)
		return "unreadable";
	return in.desired ? "running" : "stopped";
}

static void
test_backoff(void **state)
{
	uint32_t	 n = 0, i;
	static const uint32_t	 want[] = { 1000, 2000, 4000, 8000, 16000,
	    32000, 60000, 60000 };

	/* the first death after a minute up is free */
	assert_int_equal(backoff_delay(&n, 60000, 1000, 60000), 0);
	for (i = 0; i < 8; i++)
		assert_int_equal(backoff_delay(&n, 59999, 1000, 60000),
		    want[i]);
	n = 4000000000U;
	assert_int_equal(backoff_delay(&n, 0, 1000, 60000), 60000);
	assert_int_equal(backoff_delay(&n, 60000, 1000, 60000), 0);
	assert_int_equal(backoff_delay(&n, 0, 1000, 60000), 1000);
	n = 5;
	assert_int_equal(backoff_delay(&n, 0, 0, 0), 0);
	n = 31;
	assert_int_equal(backoff_delay(&n, 0, 4294967295U, 4294967295U),
	    4294967295U);
}

/* What a service finds: descriptors, directory, environment, limits. */
static void
test_surroundings(void **state)
{
	static char		*vars[] = { "LANG=C", "UPDATERD_INSTANCE=x",
				    "HOME=/nowhere", NULL };
	struct service_conf	*c = lab_service("s", HEALTH_NONE);
	struct instance		*i;
	char			 want[512], script[1024];

	snprintf(script, sizeof(script), "exec >%s/out 2>&1\n"
	    "ls /proc/self/fd | tr '\\n' ' '\necho $0\npwd\numask\n"
	    "ulimit -n\nid -u; id -G\n"
	    "echo $LANG $UPDATERD_INSTANCE $HOME $USER $NOTIFY_FD\n"
	    "i=$(sed -n 's/SigIgn:.//p' /proc/self/status)\n"
	    "echo $((0x$i & 0x7fffffff))\n"
	    "echo end\n" STAY, lab_dir);
	lab_script("bin/s", script);
	c->user = "nobody";
	c->umask = 027;
	c->environment.v = vars;
	c->environment.n = 3;
	c->rlimits[0].resource = RLIMIT_NOFILE;
	c->rlimits[0].value = 99;
	c->nrlimits = 1;
	lab_path(want, sizeof(want), "out");
	close(open(want, O_WRONLY | O_CREAT, 0666));
	chmod(want, 0666);
	i = lab_configure("s");
	assert_non_null(i);
	service_start_wanted(&lab);
	assert_int_equal(i->state, SERVICE_STARTING);
	UNTIL(strstr(lab_read("out"), "end\n") != NULL);
	/* 3: the directory that ls itself reads; signals 32 and 33, ignored
	 * or not, are libc's own */
	snprintf(want, sizeof(want), "0 1 2 3 %s/root/releases/r1/bin/s\n"
	    "%s/root/releases/r1\n0027\n99\n65534\n65534\n"
	    "C s /nowhere nobody\n0\nend\n", lab_dir,
	    lab_dir);
	assert_string_equal(lab_read("out"), want);
	UNTIL(i->state == SERVICE_UP);
	assert_string_equal(note_text(&i->health.detail), "up for 1 s");
	assert_int_equal(operate(i, OP_STOP), UPD_OK);
	c->environment.v = NULL;
	lab_clear();
}

/* Wanted up once it has a release; the intent is remembered. */
static void
test_first_start(void **state)
{
	struct instance	*i;

	lab_script("bin/s", READY STAY);
	lab_service("s", HEALTH_NOTIFY);
	lab_store.current[0] = '\0';
	i = lab_configure("s");
	service_start_wanted(&lab);
	assert_int_equal(i->state, SERVICE_DOWN);
	assert_string_equal(note_text(&i->why), "no release");
	assert_int_equal(operate(i, OP_START), UPD_ENOTFOUND);
	assert_string_equal(desired("s"), "running");
	strlcpy(lab_store.current, "r1", sizeof(lab_store.current));
	service_start_wanted(&lab);
	UNTIL(i->state == SERVICE_UP);
	assert_true(lab_exists("run/s/pid"));
	UNTIL(i->ledger == LEDGER_TRUE);
	assert_non_null(strstr(lab_read("state/s.json"),
	    "\"state\": \"up\""));
	assert_string_equal(i->in.release, "r1");
	lab_clear();
	assert_false(lab_exists("run/s"));
	assert_false(lab_exists("state/s.json"));
}

static void
test_operator(void **state)
{
	struct instance	*i;
	pid_t		 pid;

	lab_script("bin/s", READY STAY);
	lab_service("s", HEALTH_NOTIFY);
	i = lab_configure("s");
	assert_int_equal(operate(i, OP_START), UPD_OK);
	assert_int_equal(i->state, SERVICE_UP);
	pid = i->in.pid;
	/* what is reached already is fine */
	assert_int_equal(operate(i, OP_START), UPD_OK);
	assert_int_equal(i->in.pid, pid);
	assert_int_equal(operate(i, OP_RESTART), UPD_OK);
	assert_int_equal(i->state, SERVICE_UP);
	assert_int_not_equal(i->in.pid, pid);
	assert_false(alive(pid));
	pid = i->in.pid;
	assert_int_equal(operate(i, OP_STOP), UPD_OK);
	assert_int_equal(i->state, SERVICE_DOWN);
	assert_false(alive(pid));
	assert_string_equal(desired("s"), "stopped");
	assert_string_equal(i->in.desired_by, "operator");
	assert_int_equal(operate(i, OP_STOP), UPD_OK);
	/* wanted down: not started by anything but an operator */
	service_start_wanted(&lab);
	assert_int_equal(i->state, SERVICE_DOWN);
	assert_int_equal(operate(i, OP_RESTART), UPD_OK);
	assert_string_equal(desired("s"), "running");
	assert_int_equal(i->in.deaths, 0);
	assert_int_equal(operate(i, OP_STATUS), UPD_EBADREQ);
	lab_clear();
}

/* The intent cannot be made durable: nothing is done. */
static void
test_no_intent_no_act(void **state)
{
	struct instance	*i;
	char		 path[256];
	pid_t		 pid;

	lab_script("bin/s", READY STAY);
	lab_service("s", HEALTH_NOTIFY);
	i = lab_configure("s");
	assert_int_equal(operate(i, OP_START), UPD_OK);
	pid = i->in.pid;
	lab_path(path, sizeof(path), "state/.s.json.tmp");
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(operate(i, OP_STOP), UPD_EIO);
	assert_int_equal(i->state, SERVICE_UP);
	assert_int_equal(i->in.pid, pid);
	assert_int_equal(i->in.desired, 1);
	rmdir(path);
	lab_clear();
}

static void
test_crash(void **state)
{
	struct instance	*i;
	uint64_t	 t;
	pid_t		 pid;

	lab_script("bin/s", READY STAY);
	lab_service("s", HEALTH_NOTIFY);
	i = lab_configure("s");
	assert_int_equal(operate(i, OP_START), UPD_OK);
	pid = i->in.pid;
	kill(pid, SIGKILL);
	UNTIL(i->state == SERVICE_BACKOFF);
	assert_int_equal(i->in.deaths, 1);
	assert_int_equal(strncmp(i->in.exit_text, "killed by signal 9 after ",
	    25), 0);
	UNTIL(i->state == SERVICE_UP);
	assert_int_not_equal(i->in.pid, pid);
	assert_int_equal(i->in.restarts, 1);
	/* after a minute up the first death is free, and the way back short */
	i->started -= 60000;
	pid = i->in.pid;
	t = time_mono_us();
	kill(pid, SIGKILL);
	UNTIL(i->in.pid != pid && i->in.pid != 0);
	t = time_mono_us() - t;
	print_message("# killed to started: %llu us\n",
	    (unsigned long long)t);
	UNTIL(i->state == SERVICE_UP);
	/* stop while it waits */
	i->fails = 10;
	((struct service_conf *)(uintptr_t)i->conf)->backmax_ms = 60000;
	kill(i->in.pid, SIGKILL);
	UNTIL(i->state == SERVICE_BACKOFF);
	assert_int_equal(operate(i, OP_STOP), UPD_OK);
	assert_int_equal(i->state, SERVICE_DOWN);
	/* start while it waits */
	assert_int_equal(operate(i, OP_START), UPD_OK);
	i->fails = 10;
	kill(i->in.pid, SIGKILL);
	UNTIL(i->state == SERVICE_BACKOFF && i->drained);
	assert_int_equal(operate(i, OP_START), UPD_OK);
	assert_int_equal(i->state, SERVICE_UP);
	lab_clear();
}

static void
test_exit_codes(void **state)
{
	struct service_conf	*c;
	struct instance		*i;

	/* any code is a death, 0 too */
	lab_script("bin/s", "exit 0\n");
	c = lab_service("s", HEALTH_NOTIFY);
	i = lab_configure("s");
	assert_int_equal(operate(i, OP_START), UPD_EUNHEALTHY);
	assert_int_equal(strncmp(told.text, "exited 0 after ", 15), 0);
	UNTIL(i->in.restarts >= 3);
	assert_int_equal(operate(i, OP_STOP), UPD_OK);

	/* 75 is not counted, and does not spin */
	c->backoff_ms = 50;
	i->in.deaths = i->in.restarts = 0;
	lab_script("bin/s", "exit 75\n");
	operate(i, OP_START);
	lab_pass(180);
	assert_int_equal(i->in.deaths, 0);
	assert_in_range(i->in.restarts, 1, 4);
	assert_int_equal(operate(i, OP_STOP), UPD_OK);

	/* 78 parks it */
	lab_script("bin/s", "exit 78\n");
	assert_int_equal(operate(i, OP_START), UPD_EUNHEALTHY);
	assert_int_equal(i->state, SERVICE_FAILED);
	lab_pass(100);
	assert_int_equal(i->state, SERVICE_FAILED);
	service_start_wanted(&lab);
	assert_int_equal(i->state, SERVICE_FAILED);
	UNTIL(i->ledger == LEDGER_TRUE);
	assert_non_null(strstr(lab_read("state/s.json"), "\"failed\": {"));
	/* until it is started by hand */
	lab_script("bin/s", READY STAY);
	assert_int_equal(operate(i, OP_START), UPD_OK);
	assert_int_equal(i->in.failed, 0);

	/* while stopping no code means anything */
	lab_script("bin/s", "trap 'exit 78' TERM\n" READY
	    "while :; do sleep 0.01; done\n");
	assert_int_equal(operate(i, OP_RESTART), UPD_OK);
	assert_int_equal(operate(i, OP_STOP), UPD_OK);
	assert_int_equal(i->state, SERVICE_DOWN);
	assert_int_equal(i->in.failed, 0);
	assert_int_equal(i->in.exit_planned, 1);
	assert_int_equal(i->in.exit_value, 78);
	lab_clear();
}

static void
test_stubborn(void **state)
{
	struct service_conf	*c;
	struct instance		*i;
	char			 script[1024];
	uint64_t		 t;
	pid_t			 pid, kid, own, dbl;

	/* ignores TERM, and has children of each kind */
	snprintf(script, sizeof(script), "trap '' TERM\nd=%s\n"
	    "sleep 1000 & echo $! >$d/kid\n"
	    "setsid sh -c \"echo \\$\\$ >$d/own; exec sleep 1000\" &\n"
	    "(setsid sh -c \"echo \\$\\$ >$d/dbl; exec sleep 1000\" &)\n"
	    "while [ ! -s $d/own -o ! -s $d/dbl ]; do sleep 0.01; done\n"
	    READY "while :; do sleep 1; done\n", lab_dir);
	lab_script("bin/s", script);
	c = lab_service("s", HEALTH_NOTIFY);
	c->stop_ms = 100;
	i = lab_configure("s");
	assert_int_equal(operate(i, OP_START), UPD_OK);
	pid = i->in.pid;
	kid = pid_in("kid");
	own = pid_in("own");
	dbl = pid_in("dbl");
	assert_true(alive(kid) && alive(own) && alive(dbl));
	t = time_mono_ms();
	assert_int_equal(operate(i, OP_STOP), UPD_OK);
	t = time_mono_ms() - t;
	assert_in_range(t, 95, 1000);
	assert_false(alive(pid) || alive(kid) || alive(own) || alive(dbl));

	/* a death: what it leaves is gone before it runs again */
	assert_int_equal(operate(i, OP_START), UPD_OK);
	kid = pid_in("kid");
	own = pid_in("own");
	dbl = pid_in("dbl");
	pid = i->in.pid;
	kill(pid, SIGKILL);
	UNTIL(i->in.pid != pid && i->in.pid != 0);
	assert_false(alive(kid) || alive(own) || alive(dbl));
	/* and what was done to them is not done to the new one */
	UNTIL(i->state == SERVICE_UP);
	assert_int_equal(i->in.deaths, 1);
	operate(i, OP_STOP);

	/* stopped by a signal, and told to stop */
	lab_script("bin/s", READY STAY);
	c->stop_ms = 5000;
	service_configure(&lab);
	assert_int_equal(operate(i, OP_START), UPD_OK);
	kill(i->in.pid, SIGSTOP);
	t = time_mono_ms();
	assert_int_equal(operate(i, OP_STOP), UPD_OK);
	assert_true(time_mono_ms() - t < 2000);
	assert_int_equal(i->in.exit_kind, EXIT_SIGNAL);
	assert_int_equal(i->in.exit_value, SIGTERM);
	lab_clear();
}

/* A leader that goes in time leaves its children what is left of it. */
static void
test_rest_of_grace(void **state)
{
	struct service_conf	*c;
	struct instance		*i;
	char			 script[1024];

	snprintf(script, sizeof(script),
	    "(trap 'sleep 0.1; echo saved >%s/saved; exit' TERM\n"
	    " echo >%s/set; while :; do sleep 0.01; done) &\n"
	    "while [ ! -e %s/set ]; do sleep 0.01; done\n"
	    READY "wait\n", lab_dir, lab_dir, lab_dir);
	lab_script("bin/s", script);
	c = lab_service("s", HEALTH_NOTIFY);
	c->stop_ms = 3000;
	i = lab_configure("s");
	assert_int_equal(operate(i, OP_START), UPD_OK);
	assert_int_equal(operate(i, OP_STOP), UPD_OK);
	assert_true(lab_exists("saved"));
	lab_clear();
}

static void
test_cannot_start(void **state)
{
	struct service_conf	*c;
	struct instance		*i;
	char			 path[256];

	lab_script("bin/s", STAY);
	snprintf(path, sizeof(path), "%s/root/releases/r1/bin/s", lab_dir);
	chmod(path, 0644);
	c = lab_service("s", HEALTH_NONE);
	i = lab_configure("s");
	assert_int_equal(operate(i, OP_START), UPD_EUNHEALTHY);
	assert_string_equal(told.text,
	    "cannot execute bin/s: Permission denied");
	assert_string_equal(i->in.exit_text, told.text);
	/* a death like any other: it is tried again */
	UNTIL(i->in.restarts >= 2);
	chmod(path, 0755);
	UNTIL(i->state == SERVICE_UP);
	operate(i, OP_STOP);
	c->user = "no-such-user-here";
	assert_int_equal(operate(i, OP_START), UPD_EUNHEALTHY);
	assert_string_equal(told.text, "no such user: no-such-user-here");
	operate(i, OP_STOP);
	c->user = NULL;
	c->directory = "/nowhere/at/all";
	assert_int_equal(operate(i, OP_START), UPD_EUNHEALTHY);
	assert_string_equal(told.text, "cannot enter the directory of "
	    "bin/s: No such file or directory");
	lab_clear();
}

/* A file that cannot be believed: down, and kept for a look. */
static void
test_bad_state(void **state)
{
	struct instance	*i;
	char		 path[256];
	int		 fd;

	lab_script("bin/s", READY STAY);
	lab_service("s", HEALTH_NOTIFY);
	lab_path(path, sizeof(path), "state/s.json");
	fd = open(path, O_WRONLY | O_CREAT, 0600);
	assert_int_equal(write(fd, "{}", 2), 2);
	close(fd);
	i = lab_configure("s");
	service_start_wanted(&lab);
	assert_int_equal(i->state, SERVICE_DOWN);
	assert_int_equal(i->in.desired, 0);
	assert_true(lab_exists("state/s.json.bad"));
	assert_int_equal(operate(i, OP_START), UPD_OK);
	lab_clear();
	lab_path(path, sizeof(path), "state/s.json.bad");
	unlink(path);
}

static void
test_reload(void **state)
{
	static char		*word[] = { "bin/s", "-x", NULL };
	struct service_conf	*c;
	struct instance		*i, *t;
	json_t			*o;
	pid_t			 pid;

	lab_script("bin/s", READY STAY);
	lab_script("bin/t", "trap '' TERM\n" READY STAY);
	c = lab_service("s", HEALTH_NOTIFY);
	lab_service("t", HEALTH_NOTIFY)->stop_ms = 200;
	service_configure(&lab);
	service_start_wanted(&lab);
	i = service_find("s");
	t = service_find("t");
	UNTIL(i->state == SERVICE_UP && t->state == SERVICE_UP);
	pid = i->in.pid;
	/* takes effect at the next start, and says so */
	free(lab_words[0][0]);
	lab_words[0][0] = NULL;
	c->command.v = word;
	c->command.n = 2;
	service_configure(&lab);
	assert_int_equal(i->in.pid, pid);
	o = service_json(&lab);
	assert_int_equal(json_array_size(o), 2);
	assert_true(json_is_true(json_object_get(json_array_get(o, 0),
	    "restart_pending")));
	assert_true(json_is_false(json_object_get(json_array_get(o, 1),
	    "restart_pending")));
	json_decref(o);
	assert_int_equal(operate(i, OP_RESTART), UPD_OK);
	o = service_json(&lab);
	assert_true(json_is_false(json_object_get(json_array_get(o, 0),
	    "restart_pending")));
	json_decref(o);
	/* one is taken out, and put back while it is being stopped */
	pid = t->in.pid;
	lab_unservice(TAILQ_NEXT(c, entry));
	service_configure(&lab);
	assert_null(service_find("t"));
	assert_int_equal(t->state, SERVICE_STOPPING);
	lab_service("t", HEALTH_NOTIFY);
	service_configure(&lab);
	assert_ptr_equal(service_find("t"), t);
	service_start_wanted(&lab);
	UNTIL(t->state == SERVICE_UP);
	assert_false(alive(pid));
	assert_int_equal(service_find("s")->state, SERVICE_UP);
	lab_clear();
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		LAB_TEST(test_backoff),
		LAB_TEST(test_surroundings),
		LAB_TEST(test_first_start),
		LAB_TEST(test_operator),
		LAB_TEST(test_no_intent_no_act),
		LAB_TEST(test_crash),
		LAB_TEST(test_exit_codes),
		LAB_TEST(test_stubborn),
		LAB_TEST(test_rest_of_grace),
		LAB_TEST(test_cannot_start),
		LAB_TEST(test_bad_state),
		LAB_TEST(test_reload),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, lab_setup, lab_teardown);
}
