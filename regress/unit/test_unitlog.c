/*
 * unitlog.c: which runs of a unit journalctl is asked about, and of which
 * process.
 */
/* LINK: updaterd/parent/unitlog.o updaterd/config.o updaterd/value.o updaterd/parent/utf8.o common/util.o common/log.o common/proto.o common/error.o common/compat/imsg.o */
#include <event.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../updaterd/parent/instance.h"
#include "systemd.h"
#include "unitlog.h"

#define A	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B	"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define C	"cccccccccccccccccccccccccccccccc"

struct units			 all_units = TAILQ_HEAD_INITIALIZER(all_units);

static struct agent		*agent = (struct agent *)&all_units;
static struct instance		 instance;
static struct unit		 unit;
static char			 line[4096], answer[4096];
static int			 answers;

static void
ended(void (*done)(void *, const struct command_result *), char *output)
{
	struct command_result	 r;

	memset(&r, 0, sizeof(r));
	snprintf(r.text, sizeof(r.text), "exited 0");
	r.output = output;
	done(NULL, &r);
}

/* A journalctl that ends at once; line is what it was asked last. */
struct command *
command_start(const struct command_conf *cc,
    void (*done)(void *, const struct command_result *), void *arg)
{
	static char	 words[] = "words";
	size_t		 i;

	line[0] = '\0';
	for (i = 0; i < cc->argv->n; i++) {
		strcat(line, cc->argv->v[i]);
		strcat(line, " ");
	}
	ended(done, words);
	return (struct command *)&answers;
}

static void
take(void *arg, const char *text)
{
	snprintf(answer, sizeof(answer), "%s", text);
	answers++;
}

static void
seen(const char *run, uint64_t begun, pid_t mainpid)
{
	struct unitstate	 st;

	memset(&st, 0, sizeof(st));
	snprintf(st.run, sizeof(st.run), "%s", run);
	st.begun = begun;
	st.mainpid = mainpid;
	unitlog_seen(&unit, &st);
}

/* What journalctl is asked for behind its own options. */
static const char *
asked(void)
{
	const char	*at;

	instance.state = SERVICE_FAILED;
	unitlog_mark(&instance);
	line[0] = answer[0] = '\0';
	if (!unitlog_read(agent, 1000, take, NULL))
		return NULL;
	answers = 0;
	while (!answers)
		event_loop(EVLOOP_ONCE);
	assert_string_equal(answer,
	    "==> agent (journal of a.service) <==\nwords\n");
	assert_non_null(strstr(line, "journalctl --no-pager -q -b -o cat "));
	at = strchr(line, '=');
	assert_non_null(at);
	while (at[-1] != ' ')
		at--;
	return at;
}

static void
begin(void)
{
	unit.asked += 1000;
	unitlog_begin(&unit);
}

static int
setup(void **state)
{
	memset(&unit, 0, sizeof(unit));
	memset(&instance, 0, sizeof(instance));
	snprintf(unit.name, sizeof(unit.name), "a.service");
	instance.name = "agent";
	instance.agent = agent;
	instance.priv = &unit;
	unit.i = &instance;
	TAILQ_INIT(&all_units);
	TAILQ_INSERT_TAIL(&all_units, &unit, entry);
	return 0;
}

#define OF(run)	"_SYSTEMD_INVOCATION_ID=" run " + INVOCATION_ID=" run " "
#define BY(pid)	"+ _SYSTEMD_UNIT=a.service _PID=" pid " "

static void
one(void **state)
{
	begin();
	assert_null(asked());
	seen(A, 1001, 57);
	assert_string_equal(asked(), OF(A) BY("57"));
	/* Once. */
	instance.state = SERVICE_UP;
	instance.health.healthy = 1;
	unitlog_mark(&instance);
	assert_int_equal(unitlog_read(agent, 1000, take, NULL), 0);
}

/* Nothing that was there before the start. */
static void
before(void **state)
{
	begin();
	seen(A, 1001, 57);
	begin();
	seen(A, 1001, 57);
	assert_null(asked());
	/* It fails before its main process begins: the number is of A. */
	seen(B, 1001, 57);
	assert_string_equal(asked(), OF(B));
	/* Not known at first. */
	seen(B, 2001, 58);
	assert_string_equal(asked(), OF(B) BY("58"));
	seen(B, 0, 0);
	assert_string_equal(asked(), OF(B) BY("58"));
}

/* Of one that comes back and back the first and the last. */
static void
again(void **state)
{
	begin();
	seen(A, 1001, 57);
	seen(B, 1002, 58);
	assert_string_equal(asked(), OF(A) BY("57") "+ " OF(B) BY("58"));
	seen(C, 1002, 58);
	seen(C, 1003, 59);
	assert_string_equal(asked(), OF(A) BY("57") "+ " OF(C) BY("59"));
}

/* What systemctl prints there is no number of a run. */
static void
odd(void **state)
{
	begin();
	seen("", 1001, 57);
	seen("0123", 1001, 57);
	seen("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", 1001, 57);
	assert_null(asked());
	seen(A, 1001, 57);
	unitlog_forget(&unit);
	assert_null(asked());
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test_setup(one, setup),
		cmocka_unit_test_setup(before, setup),
		cmocka_unit_test_setup(again, setup),
		cmocka_unit_test_setup(odd, setup)
	};

	event_init();
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("unitlog", tests, NULL, NULL);
}
