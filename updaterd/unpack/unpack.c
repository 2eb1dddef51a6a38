/*
 * The unpack process: fills a staging directory from a tar stream, or reads
 * a tree and its manifest, or two manifests.
 *
 * Orders first (DIR and MANIFEST, then START), all memory, locale and
 * libcrypto contexts next, then the sandbox with the directory as its root,
 * READY, the work, and one last word: DONE or FAIL.
 */
#include <sys/types.h>
#include <sys/stat.h>

#include <fcntl.h>
#include <locale.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wchar.h>

#include <archive.h>

#include "log.h"
#include "osproc.h"
#include "proc.h"
#include "sandbox.h"
#include "unpack.h"
#include "orders.h"

/* RLIMIT_FSIZE beyond the largest file allowed.  The manifest is a file as
 * well: bytes for each entry, a long path included, and some to begin
 * with.  Longer ones end in UPD_ELIMIT. */
#define FSIZE_MARGIN	(1024 * 1024)
#define FSIZE_ENTRY	1024

enum unpack_state {
	WANT_ALL	= 0x1,		/* neither DIR nor MANIFEST yet */
	WANT_MANIFEST	= 0x2,		/* DIR was there */
	WANT_DIR	= 0x4,		/* MANIFEST was there */
	WANT_START	= 0x8,
	WORKING		= 0x10		/* no more orders */
};

struct work {
	struct imsgbuf		 ibuf;
	enum unpack_state	 state;
	struct unpack		 u;
};

static int	 order_dir(void *, struct imsg *);
static int	 order_manifest(void *, struct imsg *);
static int	 order_start(void *, struct imsg *);

/* START comes with the pipe for EXTRACT, with or without the old manifest
 * for DIFF, without a descriptor else: order_start() compares. */
static const struct imsg_rule rules[] = {
	{ IMSG_VERBOSE, PROC_PARENT, sizeof(struct msg_verbose), 0, 0,
	    ANY_STATE, orders_verbose },
	{ IMSG_UNPACK_DIR, PROC_PARENT, 0, 0, 1, WANT_ALL | WANT_DIR,
	    order_dir },
	{ IMSG_UNPACK_MANIFEST, PROC_PARENT, 0, 0, 1,
	    WANT_ALL | WANT_MANIFEST, order_manifest },
	{ IMSG_UNPACK_START, PROC_PARENT, sizeof(struct msg_unpack_start), 0, 1,
	    WANT_START, order_start },
	{ IMSG_UNPACK_START, PROC_PARENT, sizeof(struct msg_unpack_start), 0, 0,
	    WANT_START, order_start }
};

static int
order_dir(void *arg, struct imsg *imsg)
{
	struct work	*o = arg;
	struct stat	 st;

	if ((o->u.root = imsg_get_fd(imsg)) == -1 ||
	    fstat(o->u.root, &st) == -1 || !S_ISDIR(st.st_mode))
		return -1;
	o->state = o->state == WANT_ALL ? WANT_MANIFEST : WANT_START;
	return 0;
}

static int
order_manifest(void *arg, struct imsg *imsg)
{
	struct work	*o = arg;
	struct stat	 st;

	if ((o->u.manifest_fd = imsg_get_fd(imsg)) == -1 ||
	    fstat(o->u.manifest_fd, &st) == -1 || !S_ISREG(st.st_mode))
		return -1;
	o->state = o->state == WANT_ALL ? WANT_DIR : WANT_START;
	return 0;
}

static int
order_start(void *arg, struct imsg *imsg)
{
	struct work	*o = arg;
	struct unpack	*u = &o->u;
	struct stat	 st;
	int		 flags;

	if (imsg_get_data(imsg, &u->limits, sizeof(u->limits)) == -1 ||
	    u->limits.mode >= UNPACK__MAX)
		return -1;
	u->in = imsg_get_fd(imsg);
	switch (u->limits.mode) {
	case UNPACK_EXTRACT:
		if (u->in == -1)
			return -1;
		if ((flags = fcntl(u->in, F_GETFL)) == -1 ||
		    fcntl(u->in, F_SETFL, flags & ~O_NONBLOCK) == -1)
			fatal("fcntl");
		break;
	case UNPACK_DIFF:
		if (u->in != -1 && (fstat(u->in, &st) == -1 ||
		    !S_ISREG(st.st_mode)))
			return -1;
		break;
	default:
		if (u->in != -1)
			return -1;
	}
	o->state = WORKING;
	return 0;
}

