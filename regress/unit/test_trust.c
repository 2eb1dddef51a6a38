/*
 * trust.c: whose word is taken, and which date is too old or too early: for
 * the release that runs, for one whose record is lost, for those who mean it.
 */
/* LINK: updaterd/parent/trust.o common/relkey.o common/util.o */
/* LIBS: -ljansson -Wl,--wrap=time_real_us */
#include <sys/types.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "log.h"
#include "relkey.h"
#include "trust.h"
#include "util.h"

#define NOW	1795314228	/* seconds: of the release that runs */

static struct parent		 parent;
static struct config		 conf;
static struct permit_conf	 permit;
static struct agent_conf	 agent_conf = { .name = (char *)"default" };
static struct agent		 agent = { .conf = &agent_conf };
static struct store		 store;
static struct release		 cur, other, failed;
static struct update		 u;
static enum upd_error		 error;		/* of the one that failed */
static int			 warned;
static int64_t			 here;		/* the clock's seconds */
struct parent			*env = &parent;

int64_t	 __wrap_time_real_us(void);

int64_t
__wrap_time_real_us(void)
{
	return here * 1000000;
}

struct release *
store_current(struct store *s)
{
	struct release	*r;

	TAILQ_FOREACH(r, &s->list, entry)
		if (strcmp(r->id, s->current) == 0)
			return r;
	return NULL;
}

void
update_fail(struct update *to, enum upd_error e, const char *fmt, ...)
{
	va_list	 ap;

	va_start(ap, fmt);
	vsnprintf(to->text, sizeof(to->text), fmt, ap);
	va_end(ap);
	error = e;
}

void
log_warnx(const char *fmt, ...)
{
	warned++;
}

static void
add(struct release *r, const char *id, enum release_state state,
    int64_t signed_at)
{
	memset(r, 0, sizeof(*r));
	strcpy(r->id, id);
	r->state = state;
	r->signed_at = signed_at;
	r->installed_at = 1;
	TAILQ_INSERT_TAIL(&store.list, r, entry);
}

static int
setup(void **state)
{
	memset(&conf, 0, sizeof(conf));
	TAILQ_INIT(&conf.permits);
	conf.release_keys.n = 2;
	strcpy(conf.keys[0].name, "one.pub");
	strcpy(conf.keys[1].name, "two.pub");
	parent.conf = &conf;
	here = NOW;
	agent_conf.downgrade = 0;
	memset(&store, 0, sizeof(store));
	TAILQ_INIT(&store.list);
	agent.store = &store;
	strcpy(store.current, "cur");
	add(&cur, "cur", RELEASE_GOOD, NOW);
	memset(&u, 0, sizeof(u));
	u.agent = &agent;
	return 0;
}

/* 1 it is taken. */
static int
taken(uint32_t signer, int64_t date)
{
	int	 r;

	u.inflate.inflate.signer = signer;
	u.inflate.inflate.signed_at = date;
	u.signer[0] = '\0';
	error = UPD_OK;
	warned = 0;
	r = trust_accept(&u);
	assert_int_equal(r, error == UPD_OK);
	return r;
}

/* Refused because of the date, and that is said. */
static void
assert_stale(int64_t date)
{
	assert_false(taken(1, date));
	assert_int_equal(error, UPD_ESIGNATURE);
	assert_non_null(strstr(u.text, "one.pub"));
}

static void
test_unsigned(void **state)
{
	conf.release_keys.n = 0;
	assert_true(taken(0, 0));
	assert_string_equal(u.signer, "");
}

/* What inflate cannot know is not looked up. */
static void
test_lies(void **state)
{
	assert_false(taken(0, NOW));
	assert_int_equal(error, UPD_ECHILD);
	assert_false(taken(3, NOW));
	assert_int_equal(error, UPD_ECHILD);
	assert_false(taken(UINT32_MAX, NOW));
	assert_false(taken(1, -1));
	assert_false(taken(1, SIGNED_DATE_MAX + 1));
	assert_int_equal(error, UPD_ECHILD);
	here = SIGNED_DATE_MAX;
	assert_true(taken(2, SIGNED_DATE_MAX));
	assert_string_equal(u.signer, "two.pub");
}

