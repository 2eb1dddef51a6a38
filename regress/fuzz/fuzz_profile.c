/*
 * A profile's own state file: whatever is in it, known words come out; what
 * is written over it says what was to be written, and keeps the rest.
 */
/* LINK: updaterd/profile/statefile.o common/profile.o common/util.o regress/fuzz/quiet.o */
/* LIBS: -ljansson */
#include <sys/types.h>

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "profile.h"
#include "../../updaterd/profile/statefile.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct msg_profile_state	 m;
	struct msg_profile_found	 f;
	char				*text;
	size_t				 n;

	memset(&f, 0xff, sizeof(f));
	statefile_parse((const char *)data, len, "gw", &f);
	if (f.state >= PSTATE__MAX || f.desired >= PDESIRED__MAX ||
	    f.stamp < 0)
		abort();
	memset(&m, 0, sizeof(m));
	m.state = PSTATE_DRAINING;
	m.desired = PDESIRED_STOPPED;
	m.stamp = 1795312195LL * 1000000;
	text = statefile_merge((const char *)data, len, "gw", &m, &n);
	if (text == NULL) {
		if (errno == EINVAL && f.state != PSTATE_UNREADABLE)
			abort();
		return 0;
	}
	statefile_parse(text, n, "gw", &f);
	if (f.state != PSTATE_DRAINING || f.desired != PDESIRED_STOPPED ||
	    f.stamp / 1000000 != m.stamp / 1000000)
		abort();
	free(text);
	return 0;
}
