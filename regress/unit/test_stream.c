/*
 * stream.c and the deflate backend: the same result however the input is
 * cut, and damage anywhere is seen.
 */
/* LINK: common/compat/osproc-linux.o updaterd/inflate/ahead.o updaterd/inflate/stream.o updaterd/inflate/signify.o common/relkey.o updaterd/inflate/gzip.o updaterd/inflate/unzstd.o updaterd/inflate/deflate_zlib.o common/error.o */
/* LIBS: -lz -lzstd -lcrypto */
#include <sys/wait.h>

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <zlib.h>
#include <zstd.h>

#include "stream.h"

#define TAR_SIZE	4096
#define BIG_SIZE	(3 * 1024 * 1024 + 17)
#define UNLIMITED	UINT64_MAX

static uint8_t	tar[TAR_SIZE], *big, *packed;

/* gzip as gzip(1) makes it. */
static size_t
pack_gzip(const uint8_t *p, size_t n, uint8_t *out, size_t size)
{
	z_stream	 z;

	memset(&z, 0, sizeof(z));
	assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, MAX_WBITS + 16, 8,
	    Z_DEFAULT_STRATEGY), Z_OK);
	z.next_in = (Bytef *)(uintptr_t)p;
	z.avail_in = (uInt)n;
	z.next_out = out;
	z.avail_out = (uInt)size;
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	n = z.total_out;
	deflateEnd(&z);
	return n;
}

/* Of the last run: what was told while it went on. */
static uint64_t	 told_in, told_out;

static void
moved(void *arg, const struct stream_result *res)
{
	assert_true(res->in >= told_in && res->out >= told_out);
	told_in = res->in;
	told_out = res->out;
}

/* Run on these bytes, written to the pipe in steps; the output comes back
 * in *out, of `size` bytes. */
static enum upd_error
run(const uint8_t *p, size_t n, size_t step, uint64_t max, uint8_t *out,
    size_t size, struct stream_result *res)
{
	struct stream	*s;
	enum upd_error	 error;
	char		 name[] = "/tmp/test_stream.XXXXXX";
	size_t		 m;
	pid_t		 pid;
	int		 fd[2], outfd;

	assert_int_equal(pipe(fd), 0);
	if ((pid = fork()) == 0) {
		close(fd[0]);
		signal(SIGPIPE, SIG_DFL);
		for (; n > 0; p += m, n -= m) {
			m = n < step ? n : step;
			if (write(fd[1], p, m) != (ssize_t)m)
				_exit(1);
			/* no two writes in one read */
			if (step < n)
				usleep(200);
		}
		_exit(0);
	}
	assert_true(pid > 0);
	close(fd[1]);
	outfd = mkstemp(name);
	assert_int_not_equal(outfd, -1);
	unlink(name);
	s = stream_new(1);
	assert_non_null(s);
	told_in = told_out = 0;
	stream_watch(s, moved, NULL);
	error = stream_run(s, fd[0], outfd, max, res);
	assert_true(told_in == res->in && told_out == res->out);
	stream_free(s);
	close(fd[0]);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	if (out != NULL) {
		assert_true(res->out <= size);
		assert_int_equal(pread(outfd, out, size, 0),
		    (ssize_t)res->out);
	}
	close(outfd);
	return error;
}

static int
setup(void **state)
{
	uint32_t	 x = 1;
	size_t		 i;

	big = malloc(BIG_SIZE);
	packed = malloc(2 * BIG_SIZE);
	for (i = 0; i < BIG_SIZE; i++) {
		x = x * 1664525 + 1013904223;
		big[i] = i / 4096 % 2 ? (uint8_t)(x >> 24) : (uint8_t)(i >> 6);
	}
	memcpy(tar, "name", 4);
	for (i = 512; i < TAR_SIZE; i++)
		tar[i] = (uint8_t)(i * i >> 7);
	return 0;
}

static int
teardown(void **state)
{
	free(big);
	free(packed);
	return 0;
}

static void
sizes(void **state)
{
	static const size_t	 lens[] = { 0, 1, 511, 512, 513, 262143,
				    262144, 262145, 524288, BIG_SIZE };
	struct stream_result	 res;
	uint8_t			*out = malloc(BIG_SIZE);
	size_t			 i, n;

	for (i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
		n = pack_gzip(big, lens[i], packed, 2 * BIG_SIZE);
		assert_int_equal(run(packed, n, n, UNLIMITED, out, BIG_SIZE,
		    &res), UPD_OK);
		assert_int_equal(res.format, FORMAT_GZIP);
		assert_true(res.in == n && res.out == lens[i]);
		assert_memory_equal(out, big, lens[i]);
		n = ZSTD_compress(packed, 2 * BIG_SIZE, big, lens[i], 3);
		assert_int_equal(run(packed, n, n, UNLIMITED, out, BIG_SIZE,
		    &res), UPD_OK);
		assert_int_equal(res.format, FORMAT_ZSTD);
		assert_true(res.out == lens[i]);
		assert_memory_equal(out, big, lens[i]);
		if (lens[i] == 0)
			continue;
		assert_int_equal(run(big, lens[i], lens[i], UNLIMITED, out,
		    BIG_SIZE, &res), UPD_OK);
		assert_int_equal(res.format, FORMAT_TAR);
		assert_true(res.out == lens[i]);
		assert_memory_equal(out, big, lens[i]);
	}
	free(out);
}

