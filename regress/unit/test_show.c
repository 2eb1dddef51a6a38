/*
 * What is seen of a rollout: lines that fit the terminal, JSON, and a page
 * that stays what it is whatever a host says.
 */
/* LINK: updatermaster/show.o updatermaster/report.o common/text.o common/proto.o common/util.o common/compat/imsg.o */
/* LIBS: -ljansson -levent */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "rollout.h"
#include "show.h"

#define EVIL	"</pre><script>x()</script>\"'&\033[2J\xe2\x80\xae\xff"

static struct rollout	 ro;
static struct target	 targets[3];

/* Of rollout.c, where the words are. */
const char *
outcome_name(enum outcome o)
{
	return o == OUTCOME_UPDATED ? "updated" : o == OUTCOME_FAILED ?
	    "failed" : o == OUTCOME_NONE ? "-" : "other";
}

int
outcome_isbad(enum outcome o)
{
	return o == OUTCOME_FAILED;
}

uint32_t
rollout_ms(const struct rollout *r)
{
	return 12345;
}

int
target_isfinal(const struct target *t)
{
	return t->agent != OUTCOME_NONE;
}

size_t
rollout_left(const struct rollout *r)
{
	return 1;
}

static void
phase(struct target *t, const char *name, uint32_t ms)
{
	strlcpy(t->phases[t->nphases].name, name, PHASE_SIZE);
	t->phases[t->nphases++].ms = ms;
}

static int
setup(void **state)
{
	size_t	 i;

	memset(&ro, 0, sizeof(ro));
	memset(targets, 0, sizeof(targets));
	ro.targets = targets;
	ro.ntargets = 3;
	ro.recfd = 0;
	strlcpy(ro.id, "20261122T010203Z-abc", sizeof(ro.id));
	strlcpy(ro.plan.sha, "abc", sizeof(ro.plan.sha));
	ro.plan.root = "/srv/a<b";
	ro.plan.pack.size = 1000;
	for (i = 0; i < 3; i++) {
		targets[i].ro = &ro;
		targets[i].host.name = i == 0 ? "alpha" : i == 1 ? "beta" :
		    "a-host-with-a-rather-long-name.example.org";
		targets[i].host.address = "192.0.2.1";
		targets[i].host.port = 8766;
	}
	targets[0].state = targets[1].state = TARGET_END;
	targets[0].agent = OUTCOME_UPDATED;
	targets[0].begun_us = targets[1].begun_us = 1;
	targets[0].ms = 700;
	phase(&targets[0], "connecting", 5);
	phase(&targets[0], "probing", 400);
	phase(&targets[0], "updated", 700);
	targets[1].agent = OUTCOME_FAILED;
	targets[1].ms = 900;
	phase(&targets[1], "connecting", 5);
	phase(&targets[1], "<odd>\"phase\"", 300);
	phase(&targets[1], "failed", 905);
	strlcpy(targets[1].detail, "409: " EVIL, sizeof(targets[1].detail));
	targets[1].answer = json_pack("{s:{s:s, s:s, s:b}}", "detail",
	    "phase", "probe<i>", "stderr", "line 1\n</pre><b>\tline 2\n",
	    "rolled_back", 1);
	return targets[1].answer == NULL ? -1 : 0;
}

static int
teardown(void **state)
{
	json_decref(targets[1].answer);
	return 0;
}

static size_t
columns(const char *s)
{
	size_t	 n = 0;

	for (; *s != '\0'; s++) {
		n += (*s & 0xc0) != 0x80;
		assert_true((unsigned char)*s >= ' ');
		assert_int_not_equal(*s, 0x7f);
	}
	return n;
}

static void
lines_fit(void **state)
{
	static const uint64_t	 sent[] = { 0, 1, 999, 1000, 1000000 };
	char			 line[512];
	size_t			 i, k, width;

	targets[2].state = TARGET_PUSH;
	targets[2].begun_us = 1;
	targets[2].req.body = &ro.plan.pack;
	phase(&targets[2], "\033[31mred", 10);
	for (width = 20; width < 200; width += 7)
		for (i = 0; i < 3; i++)
			for (k = 0; k < 5; k++) {
				targets[i].req.sent = sent[k];
				show_line(&targets[i], 30, width, line,
				    sizeof(line));
				assert_true(columns(line) <= width);
			}
	/* An archive of no bytes is no reason to divide by them. */
	ro.plan.pack.size = 0;
	show_line(&targets[2], 10, 80, line, sizeof(line));
	assert_non_null(strstr(line, "100%"));
}

