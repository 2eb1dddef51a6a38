/*
 * Locking a process in.
 *
 * Order, and why:
 *  1. what needs paths or root: chroot, then chdir into it
 *  2. limits that may have to be raised (descriptors), then the others
 *  3. groups, group, user, for good: real, effective and saved; it is
 *     then proved that there is no way back
 *  4. no processes: after the change of user, because the limit counts
 *     against the new one; then what is to be opened with its rights
 *  5. the system's own: Landlock and seccomp, or unveil and pledge, last,
 *     because they forbid all of the above
 * A process that needs threads makes them inside 5, behind Landlock, which
 * holds only for what is made by its thread, and before seccomp, which is
 * laid on all of them; its limit of 4, that counts threads, comes then.
 * Nothing here is undone; whatever fails in 1 to 4 is fatal.  The caller
 * has opened what it needs, and its log, before.
 */
#include <sys/types.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <errno.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "sandbox.h"
#ifdef SANDBOX_TEST
#include "attack.h"
#endif

#define NOFILE_DEFAULT	256
#define NOFILE_INFLATE	16
#define NOFILE_UNPACK	64
#define AS_UNPACKING	(256ULL << 20)	/* bytes; gzip takes 5 MB, zstd's
					 * largest window 8 MB */

/* AddressSanitizer reserves terabytes. */
#ifdef __SANITIZE_ADDRESS__
#define AS_LIMITED	0
#else
#define AS_LIMITED	1
#endif

/* Layers left out on request, in test builds only. */
static uint32_t
skipped(void)
{
#ifdef SANDBOX_TEST
	const char	*s = getenv("UPDATERD_SANDBOX_SKIP");

	return s == NULL ? 0 : (uint32_t)strtoul(s, NULL, 0);
#else
	return 0;
#endif
}

static void
limit(int resource, const char *name, rlim_t value)
{
	struct rlimit	 rl, have;

	rl.rlim_cur = rl.rlim_max = value;
	if (setrlimit(resource, &rl) == 0)
		return;
	/* In a container root may not raise it: less is safe, too. */
	if (errno == EPERM && getrlimit(resource, &have) == 0 &&
	    have.rlim_max < value) {
		log_notice("limit %s to %llu instead of %llu: raise it where "
		    "updaterd is started", name,
		    (unsigned long long)have.rlim_max,
		    (unsigned long long)value);
		rl.rlim_cur = rl.rlim_max = have.rlim_max;
		if (setrlimit(resource, &rl) == 0)
			return;
	}
	fatal("cannot limit %s", name);
}

static rlim_t
nofile(const struct sandbox_opts *o)
{
	if (o->nofile != 0)
		return o->nofile;
	if (o->proc == PROC_INFLATE)
		return NOFILE_INFLATE;
	if (o->proc == PROC_UNPACK)
		return NOFILE_UNPACK;
	return NOFILE_DEFAULT;
}

static void
limit_files(const struct sandbox_opts *o)
{
	struct sigaction	 sa;
	struct stat		 st;

	/* Over the limit write(2) shall fail, not kill. */
	memset(&sa, 0, sizeof(sa));
	sa.sa_handler = SIG_IGN;
	sigemptyset(&sa.sa_mask);
	if (sigaction(SIGXFSZ, &sa, NULL) == -1)
		fatal("cannot ignore signal %d", SIGXFSZ);
	if (o->proc == PROC_UNPACK || o->proc == PROC_PROFILE) {
		if (o->max_fsize != 0)
			limit(RLIMIT_FSIZE, "file size", o->max_fsize);
		return;
	}
	/* With -d the log may be a regular file; it must still grow. */
	if (fstat(STDERR_FILENO, &st) == 0 && S_ISREG(st.st_mode))
		return;
	limit(RLIMIT_FSIZE, "file size", 0);
}

static void
limit_processes(void)
{
	if (!(skipped() & LAYER_RLIMIT))
		limit(RLIMIT_NPROC, "processes", 0);
}

static void
enter_root(const struct sandbox_opts *o)
{
	if (o->chroot_fd != -1) {
		if (fchdir(o->chroot_fd) == -1 || chroot(".") == -1)
			fatal("cannot chroot to the directory handed over");
	} else if (chroot(o->chroot) == -1)
		fatal("cannot chroot to %s: it must exist, empty and owned "
		    "by root", o->chroot);
	if (chdir("/") == -1)
		fatal("cannot change into the new root");
}

