/*
 * A foreign supervisor that is played, in the laboratory of service_lab.h:
 * what is asked of it is counted, what it shows is told by the test.
 */
#ifndef OBSERVE_LAB_H
#define OBSERVE_LAB_H

#define LAB_BACKEND	fake_backend
#include "service_lab.h"

static struct {
	int		 starts, stops, looks;
	int		 refuse;	/* starts */
	int		 away;		/* it is to come */
	int		 obey;		/* what is stopped is seen down */
	struct event	 ev;
	struct instance	*i;
} fake;

static int64_t	 stamp;			/* of the last change */

static struct sighting
seen(int up, enum wanted wanted, pid_t pid, int status)
{
	struct sighting	 s;

	memset(&s, 0, sizeof(s));
	s.known = 1;
	s.up = up;
	s.wanted = wanted;
	s.pid = pid;
	s.status = status;
	s.since = stamp;
	return s;
}

static void
see(struct instance *i, int up, enum wanted wanted, pid_t pid, int status)
{
	struct sighting	 s;

	stamp = time_real_us() > stamp ? time_real_us() : stamp + 1;
	s = seen(up, wanted, pid, status);
	service_observed(i, &s);
}

/* Once more what was last seen. */
static void __attribute__((unused))
see_again(struct instance *i)
{
	struct sighting	 s = i->observed->last;

	service_observed(i, &s);
}

static void __attribute__((unused))
see_nothing(struct instance *i)
{
	struct sighting	 s;

	memset(&s, 0, sizeof(s));
	s.status = -1;
	strlcpy(s.text, "it is away", sizeof(s.text));
	service_observed(i, &s);
}

static void
obey(int fd, short what, void *arg)
{
	struct instance	*i;

	TAILQ_FOREACH(i, &all_instances, all)
		if (i == fake.i)
			see(i, 0, WANTED_DOWN, 0, 0);
}

static enum attach_result
fake_attach(struct instance *i)
{
	fake.i = i;
	return ATTACH_LATER;
}

static int
fake_start(struct instance *i, char *text)
{
	fake.starts++;
	if (fake.away) {
		strlcpy(text, "waits for it", UPD_TEXT_SIZE);
		return 1;
	}
	if (fake.refuse)
		strlcpy(text, "will not", UPD_TEXT_SIZE);
	return fake.refuse ? -1 : 0;
}

static void
fake_stop(struct instance *i)
{
	struct timeval	 now = { 0, 0 };

	fake.stops++;
	if (fake.obey) {
		evtimer_set(&fake.ev, obey, NULL);
		evtimer_add(&fake.ev, &now);
	}
}

static void
fake_nothing(struct instance *i)
{
}

static void
fake_look(struct instance *i)
{
	fake.looks++;
}

static const char *
fake_containment(const struct instance *i)
{
	return "fake";
}

const struct backend fake_backend = {
	.name = "fake",
	.foreign = 1,
	.attach = fake_attach,
	.start = fake_start,
	.stop = fake_stop,
	.drain = observe_drain,
	.sweep = observe_sweep,
	.rest = fake_nothing,
	.forget = fake_nothing,
	.containment = fake_containment,
	.look = fake_look
};

/* A process of nobody's, collected by the loop. */
static pid_t
spawn(void)
{
	struct stat	 st;
	char		 path[32];
	pid_t		 pid = fork();

	assert_int_not_equal(pid, -1);
	if (pid == 0) {
		if (setgid(65534) == -1 || setuid(65534) == -1)
			_exit(1);
		execl("/bin/sleep", "sleep", "100", (char *)NULL);
		_exit(1);
	}
	snprintf(path, sizeof(path), "/proc/%d", (int)pid);
	UNTIL(stat(path, &st) == 0 && st.st_uid == 65534);
	return pid;
}

static void
end(pid_t pid)
{
	if (pid < 2)
		return;
	kill(pid, SIGKILL);
	UNTIL(!alive(pid));
}

static struct instance *
begin(int recorded)
{
	struct service_conf	*c = lab_service("s", HEALTH_NOTIFY);
	struct instance		*i;

	memset(&fake, 0, sizeof(fake));
	c->supervisor = SUPERVISE_S6;
	c->user = "nobody";
	i = lab_configure("s");
	assert_non_null(i);
	if (!recorded)
		assert_int_equal(i->in.desired, 1);
	return i;
}

/* Wanted, started, up and ready. */
static struct instance * __attribute__((unused))
begin_up(pid_t *pid)
{
	struct instance	*i = begin(0);
	struct sighting	 s;

	service_start_wanted(&lab);
	assert_int_equal(fake.starts, 0);	/* it looks first */
	assert_int_equal(fake.looks, 1);
	see(i, 0, WANTED_NOBODY, 0, -1);
	assert_int_equal(fake.starts, 1);
	assert_int_equal(i->state, SERVICE_STARTING);
	assert_false(i->in.running);
	*pid = spawn();
	see(i, 1, WANTED_UP, *pid, -1);
	assert_int_equal(i->state, SERVICE_STARTING);
	assert_int_equal(i->in.pid, *pid);
	assert_string_equal(i->in.release, "r1");
	s = i->observed->last;
	s.ready = 1;
	service_observed(i, &s);
	assert_int_equal(i->state, SERVICE_UP);
	assert_int_equal(i->in.deaths, 0);
	assert_int_equal(i->in.restarts, 0);
	return i;
}

static int
after(void **state)
{
	fake.obey = 1;
	return lab_after(state);
}
#define TEST(fn)	cmocka_unit_test_teardown(fn, after)

static int	 verdicts, good;
static char	 detail[UPD_TEXT_SIZE];		/* in the report */

static void __attribute__((unused))
on_verdict(void *arg, int healthy, json_t *report)
{
	verdicts++;
	good = healthy;
	strlcpy(detail, json_string_value(json_object_get(json_array_get(
	    json_object_get(report, "services"), 0), "detail")),
	    sizeof(detail));
}

#endif
