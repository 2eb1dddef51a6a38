/*
 * The decompressing stream, with a limit of 1 MiB: no more than that may
 * come out, and what is accepted must be the whole input.
 */
/* LINK: common/compat/osproc-linux.o updaterd/inflate/ahead.o updaterd/inflate/stream.o updaterd/inflate/signify.o common/relkey.o updaterd/inflate/gzip.o updaterd/inflate/unzstd.o updaterd/inflate/deflate_zlib.o common/error.o */
/* LIBS: -lz -lzstd -lcrypto */
#include <sys/mman.h>

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "stream.h"

#define OUTPUT_MAX	(1024 * 1024)	/* bytes */

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct stream_result	 res;
	struct stream		*s;
	enum upd_error		 error;
	int			 in, out;

	if ((in = memfd_create("in", MFD_CLOEXEC)) == -1 ||
	    (out = memfd_create("out", MFD_CLOEXEC)) == -1 ||
	    write(in, data, len) != (ssize_t)len ||
	    lseek(in, 0, SEEK_SET) == -1 || (s = stream_new(1)) == NULL)
		abort();
	error = stream_run(s, in, out, OUTPUT_MAX, &res);
	if (res.out > OUTPUT_MAX || res.in > len ||
	    lseek(out, 0, SEEK_END) != (off_t)res.out)
		abort();
	if (error == UPD_OK ? res.in != len : res.text[0] == '\0')
		abort();
	stream_free(s);
	close(in);
	close(out);
	return 0;
}
