/*
 * EXTRACT: the tar archive from the pipe becomes a tree and a manifest.
 *
 * Two readers see every byte: frame.c, which is strict, and libarchive.
 * They must agree on each entry's type, size, name and link target; the
 * names used are the strict reader's, because libarchive composes the
 * Unicode of names from pax headers.  Anything but ARCHIVE_OK from
 * libarchive, a warning included, refuses the archive.
 *
 * Order for each entry: the frame, libarchive, policy (entry.c), agreement,
 * limits and what was there before (writer.c), then it is made.
 */
#include <sys/types.h>
#include <sys/stat.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <archive.h>
#include <archive_entry.h>

#include "entry.h"
#include "source.h"
#include "writer.h"

struct extract {
	struct unpack	*u;
	struct source	 src;
	struct writer	 w;
};

/* libarchive stopped: the strict reader's reason, if it has one, is the
 * better one. */
static enum upd_error
reader_failed(struct extract *x, const char *what)
{
	struct unpack	*u = x->u;
	struct frame	*f = &x->src.frame;
	const char	*text;

	if (x->src.sys_errno != 0) {
		errno = x->src.sys_errno;
		return unpack_fail_errno(u, "", "read archive");
	}
	if (f->error != UPD_OK)
		return unpack_fail(u, f->error, f->name.s, "%s", f->text);
	/* What it objects to in an archive it has words for. */
	text = archive_error_string(u->archive);
	if (text == NULL || archive_errno(u->archive) == ENOMEM)
		return unpack_fail(u, UPD_EIO, f->name.s, "out of memory");
	return unpack_fail(u, UPD_EFORMAT, f->name.s, "%s: %s", what, text);
}

/* The same bytes; a name that libarchive may have composed need only be
 * there. */
static int
same_name(const char *ours, const char *theirs)
{
	const char	*p;

	if (theirs == NULL)
		return 0;
	for (p = ours; *p != '\0'; p++)
		if ((uint8_t)*p >= 0x80)
			return 1;
	return strcmp(ours, theirs) == 0;
}

/* Do both readers see the same entry? */
static int
readers_agree(const struct frame_member *m, struct archive_entry *ae,
    enum entry_type type)
{
	mode_t		 ft = archive_entry_filetype(ae);
	const char	*hard = archive_entry_hardlink(ae);
	int		 ok;

	if (!same_name(m->path.s, archive_entry_pathname(ae)) ||
	    archive_entry_sparse_count(ae) > 0)
		return 0;
	switch (type) {
	case ENTRY_HARDLINK:
		ok = same_name(m->link.s, hard);
		break;
	case ENTRY_SYMLINK:
		ok = hard == NULL && ft == AE_IFLNK &&
		    same_name(m->link.s, archive_entry_symlink(ae));
		break;
	case ENTRY_DIR:
		ok = hard == NULL && ft == AE_IFDIR;
		break;
	default:
		ok = hard == NULL && ft == AE_IFREG;
		break;
	}
	return ok && (uint64_t)archive_entry_size(ae) == m->size;
}

static enum upd_error
extract_file(struct extract *x, const char *path, const struct frame_member *m)
{
	struct unpack	*u = x->u;
	enum upd_error	 error;
	const void	*data;
	size_t		 len;
	la_int64_t	 offset;
	int		 r;

	if ((error = writer_file(&x->w, path, (m->mode & 0111) != 0,
	    m->size)) != UPD_OK)
		return error;
	while ((r = archive_read_data_block(u->archive, &data, &len,
	    &offset)) == ARCHIVE_OK) {
		if ((uint64_t)offset != x->w.e.size)
			return unpack_fail(u, UPD_EENTRY, path, "sparse file");
		if ((error = writer_data(&x->w, data, len)) != UPD_OK)
			return error;
	}
	if (r != ARCHIVE_EOF)
		return reader_failed(x, "read contents");
	return writer_end(&x->w);
}

/* The policy of entry.c for one entry.  path becomes the one to make, from
 * a hard link's source. */
static enum upd_error
judge_entry(struct unpack *u, const struct frame_member *m,
    enum entry_type *type, char *path, char *from)
{
	const char	*why;
	char		 text[UPD_TEXT_SIZE];
	size_t		 len = strlen(m->path.s);

