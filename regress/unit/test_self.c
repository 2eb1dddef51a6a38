/* LINK: updaterd/parent/selfstate.o updaterd/parent/handover.o updaterd/config.o common/util.o common/log.o common/proto.o common/compat/imsg.o */
/*
 * The goal: the start counter and the hand-over are read as they were
 * written or not at all, by programs of other ages, too; and whatever the
 * counter says, the program that is picked leads to one that serves.
 */
#include <sys/types.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "config.h"
#include "parent/self.h"

static struct selfstate
trial(uint32_t starts)
{
	struct selfstate	 st;

	memset(&st, 0, sizeof(st));
	st.starts = starts;
	strlcpy(st.to, "20260102T000000Z-b", sizeof(st.to));
	strlcpy(st.from, "20260101T000000Z-a", sizeof(st.from));
	strlcpy(st.by, "updater-master", sizeof(st.by));
	st.since = 1234567890123456LL;
	return st;
}

static void
test_state_roundtrip(void **state)
{
	struct selfstate	 st = trial(1), got;
	char			 text[SELF_STATE_MAX];

	st.is_rollback = 1;
	assert_true(selfstate_format(&st, text, sizeof(text)) > 0);
	assert_int_equal(selfstate_parse(text, &got), 0);
	assert_memory_equal(&st, &got, sizeof(st));
	memset(&st, 0, sizeof(st));
	assert_true(selfstate_format(&st, text, sizeof(text)) > 0);
	assert_int_equal(selfstate_parse(text, &got), 0);
	assert_memory_equal(&st, &got, sizeof(st));
	assert_int_equal(selfstate_format(&st, text, 10), -1);
}

/* What a later version adds does not disturb; what is damaged does. */
static void
test_state_text(void **state)
{
	static const char *const bad[] = { "", "x", "updaterd-self 2\n",
	    "updaterd-self 1", "updaterd-self 1\nstarts\n",
	    "updaterd-self 1\nstarts 1", "updaterd-self 1\nstarts x\n",
	    "updaterd-self 1\nstarts -1\n", "updaterd-self 1\nto ../x\n",
	    "updaterd-self 1\nto .x\n", "updaterd-self 1\nfrom a/b\n",
	    "updaterd-self 1\nstarts 99999999999999999999\n",
	    "updaterd-self 1\n\n" };
	struct selfstate	 st, none;
	size_t			 i;

	memset(&none, 0, sizeof(none));
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(selfstate_parse(bad[i], &st), -1);
		assert_memory_equal(&st, &none, sizeof(st));
	}
	assert_int_equal(selfstate_parse("updaterd-self 1\nlater yes\n"
	    "to r1\nmore a b c\nstarts 2\n", &st), 0);
	assert_string_equal(st.to, "r1");
	assert_int_equal(st.starts, 2);
}

static void
test_state_file(void **state)
{
	struct selfstate	 st = trial(0), got;
	char			 dir[] = "/tmp/test_self.XXXXXX";
	int			 fd, f;

	assert_non_null(mkdtemp(dir));
	fd = open(dir, O_RDONLY | O_DIRECTORY);
	assert_int_not_equal(fd, -1);
	assert_int_equal(selfstate_read(fd, &got), 0);
	/* No caller can write a line of it. */
	strlcpy(st.by, "x\nto evil", sizeof(st.by));
	assert_int_equal(selfstate_write(fd, &st), 0);
	assert_int_equal(selfstate_read(fd, &got), 1);
	assert_string_equal(got.to, st.to);
	assert_string_equal(got.by, "x?to evil");
	f = openat(fd, SELF_STATE, O_WRONLY | O_TRUNC);
	/* A NUL hides nothing: neither the end of a line nor whole ones. */
	assert_int_equal(write(f, "updaterd-self 1\nto a\0\n", 22), 22);
	assert_int_equal(selfstate_read(fd, &got), -1);
	assert_int_equal(pwrite(f, "\n\0starts 1\n", 11, 20), 11);
	close(f);
	assert_int_equal(selfstate_read(fd, &got), -1);
	unlinkat(fd, SELF_STATE, 0);
	close(fd);
	rmdir(dir);
}

