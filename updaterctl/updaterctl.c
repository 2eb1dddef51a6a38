/*
 * updaterctl: the operator's hand on updaterd, over its control socket.
 *
 * One command, one request, one answer (monitor: answers until somebody
 * goes).  Who may do what is the daemon's business; here is only what
 * saves a person a detour.  Exit 0: done, 1: failed, 2: used wrongly, 3: see
 * reconcile -n.
 */
#include <sys/types.h>
#include <sys/stat.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "client.h"
#include "output.h"

#define CTL_SOCKET	"/run/updaterd.sock"	/* CONF_CONTROL */
#define EXIT_FAILED	1
#define EXIT_USAGE	2
#define EXIT_CHANGES	3	/* reconcile -n: something would change */

struct ctl {
	const char		*path;		/* of the socket */
	int			 json;		/* -j */
	const struct command	*cmd;
	struct client		 client;
	struct screen		 out;
};

struct command {
	const char	*name;
	int		 min, max;	/* arguments behind options */
	const char	*options;	/* of getopt(3) */
	int		(*run)(struct ctl *, int, char **, int);
	enum upd_op	 op;
	const char	*usage;
};

static int	ctl_agent(struct ctl *, int, char **, int);
static int	ctl_release(struct ctl *, int, char **, int);
static int	ctl_update(struct ctl *, int, char **, int);
static int	ctl_service(struct ctl *, int, char **, int);
static int	ctl_plain(struct ctl *, int, char **, int);
static int	ctl_reconcile(struct ctl *, int, char **, int);
static int	ctl_monitor(struct ctl *, int, char **, int);
static int	ctl_log(struct ctl *, int, char **, int);

static const struct command	commands[] = {
	{ "status",	0, 0, "", ctl_plain, OP_STATUS, "" },
	{ "releases",	0, 1, "", ctl_agent, OP_RELEASES, "[agent]" },
	{ "rollback",	0, 2, "", ctl_release, OP_ROLLBACK, "[agent [id]]" },
	{ "update",	2, 3, "Dfn", ctl_update, OP__MAX,
	    "[-Dfn] agent file|- [sha]" },
	{ "start",	1, 1, "", ctl_service, OP_START, "service" },
	{ "stop",	1, 1, "", ctl_service, OP_STOP, "service" },
	{ "restart",	1, 1, "", ctl_service, OP_RESTART, "service" },
	{ "history",	0, 1, "", ctl_agent, OP_HISTORY, "[agent]" },
	{ "monitor",	0, 0, "", ctl_monitor, OP_MONITOR, "" },
	{ "metrics",	0, 0, "", ctl_plain, OP_METRICS, "" },
	{ "reload",	0, 0, "", ctl_plain, OP_RELOAD, "" },
	{ "log",	1, 1, "", ctl_log, OP_VERBOSE, "brief|verbose" },
	{ "confirm",	0, 1, "", ctl_agent, OP_CONFIRM, "[agent]" },
	{ "reconcile",	0, 0, "n", ctl_reconcile, OP_RECONCILE, "[-n]" },
	{ "profiles",	0, 0, "", ctl_plain, OP_PROFILES, "" },
	{ "verify",	0, 2, "", ctl_release, OP_VERIFY, "[agent [id]]" },
};
#define NCOMMANDS	(sizeof(commands) / sizeof(commands[0]))

static void
usage(FILE *f)
{
	size_t	 i;

	fprintf(f, "usage: updaterctl [-hj] [-s socket] command [argument "
	    "...]\ncommands:\n");
	for (i = 0; i < NCOMMANDS; i++)
		fprintf(f, "\t%s%s%s\n", commands[i].name,
		    commands[i].usage[0] != '\0' ? " " : "",
		    commands[i].usage);
}

static void command_usage(const struct command *)
    __attribute__((noreturn));

static void
command_usage(const struct command *cmd)
{
	fprintf(stderr, "usage: updaterctl [-j] [-s socket] %s %s\n",
	    cmd->name, cmd->usage);
	exit(EXIT_USAGE);
}

static const char *
command_name(size_t i)
{
	return commands[i].name;
}

/* By name, or by the only name that begins so.  Exits when there is none. */
static const struct command *
command_find(const char *name)
{
	int	 k = text_pick("updaterctl", name, command_name, NCOMMANDS);

	if (k >= 0)
		return &commands[k];
	if (k == TEXT_UNKNOWN)
		usage(stderr);
	exit(EXIT_USAGE);
}

/* --- the answer ------------------------------------------------------- */

static void
progress(struct ctl *ctl, const struct msg_update_event *e)
{
	char	*name, size[16];

	if (ctl->json || !isatty(STDERR_FILENO))
		return;
	name = text_escape(e->event, 0);
	if (e->bytes > 0) {
		fmt_bytes(e->bytes, size, sizeof(size));
		fprintf(stderr, "\r%-20s %12s", name, size);
	} else
		fprintf(stderr, "\r%-33s", name);
	fflush(stderr);
	free(name);
}

