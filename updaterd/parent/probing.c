/*
 * Health checks given to the probe process, and what comes back of them
 * besides the results (children.c).
 */
#include <sys/types.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "imsgev.h"
#include "parent.h"
#include "proto.h"

static int
probe_file(struct imsgev *iev, uint32_t id, enum probe_file which,
    const char *path, char *text)
{
	struct msg_probe_file	 m;
	int			 fd;

	if (path == NULL)
		return 0;
	if ((fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)) == -1) {
		snprintf(text, UPD_TEXT_SIZE, "open %s: %s", path,
		    strerror(errno));
		return -1;
	}
	m.id = id;
	m.which = which;
	return imsgev_compose(iev, IMSG_PROBE_FILE, fd, &m, sizeof(m));
}

/* The certificates are opened for each sequence: renewed ones count at
 * once. */
int
probe_start(struct msg_probe_start *m, const struct health_conf *h,
    char *text)
{
	struct msg_id	 id = { .id = m->id };
	struct imsgev	*iev = children_channel(PROC_PROBE);

	strlcpy(text, "the probe process is not running", UPD_TEXT_SIZE);
	if (iev == NULL || imsgev_compose(iev, IMSG_PROBE_START, -1, m,
	    sizeof(*m)) == -1)
		return -1;
	if (h->kind == HEALTH_HTTPS && (
	    probe_file(iev, m->id, PROBEFILE_CA, h->ca, text) == -1 ||
	    probe_file(iev, m->id, PROBEFILE_CERT, h->cert, text) == -1 ||
	    probe_file(iev, m->id, PROBEFILE_KEY, h->key, text) == -1)) {
		probe_cancel(m->id);
		return -1;
	}
	return imsgev_compose(iev, IMSG_PROBE_GO, -1, &id, sizeof(id));
}

/* A new one is started as after any loss. */
void
probe_kill(void)
{
	children_kill(PROC_PROBE);
}

void
probe_cancel(uint32_t i)
{
	struct msg_id	 id = { .id = i };
	struct imsgev	*iev = children_channel(PROC_PROBE);

	if (iev != NULL)
		(void)imsgev_compose(iev, IMSG_PROBE_CANCEL, -1, &id,
		    sizeof(id));
}
