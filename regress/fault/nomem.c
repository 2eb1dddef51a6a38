/*
 * A test build of updaterd in which one allocation of the parent fails:
 * these take the place of the C library's, for all libraries, too.
 *
 * UPD_NOMEM in the environment names a file of at least NOMEM_SIZE bytes,
 * through which the test says which one, and sees how many there were.
 * Children are started without it; a fork without exec is told by its pid.
 */
#include <sys/types.h>
#include <sys/mman.h>

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

struct nomem {				/* nomem.py maps the same */
	uint64_t	 armed;		/* count */
	uint64_t	 count;		/* so far */
	uint64_t	 fail_at;	/* this one fails; 0: none */
	uint64_t	 failed;	/* how many did */
};

void	*__libc_malloc(size_t);
void	*__libc_calloc(size_t, size_t);
void	*__libc_realloc(void *, size_t);
void	*malloc(size_t);
void	*calloc(size_t, size_t);
void	*realloc(void *, size_t);

/* A sanitizer has its own, which must not be mixed with these. */
#ifndef __SANITIZE_ADDRESS__

static struct nomem	*shared;
static pid_t		 owner;

static void __attribute__((constructor))
nomem_init(void)
{
	const char	*path = getenv("UPD_NOMEM");
	void		*p;
	int		 fd;

	if (path == NULL || (fd = open(path, O_RDWR | O_CLOEXEC)) == -1)
		return;
	p = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED,
	    fd, 0);
	close(fd);
	owner = getpid();
	if (p != MAP_FAILED)
		shared = p;
}

static int
fails(void)
{
	if (shared == NULL || !shared->armed || getpid() != owner)
		return 0;
	if (++shared->count != shared->fail_at)
		return 0;
	shared->failed++;
	errno = ENOMEM;
	return 1;
}

void *
malloc(size_t size)
{
	return fails() ? NULL : __libc_malloc(size);
}

void *
calloc(size_t n, size_t size)
{
	return fails() ? NULL : __libc_calloc(n, size);
}

void *
realloc(void *p, size_t size)
{
	return fails() ? NULL : __libc_realloc(p, size);
}

#endif
