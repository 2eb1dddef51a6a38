/*
 * pack: what a push would send, without sending it: as a file to sign or
 * to keep, or as a list of what stays behind and why.
 */
#include <sys/types.h>

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "master.h"
#include "util.h"

struct listing {
	int		 list;		/* -l */
	uint64_t	 n;
};

static void
left(void *arg, const char *path, const char *why)
{
	struct listing	*l = arg;
	const char	*p;

	l->n++;
	if (!l->list)
		return;
	printf("%s\t", why);
	/* A name must not move the terminal. */
	for (p = path; *p != '\0'; p++)
		putchar((unsigned char)*p < ' ' || *p == 0x7f ? '?' : *p);
	putchar('\n');
}

/* One more glob at the list's end. */
static void
add(char ***list, size_t *n, char *glob)
{
	char	**p;

	if ((p = reallocarray(*list, *n + 2, sizeof(*p))) == NULL)
		err(EXIT_FAILED, NULL);
	*list = p;
	p[(*n)++] = glob;
	p[*n] = NULL;
}

static int
save(const struct packed *packed, const char *path)
{
	char	 chunk[65536];
	ssize_t	 n;
	int	 fd;

	if ((fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC,
	    0600)) == -1) {
		warn("%s", path);
		return -1;
	}
	while ((n = read(packed->fd, chunk, sizeof(chunk))) > 0)
		if (write_all(fd, chunk, (size_t)n) == -1) {
			n = -1;
			break;
		}
	if (n == -1 || fsync(fd) == -1) {
		warn("%s", path);
		close(fd);
		return -1;
	}
	if (close(fd) == -1) {
		warn("%s", path);
		return -1;
	}
	return 0;
}

int
cmd_pack(struct master *m, int argc, char **argv)
{
	static const struct option	 longopts[] = {
		{ "exclude", required_argument, NULL, 'x' },
		{ "include", required_argument, NULL, 'i' },
		{ "root", required_argument, NULL, 'r' },
		{ NULL, 0, NULL, 0 }
	};
	struct pack_opts		 opts;
	struct packed			 packed;
	struct listing			 l = { 0, 0 };
	const char			*path = NULL;
	char				 text[UPD_TEXT_SIZE], size[16];
	size_t				 ni = 0, nx = 0;
	int				 ch, rv = EXIT_FAILED;

	memset(&opts, 0, sizeof(opts));
	opts.root = ".";
	opts.left = left;
	opts.arg = &l;
	while ((ch = getopt_long(argc, argv, "lo:", longopts, NULL)) != -1) {
		switch (ch) {
		case 'i':
			add(&opts.include, &ni, optarg);
			break;
		case 'l':
			l.list = 1;
			break;
		case 'o':
			path = optarg;
			break;
		case 'r':
			opts.root = optarg;
			break;
		case 'x':
			add(&opts.exclude, &nx, optarg);
			break;
		default:
			rv = master_usage(argv[0]);
			goto done;
		}
	}
	if (optind != argc) {
		rv = master_usage(argv[0]);
		goto done;
	}
	if (pack_tree(&opts, &packed, text) == -1) {
		warnx("%s", text);
		goto done;
	}
	fmt_bytes(packed.size, size, sizeof(size));
	printf("%s  %s, %" PRIu64 " file%s, %" PRIu64 " left out\n",
	    packed.sha256, size, packed.files, packed.files == 1 ? "" : "s",
	    l.n);
	if (path == NULL || save(&packed, path) == 0)
		rv = EXIT_DONE;
	close(packed.fd);
 done:
	free(opts.include);
	free(opts.exclude);
	return rv;
}
