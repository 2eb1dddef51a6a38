/*
 * s6record.c: where the slot of an instance is stays known until it is gone;
 * an error that passes makes nobody forget it.  Slots are played here, and
 * open(2) fails when it is told to.
 */
/* LINK: updaterd/parent/s6record.o common/log.o common/util.o */
#include <sys/types.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../updaterd/parent/instance.h"
#include "log.h"
#include "s6record.h"
#include "scandir.h"
#include "util.h"

static char			 dir[] = "/tmp/test_s6record.XXXXXX";
static char			 one[PATH_MAX], two[PATH_MAX];
static struct service_env	 senv;
static const char		*failing;	/* what cannot be opened */
static int			 failing_errno, withdrawn;

/* --- those who are played ---------------------------------------------- */

int	 open(const char *, int, ...);
int	 openat(int, const char *, int, ...);

int
openat(int at, const char *path, int flags, ...)
{
	va_list	 ap;
	mode_t	 mode;

	va_start(ap, flags);
	mode = flags & O_CREAT ? va_arg(ap, mode_t) : 0;
	va_end(ap);
	if (failing != NULL && strcmp(path, failing) == 0) {
		errno = failing_errno;
		return -1;
	}
	return (int)syscall(SYS_openat, at, path, flags, mode);
}

int
open(const char *path, int flags, ...)
{
	return openat(AT_FDCWD, path, flags, 0);
}

const struct service_env	*service_getenv(void) { return &senv; }
struct instance			*instance_find(const char *n) { return NULL; }
int				 slot_ismine(int fd, const char *n,
				    const char *m) { return 1; }
void				 slot_sweep(int fd) { }
int				 slot_leaves(int fd, const char *n,
				    void (*f)(void *), void *a) { return 0; }

int
slot_withdraw(int scan, const char *name, void (*done)(void *), void *arg)
{
	withdrawn++;
	if (done != NULL)
		done(arg);
	return 0;
}

/* --- what is to hold ---------------------------------------------------- */

static void
record_is(const char *text)
{
	char	*data;
	size_t	 len;

	data = file_read(senv.runfd, ".slots/gw", 4096, &len);
	if (text == NULL) {
		assert_null(data);
		return;
	}
	assert_non_null(data);
	assert_string_equal(data, text);
	free(data);
}

static void
fails(const char *path, int e)
{
	failing = path;
	failing_errno = e;
}

static const char *
lines(const char *a, const char *b)
{
	static char	 text[2 * PATH_MAX + 3];

	snprintf(text, sizeof(text), "%s\n%s%s", a, b != NULL ? b : "",
	    b != NULL ? "\n" : "");
	return text;
}

/* It moves: the slot in the old directory is still to be taken out. */
static void
written(void **state)
{
	s6record_write("gw", one);
	record_is(lines(one, NULL));
	fails("gw", EIO);
	s6record_write("gw", two);
	fails(NULL, 0);
	record_is(lines(one, NULL));
	s6record_write("gw", two);
	record_is(lines(one, two));
	/* What is no record is written anew. */
	assert_int_equal(file_write(senv.runfd, "x", "torn", 4, 0600), 0);
	assert_int_equal(renameat(senv.runfd, "x", senv.runfd, ".slots/gw"),
	    0);
	s6record_write("gw", one);
	record_is(lines(one, NULL));
	s6record_drop("gw", one);
	record_is(NULL);
}

static void
taken_out(void **state)
{
	s6record_write("gw", one);
	fails(one, EMFILE);
	assert_int_equal(s6record_withdraw("gw", NULL), 0);
	fails(NULL, 0);
	assert_int_equal(withdrawn, 0);
	record_is(lines(one, NULL));
	assert_int_equal(s6record_withdraw("gw", NULL), 1);
	assert_int_equal(withdrawn, 1);
	record_is(NULL);
	/* With its directory it is gone. */
	s6record_write("gw", "/nonexistent");
	assert_int_equal(s6record_withdraw("gw", NULL), 0);
	record_is(NULL);
}

static int
setup(void **state)
{
	if (mkdtemp(dir) == NULL ||
	    (senv.runfd = open(dir, O_RDONLY | O_DIRECTORY)) == -1)
		return -1;
	senv.run_path = dir;
	snprintf(one, sizeof(one), "%s/one", dir);
	snprintf(two, sizeof(two), "%s/two", dir);
	return mkdir(one, 0755) == -1 || mkdir(two, 0755) == -1 ? -1 : 0;
}

static int
teardown(void **state)
{
	rmdir(one);
	rmdir(two);
	unlinkat(senv.runfd, ".slots", AT_REMOVEDIR);
	close(senv.runfd);
	return rmdir(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(written), cmocka_unit_test(taken_out)
	};

	log_init("test", 1, 0);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, setup, teardown);
}
