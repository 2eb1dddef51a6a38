/*
 * manifest.c and manifest_io.c: mtree lines there and back, damage seen.
 */
/* LINK: updaterd/unpack/manifest.o updaterd/unpack/manifest_io.o common/proto.o common/util.o common/error.o common/log.o common/compat/imsg.o */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "manifest.h"
#include "util.h"

#define DIGEST	"000102030405060708090a0b0c0d0e0f" \
		"101112131415161718191a1b1c1d1e1f"

static char	line[MANIFEST_LINE_MAX + 1];

static struct manifest_entry *
entry(enum manifest_type type, const char *path)
{
	static struct manifest_entry	 e;
	int				 i;

	memset(&e, 0, sizeof(e));
	e.type = type;
	e.mode = type == MANIFEST_LINK ? 0777 : 0755;
	strlcpy(e.path, path, sizeof(e.path));
	for (i = 0; type == MANIFEST_FILE && i < UPD_DIGEST_LEN; i++)
		e.digest[i] = (uint8_t)i;
	return &e;
}

static void
format(void **state)
{
	struct manifest_entry	*e;
	size_t			 n;

	e = entry(MANIFEST_DIR, "");
	n = manifest_format(e, line);
	assert_int_equal(n, strlen(line));
	assert_string_equal(line, ". type=dir mode=0755\n");
	e = entry(MANIFEST_FILE, "bin/a b#\\=\xc3\xa9");
	e->size = 123;
	manifest_format(e, line);
	assert_string_equal(line, "./bin/a\\040b\\043\\134\\075\\303\\251 "
	    "type=file mode=0755 size=123 sha256digest=" DIGEST "\n");
	e = entry(MANIFEST_LINK, "l");
	strlcpy(e->link, "../a b", sizeof(e->link));
	manifest_format(e, line);
	assert_string_equal(line,
	    "./l type=link mode=0777 link=../a\\040b\n");
}

static void
round_trip(void **state)
{
	struct manifest_entry	 got, *e;
	size_t			 n;
	int			 i, c;

	for (i = 0; i < MANIFEST__MAX; i++) {
		e = entry((enum manifest_type)i, "");
		/* every byte there is, in a path of the greatest length */
		for (n = 0, c = 1; n < UPD_PATH_SIZE - 1; n++) {
			e->path[n] = (char)c;
			c = c == 255 ? 1 : c + 1;
			if (e->path[n] == '/')
				e->path[n] = 'x';
		}
		if (i == MANIFEST_LINK)
			memset(e->link, 1, sizeof(e->link) - 1);
		if (i == MANIFEST_FILE)
			e->size = INT64_MAX;
		n = manifest_format(e, line);
		assert_true(n <= MANIFEST_LINE_MAX);
		assert_int_equal(line[n - 1], '\n');
		memset(&got, 0xa5, sizeof(got));
		assert_null(manifest_parse(line, n - 1, &got));
		assert_int_equal(got.type, e->type);
		assert_int_equal(got.mode, e->mode);
		assert_true(got.size == e->size);
		assert_string_equal(got.path, e->path);
		assert_string_equal(got.link, e->link);
		assert_memory_equal(got.digest, e->digest, UPD_DIGEST_LEN);
	}
}

static void
refused(void **state)
{
	static const char *const	t[] = {
		"", ".", "./a", " type=dir mode=0755",
		"a type=dir mode=0755", "/a type=dir mode=0755",
		"./ type=dir mode=0755", ".. type=dir mode=0755",
		"./../a type=dir mode=0755", "./a/.. type=dir mode=0755",
		"./a/ type=dir mode=0755", "./a//b type=dir mode=0755",
		"./. type=dir mode=0755", "./a/./b type=dir mode=0755",
		"./a\\000b type=dir mode=0755", "./a\\9 type=dir mode=0755",
		"./a\\400 type=dir mode=0755", "./a\\04 type=dir mode=0755",
		"./a#b type=dir mode=0755", "./a\tb type=dir mode=0755",
		"./a type=dir", "./a mode=0755", "./a type=dir mode=",
		"./a type=dir mode=0888", "./a type=dir mode=17777",
		"./a type=dir mode=0755 mode=0755", "./a type=dir mode=0755 ",
		"./a type=dir  mode=0755", "./a type=dir mode=0755 size=1",
		"./a type=dir mode=0755 nlink=2", "./a type=fifo mode=0755",
		"./a type=dir mode=0755 link=x", "./a type=link mode=0777",
		"./a type=link mode=0777 link=", "./a type mode=0755",
		"./a type=file mode=0644 size=1",
		"./a type=file mode=0644 sha256digest=" DIGEST,
		"./a type=file mode=0644 size=-1 sha256digest=" DIGEST,
		"./a type=file mode=0644 size=9223372036854775808 "
		    "sha256digest=" DIGEST,
		"./a type=file mode=0644 size=1 sha256digest=" DIGEST "0",
		"./a type=file mode=0644 size=1 sha256digest=0A0102030405060708"
		    "090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
		"./a type=file mode=0644 size=1 sha256digest="
	};
	struct manifest_entry	 e;
	size_t			 i;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++)
		if (manifest_parse(t[i], strlen(t[i]), &e) == NULL)
			fail_msg("accepted: %s", t[i]);
	/* a NUL is no byte of a line either */
	assert_non_null(manifest_parse("./a\0b type=dir mode=0755", 24, &e));
	assert_null(manifest_parse("./a mode=0755 type=dir", 22, &e));
}

