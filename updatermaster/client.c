/*
 * Requests to many hosts: see client.h.
 *
 * What a host costs while its request is under way is one curl handle, one
 * TLS connection and their buffers, which are kept small; certificate and
 * key are parsed once and shared.
 *
 * Each host has a name of its own in the URL and is connected to by
 * CONNECT_TO: curl takes an open connection again by the name in the URL,
 * and so never one that was checked against another host's fingerprint.
 * TLS sessions are not resumed, for then no certificate would be shown.
 */
#include <sys/types.h>

#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include <curl/curl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "timer.h"
#include "transfer.h"

#define BACKOFF_FIRST	500		/* ms before the second attempt */
#define BACKOFF_MAX	30000

struct watch {				/* one socket of curl's */
	struct event	 ev;
	struct client	*client;
};

static void	 attempt(struct request *);
static void	 collect(struct client *);

/* --- one attempt ------------------------------------------------------ */

static void
finish(struct request *r, enum request_end end)
{
	transfer_drop(r);
	TAILQ_REMOVE(&r->client->active, r, entry);
	r->end = end;
	r->client = NULL;
	r->done(r);
}

/* Half as long again at random, so that hosts do not come in step. */
static uint32_t
backoff(uint32_t attempts)
{
	uint32_t	 ms = BACKOFF_FIRST;

	while (--attempts > 0 && ms < BACKOFF_MAX)
		ms *= 2;
	if (ms > BACKOFF_MAX)
		ms = BACKOFF_MAX;
	return ms + arc4random_uniform(ms / 2);
}

static void
wait_over(int fd, short event, void *arg)
{
	struct request	*r = arg;

	r->waiting = 0;
	if (r->end == REQUEST_OPEN)
		attempt(r);
	else
		finish(r, r->end);
}

static void
wait_ms(struct request *r, uint32_t ms)
{
	evtimer_set(&r->timer, wait_over, r);
	timer_in(&r->timer, ms);
	r->waiting = 1;
}

static void
ended(struct request *r, CURLcode code)
{
	enum request_end	 end = transfer_end(r, code);
	uint32_t		 ms;

	if (end != REQUEST_UNREACHED || r->attempts > r->retries) {
		finish(r, end);
		return;
	}
	transfer_drop(r);
	ms = backoff(r->attempts);
	if (r->again != NULL)
		r->again(r, ms);
	wait_ms(r, ms);
}

/* Let done() be called from the loop. */
static void
fail_later(struct request *r, enum request_end end)
{
	r->end = end;
	wait_ms(r, 0);
}

static void
attempt(struct request *r)
{
	r->attempts++;
	if (transfer_begin(r) == -1)
		fail_later(r, REQUEST_UNREACHED);
}

void
client_start(struct client *c, struct request *r)
{
	r->client = c;
	r->end = REQUEST_OPEN;
	r->attempts = 0;
	r->begun_us = time_mono_us();
	TAILQ_INSERT_TAIL(&c->active, r, entry);
	if (r->host->fingerprint == NULL) {
		snprintf(r->text, sizeof(r->text), "no fingerprint recorded "
		    "for %s: enroll it; nothing was sent", r->host->name);
		fail_later(r, REQUEST_DISTRUST);
	} else if (pin_parse(r->host->fingerprint, r->pin) == -1) {
		snprintf(r->text, sizeof(r->text), "the fingerprint recorded "
		    "for %s is malformed: enroll it again; nothing was sent",
		    r->host->name);
		fail_later(r, REQUEST_DISTRUST);
	} else
		attempt(r);
}

void
client_hurry(struct client *c)
{
	struct request	*r;

	TAILQ_FOREACH(r, &c->active, entry)
		if (r->waiting && r->end == REQUEST_OPEN) {
			evtimer_del(&r->timer);
			fail_later(r, REQUEST_UNREACHED);
		}
}

/* --- curl and libevent ------------------------------------------------ */

static void
collect(struct client *c)
{
	CURLMsg		*m;
	CURLcode	 code;
	char		*r;
	int		 left;

	while ((m = curl_multi_info_read(c->multi, &left)) != NULL) {
		if (m->msg != CURLMSG_DONE)
			continue;
		code = m->data.result;	/* m goes with the handle */
		if (curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &r) ==
		    CURLE_OK)
			ended((struct request *)(void *)r, code);
	}
}

static void
on_socket(int fd, short event, void *arg)
{
	struct watch	*w = arg;
	struct client	*c = w->client;		/* w may go */
	int		 running, mask;

	mask = (event & EV_READ ? CURL_CSELECT_IN : 0) |
	    (event & EV_WRITE ? CURL_CSELECT_OUT : 0);
	curl_multi_socket_action(c->multi, fd, mask, &running);
	collect(c);
}

