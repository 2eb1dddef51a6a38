/*
 * Below <run>/.slots/ a file for each instance that has a slot, named as the
 * instance, with the path of the scan directory, or of two while it moves, a
 * line each.  So a slot is found again when its service is configured
 * otherwise, or no longer, at updaterd's next start.  The dot keeps it apart
 * from the directories of instances.
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
#define RECORD_MAX	(4 * PATH_MAX)	/* bytes */

/* The directory, made where missing; -1 with errno. */
static int
open_records(void)
{
	int	 runfd = service_getenv()->runfd;

	if (!service_getenv()->dry && mkdirat(runfd, RECORDS, 0700) == -1 &&
	    errno != EEXIST)
		return -1;
	return openat(runfd, RECORDS, O_RDONLY | O_DIRECTORY | O_NOFOLLOW |
	    O_CLOEXEC);
}

/* Malloced, or NULL: there is none, or errno.  All of it is whole lines. */
static char *
read_record(const char *name)
{
	char	*text = NULL;
	size_t	 len;
	int	 fd;

	if ((fd = open_records()) == -1)
		return NULL;
	text = file_read(fd, name, RECORD_MAX, &len);
	close(fd);
	if (text != NULL && (text[0] != '/' || strlen(text) != len ||
	    text[len - 1] != '\n')) {
		free(text);
		errno = EINVAL;
		return NULL;
	}
	return text;
}

static void
write_record(const char *name, const char *text)
{
	int	 fd, r = -1;

	if ((fd = open_records()) != -1) {
		r = text[0] != '\0' ? file_write(fd, name, text,
		    strlen(text), 0600) : unlinkat(fd, name, 0);
		close(fd);
	}
	if (r == -1)
		log_warn("remember the slot of %s", name);
}

/* The text without that line; 1 it was there. */
static int
take_line(char *text, const char *path)
{
	size_t	 len = strlen(path);
	char	*p, *end;

	for (p = text; (end = strchr(p, '\n')) != NULL; p = end + 1)
		if ((size_t)(end - p) == len && strncmp(p, path, len) == 0) {
			memmove(p, end + 1, strlen(end + 1) + 1);
			return 1;
		}
	return 0;
}

void
s6record_write(const char *name, const char *scandir)
{
	char	*old = read_record(name), *text = NULL;

	if (old != NULL && take_line(old, scandir))
		goto done;		/* it is there */
	/* Another slot may be in it, which would be forgotten. */
	if (old == NULL && !file_islasting(errno)) {
		log_warn("remember the slot of %s", name);
		goto done;
	}
	if (asprintf(&text, "%s%s\n", old != NULL ? old : "", scandir) == -1)
		text = NULL;
	if (text == NULL || strlen(text) > RECORD_MAX)
		log_warnx("remember the slot of %s: out of memory", name);
	else
		write_record(name, text);
 done:
	free(old);
	free(text);
}

void
s6record_drop(const char *name, const char *scandir)
{
	char	*text = read_record(name);

	if (text != NULL && take_line(text, scandir))
		write_record(name, text);
	free(text);
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
	char		 slot[PATH_MAX + UPD_INSTANCE_SIZE];

	snprintf(slot, sizeof(slot), "%s/%s", p->path, p->name);
	if (lstat(slot, &st) == -1)
		s6record_drop(p->name, p->path);
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
	int		 r;

	slot_sweep(scan);
	if ((r = slot_leaves(scan, name, parted, p)) != 1)
		free(p);
	if (r == 0)
		s6record_drop(name, path);
}

/* 1 it was there. */
static int
withdraw_from(const char *path, const char *name)
{
	int	 scan, r = 0;

	if ((scan = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) == -1) {
		if (file_islasting(errno))
			s6record_drop(name, path);
		else
			log_warn("remove slot %s of %s, which updaterctl "
			    "reconcile tries again", name, path);
		return 0;
	}
	if (slot_ismine(scan, name, service_getenv()->run_path))
		r = s6record_takeout(scan, name, path) == 0;
	else
		take_rest(scan, name, path);
	close(scan);
	return r;
}

int
s6record_withdraw(const char *name, const char *but)
{
	char	*text, *path, *rest;
	int	 r = 0;

	rest = text = read_record(name);
	while ((path = strsep(&rest, "\n")) != NULL)
		if (path[0] == '/' && (but == NULL ||
		    strcmp(path, but) != 0))
			r |= withdraw_from(path, name);
	free(text);
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

int
s6record_has(const char *name)
{
	char	*text, *path, *rest;
	int	 scan, yes = 0;

	rest = text = read_record(name);
	while (!yes && (path = strsep(&rest, "\n")) != NULL)
		if (path[0] == '/' && (scan = open(path, O_RDONLY |
		    O_DIRECTORY | O_CLOEXEC)) != -1) {
			yes = slot_ismine(scan, name,
			    service_getenv()->run_path);
			close(scan);
		}
	free(text);
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
		if (s6record_has(e->d_name))
			fn(arg, e->d_name);
		else if (!dry)
			(void)s6record_withdraw(e->d_name, NULL);
	}
	closedir(d);
}
