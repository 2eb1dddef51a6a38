/*
 * The manifest's parser, an input as a line and as a file: a line that is
 * accepted must come out of the formatter with the same meaning.
 */
/* LINK: updaterd/unpack/manifest.o updaterd/unpack/manifest_io.o common/proto.o common/util.o common/error.o common/log.o common/compat/imsg.o */
#include <sys/mman.h>

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "manifest.h"
#include "util.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
check_line(const char *p, size_t len)
{
	static struct manifest_entry	 a, b;
	static char			 line[MANIFEST_LINE_MAX + 1];
	size_t				 n;

	if (manifest_parse(p, len, &a) != NULL)
		return;
	n = manifest_format(&a, line);
	if (n == 0 || n > MANIFEST_LINE_MAX || line[n - 1] != '\n' ||
	    manifest_parse(line, n - 1, &b) != NULL)
		abort();
	if (a.type != b.type || a.mode != b.mode || a.size != b.size ||
	    strcmp(a.path, b.path) != 0 || strcmp(a.link, b.link) != 0 ||
	    memcmp(a.digest, b.digest, sizeof(a.digest)) != 0)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct manifest_entry	 e;
	struct manifest_reader		*r;
	const char			*why;
	char				*copy;
	int				 fd, n;

	/* of exactly that size: the sanitizer sees overruns */
	if ((copy = malloc(len + (len == 0))) == NULL)
		abort();
	memcpy(copy, data, len);
	check_line(copy, len);
	free(copy);

	if ((fd = memfd_create("manifest", MFD_CLOEXEC)) == -1 ||
	    write_all(fd, data, len) == -1 || lseek(fd, 0, SEEK_SET) == -1 ||
	    (r = manifest_reader_new(fd)) == NULL)
		abort();
	while ((n = manifest_read(r, &e, &why)) == 1)
		continue;
	if (n == -1 && why == NULL)
		abort();
	manifest_reader_free(r);
	close(fd);
	return 0;
}
