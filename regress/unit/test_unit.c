/*
 * systemd.c, unitlook.c: what systemctl refuses is told to whoever asked,
 * with the unit's name; an end that we have brought about is not taken for
 * somebody's wish, whenever it comes, and one that others have is.
 */
/* LINK: updaterd/parent/systemd.o updaterd/parent/unitlook.o updaterd/parent/unitleave.o updaterd/parent/unitrecord.o updaterd/parent/systemctl.o updaterd/parent/unitstate.o updaterd/unitname.o updaterd/config.o updaterd/value.o common/util.o common/log.o common/proto.o common/error.o common/compat/imsg.o */
#include "systemctl_lab.h"

#include <sys/stat.h>
#include <fcntl.h>
#include <unistd.h>

#include "../../updaterd/parent/instance.h"
#include "compat/cgwatch.h"
#include "reap.h"
#include "expand.h"
#include "log.h"
#include "systemd.h"
#include "unitfile.h"
#include "unitrecord.h"
#include "util.h"

static char			 dir[] = "/tmp/updunit.XXXXXX";
static struct service_env	 senv;
static struct service_conf	 conf;
static struct store		 store;
static struct agent		 agent;
static struct instance		*inst;
static struct sighting		 last, before_last;
static int			 sightings, stucks, changed;
static int			 invocation, restarts, leaving;
static char			 stuck[UPD_TEXT_SIZE];

/* --- the rest of the daemon ---------------------------------------------- */

const struct service_env *
service_getenv(void)
{
	return &senv;
}

void
observe_hampered(struct instance *i, const char *text)
{
}

struct instance *
instance_find(const char *name)
{
	return NULL;
}

int
instance_expand(const struct instance *i, struct expansion *x, char *text)
{
	memset(x, 0, sizeof(*x));
	x->unit = conf.unit;
	return 0;
}

void
expansion_free(struct expansion *x)
{
}

void
instance_noprocess(struct instance *i)
{
}

void
ledger_note(struct instance *i)
{
}

void
service_observed(struct instance *i, const struct sighting *s)
{
	before_last = last;
	last = *s;
	sightings++;
}

void
service_stuck(struct instance *i, const char *text)
{
	strlcpy(stuck, text, sizeof(stuck));
	stucks++;
}

void
observe_drain(struct instance *i)
{
}

void
observe_sweep(struct instance *i)
{
}

const char *
contain_levelname(enum contain_level level)
{
	return "cgroup";
}

void
unitlog_forget(struct unit *u)
{
}

void
unitlog_begin(struct unit *u)
{
}

void
unitlog_seen(struct unit *u, const struct unitstate *st)
{
}

void
unitlog_mark(struct instance *i)
{
}

int
unitfile_dir(void)
{
	return dup(senv.runfd);
}

int
unitfile_install(int release, const char *unit, char *text)
{
	return changed;
}

int
unitfile_remove(const char *unit)
{
	return 0;
}

const char *
boot_id(void)
{
	return "boot";
}

uint64_t
pid_starttime(pid_t pid)
{
	return 1;
}

struct pidwatch *
pidwatch_add(pid_t pid, void (*fn)(void *, pid_t, int), void *arg)
{
	static int	 any;

	return (struct pidwatch *)&any;
}

void
pidwatch_del(struct pidwatch *w)
{
}

struct cgwatch *
cgwatch_add(const char *path, void (*fn)(void *, const char *), void *arg)
{
	static int	 any;

	return (struct cgwatch *)&any;
}

void
cgwatch_del(struct cgwatch *w)
{
}

/* --- what systemctl says --------------------------------------------- */

/* Until it runs a command that begins so. */
static struct command *
wait_for(const char *begin)
{
	int	 n, k;

	for (n = 0; n < 5000; n++) {
		for (k = 0; k < nrunning; k++)
			if (strncmp(running[k]->line, begin,
			    strlen(begin)) == 0)
				return running[k];
		event_loop(EVLOOP_NONBLOCK);
		usleep(1000);
	}
	fail_msg("not run: %s", begin);
	return NULL;
}

