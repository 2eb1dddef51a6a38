/*
 * Between client.c and transfer.c, which is one attempt at a request.
 */
#ifndef UPD_MASTER_TRANSFER_H
#define UPD_MASTER_TRANSFER_H

#include <curl/curl.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include "client.h"

struct client {
	CURLM			*multi;
	struct event		 timer;		/* curl's */
	TAILQ_HEAD(, request)	 active;
	X509			*cert;
	EVP_PKEY		*key;
	char			*ca;		/* path */
	int			 keep;
};

/* Set up a handle and hand it to curl.  0, or -1 with text. */
int			 transfer_begin(struct request *);
/* What the end means; fills in status and answer, or text. */
enum request_end	 transfer_end(struct request *, CURLcode);
/* Take the handle from curl and free what belongs to the attempt. */
void			 transfer_drop(struct request *);

#endif
