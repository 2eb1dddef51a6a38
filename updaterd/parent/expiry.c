/*
 * When certificates and revocation lists end.
 *
 * One entry for each file and use.  From WARN_DAYS before its end it is
 * warned of: in status whenever somebody looks, in the log at start, at a
 * reload and once a day.  The timer for that is set for the day on which
 * there will be something to say: with a year left it sleeps for months.
 */
#include <sys/types.h>
#include <sys/queue.h>
#include <sys/time.h>

#include <event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../config.h"
#include "expiry.h"
#include "log.h"
#include "timer.h"
#include "util.h"

#define WARN_DAYS	30
#define DAY		86400		/* seconds */
#define SLEEP_DAYS	20		/* at most: clocks are set */

struct expiry {
	TAILQ_ENTRY(expiry)	 entry;
	enum expiry_kind	 kind;
	char			*file;
	int64_t			 when;	/* seconds since the epoch */
	int64_t			 told;	/* likewise, last in the log; 0 never */
};
static TAILQ_HEAD(, expiry) list = TAILQ_HEAD_INITIALIZER(list);

static int64_t		 tried[NETFILE__MAX];	/* by net; 0: not told */
static struct event	 wake_ev;

static const struct {
	const char	*name;		/* as the label and in JSON */
	const char	*words;
	const char	*effect;	/* once it is over */
	const char	*cure;
} kinds[EXPIRY__MAX] = {
	[EXPIRY_CA] = { "ca", "ca certificate",
	    "no master is let in",
	    "enroll this host with a new ca" },
	[EXPIRY_CRL] = { "crl", "revocation list",
	    "no master is let in",
	    "bring a new one from the master and reload" },
	[EXPIRY_CERT] = { "certificate", "certificate",
	    "no master talks to this host",
	    "updatermaster renew, copy the files here and reload" },
	[EXPIRY_HEALTH_CA] = { "health ca", "ca certificate of a health check",
	    "the check fails",
	    "replace it" },
	[EXPIRY_HEALTH_CERT] = { "health certificate",
	    "certificate of a health check",
	    "the check fails",
	    "replace it" }
};

const char *
expiry_name(enum expiry_kind kind)
{
	return kind < EXPIRY__MAX ? kinds[kind].name : "unknown";
}

static int64_t
now_seconds(void)
{
	return time_real_us() / 1000000;
}

/* --- the list --------------------------------------------------------- */

static void
forget(struct expiry *e)
{
	TAILQ_REMOVE(&list, e, entry);
	free(e->file);
	free(e);
}

/* The list is in order of time. */
static void
insert(struct expiry *e)
{
	struct expiry	*o;

	TAILQ_FOREACH(o, &list, entry)
		if (o->when > e->when)
			break;
	if (o != NULL)
		TAILQ_INSERT_BEFORE(o, e, entry);
	else
		TAILQ_INSERT_TAIL(&list, e, entry);
}

static void
set(enum expiry_kind kind, const char *file, int64_t when)
{
	struct expiry	*e;

	TAILQ_FOREACH(e, &list, entry)
		if (e->kind == kind && strcmp(e->file, file) == 0)
			break;
	if (e != NULL && e->when == when)
		return;
	if (e != NULL)
		TAILQ_REMOVE(&list, e, entry);
	else {
		if ((e = calloc(1, sizeof(*e))) == NULL ||
		    (e->file = strdup(file)) == NULL) {
			log_warn("note when %s expires", file);
			free(e);
			return;
		}
		e->kind = kind;
	}
	e->when = when;
	e->told = 0;
	insert(e);
}

void
expiry_net(enum net_file which, int64_t when)
{
	tried[which] = when;
}

void
expiry_net_refused(void)
{
	memset(tried, 0, sizeof(tried));
}

void
expiry_net_used(const struct config *c)
{
	const struct {
		enum net_file	 which;
		const char	*file;
	}		 now[] = {	/* in the order of kinds */
				[EXPIRY_CA] = { NETFILE_CA, c->tls.ca },
				[EXPIRY_CRL] = { NETFILE_CRL, c->tls.crl },
				[EXPIRY_CERT] = { NETFILE_CERT, c->tls.cert }
			};
	struct expiry	*e, *next;
	int		 i;

	TAILQ_FOREACH_SAFE(e, &list, entry, next)
		if (e->kind <= EXPIRY_CERT && (now[e->kind].file == NULL ||
		    strcmp(now[e->kind].file, e->file) != 0 ||
		    tried[now[e->kind].which] == 0))
			forget(e);
	for (i = 0; i <= EXPIRY_CERT; i++)
		if (now[i].file != NULL && tried[now[i].which] != 0)
			set((enum expiry_kind)i, now[i].file,
			    tried[now[i].which]);
	expiry_net_refused();
}

/* --- warnings --------------------------------------------------------- */

/* Whole days until then; negative when it is over. */
static int64_t
days_left(const struct expiry *e, int64_t now)
{
	int64_t	 left = e->when - now;

	return left >= 0 ? left / DAY : -((-left + DAY - 1) / DAY);
}

