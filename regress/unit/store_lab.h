/*
 * A laboratory for the store: an agent's root below /tmp, and releases in
 * it.
 */
#ifndef STORE_LAB_H
#define STORE_LAB_H

#include <sys/types.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "log.h"
#include "parent/release.h"
#include "parent/task.h"
#include "util.h"

#define T0	1795312195000000LL	/* 2026-11-22T01:49:55Z in us */
#define SHA256	"6bd3f1c2a0e94f5d8c7b6a5948372615" \
		"0f1e2d3c4b5a69788796a5b4c3d2e1f0"

static char		 dir[64], root[128];
static struct store	*s;
static char		 text[UPD_TEXT_SIZE];

static int
setup(void **state)
{
	snprintf(dir, sizeof(dir), "/tmp/updstore.XXXXXX");
	if (mkdtemp(dir) == NULL)
		return -1;
	snprintf(root, sizeof(root), "%s/agent", dir);
	s = store_open(root, 3, text);
	return s == NULL ? -1 : 0;
}

static int
teardown(void **state)
{
	struct task_result	 r;
	int			 fd;

	store_free(s);
	s = NULL;
	fd = open("/tmp", O_RDONLY | O_DIRECTORY);
	tree_remove(fd, strrchr(dir, '/') + 1, &r);
	close(fd);
	return r.error == UPD_OK ? 0 : -1;
}

static int
exists(const char *fmt, const char *id)
{
	char		 name[256];
	struct stat	 st;

	snprintf(name, sizeof(name), fmt, id);
	return fstatat(s->rootfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static void
put(int fd, const char *name, const char *data)
{
	int	 f;

	f = openat(fd, name, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	assert_int_not_equal(f, -1);
	assert_int_equal(write(f, data, strlen(data)), strlen(data));
	close(f);
}

/* A whole release, n seconds after T0; its id. */
static const char *
make(int n, const char *sha, enum release_state state)
{
	static char		 id[UPD_ID_SIZE];
	struct staging		 st;
	struct release		 r;

	assert_int_equal(staging_make(s, 60001, 60001, &st, text), 0);
	put(st.fd, "VERSION", sha);
	memset(&r, 0, sizeof(r));
	r.installed_at = T0 + n * 1000000LL;
	release_newid(s, r.installed_at, sha, SHA256, r.id);
	strlcpy(r.sha, sha, sizeof(r.sha));
	strlcpy(r.sha256, SHA256, sizeof(r.sha256));
	strlcpy(r.by, "updater-master", sizeof(r.by));
	r.size = strlen(sha);
	r.files = 1;
	r.packed = 100;
	assert_int_equal(release_commit(s, &st, &r, text), 0);
	staging_close(&st);
	strlcpy(id, r.id, sizeof(id));
	if (state != RELEASE_NEW)
		assert_int_equal(release_setstate(s, id, state,
		    state == RELEASE_FAILED ? "exited 1" : NULL), 0);
	return id;
}

#endif
