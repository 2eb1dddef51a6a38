/*
 * The release store: one agent's root directory (DESIGN 3).
 *
 *	current  -> releases/<id>	the flip of this link is the promotion
 *	previous -> releases/<id>
 *	releases/<id>/			the tree, immutable
 *	releases/<id>.mtree		its manifest
 *	releases/<id>.json		written last; without it, no release
 *	releases/.new-<stamp>/		staging
 *	releases/.new-<stamp>.mtree	manifest being written
 *	releases/.dead-<id>/		being removed
 *	update.json			journal.c
 *	history.jsonl			history.c
 *
 * Order that makes it hold: tree and manifest are synced (syncfs on a
 * descriptor opened before the first write, or the copy's own fsync),
 * then renamed into place, then <id>.json is written durably, then the
 * journal, then the links move, then the directory is fsynced.
 */
#ifndef UPD_RELEASE_H
#define UPD_RELEASE_H

#include <sys/types.h>
#include <sys/queue.h>
#include <stdint.h>

#include <jansson.h>

#include "error.h"
#include "proto.h"

enum release_state {
	RELEASE_NEW,			/* sealed, verdict open */
	RELEASE_GOOD,			/* was healthy once */
	RELEASE_FAILED,			/* kept for the post-mortem */
	RELEASE__MAX
};
const char	*release_statename(enum release_state);

struct release {
	TAILQ_ENTRY(release)	 entry;
	char			 id[UPD_ID_SIZE];
	char			 sha[UPD_SHA_SIZE];	/* "" none given */
	char			 sha256[UPD_HEX_SIZE];	/* of the archive */
	char			 signer[UPD_KEYNAME_SIZE];	/* "" none */
	int64_t			 signed_at;	/* seconds since 1970, or 0 */
	char			 by[UPD_SUBJECT_SIZE];	/* who pushed it */
	int64_t			 installed_at;	/* wall microseconds */
	uint64_t		 size;		/* bytes of files */
	uint64_t		 files;		/* regular files */
	uint64_t		 packed;	/* bytes of the archive */
	enum release_state	 state;
	char			 why[UPD_TEXT_SIZE];	/* why it failed */
	int			 leftover;	/* NEW when loaded, and no
						 * link points at it */
};
TAILQ_HEAD(releases, release);

struct store {
	char		*root;		/* path, for messages */
	int		 rootfd;	/* directories, O_CLOEXEC */
	int		 relfd;		/* releases/ */
	uint32_t	 keep;
	struct releases	 list;		/* newest first (by id) */
	char		 current[UPD_ID_SIZE];	/* "" none */
	char		 previous[UPD_ID_SIZE];	/* "" none */
	char		 lost[UPD_ID_SIZE];	/* current leads here, but there
						 * is no tree; or "" */
};

/*
 * Open an agent's root; make it and releases/ (root 0755, releases/ 0711)
 * where missing.  Refuses directories that others may write to, or links.
 * Reads the links and every <id>.json.  NULL: *text (UPD_TEXT_SIZE) says
 * what and the cure.
 */
struct store	*store_open(const char *, uint32_t, char *);
void		 store_free(struct store *);
/* Read links and releases again.  0, or -1. */
int		 store_load(struct store *);

/* Put a release into the list, in order; the store owns it then. */
void		 store_insert(struct store *, struct release *);
struct release	*store_find(struct store *, const char *);	/* or NULL */
struct release	*store_current(struct store *);			/* or NULL */
struct release	*store_previous(struct store *);		/* or NULL */
/* The id of the newest good release before that id (any text that sorts),
 * the current one not counted; or "". */
const char	*store_older(struct store *, const char *);
/* "active", "prev", "old" or "failed". */
const char	*store_slot(struct store *, const struct release *);
/* The R object of DESIGN 7; the caller owns the reference. */
json_t		*release_json(struct store *, const struct release *);
/* {"releases":[R..]}, active first, then prev, old, failed. */
json_t		*store_json(struct store *);

/*
 * Room for an archive of `length` bytes (-1 unknown): blocks and inodes
 * left above the reserve (percent of the file system).  UPD_OK, or
 * UPD_ENOSPACE with the figures in text.  Fills in the bytes and inodes
 * that must stay free.
 */
enum upd_error	 store_space(struct store *, int64_t, uint32_t,
		    uint64_t *, uint64_t *, char *);

/* One staging directory. */
struct staging {
	char	 name[UPD_ID_SIZE];	/* ".new-20261122T014955Z-ab12" */
	char	 manifest[UPD_ID_SIZE + 8];
	int	 fd;			/* the directory, O_RDONLY; also for
					 * syncfs: opened before any write */
	int	 manifest_fd;		/* read and write */
};
/* Make a staging directory 0700 of that user, and its manifest file (root
 * 0600).  0, or -1 with text. */
int		 staging_make(struct store *, uid_t, gid_t, struct staging *,
		    char *);
/* Close its descriptors. */
void		 staging_close(struct staging *);

/*
 * The parts of a commit.  In a task (they block): */

/* Walk by descriptors: only directories, regular files with one link, and
 * symlinks; owner root, modes 0755 or 0644, no setuid, setgid, sticky.
 * `links_outside` allows symlinks that leave the tree (made by an install
 * step; a link from an archive never does).  Then, with `sync`, syncfs.
 * Fills in bytes and files; on refusal error, path and text. */
struct task_result;
void		 tree_seal(int, int, int, struct task_result *);
/* Give the whole tree to the user that runs the install step. */
void		 tree_give(int, uid_t, gid_t, struct task_result *);
/* Remove dirfd/name and everything below, never following a link. */
void		 tree_remove(int, const char *, struct task_result *);
/* syncfs, errors reported. */
void		 tree_sync(int, struct task_result *);

/* And in the loop: */

/* Make an id from wall time and sha or digest that is not taken. */
void		 release_newid(struct store *, int64_t, const char *,
		    const char *, char *);
/* Rename tree and manifest into place, fsync, write <id>.json (state NEW),
 * and put a copy of *r into the list.  0, or -1 with text; then nothing
 * of it is left in the list. */
int		 release_commit(struct store *, struct staging *,
		    const struct release *, char *);
/* Write <id>.json again with another state.  0, or -1. */
int		 release_setstate(struct store *, const char *,
		    enum release_state, const char *);
/* store_flip(store, current, previous): move the links, previous first, then
 * current, then fsync the root.  "" removes a link.  A current without a tree
 * is ENOENT, a previous without one is dropped.  0, or -1 with errno;
 * idempotent. */
int		 store_flip(struct store *, const char *, const char *);
/* Rename the tree to .dead-<id>, unlink .json (first) and .mtree: it is no
 * release any more; the bytes go in store_sweep().  0, or -1. */
int		 release_retire(struct store *, const char *);
/* Retire what `keep` does not keep: never current, previous or the ids in
 * pinned; failed releases beyond the newest failed one go, too.  Number
 * retired. */
int		 store_prune(struct store *);
/* All failed releases go (a new update has begun). */
int		 store_prune_failed(struct store *);
/* Start a task that removes every .new-* (but *except, may be NULL),
 * .dead-* and half release.  done(arg) when it is through. */
void		 store_sweep(struct store *, const char *,
		    void (*)(void *), void *);
/* Open <id>'s manifest for reading, or -1. */
int		 release_manifest(struct store *, const char *);
/* Open <id>'s tree O_RDONLY|O_DIRECTORY|O_NOFOLLOW, or -1. */
int		 release_open(struct store *, const char *);

#endif