static void
answer(const char *begin, int status, const char *output)
{
	end(wait_for(begin), status, output);
	turn();
}

/* In a state that began and ended then (monotonic us, 0 never). */
static void
look(const char *active, int pid, uint64_t begun, uint64_t ended,
    const char *job)
{
	char	 text[1024];

	snprintf(text, sizeof(text), "Id=shutdown.target\nLoadState=loaded\n"
	    "ActiveState=inactive\nSubState=dead\nJob=%s\n\nId=a.service\n"
	    "LoadState=loaded\nActiveState=%s\nSubState=x\nMainPID=%d\n"
	    "ExecMainStartTimestampMonotonic=%llu\n"
	    "ExecMainExitTimestampMonotonic=%llu\n"
	    "ActiveExitTimestampMonotonic=%llu\nInvocationID=%d\n"
	    "NRestarts=%d\nJob=%s\n", leaving ? "9" : "", active, pid,
	    (unsigned long long)begun, (unsigned long long)ended,
	    (unsigned long long)(ended != 0 ? ended - 1 : 0), invocation,
	    restarts, job);
	answer("show -- shutdown.target a.service", 0, text);
}

static uint64_t
record_told(void)
{
	struct unitrecord	 r;

	assert_int_equal(unitrecord_read("x", &r), 1);
	return r.told;
}

static void
attach(void)
{
	assert_int_equal(systemd_backend.attach(inst), ATTACH_LATER);
	answer("start --no-block -- updaterd-watch@a.service.target", 0, "");
}

static int
before(void **state)
{
	memset(&last, 0, sizeof(last));
	sightings = stucks = changed = invocation = restarts = leaving = 0;
	stuck[0] = '\0';
	conf.units_install = 0;
	inst = calloc(1, sizeof(*inst) + 2);
	inst->name = strcpy((char *)(inst + 1), "x");
	inst->conf = &conf;
	inst->agent = &agent;
	inst->stop_ms = 1;
	inst->in.desired = 1;
	return 0;
}

static int
after(void **state)
{
	struct unit	*u = inst->priv;
	int		 v;

	/* Forgotten as at the end of the process. */
	TAILQ_REMOVE(&all_units, u, entry);
	for (v = 0; v < SYSTEMCTL__MAX; v++)
		systemctl_drop(&u->call[v]);
	systemctl_drop(&u->hold);
	event_del(&u->grace_ev);
	unitlook_end(u);
	free(u);
	free(inst);
	while (nrunning > 0)
		end(running[0], 0, "");
	unlinkat(senv.runfd, ".units/x", 0);
	return 0;
}

static void
start(void)
{
	char	 text[UPD_TEXT_SIZE];

	assert_int_equal(systemd_backend.start(inst, text), 0);
	turn();
}

/* --- the tests -------------------------------------------------------- */

static void
start_refused(void **state)
{
	attach();
	look("inactive", 0, 0, 0, "");
	start();
	answer("reset-failed -- a.service", 1, "");	/* means nothing */
	sightings = 0;
	answer("start --no-block -- a.service", 1, "Failed to start "
	    "a.service: Unit a.service has a bad unit file setting.\n");
	assert_int_equal(sightings, 1);
	assert_int_equal(last.known, 1);
	assert_int_equal(last.up, 0);
	assert_int_equal(last.wanted, WANTED_NOBODY);
	assert_non_null(strstr(last.text, "systemctl start: Failed to start "
	    "a.service: Unit a.service has a bad"));
	assert_non_null(strstr(last.text, "systemctl status a.service"));
}

