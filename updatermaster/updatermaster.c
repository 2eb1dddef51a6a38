/*
 * updatermaster: the other end of the wire.  No daemon: it opens its
 * directory, reads hosts.conf, does one command and ends.
 *
 * Exit 0: done, 1: failed (of any host), 2: used wrongly.
 */
#include <sys/types.h>
#include <sys/stat.h>

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "master.h"
#include "text.h"
#include "version.h"

#define MASTER_DIR	".updater"	/* below the home directory */

struct command {
	const char	*name;
	int		 need;		/* the directory must be complete */
	int		(*run)(struct master *, int, char **);
	const char	*usage;
};

static const struct command	commands[] = {
	{ "init", 0, cmd_init, "[-ek]" },
	{ "enroll", 1, cmd_enroll, "NAME ADDRESS[:PORT] [--agent] [-o DIR]\n"
	    "\t\t[--san NAME|ADDRESS]... [--group GROUP]..." },
	{ "renew", 1, cmd_renew, "NAME [--agent] [--revoke-old] [-o DIR]\n"
	    "\t\t[--san NAME|ADDRESS]..." },
	{ "revoke", 1, cmd_revoke, "NAME" },
	{ "hosts", 1, cmd_hosts, "[--group GROUP] [--json]" },
	{ "pack", 0, cmd_pack, "[--root DIR] [--exclude GLOB]... "
	    "[--include GLOB]...\n\t\t[-l] [-o FILE]" },
	{ "sign", 0, cmd_sign, "[-k KEY] FILE [-o FILE]" },
	{ "push", 1, cmd_push, "--all|--host NAME...|--group GROUP... "
	    "[--agent AGENT]\n\t\t[--root DIR|--tarball FILE] "
	    "[option ...]" },
	{ "status", 1, cmd_status, "[--all|--host NAME...|--group GROUP...]" },
	{ "releases", 1, cmd_releases,
	    "[--all|--host NAME...|--group GROUP...]" },
	{ "rollback", 1, cmd_rollback,
	    "--all|--host NAME...|--group GROUP..." },
	{ "confirm", 1, cmd_confirm,
	    "--all|--host NAME...|--group GROUP..." },
	{ "watch", 1, cmd_watch, "[--all|--host NAME...|--group GROUP...]" },
};
#define NCOMMANDS	(sizeof(commands) / sizeof(commands[0]))

static void
usage(FILE *f)
{
	size_t	 i;

	fprintf(f, "usage: updatermaster [-hV] [-d directory] command "
	    "[argument ...]\ncommands:\n");
	for (i = 0; i < NCOMMANDS; i++)
		fprintf(f, "\t%s %s\n", commands[i].name, commands[i].usage);
}

int
master_usage(const char *name)
{
	size_t	 i;

	for (i = 0; i < NCOMMANDS; i++)
		if (strcmp(commands[i].name, name) == 0)
			fprintf(stderr, "usage: updatermaster [-d directory] "
			    "%s %s\n", name, commands[i].usage);
	return EXIT_USAGE;
}

static const char *
command_name(size_t i)
{
	return commands[i].name;
}

/* By name, or by the only name that begins so; NULL (said). */
static const struct command *
command_find(const char *name)
{
	int	 k = text_pick("updatermaster", name, command_name, NCOMMANDS);

	if (k >= 0)
		return &commands[k];
	if (k == TEXT_UNKNOWN)
		usage(stderr);
	return NULL;
}

/* --- the directory ---------------------------------------------------- */

/* -d, or ~/.updater; malloced, or NULL (said). */
static char *
directory(const char *given)
{
	const struct passwd	*pw;
	const char		*home;
	char			*dir;

	if (given != NULL)
		return strdup(given);
	if ((home = getenv("HOME")) == NULL || home[0] == '\0') {
		if ((pw = getpwuid(getuid())) == NULL) {
			warnx("HOME is not set: say where with -d");
			return NULL;
		}
		home = pw->pw_dir;
	}
	return asprintf(&dir, "%s/%s", home, MASTER_DIR) == -1 ? NULL : dir;
}

