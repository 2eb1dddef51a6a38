/*
 * STAGED and INSTALLING: from a complete staging directory to one that may
 * be committed.  The steps, each a task or a process, never in the loop:
 *
 *	without install		seal and sync
 *	with install		seal and give to the install user,
 *				run the install step, seal again,
 *				manifest made again, sync
 *	dry run			the same without sync, then the difference
 *				to the active release, then clean up
 *
 * The seal comes when the last process of the unpack user (or the install
 * user) has gone: root then walks a tree that nobody else can write to.
 */
#include <sys/types.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "error.h"
#include "log.h"
#include "parent.h"
#include "proto.h"
#include "self.h"
#include "update.h"
#include "util.h"

#define INSTALL_OUTPUT	(64 * 1024)	/* bytes of output kept */

static void	 install_run(struct update *);
static void	 sealed(struct update *);

static int
wants_install(const struct update *u)
{
	return u->agent->conf->install.n > 0;
}

static int
step_failed(struct update *u, const struct task_result *r)
{
	u->task = NULL;
	if (u->state == UPDATE_CLEANING) {
		update_cleaned(u);
		return 1;
	}
	if (r->error == UPD_OK)
		return 0;
	update_failentry(u, r->error, r->path, r->text);
	return 1;
}

/* Run a step of this update in a task that keeps the staging directory. */
static void
step(struct update *u, const char *name,
    void (*work)(void *, struct task_result *),
    void (*done)(void *, const struct task_result *))
{
	int	 keep[2];

	keep[0] = u->st.fd;
	keep[1] = u->st.manifest_fd;
	if ((u->task = task_start(name, work, u, keep, 2, done, u)) == NULL)
		update_fail(u, UPD_ECHILD, "start %s: %s", name,
		    strerror(errno));
}

/* --- seal ----------------------------------------------------------- */

static void
seal_work(void *arg, struct task_result *r)
{
	struct update	*u = arg;

	tree_seal(u->st.fd, 0, !wants_install(u) &&
	    (u->flags & UPDF_DRY_RUN) == 0, r);
}

static void
seal_done(void *arg, const struct task_result *r)
{
	struct update	*u = arg;

	if (step_failed(u, r))
		return;
	/* The only thing that can be checked of unpack's word. */
	if (r->files == 0 || r->files != u->unpack.unpack.files) {
		update_fail(u, UPD_ECHILD, "unpack says that it wrote %u "
		    "files, but there are %llu", u->unpack.unpack.files,
		    (unsigned long long)r->files);
		return;
	}
	u->rel.size = r->bytes;
	u->rel.files = r->files;
	u->t_sealed = time_mono_ms();
	if (wants_install(u))
		install_run(u);
	else
		sealed(u);
}

/* As the install user's, in the same walk: one task less. */
static void
give_work(void *arg, struct task_result *r)
{
	struct update	*u = arg;
	uid_t		 uid = env->unpack_uid;
	gid_t		 gid = env->unpack_gid;
	uint64_t	 files, bytes;

	seal_work(arg, r);
	if (r->error != UPD_OK)
		return;
	files = r->files;
	bytes = r->bytes;
	if (u->agent->conf->install_user != NULL &&
	    user_lookup(u->agent->conf->install_user, &uid, &gid) == -1) {
		r->error = UPD_EINSTALL;
		strlcpy(r->text, "the install user does not exist",
		    sizeof(r->text));
		return;
	}
	tree_give(u->st.fd, uid, gid, r);
	r->files = files;
	r->bytes = bytes;
}

void
prepare_start(struct update *u)
{
	update_setstate(u, UPDATE_STAGED);
	u->phase = "seal";
	step(u, "seal", wants_install(u) ? give_work : seal_work, seal_done);
}

/* --- install -------------------------------------------------------- */

static void
manifest_gone(void *arg)
{
	struct update	*u = arg;

	if (u->state == UPDATE_CLEANING) {
		update_cleaned(u);
		return;
	}
	update_cleartimer(u);
	if (!worker_ok(&u->unpack)) {
		update_fail(u, u->unpack.fail.error, "manifest after install: "
		    "%s %s", u->unpack.fail.path, u->unpack.fail.text);
		return;
	}
	update_setstate(u, UPDATE_STAGED);
	u->t_installed = time_mono_ms();
	if (u->flags & UPDF_DRY_RUN)
		prepare_diff(u);
	else
		sealed(u);
}

/* What install changed: the manifest is written again, by a process that
 * may only read the tree. */
static void
manifest_start(struct update *u)
{
	struct msg_unpack_start	 m;
	int			 dir, manifest;

	if (ftruncate(u->st.manifest_fd, 0) == -1 ||
	    lseek(u->st.manifest_fd, 0, SEEK_SET) == -1 ||
	    (dir = fcntl(u->st.fd, F_DUPFD_CLOEXEC, 3)) == -1) {
		update_fail(u, UPD_EIO, "manifest: %s", strerror(errno));
		return;
	}
	if ((manifest = fcntl(u->st.manifest_fd, F_DUPFD_CLOEXEC, 3)) == -1) {
		close(dir);
		update_fail(u, UPD_EIO, "manifest: %s", strerror(errno));
		return;
	}
	memset(&m, 0, sizeof(m));
	m.mode = UNPACK_MANIFEST;
	m.max_files = u->agent->conf->files;
	m.max_bytes = u->agent->conf->unpacked;
	if (reader_start(u, &m, dir, manifest, -1, manifest_gone) == -1)
		update_fail(u, UPD_ECHILD, "start unpack for the manifest");
}

