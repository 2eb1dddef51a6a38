/*
 * pack.c: the same tree gives the same bytes, forty kinds of secrets and
 * junk do not leave, and what cannot be packed is named.
 */
/* LINK: updatermaster/pack.o updatermaster/spool.o updatermaster/stays.o updatermaster/secrets.o updatermaster/ignore.o common/util.o */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "master_lab.h"

#include <archive.h>
#include <archive_entry.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#define B64	"MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg\n"
#define KEY	"-----BEGIN PRIVATE KEY-----\n" B64

/* Each holds this, which must not be found in the archive. */
#define MARK	"must-not-leave-the-master"

static const char *const	secrets[] = {
	".env", ".env.production", "conf/.ENV.local", "prod.env", ".envrc",
	"tls/server.key", "tls/server.pem", "tls/server.crt", "a.p12",
	"a.pfx", "a.jks", "a.keystore", "putty.ppk", "release.sec",
	"backup.gpg", "x.age", "pw.kdbx", "vpn.ovpn", "krb5.keytab",
	"id_rsa", "id_ed25519", "old/id_ecdsa.bak", "ssh_host_rsa_key",
	".ssh/config", ".aws/credentials", ".gnupg/ring", ".kube/config",
	".docker/config.json", ".netrc", ".npmrc", ".pypirc",
	".git-credentials", ".pgpass", ".htpasswd", ".my.cnf",
	".vault-token", "credentials.json", "client_secret_1.json",
	"service-account.json", "secrets.yaml", "terraform.tfstate",
	"prod.tfvars", ".bash_history", ".updater/ca",
}, *const junk[] = {
	".git/config", ".hg/x", ".svn/x", "__pycache__/x", "m.pyc",
	"node_modules/.cache/x", ".cache/x", ".mypy_cache/x", ".tox/x",
	".pytest_cache/x", "app.db", "app.sqlite3", "app.db-wal",
	"log/app.log", "venv/pyvenv.cfg", "venv/bin/python",
	".updaterignore",
};
#define NSECRETS	(sizeof(secrets) / sizeof(secrets[0]))
#define NJUNK		(sizeof(junk) / sizeof(junk[0]))

static char	text[UPD_TEXT_SIZE];

static int
pack_with(const char *root, char **include, char **exclude,
    struct packed *p)
{
	struct pack_opts	 o;

	memset(&o, 0, sizeof(o));
	o.root = lab_path(root);
	o.include = include;
	o.exclude = exclude;
	text[0] = '\0';
	return pack_tree(&o, p, text);
}

/* The names in it, each with a blank behind; its contents into *all. */
static char *
unpack(struct packed *p, char **all)
{
	struct archive_entry	*e;
	struct archive		*a;
	struct buf		 names = { NULL, 0, 0 }, data = { NULL, 0, 0 };
	char			 chunk[4096];
	ssize_t			 n;

	assert_non_null(a = archive_read_new());
	archive_read_support_filter_gzip(a);
	archive_read_support_format_tar(a);
	assert_int_equal(archive_read_open_fd(a, p->fd, 10240), ARCHIVE_OK);
	while (archive_read_next_header(a, &e) == ARCHIVE_OK) {
		assert_int_equal(archive_entry_uid(e), 0);
		assert_int_equal(archive_entry_gid(e), 0);
		assert_int_equal(archive_entry_mtime(e), 0);
		buf_printf(&names, "%s:%o ", archive_entry_pathname(e),
		    (unsigned int)archive_entry_perm(e));
		while ((n = archive_read_data(a, chunk, sizeof(chunk))) > 0)
			buf_add(&data, chunk, (size_t)n);
		assert_int_equal(n, 0);
	}
	archive_read_free(a);
	buf_add(&data, "", 1);
	if (all != NULL)
		*all = data.data;
	else
		buf_free(&data);
	return names.data;
}

static void
plant(const char *root)
{
	char	 path[256];
	size_t	 i;

	for (i = 0; i < NSECRETS; i++) {
		snprintf(path, sizeof(path), "%s/%s", root, secrets[i]);
		lab_text(path, MARK);
	}
	for (i = 0; i < NJUNK; i++) {
		snprintf(path, sizeof(path), "%s/%s", root, junk[i]);
		lab_text(path, i == NJUNK - 1 ? "" : MARK);
	}
	/* By content only. */
	snprintf(path, sizeof(path), "%s/notes.txt", root);
	lab_text(path, "my key:\n" KEY MARK);
	snprintf(path, sizeof(path), "%s/settings.py", root);
	lab_text(path, "KEY = '''-----BEGIN RSA PRIVATE KEY-----\n" B64 MARK);
	snprintf(path, sizeof(path), "%s/conf.json", root);
	lab_text(path, "{\"k\":\"-----BEGIN PRIVATE KEY-----\\n" B64 MARK);
	snprintf(path, sizeof(path), "%s/sig", root);
	lab_text(path, "untrusted comment: x secret key\n" B64 MARK);
	snprintf(path, sizeof(path), "%s/bin/agent", root);
	lab_text(path, "agent");
	chmod(lab_path(path), 0755);
	snprintf(path, sizeof(path), "%s/.env.example", root);
	lab_text(path, "NAME=");
}

