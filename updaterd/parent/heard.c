/*
 * What net and probe ask and answer, in messages that the table in
 * children.c has let through.  Each is checked member by member here before
 * anybody acts on it: a text ends and is made valid UTF-8, a number is
 * within its bounds.
 */
#include <sys/types.h>

#include <string.h>

#include "children.h"
#include "error.h"
#include "imsgev.h"
#include "parent.h"
#include "proto.h"
#include "self.h"
#include "update.h"
#include "utf8.h"
#include "util.h"

static int
caller_isvalid(struct msg_caller *c)
{
	if (!PROTO_STR(c->subject) || !PROTO_STR(c->fingerprint) ||
	    !PROTO_STR(c->address))
		return 0;
	utf8_mend(c->subject);
	utf8_mend(c->fingerprint);
	utf8_mend(c->address);
	/* Permitted by its fingerprint, without a name: it is still known. */
	if (c->subject[0] == '\0')
		strlcpy(c->subject, c->fingerprint, sizeof(c->subject));
	return 1;
}

int
heard_request(void *arg, struct imsg *imsg)
{
	struct child		*c = arg;
	struct msg_request	 m;
	struct caller		*caller;

	if (imsg_get_data(imsg, &m, sizeof(m)) == -1 ||
	    m.op >= OP_HISTORY || !PROTO_STR(m.agent) || !PROTO_STR(m.arg) ||
	    !caller_isvalid(&m.caller))
		return -1;
	utf8_mend(m.agent);
	utf8_mend(m.arg);
	if ((caller = caller_new(&c->proc.iev, m.id, &m.caller)) != NULL)
		ops_run(caller, &m);
	return 0;
}

int
heard_cancel(void *arg, struct imsg *imsg)
{
	struct child	*c = arg;
	struct msg_id	 m;

	if (imsg_get_data(imsg, &m, sizeof(m)) == -1)
		return -1;
	caller_cancel(&c->proc.iev, m.id);
	return 0;
}

int
heard_open(void *arg, struct imsg *imsg)
{
	struct child		*c = arg;
	struct msg_update_open	 m;
	struct caller		*caller;

	if (imsg_get_data(imsg, &m, sizeof(m)) == -1 ||
	    !PROTO_STR(m.agent) || !PROTO_STR(m.sha) ||
	    !PROTO_STR(m.sha256) || m.length < -1 ||
	    (m.sha256[0] != '\0' && !digest_ishex(m.sha256)) ||
	    !caller_isvalid(&m.caller))
		return -1;
	utf8_mend(m.sha);
	if ((caller = caller_new(&c->proc.iev, m.id, &m.caller)) != NULL)
		update_open(caller, &m);
	return 0;
}

int
heard_done(void *arg, struct imsg *imsg)
{
	struct child		*c = arg;
	struct msg_update_done	 m;

	if (imsg_get_data(imsg, &m, sizeof(m)) == -1 ||
	    !PROTO_STR(m.sha) || !PROTO_STR(m.sha256) ||
	    (m.sha256[0] != '\0' && !digest_ishex(m.sha256)))
		return -1;
	utf8_mend(m.sha);
	update_done(&c->proc.iev, &m);
	return 0;
}

int
heard_abort(void *arg, struct imsg *imsg)
{
	struct child		*c = arg;
	struct msg_update_abort	 m;

	if (imsg_get_data(imsg, &m, sizeof(m)) == -1 ||
	    !PROTO_STR(m.text) || m.error == UPD_OK || m.error >= UPD_E__MAX)
		return -1;
	utf8_mend(m.text);
	update_netabort(&c->proc.iev, &m);
	return 0;
}

int
heard_probe(void *arg, struct imsg *imsg)
{
	struct msg_probe_result	 m;

	if (imsg_get_data(imsg, &m, sizeof(m)) == -1 ||
	    !PROTO_STR(m.text) || m.body_len > sizeof(m.body) ||
	    m.healthy > 1)
		return -1;
	utf8_mend(m.text);
	if (!self_probe_result(&m))
		service_probe_result(&m);
	return 0;
}

int
heard_cert(void *arg, struct imsg *imsg)
{
	struct msg_probe_cert	 m;

	if (imsg_get_data(imsg, &m, sizeof(m)) == -1 ||
	    m.which >= PROBEFILE_KEY || m.expires < 0 || m.expires > DATE_MAX)
		return -1;
	service_probe_cert(&m);
	return 0;
}
