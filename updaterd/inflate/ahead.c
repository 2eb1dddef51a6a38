/*
 * Reading and hashing ahead of the decompressor; ahead.h says why.
 *
 * The caller reads, looks at the hashes and waits for nobody: a block that
 * the thread has not hashed by the time it is wanted, the caller hashes.
 * Two that wait for each other would be put on one processor by the system
 * again and again, while another has nothing to do.  So the thread may have
 * the time that nobody else wants; without it all is the same, but slower.
 *
 * The thread takes a block, and leaves its hash, under the lock.  A hash that
 * comes too late is thrown away; and the caller, who wants the room of a
 * block that is still being hashed, leaves it to the thread and takes the
 * spare one.
 */
#include <sys/types.h>
#include <sys/uio.h>

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ahead.h"
#include "osproc.h"

#define BLOCKS		32
#define RING		(BLOCKS * (uint64_t)SIGNED_BLOCK)	/* bytes */
#define LOW		(RING / 2)	/* bytes: enough ahead */
#define ONCE		8		/* blocks read at once, at most */
#define STACK		(256 * 1024)	/* bytes, of the thread */

struct block {
	uint8_t		*data;		/* SIGNED_BLOCK bytes; the caller's,
					 * but for the lock to change which */
	int		 hashed;
	uint8_t		 hash[SIGNED_HASH_LEN];
};

struct ahead {
	struct signify	*sig;
	EVP_MD_CTX	*md, *hasher;
	int		 fd;
	uint8_t		 space[RING + SIGNED_BLOCK];
	uint8_t		*spare;		/* no block's */
	uint64_t	 in;		/* bytes read */
	size_t		 taken;		/* bytes that the caller has in hand */
	enum ahead_verdict end;		/* of reading; AHEAD_MOVED: not yet */
	int		 error;		/* errno of AHEAD_EREAD */
	enum ahead_verdict verdict;	/* the last one; AHEAD_MOVED: none */

	int		 made;		/* there is a thread */
	pthread_t	 thread;
	EVP_MD_CTX	*its_hasher;

	pthread_mutex_t	 lock;		/* of what follows */
	pthread_cond_t	 alive, work;
	int		 living, idle, stopped;
	const uint8_t	*hashing;	/* the thread's, or NULL */
	uint64_t	 filled;	/* bytes, of all so far */
	uint64_t	 claimed;	/* of whole blocks, hashed or in work */
	uint64_t	 used;		/* that the caller has done with */
	struct block	 block[BLOCKS];
};

struct ahead *
ahead_new(struct signify *sig)
{
	struct ahead	*a;
	size_t		 i;

	if ((a = calloc(1, sizeof(*a))) == NULL)
		return NULL;
	for (i = 0; i < BLOCKS; i++)
		a->block[i].data = a->space + i * SIGNED_BLOCK;
	a->spare = a->space + RING;
	pthread_mutex_init(&a->lock, NULL);
	pthread_cond_init(&a->alive, NULL);
	pthread_cond_init(&a->work, NULL);
	a->sig = sig;
	a->fd = -1;
	a->end = a->verdict = AHEAD_MOVED;
	if ((a->hasher = signify_hasher()) == NULL ||
	    (a->its_hasher = signify_hasher()) == NULL) {
		ahead_free(a);
		errno = ENOMEM;
		return NULL;
	}
	return a;
}

static struct block *
block_at(struct ahead *a, uint64_t at)
{
	return &a->block[at / SIGNED_BLOCK % BLOCKS];
}

/* --- the thread ------------------------------------------------------ */

/* With the lock held, which it drops meanwhile. */
static void
hash_one(struct ahead *a)
{
	uint64_t	 at = a->claimed;
	const uint8_t	*p = block_at(a, at)->data;
	uint8_t		 hash[SIGNED_HASH_LEN];
	int		 good;

	a->hashing = p;
	a->claimed += SIGNED_BLOCK;
	pthread_mutex_unlock(&a->lock);
	good = signify_hash(a->its_hasher, p, SIGNED_BLOCK, hash) == 0;
	pthread_mutex_lock(&a->lock);
	a->hashing = NULL;
	if (!good || at < a->used)
		return;
	memcpy(block_at(a, at)->hash, hash, sizeof(hash));
	block_at(a, at)->hashed = 1;
}

