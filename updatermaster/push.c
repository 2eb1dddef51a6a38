/*
 * push: what is sent to whom.  Options, the hosts, the archive; then
 * rollout.c, and at the end what became of it.
 *
 * A rollout that is resumed takes nearly everything from its record.  The
 * archive has to be the very same: the tree is packed again, which gives the
 * same bytes for the same tree, and the digests are compared.
 */
#include <sys/types.h>

#include <err.h>
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "choose.h"
#include "rollout.h"
#include "show.h"
#include "signing.h"
#include "text.h"
#include "util.h"

#define PARALLEL	32		/* hosts at a time, unless told */
#define RETRIES		3		/* connections tried again */
#define HOSTS_MAX	100000
#define PAUSE_MAX	86400		/* seconds */
#define CONFIRM_MAX	86400		/* seconds, as hosts allow */

enum {
	OPT_HOST = 256, OPT_GROUP, OPT_ALL, OPT_AGENT, OPT_ROOT, OPT_TARBALL,
	OPT_SHA, OPT_EXCLUDE, OPT_INCLUDE, OPT_DRY_RUN, OPT_FORCE, OPT_SELF,
	OPT_PORT, OPT_JSON, OPT_REPORT, OPT_INVENTORY, OPT_CANARY, OPT_BATCH,
	OPT_MAX_FAIL, OPT_PAUSE, OPT_PARALLEL, OPT_ROLLBACK, OPT_RESUME,
	OPT_RETRIES, OPT_SIGN, OPT_CONFIRM, OPT_SELF_ROOT, OPT_SELF_TARBALL,
	OPT_DOWNGRADE
};

static const struct option	longopts[] = {
	{ "host",	required_argument, NULL, OPT_HOST },
	{ "group",	required_argument, NULL, OPT_GROUP },
	{ "all",	no_argument, NULL, OPT_ALL },
	{ "agent",	required_argument, NULL, OPT_AGENT },
	{ "root",	required_argument, NULL, OPT_ROOT },
	{ "tarball",	required_argument, NULL, OPT_TARBALL },
	{ "sign",	optional_argument, NULL, OPT_SIGN },
	{ "confirm",	required_argument, NULL, OPT_CONFIRM },
	{ "sha",	required_argument, NULL, OPT_SHA },
	{ "exclude",	required_argument, NULL, OPT_EXCLUDE },
	{ "include",	required_argument, NULL, OPT_INCLUDE },
	{ "dry-run",	no_argument, NULL, OPT_DRY_RUN },
	{ "force",	no_argument, NULL, OPT_FORCE },
	{ "downgrade",	no_argument, NULL, OPT_DOWNGRADE },
	{ "include-self", no_argument, NULL, OPT_SELF },
	{ "self-root",	required_argument, NULL, OPT_SELF_ROOT },
	{ "self-tarball", required_argument, NULL, OPT_SELF_TARBALL },
	{ "updater-port", required_argument, NULL, OPT_PORT },
	{ "json",	no_argument, NULL, OPT_JSON },
	{ "report",	required_argument, NULL, OPT_REPORT },
	{ "inventory",	required_argument, NULL, OPT_INVENTORY },
	{ "canary",	required_argument, NULL, OPT_CANARY },
	{ "batch",	required_argument, NULL, OPT_BATCH },
	{ "max-fail",	required_argument, NULL, OPT_MAX_FAIL },
	{ "pause",	required_argument, NULL, OPT_PAUSE },
	{ "parallel",	required_argument, NULL, OPT_PARALLEL },
	{ "rollback-on-fail", no_argument, NULL, OPT_ROLLBACK },
	{ "resume",	no_argument, NULL, OPT_RESUME },
	{ "retries",	required_argument, NULL, OPT_RETRIES },
	{ "verbose",	no_argument, NULL, 'v' },
	{ NULL, 0, NULL, 0 }
};

struct amount {				/* N or P% */
	int		 given;
	int		 percent;
	uint32_t	 n;
};

