/*
 * The macros of the configuration: names for texts.
 */
#ifndef UPD_MACRO_H
#define UPD_MACRO_H

#include <stddef.h>

/* How many bytes at the beginning of this text may be a macro's name. */
size_t		 macro_span(const char *, size_t);
/* Its value, which lives until it is set anew; NULL: not defined. */
const char	*macro_value(const char *, size_t);
/* Set a macro.  One that is `fixed` (the command line's) stays for good and
 * cannot be changed by a file.  0, or -1: not fit for a name, or the value
 * holds control characters. */
int		 macro_set(const char *, const char *, int);
/* Forget those that are not fixed. */
void		 macro_end(void);

#endif