static void *
thread(void *arg)
{
	struct ahead	*a = arg;

	osproc_idle();
	pthread_mutex_lock(&a->lock);
	a->living = 1;
	pthread_cond_signal(&a->alive);
	while (!a->stopped)
		if (a->filled - a->claimed >= SIGNED_BLOCK)
			hash_one(a);
		else {
			a->idle = 1;
			pthread_cond_wait(&a->work, &a->lock);
			a->idle = 0;
		}
	pthread_mutex_unlock(&a->lock);
	return NULL;
}

int
ahead_thread(struct ahead *a)
{
	pthread_attr_t	 attr;
	int		 error;

	if ((error = pthread_attr_init(&attr)) == 0) {
		/* Not what a shell's limit on the stack happens to be: it
		 * would count against the limit on memory. */
		(void)pthread_attr_setstacksize(&attr, STACK);
		error = pthread_create(&a->thread, &attr, thread, a);
		pthread_attr_destroy(&attr);
	}
	if (error != 0) {
		errno = error;
		return -1;
	}
	a->made = 1;
	/* What a thread does to come to life may be forbidden next. */
	pthread_mutex_lock(&a->lock);
	while (!a->living)
		pthread_cond_wait(&a->alive, &a->lock);
	pthread_mutex_unlock(&a->lock);
	return 0;
}

/* --- the caller ------------------------------------------------------ */

/* There are so many bytes more, behind those that are there. */
static void
fill(struct ahead *a, size_t n)
{
	pthread_mutex_lock(&a->lock);
	a->filled += n;
	if (a->idle && a->filled - a->claimed >= SIGNED_BLOCK)
		pthread_cond_signal(&a->work);
	pthread_mutex_unlock(&a->lock);
}

/* Room in one block for n bytes at most, behind those that are there; its
 * size goes into *n. */
static uint8_t *
room(struct ahead *a, uint64_t at, size_t *n)
{
	struct block	*b = block_at(a, at);
	size_t		 off = at % SIGNED_BLOCK;
	uint8_t		*p;

	pthread_mutex_lock(&a->lock);
	if (off == 0 && b->data == a->hashing) {
		p = b->data;
		b->data = a->spare;
		a->spare = p;
		a->hashing = NULL;
	}
	pthread_mutex_unlock(&a->lock);
	if (*n > SIGNED_BLOCK - off)
		*n = SIGNED_BLOCK - off;
	return b->data + off;
}

void
ahead_start(struct ahead *a, int fd, EVP_MD_CTX *md, const uint8_t *rest,
    size_t n)
{
	uint8_t	*p;
	size_t	 k;

	a->fd = fd;
	a->md = md;
	for (; n > 0; rest += k, n -= k) {
		k = n;
		p = room(a, a->filled, &k);
		memcpy(p, rest, k);
		fill(a, k);
	}
}

/* What was read goes into the digest.  0, or -1. */
static int
digest(struct ahead *a, const struct iovec *v, size_t n)
{
	size_t	 k;

	for (; a->md != NULL && n > 0; v++, n -= k) {
		k = v->iov_len < n ? v->iov_len : n;
		if (!EVP_DigestUpdate(a->md, v->iov_base, k))
			return -1;
	}
	return 0;
}

