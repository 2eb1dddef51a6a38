/*
 * Hosts from what `ansible-inventory --list` prints:
 *
 *	{"_meta": {"hostvars": {"web1": {"ansible_host": "192.0.2.7"}}},
 *	 "web": {"hosts": ["web1"], "children": ["edge"]}, ...}
 *
 * A host's address is updater_host, else ansible_host, else its name; its
 * port updater_port (ansible_port is ssh's).  Groups hold those of the
 * groups within them, too.  Fingerprints come from hosts.conf only: a host
 * that was never enrolled is known, and nothing is sent to it.
 */
#include <sys/types.h>

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "master.h"
#include "util.h"

#define INVENTORY_MAX	(256U << 20)	/* bytes */
#define DEPTH		32		/* groups in groups */

/* The host of that name, known or new; NULL if the name is not fit. */
static struct host *
host_of(struct master *m, const char *name)
{
	struct host	*h;
	const char	*why;

	if ((h = hosts_find(m, name)) != NULL)
		return h;
	if ((why = host_badname(name)) != NULL) {
		warnx("inventory: host \"%.64s\": its name %s", name, why);
		return NULL;
	}
	h = hosts_add(m, name);
	/* It is not ours to write down. */
	h->dirty = 0;
	return h;
}

static int
set_vars(struct host *h, json_t *vars)
{
	const char	*address;
	json_t		*port;
	json_int_t	 n;

	address = json_string_value(json_object_get(vars, "updater_host"));
	if (address == NULL)
		address = json_string_value(json_object_get(vars,
		    "ansible_host"));
	if (address != NULL) {
		/* The port of hosts.conf stays. */
		uint16_t	 was = h->port;

		if (host_address(h, address) == -1) {
			warnx("inventory: host %s: \"%.64s\" is no address",
			    h->name, address);
			return -1;
		}
		if (h->port == MASTER_PORT)
			h->port = was;
	}
	if ((port = json_object_get(vars, "updater_port")) != NULL) {
		n = json_is_string(port) ?
		    strtonum(json_string_value(port), 1, UINT16_MAX, NULL) :
		    json_integer_value(port);
		if (n < 1 || n > UINT16_MAX) {
			warnx("inventory: host %s: updater_port is no port",
			    h->name);
			return -1;
		}
		h->port = (uint16_t)n;
	}
	return 0;
}

/* Put all hosts of `from`, and of those within, into the group. */
static int
add_group(struct master *m, json_t *all, const char *group, const char *from,
    int depth)
{
	struct host	*h;
	json_t		*body, *names, *v;
	size_t		 i;
	int		 rv = 0;

	if (depth > DEPTH) {
		warnx("inventory: group %.64s holds itself", group);
		return -1;
	}
	body = json_object_get(all, from);
	/* The older form is the list of hosts alone. */
	names = json_is_array(body) ? body : json_object_get(body, "hosts");
	json_array_foreach(names, i, v) {
		if (!json_is_string(v)) {
			warnx("inventory: group %.64s: a host is no string",
			    from);
			return -1;
		}
		if ((h = host_of(m, json_string_value(v))) == NULL)
			rv = -1;
		else
			host_group(h, group);
	}
	json_array_foreach(json_object_get(body, "children"), i, v)
		if (json_is_string(v) && add_group(m, all, group,
		    json_string_value(v), depth + 1) == -1)
			return -1;
	return rv;
}

static int
load(struct master *m, json_t *all)
{
	struct host	*h;
	const char	*key;
	json_t		*v;
	int		 rv = 0;

	json_object_foreach(all, key, v)
		if (strcmp(key, "_meta") != 0 &&
		    add_group(m, all, key, key, 0) == -1)
			rv = -1;
	json_object_foreach(json_object_get(json_object_get(all, "_meta"),
	    "hostvars"), key, v) {
		if ((h = host_of(m, key)) == NULL || set_vars(h, v) == -1)
			rv = -1;
	}
	return rv;
}

int
inventory_load(struct master *m, const char *path)
{
	json_error_t	 error;
	json_t		*all;
	char		*data;
	size_t		 len;
	int		 fd = STDIN_FILENO, rv = -1;

	if (strcmp(path, "-") != 0 &&
	    (fd = open(path, O_RDONLY | O_CLOEXEC)) == -1) {
		warn("%s", path);
		return -1;
	}
	data = fd_read(fd, INVENTORY_MAX, &len);
	if (data == NULL)
		warn("%s", path);
	if (fd != STDIN_FILENO)
		close(fd);
	if (data == NULL)
		return -1;
	if ((all = json_loadb(data, len, 0, &error)) == NULL)
		warnx("%s:%d: %s", path, error.line, error.text);
	else if (!json_is_object(all))
		warnx("%s: not what ansible-inventory --list prints", path);
	else
		rv = load(m, all);
	json_decref(all);
	free(data);
	return rv;
}
