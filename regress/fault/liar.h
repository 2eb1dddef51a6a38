/*
 * What the lies of the four processes share; see liar.c.
 */
#ifndef UPD_REGRESS_LIAR_H
#define UPD_REGRESS_LIAR_H

#include <sys/types.h>
#include <stdint.h>

#include "imsg.h"
#include "proto.h"

enum want { DIE, LIVE };

struct lie {
	const char	*name;
	enum want	 want;
	void		(*tell)(void);
};

struct role {
	const char		*name;
	/* Behave until the lie is due; NULL: one of the formed ones. */
	void			(*begin)(const struct lie *);
	/* Does the parent take this type: all zeros, all ones, or nothing
	 * where nothing is right? */
	int			(*takes)(uint32_t, int, int, int);
	/* 1 the parent still talks to us, 0 it does not, -1 no longer. */
	int			(*alive)(void);
	const struct lie	*lies;
};
extern const struct role role_net, role_probe, role_inflate, role_unpack;

extern struct imsgbuf	 ib;

void	 tell(uint32_t, const void *, size_t);
void	 tell_fd(uint32_t, int, const void *, size_t);
void	 raw(const void *, size_t);
int	 hear(struct imsg *, int);
int	 await(uint32_t, struct imsg *, int);

#endif