static void
test_pick(void **state)
{
	struct selfstate	 st = trial(0);

	/* on trial: once, and only what `current` names */
	assert_int_equal(selfstate_pick(&st, st.to, 0, 1), SELF_CURRENT);
	st.starts = 1;
	assert_int_equal(selfstate_pick(&st, st.to, 0, 1), SELF_UNDO);
	assert_int_equal(selfstate_pick(&st, st.to, 0, 0), SELF_UNDO);
	st.starts = 0;
	assert_int_equal(selfstate_pick(&st, st.from, 1, 1), SELF_UNDO);
	assert_int_equal(selfstate_pick(&st, "", 0, 0), SELF_UNDO);
	/* not on trial */
	st.to[0] = '\0';
	assert_int_equal(selfstate_pick(&st, "", 0, 0), SELF_BASE);
	assert_int_equal(selfstate_pick(&st, "r2", 1, 0), SELF_CURRENT);
	assert_int_equal(selfstate_pick(&st, "r2", 0, 0), SELF_BASE);
	assert_int_equal(selfstate_pick(&st, "r2", 0, 1), SELF_PREVIOUS);
	st.starts = SELF_TRIES - 1;
	assert_int_equal(selfstate_pick(&st, "r2", 1, 1), SELF_CURRENT);
	st.starts = SELF_TRIES;
	assert_int_equal(selfstate_pick(&st, "r2", 1, 1), SELF_PREVIOUS);
	assert_int_equal(selfstate_pick(&st, "r2", 1, 0), SELF_BASE);
	st.starts = 2 * SELF_TRIES;
	assert_int_equal(selfstate_pick(&st, "r2", 1, 1), SELF_BASE);
	st.starts = 1000;
	assert_int_equal(selfstate_pick(&st, "r2", 1, 1), SELF_BASE);
}

/* Programs that never prove themselves: counted, each start leads on, and
 * ends with the base. */
static void
test_pick_ends(void **state)
{
	struct selfstate	 st = trial(0);
	enum self_pick		 p;
	const char		*current = st.to;
	int			 n;

	for (n = 0; n < 20; n++) {
		p = selfstate_pick(&st, current, current != st.to, 1);
		if (p == SELF_BASE)
			break;
		if (p == SELF_UNDO) {
			memset(&st, 0, sizeof(st));
			current = "r1";
		} else
			st.starts++;
	}
	assert_int_equal(n, 1 + 1 + 2 * SELF_TRIES);
}

static void
test_handover(void **state)
{
	static const char *const bad[] = { "", "x", "0", "-1 chosen=1",
	    "1 chosen", "1 chosen=2", "1 watch=x", "1 lock=-1",
	    "1 listen=1,,2", "1 listen=1,x", "1 id=../x", "1 id=",
	    "1 watch=99999999999" };
	struct handover	 h, got;
	char		 text[1024];
	size_t		 i;

	memset(&h, 0, sizeof(h));
	h.taken = h.chosen = h.trial = 1;
	h.watch = 5;
	h.lock = 6;
	h.control = -1;
	h.nlisten = 2;
	h.listen[0] = 8;
	h.listen[1] = 9;
	strlcpy(h.id, "20260102T000000Z-b", sizeof(h.id));
	assert_int_equal(handover_format(&h, text, sizeof(text)), 0);
	assert_string_equal(text, "1 chosen=1 trial=1 daemon=0 manager=0 "
	    "watch=5 lock=6 listen=8,9 id=20260102T000000Z-b");
	assert_int_equal(handover_parse(text, &got), 0);
	assert_memory_equal(&h, &got, sizeof(h));
	assert_int_equal(handover_format(&h, text, 20), -1);

	/* From a later version. */
	assert_int_equal(handover_parse("7 new=thing chosen=1 more=1,2 "
	    "lock=4", &got), 0);
	assert_int_equal(got.chosen, 1);
	assert_int_equal(got.lock, 4);
	assert_int_equal(got.watch, -1);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(handover_parse(bad[i], &got), -1);

	/* As many sockets as there may be, and one more. */
	h.nlisten = HANDOVER_SOCKETS;
	for (i = 0; i < HANDOVER_SOCKETS; i++)
		h.listen[i] = 1000000 + (int)i;
	assert_int_equal(handover_format(&h, text, sizeof(text)), 0);
	assert_int_equal(handover_parse(text, &got), 0);
	assert_memory_equal(&h, &got, sizeof(h));
	strlcpy(text, "1 listen=1", sizeof(text));
	for (i = 0; i < HANDOVER_SOCKETS; i++)
		strlcat(text, ",1", sizeof(text));
	assert_int_equal(handover_parse(text, &got), -1);
}

