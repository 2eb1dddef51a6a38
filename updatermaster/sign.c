/*
 * sign: an archive signed so that hosts with a release key take it, without
 * the signify program.  It stays a gzip for everybody else.
 */
#include <sys/types.h>

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <libgen.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "keypair.h"
#include "signing.h"
#include "util.h"

#define SUFFIX	".signed"

/* The spool's bytes, beside their place first: FILE may be that place. */
static int
save(const struct packed *packed, const char *path)
{
	char	 chunk[65536], *temp, *dir, *copy;
	ssize_t	 n;
	int	 fd, rv = -1;

	if ((copy = strdup(path)) == NULL || (dir = dirname(copy)) == NULL ||
	    asprintf(&temp, "%s/.updatermaster.XXXXXXXXXX", dir) == -1)
		err(EXIT_FAILED, NULL);
	free(copy);
	if ((fd = mkostemp(temp, O_CLOEXEC)) == -1) {
		warn("%s", temp);
		free(temp);
		return -1;
	}
	while ((n = read(packed->fd, chunk, sizeof(chunk))) > 0)
		if (write_all(fd, chunk, (size_t)n) == -1) {
			n = -1;
			break;
		}
	if (n == -1 || fsync(fd) == -1 ||
	    rename(temp, path) == -1) {
		warn("%s", path);
		unlink(temp);
	} else
		rv = 0;
	close(fd);
	free(temp);
	return rv;
}

char *
sign_keypath(const struct master *m, const char *given)
{
	char	*path;

	if (given == NULL)
		return master_path(m, KEYPAIR_SECRET);
	if ((path = strdup(given)) == NULL)
		err(EXIT_FAILED, NULL);
	return path;
}

int
sign_packed(const char *keypath, int64_t date, struct packed *packed)
{
	struct signkey	*key;
	char		 text[UPD_TEXT_SIZE];
	int		 rv = -1;

	if ((key = signkey_load(keypath, text)) != NULL)
		rv = signing_sign(key, date, packed, text);
	signkey_free(key);
	if (rv == -1)
		warnx("%s", text);
	return rv;
}

static int
sign(const char *keypath, const char *file, const char *out)
{
	struct packed	 packed;
	char		 text[UPD_TEXT_SIZE], size[16];
	int		 rv = EXIT_FAILED;

	if (pack_file(file, &packed, text) == -1) {
		warnx("%s", text);
		return EXIT_FAILED;
	}
	if (sign_packed(keypath, (int64_t)time(NULL), &packed) == 0 &&
	    save(&packed, out) == 0) {
		fmt_bytes(packed.size, size, sizeof(size));
		printf("%s  %s  %s\n", packed.sha256, size, out);
		rv = EXIT_DONE;
	}
	close(packed.fd);
	return rv;
}

int
cmd_sign(struct master *m, int argc, char **argv)
{
	static const struct option	 longopts[] = { { NULL, 0, NULL, 0 } };
	const char			*key = NULL, *out = NULL;
	char				*path, *made = NULL;
	int				 ch, rv;

	while ((ch = getopt_long(argc, argv, "k:o:", longopts, NULL)) != -1) {
		switch (ch) {
		case 'k':
			key = optarg;
			break;
		case 'o':
			out = optarg;
			break;
		default:
			return master_usage(argv[0]);
		}
	}
	if (optind != argc - 1)
		return master_usage(argv[0]);
	if (out == NULL && asprintf(&made, "%s" SUFFIX, argv[optind]) == -1)
		err(EXIT_FAILED, NULL);
	path = sign_keypath(m, key);
	rv = sign(path, argv[optind], out != NULL ? out : made);
	free(path);
	free(made);
	return rv;
}
