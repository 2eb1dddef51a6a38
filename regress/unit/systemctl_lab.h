/*
 * A systemctl that is played by the test: command_start() as systemctl.c
 * calls it.
 */
#ifndef SYSTEMCTL_LAB_H
#define SYSTEMCTL_LAB_H

#include <errno.h>
#include <event.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "service.h"
#include "systemctl.h"

struct command {
	char	 line[65536];
	void	(*done)(void *, const struct command_result *);
	void	*arg;
};
static struct command	*running[4];
static int		 nrunning, commands, refuse;

struct command *
command_start(const struct command_conf *cc,
    void (*done)(void *, const struct command_result *), void *arg)
{
	struct command	*c;
	size_t		 i;

	if (refuse) {
		errno = EAGAIN;
		return NULL;
	}
	c = calloc(1, sizeof(*c));
	assert_non_null(c);
	assert_string_equal(cc->argv->v[0], "systemctl");
	/* Its own words of the beginning are of no interest. */
	for (i = 3; i < cc->argv->n; i++) {
		if (strcmp(cc->argv->v[i], UNITSTATE_PROPERTIES) == 0 ||
		    strcmp(cc->argv->v[i], "-p") == 0)
			continue;
		if (c->line[0] != '\0')
			strcat(c->line, " ");
		strcat(c->line, cc->argv->v[i]);
	}
	c->done = done;
	c->arg = arg;
	assert_true(nrunning < 4);
	running[nrunning++] = c;
	commands++;
	return c;
}

void
command_cancel(struct command *c)
{
	fail_msg("no command is cancelled");
}

/* The one whose line begins so; it must be there. */
static __attribute__((unused)) struct command *
find(const char *begin)
{
	int	 i;

	for (i = 0; i < nrunning; i++)
		if (strncmp(running[i]->line, begin, strlen(begin)) == 0)
			return running[i];
	fail_msg("not run: %s", begin);
	return NULL;
}

static void
end(struct command *c, int status, const char *output)
{
	struct command_result	 r;
	int			 i;

	for (i = 0; running[i] != c; i++)
		;
	running[i] = running[--nrunning];
	memset(&r, 0, sizeof(r));
	r.status = status;
	r.output = strdup(output);
	strcpy(r.text, "exited 1");
	c->done(c->arg, &r);
	free(r.output);
	free(c);
}

static void
turn(void)
{
	event_loop(EVLOOP_NONBLOCK);
	event_loop(EVLOOP_NONBLOCK);
}

#endif