	if ((*type = entry_type(m->type, text)) == ENTRY_REFUSED)
		return unpack_fail(u, UPD_EENTRY, m->path.s, "%s", text);
	/* old tars' way to write a directory */
	if (*type == ENTRY_FILE && len > 0 && m->path.s[len - 1] == '/' &&
	    m->size == 0)
		*type = ENTRY_DIR;
	if ((why = entry_path(m->path.s, path)) != NULL)
		return unpack_fail(u, UPD_EENTRY, m->path.s, "%s", why);
	if (path[0] == '\0' && *type != ENTRY_DIR)
		return unpack_fail(u, UPD_EENTRY, m->path.s,
		    "the release itself is no directory");
	if (*type == ENTRY_SYMLINK &&
	    (why = entry_target(path, m->link.s)) != NULL)
		return unpack_fail(u, UPD_EENTRY, path, "%s", why);
	if (*type == ENTRY_HARDLINK &&
	    (why = entry_path(m->link.s, from)) != NULL)
		return unpack_fail(u, UPD_EENTRY, path, "hard link: %s", why);
	return UPD_OK;
}

static enum upd_error
extract_entry(struct extract *x, struct archive_entry *ae)
{
	struct unpack			*u = x->u;
	const struct frame_member	*m;
	char				 path[UPD_PATH_SIZE];
	char				 from[UPD_PATH_SIZE];
	enum entry_type			 type;
	enum upd_error			 error;

	if ((m = source_member(&x->src)) == NULL)
		return unpack_fail(u, UPD_EFORMAT, "",
		    "entry can be read in two ways");
	if ((error = judge_entry(u, m, &type, path, from)) != UPD_OK)
		return error;
	if (!readers_agree(m, ae, type))
		return unpack_fail(u, UPD_EENTRY, m->path.s,
		    "entry can be read in two ways");
	switch (type) {
	case ENTRY_DIR:
		return writer_dir(&x->w, path);
	case ENTRY_SYMLINK:
		return writer_symlink(&x->w, path, m->link.s);
	case ENTRY_HARDLINK:
		return writer_copy(&x->w, path, from);
	default:
		return extract_file(x, path, m);
	}
}

/* libarchive did not say OK to a header.  Often it objects, in words of its
 * own, to what the policy refuses anyway: a name that is no UTF-8. */
static enum upd_error
header_failed(struct extract *x)
{
	const struct frame_member	*m;
	char				 path[UPD_PATH_SIZE];
	char				 from[UPD_PATH_SIZE];
	enum entry_type			 type;
	enum upd_error			 error;

	if (x->src.frame.error == UPD_OK &&
	    (m = source_member(&x->src)) != NULL &&
	    (error = judge_entry(x->u, m, &type, path, from)) != UPD_OK)
		return error;
	return reader_failed(x, "read header");
}

static enum upd_error
extract_all(struct extract *x)
{
	struct unpack		*u = x->u;
	struct archive_entry	*ae;
	struct manifest_entry	 root;
	enum upd_error		 error;
	int			 r;

	memset(&root, 0, sizeof(root));
	root.type = MANIFEST_DIR;
	root.mode = WRITER_MODE_DIR;
	if (manifest_write(u->manifest, &root) == -1)
		return unpack_fail_errno(u, "", "write manifest");
	if (archive_read_open(u->archive, &x->src, NULL, source_read, NULL) !=
	    ARCHIVE_OK)
		return reader_failed(x, "open archive");
	while ((r = archive_read_next_header(u->archive, &ae)) == ARCHIVE_OK)
		if ((error = extract_entry(x, ae)) != UPD_OK)
			return error;
	if (r != ARCHIVE_EOF)
		return header_failed(x);
	if (source_drain(&x->src) == -1)
		return reader_failed(x, "read end");
	if (u->done.files == 0)
		return unpack_fail(u, UPD_EEMPTY, "", "no file in the archive");
	if (manifest_flush(u->manifest) == -1)
		return unpack_fail_errno(u, "", "write manifest");
	return UPD_OK;
}

enum upd_error
unpack_extract(struct unpack *u)
{
	static struct extract	 x;	/* large: no stack for it */
	enum upd_error		 error;

	x.u = u;
	source_init(&x.src, u->in, u->buf, UNPACK_BUF);
	writer_init(&x.w, u);
	error = extract_all(&x);
	u->fail.in = x.src.total;
	return error;
}
