/*
 * Below <run>/.slots/ a file for each instance that has a slot, named as the
 * instance, with the path of the scan directory.  So a slot is found again
 * when its service is configured otherwise, or no longer, at updaterd's next
 * start.  The dot keeps it apart from the directories of instances.
 *
 * The record goes after the last of the slot, so that what a killed daemon
 * had begun to take out is found, too.
 */
#include <sys/types.h>
#include <sys/stat.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
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

/* --- taking out -------------------------------------------------------- */

struct parting {
	char	 name[UPD_INSTANCE_SIZE];
	char	 path[PATH_MAX];
};

/* All of it has gone; unless there is another one by now. */
static void
parted(void *arg)
{
	struct parting	*p = arg;
	struct stat	 st;
	char		*path = read_record(p->name), slot[PATH_MAX];

	if (path != NULL && strcmp(path, p->path) == 0 &&
	    (size_t)snprintf(slot, sizeof(slot), "%s/%s", path, p->name) <
	    sizeof(slot) && lstat(slot, &st) == -1)
		s6record_drop(p->name);
	free(path);
	free(p);
}

/* NULL: out of memory; it is dropped at another pass then. */
static struct parting *
parting_new(const char *name, const char *path)
{
	struct parting	*p;

	if ((p = calloc(1, sizeof(*p))) != NULL) {
		strlcpy(p->name, name, sizeof(p->name));
		strlcpy(p->path, path, sizeof(p->path));
	}
	return p;
}

int
s6record_takeout(int scan, const char *name, const char *path)
{
	struct parting	*p = parting_new(name, path);

	log_info("remove slot %s of %s", name, path);
	if (slot_withdraw(scan, name, p != NULL ? parted : NULL, p) == 0)
		return 0;
	log_warn("remove slot %s of %s", name, path);
	free(p);
	return -1;
}

/* The same for one that a daemon which was killed had begun to take out. */
static void
take_rest(int scan, const char *name, const char *path)
{
	struct parting	*p = parting_new(name, path);

	slot_sweep(scan);
	if (p == NULL || slot_leaves(name, parted, p))
		return;
	free(p);
	s6record_drop(name);
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
		if (slot_ismine(scan, name, service_getenv()->run_path))
			r = s6record_takeout(scan, name, path) == 0;
		else
			take_rest(scan, name, path);
		close(scan);
	} else
		s6record_drop(name);
 done:
	free(path);
	return r;
}

/* Names of all records; NULL: there are none. */
static DIR *
list_records(void)
{
	DIR	*d;
	int	 fd;

	if ((fd = open_records()) == -1)
		return NULL;
	if ((d = fdopendir(fd)) == NULL)
		close(fd);
	return d;
}

/* Is there a slot to it? */
static int
has_slot(const char *name)
{
	char	*path;
	int	 scan, yes = 0;

	if ((path = read_record(name)) == NULL)
		return 0;
	if ((scan = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) != -1) {
		yes = slot_ismine(scan, name, service_getenv()->run_path);
		close(scan);
	}
	free(path);
	return yes;
}

void
s6record_strays(int dry, void (*fn)(void *, const char *), void *arg)
{
	struct dirent	*e;
	DIR		*d;

	if ((d = list_records()) == NULL)
		return;
	while ((e = readdir(d)) != NULL) {
		if (e->d_name[0] == '.' || instance_find(e->d_name) != NULL)
			continue;
		if (has_slot(e->d_name))
			fn(arg, e->d_name);
		else if (!dry)
			(void)s6record_withdraw(e->d_name, NULL);
	}
	closedir(d);
}
