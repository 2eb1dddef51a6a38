/*
 * The screen of `updaterctl status`: what an operator wants to know first,
 * first.  Per agent: what runs since when and who pushed it, what is wrong;
 * per service how it does; then the update in flight, then the processes
 * and what confines them.
 */
#include <inttypes.h>
#include <string.h>

#include "output.h"
#include "proto.h"
#include "util.h"

#define INDENT		2
#define LABEL_COLUMN	14	/* where values begin */

static void
label(struct screen *s, const char *name)
{
	fprintf(s->f, "%*s%-*s", INDENT, "", LABEL_COLUMN - INDENT, name);
}

static void
put_listen(struct screen *s, const json_t *list)
{
	const json_t	*v;
	size_t		 i;

	json_array_foreach(list, i, v) {
		label(s, i == 0 ? "listening" : "");
		put_text(s, TONE_PLAIN, json_string_value(v));
		fputc('\n', s->f);
	}
	if (json_array_size(list) == 0) {
		label(s, "listening");
		fprintf(s->f, "no (updates by updaterctl only)\n");
	}
}

/* What ends soon, or else what ends first. */
static void
put_certificates(struct screen *s, const json_t *list)
{
	const json_t	*v;
	char		 when[32];
	size_t		 i, warned = 0;

	json_array_foreach(list, i, v) {
		if (js_text(v, "warning")[0] == '\0')
			continue;
		label(s, warned++ == 0 ? "certs" : "");
		put_wrapped(s, LABEL_COLUMN, TONE_BAD, js_text(v, "warning"));
	}
	if (warned > 0 || (v = json_array_get(list, 0)) == NULL)
		return;
	text_when(js_str(v, "expires_at"), "%Y-%m-%d", when, sizeof(when));
	label(s, "certs");
	fprintf(s->f, "valid, the first until %s (%" JSON_INTEGER_FORMAT
	    " days)\n", when, js_int(v, "days", 0));
}

/* It goes back in so many seconds, if there are any. */
static void
put_confirm(struct screen *s, const char *name, json_int_t seconds,
    const char *agent)
{
	char	 left[32];

	if (seconds <= 0)
		return;
	text_duration((int64_t)seconds, left, sizeof(left));
	label(s, name);
	put_text(s, TONE_BAD, "to be confirmed within ");
	put_text(s, TONE_BAD, left);
	fprintf(s->f, ": updaterctl confirm ");
	put_text(s, TONE_PLAIN, agent);
	fputc('\n', s->f);
}

/* Which of its own releases runs, if it has any; and what is wrong. */
static void
put_self(struct screen *s, const json_t *self)
{
	const json_t	*failed = json_object_get(self, "failed");
	const char	*id = js_str(self, "id");
	const char	*current = js_str(self, "current");

	if (!json_is_object(self))
		return;
	label(s, "itself");
	put_text(s, TONE_PLAIN, id != NULL ? id : "as installed");
	if (js_true(self, "trial"))
		put_text(s, TONE_BAD, " on trial");
	else if (current != NULL && (id == NULL || strcmp(id, current) != 0)) {
		put_text(s, TONE_BAD, ", because this does not start: ");
		put_text(s, TONE_BAD, current);
	}
	fputc('\n', s->f);
	put_confirm(s, "", js_int(self, "confirm", 0), "self");
	if (js_str(self, "broken") != NULL) {
		label(s, "");
		put_text(s, TONE_BAD, js_str(self, "broken"));
		fputc('\n', s->f);
	}
	if (json_is_object(failed)) {
		label(s, "");
		put_text(s, TONE_BAD, js_str(failed, "id"));
		put_text(s, TONE_BAD, " failed: ");
		put_text(s, TONE_BAD, js_str(self, "why"));
		fputc('\n', s->f);
	}
}

