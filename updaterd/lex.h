/*
 * The words of the configuration file: reading, included files, quoting,
 * comments, lines; macros (macro.c) put in.  It knows no keyword.
 */
#ifndef UPD_LEX_H
#define UPD_LEX_H

#include <stddef.h>

/* Besides these: '\n' '{' '}' ',' '=' as themselves. */
enum {
	LEX_EOF = 0,
	LEX_WORD = 256,		/* bare word: may be a keyword */
	LEX_STRING,		/* quoted, or made of a macro: never one */
	LEX_TRUNCATED		/* the file ends inside a block; reported */
};

struct token {
	int		 type;
	const char	*text;	/* what it says; "" for punctuation; lives
				 * until lex_end() */
	int		 pos;	/* line and file, see CONF_LINE_BITS */
	int		 first;	/* 1: begins a statement (or a block) */
	int		 stray;	/* 1: a '}' that closes nothing */
	int		 named;	/* 1: '=' follows, no block is open: this
				 * is the name of a macro, keyword or not */
};

/* Told of every error: position and text. */
typedef void	(*lex_error)(int, const char *, ...)
		    __attribute__((format(printf, 2, 3)));

/* Begin; errors go to this function. */
void		 lex_begin(lex_error);
/* Read a file, from now on the tokens are its own, then those of the file
 * it was opened from.  The position is that of the include, 0 for the
 * first.  0, or -1 (reported). */
int		 lex_open(const char *, int);
void		 lex_next(struct token *);
/* After a syntax error at this token: go on with the end of its statement,
 * over any block it opens, but not beyond the block it stands in. */
void		 lex_skip(const struct token *);
/* Blocks open now. */
size_t		 lex_depth(void);
/* "line 7", or "line 7 of file" as seen from another file (the second
 * position).  Overwritten by the next call. */
const char	*lex_where(int, int);
/* Name of the file of a position. */
const char	*lex_filename(int);
/* Both texts in one, which lives until lex_end(). */
const char	*lex_join(const char *, const char *);
/* Release files, tokens, and the macros set by files. */
void		 lex_end(void);

#endif
