/*
 * reload.c: whoever asks for a reload at a bad moment gets it, once, when
 * that is over, and is told what came of it; a signal is never lost.
 */
/* LINK: updaterd/parent/reload.o common/util.o common/log.o */
#include <event.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../updaterd/config.h"
#include "echo.h"
#include "expiry.h"
#include "log.h"
#include "parent.h"
#include "reconcile.h"
#include "reload.h"
#include "self.h"
#include "update.h"

static struct parent	 the_parent;
struct parent		*env = &the_parent;

/* --- the rest of the daemon --------------------------------------------- */

static int		 bringing;	/* the last one into effect */
static int		 brings;	/* the next one, too */
static struct update	*in_flight;
static const char	*taking_over;	/* self_busy() */
static int		 broken;	/* the file has errors */
static const char	*held;		/* by self_isheld() */
static int		 read_count, in_use;
static void		(*net_done)(const char *);
static void		(*flushed)(void);

struct config *
config_parse(const char *path)
{
	struct config	*c;

	read_count++;
	if (broken || (c = calloc(1, sizeof(*c))) == NULL)
		return NULL;
	c->path = c->user = c->unpack_user = c->chroot = c->state =
	    c->control = strdup("/x");
	return c;
}

void
config_free(struct config *c)
{
	free(c->path);
	free(c);
}

int
reconcile_isbusy(void)
{
	return bringing;
}

const struct update *
update_current(void)
{
	return in_flight;
}

const char *
self_busy(void)
{
	return taking_over;
}

int
self_isheld(const struct config *c, char *text)
{
	if (held == NULL)
		return 0;
	strlcpy(text, held, UPD_TEXT_SIZE);
	return 1;
}

int
users_check(const struct config *c, char *text)
{
	return 0;
}

int
listen_prepare(const struct config *c, char *text)
{
	return 0;
}

void
listen_commit(void)
{
}

void
listen_abandon(void)
{
}

int
children_configure(const struct config *c, void (*done)(const char *),
    char *text)
{
	assert_null(net_done);
	net_done = done;
	return 0;
}

void
sdnotify(const char *state)
{
}

void
echo_flush(void (*done)(void))
{
	flushed = done;
}

void
parent_configure(void (*done)(void))
{
	in_use++;
	bringing = brings;
}

void
expiry_review(const struct config *c)
{
}

/* As parent.c has it. */
void
parent_idle(void)
{
	reload_next();
}

/* --- what happens -------------------------------------------------------- */

/* net has tried the new one. */
static void
net_says(const char *text)
{
	void	(*done)(const char *) = net_done;
	void	(*then)(void);

	assert_non_null(done);
	net_done = NULL;
	done(text);
	if ((then = flushed) != NULL) {
		flushed = NULL;
		then();
	}
}

static void
brought(void)
{
	bringing = 0;
	parent_idle();
}

static void
hup(void)
{
	raise(SIGHUP);
	event_loop(EVLOOP_NONBLOCK);
}

struct answer {
	int	 n;
	char	 text[UPD_TEXT_SIZE];
};

static void
answered(void *arg, const char *text)
{
	struct answer	*a = arg;

	a->n++;
	strlcpy(a->text, text, sizeof(a->text));
}

static int
ask(struct answer *a)
{
	memset(a, 0, sizeof(*a));
	return reload_ask(answered, a, a->text);
}

static int
before(void **state)
{
	bringing = brings = broken = read_count = in_use = 0;
	in_flight = NULL;
	taking_over = held = NULL;
	env->stopping = 0;
	assert_null(net_done);
	return 0;
}

/* --- the tests ------------------------------------------------------------ */

/* The first of all: nothing is read again before the start is over. */
static void
at_start(void **state)
{
	struct answer	 a;

	hup();
	hup();
	assert_int_equal(ask(&a), 0);
	parent_idle();
	assert_int_equal(read_count, 0);
	assert_int_equal(a.n, 0);
	reload_allow();
	parent_idle();
	assert_int_equal(read_count, 1);
	net_says("");
	assert_int_equal(in_use, 1);
	assert_int_equal(a.n, 1);
	assert_string_equal(a.text, "");
	parent_idle();
	assert_int_equal(read_count, 1);
}

