/*
 * What updaterctl prints: nothing from the daemon moves the terminal, a
 * screen is eighty columns wide, and an answer with missing or odd parts
 * is printed as far as it goes.
 */
/* LINK: updaterctl/output.o updaterctl/status.o common/text.o common/util.o */
/* LIBS: -ljansson */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "output.h"

static char	*text;
static size_t	 text_len;

static struct screen
begin(int colour)
{
	struct screen	 s;

	free(text);
	text = NULL;
	s.f = open_memstream(&text, &text_len);
	assert_non_null(s.f);
	s.colour = colour;
	s.now = text_time("2026-11-22T12:00:00.000000+00:00");
	return s;
}

static json_t *
json(const char *in)
{
	json_error_t	 e;
	json_t		*v = json_loads(in, JSON_DECODE_ANY, &e);

	if (v == NULL)
		fail_msg("%s: %s", in, e.text);
	return v;
}

static void
has(const char *part)
{
	if (strstr(text, part) == NULL)
		fail_msg("no \"%s\" in:\n%s", part, text);
}

static void
has_not(const char *part)
{
	if (strstr(text, part) != NULL)
		fail_msg("\"%s\" in:\n%s", part, text);
}

static void
is_narrow(void)
{
	const char	*p;
	size_t		 n = 0;

	for (p = text; *p != '\0'; p++) {
		if (*p == '\n')
			n = 0;
		else if ((*p & 0xc0) != 0x80 && ++n > SCREEN_WIDTH)
			fail_msg("wide line in:\n%s", text);
	}
}

/* --- text ------------------------------------------------------------- */

static void
escaped(const char *in, int lines, const char *want)
{
	char	*got = text_escape(in, lines);

	assert_string_equal(got, want);
	free(got);
}

static void
escaping(void **state)
{
	escaped("plain", 0, "plain");
	escaped("", 0, "");
	escaped(NULL, 0, "-");
	escaped("a\033[2Jb", 0, "a\\x1b[2Jb");
	escaped("a\nb\tc\r\n", 0, "a\\x0ab\\x09c\\x0d\\x0a");
	escaped("a\nb\tc\r\n", 1, "a\nb\tc\n");
	escaped("a\rb", 1, "a\\x0db");
	escaped("\177", 0, "\\x7f");
	escaped("\302\233m", 0, "\\x9bm");		/* C1: CSI */
	escaped("gr\303\274n", 0, "gr\303\274n");
	escaped("a\342\200\256b", 0, "a\\u{202e}b");	/* direction */
	escaped("\303", 0, "\\xc3");			/* cut short */
	escaped("\300\200", 0, "\\xc0\\x80");		/* overlong */
}

static void
durations(void **state)
{
	char	 out[32];

	text_duration(0, out, sizeof(out));
	assert_string_equal(out, "0s");
	text_duration(725, out, sizeof(out));
	assert_string_equal(out, "12m 5s");
	text_duration(3 * 3600 + 300, out, sizeof(out));
	assert_string_equal(out, "3h 5m");
	text_duration(3 * 86400 + 4 * 3600, out, sizeof(out));
	assert_string_equal(out, "3d 4h");
	text_duration(-5, out, sizeof(out));
	assert_string_equal(out, "0s");
	assert_int_equal(text_time("yesterday"), -1);
	assert_int_equal(text_time(NULL), -1);
	assert_int_equal(text_time("1970-01-02T00:00:01.000000+00:00"),
	    86401);
}

static void
tables(void **state)
{
	static const char *const heads[] = { "A", "LONG", "LAST", NULL };
	struct screen	 s = begin(0);
	struct table	 t;
	char		 words[301];
	size_t		 i;

	for (i = 0; i + 5 < sizeof(words); i += 5)
		memcpy(words + i, "word ", 5);
	words[i] = '\0';
	table_init(&t, heads);
	table_row(&t);
	table_cell(&t, TONE_PLAIN, "1");
	table_cell(&t, TONE_PLAIN, "gr\303\274n\303\274n");
	table_cell(&t, TONE_PLAIN, words);
	table_note(&t, TONE_PLAIN, words);
	table_row(&t);
	table_cell(&t, TONE_PLAIN, "2");
	table_print(&s, 2, &t);
	fclose(s.f);
	has("  A  LONG    LAST\n");
	has("  1  gr\303\274n\303\274n  word");
	has("\n             word");
	has("\n      word");
	is_narrow();
}

/* --- answers ---------------------------------------------------------- */

#define RELEASE(slot, id)						\
	"{\"slot\":\"" slot "\",\"sha\":\"abc\",\"installed_at\":"	\
	"\"2026-11-22T09:00:00.000000+00:00\",\"id\":\"" id "\","	\
	"\"sha256\":\"00\",\"size\":1000000,\"files\":12,"		\
	"\"state\":\"good\",\"by\":\"updater-master\",\"why\":null}"

