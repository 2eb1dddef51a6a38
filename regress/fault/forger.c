/*
 * A net that has been taken over and wants code installed.  It stands in
 * the place of net in a parent built with -DSANDBOX_TEST, and pushes what it
 * is told to, with whatever words go with it: there is no client, no
 * certificate and no digest that it could not make up.
 *
 * $UPDATERD_TEST_DIR/forge, where it is there, has a line for each try:
 *
 *	NAME FLAGS DIGEST PIECE...
 *
 * FLAGS are UPDF_ in hex, of OPEN and DONE.  DIGEST is what it says of the
 * bytes: "true", or 64 hex digits.  A PIECE is FILE, or FILE:FROM:TO in
 * bytes, or "-", behind which DONE is sent before the rest; "!" ends without
 * closing the pipe.  What came of it goes to forge.log: "NAME STATUS TEXT".
 * Without the file the real program is executed.
 */
#include <sys/types.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "imsg.h"
#include "proto.h"

#define REPLY_MS	30000
#define KEPT_MS		500	/* a pipe is held open behind DONE */

static struct imsgbuf	 ib;
static const char	*dir;
static uint32_t		 lastid;

static void __attribute__((noreturn))
die(const char *what)
{
	dprintf(STDERR_FILENO, "forger: %s: %s\n", what, strerror(errno));
	_exit(9);
}

static void
tell(uint32_t type, const void *data, size_t len)
{
	if (imsg_compose(&ib, type, 0, 0, -1, data, len) == -1)
		die("compose");
	while (imsgbuf_queuelen(&ib) > 0)
		if (imsgbuf_write(&ib) == -1)
			die("write");
}

/* The next message; 0 after that time without one. */
static int
hear(struct imsg *imsg, int ms)
{
	struct pollfd	 pfd = { .fd = 3, .events = POLLIN };
	ssize_t		 n;

	while ((n = imsg_get(&ib, imsg)) == 0) {
		if (poll(&pfd, 1, ms) <= 0)
			return 0;
		if (imsgbuf_read(&ib) <= 0)
			_exit(0);
	}
	return n > 0;
}

static void
note(const char *name, unsigned status, const char *text)
{
	char	 path[300];
	FILE	*f;

	snprintf(path, sizeof(path), "%s/forge.log", dir);
	if ((f = fopen(path, "a")) == NULL)
		die(path);
	fprintf(f, "%s %u %s\n", name, status, text);
	fclose(f);
}

/* Wait for GO (its descriptor) or the answer (-1, and noted). */
static int
answer(const char *name, uint32_t id)
{
	struct msg_reply	 r;
	struct imsg		 imsg;
	char			 text[8192];
	size_t			 n, have = 0;
	int			 fd;

	while (hear(&imsg, REPLY_MS)) {
		if (imsg_get_type(&imsg) == IMSG_UPDATE_GO) {
			fd = imsg_get_fd(&imsg);
			imsg_free(&imsg);
			return fd;
		}
		if (imsg_get_type(&imsg) == IMSG_REPLY) {
			memcpy(&r, imsg.data, sizeof(r));
			n = imsg_get_len(&imsg) - sizeof(r);
			if (n > sizeof(text) - 1 - have)
				n = sizeof(text) - 1 - have;
			memcpy(text + have, (char *)imsg.data + sizeof(r), n);
			have += n;
			text[have] = '\0';
			if (r.id == id && r.last) {
				imsg_free(&imsg);
				note(name, r.status, text);
				return -1;
			}
		}
		imsg_free(&imsg);
	}
	note(name, 0, "no answer");
	return -1;
}

/* FILE or FILE:FROM:TO into the pipe; bytes. */
static uint64_t
piece(int fd, const char *spec, EVP_MD_CTX *md)
{
	char		 path[300], b[65536];
	long long	 from = 0, to = INT64_MAX;
	uint64_t	 sum = 0;
	size_t		 want;
	ssize_t		 n;
	int		 in;

	if (sscanf(spec, "%299[^:]:%lld:%lld", path, &from, &to) < 1 ||
	    (in = open(path, O_RDONLY | O_CLOEXEC)) == -1)
		die(spec);
	for (; from < to; from += n) {
		want = to - from < (long long)sizeof(b) ? (size_t)(to - from) :
		    sizeof(b);
		if ((n = pread(in, b, want, from)) <= 0)
			break;
		if (EVP_DigestUpdate(md, b, (size_t)n) != 1)
			die("digest");
		sum += (uint64_t)n;
		if (write(fd, b, (size_t)n) != n)
			break;		/* the parent has had enough */
	}
	close(in);
	return sum;
}

