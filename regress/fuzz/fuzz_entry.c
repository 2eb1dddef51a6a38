/*
 * The policy for names: an input is a path and, behind the first NUL, a
 * link's target.  What is accepted must be harmless.
 */
/* LINK: updaterd/unpack/entry.o */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "entry.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

/* Directories a path goes down; a ".." is not among its components. */
static int
check_path(const char *p)
{
	int	 depth = 0;
	size_t	 n;

	if (*p == '/' || strlen(p) > ENTRY_PATH_MAX)
		abort();
	for (; *p != '\0'; p += n + (p[n] == '/')) {
		n = strcspn(p, "/");
		if (n == 0 || n > ENTRY_NAME_MAX || (n == 1 && *p == '.') ||
		    (n == 2 && memcmp(p, "..", 2) == 0))
			abort();
		if (p[n] == '/' && p[n + 1] == '\0')
			abort();
		depth++;
	}
	if (depth > ENTRY_DEPTH_MAX)
		abort();
	return depth - 1;
}

static void
check_target(int depth, const char *p)
{
	size_t	 n;

	if (*p == '/' || *p == '\0')
		abort();
	for (; *p != '\0'; p += n + (p[n] == '/')) {
		n = strcspn(p, "/");
		if (n == 2 && memcmp(p, "..", 2) == 0) {
			if (--depth < 0)
				abort();
		} else if (n > 0 && !(n == 1 && *p == '.'))
			depth++;
	}
}

static void
check_bytes(const char *p)
{
	for (; *p != '\0'; p++)
		if ((uint8_t)*p < 0x20 || *p == 0x7f)
			abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char		 path[UPD_PATH_SIZE], again[UPD_PATH_SIZE], shown[64];
	char		*raw, *target;
	const uint8_t	*nul;
	size_t		 n;
	int		 depth;

	nul = len > 0 ? memchr(data, '\0', len) : NULL;
	n = nul == NULL ? len : (size_t)(nul - data);
	if ((raw = strndup((const char *)data, n)) == NULL ||
	    (target = strndup((const char *)data + n + (nul != NULL),
	    len - n - (nul != NULL))) == NULL)
		abort();
	entry_escape(raw, shown, sizeof(shown));
	if (strlen(shown) >= sizeof(shown))
		abort();
	check_bytes(shown);
	if (entry_path(raw, path) == NULL) {
		check_bytes(path);
		depth = check_path(path);
		/* judged again it is the same */
		if (path[0] != '\0' && (entry_path(path, again) != NULL ||
		    strcmp(path, again) != 0))
			abort();
		if (path[0] != '\0' && entry_target(path, target) == NULL) {
			check_bytes(target);
			check_target(depth, target);
		}
	}
	free(raw);
	free(target);
	return 0;
}
