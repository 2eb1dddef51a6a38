/* LINK: updaterd/parent/tree.o updaterd/parent/walk.o */
/*
 * The goal: whatever an archive or an install step left in a tree, seal
 * refuses it or makes it root's and harmless; give and remove touch nothing
 * outside; depth, mounts and names that change meanwhile do not matter.
 */
#include <sys/types.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "parent/release.h"
#include "parent/task.h"

#define USER	60001			/* of nobody else */

static char	 dir[64];
static int	 dfd, tree;		/* scratch, and scratch/tree */
static struct task_result r;

static void
put(const char *path, mode_t mode)
{
	int	 fd;

	fd = openat(tree, path, O_WRONLY | O_CREAT | O_EXCL, 0600);
	assert_int_not_equal(fd, -1);
	assert_int_equal(write(fd, "0123456789", 10), 10);
	assert_int_equal(fchown(fd, USER, USER), 0);
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

static void
mkd(const char *path, mode_t mode)
{
	assert_int_equal(mkdirat(tree, path, 0700), 0);
	assert_int_equal(fchownat(tree, path, USER, USER, 0), 0);
	assert_int_equal(fchmodat(tree, path, mode, 0), 0);
}

static int
setup(void **state)
{
	snprintf(dir, sizeof(dir), "/tmp/test_tree.XXXXXX");
	if (mkdtemp(dir) == NULL ||
	    (dfd = open(dir, O_RDONLY | O_DIRECTORY)) == -1 ||
	    mkdirat(dfd, "tree", 0700) == -1 ||
	    (tree = openat(dfd, "tree", O_RDONLY | O_DIRECTORY)) == -1)
		return -1;
	return fchown(tree, USER, USER);
}

static int
teardown(void **state)
{
	close(tree);
	close(dfd);
	tree_remove(AT_FDCWD, dir, &r);		/* fstat(AT_FDCWD) fails */
	dfd = open("/tmp", O_RDONLY | O_DIRECTORY);
	tree_remove(dfd, strrchr(dir, '/') + 1, &r);
	close(dfd);
	return r.error == UPD_OK ? 0 : -1;
}

static void
check(const char *path, mode_t mode)
{
	struct stat	 st;

	assert_int_equal(fstatat(tree, path, &st, AT_SYMLINK_NOFOLLOW), 0);
	assert_int_equal(st.st_uid, 0);
	assert_int_equal(st.st_gid, 0);
	if (!S_ISLNK(st.st_mode))
		assert_int_equal(st.st_mode & 07777, mode);
}

static void
seal_makes_it_roots(void **state)
{
	/* VFS_CAP_REVISION_2, cap_net_bind_service */
	static const unsigned char cap[20] = { 1, 0, 0, 2, 0, 4 };

	mkd("bin", 01777);
	mkd("bin/deep", 02700);
	put("bin/run", 0700);
	put("bin/suid", 06755);
	put("bin/deep/data", 0666);
	put("plain", 0644);
	put("none", 0);
	assert_int_equal(symlinkat("../plain", tree, "bin/up"), 0);
	assert_int_equal(symlinkat("bin/run", tree, "down"), 0);
	if (fsetxattr(openat(tree, "plain", O_RDONLY), "security.capability",
	    cap, sizeof(cap), 0) == -1)
		print_message("# no file capabilities here: %s\n",
		    strerror(errno));

	tree_seal(tree, 0, 1, &r);
	assert_int_equal(r.error, UPD_OK);
	assert_int_equal(r.files, 5);
	assert_int_equal(r.bytes, 50);
	check(".", 0755);
	check("bin", 0755);
	check("bin/deep", 0755);
	check("bin/run", 0755);
	check("bin/suid", 0755);
	check("bin/deep/data", 0644);
	check("plain", 0644);
	check("none", 0644);
	check("bin/up", 0);
	check("down", 0);
	assert_int_equal(fgetxattr(openat(tree, "plain", O_RDONLY),
	    "security.capability", NULL, 0), -1);
	/* and again: a tree that is sealed stays as it is */
	tree_seal(tree, 0, 0, &r);
	assert_int_equal(r.error, UPD_OK);
	assert_int_equal(r.files, 5);
}

static void
refused(const char *path, const char *text)
{
	tree_seal(tree, 0, 0, &r);
	assert_int_equal(r.error, UPD_EENTRY);
	assert_string_equal(r.path, path);
	assert_non_null(strstr(r.text, text));
}

static void
seal_refuses_types(void **state)
{
	mkd("d", 0755);
	assert_int_equal(mkfifoat(tree, "d/pipe", 0666), 0);
	alarm(10);			/* a FIFO that is opened waits */
	refused("d/pipe", "FIFO");
	alarm(0);
	assert_int_equal(unlinkat(tree, "d/pipe", 0), 0);

	assert_int_equal(mknodat(tree, "d/sock", S_IFSOCK | 0666, 0), 0);
	refused("d/sock", "socket");
	assert_int_equal(unlinkat(tree, "d/sock", 0), 0);

	if (mknodat(tree, "d/null", S_IFCHR | 0666, 0x103) == 0) {
		refused("d/null", "character device");
		assert_int_equal(unlinkat(tree, "d/null", 0), 0);
	}
	put("d/a\n\033[1m", 0644);
	assert_int_equal(linkat(tree, "d/a\n\033[1m", dfd, "outside", 0), 0);
	refused("d/a\\x0a\\x1b[1m", "hard link");
}

static void
seal_refuses_links(void **state)
{
	static const struct {
		const char	*target;
		int		 ok;
	} links[] = {
		{ "/etc/passwd",	0 },
		{ "../x",		1 },
		{ "../../x",		0 },
		{ "..",			1 },
		{ "../..",		0 },
		{ "../",		1 },
		{ ".././../x",		0 },
		{ "a/../../x",		0 },	/* a may be a link */
		{ "a/..",		0 },
		{ "...",		1 },
		{ "..a/b",		1 },
		{ "./a//b/.",		1 },
		{ ".",			1 },
	};
	char	 target[4096];
	size_t	 i;

	mkd("d", 0755);
	for (i = 0; i < sizeof(links) / sizeof(links[0]); i++) {
		assert_int_equal(symlinkat(links[i].target, tree, "d/l"), 0);
		print_message("# %s\n", links[i].target);
		if (links[i].ok) {
			tree_seal(tree, 0, 0, &r);
			assert_int_equal(r.error, UPD_OK);
		} else {
			refused("d/l", "symlink");
			tree_seal(tree, 1, 0, &r);	/* by an install step */
			assert_int_equal(r.error, UPD_OK);
		}
		assert_int_equal(unlinkat(tree, "d/l", 0), 0);
	}
	memset(target, 'a', sizeof(target) - 1);
	for (i = 100; i < sizeof(target); i += 100)
		target[i] = '/';
	target[sizeof(target) - 1] = '\0';
	assert_int_equal(symlinkat(target, tree, "d/l"), 0);
	tree_seal(tree, 0, 0, &r);
	assert_int_equal(r.error, UPD_OK);
}

static void
few_files(int n)
{
	struct rlimit	 rl;

	getrlimit(RLIMIT_NOFILE, &rl);
	rl.rlim_cur = n;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &rl), 0);
}