static void
date_text(int64_t when, char *buf, size_t size)
{
	time_t		 t = (time_t)when;
	struct tm	 tm;

	if (gmtime_r(&t, &tm) == NULL ||
	    strftime(buf, size, "%Y-%m-%d %H:%M UTC", &tm) == 0)
		strlcpy(buf, "?", size);
}

/* 1 and a text (UPD_TEXT_SIZE) if it is to be warned of. */
static int
warning(const struct expiry *e, int64_t now, char *text)
{
	int64_t	 days = days_left(e, now);
	char	 date[40];

	if (e->when - now >= (int64_t)WARN_DAYS * DAY)
		return 0;
	date_text(e->when, date, sizeof(date));
	if (e->when <= now)
		snprintf(text, UPD_TEXT_SIZE, "%s %.200s has expired on %s: "
		    "%s; %s", kinds[e->kind].words, e->file, date,
		    kinds[e->kind].effect, kinds[e->kind].cure);
	else
		snprintf(text, UPD_TEXT_SIZE, "%s %.200s expires in %lld "
		    "day%s, on %s: then %s; %s", kinds[e->kind].words,
		    e->file, (long long)days, days == 1 ? "" : "s", date,
		    kinds[e->kind].effect, kinds[e->kind].cure);
	return 1;
}

static void	 wake(int, short, void *);

/* Sleep until the first has something new to say. */
static void
arm(int64_t now)
{
	struct expiry	*e;
	int64_t		 next = (int64_t)SLEEP_DAYS * DAY, t;

	if (evtimer_initialized(&wake_ev))
		evtimer_del(&wake_ev);
	if (TAILQ_EMPTY(&list))
		return;
	TAILQ_FOREACH(e, &list, entry) {
		t = e->when - (int64_t)WARN_DAYS * DAY - now;
		if (t <= 0) {
			t = e->when - now;
			if (t <= 0 || t > DAY)
				t = DAY;
		}
		if (t < next)
			next = t;
	}
	evtimer_set(&wake_ev, wake, NULL);
	timer_in(&wake_ev, (uint64_t)(next + 1) * 1000);
}

/* Say what is to be said; with all also what was said today. */
static void
warn_all(int all)
{
	struct expiry	*e;
	int64_t		 now = now_seconds();
	char		 text[UPD_TEXT_SIZE];

	TAILQ_FOREACH(e, &list, entry) {
		/* A clock that was set back must not silence it. */
		if (!all && e->told != 0 && e->told <= now &&
		    now - e->told < DAY && (e->told >= e->when) ==
		    (now >= e->when))
			continue;
		if (!warning(e, now, text))
			continue;
		log_warnx("%s", text);
		e->told = now;
	}
	arm(now);
}

static void
wake(int fd, short what, void *arg)
{
	warn_all(0);
}

void
expiry_health(enum expiry_kind kind, const char *file, int64_t when)
{
	set(kind, file, when);
	warn_all(0);
}

/* Of a health check, for net tells its own anew. */
static int
in_use(const struct config *c, const struct expiry *e)
{
	const struct agent_conf		*a;
	const struct service_conf	*s;
	const char			*file;

	TAILQ_FOREACH(a, &c->agents, entry)
		TAILQ_FOREACH(s, &a->services, entry) {
			file = e->kind == EXPIRY_HEALTH_CA ? s->health.ca :
			    s->health.cert;
			if (file != NULL && strcmp(file, e->file) == 0)
				return 1;
		}
	return 0;
}

void
expiry_review(const struct config *c)
{
	struct expiry	*e, *next;

	TAILQ_FOREACH_SAFE(e, &list, entry, next)
		if (e->kind > EXPIRY_CERT && !in_use(c, e))
			forget(e);
	warn_all(1);
}

/* --- for those who look ----------------------------------------------- */

void
expiry_each(void (*fn)(void *, enum expiry_kind, const char *, int64_t),
    void *arg)
{
	struct expiry	*e;

	TAILQ_FOREACH(e, &list, entry)
		fn(arg, e->kind, e->file, e->when);
}

static json_t *
entry_json(const struct expiry *e, int64_t now)
{
	char	 text[UPD_TEXT_SIZE], iso[40];

	time_iso(e->when * 1000000, iso, sizeof(iso));
	return json_pack("{s:s, s:s, s:s, s:I, s:o}", "file", e->file,
	    "kind", kinds[e->kind].name, "expires_at", iso,
	    "days", (json_int_t)days_left(e, now),
	    "warning", warning(e, now, text) ? json_string(text) :
	    json_null());
}

json_t *
expiry_json(void)
{
	struct expiry	*e;
	json_t		*out = json_array();
	int64_t		 now = now_seconds();

	TAILQ_FOREACH(e, &list, entry)
		json_array_append_new(out, entry_json(e, now));
	return out;
}

json_t *
expiry_warnings(void)
{
	struct expiry	*e;
	json_t		*out = json_array();
	int64_t		 now = now_seconds();
	char		 text[UPD_TEXT_SIZE];

	TAILQ_FOREACH(e, &list, entry)
		if (warning(e, now, text))
			json_array_append_new(out, json_string(text));
	return out;
}
