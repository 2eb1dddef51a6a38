/*
 * What updatermaster reads of its hosts: hosts.conf, and the JSON of an
 * ansible inventory (the first byte says which).  A hosts.conf that is
 * accepted is written again, and reads then as the same.
 */
/* LINK: updatermaster/hosts.o updatermaster/results.o updatermaster/inventory.o common/util.o */
/* LIBS: -ljansson */
#include "scratch.h"

#include "master.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static int
same(const char *a, const char *b)
{
	if (a == NULL || b == NULL)
		return a == b;
	return strcmp(a, b) == 0;
}

static void
check_host(const struct host *h)
{
	const char	*p;

	if (host_badname(h->name) != NULL || h->address == NULL ||
	    h->address[0] == '\0')
		abort();
	for (p = h->address; *p != '\0'; p++)
		if ((unsigned char)*p <= ' ' || *p == 0x7f)
			abort();
	if (h->fingerprint != NULL && (strlen(h->fingerprint) != 71 ||
	    strncmp(h->fingerprint, "SHA256:", 7) != 0))
		abort();
}

static void
try_hosts(struct master *m)
{
	struct master	 again;
	struct host	*a, *b;
	size_t		 i;

	if (hosts_load(m) == -1)
		return;
	TAILQ_FOREACH(a, &m->hosts, entry) {
		check_host(a);
		a->dirty = 1;
	}
	if (hosts_save(m) == -1)
		abort();
	again = *m;
	TAILQ_INIT(&again.hosts);
	if (hosts_load(&again) == -1)
		abort();
	b = TAILQ_FIRST(&again.hosts);
	TAILQ_FOREACH(a, &m->hosts, entry) {
		if (b == NULL || !same(a->name, b->name) ||
		    !same(a->address, b->address) || a->port != b->port ||
		    !same(a->fingerprint, b->fingerprint) ||
		    !same(a->serial, b->serial) ||
		    !same(a->worker, b->worker) || !same(a->san, b->san) ||
		    a->expires != b->expires || a->revoked != b->revoked)
			abort();
		for (i = 0; a->groups != NULL && a->groups[i] != NULL; i++)
			if (!host_ingroup(b, a->groups[i]))
				abort();
		b = TAILQ_NEXT(b, entry);
	}
	if (b != NULL)
		abort();
	hosts_free(&again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static FILE	*null;
	FILE		*errors = stderr;
	struct master	 m;
	struct host	*h;
	char		 path[96];

	if (len < 1)
		return 0;
	scratch_begin();
	if (null == NULL && (null = fopen("/dev/null", "w")) == NULL)
		abort();
	stderr = null;		/* what they say of a bad file */
	memset(&m, 0, sizeof(m));
	m.dir = scratch;
	m.dirfd = scratch_fd;
	TAILQ_INIT(&m.hosts);
	if (data[0] & 1) {
		scratch_put("hosts.conf", "a 192.0.2.1 groups=x\n", 21);
		scratch_put("i", data + 1, len - 1);
		snprintf(path, sizeof(path), "%s/i", scratch);
		if (hosts_load(&m) == -1)
			abort();
		if (inventory_load(&m, path) == 0)
			TAILQ_FOREACH(h, &m.hosts, entry)
				check_host(h);
		(void)unlinkat(scratch_fd, "i", 0);
	} else {
		scratch_put("hosts.conf", data + 1, len - 1);
		try_hosts(&m);
	}
	hosts_free(&m);
	stderr = errors;
	return 0;
}
