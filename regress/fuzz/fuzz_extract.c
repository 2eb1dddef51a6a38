/*
 * The archive path as the unpack process drives it: extract.c over a tar
 * archive in memory, into a directory.  An archive that is accepted left a
 * tree that its own manifest describes, every symlink inside; any other says
 * why.  Nothing may appear beside the directory.  Header checksums are put
 * right first.
 */
/* LINK: updaterd/unpack/extract.o updaterd/unpack/writer.o updaterd/unpack/verify.o updaterd/unpack/walk.o updaterd/unpack/diff.o updaterd/unpack/report.o updaterd/unpack/entry.o updaterd/unpack/names.o updaterd/unpack/frame.o updaterd/unpack/pax.o updaterd/unpack/tarname.o updaterd/unpack/source.o updaterd/unpack/manifest.o updaterd/unpack/manifest_io.o common/compat/beneath-linux.o common/compat/beneath-walk.o common/proto.o common/util.o common/error.o common/compat/imsg.o regress/fuzz/quiet.o */
/* LIBS: -larchive -lcrypto */
#include <sys/mman.h>

#include <dirent.h>
#include <locale.h>

#include <archive.h>

#include "scratch.h"
#include "unpack.h"
#include "orders.h"
#include "util.h"

#define MAGIC		257
#define SUM		148
#define BLOCK		512
#define FILES_MAX	100
#define BYTES_MAX	(256 * 1024)
#define INODES_MAX	0		/* none is kept in reserve */

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static uint8_t	 buf[UNPACK_BUF];

/* Of DIFF, which is not run here. */
void
orders_send(struct imsgbuf *ibuf, uint32_t type, const void *data, size_t len)
{
	abort();
}

static void
repair(uint8_t *p, size_t len)
{
	unsigned int	 sum, i;

	for (; len >= BLOCK; p += BLOCK, len -= BLOCK) {
		if (memcmp(p + MAGIC, "ustar", 5) != 0)
			continue;
		memset(p + SUM, ' ', 8);
		for (sum = 0, i = 0; i < BLOCK; i++)
			sum += p[i];
		snprintf((char *)p + SUM, 8, "%06o", sum);
		p[SUM + 7] = ' ';
	}
}

static int
memory_file(const void *data, size_t len)
{
	int	 fd;

	if ((fd = memfd_create("fuzz", MFD_CLOEXEC)) == -1 ||
	    write_all(fd, data, len) == -1 || lseek(fd, 0, SEEK_SET) == -1)
		abort();
	return fd;
}

static void
unpack_begin(struct unpack *u, enum unpack_mode mode, int root, int manifest)
{
	memset(u, 0, sizeof(*u));
	u->limits.mode = mode;
	u->limits.max_files = FILES_MAX;
	u->limits.max_bytes = BYTES_MAX;
	u->limits.reserve_inodes = INODES_MAX;
	u->root = root;
	u->in = -1;
	u->manifest_fd = manifest;
	u->buf = buf;
	if ((u->md = EVP_MD_CTX_new()) == NULL ||
	    !EVP_DigestInit_ex(u->md, EVP_sha256(), NULL) ||
	    (u->names = names_new()) == NULL)
		abort();
}

static void
unpack_end(struct unpack *u)
{
	EVP_MD_CTX_free(u->md);
	names_free(u->names);
	if (u->manifest != NULL)
		manifest_writer_free(u->manifest);
	if (u->reader != NULL)
		manifest_reader_free(u->reader);
	if (u->archive != NULL)
		archive_read_free(u->archive);
}

/* Nothing but "tree" in the scratch directory. */
static void
check_beside(void)
{
	struct dirent	*de;
	DIR		*dir;

	if ((dir = opendir(scratch)) == NULL)
		abort();
	while ((de = readdir(dir)) != NULL)
		if (strcmp(de->d_name, ".") != 0 &&
		    strcmp(de->d_name, "..") != 0 &&
		    strcmp(de->d_name, "tree") != 0)
			abort();
	closedir(dir);
}

/* A symlink so many directories down must stay inside. */
static void
check_link(const char *path, int depth)
{
	char	 target[4096], *p;
	ssize_t	 n;
	size_t	 len;

	if ((n = readlink(path, target, sizeof(target) - 1)) <= 0 ||
	    target[0] == '/')
		abort();
	target[n] = '\0';
	for (p = target; *p != '\0'; p += len + (p[len] == '/')) {
		len = strcspn(p, "/");
		if (len == 2 && memcmp(p, "..", 2) == 0) {
			if (--depth < 0)
				abort();
		} else if (len > 0 && !(len == 1 && *p == '.'))
			depth++;
	}
}

/* Types, modes and links; then it goes. */
static int
visit(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	if (S_ISLNK(st->st_mode))
		check_link(path, ftw->level - 1);
	else if (S_ISREG(st->st_mode)) {
		if (st->st_nlink != 1 || (st->st_mode & 07777 & ~0755) != 0)
			abort();
	} else if (!S_ISDIR(st->st_mode))
		abort();
	if (remove(path) == -1)
		abort();
	return 0;
}

static void
check_tree(int root, int manifest, const struct msg_unpack_done *done)
{
	struct unpack	 u;

	if (lseek(manifest, 0, SEEK_SET) == -1)
		abort();
	unpack_begin(&u, UNPACK_VERIFY, root, manifest);
	if ((u.reader = manifest_reader_new(manifest)) == NULL ||
	    unpack_verify(&u) != UPD_OK)
		abort();
	if (done->files == 0 || done->files > FILES_MAX ||
	    done->entries > FILES_MAX || done->bytes > BYTES_MAX)
		abort();
	unpack_end(&u);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static int	 ready;
	struct unpack	 u;
	enum upd_error	 error;
	uint8_t		*p;
	char		 tree[96];
	int		 root, manifest, before;

	scratch_begin();
	if (!ready) {
		(void)setlocale(LC_CTYPE, "C.UTF-8");
		umask(0);
		ready = 1;
	}
	if ((p = malloc(len + (len == 0))) == NULL)
		abort();
	memcpy(p, data, len);
	repair(p, len);
	if ((before = dup(scratch_fd)) == -1)
		abort();
	snprintf(tree, sizeof(tree), "%s/tree", scratch);
	if (mkdir(tree, 0755) == -1 ||
	    (root = open(tree, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) == -1)
		abort();
	manifest = memory_file("", 0);
	unpack_begin(&u, UNPACK_EXTRACT, root, manifest);
	u.in = memory_file(p, len);
	if ((u.archive = archive_read_new()) == NULL ||
	    archive_read_support_format_tar(u.archive) != ARCHIVE_OK ||
	    (u.manifest = manifest_writer_new(manifest)) == NULL)
		abort();
	error = unpack_extract(&u);
	if (error == UPD_OK)
		check_tree(root, manifest, &u.done);
	else if (error != (enum upd_error)u.fail.error ||
	    !PROTO_STR(u.fail.text) || u.fail.text[0] == '\0' ||
	    !PROTO_STR(u.fail.path))
		abort();
	check_beside();
	if (nftw(tree, visit, 16, FTW_DEPTH | FTW_PHYS) == -1)
		abort();
	unpack_end(&u);
	/* ours, and what the process leaves to its exit */
	closefrom(before);
	free(p);
	return 0;
}
