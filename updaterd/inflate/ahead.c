/*
 * Reading and verifying ahead of the decompressor; ahead.h says why.
 *
 * All that both threads look at is in struct ahead, under its lock, but for
 * the bytes of the blocks: those pass from one to the other with `ready` and
 * `used`, of which only the thread raises the one and only the caller the
 * other.  The signature and the digest are the thread's alone while it runs.
 */
#include <sys/types.h>

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ahead.h"

#define RING		(16 * SIGNED_BLOCK)	/* bytes */
#define ROOM		(RING / 2)	/* bytes: worth being woken for */
#define STACK		(256 * 1024)	/* bytes, of the thread */

struct ahead {
	pthread_t	 thread;
	int		 made;		/* there is a thread */
	struct signify	*sig;
	int		 fd;
	EVP_MD_CTX	*md;
	uint64_t	 filled;	/* bytes, of all so far */
	size_t		 taken;		/* bytes that the caller has in hand */
	uint8_t		 ring[RING];

	pthread_mutex_t	 lock;		/* of what follows */
	pthread_cond_t	 moved;		/* the thread did something */
	pthread_cond_t	 wanted;	/* the caller did */
	int		 waiting;	/* the thread has come to life */
	int		 started, stopped;
	uint64_t	 ready, used;	/* bytes, of all so far */
	uint64_t	 enough;	/* bytes used that leave room */
	uint64_t	 in;		/* bytes read */
	uint64_t	 told;		/* of them, those the caller knows of */
	int		 ended;
	enum ahead_verdict verdict;	/* once ended */
	int		 error;		/* errno of AHEAD_EREAD */
};

struct ahead *
ahead_new(struct signify *sig)
{
	struct ahead	*a;

	if ((a = calloc(1, sizeof(*a))) == NULL)
		return NULL;
	a->sig = sig;
	a->fd = -1;
	pthread_mutex_init(&a->lock, NULL);
	pthread_cond_init(&a->moved, NULL);
	pthread_cond_init(&a->wanted, NULL);
	return a;
}

/* --- the thread ------------------------------------------------------ */

/* Wait until half of the ring is free, and no longer: being woken for every
 * block would cost more than its hash.  0: nobody wants more. */
static int
room(struct ahead *a)
{
	int	 go;

	pthread_mutex_lock(&a->lock);
	if (a->filled > RING - ROOM)
		a->enough = a->filled - (RING - ROOM);
	while (!a->stopped && a->used < a->enough)
		pthread_cond_wait(&a->wanted, &a->lock);
	go = !a->stopped;
	pthread_mutex_unlock(&a->lock);
	return go;
}

/* Read once.  AHEAD_MOVED, AHEAD_END or an error. */
static enum ahead_verdict
take(struct ahead *a)
{
	uint8_t	*p = a->ring + a->filled % RING;
	size_t	 n = RING - a->filled % RING;
	ssize_t	 r;

	if (n > ROOM)
		n = ROOM;
	do
		r = read(a->fd, p, n);
	while (r == -1 && errno == EINTR);
	if (r == -1) {
		a->error = errno;
		return AHEAD_EREAD;
	}
	if (a->md != NULL && !EVP_DigestUpdate(a->md, p, (size_t)r))
		return AHEAD_EDIGEST;
	a->filled += (uint64_t)r;
	pthread_mutex_lock(&a->lock);
	a->in += (uint64_t)r;
	pthread_cond_signal(&a->moved);
	pthread_mutex_unlock(&a->lock);
	return r == 0 ? AHEAD_END : AHEAD_MOVED;
}

/* Have the next block judged, and hand it over. */
static enum ahead_verdict
judge(struct ahead *a, size_t n)
{
	if (signify_block(a->sig, a->ring + a->ready % RING, n) ==
	    SIGNIFY_BAD)
		return AHEAD_BAD;
	pthread_mutex_lock(&a->lock);
	a->ready += n;
	pthread_cond_signal(&a->moved);
	pthread_mutex_unlock(&a->lock);
	return AHEAD_BLOCK;
}

