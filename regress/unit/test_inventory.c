/*
 * inventory.c: what ansible-inventory --list prints, and what it might.
 */
/* LINK: updatermaster/inventory.o updatermaster/hosts.o updatermaster/results.o common/util.o */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "master_lab.h"

#define HEX64	"00112233445566778899aabbccddeeff" \
		"00112233445566778899aabbccddeeff"

static int
load(const char *json)
{
	lab_text("hosts.conf", "web1 10.0.0.1:9000 groups=old fingerprint="
	    "SHA256:" HEX64 "\n");
	assert_int_equal(hosts_load(&m), 0);
	lab_text("inv.json", json);
	return inventory_load(&m, lab_path("inv.json"));
}

static void
test_good(void **state)
{
	struct host	*h;
	char		*s;
	size_t		 len;

	assert_int_equal(load("{\"_meta\": {\"hostvars\": {"
	    "\"web1\": {\"ansible_host\": \"192.0.2.1\"},"
	    "\"web2\": {\"ansible_host\": \"192.0.2.2\", \"ansible_port\": 22,"
	    "\"updater_port\": 9001},"
	    "\"web3\": {\"updater_host\": \"::1\", \"ansible_host\": \"x\"}}},"
	    "\"all\": {\"children\": [\"ungrouped\", \"site\"]},"
	    "\"site\": {\"children\": [\"web\"]},"
	    "\"web\": {\"hosts\": [\"web1\", \"web2\", \"web3\"]},"
	    "\"ungrouped\": {\"hosts\": [\"db-1.example\"]}}"), 0);
	assert_non_null(h = hosts_find(&m, "web1"));
	assert_string_equal(h->address, "192.0.2.1");
	assert_int_equal(h->port, 9000);
	assert_string_equal(h->fingerprint, "SHA256:" HEX64);
	assert_true(host_ingroup(h, "old") && host_ingroup(h, "web") &&
	    host_ingroup(h, "site") && host_ingroup(h, "all"));
	assert_non_null(h = hosts_find(&m, "web2"));
	assert_int_equal(h->port, 9001);
	assert_null(h->fingerprint);
	assert_non_null(h = hosts_find(&m, "web3"));
	assert_string_equal(h->address, "::1");
	assert_int_equal(h->port, 8766);
	assert_non_null(h = hosts_find(&m, "db-1.example"));
	assert_string_equal(h->address, "db-1.example");
	assert_false(host_ingroup(h, "web"));
	/* None of it is written down. */
	assert_int_equal(hosts_save(&m), 0);
	s = file_read(m.dirfd, "hosts.conf", 4096, &len);
	assert_non_null(strstr(s, "web1 10.0.0.1:9000 groups=old"));
	assert_null(strstr(s, "web2"));
	free(s);
	hosts_free(&m);
}

static void
test_older_form(void **state)
{
	assert_int_equal(load("{\"web\": [\"a\", \"b\"]}"), 0);
	assert_true(host_ingroup(hosts_find(&m, "b"), "web"));
	hosts_free(&m);
}

static void
test_bad(void **state)
{
	static const char *const	 bad[] = {
		"", "{", "[]", "{\"web\": {\"hosts\": [1]}}",
		"{\"web\": {\"hosts\": [\"../../etc\"]}}",
		"{\"web\": {\"hosts\": [\"updater-master\"]}}",
		"{\"a\": {\"children\": [\"b\"]},"
		    "\"b\": {\"children\": [\"a\"]}}",
		"{\"_meta\":{\"hostvars\":{\"a\":{\"ansible_host\":\"\"}}}}",
		"{\"_meta\":{\"hostvars\":{\"a\":{\"updater_port\":0}}}}",
		"{\"_meta\":{\"hostvars\":{\"a\":{\"updater_port\":\"x\"}}}}",
		"{\"_meta\":{\"hostvars\":{\"a\":{\"ansible_host\":\"a b\"}}}}",
	};
	size_t				 i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (load(bad[i]) != -1)
			fail_msg("accepted: %s", bad[i]);
	assert_int_equal(inventory_load(&m, lab_path("nosuch")), -1);
	hosts_free(&m);
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_older_form),
		cmocka_unit_test(test_bad),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, lab_setup, lab_teardown);
}
