/*
 * A directory for a test of updatermaster's files: made, filled, removed.
 */
#ifndef MASTER_LAB_H
#define MASTER_LAB_H

#include <sys/types.h>
#include <sys/stat.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "master.h"
#include "util.h"

static char		lab[64];
static struct master	m;

/* What updatermaster.c has, which is a program of its own. */
int
master_usage(const char *name)
{
	return EXIT_USAGE;
}

static int
lab_setup(void **state)
{
	strlcpy(lab, "/tmp/test_master.XXXXXX", sizeof(lab));
	if (mkdtemp(lab) == NULL)
		return -1;
	memset(&m, 0, sizeof(m));
	TAILQ_INIT(&m.hosts);
	m.dir = lab;
	m.dirfd = open(lab, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return m.dirfd == -1 ? -1 : 0;
}

static int
lab_unlink(const char *path, const struct stat *st, int type, struct FTW *f)
{
	return remove(path);
}

static int
lab_teardown(void **state)
{
	close(m.dirfd);
	return nftw(lab, lab_unlink, 16, FTW_DEPTH | FTW_PHYS);
}

/* A path in the directory; good until the second call after it. */
static const char *
lab_path(const char *name)
{
	static char	 path[2][512];
	static int	 i;

	i = !i;
	snprintf(path[i], sizeof(path[i]), "%s/%s", lab, name);
	return path[i];
}

/* A file with all directories above it. */
static void
lab_write(const char *name, const char *data, size_t len)
{
	char	*path, *p;
	int	 fd;

	path = strdup(lab_path(name));
	for (p = path + strlen(lab) + 1; (p = strchr(p, '/')) != NULL; p++) {
		*p = '\0';
		mkdir(path, 0755);
		*p = '/';
	}
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	assert_int_not_equal(fd, -1);
	assert_int_equal(write_all(fd, data, len), 0);
	close(fd);
	free(path);
}

static inline void
lab_text(const char *name, const char *text)
{
	lab_write(name, text, strlen(text));
}

#endif
