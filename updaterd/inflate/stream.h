/*
 * From the compressed bytes on one descriptor to tar bytes on another.
 */
#ifndef UPD_STREAM_H
#define UPD_STREAM_H

#include <sys/types.h>
#include <stdint.h>

#include "error.h"
#include "proto.h"
#include "signify.h"

struct stream;

struct stream_result {
	uint64_t		 in;		/* bytes read */
	uint64_t		 out;		/* bytes passed on */
	enum archive_format	 format;
	int			 sys_errno;	/* of a failure, or 0 */
	char			 text[UPD_TEXT_SIZE];	/* of a failure */
	uint8_t			 digest[UPD_DIGEST_LEN]; /* if asked */
	uint32_t		 signer;	/* 1 + number of the key; 0 */
	int64_t			 signed_at;	/* seconds since 1970 */
};

/*
 * Allocate all that is needed: buffers, decompressors and, with `hash`, a
 * SHA-256 context (libcrypto reads its configuration file here: call it
 * before the sandbox).  NULL with errno.  The caller frees it.
 */
struct stream	*stream_new(int);
void		 stream_free(struct stream *);
/* Take nothing that this one does not find signed; it stays the caller's,
 * who frees it behind the stream.  0, or -1 with errno. */
int		 stream_verify(struct stream *, struct signify *);
/* Make the threads that are needed, if any: before stream_run(), and before
 * this is forbidden (ahead.h).  0, or -1 with errno. */
int		 stream_thread(struct stream *);
/* Call fn(arg, result so far) after each read and each write. */
void		 stream_watch(struct stream *,
		    void (*)(void *, const struct stream_result *), void *);
/*
 * Read `in` to its end, write at most `max` bytes to `out`; blocks; used
 * once.  UPD_OK when everything was good and has been written.
 */
enum upd_error	 stream_run(struct stream *, int, int, uint64_t,
		    struct stream_result *);

#endif
