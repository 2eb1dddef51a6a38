/*
 * Opening names from outside below a directory, and starting write-back:
 * what systems do differently.
 */
#ifndef UPD_COMPAT_BENEATH_H
#define UPD_COMPAT_BENEATH_H

#include <sys/types.h>

/*
 * openat(dirfd, path, flags | O_CLOEXEC, mode) that stays below dirfd: no
 * symlink anywhere in the path, the last component included, no "..", no
 * absolute path.  "." is dirfd itself.  A descriptor, or -1 with errno:
 * ELOOP or ENOTDIR at a symlink, EXDEV for "..", for "/" and, where the
 * system can tell, at a mount point.
 */
int	 beneath_open(int, const char *, int, mode_t);
/* The same one component at a time, for systems without a call for it. */
int	 beneath_walk(int, const char *, int, mode_t);

/* Begin writing the file's dirty pages to the disk, without waiting for
 * them.  A hint only: no failure to report. */
void	 writeback_start(int);

#endif