static void
too_long(void **state)
{
	struct manifest_entry	 e;
	char			 p[2 * MANIFEST_LINK_SIZE];
	int			 n;

	memset(p, 'x', sizeof(p));
	memcpy(p, "./", 2);
	n = 2 + UPD_PATH_SIZE - 1;
	memcpy(p + n, " type=dir mode=0755", 20);
	assert_null(manifest_parse(p, strlen(p), &e));
	memset(p + n, 'x', 20);
	memcpy(p + n + 1, " type=dir mode=0755", 20);
	assert_non_null(manifest_parse(p, strlen(p), &e));
}

static int
scratch(const char *text, size_t len)
{
	char	 name[] = "/tmp/test_manifest.XXXXXX";
	int	 fd;

	fd = mkstemp(name);
	assert_int_not_equal(fd, -1);
	unlink(name);
	assert_int_equal(write_all(fd, text, len), 0);
	lseek(fd, 0, SEEK_SET);
	return fd;
}

static void
io(void **state)
{
	struct manifest_writer	*w;
	struct manifest_reader	*r;
	struct manifest_entry	 e;
	const char		*why;
	char			 path[64];
	int			 fd, i;

	/* enough for several buffers */
	fd = scratch("", 0);
	w = manifest_writer_new(fd);
	assert_int_equal(manifest_write(w, entry(MANIFEST_DIR, "")), 0);
	for (i = 0; i < 20000; i++) {
		snprintf(path, sizeof(path), "file %d", i);
		assert_int_equal(manifest_write(w,
		    entry(MANIFEST_FILE, path)), 0);
	}
	assert_int_equal(manifest_flush(w), 0);
	manifest_writer_free(w);
	lseek(fd, 0, SEEK_SET);
	r = manifest_reader_new(fd);
	assert_int_equal(manifest_read(r, &e, &why), 1);
	assert_string_equal(e.path, "");
	for (i = 0; i < 20000; i++) {
		assert_int_equal(manifest_read(r, &e, &why), 1);
		snprintf(path, sizeof(path), "file %d", i);
		assert_string_equal(e.path, path);
	}
	assert_int_equal(manifest_read(r, &e, &why), 0);
	assert_int_equal(manifest_lineno(r), 20002);
	manifest_reader_free(r);
	close(fd);
	w = manifest_writer_new(-1);
	assert_int_equal(manifest_flush(w), -1);
	manifest_writer_free(w);
}

static void
damaged(void **state)
{
	static const struct {
		const char	*text;
		int		 good;	/* entries before the damage */
	} t[] = {
		{ "", 0 }, { "#mtree", 0 }, { "# mtree\n", 0 },
		{ "#mtree\n. type=dir mode=0755", 0 },
		{ "#mtree\n. type=dir mode=0755\n\n", 1 },
		{ "#mtree\n. type=dir mode=0755\n./a type=di", 1 },
		{ "#mtree\n. type=dir mode=0755\n#comment\n", 1 },
		{ "#mtree v2.0\n. type=dir mode=0755\n", 0 }
	};
	struct manifest_reader	*r;
	struct manifest_entry	 e;
	const char		*why;
	char			*big;
	size_t			 i;
	int			 fd, n;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		fd = scratch(t[i].text, strlen(t[i].text));
		r = manifest_reader_new(fd);
		for (n = 0; n < t[i].good; n++)
			assert_int_equal(manifest_read(r, &e, &why), 1);
		why = NULL;
		assert_int_equal(manifest_read(r, &e, &why), -1);
		assert_non_null(why);
		manifest_reader_free(r);
		close(fd);
	}
	/* a line without end */
	big = malloc(1024 * 1024);
	memset(big, 'x', 1024 * 1024);
	memcpy(big, MANIFEST_HEAD, sizeof(MANIFEST_HEAD) - 1);
	fd = scratch(big, 1024 * 1024);
	r = manifest_reader_new(fd);
	assert_int_equal(manifest_read(r, &e, &why), -1);
	assert_string_equal(why, "line too long");
	manifest_reader_free(r);
	close(fd);
	free(big);
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test(format),
		cmocka_unit_test(round_trip),
		cmocka_unit_test(refused),
		cmocka_unit_test(too_long),
		cmocka_unit_test(io),
		cmocka_unit_test(damaged)
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
