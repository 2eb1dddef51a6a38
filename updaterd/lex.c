/*
 * The words of the configuration file.
 *
 * A file is read whole before its first token, from a descriptor that was
 * checked: a regular file, of root or of us, that nobody else may write.
 * Token texts live in one list until lex_end(), so that the parser may
 * drop them at any syntax error without a leak.
 *
 * Pieces that touch ($prefix"/bin") make one string.  A bare word of one
 * piece is a word, everything else is a string.  '#' starts a comment
 * between tokens only.
 *
 * An error leaves the stream of tokens balanced: every '{' the parser has
 * accepted is followed by its '}', whatever stands between, or by
 * LEX_TRUNCATED.  lex_skip() keeps it so: it passes over whole blocks and
 * stops before a '}' that closes a block opened earlier.
 */
#include <sys/types.h>
#include <sys/queue.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config.h"
#include "lex.h"
#include "log.h"
#include "macro.h"
#include "util.h"

#define FILE_MAX	(1024 * 1024)	/* bytes of one file */
#define FILES_MAX	64		/* files of one configuration */
#define INCLUDE_MAX	8		/* included by included by ... */
#define DEPTH_MAX	8		/* blocks in blocks */
#define TEXT_MAX	8192		/* bytes of one token */

#define COMPLAIN_CR	0x01		/* said once for each file */
#define COMPLAIN_NUL	0x02

struct source {
	char	*data;
	size_t	 len;
	size_t	 at;
	int	 file;			/* index in names */
	int	 line;
	size_t	 depth;			/* blocks open when it began */
	dev_t	 dev;
	ino_t	 ino;
	int	 complained;		/* COMPLAIN_ */
	int	 midline;		/* something since the last newline */
};

struct text {
	SLIST_ENTRY(text)	 entry;
	char			 s[];
};

static SLIST_HEAD(, text)	 texts = SLIST_HEAD_INITIALIZER(texts);
static struct args		 names;		/* of files, by index */
static struct source		 sources[INCLUDE_MAX];
static size_t			 nsources;
static int			 braces[DEPTH_MAX];	/* lines */
static size_t			 depth;
static int			 first;		/* next token begins one */
static int			 queue[2];	/* given out, last first */
static int			 nqueue;
static int			 truncated;
static lex_error		 complain;

/* --- texts ---------------------------------------------------------- */

static const char *
text_new(const char *s, size_t len)
{
	struct text	*t;

	if ((t = malloc(sizeof(*t) + len + 1)) == NULL)
		fatal("malloc");
	memcpy(t->s, s, len);
	t->s[len] = '\0';
	SLIST_INSERT_HEAD(&texts, t, entry);
	return t->s;
}

const char *
lex_join(const char *a, const char *b)
{
	char	*s;

	if (asprintf(&s, "%s%s", a, b) == -1)
		fatal("malloc");
	a = text_new(s, strlen(s));
	free(s);
	return a;
}

/* --- files ---------------------------------------------------------- */

void
lex_begin(lex_error fn)
{
	complain = fn;
	depth = 0;
	first = 1;
	nqueue = 0;
	truncated = 0;
}

const char *
lex_where(int pos, int seen)
{
	static char	 text[LINE_MAX];

	if (CONF_FILE(pos) == CONF_FILE(seen))
		snprintf(text, sizeof(text), "line %d", CONF_LINE(pos));
	else
		snprintf(text, sizeof(text), "line %d of %s", CONF_LINE(pos),
		    lex_filename(pos));
	return text;
}

const char *
lex_filename(int pos)
{
	size_t	 i = (size_t)CONF_FILE(pos);

	return i < names.n ? names.v[i] : "-";
}

size_t
lex_depth(void)
{
	return depth;
}

/* Of the innermost block. */
static int
brace_line(void)
{
	size_t	 n = depth < DEPTH_MAX ? depth : DEPTH_MAX;

	return n > 0 ? CONF_LINE(braces[n - 1]) : 0;
}

/* A relative include is looked for beside the file that names it. */
static char *
beside(const char *path, const char *includer)
{
	const char	*slash;
	char		*full;

	if (path[0] == '/' || includer == NULL ||
	    (slash = strrchr(includer, '/')) == NULL) {
		if ((full = strdup(path)) == NULL)
			fatal("malloc");
	} else if (asprintf(&full, "%.*s/%s", (int)(slash - includer),
	    includer, path) == -1)
		fatal("malloc");
	return full;
}

static int
is_open(const struct stat *st)
{
	size_t	 i;

	for (i = 0; i < nsources; i++)
		if (sources[i].dev == st->st_dev &&
		    sources[i].ino == st->st_ino)
			return 1;
	return 0;
}

