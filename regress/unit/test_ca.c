/*
 * ca.c, keypair.c: what openssl(1) and signify(1) say of what they make.
 */
/* LINK: updatermaster/ca.o updatermaster/crl.o updatermaster/keypair.o updatermaster/pem.o common/relkey.o common/util.o */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

#include "master_lab.h"
#include "ca.h"
#include "keypair.h"

static int	made, found;

static void
say(const char *name, int new)
{
	if (new)
		made++;
	else
		found++;
}

/* Run a command in the directory; its output must hold the text. */
static int
shell(const char *want, const char *command)
{
	char	 cmd[1024], out[16384];
	size_t	 n;
	FILE	*f;
	int	 rv;

	snprintf(cmd, sizeof(cmd), "cd '%s' && { %s; } 2>&1", lab, command);
	assert_non_null(f = popen(cmd, "r"));
	n = fread(out, 1, sizeof(out) - 1, f);
	out[n] = '\0';
	rv = pclose(f);
	if (want != NULL && strstr(out, want) == NULL)
		fail_msg("%s: no \"%s\" in: %s", command, want, out);
	return rv;
}

static void
test_init(void **state)
{
	struct stat	 st;
	char		*before, *after;
	size_t		 len;

	assert_int_equal(ca_init(&m, 0, say), 0);
	assert_int_equal(made, 5);
	assert_int_equal(found, 0);
	assert_int_equal(fstatat(m.dirfd, "ca.key", &st, 0), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(fstatat(m.dirfd, "master.key", &st, 0), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	before = file_read(m.dirfd, "ca.key", 4096, &len);
	assert_int_equal(ca_init(&m, 0, say), 0);
	assert_int_equal(made, 5);
	assert_int_equal(found, 5);
	after = file_read(m.dirfd, "ca.key", 4096, &len);
	assert_string_equal(before, after);
	free(before);
	free(after);
	assert_int_equal(shell("master.crt: OK", "openssl verify -x509_strict "
	    "-purpose sslclient -CAfile ca.crt master.crt"), 0);
	shell("CN = updater-master", "openssl x509 -noout -subject -in "
	    "master.crt");
	assert_int_not_equal(shell(NULL, "openssl verify -purpose sslserver "
	    "-CAfile ca.crt master.crt"), 0);
	shell("prime256v1", "openssl x509 -noout -text -in ca.crt");
	shell("CA:TRUE, pathlen:0", "openssl x509 -noout -text -in ca.crt");
	shell("No Revoked", "openssl crl -noout -text -CAfile ca.crt -in "
	    "ca.crl");
}

/* Cut off half way, it goes on; without its key it does not. */
static void
test_init_again(void **state)
{
	assert_int_equal(unlinkat(m.dirfd, "master.crt", 0), 0);
	assert_int_equal(unlinkat(m.dirfd, "ca.crl", 0), 0);
	made = 0;
	assert_int_equal(ca_init(&m, 0, say), 0);
	assert_int_equal(made, 2);
	shell("master.crt: OK", "openssl verify -CAfile ca.crt master.crt");
	assert_int_equal(renameat(m.dirfd, "ca.key", m.dirfd, "away"), 0);
	assert_int_equal(ca_init(&m, 0, say), -1);
	assert_int_equal(faccessat(m.dirfd, "ca.key", F_OK, 0), -1);
	assert_int_equal(renameat(m.dirfd, "away", m.dirfd, "ca.key"), 0);
}

static void
test_issue(void **state)
{
	static const char *const	 san[] = { "10.1.2.3", "host1",
					    "::1", "DNS:*.x.example",
					    "IP:127.0.0.1", NULL };
	static const char *const	 bad[] = { "a,DNS:b", NULL };
	struct ca_request		 req = { "updater@host1", CA_USE_BOTH,
					    san };
	struct ca_issued		 c, d;
	char				 want[128];

	assert_int_equal(ca_issue(&m, &req, &c), 0);
	lab_write("h.crt", c.crt.data, c.crt.len);
	lab_write("h.key", c.key.data, c.key.len);
	assert_int_equal(shell("h.crt: OK", "openssl verify -x509_strict "
	    "-purpose sslserver -CAfile ca.crt -verify_ip 10.1.2.3 h.crt"), 0);
	assert_int_equal(shell("h.crt: OK", "openssl verify -purpose "
	    "sslclient -verify_hostname host1 -CAfile ca.crt h.crt"), 0);
	assert_int_equal(shell(NULL, "openssl verify -verify_ip ::1 -CAfile "
	    "ca.crt h.crt"), 0);
	assert_int_equal(shell(NULL, "openssl verify -verify_hostname "
	    "a.x.example -CAfile ca.crt h.crt"), 0);
	assert_int_not_equal(shell(NULL, "openssl verify -verify_hostname "
	    "other -CAfile ca.crt h.crt"), 0);
	shell("CN = updater@host1", "openssl x509 -noout -subject -in h.crt");
	/* The same as sha256sum of the DER. */
	snprintf(want, sizeof(want), "%s", c.fingerprint + 7);
	shell(want, "openssl x509 -in h.crt -outform DER | sha256sum");
	snprintf(want, sizeof(want), "serial=%s", c.serial);
	shell(want, "openssl x509 -noout -serial -in h.crt");
	assert_int_equal(shell(NULL, "openssl pkey -noout -check -in h.key"),
	    0);
	assert_int_equal(shell(NULL, "test \"$(openssl pkey -in h.key "
	    "-pubout)\" = \"$(openssl x509 -in h.crt -noout -pubkey)\""), 0);
	assert_true(c.expires > time(NULL) + 800 * 86400LL);
	assert_int_equal(ca_issue(&m, &req, &d), 0);
	assert_string_not_equal(c.serial, d.serial);
	assert_string_not_equal(c.fingerprint, d.fingerprint);
	ca_issued_free(&d);
	req.san = bad;
	assert_int_equal(ca_issue(&m, &req, &d), -1);
	ca_issued_free(&d);
	/* On the list, once. */
	assert_int_equal(ca_revoke(&m, c.serial), 0);
	assert_int_equal(ca_revoke(&m, c.serial), 0);
	assert_int_equal(ca_revoke(&m, "0123"), 0);
	assert_int_equal(ca_revoke(&m, "xyz"), -1);
	shell("revoked", "openssl verify -crl_check -CRLfile ca.crl -CAfile "
	    "ca.crt h.crt");
	assert_int_equal(shell("OK", "openssl verify -crl_check -CRLfile "
	    "ca.crl -CAfile ca.crt master.crt"), 0);
	assert_int_equal(shell("3", "openssl crl -noout -crlnumber -in "
	    "ca.crl"), 0);
	assert_int_equal(shell("verify OK", "openssl crl -noout -CAfile ca.crt "
	    "-in ca.crl"), 0);
	shell("2\n", "openssl crl -noout -text -in ca.crl | grep -c Serial");
	ca_issued_free(&c);
}

static void
test_san(void **state)
{
	assert_true(ca_goodsan("a.example") && ca_goodsan("10.0.0.1"));
	assert_true(ca_goodsan("IP:::1") && ca_goodsan("DNS:10.0.0.1"));
	assert_false(ca_goodsan("IP:a.example"));
	assert_false(ca_goodsan(""));
	assert_false(ca_goodsan("DNS:"));
	assert_false(ca_goodsan("a b"));
	assert_false(ca_goodsan("a,b"));
	assert_false(ca_goodsan("a*.b"));
	assert_false(ca_goodsan("URI:x"));
}

/* Somebody's key in the place of ours is not signed with. */
static void
test_mismatch(void **state)
{
	struct ca_request	 req = { "x", CA_USE_CLIENT, NULL };
	struct ca_issued	 c;

	assert_int_equal(renameat(m.dirfd, "ca.key", m.dirfd, "away"), 0);
	assert_int_equal(shell(NULL, "cp h.key ca.key"), 0);
	assert_int_equal(ca_issue(&m, &req, &c), -1);
	assert_int_equal(ca_revoke(&m, "77"), -1);
	assert_int_equal(renameat(m.dirfd, "away", m.dirfd, "ca.key"), 0);
	assert_int_equal(ca_issue(&m, &req, &c), 0);
	ca_issued_free(&c);
}

static void
test_signify(void **state)
{
	struct stat	 st;

	if (shell(NULL, "command -v signify-openbsd") != 0)
		skip();
	assert_int_equal(keypair_make(&m), 0);
	assert_int_equal(fstatat(m.dirfd, "release.sec", &st, 0), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	lab_text("msg", "hello\n");
	assert_int_equal(shell(NULL, "signify-openbsd -S -s release.sec -m msg"
	    " -x msg.sig"), 0);
	assert_int_equal(shell("Verified", "signify-openbsd -V -p release.pub "
	    "-m msg -x msg.sig"), 0);
	lab_text("msg", "hullo\n");
	assert_int_not_equal(shell(NULL, "signify-openbsd -V -p release.pub "
	    "-m msg -x msg.sig"), 0);
	assert_int_equal(shell(NULL, "gzip -9n < msg > m.gz && "
	    "signify-openbsd -Sz -s release.sec -m m.gz -x s.gz && "
	    "signify-openbsd -Vz -p release.pub -x s.gz | cmp - m.gz || "
	    "signify-openbsd -Vz -p release.pub -m - -x s.gz >/dev/null"), 0);
}

static void
test_ed25519(void **state)
{
	static const char *const	 names[] = { "ca.key", "ca.crt",
					    "ca.crl", "master.key",
					    "master.crt" };
	size_t				 i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_int_equal(unlinkat(m.dirfd, names[i], 0), 0);
	assert_int_equal(ca_init(&m, 1, say), 0);
	shell("ED25519", "openssl x509 -noout -text -in ca.crt");
	shell("master.crt: OK", "openssl verify -x509_strict -CAfile ca.crt "
	    "master.crt");
	assert_int_equal(ca_revoke(&m, "77"), 0);
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test(test_init),
		cmocka_unit_test(test_init_again),
		cmocka_unit_test(test_issue),
		cmocka_unit_test(test_san),
		cmocka_unit_test(test_mismatch),
		cmocka_unit_test(test_signify),
		cmocka_unit_test(test_ed25519),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, lab_setup, lab_teardown);
}
