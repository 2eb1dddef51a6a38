/*
 * What a profile process says is believed only as far as it can be checked:
 * names in ascending order, each once, fit for what they are said to be, and
 * words that are known.
 */
/* LINK: updaterd/parent/roster.o common/error.o common/log.o common/profile.o common/proto.o common/util.o common/compat/imsg.o */
#include <sys/socket.h>

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../updaterd/parent/launch.h"
#include "../../updaterd/parent/parent.h"
#include "../../updaterd/parent/reap.h"
#include "../../updaterd/parent/roster.h"
#include "log.h"
#include "util.h"

static struct parent	 parent;
struct parent		*env = &parent;
static struct event_base	*base;
static struct imsgbuf	 mouth, ear;
static struct imsgev	*channel;
static int		 (*receive)(struct imsgev *, struct imsg *, void *);
static void		*receive_arg;
static struct roster	*roster;
static int		 scanned;

/* --- those who are played --------------------------------------------- */

int
proc_start(struct proc *p, enum proc_type type, const struct proc_args *args,
    int (*recv_fn)(struct imsgev *, struct imsg *, void *),
    void (*dead)(struct imsgev *, int, void *), void *arg)
{
	p->pid = 0;
	p->iev.open = 1;
	channel = &p->iev;
	receive = recv_fn;
	receive_arg = arg;
	return 0;
}

void
proc_kill(struct proc *p)
{
}

int
reap_add(pid_t pid, void (*fn)(void *, pid_t, int), void *arg)
{
	return 0;
}

void
reap_del(pid_t pid)
{
}

int
identity_lookup(struct identity *id, const char *user, const char *group,
    const struct args *groups, char *text)
{
	memset(id, 0, sizeof(*id));
	return 0;
}

void
identity_free(struct identity *id)
{
}

int
imsgev_compose(struct imsgev *iev, uint32_t type, int fd, const void *data,
    size_t len)
{
	return 0;
}

void
imsgev_close(struct imsgev *iev)
{
	iev->open = 0;
}

void
farwait_init(struct farwait *w)
{
}

void
farwait_close(struct farwait *w)
{
}

int
farwait_add(struct farwait *w, int fd)
{
	return 0;
}

static void
on_scanned(void *arg)
{
	scanned++;
}

static void
on_synced(void *arg)
{
}

static void
on_ended(void *arg, const char *text)
{
}

static const struct roster_calls calls = { on_scanned, on_synced, on_ended };

/* --- what it says ------------------------------------------------------ */

static int
setup(void **state)
{
	static struct service_conf	 conf;
	char				 text[UPD_TEXT_SIZE];
	int				 sv[2];

	conf.name = "gw";
	conf.home = "/home";
	scanned = 0;
	base = event_init();
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, sv) == -1 ||
	    imsgbuf_init(&mouth, sv[0]) == -1 ||
	    imsgbuf_init(&ear, sv[1]) == -1)
		return -1;
	roster = roster_start(&conf, PROFILE_SCAN, &calls, NULL, text);
	return roster == NULL ? -1 : 0;
}

static int
teardown(void **state)
{
	roster_cancel(roster);
	imsgbuf_clear(&mouth);
	imsgbuf_clear(&ear);
	close(mouth.fd);
	close(ear.fd);
	event_base_free(base);
	return 0;
}

/* 0 it was believed, -1 not. */
static int
say(uint32_t type, const void *data, uint16_t len)
{
	struct imsg	 imsg;
	int		 r;

	assert_int_equal(imsg_compose(&mouth, type, 0, 0, -1, data, len), 1);
	assert_int_equal(imsgbuf_write(&mouth), 0);
	assert_int_equal(imsgbuf_read(&ear), 1);
	assert_true(imsg_get(&ear, &imsg) > 0);
	r = receive(channel, &imsg, receive_arg);
	imsg_free(&imsg);
	return r;
}

static int
found(const char *name, int skip)
{
	struct msg_profile_found	 m;

	memset(&m, 0, sizeof(m));
	strlcpy(m.name, name, sizeof(m.name));
	m.skip = (uint32_t)skip;
	return say(IMSG_PROFILE_FOUND, &m, sizeof(m));
}