static void
on_timer(int fd, short event, void *arg)
{
	struct client	*c = arg;
	int		 running;

	curl_multi_socket_action(c->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	collect(c);
}

static int
want_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *sock)
{
	struct client	*c = arg;
	struct watch	*w = sock;

	if (w != NULL)
		event_del(&w->ev);
	if (what == CURL_POLL_REMOVE) {
		free(w);
		return 0;
	}
	if (w == NULL) {
		if ((w = calloc(1, sizeof(*w))) == NULL)
			return -1;
		w->client = c;
		curl_multi_assign(c->multi, fd, w);
	}
	event_set(&w->ev, fd, (short)((what & CURL_POLL_IN ? EV_READ : 0) |
	    (what & CURL_POLL_OUT ? EV_WRITE : 0) | EV_PERSIST), on_socket, w);
	return event_add(&w->ev, NULL);
}

static int
want_timer(CURLM *multi, long ms, void *arg)
{
	struct client	*c = arg;

	if (ms < 0) {
		evtimer_del(&c->timer);
		return 0;
	}
	return timer_in(&c->timer, (uint64_t)ms);
}

/* --- beginning and end ------------------------------------------------ */

static FILE *
open_file(const struct master *m, const char *name)
{
	char	*path = master_path(m, name);
	FILE	*f = NULL;

	if (path != NULL && (f = fopen(path, "re")) == NULL)
		warn("%s", path);
	free(path);
	return f;
}

static int
load_identity(struct client *c, const struct master *m)
{
	FILE	*f;

	if ((f = open_file(m, "master.crt")) == NULL)
		return -1;
	c->cert = PEM_read_X509(f, NULL, NULL, NULL);
	fclose(f);
	if ((f = open_file(m, "master.key")) == NULL)
		return -1;
	c->key = PEM_read_PrivateKey(f, NULL, NULL, NULL);
	fclose(f);
	if (c->cert == NULL || c->key == NULL ||
	    X509_check_private_key(c->cert, c->key) != 1) {
		warnx("%s: master.crt and master.key are not a pair: %s",
		    m->dir, ERR_reason_error_string(ERR_get_error()));
		return -1;
	}
	c->ca = master_path(m, "ca.crt");
	if (c->ca == NULL || access(c->ca, R_OK) == -1) {
		warn("%s/ca.crt", m->dir);
		return -1;
	}
	return 0;
}

struct client *
client_new(const struct master *m, int keep)
{
	struct client	*c;
	int		 bad = 0;

	if ((c = calloc(1, sizeof(*c))) == NULL)
		err(1, NULL);
	TAILQ_INIT(&c->active);
	c->keep = keep;
	evtimer_set(&c->timer, on_timer, c);
	if (load_identity(c, m) == -1)
		goto fail;
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK ||
	    (c->multi = curl_multi_init()) == NULL) {
		warnx("cannot start libcurl");
		goto fail;
	}
	bad |= curl_multi_setopt(c->multi, CURLMOPT_SOCKETFUNCTION,
	    want_socket) != CURLM_OK;
	bad |= curl_multi_setopt(c->multi, CURLMOPT_SOCKETDATA, c) != CURLM_OK;
	bad |= curl_multi_setopt(c->multi, CURLMOPT_TIMERFUNCTION,
	    want_timer) != CURLM_OK;
	bad |= curl_multi_setopt(c->multi, CURLMOPT_TIMERDATA, c) != CURLM_OK;
	/* HTTP/1.1 has nothing to share; with `keep` all stay open. */
	bad |= curl_multi_setopt(c->multi, CURLMOPT_PIPELINING,
	    CURLPIPE_NOTHING) != CURLM_OK;
	bad |= curl_multi_setopt(c->multi, CURLMOPT_MAXCONNECTS, 65536L) !=
	    CURLM_OK;
	if (!bad)
		return c;
	warnx("libcurl lacks what is needed");
 fail:
	client_free(c);
	return NULL;
}

void
client_free(struct client *c)
{
	struct request	*r;

	if (c == NULL)
		return;
	while ((r = TAILQ_FIRST(&c->active)) != NULL) {
		if (r->waiting)
			evtimer_del(&r->timer);
		r->waiting = 0;
		transfer_drop(r);
		TAILQ_REMOVE(&c->active, r, entry);
		r->client = NULL;
	}
	if (c->multi != NULL)
		curl_multi_cleanup(c->multi);
	evtimer_del(&c->timer);
	X509_free(c->cert);
	EVP_PKEY_free(c->key);
	free(c->ca);
	free(c);
}
