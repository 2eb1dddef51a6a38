/*
 * A line of text about a thing of which there may be thousands: it takes
 * the memory of what it says, none where it says nothing or one of the
 * program's own sentences.  Zeroed it is empty.
 */
#ifndef UPD_NOTE_H
#define UPD_NOTE_H

struct note {
	const char	*text;		/* NULL: empty */
	char		*own;		/* malloced; NULL: text is not */
};

/* "" if it is empty; good until it is changed. */
const char	*note_text(const struct note *);
/* A copy of that text, less than UPD_TEXT_SIZE bytes of it; it may be the
 * note's own.  Never fails: without memory the note says so. */
void		 note_set(struct note *, const char *);
void		 note_printf(struct note *, const char *, ...)
		    __attribute__((format(printf, 2, 3)));
/* A string that stays: a literal. */
void		 note_const(struct note *, const char *);
void		 note_clear(struct note *);

#endif
