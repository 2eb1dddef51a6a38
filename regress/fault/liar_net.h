/*
 * What the lies of net share, those about requests (liar_net.c) and those
 * about updates (liar_push.c).
 */
#ifndef UPD_REGRESS_LIAR_NET_H
#define UPD_REGRESS_LIAR_NET_H

#include "liar.h"

#define ID		7U
#define REPLY_MS	15000

/* Ask for something on an agent, with an argument. */
void	 ask(uint32_t, uint32_t, const char *, const char *);
/* The status of the answer to that id. */
unsigned answer(uint32_t);
/* End unless the answer to the id is that status. */
void	 expect(unsigned, uint32_t);

/* name, what the parent shall do with net, function */
#define PUSH_LIES(X) \
	X("open-silent", LIVE, open_silent) \
	X("open-trickle", LIVE, open_trickle) \
	X("open-half", LIVE, open_half) \
	X("open-exit", DIE, open_exit) \
	X("open-half-exit", DIE, open_half_exit) \
	X("open-garbage", LIVE, open_garbage) \
	X("open-kept", LIVE, open_kept) \
	X("open-twice", LIVE, open_twice) \
	X("open-many", LIVE, open_many) \
	X("open-agent", LIVE, open_agent) \
	X("open-length", DIE, open_length) \
	X("open-sha", LIVE, open_sha) \
	X("open-flags", LIVE, open_flags) \
	X("done-nothing", LIVE, done_nothing) \
	X("done-digest", LIVE, done_digest) \
	X("done-bytes", LIVE, done_bytes) \
	X("done-unclaimed", LIVE, done_unclaimed) \
	X("done-never", LIVE, done_never) \
	X("done-twice", LIVE, done_twice) \
	X("done-abort", LIVE, done_abort) \
	X("done-exit", DIE, done_exit) \
	X("done-hex", DIE, done_hex) \
	X("done-sha", LIVE, done_sha) \
	X("done-alone", LIVE, done_alone) \
	X("abort-alone", LIVE, abort_alone) \
	X("abort-ok", DIE, abort_ok) \
	X("abort-huge", DIE, abort_huge) \
	X("abort-refused", LIVE, abort_refused) \
	X("abort-other", LIVE, abort_other) \
	X("abort-reopen", LIVE, abort_reopen) \
	X("cancel-open", LIVE, cancel_open)

#define PUSH_DECLARE(name, want, fn)	void	fn(void);
PUSH_LIES(PUSH_DECLARE)

#endif
