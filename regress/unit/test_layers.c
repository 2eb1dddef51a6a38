/*
 * The layers of a sandbox: what each forbids where it is the only one, the
 * limits, what is refused before, and their names.
 */
/* LINK: updaterd/sandbox.o common/compat/sandbox-linux.o common/compat/landlock-linux.o common/compat/seccomp-linux.o common/proto.o common/compat/imsg.o common/util.o common/log.o */
#include "sandbox_lab.h"

#include <sys/prctl.h>

#include <stdio.h>

#include "log.h"

/* As root, in the whole tree: nothing else says no. */
static int
layer(int (*enter)(void), int (*fn)(void))
{
	pid_t	 pid;
	int	 st;

	jail_tester = getpid();
	if ((pid = fork()) == 0) {
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1 ||
		    enter() == -1)
			_exit(JAIL_ODD);
		_exit(fn() == 0 ? 0 : 1);
	}
	assert_true(pid > 1);
	assert_int_equal(waitpid(pid, &st, 0), pid);
	return st;
}

static int
enter_landlock(void)
{
	struct sandbox_opts	 o;

	options(N, &o);
	return landlock_enter(&o, landlock_abi());
}

static int	filtered = N;

static int
enter_seccomp(void)
{
	struct sandbox_opts	 o;

	options(filtered, &o);
	return seccomp_enter(&o);
}

static void
landlock_alone(void **state)
{
	int	 abi = landlock_abi();

	if (abi == 0) {
		print_message("# SKIP this kernel has no Landlock\n");
		return;
	}
	assert_int_equal(layer(enter_landlock, out_open), 1 << 8);
	assert_int_equal(layer(enter_landlock, out_create), 1 << 8);
	assert_int_equal(layer(enter_landlock, out_mkdir), 1 << 8);
	if (abi >= 4) {
		assert_int_equal(layer(enter_landlock, out_connect), 1 << 8);
		assert_int_equal(layer(enter_landlock, out_bind), 1 << 8);
	}
	if (abi >= 6)
		assert_int_equal(layer(enter_landlock, out_kill_parent),
		    1 << 8);
}

static void
seccomp_alone(void **state)
{
	static const struct {
		int	(*fn)(void);
		int	 who;
	} tries[] = {
		{ out_open, N | P | I }, { out_mkdir, N | P | I | R },
		{ out_kill_parent, ALL }, { out_tgkill, ALL },
		{ out_wx, ALL }, { out_mprotect, ALL }, { out_fork, ALL },
		{ out_exec, ALL }, { out_unix, ALL }, { out_udp, ALL },
		{ out_tcp, ALL & ~P }, { out_connect, ALL & ~P },
		{ out_bind, ALL }, { out_sendto, ALL }, { out_sockopt, ALL },
		{ out_tiocsti, ALL }, { out_fchmod, ALL & ~U },
		{ out_link, ALL }, { out_unlink, ALL }, { out_rename, ALL },
		{ out_mount, ALL }, { out_chroot, ALL }, { out_ptrace, ALL },
		{ out_setuid, ALL }, { out_prlimit, ALL }
	};
	size_t	 i;
	int	 st;

	st = layer(enter_seccomp, out_open);
	if (WIFEXITED(st) && WEXITSTATUS(st) == JAIL_ODD) {
		print_message("# SKIP no seccomp in this build or kernel\n");
		return;
	}
	for (filtered = N; filtered < ALL; filtered <<= 1)
		for (i = 0; i < sizeof(tries) / sizeof(tries[0]); i++) {
			if (!(tries[i].who & filtered))
				continue;
			st = layer(enter_seccomp, tries[i].fn);
			assert_true(WIFSIGNALED(st));
			assert_int_equal(WTERMSIG(st), SIGSYS);
		}
}

/* A hard limit out of /proc: prlimit(2) would take CAP_SYS_RESOURCE, which
 * root in a container has not.  -1: none, or not to be read. */