int
master_open(struct master *m, const char *path, int need)
{
	static const char	*const files[] = { "ca.crt", "ca.key",
				    "ca.crl", "master.crt", "master.key",
				    "hosts.conf" };
	struct stat		 st;
	size_t			 i;

	memset(m, 0, sizeof(*m));
	m->dirfd = -1;
	TAILQ_INIT(&m->hosts);
	if ((m->dir = directory(path)) == NULL)
		return -1;
	/* The working directory may change, the directory does not. */
	m->dirfd = open(m->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (m->dirfd == -1) {
		if (errno == ENOENT && !need)
			return 0;
		if (errno == ENOENT)
			warnx("%s does not exist: run `updatermaster init` "
			    "first", m->dir);
		else
			warn("%s", m->dir);
		goto fail;
	}
	if (fstat(m->dirfd, &st) == -1) {
		warn("%s", m->dir);
		goto fail;
	}
	/* It holds the key that every host trusts. */
	if (st.st_uid != geteuid()) {
		warnx("%s belongs to another user", m->dir);
		goto fail;
	}
	if (st.st_mode & 077) {
		warnx("%s is open to others: chmod 700 %s", m->dir, m->dir);
		goto fail;
	}
	for (i = 0; need && i < sizeof(files) / sizeof(files[0]); i++)
		if (faccessat(m->dirfd, files[i], F_OK, 0) == -1) {
			warnx("%s/%s does not exist: run `updatermaster init` "
			    "first", m->dir, files[i]);
			goto fail;
		}
	return 0;
 fail:
	master_close(m);
	return -1;
}

void
master_close(struct master *m)
{
	hosts_free(m);
	if (m->dirfd != -1)
		close(m->dirfd);
	m->dirfd = -1;
	free(m->dir);
	m->dir = NULL;
}

char *
master_path(const struct master *m, const char *name)
{
	char	*path;

	if (asprintf(&path, "%s/%s", m->dir, name) == -1)
		err(EXIT_FAILED, NULL);
	return path;
}

int
main(int argc, char **argv)
{
	const struct command	*cmd;
	struct master		 m;
	const char		*dir = NULL;
	int			 ch, rv;

	/* Names are shown and packed as the user's terminal has them. */
	setlocale(LC_CTYPE, "");
	signal(SIGPIPE, SIG_IGN);
	/* Whatever we make, keys among it, is for its owner only. */
	umask(077);

	/* '+': what follows the command belongs to it. */
	while ((ch = getopt(argc, argv, "+d:hV")) != -1) {
		switch (ch) {
		case 'd':
			dir = optarg;
			break;
		case 'h':
			usage(stdout);
			return EXIT_DONE;
		case 'V':
			printf("updatermaster %s\n", UPD_VERSION);
			return EXIT_DONE;
		default:
			usage(stderr);
			return EXIT_USAGE;
		}
	}
	argc -= optind;
	argv += optind;
	if (argc == 0) {
		usage(stderr);
		return EXIT_USAGE;
	}
	if ((cmd = command_find(argv[0])) == NULL)
		return EXIT_USAGE;
	/* Help and wrong use need no directory. */
	argv[0] = (char *)(uintptr_t)cmd->name;
	if (argc > 1 && (strcmp(argv[1], "-h") == 0 ||
	    strcmp(argv[1], "--help") == 0)) {
		master_usage(cmd->name);
		return EXIT_DONE;
	}
	if (master_open(&m, dir, cmd->need) == -1)
		return EXIT_FAILED;
	/* From the beginning, and no longer ending at the first name: 0 says
	 * both to glibc and OpenBSD. */
	optind = 0;
	rv = EXIT_FAILED;
	if (!cmd->need || hosts_load(&m) == 0)
		rv = cmd->run(&m, argc, argv);
	master_close(&m);
	if (fflush(stdout) == EOF) {
		warn("standard output");
		rv = EXIT_FAILED;
	}
	return rv;
}