static void
put_head(struct screen *s, const json_t *j)
{
	char	 age[32], when[32];

	text_age(s, js_str(j, "since"), age, sizeof(age));
	text_when(js_str(j, "since"), "%Y-%m-%d %H:%M:%S UTC", when,
	    sizeof(when));
	put_text(s, TONE_STRONG, "updaterd ");
	put_text(s, TONE_STRONG, js_str(j, "version"));
	fprintf(s->f, ", pid %" JSON_INTEGER_FORMAT ", up %s (since %s)\n",
	    js_int(j, "pid", 0), age, when);
	put_self(s, json_object_get(j, "self"));
	label(s, "config");
	put_text(s, TONE_PLAIN, js_str(j, "config"));
	fputc('\n', s->f);
	put_listen(s, json_object_get(j, "listen"));
	put_certificates(s, json_object_get(j, "certificates"));
}

/* --- agents ----------------------------------------------------------- */

static void
put_release(struct screen *s, const char *name, enum tone tone,
    const json_t *r)
{
	char	 age[32], out[UPD_TEXT_SIZE];

	if (!json_is_object(r))
		return;
	label(s, name);
	put_text(s, tone, js_str(r, "id"));
	text_age(s, js_str(r, "installed_at"), age, sizeof(age));
	fprintf(s->f, "  %s ago", age);
	if (js_text(r, "by")[0] != '\0') {
		fprintf(s->f, " by ");
		put_text(s, TONE_PLAIN, js_text(r, "by"));
	}
	fputc('\n', s->f);
	if (js_text(r, "sha")[0] != '\0') {
		snprintf(out, sizeof(out), "sha %s", js_text(r, "sha"));
		label(s, "");
		put_wrapped(s, LABEL_COLUMN, TONE_PLAIN, out);
	}
	if (js_text(r, "signer")[0] != '\0') {
		snprintf(out, sizeof(out), "signed by %s",
		    js_text(r, "signer"));
		label(s, "");
		put_wrapped(s, LABEL_COLUMN, TONE_PLAIN, out);
	}
	if (js_text(r, "why")[0] != '\0') {
		label(s, "");
		put_wrapped(s, LABEL_COLUMN, tone, js_text(r, "why"));
	}
}

/* A release that may still go back by itself. */
static void
put_trial(struct screen *s, const json_t *a)
{
	const json_t	*t = json_object_get(a, "trial");
	json_int_t	 confirm = js_int(t, "confirm", 0);
	json_int_t	 probation = js_int(t, "probation", 0);
	char		 left[32];

	put_confirm(s, "on trial", confirm, js_str(a, "name"));
	if (probation > 0) {
		text_duration((int64_t)probation, left, sizeof(left));
		label(s, confirm > 0 ? "" : "on trial");
		fprintf(s->f, "probation, %s left\n", left);
	}
}

static void
put_space(struct screen *s, const json_t *a)
{
	json_int_t	 room = js_int(a, "free", -1);
	json_int_t	 reserve = js_int(a, "reserve", -1);
	char		 out[32];

	if (room < 0)
		return;
	fmt_bytes((uint64_t)room, out, sizeof(out));
	label(s, "space");
	fprintf(s->f, "%s free", out);
	if (reserve >= 0) {
		fmt_bytes((uint64_t)reserve, out, sizeof(out));
		fprintf(s->f, ", of which %s stay free (reserve)", out);
	}
	if (reserve >= 0 && room <= reserve)
		put_text(s, TONE_BAD, ": NO ROOM FOR AN UPDATE");
	fputc('\n', s->f);
}

static void
put_trouble(struct screen *s, const char *name, const char *text,
    const char *at)
{
	char	 age[32];

	if (text == NULL || text[0] == '\0')
		return;
	label(s, name);
	if (at != NULL) {
		text_age(s, at, age, sizeof(age));
		fprintf(s->f, "%s ago\n", age);
		label(s, "");
	}
	put_wrapped(s, LABEL_COLUMN, TONE_BAD, text);
}

