/*
 * What a service writes: the channel, the log file, the last bytes.
 */
#ifndef UPD_LOGFILE_H
#define UPD_LOGFILE_H

#include <sys/types.h>
#include <event.h>
#include <stdint.h>

#include "util.h"

#define CAPTURE_TAIL	65536	/* bytes kept in memory */
#define CAPTURE_PIPE	1048576	/* bytes wanted in the channel */

/* A log file that is rotated by size. */
struct logfile {
	char		*path;		/* NULL: none */
	const char	*base;		/* its last component */
	int		 dirfd;		/* its directory, or -1 */
	int		 fd;		/* or -1: not open now */
	uint64_t	 size;		/* bytes in it */
	uint64_t	 max;		/* bytes, then it is rotated */
	uint32_t	 keep;		/* old files */
	uint64_t	 dropped;	/* bytes that could not be written */
	uint64_t	 retry_at;	/* monotonic ms of the next attempt */
};
void	 logfile_init(struct logfile *);
/* Use that file from now on; NULL: none.  0, or -1 ENOMEM. */
int	 logfile_set(struct logfile *, const char *, uint64_t, uint32_t);
/* Append; never fails: what cannot be written is counted, and said once. */
void	 logfile_write(struct logfile *, const char *, size_t);
/* Open it again at the next write. */
void	 logfile_reopen(struct logfile *);
/* Open it again at once (USR1): a tool that moved it away looks for it. */
void	 logfile_renew(struct logfile *);
void	 logfile_free(struct logfile *);

/* The channel of one service. */
struct capture {
	struct event	 ev;
	int		 fd;		/* FIFO, ours, or -1 */
	int		 dirfd;		/* directory it is in, not ours */
	struct tail	 tail;
	struct logfile	 file;
};

/*
 * Open dirfd/name for reading as a FIFO that never comes to its end; made
 * (0600) where missing, and in the place of anything else.  -1 with errno.
 */
int	 fifo_open(int, const char *);
/* A blocking descriptor on it for a service.  -1 with errno. */
int	 fifo_writer(int, const char *);

/* 0, or -1 ENOMEM.  The log file stays to be set. */
int	 capture_init(struct capture *);
/* Begin to read dirfd/log.  0, or -1 with errno. */
int	 capture_open(struct capture *, int);
/* A descriptor for the service to write to.  -1 with errno. */
int	 capture_writer(struct capture *);
/* Take what is in the channel now, at most what it can hold. */
void	 capture_drain(struct capture *);
/* Let go of the channel; it may be opened again. */
void	 capture_close(struct capture *);
void	 capture_free(struct capture *);

#endif
