/*
 * Making bytes fit for JSON and for a person.
 */
#ifndef UPD_UTF8_H
#define UPD_UTF8_H

#include "util.h"

/*
 * Append the bytes as valid UTF-8: what is not becomes U+FFFD, one for each
 * byte that does not fit; NULs are left out.  At either end a sequence
 * that was cut is left out, too.  0, or -1 ENOMEM.
 */
int	 utf8_clean(struct buf *, const void *, size_t);
/*
 * Mend a string in place: a byte that does not fit becomes '?', a sequence
 * cut off at the end goes.  For what a child sent and what was truncated:
 * JSON takes nothing else, and an answer must not fail for its text.
 */
void	 utf8_mend(char *);

#endif
