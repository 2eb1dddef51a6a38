/*
 * Logging for fuzz harnesses: none, and what would be fatal is a finding.
 */
#include <stdlib.h>

#include "log.h"

void
log_warn(const char *fmt, ...)
{
}

void
log_warnx(const char *fmt, ...)
{
}

void
log_notice(const char *fmt, ...)
{
}

void
log_info(const char *fmt, ...)
{
}

void
log_debug(const char *fmt, ...)
{
}

void
log_setverbose(int level)
{
}

int
log_getverbose(void)
{
	return 0;
}

void
fatal(const char *fmt, ...)
{
	abort();
}

void
fatalx(const char *fmt, ...)
{
	abort();
}
