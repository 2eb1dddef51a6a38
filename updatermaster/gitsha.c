/*
 * The commit that is checked out, read from git's files without git: the
 * nearest .git at the tree or above, a directory, or a file that names one
 * (worktrees, submodules); its HEAD; the ref that it names, loose (the
 * worktree's own first, then the shared ones) or in packed-refs.
 */
#include <sys/types.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "master.h"
#include "util.h"

#define SMALL		4096	/* bytes of HEAD, a ref, .git */
#define PACKED_MAX	(64U << 20)
#define LINKS		5	/* refs that name refs, as git has it */

/* The first line of a file below a directory; malloced or NULL. */
static char *
first_line(int fd, const char *path)
{
	char	*s;
	size_t	 len;

	if ((s = file_read(fd, path, SMALL, &len)) == NULL)
		return NULL;
	s[strcspn(s, "\r\n")] = '\0';
	return s;
}

/* SHA-1 or SHA-256, in lower-case hex. */
static int
is_sha(const char *s)
{
	size_t	 n = strspn(s, "0123456789abcdef");

	return (n == 40 || n == 64) && s[n] == '\0';
}

static int
open_dir(int at, const char *path)
{
	return openat(at, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* "SHA ref" lines, and others that begin with # or ^. */
static int
packed_ref(int fd, const char *ref, char *sha, size_t size)
{
	char	*data, *rest, *line, *name;
	size_t	 len;
	int	 rv = -1;

	if ((data = file_read(fd, "packed-refs", PACKED_MAX, &len)) == NULL)
		return -1;
	rest = data;
	while (rv == -1 && (line = strsep(&rest, "\n")) != NULL) {
		if ((name = strchr(line, ' ')) == NULL)
			continue;
		*name++ = '\0';
		name[strcspn(name, "\r")] = '\0';
		if (strcmp(name, ref) == 0 && is_sha(line))
			rv = strlcpy(sha, line, size) < size ? 0 : -1;
	}
	free(data);
	return rv;
}

/* What HEAD of the git directory comes to. */
static int
resolve(int git, int common, char *sha, size_t size)
{
	char	*line, *ref;
	int	 i, rv = -1;

	line = first_line(git, "HEAD");
	for (i = 0; line != NULL && i < LINKS; i++) {
		if (strncmp(line, "ref:", 4) != 0) {
			if (is_sha(line))
				rv = strlcpy(sha, line, size) < size ? 0 : -1;
			break;
		}
		ref = line + 4 + strspn(line + 4, " ");
		if (strncmp(ref, "refs/", 5) != 0 ||
		    strstr(ref, "..") != NULL)
			break;
		if ((ref = strdup(ref)) == NULL)
			break;
		free(line);
		if ((line = first_line(git, ref)) == NULL)
			line = first_line(common, ref);
		if (line == NULL)
			rv = packed_ref(common, ref, sha, size);
		free(ref);
	}
	free(line);
	return rv;
}

/* The git directory of a tree; -1 if this is not the top of one. */
static int
git_dir(const char *tree)
{
	struct stat	 st;
	char		*line;
	int		 at, fd = -1;

	if ((at = open_dir(AT_FDCWD, tree)) == -1)
		return -1;
	if (fstatat(at, ".git", &st, 0) == 0) {
		if (S_ISDIR(st.st_mode))
			fd = open_dir(at, ".git");
		else if ((line = first_line(at, ".git")) != NULL) {
			if (strncmp(line, "gitdir: ", 8) == 0)
				fd = open_dir(at, line + 8);
			free(line);
		}
	}
	close(at);
	return fd;
}

void
git_sha(const char *root, char *sha, size_t size)
{
	char	 path[PATH_MAX], *slash, *line;
	int	 git, common = -1;

	sha[0] = '\0';
	if (realpath(root, path) == NULL)
		return;
	while ((git = git_dir(path)) == -1) {
		if ((slash = strrchr(path, '/')) == NULL || path[1] == '\0')
			return;
		slash[slash == path] = '\0';
	}
	/* A worktree shares its refs with others. */
	if ((line = first_line(git, "commondir")) != NULL)
		common = open_dir(git, line);
	free(line);
	if (resolve(git, common != -1 ? common : git, sha, size) == -1)
		sha[0] = '\0';
	if (common != -1)
		close(common);
	close(git);
}
