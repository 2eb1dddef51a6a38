/*
 * OpenBSD: unveil, then pledge.
 *
 * Everything is hidden, but for unpack its root and for profile what it was
 * given; the promises say what is
 * left: descriptors come over the channel (recvfd), net and probe talk to
 * the network, unpack makes files.
 */
#include <sys/types.h>
#include <sys/stat.h>

#include <libgen.h>
#include <limits.h>
#include <string.h>
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
	case PROC_PROFILE:
		if (o->readonly)
			return "stdio sendfd rpath";
		return "stdio sendfd rpath wpath cpath fattr";
	default:
		return "stdio recvfd";
	}
}

/* A log is a file that may not be there yet: its directory.  0, or -1. */
static int
unveil_given(const struct sandbox_opts *o, const char *rights)
{
	struct stat	 st;
	char		 path[PATH_MAX];
	int		 i;

	for (i = 0; i < SANDBOX_BENEATH; i++) {
		if (o->beneath[i] == NULL || *o->beneath[i] == -1 ||
		    o->paths[i][0] == '\0')
			continue;
		strlcpy(path, o->paths[i], sizeof(path));
		if (stat(path, &st) == -1 || !S_ISDIR(st.st_mode))
			strlcpy(path, dirname(path), sizeof(path));
		if (unveil(path, rights) == -1)
			return -1;
	}
	return 0;
}

int
sandbox_os_final(const struct sandbox_opts *o, struct msg_ready *ready)
{
	const char	*rights = "";

	sandbox_threads(o);
	if (o->proc == PROC_PROFILE) {
		if (unveil_given(o, o->readonly ? "r" : "rwc") == -1)
			return -1;
	} else if (o->proc == PROC_UNPACK)
		rights = o->readonly ? "r" : "rwc";
	if ((o->proc != PROC_PROFILE && unveil("/", rights) == -1) ||
	    unveil(NULL, NULL) == -1)
		return -1;
	ready->layers |= LAYER_UNVEIL;
	if (pledge(promises(o), NULL) == -1)
		return -1;
	ready->layers |= LAYER_PLEDGE;
	return 0;
}
