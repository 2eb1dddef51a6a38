/*
 * What commands answer, for people: releases, history, results, events and
 * errors.  The screen of `status` is in status.c.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "output.h"
#include "proto.h"
#include "util.h"

#define NAMES_SHOWN	20	/* files of a dry run, of each kind */
#define DETAIL_INDENT	2
#define LINES_INDENT	4

void
output_json(FILE *f, int pretty, const json_t *v)
{
	/* Escaping everything but ASCII keeps a terminal safe, too. */
	json_dumpf(v, f, JSON_ENCODE_ANY | (pretty ?
	    JSON_INDENT(2) | JSON_ENSURE_ASCII : JSON_COMPACT));
	fputc('\n', f);
}

static const char *
number(json_int_t v, char *out, size_t size)
{
	snprintf(out, size, "%" JSON_INTEGER_FORMAT, v);
	return out;
}

static void
bytes_cell(struct table *t, const json_t *o, const char *key)
{
	json_int_t	 n = js_int(o, key, -1);
	char		 out[32];

	if (n >= 0)
		fmt_bytes((uint64_t)n, out, sizeof(out));
	table_cell(t, TONE_PLAIN, n >= 0 ? out : "-");
}

/* --- releases and history --------------------------------------------- */

static void
release_row(struct screen *s, struct table *t, const json_t *r)
{
	const char	*slot = js_text(r, "slot");
	char		 out[UPD_TEXT_SIZE], age[32];
	enum tone	 tone = TONE_PLAIN;
	json_int_t	 files = js_int(r, "files", -1);

	if (strcmp(slot, "active") == 0)
		tone = TONE_GOOD;
	else if (strcmp(slot, "failed") == 0)
		tone = TONE_BAD;
	table_row(t);
	table_cell(t, tone, slot[0] != '\0' ? slot : "-");
	table_cell(t, TONE_PLAIN, js_str(r, "id"));
	bytes_cell(t, r, "size");
	table_cell(t, TONE_PLAIN, files >= 0 ?
	    number(files, out, sizeof(out)) : "-");
	text_age(s, js_str(r, "installed_at"), age, sizeof(age));
	table_cell(t, TONE_PLAIN, age);
	table_cell(t, TONE_PLAIN, js_str(r, "by"));
	if (js_text(r, "sha")[0] != '\0') {
		snprintf(out, sizeof(out), "sha %s", js_text(r, "sha"));
		table_note(t, TONE_PLAIN, out);
	}
	if (js_text(r, "signer")[0] != '\0') {
		snprintf(out, sizeof(out), "signed by %s",
		    js_text(r, "signer"));
		table_note(t, TONE_PLAIN, out);
	}
	if (js_text(r, "why")[0] != '\0')
		table_note(t, TONE_BAD, js_text(r, "why"));
}

void
output_releases(struct screen *s, const json_t *json)
{
	static const char *const heads[] = {
		"SLOT", "RELEASE", "SIZE", "FILES", "AGE", "BY", NULL
	};
	const json_t	*list = json_object_get(json, "releases");
	const json_t	*r;
	struct table	 t;
	size_t		 i;

	if (json_array_size(list) == 0) {
		fprintf(s->f, "no release yet\n");
		return;
	}
	table_init(&t, heads);
	json_array_foreach(list, i, r)
		release_row(s, &t, r);
	table_print(s, 0, &t);
}

/* "updated", "rolled back", "rollback", "update failed" .. */
static void
history_word(const json_t *h, char *out, size_t size)
{
	const char	*event = js_text(h, "event");
	const char	*result = js_text(h, "result");
	char		*p;

	if (strcmp(event, "update") == 0 && (strcmp(result, "updated") == 0 ||
	    strcmp(result, "rolled_back") == 0))
		(void)strlcpy(out, result, size);
	else if (strcmp(event, "rollback") == 0 &&
	    strcmp(result, "rolled_back") == 0)
		(void)strlcpy(out, event, size);
	else
		snprintf(out, size, "%s %s", event, result);
	for (p = out; *p != '\0'; p++)
		if (*p == '_')
			*p = ' ';
}

