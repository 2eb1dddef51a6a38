/*
 * What to say of a word that the grammar does not take: the sentence by
 * which its writer finds and mends it.
 */
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "config.h"
#include "lex.h"
#include "setting.h"
#include "syntax.h"

static const char *const keywords[] = {
#define K(name, token)	name,
	KEYWORDS(K)
#undef K
};
#define NKEYWORDS	(sizeof(keywords) / sizeof(keywords[0]))

#define SHORT		4	/* bytes: one slip of the pen, else two */

int
syntax_keyword(const char *word)
{
	size_t	 i;

	for (i = 0; i < NKEYWORDS; i++)
		if (strcmp(word, keywords[i]) == 0)
			return (int)i;
	return -1;
}

/* ", did you mean ...?", or "" when no keyword is near. */
static const char *
hint(const char *word)
{
	static char	 text[64];
	size_t		 i, len, best = NKEYWORDS;
	int		 d, least = INT_MAX;

	for (i = 0; i < NKEYWORDS; i++) {
		len = strlen(keywords[i]);
		if (strlen(word) < len)
			len = strlen(word);
		/* Doubled, so that the same first letter may decide. */
		d = 2 * value_distance(word, keywords[i]) +
		    (word[0] != keywords[i][0]);
		if (len > 1 && d < least && d / 2 <= (len > SHORT ? 2 : 1)) {
			least = d;
			best = i;
		}
	}
	if (best == NKEYWORDS)
		return "";
	snprintf(text, sizeof(text), ", did you mean \"%s\"?",
	    keywords[best]);
	return text;
}

void
syntax_explain(const struct token *tok, const struct token *before,
    const char *missing)
{
	/* At the top a strange word may yet become a macro: it was taken,
	 * and the token behind it is the one that does not fit. */
	if (before->first && before->type == LEX_WORD && lex_depth() ==
	    (size_t)(tok->type == '{') && syntax_keyword(before->text) == -1) {
		setting_error(before->pos, "unknown keyword \"%.64s\"%s",
		    before->text, hint(before->text));
		return;
	}
	if (missing != NULL && tok->type != LEX_TRUNCATED) {
		setting_error(tok->pos, "%s", missing);
		return;
	}
	switch (tok->type) {
	case LEX_TRUNCATED:
		break;		/* has been said */
	case LEX_EOF:
		setting_error(tok->pos, "unexpected end of the file");
		break;
	case '\n':
		setting_error(tok->pos, "the line ends too early, behind "
		    "\"%.64s\"", before->type < LEX_WORD ?
		    (char []){ (char)before->type, '\0' } : before->text);
		break;
	case LEX_STRING:
		setting_error(tok->pos, "unexpected string \"%.64s\"",
		    tok->text);
		break;
	case LEX_WORD:
		if (syntax_keyword(tok->text) != -1)
			setting_error(tok->pos, "\"%s\" cannot stand here%s",
			    tok->text, tok->first ? "" :
			    "; a text that is also a keyword needs quotes");
		else if (tok->first)
			setting_error(tok->pos, "unknown keyword \"%.64s\"%s",
			    tok->text, hint(tok->text));
		else
			setting_error(tok->pos, "unexpected \"%.64s\"%s",
			    tok->text, hint(tok->text));
		break;
	default:
		setting_error(tok->pos, "unexpected \"%c\"%s", tok->type,
		    tok->stray ? ": no block is open" : "");
	}
}
