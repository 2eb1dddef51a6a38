/*
 * The same request to many hosts, and what their answers come to.  See ask.c
 * and watch.c for the commands.
 */
#include <sys/types.h>

#include <err.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "query.h"
#include "util.h"

#define PARALLEL	64
#define RETRIES		1
#define EVERY		2		/* seconds between two looks of watch */

enum {
	OPT_HOST = 256, OPT_GROUP, OPT_ALL, OPT_AGENT, OPT_TO, OPT_JSON,
	OPT_INVENTORY, OPT_PORT, OPT_PARALLEL, OPT_EVERY, OPT_ROUNDS
};

static const struct option	longopts[] = {
	{ "host",	required_argument, NULL, OPT_HOST },
	{ "group",	required_argument, NULL, OPT_GROUP },
	{ "all",	no_argument, NULL, OPT_ALL },
	{ "agent",	required_argument, NULL, OPT_AGENT },
	{ "to",		required_argument, NULL, OPT_TO },
	{ "json",	no_argument, NULL, OPT_JSON },
	{ "inventory",	required_argument, NULL, OPT_INVENTORY },
	{ "updater-port", required_argument, NULL, OPT_PORT },
	{ "parallel",	required_argument, NULL, OPT_PARALLEL },
	{ "every",	required_argument, NULL, OPT_EVERY },
	{ "rounds",	required_argument, NULL, OPT_ROUNDS },
	{ NULL, 0, NULL, 0 }
};

static void	 ask_next(struct query *);

/* --- options and hosts ------------------------------------------------ */

static int
number(const char *name, const char *s, uint32_t max, uint32_t *out)
{
	char		*end;
	unsigned long	 v;

	errno = 0;
	v = strtoul(s, &end, 10);
	if (s[0] < '0' || s[0] > '9' || *end != '\0' || errno != 0 ||
	    v < 1 || v > max) {
		warnx("--%s: \"%s\" has to be 1 to %u", name, s, max);
		return -1;
	}
	*out = (uint32_t)v;
	return 0;
}

static int
option(struct query *q, int opt, const char *command, const char *name)
{
	switch (opt) {
	case OPT_HOST:
		list_add(&q->choice.hosts, optarg);
		return 0;
	case OPT_GROUP:
		list_add(&q->choice.groups, optarg);
		return 0;
	case OPT_ALL:
		q->choice.all = 1;
		return 0;
	case OPT_AGENT:
		q->agent = optarg;
		if (name_isvalid(optarg))
			return 0;
		warnx("--agent: \"%s\" cannot be an agent's name", optarg);
		return -1;
	case OPT_JSON:
		q->json = 1;
		return 0;
	case OPT_INVENTORY:
		q->inventory = optarg;
		return 0;
	case OPT_PORT:
		return number(name, optarg, 65535, &q->port);
	case OPT_PARALLEL:
		return number(name, optarg, 100000, &q->parallel);
	case OPT_TO:
		if (strcmp(command, "rollback") != 0)
			break;
		q->to = optarg;
		if (id_isvalid(optarg))
			return 0;
		warnx("--to: \"%s\" cannot be a release's id", optarg);
		return -1;
	case OPT_EVERY:
		if (strcmp(command, "watch") != 0)
			break;
		return number(name, optarg, 3600, &q->every);
	case OPT_ROUNDS:
		if (strcmp(command, "watch") != 0)
			break;
		return number(name, optarg, UINT32_MAX, &q->rounds);
	default:
		return -1;
	}
	warnx("--%s does not go with %s", name, command);
	return -1;
}

int
query_open(struct query *q, struct master *m, const char *command, int argc,
    char **argv, int keep, int everyone)
{
	struct host	**list;
	size_t		  i;
	int		  opt, which = 0, rv;

	memset(q, 0, sizeof(*q));
	q->master = m;
	q->parallel = PARALLEL;
	q->retries = RETRIES;
	q->every = EVERY;
	optind = 1;
	while ((opt = getopt_long(argc, argv, "+", longopts, &which)) != -1) {
		if (opt == '?')
			return master_usage(command);
		if (option(q, opt, command, longopts[which].name) == -1)
			return EXIT_USAGE;
	}
	if (optind != argc)
		return master_usage(command);
	if (q->inventory != NULL && inventory_load(m, q->inventory) == -1)
		return EXIT_FAILED;
	if (everyone && q->choice.hosts == NULL && q->choice.groups == NULL)
		q->choice.all = 1;
	if ((rv = choose(m, &q->choice, &list, &q->n)) != EXIT_DONE)
		return rv;
	if ((q->asked = calloc(q->n, sizeof(*q->asked))) == NULL)
		err(1, NULL);
	for (i = 0; i < q->n; i++) {
		q->asked[i].q = q;
		q->asked[i].host = *list[i];
		if (q->port != 0)
			q->asked[i].host.port = (uint16_t)q->port;
	}
	free(list);
	event_init();
	q->client = client_new(m, keep);
	return q->client != NULL ? EXIT_DONE : EXIT_FAILED;
}

void
query_close(struct query *q)
{
	size_t	 i;

	client_free(q->client);
	for (i = 0; q->asked != NULL && i < q->n; i++) {
		request_free(&q->asked[i].req);
		free(q->asked[i].last);
	}
	free(q->asked);
	free(q->choice.hosts);
	free(q->choice.groups);
}

/* --- asking ----------------------------------------------------------- */

static void
ask_done(struct request *r)
{
	struct asked	*a = r->arg;
	struct query	*q = a->q;

	a->open = 0;
	q->inflight--;
	ask_next(q);
	if (q->inflight == 0 && q->next == q->n)
		q->all(q);
}