static void
history_row(struct table *t, const json_t *h)
{
	const char	*result = js_text(h, "result");
	char		 when[32], word[64], out[UPD_TEXT_SIZE + 128];
	enum tone	 tone = TONE_PLAIN;

	if (strcmp(result, "failed") == 0 || strcmp(result, "undone") == 0 ||
	    (strcmp(result, "rolled_back") == 0 &&
	    strcmp(js_text(h, "event"), "rollback") != 0))
		tone = TONE_BAD;
	text_when(js_str(h, "time"), "%Y-%m-%d %H:%M", when, sizeof(when));
	history_word(h, word, sizeof(word));
	table_row(t);
	table_cell(t, TONE_PLAIN, when);
	table_cell(t, tone, word);
	table_cell(t, TONE_PLAIN, js_str(h, "to"));
	table_cell(t, TONE_PLAIN, js_str(h, "by"));
	if (js_text(h, "signer")[0] != '\0') {
		snprintf(out, sizeof(out), "signed by %s",
		    js_text(h, "signer"));
		table_note(t, TONE_PLAIN, out);
	}
	if (js_text(h, "damage")[0] != '\0') {
		snprintf(out, sizeof(out), "went back all the same: %s",
		    js_text(h, "damage"));
		table_note(t, TONE_BAD, out);
	}
	if (js_text(h, "error")[0] == '\0')
		return;
	snprintf(out, sizeof(out), "%s%s%s", js_text(h, "phase"),
	    js_text(h, "phase")[0] != '\0' ? ": " : "", js_text(h, "error"));
	table_note(t, TONE_PLAIN, out);
}

void
output_history(struct screen *s, const json_t *json)
{
	static const char *const heads[] = {
		"TIME (UTC)", "WHAT", "RELEASE", "BY", NULL
	};
	const json_t	*list = json_object_get(json, "history");
	const json_t	*h;
	struct table	 t;
	size_t		 i;

	if (json_array_size(list) == 0) {
		fprintf(s->f, "nothing has happened yet\n");
		return;
	}
	table_init(&t, heads);
	json_array_foreach(list, i, h)
		history_row(&t, h);
	table_print(s, 0, &t);
}

/* --- results ---------------------------------------------------------- */

static void
put_names(struct screen *s, const json_t *json, const char *kind, char sign)
{
	const json_t	*list = json_object_get(json, kind), *v;
	const char	*name;
	char		 key[32];
	json_int_t	 total;
	size_t		 i, shown = 0;

	json_array_foreach(list, i, v) {
		name = json_is_string(v) ? json_string_value(v) :
		    js_str(v, "path");
		if (name == NULL)
			continue;
		if (shown++ == NAMES_SHOWN)
			break;
		fprintf(s->f, "  %c ", sign);
		put_text(s, TONE_PLAIN, name);
		fputc('\n', s->f);
	}
	if (shown > NAMES_SHOWN)
		shown = NAMES_SHOWN;
	snprintf(key, sizeof(key), "%s_count", kind);
	total = js_int(json, key, (json_int_t)json_array_size(list));
	if (total > (json_int_t)shown)
		fprintf(s->f, "  %c and %" JSON_INTEGER_FORMAT " more\n", sign,
		    total - (json_int_t)shown);
}