static const char	status[] =
    "{\"version\":\"0.1.0\",\"pid\":812,"
    "\"since\":\"2026-11-19T08:00:00.000000+00:00\","
    "\"config\":\"/etc/updaterd.conf\",\"listen\":[\"0.0.0.0 port 8766\"],"
    "\"processes\":[{\"name\":\"parent\",\"pid\":812,\"restarts\":0},"
    "{\"name\":\"net\",\"pid\":81300,\"restarts\":2,"
    "\"since\":\"2026-11-19T08:00:00.000000+00:00\","
    "\"layers\":[\"uid\",\"chroot\",\"rlimit\",\"no_new_privs\","
    "\"landlock\"],\"missing\":[\"seccomp\"],\"landlock_abi\":7}],"
    "\"update\":null,\"agents\":[{\"name\":\"default\","
    "\"root\":\"/opt/agent\",\"state\":\"idle\",\"release\":"
    RELEASE("active", "20261122T090000Z-1a2b3c4d5e6f") ","
    "\"previous\":" RELEASE("prev", "20261121T090000Z-0a2b3c4d5e6f") ","
    "\"failed\":null,\"broken\":null,\"error\":\"service agent: \\u001b[2J\","
    "\"error_at\":\"2026-11-22T11:59:00.000000+00:00\",\"free\":5000000000,"
    "\"reserve\":1000000000,\"services\":["
    "{\"name\":\"agent\",\"state\":\"up\",\"wanted\":\"running\","
    "\"since\":\"2026-11-22T09:00:01.000000+00:00\",\"pid\":4711,"
    "\"current\":true,\"restarts\":3,\"last_exit\":\"killed by signal 11\","
    "\"last_exit_at\":\"2026-11-22T09:00:00.000000+00:00\","
    "\"health\":{\"kind\":\"https\",\"healthy\":false,"
    "\"detail\":\"answered 500, wanted 200\"},\"optional\":true,"
    "\"why\":null}]}]}";

static void
status_screen(void **state)
{
	struct screen	 s = begin(0);
	json_t		*v = json(status);

	output_status(&s, v);
	fclose(s.f);
	json_decref(v);
	has("updaterd 0.1.0, pid 812, up 3d 4h");
	has("20261122T090000Z-1a2b3c4d5e6f  3h 0m ago by updater-master");
	has("agent    up     4711  2h 59m  3         UNHEALTHY (optional)");
	has("answered 500, wanted 200");
	has("last exit 3h 0m ago: killed by signal 11");
	has("landlock(7)");
	has("MISSING on this system: seccomp");
	has("service agent: \\x1b[2J");
	has("5.0 GB free, of which 1.0 GB stay free (reserve)");
	has_not("\033");
	is_narrow();
}

static void
colour_only_if_asked(void **state)
{
	struct screen	 s = begin(1);
	json_t		*v = json(status);

	output_status(&s, v);
	fclose(s.f);
	json_decref(v);
	has("\033[1;31mUNHEALTHY (optional)\033[0m");
	has_not("\033[2J");
}

/* Remove or replace each value in turn, at every depth. */
static void
maim(struct screen *s, json_t *root, json_t *v,
    void (*print)(struct screen *, const json_t *))
{
	static const char *const odd[] = {
		NULL, "null", "[]", "{}", "-1", "\"\"", "[null]", "[{}]",
		"9223372036854775807", "[[\"x\"]]", "true"
	};
	const char	*key;
	json_t		*child, *copy, *keys;
	size_t		 i;

	json_array_foreach(v, i, child)
		maim(s, root, child, print);
	/* The members change under us: go by a copy. */
	keys = json_copy(v);
	json_object_foreach(keys, key, child) {
		maim(s, root, child, print);
		copy = json_incref(child);
		for (i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
			if (odd[i] == NULL)
				json_object_del(v, key);
			else
				json_object_set_new(v, key, json(odd[i]));
			print(s, root);
		}
		json_object_set_new(v, key, copy);
	}
	json_decref(keys);
}

static void
put_error(struct screen *s, const json_t *v)
{
	output_error(s, 409, v);
}

static const char	error409[] =
    "{\"detail\":{\"error\":\"service agent: exited 1\","
    "\"stderr\":\"Trace:\\n\\u001b[31mboom\\n\",\"rolled_back\":true,"
    "\"phase\":\"probe\",\"healthy\":true,\"release\":"
    RELEASE("active", "old-id") ",\"damage\":\"x\",\"probe\":{\"services\":"
    "[{\"service\":\"agent\",\"healthy\":false,\"detail\":\"exited 1\","
    "\"body\":\"a\\nb\"}]},\"rollback_probe\":{\"services\":"
    "[{\"service\":\"agent\",\"healthy\":true,\"detail\":\"fine\"}]}}}";