/* Something is to be done about it: it should run and does not. */
static int
is_trouble(const char *state, int wanted)
{
	return strcmp(state, "failed") == 0 || strcmp(state, "backoff") == 0 ||
	    (strcmp(state, "down") == 0 && wanted);
}

static void
health_cell(struct table *t, const json_t *v)
{
	const json_t	*health = json_object_get(v, "health");
	const json_t	*ok = json_object_get(health, "healthy");
	char		 out[64];

	snprintf(out, sizeof(out), "%s%s", json_is_true(ok) ? "healthy" :
	    json_is_false(ok) ? "UNHEALTHY" : "-",
	    js_true(v, "optional") ? " (optional)" : "");
	table_cell(t, json_is_true(ok) ? TONE_GOOD : json_is_false(ok) ?
	    TONE_BAD : TONE_PLAIN, out);
}

/* How it ended last; what its check saw and why it is in its state, where
 * they are not the same words again. */
static void
service_reasons(struct table *t, const json_t *v, int trouble)
{
	const json_t	*health = json_object_get(v, "health");
	const char	*state = js_text(v, "state");
	const char	*last = js_text(v, "last_exit");
	const char	*detail = js_text(health, "detail");
	const char	*why = js_text(v, "why");

	if (!json_is_false(json_object_get(health, "healthy")) ||
	    strcmp(detail, last) == 0)
		detail = "";
	if (strcmp(state, "up") == 0 || strcmp(why, last) == 0 ||
	    strcmp(why, detail) == 0)
		why = "";
	if (detail[0] != '\0')
		table_note(t, TONE_BAD, detail);
	if (why[0] != '\0')
		table_note(t, trouble ? TONE_BAD : TONE_PLAIN, why);
}

/* What is out of the ordinary with a service, a line each. */
static void
service_notes(struct table *t, const json_t *v, int wanted, int trouble)
{
	const char	*state = js_text(v, "state");
	char		 out[UPD_TEXT_SIZE + 64];
	json_int_t	 ms = js_int(v, "restart_in_ms", -1);

	if (!wanted) {
		snprintf(out, sizeof(out), "stopped by %s",
		    js_text(v, "wanted_by")[0] != '\0' ?
		    js_text(v, "wanted_by") : "nobody: not started yet");
		table_note(t, TONE_PLAIN, out);
	}
	if (ms >= 0 && strcmp(state, "backoff") == 0) {
		snprintf(out, sizeof(out), "starts again in %"
		    JSON_INTEGER_FORMAT " s", (ms + 999) / 1000);
		table_note(t, TONE_PLAIN, out);
	}
	if (js_int(v, "pid", 0) > 0 &&
	    json_is_false(json_object_get(v, "current"))) {
		snprintf(out, sizeof(out), "runs %s still: restart it for the "
		    "current release", js_text(v, "release"));
		table_note(t, TONE_BAD, out);
	}
	if (strcmp(state, "failed") == 0) {
		snprintf(out, sizeof(out), "stays down: when it is mended, "
		    "updaterctl start %s", js_text(v, "name"));
		table_note(t, TONE_PLAIN, out);
	}
	if (js_true(v, "restart_pending"))
		table_note(t, TONE_BAD, "configured otherwise since it was "
		    "started: restart it");
	if (js_text(v, "log")[0] != '\0' && (trouble ||
	    json_is_false(json_object_get(json_object_get(v, "health"),
	    "healthy")))) {
		snprintf(out, sizeof(out), "see %s", js_text(v, "log"));
		table_note(t, TONE_PLAIN, out);
	}
	/* The best kind goes without saying. */
	if (strcmp(js_text(v, "containment"), "none") == 0)
		table_note(t, TONE_PLAIN, "of it the main process is stopped "
		    "only, not what that has started");
	else if (js_text(v, "containment")[0] != '\0' &&
	    strcmp(js_text(v, "containment"), "cgroup") != 0) {
		snprintf(out, sizeof(out), "stopped as a whole by: %s",
		    js_text(v, "containment"));
		table_note(t, TONE_PLAIN, out);
	}
}

