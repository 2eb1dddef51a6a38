/* A key pair to sign releases with, in signify's format. */
#ifndef UPD_KEYPAIR_H
#define UPD_KEYPAIR_H

#define KEYPAIR_PUBLIC	"release.pub"
#define KEYPAIR_SECRET	"release.sec"

/* Write both files, over any of that name.  0, or -1 (said). */
int	 keypair_make(const struct master *);

#endif
