/*
 * Health of the kinds tcp, http and https: the probe process is asked, and
 * says at the end whether the service is healthy.  Should it be lost, it is
 * asked again for what is left of the time; should it not answer, it is
 * ended, for a verdict must not hang on its being alive.
 */
#include <sys/types.h>

#include <stdlib.h>
#include <string.h>

#include "health.h"
#include "instance.h"
#include "log.h"
#include "patience.h"
#include "util.h"

#define WAIT_PROBE	100	/* ms, the probe process is not there */
#define PROBE_LATE	PATIENCE(5000)	/* ms late: it will not answer */
#define LATE_MS		100	/* the loop was elsewhere when it was due */
#define GRACE_MS	PATIENCE(1000)	/* to read what has come meanwhile */
#define GRACES		10	/* then no answer is no answer */

void
inquiry_end(struct health *h)
{
	if (h->probe_id != 0)
		service_getenv()->probe_cancel(h->probe_id);
	h->probe_id = 0;
}

static void
await(struct health *h, uint32_t ms)
{
	h->due = time_mono_ms() + ms;
	health_wait(h, ms);
}

/*
 * We are late ourselves, a thousand services being started perhaps: the
 * answer may have been waiting for us, and is read only a few at a time.
 */
static int
grace(struct health *h)
{
	if (time_mono_ms() < h->due + LATE_MS || h->graces >= GRACES)
		return 0;
	h->graces++;
	await(h, GRACE_MS);
	return 1;
}

void
inquiry_begin(struct instance *i)
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
	m.within_ms = health_remaining(i);
	m.timeout_ms = hc->timeout_ms;
	strlcpy(m.address, hc->host != NULL ? hc->host : "",
	    sizeof(m.address));
	strlcpy(m.name, hc->name != NULL ? hc->name : "", sizeof(m.name));
	strlcpy(m.path, hc->path != NULL ? hc->path : "/", sizeof(m.path));
	if (service_getenv()->probe_start(&m, hc, text) == 0) {
		h->probe_id = m.id;
		h->graces = 0;
		/* The verdict must not hang on its being alive. */
		await(h, m.within_ms + m.timeout_ms + PROBE_LATE);
		return;
	}
	health_say(h, text);
	health_wait(h, WAIT_PROBE);
}

void
inquiry_timer(struct instance *i)
{
	if (i->health.probe_id != 0) {
		if (grace(&i->health))
			return;
		log_warnx("kill probe: it does not say whether %s is healthy",
		    i->name);
		service_getenv()->probe_kill();
		health_say(&i->health, "the probe process does not answer");
	} else if (health_remaining(i) > 0) {
		inquiry_begin(i);
		return;
	}
	health_finish(i, 0, note_text(&i->health.detail));
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
	health_body(h, r->body, r->body_len < sizeof(r->body) ? r->body_len :
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
		health_say(&i->health, "the probe process was lost");
		health_wait(&i->health, WAIT_PROBE);
	}
}
