/*
 * The authority.  Its key lies beside the hosts' list, in a directory that
 * is its owner's alone; whoever has it can push to every host.
 *
 * Serials are random (127 bits): two masters that share an authority never
 * issue the same one, and nothing has to be remembered.  The CRL is the
 * only record of what was revoked; it is signed anew from its own entries,
 * with its number one higher, and replaced durably.  Its next update is as
 * far off as the authority's end: a host whose copy is past it lets nobody
 * in (OpenSSL refuses everybody), and a fleet that is cut off because a
 * list was not copied for a month is the worse accident.
 *
 * Certificates begin a day early, for hosts whose clocks are slow.
 */
#include <sys/types.h>
#include <sys/file.h>
#include <sys/socket.h>

#include <arpa/inet.h>
#include <ctype.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/obj_mac.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "master.h"
#include "ca.h"

#define CA_NAME		"updatermaster CA"
#define CA_DAYS		7300	/* of the authority */
#define LEAF_DAYS	825	/* of all it issues */
#define CRL_DAYS	3650	/* until the next update */
#define EARLY_DAYS	1
#define CERT_V3		2	/* versions count from 0 */
#define CRL_V2		1
#define SERIAL_BITS	127	/* stays positive in 16 bytes */
#define FILE_MAX	(1U << 20)	/* bytes of a PEM file */
#define CRL_MAX		(64U << 20)
#define DAY		86400	/* seconds */

/* Say what OpenSSL says; -1. */
static int
failed(const char *what)
{
	unsigned long	 e = ERR_peek_last_error();

	warnx("%s: %s", what, e != 0 ? ERR_reason_error_string(e) :
	    "out of memory");
	ERR_clear_error();
	return -1;
}

/* --- files ------------------------------------------------------------ */

static int
no_password(char *buf, int size, int rw, void *arg)
{
	return -1;
}

/* A PEM file in memory; NULL with errno. */
static BIO *
read_pem(int dirfd, const char *name, size_t max)
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

static X509 *
read_cert(int dirfd, const char *name)
{
	BIO	*bio;
	X509	*cert = NULL;

	if ((bio = read_pem(dirfd, name, FILE_MAX)) == NULL)
		return NULL;
	if ((cert = PEM_read_bio_X509(bio, NULL, no_password, NULL)) == NULL) {
		ERR_clear_error();
		errno = EINVAL;
	}
	BIO_free(bio);
	return cert;
}

static EVP_PKEY *
read_key(int dirfd, const char *name)
{
	BIO		*bio;
	EVP_PKEY	*key = NULL;

	if ((bio = read_pem(dirfd, name, FILE_MAX)) == NULL)
		return NULL;
	if ((key = PEM_read_bio_PrivateKey(bio, NULL, no_password,
	    NULL)) == NULL) {
		ERR_clear_error();
		errno = EINVAL;
	}
	BIO_free(bio);
	return key;
}

/* All of a memory BIO into the buffer. */
static int
drain(BIO *bio, struct buf *b)
{
	char	*data;
	long	 len;

	if ((len = BIO_get_mem_data(bio, &data)) <= 0)
		return -1;
	return buf_add(b, data, (size_t)len);
}

static int
pem_cert(X509 *cert, struct buf *b)
{
	BIO	*bio;
	int	 rv = -1;

	if ((bio = BIO_new(BIO_s_mem())) == NULL)
		return -1;
	if (PEM_write_bio_X509(bio, cert) == 1)
		rv = drain(bio, b);
	BIO_free(bio);
	return rv;
}

static int
pem_key(EVP_PKEY *key, struct buf *b)
{
	BIO	*bio;
	int	 rv = -1;

	if ((bio = BIO_new(BIO_s_mem())) == NULL)
		return -1;
	if (PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL,
	    NULL) == 1)
		rv = drain(bio, b);
	BIO_free(bio);		/* wipes */
	return rv;
}

static void
wipe(struct buf *b)
{
	if (b->data != NULL)
		explicit_bzero(b->data, b->cap);
	buf_free(b);
}

static int
write_buf(const struct master *m, const char *name, const struct buf *b,
    mode_t mode)
{
	if (file_write(m->dirfd, name, b->data, b->len, mode) == -1) {
		warn("%s/%s", m->dir, name);
		return -1;
	}
	return 0;
}

/* --- keys and certificates -------------------------------------------- */

static EVP_PKEY *
new_key(int type)
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

/* Ed25519 does its own hashing. */
static const EVP_MD *
digest_of(const EVP_PKEY *key)
{
	return EVP_PKEY_id(key) == EVP_PKEY_ED25519 ? NULL : EVP_sha256();
}

