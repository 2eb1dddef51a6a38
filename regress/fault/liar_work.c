/*
 * The lies of probe, inflate and unpack.  Whatever an impostor of the last
 * two says, the push must not end as a good one.
 */
#include <sys/types.h>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "liar.h"

#define SILENCE_MS	60000	/* longer than the parent has patience */

static int	 in = -1, out = -1;	/* inflate's pipes; unpack: in */

static void
say_ready(void)
{
	struct msg_ready	 ready;

	memset(&ready, 0, sizeof(ready));
	tell(IMSG_READY, &ready, sizeof(ready));
}

/* These have nothing to ask: is the channel still there? */
static int
alive(void)
{
	struct imsg	 imsg;
	int		 r;

	while ((r = hear(&imsg, 100)) == 1)
		imsg_free(&imsg);
	return r == 0 ? 1 : -1;
}

static void
silence(void)
{
	poll(NULL, 0, SILENCE_MS);
}

/* --- probe -------------------------------------------------------------- */

static void
probe_begin(const struct lie *l)
{
	say_ready();
}

static int
probe_takes(uint32_t type, int zeros, int ones, int bare)
{
	return type == IMSG_PROBE_RESULT && zeros;
}

static void
result(uint32_t id, uint32_t healthy, uint32_t body_len, int nul)
{
	struct msg_probe_result	 m;

	memset(&m, 0xff, sizeof(m));
	m.id = id;
	m.healthy = healthy;
	m.body_len = body_len;
	if (nul)
		m.text[sizeof(m.text) - 1] = '\0';
	tell(IMSG_PROBE_RESULT, &m, sizeof(m));
}

static void result_twice(void) { result(1, 1, 4096, 1); result(1, 0, 0, 1); }
static void result_any(void)
{
	uint32_t	 i;

	for (i = 0; i < 5000; i++)
		result(i * 858993459U, 1, 4096, 1);
}
static void result_maybe(void) { result(1, 2, 0, 1); }
static void result_body(void) { result(1, 0, 4097, 1); }
static void result_text(void) { result(1, 0, 0, 0); }

static const struct lie probe_lies[] = {
	{ "result-twice", LIVE, result_twice },
	{ "result-any", LIVE, result_any },
	{ "result-maybe", DIE, result_maybe },
	{ "result-body", DIE, result_body },
	{ "result-text", DIE, result_text },
	{ NULL, DIE, NULL }
};

const struct role role_probe = {
	.name	= "probe",
	.begin	= probe_begin,
	.takes	= probe_takes,
	.alive	= alive,
	.lies	= probe_lies
};

/* --- inflate ------------------------------------------------------------ */

static void
inflate_begin(const struct lie *l)
{
	struct imsg	 imsg;

	if (!await(IMSG_INFLATE_START, &imsg, -1))
		_exit(0);
	in = imsg_get_fd(&imsg);
	imsg_free(&imsg);
	if (!await(IMSG_INFLATE_OUT, &imsg, -1))
		_exit(0);
	out = imsg_get_fd(&imsg);
	imsg_free(&imsg);
	say_ready();
}

static int
inflate_takes(uint32_t type, int zeros, int ones, int bare)
{
	return (type == IMSG_INFLATE_PROGRESS && (zeros || ones)) ||
	    (type == IMSG_INFLATE_DONE && zeros);
}

/* Read all that comes; its length. */
static uint64_t
swallow(void)
{
	char		 b[65536];
	uint64_t	 sum = 0;
	ssize_t		 n;

	while ((n = read(in, b, sizeof(b))) > 0)
		sum += (uint64_t)n;
	return sum;
}

static void
inflate_done(uint64_t bytes)
{
	struct msg_inflate_done	 m;

	memset(&m, 0, sizeof(m));
	m.in = bytes;
	m.format = FORMAT_GZIP;
	tell(IMSG_INFLATE_DONE, &m, sizeof(m));
}

static void
say_fail(uint32_t type, uint32_t error)
{
	struct msg_fail	 m;

	memset(&m, 0, sizeof(m));
	m.error = error;
	m.sys_errno = -1;
	strlcpy(m.text, "a\nforged \33[2J\xff line", sizeof(m.text));
	strlcpy(m.path, "\xfe\xff/../..", sizeof(m.path));
	tell(type, &m, sizeof(m));
}

static void in_nothing(void) { inflate_done(swallow()); _exit(0); }
static void in_early(void) { inflate_done(1); _exit(0); }
static void in_status(void) { inflate_done(swallow()); _exit(3); }
static void in_stays(void) { inflate_done(swallow()); silence(); }
static void in_twice(void) { inflate_done(1); inflate_done(1); }

static void
in_zeros(void)
{
	static char	 b[65536];
	int		 i;

	/* A tar of nothing but zeros. */
	for (i = 0; i < 16; i++)
		if (write(out, b, sizeof(b)) == -1)
			_exit(0);
	inflate_done(swallow());
	_exit(0);
}

static void
in_endless(void)
{
	static char	 b[65536];

	memset(b, 'x', sizeof(b));
	while (write(out, b, sizeof(b)) > 0)
		;
	_exit(0);
}

