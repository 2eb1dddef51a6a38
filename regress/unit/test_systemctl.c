/*
 * systemctl.c: what is asked in one turn goes in one command, in an order
 * that holds for each unit; an answer is for the question that it was
 * asked; failures are told to the units they are about.
 */
/* LINK: updaterd/parent/systemctl.o updaterd/parent/unitstate.o updaterd/config.o updaterd/value.o common/util.o common/log.o common/proto.o common/error.o common/compat/imsg.o */
#include "systemctl_lab.h"

#define MANY	600

/* --- units ------------------------------------------------------------- */

struct unit {
	char			 name[32];
	struct systemctl_call	 call[SYSTEMCTL__MAX];
	int			 told;
	enum unit_active	 active;	/* of the last state */
	char			 error[UPD_TEXT_SIZE];
};

static void
told(void *arg, const struct unitstate *u, const char *error)
{
	struct unit	*unit = arg;

	unit->told++;
	strlcpy(unit->error, error, sizeof(unit->error));
	if (u != NULL)
		unit->active = u->active;
}

static void
unit_init(struct unit *u, const char *name)
{
	int	 v;

	memset(u, 0, sizeof(*u));
	strlcpy(u->name, name, sizeof(u->name));
	for (v = 0; v < SYSTEMCTL__MAX; v++)
		systemctl_init(&u->call[v], (enum systemctl_verb)v,
		    v == SYSTEMCTL_RELOAD ? "" : u->name, told, u);
}

#define ASK(u, v)	systemctl_ask(&(u)->call[SYSTEMCTL_ ## v])

static void
record(char *text, const char *id, const char *active, const char *job)
{
	sprintf(text + strlen(text), "%sId=%s\nLoadState=loaded\n"
	    "ActiveState=%s\nSubState=x\nJob=%s\n",
	    text[0] != '\0' ? "\n" : "", id, active, job);
}

/* --- tests ------------------------------------------------------------- */

static void
together(void **state)
{
	struct unit	 a, b, c;

	unit_init(&a, "a.service");
	unit_init(&b, "b.service");
	unit_init(&c, "c.service");
	ASK(&a, RESET);
	ASK(&a, START);
	ASK(&b, START);
	ASK(&b, START);		/* already waits */
	ASK(&c, RESET);
	ASK(&c, START);
	turn();
	assert_int_equal(nrunning, 1);
	end(find("reset-failed -- a.service c.service"), 0, "");
	assert_int_equal(a.told, 1);
	assert_int_equal(c.told, 1);
	turn();
	end(find("start --no-block -- a.service b.service c.service"), 0, "");
	turn();
	assert_int_equal(nrunning, 0);
	assert_int_equal(a.told, 2);
	assert_int_equal(b.told, 1);
	assert_string_equal(a.error, "");
}

static void
order(void **state)
{
	struct unit	 a, b;

	unit_init(&a, "a.service");
	unit_init(&b, "b.service");
	ASK(&a, STOP);
	ASK(&a, RELOAD);
	ASK(&a, START);
	ASK(&b, RELOAD);	/* the same one does it */
	ASK(&b, START);
	turn();
	end(find("stop --no-block -- a.service"), 0, "");
	turn();
	end(find("daemon-reload"), 0, "");
	assert_int_equal(a.told, 2);
	assert_int_equal(b.told, 1);
	turn();
	end(find("start --no-block -- a.service b.service"), 0, "");
	turn();
	assert_int_equal(nrunning, 0);
}

/* What is asked behind a reload is not done before it, with others'. */
static void
behind_reload(void **state)
{
	struct unit	 a, b;

	unit_init(&a, "a.service");
	unit_init(&b, "b.service");
	ASK(&a, START);
	ASK(&b, RELOAD);
	ASK(&b, START);
	turn();
	assert_string_equal(running[0]->line, "start --no-block -- a.service");
	end(running[0], 0, "");
	turn();
	end(find("daemon-reload"), 0, "");
	turn();
	end(find("start --no-block -- b.service"), 0, "");
	turn();
	assert_int_equal(nrunning, 0);
}

