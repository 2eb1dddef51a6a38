/* A key out of a passphrase, as signify(1) encrypts its secret keys. */
#ifndef UPD_MASTER_PASSKEY_H
#define UPD_MASTER_PASSKEY_H

#include <stddef.h>
#include <stdint.h>

/*
 * bcrypt_pbkdf: passphrase, salt, rounds (at least 1), and the bytes of key
 * wanted (at most 1,024).  Takes its time, that is the point.  0, or -1 (no
 * memory, or libcrypto failed).
 */
int	 passkey_derive(const char *, const uint8_t *, size_t, uint32_t,
	    uint8_t *, size_t);

#endif
