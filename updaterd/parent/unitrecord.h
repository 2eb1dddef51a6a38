/*
 * Which units are in our care, remembered below the run directory until
 * the host goes down; and the target that holds a unit.
 */
#ifndef UPD_UNITRECORD_H
#define UPD_UNITRECORD_H

#include <sys/types.h>
#include <stdint.h>

#include "proto.h"
#include "../unitname.h"

struct service_conf;

struct unitrecord {
	char	 unit[UNIT_NAME_SIZE];
	char	 instance[UPD_INSTANCE_SIZE];	/* "" not known */
	int	 installed;		/* its file is one of a release */
	uint64_t told;			/* monotonic us: it was brought down
					 * by us then, and not seen to run
					 * since; 0: it was not */
};

/* The name of the target that holds a unit ("" none: too long). */
void	 unitrecord_pinname(const char *, char *);
/* The same, and its file is made where missing.  0, or -1 with errno: there
 * is none. */
int	 unitrecord_pin(const char *, char *);

/* An instance (the first) has that unit; installed and told as above. */
void	 unitrecord_write(const char *, const char *, int, uint64_t);
/* What an instance of that name has.  1, or 0: nothing. */
int	 unitrecord_read(const char *, struct unitrecord *);
/* The instance has it no longer, and the unit leaves: one step on disk.  1,
 * or 0: nothing is on record, or another instance has that unit. */
int	 unitrecord_leave(const char *, struct unitrecord *);
/* 1: that unit is on record to leave, on disk. */
int	 unitrecord_isleaving(const char *);
/* It has left. */
void	 unitrecord_left(const char *);
/* fn(arg, record) for each that is on record to leave. */
void	 unitrecord_eachleaving(void (*)(void *, const struct unitrecord *),
	    void *);
/* 1: an instance has that unit. */
int	 unitrecord_hasunit(const char *);
/* 1: another unit than that one, of an instance or leaving, is installed from
 * the same file. */
int	 unitrecord_isshared(const char *);

/* Remove what a kill has left of writing records, and what is none. */
void	 unitrecord_sweep(void);
/* fn(arg, name) for each instance that has one; for struct backend. */
void	 unitrecord_list(const struct service_conf *,
	    void (*)(void *, const char *), void *);

#endif