static void
reseal_work(void *arg, struct task_result *r)
{
	struct update	*u = arg;

	tree_seal(u->st.fd, 1, 0, r);
}

static void
reseal_done(void *arg, const struct task_result *r)
{
	struct update	*u = arg;

	if (step_failed(u, r))
		return;
	u->rel.size = r->bytes;
	u->rel.files = r->files;
	manifest_start(u);
}

static void
install_done(void *arg, const struct command_result *r)
{
	struct update	*u = arg;

	u->command = NULL;
	free(u->output);
	u->output = r->output != NULL ? strdup(r->output) : NULL;
	if (r->status != 0 || r->timed_out) {
		update_fail(u, UPD_EINSTALL, "install step failed: %s",
		    r->text);
		return;
	}
	step(u, "seal", reseal_work, reseal_done);
}

static void
install_run(struct update *u)
{
	struct command_conf	 c;
	const struct agent_conf	*conf = u->agent->conf;

	update_setstate(u, UPDATE_INSTALLING);
	u->phase = "install";
	memset(&c, 0, sizeof(c));
	c.argv = &conf->install;
	c.user = conf->install_user;
	c.uid = env->unpack_uid;
	c.gid = env->unpack_gid;
	c.dirfd = u->st.fd;
	c.timeout_ms = conf->install_ms;
	c.tail = INSTALL_OUTPUT;
	if ((u->command = command_start(&c, install_done, u)) == NULL)
		update_fail(u, UPD_EINSTALL, "start the install step: %s",
		    strerror(errno));
}

/* --- dry run -------------------------------------------------------- */

static void
diff_got(void *arg, const struct msg_unpack_diff *m)
{
	struct update	*u = arg;

	memcpy(u->diff_total, m->total, sizeof(u->diff_total));
	if (m->path[0] == '\0')
		return;
	if (u->diff[m->kind] == NULL)
		u->diff[m->kind] = json_array();
	if (json_array_size(u->diff[m->kind]) < UPD_DIFF_MAX)
		json_array_append_new(u->diff[m->kind],
		    json_string(m->path));
}

static json_t *
diff_list(struct update *u, enum diff_kind kind)
{
	return u->diff[kind] != NULL ? json_incref(u->diff[kind]) :
	    json_array();
}

static void
diff_gone(void *arg)
{
	struct update	*u = arg;
	json_t		*o;

	if (u->state == UPDATE_CLEANING) {
		update_cleaned(u);
		return;
	}
	update_cleartimer(u);
	if (!worker_ok(&u->unpack)) {
		update_fail(u, u->unpack.fail.error, "compare manifests: %s",
		    u->unpack.fail.text);
		return;
	}
	o = json_pack("{s:s, s:b, s:o, s:o, s:o, s:i, s:i, s:i, s:I, s:I, "
	    "s:s, s:s}", "status", "dry_run", "dry_run", 1,
	    "added", diff_list(u, DIFF_ADDED),
	    "changed", diff_list(u, DIFF_CHANGED),
	    "removed", diff_list(u, DIFF_REMOVED),
	    "added_count", (int)u->diff_total[DIFF_ADDED],
	    "changed_count", (int)u->diff_total[DIFF_CHANGED],
	    "removed_count", (int)u->diff_total[DIFF_REMOVED],
	    "size", (json_int_t)u->rel.size,
	    "files", (json_int_t)u->rel.files, "sha256", u->digest,
	    "install", u->output != NULL ? u->output : "");
	update_history(u, "dry_run", 200);
	update_finish(u, 200, o);
}

void
prepare_diff(struct update *u)
{
	struct store		*s = u->agent->store;
	struct msg_unpack_start	 m;
	int			 dir, manifest, old = -1;

	u->phase = "compare";
	if (s->current[0] != '\0')
		old = release_manifest(s, s->current);
	if (lseek(u->st.manifest_fd, 0, SEEK_SET) == -1 ||
	    (dir = fcntl(u->st.fd, F_DUPFD_CLOEXEC, 3)) == -1)
		goto fail;
	if ((manifest = fcntl(u->st.manifest_fd, F_DUPFD_CLOEXEC, 3)) == -1) {
		close(dir);
		goto fail;
	}
	memset(&m, 0, sizeof(m));
	m.mode = UNPACK_DIFF;
	m.max_files = u->agent->conf->files;
	u->unpack.on_diff = diff_got;
	if (reader_start(u, &m, dir, manifest, old, diff_gone) == -1)
		update_fail(u, UPD_ECHILD, "start unpack to compare");
	return;
fail:
	if (old != -1)
		close(old);
	update_fail(u, UPD_EIO, "compare manifests: %s", strerror(errno));
}

/* --- sync ----------------------------------------------------------- */

static void
sync_work(void *arg, struct task_result *r)
{
	struct update	*u = arg;

	tree_sync(u->st.fd, r);
}

static void
sync_done(void *arg, const struct task_result *r)
{
	struct update	*u = arg;

	if (!step_failed(u, r))
		promote_commit(u);
}

static void
sealed(struct update *u)
{
	if (self_isupdate(u))
		self_prepared(u);
	else if (u->flags & UPDF_DRY_RUN)
		prepare_diff(u);
	else if (wants_install(u))
		step(u, "sync", sync_work, sync_done);
	else
		promote_commit(u);
}

/* The way out of every step: what runs is ended, update_cleaned() waits
 * for what can only be awaited. */
void
prepare_kill(struct update *u)
{
	task_cancel(u->task);
	u->task = NULL;
	command_cancel(u->command);
	u->command = NULL;
}
