/*
 * Small helpers for all programs: growing buffers, durable file writes,
 * time.
 */
#ifndef UPD_UTIL_H
#define UPD_UTIL_H

#include <sys/types.h>
#include <stddef.h>
#include <stdint.h>

/* A growing byte buffer; zero-initialised is empty.  Contents may be
 * binary; when data is not NULL, data[len] is always a NUL. */
struct buf {
	char	*data;
	size_t	 len;
	size_t	 cap;
};
int	 buf_add(struct buf *, const void *, size_t);	/* 0, or -1 ENOMEM */
int	 buf_printf(struct buf *, const char *, ...)
	    __attribute__((format(printf, 2, 3)));	/* 0, or -1 */
void	 buf_reset(struct buf *);	/* empty, memory kept */
void	 buf_free(struct buf *);	/* empty, memory released */

/* A ring that keeps the last `cap` bytes written; it takes the memory for
 * them as they come. */
struct tail {
	char	*data;
	size_t	 size;			/* bytes of memory */
	size_t	 cap;
	size_t	 pos;
	uint64_t total;			/* bytes ever written */
};
int	 tail_init(struct tail *, size_t);		/* 0, or -1 ENOMEM */
/* Bytes for which there is no memory are lost. */
void	 tail_add(struct tail *, const void *, size_t);
/* Copy the kept bytes in order, oldest first; NUL added.  Malloced, the
 * caller frees; *len without the NUL.  NULL with ENOMEM. */
char	*tail_get(const struct tail *, size_t *);
void	 tail_clear(struct tail *);
void	 tail_free(struct tail *);

/*
 * Replace dirfd/name by these bytes, durably: temporary file beside it
 * (".name.tmp", O_EXCL after an unlink), write, fsync, rename, fsync of
 * the directory.  0, or -1 with errno; the old file is then untouched and
 * the temporary one gone.
 */
int	 file_write(int, const char *, const void *, size_t, mode_t);
/* Remove what a kill has left of a write of that name. */
void	 file_untemp(int, const char *);
/* As file_write() for one of many: durable only after an fsync of the
 * directory. */
int	 file_replace(int, const char *, const void *, size_t, mode_t);
/* Read a whole regular file of at most `max` bytes with O_NOFOLLOW.
 * Malloced and NUL-terminated, or NULL with errno (EFBIG, EFTYPE as
 * EINVAL when it is no regular file). */
char	*file_read(int, const char *, size_t, size_t *);
/* fd's whole content up to max bytes by read(2) only (allowed in every
 * sandbox).  Malloced, NUL-terminated, or NULL with errno. */
char	*fd_read(int, size_t, size_t *);
/* 1 such an error of file_read() is of the file as it is; 0 it may be read at
 * another time (EIO, EMFILE, ENOMEM). */
int	 file_islasting(int);
/* Make dirfd/name a symlink to target atomically (".name.tmp" + rename).
 * The directory is not fsynced.  0, or -1 with errno. */
int	 link_swap(int, const char *, const char *);
/* write(2) until all is out or an error; 0, or -1. */
int	 write_all(int, const void *, size_t);

uint64_t time_mono_ms(void);		/* monotonic clock, milliseconds */
uint64_t time_mono_us(void);
int64_t	 time_real_us(void);		/* wall clock, microseconds */
/* "2026-04-18T21:40:21.123456+00:00" of wall microseconds; 40 bytes do. */
void	 time_iso(int64_t, char *, size_t);
/* "20260418T214021Z", for release ids; 20 bytes do. */
void	 time_compact(int64_t, char *, size_t);

/* Bytes as a person says them: "66.5 MB"; 16 bytes do. */
void	 fmt_bytes(uint64_t, char *, size_t);
int	 fd_nonblock(int);		/* 0, or -1 */
int	 fd_cloexec(int);		/* 0, or -1 */

#endif
