/*
 * The authority.  Its key lies beside the hosts' list, in a directory that
 * is its owner's alone; whoever has it can push to every host.
 *
 * Serials are random (127 bits): two masters that share an authority never
 * issue the same one, and nothing has to be remembered.
 *
 * Certificates begin a day early, for hosts whose clocks are slow.
 */
#include <sys/types.h>
#include <sys/socket.h>

#include <arpa/inet.h>
#include <ctype.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <openssl/asn1.h>
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "master.h"
#include "ca.h"
#include "pem.h"

#define CA_NAME		"updatermaster CA"
#define CA_DAYS		7300	/* of the authority */
#define LEAF_DAYS	825	/* of all it issues */
#define EARLY_DAYS	1
#define CERT_V3		2	/* versions count from 0 */
#define SERIAL_BITS	127	/* stays positive in 16 bytes */

/* --- keys and certificates -------------------------------------------- */

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
	    X509_sign(cert, key, pem_digest(key)) > 0)
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
	    X509_sign(cert, cakey, pem_digest(cakey)) > 0)
		return cert;
 fail:
	X509_free(cert);
	return NULL;
}

int
ca_load(const struct master *m, X509 **cert, EVP_PKEY **key)
{
	*key = NULL;
	if ((*cert = pem_read_cert(m->dirfd, "ca.crt")) == NULL)
		warn("%s/ca.crt", m->dir);
	else if ((*key = pem_read_key(m->dirfd, "ca.key")) == NULL)
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
	pem_wipe(&c->key);
}

int
ca_issue(const struct master *m, const struct ca_request *req,
    struct ca_issued *out)
{
	EVP_PKEY	*cakey, *key = NULL;
	X509		*ca, *cert = NULL;
	int		 rv = -1;

	memset(out, 0, sizeof(*out));
	if (ca_load(m, &ca, &cakey) == -1)
		return -1;
	if ((key = pem_new_key(EVP_PKEY_id(cakey))) == NULL ||
	    (cert = make_leaf(req, key, ca, cakey)) == NULL ||
	    describe(cert, out) == -1 || pem_cert(cert, &out->crt) == -1 ||
	    pem_key(key, &out->key) == -1) {
		pem_failed("cannot issue a certificate");
		ca_issued_free(out);
	} else
		rv = 0;
	X509_free(cert);
	EVP_PKEY_free(key);
	X509_free(ca);
	EVP_PKEY_free(cakey);
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
		if ((key = pem_read_key(m->dirfd, name)) == NULL)
			warn("%s/%s", m->dir, name);
		else
			say(name, 0);
		return key;
	}
	if ((key = pem_new_key(type)) == NULL || pem_key(key, &b) == -1) {
		pem_failed(name);
		EVP_PKEY_free(key);
		key = NULL;
	} else if (pem_write(m, name, &b, 0600) == -1) {
		EVP_PKEY_free(key);
		key = NULL;
	} else
		say(name, 1);
	pem_wipe(&b);
	return key;
}

static int
init_cert(const struct master *m, const char *name, X509 *cert,
    void (*say)(const char *, int))
{
	struct buf	 b = { NULL, 0, 0 };
	int		 rv = -1;

	if (cert == NULL || pem_cert(cert, &b) == -1)
		pem_failed(name);
	else if ((rv = pem_write(m, name, &b, 0644)) == 0)
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
	else if (crl_make(m) == -1)
		goto done;
	else
		say("ca.crl", 1);
	if ((ca = pem_read_cert(m->dirfd, "ca.crt")) == NULL) {
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
