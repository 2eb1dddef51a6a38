/*
 * What our processes say to each other, over imsg on descriptor 3, and
 * what updaterctl says to the parent over the control socket.
 *
 * Payloads are fixed-size structs of fixed-width integers and char arrays
 * with a NUL inside; a few are followed by text, which the comment says.
 * Receiving is data: each process has one const table of imsg_rule, and
 * proto_check() compares type, sender, size, descriptor and state before
 * any handler runs.  A message that does not fit is a broken channel: our
 * own child is killed and restarted, a control client is closed.
 */
#ifndef UPD_PROTO_H
#define UPD_PROTO_H

#include <sys/types.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"

struct imsg;

#define UPD_PROTO_VERSION	1	/* in peerid of the first CTL message */

/* Sizes in bytes, the NUL included. */
#define UPD_NAME_SIZE		65	/* agent or service name */
#define UPD_INSTANCE_SIZE	201	/* whole instance name */
#define UPD_ID_SIZE		64	/* release id */
#define UPD_SHA_SIZE		129	/* sha as the master gave it */
#define UPD_SUBJECT_SIZE	256	/* certificate's common name */
#define UPD_FPR_SIZE		72	/* "SHA256:" + 64 hex digits */
#define UPD_DIGEST_LEN		32	/* SHA-256, raw bytes */
#define UPD_HEX_SIZE		65	/* SHA-256 in hex */
#define UPD_TEXT_SIZE		512	/* one line of text for a person */
#define UPD_PATH_SIZE		1025	/* an archive entry's path */
#define UPD_URLPATH_SIZE	1024	/* path of a health check */
#define UPD_HOST_SIZE		256	/* numeric address or host name */
#define UPD_BODY_SIZE		4096	/* head of a health reply kept */
#define UPD_CHUNK		15360	/* text bytes in one REPLY */
#define UPD_KEYNAME_SIZE	65	/* base name of a public key's file */
#define RELEASE_KEYS_MAX	8

/* Instead of an agent's name: updaterd itself. */
#define SELF_NAME		"self"

enum proc_type {
	PROC_PARENT,
	PROC_NET,
	PROC_PROBE,
	PROC_INFLATE,
	PROC_UNPACK,
	PROC_PROFILE,		/* with the uid of a service's user */
	PROC_CONTROL,		/* a client of the control socket */
	PROC__MAX
};
const char	*proc_name(enum proc_type);

/* Roles of a caller, each includes those before it. */
enum upd_role {
	ROLE_NONE,		/* any certificate of the CA: /health */
	ROLE_READ,
	ROLE_CONTROL,
	ROLE_PUSH,
	ROLE_SELF,
	ROLE__MAX
};
const char	*role_name(enum upd_role);

/* Commands: the same from HTTP (net) and from the control socket. */
enum upd_op {
	OP_HEALTH,		/* {"status":"ok",...} */
	OP_RELEASES,		/* agent */
	OP_STATUS,		/* everything an operator wants to know */
	OP_AGENTS,		/* list of agents */
	OP_MANIFEST,		/* agent; the answer is a descriptor */
	OP_METRICS,		/* the answer is text, not JSON */
	OP_ROLLBACK,		/* agent, arg: release id or "" */
	OP_START,		/* arg: service */
	OP_STOP,
	OP_RESTART,
	OP_CONFIRM,		/* agent, arg: release id or "" */
	/* control socket only from here on */
	OP_HISTORY,		/* agent; answer: {"history":[..]} */
	OP_RELOAD,
	OP_VERBOSE,		/* arg: "brief" or "verbose" */
	OP_MONITOR,		/* answers go on until the client leaves */
	OP_VERIFY,		/* agent, arg: release id or "" the active */
	OP_RECONCILE,		/* arg: "dry" or "" */
	OP_PROFILES,		/* answer: {"profiles":[..]} */
	OP__MAX
};
const char	*op_name(enum upd_op);

enum imsg_type {
	IMSG_NONE,

	/* any child */
	IMSG_VERBOSE,		/* parent to child: struct msg_verbose */
	IMSG_READY,		/* child to parent, locked in: msg_ready */

