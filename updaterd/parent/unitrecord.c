/*
 * Below <run>/.units/ a file for each instance that systemd runs, named as
 * the instance, with the unit's name and whether its file is a release's.
 * The dot keeps it apart from the directories of instances.  It is of this
 * boot, as are the unit files and systemd's knowledge of them, and is
 * written before there is anything to be undone.
 *
 * The target that holds a unit is one of a template, so that systemd takes
 * a new one as it is: no reload, which would be felt by all the host.
 */
#include <sys/types.h>
#include <sys/stat.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "instance.h"
#include "log.h"
#include "systemctl.h"
#include "unitfile.h"
#include "unitrecord.h"
#include "util.h"

#define RECORDS		".units"
#define RECORD_MAX	512	/* bytes of a record */
#define WORD_INSTALLED	"installed"
#define WORD_THEIRS	"theirs"
#define PIN_PREFIX	"updaterd-watch@"
#define PIN_SUFFIX	".target"
#define PIN_FILE	PIN_PREFIX PIN_SUFFIX

static const char	 pin_text[] =
    "# Made by updaterd(8): keeps systemd from forgetting how a unit that\n"
    "# updaterd supervises has ended.  It starts and stops nothing.\n"
    "[Unit]\n"
    "Description=Watched by updaterd: %i\n"
    "DefaultDependencies=no\n"
    "IgnoreOnIsolate=yes\n"
    "After=%i\n";

int
unitrecord_pin(const char *unit, char *pin)
{
	char	*old;
	size_t	 len;
	int	 dir, n, r = 0, saved;

	n = snprintf(pin, UNIT_NAME_SIZE, PIN_PREFIX "%s" PIN_SUFFIX, unit);
	if (n < 0 || n >= UNIT_NAME_SIZE) {
		pin[0] = '\0';
		errno = ENAMETOOLONG;
		return -1;
	}
	if ((dir = unitfile_dir()) == -1) {
		pin[0] = '\0';
		return -1;
	}
	old = file_read(dir, PIN_FILE, sizeof(pin_text), &len);
	if (old == NULL || strcmp(old, pin_text) != 0)
		r = file_write(dir, PIN_FILE, pin_text, strlen(pin_text),
		    0644);
	saved = errno;
	if (r == -1)
		pin[0] = '\0';
	free(old);
	close(dir);
	errno = saved;
	return r;
}

/* --- records ----------------------------------------------------------- */

static int
open_records(void)
{
	int	 runfd = service_getenv()->runfd;

	return openat(runfd, RECORDS, O_RDONLY | O_DIRECTORY | O_NOFOLLOW |
	    O_CLOEXEC);
}

void
unitrecord_write(const char *instance, const char *unit, int installed)
{
	char	 text[RECORD_MAX];
	int	 dir = -1, n;

	n = snprintf(text, sizeof(text), "%s %s\n", unit, installed ?
	    WORD_INSTALLED : WORD_THEIRS);
	if ((mkdirat(service_getenv()->runfd, RECORDS, 0700) == -1 &&
	    errno != EEXIST) || (dir = open_records()) == -1 ||
	    file_write(dir, instance, text, (size_t)n, 0600) == -1)
		log_warn("remember unit of %s", instance);
	if (dir != -1)
		close(dir);
}

/* 1 there is one, else 0. */
static int
record_read(int dir, const char *instance, char *unit, int *installed)
{
	char	*data, *p;
	size_t	 len;
	int	 ok = 0;

	if ((data = file_read(dir, instance, RECORD_MAX, &len)) == NULL)
		return 0;
	data[strcspn(data, "\n")] = '\0';
	if ((p = strchr(data, ' ')) != NULL) {
		*p++ = '\0';
		*installed = strcmp(p, WORD_INSTALLED) == 0;
		ok = unitname_isvalid(data) &&
		    strlcpy(unit, data, UNIT_NAME_SIZE) < UNIT_NAME_SIZE;
	}
	free(data);
	return ok;
}

