/*
 * updaterd: main.  Which process am I?  With -T one of our children, else
 * the parent, or only a check of the configuration.
 */
#include <sys/types.h>

#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config.h"
#include "log.h"
#include "parent/parent.h"
#include "parent/self.h"
#include "proc.h"
#include "version.h"

#define OPTIONS_MAX	64	/* words that the next program is given */

static void
usage(FILE *fp)
{
	fprintf(fp, "usage: updaterd [-dhnRVv] [-D macro=value] [-f file]\n");
}

static void
help(void)
{
	usage(stdout);
	printf("\n"
	    "  -D macro=value  set a macro of the configuration\n"
	    "  -d              stay in the foreground, log to standard error\n"
	    "  -f file         configuration, instead of %s\n"
	    "  -h              print this\n"
	    "  -n              check the configuration and exit; with -v\n"
	    "                  print it\n"
	    "  -R              reconcile once and exit; with -n only say\n"
	    "                  what would be done\n"
	    "  -V              print the version\n"
	    "  -v              log more; twice: for debugging\n", CONF_PATH);
}

static void
child(const char *name, int argc, char **argv)
{
	static const struct {
		enum proc_type	 type;
		void		(*main)(const struct proc_args *)
				    __attribute__((noreturn));
	} children[] = {
		{ PROC_NET,	net_main },
		{ PROC_PROBE,	probe_main },
		{ PROC_INFLATE,	inflate_main },
		{ PROC_UNPACK,	unpack_main },
		{ PROC_PROFILE,	profile_main }
	};
	struct proc_args	 args;
	size_t			 i;

	for (i = 0; i < sizeof(children) / sizeof(children[0]); i++) {
		if (strcmp(name, proc_name(children[i].type)) != 0)
			continue;
		proc_child(children[i].type, argc, argv, &args);
		children[i].main(&args);
	}
	errx(1, "unknown process %s", name);
}

struct options {
	const char	*path;		/* of the configuration */
	int		 foreground, check, once, verbose;
	char		*own[OPTIONS_MAX + 2];	/* for whom we become */
	int		 n;
};

/* -1, or the exit code: there is no more to do. */
static int
get_options(struct options *o, int argc, char *argv[])
{
	int	 ch;

	while ((ch = getopt(argc, argv, "D:df:hnRVv")) != -1) {
		if (o->n + 2 > OPTIONS_MAX)
			errx(2, "too many options");
		switch (ch) {
		case 'D':
			o->own[o->n++] = "-D";
			o->own[o->n++] = optarg;
			if (config_define(optarg) == -1)
				errx(2, "-D %s: not of the form macro=value",
				    optarg);
			break;
		case 'd':
			o->own[o->n++] = "-d";
			o->foreground = 1;
			break;
		case 'f':
			o->path = optarg;
			break;
		case 'h':
			help();
			return 0;
		case 'n':
			o->check = 1;
			break;
		case 'R':
			o->once = 1;
			break;
		case 'V':
			printf("updaterd %s\n", UPD_VERSION);
			return 0;
		case 'v':
			o->own[o->n++] = "-v";
			o->verbose++;
			break;
		default:
			usage(stderr);
			return 2;
		}
	}
	if (optind != argc) {
		usage(stderr);
		return 2;
	}
	return -1;
}

/* Another program may be the one that shall go on from here. */
static void
become(struct options *o, const char *program)
{
	if (o->once)
		o->own[o->n++] = o->check ? "-Rn" : "-R";
	o->own[o->n] = NULL;
	handover_take();
	handover_options(o->own, o->path);
	self_guard();
	if (proc_setpath(program) == -1)
		err(1, "cannot find my own program, start me by an "
		    "absolute path");
	if (o->once)
		self_once(o->path);
	else
		self_boot(o->path, o->foreground);
}

int
main(int argc, char *argv[])
{
	struct options	 o = { .path = CONF_PATH };
	struct config	*conf;
	int		 code;

	if (argc >= 3 && strcmp(argv[1], "-T") == 0)
		child(argv[2], argc, argv);
	if ((code = get_options(&o, argc, argv)) != -1)
		return code;
	if (!o.check || o.once)
		become(&o, argv[0]);
	if ((conf = config_parse(o.path)) == NULL)
		return 1;
	if (o.check && !o.once) {
		if (o.verbose)
			config_print(conf, stdout);
		else
			fprintf(stderr, "%s: configuration OK\n", o.path);
		config_free(conf);
		return 0;
	}

	if (geteuid() != 0)
		errx(1, "need root privileges");
	if (o.once)
		parent_once(conf, o.check, o.verbose);
	parent_main(conf, o.foreground, o.verbose);
}
