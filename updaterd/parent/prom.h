/*
 * Writing Prometheus's text exposition format, version 0.0.4.
 */
#ifndef UPD_PROM_H
#define UPD_PROM_H

#include <stdint.h>

#include "util.h"

/* One text; zero-initialised is empty. */
struct prom {
	struct buf	 b;
	const char	*family;	/* the one being written */
	int		 failed;	/* out of memory */
};

/* Begin a family: name, type ("counter", "gauge", "histogram"), help.  All
 * of its samples follow, before the next. */
void	 prom_family(struct prom *, const char *, const char *, const char *);
/* One sample of it: value, then pairs of label and value, NULL.  Values of
 * labels may hold any bytes. */
void	 prom_put(struct prom *, uint64_t, ...) __attribute__((sentinel));
/* The value is a time or a duration in microseconds, written in seconds. */
void	 prom_put_us(struct prom *, int64_t, ...) __attribute__((sentinel));
/* One sample of part of a histogram: "_bucket", "_sum" or "_count"; value
 * in milliseconds where it is "_sum", written in seconds. */
void	 prom_part(struct prom *, const char *, uint64_t, ...)
	    __attribute__((sentinel));

#endif
