/*
 * Services of OpenBSD's rc.d, through rcctl(8): for programs that have to
 * be daemons of their own.
 *
 * rcctl starts, stops and checks, and that is all: it tells neither a pid
 * nor a death, restarts nothing, and kills nothing that does not stop.  So
 * while a service should run it is checked now and then, often at first and
 * every few seconds at last; what is found to have ended is a death, and
 * started again with our own delays.  A stop or a start by somebody else
 * cannot be told from that, or is not seen until updaterd looks.
 *
 * One that it cannot stop is stopping until it has ended: whoever waits is
 * told after a few attempts, with what rcctl has said, and it is tried again
 * and again, more and more rarely.
 *
 * One command at a time for a service.  What is asked while one runs is
 * done after it, a check only if nothing else is.
 */
#include <sys/types.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "expand.h"
#include "instance.h"
#include "log.h"
#include "timer.h"
#include "util.h"
#include "../unitname.h"

#define PROGRAM		"rcctl"
#define COMMAND_MS	90000	/* daemon_timeout is 30 s, and may be more */
#define OUTPUT_BYTES	4096	/* kept of what a command says */
#define POLL_MIN	250	/* ms to the next check after a start */
#define POLL_MAX	10000	/* ms, at last */
#define STOP_TRIES	3	/* each as long as the script's timeout */
#define STOP_AGAIN_MS	1000	/* ms between them, doubled behind these */
#define STOP_AGAIN_MAX	60000	/* ms */
#define STOP_SAID_MAX	64	/* times it failed: say each such time */

enum verb {
	VERB_NONE,
	VERB_CHECK,
	VERB_START,
	VERB_STOP,
	VERB__MAX
};
static const char *const verb_names[] = {
	[VERB_NONE]	= "none",
	[VERB_CHECK]	= "check",
	[VERB_START]	= "start",
	[VERB_STOP]	= "stop",
};
_Static_assert(sizeof(verb_names) / sizeof(verb_names[0]) == VERB__MAX,
    "a name for each");

/* In the instance's priv. */
struct script {
	struct instance	*i;
	char		 name[RC_NAME_SIZE];
	struct command	*command;
	enum verb	 doing;		/* that command */
	enum verb	 next;		/* after it */
	int		 up;		/* as it was last seen */
	int64_t		 since;		/* wall us, of that; 0 unknown */
	int		 tries;		/* to stop it */
	uint32_t	 again_ms;	/* to the next */
	char		 refusal[160];	/* of its stop; "" none */
	struct event	 poll_ev;
	uint32_t	 poll_ms;
};

static void	 script_do(struct script *, enum verb);

/* --- what is seen ------------------------------------------------------ */

static void
tell(struct script *s, int known, int up, enum wanted wanted,
    const char *text)
{
	struct sighting	 g;

	if (known && (up != s->up || s->since == 0))
		s->since = time_real_us();
	s->up = known && up;
	memset(&g, 0, sizeof(g));
	g.known = known;
	g.up = g.ready = up;
	g.wanted = wanted;
	g.ours = 1;
	g.since = s->since;
	g.status = -1;
	strlcpy(g.text, text, sizeof(g.text));
	service_observed(s->i, &g);
}

/* What a command said, for a person. */
static void
complaint(const struct script *s, const struct command_result *r,
    char *text, size_t size)
{
	const char	*out = r->output != NULL ? r->output : "";

	snprintf(text, size, PROGRAM " %s %s: %.60s%s%.*s",
	    verb_names[s->doing], s->name, r->text, out[0] != '\0' ? ": " :
	    "", (int)strcspn(out, "\n"), out);
}

static void
poll_soon(struct script *s)
{
	timer_in(&s->poll_ev, s->poll_ms);
	s->poll_ms *= 2;
	if (s->poll_ms > POLL_MAX)
		s->poll_ms = POLL_MAX;
}

static void
poll_timer(int fd, short what, void *arg)
{
	struct script	*s = arg;

	if (s->name[0] == '\0') {
		tell(s, 0, 0, WANTED_NOBODY, "has no name that is fit for a "
		    "script");
		return;
	}
	script_do(s, s->i->state == SERVICE_STOPPING ? VERB_STOP :
	    VERB_CHECK);
}