static void
progress_end(struct ctl *ctl)
{
	if (!ctl->json && isatty(STDERR_FILENO))
		fprintf(stderr, "\r%-33s\r", "");
}

static json_t *
parse(const struct ctl *ctl, const struct answer *a)
{
	json_t		*json;
	json_error_t	 error;

	if (a->text.len == 0)
		return json_object();
	/* The one answer that is no JSON. */
	if (ctl->cmd->op == OP_METRICS && a->status == 200)
		return json_pack("{s:s#}", "metrics", a->text.data,
		    (int)a->text.len);
	json = json_loadb(a->text.data, a->text.len, JSON_DECODE_ANY, &error);
	if (json == NULL)
		warnx("cannot understand the answer: no JSON at byte %d",
		    error.position);
	return json;
}

static void
show(struct ctl *ctl, json_t *json)
{
	if (ctl->json)
		output_json(stdout, isatty(STDOUT_FILENO), json);
	else if (ctl->cmd->op == OP_STATUS)
		output_status(&ctl->out, json);
	else if (ctl->cmd->op == OP_RELEASES)
		output_releases(&ctl->out, json);
	else if (ctl->cmd->op == OP_HISTORY)
		output_history(&ctl->out, json);
	else if (ctl->cmd->op == OP_VERIFY)
		output_verify(&ctl->out, json);
	else if (ctl->cmd->op == OP_MONITOR)
		output_event(&ctl->out, json);
	else if (ctl->cmd->op == OP_PROFILES)
		output_profiles(&ctl->out, json);
	else if (ctl->cmd->op == OP_RECONCILE)
		output_reconcile(&ctl->out, json);
	else if (ctl->cmd->op == OP_METRICS)
		output_metrics(&ctl->out, json);
	else
		output_result(&ctl->out, json);
}

static void
show_error(struct ctl *ctl, uint32_t status, const json_t *json)
{
	struct screen	 s;

	if (ctl->json) {
		output_json(stdout, isatty(STDOUT_FILENO), json);
		return;
	}
	fflush(stdout);
	screen_init(&s, stderr);
	output_error(&s, status, json);
}

/* A whole answer, or a part of monitor's: print it.  The exit code. */
static int
present(struct ctl *ctl, const struct answer *a)
{
	json_t	*json;
	int	 rv = EXIT_FAILED;

	if ((json = parse(ctl, a)) == NULL)
		return EXIT_FAILED;
	if (a->status >= 400 || a->status == 0)
		show_error(ctl, a->status, json);
	else {
		show(ctl, json);
		/* An answer, and yet not what was hoped for. */
		if (ctl->cmd->op == OP_VERIFY && strcmp(js_text(json,
		    "status"), "clean") != 0)
			rv = EXIT_FAILED;
		else if (ctl->cmd->op == OP_RECONCILE && js_true(json,
		    "dry") && js_int(json, "changes", 0) > 0)
			rv = EXIT_CHANGES;
		else
			rv = 0;
	}
	json_decref(json);
	if (fflush(stdout) == EOF)
		err(EXIT_FAILED, "standard output");
	return rv;
}

static int
receive(struct ctl *ctl)
{
	struct answer	 a;
	int		 rv = EXIT_FAILED, monitor, parts = 0;

	monitor = ctl->cmd->op == OP_MONITOR;
	memset(&a, 0, sizeof(a));
	for (;;) {
		switch (client_next(&ctl->client, &a)) {
		case CLIENT_EVENT:
			progress(ctl, &a.event);
			continue;
		case CLIENT_PART:
			parts++;
			if (!a.last && !monitor)
				continue;
			progress_end(ctl);
			/* The end of monitor's answers may come empty. */
			if (!monitor || a.text.len > 0 || a.status >= 400)
				rv = present(ctl, &a);
			buf_reset(&a.text);
			if (!a.last)
				continue;
			break;
		case CLIENT_END:
			progress_end(ctl);
			if (monitor && parts > 0) {
				rv = 0;
				break;
			}
			/* It takes no descriptor from anybody else. */
			warnx("updaterd has closed the connection without an "
			    "answer: %s", ctl->cmd->op == OP__MAX &&
			    geteuid() != 0 ? "update is for root" :
			    "see its log");
			rv = EXIT_FAILED;
			break;
		case CLIENT_BROKEN:
			progress_end(ctl);
			warnx("%s", ctl->client.why);
			rv = EXIT_FAILED;
			break;
		}
		break;
	}
	buf_free(&a.text);
	return rv;
}

/* --- commands --------------------------------------------------------- */

