/*
 * unitname.c: what may stand on a command line of systemctl and rcctl, and
 * as a file's name in a directory of theirs.
 */
/* LINK: updaterd/unitname.o */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "unitname.h"

static void
units(void **state)
{
	static const char *const good[] = {
		"agent.service", "a.service", "_a.service", "9.service",
		"gateway@coder.service", "a-b_c:d.e.service",
		"gw@a\\x2db.service", "gw@a@b.service"
	};
	static const char *const bad[] = {
		"", "agent", "agent.target", "agent.socket", ".service",
		"-a.service", ".a.service", "@a.service", "gw@.service",
		"a b.service", "a/b.service", "../a.service", "a*.service",
		"a?.service", "[a].service", "a\n.service", "a.service ",
		"\xc3\xa4.service", "a.service/", "a%p.service", "a;.service"
	};
	char	 name[300];
	size_t	 i;

	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		if (!unitname_isvalid(good[i]))
			fail_msg("refused: %s", good[i]);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (unitname_isvalid(bad[i]))
			fail_msg("taken: %s", bad[i]);
	memset(name, 'a', sizeof(name));
	strcpy(name + 255 - 8, ".service");
	assert_true(unitname_isvalid(name));
	memset(name, 'a', sizeof(name));
	strcpy(name + 256 - 8, ".service");
	assert_false(unitname_isvalid(name));
}

static void
files(void **state)
{
	char	 file[UNIT_NAME_SIZE];

	unitname_file("agent.service", file, sizeof(file));
	assert_string_equal(file, "agent.service");
	unitname_file("gw@coder.service", file, sizeof(file));
	assert_string_equal(file, "gw@.service");
	unitname_file("gw@a@b.service", file, sizeof(file));
	assert_string_equal(file, "gw@.service");
}

static void
scripts(void **state)
{
	char	 name[RC_NAME_SIZE + 1];

	assert_true(rcname_isvalid("agent"));
	assert_true(rcname_isvalid("php81_fpm"));
	assert_false(rcname_isvalid("a-b"));
	assert_false(rcname_isvalid("9a"));
	assert_false(rcname_isvalid("_a"));
	assert_false(rcname_isvalid(""));
	assert_false(rcname_isvalid("-f"));
	assert_false(rcname_isvalid("../agent"));
	assert_false(rcname_isvalid("a b"));
	assert_false(rcname_isvalid("a.b"));
	memset(name, 'a', sizeof(name));
	name[RC_NAME_SIZE - 1] = '\0';
	assert_true(rcname_isvalid(name));
	name[RC_NAME_SIZE - 1] = 'a';
	name[RC_NAME_SIZE] = '\0';
	assert_false(rcname_isvalid(name));
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test(units),
		cmocka_unit_test(files),
		cmocka_unit_test(scripts)
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
