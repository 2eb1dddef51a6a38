/*
 * A host's bundle: hosts/NAME/ with ca.crt ca.crl updater.crt updater.key,
 * the worker's pair if it has one, release.pub if there is one, and
 * NAME.tgz, which unpacks at / of the host:
 *
 *	etc/updaterd/		keys 0600, the rest 0644, root's
 *	etc/updaterd.conf	0600; not with a renewal, because by then it
 *				has been edited
 *
 * The directory etc/ is not in it: tar -p would change the host's.
 *
 * It is made under a dot-name beside its place and renamed in, so that
 * key and certificate of one bundle always fit; what was there before is
 * kept until the new one is complete.
 */
#include <sys/types.h>
#include <sys/stat.h>

#include <archive.h>
#include <archive_entry.h>
#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "master.h"
#include "bundle.h"
#include "keypair.h"

#define HOSTS_DIR	"hosts"
#define FILE_BYTES	(64U << 20)	/* a CRL may grow */
#define TGZ_SLACK	(64U << 10)	/* headers and what gzip adds */
#define NFILES		9

struct item {
	const char	*name;		/* in the directory */
	const char	*path;		/* in the tarball */
	struct buf	 data;
	mode_t		 mode;		/* on the host */
};

/* --- the configuration ------------------------------------------------ */

static const char conf_head[] =
"# updaterd.conf(5) of %s, as updatermaster made it.\n"
"# Check a change with: updaterd -n\n"
"\n"
"listen on * port %u\n"
"tls {\n"
"	ca \"/etc/updaterd/ca.crt\"\n"
"	crl \"/etc/updaterd/ca.crl\"\n"
"	certificate \"/etc/updaterd/updater.crt\"\n"
"	key \"/etc/updaterd/updater.key\"\n"
"}\n"
"\n"
"# read < control < push < self\n"
"permit self from subject \"updater-master\"\n"
"# permit read from subject \"monitor\"\n"
"\n";

static const char conf_release[] =
"# Take nothing that is not signed with this key.\n"
"# release key \"/etc/updaterd/release.pub\"\n"
"\n";

static const char conf_agent[] =
"agent \"default\" {\n"
"	root \"/opt/agent\"\n"
"\n"
"	# Run in the new tree before it takes over.\n"
"	# install { \"sh\" \"install.sh\" } timeout 300s\n"
"\n"
"	service \"agent\" {\n"
"		# Make it: useradd -r agent\n"
"		user \"agent\"\n"
"		# A path within what is pushed.\n"
"		command { \"bin/agent\" }\n"
"		# environment { \"LANG=C\" \"HOME=/var/lib/agent\" }\n"
"\n"
"		# Good if it still runs after a second.  Better: ask it.\n"
"		health none\n"
"		# health tcp 127.0.0.1 port 8765\n"
"		# health http 127.0.0.1 port 8765 path \"/health\" "
		    "status 200 {\n"
"		#	within 10s timeout 3s\n"
"		# }\n";

static const char conf_worker[] =
"		# health https 127.0.0.1 port 8765 path \"/health\" {\n"
"		#	ca \"/etc/updaterd/ca.crt\"\n"
"		#	certificate \"/etc/updaterd/worker.crt\"\n"
"		#	key \"/etc/updaterd/worker.key\"\n"
"		#	within 10s timeout 3s\n"
"		# }\n";

static const char conf_tail[] =
"\n"
"		# stop TERM within 10s\n"
"		log \"/var/log/agent.log\" size 1M keep 4\n"
"	}\n"
"}\n";

static int
make_conf(const struct bundle *b, int release, struct buf *out)
{
	if (buf_printf(out, conf_head, b->name, b->port) == -1 ||
	    (release && buf_printf(out, "%s", conf_release) == -1) ||
	    buf_printf(out, "%s%s%s", conf_agent, b->worker != NULL ?
	    conf_worker : "", conf_tail) == -1)
		return -1;
	return 0;
}

/* --- the tarball ------------------------------------------------------ */

static int
add_entry(struct archive *a, const char *path, mode_t type, mode_t mode,
    const struct buf *data)
{
	struct archive_entry	*e;
	int			 rv = -1;

	if ((e = archive_entry_new()) == NULL)
		return -1;
	archive_entry_set_pathname(e, path);
	archive_entry_set_filetype(e, type);
	archive_entry_set_perm(e, mode);
	archive_entry_set_uid(e, 0);
	archive_entry_set_gid(e, 0);
	archive_entry_set_mtime(e, time_real_us() / 1000000, 0);
	archive_entry_set_size(e, data != NULL ? (la_int64_t)data->len : 0);
	if (archive_write_header(a, e) == ARCHIVE_OK && (data == NULL ||
	    archive_write_data(a, data->data, data->len) ==
	    (la_ssize_t)data->len))
		rv = 0;
	archive_entry_free(e);
	return rv;
}

