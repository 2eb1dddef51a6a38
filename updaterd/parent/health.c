/*
 * Is it healthy?  One check goes on from the start of a service until it
 * was healthy once, or until its time is over:
 *
 *	none		up for a second
 *	notify		a newline on descriptor 3, or READY=1 to the socket
 *	exec		a command of the service's user exits 0
 *	tcp, http(s)	the probe process says so
 *
 * A check ends once: health_finish() tells service.c, health_end() does
 * not.  Time runs from health_begin(), also over attempts that had to be
 * made again because the probe process was lost.
 */
#include <sys/types.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "expand.h"
#include "health.h"
#include "instance.h"
#include "log.h"
#include "timer.h"
#include "utf8.h"
#include "util.h"

#define NONE_MS		1000	/* up for so long is healthy */
#define WAIT_MIN	10	/* ms between attempts of exec, at first */
#define WAIT_MAX	1000	/* ms */
#define AGAIN_MS	10000	/* to be healthy again, for one that was */
#define BODY_MAX	UPD_BODY_SIZE	/* bytes kept */

void
health_wait(struct health *h, uint32_t ms)
{
	timer_in(&h->timer, ms);
}

uint32_t
health_remaining(const struct instance *i)
{
	uint64_t	 gone = time_mono_ms() - i->health.begin;
	uint32_t	 within = i->health.within_ms;

	return gone >= within ? 0 : within - (uint32_t)gone;
}

void
health_say(struct health *h, const char *text)
{
	struct buf	 b;

	memset(&b, 0, sizeof(b));
	if (utf8_clean(&b, text, strnlen(text, UPD_TEXT_SIZE)) == 0 &&
	    b.len < UPD_TEXT_SIZE)
		note_set(&h->detail, b.data != NULL ? b.data : "");
	else
		note_const(&h->detail, "?");
	buf_free(&b);
}

void
health_body(struct health *h, const char *body, size_t len)
{
	struct buf	 b;

	free(h->body);
	h->body = NULL;
	memset(&b, 0, sizeof(b));
	if (len > 0 && utf8_clean(&b, body, len) == 0)
		h->body = b.data;
	else
		buf_free(&b);
}

void
health_end(struct instance *i)
{
	struct health	*h = &i->health;

	h->pending = h->again = 0;
	evtimer_del(&h->timer);
	inquiry_end(h);
	if (h->command != NULL)
		command_cancel(h->command);
	h->command = NULL;
	herald_close(h);
}

void
health_clear(struct instance *i)
{
	struct health	*h = &i->health;

	health_end(i);
	h->healthy = -1;
	note_clear(&h->detail);
	h->status = h->attempts = 0;
	h->elapsed_ms = 0;
	free(h->body);
	h->body = NULL;
}

void
health_finish(struct instance *i, int healthy, const char *detail)
{
	struct health	*h = &i->health;

	h->elapsed_ms = time_mono_ms() - h->begin;
	h->healthy = healthy;
	health_say(h, detail);
	health_end(i);
	service_checked(i);
}

/* --- none ------------------------------------------------------------ */

static void
none_begin(struct instance *i)
{
	health_wait(&i->health, NONE_MS);
}

static void
none_timer(struct instance *i)
{
	health_finish(i, 1, "up for 1 s");
}

/* --- exec ------------------------------------------------------------ */

static void
exec_again(struct instance *i)
{
	struct health	*h = &i->health;
	uint32_t	 left = health_remaining(i);

	if (left == 0) {
		health_finish(i, 0, note_text(&h->detail));
		return;
	}
	health_wait(h, h->wait_ms < left ? h->wait_ms : left);
	h->wait_ms *= 2;
	if (h->wait_ms > WAIT_MAX)
		h->wait_ms = WAIT_MAX;
}

static void
exec_done(void *arg, const struct command_result *r)
{
	struct instance	*i = arg;
	struct health	*h = &i->health;
	const char	*out = r->output != NULL ? r->output : "";
	char		 text[UPD_TEXT_SIZE];
	size_t		 len = strlen(out);

	h->command = NULL;
	h->attempts++;
	health_body(h, out, len < BODY_MAX ? len : BODY_MAX);
	if (r->status == 0 && !r->timed_out) {
		health_finish(i, 1, "exited 0");
		return;
	}
	/* Cut short by the end of the time: the one before knew better. */
	if (r->timed_out && h->attempts > 1 && health_remaining(i) == 0) {
		exec_again(i);
		return;
	}
	snprintf(text, sizeof(text), "%.200s%s%.250s", r->text,
	    len > 0 ? ": " : "", out);
	text[strcspn(text, "\n")] = '\0';
	health_say(h, text);
	exec_again(i);
}

