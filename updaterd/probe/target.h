/*
 * What a health check asks, and of whom.  Private to the probe process.
 */
#ifndef UPD_PROBE_TARGET_H
#define UPD_PROBE_TARGET_H

#include <sys/types.h>
#include <sys/socket.h>
#include <stddef.h>
#include <stdint.h>
#include <tls.h>

#include "proto.h"

/* Method, path, Host with brackets and port, and the fixed fields. */
#define TARGET_REQUEST_SIZE	(UPD_URLPATH_SIZE + UPD_HOST_SIZE + 160)

/* What to ask whom; the same for all attempts of a sequence. */
struct target {
	enum health_kind	 kind;		/* TCP, HTTP or HTTPS */
	struct sockaddr_storage	 ss;
	socklen_t		 sslen;
	uint32_t		 status;	/* wanted */
	char			 name[UPD_HOST_SIZE];	/* to verify */
	struct tls_config	*tlsconf;	/* HTTPS only */
	size_t			 request_len;
	char			 request[TARGET_REQUEST_SIZE];
};

/* A file that the parent has opened, read; data NULL: none. */
struct target_file {
	char	*data;
	size_t	 len;
};

/* Take address, name, path from the parent's message.  0, or -1: they are
 * of no use, the text (UPD_TEXT_SIZE) says what is not. */
int	 target_set(struct target *, const struct msg_probe_start *, char *);
/*
 * Take certificates and key from the files (PROBEFILE__MAX of them);
 * anyname: whatever name the service's certificate is for.  0, or -1 with
 * the text as above.
 */
int	 target_settls(struct target *, const struct target_file *, int,
	    char *);
void	 target_clear(struct target *);

#endif
