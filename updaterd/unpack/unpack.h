/*
 * What the parts of the unpack process share.
 */
#ifndef UPD_UNPACK_H
#define UPD_UNPACK_H

#include <sys/types.h>
#include <sys/stat.h>
#include <stdint.h>

#include <openssl/evp.h>

#include "error.h"
#include "imsg.h"
#include "manifest.h"
#include "names.h"
#include "proto.h"

#define UNPACK_BUF	(1024 * 1024)	/* bytes: as much as the pipe holds */

struct unpack {
	struct msg_unpack_start	 limits;
	int			 root;		/* the directory */
	struct imsgbuf		*ibuf;
	int			 in;		/* EXTRACT: the pipe; DIFF:
						 * old manifest, or -1 */
	int			 manifest_fd;
	/* made before the sandbox is entered */
	uint8_t			*buf;		/* UNPACK_BUF bytes: what is
						 * read, the archive or files */
	EVP_MD_CTX		*md;		/* SHA-256 */
	struct names		*names;
	struct manifest_writer	*manifest;	/* EXTRACT, MANIFEST */
	struct manifest_reader	*reader;	/* VERIFY */
	struct archive		*archive;	/* EXTRACT */
	struct msg_unpack_done	 done;
	struct msg_fail		 fail;
};

/*
 * The modes.  UPD_OK with u->done filled in, or an error, which is in
 * u->fail as well, text and path included.
 */
enum upd_error	 unpack_extract(struct unpack *);
enum upd_error	 unpack_manifest(struct unpack *);
enum upd_error	 unpack_verify(struct unpack *);
enum upd_error	 unpack_diff(struct unpack *);

/*
 * walk.c.  Every entry below the directory, sorted: directory's descriptor,
 * name in it, path; the last says whether to go down into it.  The first
 * error ends it.
 */
typedef enum upd_error	(*visit_fn)(struct unpack *, int, const char *,
			    const char *, int *);
enum upd_error	 unpack_walk(struct unpack *, visit_fn);
/* Type, mode and size of one entry, a link's target, and its stat; its path
 * is set.  What no release may hold is UPD_EENTRY. */
enum upd_error	 unpack_look(struct unpack *, int, const char *,
		    struct manifest_entry *, struct stat *);
/* Hash a file that was looked at; its size is taken anew. */
enum upd_error	 unpack_read(struct unpack *, int, const char *,
		    struct manifest_entry *);

/* Note a failure at an entry ("" none, else a raw name); returns error. */
enum upd_error	 unpack_fail(struct unpack *, enum upd_error, const char *,
		    const char *, ...) __attribute__((format(printf, 4, 5)));
/* The same from errno: no space is UPD_ENOSPACE, else UPD_EIO. */
enum upd_error	 unpack_fail_errno(struct unpack *, const char *,
		    const char *);
/* Take up another entry of the limits; what it is in u->done. */
enum upd_error	 unpack_count(struct unpack *, const char *);
/* SHA-256 and size of the rest of an open file. */
enum upd_error	 unpack_hash(struct unpack *, int, const char *, uint64_t *,
		    uint8_t *);

#endif