/* fn(arg, instance) for each record. */
static void
each(int dir, void (*fn)(void *, const char *), void *arg)
{
	struct dirent	*e;
	DIR		*d;
	int		 fd;

	if ((fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)) == -1)
		return;
	if ((d = fdopendir(fd)) == NULL) {
		close(fd);
		return;
	}
	while ((e = readdir(d)) != NULL)
		if (e->d_name[0] != '.')
			fn(arg, e->d_name);
	closedir(d);
}

struct strays {
	void		(*fn)(void *, const char *);
	void		*arg;
};

static void
is_stray(void *arg, const char *instance)
{
	struct strays	*s = arg;

	if (instance_find(instance) == NULL)
		s->fn(s->arg, instance);
}

void
unitrecord_strays(void (*fn)(void *, const char *), void *arg)
{
	struct strays	 s = { fn, arg };

	unitrecord_list(NULL, is_stray, &s);
}

void
unitrecord_list(const struct service_conf *conf,
    void (*fn)(void *, const char *), void *arg)
{
	int	 dir;

	if ((dir = open_records()) == -1)
		return;
	each(dir, fn, arg);
	close(dir);
}

/* --- letting go -------------------------------------------------------- */

/* One that nobody waits for; frees itself. */
struct farewell {
	struct systemctl_call	 call;
	char			 unit[UNIT_NAME_SIZE];
};

static void
said(void *arg, const struct unitstate *st, const char *error)
{
	struct farewell	*f = arg;

	if (error[0] != '\0')
		log_debug("let go of %s: %s", f->unit, error);
	free(f);
}

static void
say(enum systemctl_verb verb, const char *unit)
{
	struct farewell	*f;

	if ((f = calloc(1, sizeof(*f))) == NULL) {
		log_warnx("let go of %s: out of memory", unit);
		return;
	}
	strlcpy(f->unit, unit, sizeof(f->unit));
	systemctl_init(&f->call, verb, f->unit, said, f);
	systemctl_ask(&f->call);
}

/* Another instance whose unit has the same file? */
struct others {
	int		 dir;
	const char	*instance;
	char		 file[UNIT_NAME_SIZE];
	int		 n;
};

static void
is_other(void *arg, const char *instance)
{
	struct others	*o = arg;
	char		 unit[UNIT_NAME_SIZE], file[UNIT_NAME_SIZE];
	int		 installed;

	if (strcmp(instance, o->instance) == 0 ||
	    !record_read(o->dir, instance, unit, &installed))
		return;
	unitname_file(unit, file, sizeof(file));
	o->n += installed && strcmp(file, o->file) == 0;
}

int
unitrecord_has(const char *instance)
{
	char	 unit[UNIT_NAME_SIZE];
	int	 dir, installed, known;

	if ((dir = open_records()) == -1)
		return 0;
	known = record_read(dir, instance, unit, &installed);
	close(dir);
	return known != 0;
}

int
unitrecord_withdraw(const char *instance)
{
	struct others	 o;
	char		 unit[UNIT_NAME_SIZE], pin[UNIT_NAME_SIZE];
	int		 installed, known;

	memset(&o, 0, sizeof(o));
	o.instance = instance;
	if ((o.dir = open_records()) == -1)
		return 0;
	if ((known = record_read(o.dir, instance, unit, &installed)) != 0) {
		say(SYSTEMCTL_STOP, unit);
		if (snprintf(pin, sizeof(pin), PIN_PREFIX "%s" PIN_SUFFIX,
		    unit) < (int)sizeof(pin))
			say(SYSTEMCTL_STOP, pin);
		unitname_file(unit, o.file, sizeof(o.file));
		if (installed)
			each(o.dir, is_other, &o);
		if (installed && o.n == 0) {
			if (unitfile_remove(unit) == 1)
				say(SYSTEMCTL_RELOAD, "");
		}
	}
	(void)unlinkat(o.dir, instance, 0);
	close(o.dir);
	return known;
}

void
unitrecord_drop(const struct service_conf *conf, const char *instance)
{
	(void)unitrecord_withdraw(instance);
}