static void
done(uint32_t id, uint32_t flags, uint64_t bytes, EVP_MD_CTX *md,
    const char *digest)
{
	struct msg_update_done	 m;
	unsigned int		 i, byte;

	memset(&m, 0, sizeof(m));
	m.id = id;
	m.flags = flags;
	m.bytes = bytes;
	strlcpy(m.sha, "forged", sizeof(m.sha));
	if (strcmp(digest, "true") == 0) {
		if (EVP_DigestFinal_ex(md, m.digest, NULL) != 1)
			die("digest");
	} else
		for (i = 0; i < sizeof(m.digest); i++) {
			if (sscanf(digest + 2 * i, "%2x", &byte) != 1)
				die(digest);
			m.digest[i] = (uint8_t)byte;
		}
	digest_hex(m.digest, m.sha256);
	tell(IMSG_UPDATE_DONE, &m, sizeof(m));
}

static void
try(char *line)
{
	struct msg_update_open	 m;
	EVP_MD_CTX		*md = EVP_MD_CTX_new();
	const char		*name, *digest, *spec;
	uint64_t		 bytes = 0;
	uint32_t		 id = ++lastid;
	int			 fd, told = 0, keep = 0;

	name = strsep(&line, " ");
	memset(&m, 0, sizeof(m));
	m.id = id;
	m.length = -1;
	m.flags = (uint32_t)strtoul(strsep(&line, " "), NULL, 16);
	digest = strsep(&line, " ");
	if (strcmp(digest, "true") != 0)
		strlcpy(m.sha256, digest, sizeof(m.sha256));
	strlcpy(m.caller.subject, "updater-master",
	    sizeof(m.caller.subject));
	strlcpy(m.caller.address, "192.0.2.1", sizeof(m.caller.address));
	tell(IMSG_UPDATE_OPEN, &m, sizeof(m));
	if ((fd = answer(name, id)) == -1)
		return;
	fcntl(fd, F_SETFL, 0);
	if (md == NULL || EVP_DigestInit_ex(md, EVP_sha256(), NULL) != 1)
		die("digest");
	while ((spec = strsep(&line, " ")) != NULL) {
		if (strcmp(spec, "-") == 0) {
			done(id, m.flags, bytes, md, digest);
			told = 1;
		} else if (strcmp(spec, "!") == 0)
			keep = 1;
		else
			bytes += piece(fd, spec, md);
	}
	if (!keep)
		close(fd);
	if (!told)
		done(id, m.flags, bytes, md, digest);
	if (keep) {
		poll(NULL, 0, KEPT_MS);
		close(fd);
	}
	(void)answer(name, id);
	EVP_MD_CTX_free(md);
}

static void
begin(void)
{
	struct msg_ready	 ready;
	struct imsg		 imsg;
	uint32_t		 type = 0;

	while (type != IMSG_NET_END) {
		if (!hear(&imsg, -1))
			_exit(0);
		type = imsg_get_type(&imsg);
		imsg_free(&imsg);
	}
	memset(&ready, 0, sizeof(ready));
	ready.layers = LAYER_UID;
	tell(IMSG_READY, &ready, sizeof(ready));
	tell(IMSG_NET_OK, NULL, 0);
}

int
main(int argc, char *argv[])
{
	char	 path[300], line[4096];
	FILE	*f;

	signal(SIGPIPE, SIG_IGN);
	if ((dir = getenv("UPDATERD_TEST_DIR")) == NULL || argc < 3 ||
	    strcmp(argv[1], "-T") != 0)
		die("usage: by a test build of updaterd only");
	snprintf(path, sizeof(path), "%s/forge", dir);
	if ((f = fopen(path, "re")) == NULL) {
		snprintf(path, sizeof(path), "%s/updaterd", dir);
		execv(path, argv);
		die(path);
	}
	if (imsgbuf_init(&ib, 3) == -1)
		die("imsgbuf_init");
	imsgbuf_allow_fdpass(&ib);
	begin();
	while (fgets(line, sizeof(line), f) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		try(line);
	}
	note("end", 0, "");
	for (;;)
		poll(NULL, 0, -1);
}
