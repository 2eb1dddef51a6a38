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
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "expand.h"
#include "instance.h"
#include "log.h"
#include "patience.h"
#include "utf8.h"
#include "util.h"

#include "compat/contain.h"

#define NONE_MS		1000	/* up for so long is healthy */
#define WAIT_MIN	10	/* ms between attempts of exec, at first */
#define WAIT_MAX	1000	/* ms */
#define WAIT_PROBE	100	/* ms, the probe process is not there */
#define AGAIN_MS	10000	/* to be healthy again, for one that was */
#define PROBE_LATE	PATIENCE(5000)	/* ms late: it will not answer */
#define LATE_MS		100	/* the loop was elsewhere when it was due */
#define GRACE_MS	PATIENCE(1000)	/* to read what has come meanwhile */
#define GRACES		10	/* then no answer is no answer */
#define DATAGRAM_MAX	4096	/* bytes of one notification */
#define READY_WORD	"READY=1"
#define FIFO_NAME	"ready"
#define SOCK_NAME	"notify"
#define BODY_MAX	UPD_BODY_SIZE	/* bytes kept */

static void
timer(struct event *ev, uint32_t ms)
{
	struct timeval	 tv = { ms / 1000, (ms % 1000) * 1000 };

	evtimer_add(ev, &tv);
}

/* What is left of the time, in ms. */
static uint32_t
remaining(const struct instance *i)
{
	uint64_t	 gone = time_mono_ms() - i->health.begin;
	uint32_t	 within = i->health.within_ms;

	return gone >= within ? 0 : within - (uint32_t)gone;
}

/* Valid UTF-8 of whatever came. */
static void
set_detail(struct health *h, const char *text)
{
	struct buf	 b;

	memset(&b, 0, sizeof(b));
	if (utf8_clean(&b, text, strnlen(text, UPD_TEXT_SIZE)) == 0 &&
	    b.len < sizeof(h->detail))
		strlcpy(h->detail, b.data != NULL ? b.data : "",
		    sizeof(h->detail));
	else
		strlcpy(h->detail, "?", sizeof(h->detail));
	buf_free(&b);
}

static void
set_body(struct health *h, const char *body, size_t len)
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

static void
close_notify(struct health *h)
{
	if (h->fifo != -1) {
		event_del(&h->fifo_ev);
		close(h->fifo);
	}
	if (h->sock != -1) {
		event_del(&h->sock_ev);
		close(h->sock);
	}
	h->fifo = h->sock = -1;
}

void
health_end(struct instance *i)
{
	struct health	*h = &i->health;

	h->pending = h->again = 0;
	evtimer_del(&h->timer);
	if (h->probe_id != 0)
		service_getenv()->probe_cancel(h->probe_id);
	h->probe_id = 0;
	if (h->command != NULL)
		command_cancel(h->command);
	h->command = NULL;
	close_notify(h);
}

void
health_clear(struct instance *i)
{
	struct health	*h = &i->health;

	health_end(i);
	h->healthy = -1;
	h->detail[0] = '\0';
	h->status = h->attempts = 0;
	h->elapsed_ms = 0;
	free(h->body);
	h->body = NULL;
}

static void
health_finish(struct instance *i, int healthy, const char *detail)
{
	struct health	*h = &i->health;

	h->elapsed_ms = time_mono_ms() - h->begin;
	h->healthy = healthy;
	set_detail(h, detail);
	health_end(i);
	service_checked(i);
}

/* --- none ------------------------------------------------------------ */

static void
none_begin(struct instance *i)
{
	timer(&i->health.timer, NONE_MS);
}

static void
none_timer(struct instance *i)
{
	health_finish(i, 1, "up for 1 s");
}

/* --- notify ---------------------------------------------------------- */

static void
notify_begin(struct instance *i)
{
	timer(&i->health.timer, i->health.within_ms);
}

static void	 notify_fifo(int, short, void *);
static void	 notify_sock(int, short, void *);

static void
notify_timer(struct instance *i)
{
	char	 text[128];

	/* It may have said so while we were busy with others. */
	if (i->health.fifo != -1)
		notify_fifo(i->health.fifo, EV_READ, i);
	if (i->health.pending && i->health.sock != -1)
		notify_sock(i->health.sock, EV_READ, i);
	if (!i->health.pending)
		return;
	snprintf(text, sizeof(text), "did not say within %u ms that it is "
	    "ready", i->health.within_ms);
	health_finish(i, 0, text);
}

static void
notify_ready(struct instance *i)
{
	/* Of one that was adopted, before its check has begun: it keeps. */
	if (i->health.pending)
		health_finish(i, 1, "said that it is ready");
}

void
health_ready(struct instance *i)
{
	if (i->health.kind == HEALTH_NOTIFY)
		notify_ready(i);
}