static char *
make_path(const struct query *q)
{
	char	*path;
	int	 n;

	/* What the whole host says has no agent in its path. */
	if (q->agent != NULL && strcmp(q->path, "/status") != 0)
		n = asprintf(&path, "/agents/%s%s%s%s", q->agent, q->path,
		    q->to ? "?to=" : "", q->to ? q->to : "");
	else
		n = asprintf(&path, "%s%s%s", q->path, q->to ? "?to=" : "",
		    q->to ? q->to : "");
	if (n == -1)
		err(1, NULL);
	return path;
}

static void
ask_next(struct query *q)
{
	struct asked	*a;
	struct request	*r;

	while (q->next < q->n && q->inflight < q->parallel) {
		a = &q->asked[q->next++];
		r = &a->req;
		request_free(r);
		memset(r, 0, sizeof(*r));
		r->host = &a->host;
		r->method = q->method;
		r->path = make_path(q);
		r->timeout = q->timeout;
		r->retries = q->retries;
		r->done = ask_done;
		r->arg = a;
		a->open = 1;
		q->inflight++;
		client_start(q->client, r);
	}
}

void
query_ask(struct query *q)
{
	q->next = q->inflight = 0;
	ask_next(q);
}

/* --- answers ---------------------------------------------------------- */

int
asked_isgood(const struct asked *a)
{
	return a->req.end == REQUEST_ANSWER && a->req.status == 200 &&
	    json_is_object(a->req.answer);
}

void
asked_why(const struct asked *a, char *out, size_t size)
{
	const json_t	*d = json_object_get(a->req.answer, "detail");
	const char	*why;

	if (a->req.end != REQUEST_ANSWER) {
		snprintf(out, size, "%s%s", a->req.end == REQUEST_UNREACHED ?
		    "unreachable: " : "", a->req.text);
		return;
	}
	why = json_is_string(d) ? json_string_value(d) : js_str(d, "error");
	snprintf(out, size, "%d: %s", a->req.status, why != NULL ? why :
	    "no reason given");
}

/* The agent in an answer of /status, or NULL. */
static const json_t *
asked_agent(const struct asked *a)
{
	const json_t	*list = json_object_get(a->req.answer, "agents"), *o;
	const char	*name = a->q->agent;
	size_t		 i;

	json_array_foreach(list, i, o)
		if (strcmp(js_text(o, "name"), name ? name : "default") == 0)
			return o;
	return name == NULL ? json_array_get(list, 0) : NULL;
}

const char *
release_name(const json_t *r)
{
	const char	*sha = js_str(r, "sha");

	return sha != NULL ? sha : js_str(r, "id");
}

/* How many are up, and the name and state of the first that is not. */
static int
services(const json_t *agent, char *out, char *detail)
{
	const json_t	*list = json_object_get(agent, "services"), *s;
	const char	*state;
	size_t		 i, up = 0, n = 0;
	int		 good = 1;

	json_array_foreach(list, i, s) {
		state = js_text(s, "state");
		if (strcmp(state, "down") == 0)
			continue;	/* somebody wants it so */
		n++;
		if (strcmp(state, "up") == 0) {
			up++;
			continue;
		}
		if (good && detail[0] == '\0')
			snprintf(detail, UPD_TEXT_SIZE, "%s is %s",
			    js_text(s, "name"), state);
		good = 0;
	}
	snprintf(out, UPD_TEXT_SIZE, "%zu/%zu up", up, n);
	return good;
}

int
asked_status(const struct asked *a, char cells[STATUS_CELLS][UPD_TEXT_SIZE])
{
	const json_t	*agent, *trial, *u;
	const char	*name;
	int		 good;
	size_t		 i;

	for (i = 0; i < STATUS_CELLS; i++)
		strlcpy(cells[i], i < 3 ? "-" : "", UPD_TEXT_SIZE);
	if (!asked_isgood(a)) {
		strlcpy(cells[0], a->req.end == REQUEST_UNREACHED ?
		    "unreachable" : "failed", UPD_TEXT_SIZE);
		asked_why(a, cells[3], UPD_TEXT_SIZE);
		return 0;
	}
	if ((agent = asked_agent(a)) == NULL) {
		strlcpy(cells[3], "no such agent", UPD_TEXT_SIZE);
		return 0;
	}
	strlcpy(cells[0], js_text(agent, "state"), UPD_TEXT_SIZE);
	name = release_name(json_object_get(agent, "release"));
	if (name != NULL)
		strlcpy(cells[1], name, UPD_TEXT_SIZE);
	if (js_str(agent, "broken") != NULL)
		strlcpy(cells[3], js_text(agent, "broken"), UPD_TEXT_SIZE);
	good = services(agent, cells[2], cells[3]) &&
	    js_str(agent, "broken") == NULL;
	trial = json_object_get(agent, "trial");
	if (cells[3][0] == '\0' && js_int(trial, "confirm", 0) > 0)
		snprintf(cells[3], UPD_TEXT_SIZE, "to be confirmed within %"
		    JSON_INTEGER_FORMAT " s", js_int(trial, "confirm", 0));
	u = json_object_get(a->req.answer, "update");
	if (cells[3][0] == '\0' && js_str(u, "by") != NULL)
		snprintf(cells[3], UPD_TEXT_SIZE, "update by %s",
		    js_text(u, "by"));
	if (cells[3][0] == '\0' && js_str(agent, "error") != NULL)
		snprintf(cells[3], UPD_TEXT_SIZE, "last error: %.400s",
		    js_text(agent, "error"));
	return good;
}