/* Check on the open descriptor: what was checked is what will be read. */
static char *
read_checked(const char *path, int pos, struct stat *st, size_t *len)
{
	const char	*what = pos == 0 ? "the file" : path;
	char		*data = NULL;
	int		 fd;

	/* O_NONBLOCK: a FIFO in its place must not hold us up. */
	fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd == -1) {
		complain(pos, "cannot open %s: %s", what, strerror(errno));
		return NULL;
	}
	if (fstat(fd, st) == -1)
		complain(pos, "cannot stat %s: %s", what, strerror(errno));
	else if (!S_ISREG(st->st_mode))
		complain(pos, "%s is not a regular file", what);
	else if (st->st_uid != 0 && st->st_uid != geteuid())
		complain(pos, "%s must belong to root or to the user who "
		    "reads it", what);
	else if (st->st_mode & (S_IWGRP | S_IWOTH))
		complain(pos, "%s is writable by group or others, do: "
		    "chmod go-w %s", what, path);
	else if (is_open(st))
		complain(pos, "%s includes itself", what);
	else if ((data = fd_read(fd, FILE_MAX, len)) == NULL)
		complain(pos, "cannot read %s: %s", what, strerror(errno));
	close(fd);
	return data;
}

int
lex_open(const char *path, int pos)
{
	struct source	*s;
	struct stat	 st;
	char		*full, *data;
	size_t		 len;

	if (names.n >= FILES_MAX || nsources >= INCLUDE_MAX) {
		complain(pos, "cannot include %s: %s", path,
		    nsources >= INCLUDE_MAX ? "nested too deeply" :
		    "too many files");
		return -1;
	}
	full = beside(path, names.n > 0 ? lex_filename(pos) : NULL);
	/* The first error is about a file that has to have a name. */
	if (names.n == 0)
		args_add(&names, full);
	if ((data = read_checked(full, pos, &st, &len)) == NULL) {
		free(full);
		return -1;
	}
	if (nsources > 0)
		args_add(&names, full);
	free(full);

	s = &sources[nsources++];
	memset(s, 0, sizeof(*s));
	s->data = data;
	s->len = len;
	s->file = (int)names.n - 1;
	s->line = 1;
	s->depth = depth;
	s->dev = st.st_dev;
	s->ino = st.st_ino;
	return 0;
}

void
lex_end(void)
{
	struct text	*t;

	while (nsources > 0)
		free(sources[--nsources].data);
	while ((t = SLIST_FIRST(&texts)) != NULL) {
		SLIST_REMOVE_HEAD(&texts, entry);
		free(t);
	}
	macro_end();
	args_free(&names);
}

/* --- characters ----------------------------------------------------- */

static int
here(const struct source *s)
{
	return s->file << CONF_LINE_BITS | s->line;
}

static int
peek(const struct source *s)
{
	return s->at < s->len ? (unsigned char)s->data[s->at] : EOF;
}

static int
is_word(int c)
{
	return c > ' ' && c != 0x7f && strchr("{},=\"$#\\", c) == NULL;
}

/* A character that may stand nowhere; taken as white space. */
static void
bad_char(struct source *s, int c)
{
	int	 once = c == '\r' ? COMPLAIN_CR : c == '\0' ? COMPLAIN_NUL : 0;

	if (once != 0 && (s->complained & once))
		return;
	s->complained |= once;
	if (c == '\r')
		complain(here(s), "carriage return: the file has DOS line "
		    "ends, make them plain newlines");
	else if (c == '\0')
		complain(here(s), "NUL byte: not a text file");
	else if (c == '\\')
		complain(here(s), "backslash outside a string");
	else
		complain(here(s), "control character 0x%02x", c);
}

/* White space, continued lines and comments. */
static void
skip_blank(struct source *s)
{
	int	 c;

	for (; (c = peek(s)) != EOF; s->at++) {
		if (c == ' ' || c == '\t')
			continue;
		if (c == '\\' && s->at + 1 < s->len &&
		    s->data[s->at + 1] == '\n') {
			s->at++;
			s->line++;
			continue;
		}
		if (c == '#') {
			while ((c = peek(s)) != EOF && c != '\n') {
				if (c == '\r' || c == '\0')
					bad_char(s, c);
				s->at++;
			}
			s->at--;
			continue;
		}
		if (c == '\n' || (c > ' ' && c != 0x7f && c != '\\'))
			return;
		bad_char(s, c);
	}
}

/* One character of a token; beyond the limit they are dropped. */
static void
put(char *buf, size_t *len, int c)
{
	if (*len < TEXT_MAX)
		buf[*len] = (char)c;
	if (*len <= TEXT_MAX)
		(*len)++;
}