static int
make_tgz(const struct item *items, size_t n, struct buf *out)
{
	struct archive	*a;
	char		*data;
	size_t		 i, size = TGZ_SLACK, used = 0;
	int		 rv = -1;

	for (i = 0; i < n; i++)
		size += items[i].data.len + items[i].data.len / 100 + 1024;
	if ((data = malloc(size)) == NULL)
		return -1;
	if ((a = archive_write_new()) == NULL)
		goto done;
	if (archive_write_set_format_ustar(a) != ARCHIVE_OK ||
	    archive_write_add_filter_gzip(a) != ARCHIVE_OK ||
	    archive_write_open_memory(a, data, size, &used) != ARCHIVE_OK ||
	    add_entry(a, "etc/updaterd", AE_IFDIR, 0755, NULL) == -1)
		goto done;
	for (i = 0; i < n; i++)
		if (add_entry(a, items[i].path, AE_IFREG, items[i].mode,
		    &items[i].data) == -1)
			goto done;
	if (archive_write_close(a) == ARCHIVE_OK)
		rv = buf_add(out, data, used);
 done:
	if (rv == -1)
		warnx("cannot make the tarball: %s", a != NULL &&
		    archive_error_string(a) != NULL ?
		    archive_error_string(a) : "out of memory");
	archive_write_free(a);
	explicit_bzero(data, size);
	free(data);
	return rv;
}

/* --- files and directories -------------------------------------------- */

static int
from_master(const struct master *m, struct item *it)
{
	it->data.data = file_read(m->dirfd, it->name, FILE_BYTES,
	    &it->data.len);
	if (it->data.data == NULL) {
		warn("%s/%s", m->dir, it->name);
		return -1;
	}
	it->data.cap = it->data.len;
	return 0;
}

static int
from_buf(struct item *it, const struct buf *b)
{
	return buf_add(&it->data, b->data, b->len);
}

/* All that belongs to it; the count, or -1 (said). */
static int
collect(const struct master *m, const struct bundle *b, struct item *it)
{
	static const struct item	 all[NFILES] = {
		{ "ca.crt", "etc/updaterd/ca.crt", { 0 }, 0644 },
		{ "ca.crl", "etc/updaterd/ca.crl", { 0 }, 0644 },
		{ "updater.crt", "etc/updaterd/updater.crt", { 0 }, 0644 },
		{ "updater.key", "etc/updaterd/updater.key", { 0 }, 0600 },
		{ "worker.crt", "etc/updaterd/worker.crt", { 0 }, 0644 },
		{ "worker.key", "etc/updaterd/worker.key", { 0 }, 0600 },
		{ KEYPAIR_PUBLIC, "etc/updaterd/release.pub", { 0 }, 0644 },
		{ "updaterd.conf", "etc/updaterd.conf", { 0 }, 0600 },
	};
	int	 n = 0, e = 0, release;

	it[n] = all[0];
	if (from_master(m, &it[n++]) == -1)
		return -1;
	it[n] = all[1];
	if (from_master(m, &it[n++]) == -1)
		return -1;
	it[n] = all[2];
	e |= from_buf(&it[n++], &b->updater->crt);
	it[n] = all[3];
	e |= from_buf(&it[n++], &b->updater->key);
	if (b->worker != NULL) {
		it[n] = all[4];
		e |= from_buf(&it[n++], &b->worker->crt);
		it[n] = all[5];
		e |= from_buf(&it[n++], &b->worker->key);
	}
	release = faccessat(m->dirfd, KEYPAIR_PUBLIC, F_OK, 0) == 0;
	if (release) {
		it[n] = all[6];
		if (from_master(m, &it[n++]) == -1)
			return -1;
	}
	if (b->conf) {
		it[n] = all[7];
		e |= make_conf(b, release, &it[n++].data);
	}
	if (e != 0) {
		warn(NULL);
		return -1;
	}
	return n;
}

/* A flat directory of ours and its files. */
static void
remove_dir(int dirfd, const char *name)
{
	struct dirent	*de;
	DIR		*d;
	int		 fd;

	fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW |
	    O_CLOEXEC);
	if (fd == -1)
		return;
	if ((d = fdopendir(fd)) == NULL) {
		close(fd);
		return;
	}
	while ((de = readdir(d)) != NULL)
		if (strcmp(de->d_name, ".") != 0 &&
		    strcmp(de->d_name, "..") != 0)
			unlinkat(fd, de->d_name, 0);
	closedir(d);
	unlinkat(dirfd, name, AT_REMOVEDIR);
}

