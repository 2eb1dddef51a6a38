/*
 * unitleave.c and unitrecord.c: a unit that leaves is on record until nothing
 * of it is left, so that whoever comes next can go on; one that is taken
 * again stays.
 */
/* LINK: updaterd/parent/unitleave.o updaterd/parent/unitrecord.o updaterd/parent/systemctl.o updaterd/parent/unitstate.o updaterd/unitname.o updaterd/config.o updaterd/value.o common/util.o common/log.o common/proto.o common/error.o common/compat/imsg.o */
#include "systemctl_lab.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include "../../updaterd/parent/instance.h"
#include "log.h"
#include "unitfile.h"
#include "unitleave.h"
#include "unitrecord.h"
#include "util.h"

static char			 dir[] = "/tmp/updleave.XXXXXX";
static struct service_env	 senv;
static char			 removed[512];	/* files, in order */
static int			 remove_fails, remove_late, told;

const struct service_env *
service_getenv(void)
{
	return &senv;
}

struct instance *
instance_find(const char *name)
{
	return NULL;
}

void
observe_hampered(struct instance *i, const char *text)
{
}

int
unitfile_dir(void)
{
	return dup(senv.runfd);
}

int
unitfile_remove(const char *unit)
{
	if (remove_fails) {
		errno = EROFS;
		return -1;
	}
	strcat(removed, unit);
	return !remove_late;
}

/* --- what is there ------------------------------------------------------ */

/* Names in a directory of records, in any order but for one. */
static const char *
names(const char *which)
{
	static char	 text[1024];
	char		 path[256];
	struct dirent	*e;
	DIR		*d;

	text[0] = '\0';
	snprintf(path, sizeof(path), "%s/%s", dir, which);
	if ((d = opendir(path)) == NULL)
		return text;
	while ((e = readdir(d)) != NULL)
		if (e->d_name[0] != '.')
			strcat(text, e->d_name);
	closedir(d);
	return text;
}

/* As a kill left it. */
static void
leaving(const char *unit, const char *text)
{
	int	 fd;

	mkdirat(senv.runfd, ".units-leaving", 0700);
	fd = openat(senv.runfd, ".units-leaving", O_RDONLY | O_DIRECTORY);
	assert_int_not_equal(fd, -1);
	assert_int_equal(file_write(fd, unit, text, strlen(text), 0600), 0);
	close(fd);
}

static void
on_told(void *arg)
{
	told++;
}

/* The only command there is, which must begin so, ends. */
static void
answer(const char *begin, int status, const char *output)
{
	turn();
	assert_int_equal(nrunning, 1);
	assert_string_equal(running[0]->line, begin);
	end(running[0], status, output);
}

static void
look(const char *unit, const char *active)
{
	char	 line[512], text[1024];

	snprintf(line, sizeof(line), "show -- shutdown.target %s", unit);
	snprintf(text, sizeof(text), "Id=shutdown.target\nLoadState=loaded\n"
	    "ActiveState=inactive\nSubState=dead\nJob=\n\nId=%s\n"
	    "LoadState=loaded\nActiveState=%s\nSubState=x\nJob=\n", unit,
	    active);
	answer(line, 0, text);
}

/* Until systemctl runs. */
static void
until_run(void)
{
	int	 n;

	for (n = 0; n < 5000 && nrunning == 0; n++) {
		event_loop(EVLOOP_NONBLOCK);
		usleep(1000);
	}
}

#define STOP(u)		"stop --no-block -- " u
#define PIN(u)		"stop --no-block -- updaterd-watch@" u ".target"

static void
nothing(void)
{
	turn();
	assert_int_equal(nrunning, 0);
	assert_int_equal(unitleave_isbusy(), 0);
	assert_string_equal(names(".units"), "");
	assert_string_equal(names(".units-leaving"), "");
}

static int
before(void **state)
{
	removed[0] = '\0';
	remove_fails = told = 0;
	return 0;
}

/* --- the tests ---------------------------------------------------------- */

