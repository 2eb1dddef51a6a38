/*
 * A pass of reconciliation waits for foreign supervisors to say how their
 * services are: for those that can say it, no longer than it takes them, and
 * not for ever.  Everybody else that a pass has to do with is played here.
 */
/* LINK: updaterd/parent/pass.o common/error.o common/log.o common/proto.o common/util.o common/compat/imsg.o */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../updaterd/parent/instance.h"
#include "../../updaterd/parent/launch.h"
#include "../../updaterd/parent/reconcile.h"
#include "../../updaterd/parent/update.h"

#define SIGHTINGS_MS	10000	/* the pass itself waits for less */

static struct parent		 parent;
struct parent			*env = &parent;
const struct backend		 native_backend = { .name = "native" };
static const struct backend	 foreign = { .name = "far", .foreign = 1 };
static struct agent		 agent;
static struct agent_conf	 agent_conf;
static struct service_conf	 conf;
static struct instance		 instance;
static struct sighting		 sighting;
static struct event_base	*base;
static int			 seen, failed, done, acted;

/* --- those who are played --------------------------------------------- */

const char		*boot_id(void) { return "b"; }
void			 identity_keep(void) { }
void			 identity_letgo(void) { }
void			 judge_decide(struct line *l) { l->decided = 1; }
void			 judge_orphans(struct pass *p) { }
void			 judge_outcome(struct line *l) { }
void			 lookout_retry(const char *s) { }
void			 plan_print(const struct plan_line *l, char *s,
			    size_t n) { }
void			 roster_cancel(struct roster *r) { }
void			 roster_finish(struct roster *r) { }
int			 roster_isneeded(const struct service_conf *c)
			    { return 0; }
void			 roster_log(struct roster *r, const char *s) { }
struct roster		*roster_start(const struct service_conf *c,
			    unsigned int f, const struct roster_calls *v,
			    void *a, char *s) { return NULL; }
void			 roster_sweep(struct roster *r, const char *s) { }
void			 roster_sync(struct roster *r) { }
struct farwait		*roster_watch(struct roster *r) { return NULL; }
void			 seat_sort(struct agent *a) { }
int			 service_isdown(const struct instance *i)
			    { return 1; }
const struct update	*update_current(void) { return NULL; }

void
lookout_set(const char *s, struct farwait *w, int is_changed, int lost)
{
}

const struct sighting *
observe_last(const struct instance *i)
{
	return seen ? &sighting : NULL;
}

/* One service, under a foreign supervisor. */
void
judge_seat(struct pass *p, struct ward *w)
{
	struct line	*l = pass_line(p, w);

	assert_non_null(l);
	l->i = &instance;
	l->conf = &conf;
	l->decided = failed;
}

static void
on_act(struct pass *p)
{
	acted++;
}

static void
on_done(struct pass *p)
{
	done++;
	event_loopbreak();
}

/* --- what is to hold --------------------------------------------------- */

static int
setup(void **state)
{
	base = event_init();
	memset(&agent, 0, sizeof(agent));
	memset(&agent_conf, 0, sizeof(agent_conf));
	TAILQ_INIT(&parent.agents);
	TAILQ_INIT(&agent_conf.services);
	TAILQ_INSERT_TAIL(&agent_conf.services, &conf, entry);
	agent.conf = &agent_conf;
	TAILQ_INSERT_TAIL(&parent.agents, &agent, entry);
	instance.backend = &foreign;
	seen = failed = done = acted = 0;
	return 0;
}

static int
teardown(void **state)
{
	event_base_free(base);
	return 0;
}

static void
run(void)
{
	struct pass	*p = pass_new("", 0, 0, on_act, on_done);

	assert_non_null(p);
	pass_run(p);
}

static void
seen_is_not_waited_for(void **state)
{
	seen = 1;
	run();
	assert_int_equal(done, 1);
	assert_int_equal(acted, 1);
}

static void
failed_is_not_waited_for(void **state)
{
	failed = 1;
	run();
	assert_int_equal(done, 1);
	assert_int_equal(acted, 1);
}

static void
it_says(int fd, short what, void *arg)
{
	assert_int_equal(done, 0);
	seen = 1;
}

static void
unseen_is_waited_for(void **state)
{
	struct timeval	 soon = { 0, 50000 };

	event_once(-1, EV_TIMEOUT, it_says, NULL, &soon);
	run();
	assert_int_equal(done, 0);
	assert_int_equal(acted, 0);
	event_dispatch();
	assert_int_equal(seen, 1);
	assert_int_equal(done, 1);
	assert_int_equal(acted, 1);
}

static void
but_not_for_ever(void **state)
{
	struct timeval	 never = { SIGHTINGS_MS / 1000, 0 };

	event_once(-1, EV_TIMEOUT, it_says, NULL, &never);
	run();
	assert_int_equal(done, 0);
	event_dispatch();
	assert_int_equal(seen, 0);
	assert_int_equal(done, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(seen_is_not_waited_for, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(failed_is_not_waited_for,
		    setup, teardown),
		cmocka_unit_test_setup_teardown(unseen_is_waited_for, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(but_not_for_ever, setup,
		    teardown)
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