/* It would start what is loaded, which is the release before. */
static void
reload_refused(void **state)
{
	conf.units_install = changed = 1;
	attach();
	look("inactive", 0, 0, 0, "");
	sightings = 0;
	start();
	answer("daemon-reload", 1, "Access denied\n");
	assert_int_equal(sightings, 1);
	assert_int_equal(last.up, 0);
	assert_non_null(strstr(last.text, "systemctl daemon-reload: Access "
	    "denied"));
	assert_non_null(strstr(last.text, "a.service"));
	turn();
	turn();
	assert_int_equal(nrunning, 0);		/* nothing was started */
}

static void
stop_refused(void **state)
{
	int	 k;

	attach();
	look("active", 100, 5, 0, "");
	assert_int_equal(last.up, 1);
	systemd_backend.stop(inst);
	sightings = commands = 0;
	/* Asked for again and again, and killed, before it is given up. */
	for (k = 0; k < 1000 && stucks == 0; k++) {
		turn();
		if (nrunning == 0)
			usleep(5000);
		else if (strncmp(running[0]->line, "show", 4) == 0)
			look("active", 100, 5, 0, "");
		else if (strncmp(running[0]->line, "stop", 4) == 0)
			answer("stop --no-block -- a.service", 1, "Failed to "
			    "stop a.service: Operation refused\n");
		else
			end(running[0], 0, "");
	}
	assert_int_equal(stucks, 1);
	assert_true(commands < 60);		/* ever less often */
	assert_non_null(strstr(stuck, "Failed to stop a.service: Operation "
	    "refused"));
	assert_non_null(strstr(stuck, "systemctl status a.service"));
	assert_int_equal(sightings, 0);		/* it still runs */
	/* By whatever it goes in the end. */
	while (nrunning > 0)
		end(running[0], 1, "");
	turn();
	while (nrunning > 0 && strncmp(running[0]->line, "show", 4) != 0)
		end(running[0], 1, "");
	look("inactive", 0, 5, 10, "");
	assert_int_equal(last.up, 0);
	assert_int_equal(last.ours, 1);
}

/* From before its end is forgotten until it runs: a daemon that is killed in
 * between leaves one that looks as if somebody had stopped it. */
static void
start_recorded(void **state)
{
	attach();
	look("failed", 0, 5, 10, "");
	start();
	assert_true(record_told() > 10);
	answer("reset-failed -- a.service", 0, "");
	assert_true(record_told() > 10);
	answer("start --no-block -- a.service", 0, "");
	look("active", 100, time_mono_us(), 0, "");
	assert_int_equal(last.up, 1);
	assert_true(record_told() == 0);
	systemd_backend.stop(inst);
	assert_true(record_told() != 0);
}

static void
ours(void **state)
{
	unitrecord_write("x", "a.service", 0, 100);
	attach();
	look("inactive", 0, 50, 110, "");
	assert_int_equal(last.wanted, WANTED_DOWN);
	assert_int_equal(last.ours, 1);
}

/* It was started again since, and stopped by somebody else. */
static void
theirs(void **state)
{
	unitrecord_write("x", "a.service", 0, 100);
	attach();
	look("inactive", 0, 105, 110, "");
	assert_int_equal(last.wanted, WANTED_DOWN);
	assert_int_equal(last.ours, 0);
}

static void
nobodys(void **state)
{
	attach();
	look("failed", 0, 50, 110, "");
	assert_int_equal(last.wanted, WANTED_NOBODY);
	assert_int_equal(last.ours, 0);
}

/* Our stop has to wait for another unit; systemd carries it out at last. */
static void
carried_out_late(void **state)
{
	unitrecord_write("x", "a.service", 0, 100);
	attach();
	look("active", 100, 50, 0, "17");
	assert_int_equal(sightings, 0);
	assert_true(record_told() == 100);
	look("inactive", 0, 50, 110, "");
	assert_int_equal(last.wanted, WANTED_DOWN);
	assert_int_equal(last.ours, 1);
}

