/*
 * Below <run>/.units/ a file for each instance that systemd runs, named as
 * the instance, with the unit's name, whether its file is a release's, the
 * instance's name once more, and when we have told it to stop: what comes of
 * that is nobody's wish, even if it comes when we are dead.  The dot keeps
 * it apart from the directories of instances.  It is of this boot, as are the
 * unit files and systemd's knowledge of them, and is written before there is
 * anything to be undone.
 *
 * It goes away by being renamed into <run>/.units-leaving/, as the unit's
 * name: there it stays until nothing of the unit is left (unitleave.c), and
 * the instance may have another one meanwhile.
 *
 * The target that holds a unit is one of a template, so that systemd takes
 * a new one as it is: no reload, which would be felt by all the host.
 */
#include <sys/types.h>
#include <sys/stat.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
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
#define LEAVING		".units-leaving"
#define RECORD_MAX	1024	/* bytes of a record, more than it has */
#define WORD_INSTALLED	"installed"
#define WORD_THEIRS	"theirs"
#define WORD_TOLD	"told to stop at "
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

void
unitrecord_pinname(const char *unit, char *pin)
{
	int	 n;

	n = snprintf(pin, UNIT_NAME_SIZE, PIN_PREFIX "%s" PIN_SUFFIX, unit);
	if (n < 0 || n >= UNIT_NAME_SIZE)
		pin[0] = '\0';
}

