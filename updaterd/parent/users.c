/*
 * Users and groups by name, for whoever runs processes as somebody else.
 */
#include <sys/types.h>

#include <grp.h>
#include <pwd.h>
#include <stddef.h>

#include "parent.h"

int
user_lookup(const char *name, uid_t *uid, gid_t *gid)
{
	struct passwd	*pw;

	if ((pw = getpwnam(name)) == NULL)
		return -1;
	*uid = pw->pw_uid;
	*gid = pw->pw_gid;
	return 0;
}

int
group_lookup(const char *name, gid_t *gid)
{
	struct group	*gr;

	if ((gr = getgrnam(name)) == NULL)
		return -1;
	*gid = gr->gr_gid;
	return 0;
}

int
users_check(const struct config *c, char *text)
{
	const struct agent_conf		*a;
	const struct service_conf	*s;
	uid_t				 uid;
	gid_t				 gid;
	const char			*who = NULL;

	if (user_lookup(c->user, &uid, &gid) == -1)
		who = c->user;
	else if (user_lookup(c->unpack_user, &uid, &gid) == -1)
		who = c->unpack_user;
	TAILQ_FOREACH(a, &c->agents, entry) {
		if (a->install_user != NULL &&
		    user_lookup(a->install_user, &uid, &gid) == -1)
			who = a->install_user;
		TAILQ_FOREACH(s, &a->services, entry)
			if (s->user != NULL &&
			    user_lookup(s->user, &uid, &gid) == -1)
				who = s->user;
	}
	if (who == NULL)
		return 0;
	snprintf(text, UPD_TEXT_SIZE, "user %s does not exist: make it with "
	    "useradd -r %s", who, who);
	return -1;
}
