/*
 * Tests of inflate and unpack: gives archives to the real processes of an
 * updaterd (pipeline.c) and judges their verdict.
 *
 *	drive updaterd directory	every archive of directory/verdicts, TAP
 *	drive -b updaterd archive n	n times, milliseconds on each line
 *	-k file				before these: a release key; repeated
 *
 * With release keys the verdicts are about signatures, see one_signed().
 *
 * An archive that is accepted is walked by MANIFEST and compared by VERIFY
 * as well.  One that is refused must leave a file beside the staging
 * directory as it was.  Runs as root; the processes become the user
 * _updunpack, or 64999 where there is none.
 */
#include <sys/types.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <err.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "error.h"
#include "log.h"
#include "pipeline.h"
#include "proc.h"
#include "util.h"

#define SMALL		3000		/* bytes: fed byte by byte as well */

static const char *names[UPD_E__MAX] = {
	[UPD_OK] = "ok", [UPD_EDIGEST] = "EDIGEST",
	[UPD_ECOMPRESS] = "ECOMPRESS", [UPD_ETRAILING] = "ETRAILING",
	[UPD_ENESTED] = "ENESTED", [UPD_EFORMAT] = "EFORMAT",
	[UPD_ECUT] = "ECUT",
	[UPD_EENTRY] = "EENTRY", [UPD_EEMPTY] = "EEMPTY",
	[UPD_ELIMIT] = "ELIMIT", [UPD_ENOSPACE] = "ENOSPACE",
	[UPD_EIO] = "EIO", [UPD_ECHILD] = "ECHILD", [UPD_EVERIFY] = "EVERIFY",
	[UPD_ESIGNATURE] = "ESIGNATURE"
};

/* What is beside the staging directory is as it was. */
static int
outside_isclean(void)
{
	char	*s;
	size_t	 n;
	int	 dir, same;

	if ((dir = open(work, O_RDONLY | O_DIRECTORY)) == -1)
		err(1, "%s", work);
	s = file_read(dir, "victim", 64, &n);
	same = s != NULL && strcmp(s, "untouched\n") == 0 &&
	    faccessat(dir, "pwned", F_OK, AT_SYMLINK_NOFOLLOW) == -1;
	free(s);
	close(dir);
	return same;
}

static uint32_t	 tree_sum, tree_files;
static uint64_t	 tree_bytes;
static size_t	 tree_skip;		/* bytes of the staging path */

static uint32_t
crc32_add(uint32_t crc, const void *data, size_t n)
{
	const uint8_t	*p = data;
	int		 i;

	for (crc = ~crc; n > 0; n--)
		for (crc ^= *p++, i = 0; i < 8; i++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
	return ~crc;
}

static int
sum_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	uint32_t	 crc;
	ssize_t		 n;
	int		 fd;

	if (S_ISDIR(st->st_mode))
		return 0;
	crc = crc32_add(0, path + tree_skip, strlen(path + tree_skip) + 1);
	if (S_ISLNK(st->st_mode)) {
		if ((n = readlink(path, buf, PIPE_SIZE)) == -1)
			err(1, "%s", path);
		tree_sum += crc32_add(crc, buf, (size_t)n);
		return 0;
	}
	if (!S_ISREG(st->st_mode) || st->st_nlink != 1 ||
	    ((st->st_mode & 07777) != 0644 && (st->st_mode & 07777) != 0755))
		errx(1, "%s: mode %o, %lu links", path, st->st_mode,
		    (unsigned long)st->st_nlink);
	if ((fd = open(path, O_RDONLY)) == -1)
		err(1, "%s", path);
	while ((n = read(fd, buf, PIPE_SIZE)) > 0) {
		crc = crc32_add(crc, buf, (size_t)n);
		tree_bytes += (uint64_t)n;
	}
	close(fd);
	tree_files++;
	tree_sum += crc;
	return 0;
}