static const char	history[] =
    "{\"history\":[{\"time\":\"2026-11-22T11:00:00.0+00:00\","
    "\"event\":\"update\",\"result\":\"rolled_back\",\"to\":"
    "\"20261122T090000Z-1a2b3c4d5e6f\",\"by\":\"updater-master\","
    "\"error\":\"not healthy\",\"phase\":\"probe\"},"
    "{\"event\":\"rollback\",\"result\":\"rolled_back\"}]}";

static const char	result[] =
    "{\"status\":\"updated\",\"unchanged\":false,\"release\":"
    RELEASE("active", "new-id") ",\"probe\":\"ok \\u0007\",\"timings\":"
    "{\"total\":500,\"downtime\":12}}";

static const char	dry_run[] =
    "{\"status\":\"dry_run\",\"added\":[\"a/\\u001bb\"],\"changed\":[],"
    "\"removed\":[\"c\"],\"added_count\":1,\"changed_count\":0,"
    "\"removed_count\":7,\"install\":\"made\\n\"}";

static const char	releases[] =
    "{\"releases\":[" RELEASE("active", "20261122T090000Z-1a2b3c4d5e6f") ","
    RELEASE("failed", "20261122T080000Z-1a2b3c4d5e6f") "]}";

static void
odd_answers(void **state)
{
	static const struct {
		const char	*json;
		void		(*print)(struct screen *, const json_t *);
	} cases[] = {
		{ status, output_status },
		{ releases, output_releases },
		{ history, output_history },
		{ result, output_result },
		{ dry_run, output_result },
		{ error409, put_error },
		{ "{\"detail\":\"text\"}", put_error },
	};
	struct screen	 s;
	json_t		*v, *none = json("[]");
	size_t		 i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		s = begin(0);
		v = json(cases[i].json);
		maim(&s, v, v, cases[i].print);
		cases[i].print(&s, none);
		cases[i].print(&s, NULL);
		fclose(s.f);
		has_not("\033");
		json_decref(v);
	}
	json_decref(none);
}

static void
errors(void **state)
{
	struct screen	 s = begin(0);
	json_t		*v = json(error409);

	output_error(&s, 409, v);
	fclose(s.f);
	json_decref(v);
	has("updaterctl: service agent: exited 1\n");
	has("phase: probe");
	has("rolled back, the old release is healthy: old-id");
	has("new release, service agent: not healthy\n    exited 1\n"
	    "    | a\n    | b\n");
	has("old release, service agent: healthy");
	has("output:\n    | Trace:\n    | \\x1b[31mboom\n");

	s = begin(0);
	v = json("{\"detail\":{\"error\":\"bad\",\"rolled_back\":false,"
	    "\"healthy\":false,\"release\":null}}");
	output_error(&s, 500, v);
	fclose(s.f);
	json_decref(v);
	has("no release runs now");

	s = begin(0);
	v = json("{\"detail\":{\"agent\":\"self\",\"error\":\"bad\","
	    "\"rolled_back\":false,\"phase\":\"preflight\","
	    "\"healthy\":true,\"release\":null}}");
	output_error(&s, 500, v);
	fclose(s.f);
	json_decref(v);
	has("the updaterd that was installed serves on");
}

static void
results(void **state)
{
	struct screen	 s = begin(0);
	json_t		*v = json(result);

	output_result(&s, v);
	fclose(s.f);
	json_decref(v);
	has("updated to new-id\n");
	has("took 500 ms, the services were down for 12 ms");
	has("the service says: ok \\x07");

	s = begin(0);
	v = json(dry_run);
	output_result(&s, v);
	fclose(s.f);
	json_decref(v);
	has("1 added, 0 changed, 7 removed");
	has("+ a/\\x1bb\n");
	has("- c\n  - and 6 more\n");
	has("    | made\n");

	s = begin(0);
	v = json(history);
	output_history(&s, v);
	fclose(s.f);
	json_decref(v);
	has("2026-11-22 11:00  rolled back  20261122T090000Z-1a2b3c4d5e6f  "
	    "updater-master\n    probe: not healthy\n");
	has("-                 rollback     -");
}

static void
events(void **state)
{
	struct screen	 s = begin(0);
	json_t		*v;

	v = json("{\"time\":\"T\",\"event\":\"service\",\"state\":\"up\","
	    "\"n\":3,\"none\":null,\"x\":\"a\\nb\"}");
	output_event(&s, v);
	fclose(s.f);
	json_decref(v);
	has("T service ");
	has(" state=up");
	has(" n=3");
	has(" x=a\\x0ab");
	has_not("none");
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test(escaping),
		cmocka_unit_test(durations),
		cmocka_unit_test(tables),
		cmocka_unit_test(status_screen),
		cmocka_unit_test(colour_only_if_asked),
		cmocka_unit_test(odd_answers),
		cmocka_unit_test(errors),
		cmocka_unit_test(results),
		cmocka_unit_test(events),
	};
	int	 rv;

	cmocka_set_message_output(CM_OUTPUT_TAP);
	rv = cmocka_run_group_tests(tests, NULL, NULL);
	free(text);
	return rv;
}
