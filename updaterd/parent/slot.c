/*
 * Rendering of a slot, the service directory of one instance:
 *
 *	run		as root: limits; then the user, the environment, the
 *			directory, the program.  It goes through `current`, so
 *			that an update changes nothing here.
 *	finish		a permanent exit code stays down: `down` for the next
 *			supervisor, 125 for this one
 *	timeout-kill, down-signal, notification-fd, type
 *	data/updaterd	whose slot it is
 *	log/run		s6-log as the service's user
 *
 * `run` may hold what is secret in the environment: it is root's alone.
 * Every word that comes from the configuration is quoted; the script that
 * runs as the user has them as arguments, not in its text.
 */
#include <sys/types.h>
#include <sys/resource.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "slot.h"

#define SCRIPT_PATH	"PATH=/command:/usr/local/sbin:/usr/local/bin:" \
			"/usr/sbin:/usr/bin:/sbin:/bin"
#define EXIT_SETUP	"111"	/* as s6 has it: a system call failed */
#define EXIT_STAY	"125"	/* of finish: leave it down */

/* A program of the release is called by its whole path, as native has it. */
#define LAUNCH								\
	"cd -P -- \"$1\" || exit " EXIT_SETUP "\n"			\
	"base=$PWD\n"							\
	"[ -z \"$2\" ] || cd -- \"$2\" || exit " EXIT_SETUP "\n"	\
	"name=$3\n"							\
	"shift 3\n"							\
	"case $name in\n"						\
	"/*) ;;\n"							\
	"*/*) name=$base/$name;;\n"					\
	"*) [ ! -x \"$base/$name\" ] || name=$base/$name;;\n"		\
	"esac\n"							\
	"unset PWD OLDPWD\n"						\
	"exec \"$name\" \"$@\""

int
slot_quote(struct buf *b, const char *s)
{
	const char	*q;

	if (buf_add(b, "'", 1) == -1)
		return -1;
	for (; (q = strchr(s, '\'')) != NULL; s = q + 1)
		if (buf_add(b, s, (size_t)(q - s)) == -1 ||
		    buf_add(b, "'\\''", 4) == -1)
			return -1;
	return buf_add(b, s, strlen(s)) == -1 || buf_add(b, "'", 1) == -1 ?
	    -1 : 0;
}

/* " 'word'" */
static int
add_word(struct buf *b, const char *s)
{
	return buf_add(b, " ", 1) == -1 ? -1 : slot_quote(b, s);
}

static struct buf *
add_file(struct slot *s, const char *path, mode_t mode)
{
	struct slot_file	*f = &s->file[s->n++];

	f->path = path;
	f->mode = mode;
	return &f->data;
}

static int
add_text(struct slot *s, const char *path, const char *text)
{
	return buf_printf(add_file(s, path, 0644), "%s\n", text);
}

static int
script_head(struct buf *b, const struct slot_conf *c)
{
	return buf_printf(b, "#!/bin/sh\n"
	    "# %s: updaterd wrote this, and will again when its "
	    "configuration changes.\n", c->name);
}

/* "exec s6-applyuidgid -u 1 -g 1 -G 1,2 ", or "exec " */
static int
add_user(struct buf *b, const struct slot_conf *c)
{
	int	 n;

	if (buf_printf(b, "exec") == -1)
		return -1;
	if (!c->drop)
		return 0;
	if (add_word(b, c->applyuidgid) == -1 ||
	    buf_printf(b, " -u %u -g %u -G '", (unsigned int)c->id->uid,
	    (unsigned int)c->id->gid) == -1)
		return -1;
	for (n = 0; n < c->id->ngroups; n++)
		if (buf_printf(b, "%s%u", n > 0 ? "," : "",
		    (unsigned int)c->id->groups[n]) == -1)
			return -1;
	return buf_printf(b, "'");
}

/*
 * POSIX has ulimit -f only, but all shells agree on these letters and
 * their units; on nproc they do not.
 */
static int
add_limit(struct buf *b, const struct rlimit_conf *r)
{
	static const struct {
		int		 resource;
		char		 letter;
		uint32_t	 unit;	/* bytes, or 1 */
	} letters[] = {
		{ RLIMIT_NOFILE, 'n', 1 },
		{ RLIMIT_CPU, 't', 1 },
		{ RLIMIT_CORE, 'c', 512 },
		{ RLIMIT_FSIZE, 'f', 512 },
		{ RLIMIT_DATA, 'd', 1024 },
		{ RLIMIT_STACK, 's', 1024 },
		{ RLIMIT_MEMLOCK, 'l', 1024 },
#ifdef RLIMIT_AS
		{ RLIMIT_AS, 'v', 1024 },
#endif
		{ RLIMIT_NPROC, 'p', 1 }
	};
	char	 value[32];
	size_t	 n = 0;

	while (n < sizeof(letters) / sizeof(letters[0]) - 1 &&
	    letters[n].resource != r->resource)
		n++;
	if (r->value == (uint64_t)RLIM_INFINITY)
		strlcpy(value, "unlimited", sizeof(value));
	else
		snprintf(value, sizeof(value), "%" PRIu64, r->value /
		    letters[n].unit);
	if (letters[n].letter == 'p')
		return buf_printf(b, "ulimit -p %s 2>/dev/null || "
		    "ulimit -u %s || exit " EXIT_SETUP "\n", value, value);
	return buf_printf(b, "ulimit -%c %s || exit " EXIT_SETUP "\n",
	    letters[n].letter, value);
}

