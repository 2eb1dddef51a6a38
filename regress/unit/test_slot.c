/*
 * Slots of s6: that what is rendered is what a shell then runs, with words
 * of any bytes; what is in which file; and what s6-svstat's answers mean.
 */
/* LINK: updaterd/parent/slot.o updaterd/parent/svstat.o common/util.o */
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "slot.h"
#include "svstat.h"

static char	 dir[64];

static char *
path(const char *name)
{
	static char	 p[4][128];
	static int	 n;

	n = (n + 1) % 4;
	snprintf(p[n], sizeof(p[n]), "%s/%s", dir, name);
	return p[n];
}

static void
put(const char *name, const char *bytes, mode_t mode)
{
	int	 fd = open(path(name), O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_int_not_equal(fd, -1);
	assert_int_equal(write_all(fd, bytes, strlen(bytes)), 0);
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

static const struct slot_file *
file(const struct slot *s, const char *name)
{
	size_t	 i;

	for (i = 0; i < s->n; i++)
		if (strcmp(s->file[i].path, name) == 0)
			return &s->file[i];
	return NULL;
}

static const char *
text(const struct slot *s, const char *name)
{
	const struct slot_file	*f = file(s, name);

	return f != NULL ? f->data.data : NULL;
}

static int
setup(void **state)
{
	strlcpy(dir, "/tmp/updslot.XXXXXX", sizeof(dir));
	return mkdtemp(dir) == NULL ||
	    mkdir(path("current"), 0755) == -1 ||
	    mkdir(path("current/bin"), 0755) == -1 ? -1 : 0;
}

static int
teardown(void **state)
{
	char	 cmd[128];

	snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	return system(cmd);
}

static const int	 permanent[] = { 78, 125 };
static char		*words[8], *vars[8];
static struct args	 command = { words, 0 };

static struct slot_conf
conf(const char *first)
{
	static struct identity	 id;
	static char		 base[128];
	static gid_t		 groups[] = { 1001, 27 };
	struct slot_conf	 c;

	memset(&c, 0, sizeof(c));
	memset(&id, 0, sizeof(id));
	memset(words, 0, sizeof(words));
	memset(vars, 0, sizeof(vars));
	id.uid = 1000;
	id.gid = 1001;
	id.groups = groups;
	id.ngroups = 2;
	words[0] = (char *)first;
	command.n = 1;
	c.name = "one";
	c.mark = "/run/updaterd";
	strlcpy(base, path("current"), sizeof(base));
	c.base = base;
	c.command = &command;
	c.env = vars;
	c.id = &id;
	c.umask = 027;
	c.stop_signal = SIGINT;
	c.stop_ms = 2500;
	c.permanent = permanent;
	c.npermanent = 2;
	c.log_size = 1048576;
	c.log_keep = 4;
	c.applyuidgid = "/usr/bin/s6-applyuidgid";
	c.s6log = "/usr/bin/s6-log";
	return c;
}

/* Run the slot's run; its exit code. */
static int
run(const struct slot *s, const char *name, const char *arg)
{
	const struct slot_file	*f = file(s, name);
	char			 cmd[512];
	int			 status;

	put("script", f->data.data, 0755);
	snprintf(cmd, sizeof(cmd), "cd %s && ./script %s >out 2>&1", dir,
	    arg);
	status = system(cmd);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static const char *
out(const char *name)
{
	static char	 data[8192];
	int		 fd = open(path(name), O_RDONLY);
	ssize_t		 n = fd == -1 ? -1 : read(fd, data, sizeof(data) - 1);

	if (fd != -1)
		close(fd);
	data[n > 0 ? n : 0] = '\0';
	return data;
}

/* The program gets the very words, variables, umask, limits, directory. */
static void
test_words(void **state)
{
	static const char	 nasty[] = "it's $HOME `id` \"x\" \\ *\n;&|#\t"
				    "\x01\xff' ''";
	struct slot_conf	 c = conf("bin/p");
	struct rlimit_conf	 limits[] = { { RLIMIT_NOFILE, 77 },
				    { RLIMIT_CORE, 4096 },
				    { RLIMIT_NPROC, 60000 },
				    { RLIMIT_FSIZE, 1 << 20 } };
	struct slot		 s;
	char			 want[1024];

	put("current/bin/p", "#!/bin/sh\n"
	    "printf '%s|' \"$0\" \"$@\" >words\n"
	    "printf '%s|' \"$ODD\" >odd\n"
	    "printf '%s|' \"$PWD\" \"$(umask)\" \"$(ulimit -n)\" "
	    "\"$(ulimit -c)\" \"$(ulimit -f)\" >rest\n"
	    "ls -l /proc/self/fd/0 | sed 's/.*-> //' >in\n"
	    "exit 3\n", 0755);
	words[1] = (char *)nasty;
	words[2] = "";
	words[3] = "-n";
	command.n = 4;
	vars[0] = "PATH=/usr/bin:/bin";
	vars[1] = "ODD=it's $HOME\n`x` \xff";
	c.rlimits = limits;
	c.nrlimits = 4;
	assert_int_equal(slot_render(&c, &s), 0);
	assert_int_equal(run(&s, "run", "one"), 3);
	snprintf(want, sizeof(want), "%s/bin/p|%s||-n|", c.base, nasty);
	assert_string_equal(out("current/words"), want);
	assert_string_equal(out("current/odd"), "it's $HOME\n`x` \xff|");
	snprintf(want, sizeof(want), "%s|0027|77|8|2048|", c.base);
	assert_string_equal(out("current/rest"), want);
	assert_string_equal(out("current/in"), "/dev/null\n");
	slot_free(&s);
}

/* Where the program is looked up, and the directory it finds itself in. */
static void
test_lookup(void **state)
{
	struct slot_conf	 c = conf("p");
	struct slot		 s;
	char			 want[256];

	vars[0] = "PATH=/usr/bin:/bin";
	put("current/p", "#!/bin/sh\necho \"$0 $PWD\"\n", 0755);
	assert_int_equal(slot_render(&c, &s), 0);
	assert_int_equal(run(&s, "run", "one"), 0);
	snprintf(want, sizeof(want), "%s/p %s\n", c.base, c.base);
	assert_string_equal(out("out"), want);
	slot_free(&s);

	words[0] = "pwd";		/* not in the release: along PATH */
	c.directory = "/usr";
	assert_int_equal(slot_render(&c, &s), 0);
	assert_int_equal(run(&s, "run", "one"), 0);
	assert_string_equal(out("out"), "/usr\n");
	slot_free(&s);

	words[0] = "/bin/pwd";
	c.directory = NULL;
	assert_int_equal(slot_render(&c, &s), 0);
	assert_int_equal(run(&s, "run", "one"), 0);
	snprintf(want, sizeof(want), "%s\n", c.base);
	assert_string_equal(out("out"), want);
	slot_free(&s);

	words[0] = "no/such";
	assert_int_equal(slot_render(&c, &s), 0);
	assert_int_equal(run(&s, "run", "one"), 127);
	slot_free(&s);
	words[0] = "pwd";
	c.directory = "/nonexistent";
	assert_int_equal(slot_render(&c, &s), 0);
	assert_int_equal(run(&s, "run", "one"), 111);
	slot_free(&s);
}

/* A release that moves needs no other slot. */
static void
test_current(void **state)
{
	struct slot_conf	 c = conf("pwd");
	struct slot		 s;
	char			 link[128];

	strlcpy(link, path("link"), sizeof(link));
	c.base = link;
	assert_int_equal(symlink("current", link), 0);
	assert_int_equal(slot_render(&c, &s), 0);
	assert_int_equal(run(&s, "run", "one"), 0);
	assert_non_null(strstr(out("out"), "/current\n"));
	assert_null(strstr(text(&s, "run"), "/current'"));
	slot_free(&s);
}

static void
test_finish(void **state)
{
	struct slot_conf	 c = conf("p");
	struct slot		 s;

	assert_int_equal(slot_render(&c, &s), 0);
	assert_int_equal(run(&s, "finish", "0 0 one"), 0);
	assert_int_equal(run(&s, "finish", "75 0 one"), 0);
	assert_int_equal(run(&s, "finish", "256 15 one"), 0);
	assert_int_equal(access(path("down"), F_OK), -1);
	assert_int_equal(run(&s, "finish", "125 0 one"), 125);
	assert_int_equal(access(path("down"), F_OK), 0);
	assert_int_equal(unlink(path("down")), 0);
	assert_int_equal(run(&s, "finish", "78 0 one"), 125);
	assert_int_equal(access(path("down"), F_OK), 0);
	slot_free(&s);
	unlink(path("down"));

	c.npermanent = 0;
	assert_int_equal(slot_render(&c, &s), 0);
	assert_int_equal(run(&s, "finish", "78 0 one"), 0);
	assert_int_equal(access(path("down"), F_OK), -1);
	slot_free(&s);

	c.off = "GATEWAY";
	assert_int_equal(slot_render(&c, &s), 0);
	assert_int_equal(run(&s, "run", "one"), 0);
	assert_string_equal(out("out"), "");
	assert_int_equal(run(&s, "finish", "0 0 one"), 125);
	assert_int_equal(access(path("down"), F_OK), -1);
	slot_free(&s);
}

static void
test_files(void **state)
{
	struct slot_conf	 c = conf("p");
	struct slot		 s;

	vars[0] = "SECRET=x";
	assert_int_equal(slot_render(&c, &s), 0);
	assert_string_equal(text(&s, "type"), "longrun\n");
	assert_string_equal(text(&s, "timeout-kill"), "2500\n");
	assert_string_equal(text(&s, "down-signal"), "2\n");
	assert_string_equal(text(&s, SLOT_MARK), "/run/updaterd\n");
	assert_null(text(&s, "notification-fd"));
	assert_null(text(&s, "log/run"));
	assert_int_equal(s.logged, 0);
	/* the environment is root's alone */
	assert_int_equal(file(&s, "run")->mode, 0700);
	assert_int_equal(file(&s, "finish")->mode, 0755);
	assert_null(strstr(text(&s, "run"), "applyuidgid"));
	slot_free(&s);

	c.drop = c.notify = 1;
	c.stop_ms = 0;
	c.log = "/var/log/it's";
	c.log_keep = 0;
	c.log_size = 1;
	assert_int_equal(slot_render(&c, &s), 0);
	assert_string_equal(text(&s, "notification-fd"), "3\n");
	assert_string_equal(text(&s, "timeout-kill"), "1\n");
	assert_non_null(strstr(text(&s, "run"), "\nexec "
	    "'/usr/bin/s6-applyuidgid' -u 1000 -g 1001 -G '1001,27' env -i"));
	assert_int_equal(s.logged, 1);
	assert_non_null(strstr(text(&s, "log/run"), "\nexec "
	    "'/usr/bin/s6-applyuidgid' -u 1000 -g 1001 -G '1001,27' "
	    "'/usr/bin/s6-log' n1 s4096 T '/var/log/it'\\''s'\n"));
	assert_null(strstr(text(&s, "log/run"), "SECRET"));
	slot_free(&s);
	c.log_size = 1ULL << 40;
	c.log_keep = 9;
	assert_int_equal(slot_render(&c, &s), 0);
	assert_non_null(strstr(text(&s, "log/run"), " n9 s268435455 T "));
	slot_free(&s);
}

#define NOW	1795331061000000LL	/* 2026-11-22T07:04:21Z */
/* 1,000.5 s before, by both ways of counting */
#define TAI37	"@400000006b0290311dcd6500"
#define TAI10	"@400000006b0290161dcd6500"

static void
test_svstat(void **state)
{
	static const char *const	 bad[] = { "", "\n", "true",
	    "true true false 7 -1 -1 " TAI37 " 1000",
	    "true true false 7 -1 -1 " TAI37 " 1000\nx",
	    "true true false 7 -1 -1 " TAI37 " 1000 \n",
	    "true true false 7 -1 -1 @4000 1000\n",
	    "true true false 7 -1 -1 " TAI37 "0 1000\n",
	    "true true false 7 -1 -1 " TAI37 " -1\n",
	    "true true false 1 -1 -1 " TAI37 " 1000\n",
	    "true true false 0 -1 -1 " TAI37 " 1000\n",
	    "true true false -1 -1 -1 " TAI37 " 1000\n",
	    "True true false 7 -1 -1 " TAI37 " 1000\n",
	    "true maybe false 7 -1 -1 " TAI37 " 1000\n",
	    "true true falsey 7 -1 -1 " TAI37 " 1000\n",
	    "true true false x -1 -1 " TAI37 " 1000\n",
	    "true true false 7 -1 -1 " TAI37 " 99999999999999999\n" };
	struct sighting	 s;
	size_t		 i;

	assert_int_equal(svstat_parse("true true false 7 -1 -1 " TAI37
	    " 1000\n", NOW, &s), 0);
	assert_int_equal(s.known, 1);
	assert_int_equal(s.up, 1);
	assert_int_equal(s.pid, 7);
	assert_int_equal(s.ready, 0);
	assert_int_equal(s.wanted, WANTED_UP);
	assert_int_equal(s.status, -1);
	assert_int_equal(s.since, NOW - 1000500000);
	assert_int_equal(svstat_parse("true false true 7 -1 -1 " TAI10
	    " 1000\n", NOW, &s), 0);
	assert_int_equal(s.since, NOW - 1000500000);
	assert_int_equal(s.ready, 1);
	assert_int_equal(s.wanted, WANTED_DOWN);
	/* an unknown count of leap seconds: whole seconds do */
	assert_int_equal(svstat_parse("true true true 7 -1 -1 "
	    "@400000006b0290001dcd6500 1000\n", NOW, &s), 0);
	assert_int_equal(s.since, NOW - 1000000000);

	assert_int_equal(svstat_parse("false true false -1 78 -1 " TAI37
	    " 1000\n", NOW, &s), 0);
	assert_int_equal(s.up, 0);
	assert_int_equal(s.pid, 0);
	assert_true(WIFEXITED(s.status) && WEXITSTATUS(s.status) == 78);
	assert_int_equal(svstat_parse("false false false -1 -1 15 " TAI37
	    " 1000\n", NOW, &s), 0);
	assert_true(WIFSIGNALED(s.status) && WTERMSIG(s.status) == 15);

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (svstat_parse(bad[i], NOW, &s) != -1)
			fail_msg("taken: \"%s\"", bad[i]);
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test_setup_teardown(test_words, setup, teardown),
		cmocka_unit_test_setup_teardown(test_lookup, setup, teardown),
		cmocka_unit_test_setup_teardown(test_current, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(test_finish, setup, teardown),
		cmocka_unit_test_setup_teardown(test_files, setup, teardown),
		cmocka_unit_test(test_svstat),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
