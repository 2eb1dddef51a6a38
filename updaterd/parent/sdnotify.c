/*
 * A line to the service manager, where one asked for it by NOTIFY_SOCKET
 * (sd_notify(3) of systemd documents the protocol).  The variable is taken
 * out of the environment, so that no service of ours speaks in our name.
 *
 * A watchdog (WatchdogSec= of the unit) is the one timer that goes on when
 * nothing happens, and only exists where it was asked for: twice in its
 * interval we say that we live, and see that net does.
 */
#include <sys/types.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <event.h>
#include <limits.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "netcount.h"
#include "parent.h"

static struct sockaddr_un	 manager;
static socklen_t		 manager_len;
static char			 name[sizeof(manager.sun_path) + 1];
static struct event		 dog_ev;
static struct timeval		 dog_tv;

static void
watchdog(int fd, short what, void *arg)
{
	sdnotify("WATCHDOG=1");
	(void)netcount_ask();
	evtimer_add(&dog_ev, &dog_tv);
}

static void
watchdog_init(void)
{
	const char	*text = getenv("WATCHDOG_USEC");
	const char	*pid = getenv("WATCHDOG_PID");
	const char	*why;
	long long	 us;

	/* In the foreground we are the process that was started. */
	if (text != NULL && (pid == NULL || strtonum(pid, 1, INT_MAX,
	    &why) == getpid())) {
		us = strtonum(text, 2, LLONG_MAX, &why) / 2;
		dog_tv.tv_sec = (time_t)(us / 1000000);
		dog_tv.tv_usec = (suseconds_t)(us % 1000000);
		evtimer_set(&dog_ev, watchdog, NULL);
		if (us > 0)
			evtimer_add(&dog_ev, &dog_tv);
	}
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
}

void
sdnotify_init(void)
{
	const char	*path = getenv("NOTIFY_SOCKET");
	size_t		 len;

	watchdog_init();
	if (path == NULL)
		return;
	len = strlen(path);
	strlcpy(name, path, sizeof(name));
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
sdnotify_restore(void)
{
	char	 text[32];

	if (dog_tv.tv_sec != 0 || dog_tv.tv_usec != 0) {
		snprintf(text, sizeof(text), "%lld", 2 *
		    ((long long)dog_tv.tv_sec * 1000000 + dog_tv.tv_usec));
		(void)setenv("WATCHDOG_USEC", text, 1);
	}
	if (name[0] != '\0')
		(void)setenv("NOTIFY_SOCKET", name, 1);
}

void
sdnotify_drop(void)
{
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
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