/* --- answers ----------------------------------------------------------- */

/* An update must not wait for ever; but nor may it, or status, take what
 * still runs for what it is not.  Said again at 4, 8, 16 ... tries. */
static void
not_stopped(struct script *s)
{
	char	 text[sizeof(((struct sighting *)NULL)->text)];

	if (++s->tries < STOP_TRIES) {
		timer_in(&s->poll_ev, STOP_AGAIN_MS);
		return;
	}
	snprintf(text, sizeof(text), PROGRAM " stop %s has failed %d times "
	    "(%.120s); it runs on, and is tried again: end it by hand, or "
	    "mend its script", s->name, s->tries, s->refusal[0] != '\0' ?
	    s->refusal : "it said that it did");
	if (s->tries == STOP_TRIES)
		service_stuck(s->i, text);
	else if (s->tries % STOP_SAID_MAX == 0 ||
	    (s->tries & (s->tries - 1)) == 0)
		log_warnx("cannot stop %s: %s", s->i->name, text);
	timer_in(&s->poll_ev, s->again_ms);
	s->again_ms = s->again_ms * 2 < STOP_AGAIN_MAX ? s->again_ms * 2 :
	    STOP_AGAIN_MAX;
}

static void
checked(struct script *s, const struct command_result *r)
{
	char	 text[sizeof(((struct sighting *)NULL)->text)];
	int	 stopping = s->i->state == SERVICE_STOPPING;

	if (r->timed_out || r->status == -1 || !WIFEXITED(r->status) ||
	    WEXITSTATUS(r->status) > 1) {
		complaint(s, r, text, sizeof(text));
		poll_soon(s);
		tell(s, 0, 0, WANTED_NOBODY, text);
		return;
	}
	if (WEXITSTATUS(r->status) == 1) {
		s->tries = 0;
		tell(s, 1, 0, stopping ? WANTED_DOWN : WANTED_NOBODY, "");
		return;
	}
	if (stopping) {
		not_stopped(s);
		return;
	}
	poll_soon(s);
	tell(s, 1, 1, WANTED_UP, "");
}

static void
started(struct script *s, const struct command_result *r)
{
	char	 text[sizeof(((struct sighting *)NULL)->text)];

	if (r->status == 0 && !r->timed_out) {
		s->since = 0;		/* another one than before */
		poll_soon(s);
		tell(s, 1, 1, WANTED_UP, "");
		return;
	}
	complaint(s, r, text, sizeof(text));
	s->since = 0;
	tell(s, 1, 0, WANTED_NOBODY, text);
}

/* What became of a stop; said once for as long as it is the same. */
static void
refused(struct script *s, const struct command_result *r)
{
	const char	*out = r->output != NULL ? r->output : "";
	char		 text[sizeof(s->refusal)] = "";

	if (r->status != 0)
		snprintf(text, sizeof(text), "%.60s%s%.*s", r->text,
		    out[0] != '\0' ? ": " : "", (int)strcspn(out, "\n"), out);
	if (text[0] != '\0' && strcmp(text, s->refusal) != 0)
		log_warnx("stop %s: " PROGRAM " stop %s: %s", s->i->name,
		    s->name, text);
	strlcpy(s->refusal, text, sizeof(s->refusal));
}

static void
done(void *arg, const struct command_result *r)
{
	struct script	*s = arg;
	enum verb	 next = s->next;

	s->command = NULL;
	s->next = VERB_NONE;
	if (next == VERB_START || next == VERB_STOP) {
		/* What this one has found is old. */
		script_do(s, next);
		return;
	}
	switch (s->doing) {
	case VERB_CHECK:
		checked(s, r);
		break;
	case VERB_START:
		started(s, r);
		break;
	default:
		refused(s, r);
		script_do(s, VERB_CHECK);
		break;
	}
}

/* --- commands ---------------------------------------------------------- */

