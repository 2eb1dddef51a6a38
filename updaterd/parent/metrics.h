/*
 * All that there is to tell, as Prometheus's text.
 */
#ifndef UPD_METRICS_H
#define UPD_METRICS_H

#include "util.h"

/* 0, or -1: out of memory. */
int	 metrics_text(struct buf *);

#endif
