/*
 * An input as a list of messages to one of our receivers:
 *
 *	type (1 byte), flags (1), length (2, little end first), payload
 *
 * With RECORD_FIT the payload is cut or filled with NULs to the size that
 * the receiver's own table wants, so that handlers are reached by chance.
 */
#ifndef FUZZ_RECORDS_H
#define FUZZ_RECORDS_H

#include <sys/types.h>
#include <sys/socket.h>

#include <errno.h>
#include <event.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "imsg.h"
#include "proto.h"

#define RECORD_FD	0x01	/* with a descriptor */
#define RECORD_FIT	0x02
#define RECORD_ODD	0x04	/* with another version */
#define RECORD_WAIT	0x08	/* more is sent before it is read */
#define RECORD_HEAD	4	/* bytes */

static int
lowest_free(void)
{
	int	 fd;

	if ((fd = open("/dev/null", O_RDONLY | O_CLOEXEC)) == -1)
		abort();
	close(fd);
	return fd;
}

/* What a stub is given must be a text as the receiver promises. */
static void
check_text(const char *s, size_t size)
{
	if (memchr(s, '\0', size) == NULL)
		abort();
}
#define CHECK_TEXT(a)	check_text((a), sizeof(a))

/* Queue the next message; its flags, or -1: no more. */
static int
record_send(struct imsgbuf *ib, const uint8_t **p, size_t *n,
    const struct imsg_rule *table, size_t ntable)
{
	static uint8_t	 payload[MAX_IMSGSIZE];
	size_t		 len, take, i;
	uint32_t	 type;
	int		 flags, fd = -1;

	if (*n < RECORD_HEAD)
		return -1;
	type = (*p)[0] % (IMSG__MAX + 1);
	flags = (*p)[1];
	len = ((*p)[2] | (size_t)(*p)[3] << 8) %
	    (MAX_IMSGSIZE - IMSG_HEADER_SIZE + 1);
	*p += RECORD_HEAD;
	*n -= RECORD_HEAD;
	take = len < *n ? len : *n;
	memset(payload, 0, sizeof(payload));
	memcpy(payload, *p, take);
	*p += take;
	*n -= take;
	len = take;
	if (flags & RECORD_FIT)
		for (i = 0; i < ntable; i++)
			if (table[i].type == type && (len < table[i].size ||
			    !table[i].more_text))
				len = table[i].size;
	if ((flags & RECORD_FD) &&
	    (fd = open("/dev/null", O_RDONLY | O_CLOEXEC)) == -1)
		abort();
	if (imsg_compose(ib, type, flags & RECORD_ODD ? 7 : UPD_PROTO_VERSION,
	    0, fd, payload, len) == -1)
		abort();
	return flags;
}

/* Send all of an input to the other end, whose events the loop runs. */
static void
records_run(int sock, const uint8_t *p, size_t n,
    const struct imsg_rule *table, size_t ntable)
{
	struct imsgbuf	 ib;
	char		 drop[4096];
	int		 flags;

	if (imsgbuf_init(&ib, sock) == -1)
		abort();
	imsgbuf_allow_fdpass(&ib);
	while ((flags = record_send(&ib, &p, &n, table, ntable)) != -1) {
		if ((flags & RECORD_WAIT) && imsgbuf_queuelen(&ib) < 8)
			continue;
		if (imsgbuf_write(&ib) == -1)
			break;
		(void)event_loop(EVLOOP_NONBLOCK);
		while (recv(sock, drop, sizeof(drop), 0) > 0)
			continue;
	}
	(void)imsgbuf_write(&ib);
	(void)event_loop(EVLOOP_NONBLOCK);
	imsgbuf_clear(&ib);
	close(sock);
	(void)event_loop(EVLOOP_NONBLOCK);
}

#endif
