/*
 * What a person sees of a rollout.
 *
 * On a pipe: one line per event.  On a terminal the picture is repainted in
 * place: a line for each host if all of them fit, else for those in flight;
 * below it a line about the whole.  What is to stay (notes, and failures
 * where not every host has a line) goes above it and scrolls away.
 *
 * Host names are ours; all other text is from hosts and is escaped.
 */
#include <sys/types.h>
#include <sys/ioctl.h>
#include <sys/time.h>

#include <err.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "show.h"
#include "text.h"
#include "timer.h"

#define REPAINT_MS	150
#define COLUMNS_DEFAULT	80
#define ROWS_DEFAULT	24
#define NAME_MAX_COLS	30		/* of a host's name */
#define PHASE_COLS	12
#define BAR_COLS	20
#define SHA_COLS	12		/* characters of a sha that are shown */

struct show {
	struct rollout	*ro;
	enum show_mode	 mode;
	struct screen	 screen;
	struct event	 timer;
	size_t		 painted;	/* lines of the picture on screen */
	size_t		 columns;
	size_t		 rows;
	size_t		 name_cols;
	size_t		 name_longest;
};

static void	 repaint(int, short, void *);

struct show *
show_new(struct rollout *ro, int json)
{
	struct show	*s;

	if ((s = calloc(1, sizeof(*s))) == NULL)
		err(1, NULL);
	s->ro = ro;
	screen_init(&s->screen, stdout);
	if (json)
		s->mode = SHOW_JSON;
	else
		s->mode = isatty(STDOUT_FILENO) ? SHOW_LIVE : SHOW_LINES;
	return s;
}

void
show_free(struct show *s)
{
	free(s);
}

/* --- counting --------------------------------------------------------- */

struct counts {
	size_t	 n[OUTCOME__MAX];
	size_t	 self_bad;
	size_t	 inflight;
};

static void
count(const struct rollout *ro, struct counts *c)
{
	const struct target	*t;
	size_t			 i;

	memset(c, 0, sizeof(*c));
	for (i = 0; i < ro->ntargets; i++) {
		t = &ro->targets[i];
		c->n[t->agent]++;
		c->self_bad += outcome_isbad(t->self) != 0;
		c->inflight += t->state != TARGET_WAIT &&
		    t->state != TARGET_END;
	}
}

static size_t
add(char *out, size_t size, size_t len, const char *fmt, ...)
{
	va_list	 ap;
	int	 n;

	if (len + 1 >= size)
		return len;
	va_start(ap, fmt);
	n = vsnprintf(out + len, size - len, fmt, ap);
	va_end(ap);
	if (n < 0)
		return len;
	return len + (size_t)n < size ? len + (size_t)n : size - 1;
}

/* "3 updated, 1 failed, 12 to go of 16 hosts, 12.3 s" */
static void
summary(const struct rollout *ro, char *out, size_t size)
{
	struct counts	 c;
	uint32_t	 ms = rollout_ms(ro);
	size_t		 len = 0;
	int		 o;

	count(ro, &c);
	out[0] = '\0';
	for (o = OUTCOME_UPDATED; o < OUTCOME__MAX; o++) {
		if (c.n[o] == 0)
			continue;
		len = add(out, size, len, "%s%zu %s", len ? ", " : "", c.n[o],
		    outcome_name(o));
	}
	if (c.self_bad > 0)
		len = add(out, size, len, "%s%zu self parts bad", len ?
		    ", " : "", c.self_bad);
	if (c.inflight > 0)
		len = add(out, size, len, "%s%zu in flight", len ? ", " : "",
		    c.inflight);
	if (c.n[OUTCOME_NONE] > c.inflight)
		len = add(out, size, len, "%s%zu %s", len ? ", " : "",
		    c.n[OUTCOME_NONE] - c.inflight, ro->over ? "not begun" :
		    "to go");
	add(out, size, len, " of %zu host%s; %u.%u s", ro->ntargets,
	    ro->ntargets == 1 ? "" : "s", ms / 1000, ms % 1000 / 100);
}

/* --- the picture ------------------------------------------------------ */

