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

#endif
