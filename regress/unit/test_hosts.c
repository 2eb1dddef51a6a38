/*
 * hosts.c: hosts.conf is read, wrong lines are named, and what is written
 * keeps comments, order and what somebody else wrote meanwhile.
 */
/* LINK: updatermaster/hosts.o updatermaster/results.o common/util.o */
#include <sys/wait.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

#include "master_lab.h"

#define HEX64	"00112233445566778899aabbccddeeff" \
		"00112233445566778899aabbccddeeff"

static char *
content(const char *name)
{
	size_t	 len;
	char	*s = file_read(m.dirfd, name, 1 << 20, &len);

	assert_non_null(s);
	return s;
}

static void
assert_file(const char *want)
{
	char	*s = content("hosts.conf");

	assert_string_equal(s, want);
	free(s);
}

static void
test_read(void **state)
{
	struct host	*h;

	lab_text("hosts.conf",
	    "# ours\n\n"
	    "web1 192.0.2.7\n"
	    "web2 [2001:db8::1]:9000 groups=web,dc1 fingerprint=SHA256:" HEX64
	    " serial=0AFF worker=0B san=a.example,IP:10.0.0.1"
	    " expires=2028-02-29T12:00:00Z revoked # old\n"
	    "\tweb3\tfe80::1%eth0\texpires=2028-02-29\r\n");
	assert_int_equal(hosts_load(&m), 0);
	assert_non_null(h = hosts_find(&m, "web1"));
	assert_string_equal(h->address, "192.0.2.7");
	assert_int_equal(h->port, 8766);
	assert_null(h->fingerprint);
	assert_non_null(h = hosts_find(&m, "WEB2"));
	assert_string_equal(h->address, "2001:db8::1");
	assert_int_equal(h->port, 9000);
	assert_true(host_ingroup(h, "dc1") && host_ingroup(h, "web"));
	assert_false(host_ingroup(h, "we"));
	assert_string_equal(h->fingerprint, "SHA256:" HEX64);
	assert_string_equal(h->serial, "0AFF");
	assert_string_equal(h->worker, "0B");
	assert_string_equal(h->san, "a.example,IP:10.0.0.1");
	assert_int_equal(h->expires, 1835438400);
	assert_true(h->revoked);
	assert_non_null(h = hosts_find(&m, "web3"));
	assert_string_equal(h->address, "fe80::1%eth0");
	assert_int_equal(h->expires, 1835395200);
	assert_null(hosts_find(&m, "web"));
	/* Again: no doubles. */
	assert_int_equal(hosts_load(&m), 0);
	hosts_free(&m);
}

static void
test_wrong(void **state)
{
	static const char *const	 lines[] = {
		"web1", "-web 10.0.0.1", "we_b 10.0.0.1", "updater-master a",
		"a..b 10.0.0.1", "web1 10.0.0.1:0", "web1 10.0.0.1:65536",
		"web1 10.0.0.1:", "web1 [::1", "web1 [::1]x", "web1 a/b",
		"web1 10.0.0.1 gibberish", "web1 10.0.0.1 colour=red",
		"web1 10.0.0.1 groups=", "web1 10.0.0.1 groups=a,,b",
		"web1 10.0.0.1 groups=a/b", "web1 10.0.0.1 serial=xyz",
		"web1 10.0.0.1 serial=", "web1 10.0.0.1 expires=soon",
		"web1 10.0.0.1 expires=2028-02-29T", "web1 10.0.0.1 worker=g",
		"web1 10.0.0.1 fingerprint=SHA256:00",
		"web1 10.0.0.1 fingerprint=" HEX64, "a 1.2.3.4\nA 1.2.3.5",
		"a2345678901234567890123456789012345678901234567890123456x 1",
	};
	size_t				 i;

	for (i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		lab_text("hosts.conf", lines[i]);
		if (hosts_load(&m) != -1)
			fail_msg("accepted: %s", lines[i]);
		assert_true(TAILQ_EMPTY(&m.hosts));
	}
	lab_write("hosts.conf", "a 1.2.3.4\0b\n", 12);
	assert_int_equal(hosts_load(&m), -1);
	unlink(lab_path("hosts.conf"));
	assert_int_equal(hosts_load(&m), -1);
}