/* Wait for bytes, and take them. */
static void
take(struct ahead *a)
{
	struct iovec	 v[ONCE];
	uint64_t	 at = a->filled;
	ssize_t		 r;
	int		 i;

	for (i = 0; i < ONCE; i++, at += v[i - 1].iov_len) {
		v[i].iov_len = SIGNED_BLOCK;
		v[i].iov_base = room(a, at, &v[i].iov_len);
	}
	do
		r = readv(a->fd, v, ONCE);
	while (r == -1 && errno == EINTR);
	if (r == -1) {
		a->error = errno;
		a->end = AHEAD_EREAD;
	} else if (r == 0)
		a->end = AHEAD_END;
	else if (digest(a, v, (size_t)r) == -1)
		a->end = AHEAD_EDIGEST;
	else {
		a->in += (uint64_t)r;
		fill(a, (size_t)r);
	}
}

static int
is_readable(int fd)
{
	struct pollfd	 pfd;

	memset(&pfd, 0, sizeof(pfd));
	pfd.fd = fd;
	pfd.events = POLLIN;
	return poll(&pfd, 1, 0) == 1;
}

/* The hash of the block of n bytes that is next: the thread's, or ours. */
static int
hash_next(struct ahead *a, size_t n, uint8_t hash[SIGNED_HASH_LEN])
{
	struct block	*b = block_at(a, a->used);
	int		 hashed;

	pthread_mutex_lock(&a->lock);
	if ((hashed = b->hashed) != 0)
		memcpy(hash, b->hash, SIGNED_HASH_LEN);
	else if (a->claimed == a->used && n == SIGNED_BLOCK)
		a->claimed += n;
	pthread_mutex_unlock(&a->lock);
	return hashed ? 0 : signify_hash(a->hasher, b->data, n, hash);
}

static enum ahead_verdict
judge(struct ahead *a, const uint8_t **p, size_t *n)
{
	uint8_t	 hash[SIGNED_HASH_LEN];

	if (hash_next(a, *n, hash) == -1)
		return a->verdict = AHEAD_EDIGEST;
	if (signify_block(a->sig, hash, *n) == SIGNIFY_BAD)
		return a->verdict = AHEAD_BAD;
	*p = block_at(a, a->used)->data;
	a->taken = *n;
	return AHEAD_BLOCK;
}

static enum ahead_verdict
judge_end(struct ahead *a)
{
	if (a->end == AHEAD_END && signify_end(a->sig) == SIGNIFY_BAD)
		return a->verdict = AHEAD_BAD;
	if (a->end == AHEAD_EREAD)
		errno = a->error;
	return a->verdict = a->end;
}

enum ahead_verdict
ahead_next(struct ahead *a, const uint8_t **p, size_t *n, uint64_t *in)
{
	uint64_t	 left;

	if (a->verdict != AHEAD_MOVED) {
		*in = a->in;
		errno = a->error;
		return a->verdict;
	}
	if (a->taken > 0) {
		pthread_mutex_lock(&a->lock);
		block_at(a, a->used)->hashed = 0;
		a->used += a->taken;
		pthread_mutex_unlock(&a->lock);
		a->taken = 0;
	}
	left = a->filled - a->used;
	if (a->end == AHEAD_MOVED && (left < SIGNED_BLOCK ||
	    (left < LOW && is_readable(a->fd))))
		take(a);
	*in = a->in;
	left = a->filled - a->used;
	if (left >= SIGNED_BLOCK)
		*n = SIGNED_BLOCK;
	else if (a->end == AHEAD_MOVED)
		return AHEAD_MOVED;
	else
		*n = a->end == AHEAD_END ? (size_t)left : 0;
	return *n > 0 ? judge(a, p, n) : judge_end(a);
}

void
ahead_free(struct ahead *a)
{
	if (a == NULL)
		return;
	pthread_mutex_lock(&a->lock);
	a->stopped = 1;
	pthread_cond_signal(&a->work);
	pthread_mutex_unlock(&a->lock);
	if (a->made)
		pthread_join(a->thread, NULL);
	pthread_cond_destroy(&a->work);
	pthread_cond_destroy(&a->alive);
	pthread_mutex_destroy(&a->lock);
	EVP_MD_CTX_free(a->its_hasher);
	EVP_MD_CTX_free(a->hasher);
	free(a);
}
