/*
 * watch: how the fleet is, again and again.  Every host is asked over a
 * connection that stays open.  A terminal shows all hosts, repainted in
 * place, those with trouble first when not all fit; a pipe gets one line for
 * each change.
 */
#include <sys/types.h>
#include <sys/ioctl.h>
#include <sys/time.h>

#include <err.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "query.h"
#include "util.h"

#define ASK_TIMEOUT	10		/* seconds */
#define ROWS_DEFAULT	24
#define COLUMNS_DEFAULT	80
#define LINE_SIZE	1024

static struct watched {
	struct query	 q;
	struct screen	 screen;
	struct event	 timer;
	struct event	 sigint, sigterm;
	uint32_t	 round;
	size_t		 painted;
	int		 live;		/* a terminal */
	int		 trouble;	/* in the last round */
} w;

static void
line_of(const struct asked *a, char *out, size_t size, int *good)
{
	char	 cells[STATUS_CELLS][UPD_TEXT_SIZE], *e;

	*good = asked_status(a, cells);
	if (snprintf(out, size, "%-20s %-12s %-20.20s %-8s %s", a->host.name,
	    cells[0], cells[1], cells[2], cells[3]) < 0)
		out[0] = '\0';
	e = text_escape(out, 0);
	strlcpy(out, e, size);
	free(e);
}

static void
put_line(const char *line, size_t columns, int good)
{
	size_t	 n, i;

	for (i = n = 0; line[i] != '\0'; i++)
		if ((line[i] & 0xc0) != 0x80 && n++ == columns)
			break;
	if (w.screen.colour && !good)
		fprintf(w.screen.f, "\033[1;31m%.*s\033[0m\n", (int)i, line);
	else
		fprintf(w.screen.f, "%.*s\n", (int)i, line);
}

/* Those that are well, or those that are not. */
static void
paint_some(size_t rows, size_t columns, int want)
{
	char	 line[LINE_SIZE];
	size_t	 i;
	int	 good;

	for (i = 0; i < w.q.n && w.painted < rows; i++) {
		line_of(&w.q.asked[i], line, sizeof(line), &good);
		if (want != -1 && good != want)
			continue;
		put_line(line, columns, good);
		w.painted++;
	}
}

static void
paint(void)
{
	struct winsize	 ws;
	size_t		 rows = ROWS_DEFAULT, columns = COLUMNS_DEFAULT, i;
	size_t		 bad = 0;
	char		 line[LINE_SIZE];
	int		 good;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws) == 0 && ws.ws_row > 3 &&
	    ws.ws_col > 20) {
		rows = ws.ws_row;
		columns = ws.ws_col;
	}
	if (w.painted > 0)
		fprintf(w.screen.f, "\033[%zuA\r\033[J", w.painted);
	w.painted = 0;
	rows -= 2;
	if (w.q.n <= rows)
		paint_some(rows, columns - 1, -1);
	else {
		paint_some(rows, columns - 1, 0);
		paint_some(rows, columns - 1, 1);
	}
	for (i = 0; i < w.q.n; i++) {
		line_of(&w.q.asked[i], line, sizeof(line), &good);
		bad += !good;
	}
	snprintf(line, sizeof(line), "%zu hosts, %zu with trouble; every %u s",
	    w.q.n, bad, w.q.every);
	put_line(line, columns - 1, bad == 0);
	w.painted++;
	fflush(w.screen.f);
}

static void
print_changes(void)
{
	struct asked	*a;
	struct tm	 tm;
	time_t		 now = time(NULL);
	char		 line[LINE_SIZE], at[16] = "";
	size_t		 i;
	int		 good;

	if (localtime_r(&now, &tm) != NULL)
		(void)strftime(at, sizeof(at), "%H:%M:%S", &tm);
	for (i = 0; i < w.q.n; i++) {
		a = &w.q.asked[i];
		line_of(a, line, sizeof(line), &good);
		if (a->last != NULL && strcmp(a->last, line) == 0)
			continue;
		fprintf(w.screen.f, "%s %s\n", at, line);
		free(a->last);
		if ((a->last = strdup(line)) == NULL)
			err(1, NULL);
	}
	fflush(w.screen.f);
}

static void
print_json(void)
{
	const struct asked	*a;
	json_t			*o, *list = json_array();
	size_t			 i;

	for (i = 0; i < w.q.n; i++) {
		a = &w.q.asked[i];
		json_array_append_new(list, json_pack("{s:s, s:b, s:O?}",
		    "host", a->host.name, "ok", asked_isgood(a), "answer",
		    a->req.answer));
	}
	o = json_pack("{s:I, s:o}", "time", (json_int_t)time(NULL), "hosts",
	    list);
	json_dumpf(o, stdout, JSON_COMPACT | JSON_ENSURE_ASCII);
	putchar('\n');
	fflush(stdout);
	json_decref(o);
}

static void
round_over(struct query *q)
{
	struct timeval	 tv;
	size_t		 i;

	w.trouble = 0;
	for (i = 0; i < q->n; i++)
		w.trouble |= !asked_isgood(&q->asked[i]);
	if (q->json)
		print_json();
	else if (w.live)
		paint();
	else
		print_changes();
	if (q->rounds != 0 && ++w.round >= q->rounds) {
		event_loopexit(NULL);
		return;
	}
	tv.tv_sec = (time_t)q->every;
	tv.tv_usec = 0;
	evtimer_add(&w.timer, &tv);
}

static void
next_round(int fd, short event, void *arg)
{
	query_ask(&w.q);
}

static void
on_signal(int sig, short event, void *arg)
{
	event_loopexit(NULL);
}

int
cmd_watch(struct master *m, int argc, char **argv)
{
	int	 rv;

	rv = query_open(&w.q, m, "watch", argc, argv, 1, 1);
	if (rv == EXIT_DONE) {
		screen_init(&w.screen, stdout);
		w.live = isatty(STDOUT_FILENO);
		w.q.method = "GET";
		w.q.path = "/status";
		w.q.timeout = ASK_TIMEOUT;
		w.q.retries = 0;
		w.q.all = round_over;
		evtimer_set(&w.timer, next_round, NULL);
		signal_set(&w.sigint, SIGINT, on_signal, NULL);
		signal_set(&w.sigterm, SIGTERM, on_signal, NULL);
		signal_add(&w.sigint, NULL);
		signal_add(&w.sigterm, NULL);
		query_ask(&w.q);
		event_dispatch();
		evtimer_del(&w.timer);
		signal_del(&w.sigint);
		signal_del(&w.sigterm);
		rv = w.trouble ? EXIT_FAILED : EXIT_DONE;
	}
	query_close(&w.q);
	return rv;
}
