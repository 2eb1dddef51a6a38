/*
 * The run directory of a native service, <run>/<instance>/, all of it root's
 * and of this boot only:
 *	log	FIFO, descriptors 1 and 2 of the service (logfile.c)
 *	ready	FIFO, its descriptor 3 if health is notify (herald.c)
 *	notify	socket, likewise
 *	pid	"PID START BOOT RELEASE" of what runs
 *
 * `pid` is written right after the fork, before the event loop is entered
 * again: should the parent be killed then, the next one finds the process
 * by it.  It need not survive the host, so it is not synced; the state
 * file, which must, is written when the service has long been started.
 */
#include <sys/types.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "instance.h"
#include "log.h"
#include "util.h"

#define RUNDIR_MODE	0711	/* its user must get to the socket */
#define RECORD_MAX	256	/* bytes of `pid` */

int
rundir_open(struct instance *i)
{
	const struct service_env	*senv = service_getenv();
	struct stat			 st;

	if (i->native.dirfd != -1)
		return i->native.dirfd;
	if (mkdirat(senv->runfd, i->name, RUNDIR_MODE) == -1 &&
	    errno != EEXIST)
		return -1;
	i->native.dirfd = openat(senv->runfd, i->name,
	    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (i->native.dirfd == -1)
		return -1;
	if (fstat(i->native.dirfd, &st) == -1 || st.st_uid != geteuid() ||
	    fchmod(i->native.dirfd, RUNDIR_MODE) == -1) {
		close(i->native.dirfd);
		i->native.dirfd = -1;
		errno = EPERM;
	}
	return i->native.dirfd;
}

int
rundir_isthere(const char *name)
{
	return faccessat(service_getenv()->runfd, name, F_OK,
	    AT_SYMLINK_NOFOLLOW) == 0;
}

void
rundir_note(struct instance *i)
{
	char	 text[RECORD_MAX];
	int	 fd, n, ok, dirfd = i->native.dirfd;

	if (dirfd == -1)
		return;
	n = snprintf(text, sizeof(text), "%d %" PRIu64 " %s %s\n",
	    (int)i->in.pid, i->in.start_time, i->in.boot, i->in.release);
	fd = openat(dirfd, "pid.tmp", O_WRONLY | O_CREAT | O_TRUNC |
	    O_NOFOLLOW | O_CLOEXEC, 0600);
	ok = fd != -1 && write_all(fd, text, (size_t)n) == 0;
	if (fd != -1)
		close(fd);
	if (!ok || renameat(dirfd, "pid.tmp", dirfd, "pid") == -1)
		log_warn("write pid file of %s", i->name);
}

int
rundir_recall(struct instance *i)
{
	char	 boot[BOOT_SIZE], release[UPD_ID_SIZE] = "", *data;
	size_t	 len;
	uint64_t start;
	int	 pid, n;

	data = file_read(i->native.dirfd, "pid", RECORD_MAX, &len);
	if (data == NULL)
		return 0;
	n = sscanf(data, "%d %" SCNu64 " %40s %63s", &pid, &start, boot,
	    release);
	free(data);
	if (n < 3 || pid < 2 || strcmp(boot, boot_id()) != 0 ||
	    (release[0] != '\0' && !id_isvalid(release)))
		return 0;
	if (i->in.pid != pid) {		/* the state file is behind */
		i->in.started_at = time_real_us();
		i->in.conf = 0;
	}
	i->in.pid = pid;
	i->in.start_time = start;
	strlcpy(i->in.boot, boot, sizeof(i->in.boot));
	strlcpy(i->in.release, release, sizeof(i->in.release));
	return 1;
}

void
rundir_remove(struct instance *i)
{
	static const char *const names[] = {
		"log", "ready", "notify", "pid", "pid.tmp"
	};
	struct native	*n = &i->native;
	size_t		 k;

	if (n->dirfd == -1)
		return;
	for (k = 0; k < sizeof(names) / sizeof(names[0]); k++)
		unlinkat(n->dirfd, names[k], 0);
	close(n->dirfd);
	n->dirfd = -1;
	if (unlinkat(service_getenv()->runfd, i->name, AT_REMOVEDIR) == -1)
		log_warn("remove run directory of %s", i->name);
}
