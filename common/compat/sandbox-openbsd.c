/*
 * OpenBSD: unveil, then pledge.
 *
 * Everything is hidden, but for unpack its root; the promises say what is
 * left: descriptors come over the channel (recvfd), net and probe talk to
 * the network, unpack makes files.
 */
#include <sys/types.h>

#include <unistd.h>

#include "sandbox.h"

int
sandbox_os_early(const struct sandbox_opts *o, struct msg_ready *ready)
{
	return 0;
}

static const char *
promises(const struct sandbox_opts *o)
{
	switch (o->proc) {
	case PROC_NET:
	case PROC_PROBE:
		return "stdio recvfd inet";
	case PROC_UNPACK:
		if (o->readonly)
			return "stdio recvfd rpath";
		return "stdio recvfd rpath wpath cpath fattr";
	default:
		return "stdio recvfd";
	}
}

int
sandbox_os_final(const struct sandbox_opts *o, struct msg_ready *ready)
{
	const char	*rights = "";

	if (o->proc == PROC_UNPACK)
		rights = o->readonly ? "r" : "rwc";
	if (unveil("/", rights) == -1 || unveil(NULL, NULL) == -1)
		return -1;
	ready->layers |= LAYER_UNVEIL;
	if (pledge(promises(o), NULL) == -1)
		return -1;
	ready->layers |= LAYER_PLEDGE;
	return 0;
}
