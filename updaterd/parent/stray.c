/*
 * Services that are there and that nobody configures any more: what a pass
 * finds of them in our state files, and in what other supervisors have of
 * us.  One that may be of a profile which could not be seen is left alone.
 */
#include <sys/types.h>

#include <string.h>

#include "instance.h"
#include "reconcile.h"
#include "unitleave.h"

/* It may be of a service whose profiles could not be seen. */
static int
is_unseen(const struct pass *p, const char *name)
{
	const struct ward	*w;
	size_t			 len;

	TAILQ_FOREACH(w, &p->wards, entry) {
		len = strlen(w->conf->name);
		if (w->conf->profiles != NULL && (w->roster == NULL ||
		    roster_scanned(w->roster)->dir_errno != 0 ||
		    roster_scanned(w->roster)->many) &&
		    strncmp(name, w->conf->name, len) == 0 &&
		    name[len] == '-')
			return 1;
	}
	return 0;
}

static int
has_line(const struct pass *p, const char *name)
{
	size_t	 k;

	for (k = 0; k < p->n; k++)
		if (strcmp(p->lines[k]->name, name) == 0)
			return 1;
	return 0;
}

/* The service that it was an instance of, if that is still configured and
 * in this pass; or NULL. */
static struct ward *
orphan_ward(const struct pass *p, const char *name, const char *owner)
{
	struct ward	*w;
	size_t		 len = strlen(owner);

	if (strncmp(name, owner, len) != 0 ||
	    (name[len] != '-' && name[len] != '\0'))
		return NULL;
	TAILQ_FOREACH(w, &p->wards, entry)
		if (strcmp(w->conf->name, owner) == 0)
			break;
	return w;
}

/* NULL: out of memory. */
static struct line *
orphan_line(struct pass *p, struct ward *w, const char *name)
{
	struct line	*l;
	struct intent	 in;
	char		 why[UPD_TEXT_SIZE];
	int		 statefd = service_getenv()->statefd;

	memset(&in, 0, sizeof(in));
	if (statefd == -1 || intent_read(statefd, name, &in, why) != 1 ||
	    strncmp(name, in.owner, strlen(in.owner)) != 0)
		in.owner[0] = '\0';
	if (w == NULL && in.owner[0] != '\0')
		w = orphan_ward(p, name, in.owner);
	if ((l = pass_line(p, w)) == NULL)
		return NULL;
	strlcpy(l->name, name, sizeof(l->name));
	strlcpy(l->service, in.owner[0] != '\0' ? in.owner : name,
	    sizeof(l->service));
	if (in.owner[0] != '\0' && name[strlen(in.owner)] == '-')
		strlcpy(l->profile, name + strlen(in.owner) + 1,
		    sizeof(l->profile));
	l->l.backend = w != NULL ? backend_of(w->conf->supervisor)->name :
	    backend_recorded(name);
	l->l.prior = plan_prior(in.desired_at != 0, &in, 0);
	l->l.action = ACTION_REMOVED;
	l->l.reason = REASON_NONE;
	l->l.change = 1;
	l->decided = 1;
	return l;
}

static void
orphan(void *arg, const char *name)
{
	struct pass	*p = arg;

	if (has_line(p, name) || is_unseen(p, name) ||
	    name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-")] !=
	    '\0')
		return;
	(void)orphan_line(p, NULL, name);
	if (!p->dry)
		instance_orphan(name);
}

/* A supervisor has it on record; it may have been given to updaterd itself
 * since. */
static void
recorded(void *arg, const char *name)
{
	struct pass	*p = arg;
	size_t		 k;

	for (k = 0; p->dry && k < p->n; k++)
		if (strcmp(p->lines[k]->name, name) == 0 &&
		    p->lines[k]->conf != NULL &&
		    p->lines[k]->conf->supervisor == SUPERVISE_NATIVE)
			p->lines[k]->l.change = 1;
	orphan(arg, name);
}

/* It is on its way out, since an earlier pass or an earlier daemon. */
static void
leaving(struct pass *p, const char *name, const char *backend)
{
	struct line	*l;
	size_t		 k;

	for (k = 0; k < p->n; k++)
		if (strcmp(p->lines[k]->name, name) == 0) {
			p->lines[k]->l.change = 1;
			return;
		}
	if ((l = orphan_line(p, NULL, name)) != NULL)
		l->l.backend = backend;
}

static void
leaving_unit(void *arg, const char *name)
{
	leaving(arg, name, systemd_backend.name);
}

static void
leaving_instances(struct pass *p)
{
	const struct instance	*i;

	TAILQ_FOREACH(i, &all_instances, all)
		if (i->agent == NULL)
			leaving(p, i->name, i->backend->name);
}

/* Known to a foreign supervisor, and to nobody else. */
static struct {
	struct pass	*pass;
	struct ward	*ward;
} asked;

static void
stray(void *arg, const char *name)
{
	const struct instance	*i = instance_find(name);

	if (i != NULL || has_line(asked.pass, name) ||
	    is_unseen(asked.pass, name))
		return;
	(void)orphan_line(asked.pass, asked.ward, name);
	if (!asked.pass->dry)
		backend_of(asked.ward->conf->supervisor)->withdraw(
		    asked.ward->conf, name);
}

void
judge_orphans(struct pass *p)
{
	const struct backend	*b;
	struct ward		*w;

	if (service_getenv()->statefd != -1)
		seat_orphans(orphan, p);
	/* Also where no service names that supervisor any more. */
	backend_strays(p->dry, recorded, p);
	if (p->dry)
		leaving_instances(p);
	unitleave_goon(p->dry, leaving_unit, p);
	asked.pass = p;
	TAILQ_FOREACH(w, &p->wards, entry) {
		b = backend_of(w->conf->supervisor);
		asked.ward = w;
		if (b->list != NULL && b->withdraw != NULL)
			b->list(w->conf, stray, NULL);
	}
}
