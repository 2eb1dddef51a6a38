/*
 * When what is in a PEM file ends.  A file may hold several certificates, a
 * chain or a bundle: the first that ends is the one that somebody stumbles
 * over.
 */
#include <sys/types.h>

#include <limits.h>
#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "pemdate.h"

#define DAY	86400		/* seconds */

/* Never ask anybody for a passphrase. */
static int
no_password(char *buf, int size, int rw, void *arg)
{
	return -1;
}

/* Seconds since the epoch, or -1. */
static int64_t
seconds(const ASN1_TIME *t)
{
	ASN1_TIME	*epoch;
	int		 days, secs, r;

	if (t == NULL || (epoch = ASN1_TIME_set(NULL, 0)) == NULL)
		return -1;
	r = ASN1_TIME_diff(&days, &secs, epoch, t);
	ASN1_TIME_free(epoch);
	/* One from before 1970 has ended as well as any. */
	if (r != 1)
		return -1;
	return days < 0 || secs < 0 ? 0 : (int64_t)days * DAY + secs;
}

int64_t
pem_expires(const void *data, size_t len, int crl)
{
	X509_CRL	*list;
	X509		*cert;
	BIO		*bio;
	int64_t		 first = -1, t;

	if (data == NULL || len == 0 || len > INT_MAX ||
	    (bio = BIO_new_mem_buf(data, (int)len)) == NULL)
		return -1;
	for (;;) {
		if (crl) {
			list = PEM_read_bio_X509_CRL(bio, NULL, no_password,
			    NULL);
			if (list == NULL)
				break;
			t = seconds(X509_CRL_get0_nextUpdate(list));
			X509_CRL_free(list);
		} else {
			cert = PEM_read_bio_X509(bio, NULL, no_password, NULL);
			if (cert == NULL)
				break;
			t = seconds(X509_get0_notAfter(cert));
			X509_free(cert);
		}
		if (t != -1 && (first == -1 || t < first))
			first = t;
	}
	ERR_clear_error();
	BIO_free(bio);
	return first;
}
