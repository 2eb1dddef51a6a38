/*
 * What s6-svstat(8) says of a slot.
 */
#ifndef UPD_SVSTAT_H
#define UPD_SVSTAT_H

#include <stdint.h>

#include "observe.h"

/* To be asked for with -o, in this order. */
#define SVSTAT_FIELDS							\
	"up,wantedup,ready,pid,exitcode,signum,updownsince,updownfor"

/* Read its answer, which came at that wall time (us).  0, or -1: it is not
 * in that form. */
int	 svstat_parse(const char *, int64_t, struct sighting *);

#endif
