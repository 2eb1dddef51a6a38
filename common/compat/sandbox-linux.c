/*
 * Linux: no_new_privs, Landlock, seccomp, in that order, because each
 * forbids what the one before it needs.
 *
 * A kernel without Landlock or seccomp is no error: the layer is reported
 * missing.  A kernel that has it and fails to grant it is.
 */
#include <sys/prctl.h>

#include <errno.h>
#include <stdlib.h>

#include "lockin-linux.h"
#include "log.h"

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
missing(const struct sandbox_opts *o, struct msg_ready *ready, uint32_t layer,
    const char *text)
{
	ready->missing |= layer;
	/* the short-lived come with every push: status tells. */
	if (o->proc == PROC_NET || o->proc == PROC_PROBE)
		log_notice("%s", text);
	else
		log_debug("%s", text);
}

int
sandbox_os_early(const struct sandbox_opts *o, struct msg_ready *ready)
{
	ready->landlock_abi = (uint32_t)landlock_abi();
	return 0;
}

int
sandbox_os_final(const struct sandbox_opts *o, struct msg_ready *ready)
{
	uint32_t	 skip = skipped();

	if (skip & LAYER_NNP)
		ready->missing |= LAYER_NNP;
	else if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1)
		return -1;
	else
		ready->layers |= LAYER_NNP;

	if ((skip & LAYER_LANDLOCK) || ready->landlock_abi == 0)
		missing(o, ready, LAYER_LANDLOCK, "run without Landlock: the "
		    "kernel has none, files are fenced by chroot alone");
	else if (landlock_enter(o, (int)ready->landlock_abi) == -1)
		return -1;
	else
		ready->layers |= LAYER_LANDLOCK;

	sandbox_threads(o);
	if ((skip & LAYER_SECCOMP) == 0 && seccomp_enter(o) == 0)
		ready->layers |= LAYER_SECCOMP;
	else if ((skip & LAYER_SECCOMP) || errno == ENOSYS)
		missing(o, ready, LAYER_SECCOMP, "run without seccomp: every "
		    "system call stays open to this process");
	else
		return -1;
	return 0;
}