/* Before the first release nothing can run, and nothing is wrong. */
static void
service_row(struct screen *s, struct table *t, const json_t *v, int released)
{
	const char	*wanted_text = js_str(v, "wanted");
	const char	*state = js_text(v, "state");
	char		 out[UPD_TEXT_SIZE], age[32];
	json_int_t	 pid = js_int(v, "pid", 0);
	int		 wanted, trouble;

	wanted = wanted_text == NULL || strcmp(wanted_text, "running") == 0;
	trouble = released && is_trouble(state, wanted &&
	    !json_is_false(json_object_get(v, "enabled")));
	table_row(t);
	table_cell(t, TONE_PLAIN, js_text(v, "name"));
	table_cell(t, trouble ? TONE_BAD : strcmp(state, "up") == 0 ?
	    TONE_GOOD : TONE_PLAIN, state);
	snprintf(out, sizeof(out), "%" JSON_INTEGER_FORMAT, pid);
	table_cell(t, TONE_PLAIN, pid > 0 ? out : "-");
	text_age(s, js_str(v, "since"), age, sizeof(age));
	table_cell(t, TONE_PLAIN, age);
	snprintf(out, sizeof(out), "%" JSON_INTEGER_FORMAT,
	    js_int(v, "restarts", 0));
	table_cell(t, TONE_PLAIN, out);
	health_cell(t, v);
	if (js_text(v, "last_exit")[0] != '\0') {
		text_age(s, js_str(v, "last_exit_at"), age, sizeof(age));
		snprintf(out, sizeof(out), "last exit %s ago: %.400s", age,
		    js_text(v, "last_exit"));
		table_note(t, trouble ? TONE_BAD : TONE_PLAIN, out);
	}
	service_reasons(t, v, trouble);
	service_notes(t, v, wanted, trouble);
}

static void
put_services(struct screen *s, const json_t *list, int released)
{
	static const char *const heads[] = {
		"SERVICE", "STATE", "PID", "SINCE", "RESTARTS", "HEALTH", NULL
	};
	const json_t	*v;
	struct table	 t;
	size_t		 i;

	if (json_array_size(list) == 0)
		return;
	table_init(&t, heads);
	json_array_foreach(list, i, v)
		service_row(s, &t, v, released);
	table_print(s, INDENT, &t);
}

static void
put_agent(struct screen *s, const json_t *a)
{
	const json_t	*release = json_object_get(a, "release");
	const char	*state = js_text(a, "state"), *error;

	put_text(s, TONE_STRONG, "agent ");
	put_text(s, TONE_STRONG, js_str(a, "name"));
	fprintf(s->f, " in ");
	put_text(s, TONE_PLAIN, js_str(a, "root"));
	if (state[0] != '\0' && strcmp(state, "idle") != 0) {
		fprintf(s->f, ": ");
		put_text(s, TONE_STRONG, state);
	}
	fputc('\n', s->f);
	put_trouble(s, "BROKEN", js_str(a, "broken"), NULL);
	if (json_is_object(release))
		put_release(s, "release", TONE_GOOD, release);
	else {
		label(s, "release");
		fprintf(s->f, "none yet: push one\n");
	}
	put_trial(s, a);
	put_release(s, "previous", TONE_PLAIN, json_object_get(a, "previous"));
	put_release(s, "failed", TONE_BAD, json_object_get(a, "failed"));
	/* That of the release above is there already. */
	error = js_text(a, "error");
	if (strcmp(error, js_text(json_object_get(a, "failed"), "why")) != 0)
		put_trouble(s, "last error", error, js_str(a, "error_at"));
	put_space(s, a);
	put_services(s, json_object_get(a, "services"),
	    json_is_object(release));
}

/* --- the daemon itself ------------------------------------------------ */

