/*
 * The list of the revoked.  It is the only record of what was revoked: it
 * is signed anew from its own entries, with its number one higher, and
 * replaced durably.
 *
 * Its next update is ten years off.  A host whose copy is past it lets
 * nobody in (OpenSSL refuses everybody), and a fleet that is cut off
 * because a list was not copied for a month is the worse accident.
 */
#include <sys/types.h>
#include <sys/file.h>

#include <err.h>
#include <fcntl.h>
#include <openssl/asn1.h>
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <time.h>
#include <unistd.h>

#include "master.h"
#include "ca.h"
#include "pem.h"

#define CRL_V2		1	/* versions count from 0 */
#define CRL_DAYS	3650	/* until the next update */
#define EARLY_DAYS	1	/* for clocks that are slow */
#define CRL_MAX		(64U << 20)	/* bytes */

static int
crl_sign(const struct master *m, X509_CRL *crl, const X509 *ca,
    EVP_PKEY *cakey, long number)
{
	struct buf	 b = { NULL, 0, 0 };
	ASN1_INTEGER	*n = NULL;
	ASN1_TIME	*last = NULL, *next = NULL;
	BIO		*bio = NULL;
	X509V3_CTX	 ctx;
	X509_EXTENSION	*aki = NULL;
	time_t		 now = time(NULL);
	int		 rv = -1;

	X509V3_set_ctx(&ctx, (X509 *)(uintptr_t)ca, NULL, NULL, crl, 0);
	if ((n = ASN1_INTEGER_new()) == NULL ||
	    ASN1_INTEGER_set(n, number) != 1 ||
	    (last = X509_time_adj_ex(NULL, -EARLY_DAYS, 0, &now)) == NULL ||
	    (next = X509_time_adj_ex(NULL, CRL_DAYS, 0, &now)) == NULL ||
	    X509_CRL_set_version(crl, CRL_V2) != 1 ||
	    X509_CRL_set_issuer_name(crl, X509_get_subject_name(ca)) != 1 ||
	    X509_CRL_set1_lastUpdate(crl, last) != 1 ||
	    X509_CRL_set1_nextUpdate(crl, next) != 1 ||
	    X509_CRL_add1_ext_i2d(crl, NID_crl_number, n, 0,
	    X509V3_ADD_REPLACE) != 1)
		goto done;
	if (X509_CRL_get_ext_by_NID(crl, NID_authority_key_identifier,
	    -1) == -1 && ((aki = X509V3_EXT_conf_nid(NULL, &ctx,
	    NID_authority_key_identifier, "keyid")) == NULL ||
	    X509_CRL_add_ext(crl, aki, -1) != 1))
		goto done;
	if (X509_CRL_sort(crl) != 1 ||
	    X509_CRL_sign(crl, cakey, pem_digest(cakey)) <= 0 ||
	    (bio = BIO_new(BIO_s_mem())) == NULL ||
	    PEM_write_bio_X509_CRL(bio, crl) != 1 || pem_drain(bio, &b) == -1)
		goto done;
	rv = 0;
 done:
	if (rv == -1)
		pem_failed("cannot sign ca.crl");
	else
		rv = pem_write(m, "ca.crl", &b, 0644);
	BIO_free(bio);
	buf_free(&b);
	X509_EXTENSION_free(aki);
	ASN1_INTEGER_free(n);
	ASN1_TIME_free(last);
	ASN1_TIME_free(next);
	return rv;
}

int
crl_make(const struct master *m)
{
	EVP_PKEY	*key;
	X509		*ca;
	X509_CRL	*crl;
	int		 rv = -1;

	if (ca_load(m, &ca, &key) == -1)
		return -1;
	if ((crl = X509_CRL_new()) == NULL)
		pem_failed("cannot make ca.crl");
	else
		rv = crl_sign(m, crl, ca, key, 1);
	X509_CRL_free(crl);
	X509_free(ca);
	EVP_PKEY_free(key);
	return rv;
}

static int
crl_add(X509_CRL *crl, ASN1_INTEGER *serial)
{
	X509_REVOKED	*rev;
	ASN1_TIME	*now;
	int		 ok = 0;

	if ((rev = X509_REVOKED_new()) == NULL)
		return -1;
	if ((now = X509_gmtime_adj(NULL, 0)) != NULL &&
	    X509_REVOKED_set_serialNumber(rev, serial) == 1 &&
	    X509_REVOKED_set_revocationDate(rev, now) == 1)
		ok = X509_CRL_add0_revoked(crl, rev);
	ASN1_TIME_free(now);
	if (!ok)
		X509_REVOKED_free(rev);
	return ok ? 0 : -1;
}

static X509_CRL *
crl_read(const struct master *m)
{
	BIO		*bio;
	X509_CRL	*crl = NULL;

	if ((bio = pem_read(m->dirfd, "ca.crl", CRL_MAX)) == NULL) {
		warn("%s/ca.crl", m->dir);
		return NULL;
	}
	if ((crl = PEM_read_bio_X509_CRL(bio, NULL, NULL, NULL)) == NULL)
		pem_failed("ca.crl");
	BIO_free(bio);
	return crl;
}

int
ca_revoke(const struct master *m, const char *hex)
{
	ASN1_INTEGER	*serial = NULL, *number = NULL;
	X509_REVOKED	*rev;
	X509_CRL	*crl = NULL;
	EVP_PKEY	*key = NULL;
	BIGNUM		*bn = NULL;
	X509		*ca = NULL;
	long		 n;
	int		 fd, rv = -1;

	/* Two that revoke at once would lose one of them. */
	fd = openat(m->dirfd, ".ca.lock", O_RDWR | O_CREAT | O_NOFOLLOW |
	    O_CLOEXEC, 0600);
	if (fd == -1 || flock(fd, LOCK_EX) == -1) {
		warn("%s/.ca.lock", m->dir);
		if (fd != -1)
			close(fd);
		return -1;
	}
	if (ca_load(m, &ca, &key) == -1)
		goto unlock;
	if (BN_hex2bn(&bn, hex) == 0 ||
	    (serial = BN_to_ASN1_INTEGER(bn, NULL)) == NULL) {
		warnx("%s: not a serial number", hex);
		goto done;
	}
	if ((crl = crl_read(m)) == NULL)
		goto done;
	/* An authority's list that somebody else signed is not ours. */
	if (X509_CRL_verify(crl, key) != 1) {
		ERR_clear_error();
		warnx("%s/ca.crl is not signed by ca.key", m->dir);
		goto done;
	}
	if (X509_CRL_get0_by_serial(crl, &rev, serial) == 1) {
		rv = 0;
		goto done;
	}
	number = X509_CRL_get_ext_d2i(crl, NID_crl_number, NULL, NULL);
	n = number != NULL ? ASN1_INTEGER_get(number) : 0;
	if (crl_add(crl, serial) == -1)
		pem_failed("cannot revoke");
	else
		rv = crl_sign(m, crl, ca, key, n + 1);
 done:
	X509_CRL_free(crl);
	ASN1_INTEGER_free(number);
	ASN1_INTEGER_free(serial);
	BN_free(bn);
	X509_free(ca);
	EVP_PKEY_free(key);
 unlock:
	close(fd);
	return rv;
}
