/*
 * The lies of net about updates.  One that it opens is never completed as a
 * good one: nothing may be installed.
 */
#include <sys/types.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "liar_net.h"

static void
open_make(struct msg_update_open *m, uint32_t id)
{
	memset(m, 0, sizeof(*m));
	m->id = id;
	m->length = -1;
	strlcpy(m->caller.subject, "updater-master",
	    sizeof(m->caller.subject));
}

/* The pipe, or -1 and the status of the refusal. */
static int
open_update(uint32_t id, unsigned *status)
{
	struct msg_update_open	 m;
	struct msg_reply	 r;
	struct imsg		 imsg;
	int			 fd;

	open_make(&m, id);
	tell(IMSG_UPDATE_OPEN, &m, sizeof(m));
	for (;;) {
		switch (hear(&imsg, REPLY_MS)) {
		case -1:
			_exit(0);
		case 0:
			dprintf(STDERR_FILENO, "liar: OPEN is not answered\n");
			_exit(9);
		}
		if (imsg_get_type(&imsg) == IMSG_UPDATE_GO) {
			fd = imsg_get_fd(&imsg);
			imsg_free(&imsg);
			*status = 0;
			return fd;
		}
		if (imsg_get_type(&imsg) == IMSG_REPLY) {
			memcpy(&r, imsg.data, sizeof(r));
			imsg_free(&imsg);
			*status = r.status;
			return -1;
		}
		imsg_free(&imsg);
	}
}

/* As above, when the update of the life before may still be in its end. */
static int
must_open(uint32_t id)
{
	unsigned	 status;
	int		 fd, i;

	for (i = 0; i < 500; i++) {
		if ((fd = open_update(id, &status)) != -1)
			return fd;
		if (status != 423)
			break;
		poll(NULL, 0, 10);
	}
	dprintf(STDERR_FILENO, "liar: cannot open an update: %u\n", status);
	_exit(9);
}

static void
send_done(uint32_t id, uint64_t bytes, const char *sha256)
{
	struct msg_update_done	 m;

	memset(&m, 0, sizeof(m));
	m.id = id;
	m.bytes = bytes;
	strlcpy(m.sha256, sha256, sizeof(m.sha256));
	tell(IMSG_UPDATE_DONE, &m, sizeof(m));
}

static void
send_abort(uint32_t id, uint32_t error)
{
	struct msg_update_abort	 m;

	memset(&m, 0, sizeof(m));
	m.id = id;
	m.error = error;
	strlcpy(m.text, "changed\nits \xff mind", sizeof(m.text));
	tell(IMSG_UPDATE_ABORT, &m, sizeof(m));
}

/* The archive into the pipe; its length. */
static uint64_t
send_archive(int fd, size_t max)
{
	char	 path[300], b[65536];
	ssize_t	 n, sum = 0;
	int	 in;

	snprintf(path, sizeof(path), "%s/archive",
	    getenv("UPDATERD_TEST_DIR"));
	if ((in = open(path, O_RDONLY | O_CLOEXEC)) == -1)
		_exit(9);
	fcntl(fd, F_SETFL, 0);
	while ((n = read(in, b, sizeof(b))) > 0 && (size_t)sum < max) {
		if ((size_t)(sum + n) > max)
			n = (ssize_t)max - sum;
		if (write(fd, b, (size_t)n) != n)
			break;
		sum += n;
	}
	close(in);
	return (uint64_t)sum;
}

/* All of it into an update that is opened for it. */
static uint64_t
send_whole(void)
{
	int		 fd = must_open(ID);
	uint64_t	 n = send_archive(fd, SIZE_MAX);

	close(fd);
	return n;
}

#define ZERO32	"00000000000000000000000000000000"
#define ZERO64	ZERO32 ZERO32
#define ONE32	"11111111111111111111111111111111"
#define ONE64	ONE32 ONE32

void
open_silent(void)
{
	(void)must_open(ID);
	expect(408, ID);
}

void
open_trickle(void)
{
	int	 fd = must_open(ID);
	char	 b[1024];
	int	 i;

	/* Half, then so slowly that it is never silent. */
	(void)send_archive(fd, 20000);
	memset(b, 0, sizeof(b));
	for (i = 0; i < 200; i++) {
		if (write(fd, b, 1) == -1)
			break;
		poll(NULL, 0, 100);
	}
	expect(408, ID);
}

void
open_half(void)
{
	close(must_open(ID));
	expect(422, ID);
}

void
open_exit(void)
{
	(void)must_open(ID);
	_exit(0);
}

void
open_half_exit(void)
{
	send_archive(must_open(ID), 30000);
	_exit(0);
}

void
open_garbage(void)
{
	int	 fd = must_open(ID), i;
	char	 b[4096];

	memset(b, 0xa5, sizeof(b));
	fcntl(fd, F_SETFL, 0);
	for (i = 0; i < 10000 && write(fd, b, sizeof(b)) > 0; i++)
		;
	close(fd);
	expect(422, ID);
}