/* A chain of directories below the tree, each with a file. */
static void
chain(int depth, int files)
{
	int	 fd = dup(tree), next, f, i;

	for (i = 0; i < depth; i++) {
		assert_int_equal(mkdirat(fd, "d", 0700), 0);
		next = openat(fd, "d", O_RDONLY | O_DIRECTORY);
		assert_int_not_equal(next, -1);
		close(fd);
		fd = next;
		if (files) {
			f = openat(fd, "f", O_WRONLY | O_CREAT, 0600);
			assert_int_not_equal(f, -1);
			close(f);
			f = openat(fd, "z", O_WRONLY | O_CREAT, 0600);
			assert_int_not_equal(f, -1);
			close(f);
		}
	}
	close(fd);
}

static void
depth_costs_no_descriptors(void **state)
{
	struct rlimit	 rl;

	getrlimit(RLIMIT_NOFILE, &rl);
	few_files(64);
	chain(256, 1);
	tree_give(tree, USER, USER, &r);
	assert_int_equal(r.error, UPD_OK);
	tree_seal(tree, 0, 0, &r);
	assert_int_equal(r.error, UPD_OK);
	assert_int_equal(r.files, 512);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &rl), 0);
}

static void
seal_refuses_depth(void **state)
{
	chain(257, 0);
	tree_seal(tree, 0, 0, &r);
	assert_int_equal(r.error, UPD_ELIMIT);
}

