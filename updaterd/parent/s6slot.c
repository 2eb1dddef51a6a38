/*
 * What the slot of an instance is to be, from its configuration and its
 * profile, for slot.c to render.
 */
#include <sys/types.h>
#include <sys/stat.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "expand.h"
#include "launch.h"
#include "log.h"
#include "s6.h"

#include "compat/beneath.h"

#define LOGDIR_MODE	0750

/*
 * The directory for s6-log, for its user, where only root could make it.
 * Below a directory of somebody else's, or through a link, it is left to
 * the logger, which is nobody else either.
 */
static void
make_logdir(const char *path, const struct identity *id)
{
	const char	*base = strrchr(path, '/') + 1;
	char		 parent[1024];
	struct stat	 st;
	int		 root, fd = -1, dir;

	if ((size_t)snprintf(parent, sizeof(parent), "%.*s",
	    (int)(base - path - 1), path) >= sizeof(parent) ||
	    (root = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC)) == -1)
		return;
	fd = beneath_open(root, parent[0] != '\0' ? parent + 1 : ".",
	    O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	close(root);
	if (fd == -1)
		return;
	if (fstat(fd, &st) == 0 && st.st_uid == 0 &&
	    (st.st_mode & (S_IWGRP | S_IWOTH)) == 0 &&
	    mkdirat(fd, base, 0700) == 0) {
		dir = openat(fd, base, O_RDONLY | O_DIRECTORY | O_NOFOLLOW |
		    O_CLOEXEC);
		if (dir == -1 || fchown(dir, id->uid, id->gid) == -1 ||
		    fchmod(dir, LOGDIR_MODE) == -1)
			log_warn("give %s to %s", path, id->name);
		if (dir != -1)
			close(dir);
	}
	close(fd);
}

/* Its environment; malloced, or NULL. */
static char **
make_environ(struct instance *i, const struct identity *id,
    const struct expansion *x)
{
	char		 name[UPD_INSTANCE_SIZE + 32];
	const char	*own[3];
	int		 n = 0;

	snprintf(name, sizeof(name), "UPDATERD_INSTANCE=%s", i->name);
	own[n++] = name;
	if (i->conf->health.kind == HEALTH_NOTIFY)
		own[n++] = "NOTIFY_FD=3";
	own[n] = NULL;
	return environ_make(id, &x->environment, own);
}

int
s6slot_render(struct instance *i, int dry, struct slot *slot, char *text)
{
	const struct service_conf	*conf = i->conf;
	struct expansion		 x;
	struct identity			 id;
	struct slot_conf		 c;
	char				 base[1024];
	int				 r = -1;

	memset(slot, 0, sizeof(*slot));
	memset(&c, 0, sizeof(c));
	memset(&id, 0, sizeof(id));
	if (instance_expand(i, &x, text) == -1 || identity_lookup(&id,
	    conf->user, conf->group, &conf->groups, text) == -1)
		goto done;
	snprintf(base, sizeof(base), "%s/current", i->agent->conf->root);
	c.name = i->name;
	c.mark = scan_mark();
	c.base = base;
	c.directory = x.directory;
	c.command = &x.command;
	c.env = make_environ(i, &id, &x);
	c.id = &id;
	c.drop = conf->user != NULL;
	c.umask = conf->umask;
	c.rlimits = conf->rlimits;
	c.nrlimits = conf->nrlimits;
	c.notify = conf->health.kind == HEALTH_NOTIFY;
	c.stop_signal = conf->stop_signal;
	c.stop_ms = conf->stop_ms;
	c.permanent = conf->permanent;
	c.npermanent = conf->npermanent;
	c.off = service_isenabled(conf) ? NULL : conf->enabled_env;
	c.log = x.log;
	c.log_size = conf->log_size;
	c.log_keep = conf->log_keep;
	c.applyuidgid = s6_program("s6-applyuidgid");
	c.s6log = s6_program("s6-log");
	if (c.env == NULL || slot_render(&c, slot) == -1)
		strlcpy(text, "out of memory", UPD_TEXT_SIZE);
	else {
		if (x.log != NULL && !dry)
			make_logdir(x.log, &id);
		r = 0;
	}
 done:
	environ_free(c.env);
	identity_free(&id);
	expansion_free(&x);
	return r;
}