static int
set_serial(X509 *cert)
{
	BIGNUM	*bn;
	int	 ok;

	if ((bn = BN_new()) == NULL)
		return 0;
	/* The top bit set: never 0, always of one length. */
	ok = BN_rand(bn, SERIAL_BITS, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) &&
	    BN_to_ASN1_INTEGER(bn, X509_get_serialNumber(cert)) != NULL;
	BN_free(bn);
	return ok;
}

static int
serial_hex(const ASN1_INTEGER *serial, char *hex)
{
	BIGNUM	*bn;
	char	*s = NULL;
	int	 rv = -1;

	if ((bn = ASN1_INTEGER_to_BN(serial, NULL)) != NULL &&
	    (s = BN_bn2hex(bn)) != NULL &&
	    strlcpy(hex, s, CA_SERIAL_SIZE) < CA_SERIAL_SIZE)
		rv = 0;
	OPENSSL_free(s);
	BN_free(bn);
	return rv;
}

static int
add_ext(X509 *cert, X509 *issuer, int nid, const char *value)
{
	X509_EXTENSION	*ext;
	X509V3_CTX	 ctx;
	int		 ok;

	X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
	if ((ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value)) == NULL)
		return 0;
	ok = X509_add_ext(cert, ext, -1);
	X509_EXTENSION_free(ext);
	return ok;
}

/* "IP:", "DNS:" or neither before it; the bytes of an address and their
 * count, 0 for a name, -1 if it is neither. */
static int
parse_san(const char **san, unsigned char *addr)
{
	const char	*s = *san;
	int		 dns = 0, ip = 0;

	if (strncasecmp(s, "DNS:", 4) == 0) {
		s += 4;
		dns = 1;
	} else if (strncasecmp(s, "IP:", 3) == 0) {
		s += 3;
		ip = 1;
	}
	*san = s;
	if (!dns && inet_pton(AF_INET, s, addr) == 1)
		return 4;
	if (!dns && inet_pton(AF_INET6, s, addr) == 1)
		return 16;
	if (ip || *s == '\0' || strlen(s) > 253)
		return -1;
	if (strncmp(s, "*.", 2) == 0)
		s += 2;
	for (; *s != '\0'; s++)
		if (!isascii((unsigned char)*s) ||
		    (!isalnum((unsigned char)*s) && strchr(".-_", *s) == NULL))
			return -1;
	return 0;
}

int
ca_goodsan(const char *san)
{
	unsigned char	 addr[16];

	return parse_san(&san, addr) != -1;
}

/* Built by hand: a name that came from outside is no configuration. */
static int
add_san(X509 *cert, const char *const *san)
{
	unsigned char	 addr[16];
	GENERAL_NAMES	*names;
	GENERAL_NAME	*name;
	ASN1_STRING	*s;
	const char	*text;
	int		 n, ok = 0;

	if ((names = GENERAL_NAMES_new()) == NULL)
		return 0;
	for (; *san != NULL; san++) {
		text = *san;
		if ((n = parse_san(&text, addr)) == -1) {
			warnx("%s: neither a name nor an address", *san);
			goto done;
		}
		if ((name = GENERAL_NAME_new()) == NULL)
			goto done;
		s = ASN1_STRING_type_new(n > 0 ? V_ASN1_OCTET_STRING :
		    V_ASN1_IA5STRING);
		if (s == NULL || !ASN1_STRING_set(s, n > 0 ?
		    (const void *)addr : text, n > 0 ? n : -1)) {
			ASN1_STRING_free(s);
			GENERAL_NAME_free(name);
			goto done;
		}
		GENERAL_NAME_set0_value(name, n > 0 ? GEN_IPADD : GEN_DNS, s);
		if (!sk_GENERAL_NAME_push(names, name)) {
			GENERAL_NAME_free(name);
			goto done;
		}
	}
	ok = X509_add1_ext_i2d(cert, NID_subject_alt_name, names, 0, 0);
 done:
	GENERAL_NAMES_free(names);
	return ok;
}

/* A certificate without extensions or signature; NULL on failure. */
static X509 *
new_cert(const char *cn, EVP_PKEY *key, const X509_NAME *issuer, int days)
{
	X509_NAME	*name;
	X509		*cert;
	time_t		 now = time(NULL);

	if ((cert = X509_new()) == NULL)
		return NULL;
	name = X509_get_subject_name(cert);
	if (X509_set_version(cert, CERT_V3) == 1 && set_serial(cert) &&
	    X509_NAME_add_entry_by_NID(name, NID_commonName, MBSTRING_UTF8,
	    (const unsigned char *)cn, -1, -1, 0) == 1 &&
	    X509_set_issuer_name(cert, issuer != NULL ? issuer : name) == 1 &&
	    X509_time_adj_ex(X509_getm_notBefore(cert), -EARLY_DAYS, 0,
	    &now) != NULL &&
	    X509_time_adj_ex(X509_getm_notAfter(cert), days, 0,
	    &now) != NULL && X509_set_pubkey(cert, key) == 1)
		return cert;
	X509_free(cert);
	return NULL;
}

