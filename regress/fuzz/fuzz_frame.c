/*
 * The strict reader of tar: an archive whole and block by block must come to
 * the same; then it goes through the reader to libarchive.  Header checksums
 * are put right first.
 */
/* LINK: updaterd/unpack/frame.o updaterd/unpack/pax.o updaterd/unpack/tarname.o updaterd/unpack/source.o updaterd/unpack/entry.o */
/* LIBS: -larchive */
#include <sys/mman.h>

#include <locale.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <archive_entry.h>

#include "source.h"

#define BUF_SIZE	(64 * 1024)
#define MAGIC		257
#define SUM		148

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

struct tally {
	enum upd_error	 error;
	uint64_t	 members;
	uint64_t	 sum;
};

static void
repair(uint8_t *p, size_t len)
{
	unsigned int	 sum, i;

	for (; len >= FRAME_BLOCK; p += FRAME_BLOCK, len -= FRAME_BLOCK) {
		if (memcmp(p + MAGIC, "ustar", 5) != 0)
			continue;
		memset(p + SUM, ' ', 8);
		for (sum = 0, i = 0; i < FRAME_BLOCK; i++)
			sum += p[i];
		snprintf((char *)p + SUM, 8, "%06o", sum);
		p[SUM + 7] = ' ';
	}
}

static void
read_frame(const uint8_t *p, size_t len, size_t step, struct tally *t)
{
	static struct frame	 f;
	size_t			 n;
	ssize_t			 used;
	int			 member;
	const char		*c;

	memset(t, 0, sizeof(*t));
	frame_init(&f);
	while (len >= FRAME_BLOCK) {
		n = len / FRAME_BLOCK * FRAME_BLOCK;
		if (n > step)
			n = step;
		used = frame_feed(&f, p, n, &member);
		if (used == -1) {
			t->error = f.error;
			if (f.error == UPD_OK || f.text[0] == '\0')
				abort();
			return;
		}
		if (used == 0 || used % FRAME_BLOCK != 0 || (size_t)used > n)
			abort();
		p += used;
		len -= (size_t)used;
		if (!member)
			continue;
		t->members++;
		t->sum = t->sum * 31 + f.m.size;
		for (c = f.m.path.s; *c != '\0'; c++)
			t->sum = t->sum * 31 + (uint8_t)*c;
		for (c = f.m.link.s; *c != '\0'; c++)
			t->sum = t->sum * 31 + (uint8_t)*c;
	}
	if (frame_finish(&f, p, len) == -1)
		t->error = f.error;
}

static void
read_both(const uint8_t *p, size_t len)
{
	static struct source		 src;
	static uint8_t			 buf[BUF_SIZE];
	struct archive			*a;
	struct archive_entry		*ae;
	const struct frame_member	*m;
	const void			*data;
	size_t				 n;
	la_int64_t			 off;
	int				 fd;

	if ((fd = memfd_create("tar", MFD_CLOEXEC)) == -1 ||
	    write(fd, p, len) != (ssize_t)len ||
	    lseek(fd, 0, SEEK_SET) == -1 ||
	    (a = archive_read_new()) == NULL ||
	    archive_read_support_format_tar(a) != ARCHIVE_OK)
		abort();
	source_init(&src, fd, buf, sizeof(buf));
	if (archive_read_open(a, &src, NULL, source_read, NULL) == ARCHIVE_OK)
		while (archive_read_next_header(a, &ae) == ARCHIVE_OK) {
			if ((m = source_member(&src)) == NULL)
				break;
			if (m->type == '0' &&
			    (uint64_t)archive_entry_size(ae) != m->size)
				break;	/* extract.c refuses it */
			while (archive_read_data_block(a, &data, &n, &off) ==
			    ARCHIVE_OK)
				continue;
		}
	archive_read_free(a);
	close(fd);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static int	 ready;
	struct tally	 a, b;
	uint8_t		*p;

	if (!ready)
		ready = setlocale(LC_CTYPE, "C.UTF-8") != NULL;
	if ((p = malloc(len + (len == 0))) == NULL)
		abort();
	memcpy(p, data, len);
	repair(p, len);
	read_frame(p, len, SIZE_MAX, &a);
	read_frame(p, len, FRAME_BLOCK, &b);
	if (memcmp(&a, &b, sizeof(a)) != 0)
		abort();
	read_both(p, len);
	free(p);
	return 0;
}