static void
test_dates(void **state)
{
	assert_true(taken(1, NOW));
	assert_int_equal(u.signed_at, NOW);
	assert_true(taken(1, NOW + 1));
	assert_stale(NOW - 1);
	assert_non_null(strstr(u.text, "the running release cur"));
	assert_stale(0);
	assert_non_null(strstr(u.text, "without a date"));
	/* Without any to compare with, it needs a date all the same. */
	TAILQ_REMOVE(&store.list, &cur, entry);
	assert_true(taken(1, 1));
	assert_stale(0);
}

/* The record of the one that runs is lost: the latest that was good. */
static void
test_lost(void **state)
{
	cur.installed_at = cur.signed_at = 0;
	add(&other, "other", RELEASE_GOOD, NOW - 10);
	add(&failed, "failed", RELEASE_FAILED, NOW + 10);
	assert_true(taken(1, NOW - 10));
	assert_stale(NOW - 11);
	assert_non_null(strstr(u.text, "release other"));
	assert_null(strstr(u.text, "the running"));
}

static void
test_downgrade(void **state)
{
	agent_conf.downgrade = 1;
	assert_true(taken(1, NOW - 1));
	assert_true(taken(1, 0));
	agent_conf.downgrade = 0;
	/* Who may not ask is net's to know, unless nobody may. */
	u.flags = UPDF_DOWNGRADE;
	assert_stale(NOW - 1);
	permit.role = ROLE_PUSH;
	TAILQ_INSERT_TAIL(&conf.permits, &permit, entry);
	assert_stale(NOW - 1);
	assert_non_null(strstr(u.text, "nobody has role self"));
	permit.role = ROLE_SELF;
	assert_true(taken(1, NOW - 1));
	assert_true(taken(1, 0));
	u.flags = 0;
	assert_stale(NOW - 1);
	assert_non_null(strstr(u.text, "with role self"));
	/* Root at hand needs no role, but has to say it. */
	TAILQ_REMOVE(&conf.permits, &permit, entry);
	u.local = 1;
	assert_stale(NOW - 1);
	assert_non_null(strstr(u.text, "updaterctl update -D"));
	u.flags = UPDF_DOWNGRADE;
	assert_true(taken(1, NOW - 1));
}

/* It would keep out all that come after it. */
static void
test_to_come(void **state)
{
	cur.signed_at = NOW - 10;
	assert_true(taken(1, NOW + 86400));
	assert_int_equal(warned, 0);
	assert_stale(NOW + 86401);
	assert_non_null(strstr(u.text, "yet to come"));
	assert_non_null(strstr(u.text, "`allow downgrade'"));
	/* The first one, too. */
	store.current[0] = '\0';
	TAILQ_REMOVE(&store.list, &cur, entry);
	assert_stale(NOW + 86401);
	/* For those who mean it; but they are told. */
	agent_conf.downgrade = 1;
	assert_true(taken(1, NOW + 86401));
	assert_int_equal(warned, 1);
	agent_conf.downgrade = 0;
	u.local = 1;
	assert_stale(NOW + 86401);
	u.flags = UPDF_DOWNGRADE;
	assert_true(taken(1, NOW + 86401));
}

/* A host whose clock is known to be wrong is not left without updates. */
static void
test_no_clock(void **state)
{
	here = 17;
	assert_true(taken(1, NOW + 1));
	assert_int_equal(warned, 1);
	assert_stale(NOW - 1);
	TAILQ_REMOVE(&store.list, &cur, entry);
	store.current[0] = '\0';
	assert_true(taken(1, NOW - 1));
	/* It is some day, but one before what runs was signed. */
	setup(state);
	here = NOW - 30 * 86400;
	assert_true(taken(1, NOW + 1));
	assert_int_equal(warned, 1);
	here = NOW - 86400;
	assert_stale(NOW + 1);
}

#define TEST(f)	cmocka_unit_test_setup(f, setup)

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		TEST(test_unsigned),
		TEST(test_lies),
		TEST(test_dates),
		TEST(test_lost),
		TEST(test_downgrade),
		TEST(test_to_come),
		TEST(test_no_clock)
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