static void
line_says(void **state)
{
	char	 line[512];

	show_line(&targets[0], 8, 100, line, sizeof(line));
	assert_non_null(strstr(line, "alpha     updated"));
	assert_non_null(strstr(line, "0.7 s"));
	show_line(&targets[1], 8, 100, line, sizeof(line));
	assert_non_null(strstr(line, "409: "));
	targets[0].state = TARGET_PUSH;
	targets[0].req.body = &ro.plan.pack;
	targets[0].req.sent = 500;
	targets[0].nphases = 1;
	show_line(&targets[0], 8, 100, line, sizeof(line));
	assert_non_null(strstr(line, "connecting"));
	assert_non_null(strstr(line, "[##########..........]  50%"));
	assert_non_null(strstr(line, "/s"));
	targets[2].state = TARGET_WAIT;
	show_line(&targets[2], 8, 100, line, sizeof(line));
	assert_null(strchr(line, '['));
}

static void
json_says(void **state)
{
	json_t		*o, *hosts, *h;

	o = show_json(&ro);
	assert_non_null(o);
	hosts = json_object_get(o, "hosts");
	assert_int_equal(json_array_size(hosts), 3);
	h = json_array_get(hosts, 0);
	assert_string_equal(json_string_value(json_object_get(h, "agent")),
	    "updated");
	assert_int_equal(json_integer_value(json_object_get(h, "ms")), 700);
	h = json_array_get(hosts, 2);
	assert_true(json_is_null(json_object_get(h, "ms")));
	assert_true(json_is_null(json_object_get(h, "answer")));
	assert_true(json_is_null(json_object_get(o, "stopped")));
	json_decref(o);
}

static char *
report(void)
{
	char	 dir[] = "/tmp/test_show.XXXXXX", path[64], *page;
	size_t	 len;
	int	 fd;

	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/r.html", dir);
	assert_int_equal(report_write(&ro, path), 0);
	fd = open(path, O_RDONLY);
	assert_int_not_equal(fd, -1);
	page = fd_read(fd, 1 << 20, &len);
	assert_non_null(page);
	close(fd);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(dir), 0);
	return page;
}

static void
page_holds(void **state)
{
	static const char *const	 wanted[] = {
		"<meta name=\"viewport\"", "@media print", "@media (max-width",
		"alpha", "192.0.2.1:8766", "connecting: 395 ms",
		"&lt;script&gt;x()", "probe&lt;i&gt;", "/srv/a&lt;b",
		"&lt;odd&gt;&quot;phase&quot;", "not begun",
		"the old release runs and is healthy",
		"line 1\n&lt;/pre&gt;&lt;b&gt;\tline 2\n"
	};
	static const char *const	 never[] = {
		"<script", "\033", "\xe2\x80\xae", "\xff", "<odd>", "<i>",
		"src=", "href=", "url("
	};
	char				*page = report();
	size_t				 i;

	for (i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
		if (strstr(page, wanted[i]) == NULL)
			fail_msg("not there: %s", wanted[i]);
	for (i = 0; i < sizeof(never) / sizeof(never[0]); i++)
		if (strstr(page, never[i]) != NULL)
			fail_msg("there: %s", never[i]);
	assert_non_null(strstr(page, "</html>\n"));
	free(page);
}

static void
page_not_written(void **state)
{
	assert_int_equal(report_write(&ro, "/nonexistent/x.html"), -1);
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test_setup_teardown(lines_fit, setup, teardown),
		cmocka_unit_test_setup_teardown(line_says, setup, teardown),
		cmocka_unit_test_setup_teardown(json_says, setup, teardown),
		cmocka_unit_test_setup_teardown(page_holds, setup, teardown),
		cmocka_unit_test_setup_teardown(page_not_written, setup,
		    teardown),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
