/*
 * The daemon's answers for people.  Each takes the whole JSON of an answer
 * and prints what is there: a missing or odd key is left out, never a
 * reason to stop.
 */
#ifndef UPD_CTL_OUTPUT_H
#define UPD_CTL_OUTPUT_H

#include <stdint.h>
#include <jansson.h>

#include "text.h"

void	 output_status(struct screen *, const json_t *);
void	 output_releases(struct screen *, const json_t *);
void	 output_history(struct screen *, const json_t *);
/* What a command did: update, dry run, rollback, start, reload .. */
void	 output_result(struct screen *, const json_t *);
/* A release against its manifest: whole, or all that is not. */
void	 output_verify(struct screen *, const json_t *);
/* One event of monitor, on a line. */
void	 output_event(struct screen *, json_t *);
/* {"metrics":text}: the text as it is. */
void	 output_metrics(struct screen *, const json_t *);
/* profiles.c: {"profiles":[..]}; and {"lines":[..]}, as they are. */
void	 output_profiles(struct screen *, const json_t *);
void	 output_reconcile(struct screen *, const json_t *);
/* An answer of status 400 or more: what failed, in which phase, what the
 * probes and the service said. */
void	 output_error(struct screen *, uint32_t, const json_t *);
/* The JSON itself: for eyes on a terminal, else on one line. */
void	 output_json(FILE *, int, const json_t *);

#endif