static void
test_secrets(void **state)
{
	struct packed	 p;
	char		*names, *all;

	plant("s");
	assert_int_equal(pack_with("s", NULL, NULL, &p), 0);
	names = unpack(&p, &all);
	assert_null(strstr(all, MARK));
	assert_null(strstr(all, "PRIVATE"));
	assert_string_equal(all, "NAME=agent");
	assert_string_equal(names, ".env.example:644 bin/:755 bin/agent:755 "
	    "conf/:755 log/:755 node_modules/:755 old/:755 tls/:755 ");
	assert_int_equal(p.files, 2);
	free(names);
	free(all);
	close(p.fd);
}

/* What somebody asks for goes; a key does not, whatever anybody says. */
static void
test_include(void **state)
{
	char		*include[] = { "*", "**", NULL };
	char		*tls[] = { "tls/server.crt", "*.db", NULL };
	char		*out[] = { "bin/", "*.example", NULL };
	struct packed	 p;
	char		*names, *all;

	plant("i");
	assert_int_equal(pack_with("i", include, NULL, &p), 0);
	names = unpack(&p, &all);
	assert_null(strstr(all, "PRIVATE"));
	assert_null(strstr(names, "notes.txt"));
	assert_null(strstr(names, "settings.py"));
	assert_null(strstr(names, "conf.json"));
	assert_null(strstr(names, "sig:"));
	assert_non_null(strstr(names, "id_rsa:"));
	free(names);
	free(all);
	close(p.fd);

	assert_int_equal(pack_with("i", tls, out, &p), 0);
	names = unpack(&p, NULL);
	assert_string_equal(names, "app.db:644 conf/:755 log/:755 "
	    "node_modules/:755 old/:755 tls/:755 tls/server.crt:644 ");
	free(names);
	close(p.fd);
}

static void
test_ignore(void **state)
{
	struct packed	 p;
	char		*names;

	lab_text("g/.updaterignore", "# none of these\n*.tmp\n!keep.tmp\n"
	    "/build/\n!app.log\n!.env\n!tls.key\n");
	lab_text("g/a.tmp", "x");
	lab_text("g/keep.tmp", "x");
	lab_text("g/build/x", "x");
	lab_text("g/src/build/x", "x");
	lab_text("g/app.log", "x");
	lab_text("g/.env", "x");
	lab_text("g/tls.key", "x");
	assert_int_equal(pack_with("g", NULL, NULL, &p), 0);
	names = unpack(&p, NULL);
	assert_string_equal(names, "app.log:644 keep.tmp:644 src/:755 "
	    "src/build/:755 src/build/x:644 ");
	free(names);
	close(p.fd);
}