/* How it was before what was asked last is of no interest. */
static void
overtaken(void **state)
{
	attach();
	look("inactive", 0, 0, 0, "");
	sightings = 0;
	start();
	unitlook_now(inst->priv);
	look("inactive", 0, 0, 0, "");
	assert_int_equal(sightings, 0);
	answer("reset-failed -- a.service", 0, "");
	answer("start --no-block -- a.service", 0, "");
	look("active", 100, time_mono_us(), 0, "");
	assert_int_equal(sightings, 1);
	assert_int_equal(last.up, 1);
}

/* The host goes down, and everything with it. */
static void
host_down(void **state)
{
	attach();
	look("active", 100, 5, 0, "");
	sightings = 0;
	leaving = 1;
	unitlook_now(inst->priv);
	look("inactive", 0, 5, 10, "");
	assert_int_equal(sightings, 0);
	/* ... but what we have told to stop is waited for. */
	systemd_backend.stop(inst);
	answer("stop --no-block -- a.service", 0, "");
	look("inactive", 0, 5, 10, "");
	assert_int_equal(sightings, 1);
	assert_int_equal(last.ours, 1);
}

/* Another run than the one that was seen: it died, or somebody was there. */
static void
another_run(void **state)
{
	attach();
	look("active", 100, 5, 0, "");
	inst->in.running = 1;
	inst->in.pid = 100;
	invocation++;
	restarts++;
	unitlook_now(inst->priv);
	look("active", 101, 10, 0, "");
	assert_int_equal(sightings, 3);
	assert_int_equal(before_last.up, 0);
	assert_int_equal(before_last.wanted, WANTED_UP);
	assert_int_equal(last.up, 1);
	assert_int_equal(last.pid, 101);
	inst->in.pid = 101;
	invocation++;
	restarts = 0;
	unitlook_now(inst->priv);
	look("active", 102, 15, 0, "");
	assert_int_equal(sightings, 5);
	assert_int_equal(before_last.wanted, WANTED_DOWN);
	assert_int_equal(last.pid, 102);
	/* The same run, handed over to another process. */
	inst->in.pid = 102;
	unitlook_now(inst->priv);
	look("active", 103, 20, 0, "");
	assert_int_equal(sightings, 6);
	assert_int_equal(inst->in.pid, 103);
}

/* Nothing is known of it. */
static void
blind(void **state)
{
	attach();
	answer("show", 1, "Failed to connect to bus: Host is down\n");
	assert_int_equal(last.known, 0);
	assert_non_null(strstr(last.text, "Host is down"));
}

int
main(void)
{
#define TEST(f)	cmocka_unit_test_setup_teardown(f, before, after)
	const struct CMUnitTest	 tests[] = {
		TEST(start_refused), TEST(reload_refused),
		TEST(stop_refused), TEST(start_recorded), TEST(ours),
		TEST(theirs), TEST(nobodys), TEST(carried_out_late),
		TEST(overtaken), TEST(host_down), TEST(another_run),
		TEST(blind)
	};
	int	 r;

	log_init("test", 0, 0);
	event_init();
	if (mkdtemp(dir) == NULL || (senv.runfd = open(dir, O_RDONLY |
	    O_DIRECTORY)) == -1)
		return 1;
	conf.unit = strdup("a.service");
	store.relfd = senv.runfd;
	strlcpy(store.current, "r1", sizeof(store.current));
	mkdirat(senv.runfd, "r1", 0755);
	agent.store = &store;
	cmocka_set_message_output(CM_OUTPUT_TAP);
	r = cmocka_run_group_tests(tests, NULL, NULL);
	free(conf.unit);
	unlinkat(senv.runfd, "updaterd-watch@.target", 0);
	unlinkat(senv.runfd, "r1", AT_REMOVEDIR);
	unlinkat(senv.runfd, ".units", AT_REMOVEDIR);
	rmdir(dir);
	return r;
}
