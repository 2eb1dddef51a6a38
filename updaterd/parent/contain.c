/*
 * Containment, best first: a box of the system (cgroup v2), which nothing
 * leaves; else a sweep over all processes for our mark in the environment
 * or for the session, with us as subreaper so that orphans are collected;
 * else the process group alone.  The group is signalled at every level.
 *
 * A box that was killed is made anew before anything is born in it: Linux
 * 6.18 (and others since 6.14) compares the count of kills of the new box
 * with that of the parent's own, and kills the child when they differ.
 *
 * A process group's number may be reused once the group is empty and its
 * leader collected.  So pgid becomes 0 as soon as the group is seen empty,
 * and it is looked at again at once after the leader was collected.
 */
#include <sys/types.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../config.h"
#include "contain.h"
#include "log.h"
#include "reap.h"

/* In common/compat/contain.h: the system's part. */
#include "compat/contain.h"

#define COMMAND_SWEEP	16	/* commands of a lost daemon looked for */
#define BOX_PATH	1024	/* bytes of the name of a box */

static const char *const level_names[] = {
	[CONTAIN_CGROUP]	= "cgroup",
	[CONTAIN_SUBREAPER]	= "subreaper",
	[CONTAIN_GROUP]		= "group",
};
_Static_assert(sizeof(level_names) / sizeof(level_names[0]) ==
    CONTAIN__MAX, "a name for each level");

static char	 prefix[32] = "updaterd";
static int	 boxes;		/* they can be made, as was seen at start */

const char *
contain_levelname(enum contain_level level)
{
	return level < CONTAIN__MAX ? level_names[level] : "unknown";
}

void
contain_setup(const char *run_path)
{
	struct contain	 c;
	uint32_t	 h = 2166136261U;	/* FNV-1a, 32 bits */
	const char	*p;
	int		 i;

	strlcpy(prefix, "updaterd", sizeof(prefix));
	if (strcmp(run_path, CONF_RUN) != 0) {
		for (p = run_path; *p != '\0'; p++)
			h = (h ^ (unsigned char)*p) * 16777619U;
		snprintf(prefix, sizeof(prefix), "updaterd-%08x", h);
	}
	for (i = 0; i < COMMAND_SWEEP; i++) {
		contain_initcommand(&c, i);
		contain_prepare(&c);
		boxes = c.level == CONTAIN_CGROUP;
		contain_kill(&c);
		contain_close(&c);
	}
}

void
contain_mark(const struct contain *c, char *mark)
{
	if (c->name != NULL)
		snprintf(mark, CONTAIN_MARK_SIZE, CONTAIN_VAR "%s.%s", prefix,
		    c->name);
	else	/* the dot keeps it apart from every service */
		snprintf(mark, CONTAIN_MARK_SIZE, CONTAIN_VAR
		    "%s.command.%d", prefix, c->number);
}

/* The name of its box, which is in the mark. */
static const char *
box_name(const struct contain *c, char *mark)
{
	contain_mark(c, mark);
	return mark + sizeof(CONTAIN_VAR) - 1;
}

void
contain_init(struct contain *c, const char *name)
{
	memset(c, 0, sizeof(*c));
	c->box = -1;
	c->level = CONTAIN_GROUP;
	c->name = name;
}

void
contain_initcommand(struct contain *c, int n)
{
	contain_init(c, NULL);
	c->number = n;
}

static enum contain_level
without_box(void)
{
	static int	 can_sweep = -1;

	/* No session 0, and no mark without a name: it finds nothing. */
	if (can_sweep == -1)
		can_sweep = stray_sweep(CONTAIN_VAR, 0, 0) != -1;
	return can_sweep ? CONTAIN_SUBREAPER : CONTAIN_GROUP;
}

/* stray_sweep() for what is its own. */
static int
sweep(struct contain *c, int sig)
{
	char	 mark[CONTAIN_MARK_SIZE];

	contain_mark(c, mark);
	return stray_sweep(mark, c->pgid, sig);
}

/*
 * Take that box, if there is one.  Its name is kept only as long as it is
 * held: a thousand services that are down need none.  1, or 0: no box.
 */