static void
drop_user(const struct sandbox_opts *o)
{
	uid_t	 ruid, euid, suid;
	gid_t	 rgid, egid, sgid;

	if (o->uid == 0 || o->gid == 0)
		fatalx("refuse to run %s as root", proc_name(o->proc));
	if (o->ngroups > 0 ? setgroups((size_t)o->ngroups, o->groups) == -1 :
	    setgroups(1, &o->gid) == -1)
		fatal("cannot set groups");
	if (setresgid(o->gid, o->gid, o->gid) == -1)
		fatal("cannot become group %lu", (unsigned long)o->gid);
	if (setresuid(o->uid, o->uid, o->uid) == -1)
		fatal("cannot become user %lu", (unsigned long)o->uid);
	if (getresuid(&ruid, &euid, &suid) == -1 ||
	    getresgid(&rgid, &egid, &sgid) == -1)
		fatal("cannot read back user and group");
	if (ruid != o->uid || euid != o->uid || suid != o->uid ||
	    rgid != o->gid || egid != o->gid || sgid != o->gid)
		fatalx("user and group did not change");
	if (setuid(0) != -1 || seteuid(0) != -1 || setgid(0) != -1 ||
	    setegid(0) != -1)
		fatalx("user can become root again");
}

void
sandbox_threads(const struct sandbox_opts *o)
{
	if (o->threads == NULL)
		return;
	o->threads(o->threads_arg);
	limit_processes();
}

void
sandbox_enter(const struct sandbox_opts *o, struct msg_ready *ready)
{
	uint32_t	 skip = skipped();
	int		 has_root;

	memset(ready, 0, sizeof(*ready));
	log_lock();
	if (sandbox_os_early(o, ready) == -1)
		fatal("cannot prepare sandbox");

	has_root = o->chroot_fd != -1 ||
	    (o->chroot != NULL && o->chroot[0] != '\0');
	if (!has_root && o->proc == PROC_UNPACK)
		fatalx("refuse to run unpack without its directory");
	if (has_root && !(skip & LAYER_CHROOT)) {
		enter_root(o);
		ready->layers |= LAYER_CHROOT;
	} else if (o->proc != PROC_PROFILE) {
		log_warnx("run without chroot: all files are in sight");
		ready->missing |= LAYER_CHROOT;
	}

	if (!(skip & LAYER_RLIMIT)) {
		limit(RLIMIT_NOFILE, "descriptors", nofile(o));
		limit(RLIMIT_CORE, "core size", 0);
		limit_files(o);
		if (AS_LIMITED && (o->proc == PROC_INFLATE ||
		    o->proc == PROC_UNPACK || o->proc == PROC_PROFILE))
			limit(RLIMIT_AS, "memory", AS_UNPACKING);
	}

	if (!(skip & LAYER_UID)) {
		drop_user(o);
		ready->layers |= LAYER_UID;
	} else
		ready->missing |= LAYER_UID;
	if (o->threads == NULL)
		limit_processes();
	if (!(skip & LAYER_RLIMIT))
		ready->layers |= LAYER_RLIMIT;
	else
		ready->missing |= LAYER_RLIMIT;

	if (o->as_user != NULL)
		o->as_user(o->as_user_arg);
	if (sandbox_os_final(o, ready) == -1)
		fatal("cannot enter sandbox");
#ifdef SANDBOX_TEST
	sandbox_attack(o);
#endif
}

void
sandbox_names(uint32_t layers, char *s, size_t size)
{
	static const struct {
		uint32_t	 bit;
		const char	*name;
	} names[] = {
		{ LAYER_UID,		"uid" },
		{ LAYER_CHROOT,		"chroot" },
		{ LAYER_RLIMIT,		"rlimit" },
		{ LAYER_NNP,		"no_new_privs" },
		{ LAYER_LANDLOCK,	"landlock" },
		{ LAYER_SECCOMP,	"seccomp" },
		{ LAYER_PLEDGE,		"pledge" },
		{ LAYER_UNVEIL,		"unveil" }
	};
	size_t	 i;

	if (size == 0)
		return;
	s[0] = '\0';
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (!(layers & names[i].bit))
			continue;
		if (s[0] != '\0')
			strlcat(s, " ", size);
		strlcat(s, names[i].name, size);
	}
}
