/*
 * Text for people.
 *
 * Nothing that came over the socket reaches the terminal but through
 * text_escape(): release ids and subjects were checked by the daemon, but
 * the output of a failed service and the body of its health reply are
 * whatever its author, or an intruder, chose.
 *
 * Columns are counted as code points.  Out of memory is the end of the
 * program: it has nothing to lose.
 */
#include <err.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "text.h"
#include "util.h"

static const char *const	tones[TONE__MAX] = {
	[TONE_PLAIN] = "",
	[TONE_STRONG] = "\033[1m",
	[TONE_GOOD] = "\033[32m",
	[TONE_BAD] = "\033[1;31m",
};
#define TONE_END	"\033[0m"

struct table_row {
	char		*cells[TABLE_COLS];
	enum tone	 tones[TABLE_COLS];
	size_t		 n;
	int		 note;		/* cells[0] stands alone */
};

void
screen_init(struct screen *s, FILE *f)
{
	const char	*no = getenv("NO_COLOR");

	s->f = f;
	s->now = time(NULL);
	s->colour = isatty(fileno(f)) && (no == NULL || no[0] == '\0');
}

/*
 * Decode one UTF-8 character; its length, or 0: no such thing.  The
 * daemon's JSON is valid, but so far nobody has checked argv.
 */
static size_t
decode(const unsigned char *p, uint32_t *cp)
{
	size_t	 n, i;

	if (p[0] < 0x80) {
		*cp = p[0];
		return 1;
	}
	if (p[0] >= 0xc2 && p[0] < 0xe0)
		n = 2, *cp = p[0] & 0x1f;
	else if (p[0] >= 0xe0 && p[0] < 0xf0)
		n = 3, *cp = p[0] & 0x0f;
	else if (p[0] >= 0xf0 && p[0] < 0xf5)
		n = 4, *cp = p[0] & 0x07;
	else
		return 0;
	for (i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		*cp = *cp << 6 | (p[i] & 0x3f);
	}
	return n;
}

static int
harmless(uint32_t cp)
{
	if (cp < 0x20 || (cp >= 0x7f && cp < 0xa0))
		return 0;
	/* Direction marks, embeddings, isolates; line separators. */
	if (cp == 0x061c || cp == 0x200e || cp == 0x200f ||
	    (cp >= 0x2028 && cp <= 0x202e) ||
	    (cp >= 0x2066 && cp <= 0x2069))
		return 0;
	return 1;
}

char *
text_escape(const char *s, int lines)
{
	const unsigned char	*p;
	struct buf		 b = { 0 };
	uint32_t		 cp = 0;
	size_t			 n;
	int			 rv;

	if (s == NULL)
		s = "-";
	rv = buf_add(&b, "", 0);
	for (p = (const unsigned char *)s; *p != '\0' && rv == 0; p += n) {
		n = decode(p, &cp);
		if (n == 0) {
			n = 1;
			rv = buf_printf(&b, "\\x%02x", *p);
		} else if (harmless(cp) ||
		    (lines && (cp == '\n' || cp == '\t')))
			rv = buf_add(&b, p, n);
		else if (lines && cp == '\r' && p[1] == '\n')
			continue;
		else if (cp < 0x100)
			rv = buf_printf(&b, "\\x%02x", cp);
		else
			rv = buf_printf(&b, "\\u{%04x}", cp);
	}
	if (rv == -1)
		err(1, NULL);
	if (b.data == NULL && (b.data = strdup("")) == NULL)
		err(1, NULL);
	return b.data;
}

static size_t
width(const char *s)
{
	size_t	 n = 0;

	for (; *s != '\0'; s++)
		if ((*s & 0xc0) != 0x80)
			n++;
	return n;
}

/* Print without escaping: the string is ours or escaped already. */
static void
put_raw(struct screen *s, enum tone tone, const char *text, size_t len)
{
	int	 tint = s->colour && tone != TONE_PLAIN;

	fprintf(s->f, "%s%.*s%s", tint ? tones[tone] : "", (int)len, text,
	    tint ? TONE_END : "");
}

void
put_text(struct screen *s, enum tone tone, const char *text)
{
	char	*e = text_escape(text, 0);

	put_raw(s, tone, e, strlen(e));
	free(e);
}