static void
test_save(void **state)
{
	struct host	*h;

	lab_text("hosts.conf", "# head\nweb2  10.0.0.2   # second\n"
	    "web1 10.0.0.1 groups=a  # first\n");
	assert_int_equal(hosts_load(&m), 0);
	h = hosts_find(&m, "web1");
	h->revoked = 1;
	h->dirty = 1;
	host_group(h, "b");
	host_group(h, "b");
	/* An editor was faster. */
	lab_text("hosts.conf", "# head, edited\nweb2  10.0.0.22   # second\n"
	    "web1 10.0.0.1 groups=a  # first\nweb9 10.0.0.9");
	h = hosts_add(&m, "web3");
	assert_int_equal(host_address(h, "[::1]:99"), 0);
	assert_int_equal(hosts_save(&m), 0);
	assert_file("# head, edited\nweb2  10.0.0.22   # second\n"
	    "web1 10.0.0.1:8766 groups=a,b revoked\t# first\n"
	    "web9 10.0.0.9\nweb3 [::1]:99\n");
	/* Nothing changed: nothing changes. */
	assert_int_equal(hosts_save(&m), 0);
	assert_int_equal(hosts_load(&m), 0);
	assert_non_null(hosts_find(&m, "web9"));
	assert_int_equal(hosts_find(&m, "web3")->port, 99);
	hosts_free(&m);
}

static void
test_new_file(void **state)
{
	char	*s;

	unlink(lab_path("hosts.conf"));
	assert_int_equal(hosts_save(&m), 0);
	s = content("hosts.conf");
	assert_int_equal(s[0], '#');
	free(s);
	assert_int_equal(hosts_load(&m), 0);
	assert_true(TAILQ_EMPTY(&m.hosts));
}

static void
test_result(void **state)
{
	struct host	*a, *b;
	char		*s;

	lab_text("hosts.conf", "a 10.0.0.1\nb 10.0.0.2\n");
	assert_int_equal(hosts_load(&m), 0);
	a = hosts_find(&m, "a");
	b = hosts_find(&m, "b");
	assert_int_equal(results_save(&m), 0);	/* nothing noted: no file */
	assert_int_equal(faccessat(m.dirfd, "results", F_OK, 0), -1);
	result_note(a, "updated", "abc", 1800000001);
	result_note(b, "failed", NULL, 1800000002);
	assert_int_equal(results_save(&m), 0);
	s = content("results");
	assert_string_equal(s, "a updated abc 1800000001\n"
	    "b failed - 1800000002\n");
	free(s);
	/* What another updatermaster wrote of others meanwhile stays, also
	 * of hosts that we do not know. */
	lab_text("results", "a old x 1\nB updated y 1800000003\n"
	    "gone failed z 5\n");
	result_note(a, "roll back\n", "x y", 1800000004);
	assert_int_equal(results_save(&m), 0);
	s = content("results");
	assert_string_equal(s, "B updated y 1800000003\n"
	    "gone failed z 5\na roll_back_ x_y 1800000004\n");
	free(s);
	lab_text("results", "a roll_back_ x_y 1800000004\n"
	    "b failed - 1800000002\nb\nb x\n\n b updated y 7\n");
	assert_int_equal(hosts_load(&m), 0);
	a = hosts_find(&m, "a");
	b = hosts_find(&m, "b");
	assert_string_equal(a->last_result, "roll_back_");
	assert_string_equal(a->last_sha, "x_y");
	assert_int_equal(a->last_at, 1800000004);
	assert_string_equal(b->last_result, "failed");
	assert_null(b->last_sha);
	/* hosts.conf is not touched by a push. */
	s = content("hosts.conf");
	assert_string_equal(s, "a 10.0.0.1\nb 10.0.0.2\n");
	free(s);
	hosts_free(&m);
}

/* Two at once: the second reads what the first has written. */
static void
test_two(void **state)
{
	const struct timespec	 ms = { 0, 1000000 };
	char			*s;
	pid_t			 pid;
	int			 lock, n, status;

	lab_text("hosts.conf", "a 10.0.0.1\nb 10.0.0.2\n");
	lab_text("results", "");
	assert_int_equal(hosts_load(&m), 0);
	assert_int_not_equal(lock = hosts_lock(&m), -1);
	if ((pid = fork()) == 0) {
		close(lock);
		result_note(hosts_find(&m, "a"), "updated", "x", 1800000001);
		_exit(results_save(&m) == 0 ? 0 : 1);
	}
	for (n = 0; n < 100; n++) {
		assert_int_equal(waitpid(pid, &status, WNOHANG), 0);
		nanosleep(&ms, NULL);
	}
	lab_text("results", "b updated y 1800000002\n");
	close(lock);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	s = content("results");
	assert_string_equal(s, "b updated y 1800000002\n"
	    "a updated x 1800000001\n");
	free(s);
	hosts_free(&m);
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test(test_read),
		cmocka_unit_test(test_wrong),
		cmocka_unit_test(test_save),
		cmocka_unit_test(test_new_file),
		cmocka_unit_test(test_result),
		cmocka_unit_test(test_two),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, lab_setup, lab_teardown);
}