	/* parent to net: one configuration, CONF .. END */
	IMSG_NET_CONF,		/* struct msg_net_conf; forget the old one */
	IMSG_NET_FILE,		/* struct msg_net_file + descriptor to read */
	IMSG_NET_PERMIT,	/* struct msg_net_permit, in file order */
	IMSG_NET_LISTEN,	/* struct msg_net_listen + listening socket */
	IMSG_NET_END,		/* no payload; net answers OK or BAD */
	IMSG_NET_OK,		/* net to parent, no payload: in use now */
	IMSG_NET_BAD,		/* net to parent: struct msg_text; the old
				 * configuration stays in use */
	IMSG_NET_CERT,		/* net to parent between END and OK: struct
				 * msg_net_cert, one for each file */
	IMSG_NET_ASK,		/* parent to net, no payload: COUNT, please */
	IMSG_NET_COUNT,		/* net to parent: struct msg_net_count */
	IMSG_NET_DRAIN,		/* parent to net, no payload: accept nobody
				 * any more, serve who is there, then end */
	IMSG_NET_DRAINED,	/* net to parent, no payload: no socket is
				 * listened on any more */

	/* requests: net or a control client to parent, and the answer */
	IMSG_REQUEST,		/* struct msg_request */
	IMSG_REPLY,		/* parent back: struct msg_reply + text */
	IMSG_REPLY_FD,		/* parent back: struct msg_reply_fd + fd */
	IMSG_CANCEL,		/* struct msg_id: the client went away */

	/* one update: net (or a control client) and parent */
	IMSG_UPDATE_OPEN,	/* struct msg_update_open */
	IMSG_UPDATE_GO,		/* struct msg_id + write end of the pipe;
				 * a refusal is a REPLY instead */
	IMSG_UPDATE_DONE,	/* struct msg_update_done: body complete and
				 * the pipe closed; the verdict is a REPLY */
	IMSG_UPDATE_ABORT,	/* struct msg_update_abort; net has answered
				 * the client by itself */
	IMSG_UPDATE_EVENT,	/* parent to net: struct msg_update_event */
	IMSG_UPDATE_STOP,	/* parent to net: struct msg_id: stop sending,
				 * inflate or unpack failed; a REPLY follows */

	/* parent and inflate */
	IMSG_INFLATE_START,	/* struct msg_inflate_start + read end */
	IMSG_INFLATE_KEY,	/* struct msg_inflate_key, as many as START
				 * said, before OUT */
	IMSG_INFLATE_OUT,	/* no payload + write end; work begins */
	IMSG_INFLATE_PROGRESS,	/* struct msg_inflate_progress, now and then
				 * while bytes move */
	IMSG_INFLATE_DONE,	/* struct msg_inflate_done; then exit 0 */
	IMSG_INFLATE_FAIL,	/* struct msg_fail; then exit 1 */

	/* parent and unpack */
	IMSG_UNPACK_DIR,	/* no payload + directory to be confined to */
	IMSG_UNPACK_MANIFEST,	/* no payload + manifest file, empty and
				 * writable; or to read, for UNPACK_VERIFY */
	IMSG_UNPACK_START,	/* struct msg_unpack_start, + read end where
				 * mode is EXTRACT; work begins */
	IMSG_UNPACK_DONE,	/* struct msg_unpack_done; then exit 0 */
	IMSG_UNPACK_FAIL,	/* struct msg_fail; then exit 1 */
	IMSG_UNPACK_DIFF,	/* struct msg_unpack_diff, one per entry that
				 * differs; UNPACK_DIFF mode only */
	IMSG_UNPACK_FAULT,	/* struct msg_unpack_fault, one per fault;
				 * UNPACK_VERIFY with report only */