static void
names_ascend(void **state)
{
	size_t	 n;

	assert_int_equal(found("default", SKIP_NONE), 0);
	assert_int_equal(found("a", SKIP_NONE), 0);
	assert_int_equal(found("b", SKIP_NONE), 0);
	assert_int_equal(found("a-z", SKIP_NONE), -1);
	assert_int_equal(found("b", SKIP_NONE), -1);
	assert_int_equal(found("b", SKIP_MARKER), -1);
	assert_int_equal(found("default", SKIP_NONE), -1);
	(void)roster_found(roster, &n);
	assert_int_equal(n, 3);
}

static void
names_are_fit(void **state)
{
	assert_int_equal(found("", SKIP_NONE), -1);
	assert_int_equal(found("../b", SKIP_NONE), -1);
	assert_int_equal(found("a/b", SKIP_NAME), -1);
	assert_int_equal(found("Un Fit", SKIP_NONE), -1);
	assert_int_equal(found("Un Fit", SKIP__MAX), -1);
	assert_int_equal(found("Un Fit", SKIP_NAME), 0);
	/* Not the first: a directory of that name. */
	assert_int_equal(found("default", SKIP_NONE), -1);
	assert_int_equal(found("default", SKIP_RESERVED), 0);
}

static void
words_are_known(void **state)
{
	struct msg_profile_found	 m;

	memset(&m, 0, sizeof(m));
	strlcpy(m.name, "a", sizeof(m.name));
	m.state = PSTATE__MAX;
	assert_int_equal(say(IMSG_PROFILE_FOUND, &m, sizeof(m)), -1);
	m.state = PSTATE_NONE;
	m.desired = PDESIRED__MAX;
	assert_int_equal(say(IMSG_PROFILE_FOUND, &m, sizeof(m)), -1);
	m.desired = PDESIRED_NONE;
	m.stale = PROFILE_RUNTIME_MAX + 1;
	assert_int_equal(say(IMSG_PROFILE_FOUND, &m, sizeof(m)), -1);
	m.stale = 0;
	m.stamp = -1;
	assert_int_equal(say(IMSG_PROFILE_FOUND, &m, sizeof(m)), -1);
	m.stamp = 0;
	m.error = -1;
	assert_int_equal(say(IMSG_PROFILE_FOUND, &m, sizeof(m)), -1);
	m.error = EIO;
	m.skip = SKIP_SYMLINK;
	assert_int_equal(say(IMSG_PROFILE_FOUND, &m, sizeof(m)), -1);
	m.skip = SKIP_NONE;
	assert_int_equal(say(IMSG_PROFILE_FOUND, &m, sizeof(m)), 0);
	m.error = 0;
	memset(m.name, 'a', sizeof(m.name));
	assert_int_equal(say(IMSG_PROFILE_FOUND, &m, sizeof(m)), -1);
}

static void
each_in_its_time(void **state)
{
	struct msg_profile_scanned	 end;
	struct msg_profile_done		 done;

	memset(&end, 0, sizeof(end));
	memset(&done, 0, sizeof(done));
	assert_int_equal(say(IMSG_PROFILE_SYNCED, NULL, 0), -1);
	assert_int_equal(say(IMSG_PROFILE_DONE, &done, sizeof(done)), -1);
	end.many = 2;
	assert_int_equal(say(IMSG_PROFILE_SCANNED, &end, sizeof(end)), -1);
	end.many = 0;
	assert_int_equal(scanned, 0);
	assert_int_equal(say(IMSG_PROFILE_SCANNED, &end, sizeof(end)), 0);
	assert_int_equal(scanned, 1);
	assert_int_equal(found("a", SKIP_NONE), -1);
	assert_int_equal(say(IMSG_PROFILE_SCANNED, &end, sizeof(end)), -1);
	/* Nobody has asked. */
	assert_int_equal(say(IMSG_PROFILE_SYNCED, NULL, 0), -1);
	roster_sync(roster);
	assert_int_equal(say(IMSG_PROFILE_SYNCED, NULL, 0), 0);
	assert_int_equal(say(IMSG_PROFILE_SYNCED, NULL, 0), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(names_ascend, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(names_are_fit, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(words_are_known, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(each_in_its_time, setup,
		    teardown)
	};

	log_init("roster", 1, 0);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