struct args {
	struct choice	 choice;
	struct plan	 plan;
	struct amount	 batch;
	struct amount	 max_fail;
	int		 sign;
	const char	*key;		/* to sign with, or NULL: the usual */
	const char	*report;
	int		 json;
	int		 resume;
	int		 parallel_given;
	int		 retries_given;
	int		 other;		/* the first option that --resume does
					 * not go with, or 0 */
};

/* --- options ---------------------------------------------------------- */

static int
number(const char *name, const char *s, uint32_t min, uint32_t max,
    uint32_t *out)
{
	char		*end;
	unsigned long	 v;

	errno = 0;
	v = strtoul(s, &end, 10);
	if (s[0] < '0' || s[0] > '9' || *end != '\0' || errno != 0 ||
	    v < min || v > max) {
		warnx("--%s: \"%s\" has to be %u to %u", name, s, min, max);
		return -1;
	}
	*out = (uint32_t)v;
	return 0;
}

static int
amount(const char *name, const char *s, uint32_t min, struct amount *a)
{
	size_t	 n = strlen(s);
	char	*copy;
	int	 rv;

	a->given = 1;
	a->percent = n > 1 && s[n - 1] == '%';
	if ((copy = strndup(s, n - (a->percent != 0))) == NULL)
		err(1, NULL);
	rv = number(name, copy, min, a->percent ? 100 : HOSTS_MAX, &a->n);
	free(copy);
	return rv;
}

/* Absolute, so that it means the same to a run that resumes. */
static int
path(const char *s, char **out)
{
	free(*out);
	if ((*out = realpath(s, NULL)) != NULL)
		return 0;
	warn("%s", s);
	return -1;
}

static char *
copy(const char *s)
{
	char	*c = strdup(s);

	if (c == NULL)
		err(1, NULL);
	return c;
}

static int
set_sha(struct plan *p, const char *s)
{
	static const char	 allowed[] = "0123456789._-"
				    "abcdefghijklmnopqrstuvwxyz"
				    "ABCDEFGHIJKLMNOPQRSTUVWXYZ";

	if (s[0] == '\0' || s[strspn(s, allowed)] != '\0' ||
	    strlcpy(p->sha, s, sizeof(p->sha)) >= sizeof(p->sha)) {
		warnx("--sha: 1 to %d of 0-9 A-Z a-z . _ -", UPD_SHA_SIZE - 1);
		return -1;
	}
	return 0;
}

static int
set_agent(struct plan *p, const char *s)
{
	if (!name_isvalid(s)) {
		warnx("--agent: \"%s\" cannot be an agent's name", s);
		return -1;
	}
	free(p->agent);
	p->agent = copy(s);
	return 0;
}

static int
set_inventory(struct plan *p, const char *s)
{
	free(p->inventory);
	p->inventory = NULL;
	if (strcmp(s, "-") != 0)
		return path(s, &p->inventory);
	p->inventory = copy(s);
	return 0;
}

