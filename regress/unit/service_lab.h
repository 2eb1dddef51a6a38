/*
 * A laboratory for services: an agent with a root below /tmp, two releases,
 * real processes, the real event loop.  No configuration file, no net, no
 * probe process: those are played by the test.
 */
#ifndef SERVICE_LAB_H
#define SERVICE_LAB_H

#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <errno.h>
#include <event.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../updaterd/parent/instance.h"
#include "log.h"
#include "util.h"

#define LAB_ENV		8	/* services at most */

/* Scripts of the lab's services. */
#define READY		"echo >&3\n"	/* health notify */
#define STAY		"exec sleep 1000\n"

static char		 lab_dir[64];
static struct agent	 lab;
static struct agent_conf lab_conf;
static struct store	 lab_store;
static char		*lab_words[LAB_ENV][2];

/* All services are ours, unless a test plays another supervisor. */
#ifndef LAB_BACKEND
#define LAB_BACKEND	native_backend
#endif
extern const struct backend	 LAB_BACKEND;

const struct backend *
backend_of(enum supervisor s)
{
	return &LAB_BACKEND;
}

int
backend_moved(const struct instance *i)
{
	return 0;
}

static int	 lab_moving;	/* another supervisor still ends it */

int
backend_ismoving(struct instance *i)
{
	return lab_moving;
}

int
backend_isstuck(const struct instance *i, char *text)
{
	return 0;
}

int
backend_withdraw(const char *name)
{
	return 0;
}

/* The probe process. */
static struct msg_probe_start	 lab_probe;
static int			 lab_probes, lab_cancels, lab_probe_kills;
static int			 lab_noprobe;	/* it is not there */

static int __attribute__((unused))
lab_probe_start(struct msg_probe_start *m, const struct health_conf *hc,
    char *text)
{
	if (lab_noprobe) {
		strlcpy(text, "the probe process is not running",
		    UPD_TEXT_SIZE);
		return -1;
	}
	lab_probe = *m;
	lab_probes++;
	return 0;
}

static void __attribute__((unused))
lab_probe_cancel(uint32_t id)
{
	lab_cancels++;
}

static void __attribute__((unused))
lab_probe_kill(void)
{
	lab_probe_kills++;
}

static void __attribute__((unused))
lab_event(const char *name, json_t *o)
{
	json_decref(o);
}

/* --- time ------------------------------------------------------------ */

static void
lab_tick(int fd, short what, void *arg)
{
}

static void __attribute__((unused))
lab_turn(void)
{
	struct timeval	 tv = { 0, 2000 };
	struct event	 ev;

	evtimer_set(&ev, lab_tick, NULL);
	evtimer_add(&ev, &tv);
	event_loop(EVLOOP_ONCE);
	evtimer_del(&ev);
}

/* Turn the loop until the condition holds; it must within 10 s. */
#define UNTIL(cond) do {						\
	uint64_t end_ = time_mono_ms() + 10000;				\
	while (!(cond) && time_mono_ms() < end_)			\
		lab_turn();						\
	if (!(cond))							\
		fail_msg("never: %s", #cond);				\
} while (0)

static void __attribute__((unused))
lab_pass(uint64_t ms)
{
	uint64_t	 end = time_mono_ms() + ms;

	while (time_mono_ms() < end)
		lab_turn();
}

/* --- files ----------------------------------------------------------- */

static void __attribute__((unused))
lab_path(char *path, size_t size, const char *name)
{
	snprintf(path, size, "%s/%s", lab_dir, name);
}

/* A program of both releases. */
static void __attribute__((unused))
lab_script(const char *name, const char *text)
{
	static const char *const ids[] = { "r1", "r2" };
	char	 path[256];
	size_t	 i;
	int	 fd;

	for (i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%s/root/releases/%s/%s",
		    lab_dir, ids[i], name);
		unlink(path);
		fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0755);
		assert_int_not_equal(fd, -1);
		assert_int_equal(write_all(fd, "#!/bin/sh\n", 10), 0);
		assert_int_equal(write_all(fd, text, strlen(text)), 0);
		fchmod(fd, 0755);
		close(fd);
	}
}

static int __attribute__((unused))
lab_exists(const char *name)
{
	char	 path[256];

	lab_path(path, sizeof(path), name);
	return access(path, F_OK) == 0;
}

/* A file's content, in a static buffer; "" if there is none. */
static __attribute__((unused)) const char *
lab_read(const char *name)
{
	static char	 text[8192];
	char		 path[256];
	ssize_t		 n;
	int		 fd;

	lab_path(path, sizeof(path), name);
	if ((fd = open(path, O_RDONLY)) == -1)
		return "";
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[n > 0 ? n : 0] = '\0';
	return text;
}

static int __attribute__((unused))
lab_remove(const char *path, const struct stat *st, int what,
    struct FTW *ftw)
{
	return remove(path);
}

/* --- services -------------------------------------------------------- */

/* Configure a service whose program is bin/<name>. */
static __attribute__((unused)) struct service_conf *
lab_service(const char *name, enum health_kind kind)
{
	struct service_conf	*c;
	int			 n;

	c = calloc(1, sizeof(*c));
	c->name = strdup(name);
	for (n = 0; n < LAB_ENV - 1 && lab_words[n][0] != NULL; n++)
		;
	if (asprintf(&lab_words[n][0], "bin/%s", name) == -1)
		abort();
	c->command.v = lab_words[n];
	c->command.n = 1;
	c->health.kind = kind;
	c->health.within_ms = 5000;
	c->health.timeout_ms = 1000;
	c->stop_signal = SIGTERM;
	c->stop_ms = 3000;
	c->backoff_ms = 20;
	c->backmax_ms = 100;
	c->permanent[0] = 78;
	c->permanent[1] = 125;
	c->npermanent = 2;
	c->umask = 022;
	TAILQ_INSERT_TAIL(&lab_conf.services, c, entry);
	return c;
}

