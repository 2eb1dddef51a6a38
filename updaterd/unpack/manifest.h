/*
 * The manifest of a release, in mtree(5) format: "#mtree", then one line
 * an entry with its full path, directories before what is in them.
 */
#ifndef UPD_MANIFEST_H
#define UPD_MANIFEST_H

#include <sys/types.h>
#include <stddef.h>
#include <stdint.h>

#include "proto.h"

#define MANIFEST_HEAD		"#mtree\n"
#define MANIFEST_LINK_SIZE	4096	/* link target, bytes with the NUL */
/* A line at most: each byte of both names as \ooo, and the keywords. */
#define MANIFEST_LINE_MAX	(4 * (UPD_PATH_SIZE + MANIFEST_LINK_SIZE) + 256)

enum manifest_type {
	MANIFEST_FILE,
	MANIFEST_DIR,
	MANIFEST_LINK,
	MANIFEST__MAX
};
const char	*manifest_typename(enum manifest_type);

struct manifest_entry {
	enum manifest_type	 type;
	uint32_t		 mode;		/* permission bits */
	uint64_t		 size;		/* FILE */
	uint8_t			 digest[UPD_DIGEST_LEN];	/* FILE */
	char			 path[UPD_PATH_SIZE];	/* "" the root */
	char			 link[MANIFEST_LINK_SIZE];	/* LINK */
};

/* Pure: write a line, newline included, into MANIFEST_LINE_MAX + 1 bytes;
 * its length. */
size_t		 manifest_format(const struct manifest_entry *, char *);
/* Pure: read a line without its newline.  NULL, or what is wrong. */
const char	*manifest_parse(const char *, size_t, struct manifest_entry *);

/* Buffered writing to a descriptor. */
struct manifest_writer;
struct manifest_writer *manifest_writer_new(int);	/* NULL: ENOMEM */
void		 manifest_writer_free(struct manifest_writer *);
int		 manifest_write(struct manifest_writer *,
		    const struct manifest_entry *);	/* 0, or -1, errno */
int		 manifest_flush(struct manifest_writer *);	/* the same */

/* Reading from a descriptor. */
struct manifest_reader;
struct manifest_reader *manifest_reader_new(int);	/* NULL: ENOMEM */
void		 manifest_reader_free(struct manifest_reader *);
/* 1 an entry, 0 the end, -1 with *why (NULL: errno). */
int		 manifest_read(struct manifest_reader *,
		    struct manifest_entry *, const char **);
uint32_t	 manifest_lineno(const struct manifest_reader *);

#endif