	/* parent and probe */
	IMSG_PROBE_START,	/* struct msg_probe_start */
	IMSG_PROBE_FILE,	/* struct msg_probe_file + descriptor; after
				 * START, before GO, https only */
	IMSG_PROBE_GO,		/* struct msg_id */
	IMSG_PROBE_CANCEL,	/* struct msg_id; no result will follow */
	IMSG_PROBE_CERT,	/* probe to parent before the RESULT: struct
				 * msg_probe_cert */
	IMSG_PROBE_RESULT,	/* probe to parent: struct msg_probe_result */

	/* control client only */
	IMSG_CTL_UPDATE,	/* struct msg_ctl_update + archive; root */

	/* parent and profile; structs and order in profile.h */
	IMSG_PROFILE_START,	/* struct msg_profile_start */
	IMSG_PROFILE_RUNTIME,	/* struct msg_profile_name: a runtime file */
	IMSG_PROFILE_GO,	/* no payload: work begins */
	IMSG_PROFILE_FOUND,	/* struct msg_profile_found */
	IMSG_PROFILE_WATCH,	/* no payload + descriptor: farwatch.h */
	IMSG_PROFILE_SCANNED,	/* struct msg_profile_scanned */
	IMSG_PROFILE_SWEEP,	/* struct msg_profile_name: a profile */
	IMSG_PROFILE_SYNC,	/* no payload: what came before is done? */
	IMSG_PROFILE_SYNCED,	/* no payload */
	IMSG_PROFILE_STATE,	/* struct msg_profile_state, to be written */
	IMSG_PROFILE_LOG,	/* struct msg_profile_log */
	IMSG_PROFILE_FINISH,	/* no payload */
	IMSG_PROFILE_DONE,	/* struct msg_profile_done; then exit 0 */

	IMSG__MAX
};
const char	*imsg_name(uint32_t);

struct msg_verbose {
	uint32_t	level;			/* 0 brief, 1, 2 debug */
};

struct msg_id {
	uint32_t	id;			/* request, update or probe */
};

struct msg_text {
	char		text[UPD_TEXT_SIZE];
};

/* Sandbox layers of a child, as it found them. */
#define LAYER_UID	0x01		/* runs as its own user */
#define LAYER_CHROOT	0x02
#define LAYER_RLIMIT	0x04
#define LAYER_NNP	0x08		/* no_new_privs */
#define LAYER_LANDLOCK	0x10
#define LAYER_SECCOMP	0x20
#define LAYER_PLEDGE	0x40
#define LAYER_UNVEIL	0x80
struct msg_ready {
	uint32_t	layers;			/* LAYER_ that hold */
	uint32_t	missing;		/* LAYER_ not to be had */
	uint32_t	landlock_abi;		/* 0: none */
};

/* --- net ------------------------------------------------------------ */

struct msg_net_conf {
	uint32_t	connections;		/* at once, in all */
	uint32_t	per_address;		/* at once, from one address */
	uint32_t	header;			/* bytes of request head */
	uint32_t	idle;			/* seconds */
	uint64_t	body;			/* bytes of request body */
	uint64_t	rate;			/* least bytes/s of a body */
	uint32_t	need_sha256;		/* 0 with a release key */
};

enum net_file {
	NETFILE_CA,
	NETFILE_CRL,
	NETFILE_CERT,
	NETFILE_KEY,
	NETFILE__MAX
};
struct msg_net_file {
	uint32_t	which;			/* enum net_file */
	char		name[UPD_PATH_SIZE];	/* for messages only */
};

/* When the first thing in a file ends that clients, or we, rely on. */
struct msg_net_cert {
	uint32_t	which;			/* enum net_file, not KEY */
	uint32_t	pad;
	int64_t		expires;		/* seconds since the epoch */
};

/* What net has seen since it was started; each only grows. */
enum net_count {
	NETCOUNT_ACCEPTED,		/* connections */
	NETCOUNT_FULL,			/* of them: too many, sent away */
	NETCOUNT_EVICTED,		/* of them: gave way to a new one */
	NETCOUNT_HANDSHAKE,		/* of them: no TLS came about */
	NETCOUNT_2XX,			/* requests answered so */
	NETCOUNT_4XX,
	NETCOUNT_5XX,
	NETCOUNT_IN,			/* bytes of requests, out of TLS */
	NETCOUNT_OUT,			/* bytes of answers, before TLS */
	NETCOUNT__MAX
};
struct msg_net_count {
	uint32_t	open;			/* connections, now */
	uint32_t	max;			/* connections, at most */
	uint64_t	count[NETCOUNT__MAX];
};