static void in_fail(void) { say_fail(IMSG_INFLATE_FAIL, UPD_ECOMPRESS); }
static void in_fail_zero(void)
{
	say_fail(IMSG_INFLATE_FAIL, UPD_ECOMPRESS);
	_exit(0);
}
static void in_fail_done(void)
{
	say_fail(IMSG_INFLATE_FAIL, UPD_ECOMPRESS);
	inflate_done(1);
}
static void in_fail_huge(void) { say_fail(IMSG_INFLATE_FAIL, 9999); }
static void in_other(void) { say_fail(IMSG_UNPACK_FAIL, UPD_EENTRY); }
static void in_hangs(void) { silence(); }
static void in_deaf(void) { close(3); silence(); }

static void
in_creeps(void)
{
	struct msg_inflate_progress	 m = { 0, 0 };
	int				 i;

	/* Alive, it says, for ever. */
	for (i = 0; i < SILENCE_MS / 100; i++) {
		m.in++;
		m.out += 100;
		tell(IMSG_INFLATE_PROGRESS, &m, sizeof(m));
		poll(NULL, 0, 100);
	}
}

static void
in_flood(void)
{
	struct msg_inflate_progress	 m = { 0, 0 };
	int				 i;

	for (i = 0; i < 20000; i++) {
		m.in = (uint64_t)i << 40;
		tell(IMSG_INFLATE_PROGRESS, &m, sizeof(m));
	}
}

static const struct lie inflate_lies[] = {
	{ "nothing", DIE, in_nothing },
	{ "early", DIE, in_early },
	{ "status", DIE, in_status },
	{ "stays", DIE, in_stays },
	{ "twice", DIE, in_twice },
	{ "zeros", DIE, in_zeros },
	{ "endless", DIE, in_endless },
	{ "fail", LIVE, in_fail },
	{ "fail-zero", DIE, in_fail_zero },
	{ "fail-done", DIE, in_fail_done },
	{ "fail-huge", DIE, in_fail_huge },
	{ "other", DIE, in_other },
	{ "hangs", DIE, in_hangs },
	{ "deaf", DIE, in_deaf },
	{ "creeps", DIE, in_creeps },
	{ "flood", LIVE, in_flood },
	{ NULL, DIE, NULL }
};

const struct role role_inflate = {
	.name	= "inflate",
	.begin	= inflate_begin,
	.takes	= inflate_takes,
	.alive	= alive,
	.lies	= inflate_lies
};

/* --- unpack ------------------------------------------------------------- */

static void
unpack_begin(const struct lie *l)
{
	struct imsg	 imsg;

	if (!await(IMSG_UNPACK_START, &imsg, -1))
		_exit(0);
	in = imsg_get_fd(&imsg);
	imsg_free(&imsg);
	say_ready();
}

static int
unpack_takes(uint32_t type, int zeros, int ones, int bare)
{
	return type == IMSG_UNPACK_DONE && (zeros || ones);
}

static void
unpack_done(uint32_t files)
{
	struct msg_unpack_done	 m;

	memset(&m, 0, sizeof(m));
	m.files = m.entries = files;
	tell(IMSG_UNPACK_DONE, &m, sizeof(m));
}

static void
un_diff(void)
{
	struct msg_unpack_diff	 m;

	memset(&m, 0, sizeof(m));
	tell(IMSG_UNPACK_DIFF, &m, sizeof(m));
}

/* The tree is empty, but who would know? */
static void un_empty(void) { swallow(); unpack_done(0); _exit(0); }
static void un_files(void) { swallow(); unpack_done(4); _exit(0); }
static void un_early(void) { unpack_done(4); _exit(0); }
static void un_status(void) { swallow(); unpack_done(4); _exit(1); }
static void un_stays(void) { swallow(); unpack_done(4); silence(); }
static void un_twice(void) { unpack_done(1); unpack_done(1); }
static void un_fail(void) { say_fail(IMSG_UNPACK_FAIL, UPD_EENTRY); }
static void un_fail_zero(void)
{
	say_fail(IMSG_UNPACK_FAIL, UPD_EENTRY);
	_exit(0);
}
static void un_other(void) { inflate_done(1); }
static void un_hangs(void) { silence(); }
static void un_eats(void) { swallow(); silence(); }

static const struct lie unpack_lies[] = {
	{ "diff", DIE, un_diff },
	{ "empty", DIE, un_empty },
	{ "files", DIE, un_files },
	{ "early", DIE, un_early },
	{ "status", DIE, un_status },
	{ "stays", DIE, un_stays },
	{ "twice", DIE, un_twice },
	{ "fail", LIVE, un_fail },
	{ "fail-zero", DIE, un_fail_zero },
	{ "other", DIE, un_other },
	{ "hangs", DIE, un_hangs },
	{ "eats", DIE, un_eats },
	{ NULL, DIE, NULL }
};

const struct role role_unpack = {
	.name	= "unpack",
	.begin	= unpack_begin,
	.takes	= unpack_takes,
	.alive	= alive,
	.lies	= unpack_lies
};