static void
output_dry_run(struct screen *s, const json_t *json)
{
	static const char *const kinds[] = { "added", "changed", "removed" };
	static const char	 signs[] = { '+', '~', '-' };
	char			 key[32];
	size_t			 i;

	fprintf(s->f, "dry run, nothing was changed:");
	for (i = 0; i < 3; i++) {
		snprintf(key, sizeof(key), "%s_count", kinds[i]);
		fprintf(s->f, "%s %" JSON_INTEGER_FORMAT " %s", i > 0 ? "," :
		    "", js_int(json, key, (json_int_t)json_array_size(
		    json_object_get(json, kinds[i]))), kinds[i]);
	}
	fputc('\n', s->f);
	for (i = 0; i < 3; i++)
		put_names(s, json, kinds[i], signs[i]);
	if (js_text(json, "install")[0] != '\0') {
		fprintf(s->f, "%*sthe install step said:\n", DETAIL_INDENT,
		    "");
		put_lines(s, LINES_INDENT, js_text(json, "install"));
	}
}

static void
put_timings(struct screen *s, const json_t *timings)
{
	json_int_t	 down = js_int(timings, "downtime", -1);
	json_int_t	 total = js_int(timings, "total", -1);

	if (total >= 0)
		fprintf(s->f, "%*stook %" JSON_INTEGER_FORMAT " ms",
		    DETAIL_INDENT, "", total);
	if (total >= 0 && down >= 0)
		fprintf(s->f, ", the services were down for %"
		    JSON_INTEGER_FORMAT " ms", down);
	if (total >= 0)
		fputc('\n', s->f);
}

/* A health body is whatever the service says: one escaped line. */
static void
put_body(struct screen *s, const char *body)
{
	if (body[0] == '\0')
		return;
	fprintf(s->f, "%*sthe service says: ", DETAIL_INDENT, "");
	put_wrapped(s, DETAIL_INDENT + 4, TONE_PLAIN, body);
}

/* It may still go back by itself. */
static void
put_trial(struct screen *s, const json_t *json)
{
	json_int_t	 confirm = js_int(json, "confirm", 0);
	json_int_t	 probation = js_int(json, "probation", 0);

	if (confirm > 0)
		fprintf(s->f, "%*sgoes back unless it is confirmed within %"
		    JSON_INTEGER_FORMAT " s\n", DETAIL_INDENT, "", confirm);
	if (probation > 0)
		fprintf(s->f, "%*sgoes back if it fails within %"
		    JSON_INTEGER_FORMAT " s (probation)\n", DETAIL_INDENT, "",
		    probation);
}

static void
put_warnings(struct screen *s, const json_t *warnings)
{
	const json_t	*v;
	size_t		 i;

	json_array_foreach(warnings, i, v)
		if (json_is_string(v)) {
			fprintf(s->f, "%*s", DETAIL_INDENT, "");
			put_wrapped(s, DETAIL_INDENT, TONE_BAD,
			    json_string_value(v));
		}
}

void
output_result(struct screen *s, const json_t *json)
{
	const char	*status = js_text(json, "status"), *word = NULL;
	const json_t	*r = json_object_get(json, "release");

	if (strcmp(status, "dry_run") == 0) {
		output_dry_run(s, json);
		return;
	}
	if (js_true(json, "unchanged"))
		word = "unchanged, this release runs already:";
	else if (strcmp(status, "updated") == 0)
		word = "updated to";
	else if (strcmp(status, "rolled_back") == 0)
		word = "rolled back to";
	else if (strcmp(status, "confirmed") == 0)
		word = "confirmed:";
	else if (strcmp(status, "self_update_queued") == 0)
		status = "queued: the new updaterd has to prove itself, see "
		    "updaterctl history self";
	if (word == NULL || !json_is_object(r)) {
		put_text(s, TONE_PLAIN, status[0] != '\0' ? status : "done");
		if (js_text(json, "detail")[0] != '\0') {
			fprintf(s->f, ": ");
			put_text(s, TONE_PLAIN, js_text(json, "detail"));
		}
		fputc('\n', s->f);
		put_warnings(s, json_object_get(json, "warnings"));
		return;
	}
	put_text(s, TONE_GOOD, word);
	fputc(' ', s->f);
	put_text(s, TONE_STRONG, js_text(r, "id"));
	fputc('\n', s->f);
	put_timings(s, json_object_get(json, "timings"));
	put_body(s, js_text(json, "probe"));
	put_trial(s, json);
}