static void
order(void **state)
{
	unitrecord_write("a", "a.service", 1, 0);
	assert_int_equal(unitleave_has("a"), 1);
	assert_int_equal(unitleave_withdraw("a"), 1);
	assert_int_equal(unitleave_has("a"), 0);
	assert_string_equal(names(".units-leaving"), "a.service");
	assert_int_equal(unitleave_await("a", on_told, NULL), 1);
	assert_int_equal(unitleave_await("b", on_told, NULL), 0);
	answer(STOP("a.service"), 0, "");
	look("a.service", "deactivating");
	until_run();
	assert_string_equal(removed, "");
	assert_int_equal(told, 0);
	look("a.service", "inactive");
	assert_int_equal(told, 1);
	assert_int_equal(unitleave_await("a", on_told, NULL), 0);
	assert_string_equal(removed, "");
	answer(PIN("a.service"), 1, "not loaded");
	assert_string_equal(removed, "a.service");
	turn();
	assert_string_equal(names(".units-leaving"), "a.service");
	answer("daemon-reload", 0, "");
	nothing();
}

static void
no_stray(void *arg, const char *name)
{
	fail_msg("%s is no instance's record", name);
}

static void
stray_a(void *arg, const char *name)
{
	assert_string_equal(name, "a");
}

static void
told_to_stop(void **state)
{
	struct unitrecord	 r;
	int			 torn;

	unitrecord_write("a", "a.service", 1, 1);
	assert_int_equal(unitrecord_read("a", &r), 1);
	assert_string_equal(r.unit, "a.service");
	assert_string_equal(r.instance, "a");
	assert_int_equal(r.installed, 1);
	assert_int_equal(r.told, 1);
	unitrecord_write("a", "a.service", 0, 0);
	assert_int_equal(unitrecord_read("a", &r), 1);
	assert_int_equal(r.installed, 0);
	assert_int_equal(r.told, 0);
	/* a kill in the midst of writing it */
	torn = openat(senv.runfd, ".units/.a.tmp", O_CREAT | O_WRONLY, 0600);
	assert_int_not_equal(torn, -1);
	close(torn);
	unitleave_strays(stray_a, NULL);
	unitleave_goon(1, no_stray, NULL);
	assert_int_equal(faccessat(senv.runfd, ".units/.a.tmp", F_OK, 0), 0);
	unitleave_goon(0, no_stray, NULL);
	assert_int_equal(faccessat(senv.runfd, ".units/.a.tmp", F_OK, 0), -1);
	unitrecord_leave("a", &r);
	unitrecord_left("a.service");
	assert_int_equal(unitrecord_read("a", &r), 0);
	nothing();
}

/* Directories can be opened, and nothing in them, for a moment. */
static void
shortage(rlim_t *was)
{
	struct rlimit	 rl;
	int		 fd;

	assert_int_not_equal(fd = dup(0), -1);
	close(fd);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &rl), 0);
	*was = rl.rlim_cur;
	rl.rlim_cur = (rlim_t)fd + 1;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &rl), 0);
}

static void
plenty(rlim_t was)
{
	struct rlimit	 rl;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &rl), 0);
	rl.rlim_cur = was;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &rl), 0);
}

/* What cannot be read now is a record all the same. */
static void
unread(void **state)
{
	struct unitrecord	 r;
	rlim_t			 was;
	int			 leaves;

	unitrecord_write("a", "a.service", 1, 0);
	leaving("b.service", "b.service installed\nb\n");
	leaving("c.service", "nothing\n");
	shortage(&was);
	unitrecord_sweep();
	leaves = unitrecord_leave("a", &r);
	plenty(was);
	assert_int_equal(leaves, 0);
	assert_int_equal(unitrecord_read("a", &r), 1);
	assert_int_equal(unitrecord_isleaving("b.service"), 1);
	unitrecord_sweep();
	assert_string_equal(names(".units-leaving"), "b.service");
	assert_int_equal(unitrecord_leave("a", &r), 1);
	unitrecord_left("a.service");
	unitrecord_left("b.service");
	nothing();
}

static void
theirs(void **state)
{
	unitrecord_write("a", "a.service", 0, 0);
	unitleave_withdraw("a");
	answer(STOP("a.service"), 1, "Unit a.service not loaded.");
	look("a.service", "failed");
	answer(PIN("a.service"), 0, "");
	assert_string_equal(removed, "");
	nothing();
}

