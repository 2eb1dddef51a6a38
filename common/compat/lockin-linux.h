/*
 * The two halves of sandbox-linux.c.
 */
#ifndef UPD_COMPAT_LOCKIN_LINUX_H
#define UPD_COMPAT_LOCKIN_LINUX_H

#include "sandbox.h"

/* ABI version of the kernel's Landlock, 0 if there is none. */
int	 landlock_abi(void);
/* Restrict this process.  0, or -1 with errno. */
int	 landlock_enter(const struct sandbox_opts *, int);
/* Install the filter.  0, or -1 with errno (ENOSYS: not to be had). */
int	 seccomp_enter(const struct sandbox_opts *);

#endif