/* The directory that bundles are made in; -1 (said). */
static int
open_parent(const struct master *m, const struct bundle *b)
{
	int	 fd;

	if (b->out == NULL) {
		if (mkdirat(m->dirfd, HOSTS_DIR, 0700) == -1 &&
		    errno != EEXIST) {
			warn("%s/%s", m->dir, HOSTS_DIR);
			return -1;
		}
		fd = openat(m->dirfd, HOSTS_DIR, O_RDONLY | O_DIRECTORY |
		    O_NOFOLLOW | O_CLOEXEC);
	} else {
		if (mkdir(b->out, 0700) == -1 && errno != EEXIST) {
			warn("%s", b->out);
			return -1;
		}
		fd = open(b->out, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	}
	if (fd == -1)
		warn("%s", b->out != NULL ? b->out : HOSTS_DIR);
	return fd;
}

static int
write_all_items(int fd, const struct bundle *b, const struct item *items,
    size_t n)
{
	struct buf	 tgz = { NULL, 0, 0 };
	char		 name[NAME_MAX];
	size_t		 i;
	int		 rv = -1;

	for (i = 0; i < n; i++)
		if (file_write(fd, items[i].name, items[i].data.data,
		    items[i].data.len, items[i].mode) == -1) {
			warn("%s", items[i].name);
			return -1;
		}
	if (make_tgz(items, n, &tgz) == 0) {
		snprintf(name, sizeof(name), "%s.tgz", b->name);
		if ((rv = file_write(fd, name, tgz.data, tgz.len, 0600)) == -1)
			warn("%s", name);
	}
	if (tgz.data != NULL)
		explicit_bzero(tgz.data, tgz.cap);
	buf_free(&tgz);
	return rv;
}

/* Put the new directory in the place of the old one. */
static int
swap_in(int parent, const char *name, const char *new, const char *old)
{
	int	 had = 1;

	remove_dir(parent, old);
	if (renameat(parent, name, parent, old) == -1) {
		if (errno != ENOENT)
			return -1;
		had = 0;
	}
	if (renameat(parent, new, parent, name) == -1) {
		if (had && renameat(parent, old, parent, name) == -1)
			warn("%s", old);
		return -1;
	}
	if (fsync(parent) == -1)
		return -1;
	remove_dir(parent, old);
	return 0;
}

int
bundle_write(const struct master *m, const struct bundle *b)
{
	struct item	 items[NFILES];
	char		 new[NAME_MAX], old[NAME_MAX];
	int		 fd = -1, i, n, parent, rv = -1;

	memset(items, 0, sizeof(items));
	if ((parent = open_parent(m, b)) == -1)
		return -1;
	snprintf(new, sizeof(new), ".%s.new", b->name);
	snprintf(old, sizeof(old), ".%s.old", b->name);
	if ((n = collect(m, b, items)) == -1)
		goto done;
	remove_dir(parent, new);
	if (mkdirat(parent, new, 0700) == -1 || (fd = openat(parent, new,
	    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)) == -1) {
		warn("%s", new);
		goto done;
	}
	if (write_all_items(fd, b, items, (size_t)n) == -1) {
		remove_dir(parent, new);
		goto done;
	}
	if ((rv = swap_in(parent, b->name, new, old)) == -1)
		warn("%s", b->name);
 done:
	for (i = 0; i < NFILES; i++) {
		if (items[i].data.data != NULL)
			explicit_bzero(items[i].data.data, items[i].data.len);
		buf_free(&items[i].data);
	}
	if (fd != -1)
		close(fd);
	close(parent);
	return rv;
}

char *
bundle_path(const struct master *m, const struct bundle *b)
{
	char	*path;
	int	 n;

	if (b->out != NULL)
		n = asprintf(&path, "%s/%s/%s.tgz", b->out, b->name, b->name);
	else
		n = asprintf(&path, "%s/%s/%s/%s.tgz", m->dir, HOSTS_DIR,
		    b->name, b->name);
	if (n == -1)
		err(EXIT_FAILED, NULL);
	return path;
}

int
bundle_check(const struct bundle *b)
{
	struct stat	 st;
	char		*path;
	int		 rv = 0;

	/* A directory of somebody else's may hold anything. */
	if (b->out == NULL)
		return 0;
	if (asprintf(&path, "%s/%s", b->out, b->name) == -1)
		err(EXIT_FAILED, NULL);
	if (lstat(path, &st) == 0) {
		warnx("%s exists: remove it first, or give another "
		    "directory with -o", path);
		rv = -1;
	}
	free(path);
	return rv;
}
