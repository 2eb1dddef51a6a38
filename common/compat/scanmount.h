/*
 * File systems that follow no symlinks, for directories in which somebody
 * else may plant them.
 */
#ifndef UPD_COMPAT_SCANMOUNT_H
#define UPD_COMPAT_SCANMOUNT_H

/* 1 root can be led astray neither by a symlink nor by a hard link of
 * somebody else's in that directory's file system; else 0. */
int	 mount_issafe(int);
/* Mount an empty tmpfs there that follows no symlinks and has neither
 * devices nor setuid.  0, or -1 with errno; ENOSYS, EINVAL: this system
 * does not know such. */
int	 mount_safe(const char *);

#endif
