/*
 * What a service's configuration means for one of its instances: %p is the
 * profile's name, %h its directory, %% a percent sign.  Only a service with
 * a home has these; in any other a percent sign is itself.
 */
#ifndef UPD_EXPAND_H
#define UPD_EXPAND_H

#include "../config.h"

struct instance;

struct expansion {
	struct args	 command;
	struct args	 environment;
	struct args	 check;		/* of health exec */
	char		*directory;	/* NULL: current/ */
	char		*log;		/* NULL: none */
	char		*unit;		/* systemd, rcctl; NULL: none */
};

/* All texts of an instance's service as they are for it.  0, or -1 with
 * text (UPD_TEXT_SIZE); freed with expansion_free() either way. */
int	 instance_expand(const struct instance *, struct expansion *, char *);
void	 expansion_free(struct expansion *);

#endif