enum permit_kind {
	PERMIT_SUBJECT,
	PERMIT_FINGERPRINT,
	PERMIT__MAX
};
struct msg_net_permit {
	uint32_t	role;			/* enum upd_role */
	uint32_t	kind;			/* enum permit_kind */
	char		value[UPD_SUBJECT_SIZE];
};

struct msg_net_listen {
	char		text[UPD_TEXT_SIZE];	/* "0.0.0.0 port 8766" */
};

/* Who asks; filled in by net from the certificate, or by control. */
struct msg_caller {
	char		subject[UPD_SUBJECT_SIZE];	/* common name */
	char		fingerprint[UPD_FPR_SIZE];
	char		address[64];
};

struct msg_request {
	uint32_t	id;			/* chosen by the asker */
	uint32_t	op;			/* enum upd_op */
	char		agent[UPD_NAME_SIZE];	/* "" the default one */
	char		arg[UPD_INSTANCE_SIZE];
	struct msg_caller caller;
};

/* Followed by up to UPD_CHUNK bytes of JSON text; REPLYs with one id add
 * up until last is set.  status is the same in each. */
struct msg_reply {
	uint32_t	id;
	uint16_t	status;			/* HTTP status */
	uint16_t	last;			/* 1: complete */
};

struct msg_reply_fd {
	uint32_t	id;
	uint32_t	pad;
	uint64_t	size;			/* bytes to send from the fd */
	char		type[64];		/* Content-Type */
};

/* --- update --------------------------------------------------------- */

#define UPDF_FORCE	0x01		/* install it although unchanged */
#define UPDF_DRY_RUN	0x02		/* everything up to the flip */
#define UPDF_DOWNGRADE	0x04
#define UPDF_SELF	0x08		/* /update-self */
#define UPDF_FINAL	0x10		/* in OPEN: flags, sha and sha256 are
					 * complete (PUT): "unchanged" can be
					 * answered before the body */

struct msg_update_open {
	uint32_t	id;
	uint32_t	flags;			/* UPDF_ known so far */
	int64_t		length;			/* bytes at most, -1 unknown */
	char		agent[UPD_NAME_SIZE];
	char		sha[UPD_SHA_SIZE];	/* "" unknown so far */
	char		sha256[UPD_HEX_SIZE];	/* lower case, "" unknown */
	struct msg_caller caller;
};

struct msg_update_done {
	uint32_t	id;
	uint32_t	flags;			/* UPDF_ */
	uint32_t	confirm;		/* seconds, 0 none */
	uint32_t	pad;
	uint64_t	bytes;			/* of the archive */
	uint8_t		digest[UPD_DIGEST_LEN];	/* of the bytes relayed */
	char		sha[UPD_SHA_SIZE];	/* "" not given */
	char		sha256[UPD_HEX_SIZE];	/* as claimed, "" not given */
};

struct msg_update_abort {
	uint32_t	id;
	uint32_t	error;			/* enum upd_error */
	char		text[UPD_TEXT_SIZE];
};

/* For application/x-ndjson: {"event":name,"bytes":n} */
struct msg_update_event {
	uint32_t	id;
	uint32_t	pad;
	uint64_t	bytes;			/* or what the event counts */
	char		event[32];
};

struct msg_ctl_update {
	uint32_t	id;
	uint32_t	flags;			/* UPDF_ */
	int64_t		length;			/* bytes, -1 unknown */
	char		agent[UPD_NAME_SIZE];
	char		sha[UPD_SHA_SIZE];
};

/* --- inflate -------------------------------------------------------- */

struct msg_inflate_start {
	uint64_t	max_out;		/* bytes of tar at most */
	uint64_t	max_in;			/* bytes of archive at most, 0
						 * not known */
	uint32_t	hash;			/* 1: SHA-256 of the input */
	uint32_t	keys;			/* KEY messages; 0: the archive
						 * need not be signed */
};