static void
ctl_connect(struct ctl *ctl)
{
	if (client_open(&ctl->client, ctl->path) == -1)
		errx(EXIT_FAILED, "%s", ctl->client.why);
}

static int
request(struct ctl *ctl, const char *agent, const char *arg)
{
	ctl_connect(ctl);
	if (client_request(&ctl->client, ctl->cmd->op, agent, arg) == -1)
		errx(EXIT_FAILED, "%s", ctl->client.why);
	return receive(ctl);
}

static int
ctl_plain(struct ctl *ctl, int argc, char **argv, int flags)
{
	return request(ctl, "", "");
}

static int
ctl_agent(struct ctl *ctl, int argc, char **argv, int flags)
{
	return request(ctl, argc > 0 ? argv[0] : "", "");
}

static int
ctl_release(struct ctl *ctl, int argc, char **argv, int flags)
{
	return request(ctl, argc > 0 ? argv[0] : "", argc > 1 ? argv[1] : "");
}

static int
ctl_service(struct ctl *ctl, int argc, char **argv, int flags)
{
	return request(ctl, "", argv[0]);
}

static int
ctl_reconcile(struct ctl *ctl, int argc, char **argv, int flags)
{
	return request(ctl, "", flags & UPDF_DRY_RUN ? "dry" : "");
}

static int
ctl_log(struct ctl *ctl, int argc, char **argv, int flags)
{
	if (strcmp(argv[0], "brief") != 0 && strcmp(argv[0], "verbose") != 0)
		command_usage(ctl->cmd);
	return request(ctl, "", argv[0]);
}

static int
ctl_monitor(struct ctl *ctl, int argc, char **argv, int flags)
{
	/* Whoever reads us through a pipe wants each event as it happens. */
	setvbuf(stdout, NULL, _IOLBF, 0);
	return request(ctl, "", "");
}

static int
ctl_update(struct ctl *ctl, int argc, char **argv, int flags)
{
	struct stat	 st;
	int64_t		 length = -1;
	off_t		 pos;
	int		 fd;

	if (strcmp(argv[1], "-") == 0) {
		if (isatty(STDIN_FILENO))
			errx(EXIT_USAGE, "standard input is a terminal: give "
			    "an archive");
		/* A copy: imsg closes what it has sent. */
		if ((fd = dup(STDIN_FILENO)) == -1)
			err(EXIT_FAILED, "standard input");
	} else if ((fd = open(argv[1], O_RDONLY | O_CLOEXEC)) == -1)
		err(EXIT_FAILED, "%s", argv[1]);
	if (fstat(fd, &st) == -1)
		err(EXIT_FAILED, "%s", argv[1]);
	if (S_ISDIR(st.st_mode))
		errx(EXIT_FAILED, "%s: is a directory: give an archive",
		    argv[1]);
	/* Standard input may have been read from already. */
	if (S_ISREG(st.st_mode) && (pos = lseek(fd, 0, SEEK_CUR)) != -1)
		length = st.st_size > pos ? st.st_size - pos : 0;

	ctl_connect(ctl);
	if (client_update(&ctl->client, fd, length, (uint32_t)flags, argv[0],
	    argc > 2 ? argv[2] : "") == -1)
		errx(EXIT_FAILED, "%s", ctl->client.why);
	return receive(ctl);
}

int
main(int argc, char **argv)
{
	struct ctl	 ctl;
	int		 ch, flags = 0, rv;

	memset(&ctl, 0, sizeof(ctl));
	ctl.path = CTL_SOCKET;
	ctl.client.fd = -1;
	/* A daemon that closes early has still said why. */
	signal(SIGPIPE, SIG_IGN);

	/* '+': what follows the command belongs to it. */
	while ((ch = getopt(argc, argv, "+hjs:")) != -1) {
		switch (ch) {
		case 'h':
			usage(stdout);
			return 0;
		case 'j':
			ctl.json = 1;
			break;
		case 's':
			ctl.path = optarg;
			break;
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
	ctl.cmd = command_find(argv[0]);
	optreset = 1;
	optind = 1;
	while ((ch = getopt(argc, argv, ctl.cmd->options)) != -1) {
		switch (ch) {
		case 'D':
			flags |= UPDF_DOWNGRADE;
			break;
		case 'f':
			flags |= UPDF_FORCE;
			break;
		case 'n':
			flags |= UPDF_DRY_RUN;
			break;
		default:
			command_usage(ctl.cmd);
		}
	}
	argc -= optind;
	argv += optind;
	if (argc < ctl.cmd->min || argc > ctl.cmd->max)
		command_usage(ctl.cmd);
	screen_init(&ctl.out, stdout);
	rv = ctl.cmd->run(&ctl, argc, argv, flags);
	client_close(&ctl.client);
	return rv;
}