static void
put_update(struct screen *s, const json_t *u)
{
	char	 age[32], size[32];

	if (!json_is_object(u))
		return;
	text_age(s, js_str(u, "since"), age, sizeof(age));
	fmt_bytes((uint64_t)js_int(u, "bytes", 0), size, sizeof(size));
	put_text(s, TONE_STRONG, "update in flight");
	fprintf(s->f, ": agent ");
	put_text(s, TONE_PLAIN, js_str(u, "agent"));
	fprintf(s->f, ", ");
	put_text(s, TONE_STRONG, js_str(u, "state"));
	fprintf(s->f, ", %s so far\n", size);
	label(s, "from");
	put_text(s, TONE_PLAIN, js_str(u, "by"));
	fprintf(s->f, " at ");
	put_text(s, TONE_PLAIN, js_str(u, "address"));
	fprintf(s->f, ", for %s\n", age);
}

/* The layers' names in one line, short enough for a screen. */
static void
join(const json_t *list, json_int_t abi, char *out, size_t size)
{
	const json_t	*v;
	const char	*name;
	size_t		 i, len;

	out[0] = '\0';
	json_array_foreach(list, i, v) {
		if ((name = json_string_value(v)) == NULL)
			continue;
		if (strcmp(name, "no_new_privs") == 0)
			name = "nnp";
		if (out[0] != '\0')
			(void)strlcat(out, " ", size);
		(void)strlcat(out, name, size);
		len = strlen(out);
		if (abi > 0 && strcmp(name, "landlock") == 0 && len < size)
			snprintf(out + len, size - len, "(%"
			    JSON_INTEGER_FORMAT ")", abi);
	}
}

static void
process_row(struct screen *s, struct table *t, const json_t *p)
{
	char		 out[UPD_TEXT_SIZE], line[UPD_TEXT_SIZE + 64], age[32];
	json_int_t	 pid = js_int(p, "pid", 0);

	table_row(t);
	table_cell(t, TONE_PLAIN, js_str(p, "name"));
	snprintf(out, sizeof(out), "%" JSON_INTEGER_FORMAT, pid);
	table_cell(t, TONE_PLAIN, pid > 0 ? out : "-");
	text_age(s, js_str(p, "since"), age, sizeof(age));
	table_cell(t, TONE_PLAIN, pid > 0 ? age : "-");
	snprintf(out, sizeof(out), "%" JSON_INTEGER_FORMAT,
	    js_int(p, "restarts", 0));
	table_cell(t, TONE_PLAIN, out);
	join(json_object_get(p, "layers"), js_int(p, "landlock_abi", 0), out,
	    sizeof(out));
	/* What it was confined by when it last ran, if it did. */
	table_cell(t, TONE_PLAIN, out[0] != '\0' ? out : pid > 0 ?
	    "nothing" : "(did not run yet)");
	join(json_object_get(p, "missing"), 0, out, sizeof(out));
	if (out[0] != '\0') {
		snprintf(line, sizeof(line),
		    "MISSING on this system: %s", out);
		table_note(t, TONE_BAD, line);
	}
}

static void
put_processes(struct screen *s, const json_t *list)
{
	static const char *const heads[] = {
		"PROCESS", "PID", "SINCE", "RESTARTS", "CONFINED BY", NULL
	};
	const json_t	*p;
	struct table	 t;
	size_t		 i;

	if (json_array_size(list) == 0)
		return;
	table_init(&t, heads);
	json_array_foreach(list, i, p)
		process_row(s, &t, p);
	table_print(s, 0, &t);
}

void
output_status(struct screen *s, const json_t *j)
{
	const json_t	*a;
	size_t		 i;

	put_head(s, j);
	json_array_foreach(json_object_get(j, "agents"), i, a) {
		fputc('\n', s->f);
		put_agent(s, a);
	}
	fputc('\n', s->f);
	if (json_is_object(json_object_get(j, "update"))) {
		put_update(s, json_object_get(j, "update"));
		fputc('\n', s->f);
	}
	put_processes(s, json_object_get(j, "processes"));
}