static X509 *
make_ca(EVP_PKEY *key)
{
	X509	*cert;

	if ((cert = new_cert(CA_NAME, key, NULL, CA_DAYS)) == NULL)
		return NULL;
	if (add_ext(cert, cert, NID_basic_constraints,
	    "critical,CA:TRUE,pathlen:0") &&
	    add_ext(cert, cert, NID_key_usage,
	    "critical,keyCertSign,cRLSign") &&
	    add_ext(cert, cert, NID_subject_key_identifier, "hash") &&
	    X509_sign(cert, key, digest_of(key)) > 0)
		return cert;
	X509_free(cert);
	return NULL;
}

static X509 *
make_leaf(const struct ca_request *req, EVP_PKEY *key, X509 *ca,
    EVP_PKEY *cakey)
{
	X509	*cert;

	if ((cert = new_cert(req->cn, key, X509_get_subject_name(ca),
	    LEAF_DAYS)) == NULL)
		return NULL;
	/* None may outlive the authority. */
	if (ASN1_TIME_compare(X509_get0_notAfter(cert),
	    X509_get0_notAfter(ca)) > 0 &&
	    X509_set1_notAfter(cert, X509_get0_notAfter(ca)) != 1)
		goto fail;
	if (add_ext(cert, ca, NID_basic_constraints, "critical,CA:FALSE") &&
	    add_ext(cert, ca, NID_key_usage, "critical,digitalSignature") &&
	    add_ext(cert, ca, NID_ext_key_usage, req->use == CA_USE_CLIENT ?
	    "clientAuth" : "serverAuth,clientAuth") &&
	    (req->san == NULL || add_san(cert, req->san)) &&
	    add_ext(cert, ca, NID_subject_key_identifier, "hash") &&
	    add_ext(cert, ca, NID_authority_key_identifier, "keyid") &&
	    X509_sign(cert, cakey, digest_of(cakey)) > 0)
		return cert;
 fail:
	X509_free(cert);
	return NULL;
}

/* The authority's two halves, which must fit.  0, or -1 (said). */
static int
load_ca(const struct master *m, X509 **cert, EVP_PKEY **key)
{
	*key = NULL;
	if ((*cert = read_cert(m->dirfd, "ca.crt")) == NULL)
		warn("%s/ca.crt", m->dir);
	else if ((*key = read_key(m->dirfd, "ca.key")) == NULL)
		warn("%s/ca.key", m->dir);
	else if (X509_check_private_key(*cert, *key) != 1) {
		ERR_clear_error();
		warnx("%s: ca.key is not the key of ca.crt", m->dir);
	} else if (X509_cmp_current_time(X509_get0_notAfter(*cert)) < 0)
		warnx("%s/ca.crt has expired", m->dir);
	else
		return 0;
	X509_free(*cert);
	EVP_PKEY_free(*key);
	return -1;
}

static int
describe(const X509 *cert, struct ca_issued *out)
{
	unsigned char	 md[EVP_MAX_MD_SIZE];
	unsigned int	 i, len;
	struct tm	 tm;

	if (X509_digest(cert, EVP_sha256(), md, &len) != 1 ||
	    serial_hex(X509_get0_serialNumber(cert), out->serial) == -1 ||
	    ASN1_TIME_to_tm(X509_get0_notAfter(cert), &tm) != 1)
		return -1;
	out->expires = timegm(&tm);
	strlcpy(out->fingerprint, "SHA256:", sizeof(out->fingerprint));
	for (i = 0; i < len && 7 + 2 * i + 2 < sizeof(out->fingerprint); i++)
		snprintf(out->fingerprint + 7 + 2 * i, 3, "%02x", md[i]);
	return 0;
}

void
ca_issued_free(struct ca_issued *c)
{
	buf_free(&c->crt);
	wipe(&c->key);
}

int
ca_issue(const struct master *m, const struct ca_request *req,
    struct ca_issued *out)
{
	EVP_PKEY	*cakey, *key = NULL;
	X509		*ca, *cert = NULL;
	int		 rv = -1;

	memset(out, 0, sizeof(*out));
	if (load_ca(m, &ca, &cakey) == -1)
		return -1;
	if ((key = new_key(EVP_PKEY_id(cakey))) == NULL ||
	    (cert = make_leaf(req, key, ca, cakey)) == NULL ||
	    describe(cert, out) == -1 || pem_cert(cert, &out->crt) == -1 ||
	    pem_key(key, &out->key) == -1) {
		failed("cannot issue a certificate");
		ca_issued_free(out);
	} else
		rv = 0;
	X509_free(cert);
	EVP_PKEY_free(key);
	X509_free(ca);
	EVP_PKEY_free(cakey);
	return rv;
}

