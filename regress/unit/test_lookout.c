/*
 * What a pass did not see all of is looked at again: by itself, less and less
 * often, and at once when something changes.  The descriptors that become
 * readable, and the pass that is asked for, are played here.
 */
/* LINK: updaterd/parent/lookout.o common/log.o common/util.o */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../updaterd/parent/reconcile.h"
#include "../../updaterd/parent/launch.h"

#define LONG_S		20	/* more than any test waits, if all is well */
#define ROUNDS		6	/* of a second that doubles: 32 s and more */

static struct parent		 parent;
struct parent			*env = &parent;
static struct agent		 agent;
static struct agent_conf	 agent_conf;
static struct service_conf	 conf;
static struct event_base	*base;
static int			 asked;

void
reconcile_event(const char *service)
{
	assert_string_equal(service, "gw");
	asked++;
	event_loopbreak();
}

void
farwait_init(struct farwait *w)
{
	w->fd = -1;
	w->n = 0;
}

void
farwait_close(struct farwait *w)
{
	if (w->fd != -1)
		close(w->fd);
	farwait_init(w);
}

static void
too_long(int fd, short what, void *arg)
{
	event_loopbreak();
}

static void
wait_for_it(void)
{
	struct timeval	 limit = { LONG_S, 0 };
	struct event	 ev;

	evtimer_set(&ev, too_long, NULL);
	evtimer_add(&ev, &limit);
	event_dispatch();
	evtimer_del(&ev);
}

static void
set(int fd, int lost)
{
	struct farwait	 w;

	farwait_init(&w);
	w.fd = fd;
	lookout_set("gw", &w, 0, lost);
	assert_int_equal(w.fd, -1);
}

/* Nothing to wait for, and not even a lookout yet. */
static void
lost_is_looked_at_again(void **state)
{
	set(-1, 1);
	wait_for_it();
	assert_int_equal(asked, 1);
}

static void
lost_is_told_of_changes(void **state)
{
	int	 p[2], i;

	for (i = 0; i < ROUNDS; i++)
		set(-1, 1);
	assert_int_equal(pipe(p), 0);
	assert_int_equal(write(p[1], "x", 1), 1);
	set(p[0], 1);
	wait_for_it();
	assert_int_equal(asked, 1);
	close(p[1]);
}

/* Seen whole nothing is waited for but a change. */
static void
whole_is_left_alone(void **state)
{
	struct timeval	 later = { 2, 0 };	/* than the first look */
	struct event	 ev;
	int		 p[2];

	set(-1, 1);
	assert_int_equal(pipe(p), 0);
	set(p[0], 0);
	evtimer_set(&ev, too_long, NULL);
	evtimer_add(&ev, &later);
	event_dispatch();
	assert_int_equal(asked, 0);
	close(p[1]);
}

static int
setup(void **state)
{
	base = event_init();
	memset(&conf, 0, sizeof(conf));
	conf.name = "gw";
	conf.home = "/home";
	TAILQ_INIT(&parent.agents);
	TAILQ_INIT(&agent_conf.services);
	TAILQ_INSERT_TAIL(&agent_conf.services, &conf, entry);
	agent.conf = &agent_conf;
	TAILQ_INSERT_TAIL(&parent.agents, &agent, entry);
	asked = 0;
	return 0;
}

/* Nobody has a home any more: all is forgotten. */
static int
teardown(void **state)
{
	conf.home = NULL;
	lookout_configured();
	event_base_free(base);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(lost_is_looked_at_again,
		    setup, teardown),
		cmocka_unit_test_setup_teardown(lost_is_told_of_changes,
		    setup, teardown),
		cmocka_unit_test_setup_teardown(whole_is_left_alone, setup,
		    teardown)
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
