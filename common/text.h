/*
 * Text for people: escaping of what came from elsewhere, durations, tables
 * on eighty columns, and careful access to JSON.
 */
#ifndef UPD_TEXT_H
#define UPD_TEXT_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#include <jansson.h>

#define SCREEN_WIDTH	80		/* columns */

enum tone {
	TONE_PLAIN,
	TONE_STRONG,			/* a heading */
	TONE_GOOD,
	TONE_BAD,
	TONE__MAX
};

struct screen {
	FILE	*f;
	int	 colour;		/* tones are shown */
	time_t	 now;			/* for "3d 4h ago" */
};

/* Colour only on a terminal, and not with NO_COLOR in the environment. */
void		 screen_init(struct screen *, FILE *);
/*
 * The string with everything escaped that would move a terminal: control
 * characters of both sets and marks that change the direction of writing,
 * as \xNN or \u{NNNN}.  With lines, newlines and tabs stay.  Malloced,
 * never NULL (exits when out of memory).  NULL gives "-".
 */
char		*text_escape(const char *, int lines);
/* Print it escaped, in that tone. */
void		 put_text(struct screen *, enum tone, const char *);
/* Print it escaped and wrapped at words, each line indented so far; the
 * first is at that column already. */
void		 put_wrapped(struct screen *, int, enum tone, const char *);
/* Print text of several lines, each behind an indented bar. */
void		 put_lines(struct screen *, int, const char *);

/* "45s", "12m 5s", "3h 5m", "3d 4h"; 32 bytes do. */
void		 text_duration(int64_t, char *, size_t);
/* Seconds of "2026-04-18T21:40:21.123456+00:00", or -1. */
time_t		 text_time(const char *);
/* The same moment in a form of strftime(3); "-" for what is no time. */
void		 text_when(const char *, const char *, char *, size_t)
		    __attribute__((format(strftime, 2, 0)));
/* How long ago: "3d 4h", or "-". */
void		 text_age(const struct screen *, const char *, char *, size_t);

/* A table: rows are gathered, widths follow from them, the last column is
 * wrapped.  Cells are copied and escaped. */
#define TABLE_COLS	8
struct table_row;
struct table {
	size_t			 ncols;
	const char		*heads[TABLE_COLS];
	struct table_row	*rows;
	size_t			 nrows;
	size_t			 cap;
};
/* Heads end with NULL. */
void		 table_init(struct table *, const char *const *);
void		 table_row(struct table *);		/* begin a row */
void		 table_cell(struct table *, enum tone, const char *);
/* A line of text below the last row, wrapped and indented. */
void		 table_note(struct table *, enum tone, const char *);
/* Print it, each line indented so far, and release it. */
void		 table_print(struct screen *, int, struct table *);

/* NULL, 0 or the fallback for what is missing or of another kind. */
const char	*js_str(const json_t *, const char *);
json_int_t	 js_int(const json_t *, const char *, json_int_t);
int		 js_true(const json_t *, const char *);
/* A string of JSON; bytes that are not UTF-8 come out escaped.  The caller
 * owns it; NULL when out of memory. */
json_t		*js_make(const char *);
/* "" with a missing one. */
const char	*js_text(const json_t *, const char *);

#define TEXT_UNKNOWN	(-1)
#define TEXT_AMBIGUOUS	(-2)
/*
 * Which of so many names a word means: the one that it is, or the only one
 * that begins so.  Its number, or one of the above, which is said on
 * standard error in the name of that program.
 */
int		 text_pick(const char *, const char *, const char *(*)(size_t),
		    size_t);

#endif
