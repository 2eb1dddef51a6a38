/*
 * What all modes of unpack need: noting a failure for the parent, counting
 * entries, hashing a file.
 */
#include <sys/types.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "entry.h"
#include "unpack.h"

enum upd_error
unpack_fail(struct unpack *u, enum upd_error error, const char *path,
    const char *fmt, ...)
{
	va_list	 ap;

	u->fail.error = error;
	u->fail.sys_errno = 0;
	va_start(ap, fmt);
	vsnprintf(u->fail.text, sizeof(u->fail.text), fmt, ap);
	va_end(ap);
	entry_escape(path, u->fail.path, sizeof(u->fail.path));
	return error;
}

enum upd_error
unpack_fail_errno(struct unpack *u, const char *path, const char *what)
{
	int		 saved = errno;
	enum upd_error	 error = UPD_EIO;

	if (saved == ENOSPC || saved == EDQUOT)
		error = UPD_ENOSPACE;
	else if (saved == EFBIG)	/* RLIMIT_FSIZE */
		error = UPD_ELIMIT;
	unpack_fail(u, error, path, "%s: %s", what, strerror(saved));
	u->fail.sys_errno = saved;
	return error;
}

enum upd_error
unpack_count(struct unpack *u, const char *path)
{
	if (u->done.entries >= u->limits.max_files)
		return unpack_fail(u, UPD_ELIMIT, path,
		    "more than %u entries", u->limits.max_files);
	u->done.entries++;
	return UPD_OK;
}

enum upd_error
unpack_hash(struct unpack *u, int fd, const char *path, uint64_t *size,
    uint8_t *digest)
{
	ssize_t	 n;

	*size = 0;
	if (!EVP_DigestInit_ex(u->md, NULL, NULL))
		return unpack_fail(u, UPD_EIO, path, "sha256 failed");
	while ((n = read(fd, u->buf, UNPACK_BUF)) != 0) {
		if (n == -1) {
			if (errno == EINTR)
				continue;
			return unpack_fail_errno(u, path, "read file");
		}
		if (!EVP_DigestUpdate(u->md, u->buf, (size_t)n))
			return unpack_fail(u, UPD_EIO, path, "sha256 failed");
		*size += (uint64_t)n;
	}
	if (!EVP_DigestFinal_ex(u->md, digest, NULL))
		return unpack_fail(u, UPD_EIO, path, "sha256 failed");
	return UPD_OK;
}
