/*
 * secrets.c, ignore.c: what stays by its name, a key found by its content
 * wherever the pieces are cut, and programs that only speak of keys.
 */
/* LINK: updatermaster/secrets.o updatermaster/ignore.o */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ignore.h"
#include "secrets.h"

#define B64	"MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg\n"

static const struct {
	const char	*name;
	int		 dir;
	enum leave	 want;
} names[] = {
	{ "main.c", 0, LEAVE_NOT },
	{ "environment.py", 0, LEAVE_NOT },
	{ "keys.py", 0, LEAVE_NOT },
	{ "log", 1, LEAVE_NOT },
	{ "catalog", 0, LEAVE_NOT },
	{ ".env.example", 0, LEAVE_NOT },
	{ "credentials", 1, LEAVE_NOT },
	{ "order_history", 0, LEAVE_NOT },
	{ ".github", 1, LEAVE_NOT },
	{ ".gitignore", 0, LEAVE_NOT },
	{ "node_modules", 1, LEAVE_NOT },
	{ "x.key", 1, LEAVE_NOT },
	{ ".env", 0, LEAVE_SECRET },
	{ ".ENV", 0, LEAVE_SECRET },
	{ ".env.production", 0, LEAVE_SECRET },
	{ "Server.KEY", 0, LEAVE_SECRET },
	{ "a.pem", 0, LEAVE_SECRET },
	{ "id_rsa", 0, LEAVE_SECRET },
	{ "id_ed25519.pub", 0, LEAVE_SECRET },
	{ ".ssh", 1, LEAVE_SECRET },
	{ "service-account-prod.json", 0, LEAVE_SECRET },
	{ "terraform.tfstate.backup", 0, LEAVE_SECRET },
	{ ".git", 1, LEAVE_JUNK },
	{ ".git", 0, LEAVE_JUNK },
	{ "__pycache__", 1, LEAVE_JUNK },
	{ "a.pyc", 0, LEAVE_JUNK },
	{ "app.log", 0, LEAVE_JUNK },
	{ "data.sqlite3", 0, LEAVE_JUNK },
	{ "data.db-wal", 0, LEAVE_JUNK },
	{ ".cache", 1, LEAVE_JUNK },
};

static void
test_names(void **state)
{
	const char	*why;
	size_t		 i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		why = NULL;
		if (secret_name(names[i].name, "", names[i].dir, &why) !=
		    names[i].want)
			fail_msg("%s", names[i].name);
		if (names[i].want != LEAVE_NOT)
			assert_non_null(why);
	}
}

static const struct {
	const char	*text;
	int		 key;
} texts[] = {
	{ "-----BEGIN PRIVATE KEY-----\n" B64, 1 },
	{ "-----BEGIN EC PRIVATE KEY-----\r\n" B64, 1 },
	{ "-----BEGIN OPENSSH PRIVATE KEY-----\n" B64, 1 },
	{ "-----BEGIN ENCRYPTED PRIVATE KEY-----\n" B64, 1 },
	{ "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n"
	    "DEK-Info: AES-128-CBC,00\n\n" B64, 1 },
	{ "-----BEGIN PGP PRIVATE KEY BLOCK-----\n\n" B64, 1 },
	{ "-----BEGIN PGP PRIVATE KEY BLOCK-----\nVersion: 1\n\n" B64, 1 },
	{ "{\"private_key\": \"-----BEGIN PRIVATE KEY-----\\n" B64, 1 },
	{ "key: |\n    -----BEGIN PRIVATE KEY-----\n    " B64, 1 },
	{ "KEY = \"\"\"-----BEGIN RSA PRIVATE KEY-----\n" B64, 1 },
	{ "untrusted comment: signify secret key\n" B64, 1 },
	{ "PuTTY-User-Key-File-3: ssh-ed25519\n", 1 },
	{ "AGE-SECRET-KEY-1QQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQ\n", 1 },

	{ "-----BEGIN PRIVATE KEY-----", 0 },
	{ "-----BEGIN PRIVATE KEY-----\n", 0 },
	{ "if (strcmp(s, \"-----BEGIN PRIVATE KEY-----\") == 0)\n" B64, 0 },
	{ "-----BEGIN PRIVATE KEY-----\n...\n-----END PRIVATE KEY-----\n", 0 },
	{ "-----BEGIN PUBLIC KEY-----\n" B64, 0 },
	{ "-----BEGIN CERTIFICATE-----\n" B64, 0 },
	{ "untrusted comment: signify public key\n" B64, 0 },
	{ "PuTTY-User-Key-File-%d: %s", 0 },
	{ "AGE-SECRET-KEY-1", 0 },
	{ B64, 0 },
	{ "", 0 },
};