void
output_verify(struct screen *s, const json_t *json)
{
	const json_t	*r = json_object_get(json, "release"), *v;
	json_t		*totals = json_object_get(json, "totals"), *n;
	json_int_t	 more = 0;
	const char	*kind;
	char		 size[16];
	size_t		 i;
	int		 clean = strcmp(js_text(json, "status"), "clean") == 0;

	fprintf(s->f, "release ");
	put_text(s, TONE_STRONG, js_text(r, "id"));
	fprintf(s->f, " of agent ");
	put_text(s, TONE_PLAIN, js_text(json, "agent"));
	if (clean) {
		fmt_bytes((uint64_t)js_int(json, "bytes", 0), size,
		    sizeof(size));
		fprintf(s->f, " is whole: %" JSON_INTEGER_FORMAT " entries, %s"
		    "\n", js_int(json, "entries", 0), size);
		return;
	}
	put_text(s, TONE_BAD, " is not what was sealed:");
	json_object_foreach(totals, kind, n) {
		more += json_integer_value(n);
		fprintf(s->f, " %" JSON_INTEGER_FORMAT " ",
		    json_integer_value(n));
		put_text(s, TONE_PLAIN, kind);
	}
	fputc('\n', s->f);
	json_array_foreach(json_object_get(json, "faults"), i, v) {
		more--;
		fprintf(s->f, "  %-11s", js_text(v, "kind"));
		put_text(s, TONE_PLAIN, js_text(v, "path"));
		if (strcmp(js_text(v, "detail"), js_text(v, "kind")) != 0) {
			fprintf(s->f, ": ");
			put_text(s, TONE_PLAIN, js_text(v, "detail"));
		}
		fputc('\n', s->f);
	}
	if (i == 0 && js_text(json, "detail")[0] != '\0') {
		fprintf(s->f, "  ");
		put_text(s, TONE_PLAIN, js_text(json, "detail"));
		fputc('\n', s->f);
	} else if (more > 0)
		fprintf(s->f, "  and %" JSON_INTEGER_FORMAT " more\n", more);
	/* The release itself cannot be mended: it is what was sealed, or
	 * not. */
	fprintf(s->f, "push another release, or the same again with force\n");
}

void
output_event(struct screen *s, json_t *e)
{
	const char	*key;
	json_t		*v;
	char		*text;

	/* The time as it is: lines may be compared with logs. */
	put_text(s, TONE_PLAIN, js_str(e, "time"));
	fputc(' ', s->f);
	put_text(s, TONE_STRONG, js_str(e, "event"));
	json_object_foreach(e, key, v) {
		if (strcmp(key, "time") == 0 || strcmp(key, "event") == 0 ||
		    json_is_null(v))
			continue;
		fputc(' ', s->f);
		put_text(s, TONE_PLAIN, key);
		fputc('=', s->f);
		if (json_is_string(v)) {
			put_text(s, TONE_PLAIN, json_string_value(v));
			continue;
		}
		text = json_dumps(v, JSON_ENCODE_ANY | JSON_COMPACT);
		put_text(s, TONE_PLAIN, text);
		free(text);
	}
	fputc('\n', s->f);
}

/* --- errors ----------------------------------------------------------- */

