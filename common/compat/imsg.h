/*
 * The subset of imsg_init(3) that updaterd uses, for systems whose libc or
 * libutil has none.  Written against the manual page; code uses the
 * accessors only, so that OpenBSD's own library can take its place.
 */
#ifndef UPD_COMPAT_IMSG_H
#define UPD_COMPAT_IMSG_H

#include <sys/types.h>
#include <sys/uio.h>
#include <stddef.h>
#include <stdint.h>

#define IMSG_HEADER_SIZE	16	/* bytes: type, len, peerid, pid */
#define MAX_IMSGSIZE		16384	/* bytes, header included */

struct imsg_hdr {
	uint32_t	 type;
	uint32_t	 len;		/* header and payload; top bit: fd */
	uint32_t	 peerid;
	uint32_t	 pid;
};

struct imsg {
	struct imsg_hdr	 hdr;
	int		 fd;
	void		*data;
	void		*buf;		/* owned; released by imsg_free() */
};

struct imsg_out;

#define IMSG_FDS_MAX	16	/* unclaimed descriptors at most */

struct imsgbuf {
	int		 fd;
	uint32_t	 pid;
	int		 allow_fds;
	unsigned char	*rbuf;
	size_t		 rpos;		/* first byte not taken out yet */
	size_t		 rlen;		/* bytes from there on */
	size_t		 rcap;
	/* Unclaimed, oldest first.  Room of its own: with the bytes read
	 * there is no going back for want of memory. */
	int		 fds[IMSG_FDS_MAX];
	int		 nfds;
	struct imsg_out	*out_head, **out_tail;
	uint32_t	 out_n;
};

/* 0, or -1 with errno set. */
int	 imsgbuf_init(struct imsgbuf *, int);
/* Let this channel carry descriptors; without it one that comes is closed. */
void	 imsgbuf_allow_fdpass(struct imsgbuf *);
/* 1 read something, 0 the peer closed, -1 error; EAGAIN is 1. */
int	 imsgbuf_read(struct imsgbuf *);
/* Write what the socket takes.  0, or -1 with errno set; EAGAIN is 0. */
int	 imsgbuf_write(struct imsgbuf *);
/* Write everything, waiting for room, 5 s at most.  0, or -1 (ETIMEDOUT). */
int	 imsgbuf_flush(struct imsgbuf *);
/* Drop what is queued, close queued and unclaimed descriptors. */
void	 imsgbuf_clear(struct imsgbuf *);
/* Messages waiting to be written. */
uint32_t imsgbuf_queuelen(struct imsgbuf *);

/* > 0: a message was taken out, 0: none complete, -1: channel broken. */
ssize_t	 imsg_get(struct imsgbuf *, struct imsg *);
void	 imsg_free(struct imsg *);
/* Queue a message; fd -1 for none, else it is owned (closed once sent).
 * 1, or -1 with errno set, the descriptor then still being the caller's. */
int	 imsg_compose(struct imsgbuf *, uint32_t, uint32_t, pid_t, int,
	    const void *, size_t);
int	 imsg_composev(struct imsgbuf *, uint32_t, uint32_t, pid_t, int,
	    const struct iovec *, int);

uint32_t imsg_get_type(struct imsg *);
uint32_t imsg_get_id(struct imsg *);
size_t	 imsg_get_len(struct imsg *);		/* payload bytes */
/* Copy a payload of exactly that size.  0, or -1 on another size. */
int	 imsg_get_data(struct imsg *, void *, size_t);
/* Take the descriptor: the caller owns it then.  -1 for none. */
int	 imsg_get_fd(struct imsg *);
/* 1 if a descriptor is there to be taken, else 0. */
int	 imsg_has_fd(struct imsg *);

#endif
