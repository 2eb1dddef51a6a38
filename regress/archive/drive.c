/*
 * The parent's part for tests of inflate and unpack: starts the real
 * processes of an updaterd, feeds them an archive, takes their verdict.
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
#include <sys/wait.h>

#include <err.h>
#include <errno.h>
#include <event.h>
#include <fcntl.h>
#include <ftw.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "error.h"
#include "imsgev.h"
#include "log.h"
#include "osproc.h"
#include "proc.h"
#include "relkey.h"
#include "util.h"

#define PIPE_SIZE	(1024 * 1024)
#define MAX_OUT		(64ULL << 20)
#define MAX_BYTES	(16ULL << 20)
#define MAX_FILES	1000
#define DRIVE_UID	64999
#define DEADLINE	60		/* seconds for one archive */
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

struct side {
	struct proc	 proc;
	int		 gone;
	int		 done, failed;
	struct msg_fail	 fail;
};

static struct side	 inflate, unpack;
static struct msg_inflate_done inflated;
static struct msg_unpack_done unpacked;
static struct proc_args	 child;
static struct event	 feed_ev, deadline_ev;
static int		 archive_fd = -1, feed_fd = -1, late;
static char		*buf;
static size_t		 pos, len, step = PIPE_SIZE;
static uint64_t		 fed;
static uint64_t		 max_out = MAX_OUT, max_bytes = MAX_BYTES;
static uint32_t		 max_files = MAX_FILES, hashing = 1;
static char		 work[64];
static int		 stagefd = -1;
static struct msg_inflate_key keys[RELEASE_KEYS_MAX];
static uint32_t		 nkeys;

/*
 * In the place of the system's: proc_start() must start the program that
 * was named, not this one.
 */
int
osproc_exepath(char *path, size_t size)
{
	return -1;
}

int
osproc_nodump(void)
{
	return -1;
}

static int
recv_msg(struct imsgev *iev, struct imsg *imsg, void *arg)
{
	struct side	*s = arg;

	switch (imsg_get_type(imsg)) {
	case IMSG_READY:
	case IMSG_INFLATE_PROGRESS:
		return 0;
	case IMSG_INFLATE_DONE:
		s->done = 1;
		return imsg_get_data(imsg, &inflated, sizeof(inflated));
	case IMSG_UNPACK_DONE:
		s->done = 1;
		return imsg_get_data(imsg, &unpacked, sizeof(unpacked));
	case IMSG_INFLATE_FAIL:
	case IMSG_UNPACK_FAIL:
		s->failed = 1;
		return imsg_get_data(imsg, &s->fail, sizeof(s->fail));
	default:
		return -1;
	}
}

static void
stop_feeding(void)
{
	if (feed_fd == -1)
		return;
	event_del(&feed_ev);
	close(feed_fd);
	feed_fd = -1;
}

static void
dead(struct imsgev *iev, int error, void *arg)
{
	struct side	*s = arg;

	s->gone = 1;
	if (s == &inflate)
		stop_feeding();
	if (inflate.gone && unpack.gone)
		event_loopbreak();
}

static void
expired(int fd, short ev, void *arg)
{
	late = 1;
	proc_kill(&inflate.proc);
	proc_kill(&unpack.proc);
	inflate.gone = unpack.gone = 1;
	stop_feeding();
	event_loopbreak();
}

static void
feed(int fd, short ev, void *arg)
{
	ssize_t	 n;

	if (pos == len) {
		if ((n = read(archive_fd, buf, PIPE_SIZE)) == -1)
			err(1, "read archive");
		if (n == 0) {
			stop_feeding();
			return;
		}
		pos = 0;
		len = (size_t)n;
	}
	n = write(feed_fd, buf + pos, len - pos < step ? len - pos : step);
	if (n == -1 && errno == EAGAIN)
		return;
	if (n == -1) {
		stop_feeding();
		return;
	}
	pos += (size_t)n;
	fed += (uint64_t)n;
}

static void
compose(struct side *s, uint32_t type, int fd, const void *p, size_t n)
{
	if (imsgev_compose(&s->proc.iev, type, fd, p, n) == -1)
		err(1, "compose");
}