static void
show(void **state)
{
	struct unit	 a, b, c;
	char		 text[2048] = "";

	unit_init(&a, "a.service");
	unit_init(&b, "b.service");
	unit_init(&c, "c.service");
	ASK(&a, SHOW);
	ASK(&b, SHOW);
	ASK(&c, SHOW);
	ASK(&a, STOP);		/* beside it */
	turn();
	assert_int_equal(nrunning, 2);
	systemctl_drop(&b.call[SYSTEMCTL_SHOW]);
	record(text, "shutdown.target", "inactive", "");
	record(text, "a.service", "active", "");
	record(text, "b.service", "failed", "");
	record(text, "c.service", "activating", "3");
	end(find("show -- shutdown.target a.service b.service c.service"), 0,
	    text);
	assert_int_equal(a.active, UNIT_ACTIVE);
	assert_int_equal(b.told, 0);
	assert_int_equal(c.active, UNIT_ACTIVATING);
	assert_int_equal(systemctl_isleaving(), 0);
	end(find("stop"), 0, "");
	turn();
	assert_int_equal(nrunning, 0);
}

/* What was on its way when it was asked again is old. */
static void
stale(void **state)
{
	struct unit	 a;
	char		 text[1024] = "";

	unit_init(&a, "a.service");
	ASK(&a, SHOW);
	turn();
	ASK(&a, SHOW);
	record(text, "shutdown.target", "inactive", "");
	record(text, "a.service", "active", "");
	end(find("show"), 0, text);
	assert_int_equal(a.told, 0);
	turn();
	text[0] = '\0';
	record(text, "shutdown.target", "inactive", "12");
	record(text, "a.service", "inactive", "");
	end(find("show"), 0, text);
	assert_int_equal(a.told, 1);
	assert_int_equal(a.active, UNIT_INACTIVE);
	assert_int_equal(systemctl_isleaving(), 1);
	turn();
	assert_int_equal(nrunning, 0);
}

static void
garbage(void **state)
{
	static const char *const bad[] = {
		"", "x\n", "Id=a.service\nLoadState=loaded\n"
		    "ActiveState=active\nSubState=running\n"
	};
	struct unit	 a;
	char		 text[1024] = "";
	size_t		 i;

	unit_init(&a, "a.service");
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		ASK(&a, SHOW);
		turn();
		end(find("show"), 0, bad[i]);
		assert_int_equal(a.told, (int)i + 1);
		assert_string_not_equal(a.error, "");
	}
	/* One record short. */
	record(text, "shutdown.target", "inactive", "");
	ASK(&a, SHOW);
	turn();
	end(find("show"), 0, text);
	assert_string_equal(a.error, "systemctl says nothing of it");
}

static void
failures(void **state)
{
	struct unit	 a, b;

	unit_init(&a, "a.service");
	unit_init(&b, "b.service");
	ASK(&a, START);
	ASK(&b, START);
	turn();
	end(find("start"), 256, "Failed to start b.service: Unit b.service "
	    "not found.\n");
	assert_string_equal(a.error, "");
	assert_string_equal(b.error, "systemctl start: Failed to start "
	    "b.service: Unit b.service not found.");
	/* A name that ends like another one's. */
	ASK(&a, START);
	ASK(&b, START);
	turn();
	end(find("start"), 256, "Failed to start ab.service: x\n"
	    "Failed to start a.service: y\n");
	assert_string_equal(a.error, "systemctl start: Failed to start "
	    "a.service: y");
	assert_string_equal(b.error, "");
	ASK(&a, STOP);
	ASK(&b, STOP);
	turn();
	end(find("stop"), 256, "Failed to connect to bus\n");
	assert_string_equal(a.error, "systemctl stop: Failed to connect to "
	    "bus");
	assert_string_equal(b.error, a.error);
	ASK(&a, RELOAD);
	turn();
	end(find("daemon-reload"), 256, "");
	assert_string_equal(a.error, "systemctl daemon-reload: exited 1");
	refuse = 1;
	ASK(&a, START);
	turn();
	refuse = 0;
	assert_non_null(strstr(a.error, "cannot start systemctl"));
}

/* Neither a thousand commands nor one without end. */
static void
many(void **state)
{
	static struct unit	 u[MANY];
	char			 name[32];
	int			 i;

	commands = 0;
	for (i = 0; i < MANY; i++) {
		snprintf(name, sizeof(name), "u%d.service", i);
		unit_init(&u[i], name);
		ASK(&u[i], RESET);
		ASK(&u[i], START);
	}
	for (i = 0; i < 20; i++) {
		turn();
		if (nrunning > 0)
			end(running[0], 0, "");
	}
	assert_int_equal(commands, 6);
	for (i = 0; i < MANY; i++)
		assert_int_equal(u[i].told, 2);
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test(together),
		cmocka_unit_test(order),
		cmocka_unit_test(behind_reload),
		cmocka_unit_test(show),
		cmocka_unit_test(stale),
		cmocka_unit_test(garbage),
		cmocka_unit_test(failures),
		cmocka_unit_test(many)
	};

	event_init();
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
