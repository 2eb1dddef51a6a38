/*
 * Who asked for metrics.  All of them wait until net has told its counters,
 * or until it has taken too long, and get the same text.
 */
#include <sys/types.h>

#include "error.h"
#include "log.h"
#include "metrics.h"
#include "netcount.h"
#include "parent.h"

#define WAITING_MAX	64

static struct caller	*waiting[WAITING_MAX];
static size_t		 nwaiting;

static void
answer(void)
{
	struct buf	 b = { NULL, 0, 0 };
	size_t		 i;
	int		 r;

	if (nwaiting == 0)
		return;
	if ((r = metrics_text(&b)) == -1)
		log_warnx("write metrics: out of memory");
	for (i = 0; i < nwaiting; i++)
		if (r == -1)
			caller_error(waiting[i], UPD_EFULL, "out of memory");
		else
			caller_text(waiting[i], b.data, b.len);
	nwaiting = 0;
	buf_free(&b);
}

void
scrape(struct caller *c)
{
	if (nwaiting == WAITING_MAX) {
		caller_error(c, UPD_EFULL, "too many ask at once");
		return;
	}
	waiting[nwaiting++] = c;
	netcount_onanswer(answer);
	if (netcount_ask() == -1)
		answer();
}