/* Cut behind so many characters. */
static void
cut(char *s, size_t columns)
{
	size_t	 n = 0;

	for (; *s != '\0'; s++)
		if ((*s & 0xc0) != 0x80 && n++ == columns) {
			*s = '\0';
			return;
		}
}

static void
bar(const struct target *t, char *out, size_t size)
{
	uint64_t	 total = t->ro->plan.pack.size;
	size_t		 full, i;

	full = total == 0 ? BAR_COLS :
	    (size_t)(t->req.sent * BAR_COLS / total);
	if (full > BAR_COLS)
		full = BAR_COLS;
	for (i = 0; i < BAR_COLS && i + 1 < size; i++)
		out[i] = i < full ? '#' : '.';
	out[i] = '\0';
}

void
show_line(const struct target *t, size_t name_cols, size_t columns, char *out,
    size_t size)
{
	uint64_t	 total = t->ro->plan.pack.size, us;
	uint32_t	 ms;
	size_t		 len;
	char		 cells[BAR_COLS + 1], rate[16], *e;
	const char	*name;

	name = t->state == TARGET_WAIT || t->nphases == 0 ?
	    outcome_name(t->agent) : t->phases[t->nphases - 1].name;
	e = text_escape(name, 0);
	len = add(out, size, 0, "%-*.*s  %-*s", (int)name_cols,
	    (int)name_cols, t->host.name, PHASE_COLS, e);
	free(e);
	if (t->state == TARGET_END && t->begun_us != 0) {
		len = add(out, size, len, " %5u.%u s", t->ms / 1000,
		    t->ms % 1000 / 100);
		if (t->detail[0] != '\0') {
			e = text_escape(t->detail, 0);
			add(out, size, len, "  %s", e);
			free(e);
		}
	} else if (t->state != TARGET_WAIT && t->begun_us != 0) {
		us = time_mono_us() - t->begun_us;
		ms = (uint32_t)(us / 1000);
		len = add(out, size, len, " %5u.%u s", ms / 1000,
		    ms % 1000 / 100);
		if (t->req.body != NULL && t->req.sent > 0) {
			bar(t, cells, sizeof(cells));
			fmt_bytes(us > 0 ? t->req.sent * 1000000 / us : 0,
			    rate, sizeof(rate));
			len = add(out, size, len, "  [%s] %3llu%%", cells,
			    (unsigned long long)(total == 0 ? 100 :
			    t->req.sent * 100 / total));
			if (t->req.sent < total)
				add(out, size, len, "  %s/s", rate);
		}
	}
	cut(out, columns);
}

static void
measure(struct show *s)
{
	struct winsize	 ws;
	size_t		 i, n;

	s->columns = COLUMNS_DEFAULT;
	s->rows = ROWS_DEFAULT;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws) == 0 && ws.ws_col > 0 &&
	    ws.ws_row > 0) {
		s->columns = ws.ws_col;
		s->rows = ws.ws_row;
	}
	for (i = 0; s->name_longest == 0 && i < s->ro->ntargets; i++) {
		n = strlen(s->ro->targets[i].host.name);
		if (n > s->name_cols)
			s->name_cols = n;
	}
	s->name_longest = s->name_cols;
	if (s->name_cols > NAME_MAX_COLS)
		s->name_cols = NAME_MAX_COLS;
	/* The last column stays free: some terminals wrap behind it. */
	s->columns = s->columns > 20 ? s->columns - 1 : 20;
}

/* Go to the picture's first line and clear from there. */
static void
erase(struct show *s)
{
	if (s->painted > 0)
		fprintf(s->screen.f, "\033[%zuA\r\033[J", s->painted);
	s->painted = 0;
}

static int
all_fit(const struct show *s)
{
	return s->ro->ntargets + 2 <= s->rows;
}

static void
paint_target(struct show *s, const struct target *t)
{
	char	 line[1024];
	int	 bad = outcome_isbad(t->agent) || outcome_isbad(t->self);

	show_line(t, s->name_cols, s->columns, line, sizeof(line));
	if (s->screen.colour && t->state == TARGET_END)
		fprintf(s->screen.f, "\033[%sm%s\033[0m\n", bad ? "1;31" :
		    "32", line);
	else
		fprintf(s->screen.f, "%s\n", line);
	s->painted++;
}

