/*
 * Pack a tree: the same bytes for the same tree.
 *
 * What could differ between two packings is fixed: order (byte order of the
 * names of each directory), owners (0), times (0), modes (0755 where its
 * owner may execute, else 0644; directories 0755), hard links (packed as
 * files of their own), gzip's header (no name, no time).  The archive goes
 * into a file without a name, hashed while it is written.
 *
 * What must not leave stays (stays.c), and so does a file with a private key
 * in it, whatever anybody said.  Files are read twice, because the header
 * that a key would keep back comes first; a file that changes in between is
 * an error.
 *
 * Everything is opened relative to its directory without following links.
 */
#include <sys/types.h>
#include <sys/stat.h>

#include <archive.h>
#include <archive_entry.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <locale.h>
#include <openssl/evp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wchar.h>

#include "master.h"
#include "ignore.h"
#include "secrets.h"
#include "spool.h"
#include "stays.h"
#include "util.h"

#define IGNORE_BYTES	(1U << 20)
#define CHUNK		65536	/* bytes read at a time */
#define DEPTH		32	/* levels a host takes (DESIGN 4) */

struct pack {
	const struct pack_opts	*opts;
	struct ignore		 ignore;
	struct archive		*a;
	struct archive_entry	*entry;
	EVP_MD_CTX		*md;
	struct packed		*out;
	char			*text;		/* of an error */
	char			 path[UPD_PATH_SIZE];
	struct secret_scan	 scan;
	char			 chunk[CHUNK];
};

static int	fail(struct pack *, const char *, ...)
    __attribute__((format(printf, 2, 3)));

static int
fail(struct pack *p, const char *fmt, ...)
{
	va_list	 ap;

	va_start(ap, fmt);
	vsnprintf(p->text, UPD_TEXT_SIZE, fmt, ap);
	va_end(ap);
	return -1;
}

/* About what is at p->path. */
static int
fail_path(struct pack *p, const char *why)
{
	return fail(p, "%.384s: %.100s", p->path, why);
}

/* --- what stays ------------------------------------------------------- */

static void
left(const struct pack *p, const char *why)
{
	if (p->opts->left != NULL)
		p->opts->left(p->opts->arg, p->path, why);
}

/* 1: there is a private key in it; 0; or -1 with text. */
static int
has_key(struct pack *p, int fd)
{
	const char	*found;
	ssize_t		 n;

	p->scan.len = 0;
	do {
		if ((n = read(fd, p->chunk, sizeof(p->chunk))) == -1)
			return fail_path(p, strerror(errno));
		found = secret_scan(&p->scan, p->chunk, (size_t)n, n == 0);
		if (found != NULL) {
			left(p, found);
			return 1;
		}
	} while (n > 0);
	return 0;
}

/* --- what goes -------------------------------------------------------- */

static la_ssize_t
out(struct archive *a, void *arg, const void *data, size_t len)
{
	struct pack	*p = arg;

	if (write_all(p->out->fd, data, len) == -1 ||
	    EVP_DigestUpdate(p->md, data, len) != 1) {
		archive_set_error(a, errno, "%s", strerror(errno));
		return -1;
	}
	p->out->size += len;
	return (la_ssize_t)len;
}

static int
header(struct pack *p, mode_t type, mode_t mode, int64_t size,
    const char *target)
{
	struct archive_entry	*e = p->entry;

	archive_entry_clear(e);
	archive_entry_set_pathname(e, p->path);
	archive_entry_set_filetype(e, type);
	archive_entry_set_perm(e, mode);
	archive_entry_set_uid(e, 0);
	archive_entry_set_gid(e, 0);
	archive_entry_set_mtime(e, 0, 0);
	archive_entry_set_size(e, size);
	if (target != NULL)
		archive_entry_set_symlink(e, target);
	if (archive_write_header(p->a, e) != ARCHIVE_OK)
		return fail_path(p, archive_error_string(p->a));
	return 0;
}

