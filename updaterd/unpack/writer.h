/*
 * Making entries of a release below a directory.
 */
#ifndef UPD_WRITER_H
#define UPD_WRITER_H

#include <sys/types.h>
#include <stdint.h>

#include "unpack.h"

#define WRITER_MODE_DIR		0755
#define WRITER_MODE_FILE	0644
#define WRITER_MODE_EXEC	0755
#define WRITER_COPY_SIZE	(64 * 1024)	/* bytes at once */

struct writer {
	struct unpack		*u;
	int			 dirfd;		/* of the last entry, or -1 */
	char			 dir[UPD_PATH_SIZE];	/* its path */
	int			 fd;		/* the file being written */
	uint64_t		 want;		/* bytes it shall have */
	uint64_t		 unchecked;	/* bytes since the last look */
	uint32_t		 since;		/* entries since then */
	struct manifest_entry	 e;		/* the entry being made */
	/* For copies; u->buf holds the archive's next bytes meanwhile. */
	uint8_t			 copy[WRITER_COPY_SIZE];
};

/*
 * Paths are those of entry_path().  All return UPD_OK, or an error that is
 * in u->fail as well.  Missing directories are made.
 */
void		 writer_init(struct writer *, struct unpack *);
/* "" is the root, which is there already. */
enum upd_error	 writer_dir(struct writer *, const char *);
enum upd_error	 writer_symlink(struct writer *, const char *, const char *);
/* A file of that many bytes, executable or not: then its contents by
 * writer_data(), then writer_end(). */
enum upd_error	 writer_file(struct writer *, const char *, int, uint64_t);
enum upd_error	 writer_data(struct writer *, const void *, size_t);
enum upd_error	 writer_end(struct writer *);
/* A copy of an earlier file: what a hard link becomes. */
enum upd_error	 writer_copy(struct writer *, const char *, const char *);

#endif