/* --- the process ---------------------------------------------------- */

/*
 * What would open files or load modules later: the C library's tables for
 * UTF-8 (libarchive converts names), libcrypto's algorithms.
 */
static void
prepare_locale(void)
{
	mbstate_t	 mbs;
	wchar_t		 wc;

	if (setlocale(LC_CTYPE, "C.UTF-8") == NULL &&
	    setlocale(LC_CTYPE, "en_US.UTF-8") == NULL)
		log_notice("find no UTF-8 locale: archives with names beyond "
		    "ASCII will be refused; install C.UTF-8");
	memset(&mbs, 0, sizeof(mbs));
	(void)mbrtowc(&wc, "\xc3\xa9", 2, &mbs);
}

static void
prepare(struct unpack *u)
{
	prepare_locale();
	if ((u->buf = malloc(UNPACK_BUF)) == NULL ||
	    (u->names = names_new()) == NULL ||
	    (u->md = EVP_MD_CTX_new()) == NULL ||
	    !EVP_DigestInit_ex(u->md, EVP_sha256(), NULL))
		fatalx("no memory");
	switch (u->limits.mode) {
	case UNPACK_EXTRACT:
		if ((u->archive = archive_read_new()) == NULL ||
		    archive_read_support_format_tar(u->archive) != ARCHIVE_OK)
			fatalx("no libarchive");
		/* FALLTHROUGH */
	case UNPACK_MANIFEST:
		u->manifest = manifest_writer_new(u->manifest_fd);
		if (u->manifest == NULL)
			fatalx("no memory");
		break;
	case UNPACK_VERIFY:
		u->reader = manifest_reader_new(u->manifest_fd);
		if (u->reader == NULL)
			fatalx("no memory");
	}
}

static void
enter_sandbox(struct work *o, const struct proc_args *args)
{
	struct sandbox_opts	 opts;
	struct msg_ready	 ready;
	struct unpack		*u = &o->u;
	uint64_t		 manifest;

	memset(&opts, 0, sizeof(opts));
	opts.proc = PROC_UNPACK;
	opts.uid = args->uid;
	opts.gid = args->gid;
	opts.chroot_fd = u->root;
	opts.readonly = u->limits.mode != UNPACK_EXTRACT;
	manifest = (uint64_t)u->limits.max_files * FSIZE_ENTRY;
	opts.max_fsize = u->limits.max_bytes > manifest ?
	    u->limits.max_bytes : manifest;
	if (opts.max_fsize > INT64_MAX - FSIZE_MARGIN)
		opts.max_fsize = INT64_MAX - FSIZE_MARGIN;
	opts.max_fsize += FSIZE_MARGIN;
	memset(&ready, 0, sizeof(ready));
	sandbox_enter(&opts, &ready);
	orders_send(&o->ibuf, IMSG_READY, &ready, sizeof(ready));
}

void
unpack_main(const struct proc_args *args)
{
	static enum upd_error	(*const modes[UNPACK__MAX])(struct unpack *) = {
		unpack_extract, unpack_manifest, unpack_verify, unpack_diff
	};
	struct work		 o;

	memset(&o, 0, sizeof(o));
	o.u.root = o.u.in = o.u.manifest_fd = -1;
	o.u.ibuf = &o.ibuf;
	o.state = WANT_ALL;
	signal(SIGPIPE, SIG_IGN);
	osproc_batch();
	/* modes are given in full, never taken from the archive */
	umask(0);
	orders_open(&o.ibuf);
	while (o.state != WORKING)
		orders_recv(&o.ibuf, rules, sizeof(rules) / sizeof(rules[0]),
		    o.state, &o);
	prepare(&o.u);
	enter_sandbox(&o, args);
	if (modes[o.u.limits.mode](&o.u) != UPD_OK)
		orders_fail(&o.ibuf, IMSG_UNPACK_FAIL, &o.u.fail);
	orders_send(&o.ibuf, IMSG_UNPACK_DONE, &o.u.done, sizeof(o.u.done));
	_exit(0);
}