static int
render_run(struct slot *s, const struct slot_conf *c)
{
	struct buf	*b = add_file(s, "run", 0700);
	size_t		 i;
	int		 n;

	if (script_head(b, c) == -1)
		return -1;
	if (c->off != NULL)
		return buf_printf(b, "# %s is not in the environment of "
		    "updaterd: enabled if env\nexit 0\n", c->off);
	if (buf_printf(b, SCRIPT_PATH "\n"
	    "exec </dev/null 2>&1 || exit " EXIT_SETUP "\n"
	    "umask %04o\n", (unsigned int)c->umask) == -1)
		return -1;
	for (n = 0; n < c->nrlimits; n++)
		if (add_limit(b, &c->rlimits[n]) == -1)
			return -1;
	if (add_user(b, c) == -1 || buf_printf(b, " env -i") == -1)
		return -1;
	for (i = 0; c->env[i] != NULL; i++)
		if (buf_printf(b, " \\\n   ") == -1 ||
		    add_word(b, c->env[i]) == -1)
			return -1;
	if (buf_printf(b, " \\\n    /bin/sh -c") == -1 ||
	    add_word(b, LAUNCH) == -1 || buf_printf(b, " sh \\\n   ") == -1 ||
	    add_word(b, c->base) == -1 || add_word(b, c->directory != NULL ?
	    c->directory : "") == -1)
		return -1;
	for (i = 0; i < c->command->n; i++)
		if (add_word(b, c->command->v[i]) == -1)
			return -1;
	return buf_printf(b, "\n");
}

static int
render_finish(struct slot *s, const struct slot_conf *c)
{
	struct buf	*b = add_file(s, "finish", 0755);
	int		 n;

	if (script_head(b, c) == -1)
		return -1;
	if (c->off != NULL)
		return buf_printf(b, "exit " EXIT_STAY "\n");
	if (c->npermanent > 0 && buf_printf(b, "case $1 in\n") == -1)
		return -1;
	for (n = 0; n < c->npermanent; n++)
		if (buf_printf(b, "%s%d", n > 0 ? "|" : "",
		    c->permanent[n]) == -1)
			return -1;
	if (c->npermanent > 0 && buf_printf(b, ")\n"
	    "\t# permanent: down for this supervisor, and for the next one\n"
	    "\techo parked > down\n"
	    "\texit " EXIT_STAY ";;\n"
	    "esac\n") == -1)
		return -1;
	return buf_printf(b, "exit 0\n");
}

static int
render_log(struct slot *s, const struct slot_conf *c)
{
	struct buf	*b;
	uint64_t	 size = c->log_size;

	if (size < S6LOG_SIZE_MIN)
		size = S6LOG_SIZE_MIN;
	if (size > S6LOG_SIZE_MAX)
		size = S6LOG_SIZE_MAX;
	s->logged = 1;
	if (add_text(s, "log/type", "longrun") == -1)
		return -1;
	b = add_file(s, "log/run", 0755);
	if (script_head(b, c) == -1 ||
	    buf_printf(b, SCRIPT_PATH "\nexec 2>&1\numask 0027\n") == -1 ||
	    add_user(b, c) == -1 || add_word(b, c->s6log) == -1)
		return -1;
	return buf_printf(b, " n%u s%" PRIu64 " T", c->log_keep > 0 ?
	    c->log_keep : 1, size) == -1 || add_word(b, c->log) == -1 ||
	    buf_printf(b, "\n") == -1 ? -1 : 0;
}

int
slot_render(const struct slot_conf *c, struct slot *s)
{
	memset(s, 0, sizeof(*s));
	if (add_text(s, "type", "longrun") == -1 ||
	    render_run(s, c) == -1 || render_finish(s, c) == -1 ||
	    /* 0 would be never */
	    buf_printf(add_file(s, "timeout-kill", 0644), "%u\n",
	    c->stop_ms > 0 ? c->stop_ms : 1) == -1 ||
	    buf_printf(add_file(s, "down-signal", 0644), "%d\n",
	    c->stop_signal) == -1 ||
	    add_text(s, SLOT_MARK, c->mark) == -1)
		return -1;
	if (c->notify && add_text(s, "notification-fd", "3") == -1)
		return -1;
	return c->log != NULL ? render_log(s, c) : 0;
}

void
slot_free(struct slot *s)
{
	size_t	 i;

	for (i = 0; i < s->n; i++)
		buf_free(&s->file[i].data);
	s->n = 0;
}
