/*
 * The profile process, locked in as it is in earnest, with the uid of a
 * service's user: whoever takes it over gets no further than the directories
 * that it was given, makes nothing in them but files, and in a dry run not
 * even that; what it has to do still goes.
 */
/* LINK: updaterd/sandbox.o updaterd/profile/statefile.o common/profile.o common/compat/farwatch-linux.o common/compat/sandbox-linux.o common/compat/landlock-linux.o common/compat/seccomp-linux.o common/proto.o common/compat/imsg.o common/util.o common/log.o */
/* LIBS: -ljansson */
#include "jail.h"

#include <sys/inotify.h>
#include <sys/stat.h>

#include <dirent.h>
#include <stdio.h>

#include <jansson.h>

#include "compat/farwatch.h"
#include "log.h"
#include "profile.h"
#include "statefile.h"
#include "util.h"

#define TEST_ID		64997	/* a user and group that nobody has */
#define FSIZE		65536	/* bytes */

#define NEEDED	(LAYER_UID | LAYER_RLIMIT | LAYER_NNP)

static char	 top[64];	/* the user's: home, profiles and elsewhere */
static int	 homefd, seatfd, logfd = -1;
static int	 topfd = -1;

/* --- going in --------------------------------------------------------- */

static int
open_at_top(const char *name)
{
	return openat(topfd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* With the user's rights, before it is locked in. */
static void
open_all(void *arg)
{
	homefd = open_at_top("home");
	seatfd = open_at_top("profiles");
}

static void
options(int dry, struct sandbox_opts *o)
{
	memset(o, 0, sizeof(*o));
	o->proc = PROC_PROFILE;
	o->uid = o->gid = TEST_ID;
	o->chroot_fd = -1;
	o->max_fsize = FSIZE;
	o->readonly = dry;
	o->as_user = open_all;
	o->beneath[0] = &homefd;
	o->beneath[1] = &seatfd;
	o->beneath[2] = &logfd;
	o->paths[0] = o->paths[1] = o->paths[2] = "";
}

/* --- ways out --------------------------------------------------------- */

static int
reads(int at, const char *path)
{
	return ok(openat(at, path, O_RDONLY));
}

static int out_passwd(void) { return reads(AT_FDCWD, "/etc/passwd"); }
static int out_root(void) { return reads(AT_FDCWD, "/"); }
static int out_elsewhere(void) { return reads(homefd, "../elsewhere/f"); }
static int out_by_top(void) { return reads(topfd, "elsewhere/f"); }
static int out_by_link(void) { return reads(homefd, "link"); }
static int out_proc(void) { return reads(AT_FDCWD, "/proc/self/mem"); }
static int out_device(void) { return reads(AT_FDCWD, "/dev/null"); }
static int out_create(void)
{
	return ok(openat(homefd, "../elsewhere/x", O_WRONLY | O_CREAT, 0600));
}
static int out_write(void)
{
	return ok(openat(homefd, "../elsewhere/f", O_WRONLY));
}
static int out_rename(void)
{
	return ok(renameat(seatfd, "a/marker", topfd, "elsewhere/m"));
}
static int out_fetch(void)
{
	return ok(renameat(topfd, "elsewhere/f", homefd, "f"));
}
static int out_unlink(void) { return ok(unlinkat(topfd, "elsewhere/f", 0)); }
static int out_rmdir(void)
{
	return ok(unlinkat(homefd, "empty", AT_REMOVEDIR));
}
static int out_mkdir(void) { return ok(mkdirat(homefd, "d", 0700)); }
static int out_symlink(void)
{
	return ok(symlinkat("/etc", homefd, "s"));
}
static int out_link(void)
{
	return ok(linkat(topfd, "elsewhere/f", homefd, "h", 0));
}
static int out_fifo(void)
{
	return ok(mknodat(homefd, "p", S_IFIFO | 0600, 0));
}
static int out_chmod(void) { return ok(fchmodat(homefd, "link", 0777, 0)); }
static int out_chown(void) { return ok(fchown(homefd, TEST_ID, TEST_ID)); }
static int out_kill_own(void) { return ok(kill(-1, 0)); }
static int out_dry(void)
{
	return ok(openat(homefd, "new", O_WRONLY | O_CREAT, 0600));
}
static int out_dry_append(void)
{
	return ok(openat(homefd, "log", O_WRONLY | O_APPEND));
}
static int out_dry_unlink(void)
{
	return ok(unlinkat(seatfd, "a/marker", 0));
}

#define WORKS	0x1
#define DRY	0x2
#define BOTH	(WORKS | DRY)

static void
ways_out(void **state)
{
	static const struct jail tries[] = {
		{ "/etc/passwd", out_passwd, BOTH, LAYER_LANDLOCK },
		{ "/", out_root, BOTH, LAYER_LANDLOCK },
		{ "another directory of the user's", out_elsewhere, BOTH,
		    LAYER_LANDLOCK },
		{ "by an open directory above", out_by_top, BOTH,
		    LAYER_LANDLOCK },
		{ "by a symlink", out_by_link, BOTH, LAYER_LANDLOCK },
		{ "/proc/self/mem", out_proc, BOTH, LAYER_LANDLOCK },
		{ "/dev/null", out_device, BOTH, LAYER_LANDLOCK },
		{ "create elsewhere", out_create, BOTH, LAYER_LANDLOCK },
		{ "write elsewhere", out_write, BOTH, LAYER_LANDLOCK },
		{ "rename to elsewhere", out_rename, BOTH, LAYER_LANDLOCK },
		{ "rename from elsewhere", out_fetch, BOTH, LAYER_LANDLOCK },
		{ "unlink elsewhere", out_unlink, BOTH, LAYER_LANDLOCK },
		{ "rmdir", out_rmdir, BOTH, LAYER_SECCOMP },
		{ "mkdir", out_mkdir, BOTH, LAYER_SECCOMP },
		{ "symlink", out_symlink, BOTH, LAYER_SECCOMP },
		{ "link", out_link, BOTH, LAYER_SECCOMP },
		{ "fifo", out_fifo, BOTH, LAYER_SECCOMP },
		{ "chmod", out_chmod, BOTH, LAYER_SECCOMP },
		{ "chown", out_chown, BOTH, LAYER_SECCOMP },
		{ "fork", out_fork, BOTH, 0 },
		{ "exec", out_exec, BOTH, LAYER_SECCOMP },
		{ "kill", out_kill_parent, BOTH, 0 },
		{ "kill all of the user's", out_kill_own, BOTH,
		    LAYER_SECCOMP },
		{ "ptrace", out_ptrace, BOTH, LAYER_SECCOMP },
		{ "socket unix", out_unix, BOTH, LAYER_SECCOMP },
		{ "socket tcp", out_tcp, BOTH, LAYER_SECCOMP },
		{ "socket udp", out_udp, BOTH, LAYER_SECCOMP },
		{ "setuid", out_setuid, BOTH, 0 },
		{ "unshare", out_userns, BOTH, LAYER_SECCOMP },
		{ "chroot", out_chroot, BOTH, 0 },
		{ "mmap exec", out_wx, BOTH, LAYER_SECCOMP },
		{ "io_uring", out_uring, BOTH, LAYER_SECCOMP },
		{ "prlimit", out_prlimit, BOTH, 0 },
		{ "create in a dry run", out_dry, DRY, LAYER_LANDLOCK },
		{ "append in a dry run", out_dry_append, DRY,
		    LAYER_LANDLOCK },
		{ "unlink in a dry run", out_dry_unlink, DRY, 0 },
	};
	struct sandbox_opts	 o;
	size_t			 i;
	int			 who, bad = 0;

	for (who = WORKS; who <= DRY; who <<= 1) {
		options(who == DRY, &o);
		for (i = 0; i < sizeof(tries) / sizeof(tries[0]); i++)
			bad += jail_escapes(&o, NEEDED, who, &tries[i]);
	}
	assert_int_equal(bad, 0);
}

/* --- what must still go ----------------------------------------------- */

static int
can_look(void)
{
	struct msg_profile_found f;
	struct dirent		*de;
	DIR			*d;
	int			 fd, n = 0;

	if ((fd = openat(seatfd, ".", O_RDONLY | O_DIRECTORY)) == -1 ||
	    (d = fdopendir(fd)) == NULL)
		return -1;
	while ((de = readdir(d)) != NULL)
		n++;
	closedir(d);
	if ((fd = openat(seatfd, "a", O_RDONLY | O_DIRECTORY |
	    O_NOFOLLOW)) == -1)
		return -1;
	return n == 4 && statefile_read(fd, "gw", &f) == 0 &&
	    f.state == PSTATE_RUNNING ? 0 : -1;
}

static int
can_watch(void)
{
	struct farwatch	 w;

	return farwatch_init(&w) == -1 || farwatch_dir(&w, seatfd) == -1 ||
	    farwatch_dir(&w, homefd) == -1 ? -1 : 0;
}

static int
can_write(void)
{
	struct msg_profile_state m;
	int			 fd;

	memset(&m, 0, sizeof(m));
	m.state = PSTATE_RUNNING;
	m.desired = PDESIRED_STOPPED;
	m.stamp = 1795312195LL * 1000000;
	fd = openat(seatfd, "a", O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
	return fd == -1 ? -1 : statefile_write(fd, "gw", &m);
}

static int
can_sweep(void)
{
	return unlinkat(seatfd, "a/stale", 0);
}

static int
can_log(void)
{
	int	 fd;

	fd = openat(homefd, "log", O_WRONLY | O_APPEND | O_CREAT |
	    O_NOFOLLOW | O_NONBLOCK, 0644);
	if (fd == -1 || write_all(fd, "a line\n", 7) == -1 ||
	    fsync(fd) == -1)
		return -1;
	return renameat(homefd, "log", homefd, "log.1") == -1 ||
	    renameat(homefd, "log.1", homefd, "log") == -1 ? -1 : 0;
}

/* Over its limit a write fails; it does not kill. */
static int
can_hit_limit(void)
{
	static char	 block[FSIZE];
	int		 fd, e;

	fd = openat(homefd, "big", O_WRONLY | O_CREAT | O_TRUNC, 0600);
	if (fd == -1 || write_all(fd, block, sizeof(block)) == -1)
		return -1;
	e = write(fd, "x", 1) == -1 ? errno : 0;
	(void)unlinkat(homefd, "big", 0);
	return e == EFBIG ? 0 : -1;
}

static void
still_goes(void **state)
{
	static const struct jail works[] = {
		{ "look", can_look, BOTH, 0 },
		{ "watch", can_watch, BOTH, 0 },
		{ "write", can_write, WORKS, 0 },
		{ "sweep", can_sweep, WORKS, 0 },
		{ "log", can_log, WORKS, 0 },
		{ "limit", can_hit_limit, WORKS, 0 }
	};
	struct sandbox_opts	 o;
	size_t			 i;
	int			 who, bad = 0;

	for (who = WORKS; who <= DRY; who <<= 1) {
		options(who == DRY, &o);
		for (i = 0; i < sizeof(works) / sizeof(works[0]); i++)
			bad += jail_hinders(&o, NEEDED, who, &works[i]);
	}
	assert_int_equal(bad, 0);
}

/* --- set up ----------------------------------------------------------- */

static int
make(const char *name, const char *data)
{
	int	 fd = openat(topfd, name, O_WRONLY | O_CREAT, 0644);

	if (fd == -1 || write_all(fd, data, strlen(data)) == -1 ||
	    fchown(fd, TEST_ID, TEST_ID) == -1)
		return -1;
	return close(fd);
}

static int
start(void **state)
{
	static const char *const dirs[] = { "home", "home/empty",
				    "profiles", "profiles/a", "profiles/empty",
				    "elsewhere" };
	size_t			 i;

	umask(022);
	json_object_seed(0);
	strlcpy(top, "/tmp/test_lodge.XXXXXX", sizeof(top));
	if (mkdtemp(top) == NULL || chown(top, TEST_ID, TEST_ID) == -1)
		return -1;
	topfd = open(top, O_RDONLY | O_DIRECTORY);
	for (i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++)
		if (mkdirat(topfd, dirs[i], 0755) == -1 ||
		    fchownat(topfd, dirs[i], TEST_ID, TEST_ID, 0) == -1)
			return -1;
	if (symlinkat("../elsewhere/f", topfd, "home/link") == -1 ||
	    make("elsewhere/f", "private") == -1 ||
	    make("profiles/a/marker", "") == -1 ||
	    make("profiles/a/stale", "") == -1 ||
	    make("home/log", "") == -1 || make("profiles/a/gw_state.json",
	    "{\"gw_state\":\"running\",\"keep\":1}") == -1)
		return -1;
	return 0;
}

static int
stop(void **state)
{
	return jail_remove(top, NULL);
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test(ways_out), cmocka_unit_test(still_goes)
	};

	if (geteuid() != 0) {
		printf("1..0 # SKIP only root can enter a sandbox\n");
		return 0;
	}
	log_init("test", 1, 0);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, start, stop);
}