/* --- the list of the revoked ------------------------------------------ */

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
	    X509_CRL_sign(crl, cakey, digest_of(cakey)) <= 0 ||
	    (bio = BIO_new(BIO_s_mem())) == NULL ||
	    PEM_write_bio_X509_CRL(bio, crl) != 1 || drain(bio, &b) == -1)
		goto done;
	rv = 0;
 done:
	if (rv == -1)
		failed("cannot sign ca.crl");
	else
		rv = write_buf(m, "ca.crl", &b, 0644);
	BIO_free(bio);
	buf_free(&b);
	X509_EXTENSION_free(aki);
	ASN1_INTEGER_free(n);
	ASN1_TIME_free(last);
	ASN1_TIME_free(next);
	return rv;
}

static int
crl_new(const struct master *m)
{
	EVP_PKEY	*key;
	X509		*ca;
	X509_CRL	*crl;
	int		 rv = -1;

	if (load_ca(m, &ca, &key) == -1)
		return -1;
	if ((crl = X509_CRL_new()) == NULL)
		failed("cannot make ca.crl");
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

	if ((bio = read_pem(m->dirfd, "ca.crl", CRL_MAX)) == NULL) {
		warn("%s/ca.crl", m->dir);
		return NULL;
	}
	if ((crl = PEM_read_bio_X509_CRL(bio, NULL, NULL, NULL)) == NULL)
		failed("ca.crl");
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
	if (load_ca(m, &ca, &key) == -1)
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
		failed("cannot revoke");
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

/* --- the beginning ---------------------------------------------------- */

static int
exists(const struct master *m, const char *name)
{
	return faccessat(m->dirfd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* The key of that name: the one there is, or a new one. */
static EVP_PKEY *
init_key(const struct master *m, const char *name, int type,
    void (*say)(const char *, int))
{
	struct buf	 b = { NULL, 0, 0 };
	EVP_PKEY	*key;

	if (exists(m, name)) {
		if ((key = read_key(m->dirfd, name)) == NULL)
			warn("%s/%s", m->dir, name);
		else
			say(name, 0);
		return key;
	}
	if ((key = new_key(type)) == NULL || pem_key(key, &b) == -1) {
		failed(name);
		EVP_PKEY_free(key);
		key = NULL;
	} else if (write_buf(m, name, &b, 0600) == -1) {
		EVP_PKEY_free(key);
		key = NULL;
	} else
		say(name, 1);
	wipe(&b);
	return key;
}

static int
init_cert(const struct master *m, const char *name, X509 *cert,
    void (*say)(const char *, int))
{
	struct buf	 b = { NULL, 0, 0 };
	int		 rv = -1;

	if (cert == NULL || pem_cert(cert, &b) == -1)
		failed(name);
	else if ((rv = write_buf(m, name, &b, 0644)) == 0)
		say(name, 1);
	buf_free(&b);
	X509_free(cert);
	return rv;
}

int
ca_init(struct master *m, int ed25519, void (*say)(const char *, int))
{
	static const struct ca_request	 master = { "updater-master",
					    CA_USE_CLIENT, NULL };
	EVP_PKEY			*cakey, *key = NULL;
	X509				*ca = NULL;
	int				 type, rv = -1;

	type = ed25519 ? EVP_PKEY_ED25519 : EVP_PKEY_EC;
	if (!exists(m, "ca.key") && exists(m, "ca.crt")) {
		warnx("%s/ca.crt exists without ca.key: bring the key back, "
		    "or move the certificate away", m->dir);
		return -1;
	}
	if ((cakey = init_key(m, "ca.key", type, say)) == NULL)
		return -1;
	if (exists(m, "ca.crt"))
		say("ca.crt", 0);
	else if (init_cert(m, "ca.crt", make_ca(cakey), say) == -1)
		goto done;
	if (exists(m, "ca.crl"))
		say("ca.crl", 0);
	else if (crl_new(m) == -1)
		goto done;
	else
		say("ca.crl", 1);
	if ((ca = read_cert(m->dirfd, "ca.crt")) == NULL) {
		warn("%s/ca.crt", m->dir);
		goto done;
	}
	if ((key = init_key(m, "master.key", EVP_PKEY_id(cakey), say)) == NULL)
		goto done;
	if (exists(m, "master.crt"))
		say("master.crt", 0);
	else if (init_cert(m, "master.crt", make_leaf(&master, key, ca,
	    cakey), say) == -1)
		goto done;
	rv = 0;
 done:
	X509_free(ca);
	EVP_PKEY_free(key);
	EVP_PKEY_free(cakey);
	return rv;
}