static void
paint(struct show *s)
{
	const struct target	*t;
	char			 line[512];
	size_t			 i;
	int			 all;

	if (s->mode != SHOW_LIVE)
		return;
	measure(s);
	erase(s);
	all = all_fit(s);
	for (i = 0; i < s->ro->ntargets && s->painted + 2 < s->rows; i++) {
		t = &s->ro->targets[i];
		if (all || (t->state != TARGET_WAIT &&
		    t->state != TARGET_END))
			paint_target(s, t);
	}
	summary(s->ro, line, sizeof(line));
	cut(line, s->columns);
	fprintf(s->screen.f, "%s\n", line);
	s->painted++;
	fflush(s->screen.f);
}

static void
repaint(int fd, short event, void *arg)
{
	struct show	*s = arg;

	paint(s);
	timer_in(&s->timer, REPAINT_MS);
}

void
show_begin(struct show *s)
{
	if (s->mode != SHOW_LIVE)
		return;
	evtimer_set(&s->timer, repaint, s);
	repaint(-1, 0, s);
}

/* --- events ----------------------------------------------------------- */

static void
stamp(struct show *s)
{
	time_t		 now = time(NULL);
	struct tm	 tm;
	char		 text[16];

	if (localtime_r(&now, &tm) != NULL &&
	    strftime(text, sizeof(text), "%H:%M:%S", &tm) > 0)
		fprintf(s->screen.f, "%s ", text);
}

void
show_target(struct show *s, const struct target *t, const char *what)
{
	int	 bad = outcome_isbad(t->agent) || outcome_isbad(t->self);

	if (s->mode == SHOW_JSON)
		return;
	if (s->mode == SHOW_LIVE) {
		/* Else it is seen in its line. */
		if (all_fit(s) || t->state != TARGET_END || !bad)
			return;
		erase(s);
	}
	stamp(s);
	fprintf(s->screen.f, "%s: ", t->host.name);
	put_text(&s->screen, t->state != TARGET_END ? TONE_PLAIN :
	    bad ? TONE_BAD : TONE_GOOD, what);
	if (t->state == TARGET_END) {
		fprintf(s->screen.f, " (%u ms)", t->ms);
		if (t->detail[0] != '\0') {
			fprintf(s->screen.f, ": ");
			put_text(&s->screen, TONE_PLAIN, t->detail);
		}
	}
	fputc('\n', s->screen.f);
	fflush(s->screen.f);
}

void
show_note(struct show *s, const char *fmt, ...)
{
	char	 text[UPD_TEXT_SIZE * 2];
	va_list	 ap;

	if (s->mode == SHOW_JSON)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (s->mode == SHOW_LIVE)
		erase(s);
	stamp(s);
	put_text(&s->screen, TONE_STRONG, text);
	fputc('\n', s->screen.f);
	fflush(s->screen.f);
}

/* --- the end ---------------------------------------------------------- */

static enum tone
tone_of(enum outcome o)
{
	if (o == OUTCOME_NONE || o == OUTCOME_UNDONE)
		return TONE_PLAIN;
	return outcome_isbad(o) ? TONE_BAD : TONE_GOOD;
}

static void
row(struct table *table, const struct target *t)
{
	char	 text[UPD_TEXT_SIZE];

	table_row(table);
	table_cell(table, TONE_PLAIN, t->host.name);
	snprintf(text, sizeof(text), "%s:%u", t->host.address,
	    (unsigned int)t->host.port);
	table_cell(table, TONE_PLAIN, text);
	table_cell(table, tone_of(t->agent), outcome_name(t->agent));
	table_cell(table, tone_of(t->self), outcome_name(t->self));
	snprintf(text, sizeof(text), "%.*s", SHA_COLS, t->ro->plan.sha);
	table_cell(table, TONE_PLAIN, text);
	if (t->begun_us != 0)
		snprintf(text, sizeof(text), "%u", t->ms);
	else
		strlcpy(text, "-", sizeof(text));
	table_cell(table, TONE_PLAIN, text);
	table_cell(table, TONE_PLAIN, t->detail);
}

