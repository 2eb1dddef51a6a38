/*
 * Lines of text that take no more memory than they need.
 */
#include <sys/types.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "note.h"
#include "proto.h"

static const char lost[] = "(no memory for what there was to say)";

const char *
note_text(const struct note *n)
{
	return n->text != NULL ? n->text : "";
}

void
note_clear(struct note *n)
{
	free(n->own);
	n->text = n->own = NULL;
}

void
note_const(struct note *n, const char *text)
{
	note_clear(n);
	n->text = text;
}

void
note_set(struct note *n, const char *text)
{
	char	*copy;

	if (text[0] == '\0') {
		note_clear(n);
		return;
	}
	copy = strndup(text, UPD_TEXT_SIZE - 1);
	note_clear(n);		/* not before: text may be in it */
	n->own = copy;
	n->text = copy != NULL ? copy : lost;
}

void
note_printf(struct note *n, const char *fmt, ...)
{
	char	 text[UPD_TEXT_SIZE];
	va_list	 ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	note_set(n, text);
}
