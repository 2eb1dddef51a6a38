/*
 * The end of a service's process: what is recorded of it, whether its code
 * parks the service, and how long the next start has to wait.
 *
 * An exit in STOPPING was asked for; any other is a death.  A death is
 * counted, answers an open verdict, and has what it left behind swept; a
 * foreign supervisor that starts the service again by itself (returns) is
 * left to do so.
 */
#include <sys/types.h>
#include <sys/wait.h>

#include <stdio.h>
#include <string.h>

#include "instance.h"
#include "launch.h"
#include "log.h"
#include "quiet.h"
#include "util.h"

#define STEADY_MS	60000	/* up for so long: the first death is free */
#define EXIT_AGAIN	75	/* EX_TEMPFAIL: asks to be started again */

uint32_t
backoff_delay(uint32_t *fails, uint64_t up, uint32_t first, uint32_t max)
{
	uint64_t	 ms = first;
	uint32_t	 n;

	if (up >= STEADY_MS) {
		*fails = 0;
		return 0;
	}
	for (n = *fails; n > 0 && ms < max; n--)
		ms *= 2;
	(*fails)++;
	return ms < max ? (uint32_t)ms : max;
}

/* A death, as those who wait for it to start see it. */
void
death_known(struct instance *i)
{
	waiters_tell(i, WAIT_START, UPD_EUNHEALTHY,
	    note_text(&i->why));
	if (i->verdict != VERDICT_NONE)
		i->verdict = VERDICT_FAILED;
	agent_settle(i->agent);
}

void
death_died(struct instance *i)
{
	uint64_t	 now = time_mono_ms(), up = now - i->started;
	uint32_t	 ms;

	if (i->in.exit_kind == EXIT_CODE &&
	    i->in.exit_value == EXIT_AGAIN) {
		/* Not held against it, but it shall not spin. */
		ms = up < i->conf->backoff_ms ?
		    i->conf->backoff_ms - (uint32_t)up : 0;
	} else {
		i->in.deaths++;
		ms = backoff_delay(&i->fails, up, i->conf->backoff_ms,
		    i->conf->backmax_ms);
	}
	quiet_died(i, ms);
	i->due = now + ms;
	i->drained = 0;
	i->held = service_isclosing() || agent_isopen(i->agent);
	if (i->in.exit_kind != EXIT_CODE || i->in.exit_value != EXIT_AGAIN)
		guard_died(i);
	death_known(i);
	i->backend->sweep(i);
}

void
death_parked(struct instance *i)
{
	i->in.deaths++;
	i->in.failed = 1;
	i->in.failed_code = i->in.exit_value;
	i->in.failed_at = i->in.exit_at;
	strlcpy(i->in.failed_release, i->in.release,
	    sizeof(i->in.failed_release));
	log_warnx("park %s: exit code %d is permanent; start it, or push "
	    "another release", i->name, i->in.exit_value);
	i->drained = 0;
	guard_died(i);
	death_known(i);
	i->backend->sweep(i);
}

int
death_ispermanent(const struct instance *i)
{
	int	 n;

	if (i->conf == NULL || i->in.exit_kind != EXIT_CODE)
		return 0;
	for (n = 0; n < i->conf->npermanent; n++)
		if (i->conf->permanent[n] == i->in.exit_value)
			return 1;
	return 0;
}

void
death_record(struct instance *i, int status, const char *text)
{
	struct intent	*in = &i->in;
	uint64_t	 up = time_mono_ms() - i->started;
	char		 how[64];

	in->running = 0;
	in->pid = 0;
	in->start_time = 0;
	in->exit_at = time_real_us();
	in->exit_planned = i->state == SERVICE_STOPPING;
	in->exit_value = 0;
	if (text != NULL) {
		in->exit_kind = EXIT_NOSTART;
		strlcpy(in->exit_text, text, sizeof(in->exit_text));
		return;
	}
	if (status == -1)
		in->exit_kind = EXIT_UNKNOWN;
	else if (WIFEXITED(status)) {
		in->exit_kind = EXIT_CODE;
		in->exit_value = WEXITSTATUS(status);
	} else {
		in->exit_kind = EXIT_SIGNAL;
		in->exit_value = WTERMSIG(status);
	}
	launch_exittext(status, how, sizeof(how));
	snprintf(in->exit_text, sizeof(in->exit_text), up < 10000 ?
	    "%s after %llu ms" : "%s after %llu s", how,
	    (unsigned long long)(up < 10000 ? up : up / 1000));
}