static void
split(void **state)
{
	static const uint8_t	 digest0[UPD_DIGEST_LEN];
	struct stream_result	 res;
	uint8_t			 out[TAR_SIZE], p[2 * TAR_SIZE];
	uint8_t			 digest[UPD_DIGEST_LEN];
	size_t			 n, step;

	n = pack_gzip(tar, TAR_SIZE, p, sizeof(p));
	for (step = n; step > 0; step = step > 64 ? step / 2 : step - 21) {
		assert_int_equal(run(p, n, step, UNLIMITED, out, TAR_SIZE,
		    &res), UPD_OK);
		assert_memory_equal(out, tar, TAR_SIZE);
		if (step == n)
			memcpy(digest, res.digest, sizeof(digest));
		assert_memory_equal(digest, res.digest, sizeof(digest));
		if (step < 21)
			break;
	}
	assert_memory_not_equal(digest, digest0, sizeof(digest));
}

/*
 * Cut anywhere it is refused; with any bit turned over, refused or without
 * effect: there are bits of no consequence, such as the code of a symbol
 * that never comes.
 */
static void
damage(void **state)
{
	struct stream_result	 res;
	uint8_t			 p[2 * TAR_SIZE], q[2 * TAR_SIZE];
	uint8_t			 out[TAR_SIZE];
	size_t			 n, i;

	n = pack_gzip(tar, 700, p, sizeof(p));
	for (i = 2; i < n; i++)
		assert_int_equal(run(p, i, i, UNLIMITED, NULL, 0, &res),
		    UPD_ECOMPRESS);
	for (i = 0; i < n * 8; i++) {
		memcpy(q, p, n);
		q[i / 8] ^= (uint8_t)(1 << i % 8);
		if (run(q, n, n, UNLIMITED, out, sizeof(out), &res) == UPD_OK &&
		    res.format == FORMAT_GZIP &&
		    (res.out != 700 || memcmp(out, tar, 700) != 0))
			fail_msg("bit %zu of %zu bytes", i, n);
	}
}

static void
limit(void **state)
{
	struct stream_result	 res;
	size_t			 n;
	int			 z;

	for (z = 0; z < 3; z++) {
		if (z == 0)
			n = pack_gzip(big, BIG_SIZE, packed, 2 * BIG_SIZE);
		else if (z == 1)
			n = ZSTD_compress(packed, 2 * BIG_SIZE, big, BIG_SIZE,
			    1);
		else
			memcpy(packed, big, n = BIG_SIZE);
		assert_int_equal(run(packed, n, n, BIG_SIZE, NULL, 0, &res),
		    UPD_OK);
		assert_int_equal(run(packed, n, n, BIG_SIZE - 1, NULL, 0,
		    &res), UPD_ELIMIT);
		assert_true(res.out < BIG_SIZE);
		assert_int_equal(run(packed, n, n, 1, NULL, 0, &res),
		    UPD_ELIMIT);
		assert_true(res.out <= 1);
		assert_int_equal(run(packed, n, n, 0, NULL, 0, &res),
		    UPD_ELIMIT);
	}
}

/* What is wrong at the end is found before the last piece goes out. */
static void
held_back(void **state)
{
	struct stream_result	 res;
	uint8_t			 p[2 * TAR_SIZE];
	size_t			 n;

	n = pack_gzip(tar, TAR_SIZE, p, sizeof(p));
	p[n - 5] ^= 1;
	assert_int_equal(run(p, n, n, UNLIMITED, NULL, 0, &res),
	    UPD_ECOMPRESS);
	assert_true(res.out == 0);
	p[n - 5] ^= 1;
	p[n] = 0;
	assert_int_equal(run(p, n + 1, n + 1, UNLIMITED, NULL, 0, &res),
	    UPD_ETRAILING);
	assert_true(res.out == 0);
}

/* Only the first bytes say what it is: a file in a tar may be packed. */
static void
packed_inside(void **state)
{
	struct stream_result	 res;
	size_t			 at, n;

	for (at = 256 * 1024; at < BIG_SIZE; at += 256 * 1024)
		memcpy(big + at, "\x1f\x8b\x08", 3);
	n = pack_gzip(big, BIG_SIZE, packed, 2 * BIG_SIZE);
	assert_int_equal(run(packed, n, n, UNLIMITED, NULL, 0, &res), UPD_OK);
	assert_true(res.out == BIG_SIZE);
	memcpy(big, "\x1f\x8b\x08", 3);
	n = pack_gzip(big, BIG_SIZE, packed, 2 * BIG_SIZE);
	assert_int_equal(run(packed, n, n, UNLIMITED, NULL, 0, &res),
	    UPD_ENESTED);
	assert_true(res.out == 0);
}

static void
broken_pipe(void **state)
{
	struct stream_result	 res;
	struct stream		*s;
	int			 in, out[2];

	signal(SIGPIPE, SIG_IGN);
	in = open("/dev/zero", O_RDONLY);
	assert_int_equal(pipe(out), 0);
	close(out[0]);
	s = stream_new(0);
	assert_int_equal(stream_run(s, in, out[1], UNLIMITED, &res),
	    UPD_ECHILD);
	stream_free(s);
	close(in);
	s = stream_new(0);
	assert_int_equal(stream_run(s, -1, out[1], UNLIMITED, &res), UPD_EIO);
	assert_true(res.sys_errno != 0);
	stream_free(s);
	close(out[1]);
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test(sizes),
		cmocka_unit_test(split),
		cmocka_unit_test(damage),
		cmocka_unit_test(limit),
		cmocka_unit_test(held_back),
		cmocka_unit_test(packed_inside),
		cmocka_unit_test(broken_pipe)
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, setup, teardown);
}