static void
start(struct side *s, enum proc_type type)
{
	memset(s, 0, sizeof(*s));
	if (proc_start(&s->proc, type, &child, recv_msg, dead, s) == -1)
		errx(1, "start %s", proc_name(type));
}

/* Wait for a process and say how it ended, "" for exit 0. */
static const char *
ended(struct side *s)
{
	static char	 how[64];
	int		 status;

	if (waitpid(s->proc.pid, &status, 0) == -1)
		err(1, "waitpid");
	if (WIFSIGNALED(status))
		snprintf(how, sizeof(how), "killed by signal %d",
		    WTERMSIG(status));
	else if (WEXITSTATUS(status) != 0)
		snprintf(how, sizeof(how), "exit %d", WEXITSTATUS(status));
	else
		how[0] = '\0';
	return how;
}

static void
loop(void)
{
	struct timeval	 tv = { DEADLINE, 0 };

	late = 0;
	evtimer_add(&deadline_ev, &tv);
	event_dispatch();
	evtimer_del(&deadline_ev);
}

/* A side that ended without a word of its own. */
static void
judge(struct side *s, const char *how)
{
	if (s->failed || (s->done && how[0] == '\0'))
		return;
	s->failed = 1;
	memset(&s->fail, 0, sizeof(s->fail));
	s->fail.error = UPD_ECHILD;
	snprintf(s->fail.text, sizeof(s->fail.text), "%s", late ? "too slow" :
	    how[0] == '\0' ? "said nothing" : how);
}

/* As the parent does: what inflate found itself comes first. */
static const struct msg_fail *
verdict(void)
{
	if (unpack.failed && (!inflate.failed ||
	    inflate.fail.error == UPD_ECHILD))
		return &unpack.fail;
	return inflate.failed ? &inflate.fail : NULL;
}

static int
manifest_open(int flags)
{
	char	 path[128];
	int	 fd;

	snprintf(path, sizeof(path), "%s/manifest", work);
	if ((fd = open(path, flags | O_CLOEXEC, 0600)) == -1)
		err(1, "%s", path);
	return fd;
}

static struct msg_unpack_start
limits(enum unpack_mode mode)
{
	struct msg_unpack_start	 m;

	memset(&m, 0, sizeof(m));
	m.mode = mode;
	m.max_files = max_files;
	m.max_bytes = max_bytes;
	return m;
}

static const struct msg_fail *
extract(const char *path)
{
	struct msg_inflate_start	 im;
	struct msg_unpack_start		 um = limits(UNPACK_EXTRACT);
	int				 in[2], mid[2];
	uint32_t			 i;

	if ((archive_fd = open(path, O_RDONLY | O_CLOEXEC)) == -1)
		err(1, "%s", path);
	if (pipe2(in, O_CLOEXEC) == -1 || pipe2(mid, O_CLOEXEC) == -1)
		err(1, "pipe");
	(void)fcntl(in[1], F_SETPIPE_SZ, PIPE_SIZE);
	(void)fcntl(mid[1], F_SETPIPE_SZ, PIPE_SIZE);
	fd_nonblock(in[1]);
	start(&unpack, PROC_UNPACK);
	compose(&unpack, IMSG_UNPACK_DIR, dup(stagefd), NULL, 0);
	compose(&unpack, IMSG_UNPACK_MANIFEST,
	    manifest_open(O_RDWR | O_CREAT | O_TRUNC), NULL, 0);
	compose(&unpack, IMSG_UNPACK_START, mid[0], &um, sizeof(um));
	start(&inflate, PROC_INFLATE);
	memset(&im, 0, sizeof(im));
	im.max_out = max_out;
	im.hash = hashing;
	im.keys = nkeys;
	compose(&inflate, IMSG_INFLATE_START, in[0], &im, sizeof(im));
	for (i = 0; i < nkeys; i++)
		compose(&inflate, IMSG_INFLATE_KEY, -1, &keys[i],
		    sizeof(keys[i]));
	compose(&inflate, IMSG_INFLATE_OUT, mid[1], NULL, 0);
	feed_fd = in[1];
	pos = len = 0;
	fed = 0;
	event_set(&feed_ev, feed_fd, EV_WRITE | EV_PERSIST, feed, NULL);
	event_add(&feed_ev, NULL);
	loop();
	close(archive_fd);
	judge(&inflate, ended(&inflate));
	judge(&unpack, ended(&unpack));
	return verdict();
}

