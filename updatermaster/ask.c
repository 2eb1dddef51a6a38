/*
 * status, releases, rollback, confirm: one question to many hosts, and their
 * answers in one table or one JSON object.
 */
#include <sys/types.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "query.h"

#define ASK_TIMEOUT	30		/* seconds for what only reads */
#define ID_COLS		28

static void
round_over(struct query *q)
{
	event_loopexit(NULL);
}

static void
print_json(const struct query *q)
{
	json_t	*o, *list = json_array();
	char	 why[UPD_TEXT_SIZE + 32];
	size_t	 i;

	for (i = 0; i < q->n; i++) {
		o = json_pack("{s:s, s:s, s:i, s:b, s:i, s:O?}", "host",
		    q->asked[i].host.name, "address",
		    q->asked[i].host.address, "port",
		    (int)q->asked[i].host.port, "ok",
		    asked_isgood(&q->asked[i]), "status",
		    q->asked[i].req.status, "answer", q->asked[i].req.answer);
		if (!asked_isgood(&q->asked[i])) {
			asked_why(&q->asked[i], why, sizeof(why));
			json_object_set_new(o, "detail", js_make(why));
		}
		json_array_append_new(list, o);
	}
	o = json_pack("{s:o}", "hosts", list);
	json_dumpf(o, stdout, JSON_COMPACT | JSON_ENSURE_ASCII);
	putchar('\n');
	json_decref(o);
}

static void
print_status(struct query *q, struct screen *s)
{
	static const char *const heads[] = {
		"HOST", "VERSION", "STATE", "RELEASE", "SERVICES", "DETAIL",
		NULL
	};
	struct table	 t;
	struct asked	*a;
	char		 cells[STATUS_CELLS][UPD_TEXT_SIZE];
	size_t		 i;
	int		 good;

	table_init(&t, heads);
	for (i = 0; i < q->n; i++) {
		a = &q->asked[i];
		good = asked_status(a, cells);
		table_row(&t);
		table_cell(&t, TONE_PLAIN, a->host.name);
		table_cell(&t, TONE_PLAIN, js_str(a->req.answer, "version"));
		table_cell(&t, good ? TONE_GOOD : TONE_BAD, cells[0]);
		table_cell(&t, TONE_PLAIN, cells[1]);
		table_cell(&t, good ? TONE_PLAIN : TONE_BAD, cells[2]);
		table_cell(&t, TONE_PLAIN, cells[3]);
	}
	table_print(s, 0, &t);
}

static void
releases_of(struct table *t, struct asked *a, const struct screen *s)
{
	const json_t	*list, *r;
	const char	*slot;
	char		 text[UPD_TEXT_SIZE];
	size_t		 i;

	list = json_object_get(a->req.answer, "releases");
	json_array_foreach(list, i, r) {
		slot = js_text(r, "slot");
		table_row(t);
		table_cell(t, TONE_PLAIN, i == 0 ? a->host.name : "");
		table_cell(t, strcmp(slot, "active") == 0 ? TONE_GOOD :
		    strcmp(slot, "failed") == 0 ? TONE_BAD : TONE_PLAIN, slot);
		snprintf(text, sizeof(text), "%.*s", ID_COLS,
		    js_text(r, "id"));
		table_cell(t, TONE_PLAIN, text);
		text_age(s, js_str(r, "installed_at"), text, sizeof(text));
		table_cell(t, TONE_PLAIN, text);
		table_cell(t, TONE_PLAIN, js_str(r, "sha"));
		table_cell(t, TONE_PLAIN, js_str(r, "signer"));
	}
	if (i > 0)
		return;
	table_row(t);
	table_cell(t, TONE_PLAIN, a->host.name);
	table_cell(t, TONE_PLAIN, "-");
	table_cell(t, TONE_PLAIN, "no release yet");
}

