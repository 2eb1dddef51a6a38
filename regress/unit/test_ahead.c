/*
 * ahead.c: every byte comes once, in order, in blocks; what ends, ends for
 * good; and a thread that nobody wants any more goes away.  The judge is one
 * of our own: a block that begins with 0xff is bad, 0xfe cannot be hashed.
 */
/* LINK: updaterd/inflate/ahead.o */
/* LIBS: -lcrypto -lpthread */
#include <sys/types.h>
#include <sys/wait.h>

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "ahead.h"

#define BIG	(5 * 1024 * 1024 + 12345)	/* bytes: the ring, often */

struct signify {
	uint64_t	 want;		/* bytes of all blocks */
	uint64_t	 good;
	int		 blocks;
};

static uint8_t	*data;
static int	 alone;		/* without a thread */

EVP_MD_CTX *
signify_hasher(void)
{
	return EVP_MD_CTX_new();
}

int
signify_hash(EVP_MD_CTX *md, const uint8_t *p, size_t len,
    uint8_t hash[SIGNED_HASH_LEN])
{
	hash[0] = p[0];
	return p[0] == 0xfe ? -1 : 0;
}

enum signify_verdict
signify_block(struct signify *s, const uint8_t hash[SIGNED_HASH_LEN],
    size_t len)
{
	s->blocks++;
	s->good += len;
	return hash[0] == 0xff ? SIGNIFY_BAD : SIGNIFY_GOOD;
}

enum signify_verdict
signify_end(struct signify *s)
{
	return s->good == s->want ? SIGNIFY_GOOD : SIGNIFY_BAD;
}

static int
setup(void **state)
{
	size_t	 i;

	if ((data = malloc(BIG)) == NULL)
		return -1;
	for (i = 0; i < BIG; i++)
		data[i] = (uint8_t)(i * 31 + (i >> 16) * 7) & 0x7f;
	return 0;
}

static int
teardown(void **state)
{
	free(data);
	return 0;
}

/* A process that writes n bytes in pieces of step. */
static pid_t
feed(int fd[2], const uint8_t *p, size_t n, size_t step)
{
	size_t	 m;
	pid_t	 pid;

	assert_int_equal(pipe(fd), 0);
	if ((pid = fork()) == 0) {
		close(fd[0]);
		for (; n > 0; p += m, n -= m) {
			m = n < step ? n : step;
			if (write(fd[1], p, m) != (ssize_t)m)
				_exit(1);
		}
		_exit(0);
	}
	assert_true(pid > 0);
	close(fd[1]);
	return pid;
}

static struct ahead *
begin(struct signify *sig, int fd, EVP_MD_CTX *md, size_t rest)
{
	struct ahead	*a = ahead_new(sig);

	assert_non_null(a);
	if (!alone)
		assert_int_equal(ahead_thread(a), 0);
	ahead_start(a, fd, md, data, rest);
	return a;
}

/* The next block or end; all that was read is counted. */
static enum ahead_verdict
next(struct ahead *a, const uint8_t **p, size_t *n, uint64_t *in)
{
	enum ahead_verdict	 v;
	uint64_t		 was = *in;

	while ((v = ahead_next(a, p, n, in)) == AHEAD_MOVED) {
		assert_true(*in > was);
		was = *in;
	}
	assert_true(*in >= was);
	return v;
}

