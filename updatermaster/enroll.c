/*
 * init, enroll, renew, revoke: who belongs to the fleet.
 *
 * The order is such that a command that was cut off can be given again:
 * a certificate is issued, the bundle is made, and last the host's line is
 * written to hosts.conf, by which it exists.  revoke goes the other way:
 * first no push goes there any more, then the CRL says so to others.
 */
#include <sys/types.h>
#include <sys/stat.h>

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "master.h"
#include "bundle.h"
#include "ca.h"
#include "keypair.h"
#include "util.h"

#define NSAN	64		/* names and addresses in a certificate */

struct options {
	int		 agent;		/* a worker's certificate, too */
	int		 revoke_old;
	const char	*out;
	const char	*san[NSAN + 1];
	size_t		 nsan;
	const char	*groups[NSAN + 1];
	size_t		 ngroups;
};

static int	made, found;

/* --- init ------------------------------------------------------------- */

static void
say(const char *name, int new)
{
	printf("%s %s\n", new ? "made  " : "exists", name);
	if (new)
		made++;
	else
		found++;
}

static int
make_directory(struct master *m)
{
	if (m->dirfd != -1)
		return 0;
	if (mkdir(m->dir, 0700) == -1) {
		warn("%s", m->dir);
		return -1;
	}
	m->dirfd = open(m->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (m->dirfd == -1)
		warn("%s", m->dir);
	return m->dirfd == -1 ? -1 : 0;
}

static int
present(const struct master *m, const char *name)
{
	return faccessat(m->dirfd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

int
cmd_init(struct master *m, int argc, char **argv)
{
	int	 ch, ed25519 = 0, keypair = 0;

	while ((ch = getopt(argc, argv, "ek")) != -1) {
		switch (ch) {
		case 'e':
			ed25519 = 1;
			break;
		case 'k':
			keypair = 1;
			break;
		default:
			return master_usage(argv[0]);
		}
	}
	if (optind != argc)
		return master_usage(argv[0]);
	if (make_directory(m) == -1)
		return EXIT_FAILED;
	printf("in %s:\n", m->dir);
	if (ca_init(m, ed25519, say) == -1)
		return EXIT_FAILED;
	if (present(m, "hosts.conf"))
		say("hosts.conf", 0);
	else if (hosts_save(m) == -1)
		return EXIT_FAILED;
	else
		say("hosts.conf", 1);
	if (keypair && present(m, KEYPAIR_SECRET)) {
		say(KEYPAIR_PUBLIC, 0);
		say(KEYPAIR_SECRET, 0);
	} else if (keypair) {
		if (keypair_make(m) == -1)
			return EXIT_FAILED;
		say(KEYPAIR_PUBLIC, 1);
		say(KEYPAIR_SECRET, 1);
	}
	fflush(stdout);
	if (made == 0) {
		warnx("all of it exists: nothing was changed");
		return EXIT_FAILED;
	}
	if (found == 0)
		printf("Keep ca.key safe: who has it can push to every host.  "
		    "Next: updatermaster enroll NAME ADDRESS\n");
	return EXIT_DONE;
}

/* --- enroll, renew ---------------------------------------------------- */

static int
parse_options(int argc, char **argv, struct options *o)
{
	static const struct option	 longopts[] = {
		{ "agent", no_argument, NULL, 'a' },
		{ "group", required_argument, NULL, 'g' },
		{ "revoke-old", no_argument, NULL, 'r' },
		{ "san", required_argument, NULL, 's' },
		{ NULL, 0, NULL, 0 }
	};
	int				 ch, renew;

	renew = strcmp(argv[0], "renew") == 0;
	memset(o, 0, sizeof(*o));
	while ((ch = getopt_long(argc, argv, "o:", longopts, NULL)) != -1) {
		switch (ch) {
		case 'a':
			o->agent = 1;
			break;
		case 'g':
			if (renew)
				return -1;
			if (o->ngroups == NSAN) {
				warnx("more than %d groups", NSAN);
				return -1;
			}
			o->groups[o->ngroups++] = optarg;
			break;
		case 'o':
			o->out = optarg;
			break;
		case 'r':
			if (!renew)
				return -1;
			o->revoke_old = 1;
			break;
		case 's':
			if (!ca_goodsan(optarg)) {
				warnx("--san %s: neither a name nor an "
				    "address", optarg);
				return -1;
			}
			/* Four are ours. */
			if (o->nsan == NSAN - 4) {
				warnx("more than %d names", NSAN - 4);
				return -1;
			}
			o->san[o->nsan++] = optarg;
			break;
		default:
			return -1;
		}
	}
	return 0;
}

static void
add_san(struct options *o, const char *san)
{
	const char	*a, *b;
	size_t		 i;

	if (o->nsan == NSAN)
		return;
	for (i = 0; i < o->nsan; i++) {
		a = o->san[i];
		b = san;
		a += strncasecmp(a, "DNS:", 4) == 0 ? 4 :
		    strncasecmp(a, "IP:", 3) == 0 ? 3 : 0;
		b += strncasecmp(b, "DNS:", 4) == 0 ? 4 :
		    strncasecmp(b, "IP:", 3) == 0 ? 3 : 0;
		if (strcasecmp(a, b) == 0)
			return;
	}
	o->san[o->nsan++] = san;
}

/* Remember what was asked for besides, for the next renewal. */
static char *
join_san(const struct options *o)
{
	struct buf	 b = { NULL, 0, 0 };
	size_t		 i;

	for (i = 0; i < o->nsan; i++)
		if (buf_printf(&b, "%s%s", i > 0 ? "," : "",
		    o->san[i]) == -1)
			err(EXIT_FAILED, NULL);
	return b.data;
}

/* These are its certificates from now on; it may have none for a worker. */
static void
note_issued(struct host *h, const struct ca_issued *updater,
    const struct ca_issued *worker)
{
	free(h->fingerprint);
	free(h->serial);
	h->fingerprint = strdup(updater->fingerprint);
	h->serial = strdup(updater->serial);
	if (h->fingerprint == NULL || h->serial == NULL)
		err(EXIT_FAILED, NULL);
	free(h->worker);
	h->worker = NULL;
	if (worker != NULL && (h->worker = strdup(worker->serial)) == NULL)
		err(EXIT_FAILED, NULL);
	h->expires = updater->expires;
	h->revoked = 0;
	h->dirty = 1;
}

/* What is left to be done by hand; conf: for a host that is new. */
static void
tell_next(const struct host *h, const char *path, int conf)
{
	if (conf)
		printf("%s: copy %s to the host and there run: "
		    "tar -xzpf %s.tgz -C / && updaterd -n\n", h->name,
		    path, h->name);
	else
		printf("%s: pushes wait for the new certificate: copy "
		    "%s to the host and there run: tar -xzpf %s.tgz "
		    "-C / && updaterctl reload\n", h->name, path,
		    h->name);
}

/*
 * Issue what the host needs, make its bundle, save its line, and say what is
 * left to be done.  0, or -1 (said).
 */
static int
issue(struct master *m, struct host *h, struct options *o, int conf)
{
	struct ca_request	 req;
	struct ca_issued	 updater, worker;
	struct bundle		 b;
	char			 cn[64 + 1], *scoped, *path, *more;
	int			 rv = -1;

	memset(&worker, 0, sizeof(worker));
	memset(&b, 0, sizeof(b));
	/* A link-local address has its scope behind a %: for us only. */
	if ((scoped = strdup(h->address)) == NULL)
		err(EXIT_FAILED, NULL);
	scoped[strcspn(scoped, "%")] = '\0';
	more = join_san(o);
	add_san(o, scoped);
	add_san(o, h->name);
	add_san(o, "127.0.0.1");
	o->san[o->nsan] = NULL;

	snprintf(cn, sizeof(cn), "updater@%s", h->name);
	req.cn = cn;
	req.use = CA_USE_BOTH;
	req.san = o->san;
	memset(&updater, 0, sizeof(updater));
	if (ca_issue(m, &req, &updater) == -1)
		goto done;
	req.cn = h->name;
	if (o->agent && ca_issue(m, &req, &worker) == -1)
		goto done;
	b.name = h->name;
	b.port = h->port;
	b.updater = &updater;
	b.worker = o->agent ? &worker : NULL;
	b.out = o->out;
	b.conf = conf;
	if (bundle_write(m, &b) == -1)
		goto done;
	note_issued(h, &updater, o->agent ? &worker : NULL);
	free(h->san);
	h->san = more;
	more = NULL;
	path = bundle_path(m, &b);
	if ((rv = hosts_save(m)) == 0)
		tell_next(h, path, conf);
	free(path);
 done:
	free(more);
	free(scoped);
	ca_issued_free(&updater);
	ca_issued_free(&worker);
	return rv;
}

int
cmd_enroll(struct master *m, int argc, char **argv)
{
	struct options	 o;
	struct host	*h;
	struct bundle	 b;
	const char	*name, *why;
	size_t		 i;

	if (parse_options(argc, argv, &o) == -1)
		return master_usage(argv[0]);
	argc -= optind;
	if (argc != 2)
		return master_usage(argv[0]);
	name = argv[optind];
	if ((why = host_badname(name)) != NULL) {
		warnx("host name \"%s\" %s", name, why);
		return EXIT_USAGE;
	}
	for (i = 0; i < o.ngroups; i++)
		if (o.groups[i][0] == '\0' ||
		    o.groups[i][strspn(o.groups[i], "abcdefghijklmnopqrstuvwxyz"
		    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")] != '\0') {
			warnx("--group %s: may have letters, digits, and "
			    ". _ - only", o.groups[i]);
			return EXIT_USAGE;
		}
	if ((h = hosts_find(m, name)) != NULL) {
		warnx("%s is enrolled already%s: for a new certificate run "
		    "`updatermaster renew %s`", h->name, h->revoked ?
		    ", and revoked" : "", h->name);
		return EXIT_FAILED;
	}
	memset(&b, 0, sizeof(b));
	b.name = name;
	b.out = o.out;
	h = hosts_add(m, name);
	if (host_address(h, argv[optind + 1]) == -1) {
		warnx("%s: not an ADDRESS or ADDRESS:PORT", argv[optind + 1]);
		return EXIT_USAGE;
	}
	for (i = 0; i < o.ngroups; i++)
		host_group(h, o.groups[i]);
	if (bundle_check(&b) == -1 || issue(m, h, &o, 1) == -1)
		return EXIT_FAILED;
	return EXIT_DONE;
}

static struct host *
known(struct master *m, const char *name)
{
	struct host	*h;

	if ((h = hosts_find(m, name)) == NULL)
		warnx("%s: no such host in %s/hosts.conf", name, m->dir);
	return h;
}

/* hosts.conf has names for the certificate, too. */
static int
split_san(struct host *h, struct options *o, char *list)
{
	char	*san;

	while ((san = strsep(&list, ",")) != NULL) {
		if (!ca_goodsan(san)) {
			warnx("%s: san \"%s\" in hosts.conf: neither a name "
			    "nor an address", h->name, san);
			return -1;
		}
		add_san(o, san);
	}
	return 0;
}

int
cmd_renew(struct master *m, int argc, char **argv)
{
	struct options	 o;
	struct host	*h;
	struct bundle	 b;
	char		*sans = NULL, *serial = NULL, *worker = NULL;
	int		 rv = EXIT_FAILED;

	if (parse_options(argc, argv, &o) == -1 || argc - optind != 1)
		return master_usage(argv[0]);
	if ((h = known(m, argv[optind])) == NULL)
		return EXIT_FAILED;
	memset(&b, 0, sizeof(b));
	b.name = h->name;
	b.out = o.out;
	if (bundle_check(&b) == -1)
		return EXIT_FAILED;
	/* What it had it gets again. */
	if (h->san != NULL && ((sans = strdup(h->san)) == NULL ||
	    split_san(h, &o, sans) == -1))
		goto done;
	if (h->serial != NULL && (serial = strdup(h->serial)) == NULL)
		err(EXIT_FAILED, NULL);
	if (h->worker != NULL) {
		if ((worker = strdup(h->worker)) == NULL)
			err(EXIT_FAILED, NULL);
		o.agent = 1;
	}
	if (issue(m, h, &o, 0) == -1)
		goto done;
	if (o.revoke_old &&
	    ((serial != NULL && ca_revoke(m, serial) == -1) ||
	    (worker != NULL && ca_revoke(m, worker) == -1)))
		goto done;
	rv = EXIT_DONE;
 done:
	free(sans);
	free(serial);
	free(worker);
	return rv;
}

int
cmd_revoke(struct master *m, int argc, char **argv)
{
	struct host	*h;

	if (getopt(argc, argv, "") != -1 || argc - optind != 1)
		return master_usage(argv[0]);
	if ((h = known(m, argv[optind])) == NULL)
		return EXIT_FAILED;
	h->revoked = 1;
	h->dirty = 1;
	if (hosts_save(m) == -1 ||
	    (h->serial != NULL && ca_revoke(m, h->serial) == -1) ||
	    (h->worker != NULL && ca_revoke(m, h->worker) == -1))
		return EXIT_FAILED;
	if (h->serial != NULL)
		printf("%s: nothing is pushed to it any more; for the other "
		    "hosts to refuse it copy %s/ca.crl to /etc/updaterd/ of "
		    "each and run there: updaterctl reload\n", h->name,
		    m->dir);
	else
		printf("%s: nothing is pushed to it any more; no serial "
		    "number is known to put on ca.crl\n", h->name);
	return EXIT_DONE;
}
