/*
 * The routes, as in DESIGN 7, and the permits.
 */
#include <string.h>
#include <strings.h>

#include "query.h"
#include "route.h"

static const struct route routes[] = {
	{ "/health",		"GET",	ROLE_NONE,	ROUTE_OP, OP_HEALTH },
	{ "/releases",		"GET",	ROLE_READ,	ROUTE_OP, OP_RELEASES },
	{ "/status",		"GET",	ROLE_READ,	ROUTE_OP, OP_STATUS },
	{ "/manifest",		"GET",	ROLE_READ,	ROUTE_OP, OP_MANIFEST },
	{ "/metrics",		"GET",	ROLE_READ,	ROUTE_OP, OP_METRICS },
	{ "/agents",		"GET",	ROLE_READ,	ROUTE_OP, OP_AGENTS },
	{ "/agents/*",		"GET",	ROLE_READ,	ROUTE_OP, OP_AGENTS },
	{ "/agents/*/releases",	"GET",	ROLE_READ,	ROUTE_OP, OP_RELEASES },
	{ "/agents/*/manifest",	"GET",	ROLE_READ,	ROUTE_OP, OP_MANIFEST },
	{ "/update",		"POST",	ROLE_PUSH,	ROUTE_UPDATE, 0 },
	{ "/update",		"PUT",	ROLE_PUSH,	ROUTE_UPDATE, 0 },
	{ "/agents/*/update",	"POST",	ROLE_PUSH,	ROUTE_UPDATE, 0 },
	{ "/agents/*/update",	"PUT",	ROLE_PUSH,	ROUTE_UPDATE, 0 },
	{ "/confirm",		"POST",	ROLE_PUSH,	ROUTE_OP, OP_CONFIRM },
	{ "/agents/*/confirm",	"POST",	ROLE_PUSH,	ROUTE_OP, OP_CONFIRM },
	{ "/rollback",		"POST",	ROLE_CONTROL,	ROUTE_OP, OP_ROLLBACK },
	{ "/agents/*/rollback",	"POST",	ROLE_CONTROL,	ROUTE_OP, OP_ROLLBACK },
	{ "/services/*/start",	"POST",	ROLE_CONTROL,	ROUTE_OP, OP_START },
	{ "/services/*/stop",	"POST",	ROLE_CONTROL,	ROUTE_OP, OP_STOP },
	{ "/services/*/restart", "POST", ROLE_CONTROL,	ROUTE_OP, OP_RESTART },
	{ "/update-self",	"POST",	ROLE_SELF,	ROUTE_SELF, 0 },
	{ "/update-self",	"PUT",	ROLE_SELF,	ROUTE_SELF, 0 }
};
#define NROUTES	(sizeof(routes) / sizeof(routes[0]))

/* Names in paths: agents, and instances, whose profile part may hold
 * capitals and dots.  What exists the parent knows. */
static int
isname(const char *s)
{
	static const char	 allowed[] = "0123456789._-"
				    "abcdefghijklmnopqrstuvwxyz"
				    "ABCDEFGHIJKLMNOPQRSTUVWXYZ";

	return s[0] != '\0' && s[0] != '.' && s[0] != '-' &&
	    s[strspn(s, allowed)] == '\0';
}

/* 1 if the path fits; the name is filled in. */
static int
match(const char *pattern, const char *path, char *name)
{
	const char	*star, *end;
	size_t		 n;

	name[0] = '\0';
	if ((star = strchr(pattern, '*')) == NULL)
		return strcmp(pattern, path) == 0;
	n = (size_t)(star - pattern);
	if (strncmp(pattern, path, n) != 0)
		return 0;
	path += n;
	end = path + strcspn(path, "/");
	if (strcmp(star + 1, end) != 0)
		return 0;
	return query_decode(path, end, name, UPD_INSTANCE_SIZE, 0) == 0 &&
	    isname(name);
}

/* One agent's name is shorter than an instance's. */
static int
fits(const struct route *r, const char *name)
{
	return strncmp(r->path, "/agents/", 8) != 0 || name_isvalid(name);
}

enum route_result
route_find(const char *method, const char *path, const struct route **found,
    char *name, char *allow, size_t size)
{
	char	 n[UPD_INSTANCE_SIZE];
	size_t	 i;
	int	 known = 0;

	name[0] = allow[0] = '\0';
	*found = NULL;
	for (i = 0; i < NROUTES; i++) {
		if (!match(routes[i].path, path, n) || !fits(&routes[i], n))
			continue;
		if (strcmp(routes[i].method, method) == 0) {
			*found = &routes[i];
			memcpy(name, n, sizeof(n));
			return ROUTE_FOUND;
		}
		if (known++)
			strlcat(allow, ", ", size);
		strlcat(allow, routes[i].method, size);
	}
	return known ? ROUTE_NOMETHOD : ROUTE_NOPATH;
}

/* What changes updaterd takes more than what changes an agent. */
enum upd_role
route_needs(const struct route *r, const char *name)
{
	if (strncmp(r->path, "/agents/", 8) == 0 &&
	    strcmp(name, SELF_NAME) == 0 && r->role > ROLE_READ)
		return ROLE_SELF;
	return r->role;
}

enum upd_role
route_role(const struct msg_net_permit *permits, size_t n,
    const char *subject, const char *fingerprint)
{
	enum upd_role	 role = ROLE_NONE;
	size_t		 i;
	int		 same;

	for (i = 0; i < n; i++) {
		if (permits[i].kind == PERMIT_SUBJECT)
			same = subject[0] != '\0' &&
			    strcmp(permits[i].value, subject) == 0;
		else
			same = fingerprint[0] != '\0' &&
			    strcasecmp(permits[i].value, fingerprint) == 0;
		if (same)
			role = (enum upd_role)permits[i].role;
	}
	return role;
}