/* What was handed over is taken once, and nobody inherits it. */
static void
test_take(void **state)
{
	char	 text[128];
	int	 p[2];

	assert_int_equal(pipe(p), 0);
	snprintf(text, sizeof(text), "1 chosen=1 lock=%d control=%d watch=1 "
	    "listen=%d,999999 id=r1", p[0], 999998, p[1]);
	setenv("UPDATERD_HANDOVER", text, 1);
	setenv("UPDATERD_HANDOVER_ROOT", "/opt/updaterd", 1);
	handover_take();
	assert_null(getenv("UPDATERD_HANDOVER"));
	assert_null(getenv("UPDATERD_HANDOVER_ROOT"));
	assert_string_equal(handover.root, "/opt/updaterd");
	assert_int_equal(handover.lock, p[0]);
	assert_int_equal(handover.listen[0], p[1]);
	assert_int_equal(fcntl(p[0], F_GETFD), FD_CLOEXEC);
	assert_int_equal(fcntl(p[1], F_GETFD), FD_CLOEXEC);
	/* not open, or not to be taken from us */
	assert_int_equal(handover.control, -1);
	assert_int_equal(handover.listen[1], -1);
	assert_int_equal(handover.watch, -1);
	setenv("UPDATERD_HANDOVER", "1 chosen=9", 1);
	handover_take();
	assert_int_equal(handover.taken, 0);
	assert_int_equal(handover.lock, -1);
	/* Whether one starts us again is seen, also where nothing was. */
	unsetenv("NOTIFY_SOCKET");
	handover_take();
	assert_int_equal(handover.manager, 0);
	setenv("NOTIFY_SOCKET", "/run/notify", 1);
	handover_take();
	assert_int_equal(handover.manager, 1);
	unsetenv("NOTIFY_SOCKET");
}

/* A new program is tried with the configuration that is meant, whole. */
static void
test_options(void **state)
{
	static const char *const want[] = { "-D", "a=1", "-D", "b=2", "-f",
	    "/nonexistent/conf" };
	char			*given[] = { (char *)"-d", (char *)"-D",
				    (char *)"a=1", (char *)"-v", (char *)"-D",
				    (char *)"b=2", NULL };
	struct args		 got;
	size_t			 i;

	memset(&got, 0, sizeof(got));
	handover_options(given, "/nonexistent/conf");
	handover_getoptions(&got);
	assert_int_equal(got.n, sizeof(want) / sizeof(want[0]));
	for (i = 0; i < got.n; i++)
		assert_string_equal(got.v[i], want[i]);
	args_free(&got);
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test(test_state_roundtrip),
		cmocka_unit_test(test_state_text),
		cmocka_unit_test(test_state_file),
		cmocka_unit_test(test_pick),
		cmocka_unit_test(test_pick_ends),
		cmocka_unit_test(test_handover),
		cmocka_unit_test(test_take),
		cmocka_unit_test(test_options)
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