/* Nothing more comes: what is left is the last block. */
static enum ahead_verdict
judge_end(struct ahead *a)
{
	if (a->filled > a->ready &&
	    judge(a, (size_t)(a->filled - a->ready)) == AHEAD_BAD)
		return AHEAD_BAD;
	return signify_end(a->sig) == SIGNIFY_BAD ? AHEAD_BAD : AHEAD_END;
}

/* One piece of work: judge a block, or else read.  0 when that was all. */
static int
step(struct ahead *a)
{
	enum ahead_verdict	 v;

	if (a->filled - a->ready >= SIGNED_BLOCK)
		v = judge(a, SIGNED_BLOCK);
	else if ((v = take(a)) == AHEAD_END)
		v = judge_end(a);
	if (v == AHEAD_MOVED || v == AHEAD_BLOCK)
		return 1;
	pthread_mutex_lock(&a->lock);
	a->verdict = v;
	a->ended = 1;
	pthread_cond_signal(&a->moved);
	pthread_mutex_unlock(&a->lock);
	return 0;
}

static void *
thread(void *arg)
{
	struct ahead	*a = arg;
	int		 go;

	pthread_mutex_lock(&a->lock);
	a->waiting = 1;
	pthread_cond_signal(&a->moved);
	while (!a->started && !a->stopped)
		pthread_cond_wait(&a->wanted, &a->lock);
	go = !a->stopped;
	pthread_mutex_unlock(&a->lock);
	/* Room is for what is read; what is there is judged without. */
	while (go && (a->filled - a->ready >= SIGNED_BLOCK || room(a)) &&
	    step(a))
		;
	return NULL;
}

/* --- the caller ------------------------------------------------------ */

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
	while (!a->waiting)
		pthread_cond_wait(&a->moved, &a->lock);
	pthread_mutex_unlock(&a->lock);
	return 0;
}

void
ahead_start(struct ahead *a, int fd, EVP_MD_CTX *md, const uint8_t *rest,
    size_t n)
{
	pthread_mutex_lock(&a->lock);
	a->fd = fd;
	a->md = md;
	memcpy(a->ring, rest, n);
	a->filled = n;
	a->started = 1;
	pthread_cond_signal(&a->wanted);
	pthread_mutex_unlock(&a->lock);
}

/* With the lock held: until the thread has done something; or do it. */
static void
wait_for_more(struct ahead *a)
{
	if (a->made) {
		pthread_cond_wait(&a->moved, &a->lock);
		return;
	}
	pthread_mutex_unlock(&a->lock);
	(void)step(a);
	pthread_mutex_lock(&a->lock);
}

enum ahead_verdict
ahead_next(struct ahead *a, const uint8_t **p, size_t *n, uint64_t *in)
{
	enum ahead_verdict	 v;

	pthread_mutex_lock(&a->lock);
	a->used += a->taken;
	if (a->used >= a->enough)
		pthread_cond_signal(&a->wanted);
	a->taken = 0;
	while (a->ready == a->used && !a->ended && a->in == a->told)
		wait_for_more(a);
	if (a->ready > a->used) {
		*p = a->ring + a->used % RING;
		*n = a->taken = a->ready - a->used < SIGNED_BLOCK ?
		    (size_t)(a->ready - a->used) : SIGNED_BLOCK;
		v = AHEAD_BLOCK;
	} else if (a->ended) {
		v = a->verdict;
		errno = a->error;
	} else
		v = AHEAD_MOVED;
	a->told = *in = a->in;
	pthread_mutex_unlock(&a->lock);
	return v;
}

void
ahead_free(struct ahead *a)
{
	if (a == NULL)
		return;
	pthread_mutex_lock(&a->lock);
	a->stopped = 1;
	pthread_cond_signal(&a->wanted);
	pthread_mutex_unlock(&a->lock);
	if (a->made)
		pthread_join(a->thread, NULL);
	pthread_cond_destroy(&a->wanted);
	pthread_cond_destroy(&a->moved);
	pthread_mutex_destroy(&a->lock);
	free(a);
}