/* The last of a template takes its file away. */
static void
shared(void **state)
{
	unitrecord_write("a", "t@a.service", 1, 0);
	unitrecord_write("b", "t@b.service", 1, 0);
	unitleave_withdraw("a");
	answer(STOP("t@a.service"), 0, "");
	look("t@a.service", "inactive");
	answer(PIN("t@a.service"), 0, "");
	assert_string_equal(removed, "");
	assert_string_equal(names(".units-leaving"), "");
	unitleave_withdraw("b");
	answer(STOP("t@b.service"), 0, "");
	look("t@b.service", "inactive");
	answer(PIN("t@b.service"), 0, "");
	assert_string_equal(removed, "t@b.service");
	answer("daemon-reload", 0, "");
	nothing();
}

/* One of the operator's of that name is no reason to keep the release's. */
static void
not_shared(void **state)
{
	unitrecord_write("a", "t@a.service", 1, 0);
	unitrecord_write("b", "t@b.service", 0, 0);
	unitleave_withdraw("a");
	answer(STOP("t@a.service"), 0, "");
	look("t@a.service", "inactive");
	answer(PIN("t@a.service"), 0, "");
	assert_string_equal(removed, "t@a.service");
	answer("daemon-reload", 0, "");
	unitrecord_leave("b", &(struct unitrecord){ .installed = 0 });
	unitrecord_left("t@b.service");
	nothing();
}

/* Two exchange their units, one after the other. */
static void
swapped(void **state)
{
	unitrecord_write("a", "x.service", 0, 0);
	unitrecord_write("b", "y.service", 0, 0);
	assert_int_equal(unitleave_withdraw("a"), 1);
	unitrecord_write("a", "y.service", 0, 0);
	assert_int_equal(unitleave_retake("y.service"), RETAKEN_NOT);
	assert_int_equal(unitleave_withdraw("b"), 1);
	assert_string_equal(names(".units-leaving"), "x.service");
	unitrecord_write("b", "x.service", 0, 0);
	assert_int_equal(unitleave_retake("x.service"), RETAKEN_WHOLE);
	turn();
	assert_int_equal(nrunning, 0);
	assert_string_equal(names(".units-leaving"), "");
	unitrecord_leave("a", &(struct unitrecord){ .installed = 0 });
	unitrecord_leave("b", &(struct unitrecord){ .installed = 0 });
	unitrecord_left("x.service");
	unitrecord_left("y.service");
	nothing();
}

static void
retaken(void **state)
{
	unitrecord_write("a", "a.service", 1, 0);
	unitleave_withdraw("a");
	unitleave_await("a", on_told, NULL);
	turn();
	unitrecord_write("c", "a.service", 1, 0);
	assert_int_equal(unitleave_retake("a.service"), RETAKEN_STOPPING);
	assert_int_equal(told, 1);
	answer(STOP("a.service"), 0, "");
	assert_string_equal(removed, "");
	assert_string_equal(names(".units"), "c");
	unitrecord_leave("c", &(struct unitrecord){ .installed = 0 });
	unitrecord_left("a.service");
	nothing();
}

static int	 leavers;

static void
leaver_a(void *arg, const char *name)
{
	assert_string_equal(name, "a");
	leavers++;
}

/* An earlier daemon was killed in between, maybe after it had removed the
 * file and before systemd knew. */
static void
resumed(void **state)
{
	leaving("a.service", "a.service installed\na\n");
	leaving("torn.service", "torn");
	unitleave_strays(no_stray, NULL);
	leavers = 0;
	unitleave_goon(1, leaver_a, NULL);
	turn();
	assert_int_equal(nrunning, 0);
	assert_int_equal(leavers, 1);
	assert_int_equal(faccessat(senv.runfd, ".units-leaving/torn.service",
	    F_OK, 0), 0);
	unitleave_goon(0, leaver_a, NULL);
	assert_int_equal(leavers, 2);
	/* One that is under way is told of to who only looks. */
	unitleave_goon(0, leaver_a, NULL);
	assert_int_equal(leavers, 2);
	unitleave_goon(1, leaver_a, NULL);
	assert_int_equal(leavers, 3);
	assert_int_equal(unitleave_await("a", on_told, NULL), 1);
	assert_string_equal(names(".units-leaving"), "a.service");
	answer(STOP("a.service"), 0, "");
	look("a.service", "inactive");
	remove_late = 1;
	answer(PIN("a.service"), 0, "");
	remove_late = 0;
	answer("daemon-reload", 0, "");
	nothing();
}

/* ... by a daemon that did not write down whose it was; and one that has been
 * taken by another meanwhile. */