static long long
limit_of(pid_t pid, const char *name)
{
	char		 path[64], *s, *line;
	long long	 value = -1;
	size_t		 len;
	int		 fd;

	snprintf(path, sizeof(path), "/proc/%ld/limits", (long)pid);
	if ((fd = open(path, O_RDONLY | O_CLOEXEC)) == -1)
		return -1;
	s = fd_read(fd, 65536, &len);
	close(fd);
	if (s != NULL && (line = strstr(s, name)) != NULL)
		sscanf(line + strlen(name), "%*s %lld", &value);
	free(s);
	return value;
}

/* What stands in the way of a process that would fill or fork. */
static void
limits(void **state)
{
	static const struct {
		int		 who;
		long long	 nofile, fsize, as;
	} want[] = {
		{ N, 256, 0, 0 }, { P, 256, 0, 0 }, { I, 16, 0, 256 << 20 },
		{ U, 64, 1 << 20, 256 << 20 }, { R, 64, 1 << 20, 256 << 20 }
	};
	struct sandbox_opts	 o;
	struct msg_ready	 ready;
	size_t			 i;
	pid_t			 pid;
	int			 p[2], null, st;
	char			 c;

	for (i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, p), 0);
		if ((pid = fork()) == 0) {
			null = open("/dev/null", O_WRONLY);
			dup2(null, STDERR_FILENO);
			close(null);
			close(p[0]);
			options(want[i].who, &o);
			sandbox_enter(&o, &ready);
			if (write(p[1], "r", 1) != 1)
				_exit(JAIL_ODD);
			_exit((int)read(p[1], &c, 1));
		}
		close(p[1]);
		assert_int_equal(read(p[0], &c, 1), 1);
		assert_int_equal(limit_of(pid, "Max core file size"), 0);
		assert_int_equal(limit_of(pid, "Max processes"), 0);
		assert_int_equal(limit_of(pid, "Max open files"),
		    want[i].nofile);
		assert_int_equal(limit_of(pid, "Max file size"),
		    want[i].fsize);
#ifndef __SANITIZE_ADDRESS__
		if (want[i].as != 0)
			assert_int_equal(limit_of(pid, "Max address space"),
			    want[i].as);
#endif
		close(p[0]);
		assert_int_equal(waitpid(pid, &st, 0), pid);
		assert_int_equal(st, 0);
	}
}

static int
try_enter(const struct sandbox_opts *o)
{
	struct msg_ready	 ready;
	pid_t			 pid;
	int			 st, null;

	if ((pid = fork()) == 0) {
		null = open("/dev/null", O_WRONLY);
		dup2(null, STDERR_FILENO);
		sandbox_enter(o, &ready);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &st, 0), pid);
	return st;
}

static void
refusals(void **state)
{
	struct sandbox_opts	 o;

	options(N, &o);
	assert_int_equal(try_enter(&o), 0);
	o.uid = 0;
	assert_int_equal(try_enter(&o), 1 << 8);
	o.uid = TEST_ID;
	o.gid = 0;
	assert_int_equal(try_enter(&o), 1 << 8);
	o.gid = TEST_ID;
	o.chroot = "/nonexistent";
	assert_int_equal(try_enter(&o), 1 << 8);
	options(U, &o);
	o.chroot_fd = -1;
	assert_int_equal(try_enter(&o), 1 << 8);
	o.chroot_fd = tcp;
	assert_int_equal(try_enter(&o), 1 << 8);
}

static void
layer_names(void **state)
{
	char	 s[80];

	sandbox_names(LAYER_UID | LAYER_CHROOT | LAYER_RLIMIT | LAYER_NNP |
	    LAYER_LANDLOCK | LAYER_SECCOMP, s, sizeof(s));
	assert_string_equal(s,
	    "uid chroot rlimit no_new_privs landlock seccomp");
	sandbox_names(0, s, sizeof(s));
	assert_string_equal(s, "");
	sandbox_names(LAYER_PLEDGE | LAYER_UNVEIL, s, 9);
	assert_string_equal(s, "pledge u");
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test(landlock_alone),
		cmocka_unit_test(seccomp_alone), cmocka_unit_test(limits),
		cmocka_unit_test(refusals),
		cmocka_unit_test(layer_names)
	};

	if (geteuid() != 0) {
		printf("1..0 # SKIP only root can enter a sandbox\n");
		return 0;
	}
	log_init("test", 1, 0);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, sandbox_start, sandbox_stop);
}