static void __attribute__((unused))
lab_unservice(struct service_conf *c)
{
	int	 n;

	for (n = 0; n < LAB_ENV; n++)
		if (lab_words[n] == c->command.v) {
			free(lab_words[n][0]);
			lab_words[n][0] = NULL;
		}
	TAILQ_REMOVE(&lab_conf.services, c, entry);
	free(c->environment.v);
	free(c->name);
	free(c);
}

/* Take over the configuration.  Returns the instance of that name. */
static __attribute__((unused)) struct instance *
lab_configure(const char *name)
{
	service_configure(&lab);
	return service_find(name);
}

/* --- operators -------------------------------------------------------- */

static struct {
	int		 calls;
	enum upd_error	 error;
	char		 text[UPD_TEXT_SIZE];
} told;

static void __attribute__((unused))
on_told(void *arg, enum upd_error error, const char *text)
{
	told.calls++;
	told.error = error;
	strlcpy(told.text, text, sizeof(told.text));
}

/* An operator's command, until it is answered. */
static enum upd_error __attribute__((unused))
operate(struct instance *i, enum upd_op op)
{
	told.calls = 0;
	service_op(i, op, "operator", on_told, NULL);
	assert_int_equal(told.calls, 0);
	UNTIL(told.calls > 0);
	assert_int_equal(told.calls, 1);
	return told.error;
}

/* A process, no zombie. */
static int __attribute__((unused))
alive(pid_t pid)
{
	return pid > 1 && pid_starttime(pid) != 0;
}

/* Nothing configured, nothing running, nothing remembered. */
static void __attribute__((unused))
lab_clear(void)
{
	while (!TAILQ_EMPTY(&lab_conf.services))
		lab_unservice(TAILQ_FIRST(&lab_conf.services));
	service_configure(&lab);
	UNTIL(TAILQ_EMPTY(&all_instances));
	strlcpy(lab_store.current, "r1", sizeof(lab_store.current));
	lab_noprobe = lab_probes = lab_cancels = lab_probe_kills = 0;
}

/* After each test, also one that failed in the middle. */
static int __attribute__((unused))
lab_after(void **state)
{
	agent_forget(&lab);
	agent_unhold(&lab);
	lab_clear();
	return 0;
}
#define LAB_TEST(fn)	cmocka_unit_test_teardown(fn, lab_after)

/* --- set up ---------------------------------------------------------- */

/* In that directory, made if it is not there. */
static void __attribute__((unused))
lab_open(const char *dir)
{
	static const char *const dirs[] = { "", "run", "state", "root",
	    "root/releases", "root/releases/r1", "root/releases/r2",
	    "root/releases/r1/bin", "root/releases/r2/bin" };
	static char		 run[128], root[128];
	struct service_env	 e;
	char			 path[256];
	size_t			 i;

	strlcpy(lab_dir, dir, sizeof(lab_dir));
	for (i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
		lab_path(path, sizeof(path), dirs[i]);
		mkdir(path, 0755);
	}
	log_init("lab", 0, getenv("LAB_VERBOSE") != NULL ? 2 : 0);
	if (getenv("LAB_VERBOSE") != NULL)
		log_init("lab", 1, 2);
	event_init();
	reap_init();
	memset(&e, 0, sizeof(e));
	snprintf(run, sizeof(run), "%s/run", lab_dir);
	snprintf(root, sizeof(root), "%s/root", lab_dir);
	lab_path(path, sizeof(path), "state");
	e.statefd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	e.runfd = open(run, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	e.run_path = run;
	e.probe_start = lab_probe_start;
	e.probe_cancel = lab_probe_cancel;
	e.probe_kill = lab_probe_kill;
	e.event = lab_event;
	service_init(&e, 0);
	lab_store.root = root;
	lab_store.rootfd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	lab_path(path, sizeof(path), "root/releases");
	lab_store.relfd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	strlcpy(lab_store.current, "r1", sizeof(lab_store.current));
	lab_conf.name = "default";
	TAILQ_INIT(&lab_conf.services);
	TAILQ_INIT(&lab.instances);
	lab.conf = &lab_conf;
	lab.store = &lab_store;
}

static void __attribute__((unused))
lab_close(void)
{
	uint64_t	 end = time_mono_ms() + 10000;
	struct instance	*i;

	/* A test that failed has not cleared up. */
	while (!TAILQ_EMPTY(&lab_conf.services))
		lab_unservice(TAILQ_FIRST(&lab_conf.services));
	service_configure(&lab);
	while (!TAILQ_EMPTY(&all_instances) && time_mono_ms() < end)
		lab_turn();
	TAILQ_FOREACH(i, &all_instances, all)
		contain_kill(&i->native.box);
	nftw(lab_dir, lab_remove, 16, FTW_DEPTH | FTW_PHYS);
}

/* The fixtures of a group of tests. */
static int __attribute__((unused))
lab_setup(void **state)
{
	char	 dir[] = "/tmp/updlab.XXXXXX";

	if (mkdtemp(dir) == NULL || chmod(dir, 0755) == -1)
		return -1;
	lab_open(dir);
	return 0;
}

static int __attribute__((unused))
lab_teardown(void **state)
{
	lab_close();
	return 0;
}

#endif