static int
take_box(struct contain *c, int box, const char *path)
{
	free(c->path);
	c->path = NULL;
	c->box = -1;
	if (box == -1)
		return 0;
	if ((c->path = strdup(path)) == NULL) {
		close(box);
		(void)box_remove(path);
		return 0;
	}
	c->box = box;
	c->level = CONTAIN_CGROUP;
	return 1;
}

void
contain_prepare(struct contain *c)
{
	char	 path[BOX_PATH], mark[CONTAIN_MARK_SIZE];
	int	 old = 0;

	if (c->box != -1 || c->open)
		return;
	if (take_box(c, box_open(box_name(c, mark), path, sizeof(path),
	    &old), path)) {
		if (old)
			c->tainted = 1;
		return;
	}
	c->level = without_box();
}

int
contain_remains(struct contain *c)
{
	char	 path[BOX_PATH], mark[CONTAIN_MARK_SIZE];
	int	 box;

	if (boxes) {
		box = box_reopen(box_name(c, mark), path, sizeof(path));
		if (box == -1 && errno == ENOENT) {
			/* What it had was in a box: none is made just to
			 * see that it is empty. */
			c->level = CONTAIN_CGROUP;
			return 0;
		}
		if (take_box(c, box, path))
			c->tainted = 1;
	}
	contain_prepare(c);
	if (!contain_empty(c))
		return 1;
	contain_close(c);
	return 0;
}

pid_t
contain_fork(struct contain *c)
{
	pid_t	 pid = -1;

	if (c->tainted)
		contain_close(c);
	contain_prepare(c);
	if (c->box != -1 && (pid = box_fork(c->box, c->tainted)) == -1) {
		log_warn("fork into %s", c->path);
		contain_close(c);
		c->level = without_box();
	}
	if (pid == -1)
		pid = fork();
	if (pid > 1)
		c->pgid = pid;
	return pid;
}

void
contain_adopt(struct contain *c, pid_t pid)
{
	char	 path[BOX_PATH], mark[CONTAIN_MARK_SIZE];

	c->pgid = getpgid(pid) == pid ? pid : 0;
	if (take_box(c, box_find(pid, box_name(c, mark), path, sizeof(path)),
	    path))
		c->tainted = 1;		/* for all that we know */
	else
		c->level = without_box();
}

void
contain_signal(struct contain *c, pid_t pid, uint64_t start, int sig)
{
	/* The leader of a session cannot leave its group: the pid being
	 * the right one, so is the group. */
	if (pid < 2 || (start != 0 && pid_starttime(pid) != start))
		return;
	if (c->pgid == pid && kill(-c->pgid, sig) == 0)
		return;
	/* Not yet at its setsid(2), or no leader of a group. */
	if (pid_signal(pid, start, sig, pid_starttime) == -1 &&
	    errno != ESRCH)
		log_warn("signal %d to process %d", sig, (int)pid);
}

/* Forget a group that is empty. */
static void
check_group(struct contain *c)
{
	if (c->pgid > 1 && kill(-c->pgid, 0) == -1 && errno == ESRCH)
		c->pgid = 0;
}

void
contain_kill(struct contain *c)
{
	if (c->open)
		return;
	if (c->box != -1) {
		c->tainted = 1;
		if (box_kill(c->box) == -1)
			log_warn("kill all in %s", c->path);
	}
	if (c->level == CONTAIN_SUBREAPER)
		(void)sweep(c, SIGKILL);
	if (c->pgid > 1)
		kill(-c->pgid, SIGKILL);
}

int
contain_empty(struct contain *c)
{
	int	 n;

	if (c->open)
		return 1;
	check_group(c);
	switch (c->level) {
	case CONTAIN_CGROUP:
		n = box_populated(c->box);
		break;
	case CONTAIN_SUBREAPER:
		/* Unlike kill(2) it does not count zombies. */
		n = sweep(c, 0);
		break;
	default:
		n = -1;
	}
	if (n == -1)
		n = c->pgid != 0;
	if (n == 0)
		c->pgid = 0;
	return n == 0;
}

void
contain_close(struct contain *c)
{
	if (c->box != -1)
		close(c->box);
	c->box = -1;
	if (c->path != NULL && box_remove(c->path) == 0)
		c->tainted = 0;
	free(c->path);
	c->path = NULL;
	c->pgid = 0;
}