/* Behind the opening quote. */
static void
quoted(struct source *s, char *buf, size_t *len)
{
	int	 c;

	for (; (c = peek(s)) != EOF && c != '\n'; s->at++) {
		if (c == '"') {
			s->at++;
			return;
		}
		if (c == '\\') {
			s->at++;
			c = peek(s);
			if (c == EOF || c == '\n')
				break;
			if (c != '"' && c != '\\')
				complain(here(s), "unknown escape in a string: "
				    "only \\\" and \\\\ are known");
		}
		if ((c < ' ' && c != '\t') || c == 0x7f) {
			bad_char(s, c);
			continue;
		}
		put(buf, len, c);
	}
	complain(here(s), "string not closed on its line");
}

/* Behind the '$'. */
static void
expand(struct source *s, char *buf, size_t *len)
{
	const char	*name = s->data + s->at, *p;
	size_t		 n;

	n = macro_span(name, s->len - s->at);
	s->at += n;
	if (n == 0)
		complain(here(s), "\"$\" without the name of a macro");
	else if ((p = macro_value(name, n)) == NULL)
		complain(here(s), "macro \"%.*s\" is not defined",
		    n > 64 ? 64 : (int)n, name);
	else
		for (; *p != '\0'; p++)
			put(buf, len, (unsigned char)*p);
}

/* A token of one or more touching pieces. */
static void
pieces(struct source *s, struct token *t)
{
	char	 buf[TEXT_MAX];
	size_t	 len = 0, n = 0;
	int	 c, bare = 1;

	for (;; n++) {
		c = peek(s);
		if (c == '"' || c == '$') {
			s->at++;
			bare = 0;
			if (c == '"')
				quoted(s, buf, &len);
			else
				expand(s, buf, &len);
		} else if (is_word(c)) {
			for (; is_word(c = peek(s)); s->at++)
				put(buf, &len, c);
		} else
			break;
	}
	if (len > TEXT_MAX) {
		complain(t->pos, "word or string longer than %d bytes",
		    TEXT_MAX);
		len = TEXT_MAX;
	}
	t->type = bare && n == 1 ? LEX_WORD : LEX_STRING;
	if (t->type == LEX_WORD && t->first && depth == 0) {
		skip_blank(s);
		t->named = peek(s) == '=';
	}
	t->text = text_new(buf, len);
}

/* --- tokens --------------------------------------------------------- */

/*
 * The innermost file is through.  1: go on with the one it was included
 * from; 0: that was all.
 */
static int
end_of_source(struct source *s, struct token *t)
{
	if (depth != s->depth && !truncated) {
		truncated = 1;
		complain(here(s), "the file ends inside the block opened on "
		    "line %d", brace_line());
	}
	if (truncated) {
		t->type = LEX_TRUNCATED;
		return 0;
	}
	if (nsources == 1) {
		t->type = LEX_EOF;
		return 0;
	}
	free(s->data);
	s->data = NULL;
	nsources--;
	return 1;
}

/* Punctuation: count the blocks. */
static void
mark(struct token *t, int c)
{
	t->type = c;
	if (c == '{') {
		if (depth < DEPTH_MAX)
			braces[depth] = t->pos;
		depth++;
	} else if (c == '}') {
		if (depth == sources[nsources - 1].depth)
			t->stray = 1;
		else
			depth--;
	}
	if (c != ',' && c != '=')
		first = 1;
}

void
lex_next(struct token *t)
{
	struct source	*s;
	int		 c;

	do {
		s = &sources[nsources - 1];
		memset(t, 0, sizeof(*t));
		t->text = "";
		if (nqueue == 0)
			skip_blank(s);
		t->pos = here(s);
		t->first = first;
		first = 0;
		if (nqueue > 0) {
			mark(t, queue[--nqueue]);
			return;
		}
		if ((c = peek(s)) != EOF) {
			s->midline = c != '\n';
			if (strchr("\n{},=", c) == NULL) {
				pieces(s, t);
				return;
			}
			s->at++;
			mark(t, c);
			if (c == '\n')
				s->line++;
			return;
		}
		/* The last line of a file ends, newline or not. */
		if (s->midline) {
			s->midline = 0;
			mark(t, '\n');
			return;
		}
		first = 1;
	} while (end_of_source(s, t));
}

void
lex_skip(const struct token *bad)
{
	struct token	 t = *bad;
	size_t		 open = 0;

	if (bad->type == '\n')
		return;
	/*
	 * The parser drops the bad token and waits for a newline, which it
	 * must get before a '}' that closes what it has opened.
	 */
	for (;; lex_next(&t)) {
		switch (t.type) {
		case LEX_EOF:
		case LEX_TRUNCATED:
			return;		/* comes again */
		case '{':
			open++;
			break;
		case '}':
			if (t.stray)
				break;
			if (open > 0) {
				open--;
				break;
			}
			depth++;	/* it has been counted */
			queue[0] = '}';
			queue[1] = '\n';
			nqueue = 2;
			return;
		case '\n':
			if (open > 0)
				break;
			queue[0] = '\n';
			nqueue = 1;
			return;
		}
	}
}
