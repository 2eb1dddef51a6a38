/*
 * Below <run>/.slots/ a file for each instance that has a slot, named as the
 * instance, with the path of the scan directory.  So a slot is found again
 * when its service is configured otherwise, or no longer, at updaterd's next
 * start.  The dot keeps it apart from the directories of instances.
 */
#include <sys/types.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "instance.h"
#include "log.h"
#include "s6record.h"
#include "scandir.h"
#include "util.h"

#define RECORDS		".slots"

/* The directory, made where missing; -1 with errno. */
static int
open_records(void)
{
	int	 runfd = service_getenv()->runfd;

	if (mkdirat(runfd, RECORDS, 0700) == -1 && errno != EEXIST)
		return -1;
	return openat(runfd, RECORDS, O_RDONLY | O_DIRECTORY | O_NOFOLLOW |
	    O_CLOEXEC);
}

/* Malloced, or NULL: there is none. */
static char *
read_record(const char *name)
{
	char	*path = NULL;
	size_t	 len;
	int	 fd;

	if ((fd = open_records()) == -1)
		return NULL;
	path = file_read(fd, name, PATH_MAX, &len);
	close(fd);
	if (path != NULL && (path[0] != '/' || strlen(path) != len)) {
		free(path);
		return NULL;
	}
	return path;
}

void
s6record_write(const char *name, const char *scandir)
{
	char	*old = read_record(name);
	int	 fd, same = old != NULL && strcmp(old, scandir) == 0;

	free(old);
	if (same)
		return;
	if ((fd = open_records()) == -1 ||
	    file_write(fd, name, scandir, strlen(scandir), 0600) == -1)
		log_warn("remember the slot of %s", name);
	if (fd != -1)
		close(fd);
}

void
s6record_drop(const char *name)
{
	int	 fd;

	if ((fd = open_records()) == -1)
		return;
	(void)unlinkat(fd, name, 0);
	close(fd);
}

int
s6record_withdraw(const char *name, const char *but)
{
	char	*path;
	int	 scan, r = 0;

	if ((path = read_record(name)) == NULL)
		return 0;
	if (but != NULL && strcmp(path, but) == 0)
		goto done;
	if ((scan = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) != -1) {
		if (slot_ismine(scan, name, service_getenv()->run_path)) {
			log_info("remove slot %s of %s", name, path);
			r = slot_withdraw(scan, name, NULL, NULL) == 0;
			if (!r)
				log_warn("remove slot %s of %s", name, path);
		}
		close(scan);
	}
	s6record_drop(name);
 done:
	free(path);
	return r;
}