static void
notify_fifo(int fd, short what, void *arg)
{
	struct instance	*i = arg;
	char		 data[512];
	ssize_t		 n;

	n = read(fd, data, sizeof(data));
	if (n > 0 && memchr(data, '\n', (size_t)n) != NULL)
		notify_ready(i);
}

static void
notify_sock(int fd, short what, void *arg)
{
	struct instance	*i = arg;
	char		 data[DATAGRAM_MAX + 1], *p, *line;
	ssize_t		 n;
	uid_t		 uid;

	if ((n = cred_recv(fd, data, DATAGRAM_MAX, &uid)) <= 0)
		return;
	if (uid != (uid_t)-1 && uid != i->health.uid && uid != 0)
		return;
	data[n] = '\0';
	for (p = data; (line = strsep(&p, "\n")) != NULL; )
		if (strcmp(line, READY_WORD) == 0) {
			notify_ready(i);
			return;
		}
}

/* The socket, or -1 with errno. */
static int
make_socket(int dirfd, const char *path, uid_t uid, gid_t gid)
{
	struct sockaddr_un	 sun;
	int			 fd, saved;

	memset(&sun, 0, sizeof(sun));
	sun.sun_family = AF_UNIX;
	if (strlcpy(sun.sun_path, path, sizeof(sun.sun_path)) >=
	    sizeof(sun.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd == -1)
		return -1;
	(void)unlinkat(dirfd, SOCK_NAME, 0);
	if (bind(fd, (struct sockaddr *)&sun, sizeof(sun)) == -1 ||
	    fchmodat(dirfd, SOCK_NAME, 0600, 0) == -1 ||
	    fchownat(dirfd, SOCK_NAME, uid, gid, AT_SYMLINK_NOFOLLOW) == -1 ||
	    cred_enable(fd) == -1) {
		saved = errno;
		close(fd);
		errno = saved;
		return -1;
	}
	return fd;
}

int
health_prepare(struct instance *i, int fresh, uid_t uid, gid_t gid,
    char *path, size_t size, char *text)
{
	struct health	*h = &i->health;
	int		 dirfd, fd;

	close_notify(h);
	h->uid = uid;
	path[0] = '\0';
	if ((dirfd = native_rundir(i)) == -1)
		goto fail;
	/* What an earlier one wrote must not speak for this one. */
	if (fresh)
		(void)unlinkat(dirfd, FIFO_NAME, 0);
	if ((h->fifo = fifo_open(dirfd, FIFO_NAME)) == -1 ||
	    (fd = fifo_writer(dirfd, FIFO_NAME)) == -1)
		goto fail;
	event_set(&h->fifo_ev, h->fifo, EV_READ | EV_PERSIST, notify_fifo, i);
	if (event_add(&h->fifo_ev, NULL) == -1)
		log_warnx("watch descriptor 3 of %s: out of memory", i->name);
	if ((size_t)snprintf(path, size, "%s/%s/" SOCK_NAME,
	    service_getenv()->run_path, i->name) >= size ||
	    (h->sock = make_socket(dirfd, path, uid, gid)) == -1) {
		/* Descriptor 3 does it as well. */
		log_warn("make notification socket of %s", i->name);
		path[0] = '\0';
		return fd;
	}
	event_set(&h->sock_ev, h->sock, EV_READ | EV_PERSIST, notify_sock, i);
	if (event_add(&h->sock_ev, NULL) == -1)
		log_warnx("watch socket of %s: out of memory", i->name);
	return fd;
 fail:
	snprintf(text, UPD_TEXT_SIZE, "cannot make descriptor 3: %s",
	    strerror(errno));
	if (h->fifo != -1)
		close(h->fifo);
	h->fifo = -1;
	return -1;
}

/* --- exec ------------------------------------------------------------ */

static void
exec_again(struct instance *i)
{
	struct health	*h = &i->health;
	uint32_t	 left = remaining(i);
	char		 text[UPD_TEXT_SIZE];

	if (left == 0) {
		strlcpy(text, h->detail, sizeof(text));
		health_finish(i, 0, text);
		return;
	}
	timer(&h->timer, h->wait_ms < left ? h->wait_ms : left);
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
	set_body(h, out, len < BODY_MAX ? len : BODY_MAX);
	if (r->status == 0 && !r->timed_out) {
		health_finish(i, 1, "exited 0");
		return;
	}
	/* Cut short by the end of the time: the one before knew better. */
	if (r->timed_out && h->attempts > 1 && remaining(i) == 0) {
		exec_again(i);
		return;
	}
	snprintf(text, sizeof(text), "%.200s%s%.250s", r->text,
	    len > 0 ? ": " : "", out);
	text[strcspn(text, "\n")] = '\0';
	set_detail(h, text);
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
	uint32_t			 left = remaining(i);
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
		set_detail(h, dirfd == -1 ? "cannot open the release" :
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
	timer(&i->health.timer, 0);
}

/* --- the probe process ----------------------------------------------- */

static void
probe_await(struct health *h, uint32_t ms)
{
	h->due = time_mono_ms() + ms;
	timer(&h->timer, ms);
}

/*
 * We are late ourselves, a thousand services being started perhaps: the
 * answer may have been waiting for us, and is read only a few at a time.
 */
static int
probe_grace(struct health *h)
{
	if (time_mono_ms() < h->due + LATE_MS || h->graces >= GRACES)
		return 0;
	h->graces++;
	probe_await(h, GRACE_MS);
	return 1;
}

static void
probe_begin(struct instance *i)
{
	static uint32_t			 last_id;
	const struct health_conf	*hc = &i->conf->health;
	struct health			*h = &i->health;
	struct msg_probe_start		 m;
	char				 text[UPD_TEXT_SIZE] = "";

	memset(&m, 0, sizeof(m));
	if (++last_id == 0)
		++last_id;
	m.id = last_id;
	m.kind = hc->kind;
	m.port = hc->port;
	m.status = hc->status;
	m.within_ms = remaining(i);
	m.timeout_ms = hc->timeout_ms;
	strlcpy(m.address, hc->host != NULL ? hc->host : "",
	    sizeof(m.address));
	strlcpy(m.name, hc->name != NULL ? hc->name : "", sizeof(m.name));
	strlcpy(m.path, hc->path != NULL ? hc->path : "/", sizeof(m.path));
	if (service_getenv()->probe_start(&m, hc, text) == 0) {
		h->probe_id = m.id;
		h->graces = 0;
		/* The verdict must not hang on its being alive. */
		probe_await(h, m.within_ms + m.timeout_ms + PROBE_LATE);
		return;
	}
	set_detail(h, text);
	timer(&h->timer, WAIT_PROBE);
}

static void
probe_timer(struct instance *i)
{
	char	 text[UPD_TEXT_SIZE];

	if (i->health.probe_id != 0) {
		if (probe_grace(&i->health))
			return;
		log_warnx("kill probe: it does not say whether %s is healthy",
		    i->name);
		service_getenv()->probe_kill();
		set_detail(&i->health, "the probe process does not answer");
	} else if (remaining(i) > 0) {
		probe_begin(i);
		return;
	}
	strlcpy(text, i->health.detail, sizeof(text));
	health_finish(i, 0, text);
}

void
service_probe_result(const struct msg_probe_result *r)
{
	struct instance	*i;
	struct health	*h;
	uint64_t	 elapsed;

	TAILQ_FOREACH(i, &all_instances, all)
		if (i->health.probe_id != 0 && i->health.probe_id == r->id)
			break;
	if (i == NULL)
		return;		/* cancelled as it came */
	h = &i->health;
	evtimer_del(&h->timer);
	h->probe_id = 0;
	h->status = r->status;
	h->attempts += r->attempts;
	set_body(h, r->body, r->body_len < sizeof(r->body) ? r->body_len :
	    sizeof(r->body));
	elapsed = r->elapsed_ms;
	health_finish(i, r->healthy == 1, r->text);
	if (h->elapsed_ms < elapsed)
		h->elapsed_ms = elapsed;
}

void
service_probe_cert(const struct msg_probe_cert *m)
{
	const struct health_conf	*hc;
	struct instance			*i;

	TAILQ_FOREACH(i, &all_instances, all)
		if (i->health.probe_id != 0 && i->health.probe_id == m->id)
			break;
	/* A reload may have taken its files away meanwhile. */
	if (i == NULL || i->conf == NULL)
		return;
	hc = &i->conf->health;
	if (m->which == PROBEFILE_CA && hc->ca != NULL)
		service_getenv()->expires(EXPIRY_HEALTH_CA, hc->ca,
		    m->expires);
	else if (m->which == PROBEFILE_CERT && hc->cert != NULL)
		service_getenv()->expires(EXPIRY_HEALTH_CERT, hc->cert,
		    m->expires);
}

void
service_probe_lost(void)
{
	struct instance	*i;

	TAILQ_FOREACH(i, &all_instances, all) {
		if (i->health.probe_id == 0)
			continue;
		i->health.probe_id = 0;
		set_detail(&i->health, "the probe process was lost");
		timer(&i->health.timer, WAIT_PROBE);
	}
}

/* --- all kinds ------------------------------------------------------- */

static const struct {
	void	(*begin)(struct instance *);
	void	(*timer)(struct instance *);
} kinds[] = {
	[HEALTH_NONE]	= { none_begin,		none_timer },
	[HEALTH_TCP]	= { probe_begin,	probe_timer },
	[HEALTH_HTTP]	= { probe_begin,	probe_timer },
	[HEALTH_HTTPS]	= { probe_begin,	probe_timer },
	[HEALTH_EXEC]	= { exec_begin,		exec_attempt },
	[HEALTH_NOTIFY]	= { notify_begin,	notify_timer },
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
	h->fifo = h->sock = -1;
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
	strlcpy(h->detail, "not known yet", sizeof(h->detail));
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
