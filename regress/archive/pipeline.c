/*
 * The parent's part for tests of inflate and unpack: the real processes of
 * an updaterd, fed with an archive; see pipeline.h.
 */
#include <sys/types.h>
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

#include "imsgev.h"
#include "osproc.h"
#include "pipeline.h"
#include "relkey.h"
#include "util.h"

#define DRIVE_UID	64999
#define DEADLINE	60		/* seconds for one archive */

struct side		 inflate, unpack;
struct msg_inflate_done	 inflated;
struct msg_unpack_done	 unpacked;
struct limits		 limits = { 64ULL << 20, 16ULL << 20, 1000, 1 };
size_t			 step = PIPE_SIZE;
uint64_t		 fed;
char			*buf;
char			 work[64];
int			 stagefd = -1;
uint32_t		 nkeys;

static struct msg_inflate_key keys[RELEASE_KEYS_MAX];
static struct proc_args	 child;
static struct event	 feed_ev, deadline_ev;
static int		 archive_fd = -1, feed_fd = -1, late;
static size_t		 pos, len;

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

static ssize_t
feed_some(void)
{
	ssize_t	 n;

	if (pos == len) {
		if ((n = read(archive_fd, buf, PIPE_SIZE)) == -1)
			err(1, "read archive");
		if (n == 0)
			return 0;
		pos = 0;
		len = (size_t)n;
	}
	n = write(feed_fd, buf + pos, len - pos < step ? len - pos : step);
	if (n > 0)
		pos += (size_t)n;
	return n;
}

static void
feed(int fd, short ev, void *arg)
{
	ssize_t	 n;

	n = feed_some();
	if (n == -1 && errno == EAGAIN)
		return;
	if (n <= 0)
		stop_feeding();
	else
		fed += (uint64_t)n;
}

/* A pipe that is fed from the archive, as fast as it is read.  Its end for
 * inflate. */
static int
feed_start(void)
{
	int	 in[2];

	if (pipe2(in, O_CLOEXEC) == -1)
		err(1, "pipe");
	(void)fcntl(in[1], F_SETPIPE_SZ, PIPE_SIZE);
	fd_nonblock(in[1]);
	feed_fd = in[1];
	pos = len = 0;
	fed = 0;
	event_set(&feed_ev, feed_fd, EV_WRITE | EV_PERSIST, feed, NULL);
	event_add(&feed_ev, NULL);
	return in[0];
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
unpack_start(enum unpack_mode mode)
{
	struct msg_unpack_start	 m;

	memset(&m, 0, sizeof(m));
	m.mode = mode;
	m.max_files = limits.files;
	m.max_bytes = limits.bytes;
	return m;
}

const struct msg_fail *
extract(const char *path)
{
	struct msg_inflate_start	 im;
	struct msg_unpack_start		 um = unpack_start(UNPACK_EXTRACT);
	int				 in, mid[2];
	uint32_t			 i;

	if ((archive_fd = open(path, O_RDONLY | O_CLOEXEC)) == -1)
		err(1, "%s", path);
	if (pipe2(mid, O_CLOEXEC) == -1)
		err(1, "pipe");
	(void)fcntl(mid[1], F_SETPIPE_SZ, PIPE_SIZE);
	start(&unpack, PROC_UNPACK);
	compose(&unpack, IMSG_UNPACK_DIR, dup(stagefd), NULL, 0);
	compose(&unpack, IMSG_UNPACK_MANIFEST,
	    manifest_open(O_RDWR | O_CREAT | O_TRUNC), NULL, 0);
	compose(&unpack, IMSG_UNPACK_START, mid[0], &um, sizeof(um));
	start(&inflate, PROC_INFLATE);
	memset(&im, 0, sizeof(im));
	im.max_out = limits.out;
	im.hash = limits.hash;
	im.keys = nkeys;
	in = step > 0 ? feed_start() : dup(archive_fd);
	compose(&inflate, IMSG_INFLATE_START, in, &im, sizeof(im));
	for (i = 0; i < nkeys; i++)
		compose(&inflate, IMSG_INFLATE_KEY, -1, &keys[i],
		    sizeof(keys[i]));
	compose(&inflate, IMSG_INFLATE_OUT, mid[1], NULL, 0);
	loop();
	close(archive_fd);
	judge(&inflate, ended(&inflate));
	judge(&unpack, ended(&unpack));
	return verdict();
}

const struct msg_fail *
reread(enum unpack_mode mode)
{
	struct msg_unpack_start	 um = unpack_start(mode);

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

void
remove_all(const char *path)
{
	(void)nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

void
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

void
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

void
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
