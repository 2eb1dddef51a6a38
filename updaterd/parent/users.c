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
