/*
 * ahead.c: every byte comes once, in order, in blocks; what ends, ends for
 * good; and a thread that nobody wants any more goes away.  The judge is one
 * of our own: a block that begins with 0xff is bad, 0xfe cannot be hashed.
 */
/* LINK: common/compat/osproc-linux.o updaterd/inflate/ahead.o */
/* LIBS: -lcrypto -lpthread */
#include <sys/types.h>
#include <sys/wait.h>

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
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
static pthread_t caller;
static sem_t	 stalled, goon;	/* the thread, in a block of 0xfd */
static int	 kept;		/* which was as it should be then */
static int	 late;		/* ... and then is said to be bad, and */
static sem_t	 on;		/* the thread goes on with the next */

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
	if (p[0] == 0xfd && !pthread_equal(pthread_self(), caller)) {
		sem_post(&stalled);
		sem_wait(&goon);
		kept = memcmp(p, data + 3 * SIGNED_BLOCK, len) == 0;
		if (late)
			hash[0] = 0xff;
	} else if (late && !pthread_equal(pthread_self(), caller))
		sem_post(&on);
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

	caller = pthread_self();
	sem_init(&stalled, 0, 0);
	sem_init(&goon, 0, 0);
	sem_init(&on, 0, 0);
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

/* A reading of data that a process feeds. */
struct reading {
	struct signify	 sig;
	struct ahead	*a;
	const uint8_t	*p;		/* the last block */
	size_t		 n;
	uint64_t	 in;
	int		 blocks;
	pid_t		 pid;
	int		 fd[2];
};

/* Of len bytes in pieces of step, but `rest` of them there from the first. */
static void
reading_begin(struct reading *r, size_t len, size_t rest, size_t step,
    EVP_MD_CTX *md)
{
	memset(r, 0, sizeof(*r));
	r->sig.want = len;
	r->pid = feed(r->fd, data + rest, len - rest, step);
	r->a = begin(&r->sig, r->fd[0], md, rest);
}

static enum ahead_verdict
reading_next(struct reading *r)
{
	enum ahead_verdict	 v = next(r->a, &r->p, &r->n, &r->in);

	r->blocks += v == AHEAD_BLOCK;
	return v;
}

/* What comes behind the blocks. */
static enum ahead_verdict
reading_last(struct reading *r)
{
	enum ahead_verdict	 v;

	while ((v = reading_next(r)) == AHEAD_BLOCK)
		;
	return v;
}

static void
reading_end(struct reading *r)
{
	ahead_free(r->a);
	close(r->fd[0]);
	assert_int_equal(waitpid(r->pid, NULL, 0), r->pid);
}