/* What the host said, in full. */
static void
failure(struct show *s, const struct target *t)
{
	const json_t	*d = json_object_get(t->answer, "detail");
	FILE		*f = s->screen.f;

	/* What is one line stands in the table. */
	if (js_text(d, "phase")[0] == '\0' && js_text(d, "stderr")[0] == '\0')
		return;
	fputc('\n', f);
	put_text(&s->screen, TONE_STRONG, t->host.name);
	fprintf(f, ": ");
	put_text(&s->screen, TONE_BAD, t->detail[0] ? t->detail :
	    outcome_name(t->agent));
	fputc('\n', f);
	if (js_text(d, "phase")[0] != '\0') {
		fprintf(f, "  in phase ");
		put_text(&s->screen, TONE_PLAIN, js_text(d, "phase"));
		fprintf(f, "; %s\n", js_true(d, "rolled_back") ?
		    "the old release runs and is healthy" :
		    js_true(d, "healthy") ? "the running release is healthy" :
		    "what runs there is not healthy");
	}
	if (js_text(d, "stderr")[0] != '\0')
		put_lines(&s->screen, 2, js_text(d, "stderr"));
}

json_t *
show_json(const struct rollout *ro)
{
	const struct target	*t;
	json_t			*o, *hosts = json_array(), *h, *n;
	struct counts		 c;
	size_t			 i;
	int			 k;

	count(ro, &c);
	for (i = 0; i < ro->ntargets; i++) {
		t = &ro->targets[i];
		h = json_pack("{s:s, s:s, s:i, s:s, s:s, s:s, s:o, s:o, s:i, "
		    "s:O?}", "host", t->host.name, "address",
		    t->host.address ? t->host.address : "",
		    "port", (int)t->host.port, "agent",
		    outcome_name(t->agent), "self", outcome_name(t->self),
		    "sha", ro->plan.sha, "ms", t->begun_us ?
		    json_integer(t->ms) : json_null(), "detail",
		    js_make(t->detail),
		    "status", t->status, "answer", t->answer);
		json_array_append_new(hosts, h);
	}
	n = json_object();
	for (k = OUTCOME_UPDATED; k < OUTCOME__MAX; k++)
		json_object_set_new(n, outcome_name(k),
		    json_integer((json_int_t)c.n[k]));
	json_object_set_new(n, "not begun",
	    json_integer((json_int_t)c.n[OUTCOME_NONE]));
	o = json_pack("{s:s, s:s, s:s, s:I, s:b, s:o, s:o, s:I, s:b, s:b}",
	    "rollout", ro->id, "sha", ro->plan.sha, "sha256",
	    ro->plan.pack.sha256, "bytes", (json_int_t)ro->plan.pack.size,
	    "dry_run", ro->plan.dry_run, "hosts", hosts, "counts", n, "ms",
	    (json_int_t)rollout_ms(ro), "interrupted", ro->interrupted > 0,
	    "resumable", ro->recfd != -1 && !ro->backing &&
	    rollout_left(ro) > 0);
	json_object_set_new(o, "stopped", ro->stopped[0] ?
	    js_make(ro->stopped) : json_null());
	return o;
}

void
show_end(struct show *s)
{
	static const char *const heads[] = {
		"HOST", "ADDRESS", "AGENT", "SELF", "SHA", "MS", "DETAIL", NULL
	};
	struct rollout	*ro = s->ro;
	struct table	 table;
	char		 text[512];
	json_t		*o;
	size_t		 i;

	if (s->mode == SHOW_JSON) {
		o = show_json(ro);
		json_dumpf(o, stdout, JSON_COMPACT | JSON_ENSURE_ASCII);
		putchar('\n');
		json_decref(o);
		return;
	}
	if (s->mode == SHOW_LIVE) {
		evtimer_del(&s->timer);
		erase(s);
	}
	fputc('\n', s->screen.f);
	table_init(&table, heads);
	for (i = 0; i < ro->ntargets; i++)
		row(&table, &ro->targets[i]);
	table_print(&s->screen, 0, &table);
	for (i = 0; i < ro->ntargets; i++)
		if (outcome_isbad(ro->targets[i].agent) ||
		    outcome_isbad(ro->targets[i].self))
			failure(s, &ro->targets[i]);
	summary(ro, text, sizeof(text));
	fprintf(s->screen.f, "\n%s\n", text);
	fflush(s->screen.f);
}