/* A release key (relkey.h): one of them must have signed the archive. */
struct msg_inflate_key {
	char		name[UPD_KEYNAME_SIZE];	/* for messages, and the record
						 * of who signed */
	uint8_t		num[8];
	uint8_t		key[32];		/* Ed25519, public */
};

#define UPD_PROGRESS_MS	500		/* between two, at least */
struct msg_inflate_progress {
	uint64_t	in;			/* bytes read so far */
	uint64_t	out;			/* bytes of tar passed on */
};

enum archive_format {
	FORMAT_TAR,			/* not compressed */
	FORMAT_GZIP,
	FORMAT_ZSTD,
	FORMAT__MAX
};
struct msg_inflate_done {
	uint64_t	in;			/* bytes read */
	uint64_t	out;			/* bytes of tar passed on */
	uint32_t	format;			/* enum archive_format */
	uint32_t	signer;			/* 1: the first KEY, and so on;
						 * 0: no KEY was given */
	int64_t		signed_at;		/* seconds since 1970 */
	uint8_t		digest[UPD_DIGEST_LEN];	/* of the input, if asked */
};

/* Also of unpack. */
struct msg_fail {
	uint32_t	error;			/* enum upd_error */
	int32_t		sys_errno;		/* or 0 */
	uint64_t	in;			/* bytes read until then */
	uint64_t	out;			/* bytes passed on */
	char		text[UPD_TEXT_SIZE];	/* what is wrong */
	char		path[UPD_PATH_SIZE];	/* entry, escaped, or "" */
};

/* --- unpack --------------------------------------------------------- */

enum unpack_mode {
	UNPACK_EXTRACT,			/* tar from the pipe into the tree,
					 * manifest written */
	UNPACK_MANIFEST,		/* walk the tree, write the manifest
					 * again (after an install step) */
	UNPACK_VERIFY,			/* read the manifest, compare the tree;
					 * the first difference is a FAIL, or
					 * with report each is a FAULT */
	UNPACK_DIFF,			/* compare two manifests: that of
					 * UNPACK_MANIFEST is the new one, the
					 * descriptor of START the old one
					 * (none: everything is added) */
	UNPACK__MAX
};
struct msg_unpack_start {
	uint32_t	mode;			/* enum unpack_mode */
	uint32_t	max_files;		/* entries at most */
	uint64_t	max_bytes;		/* of file contents at most */
	uint64_t	reserve_blocks;		/* bytes of f_bavail left */
	uint64_t	reserve_inodes;		/* to be left */
	int64_t		since;			/* VERIFY: read contents only
						 * of files that were touched
						 * after this, wall us; 0 all */
	uint32_t	report;			/* VERIFY: tell all faults */
	uint32_t	pad;
};

struct msg_unpack_done {
	uint64_t	bytes;			/* of file contents */
	uint32_t	files;			/* regular files */
	uint32_t	entries;		/* all */
};

enum diff_kind {
	DIFF_ADDED,
	DIFF_CHANGED,			/* content, type, mode or target */
	DIFF_REMOVED,
	DIFF__MAX
};
#define UPD_DIFF_MAX	1000		/* paths of each kind sent */
/* The first UPD_DIFF_MAX of each kind carry a path, escaped; the last
 * message of all has path "" and the totals. */
struct msg_unpack_diff {
	uint32_t	kind;			/* enum diff_kind */
	uint32_t	total[DIFF__MAX];	/* so far */
	char		path[UPD_PATH_SIZE];
};

/* What is wrong with an entry of a release. */
enum fault_kind {
	FAULT_CHANGED,			/* content, size, type or target */
	FAULT_MISSING,
	FAULT_EXTRA,
	FAULT_MODE,
	FAULT_OWNER,			/* not root's */
	FAULT_UNREADABLE,
	FAULT__MAX
};
const char	*fault_name(enum fault_kind);
#define UPD_FAULT_MAX	1000		/* of each kind sent */
/* The first UPD_FAULT_MAX of each kind carry a path, escaped; the last
 * message of all has path "" and the totals. */