static void
remove_any_depth(void **state)
{
	struct rlimit	 rl;

	getrlimit(RLIMIT_NOFILE, &rl);
	few_files(64);
	chain(5000, 1);
	assert_int_equal(symlinkat(dir, tree, "out"), 0);
	mkdirat(dfd, "victim", 0755);
	assert_int_equal(symlinkat("../victim", tree, "out2"), 0);
	tree_remove(dfd, "tree", &r);
	assert_int_equal(r.error, UPD_OK);
	assert_int_equal(faccessat(dfd, "tree", F_OK, 0), -1);
	assert_int_equal(faccessat(dfd, "victim", F_OK, 0), 0);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &rl), 0);
}

static void
remove_other_things(void **state)
{
	tree_remove(dfd, "nothing", &r);
	assert_int_equal(r.error, UPD_OK);
	put("file", 0600);
	assert_int_equal(symlinkat("file", tree, "link"), 0);
	tree_remove(tree, "link", &r);
	assert_int_equal(r.error, UPD_OK);
	assert_int_equal(faccessat(tree, "file", F_OK, 0), 0);
	tree_remove(tree, "file", &r);
	assert_int_equal(r.error, UPD_OK);
	assert_int_equal(faccessat(tree, "file", F_OK, 0), -1);
}

static void
remove_goes_on(void **state)
{
	int	 fd, flags = FS_IMMUTABLE_FL;

	mkd("d", 0755);
	put("d/a", 0644);
	put("d/stuck", 0644);
	put("z", 0644);
	fd = openat(tree, "d/stuck", O_RDONLY);
	if (ioctl(fd, FS_IOC_SETFLAGS, &flags) == -1) {
		print_message("# no immutable files here\n");
		close(fd);
		return;
	}
	tree_remove(dfd, "tree", &r);
	flags = 0;
	assert_int_equal(ioctl(fd, FS_IOC_SETFLAGS, &flags), 0);
	close(fd);
	assert_int_equal(r.error, UPD_EIO);
	assert_int_equal(r.sys_errno, EPERM);
	assert_string_equal(r.path, "d/stuck");
	assert_non_null(strstr(r.text, "immutable"));
	assert_int_equal(faccessat(tree, "d/a", F_OK, 0), -1);
	assert_int_equal(faccessat(tree, "z", F_OK, 0), -1);
}

static void
give_takes_the_top_last(void **state)
{
	struct stat	 st;

	mkd("d", 0755);
	put("d/f", 0644);
	assert_int_equal(symlinkat("/etc/passwd", tree, "d/l"), 0);
	tree_give(tree, USER + 1, USER + 1, &r);
	assert_int_equal(r.error, UPD_OK);
	assert_int_equal(fstatat(tree, "d/f", &st, 0), 0);
	assert_int_equal(st.st_uid, USER + 1);
	assert_int_equal(fstatat(tree, "d/l", &st, AT_SYMLINK_NOFOLLOW), 0);
	assert_int_equal(st.st_uid, USER + 1);
	assert_int_equal(stat("/etc/passwd", &st), 0);
	assert_int_equal(st.st_uid, 0);
	assert_int_equal(fstat(tree, &st), 0);
	assert_int_equal(st.st_uid, USER + 1);
	assert_int_equal(st.st_mode & 07777, 0700);

	put("victim", 0644);
	assert_int_equal(linkat(tree, "victim", tree, "d/hard", 0), 0);
	tree_give(tree, USER + 2, USER + 2, &r);
	assert_int_equal(r.error, UPD_EENTRY);
	assert_int_equal(fstat(tree, &st), 0);
	assert_int_equal(st.st_uid, USER + 1);
}