static void
whole(size_t len, size_t rest, size_t step)
{
	struct signify		 sig = { len, 0, 0 };
	struct ahead		*a;
	enum ahead_verdict	 v;
	const uint8_t		*p;
	uint64_t		 in = 0;
	size_t			 n, at = 0;
	pid_t			 pid;
	int			 fd[2];

	pid = feed(fd, data + rest, len - rest, step);
	a = begin(&sig, fd[0], NULL, rest);
	while ((v = next(a, &p, &n, &in)) == AHEAD_BLOCK) {
		assert_true(n == SIGNED_BLOCK || at + n == len);
		assert_true(n > 0 && n <= len - at);
		assert_memory_equal(p, data + at, n);
		at += n;
	}
	assert_int_equal(v, AHEAD_END);
	assert_int_equal(at, len);
	assert_int_equal(in, len - rest);
	assert_int_equal(sig.blocks, (len + SIGNED_BLOCK - 1) / SIGNED_BLOCK);
	assert_int_equal(ahead_next(a, &p, &n, &in), AHEAD_END);
	ahead_free(a);
	close(fd[0]);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void
test_whole(void **state)
{
	static const size_t	 lens[] = { 0, 1, SIGNED_BLOCK - 1,
		SIGNED_BLOCK, SIGNED_BLOCK + 1, 8 * SIGNED_BLOCK,
		16 * SIGNED_BLOCK, 16 * SIGNED_BLOCK + 1, BIG };
	static const size_t	 rests[] = { 0, 1, SIGNED_BLOCK,
		SIGNED_BLOCK + 77, AHEAD_REST_MAX };
	size_t			 i, j;

	for (i = 0; i < sizeof(lens) / sizeof(lens[0]); i++)
		for (j = 0; j < sizeof(rests) / sizeof(rests[0]); j++)
			if (rests[j] <= lens[i]) {
				whole(lens[i], rests[j], BIG);
				whole(lens[i], rests[j], 7001);
			}
	whole(3000, 0, 1);
}

/* All at once: a file gives as much as is asked for, where a pipe gives what
 * it holds. */
static void
test_file(void **state)
{
	struct signify	 sig = { BIG, 0, 0 };
	struct ahead	*a;
	const uint8_t	*p;
	uint64_t	 in = 0;
	size_t		 n, at = 0;
	FILE		*f = tmpfile();

	assert_non_null(f);
	assert_int_equal(fwrite(data + 100, 1, BIG - 100, f), BIG - 100);
	rewind(f);
	alarm(60);		/* a deadlock ends here */
	a = begin(&sig, fileno(f), NULL, 100);
	for (; next(a, &p, &n, &in) == AHEAD_BLOCK; at += n)
		assert_memory_equal(p, data + at, n);
	alarm(0);
	assert_int_equal(at, BIG);
	ahead_free(a);
	fclose(f);
}

/* Bytes that make no block yet are told of: a slow push is seen to move. */
static void
test_moved(void **state)
{
	struct signify	 sig = { 10, 0, 0 };
	struct ahead	*a;
	const uint8_t	*p;
	uint64_t	 in = 0;
	size_t		 n;
	int		 fd[2], i;

	assert_int_equal(pipe(fd), 0);
	a = begin(&sig, fd[0], NULL, 0);
	for (i = 1; i <= 10; i++) {
		assert_int_equal(write(fd[1], data + i - 1, 1), 1);
		assert_int_equal(ahead_next(a, &p, &n, &in), AHEAD_MOVED);
		assert_int_equal(in, i);
	}
	close(fd[1]);
	assert_int_equal(next(a, &p, &n, &in), AHEAD_BLOCK);
	assert_int_equal(n, 10);
	assert_int_equal(next(a, &p, &n, &in), AHEAD_END);
	ahead_free(a);
	close(fd[0]);
}

/* What is good comes before what is bad, and nothing behind it. */
static void
test_bad(void **state)
{
	struct signify		 sig = { BIG, 0, 0 };
	struct ahead		*a;
	const uint8_t		*p;
	uint64_t		 in;
	size_t			 n;
	pid_t			 pid;
	int			 fd[2], bad, got, end;

	for (bad = 0; bad <= 80; bad += 8) {
		memset(&sig, 0, sizeof(sig));
		data[(size_t)bad * SIGNED_BLOCK] = 0xff;
		pid = feed(fd, data, BIG, BIG);
		a = begin(&sig, fd[0], NULL, 0);
		in = 0;
		for (got = 0; (end = (int)next(a, &p, &n, &in)) == AHEAD_BLOCK;
		    got++)
			;
		assert_int_equal(end, AHEAD_BAD);
		assert_int_equal(got, bad);
		assert_int_equal(ahead_next(a, &p, &n, &in), AHEAD_BAD);
		close(fd[0]);
		ahead_free(a);
		assert_int_equal(waitpid(pid, NULL, 0), pid);
		data[(size_t)bad * SIGNED_BLOCK] = 0;
	}
	/* an end that comes too early */
	memset(&sig, 0, sizeof(sig));
	sig.want = 2;
	pid = feed(fd, data, 1, 1);
	a = begin(&sig, fd[0], NULL, 0);
	in = 0;
	assert_int_equal(next(a, &p, &n, &in), AHEAD_BLOCK);
	assert_int_equal(next(a, &p, &n, &in), AHEAD_BAD);
	ahead_free(a);
	close(fd[0]);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

/* Where libcrypto fails, too, what is good comes before. */
static void
test_unhashed(void **state)
{
	struct signify	 sig = { BIG, 0, 0 };
	struct ahead	*a;
	const uint8_t	*p;
	uint64_t	 in = 0;
	size_t		 n;
	pid_t		 pid;
	int		 fd[2], got, end;

	data[40 * SIGNED_BLOCK] = 0xfe;
	pid = feed(fd, data, BIG, BIG);
	a = begin(&sig, fd[0], NULL, 0);
	for (got = 0; (end = (int)next(a, &p, &n, &in)) == AHEAD_BLOCK; got++)
		;
	assert_int_equal(end, AHEAD_EDIGEST);
	assert_int_equal(got, 40);
	close(fd[0]);
	ahead_free(a);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	data[40 * SIGNED_BLOCK] = 0;
}

static void
test_unreadable(void **state)
{
	struct signify	 sig = { 0, 0, 0 };
	struct ahead	*a;
	const uint8_t	*p;
	uint64_t	 in = 0;
	size_t		 n;
	int		 fd[2];

	assert_int_equal(pipe(fd), 0);
	a = begin(&sig, fd[1], NULL, SIGNED_BLOCK);	/* the wrong end */
	assert_int_equal(next(a, &p, &n, &in), AHEAD_BLOCK);
	errno = 0;
	assert_int_equal(next(a, &p, &n, &in), AHEAD_EREAD);
	assert_int_equal(errno, EBADF);
	ahead_free(a);
	/* Within a block, of which nothing is said then. */
	a = begin(&sig, fd[1], NULL, SIGNED_BLOCK + 1);
	assert_int_equal(next(a, &p, &n, &in), AHEAD_BLOCK);
	sig.blocks = 0;
	assert_int_equal(next(a, &p, &n, &in), AHEAD_EREAD);
	assert_int_equal(sig.blocks, 0);
	ahead_free(a);
	close(fd[0]);
	close(fd[1]);
}

/* The digest is that of what was read, not of what stood there before. */
static void
test_digest(void **state)
{
	struct signify	 sig = { BIG, 0, 0 };
	struct ahead	*a;
	EVP_MD_CTX	*md = EVP_MD_CTX_new();
	const uint8_t	*p;
	uint8_t		 is[32], should[32];
	uint64_t	 in = 0;
	size_t		 n;
	pid_t		 pid;
	int		 fd[2];

	assert_int_equal(EVP_Digest(data + 100, BIG - 100, should, NULL,
	    EVP_sha256(), NULL), 1);
	assert_int_equal(EVP_DigestInit_ex(md, EVP_sha256(), NULL), 1);
	pid = feed(fd, data + 100, BIG - 100, 65536);
	a = begin(&sig, fd[0], md, 100);
	while (next(a, &p, &n, &in) == AHEAD_BLOCK)
		;
	ahead_free(a);
	assert_int_equal(EVP_DigestFinal_ex(md, is, NULL), 1);
	assert_memory_equal(is, should, sizeof(is));
	EVP_MD_CTX_free(md);
	close(fd[0]);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

/* Without a start, without a thread, and with more to come. */
static void
test_unwanted(void **state)
{
	struct signify	 sig = { BIG, 0, 0 };
	struct ahead	*a;
	const uint8_t	*p;
	uint64_t	 in = 0;
	size_t		 n;
	pid_t		 pid;
	int		 fd[2];

	ahead_free(NULL);
	assert_non_null(a = ahead_new(&sig));
	ahead_free(a);
	assert_non_null(a = ahead_new(&sig));
	assert_int_equal(ahead_thread(a), 0);
	ahead_free(a);

	pid = feed(fd, data, BIG, BIG);
	a = begin(&sig, fd[0], NULL, 0);
	assert_int_equal(next(a, &p, &n, &in), AHEAD_BLOCK);
	ahead_free(a);
	close(fd[0]);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_true(sig.good < BIG);
}

/* The same where no thread can be made. */
static void
test_alone(void **state)
{
	alone = 1;
	test_whole(state);
	test_file(state);
	test_moved(state);
	test_bad(state);
	test_unhashed(state);
	test_unreadable(state);
	test_digest(state);
	test_unwanted(state);
	alone = 0;
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test(test_whole),
		cmocka_unit_test(test_file),
		cmocka_unit_test(test_moved),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_unhashed),
		cmocka_unit_test(test_unreadable),
		cmocka_unit_test(test_digest),
		cmocka_unit_test(test_unwanted),
		cmocka_unit_test(test_alone),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, setup, teardown);
}