static int
pack_regular(struct pack *p, int dirfd, const char *name)
{
	struct stat	 st;
	int64_t		 rest;
	ssize_t		 n;
	int		 fd, rv = -1, key;

	fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK |
	    O_CLOEXEC);
	if (fd == -1)
		return fail_path(p, strerror(errno));
	if (fstat(fd, &st) == -1 || !S_ISREG(st.st_mode)) {
		fail_path(p, "changed while it was packed");
		goto done;
	}
	if ((key = has_key(p, fd)) != 0) {
		rv = key == 1 ? 0 : -1;
		goto done;
	}
	if (lseek(fd, 0, SEEK_SET) == -1) {
		fail_path(p, strerror(errno));
		goto done;
	}
	if (header(p, AE_IFREG, st.st_mode & S_IXUSR ? 0755 : 0644,
	    st.st_size, NULL) == -1)
		goto done;
	for (rest = st.st_size; rest > 0; rest -= n) {
		n = read(fd, p->chunk, rest < CHUNK ? (size_t)rest : CHUNK);
		if (n == -1) {
			fail_path(p, strerror(errno));
			goto done;
		}
		if (n == 0) {
			fail_path(p, "became shorter while it was packed");
			goto done;
		}
		if (archive_write_data(p->a, p->chunk, (size_t)n) !=
		    (la_ssize_t)n) {
			fail_path(p, archive_error_string(p->a));
			goto done;
		}
	}
	if (read(fd, p->chunk, 1) != 0) {
		fail_path(p, "grew while it was packed");
		goto done;
	}
	p->out->files++;
	rv = 0;
 done:
	close(fd);
	return rv;
}

/* Does the target, seen from p->path, stay within the tree all the way? */
static int
inside(const char *path, const char *target)
{
	const char	*s;
	size_t		 n;
	int		 depth = 0;

	if (target[0] == '/' || target[0] == '\0')
		return 0;
	for (s = path; *s != '\0'; s++)
		depth += *s == '/';
	for (s = target; *s != '\0'; s += n + (s[n] == '/')) {
		n = strcspn(s, "/");
		if (n == 2 && s[0] == '.' && s[1] == '.') {
			if (--depth < 0)
				return 0;
		} else if (n > 0 && !(n == 1 && s[0] == '.'))
			depth++;
	}
	return 1;
}

static int
pack_symlink(struct pack *p, int dirfd, const char *name)
{
	char	 target[UPD_PATH_SIZE];
	ssize_t	 n;

	n = readlinkat(dirfd, name, target, sizeof(target));
	if (n == -1)
		return fail_path(p, strerror(errno));
	if ((size_t)n >= sizeof(target))
		return fail_path(p, "symbolic link: its target is too long");
	target[n] = '\0';
	if (!inside(p->path, target))
		return fail(p, "%.256s: symbolic link out of the tree, to "
		    "%.128s; --exclude leaves it out", p->path, target);
	return header(p, AE_IFLNK, 0777, 0, target);
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The names in a directory, in order; takes the descriptor.  -1: errno. */
static ssize_t
list(int fd, char ***names)
{
	struct dirent	*de;
	DIR		*d;
	char		**v = NULL, **w;
	size_t		 n = 0, cap = 0;
	int		 saved;

	*names = NULL;
	if ((d = fdopendir(fd)) == NULL) {
		close(fd);
		return -1;
	}
	while (errno = 0, (de = readdir(d)) != NULL) {
		if (strcmp(de->d_name, ".") == 0 ||
		    strcmp(de->d_name, "..") == 0)
			continue;
		if (n == cap) {
			cap = cap == 0 ? 64 : cap * 2;
			if ((w = reallocarray(v, cap, sizeof(*v))) == NULL)
				goto fail;
			v = w;
		}
		if ((v[n] = strdup(de->d_name)) == NULL)
			goto fail;
		n++;
	}
	if (errno != 0)
		goto fail;
	closedir(d);
	if (n > 0)
		qsort(v, n, sizeof(*v), by_name);
	*names = v;
	return (ssize_t)n;
 fail:
	saved = errno;
	while (n > 0)
		free(v[--n]);
	free(v);
	closedir(d);
	errno = saved;
	return -1;
}

static int	pack_directory(struct pack *, int, int);

static int
pack_one(struct pack *p, int dirfd, const char *name, int depth)
{
	struct stat	 st, cfg;
	const char	*why;
	int		 dir, fd = -1, venv = 0, rv;

	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == -1)
		return fail_path(p, strerror(errno));
	dir = S_ISDIR(st.st_mode);
	if (dir) {
		fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW |
		    O_CLOEXEC);
		venv = fd != -1 && fstatat(fd, "pyvenv.cfg", &cfg,
		    AT_SYMLINK_NOFOLLOW) == 0;
	}
	if ((why = stays_why(p->opts, &p->ignore, p->path, name, dir,
	    venv)) != NULL) {
		left(p, why);
		if (fd != -1)
			close(fd);
		return 0;
	}
	if (dir && fd == -1)
		return fail_path(p, strerror(errno));
	/* What a host would refuse is said before anything is sent. */
	if (mbstowcs(NULL, name, 0) == (size_t)-1)
		rv = fail_path(p, "its name is not UTF-8");
	else if (depth > DEPTH)
		rv = fail_path(p, "deeper than 32 levels");
	else if (S_ISREG(st.st_mode))
		return pack_regular(p, dirfd, name);
	else if (S_ISLNK(st.st_mode))
		return pack_symlink(p, dirfd, name);
	else if (!dir)
		rv = fail_path(p, "neither file, directory nor symbolic "
		    "link; --exclude leaves it out");
	else if ((rv = header(p, AE_IFDIR, 0755, 0, NULL)) == 0)
		return pack_directory(p, fd, depth);
	if (fd != -1)
		close(fd);
	return rv;
}

