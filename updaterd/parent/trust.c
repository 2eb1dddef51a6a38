/*
 * Signed releases, seen from the parent.  inflate has verified every byte
 * by one of the keys that it was given before the first of them; what is
 * left is a number, which names the key, and a date.
 *
 * The date is what stands against an old release that was signed once and
 * is sent again: it must not be older than that of the release which runs.
 * One without a date (1970, as signify -n writes it) is older than all.
 * There are ways around it for those who mean it: `allow downgrade` of the
 * agent, root at the control socket, and the request of a caller with role
 * self.  That role is net's to check, and a net that has been taken over
 * would not: where nobody has that role, nobody can ask for it.
 *
 * A date that is yet to come would keep out all that are signed rightly until
 * then, on every host that took it.  It is refused, with the same ways around
 * it; but not where the clock here is known to be wrong: a host that comes up
 * in 1970, or before its own release was signed, takes what it is sent.
 */
#include <sys/types.h>

#include <string.h>

#include "error.h"
#include "log.h"
#include "relkey.h"
#include "trust.h"
#include "util.h"

#define AHEAD	86400		/* seconds: more is not the clock's drift */
#define CLOCK_SET 1767225600	/* 2026-01-01: before it no clock was set */

int
trust_wanted(void)
{
	return env->conf->release_keys.n > 0;
}

static int
some_self(void)
{
	const struct permit_conf	*p;

	TAILQ_FOREACH(p, &env->conf->permits, entry)
		if (p->role == ROLE_SELF)
			return 1;
	return 0;
}

static int
may_downgrade(const struct update *u)
{
	return u->agent->conf->downgrade || ((u->flags & UPDF_DOWNGRADE) &&
	    (u->local || some_self()));
}

static const char *
way_around(const struct update *u)
{
	if (u->local)
		return "updaterctl update -D installs it";
	if (!some_self())
		return "only updaterctl update -D or `allow downgrade' lets "
		    "it in, for nobody has role self";
	return "downgrade=true, with role self, or `allow downgrade' lets it "
	    "in";
}

/*
 * The release that none may be older than: the one that runs.  Where that
 * is not known, for it or its record is lost, the latest signed of those
 * that were good.  NULL: there is none.
 */
static const struct release *
yardstick(struct store *s)
{
	const struct release	*r, *best = store_current(s);

	if (best != NULL && best->installed_at != 0)
		return best;
	best = NULL;
	TAILQ_FOREACH(r, &s->list, entry)
		if (r->state == RELEASE_GOOD && (best == NULL ||
		    r->signed_at > best->signed_at))
			best = r;
	return best;
}

/* Refused because of its date: 1 and the update has failed, or 0. */
static int
is_stale(struct update *u)
{
	const struct release	*cur = yardstick(u->agent->store);
	char			 old[SIGNED_DATE_SIZE], date[SIGNED_DATE_SIZE];

	if (may_downgrade(u))
		return 0;
	signed_date(u->signed_at, date);
	if (u->signed_at == 0) {
		update_fail(u, UPD_ESIGNATURE, "signed with key %s, but "
		    "without a date (signify -n?), so that an old release "
		    "could not be told from a new one: sign it with its date; "
		    "%s", u->signer, way_around(u));
		return 1;
	}
	if (cur == NULL || u->signed_at >= cur->signed_at)
		return 0;
	signed_date(cur->signed_at, old);
	update_fail(u, UPD_ESIGNATURE, "signed with key %s on %s, before "
	    "%s %s (%s): an older release is not taken; %s", u->signer, date,
	    strcmp(cur->id, u->agent->store->current) == 0 ?
	    "the running release" : "release", cur->id, old, way_around(u));
	return 1;
}

/* Signed on a day that is yet to come: 1 and the update has failed, or 0. */
static int
is_early(struct update *u)
{
	const struct release	*cur = yardstick(u->agent->store);
	int64_t			 now = time_real_us() / 1000000;
	char			 here[SIGNED_DATE_SIZE], date[SIGNED_DATE_SIZE];
	int			 unset;

	if (u->signed_at <= now + AHEAD)
		return 0;
	unset = now < CLOCK_SET || (cur != NULL && cur->signed_at > now +
	    AHEAD);
	signed_date(u->signed_at, date);
	signed_date(now, here);
	if (unset || may_downgrade(u)) {
		log_warnx("the update of %s is signed on %s, but here it is "
		    "%s: %s", u->agent->conf->name, date, here, unset ?
		    "set the clock" : "all that are signed before are refused "
		    "from now on");
		return 0;
	}
	update_fail(u, UPD_ESIGNATURE, "signed with key %s on %s, which is yet "
	    "to come, for here it is %s: it would keep out all that are signed "
	    "before; set the clock that is wrong, where it was signed or here; "
	    "%s", u->signer, date, here, way_around(u));
	return 1;
}

int
trust_accept(struct update *u)
{
	const struct msg_inflate_done	*m = &u->inflate.inflate;

	if (!trust_wanted())
		return 1;
	if (m->signer == 0 || m->signer > env->conf->release_keys.n ||
	    m->signed_at < 0 || m->signed_at > SIGNED_DATE_MAX) {
		update_fail(u, UPD_ECHILD, "inflate does not say who signed "
		    "the archive");
		return 0;
	}
	strlcpy(u->signer, env->conf->keys[m->signer - 1].name,
	    sizeof(u->signer));
	u->signed_at = m->signed_at;
	u->phase = "trust";
	return !is_stale(u) && !is_early(u);
}