/* 1 it says all by being there; else 0. */
static int
flag(struct args *a, int opt)
{
	struct plan	*p = &a->plan;
	const struct {
		int	 opt, *flag;
	} flags[] = {
		{ OPT_ALL, &a->choice.all }, { OPT_DRY_RUN, &p->dry_run },
		{ OPT_FORCE, &p->force }, { OPT_DOWNGRADE, &p->downgrade },
		{ OPT_SELF, &p->self }, { OPT_JSON, &a->json },
		{ 'v', &p->verbose }, { OPT_ROLLBACK, &p->rollback },
		{ OPT_RESUME, &a->resume }
	};
	size_t		 i;

	for (i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
		if (flags[i].opt == opt) {
			*flags[i].flag = 1;
			return 1;
		}
	return 0;
}

/* 0, -1: said. */
static int
option(struct args *a, int opt, const char *name)
{
	struct plan	*p = &a->plan;
	uint32_t	 n;

	if (flag(a, opt))
		return 0;
	switch (opt) {
	case OPT_HOST:
		list_add(&a->choice.hosts, optarg);
		return 0;
	case OPT_GROUP:
		list_add(&a->choice.groups, optarg);
		return 0;
	case OPT_AGENT:
		return set_agent(p, optarg);
	case OPT_ROOT:
		return path(optarg, &p->root);
	case OPT_TARBALL:
		return path(optarg, &p->tarball);
	case OPT_SHA:
		return set_sha(p, optarg);
	case OPT_EXCLUDE:
		list_add(&p->exclude, optarg);
		return 0;
	case OPT_INCLUDE:
		list_add(&p->include, optarg);
		return 0;
	case OPT_SELF_ROOT:
		p->self = 1;
		return path(optarg, &p->self_root);
	case OPT_SELF_TARBALL:
		p->self = 1;
		return path(optarg, &p->self_tarball);
	case OPT_PORT:
		if (number(name, optarg, 1, 65535, &n) == -1)
			return -1;
		p->port = (uint16_t)n;
		return 0;
	case OPT_REPORT:
		a->report = optarg;
		return 0;
	case OPT_INVENTORY:
		return set_inventory(p, optarg);
	case OPT_CANARY:
		return number(name, optarg, 0, HOSTS_MAX, &p->canary);
	case OPT_BATCH:
		return amount(name, optarg, 1, &a->batch);
	case OPT_MAX_FAIL:
		return amount(name, optarg, 0, &a->max_fail);
	case OPT_PAUSE:
		return number(name, optarg, 0, PAUSE_MAX, &p->pause);
	case OPT_PARALLEL:
		a->parallel_given = 1;
		return number(name, optarg, 1, HOSTS_MAX, &p->parallel);
	case OPT_CONFIRM:
		return number(name, optarg, 1, CONFIRM_MAX, &p->confirm);
	case OPT_SIGN:
		a->sign = 1;
		a->key = optarg;
		return 0;
	case OPT_RETRIES:
		a->retries_given = 1;
		return number(name, optarg, 0, 1000, &p->retries);
	default:
		return -1;
	}
}

/* What may be said anew to a run that resumes. */
static int
goes_with_resume(int opt)
{
	return opt == OPT_RESUME || opt == OPT_JSON || opt == OPT_REPORT ||
	    opt == OPT_PARALLEL || opt == OPT_RETRIES || opt == OPT_MAX_FAIL ||
	    opt == OPT_INVENTORY || opt == 'v';
}

/* EXIT_DONE, or an exit code: said. */
static int
options(struct args *a, int argc, char **argv)
{
	int	 opt, which = 0;

	optind = 1;
	while ((opt = getopt_long(argc, argv, "+v", longopts, &which)) != -1) {
		if (opt == '?')
			return master_usage("push");
		/* There is nothing else that does not begin with a dash. */
		if (opt == OPT_SIGN && optarg == NULL && optind < argc &&
		    argv[optind][0] != '-')
			optarg = argv[optind++];
		if (!goes_with_resume(opt) && a->other == 0)
			a->other = opt;
		if (option(a, opt, longopts[which].name) == -1)
			return opt == OPT_ROOT || opt == OPT_TARBALL ||
			    opt == OPT_SELF_ROOT || opt == OPT_SELF_TARBALL ?
			    EXIT_FAILED : EXIT_USAGE;
	}
	if (optind != argc) {
		warnx("%s: what is that?", argv[optind]);
		return master_usage("push");
	}
	if (a->resume && a->other != 0) {
		warnx("--resume takes hosts, archive and order from the "
		    "record; besides it go --json, --report, --parallel, "
		    "--retries, --max-fail and --inventory");
		return EXIT_USAGE;
	}
	if (a->plan.root != NULL && a->plan.tarball != NULL) {
		warnx("--root and --tarball exclude each other");
		return EXIT_USAGE;
	}
	if (a->plan.tarball != NULL &&
	    (a->plan.include != NULL || a->plan.exclude != NULL)) {
		warnx("--include and --exclude are about a tree, not about a "
		    "ready --tarball");
		return EXIT_USAGE;
	}
	return EXIT_DONE;
}

/* --- hosts ------------------------------------------------------------ */

/* A host as this rollout sees it; strings stay the master's, but for the
 * name that a record gave. */
static void
take_host(struct rollout *ro, struct target *t, const struct host *h)
{
	char	*name = t->host.name;

	t->ro = ro;
	t->host = *h;
	t->host.name = name != NULL ? name : h->name;
	if (ro->plan.port != 0)
		t->host.port = ro->plan.port;
}

static uint32_t
resolve(const struct amount *a, size_t hosts, int up)
{
	uint64_t	 n = a->n;

	if (a->percent)
		n = (n * hosts + (up ? 99 : 0)) / 100;
	if (up && n == 0)
		n = 1;
	return (uint32_t)n;
}

static void
resolve_amounts(struct rollout *ro, const struct args *a)
{
	struct plan	*p = &ro->plan;

	if (a->batch.given)
		p->batch = resolve(&a->batch, ro->ntargets, 1);
	if (a->max_fail.given)
		p->max_fail = resolve(&a->max_fail, ro->ntargets, 0);
	else if (!a->resume)
		/* Without it nothing but a canary would stop a rollout. */
		p->max_fail = p->rollback ? 0 : -1;
}

/* Before anything is packed: a key that cannot be read costs no work. */
static int
find_key(struct rollout *ro, const struct args *a)
{
	char	*given;
	int	 rv;

	if (!a->sign)
		return 0;
	given = sign_keypath(ro->master, a->key);
	rv = path(given, &ro->plan.sign);
	free(given);
	ro->plan.signed_at = (int64_t)time(NULL);
	return rv;
}

static int
begin_new(struct rollout *ro, const struct args *a)
{
	struct host	**list;
	char		 stamp[20];
	size_t		 i;
	int		 rv;

	rv = choose(ro->master, &a->choice, &list, &ro->ntargets);
	if (rv != EXIT_DONE)
		return rv;
	ro->targets = calloc(ro->ntargets, sizeof(*ro->targets));
	if (ro->targets == NULL)
		err(1, NULL);
	for (i = 0; i < ro->ntargets; i++)
		take_host(ro, &ro->targets[i], list[i]);
	free(list);
	resolve_amounts(ro, a);
	if (ro->plan.root == NULL && ro->plan.tarball == NULL &&
	    path(".", &ro->plan.root) == -1)
		return EXIT_FAILED;
	if (find_key(ro, a) == -1 || plan_pack(&ro->plan) == -1)
		return EXIT_FAILED;
	ro->started = (int64_t)time(NULL);
	time_compact(ro->started * 1000000, stamp, sizeof(stamp));
	snprintf(ro->id, sizeof(ro->id), "%s-%.12s", stamp, ro->plan.sha[0] ?
	    ro->plan.sha : ro->plan.pack.sha256);
	if (ro->plan.dry_run)
		return EXIT_DONE;	/* nothing to be resumed */
	outcomes_last(ro->master);	/* before its record goes */
	return record_create(ro) == 0 ? EXIT_DONE : EXIT_FAILED;
}

static int
begin_again(struct rollout *ro, const struct args *a)
{
	struct plan	*p = &ro->plan, given = ro->plan;
	struct target	*t;
	struct host	*h;
	char		 want[UPD_HEX_SIZE];
	size_t		 i;

	if (record_resume(ro) == -1)
		return EXIT_FAILED;
	if (p->inventory != NULL &&
	    inventory_load(ro->master, p->inventory) == -1)
		return EXIT_FAILED;
	for (i = 0; i < ro->ntargets; i++) {
		t = &ro->targets[i];
		h = hosts_find(ro->master, t->host.name);
		if (h != NULL && !h->revoked)
			take_host(ro, t, h);
		else if ((t->host.address = strdup("-")) == NULL)
			err(1, NULL);
	}
	if (a->parallel_given)
		p->parallel = given.parallel;
	if (a->retries_given)
		p->retries = given.retries;
	resolve_amounts(ro, a);
	/* A rollout that was taken back is over; hosts that were not reached
	 * can still be reached. */
	ro->over = ro->backing ? ro->over : rollout_left(ro) == 0;
	if (ro->over)
		return EXIT_DONE;
	strlcpy(want, p->pack.sha256, sizeof(want));
	if (ro->backing)
		return EXIT_DONE;	/* no archive is needed */
	if (plan_pack(p) == -1)
		return EXIT_FAILED;
	if (strcmp(want, p->pack.sha256) != 0) {
		warnx("%s is not any more what the rollout %s sends: its "
		    "SHA-256 was %s and is %s; restore it, or begin a new "
		    "push", p->tarball ? p->tarball : p->root, ro->id, want,
		    p->pack.sha256);
		return EXIT_FAILED;
	}
	return EXIT_DONE;
}

/* --- the end ---------------------------------------------------------- */

static void
say_how_to_go_on(const struct rollout *ro)
{
	size_t	 left = rollout_left(ro), i;

	if (ro->recfd == -1)
		return;
	if (ro->backing && ro->interrupted)
		show_note(ro->show, "not all hosts are taken back; go on "
		    "with: updatermaster -d %s push --resume",
		    ro->master->dir);
	if (ro->backing || left == 0)
		return;
	for (i = 0; i < ro->plan.canary && i < ro->ntargets; i++)
		if (target_isfinal(&ro->targets[i]) &&
		    (outcome_isbad(ro->targets[i].agent) ||
		    outcome_isbad(ro->targets[i].self)))
			return;		/* that release goes no further */
	show_note(ro->show, "%zu host%s to go; %s: updatermaster -d %s push "
	    "--resume%s", left, left == 1 ? "" : "s", ro->stopped[0] ?
	    "when the cause is gone, go on with" : "go on with",
	    ro->master->dir, ro->stopped[0] && ro->plan.max_fail >= 0 ?
	    " --max-fail N" : "");
}

static int
verdict(const struct rollout *ro)
{
	size_t	 i;

	if (ro->stopped[0] != '\0' || rollout_left(ro) > 0)
		return EXIT_FAILED;
	for (i = 0; i < ro->ntargets; i++)
		if (outcome_isbad(ro->targets[i].agent) ||
		    outcome_isbad(ro->targets[i].self) ||
		    ro->targets[i].agent == OUTCOME_UNDONE)
			return EXIT_FAILED;
	return EXIT_DONE;
}

static int
run(struct rollout *ro, const struct args *a)
{
	int	 rv;

	if (ro->over) {
		ro->begun_us = time_mono_us();
		show_note(ro->show, "rollout %s is complete already", ro->id);
	} else if (rollout_run(ro) == -1)
		return EXIT_FAILED;
	show_end(ro->show);
	say_how_to_go_on(ro);
	rv = verdict(ro);
	if (a->report != NULL && report_write(ro, a->report) == -1)
		rv = EXIT_FAILED;
	return rv;
}

int
cmd_push(struct master *m, int argc, char **argv)
{
	/* Once in a program, and with it to the end. */
	static struct rollout	 ro;
	static struct args	 a;
	size_t			 i;
	int			 rv;

	a.plan.pack.fd = a.plan.self_pack.fd = -1;
	a.plan.parallel = PARALLEL;
	a.plan.retries = RETRIES;
	a.plan.max_fail = -1;
	if ((rv = options(&a, argc, argv)) != EXIT_DONE)
		return rv;
	ro.master = m;
	ro.plan = a.plan;
	ro.recfd = ro.lockfd = -1;
	if (!a.resume && ro.plan.inventory != NULL &&
	    inventory_load(m, ro.plan.inventory) == -1)
		return EXIT_FAILED;
	event_init();
	if (!ro.plan.dry_run && record_lock(&ro) == -1)
		return EXIT_FAILED;
	rv = a.resume ? begin_again(&ro, &a) : begin_new(&ro, &a);
	if (rv == EXIT_DONE) {
		ro.show = show_new(&ro, a.json);
		rv = run(&ro, &a);
		show_free(ro.show);
		client_free(ro.client);
		for (i = 0; i < ro.ntargets; i++)
			deliver_free(&ro.targets[i]);
		outcomes_note(&ro);
		(void)results_save(m);
	}
	record_close(&ro);
	if (ro.plan.pack.fd != -1)
		close(ro.plan.pack.fd);
	if (ro.plan.self_pack.fd != -1)
		close(ro.plan.self_pack.fd);
	return rv;
}