/* All that is in it; takes the descriptor. */
static int
pack_directory(struct pack *p, int fd, int depth)
{
	char	**names;
	ssize_t	 i, n;
	size_t	 len = strlen(p->path);
	int	 copy, rv = 0;

	if ((copy = fcntl(fd, F_DUPFD_CLOEXEC, 0)) == -1 ||
	    (n = list(copy, &names)) == -1) {
		close(fd);
		return fail_path(p, strerror(errno));
	}
	for (i = 0; i < n; i++) {
		if (rv == 0 && (size_t)snprintf(p->path + len,
		    sizeof(p->path) - len, "%s%s", len > 0 ? "/" : "",
		    names[i]) >= sizeof(p->path) - len)
			rv = fail_path(p, "longer than 1,024 bytes");
		if (rv == 0)
			rv = pack_one(p, fd, names[i], depth + 1);
		free(names[i]);
		p->path[len] = '\0';
	}
	free(names);
	close(fd);
	return rv;
}

/* --- the whole -------------------------------------------------------- */

static int
finish(struct pack *p)
{
	unsigned char	 md[EVP_MAX_MD_SIZE];
	unsigned int	 i, len;

	if (EVP_DigestFinal_ex(p->md, md, &len) != 1)
		return fail(p, "cannot hash");
	for (i = 0; i < len && 2 * i + 2 < sizeof(p->out->sha256); i++)
		snprintf(p->out->sha256 + 2 * i, 3, "%02x", md[i]);
	if (lseek(p->out->fd, 0, SEEK_SET) == -1)
		return fail(p, "%s", strerror(errno));
	return 0;
}

static int
read_ignore(struct pack *p, int fd)
{
	char	*data;
	size_t	 len;
	int	 rv;

	if ((data = file_read(fd, IGNORE_FILE, IGNORE_BYTES, &len)) == NULL) {
		if (errno == ENOENT)
			return 0;
		return fail(p, "%s: %s", IGNORE_FILE, strerror(errno));
	}
	rv = ignore_parse(&p->ignore, data);
	free(data);
	return rv == -1 ? fail(p, "out of memory") : 0;
}