/* Other times, owners, modes, order of making, umask: the same bytes. */
static void
test_same(void **state)
{
	static const char *const	 files[] = { "b", "a/x", "a.b/y",
					    "a-b", "z/deep/down/file",
					    "\303\274ml\303\244ut", "A" };
	struct timeval			 old[2] = { { 1000, 0 }, { 1000, 0 } };
	struct packed			 p, q;
	char				 path[256], long_name[180], head[8];
	size_t				 i, n = sizeof(files) /
					    sizeof(files[0]);
	struct stat			 st;

	memset(long_name, 'l', sizeof(long_name) - 1);
	long_name[sizeof(long_name) - 1] = '\0';
	for (i = 0; i < n; i++) {
		snprintf(path, sizeof(path), "one/%s", files[i]);
		lab_text(path, files[i]);
		snprintf(path, sizeof(path), "two/%s", files[n - 1 - i]);
		lab_text(path, files[n - 1 - i]);
		assert_int_equal(utimes(lab_path(path), old), 0);
		chmod(lab_path(path), i % 2 ? 0600 : 0664);
		if (geteuid() == 0)
			assert_int_equal(chown(lab_path(path), 1234, 77), 0);
	}
	snprintf(path, sizeof(path), "one/%s", long_name);
	lab_text(path, "l");
	snprintf(path, sizeof(path), "two/%s", long_name);
	lab_text(path, "l");
	assert_int_equal(symlink("a/x", lab_path("one/link")), 0);
	assert_int_equal(symlink("a/x", lab_path("two/link")), 0);
	/* A hard link is a file. */
	lab_text("one/twin", "b");
	assert_int_equal(link(lab_path("two/b"), lab_path("two/twin")), 0);
	setenv("LC_ALL", "C", 1);
	assert_int_equal(pack_with("one", NULL, NULL, &p), 0);
	setenv("TZ", "Asia/Tokyo", 1);
	assert_int_equal(pack_with("two", NULL, NULL, &q), 0);
	assert_string_equal(p.sha256, q.sha256);
	assert_int_equal(p.size, q.size);
	assert_int_equal(fstat(p.fd, &st), 0);
	assert_int_equal(st.st_size, p.size);
	assert_int_equal(st.st_nlink, 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(lseek(p.fd, 0, SEEK_CUR), 0);
	/* gzip: no name, no time. */
	assert_int_equal(read(p.fd, head, sizeof(head)), sizeof(head));
	assert_memory_equal(head, "\37\213\10\0\0\0\0\0", sizeof(head));
	close(q.fd);
	/* And others for another tree. */
	chmod(lab_path("two/b"), 0755);
	assert_int_equal(pack_with("two", NULL, NULL, &q), 0);
	assert_string_not_equal(p.sha256, q.sha256);
	close(p.fd);
	close(q.fd);
}

static void
assert_refused(const char *root, const char *want)
{
	struct packed	 p;

	assert_int_equal(pack_with(root, NULL, NULL, &p), -1);
	if (strstr(text, want) == NULL)
		fail_msg("no \"%s\" in: %s", want, text);
	assert_int_equal(p.fd, -1);
}

static void
test_links(void **state)
{
	static const struct {
		const char	*at, *target;
		int		 good;
	} links[] = {
		{ "l/link", "f", 1 }, { "l/link", "./d/../f", 1 },
		{ "l/d/link", "../f", 1 }, { "l/link", "nosuch", 1 },
		{ "l/link", "/etc/passwd", 0 }, { "l/link", "..", 0 },
		{ "l/link", "../l/f", 0 }, { "l/d/link", "../../x", 0 },
		{ "l/d/link", "../d/../../x", 0 },
		{ "l/link", "d/../../f", 0 },
	};
	struct packed	 p;
	size_t		 i;

	lab_text("l/f", "x");
	lab_text("l/d/f", "x");
	for (i = 0; i < sizeof(links) / sizeof(links[0]); i++) {
		assert_int_equal(symlink(links[i].target,
		    lab_path(links[i].at)), 0);
		if (links[i].good) {
			assert_int_equal(pack_with("l", NULL, NULL, &p), 0);
			close(p.fd);
		} else
			assert_refused("l", "link");
		assert_int_equal(unlink(lab_path(links[i].at)), 0);
	}
}

static void
test_refused(void **state)
{
	struct sockaddr_un	 sun;
	struct packed		 p;
	char			*x[] = { "pipe", NULL };
	char			 deep[256];
	int			 i;

	assert_refused("nosuch", "No such file");
	mkdir(lab_path("empty"), 0755);
	assert_refused("empty", "no file in it");
	lab_text("f/file", "x");
	assert_refused("f/file", "Not a directory");
	assert_int_equal(mkfifo(lab_path("f/pipe"), 0600), 0);
	assert_refused("f", "pipe: neither file");
	assert_int_equal(pack_with("f", NULL, x, &p), 0);
	close(p.fd);
	unlink(lab_path("f/pipe"));
	i = socket(AF_UNIX, SOCK_STREAM, 0);
	memset(&sun, 0, sizeof(sun));
	sun.sun_family = AF_UNIX;
	strlcpy(sun.sun_path, lab_path("f/sock"), sizeof(sun.sun_path));
	assert_int_equal(bind(i, (struct sockaddr *)&sun, sizeof(sun)), 0);
	assert_refused("f", "sock: neither file");
	close(i);
	unlink(lab_path("f/sock"));
	lab_text("f/\377\376", "x");
	assert_refused("f", "not UTF-8");
	strlcpy(deep, "deep", sizeof(deep));
	for (i = 0; i < 33; i++)
		strlcat(deep, "/d", sizeof(deep));
	lab_text(deep, "x");
	assert_refused("deep", "deeper than");
}

static void
test_file(void **state)
{
	struct packed	 p;
	char		 data[16];

	lab_text("ready.tgz", "whatever it is");
	assert_int_equal(pack_file(lab_path("ready.tgz"), &p, text), 0);
	assert_int_equal(p.size, 14);
	assert_string_equal(p.sha256, "e27b12cf7fb8d5bb252ffc79fb523d61"
	    "0926e1d621defc5a104910c98a30fbfa");
	assert_int_equal(read(p.fd, data, sizeof(data)), 14);
	close(p.fd);
	lab_text("ready.tgz", "");
	assert_int_equal(pack_file(lab_path("ready.tgz"), &p, text), -1);
	assert_int_equal(pack_file(lab_path("nosuch"), &p, text), -1);
	assert_int_equal(pack_file(lab, &p, text), -1);
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test(test_secrets),
		cmocka_unit_test(test_include),
		cmocka_unit_test(test_ignore),
		cmocka_unit_test(test_same),
		cmocka_unit_test(test_links),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_file),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, lab_setup, lab_teardown);
}
