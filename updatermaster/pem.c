/*
 * Keys and certificates as PEM, in files and in buffers; what the authority
 * and its list of the revoked share.  Bytes of keys are wiped.
 */
#include <sys/types.h>

#include <err.h>
#include <errno.h>
#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/obj_mac.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

#include "master.h"
#include "pem.h"

#define FILE_MAX	(1U << 20)	/* bytes of a PEM file */

int
pem_failed(const char *what)
{
	unsigned long	 e = ERR_peek_last_error();

	warnx("%s: %s", what, e != 0 ? ERR_reason_error_string(e) :
	    "out of memory");
	ERR_clear_error();
	return -1;
}

static int
no_password(char *buf, int size, int rw, void *arg)
{
	return -1;
}

BIO *
pem_read(int dirfd, const char *name, size_t max)
{
	BIO	*bio;
	char	*data;
	size_t	 len;

	if ((data = file_read(dirfd, name, max, &len)) == NULL)
		return NULL;
	/* A copy: the buffer does not outlive this; BIO_free() wipes it. */
	if ((bio = BIO_new(BIO_s_mem())) == NULL ||
	    BIO_write(bio, data, (int)len) != (int)len) {
		BIO_free(bio);
		bio = NULL;
		errno = EINVAL;
	}
	explicit_bzero(data, len);
	free(data);
	return bio;
}

X509 *
pem_read_cert(int dirfd, const char *name)
{
	BIO	*bio;
	X509	*cert = NULL;

	if ((bio = pem_read(dirfd, name, FILE_MAX)) == NULL)
		return NULL;
	if ((cert = PEM_read_bio_X509(bio, NULL, no_password, NULL)) == NULL) {
		ERR_clear_error();
		errno = EINVAL;
	}
	BIO_free(bio);
	return cert;
}

EVP_PKEY *
pem_read_key(int dirfd, const char *name)
{
	BIO		*bio;
	EVP_PKEY	*key = NULL;

	if ((bio = pem_read(dirfd, name, FILE_MAX)) == NULL)
		return NULL;
	if ((key = PEM_read_bio_PrivateKey(bio, NULL, no_password,
	    NULL)) == NULL) {
		ERR_clear_error();
		errno = EINVAL;
	}
	BIO_free(bio);
	return key;
}

int
pem_drain(BIO *bio, struct buf *b)
{
	char	*data;
	long	 len;

	if ((len = BIO_get_mem_data(bio, &data)) <= 0)
		return -1;
	return buf_add(b, data, (size_t)len);
}

int
pem_cert(X509 *cert, struct buf *b)
{
	BIO	*bio;
	int	 rv = -1;

	if ((bio = BIO_new(BIO_s_mem())) == NULL)
		return -1;
	if (PEM_write_bio_X509(bio, cert) == 1)
		rv = pem_drain(bio, b);
	BIO_free(bio);
	return rv;
}

int
pem_key(EVP_PKEY *key, struct buf *b)
{
	BIO	*bio;
	int	 rv = -1;

	if ((bio = BIO_new(BIO_s_mem())) == NULL)
		return -1;
	if (PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL,
	    NULL) == 1)
		rv = pem_drain(bio, b);
	BIO_free(bio);		/* wipes */
	return rv;
}

void
pem_wipe(struct buf *b)
{
	if (b->data != NULL)
		explicit_bzero(b->data, b->cap);
	buf_free(b);
}

int
pem_write(const struct master *m, const char *name, const struct buf *b,
    mode_t mode)
{
	if (file_write(m->dirfd, name, b->data, b->len, mode) == -1) {
		warn("%s/%s", m->dir, name);
		return -1;
	}
	return 0;
}

EVP_PKEY *
pem_new_key(int type)
{
	EVP_PKEY_CTX	*ctx;
	EVP_PKEY	*key = NULL;

	if ((ctx = EVP_PKEY_CTX_new_id(type, NULL)) == NULL)
		return NULL;
	if (EVP_PKEY_keygen_init(ctx) != 1)
		goto done;
	if (type == EVP_PKEY_EC &&
	    (EVP_PKEY_CTX_set_ec_paramgen_curve_nid(ctx,
	    NID_X9_62_prime256v1) != 1 ||
	    EVP_PKEY_CTX_set_ec_param_enc(ctx, OPENSSL_EC_NAMED_CURVE) != 1))
		goto done;
	if (EVP_PKEY_keygen(ctx, &key) != 1)
		key = NULL;
 done:
	EVP_PKEY_CTX_free(ctx);
	return key;
}

const EVP_MD *
pem_digest(const EVP_PKEY *key)
{
	return EVP_PKEY_id(key) == EVP_PKEY_ED25519 ? NULL : EVP_sha256();
}
