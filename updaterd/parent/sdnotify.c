/*
 * A line to the service manager, where one asked for it by NOTIFY_SOCKET
 * (sd_notify(3) of systemd documents the protocol).  The variable is taken
 * out of the environment, so that no service of ours speaks in our name.
 */
#include <sys/types.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "parent.h"

static struct sockaddr_un	 manager;
static socklen_t		 manager_len;

void
sdnotify_init(void)
{
	const char	*path = getenv("NOTIFY_SOCKET");
	size_t		 len;

	if (path == NULL)
		return;
	len = strlen(path);
	if ((path[0] == '/' || path[0] == '@') && len > 1 &&
	    len < sizeof(manager.sun_path)) {
		manager.sun_family = AF_UNIX;
		memcpy(manager.sun_path, path, len);
		if (path[0] == '@')	/* abstract name */
			manager.sun_path[0] = '\0';
		manager_len = (socklen_t)(offsetof(struct sockaddr_un,
		    sun_path) + len);
	} else
		log_warnx("ignore NOTIFY_SOCKET %s", path);
	unsetenv("NOTIFY_SOCKET");
}

void
sdnotify(const char *text)
{
	int	 fd;

	if (manager_len == 0)
		return;
	if ((fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
	    0)) == -1 || sendto(fd, text, strlen(text), 0,
	    (struct sockaddr *)&manager, manager_len) == -1)
		log_warn("notify the service manager");
	if (fd != -1)
		close(fd);
}
