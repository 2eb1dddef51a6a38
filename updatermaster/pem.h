/* Keys and certificates as PEM.  Over ca.h, for ca.c and crl.c. */
#ifndef UPD_PEM_H
#define UPD_PEM_H

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include "util.h"

/* Say what OpenSSL says; -1. */
int		 pem_failed(const char *);
/* A file below a directory in memory, or what is in it; NULL with errno. */
BIO		*pem_read(int, const char *, size_t);
X509		*pem_read_cert(int, const char *);
EVP_PKEY	*pem_read_key(int, const char *);
/* All of a memory BIO, a certificate, a key, into the buffer.  0, or -1. */
int		 pem_drain(BIO *, struct buf *);
int		 pem_cert(X509 *, struct buf *);
int		 pem_key(EVP_PKEY *, struct buf *);
void		 pem_wipe(struct buf *);
/* Write a file of the master's directory durably.  0, or -1 (said). */
int		 pem_write(const struct master *, const char *,
		    const struct buf *, mode_t);
/* A new key, EVP_PKEY_EC (P-256) or EVP_PKEY_ED25519; NULL on failure. */
EVP_PKEY	*pem_new_key(int);
/* The hash to sign with; NULL for Ed25519, which does its own. */
const EVP_MD	*pem_digest(const EVP_PKEY *);

/* The authority's two halves, which must fit.  0, or -1 (said). */
int		 ca_load(const struct master *, X509 **, EVP_PKEY **);
/* Make an empty ca.crl.  0, or -1 (said). */
int		 crl_make(const struct master *);

#endif
