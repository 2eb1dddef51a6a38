/*
 * DIFF: what a new manifest adds to, changes in and removes from an old
 * one.
 *
 * Sets of digests only, whatever the number of entries: of the old
 * manifest each path and each whole line, of the new one each path.  A new
 * line that is in the old manifest is unchanged; else its path tells added
 * from changed.  The old manifest is then read once more for the paths the
 * new one does not have.  Keys of paths and of lines begin with different
 * letters.
 */
#include <sys/types.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "entry.h"
#include "orders.h"
#include "unpack.h"

struct diff {
	struct unpack		*u;
	struct names		*old, *new;
	struct msg_unpack_diff	 msg;
	struct manifest_entry	 e;
	char			 key[MANIFEST_LINE_MAX + 2];
};

/* The key of e's path, or of its line; its length. */
static size_t
key_path(struct diff *d)
{
	return (size_t)snprintf(d->key, sizeof(d->key), "P%s", d->e.path);
}

static size_t
key_line(struct diff *d)
{
	d->key[0] = 'L';
	return manifest_format(&d->e, d->key + 1) + 1;
}

static void
report(struct diff *d, enum diff_kind kind)
{
	d->msg.kind = kind;
	if (d->msg.total[kind]++ >= UPD_DIFF_MAX)
		return;
	entry_escape(d->e.path[0] == '\0' ? "." : d->e.path, d->msg.path,
	    sizeof(d->msg.path));
	orders_send(d->u->ibuf, IMSG_UNPACK_DIFF, &d->msg, sizeof(d->msg));
}

static enum upd_error
put(struct diff *d, struct names *n, size_t len)
{
	if (names_put(n, d->key, len, NAME_FILE) == -1)
		return unpack_fail(d->u, UPD_EIO, "", "out of memory");
	return UPD_OK;
}

static enum upd_error
take_old(struct diff *d)
{
	enum upd_error	 error;

	if ((error = put(d, d->old, key_path(d))) != UPD_OK)
		return error;
	return put(d, d->old, key_line(d));
}

static enum upd_error
take_new(struct diff *d)
{
	struct unpack	*u = d->u;
	size_t		 len;

	u->done.entries++;
	if (d->e.type == MANIFEST_FILE) {
		u->done.files++;
		u->done.bytes += d->e.size;
	}
	len = key_line(d);
	if (names_get(d->old, d->key, len) == NAME_NONE) {
		len = key_path(d);
		report(d, names_get(d->old, d->key, len) == NAME_NONE ?
		    DIFF_ADDED : DIFF_CHANGED);
	}
	return put(d, d->new, key_path(d));
}

static enum upd_error
take_gone(struct diff *d)
{
	size_t	 len = key_path(d);

	if (names_get(d->new, d->key, len) == NAME_NONE)
		report(d, DIFF_REMOVED);
	return UPD_OK;
}

/* Each entry of a manifest, from its beginning. */
static enum upd_error
each(struct diff *d, int fd, enum upd_error (*take)(struct diff *))
{
	struct manifest_reader	*r;
	enum upd_error		 error = UPD_OK;
	const char		*why;
	int			 n;

	if (lseek(fd, 0, SEEK_SET) == -1)
		return unpack_fail_errno(d->u, "", "seek manifest");
	if ((r = manifest_reader_new(fd)) == NULL)
		return unpack_fail(d->u, UPD_EIO, "", "out of memory");
	while ((n = manifest_read(r, &d->e, &why)) == 1 &&
	    (error = take(d)) == UPD_OK)
		continue;
	if (n == -1 && why == NULL)
		error = unpack_fail_errno(d->u, "", "read manifest");
	else if (n == -1)
		error = unpack_fail(d->u, UPD_EVERIFY, "",
		    "manifest is damaged: line %u: %s", manifest_lineno(r),
		    why);
	manifest_reader_free(r);
	return error;
}

enum upd_error
unpack_diff(struct unpack *u)
{
	static struct diff	 d;	/* large: no stack for it */
	enum upd_error		 error;

	memset(&d, 0, sizeof(d));
	d.u = u;
	d.old = u->names;
	if ((d.new = names_new()) == NULL)
		return unpack_fail(u, UPD_EIO, "", "out of memory");
	if ((u->in != -1 &&
	    (error = each(&d, u->in, take_old)) != UPD_OK) ||
	    (error = each(&d, u->manifest_fd, take_new)) != UPD_OK ||
	    (u->in != -1 &&
	    (error = each(&d, u->in, take_gone)) != UPD_OK))
		goto out;
	d.msg.path[0] = '\0';
	orders_send(u->ibuf, IMSG_UNPACK_DIFF, &d.msg, sizeof(d.msg));
out:
	names_free(d.new);
	return error;
}