int
unitrecord_pin(const char *unit, char *pin)
{
	char	*old;
	size_t	 len;
	int	 dir, r = 0, saved;

	unitrecord_pinname(unit, pin);
	if (pin[0] == '\0') {
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
	else
		file_untemp(dir, PIN_FILE);
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
open_records(const char *which)
{
	int	 runfd = service_getenv()->runfd;

	return openat(runfd, which, O_RDONLY | O_DIRECTORY | O_NOFOLLOW |
	    O_CLOEXEC);
}

static int
make_records(const char *which)
{
	if (mkdirat(service_getenv()->runfd, which, 0700) == -1 &&
	    errno != EEXIST)
		return -1;
	return open_records(which);
}

void
unitrecord_write(const char *instance, const char *unit, int installed,
    uint64_t told)
{
	char	 text[RECORD_MAX], when[64] = "";
	int	 dir, n;

	if (told != 0)
		snprintf(when, sizeof(when), WORD_TOLD "%" PRIu64 "\n", told);
	n = snprintf(text, sizeof(text), "%s %s\n%s\n%s", unit, installed ?
	    WORD_INSTALLED : WORD_THEIRS, instance, when);
	if ((dir = make_records(RECORDS)) == -1 ||
	    file_write(dir, instance, text, (size_t)n, 0600) == -1)
		log_warn("remember unit of %s", instance);
	if (dir != -1)
		close(dir);
}

/* 1 there is one; 0 there is none, or what is there is none; -1 errno: it
 * cannot be read now. */
static int
record_read(int dir, const char *name, struct unitrecord *r)
{
	char	*data, *line, *rest, *word;
	size_t	 len;
	int	 ok = 0;

	memset(r, 0, sizeof(*r));
	if ((data = file_read(dir, name, RECORD_MAX, &len)) == NULL)
		return file_islasting(errno) ? 0 : -1;
	rest = data;
	line = strsep(&rest, "\n");
	if ((word = strchr(line, ' ')) != NULL) {
		*word++ = '\0';
		r->installed = strcmp(word, WORD_INSTALLED) == 0;
		ok = unitname_isvalid(line) && strlcpy(r->unit, line,
		    sizeof(r->unit)) < sizeof(r->unit);
	}
	if ((line = strsep(&rest, "\n")) != NULL &&
	    strlcpy(r->instance, line, sizeof(r->instance)) >=
	    sizeof(r->instance))
		r->instance[0] = '\0';
	line = strsep(&rest, "\n");
	if (line != NULL && strncmp(line, WORD_TOLD,
	    sizeof(WORD_TOLD) - 1) == 0)
		r->told = strtoull(line + sizeof(WORD_TOLD) - 1, NULL, 10);
	free(data);
	return ok;
}

int
unitrecord_read(const char *instance, struct unitrecord *r)
{
	int	 dir, known;

	if ((dir = open_records(RECORDS)) == -1)
		return 0;
	known = record_read(dir, instance, r) == 1;
	close(dir);
	return known;
}

/* fn(arg, descriptor of the directory, name) for each record there. */
static void
each(const char *which, void (*fn)(void *, int, const char *), void *arg)
{
	struct dirent	*e;
	DIR		*d;
	int		 fd;

	if ((fd = open_records(which)) == -1)
		return;
	if ((d = fdopendir(fd)) == NULL) {
		close(fd);
		return;
	}
	while ((e = readdir(d)) != NULL)
		if (e->d_name[0] != '.')
			fn(arg, dirfd(d), e->d_name);
	closedir(d);
}

struct listing {
	void		(*fn)(void *, const char *);
	void		*arg;
};

static void
list_one(void *arg, int dir, const char *instance)
{
	struct listing	*l = arg;

	l->fn(l->arg, instance);
}

void
unitrecord_list(const struct service_conf *conf,
    void (*fn)(void *, const char *), void *arg)
{
	struct listing	 l = { fn, arg };

	each(RECORDS, list_one, &l);
}

/* --- who has which ----------------------------------------------------- */

struct search {
	const char	*unit;
	char		 file[UNIT_NAME_SIZE];
	int		 units;		/* instances with that unit */
	int		 files;		/* other units of that file */
};

static void
compare(void *arg, int dir, const char *name)
{
	struct search		*s = arg;
	struct unitrecord	 r;
	char			 file[UNIT_NAME_SIZE];

	if (record_read(dir, name, &r) != 1)
		return;
	unitname_file(r.unit, file, sizeof(file));
	if (strcmp(r.unit, s->unit) == 0)
		s->units++;
	else if (r.installed && strcmp(file, s->file) == 0)
		s->files++;
}

static void
search_init(struct search *s, const char *unit)
{
	memset(s, 0, sizeof(*s));
	s->unit = unit;
	unitname_file(unit, s->file, sizeof(s->file));
}

int
unitrecord_hasunit(const char *unit)
{
	struct search	 s;

	search_init(&s, unit);
	each(RECORDS, compare, &s);
	return s.units > 0;
}

int
unitrecord_isshared(const char *unit)
{
	struct search	 s;

	search_init(&s, unit);
	each(RECORDS, compare, &s);
	each(LEAVING, compare, &s);
	return s.files > 0;
}

/* --- those that leave --------------------------------------------------- */

int
unitrecord_leave(const char *instance, struct unitrecord *r)
{
	struct search	 s;
	int		 from, to = -1, known, leaves = 0;

	if ((from = open_records(RECORDS)) == -1)
		return 0;
	if ((known = record_read(from, instance, r)) != 1) {
		/* What cannot be read now is found by a later pass. */
		if (known == -1)
			log_warn("read which unit %s has, to stop it, which "
			    "updaterctl reconcile tries again", instance);
		else
			(void)unlinkat(from, instance, 0);
		close(from);
		return 0;
	}
	search_init(&s, r->unit);
	each(RECORDS, compare, &s);
	if (s.units > 1)		/* ours, and that of another */
		(void)unlinkat(from, instance, 0);
	else if ((to = make_records(LEAVING)) != -1 &&
	    renameat(from, instance, to, r->unit) == 0)
		leaves = 1;
	else
		log_warn("remember that unit %s leaves", r->unit);
	if (to != -1)
		close(to);
	close(from);
	return leaves;
}

int
unitrecord_isleaving(const char *unit)
{
	struct unitrecord	 r;
	int			 dir, known;

	if ((dir = open_records(LEAVING)) == -1)
		return 0;
	known = record_read(dir, unit, &r) == 1;
	close(dir);
	return known;
}

void
unitrecord_left(const char *unit)
{
	int	 dir;

	if ((dir = open_records(LEAVING)) == -1)
		return;
	(void)unlinkat(dir, unit, 0);
	close(dir);
}

struct leavers {
	void		(*fn)(void *, const struct unitrecord *);
	void		*arg;
};

static void
leaver(void *arg, int dir, const char *name)
{
	struct leavers		*l = arg;
	struct unitrecord	 r;

	if (record_read(dir, name, &r) == 1 && strcmp(r.unit, name) == 0)
		l->fn(l->arg, &r);
}

void
unitrecord_eachleaving(void (*fn)(void *, const struct unitrecord *),
    void *arg)
{
	struct leavers	 l = { fn, arg };

	each(LEAVING, leaver, &l);
}

/* --- what a kill has left ----------------------------------------------- */

static void
sweep_leaver(void *arg, int dir, const char *name)
{
	struct unitrecord	 r;
	int			 known = record_read(dir, name, &r);

	if (known == 0 || (known == 1 && strcmp(r.unit, name) != 0))
		(void)unlinkat(dir, name, 0);
}

void
unitrecord_sweep(void)
{
	struct dirent	*e;
	DIR		*d;
	size_t		 len;
	int		 fd;

	each(LEAVING, sweep_leaver, NULL);
	if ((fd = open_records(RECORDS)) == -1)
		return;
	if ((d = fdopendir(fd)) == NULL) {
		close(fd);
		return;
	}
	/* Names of instances begin with no dot, what is being written does. */
	while ((e = readdir(d)) != NULL)
		if (e->d_name[0] == '.' && (len = strlen(e->d_name)) > 4 &&
		    strcmp(e->d_name + len - 4, ".tmp") == 0)
			(void)unlinkat(fd, e->d_name, 0);
	closedir(d);
}
