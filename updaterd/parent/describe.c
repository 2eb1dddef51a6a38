/*
 * What there is to say about an agent's services: for status, and for the
 * answer to an update.
 */
#include <sys/types.h>

#include <stdlib.h>
#include <string.h>

#include "instance.h"
#include "log.h"
#include "utf8.h"
#include "util.h"

#define TIME_SIZE	40	/* bytes of a time_iso() */

static json_t *
iso(int64_t us)
{
	char	 text[TIME_SIZE];

	if (us == 0)
		return json_null();
	time_iso(us, text, sizeof(text));
	return json_string(text);
}

/* A string of ours that may hold somebody else's bytes. */
static json_t *
text_or_null(const char *s)
{
	struct buf	 b;
	json_t		*j;

	if (s == NULL || s[0] == '\0')
		return json_null();
	memset(&b, 0, sizeof(b));
	j = utf8_clean(&b, s, strlen(s)) == 0 ?
	    json_stringn(b.data, b.len) : NULL;
	buf_free(&b);
	return j != NULL ? j : json_null();
}

static json_t *
health_json(const struct instance *i)
{
	const struct health	*h = &i->health;

	return json_pack("{s:s, s:o, s:o}",
	    "kind", health_name(i->conf->health.kind),
	    "healthy", h->healthy == -1 ? json_null() :
	    json_boolean(h->healthy),
	    "detail", text_or_null(note_text(&h->detail)));
}

static json_t *
instance_json(const struct instance *i)
{
	const struct intent	*in = &i->in;
	const char		*current = i->agent->store != NULL ?
				    i->agent->store->current : "";
	uint64_t		 now = time_mono_ms();
	json_t			*o;

	o = json_pack("{s:s, s:s, s:o, s:s, s:s, s:b, s:o, s:o, s:i, s:b,"
	    " s:I, s:I, s:b, s:s, s:s}",
	    "name", i->name,
	    "service", i->service,
	    "profile", text_or_null(i->profile),
	    "state", service_statename(i->state),
	    "wanted", in->desired ? "running" : "stopped",
	    "enabled", service_isenabled(i->conf),
	    "wanted_by", text_or_null(in->desired_by),
	    "since", iso(i->since),
	    "pid", (int)in->pid,
	    "current", strcmp(in->release, current) == 0,
	    "restarts", (json_int_t)in->restarts,
	    "deaths", (json_int_t)in->deaths,
	    "optional", i->conf->optional,
	    "containment", i->backend->containment(i),
	    "supervisor", i->backend->name);
	if (o == NULL)
		return NULL;
	json_object_set_new(o, "release", text_or_null(in->release));
	json_object_set_new(o, "last_exit", text_or_null(in->exit_text));
	json_object_set_new(o, "last_exit_at", iso(in->exit_at));
	json_object_set_new(o, "health", health_json(i));
	json_object_set_new(o, "why", text_or_null(note_text(&i->why)));
	json_object_set_new(o, "log", text_or_null(i->capture.file.path));
	json_object_set_new(o, "restart_in_ms",
	    evtimer_pending(&i->delay_ev, NULL) ?
	    json_integer(i->due > now ? (json_int_t)(i->due - now) : 0) :
	    json_null());
	/* Configured otherwise since it was started. */
	json_object_set_new(o, "restart_pending", json_boolean(in->running &&
	    in->conf != 0 && in->conf != instance_confhash(i)));
	return o;
}

json_t *
service_json(struct agent *a)
{
	struct instance	*i;
	json_t		*list = json_array();

	TAILQ_FOREACH(i, &a->instances, entry)
		json_array_append_new(list, instance_json(i));
	return list;
}

/* Bring what it has written so far into its capture. */
static void
take_output(struct instance *i)
{
	if (i->backend->output != NULL)
		i->backend->output(i);
	else
		capture_drain(&i->capture);
}

const char *
agent_body(struct agent *a)
{
	struct instance	*i;

	TAILQ_FOREACH(i, &a->instances, entry)
		if (i->health.body != NULL && i->health.body[0] != '\0')
			return i->health.body;
	return "";
}

void
agent_tail_clear(struct agent *a)
{
	struct instance	*i;

	TAILQ_FOREACH(i, &a->instances, entry) {
		/* What is on its way belongs to before, too. */
		take_output(i);
		tail_clear(&i->capture.tail);
	}
}

/* The last bytes of one.  0, or -1 ENOMEM. */
static int
add_tail(struct buf *b, struct instance *i, size_t max)
{
	char	*data;
	size_t	 len, skip;
	int	 r;

	take_output(i);
	if ((data = tail_get(&i->capture.tail, &len)) == NULL)
		return -1;
	skip = len > max ? len - max : 0;
	r = utf8_clean(b, data + skip, len - skip);
	free(data);
	if (r == 0 && b->len > 0 && b->data[b->len - 1] != '\n')
		r = buf_add(b, "\n", 1);
	return r;
}

char *
agent_tail(struct agent *a, size_t max)
{
	struct instance	*i;
	struct buf	 b;
	size_t		 talkers = 0;
	int		 r = 0;

	memset(&b, 0, sizeof(b));
	TAILQ_FOREACH(i, &a->instances, entry) {
		take_output(i);
		talkers += i->capture.tail.total > 0;
	}
	TAILQ_FOREACH(i, &a->instances, entry) {
		if (r == -1 || i->capture.tail.total == 0)
			continue;
		if (talkers > 1)
			r = buf_printf(&b, "==> %s <==\n", i->name);
		/* Fair shares: one that floods leaves room for others. */
		if (r == 0)
			r = add_tail(&b, i, max / talkers);
	}
	if (r == -1 || buf_add(&b, "", 0) == -1)
		buf_free(&b);
	return b.data;
}
