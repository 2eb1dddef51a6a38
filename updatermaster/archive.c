/*
 * What a rollout sends: the archive of the agent, and that of updaterd
 * itself where it is another one; made of a tree or of a ready file, and
 * signed if that is wanted.
 */
#include <sys/types.h>

#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "rollout.h"
#include "signing.h"
#include "text.h"
#include "util.h"

struct leftovers {
	int		 list;		/* -v */
	uint64_t	 n;
};

/* To standard error: what goes to standard output is for machines, too. */
static void
left_out(void *arg, const char *path, const char *why)
{
	struct leftovers	*l = arg;
	char			*name;

	l->n++;
	if (!l->list)
		return;
	/* A name must not move the terminal. */
	name = text_escape(path, 0);
	fprintf(stderr, "left out: %s (%s)\n", name, why);
	free(name);
}

/* updaterd's own part, if that is another archive. */
static int
pack_self(struct plan *p)
{
	struct leftovers	 left = { p->verbose, 0 };
	struct pack_opts	 o;
	char			 text[UPD_TEXT_SIZE] = "", want[UPD_HEX_SIZE];
	int			 rv;

	if (!plan_ownself(p))
		return 0;
	strlcpy(want, p->self_pack.sha256, sizeof(want));
	memset(&o, 0, sizeof(o));
	o.root = p->self_root;
	o.left = left_out;
	o.arg = &left;
	rv = p->self_tarball != NULL ? pack_file(p->self_tarball,
	    &p->self_pack, text) : pack_tree(&o, &p->self_pack, text);
	if (rv == -1) {
		warnx("%s", text);
		p->self_pack.fd = -1;
		return -1;
	}
	if (p->sign != NULL &&
	    sign_packed(p->sign, p->signed_at, &p->self_pack) == -1)
		return -1;
	/* A run that resumes sends what it began with. */
	if (want[0] != '\0' && strcmp(want, p->self_pack.sha256) != 0) {
		warnx("%s is not any more what the rollout sends; restore "
		    "it, or begin a new push", p->self_tarball ?
		    p->self_tarball : p->self_root);
		return -1;
	}
	return 0;
}

static int
pack_agent(struct plan *p)
{
	struct leftovers	 left = { p->verbose, 0 };
	struct pack_opts	 o;
	char			 text[UPD_TEXT_SIZE] = "", sha[UPD_SHA_SIZE];
	int			 rv;

	if (p->tarball != NULL)
		rv = pack_file(p->tarball, &p->pack, text);
	else {
		memset(&o, 0, sizeof(o));
		o.root = p->root;
		o.include = p->include;
		o.exclude = p->exclude;
		o.left = left_out;
		o.arg = &left;
		rv = pack_tree(&o, &p->pack, text);
		if (rv == 0 && left.n > 0 && !p->verbose &&
		    isatty(STDERR_FILENO))
			fprintf(stderr, "%llu left out of %s (-v lists them)\n",
			    (unsigned long long)left.n, p->root);
	}
	if (rv == -1) {
		warnx("%s", text);
		p->pack.fd = -1;
		return -1;
	}
	if (p->sign != NULL &&
	    sign_packed(p->sign, p->signed_at, &p->pack) == -1)
		return -1;
	if (p->sha[0] == '\0' && p->tarball == NULL) {
		git_sha(p->root, sha, sizeof(sha));
		strlcpy(p->sha, sha, sizeof(p->sha));
	}
	return 0;
}

int
plan_pack(struct plan *p)
{
	return pack_agent(p) == -1 || pack_self(p) == -1 ? -1 : 0;
}
