/*
 * Unit files that a release ships, put where systemd finds them.
 */
#ifndef UPD_UNITFILE_H
#define UPD_UNITFILE_H

#define UNITFILE_DIR	"/run/systemd/system"
#define UNITFILE_SHIPPED "etc/systemd/system"	/* in a release */

/*
 * Have the unit's file be that of the release, whose directory is given: 1
 * it was not and is now (systemd must reload), 0 it was, or -1 with text
 * (UPD_TEXT_SIZE): it cannot be, and nothing was changed.
 */
int	 unitfile_install(int, const char *, char *);
/* Remove the unit's file where it is ours to remove.  1 it was there (as
 * above), 0 it was not, or -1 with errno. */
int	 unitfile_remove(const char *);
/* That directory, made where it is missing.  -1 with errno. */
int	 unitfile_dir(void);

#endif