/* How much of it goes on a line of that many columns, at least a word. */
static size_t
line_fit(const char *p, size_t room)
{
	size_t	 i, cols = 0, last = 0;

	for (i = 0; p[i] != '\0'; i++) {
		if ((p[i] & 0xc0) == 0x80)
			continue;
		if (p[i] == ' ') {
			if (cols <= room || last == 0)
				last = i;
			if (cols > room)
				break;
		}
		cols++;
	}
	if (p[i] == '\0' && (cols <= room || last == 0))
		return i;
	return last;
}

/* put_wrapped() of what is escaped already; ends with a newline. */
static void
wrap_raw(struct screen *s, int indent, enum tone tone, const char *p)
{
	size_t	 n, room;

	room = indent < SCREEN_WIDTH - 20 ? SCREEN_WIDTH - (size_t)indent : 20;
	for (;;) {
		n = line_fit(p, room);
		put_raw(s, tone, p, n);
		fputc('\n', s->f);
		p += n;
		while (*p == ' ')
			p++;
		if (*p == '\0')
			return;
		fprintf(s->f, "%*s", indent, "");
	}
}

void
put_wrapped(struct screen *s, int indent, enum tone tone, const char *text)
{
	char	*e = text_escape(text, 0);

	wrap_raw(s, indent, tone, e);
	free(e);
}

void
put_lines(struct screen *s, int indent, const char *text)
{
	char	*e, *line, *next;

	e = text_escape(text, 1);
	next = e;
	while ((line = strsep(&next, "\n")) != NULL) {
		if (next == NULL && line[0] == '\0')
			break;		/* behind the last newline */
		fprintf(s->f, "%*s| %s\n", indent, "", line);
	}
	free(e);
}

/* --- time ------------------------------------------------------------- */

void
text_duration(int64_t sec, char *out, size_t size)
{
	if (sec < 0)
		sec = 0;
	if (sec < 60)
		snprintf(out, size, "%" PRId64 "s", sec);
	else if (sec < 3600)
		snprintf(out, size, "%" PRId64 "m %" PRId64 "s", sec / 60,
		    sec % 60);
	else if (sec < 86400)
		snprintf(out, size, "%" PRId64 "h %" PRId64 "m", sec / 3600,
		    sec % 3600 / 60);
	else
		snprintf(out, size, "%" PRId64 "d %" PRId64 "h", sec / 86400,
		    sec % 86400 / 3600);
}

time_t
text_time(const char *iso)
{
	struct tm	 tm;

	memset(&tm, 0, sizeof(tm));
	/* The daemon writes UTC only; the offset is not looked at. */
	if (iso == NULL || sscanf(iso, "%4d-%2d-%2dT%2d:%2d:%2d",
	    &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &tm.tm_hour, &tm.tm_min,
	    &tm.tm_sec) != 6)
		return -1;
	tm.tm_year -= 1900;
	tm.tm_mon -= 1;
	return timegm(&tm);
}

void
text_when(const char *iso, const char *fmt, char *out, size_t size)
{
	time_t		 t = text_time(iso);
	struct tm	 tm;

	if (t == -1 || gmtime_r(&t, &tm) == NULL ||
	    strftime(out, size, fmt, &tm) == 0)
		(void)strlcpy(out, "-", size);
}

void
text_age(const struct screen *s, const char *iso, char *out, size_t size)
{
	time_t	 t = text_time(iso);

	if (t == -1)
		(void)strlcpy(out, "-", size);
	else
		text_duration((int64_t)s->now - t, out, size);
}

/* --- tables ----------------------------------------------------------- */

void
table_init(struct table *t, const char *const *heads)
{
	memset(t, 0, sizeof(*t));
	while (t->ncols < TABLE_COLS && heads[t->ncols] != NULL) {
		t->heads[t->ncols] = heads[t->ncols];
		t->ncols++;
	}
}

void
table_row(struct table *t)
{
	struct table_row	*rows;
	size_t			 cap;

	if (t->nrows == t->cap) {
		cap = t->cap == 0 ? 16 : t->cap * 2;
		rows = recallocarray(t->rows, t->cap, cap, sizeof(*rows));
		if (rows == NULL)
			err(1, NULL);
		t->rows = rows;
		t->cap = cap;
	}
	t->nrows++;
}

