/*
 * A crash loop under a foreign supervisor: each death is counted, few are
 * logged, and the log tells of all.
 */
/* LINK: updaterd/parent/asked.o updaterd/parent/command.o updaterd/parent/contain.o updaterd/parent/death.o updaterd/parent/describe.o updaterd/parent/dump.o updaterd/parent/expand.o updaterd/parent/guard.o updaterd/parent/health.o updaterd/parent/herald.o updaterd/parent/inquiry.o updaterd/parent/instance.o updaterd/parent/intent.o updaterd/parent/identity.o updaterd/parent/launch.o updaterd/parent/ledger.o updaterd/parent/logfile.o updaterd/parent/native.o updaterd/parent/pidfile.o updaterd/parent/quiet.o updaterd/parent/rundir.o updaterd/parent/note.o updaterd/parent/observe.o updaterd/parent/orphan.o updaterd/parent/operate.o updaterd/parent/reap.o updaterd/parent/remains.o updaterd/parent/service.o updaterd/parent/utf8.o updaterd/parent/verdict.o updaterd/config.o updaterd/percent.o updaterd/value.o common/error.o common/log.o common/proto.o common/util.o common/compat/contain-linux.o common/compat/imsg.o common/compat/osproc-linux.o common/compat/pidwatch-linux.o common/compat/procgroup-linux.o updaterd/parent/plan.o updaterd/parent/seat.o common/profile.o */
/* LIBS: -ljansson */
#include "observe_lab.h"

static char	 path[80];	/* of what is logged */

static void
log_begin(void)
{
	int	 fd;

	snprintf(path, sizeof(path), "%s/log", lab_dir);
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_APPEND, 0600);
	assert_int_not_equal(fd, -1);
	fflush(stderr);
	assert_int_not_equal(dup2(fd, STDERR_FILENO), -1);
	close(fd);
	log_init("quiet", 1, 1);
}

/* Lines with that in them. */
static int
lines(const char *what)
{
	char	 line[1024];
	FILE	*f = fopen(path, "r");
	int	 n = 0;

	assert_non_null(f);
	while (fgets(line, sizeof(line), f) != NULL)
		n += strstr(line, what) != NULL;
	fclose(f);
	return n;
}

/* All deaths that the log tells of. */
static unsigned int
all_told(void)
{
	char		 line[1024], *p;
	FILE		*f = fopen(path, "r");
	unsigned int	 n = 0, more;

	assert_non_null(f);
	while (fgets(line, sizeof(line), f) != NULL)
		if ((p = strstr(line, "lose s ")) != NULL &&
		    sscanf(p, "lose s %u time", &more) == 1)
			n += more;
		else if (strstr(line, "lose s: ") != NULL)
			n++;
	fclose(f);
	return n;
}

static void
die(struct instance *i)
{
	pid_t	 pid = spawn();

	see(i, 1, WANTED_UP, pid, -1);
	end(pid);
	see(i, 0, WANTED_UP, 0, 1 << 8);
}

static void
wait_quiet(struct instance *i)
{
	struct observed	*o = i->observed;

	evtimer_del(&o->quiet_ev);
	event_active(&o->quiet_ev, EV_TIMEOUT, 1);
	lab_pass(20);
}

static void
test_loop(void **state)
{
	struct instance	*i;
	pid_t		 pid;
	int		 n;

	i = begin_up(&pid);
	TAILQ_FIRST(&lab_conf.services)->backoff_ms = 60000;
	TAILQ_FIRST(&lab_conf.services)->backmax_ms = 60000;
	log_begin();
	end(pid);
	see(i, 0, WANTED_UP, 0, 1 << 8);
	assert_int_equal(lines("lose s: exited 1"), 1);
	assert_int_equal(lines("change s from up to backoff"), 1);
	for (n = 0; n < 12; n++)
		die(i);
	assert_int_equal(i->in.deaths, 13);
	/* no word of those, whatever is logged */
	assert_int_equal(lines("lose s: "), 1);
	assert_int_equal(lines("lose s "), 0);
	assert_int_equal(lines("change s"), 1);
	assert_int_equal(lines("find s"), 0);
	/* its time is over: what there was, and quiet again */
	wait_quiet(i);
	assert_int_equal(lines("lose s 12 times more within"), 1);
	assert_int_equal(lines("the last: exited 1"), 1);
	die(i);
	assert_int_equal(lines("lose s"), 2);
	wait_quiet(i);
	assert_int_equal(lines("lose s 1 time more within"), 1);
	/* nothing came meanwhile: the next is said at once */
	wait_quiet(i);
	assert_int_equal(lines("lose s"), 3);
	die(i);
	assert_int_equal(lines("lose s: "), 2);
	assert_int_equal(all_told(), i->in.deaths);
	/* what is not said by the end is said at the end */
	die(i);
	die(i);
	fake.obey = 1;
	lab_clear();
	assert_int_equal(all_told(), 17);
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		TEST(test_loop),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, lab_setup, lab_teardown);
}