/* {"services":[{"service","healthy","detail","body" ..}]} */
static void
put_probe(struct screen *s, const char *title, const json_t *probe)
{
	const json_t	*v;
	const char	*name;
	size_t		 i;

	json_array_foreach(json_object_get(probe, "services"), i, v) {
		name = js_str(v, "service");
		fprintf(s->f, "%*s", DETAIL_INDENT, "");
		put_text(s, TONE_PLAIN, title);
		fprintf(s->f, ", service ");
		put_text(s, TONE_PLAIN, name);
		fprintf(s->f, ": ");
		put_text(s, js_true(v, "healthy") ? TONE_GOOD : TONE_BAD,
		    js_true(v, "healthy") ? "healthy" : "not healthy");
		if (js_text(v, "detail")[0] != '\0') {
			fprintf(s->f, "\n%*s", LINES_INDENT, "");
			put_wrapped(s, LINES_INDENT, TONE_PLAIN,
			    js_text(v, "detail"));
		} else
			fputc('\n', s->f);
		if (js_text(v, "body")[0] != '\0' && !js_true(v, "healthy"))
			put_lines(s, LINES_INDENT, js_text(v, "body"));
	}
}

static void
put_outcome(struct screen *s, const json_t *d)
{
	const json_t	*r = json_object_get(d, "release");
	const char	*id = js_str(r, "id");
	int		 known = json_object_get(d, "healthy") != NULL;

	if (js_text(d, "phase")[0] != '\0') {
		fprintf(s->f, "%*sphase: ", DETAIL_INDENT, "");
		put_text(s, TONE_PLAIN, js_text(d, "phase"));
		fputc('\n', s->f);
	}
	fprintf(s->f, "%*s", DETAIL_INDENT, "");
	if (js_true(d, "rolled_back"))
		fprintf(s->f, "rolled back, the old release is healthy: ");
	else if (id == NULL && strcmp(js_text(d, "agent"), "self") == 0) {
		fprintf(s->f, "the updaterd that was installed serves on\n");
		return;
	} else if (id == NULL) {
		put_text(s, TONE_BAD, "no release runs now");
		fputc('\n', s->f);
		return;
	} else if (js_true(d, "healthy") || !known)
		fprintf(s->f, "the running release was not touched: ");
	else
		put_text(s, TONE_BAD,
		    "the release that runs now is not healthy: ");
	put_text(s, TONE_PLAIN, id);
	fputc('\n', s->f);
}

static void
put_detail(struct screen *s, json_t *d)
{
	const char	*key;
	json_t		*v;

	if (js_text(d, "damage")[0] != '\0') {
		fprintf(s->f, "%*s", DETAIL_INDENT, "");
		put_wrapped(s, DETAIL_INDENT, TONE_BAD, js_text(d, "damage"));
	}
	put_outcome(s, d);
	/* Whichever probes there are: of the new release, of the old one. */
	json_object_foreach(d, key, v) {
		if (!json_is_object(v) ||
		    json_object_get(v, "services") == NULL)
			continue;
		put_probe(s, strcmp(key, "probe") == 0 ? "new release" :
		    strcmp(key, "rollback_probe") == 0 ? "old release" : key,
		    v);
	}
	if (js_text(d, "probe")[0] != '\0')
		put_body(s, js_text(d, "probe"));
	if (js_text(d, "stderr")[0] != '\0') {
		fprintf(s->f, "%*soutput:\n", DETAIL_INDENT, "");
		put_lines(s, LINES_INDENT, js_text(d, "stderr"));
	}
}

void
output_error(struct screen *s, uint32_t status, const json_t *json)
{
	json_t		*d = json_object_get(json, "detail");
	const char	*text;

	text = json_is_string(d) ? json_string_value(d) : js_str(d, "error");
	fprintf(s->f, "updaterctl: ");
	if (text != NULL)
		put_wrapped(s, DETAIL_INDENT, TONE_BAD, text);
	else
		fprintf(s->f, "updaterd refused the command (status %u)\n",
		    status);
	if (json_is_object(d))
		put_detail(s, d);
}

void
output_metrics(struct screen *s, const json_t *j)
{
	const char	*p;
	int		 tty = isatty(fileno(s->f));

	/* A terminal must not do what a label says. */
	for (p = js_text(j, "metrics"); *p != '\0'; p++)
		fputc(tty && ((unsigned char)*p < ' ' || *p == 0x7f) &&
		    *p != '\n' ? '?' : *p, s->f);
}