static void
print_releases(struct query *q, struct screen *s)
{
	static const char *const heads[] = {
		"HOST", "SLOT", "RELEASE", "AGE", "SHA", "SIGNER",
		NULL
	};
	struct table	 t;
	char		 why[UPD_TEXT_SIZE + 32];
	size_t		 i;

	table_init(&t, heads);
	for (i = 0; i < q->n; i++) {
		if (asked_isgood(&q->asked[i])) {
			releases_of(&t, &q->asked[i], s);
			continue;
		}
		table_row(&t);
		table_cell(&t, TONE_PLAIN, q->asked[i].host.name);
		table_cell(&t, TONE_BAD, "-");
		asked_why(&q->asked[i], why, sizeof(why));
		table_cell(&t, TONE_BAD, why);
	}
	table_print(s, 0, &t);
}

static void
print_result(struct query *q, struct screen *s)
{
	static const char *const heads[] = {
		"HOST", "RESULT", "RELEASE", "DETAIL", NULL
	};
	struct table	 t;
	struct asked	*a;
	const json_t	*d;
	char		 why[UPD_TEXT_SIZE + 32];
	size_t		 i;

	table_init(&t, heads);
	for (i = 0; i < q->n; i++) {
		a = &q->asked[i];
		table_row(&t);
		table_cell(&t, TONE_PLAIN, a->host.name);
		if (asked_isgood(a)) {
			table_cell(&t, TONE_GOOD,
			    js_str(a->req.answer, "status"));
			table_cell(&t, TONE_PLAIN, release_name(
			    json_object_get(a->req.answer, "release")));
			table_cell(&t, TONE_PLAIN, "");
			continue;
		}
		asked_why(a, why, sizeof(why));
		table_cell(&t, TONE_BAD, a->req.end == REQUEST_UNREACHED ?
		    "unreachable" : "failed");
		table_cell(&t, TONE_PLAIN, "");
		table_cell(&t, TONE_PLAIN, why);
	}
	table_print(s, 0, &t);
	for (i = 0; i < q->n; i++) {
		a = &q->asked[i];
		d = json_object_get(a->req.answer, "detail");
		if (js_text(d, "stderr")[0] == '\0')
			continue;
		fputc('\n', s->f);
		put_text(s, TONE_STRONG, a->host.name);
		fputc('\n', s->f);
		put_lines(s, 2, js_text(d, "stderr"));
	}
}

/* --- the commands ----------------------------------------------------- */

struct question {
	const char	*command;
	int		 everyone;	/* asked where no host is named */
	const char	*method;
	const char	*path;
	uint32_t	 timeout;	/* seconds; 0: as long as it takes */
	void		(*print)(struct query *, struct screen *);
};

/* Once to all hosts, then print; an exit code. */
static int
ask_all(struct query *q, const struct question *what)
{
	struct screen	 s;
	size_t		 i;

	q->method = what->method;
	q->path = what->path;
	q->timeout = what->timeout;
	q->all = round_over;
	query_ask(q);
	event_dispatch();
	if (q->json)
		print_json(q);
	else {
		screen_init(&s, stdout);
		what->print(q, &s);
	}
	for (i = 0; i < q->n; i++)
		if (!asked_isgood(&q->asked[i]))
			return EXIT_FAILED;
	return EXIT_DONE;
}

static int
ask(struct master *m, int argc, char **argv, const struct question *what)
{
	struct query	 q;
	int		 rv;

	rv = query_open(&q, m, what->command, argc, argv, 0, what->everyone);
	if (rv == EXIT_DONE)
		rv = ask_all(&q, what);
	query_close(&q);
	return rv;
}

int
cmd_status(struct master *m, int argc, char **argv)
{
	static const struct question	 status = {
		"status", 1, "GET", "/status", ASK_TIMEOUT, print_status
	};

	return ask(m, argc, argv, &status);
}

int
cmd_releases(struct master *m, int argc, char **argv)
{
	static const struct question	 releases = {
		"releases", 1, "GET", "/releases", ASK_TIMEOUT, print_releases
	};

	return ask(m, argc, argv, &releases);
}

int
cmd_rollback(struct master *m, int argc, char **argv)
{
	static const struct question	 rollback = {
		"rollback", 0, "POST", "/rollback", 0, print_result
	};

	return ask(m, argc, argv, &rollback);
}

int
cmd_confirm(struct master *m, int argc, char **argv)
{
	static const struct question	 confirm = {
		"confirm", 0, "POST", "/confirm", ASK_TIMEOUT, print_result
	};

	return ask(m, argc, argv, &confirm);
}