static void
script_do(struct script *s, enum verb verb)
{
	char			*words[4];
	const struct args	 argv = { words, 3 };
	struct command_conf	 cc;

	evtimer_del(&s->poll_ev);
	if (s->command != NULL) {
		if (verb != VERB_CHECK || s->next == VERB_NONE)
			s->next = verb;
		return;
	}
	words[0] = (char *)PROGRAM;
	words[1] = (char *)verb_names[verb];
	words[2] = s->name;
	words[3] = NULL;
	memset(&cc, 0, sizeof(cc));
	cc.argv = &argv;
	cc.timeout_ms = COMMAND_MS;
	cc.tail = OUTPUT_BYTES;
	cc.leaves = verb == VERB_START;
	s->doing = verb;
	if ((cc.dirfd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC)) != -1)
		s->command = command_start(&cc, done, s);
	if (s->command == NULL) {
		/* Short of something: it will be asked again. */
		log_warn("start " PROGRAM);
		s->next = VERB_NONE;
		timer_in(&s->poll_ev, STOP_AGAIN_MS);
	}
	if (cc.dirfd != -1)
		close(cc.dirfd);
}

/* The name that the configuration gives it.  0, or -1 with text. */
static int
script_name(const struct instance *i, char *name, char *text)
{
	struct expansion	 x;
	int			 r;

	if ((r = instance_expand(i, &x, text)) == 0 && (x.unit == NULL ||
	    !rcname_isvalid(x.unit))) {
		snprintf(text, UPD_TEXT_SIZE, "\"%.100s\" is not fit for the "
		    "name of an rc.d script", x.unit != NULL ? x.unit : "");
		r = -1;
	}
	if (r == 0)
		strlcpy(name, x.unit, RC_NAME_SIZE);
	expansion_free(&x);
	return r;
}

/* --- for the machine --------------------------------------------------- */

static void
rcctl_look(struct instance *i)
{
	struct script	*s = i->priv;

	if (s != NULL && s->name[0] == '\0')
		timer_in(&s->poll_ev, 0);
	else if (s != NULL)
		script_do(s, VERB_CHECK);
}

static enum attach_result
rcctl_attach(struct instance *i)
{
	struct script	*s;
	char		 text[UPD_TEXT_SIZE];

	if ((s = calloc(1, sizeof(*s))) == NULL) {
		log_warnx("supervise %s: out of memory", i->name);
		return ATTACH_LATER;
	}
	if (script_name(i, s->name, text) == -1)
		log_warnx("supervise %s: %s", i->name, text);
	i->priv = s;
	s->i = i;
	s->poll_ms = POLL_MIN;
	/* Since when, if it is the one that we know of. */
	if (i->in.running && strcmp(i->in.boot, boot_id()) == 0) {
		s->up = 1;
		s->since = i->in.started_at;
	}
	evtimer_set(&s->poll_ev, poll_timer, s);
	rcctl_look(i);
	return ATTACH_LATER;
}

static int
rcctl_start(struct instance *i, char *text)
{
	struct script	*s = i->priv;

	if (s == NULL) {
		strlcpy(text, "out of memory when it was configured",
		    UPD_TEXT_SIZE);
		return -1;
	}
	if (script_name(i, s->name, text) == -1)
		return -1;
	s->poll_ms = POLL_MIN;
	script_do(s, VERB_START);
	return 0;
}

static void
rcctl_stop(struct instance *i)
{
	struct script	*s = i->priv;

	if (s == NULL)
		return;
	s->tries = 0;
	s->again_ms = STOP_AGAIN_MS;
	s->refusal[0] = '\0';
	if (s->name[0] == '\0')
		timer_in(&s->poll_ev, 0);
	else
		script_do(s, VERB_STOP);
}

static void
rcctl_rest(struct instance *i)
{
}

static void
rcctl_forget(struct instance *i)
{
	struct script	*s = i->priv;

	if (s == NULL)
		return;
	i->priv = NULL;
	evtimer_del(&s->poll_ev);
	command_cancel(s->command);
	free(s);
}

static const char *
rcctl_containment(const struct instance *i)
{
	return "none";
}

const struct backend rcctl_backend = {
	.name		= "rcctl",
	.foreign	= 1,
	.start_ms	= COMMAND_MS,
	.attach		= rcctl_attach,
	.start		= rcctl_start,
	.stop		= rcctl_stop,
	.drain		= observe_drain,
	.sweep		= observe_sweep,
	.rest		= rcctl_rest,
	.forget		= rcctl_forget,
	.containment	= rcctl_containment,
	.look		= rcctl_look,
};
