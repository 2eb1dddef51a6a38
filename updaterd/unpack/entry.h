/*
 * What an archive may contain: names and link targets judged.  Pure.
 */
#ifndef UPD_ENTRY_H
#define UPD_ENTRY_H

#include <stddef.h>

#include "proto.h"

/* DESIGN 4; bytes without the NUL, and levels of directories. */
#define ENTRY_PATH_MAX	1024
#define ENTRY_NAME_MAX	255
#define ENTRY_DEPTH_MAX	32

enum entry_type {
	ENTRY_FILE,
	ENTRY_DIR,
	ENTRY_SYMLINK,
	ENTRY_HARDLINK,
	ENTRY_REFUSED
};

/*
 * What a tar type flag stands for.  ENTRY_REFUSED: *why is the reason,
 * UPD_TEXT_SIZE bytes.
 */
enum entry_type	 entry_type(char, char *);
/*
 * Judge a path as the archive gives it.  NULL: good, and out (UPD_PATH_SIZE
 * bytes) is the path relative to the release, without leading "./" and
 * trailing "/": "" for the release itself.  Else why it is refused.
 */
const char	*entry_path(const char *, char *);
/*
 * Judge the target of the symlink at that path (of entry_path()).  NULL:
 * relative, and stays inside the release.  Else why it is refused.
 */
const char	*entry_target(const char *, const char *);
/*
 * A name for a terminal: printable ASCII as it is, a backslash doubled,
 * other bytes as \xNN, "..." where it had to be cut.
 */
void		 entry_escape(const char *, char *, size_t);

#endif