static void
exec_attempt(struct instance *i)
{
	const struct health_conf	*hc = &i->conf->health;
	struct health			*h = &i->health;
	struct command_conf		 cc;
	struct expansion		 x;
	char				 text[UPD_TEXT_SIZE];
	uint32_t			 left = health_remaining(i);
	int				 dirfd, ok;

	dirfd = i->agent->store == NULL ? -1 :
	    openat(i->agent->store->relfd, i->in.release, O_RDONLY |
	    O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	memset(&cc, 0, sizeof(cc));
	ok = instance_expand(i, &x, text) == 0;
	cc.argv = &x.check;
	cc.user = i->conf->user;
	cc.dirfd = dirfd;
	cc.environment = &x.environment;
	cc.timeout_ms = hc->timeout_ms < left ? hc->timeout_ms : left;
	if (cc.timeout_ms == 0)
		cc.timeout_ms = 1;	/* 0 would be for ever */
	cc.tail = BODY_MAX;
	if (dirfd != -1 && ok)
		h->command = command_start(&cc, exec_done, i);
	expansion_free(&x);
	if (h->command == NULL) {
		health_say(h, dirfd == -1 ? "cannot open the release" :
		    "cannot start the health check");
		exec_again(i);
	}
	if (dirfd != -1)
		close(dirfd);
}

static void
exec_begin(struct instance *i)
{
	i->health.wait_ms = WAIT_MIN;
	health_wait(&i->health, 0);
}

/* --- all kinds ------------------------------------------------------- */

static const struct {
	void	(*begin)(struct instance *);
	void	(*timer)(struct instance *);
} kinds[] = {
	[HEALTH_NONE]	= { none_begin,		none_timer },
	[HEALTH_TCP]	= { inquiry_begin,	inquiry_timer },
	[HEALTH_HTTP]	= { inquiry_begin,	inquiry_timer },
	[HEALTH_HTTPS]	= { inquiry_begin,	inquiry_timer },
	[HEALTH_EXEC]	= { exec_begin,		exec_attempt },
	[HEALTH_NOTIFY]	= { herald_begin,	herald_timer },
};
_Static_assert(sizeof(kinds) / sizeof(kinds[0]) == HEALTH__MAX,
    "a row for each kind of health check");

static void
health_timer(int fd, short what, void *arg)
{
	struct instance	*i = arg;

	kinds[i->health.kind].timer(i);
}

void
health_init(struct instance *i)
{
	struct health	*h = &i->health;

	memset(h, 0, sizeof(*h));
	h->healthy = -1;
	evtimer_set(&h->timer, health_timer, i);
}

void
health_begin(struct instance *i)
{
	struct health	*h = &i->health;

	h->kind = i->conf->health.kind;
	/* We shall not be there to hear the answer. */
	if (service_getenv()->oneshot)
		return;
	h->pending = 1;
	h->healthy = -1;
	note_const(&h->detail, "not known yet");
	h->within_ms = i->conf->health.within_ms;
	h->begin = time_mono_ms();
	kinds[h->kind].begin(i);
}

void
health_again(struct instance *i)
{
	const struct health_conf	*hc = &i->conf->health;
	struct health			*h = &i->health;

	if (h->pending || hc->kind == HEALTH_NONE || hc->kind == HEALTH_NOTIFY)
		return;
	h->kind = hc->kind;
	h->pending = h->again = 1;
	/* It has started long ago: it needs no time for that. */
	h->within_ms = hc->within_ms < AGAIN_MS ? hc->within_ms : AGAIN_MS;
	if (h->within_ms < hc->timeout_ms)
		h->within_ms = hc->timeout_ms;
	h->attempts = 0;
	h->begin = time_mono_ms();
	kinds[h->kind].begin(i);
}

void
health_letbe(struct instance *i)
{
	if (i->health.again)
		health_end(i);
}