void
table_cell(struct table *t, enum tone tone, const char *text)
{
	struct table_row	*r = &t->rows[t->nrows - 1];

	if (r->n == t->ncols)
		return;
	r->tones[r->n] = tone;
	r->cells[r->n++] = text_escape(text != NULL && text[0] != '\0' ?
	    text : NULL, 0);
}

void
table_note(struct table *t, enum tone tone, const char *text)
{
	table_row(t);
	table_cell(t, tone, text);
	t->rows[t->nrows - 1].note = 1;
}

static void
row_print(struct screen *s, int indent, const struct table_row *r,
    const size_t *widths)
{
	size_t	 i;
	int	 column = indent, pad;

	fprintf(s->f, "%*s", indent, "");
	if (r->note) {
		fprintf(s->f, "    ");
		wrap_raw(s, indent + 4, r->tones[0], r->cells[0]);
		return;
	}
	for (i = 0; i < r->n; i++) {
		if (i + 1 == r->n) {
			wrap_raw(s, column, r->tones[i], r->cells[i]);
			return;
		}
		put_raw(s, r->tones[i], r->cells[i], strlen(r->cells[i]));
		pad = (int)(widths[i] - width(r->cells[i])) + 2;
		fprintf(s->f, "%*s", pad, "");
		column += (int)widths[i] + 2;
	}
	fputc('\n', s->f);
}

void
table_print(struct screen *s, int indent, struct table *t)
{
	struct table_row	 head;
	size_t			 widths[TABLE_COLS] = { 0 }, i, c, w;

	memset(&head, 0, sizeof(head));
	for (c = 0; c < t->ncols; c++) {
		widths[c] = strlen(t->heads[c]);
		head.cells[head.n++] = text_escape(t->heads[c], 0);
	}
	for (i = 0; i < t->nrows; i++) {
		if (t->rows[i].note)
			continue;
		for (c = 0; c < t->rows[i].n; c++)
			if ((w = width(t->rows[i].cells[c])) > widths[c])
				widths[c] = w;
	}
	row_print(s, indent, &head, widths);
	for (i = 0; i < t->nrows; i++) {
		row_print(s, indent, &t->rows[i], widths);
		for (c = 0; c < t->rows[i].n; c++)
			free(t->rows[i].cells[c]);
	}
	for (c = 0; c < head.n; c++)
		free(head.cells[c]);
	free(t->rows);
	memset(t, 0, sizeof(*t));
}

/* --- JSON ------------------------------------------------------------- */

const char *
js_str(const json_t *o, const char *key)
{
	return json_string_value(json_object_get(o, key));
}

const char *
js_text(const json_t *o, const char *key)
{
	const char	*s = js_str(o, key);

	return s != NULL ? s : "";
}

json_int_t
js_int(const json_t *o, const char *key, json_int_t fallback)
{
	const json_t	*v = json_object_get(o, key);

	return json_is_integer(v) ? json_integer_value(v) : fallback;
}

int
js_true(const json_t *o, const char *key)
{
	return json_is_true(json_object_get(o, key));
}

json_t *
js_make(const char *text)
{
	json_t	*v = json_string(text);
	char	*e;

	if (v != NULL)
		return v;
	e = text_escape(text, 1);
	v = json_string(e);
	free(e);
	return v;
}

/* --- a command's name -------------------------------------------------- */

int
text_pick(const char *program, const char *word, const char *(*name)(size_t),
    size_t n)
{
	const char	*before = " (";
	size_t		 i, found = 0, many = 0, len = strlen(word);

	for (i = 0; i < n; i++) {
		if (strcmp(name(i), word) == 0)
			return (int)i;
		if (len > 0 && strncmp(name(i), word, len) == 0) {
			found = i;
			many++;
		}
	}
	if (many == 1)
		return (int)found;
	fprintf(stderr, "%s: %s command: %s", program, many > 1 ?
	    "ambiguous" : "unknown", word);
	for (i = 0; many > 1 && i < n; i++)
		if (strncmp(name(i), word, len) == 0) {
			fprintf(stderr, "%s%s", before, name(i));
			before = ", ";
		}
	fprintf(stderr, "%s\n", many > 1 ? ")" : "");
	return many > 1 ? TEXT_AMBIGUOUS : TEXT_UNKNOWN;
}