/* MANIFEST or VERIFY on the staging directory. */
static const struct msg_fail *
reread(enum unpack_mode mode)
{
	struct msg_unpack_start	 um = limits(mode);

	memset(&inflate, 0, sizeof(inflate));
	inflate.gone = 1;
	start(&unpack, PROC_UNPACK);
	compose(&unpack, IMSG_UNPACK_DIR, dup(stagefd), NULL, 0);
	compose(&unpack, IMSG_UNPACK_MANIFEST, manifest_open(
	    mode == UNPACK_VERIFY ? O_RDONLY : O_RDWR | O_TRUNC), NULL, 0);
	compose(&unpack, IMSG_UNPACK_START, -1, &um, sizeof(um));
	loop();
	judge(&unpack, ended(&unpack));
	return verdict();
}

static int
remove_one(const char *path, const struct stat *st, int type,
    struct FTW *ftw)
{
	return remove(path);
}

static void
remove_all(const char *path)
{
	(void)nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* A fresh staging directory of the unpack user. */
static void
stage(void)
{
	char	 path[128];

	snprintf(path, sizeof(path), "%s/stage", work);
	if (stagefd != -1)
		close(stagefd);
	remove_all(path);
	if (mkdir(path, 0700) == -1 ||
	    chown(path, child.uid, child.gid) == -1 ||
	    (stagefd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) == -1)
		err(1, "%s", path);
}

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

static void
add_key(const char *path)
{
	struct relkey	 key;
	const char	*why, *name = strrchr(path, '/');
	char		*data;
	size_t		 size;

	if (nkeys == RELEASE_KEYS_MAX || (data = file_read(AT_FDCWD, path,
	    RELKEY_FILE_MAX, &size)) == NULL)
		err(1, "%s", path);
	if (relkey_parse(data, size, &key, &why) == -1)
		errx(1, "%s: %s", path, why);
	free(data);
	strlcpy(keys[nkeys].name, name == NULL ? path : name + 1,
	    sizeof(keys[nkeys].name));
	memcpy(keys[nkeys].num, key.num, sizeof(key.num));
	memcpy(keys[nkeys].key, key.key, sizeof(key.key));
	nkeys++;
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

	max_out = max_bytes = 1ULL << 40;
	max_files = 10000000;
	hashing = 0;		/* with a push that is net's */
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

static void
setup(void)
{
	const char	*tmp = getenv("TMPDIR");
	struct passwd	*pw;
	static char	 empty[128];
	int		 fd;

	snprintf(work, sizeof(work), "%.40s/drive.XXXXXX",
	    tmp == NULL ? "/tmp" : tmp);
	if (mkdtemp(work) == NULL || chmod(work, 0711) == -1)
		err(1, "%s", work);
	snprintf(empty, sizeof(empty), "%s/empty", work);
	if (mkdir(empty, 0755) == -1)
		err(1, "%s", empty);
	if ((fd = open(work, O_RDONLY | O_DIRECTORY)) == -1 ||
	    file_write(fd, "victim", "untouched\n", 10, 0666) == -1)
		err(1, "%s", work);
	close(fd);
	child.uid = DRIVE_UID;
	child.gid = DRIVE_UID;
	if ((pw = getpwnam("_updunpack")) != NULL) {
		child.uid = pw->pw_uid;
		child.gid = pw->pw_gid;
	}
	child.chroot = empty;
	child.to_stderr = 1;
	if ((buf = malloc(PIPE_SIZE)) == NULL)
		err(1, NULL);
	signal(SIGPIPE, SIG_IGN);
	event_init();
	evtimer_set(&deadline_ev, expired, NULL);
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
