/*
 * Reading s6-svstat's answer: "true true false 7 -1 -1 @4000... 12".  The
 * form of the file that it reads differs between versions of s6, that of
 * these fields does not.
 */
#include <sys/types.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "svstat.h"

#define US_PER_S	1000000LL
#define TAI_BASE	(1ULL << 62)	/* label of 1970, TAI */
#define LABEL_LEN	24		/* hex digits: seconds, nanoseconds */
#define FOR_MAX		(1LL << 40)	/* seconds */
#define SLACK_S		2		/* of the whole seconds it is for */

/* 1 or 0, or -1. */
static int
word(const char *s)
{
	if (strcmp(s, "true") == 0)
		return 1;
	return strcmp(s, "false") == 0 ? 0 : -1;
}

/*
 * A TAI64N label as wall time.  By how many seconds TAI is ahead depends on
 * how s6's library was built (10, or all leap seconds so far); which it is
 * shows in the whole seconds that have passed since.
 */
static int64_t
wall(const char *label, int64_t passed, int64_t now)
{
	static const int	 ahead[] = { 10, 37 };
	uint64_t		 s;
	int64_t			 about = now / US_PER_S - passed, t;
	uint32_t		 ns;
	size_t			 i;

	if (sscanf(label, "%16" SCNx64 "%8" SCNx32, &s, &ns) != 2 ||
	    s < TAI_BASE || s - TAI_BASE > (uint64_t)FOR_MAX)
		return now - passed * US_PER_S;
	for (i = 0; i < sizeof(ahead) / sizeof(ahead[0]); i++) {
		t = (int64_t)(s - TAI_BASE) - ahead[i];
		if (t >= about - SLACK_S && t <= about + SLACK_S)
			return t * US_PER_S + ns / 1000;
	}
	return now - passed * US_PER_S;
}

int
svstat_parse(const char *out, int64_t now, struct sighting *s)
{
	char	 up[6], wanted[6], ready[6], label[LABEL_LEN + 1];
	int64_t	 passed;
	int	 pid, code, sig, end = 0, w;

	memset(s, 0, sizeof(*s));
	s->status = -1;
	if (sscanf(out, "%5s %5s %5s %d %d %d @%24[0-9a-f] %" SCNd64 "%n",
	    up, wanted, ready, &pid, &code, &sig, label, &passed, &end) != 8 ||
	    strcmp(out + end, "\n") != 0 || strlen(label) != LABEL_LEN ||
	    passed < 0 || passed > FOR_MAX)
		return -1;
	if ((s->up = word(up)) == -1 || (w = word(wanted)) == -1 ||
	    (s->ready = word(ready)) == -1)
		return -1;
	s->known = 1;
	s->wanted = w ? WANTED_UP : WANTED_DOWN;
	s->since = wall(label, passed, now);
	if (s->up) {
		s->pid = pid;
		return pid > 1 ? 0 : -1;
	}
	s->ready = 0;
	/* As waitpid(2) has it. */
	if (sig > 0 && sig < 128)
		s->status = sig;
	else if (code >= 0 && code < 256)
		s->status = code << 8;
	return 0;
}
