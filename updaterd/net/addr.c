/*
 * Addresses of peers.  Numbers only, and without getnameinfo(3), which may
 * ask for the name of an interface: nothing of the kind is possible here.
 */
#include <sys/types.h>
#include <sys/socket.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <string.h>

#include "net.h"

int
addr_same(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
	if (a->ss_family != b->ss_family)
		return 0;
	if (a->ss_family == AF_INET)
		return ((const struct sockaddr_in *)a)->sin_addr.s_addr ==
		    ((const struct sockaddr_in *)b)->sin_addr.s_addr;
	if (a->ss_family == AF_INET6) {
		const struct in6_addr *x, *y;

		x = &((const struct sockaddr_in6 *)a)->sin6_addr;
		y = &((const struct sockaddr_in6 *)b)->sin6_addr;
		/* One host may use its whole /64; mapped IPv4 share one. */
		return memcmp(x, y, IN6_IS_ADDR_V4MAPPED(x) ? 16 : 8) == 0;
	}
	return 1;
}

void
addr_text(const struct sockaddr_storage *ss, char *text, socklen_t size)
{
	const void	*a;

	if (ss->ss_family == AF_INET)
		a = &((const struct sockaddr_in *)ss)->sin_addr;
	else
		a = &((const struct sockaddr_in6 *)ss)->sin6_addr;
	if ((ss->ss_family != AF_INET && ss->ss_family != AF_INET6) ||
	    inet_ntop(ss->ss_family, a, text, size) == NULL)
		strlcpy(text, "unknown", size);
}
