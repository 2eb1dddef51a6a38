/*
 * A test build of updaterd in which one allocation of one process fails:
 * these take the place of the C library's, for all libraries, too.
 *
 * The file PROGRAM.page beside it, of at least a page, says in which process
 * and which allocation, and shows how many there were.  It is mapped before
 * main(), so a child has it however it locks itself in.  A fork of the
 * parent's without exec is a task.
 *
 * libcrypto allocates by the thousand for one handshake: what it asks for
 * itself is counted apart, so that a test can try all of the others and some
 * of these.
 */
#include <sys/types.h>
#include <sys/mman.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ROLE_SIZE	16

struct nomem {				/* inject.py maps the same */
	_Atomic uint64_t count;		/* so far */
	uint64_t	 fail_at;	/* this one fails; 0: none */
	uint64_t	 failed;	/* how many did */
	char		 role[ROLE_SIZE]; /* whose count; "": nobody's */
	uint64_t	 crypto;	/* count libcrypto's, not the others */
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
static char		 role[ROLE_SIZE] = "parent";
static pid_t		 owner;		/* 0: it cannot fork */
static uintptr_t	 crypto_low, crypto_high;	/* its addresses */

static int
find_crypto(struct dl_phdr_info *info, size_t size, void *arg)
{
	const ElfW(Phdr)	*ph;
	uintptr_t		 end;
	int			 i;

	if (strstr(info->dlpi_name, "libcrypto") == NULL)
		return 0;
	crypto_low = info->dlpi_addr;
	for (i = 0; i < info->dlpi_phnum; i++) {
		ph = &info->dlpi_phdr[i];
		end = info->dlpi_addr + ph->p_vaddr + ph->p_memsz;
		if (ph->p_type == PT_LOAD && end > crypto_high)
			crypto_high = end;
	}
	return 1;
}

static void __attribute__((constructor))
nomem_init(int argc, char **argv)
{
	char	 path[PATH_MAX];
	void	*p;
	ssize_t	 n;
	int	 fd;

	n = readlink("/proc/self/exe", path, sizeof(path) - 8);
	if (n <= 0)
		return;
	memcpy(path + n, ".page", 6);
	if ((fd = open(path, O_RDWR | O_CLOEXEC)) == -1)
		return;
	p = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED,
	    fd, 0);
	close(fd);
	if (argc > 2 && strcmp(argv[1], "-T") == 0)
		snprintf(role, sizeof(role), "%s", argv[2]);
	else
		owner = getpid();
	if (p == MAP_FAILED)
		return;
	(void)dl_iterate_phdr(find_crypto, NULL);
	shared = p;
}

static int
fails(const void *caller)
{
	uintptr_t	 at = (uintptr_t)caller;

	if (shared == NULL || shared->role[0] == '\0')
		return 0;
	/* Those that are locked in may not even ask for their pid. */
	if (strcmp(shared->role, owner != 0 && getpid() != owner ? "task" :
	    role) != 0)
		return 0;
	if ((at >= crypto_low && at < crypto_high) != (shared->crypto != 0))
		return 0;
	if (atomic_fetch_add(&shared->count, 1) + 1 != shared->fail_at)
		return 0;
	shared->failed++;
	errno = ENOMEM;
	return 1;
}

void *
malloc(size_t size)
{
	return fails(__builtin_return_address(0)) ?
	    NULL : __libc_malloc(size);
}

void *
calloc(size_t n, size_t size)
{
	return fails(__builtin_return_address(0)) ?
	    NULL : __libc_calloc(n, size);
}

void *
realloc(void *p, size_t size)
{
	return fails(__builtin_return_address(0)) ?
	    NULL : __libc_realloc(p, size);
}

#endif