static void
resumed_taken(void **state)
{
	leaving("a.service", "a.service theirs\n");
	leaving("b.service", "b.service theirs\nb\n");
	unitrecord_write("c", "b.service", 0, 0);
	assert_int_equal(unitleave_withdraw("b"), 0);
	turn();
	assert_int_equal(nrunning, 0);
	assert_string_equal(names(".units-leaving"), "a.service");
	leaving("b.service", "b.service theirs\nb\n");
	assert_int_equal(unitleave_retake("b.service"), RETAKEN_STOPPING);
	unitleave_goon(0, no_stray, NULL);
	answer(STOP("a.service"), 0, "");
	look("a.service", "inactive");
	answer(PIN("a.service"), 0, "");
	unitrecord_leave("c", &(struct unitrecord){ .installed = 0 });
	unitrecord_left("b.service");
	nothing();
}

/* It runs on: the next pass tries again. */
static void
not_stopped(void **state)
{
	char	 text[UPD_TEXT_SIZE];

	unitrecord_write("a", "a.service", 0, 0);
	unitleave_withdraw("a");
	answer(STOP("a.service"), 1, "Operation refused");
	assert_int_equal(unitleave_isstuck("a", text), 0);
	look("a.service", "active");
	assert_int_equal(unitleave_isstuck("a", text), 1);
	assert_non_null(strstr(text, "a.service"));
	assert_non_null(strstr(text, "Operation refused"));
	assert_int_equal(unitleave_runs("a"), 1);
	assert_int_equal(unitleave_runs("b"), 0);
	unitleave_goon(0, no_stray, NULL);
	answer(STOP("a.service"), 0, "");
	unitleave_goon(0, no_stray, NULL);	/* it was told */
	look("a.service", "inactive");
	assert_int_equal(unitleave_runs("a"), 0);
	assert_int_equal(unitleave_isstuck("a", text), 0);
	answer(PIN("a.service"), 0, "");
	nothing();
}

/* What does not work now is not forgotten. */
static void
refused(void **state)
{
	unitrecord_write("a", "a.service", 1, 0);
	unitleave_withdraw("a");
	answer(STOP("a.service"), 1, "Failed to connect to bus");
	answer("show -- shutdown.target a.service", 1, "Failed");
	until_run();
	answer(STOP("a.service"), 0, "");
	look("a.service", "inactive");
	remove_fails = 1;
	answer(PIN("a.service"), 0, "");
	assert_int_equal(unitleave_isbusy(), 0);
	assert_string_equal(names(".units-leaving"), "a.service");
	remove_fails = 0;
	unitleave_goon(0, leaver_a, NULL);
	answer(STOP("a.service"), 0, "");
	look("a.service", "inactive");
	answer(PIN("a.service"), 0, "");
	answer("daemon-reload", 1, "Failed");
	assert_string_equal(names(".units-leaving"), "a.service");
	assert_int_equal(unitleave_withdraw("a"), 0);
	answer(STOP("a.service"), 0, "");
	look("a.service", "inactive");
	answer(PIN("a.service"), 0, "");
	answer("daemon-reload", 0, "");
	nothing();
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test_setup(order, before),
		cmocka_unit_test_setup(told_to_stop, before),
		cmocka_unit_test_setup(unread, before),
		cmocka_unit_test_setup(theirs, before),
		cmocka_unit_test_setup(shared, before),
		cmocka_unit_test_setup(not_shared, before),
		cmocka_unit_test_setup(swapped, before),
		cmocka_unit_test_setup(retaken, before),
		cmocka_unit_test_setup(resumed, before),
		cmocka_unit_test_setup(resumed_taken, before),
		cmocka_unit_test_setup(not_stopped, before),
		cmocka_unit_test_setup(refused, before)
	};
	int	 r;

	log_init("test", 0, 0);
	event_init();
	if (mkdtemp(dir) == NULL || (senv.runfd = open(dir, O_RDONLY |
	    O_DIRECTORY)) == -1)
		return 1;
	cmocka_set_message_output(CM_OUTPUT_TAP);
	r = cmocka_run_group_tests(tests, NULL, NULL);
	unlinkat(senv.runfd, ".units", AT_REMOVEDIR);
	unlinkat(senv.runfd, ".units-leaving", AT_REMOVEDIR);
	rmdir(dir);
	return r;
}