static void
whole(size_t len, size_t rest, size_t step)
{
	struct reading		 r;
	enum ahead_verdict	 v;
	size_t			 at = 0;

	reading_begin(&r, len, rest, step, NULL);
	while ((v = reading_next(&r)) == AHEAD_BLOCK) {
		assert_true(r.n == SIGNED_BLOCK || at + r.n == len);
		assert_true(r.n > 0 && r.n <= len - at);
		assert_memory_equal(r.p, data + at, r.n);
		at += r.n;
	}
	assert_int_equal(v, AHEAD_END);
	assert_int_equal(at, len);
	assert_int_equal(r.in, len - rest);
	assert_int_equal(r.sig.blocks,
	    (len + SIGNED_BLOCK - 1) / SIGNED_BLOCK);
	assert_int_equal(ahead_next(r.a, &r.p, &r.n, &r.in), AHEAD_END);
	reading_end(&r);
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

/* A thread that gets no time in the middle of a block: nobody waits for it,
 * and what it reads is not overwritten. */
static void
test_stalled(void **state)
{
	struct reading	 r;
	enum ahead_verdict v;
	size_t		 at;

	data[3 * SIGNED_BLOCK] = 0xfd;
	kept = 0;
	alarm(60);		/* to wait for it would be for ever */
	reading_begin(&r, BIG, 4 * SIGNED_BLOCK, BIG, NULL);
	sem_wait(&stalled);
	for (at = 0; (v = reading_next(&r)) == AHEAD_BLOCK; at += r.n)
		assert_memory_equal(r.p, data + at, r.n);
	assert_int_equal(v, AHEAD_END);
	assert_int_equal(at, BIG);
	sem_post(&goon);
	reading_end(&r);
	alarm(0);
	assert_true(kept);
	data[3 * SIGNED_BLOCK] = 0;
}

/* Its hash comes when another block stands in that place already, and is not
 * yet wanted: it is nobody's. */
static void
test_late(void **state)
{
	struct signify	 sig = { BIG, 0, 0 };
	struct ahead	*a;
	const uint8_t	*p;
	uint64_t	 in = 0;
	size_t		 n, at = 0;
	FILE		*f = tmpfile();

	assert_non_null(f);
	data[3 * SIGNED_BLOCK] = 0xfd;
	assert_int_equal(fwrite(data, 1, BIG, f), BIG);
	rewind(f);
	alarm(60);
	a = begin(&sig, fileno(f), NULL, 0);
	for (; at < 30 * SIGNED_BLOCK; at += n) {
		assert_int_equal(next(a, &p, &n, &in), AHEAD_BLOCK);
		if (at == 0) {
			sem_wait(&stalled);
			late = 1;
		}
	}
	assert_true(in > 36 * SIGNED_BLOCK);	/* the ring is of 32 */
	sem_post(&goon);
	sem_wait(&on);
	for (; next(a, &p, &n, &in) == AHEAD_BLOCK; at += n)
		;
	alarm(0);
	assert_int_equal(at, BIG);
	ahead_free(a);
	fclose(f);
	late = 0;
	data[3 * SIGNED_BLOCK] = 0;
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
	struct reading	 r;
	int		 bad;

	for (bad = 0; bad <= 80; bad += 8) {
		data[(size_t)bad * SIGNED_BLOCK] = 0xff;
		reading_begin(&r, BIG, 0, BIG, NULL);
		assert_int_equal(reading_last(&r), AHEAD_BAD);
		assert_int_equal(r.blocks, bad);
		assert_int_equal(ahead_next(r.a, &r.p, &r.n, &r.in),
		    AHEAD_BAD);
		/* It was judged once. */
		assert_int_equal(r.sig.blocks, bad + 1);
		reading_end(&r);
		data[(size_t)bad * SIGNED_BLOCK] = 0;
	}
	/* an end that comes too early */
	reading_begin(&r, 1, 0, 1, NULL);
	r.sig.want = 2;
	assert_int_equal(reading_next(&r), AHEAD_BLOCK);
	assert_int_equal(reading_next(&r), AHEAD_BAD);
	reading_end(&r);
}

/* Where libcrypto fails, too, what is good comes before. */
static void
test_unhashed(void **state)
{
	struct reading	 r;

	data[40 * SIGNED_BLOCK] = 0xfe;
	reading_begin(&r, BIG, 0, BIG, NULL);
	assert_int_equal(reading_last(&r), AHEAD_EDIGEST);
	assert_int_equal(r.blocks, 40);
	reading_end(&r);
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
	struct reading	 r;
	EVP_MD_CTX	*md = EVP_MD_CTX_new();
	uint8_t		 is[32], should[32];

	assert_int_equal(EVP_Digest(data + 100, BIG - 100, should, NULL,
	    EVP_sha256(), NULL), 1);
	assert_int_equal(EVP_DigestInit_ex(md, EVP_sha256(), NULL), 1);
	reading_begin(&r, BIG, 100, 65536, md);
	assert_int_equal(reading_last(&r), AHEAD_END);
	reading_end(&r);
	assert_int_equal(EVP_DigestFinal_ex(md, is, NULL), 1);
	assert_memory_equal(is, should, sizeof(is));
	EVP_MD_CTX_free(md);
}

/* Without a start, without a thread, and with more to come. */
static void
test_unwanted(void **state)
{
	struct signify	 sig = { BIG, 0, 0 };
	struct ahead	*a;
	struct reading	 r;

	ahead_free(NULL);
	assert_non_null(a = ahead_new(&sig));
	ahead_free(a);
	assert_non_null(a = ahead_new(&sig));
	assert_int_equal(ahead_thread(a), 0);
	ahead_free(a);

	reading_begin(&r, BIG, 0, BIG, NULL);
	assert_int_equal(reading_next(&r), AHEAD_BLOCK);
	reading_end(&r);
	assert_true(r.sig.good < BIG);
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
		cmocka_unit_test(test_stalled),
		cmocka_unit_test(test_late),
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
