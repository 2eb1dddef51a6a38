/*
 * How long the parent waits for those whom it does not trust, in ms: every
 * wait for a child of ours has an end, or one that hangs or lies could hold
 * up an update, a verdict or a reload for ever.
 */
#ifndef UPD_PATIENCE_H
#define UPD_PATIENCE_H

/* A build for the tests of that has less. */
#ifdef SANDBOX_TEST
#define PATIENCE(ms)	((ms) / 10)
#else
#define PATIENCE(ms)	(ms)
#endif

#endif
