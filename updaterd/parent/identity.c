/*
 * Who a program runs as.
 *
 * The user database may be a file or a service on the network, and a
 * library between us and it that takes a hundred system calls for an answer.
 * So where a thousand of the same user are started in one go, within one turn
 * of the event loop, it is asked once; never longer than that: a user's
 * groups are those of the moment.
 */
#include <sys/types.h>

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "launch.h"
#include "log.h"
#include "util.h"

#define KEPT_MAX	4	/* a service's user, the owner of slots ... */
#define GROUPS_MAX	65536	/* NGROUPS_MAX of Linux */

/* Supplementary groups by name.  0, or -1 with text. */
static int
named_groups(struct identity *id, const struct args *names, char *text)
{
	struct group	*gr;
	size_t		 i;

	if ((id->groups = calloc(names->n + 1, sizeof(gid_t))) == NULL) {
		strlcpy(text, "out of memory", UPD_TEXT_SIZE);
		return -1;
	}
	for (i = 0; i < names->n; i++) {
		if ((gr = getgrnam(names->v[i])) == NULL) {
			snprintf(text, UPD_TEXT_SIZE, "no such group: %s",
			    names->v[i]);
			return -1;
		}
		id->groups[id->ngroups++] = gr->gr_gid;
	}
	return 0;
}

/* Those that the group database has for the user. */
static int
users_groups(struct identity *id, gid_t gid, char *text)
{
	gid_t	*g;
	int	 n, want = 32;

	for (;;) {
		if ((g = reallocarray(id->groups, (size_t)want,
		    sizeof(gid_t))) == NULL) {
			strlcpy(text, "out of memory", UPD_TEXT_SIZE);
			return -1;
		}
		id->groups = g;
		n = want;
		if (getgrouplist(id->name, gid, g, &n) != -1)
			break;
		if (want >= GROUPS_MAX) {
			snprintf(text, UPD_TEXT_SIZE,
			    "user %s has too many groups", id->name);
			return -1;
		}
		want *= 2;
	}
	id->ngroups = n;
	return 0;
}

static int
look_up(struct identity *id, const char *user, const char *group,
    const struct args *groups, char *text)
{
	struct passwd	*pw;
	struct group	*gr;

	memset(id, 0, sizeof(*id));
	errno = 0;
	pw = user != NULL ? getpwnam(user) : getpwuid(0);
	if (pw == NULL && user != NULL) {
		if (errno != 0 && errno != ENOENT && errno != ESRCH)
			snprintf(text, UPD_TEXT_SIZE, "look up user %s: %s",
			    user, strerror(errno));
		else
			snprintf(text, UPD_TEXT_SIZE, "no such user: %s",
			    user);
		return -1;
	}
	strlcpy(id->name, pw != NULL ? pw->pw_name : "root",
	    sizeof(id->name));
	strlcpy(id->home, pw != NULL ? pw->pw_dir : "/", sizeof(id->home));
	strlcpy(id->shell, pw != NULL && pw->pw_shell[0] != '\0' ?
	    pw->pw_shell : "/bin/sh", sizeof(id->shell));
	id->uid = pw != NULL ? pw->pw_uid : 0;
	id->gid = pw != NULL ? pw->pw_gid : 0;
	if (group != NULL) {
		if ((gr = getgrnam(group)) == NULL) {
			snprintf(text, UPD_TEXT_SIZE, "no such group: %s",
			    group);
			return -1;
		}
		id->gid = gr->gr_gid;
	}
	if (groups != NULL && groups->n > 0)
		return named_groups(id, groups, text);
	return users_groups(id, id->gid, text);
}

/* --- many of the same ------------------------------------------------- */

static struct kept {
	int		 any;
	char		*user, *group;	/* as asked for; NULL: not named */
	struct identity	 id;
} kept[KEPT_MAX];
static unsigned int	 turn;		/* that goes next */
static int		 depth;		/* of identity_keep() */

static void
kept_free(struct kept *k)
{
	free(k->user);
	free(k->group);
	identity_free(&k->id);
	k->user = k->group = NULL;
	k->any = 0;
}

void
identity_keep(void)
{
	depth++;
}

void
identity_letgo(void)
{
	size_t	 n;

	if (--depth > 0)
		return;
	for (n = 0; n < KEPT_MAX; n++)
		kept_free(&kept[n]);
}

static int
is_same(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

/* 0, or -1 ENOMEM: there is none. */
static int
identity_copy(struct identity *to, const struct identity *from)
{
	size_t	 size = (size_t)from->ngroups * sizeof(gid_t);

	*to = *from;
	/* One byte more: NULL would mean "as we are". */
	if ((to->groups = malloc(size + 1)) == NULL) {
		to->ngroups = 0;
		return -1;
	}
	memcpy(to->groups, from->groups, size);
	return 0;
}

/* Without memory it is asked for again the next time. */
static void
kept_set(const struct identity *id, const char *user, const char *group)
{
	struct kept	*k = &kept[turn++ % KEPT_MAX];

	kept_free(k);
	if ((user != NULL && (k->user = strdup(user)) == NULL) ||
	    (group != NULL && (k->group = strdup(group)) == NULL) ||
	    identity_copy(&k->id, id) == -1)
		kept_free(k);
	else
		k->any = 1;
}

int
identity_lookup(struct identity *id, const char *user, const char *group,
    const struct args *groups, char *text)
{
	int	 plain = groups == NULL || groups->n == 0;
	size_t	 n;

	for (n = 0; plain && n < KEPT_MAX; n++)
		if (kept[n].any && is_same(user, kept[n].user) &&
		    is_same(group, kept[n].group) &&
		    identity_copy(id, &kept[n].id) == 0)
			return 0;
	if (look_up(id, user, group, groups, text) == -1)
		return -1;
	if (depth > 0 && plain)
		kept_set(id, user, group);
	return 0;
}

/* --- others ----------------------------------------------------------- */

int
identity_ids(struct identity *id, uid_t uid, gid_t gid)
{
	struct passwd	*pw;

	memset(id, 0, sizeof(*id));
	if ((id->groups = calloc(1, sizeof(gid_t))) == NULL)
		return -1;
	id->groups[0] = gid;
	id->ngroups = 1;
	id->uid = uid;
	id->gid = gid;
	pw = getpwuid(uid);
	if (pw != NULL)
		strlcpy(id->name, pw->pw_name, sizeof(id->name));
	else
		snprintf(id->name, sizeof(id->name), "%u", uid);
	strlcpy(id->home, pw != NULL ? pw->pw_dir : "/", sizeof(id->home));
	/* A system user's shell is nologin, of no use to a script. */
	strlcpy(id->shell, "/bin/sh", sizeof(id->shell));
	return 0;
}

void
identity_ours(struct identity *id)
{
	memset(id, 0, sizeof(*id));
	id->uid = geteuid();
	id->gid = getegid();
	strlcpy(id->name, "root", sizeof(id->name));
	strlcpy(id->home, "/", sizeof(id->home));
	strlcpy(id->shell, "/bin/sh", sizeof(id->shell));
}

void
identity_free(struct identity *id)
{
	free(id->groups);
	id->groups = NULL;
	id->ngroups = 0;
}