struct msg_unpack_fault {
	uint32_t	kind;			/* enum fault_kind */
	uint32_t	total[FAULT__MAX];	/* so far */
	char		path[UPD_PATH_SIZE];
	char		text[UPD_TEXT_SIZE];	/* for a person */
};

/* --- probe ---------------------------------------------------------- */

enum health_kind {
	HEALTH_NONE,			/* up for 1 s; the parent's */
	HEALTH_TCP,
	HEALTH_HTTP,
	HEALTH_HTTPS,
	HEALTH_EXEC,			/* the parent's */
	HEALTH_NOTIFY,			/* the parent's */
	HEALTH__MAX
};
const char	*health_name(enum health_kind);

enum probe_file {
	PROBEFILE_CA,
	PROBEFILE_CERT,
	PROBEFILE_KEY,
	PROBEFILE__MAX
};

/* One sequence of attempts until healthy, or until within has passed. */
struct msg_probe_start {
	uint32_t	id;
	uint32_t	kind;			/* TCP, HTTP, HTTPS */
	uint32_t	port;
	uint32_t	status;			/* HTTP status wanted */
	uint32_t	within_ms;		/* for the whole sequence */
	uint32_t	timeout_ms;		/* for one attempt */
	uint32_t	anyname;		/* 1: whatever name it shows, if
						 * the CA vouches for it */
	uint32_t	pad;
	char		address[UPD_HOST_SIZE];	/* numeric */
	char		name[UPD_HOST_SIZE];	/* to verify; "" the address */
	char		path[UPD_URLPATH_SIZE];
};

struct msg_probe_file {
	uint32_t	id;
	uint32_t	which;			/* enum probe_file */
};

struct msg_probe_cert {
	uint32_t	id;
	uint32_t	which;			/* enum probe_file, not KEY */
	int64_t		expires;		/* seconds since the epoch */
};

struct msg_probe_result {
	uint32_t	id;
	uint32_t	healthy;		/* 1 yes */
	uint32_t	status;			/* last HTTP status, or 0 */
	uint32_t	attempts;
	uint64_t	elapsed_ms;
	uint32_t	body_len;		/* bytes of body that count */
	uint32_t	pad;
	char		text[UPD_TEXT_SIZE];	/* why, for a person */
	char		body[UPD_BODY_SIZE];	/* head of the last answer */
};

/* --- receiving ------------------------------------------------------ */

struct imsg_rule {
	uint32_t	 type;
	uint32_t	 from;		/* enum proc_type */
	size_t		 size;		/* payload bytes, exactly; with
					 * more_text: at least */
	int		 more_text;	/* text may follow */
	int		 want_fd;	/* 1 must carry one, 0 must not */
	uint32_t	 states;	/* mask of states it may come in */
	int		(*handler)(void *, struct imsg *);
};
#define ANY_STATE	0xffffffffU

/*
 * Find the rule for a message and check sender, size, descriptor and
 * state (a single bit).  On success the rule; else NULL and *why says
 * which check failed.  The handler is not called.
 */
const struct imsg_rule	*proto_check(const struct imsg_rule *, size_t,
			    enum proc_type, uint32_t, struct imsg *,
			    const char **);
/* 1 if the array of that size holds a NUL, else 0. */
int	 proto_isstr(const char *, size_t);
#define PROTO_STR(a)	proto_isstr((a), sizeof(a))
/* Lower-case hex of a digest; the buffer holds UPD_HEX_SIZE bytes. */
void	 digest_hex(const uint8_t *, char *);
/* 1 if it is 64 lower-case hex digits. */
int	 digest_ishex(const char *);
/* 1 if it may be an agent or service name: [a-z0-9][a-z0-9_-]*, < 64. */
int	 name_isvalid(const char *);
/* 1 if it may be a release id: [0-9A-Za-z._-]+, not starting with a dot. */
int	 id_isvalid(const char *);

#endif
