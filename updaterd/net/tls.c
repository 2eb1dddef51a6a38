/*
 * TLS: a libtls server from memory, and who the peer is.
 *
 * Everything comes as bytes, because no file can be opened in here.  The
 * key's bytes are wiped as soon as libtls has made a key of them.
 *
 * A session lifetime is set although nothing is ever resumed: without one
 * libretls sends tickets, and a client that never reads them resets the
 * connection and loses the end of its upload (limits.md 1.1).
 */
#include <sys/types.h>
#include <sys/time.h>

#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tls.h>

#include "json.h"
#include "log.h"
#include "net.h"

#define SESSION_LIFETIME	7200	/* seconds; only has to be set */
#define REFUSED_LINES		10	/* log lines in one second */

static const char session_id[] = "updaterd";

void
server_unref(struct server *s)
{
	if (s == NULL || --s->refs > 0)
		return;
	tls_free(s->tls);
	free(s);
}

/* Both what failed and why fit, however long the paths are. */
static void
set_text(char *text, const char *what, const char *why)
{
	snprintf(text, UPD_TEXT_SIZE, "%.255s: %.240s", what,
	    why != NULL ? why : "out of memory");
}

/* Never ask anybody for a passphrase. */
static int
no_password(char *buf, int size, int rw, void *arg)
{
	return -1;
}

/* What libtls would say without the name of the file. */
static int
check_files(const struct netconf *nc, char *text)
{
	const struct netfile	*f = nc->file;
	X509			*certs[2] = { NULL, NULL };
	EVP_PKEY		*key = NULL;
	BIO			*bio[3] = { NULL, NULL, NULL };
	static const enum net_file which[] = { NETFILE_CA, NETFILE_CERT,
				    NETFILE_KEY };
	int			 i, r = -1;

	for (i = 0; i < 3; i++)
		if ((bio[i] = BIO_new_mem_buf(f[which[i]].data,
		    (int)f[which[i]].len)) == NULL) {
			set_text(text, f[which[i]].name, NULL);
			goto done;
		}
	for (i = 0; i < 2; i++)
		if ((certs[i] = PEM_read_bio_X509(bio[i], NULL, no_password,
		    NULL)) == NULL) {
			set_text(text, f[which[i]].name,
			    "no certificate in PEM form");
			goto done;
		}
	if ((key = PEM_read_bio_PrivateKey(bio[2], NULL, no_password,
	    NULL)) == NULL)
		set_text(text, f[NETFILE_KEY].name,
		    "no private key in PEM form, or one with a passphrase");
	else if (X509_check_private_key(certs[1], key) != 1)
		set_text(text, f[NETFILE_KEY].name,
		    "not the key of the certificate");
	else
		r = 0;
 done:
	EVP_PKEY_free(key);
	for (i = 0; i < 2; i++)
		X509_free(certs[i]);
	for (i = 0; i < 3; i++)
		BIO_free(bio[i]);
	ERR_clear_error();
	return r;
}

/* Everything but the key pair. */
static int
set_config(struct tls_config *config, struct netconf *nc, char *text)
{
	struct netfile	*ca = &nc->file[NETFILE_CA];
	struct netfile	*crl = &nc->file[NETFILE_CRL];
	const char	*what = "protocols";

	if (tls_config_set_protocols(config, TLS_PROTOCOL_TLSv1_2 |
	    TLS_PROTOCOL_TLSv1_3) == -1)
		goto fail;
	what = ca->name;
	if (tls_config_set_ca_mem(config, (uint8_t *)ca->data, ca->len) == -1)
		goto fail;
	what = crl->name;
	if (crl->data != NULL && tls_config_set_crl_mem(config,
	    (uint8_t *)crl->data, crl->len) == -1)
		goto fail;
	what = "session";
	if (tls_config_set_session_id(config, (const uint8_t *)session_id,
	    sizeof(session_id) - 1) == -1 ||
	    tls_config_set_session_lifetime(config, SESSION_LIFETIME) == -1)
		goto fail;
	tls_config_verify_client(config);
	return 0;
 fail:
	set_text(text, what, tls_config_error(config));
	return -1;
}

