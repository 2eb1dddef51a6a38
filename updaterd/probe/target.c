/*
 * What a sequence of checks asks, and of whom: made once of what the parent
 * has told, the same for every attempt.
 */
#include <sys/types.h>
#include <sys/socket.h>
#include <netinet/in.h>
#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <tls.h>

#include "proto.h"
#include "target.h"
#include "version.h"

static int
set_address(struct target *t, const char *address, uint32_t port)
{
	struct sockaddr_in	*sin = (struct sockaddr_in *)&t->ss;
	struct sockaddr_in6	*sin6 = (struct sockaddr_in6 *)&t->ss;

	/* Numbers only: no resolver in here.  localhost is a courtesy. */
	if (strcmp(address, "localhost") == 0)
		address = "127.0.0.1";
	memset(&t->ss, 0, sizeof(t->ss));
	if (inet_pton(AF_INET, address, &sin->sin_addr) == 1) {
		sin->sin_family = AF_INET;
		sin->sin_port = htons((uint16_t)port);
		t->sslen = sizeof(*sin);
		return 0;
	}
	if (inet_pton(AF_INET6, address, &sin6->sin6_addr) == 1) {
		sin6->sin6_family = AF_INET6;
		sin6->sin6_port = htons((uint16_t)port);
		t->sslen = sizeof(*sin6);
		return 0;
	}
	return -1;
}

/* 1 if it may stand in a request line or field: no blank, no control. */
static int
is_plain(const char *p)
{
	for (; *p != '\0'; p++)
		if ((unsigned char)*p <= ' ' || *p == 0x7f)
			return 0;
	return 1;
}

static int
set_request(struct target *t, const struct msg_probe_start *m)
{
	const char	*open = "", *close = "";
	char		 port[16] = "";
	int		 n;

	/* The configuration has checked them; here they would do harm. */
	if (!is_plain(m->path) || !is_plain(t->name))
		return -1;
	if (strchr(t->name, ':') != NULL)
		open = "[", close = "]";
	if (m->port != (t->kind == HEALTH_HTTPS ? 443 : 80))
		snprintf(port, sizeof(port), ":%u", m->port);
	n = snprintf(t->request, sizeof(t->request),
	    "GET %s HTTP/1.1\r\n"
	    "Host: %s%s%s%s\r\n"
	    "User-Agent: updaterd/" UPD_VERSION "\r\n"
	    "Accept: */*\r\n"
	    "Connection: close\r\n"
	    "\r\n", m->path[0] != '\0' ? m->path : "/", open, t->name, close,
	    port);
	if (n < 0 || (size_t)n >= sizeof(t->request))
		return -1;
	t->request_len = (size_t)n;
	return 0;
}

int
target_set(struct target *t, const struct msg_probe_start *m, char *text)
{
	t->kind = (enum health_kind)m->kind;
	t->status = m->status;
	(void)strlcpy(t->name, m->name[0] != '\0' ? m->name : m->address,
	    sizeof(t->name));
	if (m->port == 0 || m->port > UINT16_MAX ||
	    set_address(t, m->address, m->port) == -1) {
		snprintf(text, UPD_TEXT_SIZE, "cannot use the address %.200s "
		    "port %u", m->address, m->port);
		return -1;
	}
	if (t->kind != HEALTH_TCP && set_request(t, m) == -1) {
		(void)strlcpy(text, "cannot use the path or name of the "
		    "check", UPD_TEXT_SIZE);
		return -1;
	}
	return 0;
}

/* Put the files into the configuration. */
static int
set_files(struct tls_config *tc, const struct target_file *files, char *text)
{
	const uint8_t	*ca, *cert, *key;

	ca = (const uint8_t *)files[PROBEFILE_CA].data;
	cert = (const uint8_t *)files[PROBEFILE_CERT].data;
	key = (const uint8_t *)files[PROBEFILE_KEY].data;

	/* Without one libtls would look for the system's own file. */
	if (ca == NULL) {
		(void)strlcpy(text, "no ca certificate to verify with",
		    UPD_TEXT_SIZE);
		return -1;
	}
	if ((cert == NULL) != (key == NULL)) {
		(void)strlcpy(text, "a client certificate needs its key and "
		    "the key its certificate", UPD_TEXT_SIZE);
		return -1;
	}
	if (tls_config_set_ca_mem(tc, ca, files[PROBEFILE_CA].len) == -1 ||
	    (cert != NULL && tls_config_set_keypair_mem(tc, cert,
	    files[PROBEFILE_CERT].len, key,
	    files[PROBEFILE_KEY].len) == -1)) {
		snprintf(text, UPD_TEXT_SIZE, "cannot use the TLS files: %s",
		    tls_config_error(tc));
		return -1;
	}
	return 0;
}

int
target_settls(struct target *t, const struct target_file *files, int anyname,
    char *text)
{
	struct tls_config	*tc;

	if ((tc = tls_config_new()) == NULL) {
		(void)strlcpy(text, "cannot set up TLS: out of memory",
		    UPD_TEXT_SIZE);
		return -1;
	}
	if (set_files(tc, files, text) == -1) {
		tls_config_free(tc);
		return -1;
	}
	if (anyname)
		tls_config_insecure_noverifyname(tc);
	t->tlsconf = tc;
	return 0;
}

void
target_clear(struct target *t)
{
	/* Frees its copy of the key through explicit_bzero. */
	tls_config_free(t->tlsconf);
	t->tlsconf = NULL;
}