/* In a child with its own mounts, where older descriptors do not lead to. */
static int
with_mount(void)
{
	if (unshare(CLONE_NEWNS) == -1 ||
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == -1 ||
	    chdir(dir) == -1 ||
	    (dfd = open(".", O_RDONLY | O_DIRECTORY)) == -1 ||
	    chdir("tree") == -1 ||
	    mount("tmpfs", "d", "tmpfs", 0, NULL) == -1 ||
	    (tree = open(".", O_RDONLY | O_DIRECTORY)) == -1)
		return 77;
	close(open("d/precious", O_WRONLY | O_CREAT, 0600));
	tree_seal(tree, 0, 0, &r);
	if (r.error != UPD_EENTRY || strcmp(r.path, "d") != 0)
		return 1;
	tree_remove(dfd, "tree", &r);
	if (r.error == UPD_OK || access("d/precious", F_OK) == -1)
		return 2;
	return 0;
}

static void
mounts_are_not_entered(void **state)
{
	pid_t	 pid;
	int	 status;

	mkd("d", 0755);
	put("a", 0644);
	assert_int_not_equal(pid = fork(), -1);
	if (pid == 0)
		_exit(with_mount());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77) {
		print_message("# cannot mount here\n");
		return;
	}
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* The old owner goes on swapping names while root walks. */
static void
swapper(void)
{
	pid_t	 parent = getppid();

	/* a failing test does not reach its kill(2) */
	if (setgid(USER) == -1 || setuid(USER) == -1 || chdir(dir) == -1 ||
	    chdir("tree/d") == -1 ||
	    prctl(PR_SET_PDEATHSIG, SIGKILL) == -1 || getppid() != parent)
		_exit(1);
	for (;;) {
		if (symlink("../../victim", "new") == 0)
			(void)rename("new", "f");
		close(open("new", O_WRONLY | O_CREAT, 0777));
		(void)rename("new", "f");
		(void)unlink("f");
		(void)mkdir("f", 0777);
		(void)rmdir("f");
	}
}

static void
swapping_names_gains_nothing(void **state)
{
	struct stat	 st;
	pid_t		 pid;
	int		 fd, i, status, refusals = 0;

	fd = openat(dfd, "victim", O_WRONLY | O_CREAT, 0600);
	assert_int_equal(fchown(fd, USER + 5, USER + 5), 0);
	assert_int_equal(fchmod(fd, 0600), 0);
	assert_int_equal(fchmod(dfd, 0755), 0);
	assert_int_equal(fchmod(tree, 0755), 0);
	mkd("d", 0700);
	assert_int_not_equal(pid = fork(), -1);
	if (pid == 0)
		swapper();
	for (i = 0; i < 2000; i++) {
		assert_int_equal(fchownat(tree, "d", USER, USER, 0), 0);
		tree_seal(tree, 1, 0, &r);
		if (r.error != UPD_OK)
			refusals++;
		assert_int_equal(fstat(fd, &st), 0);
		assert_int_equal(st.st_uid, USER + 5);
		assert_int_equal(st.st_mode & 07777, 0600);
		assert_int_equal(fstatat(tree, "d", &st, 0), 0);
		assert_int_equal(st.st_uid, 0);
		assert_int_equal(st.st_mode & 07777, 0755);
		check("d", 0755);
	}
	print_message("# %d of %d refused\n", refusals, i);
	assert_int_equal(refusals, 0);
	close(fd);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
}

int
main(void)
{
#define T(f)	cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(seal_makes_it_roots),
		T(seal_refuses_types),
		T(seal_refuses_links),
		T(depth_costs_no_descriptors),
		T(seal_refuses_depth),
		T(remove_any_depth),
		T(remove_other_things),
		T(remove_goes_on),
		T(give_takes_the_top_last),
		T(mounts_are_not_entered),
		T(swapping_names_gains_nothing),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	if (geteuid() != 0) {
		print_message("1..0 # SKIP must be root to change owners\n");
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
