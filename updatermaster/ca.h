/*
 * The authority: its certificate and key, what it issues, whom it revokes.
 * All of it is in the master's directory: ca.crt ca.key ca.crl.
 */
#ifndef UPD_CA_H
#define UPD_CA_H

#include <stdint.h>

#include "util.h"

#define CA_SERIAL_SIZE	41	/* 20 bytes in hex and a NUL */

enum ca_use {
	CA_USE_CLIENT,		/* the master: asks only */
	CA_USE_BOTH,		/* a host, a worker: answers and asks */
};

struct ca_request {
	const char	*cn;
	enum ca_use	 use;
	/* Of the certificate for servers: names and addresses, each
	 * NAME, ADDRESS, DNS:NAME or IP:ADDRESS; NULL-terminated; or NULL */
	const char	*const *san;
};

struct ca_issued {
	struct buf	 crt;			/* PEM */
	struct buf	 key;			/* PEM, PKCS #8 */
	char		 fingerprint[UPD_FPR_SIZE];
	char		 serial[CA_SERIAL_SIZE];
	int64_t		 expires;		/* seconds */
};

/*
 * Make what is missing of ca.key, ca.crt, ca.crl, master.key and
 * master.crt; what is there stays.  Keys are Ed25519 with `ed25519`, else
 * EC P-256.  Every file that was made or found is told to `say` (name,
 * 1: made).  0, or -1 (said on stderr).
 */
int	 ca_init(struct master *, int, void (*)(const char *, int));
/* Issue a certificate with a key of its own, of the kind the authority
 * has.  0, or -1 (said).  Release with ca_issued_free(). */
int	 ca_issue(const struct master *, const struct ca_request *,
	    struct ca_issued *);
void	 ca_issued_free(struct ca_issued *);	/* the key is wiped */
/* Put a serial on ca.crl.  0 (also when it is there), or -1 (said). */
int	 ca_revoke(const struct master *, const char *);
/* Is it a SAN that ca_issue() takes?  1 or 0. */
int	 ca_goodsan(const char *);

#endif
