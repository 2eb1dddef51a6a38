/*
 * Blocking use of the channel to the parent, for inflate and unpack.
 *
 * The socket is non-blocking (the parent's end must be, and both were made
 * by one call), so waiting is poll(2).  Descriptors that a message carries
 * belong to the handler; one it does not take is closed by imsg_free().
 */
#include <sys/types.h>

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "proc.h"
#include "orders.h"

void
orders_open(struct imsgbuf *ibuf)
{
	if (imsgbuf_init(ibuf, PROC_FD) == -1)
		fatal("imsgbuf_init");
	imsgbuf_allow_fdpass(ibuf);
}

static void
orders_wait(struct imsgbuf *ibuf)
{
	struct pollfd	 pfd;
	int		 n;

	memset(&pfd, 0, sizeof(pfd));
	pfd.fd = PROC_FD;
	pfd.events = POLLIN;
	if (poll(&pfd, 1, -1) == -1) {
		if (errno == EINTR)
			return;
		fatal("poll");
	}
	if ((n = imsgbuf_read(ibuf)) == -1)
		fatal("read channel");
	if (n == 0)
		_exit(0);	/* the parent gave up on this push */
}

/*
 * The row that fits.  A type may stand in several rows, with and without a
 * descriptor; *why is of the last row of that type.
 */
static const struct imsg_rule *
orders_rule(const struct imsg_rule *rules, size_t nrules, uint32_t state,
    struct imsg *imsg, const char **why)
{
	const struct imsg_rule	*r;
	size_t			 i;

	*why = "unknown type";
	for (i = 0; i < nrules; i++) {
		if (rules[i].type != imsg_get_type(imsg))
			continue;
		r = proto_check(&rules[i], 1, PROC_PARENT, state, imsg, why);
		if (r != NULL)
			return r;
	}
	return NULL;
}

void
orders_recv(struct imsgbuf *ibuf, const struct imsg_rule *rules, size_t nrules,
    uint32_t state, void *arg)
{
	const struct imsg_rule	*r;
	const char		*why;
	struct imsg		 imsg;
	ssize_t			 n;

	while ((n = imsg_get(ibuf, &imsg)) == 0)
		orders_wait(ibuf);
	if (n == -1)
		fatal("receive message");
	if ((r = orders_rule(rules, nrules, state, &imsg, &why)) == NULL)
		fatalx("refuse message %s: %s", imsg_name(imsg_get_type(&imsg)),
		    why);
	if (r->handler(arg, &imsg) == -1)
		fatalx("refuse message %s: bad contents", imsg_name(r->type));
	imsg_free(&imsg);
}

void
orders_send(struct imsgbuf *ibuf, uint32_t type, const void *data, size_t len)
{
	if (imsg_compose(ibuf, type, 0, -1, -1, data, len) == -1)
		fatal("compose %s", imsg_name(type));
	if (imsgbuf_flush(ibuf) == -1) {
		log_debug("send %s: the parent has gone", imsg_name(type));
		_exit(1);
	}
}

void
orders_fail(struct imsgbuf *ibuf, uint32_t type, const struct msg_fail *fail)
{
	orders_send(ibuf, type, fail, sizeof(*fail));
	_exit(1);
}

int
orders_verbose(void *arg, struct imsg *imsg)
{
	struct msg_verbose	 msg;

	if (imsg_get_data(imsg, &msg, sizeof(msg)) == -1 || msg.level > 2)
		return -1;
	log_setverbose((int)msg.level);
	return 0;
}