static int
scan(struct secret_scan *s, const char *p, size_t len, size_t step)
{
	size_t	 n;

	s->len = 0;
	for (; len > 0; p += n, len -= n) {
		n = len < step ? len : step;
		if (secret_scan(s, p, n, 0) != NULL)
			return 1;
	}
	return secret_scan(s, "", 0, 1) != NULL;
}

static void
test_content(void **state)
{
	struct secret_scan	*s = malloc(sizeof(*s));
	size_t			 i, step, len;

	assert_non_null(s);
	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		len = strlen(texts[i].text);
		for (step = 1; step <= len + 1; step++)
			if (scan(s, texts[i].text, len, step) != texts[i].key)
				fail_msg("%s (by %zu)", texts[i].text, step);
	}
	free(s);
}

/* Anywhere in a large file, at every place about the buffer's ends. */
static void
test_far(void **state)
{
	struct secret_scan	*s = malloc(sizeof(*s));
	const char		*key = texts[4].text;
	size_t			 at, len = 5 * 65536, n = strlen(key);
	char			*data = malloc(len);

	assert_true(s != NULL && data != NULL);
	for (at = 0; at + n < len; at += at % 65536 > 60000 ||
	    at % 65536 < 300 ? 7 : 1009) {
		memset(data, 'x', len);
		memcpy(data + at, key, n);
		if (at > 0)
			data[at - 1] = '\n';
		assert_true(scan(s, data, len, 65536));
	}
	memset(data, '-', len);
	assert_false(scan(s, data, len, 65536));
	free(data);
	free(s);
}

static const struct {
	const char	*glob, *path;
	int		 dir, want;
} globs[] = {
	{ "*.tmp", "a.tmp", 0, 1 },
	{ "*.tmp", "x/y/a.tmp", 0, 1 },
	{ "build/", "x/build", 1, 1 },
	{ "build/", "x/build", 0, 0 },
	{ "/dist", "dist", 1, 1 },
	{ "/dist", "x/dist", 1, 0 },
	{ "doc/*.ps", "doc/a.ps", 0, 1 },
	{ "doc/*.ps", "x/doc/a.ps", 0, 0 },
	{ "doc/*.ps", "doc/x/a.ps", 0, 0 },
	{ "**/foo", "a/b/foo", 0, 1 },
	{ "**/foo", "foo", 0, 1 },
	{ "a/**/b", "a/b", 0, 1 },
	{ "a/**/b", "a/x/y/b", 0, 1 },
	{ "a/**/b", "a/x/y/c", 0, 0 },
	{ "a/**", "a/x/y", 0, 1 },
	{ "a/**", "b/a/x", 0, 0 },
	{ "[ab].c", "d/b.c", 0, 1 },
	{ "\\#x", "#x", 0, 1 },
	{ "a", "ab", 0, 0 },
	{ "a/b", "a", 1, 0 },
	{ "a", "a/b", 0, 0 },
	{ "/", "a", 1, 0 },
};

static void
test_globs(void **state)
{
	size_t	 i;

	for (i = 0; i < sizeof(globs) / sizeof(globs[0]); i++)
		if (glob_path(globs[i].glob, globs[i].path, globs[i].dir) !=
		    globs[i].want)
			fail_msg("%s and %s", globs[i].glob, globs[i].path);
}

static void
test_ignore(void **state)
{
	struct ignore	 ig = { NULL, 0 };
	char		 text[] = "# comment\n\n*.tmp  \r\n!keep.tmp\n"
			    "sub/\n!sub/in/\n\\!x\n/last";

	assert_int_equal(ignore_parse(&ig, text), 0);
	assert_int_equal(ignore_match(&ig, "a/b.tmp", 0), IGNORE_OUT);
	assert_int_equal(ignore_match(&ig, "keep.tmp", 0), IGNORE_IN);
	assert_int_equal(ignore_match(&ig, "a/sub", 1), IGNORE_OUT);
	assert_int_equal(ignore_match(&ig, "a/sub", 0), IGNORE_NONE);
	assert_int_equal(ignore_match(&ig, "!x", 0), IGNORE_OUT);
	assert_int_equal(ignore_match(&ig, "last", 0), IGNORE_OUT);
	assert_int_equal(ignore_match(&ig, "# comment", 0), IGNORE_NONE);
	ignore_free(&ig);
	assert_int_equal(ignore_match(&ig, "a.tmp", 0), IGNORE_NONE);
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_content),
		cmocka_unit_test(test_far),
		cmocka_unit_test(test_globs),
		cmocka_unit_test(test_ignore),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