/* The tree is what the table says: "files bytes sum". */
static int
tree_isgood(const char *want)
{
	char	 path[128], have[64];

	snprintf(path, sizeof(path), "%s/stage", work);
	tree_skip = strlen(path) + 1;
	tree_sum = tree_files = 0;
	tree_bytes = 0;
	if (nftw(path, sum_one, 64, FTW_PHYS) == -1)
		err(1, "%s", path);
	snprintf(have, sizeof(have), "%u %llu %08x", tree_files,
	    (unsigned long long)tree_bytes, tree_sum);
	if (strcmp(have, want) == 0 && tree_files == unpacked.files &&
	    tree_bytes == unpacked.bytes)
		return 1;
	printf("# tree is %s\n", have);
	return 0;
}

static int
matches(const struct msg_fail *f, const char *error, const char *path,
    const char *text)
{
	enum upd_error	 e = f == NULL ? UPD_OK : (enum upd_error)f->error;

	if (e >= UPD_E__MAX || names[e] == NULL || strcmp(names[e], error) != 0)
		return 0;
	if (f == NULL)
		return 1;
	return strcmp(f->path, path) == 0 && strstr(f->text, text) != NULL;
}

static void
describe(const struct msg_fail *f)
{
	if (f == NULL)
		printf("# got ok\n");
	else
		printf("# got %s \"%s\" (%s)\n", f->error < UPD_E__MAX &&
		    names[f->error] != NULL ? names[f->error] : "?", f->path,
		    f->text);
}

/* What was accepted must also survive being read again. */
static int
reread_isgood(void)
{
	const struct msg_fail		*f;
	struct msg_unpack_done		 was = unpacked;

	if ((f = reread(UNPACK_VERIFY)) == NULL &&
	    fchmod(stagefd, 0755) == 0 && (f = reread(UNPACK_MANIFEST)) == NULL)
		f = reread(UNPACK_VERIFY);
	if (f != NULL) {
		describe(f);
		return 0;
	}
	return unpacked.files == was.files && unpacked.bytes == was.bytes;
}

static int
one(int n, const char *dir, char *line)
{
	const struct msg_fail	*f;
	char			*name, *error, *path, *text, file[512];
	int			 ok;

	name = strsep(&line, "\t");
	error = strsep(&line, "\t");
	path = strsep(&line, "\t");
	text = strsep(&line, "\t");
	if (error == NULL || path == NULL || text == NULL)
		errx(1, "bad line of verdicts: %s", name);
	snprintf(file, sizeof(file), "%s/%s", dir, name);
	stage();
	step = PIPE_SIZE;
	f = extract(file);
	ok = matches(f, error, path, text);
	if (ok && fed < SMALL) {
		stage();
		step = 1;
		f = extract(file);
		ok = matches(f, error, path, text);
	}
	if (ok && f == NULL) {
		/* VERIFY sees the mode that sealing gives the root */
		if (fchmod(stagefd, 0755) == -1)
			err(1, "fchmod");
		ok = inflated.in == fed && tree_isgood(text) &&
		    reread_isgood();
	}
	if (!outside_isclean())
		ok = 0;
	printf("%sok %d - %s\n", ok ? "" : "not ", n, name);
	if (!ok) {
		printf("# want %s \"%s\" (%s)\n", error, path, text);
		describe(f);
	}
	fflush(stdout);
	return ok;
}

/* Bytes that went on, of each process's own counting. */
static int
passed(const char *what, uint64_t n, uint64_t min, uint64_t max)
{
	if (n >= min && n <= max)
		return 1;
	printf("# %s %llu bytes, not %llu to %llu\n", what,
	    (unsigned long long)n, (unsigned long long)min,
	    (unsigned long long)max);
	return 0;
}

static int
try_signed(const char *file, const char *error, const char *text,
    uint64_t min, uint64_t max)
{
	const struct msg_fail	*f;
	int			 ok;

	stage();
	f = extract(file);
	if (!matches(f, error, "", text)) {
		describe(f);
		return 0;
	}
	if (f == NULL)
		return passed("signed by key", inflated.signer, min, max);
	/* Nothing of what is not covered reaches the tar reader. */
	ok = inflate.failed && unpack.failed;
	if (!ok)
		printf("# one of them did not fail\n");
	ok &= passed("inflate passed on", inflate.fail.out, min, max);
	return ok & passed("unpack read", unpack.fail.in, min, max);
}