static int
pack_root(struct pack *p)
{
	int	 fd;

	fd = open(p->opts->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd == -1)
		return fail(p, "%.384s: %s", p->opts->root, strerror(errno));
	if (read_ignore(p, fd) == -1) {
		close(fd);
		return -1;
	}
	if ((p->a = archive_write_new()) == NULL ||
	    (p->entry = archive_entry_new()) == NULL ||
	    archive_write_set_format_pax_restricted(p->a) != ARCHIVE_OK ||
	    archive_write_add_filter_gzip(p->a) != ARCHIVE_OK ||
	    archive_write_set_options(p->a, "gzip:!timestamp") !=
	    ARCHIVE_OK ||
	    archive_write_set_bytes_in_last_block(p->a, 1) != ARCHIVE_OK ||
	    archive_write_open(p->a, p, NULL, out, NULL) != ARCHIVE_OK) {
		close(fd);
		return fail(p, "cannot pack: %s", p->a != NULL &&
		    archive_error_string(p->a) != NULL ?
		    archive_error_string(p->a) : "out of memory");
	}
	if (pack_directory(p, fd, 0) == -1)
		return -1;
	if (archive_write_close(p->a) != ARCHIVE_OK)
		return fail(p, "cannot pack: %s", archive_error_string(p->a));
	if (p->out->files == 0)
		return fail(p, "%.384s: no file in it to pack",
		    p->opts->root);
	return finish(p);
}

int
pack_tree(const struct pack_opts *opts, struct packed *packed, char *text)
{
	struct pack	*p;
	locale_t	 utf8, was = (locale_t)0;
	int		 rv = -1;

	memset(packed, 0, sizeof(*packed));
	packed->fd = -1;
	if ((p = calloc(1, sizeof(*p))) == NULL) {
		strlcpy(text, "out of memory", UPD_TEXT_SIZE);
		return -1;
	}
	p->opts = opts;
	p->out = packed;
	p->text = text;
	/* Names go as UTF-8 whatever the user's language is. */
	if ((utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0)) ==
	    (locale_t)0)
		utf8 = newlocale(LC_CTYPE_MASK, "en_US.UTF-8", (locale_t)0);
	if (utf8 != (locale_t)0)
		was = uselocale(utf8);
	if ((p->md = EVP_MD_CTX_new()) == NULL ||
	    EVP_DigestInit_ex(p->md, EVP_sha256(), NULL) != 1)
		fail(p, "cannot hash");
	else if ((packed->fd = spool_open(text)) != -1)
		rv = pack_root(p);
	/* Before the descriptor: freeing may flush. */
	archive_write_free(p->a);
	archive_entry_free(p->entry);
	if (rv == -1 && packed->fd != -1) {
		close(packed->fd);
		packed->fd = -1;
	}
	EVP_MD_CTX_free(p->md);
	if (utf8 != (locale_t)0) {
		uselocale(was);
		freelocale(utf8);
	}
	ignore_free(&p->ignore);
	free(p);
	return rv;
}

int
pack_file(const char *path, struct packed *packed, char *text)
{
	struct pack	*p;
	ssize_t		 n;
	int		 fd, rv = -1;

	memset(packed, 0, sizeof(*packed));
	packed->fd = -1;
	if ((p = calloc(1, sizeof(*p))) == NULL) {
		strlcpy(text, "out of memory", UPD_TEXT_SIZE);
		return -1;
	}
	p->out = packed;
	p->text = text;
	/* Copied: it must not change under those who send it. */
	if ((fd = open(path, O_RDONLY | O_CLOEXEC)) == -1) {
		fail(p, "%.384s: %s", path, strerror(errno));
		goto done;
	}
	if ((p->md = EVP_MD_CTX_new()) == NULL ||
	    EVP_DigestInit_ex(p->md, EVP_sha256(), NULL) != 1) {
		fail(p, "cannot hash");
		goto done;
	}
	if ((packed->fd = spool_open(text)) == -1)
		goto done;
	while ((n = read(fd, p->chunk, sizeof(p->chunk))) > 0) {
		if (write_all(packed->fd, p->chunk, (size_t)n) == -1 ||
		    EVP_DigestUpdate(p->md, p->chunk, (size_t)n) != 1) {
			fail(p, "cannot copy %.256s: %s", path,
			    strerror(errno));
			goto done;
		}
		packed->size += (uint64_t)n;
	}
	if (n == -1)
		fail(p, "%.384s: %s", path, strerror(errno));
	else if (packed->size == 0)
		fail(p, "%.384s: is empty", path);
	else
		rv = finish(p);
 done:
	if (fd != -1)
		close(fd);
	if (rv == -1 && packed->fd != -1) {
		close(packed->fd);
		packed->fd = -1;
	}
	EVP_MD_CTX_free(p->md);
	free(p);
	return rv;
}