static void
plain(void **state)
{
	struct answer	 a;

	assert_int_equal(ask(&a), 0);
	assert_int_equal(a.n, 0);
	assert_int_equal(reload_isbusy(), 1);
	net_says("");
	assert_int_equal(a.n, 1);
	assert_string_equal(a.text, "");
	assert_int_equal(reload_isbusy(), 0);
	hup();
	assert_int_equal(read_count, 2);
	net_says("");
	assert_int_equal(in_use, 2);
}

/* The one before brings profiles: the next waits, and reads the file then. */
static void
behind(void **state)
{
	struct answer	 a, b, c;

	brings = 1;
	assert_int_equal(ask(&a), 0);
	assert_int_equal(ask(&b), 0);		/* net is trying */
	net_says("");
	assert_int_equal(a.n, 1);
	assert_int_equal(b.n, 0);
	assert_int_equal(ask(&c), 0);		/* profiles are brought */
	assert_int_equal(read_count, 1);
	brought();
	assert_int_equal(read_count, 2);	/* one for both */
	net_says("certificate: no such file");
	assert_int_equal(a.n, 1);
	assert_int_equal(b.n, 1);
	assert_int_equal(c.n, 1);
	assert_string_equal(b.text, "certificate: no such file");
	assert_string_equal(c.text, b.text);
	assert_int_equal(in_use, 1);
	parent_idle();
	assert_int_equal(read_count, 2);
}

static void
errors(void **state)
{
	struct answer	 a, b;

	brings = 1;
	hup();
	net_says("");
	assert_int_equal(ask(&a), 0);
	assert_int_equal(ask(&b), 0);
	broken = 1;
	brought();
	assert_int_equal(a.n, 1);
	assert_int_equal(b.n, 1);
	assert_non_null(strstr(a.text, "/x has errors"));
	assert_int_equal(reload_isbusy(), 0);
}

/* A release of updaterd waits: not this configuration, but any that leaves it
 * alone. */
static void
self_waits(void **state)
{
	struct answer	 a;

	held = "self cannot change now";
	assert_int_equal(ask(&a), 0);
	assert_int_equal(a.n, 1);
	assert_string_equal(a.text, held);
	assert_int_equal(reload_isbusy(), 0);
	assert_int_equal(in_use, 0);
	held = NULL;
	assert_int_equal(ask(&a), 0);
	net_says("");
	assert_int_equal(a.n, 1);
	assert_string_equal(a.text, "");
	assert_int_equal(in_use, 1);
}

/* It may last: a signal is remembered, whoever asks is told. */
static void
update(void **state)
{
	static struct update	 u;
	struct answer		 a;

	in_flight = &u;
	assert_int_equal(ask(&a), -1);
	assert_non_null(strstr(a.text, "an update is in flight"));
	hup();
	assert_int_equal(read_count, 0);
	parent_idle();
	assert_int_equal(read_count, 0);
	in_flight = NULL;
	parent_idle();
	assert_int_equal(read_count, 1);
	net_says("");
	assert_int_equal(a.n, 0);
	/* One that came first while somebody waited. */
	bringing = 1;
	assert_int_equal(ask(&a), 0);
	hup();
	in_flight = &u;
	brought();
	assert_int_equal(a.n, 1);
	assert_non_null(strstr(a.text, "an update is in flight"));
	assert_int_equal(read_count, 1);
	in_flight = NULL;
	parent_idle();
	assert_int_equal(read_count, 2);
	net_says("");
	assert_int_equal(a.n, 1);
	taking_over = "updaterd is being replaced";
	assert_int_equal(ask(&a), -1);
	assert_string_equal(a.text, taking_over);
}

static void
stopping(void **state)
{
	struct answer	 a;

	env->stopping = 1;
	hup();
	assert_int_equal(ask(&a), -1);
	assert_non_null(strstr(a.text, "stopping"));
	assert_int_equal(read_count, 0);
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test_setup(at_start, before),
		cmocka_unit_test_setup(plain, before),
		cmocka_unit_test_setup(behind, before),
		cmocka_unit_test_setup(errors, before),
		cmocka_unit_test_setup(self_waits, before),
		cmocka_unit_test_setup(update, before),
		cmocka_unit_test_setup(stopping, before)
	};
	int			 r;

	log_init("test", 0, 0);
	event_init();
	reload_init();
	env->conf = config_parse("/x");
	cmocka_set_message_output(CM_OUTPUT_TAP);
	r = cmocka_run_group_tests(tests, NULL, NULL);
	config_free(env->conf);
	return r;
}