/*
 * A line of verdicts: name, error, text, and the least and most bytes of tar
 * that may come out before the refusal (of the number of the key, if it is
 * accepted).  The most is what the blocks before the first wrong one hold.
 */
static int
one_signed(int n, const char *dir, char *line)
{
	char		*name, *field[4], file[512];
	uint64_t	 min, max;
	int		 i, ok;

	name = strsep(&line, "\t");
	for (i = 0; i < 4; i++)
		if ((field[i] = strsep(&line, "\t")) == NULL)
			errx(1, "bad line of verdicts: %s", name);
	min = strtoull(field[2], NULL, 10);
	max = strtoull(field[3], NULL, 10);
	snprintf(file, sizeof(file), "%s/%s", dir, name);
	step = PIPE_SIZE;
	ok = try_signed(file, field[0], field[1], min, max);
	if (ok && fed < SMALL) {
		step = 1;
		ok = try_signed(file, field[0], field[1], min, max);
	}
	printf("%sok %d - %s: %s\n", ok ? "" : "not ", n, name, field[1]);
	if (!ok)
		printf("# want %s (%s)\n", field[0], field[1]);
	fflush(stdout);
	return ok;
}

static int
corpus(const char *dir)
{
	char	*all, *p, *line;
	size_t	 n;
	int	 fd, count = 0, good = 1;

	if ((fd = open(dir, O_RDONLY | O_DIRECTORY)) == -1 ||
	    (all = file_read(fd, "verdicts", 1024 * 1024, &n)) == NULL)
		err(1, "%s/verdicts", dir);
	for (p = all; (line = strsep(&p, "\n")) != NULL;)
		if (*line != '\0' && !(nkeys > 0 ? one_signed : one)(++count,
		    dir, line))
			good = 0;
	printf("1..%d\n", count);
	free(all);
	close(fd);
	return good;
}

static int
bench(const char *path, int n)
{
	const struct msg_fail	*f;
	struct rusage		 a, b;
	uint64_t		 t, t2;

	limits.out = limits.bytes = 1ULL << 40;
	limits.files = 10000000;
	limits.hash = 0;	/* with a push that is net's */
	step = 0;		/* what feeds is not what is measured */
	for (; n > 0; n--) {
		stage();
		sync();
		getrusage(RUSAGE_CHILDREN, &a);
		t = time_mono_us();
		f = extract(path);
		t = time_mono_us() - t;
		getrusage(RUSAGE_CHILDREN, &b);
		if (f != NULL) {
			describe(f);
			return 0;
		}
		t2 = time_mono_us();
		if (syncfs(stagefd) == -1)
			err(1, "syncfs");
		t2 = time_mono_us() - t2;
		printf("%.1f ms, then syncfs %.1f ms; cpu user %.0f sys %.0f "
		    "ms, maxrss %ld KB\n", (double)t / 1000, (double)t2 / 1000,
		    (double)(b.ru_utime.tv_sec - a.ru_utime.tv_sec) * 1000 +
		    (double)(b.ru_utime.tv_usec - a.ru_utime.tv_usec) / 1000,
		    (double)(b.ru_stime.tv_sec - a.ru_stime.tv_sec) * 1000 +
		    (double)(b.ru_stime.tv_usec - a.ru_stime.tv_usec) / 1000,
		    b.ru_maxrss);
	}
	return 1;
}

int
main(int argc, char *argv[])
{
	int	 ch, good, b = 0;

	while ((ch = getopt(argc, argv, "bk:")) != -1) {
		if (ch == 'b')
			b = 1;
		else if (ch == 'k')
			add_key(optarg);
		else
			return 2;
	}
	argc -= optind;
	argv += optind;
	if (argc != (b ? 3 : 2))
		errx(2, "usage: drive [-b] [-k key] updaterd directory | "
		    "archive n");
	if (geteuid() != 0) {
		printf("1..0 # SKIP only root can start the processes\n");
		return 0;
	}
	umask(022);
	log_init("drive", 1, 0);
	if (proc_setpath(argv[0]) == -1)
		errx(1, "no %s", argv[0]);
	setup();
	good = b ? bench(argv[1], atoi(argv[2])) : corpus(argv[1]);
	remove_all(work);
	return good ? 0 : 1;
}
