/*
 * The screens of `updaterctl profiles` and `updaterctl reconcile`.
 */
#include <stdio.h>
#include <string.h>

#include "output.h"

static void
profile_row(struct table *t, const json_t *p)
{
	const char	*state = js_text(p, "state");
	const char	*wanted = js_text(p, "wanted");
	enum tone	 tone = TONE_PLAIN;

	if (strcmp(state, "up") == 0)
		tone = TONE_GOOD;
	else if (strcmp(wanted, "running") == 0 &&
	    strcmp(state, "starting") != 0)
		tone = TONE_BAD;
	table_row(t);
	table_cell(t, TONE_PLAIN, js_text(p, "service"));
	table_cell(t, TONE_PLAIN, js_text(p, "profile"));
	table_cell(t, TONE_PLAIN, js_text(p, "name"));
	table_cell(t, tone, state);
	table_cell(t, TONE_PLAIN, wanted);
	table_cell(t, TONE_PLAIN, js_text(p, "wanted_by"));
	table_cell(t, TONE_PLAIN, js_text(p, "home"));
}

void
output_profiles(struct screen *s, const json_t *json)
{
	static const char *const heads[] = {
		"SERVICE", "PROFILE", "INSTANCE", "STATE", "WANTED", "BY",
		"HOME", NULL
	};
	const json_t	*list = json_object_get(json, "profiles");
	const json_t	*p;
	struct table	 t;
	size_t		 i;

	if (json_array_size(list) == 0) {
		fprintf(s->f, "no service has profiles\n");
		return;
	}
	table_init(&t, heads);
	json_array_foreach(list, i, p)
		profile_row(&t, p);
	table_print(s, 0, &t);
}

void
output_reconcile(struct screen *s, const json_t *json)
{
	const json_t	*line;
	size_t		 i;

	json_array_foreach(json_object_get(json, "lines"), i, line) {
		put_text(s, TONE_PLAIN, json_string_value(line));
		fputc('\n', s->f);
	}
}