void
open_kept(void)
{
	int	 fd = must_open(ID);

	/* DONE, but the pipe stays open. */
	send_done(ID, send_archive(fd, SIZE_MAX), ZERO64);
	expect(500, ID);
}

void
done_nothing(void)
{
	close(must_open(ID));
	send_done(ID, 0, ZERO64);
	expect(422, ID);
}

void
done_digest(void)
{
	send_done(ID, send_whole(), ONE64);
	expect(422, ID);
}

void
done_bytes(void)
{
	send_done(ID, send_whole() + 1, ZERO64);
	expect(500, ID);
}

void
done_unclaimed(void)
{
	send_done(ID, send_whole(), "");
	expect(400, ID);
}

void
done_never(void)
{
	/* All is there, but the word that it was meant so. */
	(void)send_whole();
	expect(408, ID);
}

void
done_twice(void)
{
	uint64_t	 n = send_whole();

	send_done(ID, n, ONE64);
	send_done(ID, n + 5, ZERO64);
	send_done(ID, n, "");
	expect(422, ID);
	send_done(ID, n, ONE64);
}

void
done_abort(void)
{
	send_done(ID, send_whole(), ONE64);
	send_abort(ID, UPD_EABORTED);
	send_abort(ID, UPD_EABORTED);
}

void
done_exit(void)
{
	send_done(ID, send_whole(), ONE64);
	_exit(0);
}

void
done_hex(void)
{
	must_open(ID);
	send_done(ID, 0, "zz");
}

void
done_sha(void)
{
	struct msg_update_done	 m;

	must_open(ID);
	memset(&m, 0, sizeof(m));
	m.id = ID;
	strlcpy(m.sha, "a\nb", sizeof(m.sha));
	tell(IMSG_UPDATE_DONE, &m, sizeof(m));
}

void done_alone(void) { send_done(ID, 1, ONE64); }
void abort_alone(void) { send_abort(ID, UPD_EABORTED); }
void abort_ok(void) { send_abort(ID, UPD_OK); }
void abort_huge(void) { send_abort(ID, 0xffffffffU); }

void
abort_refused(void)
{
	struct msg_update_open	 m;

	/* Refused at once, for want of room: then ABORT names a caller that
	 * has been answered. */
	open_make(&m, ID);
	m.length = INT64_MAX;
	tell(IMSG_UPDATE_OPEN, &m, sizeof(m));
	expect(507, ID);
	send_abort(ID, UPD_EABORTED);
	send_abort(0, UPD_EABORTED);
}

void
abort_other(void)
{
	int	 fd = must_open(ID);

	send_abort(ID + 1, UPD_EABORTED);
	close(fd);
	expect(422, ID);
}

void
abort_reopen(void)
{
	int	 i;

	for (i = 0; i < 20; i++) {
		close(must_open(ID));
		send_abort(ID, UPD_EABORTED);
	}
}

void
cancel_open(void)
{
	struct msg_id	 m = { .id = ID };

	/* Called off, but never ended: somebody must end it. */
	(void)must_open(ID);
	tell(IMSG_CANCEL, &m, sizeof(m));
	send_done(ID, 1, ONE64);
	send_abort(ID, UPD_EABORTED);
	close(must_open(ID + 1));
	expect(422, ID + 1);
}

void
open_twice(void)
{
	unsigned	 status;
	int		 fd = must_open(ID);

	if (open_update(ID, &status) != -1 || status != 423)
		_exit(9);
	close(fd);
	expect(422, ID);
}

void
open_many(void)
{
	struct msg_update_open	 m;
	int			 i;

	close(must_open(ID));
	for (i = 0; i < 2000; i++) {
		open_make(&m, ID + (uint32_t)i);
		tell(IMSG_UPDATE_OPEN, &m, sizeof(m));
	}
}

void
open_agent(void)
{
	struct msg_update_open	 m;

	open_make(&m, ID);
	strlcpy(m.agent, "../x", sizeof(m.agent));
	tell(IMSG_UPDATE_OPEN, &m, sizeof(m));
	expect(404, ID);
}

void
open_length(void)
{
	struct msg_update_open	 m;

	open_make(&m, ID);
	m.length = -2;
	tell(IMSG_UPDATE_OPEN, &m, sizeof(m));
}

void
open_sha(void)
{
	struct msg_update_open	 m;

	open_make(&m, ID);
	strlcpy(m.sha, "\33[2J", sizeof(m.sha));
	tell(IMSG_UPDATE_OPEN, &m, sizeof(m));
}

void
open_flags(void)
{
	struct msg_update_open	 m;

	/* As a whole: FINAL, SELF, and bits that nobody knows. */
	open_make(&m, ID);
	m.flags = 0xffffffffU;
	tell(IMSG_UPDATE_OPEN, &m, sizeof(m));
}
