/*
 * What signify(1) writes: key files, and the head of a signed gzip.  All
 * of them begin with the same two lines,
 *
 *	untrusted comment: whatever
 *	base64 of a fixed number of bytes
 *
 * where the bytes of a public key are a struct relkey behind "Ed", those of
 * a signature "Ed", the key's number and 64 bytes.  In a signed gzip they
 * stand in the member's comment, followed by what is signed:
 *
 *	date=2026-11-22T02:23:48Z
 *	key=release.sec
 *	algorithm=SHA512/256
 *	blocksize=65536
 *
 *	64 hex digits for each block of what is behind the comment's NUL
 *
 * updatermaster writes it, inflate reads it; both use what is here.  Pure.
 */
#ifndef UPD_RELKEY_H
#define UPD_RELKEY_H

#include <sys/types.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes. */
#define RELKEY_NUM_LEN		8	/* only helps to find the key */
#define RELKEY_PUBLIC_LEN	32
#define RELKEY_SIG_LEN		64
#define RELKEY_ALG		"Ed"	/* Ed25519 */
#define RELKEY_ALG_LEN		2
#define RELKEY_SIGNED_LEN	(RELKEY_ALG_LEN + RELKEY_NUM_LEN + \
				    RELKEY_SIG_LEN)
#define RELKEY_FILE_MAX		2048	/* of a public key file */
#define RELKEY_SECRET_LEN	104	/* of a secret key in its file */
#define RELKEY_COMMENT		"untrusted comment: "
#define RELKEY_COMMENT_MAX	1024	/* behind that: signify's own limit */

#define SIGNED_GZ_HEAD		10	/* before the comment */
#define SIGNED_BLOCK		65536
#define SIGNED_HASH_LEN		32	/* SHA-512/256 */
#define SIGNED_LINE		(2 * SIGNED_HASH_LEN + 1)
#define SIGNED_KEY_MAX		1024	/* text behind key= */
#define SIGNED_ALGORITHM	"algorithm=SHA512/256\nblocksize=65536\n\n"
#define SIGNED_DATE_SIZE	21	/* "2026-11-22T02:23:48Z" and NUL */
#define SIGNED_DATE_MAX		253402300799LL	/* the end of the year 9999 */

struct relkey {
	uint8_t		 num[RELKEY_NUM_LEN];
	uint8_t		 key[RELKEY_PUBLIC_LEN];
};

/* Decode base64 as RFC 4648 has it, nothing else: no blanks, and padding
 * exactly where it belongs.  1 if it gives that many bytes, else 0. */
int	 base64_decode(const char *, size_t, uint8_t *, size_t);
/* Bytes of the text of n bytes, the NUL included. */
#define BASE64_SIZE(n)	(4 * (((n) + 2) / 3) + 1)
void	 base64_encode(const uint8_t *, size_t, char *);

/*
 * The two lines at the head of a text: out gets the n bytes.  How many
 * bytes of the text they are, or 0 with what is wrong.
 */
size_t	 relkey_lines(const char *, size_t, uint8_t *, size_t,
	    const char **);
/* A public key file, whole.  0, or -1 with what is wrong. */
int	 relkey_parse(const char *, size_t, struct relkey *, const char **);

/* Seconds since 1970 as a signature says them, 0 to SIGNED_DATE_MAX (else
 * the nearer of the two), and back: 0, or -1 (no such text or day). */
void	 signed_date(int64_t, char *);
int	 signed_parsedate(const char *, int64_t *);

#endif
