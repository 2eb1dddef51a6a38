/*
 * A set of paths in 17 bytes each, whatever their length: an open-addressed
 * table of 128-bit digests, at most three quarters full.
 *
 * The digest is SHA-256 cut short, with a random salt in front, so that
 * nobody can prepare names that collide or gather in one place.  A name
 * that is wrongly found would only be refused as a duplicate.
 */
#include <sys/types.h>

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "names.h"

#define NAMES_MIN	1024	/* slots, a power of two */
#define KEY_LEN		16	/* bytes */

struct names {
	EVP_MD_CTX	*md;
	uint8_t		 salt[KEY_LEN];
	uint8_t		(*key)[KEY_LEN];
	uint8_t		*kind;		/* enum name_kind */
	size_t		 cap;
	size_t		 n;
};

static int
names_alloc(struct names *s, size_t cap)
{
	s->key = calloc(cap, sizeof(*s->key));
	s->kind = calloc(cap, sizeof(*s->kind));
	s->cap = cap;
	s->n = 0;
	if (s->key != NULL && s->kind != NULL)
		return 0;
	free(s->key);
	free(s->kind);
	return -1;
}

struct names *
names_new(void)
{
	struct names	*s;

	if ((s = calloc(1, sizeof(*s))) == NULL)
		return NULL;
	arc4random_buf(s->salt, sizeof(s->salt));
	if ((s->md = EVP_MD_CTX_new()) == NULL ||
	    !EVP_DigestInit_ex(s->md, EVP_sha256(), NULL) ||
	    names_alloc(s, NAMES_MIN) == -1) {
		EVP_MD_CTX_free(s->md);
		free(s);
		return NULL;
	}
	return s;
}

void
names_free(struct names *s)
{
	if (s == NULL)
		return;
	EVP_MD_CTX_free(s->md);
	free(s->key);
	free(s->kind);
	free(s);
}

/* 0, or -1 when libcrypto fails. */
static int
names_hash(struct names *s, const char *path, size_t len, uint8_t *key)
{
	uint8_t	 digest[EVP_MAX_MD_SIZE];

	if (!EVP_DigestInit_ex(s->md, NULL, NULL) ||
	    !EVP_DigestUpdate(s->md, s->salt, sizeof(s->salt)) ||
	    !EVP_DigestUpdate(s->md, path, len) ||
	    !EVP_DigestFinal_ex(s->md, digest, NULL))
		return -1;
	memcpy(key, digest, KEY_LEN);
	return 0;
}

/* The key's slot, or the free one where it belongs. */
static size_t
names_slot(const struct names *s, const uint8_t *key)
{
	uint64_t	 h;
	size_t		 i;

	memcpy(&h, key, sizeof(h));
	for (i = h & (s->cap - 1); s->kind[i] != NAME_NONE;
	    i = (i + 1) & (s->cap - 1))
		if (memcmp(s->key[i], key, KEY_LEN) == 0)
			break;
	return i;
}

static int
names_grow(struct names *s)
{
	struct names	 old = *s;
	size_t		 i, j;

	if (names_alloc(s, old.cap * 2) == -1) {
		*s = old;
		return -1;
	}
	for (i = 0; i < old.cap; i++) {
		if (old.kind[i] == NAME_NONE)
			continue;
		j = names_slot(s, old.key[i]);
		memcpy(s->key[j], old.key[i], KEY_LEN);
		s->kind[j] = old.kind[i];
		s->n++;
	}
	free(old.key);
	free(old.kind);
	return 0;
}

enum name_kind
names_get(struct names *s, const char *path, size_t len)
{
	uint8_t	 key[KEY_LEN];

	/* a failure here fails the names_put() that follows as well */
	if (names_hash(s, path, len, key) == -1)
		return NAME_NONE;
	return (enum name_kind)s->kind[names_slot(s, key)];
}

int
names_put(struct names *s, const char *path, size_t len, enum name_kind kind)
{
	uint8_t	 key[KEY_LEN];
	size_t	 i;

	if (s->n >= s->cap / 4 * 3 && names_grow(s) == -1)
		return -1;
	if (names_hash(s, path, len, key) == -1)
		return -1;
	i = names_slot(s, key);
	if (s->kind[i] == NAME_NONE)
		s->n++;
	memcpy(s->key[i], key, KEY_LEN);
	s->kind[i] = (uint8_t)kind;
	return 0;
}