int
tls_build(struct netconf *nc, char *text)
{
	static const char	*const names[NETFILE__MAX] = {
				    "ca", "crl", "certificate", "key" };
	struct netfile		*cert = &nc->file[NETFILE_CERT];
	struct netfile		*key = &nc->file[NETFILE_KEY];
	struct tls_config	*config = NULL;
	struct server		*server = NULL;
	const char		*file, *why;
	int			 i, r = -1;

	for (i = 0; i < NETFILE__MAX; i++)
		if (i != NETFILE_CRL && nc->file[i].len == 0) {
			set_text(text, nc->file[i].name[0] != '\0' ?
			    nc->file[i].name : names[i],
			    "empty, missing or too large");
			goto done;
		}
	if (check_files(nc, text) == -1)
		goto done;
	if ((config = tls_config_new()) == NULL ||
	    (server = calloc(1, sizeof(*server))) == NULL ||
	    (server->tls = tls_server()) == NULL) {
		set_text(text, "server", NULL);
		goto done;
	}
	server->refs = 1;
	if (set_config(config, nc, text) == -1)
		goto done;
	if (tls_config_set_keypair_mem(config, (uint8_t *)cert->data,
	    cert->len, (uint8_t *)key->data, key->len) == -1) {
		set_text(text, cert->name, tls_config_error(config));
		goto done;
	}
	if (tls_configure(server->tls, config) == -1) {
		set_text(text, "ca, certificate or key",
		    tls_error(server->tls));
		goto done;
	}
	if (trust_build(nc, &file, &why) == -1) {
		set_text(text, file, why);
		goto done;
	}
	nc->server = server;
	server = NULL;
	r = 0;
 done:
	if (key->data != NULL)
		explicit_bzero(key->data, key->len);
	if (config != NULL)
		tls_config_clear_keys(config);
	tls_config_free(config);
	if (server != NULL) {
		tls_free(server->tls);
		free(server);
	}
	ERR_clear_error();
	return r;
}

/*
 * The one common name of a certificate.  What is not exactly one plain,
 * printable name is no name: nobody shall be taken for somebody else
 * because two readers read a subject in two ways.
 */
static int
common_name(X509 *cert, char *out, size_t size)
{
	X509_NAME	*name;
	unsigned char	*s = NULL;
	int		 i, len, r = -1;
	size_t		 n, k;

	if ((name = X509_get_subject_name(cert)) == NULL)
		return -1;
	i = X509_NAME_get_index_by_NID(name, NID_commonName, -1);
	if (i < 0 || X509_NAME_get_index_by_NID(name, NID_commonName, i) >= 0)
		return -1;
	len = ASN1_STRING_to_UTF8(&s,
	    X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, i)));
	if (len <= 0 || (size_t)len >= size)
		goto done;
	for (n = 0; n < (size_t)len; n += k) {
		if (s[n] < ' ' || s[n] == 0x7f)
			goto done;
		if ((k = utf8_len((char *)s + n, (size_t)len - n)) == 0)
			goto done;
		/* U+0080 to U+009F are control characters, too. */
		if (s[n] == 0xc2 && s[n + 1] < 0xa0)
			goto done;
	}
	memcpy(out, s, (size_t)len);
	out[len] = '\0';
	r = 0;
 done:
	OPENSSL_free(s);
	return r;
}

int
tls_identify(struct tls *tls, struct msg_caller *caller)
{
	const uint8_t	*pem;
	const char	*hash;
	unsigned char	*der = NULL;
	uint8_t		 digest[UPD_DIGEST_LEN];
	char		 hex[UPD_HEX_SIZE], own[UPD_FPR_SIZE];
	X509		*cert = NULL;
	BIO		*bio = NULL;
	size_t		 len;
	int		 n, r = -1;

	caller->subject[0] = caller->fingerprint[0] = '\0';
	if ((hash = tls_peer_cert_hash(tls)) == NULL ||
	    strlcpy(caller->fingerprint, hash, sizeof(caller->fingerprint)) >=
	    sizeof(caller->fingerprint)) {
		caller->fingerprint[0] = '\0';
		return 0;
	}
	if ((pem = tls_peer_cert_chain_pem(tls, &len)) == NULL ||
	    (bio = BIO_new_mem_buf(pem, (int)len)) == NULL ||
	    (cert = PEM_read_bio_X509(bio, NULL, NULL, NULL)) == NULL ||
	    (n = i2d_X509(cert, &der)) <= 0)
		goto done;
	/* The first of the chain has to be the one that was hashed. */
	SHA256(der, (size_t)n, digest);
	digest_hex(digest, hex);
	snprintf(own, sizeof(own), "SHA256:%s", hex);
	if (strcmp(own, caller->fingerprint) != 0 ||
	    common_name(cert, caller->subject, sizeof(caller->subject)) == -1)
		caller->subject[0] = '\0';
	if (caller->subject[0] != '\0' ||
	    ERR_GET_REASON(ERR_peek_last_error()) != ERR_R_MALLOC_FAILURE)
		r = 0;
 done:
	OPENSSL_free(der);
	X509_free(cert);
	BIO_free(bio);
	ERR_clear_error();
	return r;
}

void
tls_refused(struct conn *c, const char *why)
{
	struct net	*net = c->net;
	uint64_t	 second = time_mono_ms() / 1000;

	if (second != net->log_second) {
		if (net->log_more > 0)
			log_notice("refuse %u more clients", net->log_more);
		net->log_second = second;
		net->log_lines = net->log_more = 0;
	}
	if (net->log_lines == REFUSED_LINES)
		net->log_more++;
	else {
		net->log_lines++;
		log_notice("refuse client %s: %s", c->caller.address, why);
	}
}
