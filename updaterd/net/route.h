/*
 * Which request is which, and what a caller may do.  Pure.
 */
#ifndef NET_ROUTE_H
#define NET_ROUTE_H

#include <stddef.h>

#include "proto.h"

enum route_kind {
	ROUTE_OP,		/* one IMSG_REQUEST, one answer */
	ROUTE_UPDATE,
	ROUTE_SELF,		/* an update of updaterd itself */
	ROUTE_NOTBUILT		/* known, in a later version */
};

struct route {
	const char	*path;		/* '*' stands for one name */
	const char	*method;
	enum upd_role	 role;		/* needed */
	enum route_kind	 kind;
	enum upd_op	 op;
};

enum route_result {
	ROUTE_FOUND,
	ROUTE_NOPATH,		/* 404 */
	ROUTE_NOMETHOD		/* 405; the buffer holds the Allow value */
};

/*
 * Find the route of a method and an escaped path.  The first buffer, of
 * UPD_INSTANCE_SIZE bytes, receives the name that stood for '*' ("" none),
 * the second what is allowed.
 */
enum route_result route_find(const char *, const char *,
		    const struct route **, char *, char *, size_t);
/* The role that a route found needs, for that name. */
enum upd_role	 route_needs(const struct route *, const char *);
/* Role of a caller: the last permit that matches wins; none: ROLE_NONE. */
enum upd_role	 route_role(const struct msg_net_permit *, size_t,
		    const char *, const char *);

#endif
