/*
 * Whether somebody who was let in under an older configuration would be
 * let in now.  libtls asks only in the handshake; so that a reload needs
 * not drop connections, and one whose certificate was revoked is out at
 * once all the same, the chain that the peer showed is verified once more
 * with the new CA and CRL.
 *
 * The rules are those of libtls: with a CRL every certificate of the chain
 * is looked up, and it has to be fit for clients.
 */
#include <sys/types.h>

#include <limits.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <stdlib.h>
#include <string.h>
#include <tls.h>

#include "net.h"

/* Never ask anybody for a passphrase. */
static int
no_password(char *buf, int size, int rw, void *arg)
{
	return -1;
}

/* All certificates of a PEM text, the first one first; or NULL. */
static STACK_OF(X509) *
read_certs(const void *data, size_t len)
{
	STACK_OF(X509)	*list;
	X509		*cert;
	BIO		*bio;

	if (data == NULL || len > INT_MAX ||
	    (bio = BIO_new_mem_buf(data, (int)len)) == NULL)
		return NULL;
	list = sk_X509_new_null();
	while (list != NULL && (cert = PEM_read_bio_X509(bio, NULL,
	    no_password, NULL)) != NULL)
		if (sk_X509_push(list, cert) == 0) {
			X509_free(cert);
			sk_X509_pop_free(list, X509_free);
			list = NULL;
		}
	ERR_clear_error();
	BIO_free(bio);
	return list;
}

static int
add_crls(X509_STORE *store, const struct netfile *f, const char **why)
{
	X509_CRL	*crl;
	BIO		*bio;
	int		 n, r = 0;

	if (f->data == NULL)
		return 0;
	if ((bio = BIO_new_mem_buf(f->data, (int)f->len)) == NULL)
		return -1;
	for (n = 0; r == 0 && (crl = PEM_read_bio_X509_CRL(bio, NULL,
	    no_password, NULL)) != NULL; n++) {
		if (X509_STORE_add_crl(store, crl) != 1)
			r = -1;
		X509_CRL_free(crl);
	}
	ERR_clear_error();
	BIO_free(bio);
	/* libtls takes such a file, and then lets nobody in. */
	if (n == 0) {
		*why = "no revocation list in PEM form";
		r = -1;
	}
	if (X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK |
	    X509_V_FLAG_CRL_CHECK_ALL) != 1)
		r = -1;
	return r;
}

int
trust_build(struct netconf *nc, const char **file, const char **why)
{
	const struct netfile	*ca = &nc->file[NETFILE_CA];
	STACK_OF(X509)		*list;
	X509_STORE		*store;
	int			 i, r = -1;

	*file = ca->name;
	*why = "out of memory";
	list = read_certs(ca->data, ca->len);
	if ((store = X509_STORE_new()) == NULL || list == NULL)
		goto done;
	for (i = 0; i < sk_X509_num(list); i++)
		if (X509_STORE_add_cert(store, sk_X509_value(list, i)) != 1)
			goto done;
	*file = nc->file[NETFILE_CRL].name;
	r = add_crls(store, &nc->file[NETFILE_CRL], why);
 done:
	sk_X509_pop_free(list, X509_free);
	if (r == -1) {
		X509_STORE_free(store);
		store = NULL;
	}
	nc->trust = store;
	return r;
}

void
trust_free(struct netconf *nc)
{
	X509_STORE_free(nc->trust);
	nc->trust = NULL;
}

int
trust_peer(const struct netconf *nc, struct tls *tls)
{
	STACK_OF(X509)	*chain;
	X509_STORE_CTX	*ctx;
	const uint8_t	*pem;
	size_t		 len;
	int		 good = 0;

	if ((pem = tls_peer_cert_chain_pem(tls, &len)) == NULL)
		return 0;
	chain = read_certs(pem, len);
	ctx = X509_STORE_CTX_new();
	if (ctx != NULL && chain != NULL && sk_X509_num(chain) > 0 &&
	    X509_STORE_CTX_init(ctx, nc->trust, sk_X509_value(chain, 0),
	    chain) == 1 && X509_STORE_CTX_set_default(ctx, "ssl_client") == 1)
		good = X509_verify_cert(ctx) == 1;
	X509_STORE_CTX_free(ctx);
	sk_X509_pop_free(chain, X509_free);
	ERR_clear_error();
	return good;
}
